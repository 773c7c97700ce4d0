// SPDX-License-Identifier: MIT
/* The real-time clock: formats, setting, UIP, flags and interrupts, CMOS bytes. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "devices/pc/rtc.h"
#include "devices/pc/rtc_proto.h"
#include "pc_fake.h"

#define SECOND ((int64_t)NSEC_PER_SEC)

/* 2026-11-20 13:45:58 UTC, a Friday. */
#define A_TIME 1795182358ll

static struct bus bus;
static struct loop *loop;
static struct rtc *rtc;
static struct fake_irq irq;

/* The wall clock: stands still, or runs with the monotonic one. */
static int64_t wall_ns;
static bool wall_runs;

static uint64_t wall_clock(void *ctx)
{
	return (uint64_t)(wall_ns + (wall_runs ? (int64_t)loop_now() : 0));
}

static void set_wall(int64_t ns, bool runs)
{
	wall_runs = runs;
	wall_ns = ns - (runs ? (int64_t)loop_now() : 0);
}

static void create(uint64_t below_4g, uint64_t above_4g)
{
	struct rtc_config config = {.irq = &irq.line,
				    .ram_below_4g = below_4g,
				    .ram_above_4g = above_4g,
				    .wall_clock = wall_clock};

	fake_irq_init(&irq);
	loop = config.loop = new_loop();
	bus_init(&bus, "port", 0x10000);
	ck_assert_int_eq(rtc_create(&config, NULL, &rtc), 0);
	ck_assert_int_eq(rtc_attach(rtc, &bus, NULL), 0);
	bus_freeze(&bus);
}

static void setup(void)
{
	set_wall(A_TIME * SECOND, false);
	create(MiB(128), 0);
}

static void teardown(void)
{
	rtc_device(rtc)->ops->destroy(rtc_device(rtc));
	loop_destroy(loop);
}

static uint8_t get(uint8_t index)
{
	out8(&bus, 0x70, index);
	return in8(&bus, 0x71);
}

static void put(uint8_t index, uint8_t value)
{
	out8(&bus, 0x70, index);
	out8(&bus, 0x71, value);
}

static void check_time(const uint8_t *expected)
{
	static const uint8_t indices[] = {RTC_CENTURY, RTC_YEAR,    RTC_MONTH,   RTC_DAY_OF_MONTH,
					  RTC_HOURS,   RTC_MINUTES, RTC_SECONDS, RTC_DAY_OF_WEEK};

	for (size_t i = 0; i < sizeof(indices); i++)
		ck_assert_msg(get(indices[i]) == expected[i], "register 0x%02x: 0x%02x, not 0x%02x",
			      indices[i], get(indices[i]), expected[i]);
}

START_TEST(bcd_time)
{
	check_time((const uint8_t[]){0x20, 0x26, 0x11, 0x20, 0x13, 0x45, 0x58, 0x06});
	/* The NMI mask is no part of the index. */
	ck_assert_uint_eq(get(0x80 | RTC_MINUTES), 0x45);
	ck_assert_uint_eq(in8(&bus, 0x70), 0xff);
	set_wall(951782399 * SECOND, false); /* the last second of 2000-02-28 */
	check_time((const uint8_t[]){0x20, 0x00, 0x02, 0x28, 0x23, 0x59, 0x59, 0x02});
	set_wall(951782400 * SECOND, false);
	check_time((const uint8_t[]){0x20, 0x00, 0x02, 0x29, 0x00, 0x00, 0x00, 0x03});
}
END_TEST

START_TEST(binary_time)
{
	put(RTC_REG_B, RTC_B_24H | RTC_B_DM);
	check_time((const uint8_t[]){20, 26, 11, 20, 13, 45, 58, 6});
}
END_TEST

