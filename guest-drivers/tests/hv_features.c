// SPDX-License-Identifier: MIT
/*
 * What CPUID announces works, and what it does not announce does not (TLFS 2.4, 3.12, appendix C):
 * every bit is used, every MSR and hypercall without its bit is refused.
 *
 * Parameters: engine=kernel (KVM serves), on=A,B,... off=A,B,... (features, by candela's names,
 * that must be announced, and that must not), identity=none (no hypervisor interface at all).
 */
#include "kit/hv.h"
#include "kit/kit.h"

#define VECTOR 0x62
#define SINT   3
#define TIMER  1

static unsigned int taken; /* interrupts; atomic */

static void on_interrupt(struct trap_frame *frame)
{
	(void)frame;
	atomic_inc(&taken);
	apic_eoi();
}

static bool interrupted(unsigned int before)
{
	return wait_for(load_acquire(&taken) > before, 2000);
}

/* --- Using each feature. ------------------------------------------------------------------- */

static void use_runtime(void)
{
	uint64_t before = rdmsr(HV_MSR_VP_RUNTIME);

	expect(wait_for(rdmsr(HV_MSR_VP_RUNTIME) > before, 2000));
}

static void use_reference_time(void)
{
	const struct hv_reference_tsc_page *page = hv_time_enable();
	uint64_t first = hv_time_msr(), between = hv_time_page(page), last = hv_time_msr();

	expect(first <= between && between <= last);
	delay_us(5000);
	expect(hv_time_msr() - last >= HV_TIME_MS(4));
}

static void use_frequencies(void)
{
	uint64_t khz = rdmsr(HV_MSR_TSC_FREQUENCY) / 1000;

	expect(khz > tsc_khz() * 9 / 10 && khz < tsc_khz() * 11 / 10);
	expect(rdmsr(HV_MSR_APIC_FREQUENCY) > 1000000);
}

static void use_synic(void)
{
	expect_eq(rdmsr(HV_MSR_SVERSION), HV_SYNIC_VERSION);
	expect_eq(rdmsr(HV_MSR_EOM), 0);
	wrmsr(HV_SINT(SINT), VECTOR);
	expect_eq(rdmsr(HV_SINT(SINT)), VECTOR);
	expect_eq(hv_post(0x4321, 1, "", 0), HV_STATUS_INVALID_CONNECTION_ID);
	expect_eq(hv_signal(0x4321, 0), HV_STATUS_INVALID_CONNECTION_ID);
}

/* One shot of a timer with @config; true when its message came. */
static bool message_of(uint64_t config, uint64_t sint)
{
	struct hv_message message = {0};
	bool came;

	wrmsr(HV_SINT(SINT), sint);
	wrmsr(HV_TIMER_COUNT(TIMER), hv_time_msr() + HV_TIME_MS(1));
	wrmsr(HV_TIMER_CONFIG(TIMER), config | HV_STIMER_ENABLE);
	came = wait_for(hv_take_message(SINT, &message), 2000);
	expect_eq(message.header.message_type, HV_MESSAGE_TIMER_EXPIRED);
	expect_eq(message.payload[0], TIMER);
	return came;
}

static void use_stimers(void)
{
	unsigned int before = taken;

	expect(message_of(SINT << HV_STIMER_SINT_SHIFT, VECTOR));
	expect(interrupted(before));
}

static void use_direct_stimers(void)
{
	unsigned int before = taken;

	wrmsr(HV_TIMER_COUNT(TIMER), hv_time_msr() + HV_TIME_MS(1));
	wrmsr(HV_TIMER_CONFIG(TIMER),
	      HV_STIMER_DIRECT | VECTOR << HV_STIMER_VECTOR_SHIFT | HV_STIMER_ENABLE);
	expect(interrupted(before));
}

static void on_interrupt_hv_eoi(struct trap_frame *frame)
{
	(void)frame;
	atomic_inc(&taken);
	wrmsr(HV_MSR_EOI, 0);
}

static void use_apic(void)
{
	unsigned int before = taken;

	wrmsr(HV_MSR_TPR, 0x50);
	expect_eq(rdmsr(HV_MSR_TPR), 0x50);
	expect_eq(apic_read(APIC_TPR), 0x50);
	wrmsr(HV_MSR_TPR, 0);
	irq_set_handler(VECTOR, on_interrupt_hv_eoi);
	/* The second one comes only if the EOI of the first one did anything. */
	for (unsigned int i = 0; i < 2; i++) {
		wrmsr(HV_MSR_ICR, ICR_FIXED | ICR_ASSERT | ICR_SELF | VECTOR);
		expect(interrupted(before + i));
	}
	irq_set_handler(VECTOR, on_interrupt);
	expect_eq(rdmsr(HV_MSR_ICR) & 0xff, VECTOR);
	expect_eq(rdmsr(HV_MSR_VP_ASSIST_PAGE), 0);
}

