// SPDX-License-Identifier: MIT
/*
 * Building JSON: dotted paths, and a missing value as the failure that it stands for.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/json_build.h"

START_TEST(paths)
{
	struct json_object *o = json_object_new_object();
	struct error err;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	ck_assert_int_eq(json_put_at(o, "a.b.c", json_object_new_int(1)), 0);
	ck_assert_int_eq(json_put_at(o, "a.d", json_object_new_int(2)), 0);
	ck_assert_int_eq(json_put_string(o, "s", "x/y"), 0);
	ck_assert_int_eq(json_put_integer(o, "n", UINT64_MAX), 0);
	ck_assert_int_eq(json_write(o, out, &err), 0);
	fclose(out);
	ck_assert_str_eq(text,
			 "{\n  \"a\": {\n    \"b\": {\n      \"c\": 1\n    },\n    \"d\": 2\n  },\n"
			 "  \"s\": \"x/y\",\n  \"n\": 18446744073709551615\n}\n");
	free(text);
	json_object_put(o);
}
END_TEST

START_TEST(no_value)
{
	struct json_object *o = json_object_new_object(), *a = json_object_new_array();

	ck_assert_int_eq(json_put(o, "a", NULL), -ENOMEM);
	ck_assert_int_eq(json_put_at(o, "a.b", NULL), -ENOMEM);
	ck_assert_int_eq(json_append(a, NULL), -ENOMEM);
	json_object_put(o);
	json_object_put(a);
}
END_TEST

START_TEST(full_disk)
{
	struct json_object *o = json_object_new_object();
	struct error err = {.text = ""};
	FILE *out = fopen("/dev/full", "w");

	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(json_write(o, out, &err), -EIO);
	ck_assert_str_eq(err.text, "cannot write the output: Input/output error");
	fclose(out);
	json_object_put(o);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("json_build");
	TCase *t = tcase_create("json_build");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, paths);
	tcase_add_test(t, no_value);
	tcase_add_test(t, full_disk);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
