// SPDX-License-Identifier: MIT
/*
 * Command lines: every way to write an option, what wins over what, and each mistake's words.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base.h"
#include "vmm/config_cli.h"

#define MAX_ARGS 16

static struct vm_config config;
static struct config_cli_result result;
static struct error err;
static const char template[] = "/tmp/candela-test-XXXXXX";
static char file[sizeof(template)];

static void setup(void)
{
	static const char text[] =
		"{\"name\":\"f\",\"cpus\":{\"count\":2},\"memory\":{\"prefault\":true},"
		"\"boot\":{\"kernel\":\"fk\",\"cmdline\":\"fc\","
		"\"modules\":[{\"path\":\"/fm\"}]}}";
	int fd;

	memcpy(file, template, sizeof(template));
	fd = mkstemp(file);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	config_init(&config);
}

static void teardown(void)
{
	config_finish(&config);
	unlink(file);
}

/* Arguments are parted by '|'; "FILE" is the configuration file. */
static int parse(const char *line)
{
	static char copy[1024], *argv[MAX_ARGS + 1]; /* results point into them */
	char *rest = copy;
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	while (rest) {
		ck_assert_int_lt(argc, MAX_ARGS);
		argv[argc] = strsep(&rest, "|");
		if (strcmp(argv[argc], "FILE") == 0)
			argv[argc] = file;
		argc++;
	}
	argv[argc] = NULL;
	config_finish(&config);
	config_init(&config);
	err.text[0] = '\0';
	return config_parse_args(&config, argc, argv, &result, &err);
}

static void parse_good(const char *line)
{
	int r = parse(line);

	ck_assert_msg(r == 0, "%s: %s", line, err.text);
}

START_TEST(spellings)
{
	static const char *const lines[] = {
		"run|--memory|64M",
		"run|--memory=64M",
		"run|-m|64M",
		"run|-m64M",
		"run|-vm64M",
		"run|-vm|64M",
		"run|-v|-v|--memory=64M",
		"run|--memory=1G|--memory=64M",
		"run|--set|memory.startup=64M",
		"run|--set=memory.startup=64M",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		parse_good(lines[i]);
		ck_assert_uint_eq(config.memory.startup, MiB(64));
	}
	parse_good("run|-vv|--verbose");
	ck_assert_uint_eq(result.verbose, 3);
	parse_good("run|--append|a=b c");
	ck_assert_str_eq(config.boot.cmdline, "a=b c");
	parse_good("run|--cmdline=a=b c");
	ck_assert_str_eq(config.boot.cmdline, "a=b c");
	parse_good("run|--append|-x");
	ck_assert_str_eq(config.boot.cmdline, "-x");
	parse_good("run|--append=--kernel");
	ck_assert_str_eq(config.boot.cmdline, "--kernel");
	parse_good("run|--append|--quiet");
	ck_assert_str_eq(config.boot.cmdline, "--quiet");
	parse_good("run|--append=");
	ck_assert_str_eq(config.boot.cmdline, "");
}
END_TEST

START_TEST(booleans)
{
	parse_good("run|--prefault|--no-pvpanic");
	ck_assert(config.memory.prefault && !config.pvpanic);
	parse_good("run|--prefault=yes|--pvpanic=off");
	ck_assert(config.memory.prefault && !config.pvpanic);
	parse_good("run|--prefault|--no-prefault");
	ck_assert(!config.memory.prefault);
	parse_good("run|--set|pvpanic=false");
	ck_assert(!config.pvpanic);
}
END_TEST

START_TEST(all_options)
{
	parse_good("run|--name=n|--huge-pages=2M|--kernel=k|--initrd=i|--serial=pty|--rtc=local|"
		   "--debug-exit|--hyperv-identity=none|--hyperv-engine=user|--on-reset=exit|"
		   "--on-panic=ignore|--timeout=500ms|--result=r|--cpus=1024");
	ck_assert_str_eq(config.name, "n");
	ck_assert_int_eq(config.memory.huge_pages, MEM_HUGE_2M);
	ck_assert_str_eq(config.boot.kernel, "k");
	ck_assert_str_eq(config.boot.initrd, "i");
	ck_assert_int_eq(config.serial.kind, CONFIG_SERIAL_PTY);
	ck_assert_int_eq(config.rtc, CONFIG_RTC_LOCAL);
	ck_assert(config.debug_exit);
	ck_assert_int_eq(config.hyperv.identity, CONFIG_IDENTITY_NONE);
	ck_assert_int_eq(config.hyperv.engine, CONFIG_ENGINE_USER);
	ck_assert_int_eq(config.on_reset, CONFIG_RESET_EXIT);
	ck_assert_int_eq(config.on_panic, CONFIG_PANIC_IGNORE);
	ck_assert_uint_eq(config.timeout_ns, 500 * NSEC_PER_MSEC);
	ck_assert_str_eq(config.result, "r");
	ck_assert_uint_eq(config.cpus.count, 1024);
	ck_assert_ptr_null(result.file);
}
END_TEST

