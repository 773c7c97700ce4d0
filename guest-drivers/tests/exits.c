// SPDX-License-Identifier: MIT
/*
 * What an exit costs: the time of single operations, from the guest's side. Not a pass/fail test
 * but for that each can be done; the lines to read are
 *
 *   # bench NAME cycles N ns N      per operation, the best of five batches
 *
 * Parameters: n=N (operations in a batch, default 1000).
 */
#include "kit/kit.h"

#define BATCHES        5
#define UNCLAIMED_PORT 0x1230
#define UNCLAIMED_MMIO 0xd0000000

static void do_nothing(void)
{
	barrier();
}

static void do_out(void)
{
	out8(UNCLAIMED_PORT, 0);
}

static void do_in(void)
{
	in32(UNCLAIMED_PORT);
}

static void do_pm_timer(void)
{
	uint32_t v;

	pm_timer_read(&v);
}

static void do_serial_status(void)
{
	in8(COM1 + 5);
}

static void do_mmio_read(void)
{
	mmio_read32(UNCLAIMED_MMIO);
}

static void do_mmio_write(void)
{
	mmio_write32(UNCLAIMED_MMIO, 0);
}

static void do_cpuid(void)
{
	cpuid(0);
}

static void do_rdtsc(void)
{
	rdtsc();
}

static void do_rdmsr(void)
{
	rdmsr(MSR_APIC_BASE);
}

static void do_eoi(void)
{
	apic_eoi();
}

static const struct {
	const char *name;
	void (*op)(void);
} ops[] = {
	{"nothing", do_nothing},
	{"rdtsc", do_rdtsc},
	{"cpuid", do_cpuid},
	{"rdmsr_apic_base", do_rdmsr},
	{"apic_eoi", do_eoi},
	{"out_unclaimed", do_out},
	{"in_unclaimed", do_in},
	{"in_pm_timer", do_pm_timer},
	{"in_serial_status", do_serial_status},
	{"mmio_read_unclaimed", do_mmio_read},
	{"mmio_write_unclaimed", do_mmio_write},
};

static uint64_t best_batch(void (*op)(void), uint64_t n)
{
	uint64_t best = UINT64_MAX;

	for (unsigned int batch = 0; batch < BATCHES; batch++) {
		uint64_t begin = rdtsc();

		for (uint64_t i = 0; i < n; i++)
			op();
		uint64_t cycles = rdtsc() - begin;

		if (cycles < best)
			best = cycles;
	}
	return best;
}

void test_main(void)
{
	uint64_t n = param_u64("n", 1000);

	note("TSC %lu kHz by %s, %lu operations in a batch", tsc_khz(), tsc_source(), n);
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		uint64_t cycles = best_batch(ops[i].op, n);

		note("bench %s cycles %lu ns %lu", ops[i].name, cycles / n,
		     cycles_to_ns(cycles) / n);
	}
	check(true, "%zu operations measured", ARRAY_SIZE(ops));
}
