// SPDX-License-Identifier: MIT
/* Lists of key-value pairs. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <stdio.h>

#include "devices/ic/kvp_list.h"

static struct ic_kvp_list list;

static void setup(void)
{
}

static void teardown(void)
{
	ic_kvp_list_clear(&list);
}

START_TEST(sets_and_deletes)
{
	ck_assert_int_eq(ic_kvp_list_set(&list, 0, "a", "1"), 0);
	ck_assert_int_eq(ic_kvp_list_set(&list, 1, "a", "2"), 0);
	ck_assert_int_eq(ic_kvp_list_set(&list, 0, "b", "3"), 0);
	ck_assert_int_eq(ic_kvp_list_set(&list, 0, "a", "4"), 0);
	ck_assert_uint_eq(list.count, 3);
	ck_assert_str_eq(ic_kvp_list_find(&list, 0, "a")->value, "4");
	ck_assert_str_eq(ic_kvp_list_find(&list, 1, "a")->value, "2");
	ck_assert_int_eq(ic_kvp_list_delete(&list, 0, "a"), 0);
	ck_assert_int_eq(ic_kvp_list_delete(&list, 0, "a"), -ENOENT);
	ck_assert_ptr_null(ic_kvp_list_find(&list, 0, "a"));
	ck_assert_str_eq(ic_kvp_list_find(&list, 0, "b")->value, "3");
}
END_TEST

START_TEST(is_bounded)
{
	char key[16];

	for (unsigned int i = 0; i < IC_KVP_ITEMS_MAX; i++) {
		snprintf(key, sizeof(key), "%u", i);
		ck_assert_int_eq(ic_kvp_list_set(&list, 0, key, ""), 0);
	}
	ck_assert_int_eq(ic_kvp_list_set(&list, 0, "one more", ""), -ENOSPC);
	ck_assert_int_eq(ic_kvp_list_set(&list, 0, "0", "x"), 0);
}
END_TEST

START_TEST(wire)
{
	char key[IC_KVP_KEY_MAX], value[IC_KVP_VALUE_MAX], longest[300];
	struct hv_kvp_exchg_msg_value data;

	ic_kvp_encode("k\xc3\xa4y", "v", &data);
	ck_assert_uint_eq(data.key_size, 8);
	ck_assert_uint_eq(data.value_size, 4);
	ck_assert_uint_eq(data.value_type, REG_SZ);
	ck_assert(ic_kvp_decode(&data, key, value));
	ck_assert_str_eq(key, "k\xc3\xa4y");
	ck_assert_str_eq(value, "v");
	data.value_type = REG_U32;
	memcpy(data.value, "\xff\xff\xff\xff\xff\xff\xff\x7f", 8);
	ck_assert(ic_kvp_decode(&data, key, value));
	ck_assert_str_eq(value, "4294967295");
	data.value_type = REG_U64;
	ck_assert(ic_kvp_decode(&data, key, value));
	ck_assert_str_eq(value, "9223372036854775807");
	data.value_type = 3;
	ck_assert(!ic_kvp_decode(&data, key, value));
	data.value_type = REG_SZ;
	data.key_size = 513;
	ck_assert(!ic_kvp_decode(&data, key, value));
	data.key_size = 0;
	ck_assert(!ic_kvp_decode(&data, key, value));
	data.key_size = 8;
	data.value_size = UINT32_MAX;
	ck_assert(!ic_kvp_decode(&data, key, value));
	memset(longest, 'x', sizeof(longest));
	longest[256] = '\0';
	ck_assert(!ic_kvp_is_valid(longest, ""));
	ck_assert(ic_kvp_is_valid(longest + 1, ""));
	ck_assert(!ic_kvp_is_valid("", ""));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kvp_list");
	TCase *tc = tcase_create("kvp_list");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, sets_and_deletes);
	tcase_add_test(tc, is_bounded);
	tcase_add_test(tc, wire);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