START_TEST(twelve_hours)
{
	static const struct {
		int hour;
		uint8_t bcd;
	} hours[] = {{0, 0x12},  {1, 0x01},  {11, 0x11}, {12, 0x92},
		     {13, 0x81}, {22, 0x90}, {23, 0x91}};

	put(RTC_REG_B, 0);
	for (size_t i = 0; i < ARRAY_SIZE(hours); i++) {
		set_wall((A_TIME / 86400 * 86400 + hours[i].hour * 3600) * SECOND, false);
		ck_assert_uint_eq(get(RTC_HOURS), hours[i].bcd);
		/* And the way back. */
		put(RTC_REG_B, RTC_B_SET);
		put(RTC_HOURS, hours[i].bcd);
		put(RTC_REG_B, 0);
		put(RTC_REG_B, RTC_B_24H);
		ck_assert_uint_eq(get(RTC_HOURS), hours[i].hour / 10 << 4 | hours[i].hour % 10);
		put(RTC_REG_B, 0);
	}
}
END_TEST

static void write_time(const uint8_t *values)
{
	static const uint8_t indices[] = {RTC_CENTURY, RTC_YEAR,    RTC_MONTH,  RTC_DAY_OF_MONTH,
					  RTC_HOURS,   RTC_MINUTES, RTC_SECONDS};

	for (size_t i = 0; i < sizeof(indices); i++)
		put(indices[i], values[i]);
}

START_TEST(setting_with_set)
{
	set_wall(A_TIME * SECOND + 300 * (int64_t)NSEC_PER_MSEC, false);
	put(RTC_REG_B, RTC_B_24H | RTC_B_SET);
	write_time((const uint8_t[]){0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58});
	/* While SET holds the clock, what was written is read, whatever time it is. */
	set_wall((A_TIME + 10) * SECOND + 300 * (int64_t)NSEC_PER_MSEC, false);
	ck_assert_uint_eq(get(RTC_SECONDS), 0x58);
	put(RTC_REG_B, RTC_B_24H);
	check_time((const uint8_t[]){0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58, 0x06});
	/* The divider ran on, so the next second comes when it would have. */
	wall_ns += 699 * (int64_t)NSEC_PER_MSEC;
	ck_assert_uint_eq(get(RTC_SECONDS), 0x58);
	wall_ns += (int64_t)NSEC_PER_MSEC;
	ck_assert_uint_eq(get(RTC_SECONDS), 0x59);
	wall_ns += SECOND;
	check_time((const uint8_t[]){0x20, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00, 0x07});
	/* A reset keeps it. */
	rtc_device(rtc)->ops->reset(rtc_device(rtc));
	ck_assert_uint_eq(get(RTC_YEAR), 0x00);
}
END_TEST

START_TEST(set_without_writing_loses_no_time)
{
	put(RTC_REG_B, RTC_B_24H | RTC_B_SET);
	wall_ns += 90 * SECOND;
	ck_assert_uint_eq(get(RTC_SECONDS), 0x58);
	put(RTC_REG_B, RTC_B_24H);
	ck_assert_uint_eq(get(RTC_SECONDS), 0x28);
	ck_assert_uint_eq(get(RTC_MINUTES), 0x47);
	/* A guest that resets in the middle of setting does not leave a mess. */
	put(RTC_REG_B, RTC_B_24H | RTC_B_SET);
	put(RTC_YEAR, 0x70);
	rtc_device(rtc)->ops->reset(rtc_device(rtc));
	ck_assert_uint_eq(get(RTC_YEAR), 0x26);
}
END_TEST

/* Linux writes the time with the divider held, for the second to start half a second later. */
START_TEST(divider_reset)
{
	put(RTC_REG_B, RTC_B_24H | RTC_B_SET);
	put(RTC_REG_A, 0x76);
	write_time((const uint8_t[]){0x20, 0x30, 0x06, 0x15, 0x12, 0x00, 0x00});
	put(RTC_REG_B, RTC_B_24H);
	wall_ns += 5 * SECOND + 123456789;
	ck_assert_uint_eq(get(RTC_SECONDS), 0x00);
	ck_assert_uint_eq(get(RTC_REG_A), 0x76);
	put(RTC_REG_A, 0x26);
	wall_ns += 499 * (int64_t)NSEC_PER_MSEC;
	ck_assert_uint_eq(get(RTC_SECONDS), 0x00);
	wall_ns += (int64_t)NSEC_PER_MSEC;
	check_time((const uint8_t[]){0x20, 0x30, 0x06, 0x15, 0x12, 0x00, 0x01, 0x07});
}
END_TEST