/* Options win over the file, wherever it stands. */
START_TEST(precedence)
{
	static const char *const lines[] = {
		"run|FILE|--cpus=3|--no-prefault",
		"run|--cpus=3|FILE|--no-prefault",
		"run|--cpus=3|--no-prefault|FILE",
		"run|--cpus=3|--no-prefault|--|FILE",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		parse_good(lines[i]);
		ck_assert_str_eq(result.file, file);
		ck_assert_uint_eq(config.cpus.count, 3);
		ck_assert(!config.memory.prefault);
		ck_assert_str_eq(config.name, "f");
		ck_assert_str_eq(config.boot.cmdline, "fc");
	}
	parse_good("run|FILE|--append=oc|--kernel=ok|--name=o");
	ck_assert_str_eq(config.boot.cmdline, "oc");
	ck_assert_str_eq(config.boot.kernel, "ok");
	ck_assert_str_eq(config.name, "o");
}
END_TEST

/* Paths of the file begin at the file, those of options here. */
START_TEST(directories)
{
	parse_good("run|FILE|--initrd=i");
	ck_assert_str_eq(config.boot.kernel, "/tmp/fk");
	ck_assert_str_eq(config.boot.initrd, "i");
}
END_TEST

START_TEST(emptied)
{
	parse_good("run|FILE|--no-append|--no-kernel|--no-module");
	ck_assert_ptr_null(config.boot.cmdline);
	ck_assert_ptr_null(config.boot.kernel);
	ck_assert_uint_eq(config.boot.module_count, 0);
	parse_good("run|FILE|--no-cmdline");
	ck_assert_ptr_null(config.boot.cmdline);
}
END_TEST

START_TEST(arrays)
{
	parse_good("run|FILE|--module|m1 a b|--module=m2");
	ck_assert_uint_eq(config.boot.module_count, 3);
	ck_assert_str_eq(config.boot.modules[0].path, "/fm");
	ck_assert_str_eq(config.boot.modules[1].path, "m1");
	ck_assert_str_eq(config.boot.modules[1].cmdline, "a b");
	ck_assert_ptr_null(config.boot.modules[2].cmdline);
	parse_good("run|--module=m1|FILE|--no-module|--module=m2");
	ck_assert_uint_eq(config.boot.module_count, 1);
	ck_assert_str_eq(config.boot.modules[0].path, "m2");
	parse_good("run|FILE|--set|boot.modules[0].cmdline=x|--set|boot.modules[]=m2 y|"
		   "--set|boot.modules[1].path=m3");
	ck_assert_uint_eq(config.boot.module_count, 2);
	ck_assert_str_eq(config.boot.modules[0].path, "/fm");
	ck_assert_str_eq(config.boot.modules[0].cmdline, "x");
	ck_assert_str_eq(config.boot.modules[1].path, "m3");
	ck_assert_str_eq(config.boot.modules[1].cmdline, "y");
}
END_TEST

/* Asking for help is answered before anything else is done or found wrong. */
START_TEST(help)
{
	parse_good("run|--help");
	ck_assert(result.help);
	parse_good("run|/no/such/file|-h|--nonsense");
	ck_assert(result.help);
	parse_good("run|--cpus=0|-vh");
	ck_assert(result.help);
	parse_good("run");
	ck_assert(!result.help);
}
END_TEST

START_TEST(verbs)
{
	parse_good("check|--effective|--print-schema");
	ck_assert(result.effective && result.print_schema);
	ck_assert_int_eq(parse("run|--effective"), -EINVAL);
	ck_assert_str_eq(err.text, "unknown option --effective; see candela run --help");
	ck_assert_int_eq(parse("check|-v"), -EINVAL);
	ck_assert_str_eq(err.text, "unknown option -v; see candela check --help");
}
END_TEST

