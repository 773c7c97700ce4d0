// SPDX-License-Identifier: MIT
/*
 * The MC146818's formats and alarm arithmetic. Pure.
 */
#include "devices/pc/rtc_calendar.h"

#include <time.h>

#define RTC_HZ 32768u

#define SECONDS_PER_DAY 86400

static uint8_t encode(uint8_t reg_b, int value)
{
	return (uint8_t)(reg_b & RTC_B_DM ? value : value / 10 << 4 | value % 10);
}

static int decode(uint8_t reg_b, uint8_t value)
{
	return reg_b & RTC_B_DM ? value : (value >> 4) * 10 + (value & 0x0f);
}

static uint8_t encode_hour(uint8_t reg_b, int hour)
{
	if (reg_b & RTC_B_24H)
		return encode(reg_b, hour);
	return encode(reg_b, (hour + 11) % 12 + 1) | (hour >= 12 ? RTC_HOURS_PM : 0);
}

static int decode_hour(uint8_t reg_b, uint8_t value)
{
	if (reg_b & RTC_B_24H)
		return decode(reg_b, value);
	return decode(reg_b, value & (uint8_t)~RTC_HOURS_PM) % 12 + (value & RTC_HOURS_PM ? 12 : 0);
}

void rtc_encode_time(uint8_t cmos[RTC_CMOS_SIZE], int64_t seconds)
{
	uint8_t b = cmos[RTC_REG_B];
	time_t t = seconds;
	struct tm tm;
	int year;

	gmtime_r(&t, &tm);
	year = tm.tm_year + 1900;
	cmos[RTC_SECONDS] = encode(b, tm.tm_sec);
	cmos[RTC_MINUTES] = encode(b, tm.tm_min);
	cmos[RTC_HOURS] = encode_hour(b, tm.tm_hour);
	cmos[RTC_DAY_OF_WEEK] = encode(b, tm.tm_wday + 1);
	cmos[RTC_DAY_OF_MONTH] = encode(b, tm.tm_mday);
	cmos[RTC_MONTH] = encode(b, tm.tm_mon + 1);
	cmos[RTC_YEAR] = encode(b, year % 100);
	cmos[RTC_CENTURY] = encode(b, year / 100 % 100);
}

static int clamp(int value, int low, int high)
{
	return max_of(low, min_of(value, high));
}

int64_t rtc_decode_time(const uint8_t cmos[RTC_CMOS_SIZE])
{
	uint8_t b = cmos[RTC_REG_B];
	int century = decode(b, cmos[RTC_CENTURY]);
	struct tm tm = {
		.tm_sec = clamp(decode(b, cmos[RTC_SECONDS]), 0, 59),
		.tm_min = clamp(decode(b, cmos[RTC_MINUTES]), 0, 59),
		.tm_hour = clamp(decode_hour(b, cmos[RTC_HOURS]), 0, 23),
		.tm_mday = clamp(decode(b, cmos[RTC_DAY_OF_MONTH]), 1, 31),
		.tm_mon = clamp(decode(b, cmos[RTC_MONTH]), 1, 12) - 1,
		.tm_year = clamp(decode(b, cmos[RTC_YEAR]), 0, 99),
	};

	/* Kept to what nanoseconds since 1970 can express in 64 bits. */
	if (century < 19 || century > 21)
		century = 20;
	tm.tm_year += century * 100 - 1900;
	return max_of((int64_t)timegm(&tm), (int64_t)0);
}

bool rtc_is_time_register(unsigned int index)
{
	switch (index) {
	case RTC_SECONDS:
	case RTC_MINUTES:
	case RTC_HOURS:
	case RTC_DAY_OF_WEEK:
	case RTC_DAY_OF_MONTH:
	case RTC_MONTH:
	case RTC_YEAR:
	case RTC_CENTURY:
		return true;
	default:
		return false;
	}
}

/* -1 matches everything. */
static int alarm_field(uint8_t value, int decoded)
{
	return (value & RTC_ALARM_ANY) == RTC_ALARM_ANY ? -1 : decoded;
}

/*
 * A BCD or binary byte with both top bits set is out of range for every field, so the wildcard can
 * be told before decoding; in 12-hour mode too, where PM hours have only the topmost.
 */
int64_t rtc_next_alarm(const uint8_t cmos[RTC_CMOS_SIZE], int64_t seconds)
{
	uint8_t b = cmos[RTC_REG_B];
	int second = alarm_field(cmos[RTC_SECONDS_ALARM], decode(b, cmos[RTC_SECONDS_ALARM]));
	int minute = alarm_field(cmos[RTC_MINUTES_ALARM], decode(b, cmos[RTC_MINUTES_ALARM]));
	int hour = alarm_field(cmos[RTC_HOURS_ALARM], decode_hour(b, cmos[RTC_HOURS_ALARM]));
	int64_t at = seconds + 1;

	if (second > 59 || minute > 59 || hour > 23)
		return RTC_NEVER;
	/* Skips hour by hour, then minute by minute, then second by second. */
	for (;;) {
		int64_t in_day = (at % SECONDS_PER_DAY + SECONDS_PER_DAY) % SECONDS_PER_DAY;

		if (hour >= 0 && in_day / 3600 != hour)
			at += 3600 - in_day % 3600;
		else if (minute >= 0 && in_day / 60 % 60 != minute)
			at += 60 - in_day % 60;
		else if (second >= 0 && in_day % 60 != second)
			at++;
		else
			return at;
	}
}

unsigned int rtc_period_ticks(uint8_t reg_a)
{
	unsigned int rate = reg_a & RTC_A_RS;

	/* With a 32.768 kHz time base the two fastest selections mean something slower. */
	if (rate == 1 || rate == 2)
		rate += 7;
	return rate ? 1u << (rate - 1) : 0;
}

uint64_t rtc_ns_to_ticks(uint64_t ns)
{
	return ns / NSEC_PER_SEC * RTC_HZ + ns % NSEC_PER_SEC * RTC_HZ / NSEC_PER_SEC;
}

uint64_t rtc_ticks_to_ns(uint64_t ticks)
{
	return ticks / RTC_HZ * NSEC_PER_SEC +
	       (ticks % RTC_HZ * NSEC_PER_SEC + RTC_HZ - 1) / RTC_HZ;
}
