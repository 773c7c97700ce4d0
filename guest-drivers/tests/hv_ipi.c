// SPDX-License-Identifier: MIT
/*
 * Hypercalls that reach other VPs: interrupts to sets of them, with more than 64 by banks (TLFS
 * 10.5), TLB flushes where they are announced (9.4), and the notification of long spins (14.5).
 *
 * Parameters: engine=kernel (KVM serves).
 */
#include "kit/hv.h"
#include "kit/kit.h"

#define VECTOR      0x63
#define SENDERS_MAX 8
#define FAST        HV_CONTROL_FAST

/* Per CPU; written by it. */
static unsigned int taken[CPUS_MAX];
static unsigned int expected[CPUS_MAX];
static bool xmm;

static void on_ipi(struct trap_frame *frame)
{
	(void)frame;
	atomic_inc(&taken[cpu_index()]);
	apic_eoi();
}

static bool all_taken(void)
{
	for (unsigned int i = 0; i < cpu_count(); i++)
		if (load_acquire(&taken[i]) < expected[i])
			return false;
	return true;
}

/* Each CPU took as many as were sent to it, not more. */
static void expect_taken(void)
{
	wait_for(all_taken(), 5000);
	for (unsigned int i = 0; i < cpu_count(); i++)
		expect_eq(load_acquire(&taken[i]), expected[i]);
}

/* --- Sets of processors (7.8.7.3). ------------------------------------------------------------ */

#define BANKS (CPUS_MAX / 64)

/* The input of the Ex call; as many banks as @mask has bits follow. */
struct ipi_ex {
	struct hv_input_send_ipi_ex header;
	uint64_t banks[BANKS];
};

static unsigned int bank_count(const struct ipi_ex *in)
{
	unsigned int count = 0;

	for (uint64_t mask = in->header.valid_bank_mask; mask; mask &= mask - 1)
		count++;
	return count;
}

/* All CPUs for which cpu % @step is @rest. */
static void choose(struct ipi_ex *in, unsigned int step, unsigned int rest)
{
	uint64_t banks[BANKS] = {0};
	unsigned int n = 0;

	*in = (struct ipi_ex){.header = {.vector = VECTOR, .set_format = HV_VP_SET_SPARSE}};
	for (unsigned int i = rest; i < cpu_count(); i += step) {
		banks[i / 64] |= BIT(i % 64);
		expected[i]++;
	}
	for (unsigned int bank = 0; bank < BANKS; bank++) {
		if (!banks[bank])
			continue;
		in->header.valid_bank_mask |= BIT(bank);
		in->banks[n++] = banks[bank];
	}
}

static uint64_t send_ex(const struct ipi_ex *in)
{
	return hv_call_memory(HV_CALL_SEND_IPI_EX | HV_EXTRA(bank_count(in)), in,
			      sizeof(in->header) + bank_count(in) * 8);
}

static uint64_t send_ex_xmm(const struct ipi_ex *in)
{
	uint64_t block[14] = {0};

	memcpy(block, in, sizeof(block));
	return hv_call_xmm(HV_CALL_SEND_IPI_EX | FAST | HV_EXTRA(bank_count(in)), block);
}

static uint64_t send_all(uint64_t vector)
{
	struct ipi_ex in = {.header = {.vector = (uint32_t)vector, .set_format = HV_VP_SET_ALL}};

	return send_ex(&in);
}

/* --- Interrupts. ------------------------------------------------------------------------------ */

static void test_mask(void)
{
	uint64_t few = cpu_count() < 64 ? BIT(cpu_count()) - 1 : ~0ull;

	for (unsigned int i = 0; i < cpu_count() && i < 64; i++) {
		expected[i]++;
		expect_eq(hv_call(HV_CALL_SEND_IPI | FAST, VECTOR, BIT(i)), 0);
	}
	expect_taken();
	test_case("one processor after the other, in registers");

	for (unsigned int i = 0; i < cpu_count() && i < 64; i++)
		expected[i]++;
	expect_eq(
		hv_call_memory(HV_CALL_SEND_IPI,
			       &(struct hv_input_send_ipi){.vector = VECTOR, .processor_mask = few},
			       sizeof(struct hv_input_send_ipi)),
		0);
	expect_taken();
	test_case("the first 64 at once, in memory");

	/* Those that do not exist are no error. */
	for (unsigned int i = 0; i < cpu_count() && i < 64; i++)
		expected[i]++;
	expect_eq(hv_call(HV_CALL_SEND_IPI | FAST, VECTOR, ~0ull), 0);
	expect_taken();
	expect_eq(hv_call(HV_CALL_SEND_IPI | FAST, VECTOR, 0), 0);
	expect_taken();
	test_case("a mask with more than there are, and an empty one");
}

