// SPDX-License-Identifier: MIT
/* ACPI fixed hardware: event registers at any access size, SCI, S5, PM timer, reset register. */
#include <stdlib.h>
#include <time.h>

#include "devices/pc/pm.h"
#include "devices/pc/pm_proto.h"
#include "pc_fake.h"
#include "vmm/acpi.h"
#include "vmm/layout.h"

#define STS  (LAYOUT_PORT_PM + PM_PM1_STS)
#define EN   (LAYOUT_PORT_PM + PM_PM1_EN)
#define CNT  (LAYOUT_PORT_PM + PM_PM1_CNT)
#define TMR  (LAYOUT_PORT_PM + PM_TMR)
#define GSTS (LAYOUT_PORT_PM + PM_GPE0_STS)
#define GEN  (LAYOUT_PORT_PM + PM_GPE0_EN)

static struct bus bus;
static struct loop *loop;
static struct pm *pm;
static struct fake_irq sci;
static struct {
	_Atomic unsigned int power_offs, resets;
} seen;

static void on_power_off(void *ctx)
{
	ck_assert_ptr_eq(ctx, &seen);
	seen.power_offs++;
}

static void on_reset(void *ctx)
{
	ck_assert_ptr_eq(ctx, &seen);
	seen.resets++;
}

static const struct pm_events events = {on_power_off, on_reset};

static void create(uint32_t timer_start)
{
	struct pm_config config = {.events = &events,
				   .events_ctx = &seen,
				   .sci = &sci.line,
				   .timer_start = timer_start};

	seen.power_offs = seen.resets = 0;
	fake_irq_init(&sci);
	loop = config.loop = new_loop();
	bus_init(&bus, "port", 0x10000);
	ck_assert_int_eq(pm_create(&config, NULL, &pm), 0);
	ck_assert_int_eq(pm_attach(pm, &bus, NULL), 0);
	bus_freeze(&bus);
}

static void setup(void)
{
	create(0);
}

static void teardown(void)
{
	pm_device(pm)->ops->destroy(pm_device(pm));
	loop_destroy(loop);
}

static bool sci_level(void)
{
	return atomic_load(&sci.line.level);
}

static void sleep_ms(long ms)
{
	struct timespec ts = {.tv_nsec = ms * 1000000};

	nanosleep(&ts, NULL);
}

START_TEST(power_button)
{
	ck_assert(!pm_press_power_button(pm));
	ck_assert_uint_eq(bus_read(&bus, STS, 2), PM1_PWRBTN);
	ck_assert(!sci_level());
	/* A press from before the guest listened is still there when it does. */
	bus_write(&bus, EN, 2, PM1_PWRBTN);
	ck_assert(sci_level());
	ck_assert(pm_press_power_button(pm));
	ck_assert_uint_eq(atomic_load(&sci.sets), 1);
	bus_write(&bus, STS, 2, PM1_PWRBTN);
	ck_assert(!sci_level());
	ck_assert_uint_eq(bus_read(&bus, STS, 2), 0);
	pm_press_power_button(pm);
	ck_assert(sci_level());
	bus_write(&bus, EN, 2, 0);
	ck_assert(!sci_level());
}
END_TEST

START_TEST(access_sizes)
{
	pm_press_power_button(pm);
	bus_write(&bus, EN + 1, 1, PM1_PWRBTN >> 8);
	ck_assert_uint_eq(bus_read(&bus, STS, 4), (uint32_t)PM1_PWRBTN << 16 | PM1_PWRBTN);
	ck_assert_uint_eq(bus_read(&bus, STS + 1, 1), PM1_PWRBTN >> 8);
	ck_assert_uint_eq(bus_read(&bus, EN + 1, 1), PM1_PWRBTN >> 8);
	/* Clearing by the low byte does not touch the high one. */
	bus_write(&bus, STS, 1, 0xff);
	ck_assert_uint_eq(bus_read(&bus, STS, 2), PM1_PWRBTN);
	/* Status and enable at once. */
	bus_write(&bus, STS, 4, (uint32_t)PM1_GBL << 16 | PM1_PWRBTN);
	ck_assert_uint_eq(bus_read(&bus, STS, 4), (uint32_t)PM1_GBL << 16);
	/* Across register boundaries, and over what is not there. */
	ck_assert_uint_eq(bus_read(&bus, EN + 1, 2), 0x0100);
	bus_write(&bus, LAYOUT_PORT_PM + 0x14, 4, 0xffffffff);
	ck_assert_uint_eq(bus_read(&bus, LAYOUT_PORT_PM + 0x1c, 4), 0);
	bus_write(&bus, LAYOUT_PORT_PM + 0x1f, 1, 0xff);
	/* Only what exists can be enabled. */
	bus_write(&bus, EN, 2, 0xffff);
	ck_assert_uint_eq(bus_read(&bus, EN, 2), PM1_EN_ALL);
}
END_TEST