START_TEST(setting_without_set)
{
	put(RTC_HOURS, 0x04);
	check_time((const uint8_t[]){0x20, 0x26, 0x11, 0x20, 0x04, 0x45, 0x58, 0x06});
	/* The day of the week follows from the date. */
	put(RTC_DAY_OF_WEEK, 0x01);
	ck_assert_uint_eq(get(RTC_DAY_OF_WEEK), 0x06);
}
END_TEST

START_TEST(nonsense_is_bounded)
{
	for (unsigned int value = 0; value < 256; value++) {
		put(RTC_REG_B, RTC_B_SET | (value & (RTC_B_24H | RTC_B_DM)));
		for (unsigned int i = 0; i < 10; i++)
			put((uint8_t)i, (uint8_t)(value * 37 + i));
		put(RTC_CENTURY, (uint8_t)value);
		put(RTC_REG_B, RTC_B_24H);
		ck_assert_uint_ge(get(RTC_CENTURY), 0x19);
		ck_assert_uint_le(get(RTC_CENTURY), 0x22);
		ck_assert_uint_le(get(RTC_MONTH), 0x12);
	}
	/* From the earliest to the latest time that can be set and back. */
	put(RTC_REG_B, RTC_B_24H | RTC_B_SET);
	write_time((const uint8_t[]){0x19, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00});
	put(RTC_REG_B, RTC_B_24H);
	ck_assert_uint_eq(get(RTC_YEAR), 0x70);
	put(RTC_REG_B, RTC_B_24H | RTC_B_SET);
	write_time((const uint8_t[]){0x21, 0x99, 0x12, 0x31, 0x23, 0x59, 0x59});
	put(RTC_REG_B, RTC_B_24H);
	check_time((const uint8_t[]){0x21, 0x99, 0x12, 0x31, 0x23, 0x59, 0x59, 0x03});
}
END_TEST

START_TEST(update_in_progress)
{
	set_wall(A_TIME * SECOND, false);
	ck_assert_uint_eq(get(RTC_REG_A), 0x26);
	wall_ns += SECOND - 244001;
	ck_assert_uint_eq(get(RTC_REG_A), 0x26);
	wall_ns += 1;
	ck_assert_uint_eq(get(RTC_REG_A), 0xa6);
	ck_assert_uint_eq(get(RTC_SECONDS), 0x58);
	wall_ns += 243999;
	ck_assert_uint_eq(get(RTC_REG_A), 0xa6);
	wall_ns += 1;
	ck_assert_uint_eq(get(RTC_REG_A), 0x26);
	ck_assert_uint_eq(get(RTC_SECONDS), 0x59);
	/* A stopped clock has no updates. */
	put(RTC_REG_B, RTC_B_24H | RTC_B_SET);
	wall_ns += SECOND - 1;
	ck_assert_uint_eq(get(RTC_REG_A), 0x26);
	/* UIP is read-only. */
	put(RTC_REG_A, 0xa6);
	ck_assert_uint_eq(get(RTC_REG_A), 0x26);
}
END_TEST

START_TEST(flags_are_seen_by_polling)
{
	get(RTC_REG_C);
	ck_assert_uint_eq(get(RTC_REG_C) & RTC_C_UF, 0);
	wall_ns += 3 * SECOND;
	ck_assert_uint_eq(get(RTC_REG_C) & (RTC_C_UF | RTC_C_AF | RTC_C_IRQF), RTC_C_UF);
	ck_assert_uint_eq(get(RTC_REG_C) & RTC_C_UF, 0);
	/* The host's clock is set back: no update, and no trouble later. */
	wall_ns -= 3600 * SECOND;
	ck_assert_uint_eq(get(RTC_REG_C) & RTC_C_UF, 0);
	wall_ns += SECOND;
	ck_assert_uint_eq(get(RTC_REG_C) & RTC_C_UF, RTC_C_UF);
	ck_assert_uint_eq(fake_irq_take(&irq), 0);
	ck_assert_uint_eq(get(RTC_REG_D), RTC_D_VRT);
	put(RTC_REG_C, 0xff);
	put(RTC_REG_D, 0);
	ck_assert_uint_eq(get(RTC_REG_D), RTC_D_VRT);
}
END_TEST

