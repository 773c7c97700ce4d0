// SPDX-License-Identifier: MIT
/*
 * The JSON Schema (draft 7) of a table's files.
 *
 * A schema sees one value at a time, and of a string only its letters. So it cannot say: the limits
 * of a size or a time that is written as a string, the length of a string in bytes, rules between
 * keys (config_check.c), and what json_scan() refuses. In all else it accepts what the reader
 * accepts; tests/lint/schema.sh holds the two together. No state; any thread.
 */
#include "vmm/config_json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/config.h"
#include "vmm/config_value.h"
#include "vmm/json_build.h"

static int fill_object(struct json_object *schema, const struct config_table *table);

static int fill_integer(struct json_object *schema, const struct config_row *row)
{
	uint64_t unit = config_value_integer_unit(row->kind);
	int r;

	r = json_put_string(schema, "type", "integer");
	if (r == 0)
		r = json_put_integer(schema, "minimum", (row->min + unit - 1) / unit);
	if (r == 0)
		r = json_put_integer(schema, "maximum", row->max / unit);
	if (r == 0 && row->step > unit)
		r = json_put_integer(schema, "multipleOf", row->step / unit);
	return r;
}

static int fill_names(struct json_object *schema, const struct config_row *row)
{
	struct json_object *names = json_object_new_array();
	size_t i;
	int r;

	r = json_put(schema, "enum", names);
	for (i = 0; r == 0 && row->names[i]; i++)
		r = json_append(names, json_object_new_string(row->names[i]));
	return r;
}

static int fill_string(struct json_object *schema, const struct config_row *row)
{
	char pattern[256];
	uint64_t min, max;
	int r;

	r = json_put_string(schema, "type", "string");
	if (r == 0 && row->kind == CONFIG_ENUM)
		return fill_names(schema, row);
	config_value_pattern(row, pattern, sizeof(pattern));
	if (r == 0 && pattern[0])
		return json_put_string(schema, "pattern", pattern);
	config_value_length(row, &min, &max);
	if (r == 0 && min > 0)
		r = json_put_integer(schema, "minLength", min);
	if (r == 0 && max < UINT64_MAX)
		r = json_put_integer(schema, "maxLength", max);
	return r;
}

static int fill_form(struct json_object *schema, const struct config_row *row, unsigned int form)
{
	if (form == CONFIG_FORM_BOOLEAN)
		return json_put_string(schema, "type", "boolean");
	if (form == CONFIG_FORM_INTEGER)
		return fill_integer(schema, row);
	return fill_string(schema, row);
}

/* A value of several forms is any of them. */
static int fill_value(struct json_object *schema, const struct config_row *row)
{
	unsigned int form, forms = config_value_forms(row->kind);
	struct json_object *any, *one;
	int r;

	if ((forms & (forms - 1)) == 0)
		return fill_form(schema, row, forms);
	any = json_object_new_array();
	r = json_put(schema, "anyOf", any);
	for (form = 1; r == 0 && form <= forms; form <<= 1) {
		if (!(forms & form))
			continue;
		one = json_object_new_object();
		r = json_append(any, one);
		if (r == 0)
			r = fill_form(one, row, form);
	}
	return r;
}

static int fill_array(struct json_object *schema, const struct config_row *row)
{
	struct json_object *items = json_object_new_object();
	int r;

	r = json_put_string(schema, "type", "array");
	if (r == 0 && row->required)
		r = json_put_integer(schema, "minItems", 1);
	if (r == 0)
		r = json_put_integer(schema, "maxItems", row->max);
	if (r) {
		json_object_put(items);
		return r;
	}
	r = json_put(schema, "items", items);
	if (r)
		return r;
	if (row->items->syntax == CONFIG_ITEM_VALUE)
		return fill_value(items, &row->items->rows[0]);
	return fill_object(items, row->items);
}

