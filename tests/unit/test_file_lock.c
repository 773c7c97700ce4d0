// SPDX-License-Identifier: MIT
/*
 * Locks on image files, against ourselves (each open file has its own), against QEMU's way of
 * locking, and against flock().
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "devices/block/file_lock.h"

static char path[] = "test-lock-XXXXXX";
static int first, second;
static struct error err;

static void setup(void)
{
	first = mkstemp(path);
	second = open(path, O_RDONLY);
	ck_assert(first >= 0 && second >= 0);
}

static void teardown(void)
{
	close(first);
	close(second);
	unlink(path);
}

static void must_be_busy(int fd, bool exclusive, const char *text)
{
	ck_assert_int_eq(file_lock(fd, exclusive, "x", &err), -EBUSY);
	ck_assert_str_eq(err.text, text);
}

START_TEST(writers)
{
	ck_assert_int_eq(file_lock(first, true, "x", &err), 0);
	must_be_busy(second, true, "x: in use by another process");
	must_be_busy(second, false, "x: in use by another process, which writes to it");
	close(first);
	first = open(path, O_RDWR);
	ck_assert_int_eq(file_lock(second, false, "x", &err), 0);
	must_be_busy(first, true, "x: in use by another process");
}
END_TEST

START_TEST(readers)
{
	ck_assert_int_eq(file_lock(first, false, "x", &err), 0);
	ck_assert_int_eq(file_lock(second, false, "x", &err), 0);
}
END_TEST

/* Somebody's shared lock on one byte. */
static void lock_byte(short type, long byte)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	ck_assert_int_eq(fcntl(first, F_OFD_SETLK, &lock), 0);
}

/* Who writes (101), resizes (103), or cannot bear readers (200) or writers (201). */
START_TEST(qemu)
{
	static const struct {
		long byte;
		bool writer, reader; /* we may be this beside it */
	} rows[] = {
		{100, true, true},  {101, false, false}, {103, false, false}, {200, false, false},
		{201, false, true}, {203, false, true},  {202, false, true},  {300, true, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (int writer = 0; writer < 2; writer++) {
			bool may = writer ? rows[i].writer : rows[i].reader;
			int fd = open(path, O_RDWR);

			lock_byte(F_RDLCK, rows[i].byte);
			ck_assert_msg(file_lock(fd, writer, "x", &err) == (may ? 0 : -EBUSY),
				      "byte %ld, writer %d", rows[i].byte, writer);
			lock_byte(F_UNLCK, rows[i].byte);
			close(fd);
		}
	}
	/* Not QEMU's way, but clear. */
	lock_byte(F_WRLCK, 100);
	must_be_busy(second, false, "x: in use by another process, which writes to it");
}
END_TEST

START_TEST(flocks)
{
	ck_assert_int_eq(flock(first, LOCK_SH), 0);
	ck_assert_int_eq(file_lock(second, false, "x", &err), 0);
	must_be_busy(second, true, "x: in use by another process");
	ck_assert_int_eq(flock(second, LOCK_UN), 0);
	ck_assert_int_eq(flock(first, LOCK_EX), 0);
	must_be_busy(second, false, "x: in use by another process, which writes to it");
}
END_TEST

START_TEST(failure)
{
	ck_assert_int_eq(file_lock(-1, true, "x", &err), -EBADF);
	ck_assert_str_eq(err.text, "x: cannot lock it: Bad file descriptor");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("file_lock");
	TCase *t = tcase_create("file_lock");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, writers);
	tcase_add_test(t, readers);
	tcase_add_test(t, qemu);
	tcase_add_test(t, flocks);
	tcase_add_test(t, failure);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
