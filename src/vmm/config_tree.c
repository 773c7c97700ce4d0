// SPDX-License-Identifier: MIT
/*
 * Structs described by tables: defaults, arrays, values by path. No state; any thread.
 */
#include "vmm/config_tree.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/config.h"
#include "vmm/config_item.h"
#include "vmm/config_value.h"
#include "vmm/suggest.h"

void config_tree_init(const struct config_table *table, void *base)
{
	const uint32_t unset = CONFIG_UINT_UNSET;
	size_t i;

	memset(base, 0, table->size);
	for (i = 0; i < table->row_count; i++) {
		const struct config_row *row = &table->rows[i];
		int r = 0;

		if (row->preset)
			r = config_value_parse(row, row->preset, NULL, (char *)base + row->offset,
					       NULL);
		else if (row->kind == CONFIG_UINT)
			memcpy((char *)base + row->offset, &unset, sizeof(unset));
		assert(r == 0);
		(void)r;
	}
}

void config_tree_finish(const struct config_table *table, void *base)
{
	size_t i;

	for (i = 0; i < table->row_count; i++) {
		const struct config_row *row = &table->rows[i];

		if (row->kind == CONFIG_ARRAY)
			config_array_clear(row, base);
		else if (row->kind != CONFIG_ASSIGN)
			config_value_finish(row, (char *)base + row->offset);
	}
	memset(base, 0, table->size);
}

const struct config_row *config_tree_find(const struct config_table *table, const char *key,
					  size_t len)
{
	size_t i;

	for (i = 0; i < table->row_count; i++) {
		const char *k = table->rows[i].key;

		if (k && strncmp(k, key, len) == 0 && k[len] == '\0')
			return &table->rows[i];
	}
	return NULL;
}

/* --- arrays: a pointer and a count, both reached as bytes --- */

static void *get_items(const struct config_row *row, const void *base)
{
	void *items;

	memcpy(&items, (const char *)base + row->offset, sizeof(items));
	return items;
}

static void put_items(const struct config_row *row, void *base, void *items, size_t count)
{
	memcpy((char *)base + row->offset, &items, sizeof(items));
	memcpy((char *)base + row->count_offset, &count, sizeof(count));
}

size_t config_array_count(const struct config_row *row, const void *base)
{
	size_t count;

	memcpy(&count, (const char *)base + row->count_offset, sizeof(count));
	return count;
}

void *config_array_item(const struct config_row *row, const void *base, size_t i)
{
	return (char *)get_items(row, base) + i * row->items->size;
}

int config_array_add(const struct config_row *row, void *base, const void *item, struct error *err)
{
	size_t count = config_array_count(row, base), size = row->items->size;
	char *items;

	if (count >= row->max)
		return error_set(err, -EINVAL, "expected at most %llu items",
				 (unsigned long long)row->max);
	items = realloc(get_items(row, base), (count + 1) * size);
	if (!items)
		return error_set(err, -ENOMEM, "out of memory");
	memcpy(items + count * size, item, size);
	put_items(row, base, items, count + 1);
	return 0;
}

void config_array_clear(const struct config_row *row, void *base)
{
	size_t i, count = config_array_count(row, base);

	for (i = 0; i < count; i++)
		config_tree_finish(row->items, config_array_item(row, base, i));
	free(get_items(row, base));
	put_items(row, base, NULL, 0);
}

/*
 * Makes a new item, whole from @text, or with the defaults and @path set to @text; puts it in place
 * of item @index, or behind the last.
 */
static int put_item(const struct config_row *row, void *base, size_t index, const char *path,
		    const char *text, const char *dir, struct error *err)
{
	void *item = malloc(row->items->size);
	int r;

	if (!item)
		return error_set(err, -ENOMEM, "out of memory");
	config_tree_init(row->items, item);
	if (path)
		r = config_tree_set(row->items, item, path, text, dir, err);
	else
		r = config_item_parse(row->items, item, text, dir, err);
	if (r == 0 && index < config_array_count(row, base)) {
		void *old = config_array_item(row, base, index);

		config_tree_finish(row->items, old);
		memcpy(old, item, row->items->size);
	} else if (r == 0) {
		r = config_array_add(row, base, item, err);
	}
	if (r)
		config_tree_finish(row->items, item);
	free(item);
	return r;
}

int config_array_parse(const struct config_row *row, void *base, const char *text, const char *dir,
		       struct error *err)
{
	return put_item(row, base, SIZE_MAX, NULL, text, dir, err);
}

/* --- values by path --- */

int config_tree_unknown(const struct config_table *table, const char *prefix, const char *key,
			struct error *err)
{
	size_t i, prefix_len = strlen(prefix);
	char component[SUGGEST_MAX];
	struct suggest suggest;
	const char *best;