static void use_reset(void)
{
	expect_eq(rdmsr(HV_MSR_RESET), 0);
	wrmsr(HV_MSR_RESET, 0);
}

/* With interrupts off the sleep may end at any time (8.2.2), but the interrupt is kept. */
static void use_idle(void)
{
	for (unsigned int enabled = 0; enabled < 2; enabled++) {
		unsigned int before = taken;
		uint64_t begin = now_ns();

		irq_disable();
		apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_1);
		apic_write(APIC_LVT_TIMER, VECTOR);
		apic_write(APIC_TIMER_INITIAL, 10000000);
		if (enabled)
			irq_enable();
		rdmsr(HV_MSR_GUEST_IDLE);
		note("idle with interrupts %s: %lu us", enabled ? "on" : "off",
		     (now_ns() - begin) / 1000);
		expect_eq(taken, before + enabled);
		irq_enable();
		expect(interrupted(before));
		apic_write(APIC_LVT_TIMER, LVT_MASKED);
	}
}

static void use_crash(void)
{
	expect_eq(rdmsr(HV_MSR_CRASH_CTL), HV_CRASH_NOTIFY | HV_CRASH_MESSAGE);
	for (uint32_t msr = HV_MSR_CRASH_P0; msr <= HV_MSR_CRASH_P4; msr++)
		wrmsr(msr, 0x123456789abcdef0 + msr);
	for (uint32_t msr = HV_MSR_CRASH_P0; msr <= HV_MSR_CRASH_P4; msr++)
		expect_eq(rdmsr(msr), 0x123456789abcdef0 + msr);
	wrmsr(HV_MSR_CRASH_CTL, 0); /* asks for nothing */
}

static void use_spinlocks(void)
{
	expect_eq(hv_status(hv_call(HV_CALL_LONG_SPIN_WAIT | HV_CONTROL_FAST, 1000, 0)),
		  HV_STATUS_SUCCESS);
}

static void use_ipi(void)
{
	const uint64_t ex[] = {VECTOR, HV_VP_SET_SPARSE, BIT(0), BIT(0)};
	unsigned int before = taken;

	expect_eq(hv_call(HV_CALL_SEND_IPI | HV_CONTROL_FAST, VECTOR, BIT(0)), 0);
	expect(interrupted(before));
	before = taken;
	expect_eq(hv_call_memory(HV_CALL_SEND_IPI_EX | HV_EXTRA(1), ex, sizeof(ex)), 0);
	expect(interrupted(before));
}

static void use_tlb_flush(void)
{
	const uint64_t all[] = {0, 3, BIT(0)}; /* all processors, all address spaces */
	const uint64_t ex[] = {0, 2, HV_VP_SET_SPARSE, BIT(0), BIT(0)};

	expect_eq(hv_call_memory(HV_CALL_FLUSH_SPACE, all, sizeof(all)), 0);
	expect_eq(hv_call_memory(HV_CALL_FLUSH_SPACE_EX | HV_EXTRA(1), ex, sizeof(ex)), 0);
}

static void use_vp_registers(void)
{
	const uint64_t in[] = {HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF, HV_REGISTER_VP_INDEX};
	uint64_t *out = hv_output();

	out[0] = ~0ull;
	expect_eq(hv_call_memory(HV_CALL_GET_VP_REGISTERS | HV_REPS(1, 0), in, sizeof(in)),
		  BIT(32));
	expect_eq(out[0], cpu_index());
}

/* From then on nobody can move it (3.13). The tests below need it where it is. */
static void use_hypercall_lock(void)
{
	uint64_t page = rdmsr(HV_MSR_HYPERCALL);

	wrmsr(HV_MSR_HYPERCALL, page | HV_HYPERCALL_LOCKED);
	expect_eq(wrmsr_safe(HV_MSR_HYPERCALL, page), VECTOR_GP);
	expect_eq(rdmsr(HV_MSR_HYPERCALL), page | HV_HYPERCALL_LOCKED);
}