START_TEST(control)
{
	ck_assert_uint_eq(bus_read(&bus, CNT, 2), PM1_CNT_SCI_EN);
	bus_write(&bus, CNT, 2, 0);
	ck_assert_uint_eq(bus_read(&bus, CNT, 2), PM1_CNT_SCI_EN);
	/* ACPICA writes SLP_TYP first and SLP_EN with it in a second write. */
	bus_write(&bus, CNT, 2, PM1_CNT_SCI_EN | ACPI_SLP_TYP_S5 << PM1_CNT_SLP_TYP_SHIFT);
	ck_assert_uint_eq(seen.power_offs, 0);
	bus_write(&bus, CNT, 2,
		  PM1_CNT_SCI_EN | PM1_CNT_SLP_EN | ACPI_SLP_TYP_S5 << PM1_CNT_SLP_TYP_SHIFT);
	ck_assert_uint_eq(seen.power_offs, 1);
	ck_assert_uint_eq(bus_read(&bus, CNT, 2) & PM1_CNT_SLP_EN, 0);
}
END_TEST

START_TEST(control_by_bytes)
{
	bus_write(&bus, CNT + 1, 1, (PM1_CNT_SLP_EN | ACPI_SLP_TYP_S5 << 10) >> 8);
	ck_assert_uint_eq(seen.power_offs, 1);
	bus_write(&bus, CNT, 4, PM1_CNT_SLP_EN | ACPI_SLP_TYP_S5 << 10);
	ck_assert_uint_eq(seen.power_offs, 2);
}
END_TEST

START_TEST(other_sleep_states_are_ignored)
{
	for (unsigned int type = 0; type < 8; type++) {
		if (type != ACPI_SLP_TYP_S5)
			bus_write(&bus, CNT, 2, PM1_CNT_SLP_EN | type << PM1_CNT_SLP_TYP_SHIFT);
	}
	ck_assert_uint_eq(seen.power_offs, 0);
}
END_TEST

START_TEST(timer_counts)
{
	uint64_t start = loop_now();
	uint32_t a = (uint32_t)bus_read(&bus, TMR, 4), b, ticks;
	uint64_t ns;

	sleep_ms(20);
	b = (uint32_t)bus_read(&bus, TMR, 4);
	ns = loop_now() - start;
	ticks = b - a;
	ck_assert_uint_ge(ticks, 20 * PM_TMR_HZ / 1000);
	ck_assert_uint_le(ticks, ns * PM_TMR_HZ / NSEC_PER_SEC + 1);
	/* The same by bytes, as far as that can be told. */
	ck_assert_uint_ge(bus_read(&bus, TMR + 2, 1), b >> 16 & 0xff);
	/* It is read-only. */
	bus_write(&bus, TMR, 4, 0);
	ck_assert_uint_ge((uint32_t)bus_read(&bus, TMR, 4), b);
}
END_TEST

START_TEST(pause_stops_the_timer)
{
	struct device *dev = pm_device(pm);
	uint32_t a, b;

	sleep_ms(2);
	dev->ops->pause(dev);
	a = (uint32_t)bus_read(&bus, TMR, 4);
	sleep_ms(20);
	ck_assert_uint_eq((uint32_t)bus_read(&bus, TMR, 4), a);
	dev->ops->pause(dev);
	dev->ops->resume(dev);
	b = (uint32_t)bus_read(&bus, TMR, 4);
	ck_assert_uint_ge(b, a);
	ck_assert_uint_lt(b - a, 15 * PM_TMR_HZ / 1000);
	dev->ops->resume(dev);
	dev->ops->pause(dev);
	dev->ops->reset(dev);
	ck_assert_uint_eq((uint32_t)bus_read(&bus, TMR, 4), 0);
}
END_TEST

START_TEST(general_purpose_events)
{
	pm_raise_gpe(pm, 0);
	pm_raise_gpe(pm, 15);
	ck_assert_uint_eq(bus_read(&bus, GSTS, 2), 0x8001);
	ck_assert(!sci_level());
	bus_write(&bus, GEN + 1, 1, 0x80);
	ck_assert(sci_level());
	bus_write(&bus, GSTS, 2, 0x8000);
	ck_assert(!sci_level());
	ck_assert_uint_eq(bus_read(&bus, GSTS, 4), 0x80000001);
	bus_write(&bus, GSTS, 4, 0x00010001);
	ck_assert_uint_eq(bus_read(&bus, GSTS, 4), 0x00010000);
}
END_TEST

