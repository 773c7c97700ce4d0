// SPDX-License-Identifier: MIT
/*
 * JSON in and out, for any struct that a table describes. The only door between configuration and
 * JSON: nothing behind it sees a JSON object. No state; any thread.
 */
#pragma once

#include <stdio.h>

#include "vmm/config_table.h"
#include "vmm/error.h"

/*
 * Reads the JSON object in @text over what @base holds; an array takes the place of the one there.
 * Relative paths are put behind @dir unless it is NULL. -EINVAL, with line and column or with the
 * JSON path and what was expected, or -ENOMEM; @base then holds a part.
 */
int config_json_load(const struct config_table *table, void *base, const char *text, size_t len,
		     const char *dir, struct error *err) must_check;

/* As config_print() and config_print_schema(); @title heads the schema. */
int config_json_print(const struct config_table *table, const void *base, FILE *out,
		      struct error *err) must_check;
int config_json_schema(const struct config_table *table, const char *title, FILE *out,
		       struct error *err) must_check;
