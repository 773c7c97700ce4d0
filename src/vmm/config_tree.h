// SPDX-License-Identifier: MIT
/*
 * A struct that a table describes, as a whole: its defaults, its end, and any value in it by path.
 *
 * A path is what JSON error messages show: "cpus.count", "boot.modules[0].path". No state.
 */
#pragma once

#include "vmm/config_table.h"
#include "vmm/error.h"

/* Sets @base (of table->size) to its defaults, whatever it held. Never fails, allocates nothing. */
void config_tree_init(const struct config_table *table, void *base);
/* Frees what @base owns and sets it to zero. */
void config_tree_finish(const struct config_table *table, void *base);

/* The row whose key is the @len bytes at @key, or NULL. */
const struct config_row *config_tree_find(const struct config_table *table, const char *key,
					  size_t len);

/*
 * Sets the value at @path from text. "array[N].key" sets a key of item N, "array[N]" the whole item
 * in its table's syntax; N may be the number of items there are, which adds one, and so does an
 * empty N. Relative paths are put behind @dir unless it is NULL. -EINVAL (the text says what was
 * expected, not where: the caller has the path) or -ENOMEM; then @base is unchanged.
 */
int config_tree_set(const struct config_table *table, void *base, const char *path,
		    const char *text, const char *dir, struct error *err) must_check;

/*
 * Arrays; @row is one, in the struct at @base. config_array_add() takes over what @item (of the
 * items' table) owns; -EINVAL when there are row->max of them, or -ENOMEM, and then it does not.
 */
size_t config_array_count(const struct config_row *row, const void *base);
void *config_array_item(const struct config_row *row, const void *base, size_t i);
int config_array_add(const struct config_row *row, void *base, const void *item,
		     struct error *err) must_check;
void config_array_clear(const struct config_row *row, void *base);

/* Reads an item written in the table's syntax and adds it. Errors as config_tree_set(). */
int config_array_parse(const struct config_row *row, void *base, const char *text, const char *dir,
		       struct error *err) must_check;

/* Are all required values there? -EINVAL, the text naming the first that is not. */
int config_tree_check_required(const struct config_table *table, const void *base,
			       struct error *err) must_check;

/*
 * Fills in "unknown key; did you mean ...?" and returns -EINVAL. @prefix is the part of the table's
 * keys before @key: "cpus.", or "". What is suggested comes behind it: "count" or "cpus.count".
 */
int config_tree_unknown(const struct config_table *table, const char *prefix, const char *key,
			struct error *err);
