// SPDX-License-Identifier: MIT
/*
 * What a VM answers to "memory", from JSON, and what it and the host say as lines of a history, to
 * JSON and back. Nothing that comes is believed to be of the right kind or size. No state.
 */
#pragma once

#include <json-c/json.h>

#include "balancer/series.h"

struct balance_sample {
	struct policy_vm vm;
	uint64_t startup;
	struct series_counts counts;
};

/* -EPROTO: it is no such answer; numbers that cannot be are cut to what a uint64_t holds. */
int balance_sample_parse(struct json_object *answer, struct balance_sample *ret) must_check;

/* Seconds since 1970, with milliseconds; NULL: no memory. */
struct json_object *balance_time(uint64_t time_ms);

/* Lines of a history; NULL: no memory. */
struct json_object *balance_host_line(const struct series_host *host);
struct json_object *balance_vm_line(uint64_t time_ms, const char *name,
				    const struct balance_sample *sample,
				    const struct policy_decision *decision);

/*
 * Adds a line of a history to @series. -EPROTO: it is none, and nothing is added; -ENOMEM. A line
 * need not end in a NUL.
 */
int balance_line_read(struct series *series, const char *line, size_t len) must_check;
