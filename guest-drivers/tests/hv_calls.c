// SPDX-License-Identifier: MIT
/*
 * Hypercalls from inside (TLFS 3): what a control word and its pages must be like, fast and
 * XMM-fast input, lists with an error in the middle, registers that must not change, 32-bit
 * callers, virtual processor registers and the extended calls. hv_ipi.c has those that interrupt
 * and flush.
 *
 * Parameters: engine=kernel (KVM serves).
 */
#include "kit/hv.h"
#include "kit/kit.h"

#define FAST HV_CONTROL_FAST

/* Connections that nobody opened. */
#define NOBODY 0x4321

#define BAD_APIC_ID 0x00ffff00u

static bool vp_registers, extended;

static void expect_status(uint64_t result, uint16_t want)
{
	expect_eq(hv_status(result), want);
}

/* --- Control words (3.7, 3.12). -------------------------------------------------------------- */

static void test_codes(void)
{
	static const uint16_t unknown[] = {0x0000, 0x0001, 0x00ff, 0x7777, 0x8002, 0xffff};

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		expect_status(hv_call(unknown[i], 0, 0), HV_STATUS_INVALID_HYPERCALL_CODE);
		expect_status(hv_call(unknown[i] | FAST, 0, 0), HV_STATUS_INVALID_HYPERCALL_CODE);
		expect_status(hv_call32(unknown[i], 0, 0), HV_STATUS_INVALID_HYPERCALL_CODE);
	}
	test_case("unknown call codes");
}

static void test_control_words(void)
{
	static const uint8_t reserved[] = {27, 28, 29, 30, 31, 44, 45, 46, 47, 60, 61, 62, 63};
	uint64_t call = HV_CALL_SIGNAL_EVENT | FAST;

	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (hv_status(hv_call(call | BIT(reserved[i]), NOBODY, 0)) !=
		    HV_STATUS_INVALID_HYPERCALL_INPUT)
			expect_eq(reserved[i], 0);
	test_case("reserved bits of the control word");

	expect_status(hv_call(call | HV_REPS(1, 0), NOBODY, 0), HV_STATUS_INVALID_HYPERCALL_INPUT);
	expect_status(hv_call(call | HV_REPS(0, 1), NOBODY, 0), HV_STATUS_INVALID_HYPERCALL_INPUT);
	test_case("a list for a call without one");
	expect_status(hv_call(call | HV_EXTRA(1), NOBODY, 0), HV_STATUS_INVALID_HYPERCALL_INPUT);
	test_case("a variable header for a call without one");

	if (!vp_registers && !hv_recommends(HV_REC_REMOTE_TLB_FLUSH)) {
		skip("lists without elements", "no call with a list is served");
		return;
	}
	call = vp_registers ? HV_CALL_GET_VP_INDEX : HV_CALL_FLUSH_LIST;
	memset(hv_input(), 0, PAGE_SIZE);
	for (unsigned int count = 0; count < 3; count++)
		expect_status(hv_call(call | HV_REPS(count, count), (uintptr_t)hv_input(),
				      (uintptr_t)hv_output()),
			      HV_STATUS_INVALID_HYPERCALL_INPUT);
	expect_status(hv_call(call | HV_REPS(1, 2), (uintptr_t)hv_input(), (uintptr_t)hv_output()),
		      HV_STATUS_INVALID_HYPERCALL_INPUT);
	test_case("lists without elements, and a start that is not before the end");
}

/* --- Where input and output may be (3.6). ---------------------------------------------------- */

