// SPDX-License-Identifier: MIT
/* Samples of stat_rates() as tables, on standard output. No state; main thread. */
#pragma once

#include <json-c/json.h>

void stat_show_vm(struct json_object *sample);

/* A line for each VM. @sample NULL: @name did not answer. */
void stat_show_head(void);
void stat_show_line(const char *name, struct json_object *sample);
