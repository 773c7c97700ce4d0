// SPDX-License-Identifier: MIT
/*
 * The policy file of candela balance: one JSON object, every key of which has a default. See
 * docs/balance.md and docs/balance.schema.json, which comes from the same table. No state.
 */
#pragma once

#include "balancer/policy.h"
#include "vmm/error.h"

struct balance_config {
	struct policy_settings policy;
	uint64_t interval_ns;
	struct {
		uint32_t available, critical; /* percent of the host's memory */
		uint32_t pressure;            /* percent ... */
		uint64_t pressure_for_ns;     /* ... for so long */
	} alert;
	struct {
		uint64_t interval_ns; /* a VM that does not change is written so often */
		uint64_t limit;       /* bytes, after which the file is set aside */
	} history;
};

void balance_config_init(struct balance_config *config);

/* -EINVAL with line and column, or with the JSON path and what was expected; or -ENOMEM. */
int balance_config_parse(struct balance_config *config, const char *text, size_t len,
			 struct error *err) must_check;
/* @path may be "-". Errors as above, and what a file cannot be read for; all with the path. */
int balance_config_load(struct balance_config *config, const char *path,
			struct error *err) must_check;

int balance_config_print_schema(struct error *err) must_check;