static void call_by_xmm(void *result)
{
	const uint64_t block[14] = {VECTOR, HV_VP_SET_SPARSE, BIT(0), BIT(0)};

	*(uint64_t *)result =
		hv_call_xmm(HV_CALL_SEND_IPI_EX | HV_CONTROL_FAST | HV_EXTRA(1), block);
}

static void use_xmm_input(void)
{
	unsigned int before = taken;
	uint64_t result = ~0ull;

	if (!hv_recommends(HV_REC_CLUSTER_IPI | HV_REC_EX_PROCESSOR_MASK))
		return; /* no call there that needs it */
	expect_eq(guarded_call(call_by_xmm, &result), NO_FAULT);
	expect_eq(result, 0);
	expect(interrupted(before));
}

static void use_extended_calls(void)
{
	uint64_t *out = hv_output();

	out[0] = 0;
	expect_eq(hv_call(HV_CALL_EXT_CAPABILITIES, 0, (uintptr_t)out), 0);
	expect(out[0] & HV_EXT_CAPABILITY_COLD_DISCARD);
}

static void use_sint_polling(void)
{
	unsigned int before = taken;

	if (!hv_eax(HV_EAX_STIMER))
		return; /* nothing there that sends messages without a device */
	expect(message_of(SINT << HV_STIMER_SINT_SHIFT, HV_SINT_POLLING | VECTOR));
	expect_eq(taken, before);
}

/* --- The table. ---------------------------------------------------------------------------- */

struct feature {
	const char *name;
	uint32_t eax, ebx, edx, recommend;
	void (*use)(void); /* NULL: it is a hint alone */
};

static const struct feature features[] = {
	{"runtime", HV_EAX_VP_RUNTIME, 0, 0, 0, use_runtime},
	{"reference-time", HV_EAX_REF_COUNTER | HV_EAX_REF_TSC, 0, 0, 0, use_reference_time},
	{"frequencies", HV_EAX_FREQUENCY_MSRS, 0, HV_EDX_FREQUENCY_MSRS, 0, use_frequencies},
	{"synic", HV_EAX_SYNIC, HV_EBX_POST_MESSAGES | HV_EBX_SIGNAL_EVENTS, 0, 0, use_synic},
	{"stimers", HV_EAX_STIMER, 0, 0, 0, use_stimers},
	{"direct-stimers", 0, 0, HV_EDX_DIRECT_STIMER, 0, use_direct_stimers},
	{"apic", HV_EAX_APIC_MSRS, 0, 0, 0, use_apic},
	{"reset", HV_EAX_RESET, 0, 0, 0, use_reset},
	{"idle", HV_EAX_GUEST_IDLE, 0, HV_EDX_GUEST_IDLE, 0, use_idle},
	{"crash", 0, 0, HV_EDX_CRASH_MSRS, 0, use_crash},
	{"ipi", 0, 0, 0, HV_REC_CLUSTER_IPI, use_ipi},
	{"tlb-flush", 0, 0, 0, HV_REC_REMOTE_TLB_FLUSH, use_tlb_flush},
	{"vp-registers", 0, HV_EBX_ACCESS_VP_REGISTERS, 0, 0, use_vp_registers},
	{"xmm-input", 0, 0, HV_EDX_XMM_INPUT, 0, use_xmm_input},
	{"extended-calls", 0, HV_EBX_EXTENDED_HYPERCALLS, 0, 0, use_extended_calls},
	{"sint-polling", 0, 0, HV_EDX_SINT_POLLING, 0, use_sint_polling},
	{"hypercall-lock", 0, 0, HV_EDX_HYPERCALL_LOCK, 0, use_hypercall_lock},
	{"relaxed", 0, 0, 0, HV_REC_RELAXED_TIMING, NULL},
	{"no-auto-eoi", 0, 0, 0, HV_REC_DEPRECATE_AUTOEOI, NULL},
	{"eoi-assist", 0, 0, 0, HV_REC_APIC_MSRS, NULL}, /* hv_eoi.c */
};

/* Bits that belong to the interface itself, or to several features. */
#define EAX_ALWAYS        (HV_EAX_HYPERCALL_MSRS | HV_EAX_VP_INDEX)
#define RECOMMEND_SEVERAL HV_REC_EX_PROCESSOR_MASK

static bool announced(const struct feature *f)
{
	return hv_eax(f->eax) && hv_ebx(f->ebx) && hv_edx(f->edx) && hv_recommends(f->recommend);
}