static void test_input_places(void)
{
	static const struct {
		uint64_t offset;
		uint16_t status;
	} rows[] = {
		{0, HV_STATUS_INVALID_CONNECTION_ID},
		{8, HV_STATUS_INVALID_CONNECTION_ID},
		{PAGE_SIZE - 256, HV_STATUS_INVALID_CONNECTION_ID},
		{PAGE_SIZE - 248, HV_STATUS_INVALID_ALIGNMENT},
		{PAGE_SIZE - 8, HV_STATUS_INVALID_ALIGNMENT},
		{1, HV_STATUS_INVALID_ALIGNMENT},
		{4, HV_STATUS_INVALID_ALIGNMENT},
		{7, HV_STATUS_INVALID_ALIGNMENT},
	};
	uint64_t base = (uintptr_t)page_alloc(2);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct hv_input_post_message *in = pa_ptr(base + rows[i].offset);

		in->connection_id = NOBODY;
		in->message_type = 1;
		if (!expect_eq(hv_status(hv_call(HV_CALL_POST_MESSAGE, (uintptr_t)in, 0)),
			       rows[i].status))
			note("offset %lu", rows[i].offset);
		memset(in, 0, sizeof(*in));
	}
	test_case("input aligned to 8 bytes and inside one page");

	expect_status(hv_call(HV_CALL_POST_MESSAGE, 0xd0000000, 0), HV_STATUS_INVALID_ALIGNMENT);
	expect_status(hv_call(HV_CALL_POST_MESSAGE, align_down(memory_top(), PAGE_SIZE), 0),
		      HV_STATUS_INVALID_ALIGNMENT);
	expect_status(hv_call(HV_CALL_POST_MESSAGE, BIT(60), 0), HV_STATUS_INVALID_ALIGNMENT);
	expect_status(hv_call(HV_CALL_POST_MESSAGE, ~0xfffull, 0), HV_STATUS_INVALID_ALIGNMENT);
	expect_status(hv_call(HV_CALL_SIGNAL_EVENT, BIT(60), 0), HV_STATUS_INVALID_ALIGNMENT);
	test_case("input that is no memory");
}

