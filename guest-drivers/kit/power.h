// SPDX-License-Identifier: MIT
/*
 * The ways out: power off, and four ways to reset. They come back when nothing happened.
 */
#pragma once

#include "kit/base.h"

/* ACPI S5 with the sleep type of the DSDT (ACPI 7.4.2.5, 16.1). False: no PM1a port or no \_S5. */
bool acpi_power_off(void);

/* The FADT's reset register (ACPI 4.8.3.6), a port. False: it names none. */
bool reset_acpi(void);
/* Reset control register of PC chipsets: hard reset, then a rising edge of bit 2. */
void reset_cf9(void);
/* Keyboard controller command FEh. */
void reset_i8042(void);
/* System control port A, bit 0. */
void reset_port92(void);
void triple_fault(void);
