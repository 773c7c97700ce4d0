// SPDX-License-Identifier: MIT
/*
 * What VMs answer, as people read it: members of JSON objects, sizes and durations. No state.
 */
#pragma once

#include <json-c/json.h>

#include "vmm/base.h"

/*
 * A member; "" or 0 when there is none of that kind. Text has "?" for what a terminal should not
 * see, in @object, too.
 */
const char *show_text(struct json_object *object, const char *key);
uint64_t show_number(struct json_object *object, const char *key);

/* Of a member that may be null, or @object NULL: "-". As show_bytes(); "120 %". */
void show_known_bytes(struct json_object *object, const char *key, char buf[32]);
void show_known_percent(struct json_object *object, const char *key, char buf[32]);

/* "512 MiB"; "3h 05m". */
void show_bytes(uint64_t bytes, char buf[32]);
void show_duration(uint64_t ns, char buf[32]);

/* The exit status, when all is written to standard output, or says that it could not be. */
int show_flush(const char *command);
