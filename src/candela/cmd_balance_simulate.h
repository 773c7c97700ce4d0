// SPDX-License-Identifier: MIT
/*
 * candela balance --simulate: a fleet that is described, generated or was recorded, played with a
 * policy. Main thread.
 */
#pragma once

#include "balancer/simulate.h"
#include "candela/cmd_balance_config.h"

struct balance_simulation {
	const char *trace;  /* "generate:...", or a file: a description or a history */
	const char *policy; /* "candela", "mom", "both"; NULL: candela */
	const char *report; /* NULL: none */
	bool json;
};

/* Sets @spec from what is behind "generate:". -EINVAL with text. */
int balance_spec_parse(struct sim_spec *spec, const char *text, struct error *err) must_check;
/* The same from a JSON object. */
int balance_spec_parse_json(struct sim_spec *spec, const char *text, size_t len,
			    struct error *err) must_check;

int balance_simulate(const struct balance_simulation *simulation,
		     const struct balance_config *config, struct error *err) must_check;