static void test_output_places(void)
{
	static const uint64_t offsets[] = {1, 4, PAGE_SIZE - 8, PAGE_SIZE - 24};
	const uint64_t in[] = {HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF,
			       HV_REGISTER_VP_INDEX | (uint64_t)HV_REGISTER_GUEST_OS_ID << 32};
	uint64_t call = HV_CALL_GET_VP_REGISTERS | HV_REPS(2, 0);
	uint8_t *out = page_alloc(2);

	memcpy(hv_input(), in, sizeof(in));
	memset(out, 0x5a, 2 * PAGE_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
		expect_status(hv_call(call, (uintptr_t)hv_input(), (uintptr_t)out + offsets[i]),
			      HV_STATUS_INVALID_ALIGNMENT);
	expect_status(hv_call(call, (uintptr_t)hv_input(), 0xd0000000),
		      HV_STATUS_INVALID_ALIGNMENT);
	expect(memory_is(out, 0x5a, 2 * PAGE_SIZE));
	expect_eq(hv_call(call, (uintptr_t)hv_input(), (uintptr_t)out + PAGE_SIZE - 32), BIT(33));
	expect(memory_is(out, 0x5a, PAGE_SIZE - 32));
	expect(memory_is(out + PAGE_SIZE, 0x5a, PAGE_SIZE));
	test_case("output aligned, in memory and inside one page, and nothing else is written");
}

/* --- Fast forms (3.7). ----------------------------------------------------------------------- */

static void test_fast(void)
{
	const uint64_t spin[] = {1000};
	uint64_t block[14] = {0x60, HV_VP_SET_SPARSE, 0xfff};

	expect_status(hv_call(HV_CALL_SIGNAL_EVENT | FAST, NOBODY, ~0ull),
		      HV_STATUS_INVALID_CONNECTION_ID);
	expect_status(hv_call_memory(HV_CALL_SIGNAL_EVENT, (uint64_t[]){NOBODY}, 8),
		      HV_STATUS_INVALID_CONNECTION_ID);
	if (cpuid(HV_CPUID_RECOMMENDATIONS).ebx != HV_SPIN_NEVER) {
		expect_eq(hv_call(HV_CALL_LONG_SPIN_WAIT | FAST, 1000, 0), 0);
		expect_eq(hv_call_memory(HV_CALL_LONG_SPIN_WAIT, spin, sizeof(spin)), 0);
	}
	test_case("the same calls in registers and in memory");

	expect_status(hv_call(HV_CALL_POST_MESSAGE | FAST, NOBODY, 1),
		      HV_STATUS_INVALID_HYPERCALL_INPUT);
	if (vp_registers)
		expect_status(hv_call(HV_CALL_GET_VP_INDEX | FAST | HV_REPS(1, 0),
				      HV_PARTITION_ID_SELF, 0),
			      HV_STATUS_INVALID_HYPERCALL_INPUT);
	if (extended)
		expect_status(hv_call(HV_CALL_EXT_CAPABILITIES | FAST, 0, 0),
			      HV_STATUS_INVALID_HYPERCALL_INPUT);
	if (hv_edx(HV_EDX_XMM_INPUT) &&
	    hv_recommends(HV_REC_EX_PROCESSOR_MASK | HV_REC_CLUSTER_IPI))
		expect_status(hv_call_xmm(HV_CALL_SEND_IPI_EX | FAST | HV_EXTRA(12), block),
			      HV_STATUS_INVALID_HYPERCALL_INPUT);
	test_case("no fast form with output, or with more than fits");
}

/* Three registers fill the 112 bytes to the last. */
static void test_xmm(void)
{
	uint64_t block[14] = {HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF};
	uint64_t call = HV_CALL_SET_VP_REGISTERS | FAST;

	for (unsigned int i = 0; i < 3; i++) {
		block[2 + 4 * i] = HV_REGISTER_SINT0 + 4 + i;
		block[4 + 4 * i] = HV_SINT_MASKED | (0x40 + i);
	}
	expect_eq(hv_call_xmm(call | HV_REPS(3, 0), block), 3ull << 32);
	for (unsigned int i = 0; i < 3; i++)
		expect_eq(rdmsr(HV_SINT(4 + i)), HV_SINT_MASKED | (0x40 + i));
	expect_status(hv_call_xmm(call | HV_REPS(4, 0), block), HV_STATUS_INVALID_HYPERCALL_INPUT);
	for (unsigned int i = 0; i < 3; i++)
		wrmsr(HV_SINT(4 + i), HV_SINT_MASKED);
	test_case("112 bytes of input in RDX, R8 and XMM0 to XMM5");
}

/* --- Lists (3.2, 3.8). ------------------------------------------------------------------------ */

static uint64_t get_vp_index(const uint32_t *ids, unsigned int count, unsigned int start)
{
	uint64_t *in = hv_input();

	in[0] = HV_PARTITION_ID_SELF;
	in[1] = 0;
	memcpy(&in[2], ids, count * sizeof(*ids));
	memset(hv_output(), 0x5a, PAGE_SIZE);
	return hv_call(HV_CALL_GET_VP_INDEX | HV_REPS(count, start), (uintptr_t)in,
		       (uintptr_t)hv_output());
}

static void test_lists(void)
{
	uint32_t *out = hv_output(), last = cpu_count() - 1;
	const uint32_t ids[] = {last, 0, BAD_APIC_ID, last};
	uint64_t result;

	expect_eq(get_vp_index(ids, 2, 0), 2ull << 32);
	expect_eq(out[0], last);
	expect_eq(out[1], 0);
	expect(memory_is(out + 2, 0x5a, PAGE_SIZE - 8));
	test_case("a list that is done to its end");

	result = get_vp_index(ids, 4, 0);
	expect(hv_status(result) != HV_STATUS_SUCCESS);
	expect_eq(hv_reps(result), 2);
	expect_eq(out[0], last);
	expect_eq(out[1], 0);
	expect(memory_is(out + 2, 0x5a, PAGE_SIZE - 8));
	note("an APIC id without a processor: status 0x%x", hv_status(result));
	test_case("an error in the middle: what came before it is done and counted");

	expect_eq(get_vp_index(ids, 4, 3), 4ull << 32);
	expect(memory_is(out, 0x5a, 12));
	expect_eq(out[3], last);
	result = get_vp_index(ids, 4, 2);
	expect(hv_status(result) != HV_STATUS_SUCCESS);
	expect_eq(hv_reps(result), 2);
	expect(memory_is(out, 0x5a, PAGE_SIZE));
	test_case("a list that starts in the middle");
}

static void test_long_lists(void)
{
	const unsigned int most = (PAGE_SIZE - sizeof(struct hv_input_get_vp_index)) / 4;
	uint64_t call = HV_CALL_GET_VP_INDEX, *in = hv_input();
	uint32_t *out = hv_output();

	memset(in, 0, PAGE_SIZE);
	memset(out, 0x5a, PAGE_SIZE);
	in[0] = HV_PARTITION_ID_SELF;
	expect_eq(hv_call(call | HV_REPS(most, 0), (uintptr_t)in, (uintptr_t)out),
		  (uint64_t)most << 32);
	expect(memory_is(out, 0, most * 4ull));
	expect_status(hv_call(call | HV_REPS(most + 1, 0), (uintptr_t)in, (uintptr_t)out),
		      HV_STATUS_INVALID_ALIGNMENT);
	expect_status(hv_call(call | HV_REPS(0xfff, 0), (uintptr_t)in, (uintptr_t)out),
		      HV_STATUS_INVALID_ALIGNMENT);
	test_case("the longest list that fits into a page: %u elements", most);
}

/* --- Virtual processor registers (7.10). ------------------------------------------------------ */

static uint64_t get_register(uint64_t partition, uint32_t vp, uint8_t vtl, uint32_t name)
{
	struct hv_input_vp_registers *in = hv_input();
	uint32_t *names = (uint32_t *)(in + 1);

	*in = (struct hv_input_vp_registers){
		.partition_id = partition, .vp_index = vp, .target_vtl = vtl};
	names[0] = name;
	return hv_call(HV_CALL_GET_VP_REGISTERS | HV_REPS(1, 0), (uintptr_t)in,
		       (uintptr_t)hv_output());
}

static void test_get_registers(void)
{
	static const uint32_t pairs[][2] = {
		{HV_REGISTER_VP_INDEX, HV_MSR_VP_INDEX},
		{HV_REGISTER_GUEST_OS_ID, HV_MSR_GUEST_OS_ID},
		{HV_REGISTER_HYPERCALL, HV_MSR_HYPERCALL},
		{HV_REGISTER_SINT0 + 7, HV_MSR_SINT0 + 7},
		{HV_REGISTER_SVERSION, HV_MSR_SVERSION},
		{HV_REGISTER_SCONTROL, HV_MSR_SCONTROL},
	};
	struct hv_register_value *out = hv_output();
	uint64_t self = HV_PARTITION_ID_SELF, before, value;

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		expect_eq(get_register(self, HV_VP_INDEX_SELF, 0, pairs[i][0]), BIT(32));
		expect_eq(out->low, rdmsr(pairs[i][1]));
		expect_eq(out->high, 0);
	}
	before = hv_time_msr();
	expect_eq(get_register(self, 0, 0, HV_REGISTER_TIME_REF_COUNT), BIT(32));
	value = out->low;
	expect(before <= value && value <= hv_time_msr());
	test_case("registers read as their MSRs do");

	expect_status(get_register(1, 0, 0, HV_REGISTER_VP_INDEX), HV_STATUS_INVALID_PARTITION_ID);
	expect_status(get_register(self, cpu_count(), 0, HV_REGISTER_VP_INDEX),
		      HV_STATUS_INVALID_VP_INDEX);
	expect(hv_status(get_register(self, 0, 0x11, HV_REGISTER_VP_INDEX))); /* VTL 1 */
	expect(hv_status(get_register(self, 0, 0, 0x00ffffff)));
	expect(hv_status(get_register(self, 0, 0, HV_REGISTER_EOI))); /* only for writing */
	test_case("registers of nobody, and names of nothing");
}

