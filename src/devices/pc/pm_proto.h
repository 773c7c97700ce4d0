// SPDX-License-Identifier: MIT
/*
 * ACPI fixed hardware (ACPI 6.x, section 4.8): where each block stands in our port range, and its
 * bits. The FADT describes the same layout to the guest.
 */
#pragma once

#include <stdint.h>

/* Offsets from the base port. */
#define PM_PM1_STS  0x00 /* 16 bits */
#define PM_PM1_EN   0x02 /* 16 bits */
#define PM_PM1_CNT  0x04 /* 16 bits */
#define PM_TMR      0x08 /* 32 bits (FADT flag TMR_VAL_EXT) */
#define PM_GPE0_STS 0x10 /* 16 bits */
#define PM_GPE0_EN  0x12 /* 16 bits */
#define PM_PORTS    0x20

#define PM1_TMR     0x0001
#define PM1_BM      0x0010
#define PM1_GBL     0x0020
#define PM1_PWRBTN  0x0100
#define PM1_SLPBTN  0x0200
#define PM1_RTC     0x0400
#define PM1_WAK     0x8000
#define PM1_STS_ALL (PM1_TMR | PM1_BM | PM1_GBL | PM1_PWRBTN | PM1_SLPBTN | PM1_RTC | PM1_WAK)
#define PM1_EN_ALL  (PM1_TMR | PM1_GBL | PM1_PWRBTN | PM1_SLPBTN | PM1_RTC)

#define PM1_CNT_SCI_EN        0x0001
#define PM1_CNT_BM_RLD        0x0002
#define PM1_CNT_GBL_RLS       0x0004
#define PM1_CNT_SLP_TYP_SHIFT 10
#define PM1_CNT_SLP_TYP       0x1c00
#define PM1_CNT_SLP_EN        0x2000

#define PM_TMR_HZ 3579545u

/* The reset control register (FADT RESET_REG; the chipset's port 0xcf9). */
#define PM_RESET_SYS   0x02 /* a full reset, not only the CPU's */
#define PM_RESET_CPU   0x04 /* resets when it goes from 0 to 1 */
#define PM_RESET_FULL  0x08
#define PM_RESET_VALUE 0x06 /* what the FADT tells the guest to write */
