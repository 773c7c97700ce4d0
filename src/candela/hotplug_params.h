// SPDX-License-Identifier: MIT
/* What is added to a VM that runs: from the command line's words to a method's parameters. */
#pragma once

#include <json-c/json.h>

#include "vmm/config_table.h"
#include "vmm/error.h"

/*
 * Reads @text as an option of "candela run" would be, into @item (of the table's size; it holds
 * nothing afterwards), and makes of it the JSON object that a configuration file would have, with
 * absolute paths.
 */
int hotplug_params(const struct config_table *table, void *item, const char *text,
		   struct error *err, struct json_object **ret) must_check;
