// SPDX-License-Identifier: MIT
/* What the host says of its memory, well and badly. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "balancer/host_memory.h"

static struct host_memory m;
static struct error err;

static int meminfo(const char *text)
{
	m = (struct host_memory){0};
	return host_memory_parse_meminfo(&m, text, strlen(text));
}

static void stall(const char *text)
{
	m = (struct host_memory){0};
	host_memory_parse_stall(&m, text, strlen(text));
}

START_TEST(parse_meminfo)
{
	ck_assert_int_eq(meminfo("MemTotal:       16384 kB\nMemFree: 1 kB\n"
				 "MemAvailable:    8192 kB\nSwapTotal: 100 kB\nSwapFree: 7 kB"),
			 0);
	ck_assert_uint_eq(m.total, MiB(16));
	ck_assert_uint_eq(m.available, MiB(8));
	ck_assert_uint_eq(m.swap_total, KiB(100));
	ck_assert_uint_eq(m.swap_free, KiB(7));
	ck_assert_int_eq(meminfo(""), -EINVAL);
	ck_assert_int_eq(meminfo("MemTotal: 16384 kB\n"), -EINVAL);
	ck_assert_int_eq(meminfo("MemTotal: 1 kB\nMemAvailable: 2 kB\n"), -EINVAL);
	ck_assert_int_eq(meminfo("MemTotal: x\nMemAvailable: 2 kB\n"), -EINVAL);
	ck_assert_int_eq(meminfo("MemTotal: 99999999999999999999 kB\nMemAvailable: 2 kB\n"),
			 -EINVAL);
	ck_assert_int_eq(meminfo("MemTotal: 18446744073709551615 kB\nMemAvailable: 2 kB\n"),
			 -EINVAL);
}
END_TEST

START_TEST(parse_stall)
{
	stall("some avg10=12.34 avg60=0.00 avg300=0.00 total=5\n"
	      "full avg10=1.05 avg60=0.00 avg300=0.00 total=5\n");
	ck_assert(m.has_stall);
	ck_assert_uint_eq(m.some, 1234);
	ck_assert_uint_eq(m.full, 105);
	stall("some avg10=100.00\n");
	ck_assert_uint_eq(m.some, 10000);
	stall("some avg10=101.00\nfull avg10=");
	ck_assert(!m.has_stall);
	stall("some avg10=1.x0\nsome\nfull avg10=1.");
	ck_assert_uint_eq(m.some, 0);
	ck_assert_uint_eq(m.full, 100);
}
END_TEST

START_TEST(parse_vmstat)
{
	static const char text[] = "pswpin 3\npswpout 77\npswpoutx 9\n";

	m = (struct host_memory){0};
	host_memory_parse_vmstat(&m, text, sizeof(text) - 1);
	ck_assert_uint_eq(m.swapped_out, 77);
}
END_TEST

START_TEST(this_host)
{
	ck_assert_msg(host_memory_read(&m, "", &err) == 0, "%s", err.text);
	ck_assert_uint_gt(m.total, MiB(16));
	ck_assert_uint_gt(m.available, 0);
	ck_assert_int_eq(host_memory_read(&m, "/nowhere", &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/proc/meminfo"));
}
END_TEST

START_TEST(without_the_rest)
{
	char dir[] = "/tmp/host-XXXXXX", path[64];
	FILE *file;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/proc", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/proc/meminfo", dir);
	file = fopen(path, "w");
	fputs("MemTotal: 4096 kB\nMemAvailable: 1024 kB\n", file);
	fclose(file);
	ck_assert_int_eq(host_memory_read(&m, dir, &err), 0);
	ck_assert(!m.has_stall);
	file = fopen(path, "w");
	fclose(file);
	ck_assert_int_eq(host_memory_read(&m, dir, &err), -EINVAL);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	rmdir(dir);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("host_memory");
	TCase *tc = tcase_create("host_memory");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, parse_meminfo);
	tcase_add_test(tc, parse_stall);
	tcase_add_test(tc, parse_vmstat);
	tcase_add_test(tc, this_host);
	tcase_add_test(tc, without_the_rest);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
