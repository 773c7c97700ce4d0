// SPDX-License-Identifier: MIT
/*
 * What the Hyper-V interface costs, from the guest's side, next to what it replaces. Not a
 * pass/fail test but for that each operation can be done; the lines to read are
 *
 *   # bench NAME ns N                  an operation, the mean of the best of some batches
 *   # bench NAME p50 N p99 N max N     a latency, in ns, of all operations
 *
 * tests/bench/hv_cost runs it on several machines and counts exits. It wants two CPUs, and the
 * SynIC test device for messages; what a machine lacks is left out.
 *
 * Parameters: n=N (operations in a batch, default 1000), batches=N (default 5), op=NAME (that one
 * alone).
 */
#include "kit/histogram.h"
#include "kit/hv.h"
#include "kit/kit.h"

#define UNCLAIMED_PORT 0x1230
#define UNKNOWN_CALL   0x7fff
#define SINT           4
#define VECTOR         0x64
#define EVENT          7 /* connections of the test device */
#define MESSAGE_SELF   8
#define MESSAGE_OTHER  9
#define DOORBELL       10

static const struct hv_reference_tsc_page *page;
static uint64_t interrupts; /* atomic */
static struct histogram latency;
static uint64_t apic_khz;

/* What the machine has. */
static bool has_hv, has_time, has_synic, has_timers, has_direct, has_device, has_other,
	has_doorbell;

static void on_interrupt(struct trap_frame *frame)
{
	(void)frame;
	atomic_inc(&interrupts);
	apic_eoi();
}

/* Counts when all is done: whoever waits for it may post again. */
static void on_message(struct trap_frame *frame)
{
	(void)frame;
	hv_take_message(SINT, NULL);
	apic_eoi();
	atomic_inc(&interrupts);
}

static bool interrupted(uint64_t before)
{
	return wait_for(load_acquire(&interrupts) > before, 2000);
}

/*
 * --- Operations that are done when they return.
 * -----------------------------------------------------
 */

static void do_nothing(void)
{
	barrier();
}

static void do_cpuid(void)
{
	cpuid(0);
}

static void do_out(void)
{
	out8(UNCLAIMED_PORT, 0);
}

static void do_pm_timer(void)
{
	uint32_t v;

	pm_timer_read(&v);
}

static void do_rdtsc(void)
{
	rdtsc();
}

static void do_time_page(void)
{
	hv_time_page(page);
}

static void do_time_msr(void)
{
	hv_time_msr();
}

static void do_hypercall(void)
{
	hv_call(UNKNOWN_CALL | HV_CONTROL_FAST, 0, 0);
}

/* Up to the VMM on every engine: KVM serves no messages. */
static void do_post_unknown(void)
{
	hv_post(0x4321, 1, "", 0);
}

static void do_signal_unknown(void)
{
	hv_signal(0x4321, 0);
}

/* The flag stays set: what is measured is the signal, not the interrupt. */
static void do_signal(void)
{
	hv_signal(EVENT, 0);
}

/* What the host then does takes place on another thread, as with a VMBus channel. */
static void do_signal_doorbell(void)
{
	hv_signal(DOORBELL, 0);
}

/*
 * --- Latencies.
 * ----------------------------------------------------------------------------------------
 */

/*
 * From before the hypercall to after the handler. A VMM with one buffer may ask us to try again
 * while it is not done with the last one.
 */
static void message(uint8_t connection)
{
	uint64_t before = load_acquire(&interrupts), end = deadline_ms(2000), begin;
	uint16_t status;

	do {
		begin = rdtsc();
		status = hv_post(connection, 1, "", 0);
	} while (status == HV_STATUS_INSUFFICIENT_BUFFERS && !deadline_passed(end));
	if (status != HV_STATUS_SUCCESS || !interrupted(before))
		bail_out("a message is lost (status 0x%x)", status);
	histogram_add(&latency, cycles_to_ns(rdtsc() - begin));
}

static void do_message_self(void)
{
	message(MESSAGE_SELF);
}

/* To a CPU that sleeps. */
static void do_message_other(void)
{
	message(MESSAGE_OTHER);
}

/* Sleeps until the interrupt; one that never comes is the host's time-out to end. */
static void sleep_until(uint64_t before)
{
	irq_disable();
	while (load_acquire(&interrupts) == before) {
		irq_enable_and_halt();
		irq_disable();
	}
	irq_enable();
}

static void timer(uint64_t config)
{
	uint64_t before = load_acquire(&interrupts), when = hv_time_page(page) + HV_TIME_MS(1);

	wrmsr(HV_TIMER_COUNT(0), when);
	wrmsr(HV_TIMER_CONFIG(0), config | HV_STIMER_ENABLE);
	sleep_until(before);
	histogram_add(&latency, (hv_time_page(page) - when) * 100);
}

static void do_timer_message(void)
{
	timer((uint64_t)SINT << HV_STIMER_SINT_SHIFT);
}

static void do_timer_direct(void)
{
	timer(HV_STIMER_DIRECT | VECTOR << HV_STIMER_VECTOR_SHIFT);
}

/* What a guest without synthetic timers has. */
static void do_timer_apic(void)
{
	uint64_t before = load_acquire(&interrupts), when = rdtsc() + ms_to_cycles(1), now;

	apic_write(APIC_LVT_TIMER, VECTOR);
	apic_write(APIC_TIMER_INITIAL, (uint32_t)apic_khz);
	sleep_until(before);
	now = rdtsc();
	histogram_add(&latency, now > when ? cycles_to_ns(now - when) : 0);
}

