// SPDX-License-Identifier: MIT
/* An item of an array of the configuration as JSON. No state. */
#include "candela/hotplug_params.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/config_item.h"
#include "vmm/config_json.h"
#include "vmm/config_tree.h"

int hotplug_params(const struct config_table *table, void *item, const char *text,
		   struct error *err, struct json_object **ret)
{
	char *json = NULL;
	size_t size = 0;
	FILE *out;
	int r;

	config_tree_init(table, item);
	r = config_item_parse(table, item, text, NULL, err);
	out = r == 0 ? open_memstream(&json, &size) : NULL;
	if (out) {
		r = config_json_print(table, item, out, err);
		fclose(out);
	} else if (r == 0) {
		r = error_set(err, -ENOMEM, "out of memory");
	}
	if (r == 0) {
		*ret = json_tokener_parse(json);
		if (!*ret)
			r = error_set(err, -ENOMEM, "out of memory");
	}
	free(json);
	config_tree_finish(table, item);
	return r;
}
