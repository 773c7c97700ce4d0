// SPDX-License-Identifier: MIT
/*
 * The rules that every row of the real tables must obey, since nothing else checks them.
 */
#include <check.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/config.h"
#include "vmm/config_cli.h"
#include "vmm/config_tree.h"
#include "vmm/config_value.h"

static const struct config_table *const tables[] = {&config_vm_table, &config_cli_table};

static bool is_pointer(const struct config_row *row)
{
	return row->kind == CONFIG_STRING || row->kind == CONFIG_PATH || row->kind == CONFIG_ARRAY;
}

static void check_key(const struct config_row *row)
{
	const char *p;

	/* Longer ones would not fit where components are taken out of keys. */
	ck_assert_uint_lt(strlen(row->key), 60);
	if (strcmp(row->key, "$schema") == 0)
		return;
	for (p = row->key; *p; p++)
		ck_assert_msg(islower(*p) || isdigit(*p) || *p == '-' || *p == '.', "%s", row->key);
	ck_assert(islower(row->key[0]) && p[-1] != '.');
}

/* Limits, where the type has some; a default inside them, and only where nothing is allocated. */
static void check_limits(const struct config_row *row)
{
	struct config_serial field = {0}; /* as large as any */
	struct error err;

	if (row->kind == CONFIG_UINT || row->kind == CONFIG_SIZE || row->kind == CONFIG_DURATION ||
	    row->kind == CONFIG_ARRAY)
		ck_assert_uint_gt(row->max, row->min);
	/* A text may have a length of its own, such as that of an Ethernet address. */
	if (row->kind == CONFIG_STRING)
		ck_assert(row->max > 0 && row->max >= row->min);
	if (row->kind == CONFIG_DURATION)
		ck_assert_uint_eq(row->max % NSEC_PER_SEC, 0);
	ck_assert_int_eq(row->kind == CONFIG_ENUM, row->names != NULL);
	ck_assert_int_eq(row->kind == CONFIG_ARRAY, row->items != NULL);
	if (row->required)
		ck_assert_msg(is_pointer(row), "%s: nothing tells whether it was given", row->key);
	if (!row->preset)
		return;
	ck_assert(!is_pointer(row));
	ck_assert_msg(config_value_parse(row, row->preset, NULL, &field, &err) == 0, "%s: %s",
		      row->preset, err.text);
	ck_assert(row->kind != CONFIG_SERIAL || !field.path);
}

static void check_option(const struct config_row *row)
{
	bool is_flag = row->kind == CONFIG_BOOL || row->kind == CONFIG_COUNT;

	ck_assert(!row->alias || row->option);
	ck_assert(!row->letter || row->option);
	if (!row->option)
		return;
	ck_assert_uint_lt(strlen(row->option), 30);
	ck_assert_msg(strncmp(row->option, "no-", 3) != 0, "%s", row->option);
	ck_assert_msg(is_flag == (row->metavar == NULL), "%s", row->option);
	ck_assert(row->group < CONFIG_GROUP_COUNT);
}

static void check_table(const struct config_table *table)
{
	size_t i, j;

	for (i = 0; i < table->row_count; i++) {
		const struct config_row *row = &table->rows[i];

		ck_assert_ptr_nonnull(row->help);
		if (row->key)
			check_key(row);
		else if (table->syntax != CONFIG_ITEM_VALUE)
			ck_assert_ptr_nonnull(row->option);
		ck_assert_uint_le(row->offset, table->size);
		check_limits(row);
		check_option(row);
		for (j = 0; row->key && j < i; j++) {
			const char *other = table->rows[j].key;
			size_t len = strlen(row->key);

			/* One key must not be a value and an object. */
			ck_assert(!other || strncmp(other, row->key, len) != 0 ||
				  (other[len] != '\0' && other[len] != '.'));
		}
		if (row->kind == CONFIG_ARRAY)
			check_table(row->items);
	}
}

START_TEST(rows)
{
	check_table(tables[_i]);
}
END_TEST

static bool same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static void check_distinct(const struct config_row *a, const struct config_row *b)
{
	ck_assert_msg(!same(a->option, b->option) && !same(a->option, b->alias) &&
			      !same(a->alias, b->option) && !same(a->alias, b->alias),
		      "%s", a->option);
	ck_assert(!a->letter || a->letter != b->letter);
}

START_TEST(options_are_distinct)
{
	const struct config_row *all[256];
	size_t t, i, j, count = 0;

	for (t = 0; t < ARRAY_SIZE(tables); t++) {
		for (i = 0; i < tables[t]->row_count; i++) {
			ck_assert_uint_lt(count, ARRAY_SIZE(all));
			all[count++] = &tables[t]->rows[i];
		}
	}
	for (i = 0; i < count; i++) {
		for (j = 0; j < i; j++)
			check_distinct(all[i], all[j]);
	}
}
END_TEST

/* Nobody frees a config_cli_result. */
START_TEST(result_owns_nothing)
{
	size_t i;

	for (i = 0; i < config_cli_table.row_count; i++) {
		ck_assert_ptr_null(config_cli_table.rows[i].key);
		ck_assert(!is_pointer(&config_cli_table.rows[i]));
		ck_assert(config_cli_table.rows[i].kind != CONFIG_SERIAL);
	}
}
END_TEST

START_TEST(item_tables)
{
	size_t i;

	for (i = 0; i < config_vm_table.row_count; i++) {
		const struct config_table *items = config_vm_table.rows[i].items;

		if (!items)
			continue;
		if (items->syntax == CONFIG_ITEM_VALUE)
			ck_assert(items->row_count == 1 && !items->rows[0].key);
		if (items->syntax == CONFIG_ITEM_WORDS)
			ck_assert_uint_ge(items->row_count, 2);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_table");
	TCase *t = tcase_create("config_table");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, rows, 0, ARRAY_SIZE(tables));
	tcase_add_test(t, options_are_distinct);
	tcase_add_test(t, result_owns_nothing);
	tcase_add_test(t, item_tables);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