	suggest_init(&suggest, key);
	for (i = 0; i < table->row_count; i++) {
		const char *k = table->rows[i].key;

		if (!k || strncmp(k, prefix, prefix_len) != 0)
			continue;
		k += prefix_len;
		snprintf(component, sizeof(component), "%.*s", (int)strcspn(k, "."), k);
		suggest_offer(&suggest, component);
		suggest_offer(&suggest, k);
	}
	best = suggest_best(&suggest);
	if (best)
		return error_set(err, -EINVAL, "unknown key; did you mean \"%s\"?", best);
	return error_set(err, -EINVAL, "unknown key");
}

/* "[N]" or "[]" at *@p, which is moved behind it. @count is the number of items there are. */
static int take_index(const char **p, size_t count, size_t *ret, struct error *err)
{
	const char *digits, *end;
	size_t index = count;

	if (**p != '[')
		return error_set(err, -EINVAL,
				 "an array: write [N] behind it for one of its items, or "
				 "[] to add one");
	digits = *p + 1;
	end = digits + strspn(digits, "0123456789");
	/* Ten digits are more than any array has, and do not overflow. */
	if (end > digits)
		index = end - digits <= 10 ? strtoull(digits, NULL, 10) : SIZE_MAX;
	if (*end != ']' || index > count)
		return error_set(err, -EINVAL, "expected an index from 0 to %zu in []", count);
	*p = end + 1;
	*ret = index;
	return 0;
}

/* As config_tree_set() for an array: @rest is what follows its key, "[N]" or "[N].KEY". */
static int set_item(const struct config_row *row, void *base, const char *rest, const char *text,
		    const char *dir, struct error *err)
{
	size_t index = 0, count = config_array_count(row, base);
	int r;

	r = take_index(&rest, count, &index, err);
	if (r)
		return r;
	if (*rest == '\0')
		return put_item(row, base, index, NULL, text, dir, err);
	if (*rest != '.' || row->items->syntax == CONFIG_ITEM_VALUE)
		return error_set(err, -EINVAL, "nothing can follow the index here but the end%s",
				 row->items->syntax == CONFIG_ITEM_VALUE ? "" : " or .KEY");
	if (index < count)
		return config_tree_set(row->items, config_array_item(row, base, index), rest + 1,
				       text, dir, err);
	return put_item(row, base, index, rest + 1, text, dir, err);
}

/* Is @path the beginning of keys, so that it stands for an object? Then the first such key. */
static const char *first_inside(const struct config_table *table, const char *path)
{
	size_t i, len = strlen(path);

	for (i = 0; i < table->row_count; i++) {
		const char *k = table->rows[i].key;

		if (k && strncmp(k, path, len) == 0 && k[len] == '.')
			return k;
	}
	return NULL;
}

int config_tree_set(const struct config_table *table, void *base, const char *path,
		    const char *text, const char *dir, struct error *err)
{
	size_t len = strcspn(path, "[");
	const struct config_row *row = config_tree_find(table, path, len);
	const char *inside;

	if (!row) {
		inside = first_inside(table, path);
		if (inside)
			return error_set(err, -EINVAL, "an object; set its keys, such as %s",
					 inside);
		return config_tree_unknown(table, "", path, err);
	}
	if (row->kind == CONFIG_ARRAY)
		return set_item(row, base, path + len, text, dir, err);
	if (path[len])
		return error_set(err, -EINVAL, "%s is not an array", row->key);
	return config_value_parse(row, text, dir, (char *)base + row->offset, err);
}

/* --- required values --- */

static bool is_missing(const struct config_row *row, const void *base)
{
	if (!row->required)
		return false;
	if (row->kind == CONFIG_ARRAY)
		return config_array_count(row, base) == 0;
	return !config_value_is_set(row, (const char *)base + row->offset);
}

#define PATH_TEXT 192

static int check_required(const struct config_table *table, const void *base, const char *prefix,
			  struct error *err)
{
	char path[PATH_TEXT];
	size_t i, n;
	int r = 0;

	for (i = 0; i < table->row_count; i++) {
		const struct config_row *row = &table->rows[i];

		if (is_missing(row, base) && row->option)
			return error_set(err, -EINVAL,
					 "%s%s: missing; set it in the file, or with --%s", prefix,
					 row->key, row->option);
		if (is_missing(row, base))
			return error_set(err, -EINVAL, "%s%s: missing", prefix, row->key);
		if (row->kind != CONFIG_ARRAY)
			continue;
		for (n = 0; r == 0 && n < config_array_count(row, base); n++) {
			snprintf(path, sizeof(path), "%s%s[%zu].", prefix, row->key, n);
			r = check_required(row->items, config_array_item(row, base, n), path, err);
		}
		if (r)
			return r;
	}
	return 0;
}

int config_tree_check_required(const struct config_table *table, const void *base,
			       struct error *err)
{
	return check_required(table, base, "", err);
}
