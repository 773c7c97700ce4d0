// SPDX-License-Identifier: MIT
/*
 * Configuration files: where paths begin, what the VM is called, and files that cannot be read.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/config.h"

static struct vm_config config;
static struct error err;
static const char template[] = "/tmp/candela-test-XXXXXX";
static char home[sizeof(template)];

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void setup(void)
{
	memcpy(home, template, sizeof(template));
	ck_assert_ptr_nonnull(mkdtemp(home));
	ck_assert_int_eq(chdir(home), 0);
	ck_assert_int_eq(mkdir("d", 0700), 0);
	write_file("web 1.json", "{\"boot\":{\"kernel\":\"k\",\"initrd\":\"/i\"}}");
	write_file("d/db.json", "{\"boot\":{\"kernel\":\"k\",\"modules\":[{\"path\":\"m\"}]},"
				"\"serial\":\"file:log\",\"result\":\"../r\"}");
	write_file("named", "{\"name\":\"x\"}");
	write_file("bad.json", "{\n\"memroy\":1}");
	config_init(&config);
}

static void teardown(void)
{
	config_finish(&config);
	unlink("web 1.json");
	unlink("d/db.json");
	unlink("named");
	unlink("bad.json");
	rmdir("d");
	rmdir(home);
}

START_TEST(here)
{
	ck_assert_int_eq(config_load_file(&config, "web 1.json", &err), 0);
	ck_assert_str_eq(config.name, "web-1");
	ck_assert_str_eq(config.boot.kernel, "k");
	ck_assert_str_eq(config.boot.initrd, "/i");
}
END_TEST

START_TEST(elsewhere)
{
	char path[64];

	ck_assert_int_eq(config_load_file(&config, "d/db.json", &err), 0);
	ck_assert_str_eq(config.name, "db");
	ck_assert_str_eq(config.boot.kernel, "d/k");
	ck_assert_str_eq(config.boot.modules[0].path, "d/m");
	ck_assert_str_eq(config.serial.path, "d/log");
	ck_assert_str_eq(config.result, "d/../r");
	config_finish(&config);
	config_init(&config);
	snprintf(path, sizeof(path), "%s/d/db.json", home);
	ck_assert_int_eq(config_load_file(&config, path, &err), 0);
	snprintf(path, sizeof(path), "%s/d/k", home);
	ck_assert_str_eq(config.boot.kernel, path);
}
END_TEST

START_TEST(named)
{
	ck_assert_int_eq(config_load_file(&config, "named", &err), 0);
	ck_assert_str_eq(config.name, "x");
}
END_TEST

START_TEST(unreadable)
{
	ck_assert_int_eq(config_load_file(&config, "none.json", &err), -ENOENT);
	ck_assert_str_eq(err.text, "none.json: cannot open it: No such file or directory");
	ck_assert_int_eq(config_load_file(&config, "d", &err), -EISDIR);
	ck_assert_str_eq(err.text, "d: cannot read it: Is a directory");
	ck_assert_int_eq(config_load_file(&config, "bad.json", &err), -EINVAL);
	ck_assert_str_eq(err.text, "bad.json: memroy: unknown key; did you mean \"memory\"?");
	/* Endless, but read only as far as a configuration goes. */
	ck_assert_int_eq(config_load_file(&config, "/dev/zero", &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "/dev/zero: larger than 1 MiB"));
}
END_TEST

START_TEST(standard_input)
{
	int fd = open("d/db.json", O_RDONLY);

	ck_assert_int_eq(dup2(fd, STDIN_FILENO), 0);
	ck_assert_int_eq(config_load_file(&config, "-", &err), 0);
	ck_assert_str_eq(config.boot.kernel, "k");
	ck_assert_ptr_null(config.name);
	ck_assert_int_eq(config_load_file(&config, "-", &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "standard input: line 1"));
	close(fd);
}
END_TEST

static const struct {
	const char *path, *name;
} names[] = {
	{"a.json", "a"},
	{"/x/y/a-1_b.c.json", "a-1_b.c"},
	{"a", "a"},
	{"a.json.json", "a.json"},
	{"x y/a b+c.json", "a-b-c"},
	{".hidden.json", "_hidden"},
	{"-x", "_x"},
	{"..", "_."},
	{"\xc3\xa9t\xc3\xa9.json", "_-t--"},
	{".json", NULL},
	{"d/", NULL},
};

START_TEST(names_from_files)
{
	ck_assert_int_eq(config_default_name(&config, names[_i].path), 0);
	ck_assert_pstr_eq(config.name, names[_i].name);
}
END_TEST

START_TEST(long_name)
{
	char path[300];

	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(config_default_name(&config, path), 0);
	ck_assert_uint_eq(strlen(config.name), CONFIG_NAME_MAX);
	/* A name that is there stays. */
	ck_assert_int_eq(config_default_name(&config, "b.json"), 0);
	ck_assert_int_eq(config.name[0], 'a');
}
END_TEST

START_TEST(name_of_process)
{
	char expected[32];

	snprintf(expected, sizeof(expected), "vm-%d", (int)getpid());
	ck_assert_int_eq(config_default_name(&config, NULL), 0);
	ck_assert_str_eq(config.name, expected);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_file");
	TCase *t = tcase_create("config_file");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, here);
	tcase_add_test(t, elsewhere);
	tcase_add_test(t, named);
	tcase_add_test(t, unreadable);
	tcase_add_test(t, standard_input);
	tcase_add_loop_test(t, names_from_files, 0, ARRAY_SIZE(names));
	tcase_add_test(t, long_name);
	tcase_add_test(t, name_of_process);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