/*
 * --- The table.
 * ------------------------------------------------------------------------------------------
 */

static const struct operation {
	const char *name;
	void (*run)(void);
	const bool *needs;
	unsigned int divide; /* of n: slow ones */
	bool latency;
} operations[] = {
	{"nothing", do_nothing, NULL, 1, false},
	{"cpuid", do_cpuid, NULL, 1, false},
	{"out_unclaimed", do_out, NULL, 1, false},
	{"in_pm_timer", do_pm_timer, NULL, 1, false},
	{"rdtsc", do_rdtsc, NULL, 1, false},
	{"time_page", do_time_page, &has_time, 1, false},
	{"time_msr", do_time_msr, &has_time, 1, false},
	{"hypercall", do_hypercall, &has_hv, 1, false},
	{"post_unknown", do_post_unknown, &has_synic, 1, false},
	{"signal_unknown", do_signal_unknown, &has_synic, 1, false},
	{"signal", do_signal, &has_device, 1, false},
	{"signal_doorbell", do_signal_doorbell, &has_doorbell, 1, false},
	{"message_self", do_message_self, &has_device, 2, true},
	{"message_other", do_message_other, &has_other, 2, true},
	{"timer_message", do_timer_message, &has_timers, 5, true},
	{"timer_direct", do_timer_direct, &has_direct, 5, true},
	{"timer_apic", do_timer_apic, NULL, 5, true},
};

static void measure_latency(const struct operation *op, uint64_t n)
{
	memset(&latency, 0, sizeof(latency));
	for (uint64_t i = 0; i < n; i++) {
		op->run();
		if (i % 64 == 0)
			deadline_passed(UINT64_MAX); /* the watchdog */
	}
	note("bench %s p50 %lu p99 %lu max %lu", op->name, histogram_quantile(&latency, 500),
	     histogram_quantile(&latency, 990), latency.max);
}

static void measure_batches(const struct operation *op, uint64_t n, uint64_t batches)
{
	uint64_t best = UINT64_MAX;

	for (uint64_t batch = 0; batch < batches; batch++) {
		uint64_t begin = rdtsc();

		for (uint64_t i = 0; i < n; i++)
			op->run();
		uint64_t cycles = rdtsc() - begin;

		best = cycles < best ? cycles : best;
		deadline_passed(UINT64_MAX);
	}
	note("bench %s ns %lu", op->name, cycles_to_ns(best) / n);
}

static bool is_available(const struct operation *op)
{
	return !op->needs || *op->needs;
}

/*
 * --- Setting up.
 * -------------------------------------------------------------------------------------------
 */

static void open_synic(void *unused)
{
	(void)unused;
	hv_synic_on(NULL);
	wrmsr(HV_SINT(SINT), VECTOR + 1);
}

static void open_connections(void)
{
	smp_call_others(open_synic, NULL);
	open_synic(NULL);
	if (!smp_wait_all(5000))
		bail_out("the other CPUs do not answer");
	has_device = hv_test_device();
	has_other = has_device && cpu_count() > 1;
	if (!has_device)
		return;
	hv_test(HV_TEST_EVENT, EVENT, 0, SINT + 1);
	hv_test(HV_TEST_DOORBELL, DOORBELL, 0, 0);
	has_doorbell = hv_signal(DOORBELL, 0) == HV_STATUS_SUCCESS;
	hv_test(HV_TEST_MESSAGE, MESSAGE_SELF, 0, SINT);
	if (has_other)
		hv_test(HV_TEST_MESSAGE, MESSAGE_OTHER, 1, SINT);
}

static void set_up(void)
{
	irq_set_handler(VECTOR, on_interrupt);
	irq_set_handler(VECTOR + 1, on_message);
	if (cpu_count() > 1 && !smp_start_all(10000))
		bail_out("not all CPUs start");
	apic_khz = apic_timer_khz();
	has_hv = hv_present();
	if (has_hv) {
		hv_init();
		has_time = hv_eax(HV_EAX_REF_COUNTER | HV_EAX_REF_TSC);
		page = has_time ? hv_time_enable() : NULL;
		has_synic = hv_eax(HV_EAX_SYNIC);
		if (has_synic)
			open_connections();
		has_timers = has_synic && has_time && hv_eax(HV_EAX_STIMER);
		has_direct = has_time && hv_eax(HV_EAX_STIMER) && hv_edx(HV_EDX_DIRECT_STIMER);
	}
	irq_enable();
}

void test_main(void)
{
	uint64_t n = param_u64("n", 1000), batches = param_u64("batches", 5);
	unsigned int measured = 0;
	char only[32];

	param_string("op", "", only, sizeof(only));
	set_up();
	note("TSC %lu kHz by %s, %lu operations in a batch, time page sequence %u", tsc_khz(),
	     tsc_source(), n, page ? page->tsc_sequence : 0);
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		const struct operation *op = &operations[i];

		if (!is_available(op) || (*only && strcmp(only, op->name)))
			continue;
		/* With a name all are counted: n of them, neither more nor less. */
		if (op->latency)
			measure_latency(op, *only ? n : n / op->divide);
		else
			measure_batches(op, n, *only ? 1 : batches);
		measured++;
	}
	check(*only || measured, "%u operations measured", measured);
	irq_disable();
}