static bool announced_in_part(const struct feature *f)
{
	return (cpuid(HV_CPUID_FEATURES).eax & f->eax) || (cpuid(HV_CPUID_FEATURES).ebx & f->ebx) ||
	       (cpuid(HV_CPUID_FEATURES).edx & f->edx) ||
	       (cpuid(HV_CPUID_RECOMMENDATIONS).eax & f->recommend);
}

static bool spin_notified(void)
{
	return cpuid(HV_CPUID_RECOMMENDATIONS).ebx != HV_SPIN_NEVER;
}

/* --- CPUID itself. ------------------------------------------------------------------------- */

static void test_leaves(void)
{
	struct cpuid vendor = cpuid(HV_CPUID_VENDOR), have = cpuid(HV_CPUID_FEATURES);
	struct cpuid recommend = cpuid(HV_CPUID_RECOMMENDATIONS);
	uint32_t eax = EAX_ALWAYS, ebx = 0, edx = 0, hints = RECOMMEND_SEVERAL;

	expect_eq(vendor.ebx, 0x7263694d); /* "Microsoft Hv" */
	expect_eq(vendor.ecx, 0x666f736f);
	expect_eq(vendor.edx, 0x76482074);
	expect(vendor.eax >= HV_CPUID_LIMITS);
	expect(cpuid(HV_CPUID_VERSION).eax && cpuid(HV_CPUID_VERSION).ebx);
	expect(cpuid(HV_CPUID_LIMITS).eax >= cpu_count());
	test_case("vendor, version and limits");

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		eax |= features[i].eax;
		ebx |= features[i].ebx;
		edx |= features[i].edx;
		hints |= features[i].recommend;
		if (announced_in_part(&features[i]) != announced(&features[i]))
			note("%s is announced in part", features[i].name);
		expect_eq(announced_in_part(&features[i]), announced(&features[i]));
	}
	expect_eq(have.eax & EAX_ALWAYS, EAX_ALWAYS);
	test_case("each feature is announced by all of its bits or by none");
	note("features 0x%x 0x%x 0x%x, recommendations 0x%x, spins %u", have.eax, have.ebx,
	     have.edx, recommend.eax, recommend.ebx);
	expect_eq(have.eax & ~eax, 0);
	expect_eq(have.ebx & ~ebx, 0);
	expect_eq(have.edx & ~edx, 0);
	expect_eq(recommend.eax & ~hints, 0);
	test_case("no bit is announced that is not tested below");
}

static void expect_same_leaves(void *arg)
{
	const struct cpuid *first = arg;

	for (uint32_t i = 0; i <= HV_CPUID_LIMITS - HV_CPUID_VENDOR; i++) {
		struct cpuid own = cpuid(HV_CPUID_VENDOR + i);

		expect(!memcmp(&own, &first[i], sizeof(own)));
	}
}

static void test_leaves_everywhere(void)
{
	struct cpuid first[HV_CPUID_LIMITS - HV_CPUID_VENDOR + 1];

	for (uint32_t i = 0; i < ARRAY_SIZE(first); i++)
		first[i] = cpuid(HV_CPUID_VENDOR + i);
	smp_call_others(expect_same_leaves, first);
	expect(smp_wait_all(5000));
	test_case("every CPU sees the same leaves");
}

/* Is @name one of the list's? */
static bool listed(const char *parameter, const char *name)
{
	size_t len = strlen(name);
	char list[128];

	param_string(parameter, "", list, sizeof(list));
	for (const char *p = list; *p;) {
		if (!strncmp(p, name, len) && (p[len] == ',' || !p[len]))
			return true;
		while (*p && *p++ != ',')
			;
	}
	return false;
}

static void test_switches(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		if (listed("on", features[i].name))
			check(announced(&features[i]), "%s is announced", features[i].name);
		if (listed("off", features[i].name))
			check(!announced_in_part(&features[i]), "%s is not announced",
			      features[i].name);
	}
	if (listed("off", "spinlocks"))
		check(!spin_notified(), "spinlocks: no long spin is to be notified");
}

static void test_features(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		if (!announced(&features[i]) || !features[i].use)
			continue;
		features[i].use();
		test_case("%s: announced, and works", features[i].name);
	}
	if (!spin_notified())
		return;
	use_spinlocks();
	test_case("spinlocks: announced, and works");
}

/* --- What is not announced. ---------------------------------------------------------------- */

#define R 1
#define W 2

