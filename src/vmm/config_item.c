// SPDX-License-Identifier: MIT
/*
 * Items of arrays from one text each. No state; any thread.
 */
#include "vmm/config_item.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/config_tree.h"
#include "vmm/config_value.h"

/* Sets the value of @row, or adds to the array that it is. */
static int set_row(const struct config_row *row, void *item, const char *text, const char *dir,
		   struct error *err)
{
	int r;

	if (row->kind == CONFIG_ARRAY)
		r = config_array_parse(row, item, text, dir, err);
	else
		r = config_value_parse(row, text, dir, (char *)item + row->offset, err);
	if (r && row->key)
		error_prefix(err, "%s", row->key);
	return r;
}

/* "FILE [ARGS]" */
static int parse_words(const struct config_table *table, void *item, const char *text,
		       const char *dir, struct error *err)
{
	size_t len = strcspn(text, " \t");
	const char *rest = text + len + strspn(text + len, " \t");
	char *word = strndup(text, len);
	int r;

	if (!word)
		return error_set(err, -ENOMEM, "out of memory");
	r = set_row(&table->rows[0], item, word, dir, err);
	free(word);
	if (r == 0 && *rest)
		r = set_row(&table->rows[1], item, rest, dir, err);
	return r;
}

/* Cuts the next piece off a comma list, with ",," turned into ","; *@p is NULL behind the last. */
static void take_piece(const char **p, char *out)
{
	const char *s;

	for (s = *p; *s; s++) {
		if (*s == ',') {
			if (s[1] != ',')
				break;
			s++;
		}
		*out++ = *s;
	}
	*out = '\0';
	*p = *s ? s + 1 : NULL;
}

static bool looks_like_key(const char *text, size_t len)
{
	return len > 0 && strspn(text, "abcdefghijklmnopqrstuvwxyz-.") == len;
}

/* "KEY=VALUE"; "KEY" for a boolean; or, as the @first, the value of the table's first row alone. */
static int parse_piece(const struct config_table *table, void *item, char *piece, bool first,
		       const char *dir, struct error *err)
{
	size_t len = strcspn(piece, "=");
	const struct config_row *row = config_tree_find(table, piece, len);
	char quoted[CONFIG_QUOTE_MAX];
	int r;

	if (row && piece[len])
		return set_row(row, item, piece + len + 1, dir, err);
	if (first && !(piece[len] && looks_like_key(piece, len)))
		return set_row(&table->rows[0], item, piece, dir, err);
	if (row && row->kind == CONFIG_BOOL)
		return set_row(row, item, "true", dir, err);
	config_quote(piece, quoted);
	if (!piece[len])
		return error_set(err, -EINVAL,
				 "expected KEY=VALUE, got %s (a comma inside a value "
				 "is written twice)",
				 quoted);
	piece[len] = '\0';
	r = config_tree_unknown(table, "", piece, err);
	error_prefix(err, "%s", piece);
	return r;
}

static int parse_keys(const struct config_table *table, void *item, const char *text,
		      const char *dir, struct error *err)
{
	char *piece = malloc(strlen(text) + 1);
	const char *p = text;
	bool first = true;
	int r = 0;

	if (!piece)
		return error_set(err, -ENOMEM, "out of memory");
	while (r == 0 && p) {
		take_piece(&p, piece);
		r = parse_piece(table, item, piece, first, dir, err);
		first = false;
	}
	free(piece);
	return r;
}

int config_item_parse(const struct config_table *table, void *item, const char *text,
		      const char *dir, struct error *err)
{
	if (table->syntax == CONFIG_ITEM_VALUE)
		return set_row(&table->rows[0], item, text, dir, err);
	if (table->syntax == CONFIG_ITEM_WORDS)
		return parse_words(table, item, text, dir, err);
	return parse_keys(table, item, text, dir, err);
}
