// SPDX-License-Identifier: MIT
/*
 * The clocks that a kernel calibrates by: ACPI PM timer, RTC (MC146818A) and TSC, against each
 * other.
 *
 * Parameters: epoch=N (Unix time at which the host started the guest; 0: RTC time is not
 * checked).
 */
#include "kit/kit.h"

#define RTC_SECONDS 0x00
#define RTC_MINUTES 0x02
#define RTC_HOURS   0x04
#define RTC_DAY     0x07
#define RTC_MONTH   0x08
#define RTC_YEAR    0x09
#define RTC_A       0x0a
#define RTC_B       0x0b
#define RTC_D       0x0d
#define RTC_CENTURY 0x32

#define A_UIP    0x80
#define B_BINARY 0x04
#define B_24H    0x02
#define D_VALID  0x80

static uint8_t rtc_read(uint8_t index)
{
	out8(0x70, index);
	return in8(0x71);
}

static uint64_t rtc_number(uint8_t index)
{
	uint8_t v = rtc_read(index);

	return rtc_read(RTC_B) & B_BINARY ? v : (uint64_t)(v >> 4) * 10 + (v & 15);
}

static void test_pm_timer(void)
{
	uint32_t last, v;

	if (!check(pm_timer_read(&last), "there is a PM timer"))
		return;
	for (unsigned int i = 0; i < 2000; i++) {
		pm_timer_read(&v);
		/* A backward step looks like a very long one. */
		expect(pm_timer_diff(last, v) < PM_TIMER_HZ * 2);
		last = v;
	}
	test_case("PM timer (%u bits) never goes back", pm_timer_bits());
	if (pm_timer_bits() == 24) {
		pm_timer_read(&v);
		check(v < BIT(24), "a 24-bit PM timer reads zero above bit 23");
	}
	uint32_t begin = v;

	check(wait_for((pm_timer_read(&v), pm_timer_diff(begin, v) > PM_TIMER_HZ / 100), 1000),
	      "PM timer runs");
}

/*
 * An update is announced for some 244 us to 2 ms in each second: a guest that is not scheduled just
 * then misses it, so a good many chances.
 */
static void test_uip(void)
{
	out8(0x70, RTC_A);
	check(wait_for(!(in8(0x71) & A_UIP), 1000),
	      "RTC: no update is in progress most of the time");
	check(wait_for(in8(0x71) & A_UIP, 20500), "RTC: update-in-progress shows");
	check(wait_for(!(in8(0x71) & A_UIP), 1000), "RTC: and ends");
}

static void test_rtc_registers(void)
{
	check(rtc_read(RTC_D) & D_VALID, "RTC: its battery is good");
	check(rtc_read(RTC_B) & B_24H, "RTC: 24-hour mode");
	check(rtc_number(RTC_SECONDS) < 60 && rtc_number(RTC_MINUTES) < 60 &&
		      rtc_number(RTC_HOURS) < 24 && rtc_number(RTC_DAY) - 1 < 31 &&
		      rtc_number(RTC_MONTH) - 1 < 12 && rtc_number(RTC_YEAR) < 100,
	      "RTC: time and date are in range");
	out8(0x70, 0x60);
	uint8_t old = in8(0x71);

	for (unsigned int v = 0; v < 256; v += 51) {
		out8(0x70, 0x60);
		out8(0x71, (uint8_t)v);
		expect_eq(rtc_read(0x60), v);
	}
	out8(0x70, 0x60);
	out8(0x71, old);
	test_case("RTC: CMOS memory keeps bytes");
}

/* Days from 1970-01-01 to the given date (Gregorian). */
static uint64_t days(uint64_t year, uint64_t month, uint64_t day)
{
	/* Years that begin in March put the leap day last. */
	uint64_t y = month > 2 ? year : year - 1;
	uint64_t m = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static uint64_t rtc_epoch(void)
{
	uint64_t century = rtc_number(RTC_CENTURY);

	if (century < 19 || century > 21)
		century = 20;
	uint64_t day = days(century * 100 + rtc_number(RTC_YEAR), rtc_number(RTC_MONTH),
			    rtc_number(RTC_DAY));

	return day * 86400 + rtc_number(RTC_HOURS) * 3600 + rtc_number(RTC_MINUTES) * 60 +
	       rtc_number(RTC_SECONDS);
}

/* Right after a change of the seconds nothing changes under the reader. */
static bool next_second(void)
{
	uint8_t s = rtc_read(RTC_SECONDS);

	out8(0x70, RTC_SECONDS);
	return wait_for(in8(0x71) != s, 2500);
}

static bool near(uint64_t value, uint64_t want)
{
	return value > want - want / 20 && value < want + want / 20;
}

struct second {
	uint64_t ticks;  /* of the PM timer */
	uint64_t cycles; /* of the TSC */
};

static bool measure_second(struct second *ret)
{
	uint32_t begin = 0, end = 0;

	pm_timer_read(&begin);
	uint64_t tsc = rdtsc();

	if (!next_second())
		return false;
	pm_timer_read(&end);
	ret->cycles = rdtsc() - tsc;
	ret->ticks = pm_timer_diff(begin, end);
	return true;
}

/* A guest that is not scheduled sees a second end late, and the next one is short: five tries. */
static void test_rates(void)
{
	struct second s = {0};

	if (!check(next_second(), "RTC: seconds advance"))
		return;
	uint64_t epoch = rtc_epoch(), want = param_u64("epoch", 0);

	for (unsigned int i = 0; i < 5; i++) {
		if (!check(measure_second(&s), "RTC: and again"))
			return;
		note("in one RTC second: %lu PM timer ticks, %lu TSC cycles; TSC %lu kHz by %s",
		     s.ticks, s.cycles, tsc_khz(), tsc_source());
		if (near(s.ticks, PM_TIMER_HZ) && near(s.cycles / 1000, tsc_khz()))
			break;
	}
	check(near(s.ticks, PM_TIMER_HZ), "PM timer runs at 3.579545 MHz by the RTC");
	check(near(s.cycles / 1000, tsc_khz()), "TSC runs as calibrated by the RTC");
	if (want)
		check(epoch >= want && epoch < want + 300, "RTC shows UTC (%lu, host said %lu)",
		      epoch, want);
}

static void test_tsc(void)
{
	uint64_t last = rdtsc();

	for (unsigned int i = 0; i < 2000; i++) {
		uint64_t v = rdtsc();

		expect(v > last);
		last = v;
	}
	test_case("TSC always advances");
	if (cpuid(0x80000000).eax >= 0x80000007)
		note("invariant TSC: %s", cpuid(0x80000007).edx & BIT(8) ? "yes" : "no");
}

void test_main(void)
{
	test_pm_timer();
	test_tsc();
	test_rtc_registers();
	test_uip();
	test_rates();
}