static void test_banks(void)
{
	struct ipi_ex in;

	choose(&in, 1, 0);
	expect_eq(send_ex(&in), 0);
	expect_taken();
	test_case("all of them by %u banks", bank_count(&in));

	choose(&in, 3, 1);
	expect_eq(send_ex(&in), 0);
	expect_taken();
	test_case("every third");

	choose(&in, CPUS_MAX, cpu_count() - 1);
	expect_eq(send_ex(&in), 0);
	expect_taken();
	test_case("the last alone, by bank %u", (cpu_count() - 1) / 64);

	for (unsigned int i = 0; i < cpu_count(); i++)
		expected[i]++;
	expect_eq(send_all(VECTOR), 0);
	expect_taken();
	test_case("all of them by the format that says so");

	in = (struct ipi_ex){.header = {.vector = VECTOR, .set_format = HV_VP_SET_SPARSE}};
	expect_eq(send_ex(&in), 0);
	in.header.valid_bank_mask = BIT(63);
	in.banks[0] = ~0ull;
	expect_eq(send_ex(&in), 0);
	expect_taken();
	test_case("no bank, and one without processors");
}

static void test_banks_by_xmm(void)
{
	struct ipi_ex in;

	choose(&in, 2, cpu_count() > 1);
	expect_eq(send_ex_xmm(&in), 0);
	expect_taken();
	choose(&in, CPUS_MAX, 0);
	/* 112 bytes: banks of nobody fill the registers up. */
	in.header.valid_bank_mask = in.header.valid_bank_mask | ~(BIT(54) - 1);
	expect_eq(bank_count(&in), 11);
	expect_eq(send_ex_xmm(&in), 0);
	expect_taken();
	test_case("banks in XMM registers");
}

static void test_ipi_errors(void)
{
	struct ipi_ex in = {
		.header = {.vector = VECTOR, .set_format = HV_VP_SET_SPARSE, .valid_bank_mask = 3},
		.banks = {~0ull, ~0ull}};
	static const uint32_t vectors[] = {0, 15, 256, 0x80000063};

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		if (!expect(hv_status(hv_call(HV_CALL_SEND_IPI | FAST, vectors[i], 1))))
			note("vector 0x%x", vectors[i]);
		expect(hv_status(send_all(vectors[i])));
	}
	expect(hv_status(hv_call(HV_CALL_SEND_IPI | FAST, VECTOR | 0x11ull << 32, 1)));
	test_case("no such vector, no such trust level");

	expect_eq(hv_call_memory(HV_CALL_SEND_IPI_EX | HV_EXTRA(1), &in, sizeof(in)),
		  HV_STATUS_INVALID_HYPERCALL_INPUT);
	expect_eq(hv_call_memory(HV_CALL_SEND_IPI_EX | HV_EXTRA(3), &in, sizeof(in)),
		  HV_STATUS_INVALID_HYPERCALL_INPUT);
	expect_eq(hv_call_memory(HV_CALL_SEND_IPI_EX, &in, sizeof(in)),
		  HV_STATUS_INVALID_HYPERCALL_INPUT);
	expect_taken();
	test_case("another number of banks than the mask says");
}

static void send_from_here(void *arg)
{
	struct ipi_ex *in = arg;

	expect_eq(send_ex(in), 0);
}

static void test_senders(void)
{
	unsigned int n = cpu_count(), senders = n < SENDERS_MAX ? n : SENDERS_MAX;
	struct ipi_ex in;

	for (unsigned int s = 0; s < senders; s++) {
		choose(&in, 1, 0);
		expect(smp_call(senders > 1 ? s * (n - 1) / (senders - 1) : 0, send_from_here, &in,
				5000));
		expect_taken();
	}
	test_case("from %u processors to all", senders);
}

/*
 * --- TLB flushes. ------------------------------------------------------------------------------
 */

#define FLUSH_ALL_PROCESSORS BIT(0)
#define FLUSH_ALL_SPACES     BIT(1)

#define WINDOW (KiB(4) + GiB(256)) /* a virtual address of the test's own */

static uint64_t seen[CPUS_MAX];

static void look(void *arg)
{
	(void)arg;
	seen[cpu_index()] = *(volatile uint64_t *)WINDOW;
}

static void look_everywhere(uint64_t want)
{
	smp_call_others(look, NULL);
	look(NULL);
	expect(smp_wait_all(5000));
	for (unsigned int i = 0; i < cpu_count(); i++)
		expect_eq(seen[i], want);
}

static uint64_t flush_space(void)
{
	const uint64_t in[] = {read_cr3(), 0, cpu_count() < 64 ? BIT(cpu_count()) - 1 : ~0ull};

	return hv_call_memory(HV_CALL_FLUSH_SPACE, in, sizeof(in));
}

static uint64_t flush_all(void)
{
	const uint64_t in[] = {0, FLUSH_ALL_PROCESSORS | FLUSH_ALL_SPACES, 0};

	return hv_call_memory(HV_CALL_FLUSH_SPACE, in, sizeof(in));
}

