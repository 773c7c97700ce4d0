// SPDX-License-Identifier: MIT
/*
 * The synthetic MSRs one by one (TLFS appendix C): who may read and write what, the rules of the
 * hypercall page, overlay pages that give back what is beneath them, and what is the same, or not,
 * on every VP.
 *
 * Parameters: engine=kernel (KVM serves).
 */
#include "kit/hv.h"
#include "kit/kit.h"

/* A page in the MMIO hole and one that no machine has RAM at. */
#define HOLE_GPA 0xd0000000ull

#define PATTERN 0x6b

/* Two pages of RAM of the test's own. */
static uint8_t *ram[2];

static bool page_is(uint64_t gpa, uint8_t byte)
{
	return memory_is(pa_ptr(gpa), byte, PAGE_SIZE);
}

/* What is beneath an overlay: a pattern that differs at both ends of the page. */
static void fill(uint8_t *page)
{
	memset(page, PATTERN, PAGE_SIZE);
	page[0] = 1;
	page[PAGE_SIZE - 1] = 2;
}

static bool filled(const uint8_t *page)
{
	return page[0] == 1 && page[PAGE_SIZE - 1] == 2 &&
	       memory_is(page + 1, PATTERN, PAGE_SIZE - 2);
}

/* --- Identity and the hypercall page (2.6, 3.13). -------------------------------------------- */

static void test_power_on(void)
{
	expect_eq(rdmsr(HV_MSR_GUEST_OS_ID), 0);
	expect_eq(rdmsr(HV_MSR_HYPERCALL), 0);
	test_case("no identity and no hypercall page at power-on");

	wrmsr(HV_MSR_HYPERCALL, (uintptr_t)ram[0] | HV_PAGE_MSR_ENABLE);
	expect_eq(rdmsr(HV_MSR_HYPERCALL) & HV_PAGE_MSR_ENABLE, 0);
	expect(filled(ram[0]));
	test_case("without an identity the page does not become enabled");
}

static bool call_works(void)
{
	return hv_status(hv_call(0xfffe, 0, 0)) == HV_STATUS_INVALID_HYPERCALL_CODE;
}

static void test_hypercall_page(void)
{
	uint64_t first = (uintptr_t)ram[0], second = (uintptr_t)ram[1];

	expect(hv_enable_calls(first));
	expect(!filled(ram[0]));
	expect(call_works());
	test_case("the page is enabled, covers what was there, and calls work");

	expect(hv_enable_calls(second));
	expect(filled(ram[0]));
	expect(!filled(ram[1]));
	expect(call_works());
	test_case("moved: the RAM at the old place is back byte for byte, calls work at the new");

	wrmsr(HV_MSR_HYPERCALL, second);
	expect_eq(rdmsr(HV_MSR_HYPERCALL), second);
	expect(filled(ram[1]));
	expect(hv_enable_calls(second));
	expect(call_works());
	test_case("disabled: the RAM is back; enabled again: calls work");

	wrmsr(HV_MSR_GUEST_OS_ID, 0);
	expect_eq(rdmsr(HV_MSR_HYPERCALL) & HV_PAGE_MSR_ENABLE, 0);
	expect(filled(ram[1]));
	test_case("an identity of 0 disables the page");

	expect(hv_enable_calls(first));
	wrmsr(HV_MSR_GUEST_OS_ID, HV_GUEST_OS_ID + 1);
	expect_eq(rdmsr(HV_MSR_GUEST_OS_ID), HV_GUEST_OS_ID + 1);
	expect(call_works());
	test_case("the identity may change while the page is enabled");

	expect(hv_enable_calls(HOLE_GPA));
	expect(!page_is(HOLE_GPA, 0xff));
	expect(call_works());
	expect(hv_enable_calls(first));
	expect(page_is(HOLE_GPA, 0xff));
	expect(call_works());
	test_case("a page where there is no RAM works, and is gone when it moves away");
}

