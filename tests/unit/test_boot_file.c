// SPDX-License-Identifier: MIT
/* Files of the boot loaders: what is refused, and files that shrink. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot_images.h"
#include "vmm/boot_file.h"

static void refused(const char *path, int code, const char *text)
{
	struct error err = {0};
	struct boot_file file;

	ck_assert_int_eq(boot_file_open(&file, path, &err), code);
	ck_assert_msg(strncmp(err.text, path, strlen(path)) == 0 && strstr(err.text, text), "%s",
		      err.text);
	ck_assert_int_eq(file.fd, -1);
	boot_file_close(&file);
}

START_TEST(refusals)
{
	char dir[] = "/tmp/test_boot_file.XXXXXX", fifo[64];
	struct image_file empty;

	refused("/nonexistent/kernel", -ENOENT, "No such file or directory");
	refused("/", -EISDIR, "is a directory");
	refused("/dev/null", -EINVAL, "not a regular file");
	/* Must not wait for somebody to write. */
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	refused(fifo, -EINVAL, "not a regular file");
	unlink(fifo);
	rmdir(dir);
	image_file_init(&empty, "", 0);
	refused(empty.path, -ENOEXEC, "is empty");
	image_file_finish(&empty);
}
END_TEST

START_TEST(no_permission)
{
	char path[] = "/tmp/test_boot_file.XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	close(fd);
	ck_assert_int_eq(chmod(path, 0), 0);
	/* Root may read anything. */
	if (geteuid() != 0)
		refused(path, -EACCES, "Permission denied");
	unlink(path);
}
END_TEST

START_TEST(close_unopened)
{
	struct boot_file zeroed = {0};

	boot_file_close(&zeroed);
	/* Descriptor 0 was not ours to close. */
	ck_assert_int_ge(fcntl(0, F_GETFD), 0);
}
END_TEST

START_TEST(read_exactly)
{
	struct image_file file;
	struct boot_file f;
	struct error err = {0};
	char buf[8] = "";

	image_file_init(&file, "0123456789", 10);
	ck_assert_int_eq(boot_file_open(&f, file.path, &err), 0);
	ck_assert_uint_eq(f.size, 10);
	ck_assert_int_eq(boot_file_read(&f, 3, buf, 7, &err), 0);
	ck_assert_str_eq(buf, "3456789");
	ck_assert_int_eq(boot_file_read(&f, 3, buf, 8, &err), -EIO);
	ck_assert(image_error_has(&err, "too short: 11 bytes were expected, it had 10"));
	ck_assert_int_eq(boot_file_read(&f, 100, buf, 0, &err), 0);
	boot_file_close(&f);
	image_file_finish(&file);
}
END_TEST

START_TEST(shrinks)
{
	struct mem *mem = image_mem(MiB(4));
	struct image_file file;
	struct boot_file f;
	struct error err = {0};
	static char data[100000];
	char buf[16];

	image_file_init(&file, data, sizeof(data));
	ck_assert_int_eq(boot_file_open(&f, file.path, &err), 0);
	ck_assert_int_eq(ftruncate(file.fd, 5000), 0);
	ck_assert_int_eq(boot_file_read(&f, 4990, buf, sizeof(buf), &err), -EIO);
	ck_assert_int_eq(boot_file_load(&f, 0, f.size, mem, MiB(1), &err), -EIO);
	ck_assert(image_error_has(&err, "100000"));
	boot_file_close(&f);
	image_file_finish(&file);
	mem_destroy(mem);
}
END_TEST

START_TEST(load)
{
	struct mem *mem = image_mem(MiB(16));
	struct image_file file;
	struct boot_file f;
	struct error err = {0};
	size_t len = MiB(3) + 123;
	uint8_t *data = malloc(len), *back = malloc(len);

	for (size_t i = 0; i < len; i++)
		data[i] = image_pattern(i);
	image_file_init(&file, data, len);
	ck_assert_int_eq(boot_file_open(&f, file.path, &err), 0);
	ck_assert_int_eq(boot_file_load(&f, 0, len, mem, MiB(1) + 77, &err), 0);
	ck_assert_int_eq(mem_read(mem, MiB(1) + 77, back, len), 0);
	ck_assert_mem_eq(back, data, len);
	/* Out of memory, from the caller's carelessness. */
	ck_assert_int_eq(boot_file_load(&f, 0, len, mem, MiB(14), &err), -EFAULT);
	boot_file_close(&f);
	image_file_finish(&file);
	free(data);
	free(back);
	mem_destroy(mem);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot_file");
	TCase *t = tcase_create("boot_file");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, refusals);
	tcase_add_test(t, no_permission);
	tcase_add_test(t, close_unopened);
	tcase_add_test(t, read_exactly);
	tcase_add_test(t, shrinks);
	tcase_add_test(t, load);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