/* The default as JSON: "true" and "4" are that as they are. */
static struct json_object *default_of(const struct config_row *row)
{
	if (config_value_printed_form(row->kind) == CONFIG_FORM_STRING)
		return json_object_new_string(row->preset);
	return json_tokener_parse(row->preset);
}

static int fill_row(struct json_object *schema, const struct config_row *row)
{
	char description[512];
	int r;

	snprintf(description, sizeof(description), "%s%s%s", row->help,
		 row->unset ? "; without: " : "", row->unset ? row->unset : "");
	r = json_put_string(schema, "description", description);
	if (r == 0)
		r = row->kind == CONFIG_ARRAY ? fill_array(schema, row) : fill_value(schema, row);
	if (r == 0 && row->preset)
		r = json_put(schema, "default", default_of(row));
	return r;
}

/* What every object has: nothing that is not listed. */
static int fill_frame(struct json_object *schema)
{
	int r;

	r = json_put_string(schema, "type", "object");
	if (r == 0)
		r = json_put(schema, "additionalProperties", json_object_new_boolean(false));
	if (r == 0)
		r = json_put(schema, "properties", json_object_new_object());
	return r;
}

/* Adds @name to the object's required members, once. */
static int require(struct json_object *schema, const char *name)
{
	struct json_object *list;
	size_t i;
	int r;

	if (!json_object_object_get_ex(schema, "required", &list)) {
		list = json_object_new_array();
		r = json_put(schema, "required", list);
		if (r)
			return r;
	}
	for (i = 0; i < json_object_array_length(list); i++) {
		if (strcmp(json_object_get_string(json_object_array_get_idx(list, i)), name) == 0)
			return 0;
	}
	return json_append(list, json_object_new_string(name));
}

/* The schema of member @name of the object that @schema describes, made if it is not there yet. */
static int open_member(struct json_object *schema, const char *name, bool required, bool *ret_new,
		       struct json_object **ret)
{
	struct json_object *properties = json_object_object_get(schema, "properties");
	int r;

	r = required ? require(schema, name) : 0;
	*ret_new = r == 0 && !json_object_object_get_ex(properties, name, ret);
	if (*ret_new) {
		*ret = json_object_new_object();
		r = json_put(properties, name, *ret);
	}
	return r;
}

/* The row, in the objects that its dotted key names. */
static int add_row(struct json_object *schema, const struct config_row *row)
{
	const char *key = row->key, *dot;
	char component[64];
	bool is_new;
	int r;

	while ((dot = strchr(key, '.'))) {
		snprintf(component, sizeof(component), "%.*s", (int)(dot - key), key);
		r = open_member(schema, component, row->required, &is_new, &schema);
		if (r == 0 && is_new)
			r = fill_frame(schema);
		if (r)
			return r;
		key = dot + 1;
	}
	r = open_member(schema, key, row->required, &is_new, &schema);
	return r ? r : fill_row(schema, row);
}

static int fill_object(struct json_object *schema, const struct config_table *table)
{
	size_t i;
	int r;

	r = fill_frame(schema);
	for (i = 0; r == 0 && i < table->row_count; i++) {
		if (table->rows[i].key)
			r = add_row(schema, &table->rows[i]);
	}
	return r;
}

int config_json_schema(const struct config_table *table, const char *title, FILE *out,
		       struct error *err)
{
	struct json_object *schema = json_object_new_object();
	int r = schema ? 0 : -ENOMEM;

	if (r == 0)
		r = json_put_string(schema, "$schema", "http://json-schema.org/draft-07/schema#");
	if (r == 0)
		r = json_put_string(schema, "title", title);
	if (r == 0)
		r = fill_object(schema, table);
	if (r)
		error_set(err, r, "out of memory");
	else
		r = json_write(schema, out, err);
	json_object_put(schema);
	return r;
}

int config_print_schema(FILE *out, struct error *err)
{
	return config_json_schema(&config_vm_table, "A candela virtual machine", out, err);
}
