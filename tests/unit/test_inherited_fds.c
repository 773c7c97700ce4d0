// SPDX-License-Identifier: MIT
/* Descriptors from whoever started us: which are noted, and which stay. */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "candela/inherited_fds.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool keep_one(const void *ctx, int fd)
{
	return fd == *(const int *)ctx;
}

START_TEST(those_from_before_go)
{
	struct inherited_fds fds;
	int before[2], after, kept, far;

	ck_assert_int_eq(pipe(before), 0);
	kept = dup(before[0]);
	far = fcntl(before[0], F_DUPFD, 900);
	ck_assert_int_eq(inherited_fds_note(&fds), 0);
	ck_assert_uint_ge(fds.count, 4);
	after = dup(STDIN_FILENO);
	inherited_fds_close(&fds, keep_one, &kept);
	ck_assert(!is_open(before[0]) && !is_open(before[1]) && !is_open(far));
	ck_assert(is_open(kept) && is_open(after));
	ck_assert(is_open(STDIN_FILENO) && is_open(STDOUT_FILENO) && is_open(STDERR_FILENO));
	ck_assert_uint_eq(fds.count, 0);
}
END_TEST

/* Noting leaves nothing open itself. */
START_TEST(once_each)
{
	struct inherited_fds first, second;

	ck_assert_int_eq(inherited_fds_note(&first), 0);
	ck_assert_int_eq(inherited_fds_note(&second), 0);
	ck_assert_uint_eq(first.count, second.count);
	inherited_fds_finish(&first);
	inherited_fds_finish(&first);
	inherited_fds_finish(&second);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("inherited_fds");
	TCase *t = tcase_create("inherited_fds");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, those_from_before_go);
	tcase_add_test(t, once_each);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
