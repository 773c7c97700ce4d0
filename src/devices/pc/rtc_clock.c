// SPDX-License-Identifier: MIT
/*
 * The time that the real-time clock keeps. Under the lock of the struct rtc around it.
 */
#include "devices/pc/rtc_clock.h"

static int64_t running_ns(const struct rtc_clock *clock)
{
	return (int64_t)clock->wall(clock->wall_ctx) + clock->offset_ns;
}

int64_t rtc_clock_now(const struct rtc_clock *clock)
{
	return clock->frozen ? clock->frozen_ns : running_ns(clock);
}

/* Down, not towards zero: a host without a clock may be just before 1970 in its local time. */
int64_t rtc_seconds(int64_t ns)
{
	int64_t s = ns / (int64_t)NSEC_PER_SEC;

	return ns % (int64_t)NSEC_PER_SEC < 0 ? s - 1 : s;
}

int64_t rtc_within_second(int64_t ns)
{
	return ns - rtc_seconds(ns) * (int64_t)NSEC_PER_SEC;
}

bool rtc_divider_is_reset(uint8_t reg_a)
{
	return (reg_a & RTC_A_DV_RESET) == RTC_A_DV_RESET;
}

static void freeze(struct rtc_clock *clock, uint8_t cmos[RTC_CMOS_SIZE])
{
	clock->frozen_ns = running_ns(clock);
	rtc_encode_time(cmos, rtc_seconds(clock->frozen_ns));
	clock->frozen = true;
	rtc_clock_forget(clock);
}

/*
 * SET alone does not stop the divider: the second goes on where it was, and unless the guest wrote
 * a time nothing was lost. After a divider reset the first update comes half a second later.
 */
static void thaw(struct rtc_clock *clock, const uint8_t cmos[RTC_CMOS_SIZE])
{
	int64_t now = running_ns(clock), fraction;

	clock->frozen = false;
	if (!clock->divider_was_reset && !clock->written)
		return;
	fraction = clock->divider_was_reset ? (int64_t)NSEC_PER_SEC / 2 : rtc_within_second(now);
	clock->offset_ns += rtc_decode_time(cmos) * (int64_t)NSEC_PER_SEC + fraction - now;
}

void rtc_clock_update(struct rtc_clock *clock, uint8_t cmos[RTC_CMOS_SIZE])
{
	bool divider = rtc_divider_is_reset(cmos[RTC_REG_A]);
	bool hold = divider || (cmos[RTC_REG_B] & RTC_B_SET);

	if (hold && !clock->frozen)
		freeze(clock, cmos);
	clock->divider_was_reset |= divider;
	if (!hold && clock->frozen)
		thaw(clock, cmos);
}

void rtc_clock_write(struct rtc_clock *clock, uint8_t cmos[RTC_CMOS_SIZE], unsigned int index,
		     uint8_t value)
{
	bool was_frozen = clock->frozen;

	/* A guest that does not bother to stop the clock sets one field of it. */
	if (!was_frozen)
		freeze(clock, cmos);
	cmos[index] = value;
	clock->written = true;
	if (!was_frozen)
		thaw(clock, cmos);
}

uint8_t rtc_clock_read(const struct rtc_clock *clock, const uint8_t cmos[RTC_CMOS_SIZE],
		       unsigned int index)
{
	uint8_t now[RTC_CMOS_SIZE];

	if (clock->frozen)
		return cmos[index];
	now[RTC_REG_B] = cmos[RTC_REG_B];
	rtc_encode_time(now, rtc_seconds(running_ns(clock)));
	return now[index];
}

void rtc_clock_forget(struct rtc_clock *clock)
{
	clock->written = clock->divider_was_reset = false;
}
