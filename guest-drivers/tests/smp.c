// SPDX-License-Identifier: MIT
/*
 * All CPUs: they start, they are who the tables say, and interrupts between them arrive.
 *
 * Parameters: start_ms=N (time allowed for the start of all, default 10000).
 */
#include "kit/kit.h"

#define VECTOR      0x60
#define SENDERS_MAX 16
#define RING_MAX    20

/* Per CPU: how many IPIs, NMIs it took. Written by the CPU. */
static unsigned int taken[CPUS_MAX], nmis[CPUS_MAX];
static unsigned int shared; /* atomic */
static unsigned int expected_taken;
static unsigned int ring_rounds;

static void on_ipi(struct trap_frame *frame)
{
	(void)frame;
	atomic_inc(&taken[cpu_index()]);
	apic_eoi();
}

static void on_nmi(struct trap_frame *frame)
{
	(void)frame;
	atomic_inc(&nmis[cpu_index()]);
}

static bool all_are(const unsigned int *counts, unsigned int want)
{
	for (unsigned int i = 0; i < cpu_count(); i++)
		if (load_acquire(&counts[i]) < want)
			return false;
	return true;
}

static void expect_counts(const unsigned int *counts, unsigned int want)
{
	wait_for(all_are(counts, want), 5000);
	for (unsigned int i = 0; i < cpu_count(); i++)
		expect_eq(counts[i], want);
}

static void test_start(void)
{
	uint64_t begin = now_ns();
	bool all = smp_start_all(param_u64("start_ms", 10000));

	note("%u of %u CPUs online after %lu us (%s)", smp_online(), cpu_count(),
	     (now_ns() - begin) / 1000, apic_is_x2() ? "x2APIC" : "xAPIC");
	for (unsigned int i = 0; i < cpu_count(); i++)
		if (!cpu_get(i)->online)
			note("CPU %u (APIC id %u) is missing", i, cpu_get(i)->apic_id);
	if (!check(all, "all %u CPUs start", cpu_count()))
		bail_out("not all CPUs are there");
	check_eq(ap_arrivals, cpu_count() - 1, "no CPU starts twice");
}

static void check_identity(void *arg)
{
	uint32_t index = cpu_index();
	struct cpuid one = cpuid(1), ext = cpuid(0xb);

	(void)arg;
	expect_eq(this_cpu()->apic_id, index);
	expect_eq(apic_id(), apic_is_x2() ? index : index & 0xff);
	if (index < 255) /* what a larger one shows there differs between vendors */
		expect_eq(one.ebx >> 24, index);
	if (cpuid(0).eax >= 0xb && ext.ebx) {
		expect_eq(ext.edx, index);
		expect_eq(cpuid_count(0xb, 1).edx, index);
	}
	expect_eq(!!(rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP), index == 0);
	expect_eq(!!(rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC), apic_is_x2());
}

static void test_identity(void)
{
	check_identity(NULL);
	smp_call_others(check_identity, NULL);
	expect(smp_wait_all(10000));
	test_case("every CPU's APIC id and CPUID leaves 1 and Bh say its index");
}

static void add_many(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < 200; i++)
		atomic_inc(&shared);
}

static void test_atomics(void)
{
	smp_call_others(add_many, NULL);
	add_many(NULL);
	expect(smp_wait_all(10000));
	check_eq(shared, cpu_count() * 200, "atomic increments of all CPUs add up");
}

static void send_to_all_others(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < cpu_count(); i++)
		if (i != cpu_index())
			apic_send(cpu_get(i)->apic_id, ICR_FIXED | ICR_ASSERT | VECTOR);
}

/*
 * One sender at a time: two interrupts of one vector may merge at the target. With many CPUs a
 * sample of senders, the first and the last among them.
 */
