// SPDX-License-Identifier: MIT
/* The pvpanic port: events offered and taken. */
#include <stdlib.h>

#include "devices/pc/pvpanic.h"
#include "devices/pc/pvpanic_proto.h"
#include "pc_fake.h"
#include "vmm/layout.h"

static struct bus bus;
static struct pvpanic *pp;
static struct {
	unsigned int panicked, crash_loaded;
} seen;

static void on_panicked(void *ctx)
{
	ck_assert_ptr_eq(ctx, &seen);
	seen.panicked++;
}

static void on_crash_loaded(void *ctx)
{
	ck_assert_ptr_eq(ctx, &seen);
	seen.crash_loaded++;
}

static const struct pvpanic_events events = {on_panicked, on_crash_loaded};

static void setup(void)
{
	seen.panicked = seen.crash_loaded = 0;
	bus_init(&bus, "port", 0x10000);
	ck_assert_int_eq(pvpanic_create(&events, &seen, NULL, &pp), 0);
	ck_assert_int_eq(pvpanic_attach(pp, &bus, NULL), 0);
	bus_freeze(&bus);
}

static void teardown(void)
{
	struct device *dev = pvpanic_device(pp);

	dev->ops->reset(dev);
	dev->ops->destroy(dev);
}

START_TEST(offers_its_events)
{
	ck_assert_uint_eq(in8(&bus, LAYOUT_PORT_PVPANIC), 3);
}
END_TEST

START_TEST(reports)
{
	out8(&bus, LAYOUT_PORT_PVPANIC, PVPANIC_PANICKED);
	ck_assert_uint_eq(seen.panicked, 1);
	ck_assert_uint_eq(seen.crash_loaded, 0);
	out8(&bus, LAYOUT_PORT_PVPANIC, PVPANIC_CRASH_LOADED);
	ck_assert_uint_eq(seen.panicked, 1);
	ck_assert_uint_eq(seen.crash_loaded, 1);
}
END_TEST

START_TEST(unknown_events_are_ignored)
{
	out8(&bus, LAYOUT_PORT_PVPANIC, 0);
	out8(&bus, LAYOUT_PORT_PVPANIC, 0xfc);
	ck_assert_uint_eq(seen.panicked, 0);
	ck_assert_uint_eq(seen.crash_loaded, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pvpanic");
	TCase *tc = tcase_create("pvpanic");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, offers_its_events);
	tcase_add_test(tc, reports);
	tcase_add_test(tc, unknown_events_are_ignored);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
