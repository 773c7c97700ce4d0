// SPDX-License-Identifier: MIT
/*
 * Rates of a VM's counters: two answers to the method "counters", and what happened between them.
 * A rate is a difference of two values over that of their times. No state; any thread.
 */
#pragma once

#include <json-c/json.h>

/*
 * What @now has beyond @before; @before NULL: since the VM's start. The members of the sample are
 * those of docs/stat.md. A member that @now does not have is left out, one that @before does not
 * have was 0. A counter that went backwards has begun anew (its disk was taken away and another
 * came): all of its value counts. Another process, or time that ran backwards, is another VM, whose
 * sample is since its start ("restarted"). When no time has passed, rates are null.
 *
 * 0 with an object of the caller's, or -ENOMEM.
 */
int stat_rates(const char *name, struct json_object *before, struct json_object *now,
	       struct json_object **ret_sample);