static void test_beyond_gpa_space(void)
{
	uint64_t before = rdmsr(HV_MSR_HYPERCALL);
	uint64_t beyond = BIT(52) | HV_PAGE_MSR_ENABLE;

	expect_eq(wrmsr_safe(HV_MSR_HYPERCALL, beyond), VECTOR_GP);
	expect_eq(rdmsr(HV_MSR_HYPERCALL), before);
	expect(call_works());
	test_case("a hypercall page beyond the GPA space faults and stays where it was (3.13)");

	if (hv_eax(HV_EAX_SYNIC)) {
		expect_eq(wrmsr_safe(HV_MSR_SIMP, beyond), NO_FAULT);
		expect_eq(wrmsr_safe(HV_MSR_SIMP, 0), NO_FAULT);
		expect_eq(wrmsr_safe(HV_MSR_SIEFP, beyond), NO_FAULT);
		expect_eq(wrmsr_safe(HV_MSR_SIEFP, 0), NO_FAULT);
	}
	if (hv_eax(HV_EAX_REF_TSC)) {
		expect_eq(wrmsr_safe(HV_MSR_REFERENCE_TSC, beyond), NO_FAULT);
		expect_eq(wrmsr_safe(HV_MSR_REFERENCE_TSC, 0), NO_FAULT);
	}
	test_case("other pages beyond it are merely not accessible (11.8.3, 11.8.4, 12.7)");
}

/* The hypercall page is not for writing (3.13). */
static void write_call_page(void *arg)
{
	(void)arg;
	*(volatile uint8_t *)pa_ptr(hv_call_page + 0x800) = 0;
}

static void test_write_protection(void)
{
	int vector = guarded_call(write_call_page, NULL);

	note("writing into the hypercall page: %s", vector == NO_FAULT ? "nothing" : "a fault");
	expect(vector == NO_FAULT || vector == VECTOR_GP);
	expect(call_works());
	test_case("a write into the hypercall page does no harm");
}

/* Last: only a reset unlocks. */
static void test_lock(void)
{
	uint64_t locked = (uintptr_t)ram[0] | HV_PAGE_MSR_ENABLE | HV_HYPERCALL_LOCKED;

	wrmsr(HV_MSR_HYPERCALL, locked);
	expect_eq(rdmsr(HV_MSR_HYPERCALL), locked);
	wrmsr_safe(HV_MSR_HYPERCALL, (uintptr_t)ram[1] | HV_PAGE_MSR_ENABLE);
	expect_eq(rdmsr(HV_MSR_HYPERCALL), locked);
	wrmsr_safe(HV_MSR_HYPERCALL, 0);
	expect_eq(rdmsr(HV_MSR_HYPERCALL), locked);
	expect(filled(ram[1]));
	expect(call_works());
	test_case("a locked page stays where it is");
}

/* --- Other overlay pages (5.2.1, 11.9). ------------------------------------------------------ */

static void test_overlay(const char *what, uint32_t msr)
{
	uint64_t first = (uintptr_t)ram[0], second = (uintptr_t)ram[1];

	expect_eq(rdmsr(msr), 0);
	wrmsr(msr, first | HV_PAGE_MSR_ENABLE);
	expect_eq(rdmsr(msr), first | HV_PAGE_MSR_ENABLE);
	expect(!filled(ram[0]));
	test_case("%s: covers RAM", what);

	ram[0][0x200] = 0x11; /* into the overlay, not into what is beneath */
	wrmsr(msr, second | HV_PAGE_MSR_ENABLE);
	expect(filled(ram[0]));
	expect(!filled(ram[1]));
	test_case("%s: moved, it gives the RAM beneath back", what);

	wrmsr(msr, second);
	expect(filled(ram[1]));
	expect_eq(rdmsr(msr), second);
	wrmsr(msr, HOLE_GPA | HV_PAGE_MSR_ENABLE);
	*(volatile uint32_t *)pa_ptr(HOLE_GPA + 0xffc) = 0x12345678;
	expect_eq(*(volatile uint32_t *)pa_ptr(HOLE_GPA + 0xffc), 0x12345678);
	wrmsr(msr, 0);
	expect(page_is(HOLE_GPA, 0xff));
	expect_eq(rdmsr(msr), 0);
	test_case("%s: a place without RAM works, and is empty again afterwards", what);
}