static const struct msr {
	uint32_t first, last;
	uint32_t eax, edx; /* bits that announce it; both 0: always there */
	unsigned int access;
} msrs[] = {
	{HV_MSR_GUEST_OS_ID, HV_MSR_HYPERCALL, 0, 0, R | W},
	{HV_MSR_VP_INDEX, HV_MSR_VP_INDEX, 0, 0, R},
	{HV_MSR_RESET, HV_MSR_RESET, HV_EAX_RESET, 0, R | W},
	{HV_MSR_VP_RUNTIME, HV_MSR_VP_RUNTIME, HV_EAX_VP_RUNTIME, 0, R},
	{HV_MSR_TIME_REF_COUNT, HV_MSR_TIME_REF_COUNT, HV_EAX_REF_COUNTER, 0, R},
	{HV_MSR_REFERENCE_TSC, HV_MSR_REFERENCE_TSC, HV_EAX_REF_TSC, 0, R | W},
	{HV_MSR_TSC_FREQUENCY, HV_MSR_APIC_FREQUENCY, HV_EAX_FREQUENCY_MSRS, 0, R},
	{HV_MSR_EOI, HV_MSR_EOI, HV_EAX_APIC_MSRS, 0, W},
	{HV_MSR_ICR, HV_MSR_VP_ASSIST_PAGE, HV_EAX_APIC_MSRS, 0, R | W},
	{HV_MSR_SCONTROL, HV_MSR_SCONTROL, HV_EAX_SYNIC, 0, R | W},
	{HV_MSR_SVERSION, HV_MSR_SVERSION, HV_EAX_SYNIC, 0, R},
	{HV_MSR_SIEFP, HV_MSR_EOM, HV_EAX_SYNIC, 0, R | W},
	{HV_MSR_SINT0, HV_MSR_SINT15, HV_EAX_SYNIC, 0, R | W},
	{HV_MSR_STIMER0_CONFIG, HV_MSR_STIMER3_COUNT, HV_EAX_STIMER, 0, R | W},
	/* Reading it sleeps: use_idle() has done so. */
	{HV_MSR_GUEST_IDLE, HV_MSR_GUEST_IDLE, HV_EAX_GUEST_IDLE, 0, R},
	{HV_MSR_CRASH_P0, HV_MSR_CRASH_CTL, 0, HV_EDX_CRASH_MSRS, R | W},
};

static unsigned int access_of(uint32_t index)
{
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++)
		if (index >= msrs[i].first && index <= msrs[i].last && hv_present() &&
		    hv_eax(msrs[i].eax) && hv_edx(msrs[i].edx))
			return msrs[i].access;
	return 0;
}

/* Only what must fault is written, and reading is harmless but for one. */
static void test_msr(uint32_t index, unsigned int *ret_refused)
{
	unsigned int access = access_of(index);
	uint64_t value;
	int vector;

	if (!(access & R && index == HV_MSR_GUEST_IDLE)) {
		vector = rdmsr_safe(index, &value);
		if (!expect_eq(vector, access & R ? NO_FAULT : VECTOR_GP))
			note("reading MSR 0x%x", index);
		*ret_refused += vector != NO_FAULT;
	}
	if (access & W)
		return;
	vector = wrmsr_safe(index, 0);
	if (!expect_eq(vector, VECTOR_GP))
		note("writing MSR 0x%x", index);
	*ret_refused += vector != NO_FAULT;
}

static void test_msrs(void)
{
	unsigned int refused = 0;

	for (uint32_t index = HV_MSR_FIRST; index <= HV_MSR_LAST;
	     index += index < HV_MSR_FIRST + 0x200 ? 1 : 29)
		test_msr(index, &refused);
	test_case("MSRs exist as announced");
	note("%u accesses fault", refused);
}

static const struct call {
	uint16_t code;
	uint32_t ebx, recommend;
} calls[] = {
	{HV_CALL_FLUSH_SPACE, 0, HV_REC_REMOTE_TLB_FLUSH},
	{HV_CALL_FLUSH_LIST, 0, HV_REC_REMOTE_TLB_FLUSH},
	{HV_CALL_FLUSH_SPACE_EX, 0, HV_REC_REMOTE_TLB_FLUSH | HV_REC_EX_PROCESSOR_MASK},
	{HV_CALL_FLUSH_LIST_EX, 0, HV_REC_REMOTE_TLB_FLUSH | HV_REC_EX_PROCESSOR_MASK},
	{HV_CALL_SEND_IPI, 0, HV_REC_CLUSTER_IPI},
	{HV_CALL_SEND_IPI_EX, 0, HV_REC_CLUSTER_IPI | HV_REC_EX_PROCESSOR_MASK},
	{HV_CALL_GET_VP_REGISTERS, HV_EBX_ACCESS_VP_REGISTERS, 0},
	{HV_CALL_SET_VP_REGISTERS, HV_EBX_ACCESS_VP_REGISTERS, 0},
	{HV_CALL_GET_VP_INDEX, 0, 0}, /* nothing announces it */
	{HV_CALL_POST_MESSAGE, HV_EBX_POST_MESSAGES, 0},
	{HV_CALL_SIGNAL_EVENT, HV_EBX_SIGNAL_EVENTS, 0},
	{HV_CALL_EXT_CAPABILITIES, HV_EBX_EXTENDED_HYPERCALLS, 0},
	{HV_CALL_EXT_MEMORY_HEAT, HV_EBX_EXTENDED_HYPERCALLS, 0},
};

