// SPDX-License-Identifier: MIT
/* The lines of candela top: what is shown, what is not known, the order, and narrow terminals. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "candela/top_rows.h"

static struct top_row row;
static char text[TOP_LINE];

static void read_row(const char *name, const char *status, const char *sample)
{
	struct json_object *s = status ? json_tokener_parse(status) : NULL;
	struct json_object *c = sample ? json_tokener_parse(sample) : NULL;

	top_row_read(&row, name, s, c);
	json_object_put(s);
	json_object_put(c);
}

START_TEST(all_there)
{
	read_row("web1",
		 "{\"state\":\"running\",\"assigned\":536870912,\"demand\":268435456,"
		 "\"pressure\":50,\"heartbeat\":\"ok\"}",
		 "{\"cpu\":{\"process\":51.25,\"guest\":40,\"hypervisor\":11.25},"
		 "\"exits\":{\"port\":{\"rate\":100},\"msr\":{\"rate\":23.5}},"
		 "\"disks\":[{\"reads\":{\"rate\":10},\"read_bytes\":{\"rate\":1e6}},"
		 "{\"writes\":{\"rate\":5},\"write_bytes\":{\"rate\":500000}}],"
		 "\"networks\":[{\"rx_packets\":{\"rate\":1500},\"tx_bytes\":{\"rate\":2e6}}]}");
	ck_assert_int_eq(row.state, TOP_ANSWERS);
	ck_assert(fabs(row.exits - 123.5) < 0.01);
	ck_assert(fabs(row.disk_ios - 15) < 0.01);
	ck_assert(fabs(row.disk_bytes - 1.5e6) < 0.01);
	top_row_text(&row, text, TOP_LINE);
	ck_assert_str_eq(text, "web1                 running     51.2   40.0   11.2    123.5"
			       "   512 MiB   256 MiB    50     15.0     1.50     1.5k     2.00"
			       " ok   ");
	top_row_text(&row, text, 10);
	ck_assert_str_eq(text, "web1      ");
	top_row_text(&row, text, 0);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(nothing_there)
{
	read_row("hangs", NULL, NULL);
	ck_assert_int_eq(row.state, TOP_SILENT);
	ck_assert(isnan(row.cpu));
	top_row_text(&row, text, TOP_LINE);
	ck_assert_ptr_nonnull(strstr(text, "no answer      -"));
	/* Members of other types, and a rate that is not known yet. */
	read_row("odd", "{\"state\":7,\"assigned\":null}",
		 "{\"cpu\":[],\"exits\":[],\"disks\":{},\"networks\":[3,{\"rx_packets\":"
		 "{\"rate\":null}}]}");
	ck_assert(isnan(row.exits) && isnan(row.disk_ios) && isnan(row.net_packets));
	ck_assert_uint_eq(row.assigned, UINT64_MAX);
	/* Names of any length. */
	memset(text, 'x', 150);
	text[150] = '\0';
	read_row(text, NULL, NULL);
	ck_assert_uint_eq(strlen(row.name), sizeof(row.name) - 1);
}
END_TEST

static void expect_order(struct top_row *rows, char key, const char *order)
{
	top_sort(rows, 3, key);
	for (int i = 0; i < 3; i++)
		ck_assert_msg(rows[i].name[0] == order[i], "%c: %c%c%c", key, rows[0].name[0],
			      rows[1].name[0], rows[2].name[0]);
}

START_TEST(order)
{
	struct top_row rows[3] = {
		{.name = "a",
		 .cpu = 1,
		 .exits = NAN,
		 .disk_bytes = 2,
		 .net_bytes = 1,
		 .assigned = 5},
		{.name = "b",
		 .cpu = 3,
		 .exits = NAN,
		 .disk_bytes = 3,
		 .net_bytes = 2,
		 .assigned = UINT64_MAX},
		{.name = "c",
		 .cpu = NAN,
		 .exits = 1,
		 .disk_bytes = 1,
		 .net_bytes = 3,
		 .assigned = 9},
	};

	expect_order(rows, 'c', "bac");
	expect_order(rows, 'm', "cab");
	expect_order(rows, 'd', "bac");
	expect_order(rows, 'n', "cba");
	expect_order(rows, 'e', "cab");
	expect_order(rows, 'N', "abc");
	top_sort(rows, 0, 'c');
	for (const char *key = TOP_KEYS; *key; key++)
		ck_assert_ptr_nonnull(top_key_name(*key));
	ck_assert_ptr_null(top_key_name('q'));
}
END_TEST

START_TEST(together)
{
	struct top_row rows[2] = {
		{.word = "running", .cpu = 10, .exits = 5, .assigned = 1 << 20},
		{.word = "no answer",
		 .state = TOP_SILENT,
		 .cpu = NAN,
		 .exits = NAN,
		 .assigned = UINT64_MAX},
	};

	top_summary(rows, 2, 'm', text, TOP_LINE);
	ck_assert_str_eq(text, "candela top: 2 VMs, 1 running, 1 silent; CPU 10.0 %, exits 5.0/s, "
			       "memory 1 MiB; by memory");
	top_head(text, 4);
	ck_assert_str_eq(text, "NAME");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("top_rows");
	TCase *tc = tcase_create("top_rows");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_test(tc, all_there);
	tcase_add_test(tc, nothing_there);
	tcase_add_test(tc, order);
	tcase_add_test(tc, together);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
