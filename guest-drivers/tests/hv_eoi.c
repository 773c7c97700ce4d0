// SPDX-License-Identifier: MIT
/*
 * Interrupts whose end need not be said (TLFS 10.3.5): bit 0 of the VP assist page's first word
 * says so, wherever the page is, and says no such thing when it is nowhere.
 *
 * Parameters: cpu=N (which does it, default 0).
 */
#include "kit/hv.h"
#include "kit/kit.h"

#define VECTOR 0x62
#define ROUNDS 200

static uint32_t *page;
static unsigned int taken;         /* interrupts; atomic */
static unsigned int spared, ended; /* EOIs; of the interrupt's CPU */

static void on_interrupt(struct trap_frame *frame)
{
	(void)frame;
	if (page && (__atomic_exchange_n(page, 0, __ATOMIC_SEQ_CST) & 1)) {
		spared++;
	} else {
		wrmsr(HV_MSR_EOI, 0);
		ended++;
	}
	atomic_inc(&taken);
}

/* Each but the first comes only if the one before was ended. */
static void interrupt_myself(void)
{
	spared = ended = 0;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		const unsigned int before = load_acquire(&taken);

		wrmsr(HV_MSR_ICR, ICR_FIXED | ICR_ASSERT | ICR_SELF | VECTOR);
		expect(wait_for(load_acquire(&taken) > before, 2000));
	}
	expect_eq(spared + ended, ROUNDS);
}

static void place(uint32_t *at)
{
	wrmsr(HV_MSR_VP_ASSIST_PAGE, at ? (uintptr_t)at | HV_PAGE_MSR_ENABLE : 0);
	page = at;
}

static void run(void *unused)
{
	uint32_t *first = page_alloc(1), *second = page_alloc(1);

	(void)unused;
	irq_enable();
	interrupt_myself();
	expect_eq(ended, ROUNDS);
	test_case("without a page every interrupt is ended by the guest");

	place(first);
	interrupt_myself();
	expect(spared > ROUNDS / 2);
	test_case("with a page most need not be");
	note("%u of %u", spared, ROUNDS);

	place(second);
	*first = 0;
	interrupt_myself();
	expect(spared > ROUNDS / 2);
	expect_eq(*first, 0);
	test_case("the page can move");

	place(NULL);
	*second = 0;
	interrupt_myself();
	expect_eq(ended, ROUNDS);
	expect_eq(*second, 0);
	test_case("and go, and nobody writes where it was");
	irq_disable();
}

void test_main(void)
{
	unsigned int cpu = (unsigned int)param_u64("cpu", 0);

	if (!hv_present() || !hv_recommends(HV_REC_APIC_MSRS))
		skip_all("EOIs are not assisted: KVM or the processor does not need it");
	if (cpu_count() > 1 && !smp_start_all(10000))
		bail_out("not all CPUs start");
	hv_init();
	irq_set_handler(VECTOR, on_interrupt);
	expect(smp_call(cpu, run, NULL, 20000));
	test_case("it came to its end");
}