static void test_all_to_all(void)
{
	unsigned int n = cpu_count();
	unsigned int senders = n < SENDERS_MAX ? n : SENDERS_MAX;

	for (unsigned int s = 0; s < senders; s++) {
		unsigned int sender = senders > 1 ? s * (n - 1) / (senders - 1) : 0;

		expect(smp_call(sender, send_to_all_others, NULL, 5000));
		expected_taken++;
		atomic_inc(&taken[sender]); /* its own, not sent */
		wait_for(all_are(taken, expected_taken), 5000);
	}
	expect_counts(taken, expected_taken);
	test_case("IPIs from %u CPUs to all others: one each", senders);
}

/* Each CPU sends to the next and waits until that one took it, all at once. */
static void run_ring(void *arg)
{
	unsigned int next = (cpu_index() + 1) % cpu_count();

	(void)arg;
	irq_enable();
	for (unsigned int i = 1; i <= ring_rounds; i++) {
		apic_send(cpu_get(next)->apic_id, ICR_FIXED | ICR_ASSERT | VECTOR);
		if (!wait_for(load_acquire(&taken[next]) >= expected_taken + i, 20000))
			return;
	}
}

static void test_ring(void)
{
	uint64_t begin = now_ns();

	/* Waiting CPUs spin: with more of them than the host has, a round takes long. */
	ring_rounds = cpu_count() > 8 ? 1 + RING_MAX * 8 / cpu_count() / 2 : RING_MAX;
	smp_call_others(run_ring, NULL);
	run_ring(NULL);
	expect(smp_wait_all(30000));
	expected_taken += ring_rounds;
	expect_counts(taken, expected_taken);
	test_case("all CPUs send to their neighbours at once, %u times", ring_rounds);
	note("ring: %lu us", (now_ns() - begin) / 1000);
}

static void test_shorthands(void)
{
	apic_send_shorthand(ICR_ALL | ICR_FIXED | ICR_ASSERT | VECTOR);
	expect_counts(taken, ++expected_taken);
	test_case("shorthand: all including self");

	apic_send_shorthand(ICR_ALL_OTHERS | ICR_FIXED | ICR_ASSERT | VECTOR);
	atomic_inc(&taken[0]);
	expect_counts(taken, ++expected_taken);
	test_case("shorthand: all but self");

	apic_send_shorthand(ICR_SELF | ICR_FIXED | ICR_ASSERT | VECTOR);
	expect(wait_for(load_acquire(&taken[0]) == expected_taken + 1, 1000));
	test_case("shorthand: self");
	/* So that all counts are equal again. */
	for (unsigned int i = 1; i < cpu_count(); i++)
		atomic_inc(&taken[i]);
	expected_taken++;
}

static void test_nmis(void)
{
	for (unsigned int i = 1; i < cpu_count(); i++)
		apic_send(cpu_get(i)->apic_id, ICR_NMI | ICR_ASSERT);
	atomic_inc(&nmis[0]);
	expect_counts(nmis, 1);
	test_case("an NMI to every other CPU");
}

/* CPU 0 -> other -> CPU 0: time may not run backwards on the way. */
static uint64_t other_tsc;

static void read_other_tsc(void *arg)
{
	(void)arg;
	store_release(&other_tsc, rdtsc());
}

static void test_tsc_order(void)
{
	for (unsigned int i = 1; i < cpu_count(); i++) {
		uint64_t before = rdtsc();

		if (!expect(smp_call(i, read_other_tsc, NULL, 5000)))
			break;
		uint64_t after = rdtsc();

		expect(before < load_acquire(&other_tsc));
		expect(load_acquire(&other_tsc) < after);
	}
	test_case("the TSCs of all CPUs agree");
}

void test_main(void)
{
	irq_set_handler(VECTOR, on_ipi);
	irq_set_handler(VECTOR_NMI, on_nmi);
	irq_enable();
	test_start();
	test_identity();
	test_atomics();
	test_all_to_all();
	test_ring();
	test_shorthands();
	test_nmis();
	test_tsc_order();
	irq_disable();
}