static void test_set_registers(void)
{
	struct {
		struct hv_input_vp_registers header;
		struct hv_register_assoc list[3];
	} in = {
		.header = {.partition_id = HV_PARTITION_ID_SELF, .vp_index = HV_VP_INDEX_SELF},
		.list = {{.name = HV_REGISTER_SINT0 + 8, .value = {.low = 0x88}},
			 {.name = HV_REGISTER_VP_INDEX, .value = {.low = 5}},
			 {.name = HV_REGISTER_SINT0 + 9, .value = {.low = 0x99}}},
	};
	uint64_t call = HV_CALL_SET_VP_REGISTERS, result;

	result = hv_call_memory(call | HV_REPS(3, 0), &in, sizeof(in));
	expect(hv_status(result) != HV_STATUS_SUCCESS);
	expect_eq(hv_reps(result), 1);
	expect_eq(rdmsr(HV_SINT(8)), 0x88);
	expect_eq(rdmsr(HV_SINT(9)), HV_SINT_MASKED);
	expect_eq(rdmsr(HV_MSR_VP_INDEX), cpu_index());
	test_case("registers are set up to one that cannot be");

	expect_eq(hv_call_memory(call | HV_REPS(3, 2), &in, sizeof(in)), 3ull << 32);
	expect_eq(rdmsr(HV_SINT(9)), 0x99);
	in.list[0].value.low = 3; /* no vector */
	expect(hv_status(hv_call_memory(call | HV_REPS(1, 0), &in, sizeof(in))));
	expect_eq(rdmsr(HV_SINT(8)), 0x88);
	wrmsr(HV_SINT(8), HV_SINT_MASKED);
	wrmsr(HV_SINT(9), HV_SINT_MASKED);
	test_case("what an MSR write would refuse, the call refuses");
}

