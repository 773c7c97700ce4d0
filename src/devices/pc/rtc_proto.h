// SPDX-License-Identifier: MIT
/*
 * Registers of the MC146818 real-time clock (Motorola data sheet) and the bytes of PC CMOS memory
 * that system software reads.
 */
#pragma once

#include <stdint.h>

#define RTC_PORT_BASE  0x70
#define RTC_PORT_COUNT 2
#define RTC_PORT_INDEX 0 /* bit 7 masks NMIs on a PC; the rest selects a byte */
#define RTC_PORT_DATA  1

#define RTC_CMOS_SIZE 128

#define RTC_SECONDS       0x00
#define RTC_SECONDS_ALARM 0x01
#define RTC_MINUTES       0x02
#define RTC_MINUTES_ALARM 0x03
#define RTC_HOURS         0x04
#define RTC_HOURS_ALARM   0x05
#define RTC_DAY_OF_WEEK   0x06 /* 1: Sunday */
#define RTC_DAY_OF_MONTH  0x07
#define RTC_MONTH         0x08
#define RTC_YEAR          0x09
#define RTC_REG_A         0x0a
#define RTC_REG_B         0x0b
#define RTC_REG_C         0x0c
#define RTC_REG_D         0x0d
#define RTC_CENTURY       0x32 /* announced by the FADT */

#define RTC_HOURS_PM 0x80 /* in 12-hour mode */

/* An alarm byte with both top bits set matches every value. */
#define RTC_ALARM_ANY 0xc0

#define RTC_A_UIP      0x80
#define RTC_A_DV       0x70
#define RTC_A_DV_RUN   0x20 /* 32.768 kHz */
#define RTC_A_DV_RESET 0x60 /* 110 and 111 hold the divider chain in reset */
#define RTC_A_RS       0x0f

#define RTC_B_SET  0x80
#define RTC_B_PIE  0x40
#define RTC_B_AIE  0x20
#define RTC_B_UIE  0x10
#define RTC_B_SQWE 0x08
#define RTC_B_DM   0x04 /* binary, else BCD */
#define RTC_B_24H  0x02

/* The flags of C stand where their enables do in B. */
#define RTC_C_IRQF  0x80
#define RTC_C_PF    0x40
#define RTC_C_AF    0x20
#define RTC_C_UF    0x10
#define RTC_C_FLAGS (RTC_C_PF | RTC_C_AF | RTC_C_UF)

#define RTC_D_VRT 0x80 /* the battery is good */

/* PC CMOS bytes. */
#define CMOS_EQUIPMENT     0x14
#define CMOS_EQUIPMENT_FPU 0x02
#define CMOS_BASE_KIB      0x15 /* 16 bits: memory below 640 KiB */
#define CMOS_EXT_KIB       0x17 /* 16 bits: memory above 1 MiB, at most 65535 KiB */
#define CMOS_CHECKSUM      0x2e /* 16 bits, high byte first: sum of 0x10 ... 0x2d */
#define CMOS_CHECKSUM_FROM 0x10
#define CMOS_EXT_KIB_COPY  0x30
#define CMOS_EXT_64KIB     0x34 /* 16 bits: memory from 16 MiB to the hole */
#define CMOS_HIGH_64KIB    0x5b /* 24 bits: memory from 4 GiB on */
