// SPDX-License-Identifier: MIT
/*
 * Disks in the configuration: items from one text, defaults, and the LUNs of those that say none.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "vmm/config.h"
#include "vmm/config_table.h"
#include "vmm/config_tree.h"

static struct vm_config config;
static struct error err;

static void setup(void)
{
	config_init(&config);
}

static void teardown(void)
{
	config_finish(&config);
}

static int add(const char *text)
{
	return config_tree_set(&config_vm_table, &config, "disks[]", text, "/d", &err);
}

static void must_add(const char *text)
{
	ck_assert_msg(add(text) == 0, "%s: %s", text, err.text);
}

START_TEST(defaults)
{
	const struct config_disk *disk;

	must_add("a.vhdx");
	ck_assert_uint_eq(config.disk_count, 1);
	disk = &config.disks[0];
	ck_assert_str_eq(disk->path, "/d/a.vhdx");
	ck_assert_int_eq(disk->type, CONFIG_DISK_DISK);
	ck_assert_int_eq(disk->format, CONFIG_DISK_FORMAT_AUTO);
	ck_assert_int_eq(disk->cache, CONFIG_DISK_CACHE_NONE);
	ck_assert_int_eq(disk->on_error, CONFIG_DISK_ERROR_REPORT);
	ck_assert(!disk->read_only && !disk->ephemeral);
	ck_assert_uint_eq(disk->sector_size, CONFIG_UINT_UNSET);
	ck_assert_uint_eq(disk->iops, 0);
	ck_assert_uint_eq(disk->bandwidth, 0);
	ck_assert_uint_eq(disk->controller, 0);
	ck_assert_uint_eq(disk->lun, CONFIG_UINT_UNSET);
}
END_TEST

START_TEST(all_keys)
{
	const struct config_disk *disk;

	must_add("/x/a,,b,type=dvd,format=raw,read-only,ephemeral,cache=unsafe,on-error=pause,"
		 "sector-size=4096,iops=100,iops-burst=7,bandwidth=10M,bandwidth-burst=1M,"
		 "controller=3,lun=63");
	disk = &config.disks[0];
	ck_assert_str_eq(disk->path, "/x/a,b");
	ck_assert_int_eq(disk->type, CONFIG_DISK_DVD);
	ck_assert_int_eq(disk->format, CONFIG_DISK_FORMAT_RAW);
	ck_assert_int_eq(disk->cache, CONFIG_DISK_CACHE_UNSAFE);
	ck_assert_int_eq(disk->on_error, CONFIG_DISK_ERROR_PAUSE);
	ck_assert(disk->read_only && disk->ephemeral);
	ck_assert_uint_eq(disk->sector_size, 4096);
	ck_assert_uint_eq(disk->iops, 100);
	ck_assert_uint_eq(disk->iops_burst, 7);
	ck_assert_uint_eq(disk->bandwidth, MiB(10));
	ck_assert_uint_eq(disk->bandwidth_burst, MiB(1));
	ck_assert_uint_eq(disk->controller, 3);
	ck_assert_uint_eq(disk->lun, 63);
}
END_TEST

static const char *const bad[] = {
	"",          ",cache=none", "a,lun=64",          "a,controller=4",    "a,cache=fast",
	"a,redonly", "a,iops=-1",   "a,read-only=maybe", "a,sector-size=256",
};

START_TEST(bad_items)
{
	ck_assert_int_eq(add(bad[_i]), -EINVAL);
	ck_assert_uint_eq(config.disk_count, 0);
}
END_TEST

START_TEST(luns)
{
	must_add("a");
	must_add("b,lun=0");
	must_add("c");
	must_add("d,lun=2");
	must_add("e");
	must_add("f,controller=1");
	ck_assert_uint_eq(config_disk_lun(&config, 0), 1);
	ck_assert_uint_eq(config_disk_lun(&config, 1), 0);
	ck_assert_uint_eq(config_disk_lun(&config, 2), 3);
	ck_assert_uint_eq(config_disk_lun(&config, 3), 2);
	ck_assert_uint_eq(config_disk_lun(&config, 4), 4);
	ck_assert_uint_eq(config_disk_lun(&config, 5), 0);
}
END_TEST

START_TEST(full_controller)
{
	uint32_t i;

	for (i = 0; i < CONFIG_DISK_LUNS; i++) {
		must_add(i == 5 ? "a,lun=63" : "a");
		ck_assert_uint_lt(config_disk_lun(&config, i), CONFIG_DISK_LUNS);
	}
	ck_assert_uint_eq(config_disk_lun(&config, 62), 61);
	must_add("b");
	ck_assert_uint_eq(config_disk_lun(&config, i), CONFIG_UINT_UNSET);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("config_disk");
	TCase *t = tcase_create("disks");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, defaults);
	tcase_add_test(t, all_keys);
	tcase_add_loop_test(t, bad_items, 0, (int)ARRAY_SIZE(bad));
	tcase_add_test(t, luns);
	tcase_add_test(t, full_controller);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