/*
 * --- Messages and events without a connection (11.11). -----------------------------------------
 */

static void test_connections(void)
{
	uint16_t status;

	expect_eq(hv_post(NOBODY, 1, "x", 1), HV_STATUS_INVALID_CONNECTION_ID);
	expect_eq(hv_signal(NOBODY, 0), HV_STATUS_INVALID_CONNECTION_ID);
	expect_eq(hv_signal(NOBODY, 1), HV_STATUS_INVALID_CONNECTION_ID);
	expect_eq(hv_signal(0, 0), HV_STATUS_INVALID_CONNECTION_ID);
	expect_eq(hv_signal(0xffffff, 0), HV_STATUS_INVALID_CONNECTION_ID);
	/* KVM knows 24 bits of an id and takes the others for reserved ones. */
	status = hv_signal(0x81000001, 0);
	expect(status == HV_STATUS_INVALID_CONNECTION_ID ||
	       (hv_by_kvm() && status == HV_STATUS_INVALID_HYPERCALL_INPUT));
	test_case("connections that do not exist: status 18");

	expect_eq(hv_post(NOBODY, HV_MESSAGE_NONE, "", 0), HV_STATUS_INVALID_PARAMETER);
	expect_eq(hv_post(NOBODY, 0x80000001, "", 0), HV_STATUS_INVALID_PARAMETER);
	expect_eq(hv_post(NOBODY, 1, "", 241), HV_STATUS_INVALID_PARAMETER);
	expect_eq(hv_post(NOBODY, 1, "", 0xffffffff), HV_STATUS_INVALID_PARAMETER);
	expect(hv_status(hv_call(HV_CALL_SIGNAL_EVENT | FAST, NOBODY | BIT(48), 0)) !=
	       HV_STATUS_SUCCESS);
	test_case("messages of no type, of the hypervisor's types, and too long ones");
}

/*
 * --- Extended calls (3.14). --------------------------------------------------------------------
 */

#define RANGE(gpa, pages)   ((gpa) | ((pages)-1))
#define LARGE_RANGE(gpa, n) ((gpa) | HV_RANGE_LARGE | ((n)-1))

static uint64_t heat(uint64_t type, const uint64_t *ranges, unsigned int count)
{
	uint64_t *in = hv_input();

	in[0] = type;
	memcpy(&in[1], ranges, count * sizeof(*ranges));
	return hv_call(HV_CALL_EXT_MEMORY_HEAT | HV_REPS(count, 0), (uintptr_t)in, 0);
}

static void test_heat(void)
{
	uint8_t *pages = page_alloc(8);
	uint64_t gpa = (uintptr_t)pages, ranges[3], result;

	memset(pages, 0x77, 8 * PAGE_SIZE);
	ranges[0] = RANGE(gpa + PAGE_SIZE, 2);
	ranges[1] = RANGE(0xd0000000, 1);
	ranges[2] = RANGE(gpa + 6 * PAGE_SIZE, 1);
	expect_eq(heat(HV_HEAT_COLD_DISCARD, ranges, 1), BIT(32));
	expect(memory_is(pages, 0x77, PAGE_SIZE));
	expect(memory_is(pages + PAGE_SIZE, 0, 2 * PAGE_SIZE));
	expect(memory_is(pages + 3 * PAGE_SIZE, 0x77, 5 * PAGE_SIZE));
	memset(pages, 0x77, 8 * PAGE_SIZE);
	expect(memory_is(pages, 0x77, 8 * PAGE_SIZE));
	test_case("cold pages are given up: they read as zero and can be used again");

	result = heat(HV_HEAT_COLD_DISCARD, ranges, 3);
	expect(hv_status(result) != HV_STATUS_SUCCESS);
	expect_eq(hv_reps(result), 1);
	expect(memory_is(pages + PAGE_SIZE, 0, 2 * PAGE_SIZE));
	expect(memory_is(pages + 6 * PAGE_SIZE, 0x77, PAGE_SIZE));
	test_case("a range that is no memory ends the list");

	expect(hv_status(heat(0, ranges, 1)) != HV_STATUS_SUCCESS);
	expect(hv_status(heat(BIT(40), ranges, 1)) != HV_STATUS_SUCCESS);
	test_case("hints of no kind");
}

