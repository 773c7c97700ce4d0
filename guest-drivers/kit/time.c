// SPDX-License-Identifier: MIT
/* See time.h. All state is written once by CPU 0, before other CPUs run. */
#include "kit/acpi.h"
#include "kit/start_info.h"
#include "kit/test.h"
#include "kit/time.h"

#define CALIBRATE_TICKS (PM_TIMER_HZ / 200) /* 5 ms: reading the port costs some 10 us */
#define ASSUMED_KHZ     1000000ull
#define LEAF_VM_TIMING  0x40000010 /* by convention: EAX = TSC kHz */

static uint64_t start_tsc;
static uint64_t khz;
static const char *source = "not calibrated";
static uint64_t watchdog_end; /* TSC; 0 until known */

bool pm_timer_read(uint32_t *ret)
{
	const struct acpi_fadt *fadt = acpi_fadt();

	if (!fadt || !fadt->pm_timer_port)
		return false;
	*ret = in32(fadt->pm_timer_port);
	return true;
}

unsigned int pm_timer_bits(void)
{
	const struct acpi_fadt *fadt = acpi_fadt();

	return fadt && fadt->flags & FADT_TMR_VAL_EXT ? 32 : 24;
}

uint32_t pm_timer_diff(uint32_t from, uint32_t to)
{
	return (to - from) & (uint32_t)(BIT(pm_timer_bits()) - 1);
}

/*
 * PM timer and TSC at the same moment: the pair, of a few, that took the least time to read.
 * Between two instructions a guest may lose its processor for longer than all of the calibration
 * takes.
 */
static bool read_both(uint32_t *ret_ticks, uint64_t *ret_tsc)
{
	uint64_t best = UINT64_MAX;

	for (unsigned int i = 0; i < 4; i++) {
		uint32_t ticks;
		uint64_t before = rdtsc();

		if (!pm_timer_read(&ticks))
			return false;
		uint64_t took = rdtsc() - before;

		if (took >= best)
			continue;
		best = took;
		*ret_ticks = ticks;
		*ret_tsc = before + took / 2;
	}
	return true;
}

static uint64_t calibrate_with_pm_timer(void)
{
	uint32_t first, last;
	uint64_t begin, end;

	if (!read_both(&first, &begin))
		return 0;
	/* 100000 reads take longer than 5 ms on any machine: then the timer stands still. */
	for (unsigned int reads = 0; pm_timer_read(&last); reads++) {
		if (reads == 100000)
			return 0;
		if (pm_timer_diff(first, last) >= CALIBRATE_TICKS)
			break;
	}
	if (!read_both(&last, &end))
		return 0;
	return (end - begin) * PM_TIMER_HZ / pm_timer_diff(first, last) / 1000;
}

static uint64_t khz_from_cpuid(void)
{
	if (!(cpuid(1).ecx & BIT(31)) || cpuid(0x40000000).eax < LEAF_VM_TIMING)
		return 0;
	return cpuid(LEAF_VM_TIMING).eax;
}

static void calibrate(void)
{
	uint64_t v = calibrate_with_pm_timer();

	source = "pm timer";
	if (!v) {
		v = khz_from_cpuid();
		source = "cpuid";
	}
	if (!v) {
		v = ASSUMED_KHZ;
		source = "assumed";
	}
	khz = v;
	watchdog_end = start_tsc + param_u64("watchdog", 60) * 1000 * khz;
}

void time_init(void)
{
	start_tsc = rdtsc();
}

uint64_t tsc_khz(void)
{
	if (!khz)
		calibrate();
	return khz;
}

const char *tsc_source(void)
{
	tsc_khz();
	return source;
}

uint64_t cycles_to_ns(uint64_t cycles)
{
	uint64_t f = tsc_khz();

	return cycles / f * 1000000 + cycles % f * 1000000 / f;
}

uint64_t ns_to_cycles(uint64_t ns)
{
	return ns / 1000000 * tsc_khz() + ns % 1000000 * tsc_khz() / 1000000;
}

uint64_t now_ns(void)
{
	return cycles_to_ns(rdtsc() - start_tsc);
}

uint64_t deadline_ms(uint64_t ms)
{
	return rdtsc() + ms_to_cycles(ms);
}

bool deadline_passed(uint64_t deadline)
{
	tsc_khz(); /* the watchdog is set by the calibration */
	uint64_t now = rdtsc();

	if (now >= watchdog_end && watchdog_end) {
		watchdog_end = 0; /* bail_out() waits on nothing, but must not come here again */
		bail_out("watchdog: the guest runs for more than %lu s", param_u64("watchdog", 60));
	}
	return now >= deadline;
}

void delay_us(uint64_t us)
{
	uint64_t end = rdtsc() + ns_to_cycles(us * 1000);

	while (!deadline_passed(end))
		cpu_relax();
}
