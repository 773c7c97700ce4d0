// SPDX-License-Identifier: MIT
/*
 * Files through io_uring: opening, plain calls, and what the host can do. Requests are in
 * test_file_uring_io.c.
 */
#include "block_run.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/block/file_uring.h"

static const unsigned int modes[] = {0, FILE_URING_DIRECT};

static char dir[64], path[96];
static struct file *file;
static struct error err;

static void open_file(unsigned int flags)
{
	ck_assert_msg(file_uring_open(path, flags, run_loop, &err, &file) == 0, "%s", err.text);
}

static void setup(void)
{
	run_setup();
	/* The working directory: as a rule its file system has O_DIRECT. */
	snprintf(dir, sizeof(dir), "test-file-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/f", dir);
	file = NULL;
}

static void teardown(void)
{
	file_destroy(file);
	unlink(path);
	rmdir(dir);
	run_teardown();
}

START_TEST(plain)
{
	uint64_t size = 1;
	char buf[3000];

	open_file(FILE_URING_CREATE | modes[_i]);
	ck_assert_str_eq(file->name, path);
	ck_assert_int_eq(file_size(file, &size), 0);
	ck_assert_uint_eq(size, 0);
	run_fill(buf, sizeof(buf), 1);
	ck_assert_int_eq(file_pwrite(file, buf, sizeof(buf), 1234567), 0);
	memset(buf, 0xff, sizeof(buf));
	ck_assert_int_eq(file_pread(file, buf, 1000, 1234567 + 2500), 0);
	run_check_zero(buf + 500, 500);
	ck_assert_int_eq(file_pread(file, buf, sizeof(buf), 1234567), 0);
	run_check(buf, sizeof(buf), 1);
	ck_assert_int_eq(file_sync(file), 0);
	ck_assert_int_eq(file_size(file, &size), 0);
	ck_assert_uint_eq(size, 1234567 + sizeof(buf));
	ck_assert_int_eq(file_truncate(file, 100), 0);
	ck_assert_int_eq(file_truncate(file, 5000), 0);
	ck_assert_int_eq(file_size(file, &size), 0);
	ck_assert_uint_eq(size, 5000);
	ck_assert_int_eq(file_truncate(file, 1ull << 63), -EFBIG);
}
END_TEST

START_TEST(extents)
{
	uint64_t len = 0;
	bool data = true;
	char byte = 'x';

	open_file(FILE_URING_CREATE | modes[_i]);
	ck_assert_int_eq(file_truncate(file, MiB(3)), 0);
	ck_assert_int_eq(file_extent(file, 0, &data, &len), 0);
	ck_assert(!data);
	ck_assert_uint_ge(len, MiB(3));
	ck_assert_int_eq(file_pwrite(file, &byte, 1, MiB(1)), 0);
	ck_assert_int_eq(file_extent(file, 0, &data, &len), 0);
	ck_assert(!data);
	ck_assert_uint_eq(len, MiB(1));
	ck_assert_int_eq(file_extent(file, MiB(1), &data, &len), 0);
	ck_assert(data);
	ck_assert_uint_le(len, KiB(64));
	ck_assert_int_eq(file_discard(file, MiB(1), KiB(64)), 0);
	ck_assert_int_eq(file_extent(file, MiB(1), &data, &len), 0);
	ck_assert(!data);
	ck_assert_int_eq(file_extent(file, MiB(7), &data, &len), 0);
	ck_assert(!data);
}
END_TEST

START_TEST(facts)
{
	const struct file_uring_info *info;

	open_file(FILE_URING_CREATE | modes[_i]);
	info = file_uring_info(file);
	ck_assert(!info->block_device);
	ck_assert_uint_ge(info->memory_alignment, 1);
	ck_assert_uint_ge(info->range_alignment, 1);
	ck_assert_uint_eq(info->logical_sector, 512);
	ck_assert_uint_ge(info->physical_sector, 512);
	ck_assert_uint_le(info->physical_sector, 4096);
	ck_assert(modes[_i] || !info->direct);
}
END_TEST