START_TEST(alarm_matches)
{
	static const struct {
		uint8_t hour, minute, second;
		int64_t after; /* seconds from 13:45:58; -1: never */
	} alarms[] = {
		{0x13, 0x45, 0x59, 1},     {0x13, 0x46, 0x00, 2},     {0x13, 0x45, 0x58, 86400},
		{0x13, 0x45, 0x57, 86399}, {0x00, 0x00, 0x00, 36842}, {0xff, 0xff, 0xff, 1},
		{0xc0, 0xff, 0x00, 2},     {0xff, 0x00, 0x00, 842},   {0xff, 0x45, 0x00, 3542},
		{0x13, 0xff, 0x58, 60},    {0x12, 0xff, 0xff, 80042}, {0x25, 0x00, 0x00, -1},
		{0x00, 0x60, 0x00, -1},    {0xff, 0xff, 0x7f, -1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(alarms); i++) {
		set_wall(A_TIME * SECOND, false);
		put(RTC_HOURS_ALARM, alarms[i].hour);
		put(RTC_MINUTES_ALARM, alarms[i].minute);
		put(RTC_SECONDS_ALARM, alarms[i].second);
		get(RTC_REG_C);
		if (alarms[i].after < 0) {
			wall_ns += 2 * 86400 * SECOND;
			ck_assert_uint_eq(get(RTC_REG_C) & RTC_C_AF, 0);
			continue;
		}
		wall_ns += alarms[i].after * SECOND - 1;
		ck_assert_msg(!(get(RTC_REG_C) & RTC_C_AF), "alarm %zu is early", i);
		wall_ns += 1;
		ck_assert_msg(get(RTC_REG_C) & RTC_C_AF, "alarm %zu is late", i);
	}
}
END_TEST

START_TEST(alarm_in_other_formats)
{
	put(RTC_REG_B, RTC_B_DM); /* 12 hours, binary */
	put(RTC_HOURS_ALARM, RTC_HOURS_PM | 2);
	put(RTC_MINUTES_ALARM, 0);
	put(RTC_SECONDS_ALARM, 0);
	get(RTC_REG_C);
	wall_ns += 842 * SECOND - 1;
	ck_assert_uint_eq(get(RTC_REG_C) & RTC_C_AF, 0);
	wall_ns += 1;
	ck_assert_uint_eq(get(RTC_REG_C) & RTC_C_AF, RTC_C_AF);
}
END_TEST

static bool irq_came(void *ctx)
{
	return atomic_load(&irq.pulses) >= *(const unsigned int *)ctx;
}

START_TEST(update_interrupt)
{
	unsigned int one = 1;

	set_wall(A_TIME * SECOND + 980 * (int64_t)NSEC_PER_MSEC, true);
	get(RTC_REG_C);
	put(RTC_REG_B, RTC_B_24H | RTC_B_UIE);
	run_for(loop, 5);
	ck_assert_uint_eq(fake_irq_take(&irq), 0);
	ck_assert(run_until(loop, irq_came, &one, 500));
	ck_assert_uint_eq(get(RTC_REG_C) & (RTC_C_IRQF | RTC_C_UF), RTC_C_IRQF | RTC_C_UF);
	ck_assert_uint_eq(get(RTC_SECONDS), 0x59);
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
}
END_TEST

START_TEST(alarm_interrupt)
{
	unsigned int one = 1;

	set_wall((A_TIME + 1) * SECOND + 980 * (int64_t)NSEC_PER_MSEC, true);
	put(RTC_HOURS_ALARM, 0x13);
	put(RTC_MINUTES_ALARM, 0x46);
	put(RTC_SECONDS_ALARM, 0x00);
	get(RTC_REG_C);
	put(RTC_REG_B, RTC_B_24H | RTC_B_AIE);
	ck_assert(run_until(loop, irq_came, &one, 500));
	ck_assert_uint_eq(get(RTC_REG_C) & (RTC_C_IRQF | RTC_C_AF), RTC_C_IRQF | RTC_C_AF);
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
}
END_TEST

START_TEST(periodic_interrupt)
{
	unsigned int ten = 10, count;
	uint64_t start;

	set_wall(A_TIME * SECOND, true);
	put(RTC_REG_A, 0x27); /* 512 Hz */
	get(RTC_REG_C);
	put(RTC_REG_B, RTC_B_24H | RTC_B_PIE);
	start = loop_now();
	/* Whether or not register C is read. */
	ck_assert(run_until(loop, irq_came, &ten, 500));
	count = fake_irq_take(&irq);
	/* Never more than have been due. */
	ck_assert_uint_le(count, (loop_now() - start) * 512 / NSEC_PER_SEC + 1);
	ck_assert_uint_ge(loop_now() - start, 9 * NSEC_PER_SEC / 512);
	ck_assert_uint_eq(get(RTC_REG_C) & (RTC_C_IRQF | RTC_C_PF), RTC_C_IRQF | RTC_C_PF);
	/* Off again. */
	put(RTC_REG_B, RTC_B_24H);
	run_for(loop, 2);
	fake_irq_take(&irq);
	run_for(loop, 10);
	ck_assert_uint_eq(fake_irq_take(&irq), 0);
}
END_TEST

START_TEST(missed_periods_are_one_event)
{
	struct timespec ts = {.tv_nsec = 20000000};

	put(RTC_REG_A, 0x26);
	put(RTC_REG_B, RTC_B_24H | RTC_B_PIE);
	run_for(loop, 3);
	/* The loop is held up for twenty periods. */
	nanosleep(&ts, NULL);
	fake_irq_take(&irq);
	run_for(loop, 0);
	ck_assert_uint_le(fake_irq_take(&irq), 2);
	/* So is a paused machine. */
	rtc_device(rtc)->ops->pause(rtc_device(rtc));
	fake_irq_take(&irq);
	run_for(loop, 10);
	ck_assert_uint_eq(fake_irq_take(&irq), 0);
	rtc_device(rtc)->ops->resume(rtc_device(rtc));
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
}
END_TEST

START_TEST(enabling_a_standing_flag_interrupts)
{
	get(RTC_REG_C);
	wall_ns += SECOND;
	put(RTC_REG_B, RTC_B_24H | RTC_B_UIE);
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
	put(RTC_REG_B, RTC_B_24H | RTC_B_UIE);
	ck_assert_uint_eq(fake_irq_take(&irq), 0);
	/* SET takes UIE away. */
	put(RTC_REG_B, RTC_B_24H | RTC_B_UIE | RTC_B_SET);
	ck_assert_uint_eq(get(RTC_REG_B), RTC_B_24H | RTC_B_SET);
}
END_TEST

START_TEST(device_reset)
{
	put(RTC_REG_B, RTC_B_DM | RTC_B_UIE | RTC_B_PIE);
	put(0x40, 0x99);
	put(CMOS_EXT_KIB, 0);
	wall_ns += SECOND;
	run_for(loop, 1);
	rtc_device(rtc)->ops->reset(rtc_device(rtc));
	ck_assert_uint_eq(get(RTC_REG_B), RTC_B_24H);
	ck_assert_uint_eq(get(RTC_REG_C) & (RTC_C_IRQF | RTC_C_UF), 0);
	ck_assert_uint_eq(get(0x40), 0x99);
	ck_assert_uint_ne(get(CMOS_EXT_KIB + 1), 0);
	fake_irq_take(&irq);
	run_for(loop, 5);
	ck_assert_uint_eq(fake_irq_take(&irq), 0);
}
END_TEST

static uint64_t get_number(uint8_t index, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = bytes; i-- > 0;)
		value = value << 8 | get((uint8_t)(index + i));
	return value;
}

