// SPDX-License-Identifier: MIT
/*
 * A reset by the reset MSR: afterwards nothing synthetic is left but the time (TLFS 2.6, 3.13,
 * 11.8, 12.5). The first boot leaves marks everywhere, the second one looks for them. CMOS memory,
 * which a reset keeps, tells them apart.
 *
 * Parameters: engine=kernel (KVM serves), stop (the VMM is to end at the reset: its exit status
 * tells), cpu=N (which CPU resets, default 0).
 */
#include "kit/hv.h"
#include "kit/kit.h"

#define VECTOR     0x66
#define SINT       3
#define TIMER      2
#define CONNECTION 5
#define HOLE_GPA   0xd0000000ull

/* CMOS bytes. */
#define CMOS_MAGIC  0x60
#define CMOS_CASES  0x61
#define CMOS_FAILED 0x62
#define CMOS_TIME   0x63 /* eight of them */
#define MAGIC       0xb3

static struct {
	uint64_t time, os_id, hypercall, tsc_page, crash;
	bool hole_empty;
} early;

static unsigned int strays;

static uint8_t cmos_read(uint8_t index)
{
	out8(0x70, index);
	return in8(0x71);
}

static void cmos_write(uint8_t index, uint8_t v)
{
	out8(0x70, index);
	out8(0x71, v);
}

void early_main(void)
{
	if (!hv_present())
		return;
	early.time = hv_eax(HV_EAX_REF_COUNTER) ? hv_time_msr() : 0;
	early.os_id = rdmsr(HV_MSR_GUEST_OS_ID);
	early.hypercall = rdmsr(HV_MSR_HYPERCALL);
	early.tsc_page = hv_eax(HV_EAX_REF_TSC) ? rdmsr(HV_MSR_REFERENCE_TSC) : 0;
	early.crash = hv_edx(HV_EDX_CRASH_MSRS) ? rdmsr(HV_MSR_CRASH_P0 + 1) : 0;
	early.hole_empty = mmio_read32(HOLE_GPA) == 0xffffffff;
}

static void on_stray(struct trap_frame *frame)
{
	(void)frame;
	atomic_inc(&strays);
	apic_eoi();
}

/*
 * --- Before: on each CPU.
 * -------------------------------------------------------------------------
 */

static void dirty_cpu(void *unused)
{
	(void)unused;
	if (hv_eax(HV_EAX_SYNIC)) {
		hv_synic_on(NULL);
		for (unsigned int i = 0; i < HV_SINT_COUNT; i++)
			wrmsr(HV_SINT(i), VECTOR);
		hv_slot(cpu_index(), SINT + 1)->header.message_type = 0x77;
		hv_flags(cpu_index(), SINT)[5] = 0x77;
	}
	if (hv_eax(HV_EAX_STIMER)) {
		wrmsr(HV_TIMER_COUNT(TIMER), HV_TIME_MS(1));
		wrmsr(HV_TIMER_CONFIG(TIMER),
		      HV_STIMER_ENABLE | HV_STIMER_PERIODIC | SINT << HV_STIMER_SINT_SHIFT);
	}
	if (hv_eax(HV_EAX_APIC_MSRS))
		wrmsr(HV_MSR_VP_ASSIST_PAGE, (uintptr_t)hv_output() | HV_PAGE_MSR_ENABLE);
}

static void dirty_machine(void)
{
	hv_init();
	irq_set_handler(VECTOR, on_stray);
	smp_call_others(dirty_cpu, NULL);
	dirty_cpu(NULL);
	if (!smp_wait_all(5000))
		bail_out("the other CPUs do not get ready");
	if (hv_test_device() && hv_eax(HV_EAX_SYNIC)) {
		hv_test(HV_TEST_MESSAGE, CONNECTION, 0, SINT + 1);
		for (uint32_t i = 0; i < 4; i++)
			expect_eq(hv_post(CONNECTION, 1, &i, sizeof(i)), HV_STATUS_SUCCESS);
	}
	if (hv_edx(HV_EDX_CRASH_MSRS))
		wrmsr(HV_MSR_CRASH_P0 + 1, 0x77);
	if (hv_eax(HV_EAX_REF_TSC))
		wrmsr(HV_MSR_REFERENCE_TSC, HOLE_GPA | HV_PAGE_MSR_ENABLE);
	wrmsr(HV_MSR_HYPERCALL, hv_call_page | HV_PAGE_MSR_ENABLE | HV_HYPERCALL_LOCKED);
	expect(rdmsr(HV_MSR_HYPERCALL) & HV_HYPERCALL_LOCKED);
	test_case("the machine is full of marks");
}