START_TEST(commands)
{
	parse_good("test|FILE|--cpus=3|--|./run|--memory|-x|--");
	ck_assert_str_eq(result.file, file);
	ck_assert_uint_eq(config.cpus.count, 3);
	ck_assert_int_eq(result.command_argc, 4);
	ck_assert_str_eq(result.command_argv[0], "./run");
	ck_assert_str_eq(result.command_argv[3], "--");
	ck_assert_uint_eq(config.memory.startup, MiB(512));
	parse_good("test|--cpus=3");
	ck_assert_int_eq(result.command_argc, 0);
	parse_good("test|--cpus=3|--");
	ck_assert_int_eq(result.command_argc, 0);
	parse_good("run|--|FILE");
	ck_assert_int_eq(result.command_argc, 0);
}
END_TEST

static const struct {
	const char *line, *message;
} refused[] = {
	{"run|--memroy|1G", "unknown option --memroy; did you mean --memory?"},
	{"run|--memroy=1G", "unknown option --memroy; did you mean --memory?"},
	{"run|--mem=1G", "unknown option --mem; see candela run --help"},
	{"run|--cmdlin=1G", "unknown option --cmdlin; did you mean --cmdline?"},
	{"run|--no-prefalt", "unknown option --no-prefalt; did you mean --no-prefault?"},
	{"run|--no-cpus", "unknown option --no-cpus; see candela run --help"},
	{"run|--no-", "unknown option --no-; see candela run --help"},
	{"run|--=x", "unknown option --; see candela run --help"},
	{"run|-z", "unknown option -z; see candela run --help"},
	{"run|-vz", "unknown option -z; see candela run --help"},
	{"run|-\x1b", "unknown option -?; see candela run --help"},
	{"run|--kernel", "--kernel: expected FILE after it"},
	{"run|-vm", "-m: expected SIZE after it"},
	{"run|--kernel|--initrd|i",
	 "--kernel: expected FILE, got the option --initrd (if it is the "
	 "value, write --kernel=--initrd)"},
	{"run|--kernel|--", "--kernel: expected FILE, got the option -- (if it is the value, write "
			    "--kernel=--)"},
	{"run|--no-kernel=x", "--no-kernel: takes no value"},
	{"run|--verbose=2", "--verbose: takes no value"},
	{"run|--prefault=2", "--prefault: expected true or false, got 2"},
	{"run|--cpus=two", "--cpus: expected an integer from 1 to 1024, got \"two\""},
	{"run|--cpus=0", "--cpus: expected an integer from 1 to 1024, got 0"},
	{"run|-m512",
	 "-m: expected a size from 16M to 64T in steps of 4K, got 512 (a plain number is "
	 "bytes)"},
	{"run|--kernel=", "--kernel: expected a path of 1 to 4095 bytes, got \"\""},
	{"run|--module=", "--module: path: expected a path of 1 to 4095 bytes, got \"\""},
	{"run|--set|cpus.count", "--set: expected KEY=VALUE, got \"cpus.count\""},
	{"run|--set|cpu.count=1", "--set cpu.count: unknown key; did you mean \"cpus.count\"?"},
	{"run|--set|cpus.count=x",
	 "--set cpus.count: expected an integer from 1 to 1024, got \"x\""},
	{"run|--set|boot.modules[2]=x",
	 "--set boot.modules[2]: expected an index from 0 to 0 in []"},
	{"run|--set|=", "--set : unknown key"},
	{"run|/no/such", "/no/such: cannot open it: No such file or directory"},
	{"run|a|b", "b: unexpected argument; the configuration file is a already"},
	{"run|a|--|b", "b: unexpected argument; the configuration file is a already"},
	{"run|--|--cpus=1", "--cpus=1: cannot open it: No such file or directory"},
};

START_TEST(refuses)
{
	ck_assert_int_lt(parse(refused[_i].line), 0);
	ck_assert_str_eq(err.text, refused[_i].message);
}
END_TEST

START_TEST(long_words)
{
	char line[600];

	snprintf(line, sizeof(line), "run|--%0500d", 0);
	ck_assert_int_eq(parse(line), -EINVAL);
	snprintf(line, sizeof(line), "run|--%0500d=1", 0);
	ck_assert_int_eq(parse(line), -EINVAL);
	snprintf(line, sizeof(line), "run|--set|[%0500d=1", 0);
	ck_assert_int_eq(parse(line), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_cli");
	TCase *t = tcase_create("config_cli");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, spellings);
	tcase_add_test(t, booleans);
	tcase_add_test(t, all_options);
	tcase_add_test(t, precedence);
	tcase_add_test(t, directories);
	tcase_add_test(t, emptied);
	tcase_add_test(t, arrays);
	tcase_add_test(t, help);
	tcase_add_test(t, verbs);
	tcase_add_test(t, commands);
	tcase_add_loop_test(t, refuses, 0, ARRAY_SIZE(refused));
	tcase_add_test(t, long_words);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