static uint64_t flush_all_xmm(void)
{
	const uint64_t block[14] = {0, FLUSH_ALL_PROCESSORS | FLUSH_ALL_SPACES, 0};

	return hv_call_xmm(HV_CALL_FLUSH_SPACE | FAST, block);
}

/* The result of a list has the number of its elements. */
static uint64_t flush_list(void)
{
	const uint64_t in[] = {0, FLUSH_ALL_PROCESSORS | FLUSH_ALL_SPACES, 0, WINDOW,
			       WINDOW + MiB(1)};
	uint64_t result = hv_call_memory(HV_CALL_FLUSH_LIST | HV_REPS(2, 0), in, sizeof(in));

	expect_eq(hv_reps(result), 2);
	return hv_status(result);
}

static uint64_t flush_space_ex(void)
{
	const uint64_t in[] = {0, FLUSH_ALL_SPACES, HV_VP_SET_ALL, 0};

	return hv_call_memory(HV_CALL_FLUSH_SPACE_EX, in, sizeof(in));
}

static uint64_t flush_list_ex(void)
{
	const uint64_t in[] = {0, FLUSH_ALL_SPACES, HV_VP_SET_SPARSE, 1, ~0ull, WINDOW};
	uint64_t result =
		hv_call_memory(HV_CALL_FLUSH_LIST_EX | HV_EXTRA(1) | HV_REPS(1, 0), in, sizeof(in));

	expect_eq(hv_reps(result), 1);
	return hv_status(result);
}

/* Another page at the window, which all CPUs have in their TLB; only @flush tells them. */
static void test_flush(const char *what, uint64_t (*flush)(void))
{
	uint64_t *pages[2] = {page_alloc(1), page_alloc(1)};

	for (unsigned int i = 0; i < 4; i++) {
		*pages[i % 2] = 0x100 + i;
		page_map(WINDOW, (uintptr_t)pages[i % 2], PTE_PRESENT | PTE_WRITE);
		expect_eq(flush(), HV_STATUS_SUCCESS);
		look_everywhere(0x100 + i);
	}
	test_case("TLB flush: %s", what);
}

static void test_flushes(void)
{
	if (!hv_recommends(HV_REC_REMOTE_TLB_FLUSH)) {
		skip("TLB flushes", "not announced");
		return;
	}
	test_flush("everything, everywhere", flush_all);
	test_flush("this address space, by mask", flush_space);
	test_flush("a list of addresses", flush_list);
	if (xmm)
		test_flush("input in an XMM register", flush_all_xmm);
	if (!hv_recommends(HV_REC_EX_PROCESSOR_MASK) || cpu_count() > 64)
		return;
	test_flush("a processor set", flush_space_ex);
	test_flush("a list of addresses and a processor set", flush_list_ex);
}

/*
 * --- Long spins. --------------------------------------------------------------------------------
 */

#define ROUNDS 20

static unsigned int lock, inside, notified;

static void take_lock(uint64_t retries)
{
	for (uint64_t spins = 1; __atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE); spins++) {
		if (deadline_passed(UINT64_MAX))
			return;
		if (spins % retries)
			continue;
		atomic_inc(&notified);
		expect_eq(hv_call(HV_CALL_LONG_SPIN_WAIT | FAST, spins, 0), 0);
	}
}

static void fight(void *retries)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		take_lock(*(uint64_t *)retries);
		expect_eq(atomic_inc(&inside), 0);
		delay_us(100);
		__atomic_fetch_sub(&inside, 1, __ATOMIC_SEQ_CST);
		store_release(&lock, 0);
	}
}

static void test_spins(void)
{
	uint64_t retries = cpuid(HV_CPUID_RECOMMENDATIONS).ebx;

	if (retries == HV_SPIN_NEVER) {
		skip("long spins", "no number of retries is announced");
		return;
	}
	/* So that some are long also where spinning is slow. */
	retries = retries > 20 ? 20 : retries;
	smp_call_others(fight, &retries);
	fight(&retries);
	expect(smp_wait_all(20000));
	test_case("a contended lock with long spins notified");
	note("%u notifications", notified);
}

void test_main(void)
{
	hv_init();
	xmm = hv_edx(HV_EDX_XMM_INPUT);
	irq_set_handler(VECTOR, on_ipi);
	if (cpu_count() > 1 && !smp_start_all(20000))
		bail_out("not all CPUs start");
	smp_call_others(hv_init_cpu, NULL);
	expect(smp_wait_all(5000));
	irq_enable();
	if (hv_recommends(HV_REC_CLUSTER_IPI)) {
		test_mask();
		test_banks();
		if (xmm)
			test_banks_by_xmm();
		test_ipi_errors();
		test_senders();
	} else {
		skip("interrupts", "not announced");
	}
	test_flushes();
	if (cpu_count() <= 8)
		test_spins();
	irq_disable();
}