static void test_overlays(void)
{
	if (hv_eax(HV_EAX_SYNIC)) {
		test_overlay("SIMP", HV_MSR_SIMP);
		test_overlay("SIEFP", HV_MSR_SIEFP);
	}
	if (hv_eax(HV_EAX_APIC_MSRS))
		test_overlay("VP assist page", HV_MSR_VP_ASSIST_PAGE);
	if (hv_eax(HV_EAX_REF_TSC))
		test_overlay("reference TSC page", HV_MSR_REFERENCE_TSC);
}

/* Which of two is seen is undefined (5.2.1); that both go away one after the other is not. */
static void test_overlays_at_one_place(void)
{
	uint64_t gpa = (uintptr_t)ram[0], places[] = {gpa, HOLE_GPA};

	wrmsr(HV_MSR_SIEFP, gpa | HV_PAGE_MSR_ENABLE);
	mmio_write32(gpa, 0x52);
	wrmsr(HV_MSR_SIEFP, 0);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		wrmsr(HV_MSR_SIMP, places[i] | HV_PAGE_MSR_ENABLE);
		mmio_write32(places[i], 0x51);
		wrmsr(HV_MSR_SIEFP, places[i] | HV_PAGE_MSR_ENABLE);
		expect(mmio_read32(places[i]) == 0x51 || mmio_read32(places[i]) == 0x52);
		wrmsr(HV_MSR_SIEFP, 0);
		expect_eq(mmio_read32(places[i]), 0x51);
		/* And the one below leaves first. */
		wrmsr(HV_MSR_SIEFP, places[i] | HV_PAGE_MSR_ENABLE);
		wrmsr(HV_MSR_SIMP, 0);
		expect_eq(mmio_read32(places[i]), 0x52);
		wrmsr(HV_MSR_SIEFP, 0);
	}
	expect(filled(ram[0]));
	expect(page_is(HOLE_GPA, 0xff));
	test_case("two pages at one place, taken away in either order");
}

/* Pages of different VPs: each its own, seen at its place by all. */
static void place_own(void *arg)
{
	uint64_t *gpas = arg, gpa = gpas[cpu_index()];

	wrmsr(HV_MSR_SIMP, gpa | HV_PAGE_MSR_ENABLE);
	mmio_write32(gpa + 16, 0x1000 + cpu_index());
	expect_eq(rdmsr(HV_MSR_SIMP), gpa | HV_PAGE_MSR_ENABLE);
}

static void remove_own(void *arg)
{
	(void)arg;
	wrmsr(HV_MSR_SIMP, 0);
}

static void test_overlays_of_all(void)
{
	uint64_t *gpas = page_alloc(2);
	uint8_t *pages = page_alloc(cpu_count());

	memset(pages, PATTERN, cpu_count() * PAGE_SIZE);
	for (unsigned int i = 0; i < cpu_count(); i++)
		gpas[i] = (uintptr_t)pages + i * PAGE_SIZE;
	smp_call_others(place_own, gpas);
	place_own(gpas);
	expect(smp_wait_all(5000));
	for (unsigned int i = 0; i < cpu_count(); i++)
		expect_eq(mmio_read32(gpas[i] + 16), 0x1000 + i);
	smp_call_others(remove_own, NULL);
	remove_own(NULL);
	expect(smp_wait_all(5000));
	expect(memory_is(pages, PATTERN, cpu_count() * PAGE_SIZE));
	test_case("a message page of each VP, all at once");
}

/* --- SynIC registers (11.8). ----------------------------------------------------------------- */

