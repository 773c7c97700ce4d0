// SPDX-License-Identifier: MIT
/* The debug exit port: what counts as a write of a number. */
#include <stdlib.h>

#include "devices/pc/debug_exit.h"
#include "pc_fake.h"
#include "vmm/layout.h"

static struct bus bus;
static struct debug_exit *de;
static unsigned int exits;
static uint32_t last;

static void on_exit_value(void *ctx, uint32_t value)
{
	ck_assert_ptr_eq(ctx, &exits);
	exits++;
	last = value;
}

static const struct debug_exit_events events = {.exit = on_exit_value};

static void setup(void)
{
	exits = last = 0;
	bus_init(&bus, "port", 0x10000);
	ck_assert_int_eq(debug_exit_create(&events, &exits, NULL, &de), 0);
	ck_assert_int_eq(debug_exit_attach(de, &bus, NULL), 0);
	bus_freeze(&bus);
}

static void teardown(void)
{
	struct device *dev = debug_exit_device(de);

	dev->ops->reset(dev);
	dev->ops->destroy(dev);
}

START_TEST(sizes)
{
	bus_write(&bus, LAYOUT_PORT_DEBUGEXIT, 1, 0x7f);
	ck_assert_uint_eq(last, 0x7f);
	bus_write(&bus, LAYOUT_PORT_DEBUGEXIT, 2, 0x1234);
	ck_assert_uint_eq(last, 0x1234);
	bus_write(&bus, LAYOUT_PORT_DEBUGEXIT, 4, 0xdeadbeef);
	ck_assert_uint_eq(last, 0xdeadbeef);
	bus_write(&bus, LAYOUT_PORT_DEBUGEXIT, 1, 0);
	ck_assert_uint_eq(last, 0);
	ck_assert_uint_eq(exits, 4);
}
END_TEST

START_TEST(only_the_first_port_counts)
{
	for (unsigned int i = 1; i < 4; i++)
		bus_write(&bus, LAYOUT_PORT_DEBUGEXIT + i, 1, 1);
	ck_assert_uint_eq(exits, 0);
	ck_assert_uint_eq(bus_read(&bus, LAYOUT_PORT_DEBUGEXIT, 4), 0);
	ck_assert_uint_eq(bus_read(&bus, LAYOUT_PORT_DEBUGEXIT + 4, 1), 0xff);
}
END_TEST

START_TEST(port_taken)
{
	struct bus other;
	struct error err;

	bus_init(&other, "port", 0x10000);
	ck_assert_int_eq(debug_exit_attach(de, &other, &err), 0);
	ck_assert_int_lt(debug_exit_attach(de, &other, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "debug-exit"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("debug_exit");
	TCase *tc = tcase_create("debug_exit");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, sizes);
	tcase_add_test(tc, only_the_first_port_counts);
	tcase_add_test(tc, port_taken);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