START_TEST(memory_sizes)
{
	static const struct {
		uint64_t low, high;
		unsigned int ext, ext_64k, high_64k;
	} rows[] = {
		{MiB(1), 0, 0, 0, 0},
		{MiB(8), 0, 7168, 0, 0},
		{MiB(64), 0, 64512, 768, 0},
		{MiB(128), 0, 65535, 1792, 0},
		{GiB(3), GiB(1), 65535, 48896, 16384},
		{GiB(4) - 1, 0xffffffull << 16, 65535, 65279, 0xffffff},
		{GiB(3), 1ull << 45, 65535, 48896, 0xffffff},
	};
	unsigned int sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		teardown();
		create(rows[i].low, rows[i].high);
		ck_assert_uint_eq(get_number(CMOS_BASE_KIB, 2), 640);
		ck_assert_uint_eq(get_number(CMOS_EXT_KIB, 2), rows[i].ext);
		ck_assert_uint_eq(get_number(CMOS_EXT_KIB_COPY, 2), rows[i].ext);
		ck_assert_uint_eq(get_number(CMOS_EXT_64KIB, 2), rows[i].ext_64k);
		ck_assert_uint_eq(get_number(CMOS_HIGH_64KIB, 3), rows[i].high_64k);
	}
	for (uint8_t i = CMOS_CHECKSUM_FROM; i < CMOS_CHECKSUM; i++)
		sum += get(i);
	ck_assert_uint_eq(get(CMOS_CHECKSUM) << 8 | get(CMOS_CHECKSUM + 1), sum);
}
END_TEST

