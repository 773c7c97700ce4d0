// SPDX-License-Identifier: MIT
/*
 * Rules between keys, each just kept and just broken.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/config.h"
#include "vmm/config_table.h"
#include "vmm/config_tree.h"

static struct vm_config config;
static struct error err;

static void set(const char *path, const char *text)
{
	ck_assert_msg(config_tree_set(&config_vm_table, &config, path, text, NULL, &err) == 0, "%s",
		      err.text);
}

static void setup(void)
{
	config_init(&config);
	set("boot.kernel", "k");
}

static void teardown(void)
{
	config_finish(&config);
}

static void check_good(void)
{
	ck_assert_msg(config_check(&config, &err) == 0, "%s", err.text);
}

static void check_bad(const char *message)
{
	ck_assert_int_eq(config_check(&config, &err), -EINVAL);
	ck_assert_str_eq(err.text, message);
}

START_TEST(kernel)
{
	struct vm_config empty;

	check_good();
	config_init(&empty);
	ck_assert_int_eq(config_check(&empty, &err), -EINVAL);
	ck_assert_str_eq(err.text, "boot.kernel: missing; set it in the file, or with --kernel");
}
END_TEST

START_TEST(modules)
{
	set("boot.modules[].path", "a");
	check_good();
	set("boot.modules[].cmdline", "x");
	check_bad("boot.modules[1].path: missing");
}
END_TEST

START_TEST(dynamic_memory)
{
	set("memory.startup", "64M");
	set("memory.minimum", "64M");
	set("memory.maximum", "64M");
	check_good();
	ck_assert_uint_eq(config_memory_minimum(&config.memory), MiB(64));
	set("memory.minimum", "66M");
	check_bad("memory.minimum: expected at most memory.startup, because the guest starts with "
		  "that");
	set("memory.minimum", "32M");
	check_good();
	set("memory.maximum", "62M");
	check_bad("memory.maximum: expected at least memory.startup, because the guest starts with "
		  "that");
	set("memory.maximum", "1G");
	check_good();
	set("hyperv.vmbus", "false");
	check_bad("memory.minimum: expected hyperv.identity microsoft and hyperv.vmbus, because "
		  "memory is moved over VMBus");
}
END_TEST

START_TEST(static_memory)
{
	set("memory.startup", "64M");
	set("hyperv.identity", "none");
	check_good();
	ck_assert_uint_eq(config_memory_minimum(&config.memory), MiB(64));
	ck_assert_uint_eq(config_memory_maximum(&config.memory), MiB(64));
	set("memory.maximum", "128M");
	check_bad("memory.maximum: expected hyperv.identity microsoft and hyperv.vmbus, because "
		  "memory is moved over VMBus");
}
END_TEST

START_TEST(huge_pages)
{
	set("memory.startup", "17M");
	check_good();
	set("memory.huge-pages", "2M");
	check_bad("memory.startup: expected a multiple of 2M, because memory.huge-pages is 2M");
	set("memory.startup", "18M");
	check_good();
	set("memory.huge-pages", "1G");
	check_bad("memory.startup: expected a multiple of 1G, because memory.huge-pages is 1G");
	set("memory.startup", "3G");
	check_good();
}
END_TEST

START_TEST(disks)
{
	set("disks[]", "a,lun=1");
	set("disks[]", "b");
	check_good();
	set("disks[0].sector-size", "4096");
	check_good();
	set("disks[0].sector-size", "1024");
	check_bad("disks[0].sector-size: expected 512 or 4096, got 1024, because guests know no "
		  "other");
	set("disks[0].sector-size", "512");
	set("disks[0].type", "dvd");
	check_good();
	set("disks[0].format", "vhdx");
	check_bad("disks[0].format: expected raw, because disks[0].type is dvd");
	set("disks[0].format", "raw");
	set("disks[1].lun", "1");
	check_bad("disks[1].lun: expected one that is free, got 1, because disks[0] has it");
	set("disks[1].controller", "1");
	check_good();
}
END_TEST

START_TEST(too_many_disks)
{
	for (uint32_t i = 0; i < CONFIG_DISK_LUNS; i++)
		set("disks[]", "a");
	check_good();
	set("disks[]", "b");
	check_bad("disks[64].controller: expected one with a free LUN, got 0, because it has 64 "
		  "disks already");
}
END_TEST

START_TEST(socket_path)
{
	char text[5 + 109] = "unix:", file[5 + 109];

	memset(text + 5, 'a', 107);
	set("serial", text);
	check_good();
	text[5 + 107] = 'a';
	set("serial", text);
	ck_assert_int_eq(config_check(&config, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text,
				     "serial: expected a path of at most 107 bytes, got 108, "
				     "because Unix sockets allow no more: aaa"));
	/* A file may be anywhere. */
	snprintf(file, sizeof(file), "file:%s", text + 5);
	set("serial", file);
	check_good();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_check");
	TCase *t = tcase_create("config_check");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, kernel);
	tcase_add_test(t, modules);
	tcase_add_test(t, huge_pages);
	tcase_add_test(t, dynamic_memory);
	tcase_add_test(t, static_memory);
	tcase_add_test(t, disks);
	tcase_add_test(t, too_many_disks);
	tcase_add_test(t, socket_path);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
