// SPDX-License-Identifier: MIT
/*
 * From a configuration back to JSON: what `candela check --effective` prints. No state; any thread.
 */
#include "vmm/config_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/config.h"
#include "vmm/config_tree.h"
#include "vmm/config_value.h"
#include "vmm/json_build.h"
#include "vmm/utf8.h"

#define PATH_TEXT 192

/* @at is the path of what is being printed, for messages: "", or "disks[0]." for what is inside. */
static int tree_to_json(const struct config_table *table, const void *base, const char *at,
			struct error *err, struct json_object **ret);

/* -EINVAL with text, or 0 and what json-c made, which is NULL when it had no memory. */
static int value_to_json(const struct config_row *row, const void *base, const char *at,
			 struct error *err, struct json_object **ret)
{
	char *text = config_value_text(row, (const char *)base + row->offset);
	int r = 0;

	*ret = NULL;
	if (!text)
		return 0;
	if (!utf8_valid(text, strlen(text)))
		r = error_set(err, -EINVAL, "%s%s: not UTF-8, so JSON cannot hold it", at,
			      row->key ? row->key : "");
	else if (config_value_printed_form(row->kind) == CONFIG_FORM_STRING)
		*ret = json_object_new_string(text);
	else
		*ret = json_tokener_parse(text); /* "true" and "4" are JSON as they are */
	free(text);
	return r;
}

static int array_to_json(const struct config_row *row, const void *base, const char *at,
			 struct error *err, struct json_object **ret)
{
	struct json_object *array = json_object_new_array(), *json = NULL;
	bool plain = row->items->syntax == CONFIG_ITEM_VALUE;
	int r = array ? 0 : -ENOMEM;
	char path[PATH_TEXT];
	size_t i;

	for (i = 0; r == 0 && i < config_array_count(row, base); i++) {
		const void *item = config_array_item(row, base, i);

		snprintf(path, sizeof(path), "%s%s[%zu]%s", at, row->key, i, plain ? "" : ".");
		if (plain)
			r = value_to_json(&row->items->rows[0], item, path, err, &json);
		else
			r = tree_to_json(row->items, item, path, err, &json);
		if (r == 0)
			r = json_append(array, json);
	}
	if (r)
		json_object_put(array);
	*ret = r ? NULL : array;
	return r;
}

static int tree_to_json(const struct config_table *table, const void *base, const char *at,
			struct error *err, struct json_object **ret)
{
	struct json_object *root = json_object_new_object(), *json = NULL;
	int r = root ? 0 : -ENOMEM;
	size_t i;

	for (i = 0; r == 0 && i < table->row_count; i++) {
		const struct config_row *row = &table->rows[i];

		if (!row->key)
			continue;
		if (row->kind == CONFIG_ARRAY)
			r = array_to_json(row, base, at, err, &json);
		else if (config_value_is_set(row, (const char *)base + row->offset))
			r = value_to_json(row, base, at, err, &json);
		else
			continue;
		if (r == 0)
			r = json_put_at(root, row->key, json);
	}
	if (r)
		json_object_put(root);
	*ret = r ? NULL : root;
	return r;
}

int config_json_print(const struct config_table *table, const void *base, FILE *out,
		      struct error *err)
{
	struct json_object *root;
	int r;

	r = tree_to_json(table, base, "", err, &root);
	if (r == -ENOMEM)
		error_set(err, r, "out of memory");
	if (r)
		return r;
	r = json_write(root, out, err);
	json_object_put(root);
	return r;
}

int config_print(const struct vm_config *config, FILE *out, struct error *err)
{
	return config_json_print(&config_vm_table, config, out, err);
}