static bool call_announced(uint16_t code)
{
	if (code == HV_CALL_LONG_SPIN_WAIT)
		return spin_notified();
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].code == code)
			return hv_ebx(calls[i].ebx) && hv_recommends(calls[i].recommend);
	return false;
}

static void expect_refused(uint16_t code)
{
	uint16_t status;

	if (call_announced(code))
		return;
	/* A call that is known, but not to this guest, may say so (3.12). */
	status = hv_status(hv_call(code, (uintptr_t)hv_input(), (uintptr_t)hv_output()));
	if (!expect(status == HV_STATUS_INVALID_HYPERCALL_CODE ||
		    status == HV_STATUS_ACCESS_DENIED))
		note("call code 0x%x: status 0x%x", code, status);
}

static void test_calls(void)
{
	memset(hv_input(), 0, PAGE_SIZE);
	for (uint16_t code = 0; code < 0x120; code++)
		expect_refused(code);
	for (uint16_t code = 0x8000; code < 0x8010; code++)
		expect_refused(code);
	expect_refused(0x7fff);
	expect_refused(0xffff);
	test_case("hypercalls without their bit are refused");
}

/* Forms and modes that have a bit of their own. */
static void test_forms(void)
{
	uint64_t result = 0;

	if (hv_recommends(HV_REC_CLUSTER_IPI | HV_REC_EX_PROCESSOR_MASK) &&
	    !hv_edx(HV_EDX_XMM_INPUT)) {
		expect_eq(guarded_call(call_by_xmm, &result), VECTOR_UD);
		test_case("input in XMM registers, not announced: undefined opcode (3.7.3)");
	}
	if (hv_eax(HV_EAX_STIMER) && !hv_edx(HV_EDX_DIRECT_STIMER)) {
		expect_eq(wrmsr_safe(HV_TIMER_CONFIG(TIMER),
				     HV_STIMER_DIRECT | VECTOR << HV_STIMER_VECTOR_SHIFT),
			  VECTOR_GP);
		test_case("direct timers, not announced: a fault");
	}
	if (hv_eax(HV_EAX_STIMER) && !hv_edx(HV_EDX_SINT_POLLING)) {
		unsigned int before = taken;

		expect(message_of(SINT << HV_STIMER_SINT_SHIFT, HV_SINT_POLLING | VECTOR));
		expect(interrupted(before));
		test_case("polling, not announced: an interrupt all the same");
	}
}

static void test_no_identity(void)
{
	unsigned int refused = 0;

	expect(cpuid(1).ecx & BIT(31));
	expect(cpuid(HV_CPUID_INTERFACE).eax != HV_INTERFACE_SIGNATURE);
	expect(cpuid(HV_CPUID_VENDOR).ebx != 0x7263694d);
	test_case("no leaf says Hyper-V");
	for (uint32_t index = HV_MSR_FIRST; index < HV_MSR_FIRST + 0x200; index++)
		test_msr(index, &refused);
	test_case("no MSR answers");
	note("%u accesses fault", refused);
}

void test_main(void)
{
	char identity[16];

	param_string("identity", "microsoft", identity, sizeof(identity));
	if (!strcmp(identity, "none")) {
		test_no_identity();
		return;
	}
	hv_init();
	irq_set_handler(VECTOR, on_interrupt);
	irq_enable();
	if (cpu_count() > 1 && !smp_start_all(10000))
		bail_out("not all CPUs start");
	test_leaves();
	test_leaves_everywhere();
	test_switches();
	if (hv_eax(HV_EAX_SYNIC))
		hv_synic_on(NULL);
	test_features();
	test_msrs();
	test_calls();
	test_forms();
	if (hv_eax(HV_EAX_SYNIC))
		hv_synic_off(NULL);
	irq_disable();
}