/* The first and the last bytes of each page: comparing all of them takes seconds. */
static bool sampled(uint64_t gpa, uint8_t byte, uint64_t len)
{
	for (uint64_t end = gpa + len; gpa < end; gpa += PAGE_SIZE)
		if (!memory_is(pa_ptr(gpa), byte, 8) ||
		    !memory_is(pa_ptr(gpa + PAGE_SIZE - 8), byte, 8))
			return false;
	return true;
}

static void test_large_heat(void)
{
	uint64_t gpa = align_up(page_alloc_end(), MiB(2)), range = LARGE_RANGE(gpa, 2);

	if (!memory_is_ram(gpa - PAGE_SIZE, MiB(4) + 2 * PAGE_SIZE)) {
		skip("large pages", "the machine has too little memory");
		return;
	}
	memset(pa_ptr(gpa - PAGE_SIZE), 0x77, MiB(4) + 2 * PAGE_SIZE);
	expect_eq(heat(HV_HEAT_COLD_DISCARD, &range, 1), BIT(32));
	expect(sampled(gpa - PAGE_SIZE, 0x77, PAGE_SIZE));
	expect(sampled(gpa, 0, MiB(4)));
	expect(sampled(gpa + MiB(4), 0x77, PAGE_SIZE));
	test_case("large pages");
}

/* The overlay stays; what is beneath it is given up. */
static void test_heat_beneath_overlay(void)
{
	uint8_t *pages = page_alloc(3);
	uint64_t range = RANGE((uintptr_t)pages, 3);

	memset(pages, 0x77, 3 * PAGE_SIZE);
	wrmsr(HV_MSR_SIMP, (uintptr_t)(pages + PAGE_SIZE) | HV_PAGE_MSR_ENABLE);
	memset(pages + PAGE_SIZE, 0x33, PAGE_SIZE);
	expect_eq(heat(HV_HEAT_COLD_DISCARD, &range, 1), BIT(32));
	expect(memory_is(pages, 0, PAGE_SIZE));
	expect(memory_is(pages + PAGE_SIZE, 0x33, PAGE_SIZE));
	expect(memory_is(pages + 2 * PAGE_SIZE, 0, PAGE_SIZE));
	memset(pages + PAGE_SIZE, 0, PAGE_SIZE);
	wrmsr(HV_MSR_SIMP, 0);
	expect(memory_is(pages, 0, 3 * PAGE_SIZE));
	test_case("pages beneath an overlay page");
}

static void test_extended(void)
{
	uint64_t *out = hv_output();

	if (!extended) {
		skip("extended calls", "not announced");
		return;
	}
	out[0] = 0;
	out[1] = 0x5a;
	/* There is no input: its place does not matter. */
	expect_eq(hv_call(HV_CALL_EXT_CAPABILITIES, BIT(60) + 3, (uintptr_t)out), 0);
	expect(out[0] & HV_EXT_CAPABILITY_COLD_DISCARD);
	expect_eq(out[1], 0x5a);
	test_case("extended capabilities");
	test_heat();
	test_large_heat();
	if (hv_eax(HV_EAX_SYNIC))
		test_heat_beneath_overlay();
}

/*
 * --- Registers (3.9), and 32-bit callers (3.7). ------------------------------------------------
 */

