// SPDX-License-Identifier: MIT
/*
 * The life of a configuration: its defaults, and an end that may come twice, early or never.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base.h"
#include "vmm/config.h"

START_TEST(defaults)
{
	struct vm_config c;

	memset(&c, 0xff, sizeof(c));
	config_init(&c);
	ck_assert_ptr_null(c.name);
	ck_assert_uint_eq(c.cpus.count, 1);
	ck_assert_uint_eq(c.memory.startup, MiB(512));
	ck_assert_int_eq(c.memory.huge_pages, MEM_HUGE_TRANSPARENT);
	ck_assert(!c.memory.prefault);
	ck_assert_ptr_null(c.boot.kernel);
	ck_assert_ptr_null(c.boot.initrd);
	ck_assert_ptr_null(c.boot.cmdline);
	ck_assert_uint_eq(c.boot.module_count, 0);
	ck_assert_int_eq(c.serial.kind, CONFIG_SERIAL_STDIO);
	ck_assert_int_eq(c.rtc, CONFIG_RTC_UTC);
	ck_assert_int_eq(c.on_reset, CONFIG_RESET_REBOOT);
	ck_assert_int_eq(c.on_panic, CONFIG_PANIC_EXIT);
	ck_assert(!c.debug_exit);
	ck_assert(c.pvpanic);
	ck_assert_uint_eq(c.timeout_ns, 0);
	ck_assert_ptr_null(c.result);
	ck_assert_int_eq(c.hyperv.identity, CONFIG_IDENTITY_MICROSOFT);
	ck_assert_int_eq(c.hyperv.engine, CONFIG_ENGINE_AUTO);
}
END_TEST

START_TEST(finish)
{
	struct vm_config c;

	config_init(&c);
	config_finish(&c);
	config_finish(&c);
	memset(&c, 0, sizeof(c));
	config_finish(&c);
	config_finish(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config");
	TCase *t = tcase_create("config");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, defaults);
	tcase_add_test(t, finish);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
