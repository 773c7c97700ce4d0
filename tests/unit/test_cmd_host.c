// SPDX-License-Identifier: MIT
/*
 * candela host on whatever host this is: its arguments, its exit status, and where its output goes.
 */
#include <check.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "candela/commands.h"
#include "candela/exit_status.h"
#include "vmm/base.h"
#include "vmm/host_probe.h"

static char out[65536], err[4096];

static void read_back(int fd, char *buf, size_t size)
{
	ssize_t len = pread(fd, buf, size - 1, 0);

	ck_assert_int_ge(len, 0);
	buf[len] = '\0';
	close(fd);
}

/* Runs "host" with up to two arguments; what it writes is then in out and err. */
static int run(char *first, char *second)
{
	char *argv[] = {(char[]){"host"}, first, second, NULL};
	int out_fd = memfd_create("output", 0);
	int err_fd = memfd_create("output", 0);
	int status;

	ck_assert_int_ge(out_fd, 0);
	ck_assert_int_ge(err_fd, 0);
	fflush(stdout);
	dup2(out_fd, STDOUT_FILENO);
	dup2(err_fd, STDERR_FILENO);
	status = cmd_host(1 + (first != NULL) + (second != NULL), argv);
	fflush(stdout);
	read_back(out_fd, out, sizeof(out));
	read_back(err_fd, err, sizeof(err));
	return status;
}

/* What it must say of this host, by asking in another way. */
static int expected(struct error *ret_err)
{
	struct host_probe probe;

	host_probe(&probe);
	if (!host_obstacle(&probe))
		return 0;
	*ret_err = *host_obstacle(&probe);
	return STATUS_HOST;
}

START_TEST(text)
{
	struct error error;
	int status = expected(&error);

	ck_assert_int_eq(run(NULL, NULL), status);
	ck_assert_int_eq(strncmp(out, "KVM\n", 4), 0);
	if (status == 0) {
		ck_assert_str_eq(err, "");
		ck_assert_ptr_nonnull(strstr(out, "can run VMs                    yes"));
	} else {
		ck_assert_ptr_nonnull(strstr(err, error.text));
		ck_assert_ptr_eq(strchr(err, '\n'), err + strlen(err) - 1);
		ck_assert_ptr_nonnull(strstr(out, "can run VMs                    no"));
	}
}
END_TEST

START_TEST(json)
{
	struct json_object *root, *o;
	struct error error;
	int status = expected(&error);

	ck_assert_int_eq(run((char[]){"--json"}, NULL), status);
	root = json_tokener_parse(out);
	ck_assert_ptr_nonnull(root);
	ck_assert(json_object_object_get_ex(root, "conclusion", &o));
	ck_assert(json_object_object_get_ex(o, "runs_vms", &o));
	ck_assert_int_eq(json_object_get_boolean(o), status == 0);
	json_object_put(root);
}
END_TEST

/* _i: 0 "--help", 1 "-h". */
START_TEST(help)
{
	ck_assert_int_eq(run(_i ? (char[]){"-h"} : (char[]){"--help"}, NULL), 0);
	ck_assert_int_eq(strncmp(out, "Usage: candela host", 19), 0);
	ck_assert_str_eq(err, "");
}
END_TEST

START_TEST(bad_usage)
{
	ck_assert_int_eq(run((char[]){"--json"}, (char[]){"--jsn"}), STATUS_USAGE);
	ck_assert_str_eq(out, "");
	ck_assert_ptr_nonnull(strstr(err, "\"--jsn\""));
	ck_assert_int_eq(run((char[]){"x"}, NULL), STATUS_USAGE);
	ck_assert_ptr_nonnull(strstr(err, "\"x\""));
}
END_TEST

START_TEST(full_disk)
{
	char *argv[] = {(char[]){"host"}, NULL};
	int full = open("/dev/full", O_WRONLY), null = open("/dev/null", O_WRONLY);

	ck_assert_int_ge(full, 0);
	ck_assert_int_ge(null, 0);
	fflush(stdout);
	dup2(full, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	ck_assert_int_eq(cmd_host(1, argv), STATUS_INTERNAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cmd_host");
	TCase *t = tcase_create("cmd_host");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, text);
	tcase_add_test(t, json);
	tcase_add_loop_test(t, help, 0, 2);
	tcase_add_test(t, bad_usage);
	tcase_add_test(t, full_disk);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