static void test_volatile_registers(void)
{
	struct hv_registers in = {
		.rax = 0x0101010101010101,
		.rcx = HV_CALL_SIGNAL_EVENT | FAST,
		.rdx = NOBODY,
		.rbx = 0x0303030303030303,
		.rbp = 0x0404040404040404,
		.rsi = 0x0505050505050505,
		.rdi = 0x0606060606060606,
		.r8 = 0x0707070707070707,
		.r9 = 0x0808080808080808,
		.r10 = 0x0909090909090909,
		.r11 = 0x0a0a0a0a0a0a0a0a,
		.r12 = 0x0b0b0b0b0b0b0b0b,
		.r13 = 0x0c0c0c0c0c0c0c0c,
		.r14 = 0x0d0d0d0d0d0d0d0d,
		.r15 = 0x0e0e0e0e0e0e0e0e,
	};
	struct hv_registers out = in;

	hv_call_registers(&out);
	expect_status(out.rax, HV_STATUS_INVALID_CONNECTION_ID);
	expect_eq(out.rax >> 32, 0);
	in.rax = out.rax;
	expect(!memcmp(&in, &out, sizeof(in)));
	in.rcx = HV_CALL_POST_MESSAGE;
	in.rdx = BIT(60);
	out = in;
	hv_call_registers(&out);
	expect_status(out.rax, HV_STATUS_INVALID_ALIGNMENT);
	in.rax = out.rax;
	expect(!memcmp(&in, &out, sizeof(in)));
	test_case("a call changes no register but RAX");
}

static void test_callers32(void)
{
	struct hv_registers32 in = {.eax = HV_CALL_SIGNAL_EVENT | (uint32_t)FAST,
				    .edx = 0,
				    .ecx = NOBODY,
				    .ebx = 0,
				    .ebp = 0x22222222,
				    .esi = 0x33333333,
				    .edi = 0x44444444};
	struct hv_registers32 out = in;

	hv_call_registers32(&out);
	expect_status(out.eax, HV_STATUS_INVALID_CONNECTION_ID);
	expect_eq(out.edx, 0);
	in.eax = out.eax;
	expect(!memcmp(&in, &out, sizeof(in)));
	test_case("a 32-bit caller: fast, and no register but EDX:EAX changes");

	memset(hv_input(), 0, PAGE_SIZE);
	memcpy(hv_input(),
	       &(struct hv_input_post_message){.connection_id = NOBODY, .message_type = 1}, 16);
	expect_status(hv_call32(HV_CALL_POST_MESSAGE, (uintptr_t)hv_input(), 0),
		      HV_STATUS_INVALID_CONNECTION_ID);
	/* The upper half of each parameter counts: EBX, and EDX with reserved bits. */
	expect_status(hv_call32(HV_CALL_POST_MESSAGE, (uintptr_t)hv_input() | BIT(59), 0),
		      HV_STATUS_INVALID_ALIGNMENT);
	expect_status(hv_call32(HV_CALL_SIGNAL_EVENT | FAST | BIT(62), NOBODY, 0),
		      HV_STATUS_INVALID_HYPERCALL_INPUT);
	expect_status(hv_call32(HV_CALL_SIGNAL_EVENT | FAST | HV_REPS(1, 0), NOBODY, 0),
		      HV_STATUS_INVALID_HYPERCALL_INPUT);
	test_case("a 32-bit caller: memory, 64-bit parameters");
}

static void test_lists32(void)
{
	const uint32_t ids[] = {0, cpu_count() - 1, BAD_APIC_ID};
	uint32_t *out = hv_output();
	uint64_t *in = hv_input(), result;

	in[0] = HV_PARTITION_ID_SELF;
	in[1] = 0;
	memcpy(&in[2], ids, sizeof(ids));
	memset(out, 0x5a, PAGE_SIZE);
	result = hv_call32(HV_CALL_GET_VP_INDEX | HV_REPS(3, 1), (uintptr_t)in, (uintptr_t)out);
	expect(hv_status(result) != HV_STATUS_SUCCESS);
	expect_eq(hv_reps(result), 2);
	expect_eq(out[0], 0x5a5a5a5a);
	expect_eq(out[1], cpu_count() - 1);
	expect_eq(out[2], 0x5a5a5a5a);
	test_case("a 32-bit caller: a list that starts and ends in the middle");
}

void test_main(void)
{
	hv_init();
	vp_registers = hv_ebx(HV_EBX_ACCESS_VP_REGISTERS);
	extended = hv_ebx(HV_EBX_EXTENDED_HYPERCALLS);
	test_codes();
	test_control_words();
	test_input_places();
	test_fast();
	test_connections();
	test_volatile_registers();
	test_callers32();
	if (vp_registers) {
		test_output_places();
		test_lists();
		test_long_lists();
		test_lists32();
		test_get_registers();
		test_set_registers();
	} else {
		skip("lists and registers", "the calls are not announced");
	}
	if (vp_registers && hv_edx(HV_EDX_XMM_INPUT))
		test_xmm();
	test_extended();
}
