// SPDX-License-Identifier: MIT
/*
 * The reader of configuration files: from JSON to the struct, by table.
 *
 * Two passes over the text: json_scan() for everything that makes it well-formed and unambiguous,
 * with line and column; then json-c builds a tree, which is walked beside the table, with JSON
 * paths in the messages. Scalars go on as text, so a file and a command line obey the same rules.
 *
 * No state; any thread.
 */
#include "vmm/config_json.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/config.h"
#include "vmm/config_tree.h"
#include "vmm/config_value.h"
#include "vmm/json_scan.h"

#define KEY_MAX_LEN 64  /* no key of a table is longer */
#define PATH_TEXT   192 /* the JSON path in a message; a longer one is cut */

struct loader {
	const char *dir;
	struct error *err;
	char path[PATH_TEXT]; /* of the value being read; stays there when it is wrong */
};

static int load_object(struct loader *l, const struct config_table *table, void *base,
		       const char *prefix, struct json_object *object);

/* Goes one step down the path; returns what path_pop() takes to come back. */
static size_t path_push(struct loader *l, const char *fmt, ...) printf_like(2, 3);
static size_t path_push(struct loader *l, const char *fmt, ...)
{
	size_t len = strlen(l->path);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->path + len, sizeof(l->path) - len, fmt, ap);
	va_end(ap);
	return len;
}

static void path_pop(struct loader *l, size_t len)
{
	l->path[len] = '\0';
}

/* What @value is, for a message. */
static void describe(struct json_object *value, char buf[CONFIG_QUOTE_MAX])
{
	if (json_object_is_type(value, json_type_object))
		snprintf(buf, CONFIG_QUOTE_MAX, "an object");
	else if (json_object_is_type(value, json_type_array))
		snprintf(buf, CONFIG_QUOTE_MAX, "an array");
	else if (json_object_is_type(value, json_type_string))
		config_quote(json_object_get_string(value), buf);
	else
		snprintf(buf, CONFIG_QUOTE_MAX, "%.40s", json_object_to_json_string(value));
}

static int wrong_type(const struct loader *l, const char *expected, struct json_object *value)
{
	char got[CONFIG_QUOTE_MAX];

	describe(value, got);
	return error_set(l->err, -EINVAL, "expected %s, got %s", expected, got);
}

static unsigned int form_of(struct json_object *value)
{
	if (json_object_is_type(value, json_type_boolean))
		return CONFIG_FORM_BOOLEAN;
	if (json_object_is_type(value, json_type_int))
		return CONFIG_FORM_INTEGER;
	if (json_object_is_type(value, json_type_string))
		return CONFIG_FORM_STRING;
	return 0;
}

static int load_value(struct loader *l, const struct config_row *row, void *base,
		      struct json_object *value)
{
	char expected[256];
	const char *text;

	if (!(form_of(value) & config_value_forms(row->kind))) {
		config_value_expected(row, expected, sizeof(expected));
		return wrong_type(l, expected, value);
	}
	/* Of a string its characters, of anything else its JSON text. */
	text = json_object_get_string(value);
	if (!text)
		return error_set(l->err, -ENOMEM, "out of memory");
	return config_value_parse(row, text, l->dir, (char *)base + row->offset, l->err);
}

static int load_item(struct loader *l, const struct config_row *row, void *base,
		     struct json_object *value)
{
	void *item = malloc(row->items->size);
	int r;

	if (!item)
		return error_set(l->err, -ENOMEM, "out of memory");
	config_tree_init(row->items, item);
	if (row->items->syntax == CONFIG_ITEM_VALUE)
		r = load_value(l, &row->items->rows[0], item, value);
	else if (json_object_is_type(value, json_type_object))
		r = load_object(l, row->items, item, "", value);
	else
		r = wrong_type(l, "an object", value);
	if (r == 0)
		r = config_array_add(row, base, item, l->err);
	if (r)
		config_tree_finish(row->items, item);
	free(item);
	return r;
}

static int load_array(struct loader *l, const struct config_row *row, void *base,
		      struct json_object *value)
{
	size_t i, len;
	int r;

	if (!json_object_is_type(value, json_type_array))
		return wrong_type(l, "an array", value);
	config_array_clear(row, base);
	for (i = 0; i < json_object_array_length(value); i++) {
		len = path_push(l, "[%zu]", i);
		r = load_item(l, row, base, json_object_array_get_idx(value, i));
		if (r)
			return r;
		path_pop(l, len);
	}
	return 0;
}

