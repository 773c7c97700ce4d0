// SPDX-License-Identifier: MIT
/*
 * --result FILE: how a VM ended, as one JSON object.
 */
#pragma once

#include <json-c/json.h>

#include "candela/machine.h"

/* Times of CLOCK_MONOTONIC in nanoseconds; 0: never came to it. */
struct result_times {
	uint64_t process; /* the process began */
	uint64_t guest;   /* VP 0 first entered the guest */
	uint64_t end;     /* the VM had ended */
};

/*
 * Writes the object to @path, complete or not at all (a temporary file is renamed). @machine may be
 * NULL when none could be built; @detail then says why.
 */
int result_write(const char *path, const struct vm_config *config, const char *outcome, int status,
		 const char *detail, const struct result_times *times,
		 const struct machine *machine, struct error *err) must_check;

/*
 * For whoever can no longer build an object: the text of one without counters, but for its
 * "detail", which goes between @ret_before and @ret_after as it is: printable ASCII without quotes
 * and backslashes. To be freed. -ENOMEM.
 */
int result_split(const struct vm_config *config, const char *outcome, int status, char **ret_before,
		 char **ret_after) must_check;

/* Adds what was counted; all of it may be read while the VM runs. */
void result_add_counters(struct json_object *object, const struct machine *machine);