START_TEST(reset_register)
{
	out8(&bus, LAYOUT_PORT_RESET, 0x02);
	ck_assert_uint_eq(seen.resets, 0);
	ck_assert_uint_eq(in8(&bus, LAYOUT_PORT_RESET), 0x02);
	out8(&bus, LAYOUT_PORT_RESET, PM_RESET_VALUE);
	ck_assert_uint_eq(seen.resets, 1);
	out8(&bus, LAYOUT_PORT_RESET, 0x0e);
	ck_assert_uint_eq(seen.resets, 2);
	ck_assert_uint_eq(in8(&bus, LAYOUT_PORT_RESET), 0x0a);
	/* A PCI configuration address, four bytes at 0xcf8, is none of its business. */
	bus_write(&bus, LAYOUT_PORT_RESET - 1, 4, 0xffffffff);
	ck_assert_uint_eq(seen.resets, 2);
}
END_TEST

START_TEST(device_reset)
{
	struct device *dev = pm_device(pm);

	bus_write(&bus, EN, 2, PM1_PWRBTN);
	pm_press_power_button(pm);
	pm_raise_gpe(pm, 3);
	ck_assert(sci_level());
	dev->ops->reset(dev);
	ck_assert(!sci_level());
	ck_assert_uint_eq(bus_read(&bus, STS, 4), 0);
	ck_assert_uint_eq(bus_read(&bus, GSTS, 4), 0);
	ck_assert_uint_eq(bus_read(&bus, CNT, 2), PM1_CNT_SCI_EN);
}
END_TEST

static bool sci_is_raised(void *ctx)
{
	return sci_level();
}

/* Both ways that the top bit can change. */
static const uint32_t before_overflow[] = {
	0x80000000u - 30 * PM_TMR_HZ / 1000,
	0u - 30 * PM_TMR_HZ / 1000,
};

START_TEST(timer_overflow_interrupts)
{
	bool early;

	teardown();
	create(before_overflow[_i]);
	bus_write(&bus, EN, 2, PM1_TMR);
	run_for(loop, 1);
	early = !sci_level();
	/* On a busy host it may have overflowed by now, but not before its time. */
	ck_assert(early ||
		  (uint32_t)bus_read(&bus, TMR, 4) - before_overflow[_i] >= 30 * PM_TMR_HZ / 1000);
	ck_assert(run_until(loop, sci_is_raised, NULL, 500));
	ck_assert_uint_eq(bus_read(&bus, STS, 2), PM1_TMR);
	bus_write(&bus, STS, 2, PM1_TMR);
	ck_assert(!sci_level());
	ck_assert_uint_eq(bus_read(&bus, STS, 2), 0);
}
END_TEST

START_TEST(timer_overflow_is_seen_without_the_loop)
{
	teardown();
	create(before_overflow[0]);
	sleep_ms(35);
	ck_assert_uint_eq(bus_read(&bus, STS, 2), PM1_TMR);
	bus_write(&bus, STS, 2, 0xffff);
	ck_assert_uint_eq(bus_read(&bus, STS, 2), 0);
}
END_TEST

START_TEST(timer_interrupt_can_be_taken_back)
{
	teardown();
	create(before_overflow[0]);
	bus_write(&bus, EN, 2, PM1_TMR);
	bus_write(&bus, EN, 2, 0);
	run_for(loop, 35);
	ck_assert(!sci_level());
	ck_assert_uint_eq(bus_read(&bus, STS, 2), PM1_TMR);
	/* A paused timer does not overflow, and goes on where it was. */
	pm_device(pm)->ops->pause(pm_device(pm));
	pm_device(pm)->ops->reset(pm_device(pm));
	bus_write(&bus, EN, 2, PM1_TMR);
	run_for(loop, 35);
	ck_assert(!sci_level());
	pm_device(pm)->ops->resume(pm_device(pm));
	ck_assert(run_until(loop, sci_is_raised, NULL, 500));
}
END_TEST

START_TEST(two_threads_and_the_loop)
{
	static const uint16_t ports[] = {STS,  STS + 1,  EN,  EN + 1,           CNT, CNT + 1, TMR,
					 GSTS, GSTS + 1, GEN, LAYOUT_PORT_RESET};

	pm_press_power_button(pm);
	hammer(loop, &bus, ports, ARRAY_SIZE(ports));
	/* The line ended up where the registers are. */
	bus_write(&bus, EN, 2, 0);
	bus_write(&bus, GEN, 2, 0);
	ck_assert(!sci_level());
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pm");
	TCase *tc = tcase_create("pm");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, power_button);
	tcase_add_test(tc, access_sizes);
	tcase_add_test(tc, control);
	tcase_add_test(tc, control_by_bytes);
	tcase_add_test(tc, other_sleep_states_are_ignored);
	tcase_add_test(tc, timer_counts);
	tcase_add_test(tc, pause_stops_the_timer);
	tcase_add_test(tc, general_purpose_events);
	tcase_add_test(tc, reset_register);
	tcase_add_test(tc, device_reset);
	tcase_add_loop_test(tc, timer_overflow_interrupts, 0, 2);
	tcase_add_test(tc, timer_overflow_is_seen_without_the_loop);
	tcase_add_test(tc, timer_interrupt_can_be_taken_back);
	tcase_add_test(tc, two_threads_and_the_loop);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