/* Do keys of the table begin with @prefix? */
static bool is_prefix(const struct config_table *table, const char *prefix)
{
	size_t i, len = strlen(prefix);

	for (i = 0; i < table->row_count; i++) {
		if (table->rows[i].key && strncmp(table->rows[i].key, prefix, len) == 0)
			return true;
	}
	return false;
}

/* The member @key of an object; @prefix is the keys of the objects around it, each with a dot. */
static int load_member(struct loader *l, const struct config_table *table, void *base,
		       const char *prefix, const char *key, struct json_object *value)
{
	const struct config_row *row;
	char full[KEY_MAX_LEN + 2];
	int len;

	if (strchr(key, '.'))
		return error_set(l->err, -EINVAL,
				 "unknown key; in a file, nested objects stand for "
				 "the dots");
	len = snprintf(full, sizeof(full), "%s%s", prefix, key);
	if (len >= KEY_MAX_LEN || !*key)
		return error_set(l->err, -EINVAL, "unknown key");
	row = config_tree_find(table, full, (size_t)len);
	if (row && row->kind == CONFIG_ARRAY)
		return load_array(l, row, base, value);
	if (row)
		return load_value(l, row, base, value);
	full[len] = '.';
	full[len + 1] = '\0';
	if (!is_prefix(table, full))
		return config_tree_unknown(table, prefix, key, l->err);
	if (!json_object_is_type(value, json_type_object))
		return wrong_type(l, "an object", value);
	return load_object(l, table, base, full, value);
}

static int load_object(struct loader *l, const struct config_table *table, void *base,
		       const char *prefix, struct json_object *object)
{
	struct json_object_iterator it = json_object_iter_begin(object);
	struct json_object_iterator end = json_object_iter_end(object);
	char quoted[CONFIG_QUOTE_MAX];
	size_t len;
	int r;

	for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
		const char *key = json_object_iter_peek_name(&it);

		config_quote(key, quoted);
		len = path_push(l, "%s%.*s", l->path[0] ? "." : "",
				*key ? (int)strlen(quoted) - 2 : 2, *key ? quoted + 1 : quoted);
		r = load_member(l, table, base, prefix, key, json_object_iter_peek_value(&it));
		if (r)
			return r;
		path_pop(l, len);
	}
	return 0;
}

/* Builds json-c's tree of an object that json_scan() has accepted. */
static int parse_text(const char *text, size_t len, struct error *err, struct json_object **ret)
{
	struct json_tokener *tok = json_tokener_new_ex(JSON_SCAN_MAX_DEPTH + 2);
	struct json_object *root;
	int r = 0;

	if (!tok)
		return error_set(err, -ENOMEM, "out of memory");
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	root = json_tokener_parse_ex(tok, text, (int)len);
	if (json_tokener_get_error(tok) != json_tokener_success)
		r = error_set(err, -EINVAL, "json-c: %s",
			      json_tokener_error_desc(json_tokener_get_error(tok)));
	else if (!root)
		r = error_set(err, -ENOMEM, "out of memory");
	json_tokener_free(tok);
	if (r)
		json_object_put(root);
	else
		*ret = root;
	return r;
}

int config_json_load(const struct config_table *table, void *base, const char *text, size_t len,
		     const char *dir, struct error *err)
{
	struct loader l = {.dir = dir, .err = err};
	struct json_object *root = NULL;
	int r;

	if (len > CONFIG_FILE_MAX)
		return error_set(err, -EINVAL,
				 "larger than 1 MiB, as no configuration is (a kernel is "
				 "given with --kernel)");
	if (memchr(text, '\0', min_of(len, (size_t)512)))
		return error_set(err, -EINVAL,
				 "a binary file, not JSON (a kernel is given with "
				 "--kernel)");
	r = json_scan(text, len, err);
	if (r)
		return r;
	/* There is a value, so this ends inside the text. */
	if (text[strspn(text, " \t\r\n")] != '{')
		return error_set(err, -EINVAL, "expected a JSON object, { ... }");
	r = parse_text(text, len, err, &root);
	if (r)
		return r;
	r = load_object(&l, table, base, "", root);
	if (r)
		error_prefix(err, "%s", l.path);
	json_object_put(root);
	return r;
}
