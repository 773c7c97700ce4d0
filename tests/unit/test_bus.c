// SPDX-License-Identifier: MIT
/* Bus dispatch: claiming, lookup at the edges, splitting, unclaimed accesses. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "vmm/bus.h"

struct recorder {
	unsigned int calls;
	uint64_t offset;
	unsigned int size;
	uint64_t value;
	uint64_t log;
};

static uint64_t record_read(void *dev, uint64_t offset, unsigned int size)
{
	struct recorder *r = dev;

	r->calls++;
	r->offset = offset;
	r->size = size;
	return 0xa0 + offset;
}

static void record_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct recorder *r = dev;

	r->calls++;
	r->offset = offset;
	r->size = size;
	r->value = value;
	r->log = r->log << 8 | (value & 0xff);
}

static const struct bus_ops byte_ops = {record_read, record_write, 1};
static const struct bus_ops wide_ops = {record_read, record_write, 8};

static struct bus bus;
static struct recorder a, b;

static void setup(void)
{
	a = b = (struct recorder){0};
	bus_init(&bus, "port", 0x10000);
	/* Added out of order: freezing sorts. */
	ck_assert_int_eq(bus_add(&bus, 0x600, 32, "b", &wide_ops, &b, NULL), 0);
	ck_assert_int_eq(bus_add(&bus, 0x3f8, 8, "a", &byte_ops, &a, NULL), 0);
}

START_TEST(claiming)
{
	struct error err;

	ck_assert_int_eq(bus_add(&bus, 0x100, 0, "c", &byte_ops, &a, &err), -EINVAL);
	ck_assert_int_eq(bus_add(&bus, 0xffff, 2, "c", &byte_ops, &a, &err), -EINVAL);
	ck_assert_int_eq(bus_add(&bus, UINT64_MAX, 2, "c", &byte_ops, &a, &err), -EINVAL);
	ck_assert_int_eq(bus_add(&bus, 0x3ff, 1, "c", &byte_ops, &a, &err), -EEXIST);
	ck_assert_int_eq(bus_add(&bus, 0x3f0, 9, "c", &byte_ops, &a, &err), -EEXIST);
	ck_assert_int_eq(bus_add(&bus, 0x0, 0x1000, "c", &byte_ops, &a, &err), -EEXIST);
	ck_assert_int_eq(bus_add(&bus, 0x400, 1, "c", &byte_ops, &a, &err), 0);
	ck_assert_int_eq(bus_add(&bus, 0xffff, 1, "c", &byte_ops, &a, &err), 0);
}
END_TEST

START_TEST(full)
{
	int r = 0;

	for (uint64_t i = 0; i < BUS_REGIONS_MAX && r == 0; i++)
		r = bus_add(&bus, 0x8000 + i, 1, "c", &byte_ops, &a, NULL);
	ck_assert_int_eq(r, -ENOSPC);
}
END_TEST

START_TEST(lookup)
{
	bus_freeze(&bus);
	ck_assert_uint_eq(bus_read(&bus, 0x3f8, 1), 0xa0);
	ck_assert_uint_eq(bus_read(&bus, 0x3ff, 1), 0xa7);
	ck_assert_uint_eq(bus_read(&bus, 0x600, 4), 0xa0);
	ck_assert_uint_eq(b.size, 4);
	ck_assert_uint_eq(bus_read(&bus, 0x61f, 1), 0xa0 + 31);
	ck_assert_uint_eq(counter_get(&bus.unclaimed_reads), 0);
}
END_TEST

START_TEST(unclaimed)
{
	bus_freeze(&bus);
	ck_assert_uint_eq(bus_read(&bus, 0x3f7, 1), 0xff);
	ck_assert_uint_eq(bus_read(&bus, 0x400, 2), 0xffff);
	ck_assert_uint_eq(bus_read(&bus, 0x61f, 2), 0xffff); /* only half inside */
	ck_assert_uint_eq(bus_read(&bus, 0x3f7, 2), 0xffff);
	ck_assert_uint_eq(bus_read(&bus, 0xfffe, 4), 0xffffffff);
	ck_assert_uint_eq(bus_read(&bus, UINT64_MAX, 8), UINT64_MAX);
	bus_write(&bus, 0x0, 1, 1);
	bus_write(&bus, 0x620, 4, 1);
	ck_assert_uint_eq(counter_get(&bus.unclaimed_reads), 6);
	ck_assert_uint_eq(counter_get(&bus.unclaimed_writes), 2);
	ck_assert_uint_eq(a.calls + b.calls, 0);
}
END_TEST

START_TEST(splitting)
{
	bus_freeze(&bus);
	bus_write(&bus, 0x3f8, 4, 0x44332211);
	ck_assert_uint_eq(a.calls, 4);
	ck_assert_uint_eq(a.log, 0x11223344); /* lowest address first */
	ck_assert_uint_eq(a.value, 0x44);
	ck_assert_uint_eq(bus_read(&bus, 0x3f8, 2), 0xa1a0);
	bus_write(&bus, 0x600, 8, 0x8877665544332211);
	ck_assert_uint_eq(b.calls, 1);
	ck_assert_uint_eq(b.value, 0x8877665544332211);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bus");
	TCase *t = tcase_create("bus");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, claiming);
	tcase_add_test(t, full);
	tcase_add_test(t, lookup);
	tcase_add_test(t, unclaimed);
	tcase_add_test(t, splitting);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