static void test_synic_registers(void)
{
	expect_eq(rdmsr(HV_MSR_SCONTROL), 0);
	expect_eq(rdmsr(HV_MSR_SVERSION), HV_SYNIC_VERSION);
	expect_eq(rdmsr(HV_MSR_EOM), 0);
	for (unsigned int i = 0; i < HV_SINT_COUNT; i++)
		expect_eq(rdmsr(HV_SINT(i)), HV_SINT_MASKED);
	test_case("SynIC registers are as at power-on");

	wrmsr(HV_MSR_SCONTROL, HV_SCONTROL_ENABLE);
	expect_eq(rdmsr(HV_MSR_SCONTROL), HV_SCONTROL_ENABLE);
	wrmsr(HV_MSR_EOM, 0);
	expect_eq(rdmsr(HV_MSR_EOM), 0);
	for (unsigned int i = 0; i < HV_SINT_COUNT; i++) {
		wrmsr(HV_SINT(i), 0x30 + i);
		expect_eq(rdmsr(HV_SINT(i)), 0x30 + i);
		wrmsr(HV_SINT(i), HV_SINT_AUTO_EOI | (0x40 + i));
		expect_eq(rdmsr(HV_SINT(i)), HV_SINT_AUTO_EOI | (0x40 + i));
		wrmsr(HV_SINT(i), HV_SINT_MASKED | (0x50 + i));
		expect_eq(rdmsr(HV_SINT(i)), HV_SINT_MASKED | (0x50 + i));
		wrmsr(HV_SINT(i), HV_SINT_MASKED);
	}
	test_case("what is written reads back, on all SINTs");

	expect_eq(wrmsr_safe(HV_SINT(5), 15), VECTOR_GP);
	expect_eq(wrmsr_safe(HV_SINT(5), 0), VECTOR_GP);
	expect_eq(rdmsr(HV_SINT(5)), HV_SINT_MASKED);
	expect_eq(wrmsr_safe(HV_SINT(5), 16), NO_FAULT);
	expect_eq(wrmsr_safe(HV_SINT(5), 255), NO_FAULT);
	wrmsr(HV_SINT(5), HV_SINT_MASKED);
	expect_eq(wrmsr_safe(HV_MSR_SVERSION, 1), VECTOR_GP);
	test_case("vectors below 16 fault, and so does writing the version");

	/* Reserved bits are to be preserved, not to be refused. */
	expect_eq(wrmsr_safe(HV_SINT(6), HV_SINT_MASKED | BIT(40) | BIT(10)), NO_FAULT);
	expect_eq(rdmsr(HV_SINT(6)) & 0xffff, BIT(10));
	expect_eq(wrmsr_safe(HV_MSR_SIMP, BIT(5)), NO_FAULT);
	expect_eq(rdmsr(HV_MSR_SIMP), BIT(5));
	wrmsr(HV_SINT(6), HV_SINT_MASKED);
	wrmsr(HV_MSR_SIMP, 0);
	wrmsr(HV_MSR_SCONTROL, 0);
	test_case("reserved bits are kept (RsvdP)");
}

/* --- What is only for reading, and what is only for writing. --------------------------------- */

static void test_access(void)
{
	static const uint32_t read_only[] = {HV_MSR_VP_INDEX,       HV_MSR_VP_RUNTIME,
					     HV_MSR_TIME_REF_COUNT, HV_MSR_TSC_FREQUENCY,
					     HV_MSR_APIC_FREQUENCY, HV_MSR_SVERSION};
	uint64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(read_only); i++) {
		if (!expect_eq(wrmsr_safe(read_only[i], 1), VECTOR_GP))
			note("MSR 0x%x can be written", read_only[i]);
	}
	if (hv_eax(HV_EAX_APIC_MSRS)) {
		expect_eq(rdmsr_safe(HV_MSR_EOI, &value), VECTOR_GP);
		/* KVM looks at the lower bits alone. */
		expect_eq(wrmsr_safe(HV_MSR_TPR, 0x100), hv_by_kvm() ? NO_FAULT : VECTOR_GP);
		expect_eq(rdmsr(HV_MSR_TPR), 0);
	}
	if (hv_eax(HV_EAX_STIMER) && !hv_by_kvm()) {
		expect_eq(wrmsr_safe(HV_TIMER_CONFIG(0), BIT(13)), VECTOR_GP);
		expect_eq(wrmsr_safe(HV_TIMER_CONFIG(0), BIT(20)), VECTOR_GP);
		expect_eq(wrmsr_safe(HV_TIMER_CONFIG(0), BIT(63)), VECTOR_GP);
		expect_eq(rdmsr(HV_TIMER_CONFIG(0)), 0);
	}
	test_case("registers for reading, for writing, and bits that must be zero");
}

/* --- The same on every VP, or its own. ------------------------------------------------------- */

static uint64_t runtime[CPUS_MAX];