static void expect(unsigned int flags, int result, const char *text)
{
	ck_assert_int_eq(file_uring_open(path, flags, run_loop, &err, &file), result);
	ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
	ck_assert_msg(strncmp(err.text, path, strlen(path)) == 0, "%s", err.text);
	ck_assert_ptr_null(file);
}

START_TEST(refused)
{
	expect(0, -ENOENT, ": cannot open it: No such file");
	ck_assert_int_eq(mkdir(path, 0777), 0);
	expect(FILE_URING_READ_ONLY, -EISDIR, ": neither a file nor a block device");
	rmdir(path);
	ck_assert_int_eq(mkfifo(path, 0666), 0);
	expect(FILE_URING_READ_ONLY, -EINVAL, ": neither a file nor a block device");
	expect(FILE_URING_CREATE, -EEXIST, ": cannot create it: File exists");
}
END_TEST

START_TEST(read_only)
{
	char c = 0;

	ck_assert_int_eq(close(open(path, O_CREAT | O_WRONLY, 0444)), 0);
	open_file(FILE_URING_READ_ONLY | modes[_i]);
	ck_assert(file->read_only);
	ck_assert_int_eq(file_pwrite(file, &c, 1, 0), -EROFS);
	ck_assert_int_eq(file_truncate(file, 1), -EROFS);
	ck_assert_int_eq(file_discard(file, 0, 1), -EROFS);
	ck_assert_int_eq(run_file(file, FILE_WRITE, 0, &c, 1), -EROFS);
	ck_assert_int_eq(run_file(file, FILE_ZERO, 0, NULL, 1), -EROFS);
	ck_assert_int_eq(run_file(file, FILE_DISCARD, 0, NULL, 1), -EROFS);
	ck_assert_int_eq(run_file(file, FILE_TRUNCATE, 0, NULL, 0), -EROFS);
	ck_assert_int_eq(run_file(file, FILE_READ, 0, &c, 1), 0);
}
END_TEST

START_TEST(locked)
{
	struct file *other = NULL;

	open_file(FILE_URING_CREATE);
	ck_assert_int_eq(file_uring_open(path, FILE_URING_READ_ONLY, NULL, &err, &other), -EBUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "/f: in use by another process, which writes"));
	ck_assert_int_eq(file_uring_open(path, 0, NULL, &err, &other), -EBUSY);
	file_destroy(file);
	open_file(FILE_URING_READ_ONLY);
	ck_assert_int_eq(file_uring_open(path, FILE_URING_READ_ONLY, NULL, &err, &other), 0);
	file_destroy(other);
}
END_TEST

START_TEST(temporary)
{
	struct stat st;
	char buf[100];

	ck_assert_int_eq(file_uring_open_temporary(dir, run_loop, &err, &file), 0);
	run_fill(buf, sizeof(buf), 3);
	ck_assert_int_eq(run_file(file, FILE_WRITE, 1000, buf, sizeof(buf)), 0);
	memset(buf, 0, sizeof(buf));
	ck_assert_int_eq(run_file(file, FILE_READ, 1000, buf, sizeof(buf)), 0);
	run_check(buf, sizeof(buf), 3);
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_int_ne(stat(dir, &st), 0);
	file_destroy(file);
	file = NULL;
	ck_assert_int_eq(file_uring_open_temporary(dir, run_loop, &err, &file), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("file_uring");
	TCase *t = tcase_create("file_uring");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, plain, 0, 2);
	tcase_add_loop_test(t, extents, 0, 2);
	tcase_add_loop_test(t, facts, 0, 2);
	tcase_add_test(t, refused);
	tcase_add_loop_test(t, read_only, 0, 2);
	tcase_add_test(t, locked);
	tcase_add_test(t, temporary);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
