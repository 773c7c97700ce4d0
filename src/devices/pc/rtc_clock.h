// SPDX-License-Identifier: MIT
/*
 * The time that the real-time clock keeps: the host's wall clock plus an offset, and the rules for
 * stopping and setting it (MC146818 data sheet, SET bit and divider control).
 *
 * Embedded in struct rtc and protected by its lock.
 */
#pragma once

#include "devices/pc/rtc_calendar.h"

struct rtc_clock {
	uint64_t (*wall)(void *ctx); /* nanoseconds since 1970; any thread */
	void *wall_ctx;
	int64_t offset_ns; /* guest time - wall clock */

	/* While SET or a divider reset holds the clock, the time registers are plain memory. */
	bool frozen;
	bool divider_was_reset; /* at some time since; the first second then starts anew */
	bool written;           /* a time register was */
	int64_t frozen_ns;
};

/* Nanoseconds since 1970 in the guest's eyes. */
int64_t rtc_clock_now(const struct rtc_clock *clock);

/* Rounded down. */
int64_t rtc_seconds(int64_t ns);
int64_t rtc_within_second(int64_t ns);

bool rtc_divider_is_reset(uint8_t reg_a);

/* To be called after A or B of @cmos has changed: stops the clock or lets it go on. */
void rtc_clock_update(struct rtc_clock *clock, uint8_t cmos[RTC_CMOS_SIZE]);

/* The guest writes time register @index. */
void rtc_clock_write(struct rtc_clock *clock, uint8_t cmos[RTC_CMOS_SIZE], unsigned int index,
		     uint8_t value);
uint8_t rtc_clock_read(const struct rtc_clock *clock, const uint8_t cmos[RTC_CMOS_SIZE],
		       unsigned int index);

/* Forgets a time that was half set; the clock runs on as if it had never been stopped. */
void rtc_clock_forget(struct rtc_clock *clock);
