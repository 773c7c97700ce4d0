// SPDX-License-Identifier: MIT
/*
 * candela check as a user sees it: its exit status, and what is on which of its outputs.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "candela/commands.h"
#include "candela/exit_status.h"
#include "vmm/base.h"

#define MAX_ARGS 16

static char out[65536], err[4096];
static const char template[] = "/tmp/candela-test-XXXXXX";
static char file[sizeof(template)];

static void setup(void)
{
	static const char text[] = "{\"boot\":{\"kernel\":\"/k\"},\"cpus\":{\"count\":2}}";
	int fd;

	memcpy(file, template, sizeof(template));
	fd = mkstemp(file);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
}

static void teardown(void)
{
	unlink(file);
}

/* Puts a file of ours in the place of @fd; returns what was there. */
static int divert(int fd, int *ret_to)
{
	int old = dup(fd);

	*ret_to = memfd_create("output", MFD_CLOEXEC);
	ck_assert_int_ge(*ret_to, 0);
	ck_assert_int_eq(dup2(*ret_to, fd), fd);
	return old;
}

static void collect(int fd, int old, int from, char *buf, size_t size)
{
	ssize_t len = pread(from, buf, size - 1, 0);

	ck_assert_int_ge(len, 0);
	buf[len] = '\0';
	ck_assert_int_eq(dup2(old, fd), fd);
	close(old);
	close(from);
}

/* Runs it; arguments are parted by '|', and "FILE" is the configuration file. */
static int check(const char *line)
{
	char copy[256], *argv[MAX_ARGS + 1], *rest = copy;
	int old_out, old_err, to_out, to_err, status, argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	while (rest) {
		ck_assert_int_lt(argc, MAX_ARGS);
		argv[argc] = strsep(&rest, "|");
		if (strcmp(argv[argc], "FILE") == 0)
			argv[argc] = file;
		argc++;
	}
	argv[argc] = NULL;
	fflush(stdout);
	old_out = divert(STDOUT_FILENO, &to_out);
	old_err = divert(STDERR_FILENO, &to_err);
	status = cmd_check(argc, argv);
	fflush(stdout);
	collect(STDERR_FILENO, old_err, to_err, err, sizeof(err));
	collect(STDOUT_FILENO, old_out, to_out, out, sizeof(out));
	return status;
}

START_TEST(good)
{
	ck_assert_int_eq(check("check|FILE"), 0);
	ck_assert_str_eq(out, "");
	ck_assert_str_eq(err, "");
	ck_assert_int_eq(check("check|--kernel=k"), 0);
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(effective)
{
	ck_assert_int_eq(check("check|--effective|FILE|--cpus=3|--name=n"), 0);
	ck_assert_str_eq(err, "");
	ck_assert_ptr_nonnull(strstr(out, "\"count\": 3"));
	ck_assert_ptr_nonnull(strstr(out, "\"startup\": \"512M\""));
	ck_assert_ptr_nonnull(strstr(out, "\"name\": \"n\""));
}
END_TEST

START_TEST(texts)
{
	ck_assert_int_eq(check("check|--help"), 0);
	ck_assert_ptr_nonnull(strstr(out, "Usage: candela check "));
	ck_assert_int_eq(check("check|--print-schema"), 0);
	ck_assert_ptr_nonnull(strstr(out, "http://json-schema.org/draft-07/schema#"));
	ck_assert_str_eq(err, "");
}
END_TEST

static const struct {
	const char *line, *message;
} refused[] = {
	{"check", "check: name a configuration file, or give the options of a VM; see candela "
		  "check --help"},
	{"check|--memroy=1", "unknown option --memroy; did you mean --memory?"},
	{"check|/no/such", "/no/such: cannot open it: No such file or directory"},
	{"check|--cpus=1", "boot.kernel: missing; set it in the file, or with --kernel"},
	{"check|FILE|--no-kernel|--effective",
	 "FILE: boot.kernel: missing; set it in the file, or with --kernel"},
	{"check|--kernel=\xff|--effective", "boot.kernel: not UTF-8, so JSON cannot hold it"},
};

START_TEST(bad)
{
	const char *message = refused[_i].message, *name = "";

	ck_assert_int_eq(check(refused[_i].line), STATUS_USAGE);
	ck_assert_str_eq(out, "");
	ck_assert_int_eq(strncmp(err, "candela: ", 9), 0);
	ck_assert_int_eq(err[strlen(err) - 1], '\n');
	ck_assert_ptr_eq(strchr(err, '\n'), err + strlen(err) - 1);
	if (strncmp(message, "FILE", 4) == 0) {
		name = file;
		message += 4;
	}
	ck_assert_ptr_nonnull(strstr(err, message));
	ck_assert_ptr_nonnull(strstr(err, name));
}
END_TEST

/* A result that nobody got is a failure of ours. */
START_TEST(full_disk)
{
	int status, fd = open("/dev/full", O_WRONLY), old = dup(STDOUT_FILENO), old_err, to_err;
	char check_word[] = "check", effective_word[] = "--effective";
	char *argv[] = {check_word, effective_word, file, NULL};

	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	old_err = divert(STDERR_FILENO, &to_err);
	status = cmd_check(3, argv);
	collect(STDERR_FILENO, old_err, to_err, err, sizeof(err));
	dup2(old, STDOUT_FILENO);
	ck_assert_int_eq(status, STATUS_INTERNAL);
	ck_assert_ptr_nonnull(strstr(err, "cannot write the output"));
	close(fd);
	close(old);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cmd_check");
	TCase *t = tcase_create("cmd_check");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, good);
	tcase_add_test(t, effective);
	tcase_add_test(t, texts);
	tcase_add_loop_test(t, bad, 0, ARRAY_SIZE(refused));
	tcase_add_test(t, full_disk);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
