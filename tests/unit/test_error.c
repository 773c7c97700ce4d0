// SPDX-License-Identifier: MIT
/* Error texts: filling, system errors, prefixes, lengths. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/error.h"

START_TEST(plain)
{
	struct error err;

	ck_assert_int_eq(error_set(&err, -EINVAL, "%s: bad %d", "disk", 7), -EINVAL);
	ck_assert_str_eq(err.text, "disk: bad 7");
	ck_assert_int_eq(error_set(NULL, -EIO, "nobody listens"), -EIO);
}
END_TEST

START_TEST(with_system_text)
{
	struct error err;

	ck_assert_int_eq(error_errno(&err, -ENOENT, "%s", "/dev/kvm"), -ENOENT);
	ck_assert_str_eq(err.text, "/dev/kvm: No such file or directory");
	ck_assert_int_eq(error_errno(NULL, -EIO, "nobody listens"), -EIO);
}
END_TEST

START_TEST(prefix)
{
	struct error err;

	error_set(&err, -EINVAL, "not a number");
	error_prefix(&err, "%s: cpus", "web1.json");
	ck_assert_str_eq(err.text, "web1.json: cpus: not a number");
	error_prefix(NULL, "nobody listens");
}
END_TEST

START_TEST(too_long)
{
	char text[2 * sizeof(struct error)];
	struct error err;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	error_errno(&err, -EIO, "%s", text);
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
	error_prefix(&err, "%s", text);
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("error");
	TCase *t = tcase_create("error");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, plain);
	tcase_add_test(t, with_system_text);
	tcase_add_test(t, prefix);
	tcase_add_test(t, too_long);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