START_TEST(local_time)
{
	struct rtc_config config = {
		.irq = &irq.line, .loop = loop, .local_time = true, .wall_clock = wall_clock};
	struct rtc *other;
	struct bus ports;

	setenv("TZ", "UTC-5:30", 1); /* five and a half hours ahead */
	tzset();
	bus_init(&ports, "port", 0x10000);
	ck_assert_int_eq(rtc_create(&config, NULL, &other), 0);
	ck_assert_int_eq(rtc_attach(other, &ports, NULL), 0);
	bus_freeze(&ports);
	out8(&ports, 0x70, RTC_HOURS);
	ck_assert_uint_eq(in8(&ports, 0x71), 0x19);
	out8(&ports, 0x70, RTC_MINUTES);
	ck_assert_uint_eq(in8(&ports, 0x71), 0x15);
	rtc_device(other)->ops->destroy(rtc_device(other));
}
END_TEST

START_TEST(host_clock)
{
	struct rtc_config config = {.irq = &irq.line, .loop = loop};
	struct rtc *other;
	struct bus ports;
	time_t before = time(NULL), after;
	uint8_t seconds;

	bus_init(&ports, "port", 0x10000);
	ck_assert_int_eq(rtc_create(&config, NULL, &other), 0);
	ck_assert_int_eq(rtc_attach(other, &ports, NULL), 0);
	bus_freeze(&ports);
	out8(&ports, 0x70, RTC_SECONDS);
	seconds = in8(&ports, 0x71);
	seconds = (seconds >> 4) * 10 + (seconds & 15);
	after = time(NULL);
	/* time() may lag behind clock_gettime() by a tick. */
	ck_assert(seconds == before % 60 || seconds == after % 60 || seconds == (after + 1) % 60);
	rtc_device(other)->ops->destroy(rtc_device(other));
}
END_TEST

START_TEST(two_threads_and_the_loop)
{
	static const uint16_t ports[] = {0x70, 0x71, 0x71};

	set_wall(A_TIME * SECOND, true);
	hammer(loop, &bus, ports, ARRAY_SIZE(ports));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rtc");
	TCase *tc = tcase_create("rtc");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, bcd_time);
	tcase_add_test(tc, binary_time);
	tcase_add_test(tc, twelve_hours);
	tcase_add_test(tc, setting_with_set);
	tcase_add_test(tc, set_without_writing_loses_no_time);
	tcase_add_test(tc, divider_reset);
	tcase_add_test(tc, setting_without_set);
	tcase_add_test(tc, nonsense_is_bounded);
	tcase_add_test(tc, update_in_progress);
	tcase_add_test(tc, flags_are_seen_by_polling);
	tcase_add_test(tc, alarm_matches);
	tcase_add_test(tc, alarm_in_other_formats);
	tcase_add_test(tc, update_interrupt);
	tcase_add_test(tc, alarm_interrupt);
	tcase_add_test(tc, periodic_interrupt);
	tcase_add_test(tc, missed_periods_are_one_event);
	tcase_add_test(tc, enabling_a_standing_flag_interrupts);
	tcase_add_test(tc, device_reset);
	tcase_add_test(tc, memory_sizes);
	tcase_add_test(tc, local_time);
	tcase_add_test(tc, host_clock);
	tcase_add_test(tc, two_threads_and_the_loop);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
