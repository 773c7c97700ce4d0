// SPDX-License-Identifier: MIT
/*
 * The MC146818's formats and alarm arithmetic: between seconds since 1970 and its registers. Pure.
 */
#pragma once

#include "devices/pc/rtc_proto.h"
#include "vmm/base.h"

#define RTC_NEVER INT64_MAX

/* Writes @seconds since 1970 into the time registers of @cmos, in the format that B says. */
void rtc_encode_time(uint8_t cmos[RTC_CMOS_SIZE], int64_t seconds);

/*
 * The time that the registers hold. Fields that are out of range are taken as the nearest sensible
 * value, the century as this one, and the time as 1970 at the earliest.
 */
int64_t rtc_decode_time(const uint8_t cmos[RTC_CMOS_SIZE]);

bool rtc_is_time_register(unsigned int index);

/* The first second after @seconds at which the alarm matches; RTC_NEVER for one that cannot. */
int64_t rtc_next_alarm(const uint8_t cmos[RTC_CMOS_SIZE], int64_t seconds);

/* The periodic interrupt's period in ticks of 32.768 kHz; 0: off. */
unsigned int rtc_period_ticks(uint8_t reg_a);

/* Ticks of 32.768 kHz in @ns, and the first nanosecond at which that many have passed. */
uint64_t rtc_ns_to_ticks(uint64_t ns);
uint64_t rtc_ticks_to_ns(uint64_t ticks);