static void write_reset(void *unused)
{
	(void)unused;
	wrmsr(HV_MSR_RESET, 1);
}

static void reset(void)
{
	struct test_progress p = test_progress();
	uint64_t now = hv_eax(HV_EAX_REF_COUNTER) ? hv_time_msr() : 0;

	cmos_write(CMOS_MAGIC, MAGIC);
	cmos_write(CMOS_CASES, (uint8_t)p.cases);
	cmos_write(CMOS_FAILED, (uint8_t)p.failed);
	for (unsigned int i = 0; i < 8; i++)
		cmos_write((uint8_t)(CMOS_TIME + i), (uint8_t)(now >> 8 * i));
	if (param_is_set("stop"))
		test_plan();
	smp_call((unsigned int)param_u64("cpu", 0), write_reset, NULL, 3000);
	delay_us(3000000);
	bail_out("still alive after a reset");
}

/*
 * --- After.
 * -----------------------------------------------------------------------------------------
 */

static void verify_partition(void)
{
	uint64_t before = 0;

	for (unsigned int i = 0; i < 8; i++)
		before |= (uint64_t)cmos_read((uint8_t)(CMOS_TIME + i)) << 8 * i;
	expect_eq(early.os_id, 0);
	expect_eq(early.hypercall, 0);
	expect_eq(early.tsc_page, 0);
	expect_eq(early.crash, 0);
	expect(early.hole_empty);
	test_case("identity, pages and crash parameters are as at power-on");
	if (hv_eax(HV_EAX_REF_COUNTER)) {
		expect(early.time > before);
		expect(early.time < before + HV_TIME_MS(20000));
		test_case("reference time goes on");
	}
}

static void verify_cpu(void *unused)
{
	(void)unused;
	if (hv_eax(HV_EAX_SYNIC)) {
		expect_eq(rdmsr(HV_MSR_SCONTROL), 0);
		expect_eq(rdmsr(HV_MSR_SIMP), 0);
		expect_eq(rdmsr(HV_MSR_SIEFP), 0);
		for (unsigned int i = 0; i < HV_SINT_COUNT; i++)
			expect_eq(rdmsr(HV_SINT(i)), HV_SINT_MASKED);
	}
	for (unsigned int i = 0; hv_eax(HV_EAX_STIMER) && i < HV_STIMER_COUNT; i++) {
		expect_eq(rdmsr(HV_TIMER_CONFIG(i)), 0);
		expect_eq(rdmsr(HV_TIMER_COUNT(i)), 0);
	}
	if (hv_eax(HV_EAX_APIC_MSRS))
		expect_eq(rdmsr(HV_MSR_VP_ASSIST_PAGE), 0);
}

/* With everything open again, nothing old comes out of it. */
static void open_cpu(void *unused)
{
	(void)unused;
	hv_synic_on(NULL);
	for (unsigned int i = 0; i < HV_SINT_COUNT; i++)
		wrmsr(HV_SINT(i), VECTOR);
	wrmsr(HV_MSR_EOM, 0);
	irq_enable();
	delay_us(5000);
	irq_disable();
	expect(memory_is(hv_slot(cpu_index(), 0), 0, PAGE_SIZE));
	expect(memory_is(hv_flags(cpu_index(), 0), 0, PAGE_SIZE));
}

static void verify_machine(void)
{
	verify_partition();
	verify_cpu(NULL);
	smp_call_others(verify_cpu, NULL);
	expect(smp_wait_all(5000));
	test_case("SynIC, timers and VP assist page of %u VPs are as at power-on", cpu_count());
	hv_init();
	test_case("the hypercall page is unlocked");
	if (!hv_eax(HV_EAX_SYNIC))
		return;
	irq_set_handler(VECTOR, on_stray);
	smp_call_others(open_cpu, NULL);
	open_cpu(NULL);
	expect(smp_wait_all(5000));
	expect_eq(strays, 0);
	test_case("no message, no flag, no timer of before the reset comes out");
	if (hv_test_device())
		check_eq(hv_post(CONNECTION, 1, "", 0), HV_STATUS_INVALID_CONNECTION_ID,
			 "the device's connections are closed");
}

void test_main(void)
{
	bool second = cmos_read(CMOS_MAGIC) == MAGIC;

	if (!hv_present() || !hv_eax(HV_EAX_RESET))
		skip_all("the reset MSR is not announced");
	if (second)
		test_resume((struct test_progress){cmos_read(CMOS_CASES), cmos_read(CMOS_FAILED)});
	if (cpu_count() > 1 && !smp_start_all(10000))
		bail_out("not all CPUs start");
	if (!second) {
		dirty_machine();
		reset();
	}
	cmos_write(CMOS_MAGIC, 0);
	verify_machine();
}
