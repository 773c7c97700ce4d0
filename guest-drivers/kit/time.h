// SPDX-License-Identifier: MIT
/*
 * Time: the TSC, calibrated once (on first use) against the ACPI PM timer, and waits that end.
 *
 * No loop in a guest may wait without a deadline. Above all deadlines stands the watchdog: a
 * guest that waits after more than `watchdog` seconds (command line, default 60) since its start
 * bails out.
 */
#pragma once

#include "kit/base.h"
#include "kit/cpu.h"

#define PM_TIMER_HZ 3579545ull

/* What the calibration rests on; "assumed" when the machine has no clock the kit knows. */
const char *tsc_source(void);
uint64_t tsc_khz(void);

uint64_t cycles_to_ns(uint64_t cycles);
uint64_t ns_to_cycles(uint64_t ns);
static inline uint64_t ms_to_cycles(uint64_t ms)
{
	return ms * tsc_khz();
}

/* Nanoseconds since the guest started. */
uint64_t now_ns(void);

/* The TSC value @ms from now; and whether it is over. */
uint64_t deadline_ms(uint64_t ms);
bool deadline_passed(uint64_t deadline);

/* Spins, with pause. */
void delay_us(uint64_t us);

/* True as soon as @cond holds, false when it did not within @ms milliseconds. */
#define wait_for(cond, ms)                                                                         \
	({                                                                                         \
		uint64_t wait_end_ = deadline_ms(ms);                                              \
		bool wait_ok_;                                                                     \
		while (!(wait_ok_ = (cond)) && !deadline_passed(wait_end_))                        \
			cpu_relax();                                                               \
		wait_ok_ || (cond);                                                                \
	})

/* PM timer: false when there is none. @ret: its value, and the bits it has (24 or 32). */
bool pm_timer_read(uint32_t *ret);
unsigned int pm_timer_bits(void);
/* Ticks from @from to @to, over one wrap. */
uint32_t pm_timer_diff(uint32_t from, uint32_t to);

/* Once, at boot. */
void time_init(void);