static void look_at_own(void *arg)
{
	(void)arg;
	expect_eq(rdmsr(HV_MSR_VP_INDEX), cpu_index());
	expect_eq(rdmsr(HV_MSR_GUEST_OS_ID), HV_GUEST_OS_ID);
	expect_eq(rdmsr(HV_MSR_HYPERCALL), hv_call_page | HV_PAGE_MSR_ENABLE);
	expect(call_works());
	if (hv_eax(HV_EAX_SYNIC))
		expect_eq(rdmsr(HV_SINT(2)), cpu_index() ? HV_SINT_MASKED : 0x77);
}

static void test_vps(void)
{
	hv_enable_calls((uintptr_t)ram[0]);
	if (hv_eax(HV_EAX_SYNIC))
		wrmsr(HV_SINT(2), 0x77);
	look_at_own(NULL);
	smp_call_others(look_at_own, NULL);
	expect(smp_wait_all(10000));
	if (hv_eax(HV_EAX_SYNIC))
		wrmsr(HV_SINT(2), HV_SINT_MASKED);
	test_case("VP index and SINTs are each VP's own, identity and hypercall page shared");
}

static void burn(void *arg)
{
	uint64_t before = rdmsr(HV_MSR_VP_RUNTIME);

	(void)arg;
	delay_us(30000);
	runtime[cpu_index()] = rdmsr(HV_MSR_VP_RUNTIME) - before;
}

static void test_runtime(void)
{
	uint64_t least = UINT64_MAX, most = 0, begin = now_ns(), elapsed;

	smp_call_others(burn, NULL);
	burn(NULL);
	expect(smp_wait_all(20000));
	elapsed = (now_ns() - begin) / 100;
	for (unsigned int i = 0; i < cpu_count(); i++) {
		expect(runtime[i] > 0);
		/*
		 * A VP's thread cannot run for longer than the clock; the accounting may be coarse.
		 */
		expect(runtime[i] <= elapsed + HV_TIME_MS(20));
		least = runtime[i] < least ? runtime[i] : least;
		most = runtime[i] > most ? runtime[i] : most;
	}
	note("run time while spinning 30 ms: %lu to %lu us", least / 10, most / 10);
	test_case("the run time of every VP grows, not faster than time");
}

static bool near(uint64_t a, uint64_t b, uint64_t percent)
{
	uint64_t larger = a > b ? a : b, smaller = a > b ? b : a;

	return (larger - smaller) * 100 <= larger * percent;
}

static void test_frequencies(void)
{
	uint64_t tsc = rdmsr(HV_MSR_TSC_FREQUENCY), apic = rdmsr(HV_MSR_APIC_FREQUENCY);
	uint64_t t0 = hv_eax(HV_EAX_REF_COUNTER) ? hv_time_msr() : 0, c0 = rdtsc(), measured;

	delay_us(50000);
	if (hv_eax(HV_EAX_REF_COUNTER)) {
		measured = (rdtsc() - c0) * 10000 / ((hv_time_msr() - t0) / 1000);
		note("TSC: %lu kHz announced, %lu by reference time, %lu by %s", tsc / 1000,
		     measured / 1000, tsc_khz(), tsc_source());
		expect(near(measured, tsc, 2));
	}
	expect(near(tsc / 1000, tsc_khz(), 5));
	test_case("TSC frequency");
	measured = apic_timer_khz();
	note("APIC timer: %lu kHz announced, %lu measured", apic / 1000, measured);
	check(near(apic / 1000, measured, 10), "APIC timer frequency");
}

void test_main(void)
{
	if (!hv_present())
		skip_all("there is no Hyper-V interface");
	if (cpu_count() > 1 && !smp_start_all(10000))
		bail_out("not all CPUs start");
	for (size_t i = 0; i < ARRAY_SIZE(ram); i++)
		fill(ram[i] = page_alloc(1));

	test_power_on();
	test_hypercall_page();
	test_write_protection();
	wrmsr(HV_MSR_GUEST_OS_ID, 0);
	test_overlays();
	hv_enable_calls((uintptr_t)page_alloc(1));
	test_beyond_gpa_space();
	if (hv_eax(HV_EAX_SYNIC)) {
		test_overlays_at_one_place();
		test_overlays_of_all();
		test_synic_registers();
	}
	test_access();
	test_vps();
	if (hv_eax(HV_EAX_VP_RUNTIME))
		test_runtime();
	if (hv_eax(HV_EAX_FREQUENCY_MSRS))
		test_frequencies();
	test_lock();
}
