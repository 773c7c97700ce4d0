// SPDX-License-Identifier: MIT
/*
 * Synthetic timers (TLFS 12): every mode on every VP, and how well two periodic ones keep time.
 *
 * Parameters: engine=kernel (KVM serves), seconds=N (of the periodic timers, default 2), hz=N (of
 * the second one, default 1000), strict (no tick may be lost there: for hosts that have nothing
 * else to do).
 */
#include "kit/histogram.h"
#include "kit/hv.h"
#include "kit/kit.h"

#define SINT   2    /* timer i sends to SINT + i */
#define VECTOR 0x70 /* + timer */
#define DIRECT 0x80 /* + timer */
#define ALARM  0x90

#define TO_SINT(timer)   ((uint64_t)(SINT + (timer)) << HV_STIMER_SINT_SHIFT)
#define TO_VECTOR(timer) (HV_STIMER_DIRECT | (uint64_t)(DIRECT + (timer)) << HV_STIMER_VECTOR_SHIFT)

/* What a CPU has seen of one timer. */
struct seen {
	unsigned int messages, interrupts;
	uint64_t first, last; /* expiration times */
	uint64_t at;          /* when the last one was seen */
	unsigned int early, odd;
	struct histogram *late;
};

static struct seen (*all_seen)[HV_STIMER_COUNT]; /* [cpu][timer] */

static const struct hv_reference_tsc_page *page; /* NULL: not announced */

/* Without an exit if possible: what is measured should not wait for the measuring. */
static uint64_t hv_now(void)
{
	return page ? hv_time_page(page) : hv_time_msr();
}

static struct seen *seen(unsigned int timer)
{
	return &all_seen[cpu_index()][timer];
}

static void forget(unsigned int timer)
{
	memset(seen(timer), 0, sizeof(struct seen));
}

static uint64_t keep_until; /* reference time at which periodic timers are to stop, or 0 */

static void start(unsigned int timer, uint64_t count, uint64_t config)
{
	wrmsr(HV_TIMER_COUNT(timer), count);
	wrmsr(HV_TIMER_CONFIG(timer), config | HV_STIMER_ENABLE);
}

static void stop(unsigned int timer)
{
	wrmsr(HV_TIMER_CONFIG(timer), 0);
	wrmsr(HV_TIMER_COUNT(timer), 0);
}

static void take(unsigned int timer, const struct hv_message *message)
{
	struct seen *s = seen(timer);
	struct hv_timer_message m;

	memcpy(&m, message->payload, sizeof(m));
	s->at = hv_now();
	/* A host that is too slow for the rate leaves no time between interrupts to stop it. */
	if (keep_until && s->at >= keep_until)
		stop(timer);
	/* Neither is anything delivered early, nor do two messages say the same. */
	s->early += m.delivery_time < m.expiration_time || s->at < m.delivery_time;
	s->odd += message->header.message_type != HV_MESSAGE_TIMER_EXPIRED ||
		  message->header.payload_size != sizeof(m) || m.timer_index != timer ||
		  (s->messages && m.expiration_time <= s->last);
	if (!s->messages)
		s->first = m.expiration_time;
	s->last = m.expiration_time;
	if (s->late)
		histogram_add(s->late, s->at - m.expiration_time);
	store_release(&s->messages, s->messages + 1);
}

static void on_message(struct trap_frame *frame)
{
	unsigned int timer = (unsigned int)frame->vector - VECTOR;
	struct hv_message message;

	apic_eoi();
	while (hv_take_message(SINT + timer, &message))
		take(timer, &message);
}

static void on_direct(struct trap_frame *frame)
{
	struct seen *s = seen((unsigned int)frame->vector - DIRECT);

	s->at = hv_now();
	store_release(&s->interrupts, s->interrupts + 1);
	apic_eoi();
}

static void on_alarm(struct trap_frame *frame)
{
	(void)frame;
	apic_eoi();
}

static bool messages_come(unsigned int timer, unsigned int count)
{
	return wait_for(load_acquire(&seen(timer)->messages) >= count, 3000);
}

/* Nothing more for a few milliseconds. */
static void expect_silence(unsigned int timer)
{
	unsigned int messages, interrupts;

	delay_us(300); /* for what was under way */
	messages = READ_ONCE(seen(timer)->messages);
	interrupts = READ_ONCE(seen(timer)->interrupts);
	delay_us(4000);
	expect_eq(READ_ONCE(seen(timer)->messages), messages);
	expect_eq(READ_ONCE(seen(timer)->interrupts), interrupts);
}

/*
 * --- Modes; on each VP. -------------------------------------------------------------------------
 */

static void one_shot(unsigned int timer)
{
	uint64_t when = hv_time_msr() + HV_TIME_MS(2);

	forget(timer);
	start(timer, when, TO_SINT(timer));
	expect_eq(rdmsr(HV_TIMER_COUNT(timer)), when);
	expect(messages_come(timer, 1));
	expect_eq(seen(timer)->last, when);
	expect_eq(rdmsr(HV_TIMER_CONFIG(timer)), TO_SINT(timer)); /* no longer enabled */
	expect_silence(timer);
	/* In the past: at once. */
	when = hv_time_msr() - HV_TIME_MS(1);
	start(timer, when, TO_SINT(timer));
	expect(messages_come(timer, 2));
	expect_eq(seen(timer)->last, when);
	expect_eq(seen(timer)->early + seen(timer)->odd, 0);
}

static void far_future(unsigned int timer)
{
	forget(timer);
	start(timer, UINT64_MAX, TO_SINT(timer));
	start(timer, UINT64_MAX / 2, TO_SINT(timer));
	start(timer, UINT64_MAX, TO_SINT(timer) | HV_STIMER_PERIODIC);
	expect_silence(timer);
	stop(timer);
	expect_eq(seen(timer)->messages, 0);
}

static void periodic(unsigned int timer, uint64_t mode)
{
	uint64_t period = HV_TIME_MS(2), begin = hv_time_msr();

	forget(timer);
	start(timer, period, TO_SINT(timer) | HV_STIMER_PERIODIC | mode);
	expect(messages_come(timer, 5));
	expect_eq(rdmsr(HV_TIMER_CONFIG(timer)),
		  TO_SINT(timer) | HV_STIMER_PERIODIC | HV_STIMER_ENABLE | mode);
	stop(timer);
	expect_silence(timer);
	/* The first one a whole period after the start, the others whole periods after that. */
	expect(seen(timer)->first >= begin + period);
	expect(seen(timer)->last - seen(timer)->first >= 4 * period);
	if (!mode && !hv_by_kvm()) /* KVM's own phase may shift by a unit when it restarts one */
		expect_eq((seen(timer)->last - seen(timer)->first) % period, 0);
	expect_eq(seen(timer)->early + seen(timer)->odd, 0);
}

static void auto_enable(unsigned int timer)
{
	uint64_t config = TO_SINT(timer) | HV_STIMER_AUTO_ENABLE;

	forget(timer);
	wrmsr(HV_TIMER_CONFIG(timer), config);
	expect_silence(timer);
	expect_eq(rdmsr(HV_TIMER_CONFIG(timer)), config);
	for (unsigned int i = 1; i < 4; i++) {
		wrmsr(HV_TIMER_COUNT(timer), hv_time_msr() + HV_TIME_MS(1));
		expect(messages_come(timer, i));
		expect_eq(rdmsr(HV_TIMER_CONFIG(timer)), config);
	}
	/* A count enables it, one of 0 stops it all the same, and does not. */
	wrmsr(HV_TIMER_COUNT(timer), hv_time_msr() + HV_TIME_MS(60000));
	expect_eq(rdmsr(HV_TIMER_CONFIG(timer)), config | HV_STIMER_ENABLE);
	wrmsr(HV_TIMER_COUNT(timer), 0);
	expect_eq(rdmsr(HV_TIMER_CONFIG(timer)), config);
	expect_silence(timer);
	expect_eq(seen(timer)->messages, 3);
	expect_eq(seen(timer)->early + seen(timer)->odd, 0);
	stop(timer);
}

static void stopping(unsigned int timer)
{
	forget(timer);
	start(timer, hv_time_msr() + HV_TIME_MS(3), TO_SINT(timer));
	wrmsr(HV_TIMER_CONFIG(timer), TO_SINT(timer));
	expect_silence(timer);
	start(timer, hv_time_msr() + HV_TIME_MS(3), TO_SINT(timer));
	wrmsr(HV_TIMER_COUNT(timer), 0);
	expect_eq(rdmsr(HV_TIMER_CONFIG(timer)), TO_SINT(timer));
	expect_silence(timer);
	start(timer, 0, TO_SINT(timer));
	expect_silence(timer);
	expect_eq(seen(timer)->messages, 0);
	/* SINT 0 is not for timers (12.5.1): they are disabled at once. KVM forgets it at times. */
	if (!hv_by_kvm()) {
		start(timer, HV_TIME_MS(1), HV_STIMER_PERIODIC);
		expect_eq(rdmsr(HV_TIMER_CONFIG(timer)), HV_STIMER_PERIODIC);
	}
	stop(timer);
}

static void direct(unsigned int timer)
{
	uint64_t when = hv_time_msr() + HV_TIME_MS(2);

	forget(timer);
	start(timer, when, TO_VECTOR(timer));
	expect(wait_for(load_acquire(&seen(timer)->interrupts) == 1, 3000));
	expect(seen(timer)->at >= when);
	expect_eq(rdmsr(HV_TIMER_CONFIG(timer)), TO_VECTOR(timer));
	when = hv_time_msr();
	start(timer, HV_TIME_MS(1), TO_VECTOR(timer) | HV_STIMER_PERIODIC);
	expect(wait_for(load_acquire(&seen(timer)->interrupts) >= 5, 3000));
	stop(timer);
	/* At most one interrupt for each whole period. */
	expect(seen(timer)->at - when >= (seen(timer)->interrupts - 1) * HV_TIME_MS(1));
	expect_silence(timer);
	expect_eq(seen(timer)->messages, 0);
}

/* The slot holds a message that the guest has not yet looked at. */
static void busy_slot(unsigned int timer)
{
	struct hv_message *slot = hv_slot(cpu_index(), SINT + timer);
	uint64_t when;

	forget(timer);
	irq_disable();
	memset(slot, 0, sizeof(*slot));
	WRITE_ONCE(slot->header.message_type, 0x1234);
	when = hv_time_msr() + HV_TIME_MS(1);
	start(timer, when, TO_SINT(timer));
	expect(wait_for(READ_ONCE(slot->header.message_flags) & HV_MESSAGE_FLAG_PENDING, 3000));
	expect_eq(READ_ONCE(slot->header.message_type), 0x1234);
	WRITE_ONCE(slot->header.message_type, HV_MESSAGE_NONE);
	wrmsr(HV_MSR_EOM, 0);
	irq_enable();
	expect(messages_come(timer, 1));
	expect_eq(seen(timer)->last, when);
	expect_eq(seen(timer)->early + seen(timer)->odd, 0);
	expect_silence(timer);
	stop(timer);
}

static void all_at_once(unsigned int unused)
{
	(void)unused;
	for (unsigned int i = 0; i < HV_STIMER_COUNT; i++)
		forget(i);
	for (unsigned int i = 0; i < HV_STIMER_COUNT; i++)
		start(i, HV_TIME_MS(20 + 5 * i), TO_SINT(i) | HV_STIMER_PERIODIC);
	for (unsigned int i = 0; i < HV_STIMER_COUNT; i++) {
		expect(messages_come(i, 4));
		expect_eq(seen(i)->early + seen(i)->odd, 0);
	}
	for (unsigned int i = 0; i < HV_STIMER_COUNT; i++)
		stop(i);
}

static void plain(unsigned int timer)
{
	periodic(timer, 0);
}

static void lazy(unsigned int timer)
{
	periodic(timer, HV_STIMER_LAZY);
}

static const struct mode {
	const char *name;
	void (*run)(unsigned int timer);
	bool direct;
} modes[] = {
	{"one-shot", one_shot, false},
	{"a far future", far_future, false},
	{"periodic", plain, false},
	{"periodic and lazy", lazy, false},
	{"enabled by its count", auto_enable, false},
	{"stopped", stopping, false},
	{"direct", direct, true},
	{"a busy slot", busy_slot, false},
	{"four at once", all_at_once, false},
};

static void turn_on(void *unused)
{
	(void)unused;
	hv_synic_on(NULL);
	for (unsigned int i = 0; i < HV_STIMER_COUNT; i++) {
		expect_eq(rdmsr(HV_TIMER_CONFIG(i)), 0);
		expect_eq(rdmsr(HV_TIMER_COUNT(i)), 0);
		wrmsr(HV_SINT(SINT + i), VECTOR + i);
	}
}

/* Another timer on each CPU. */
static void run_mode(void *arg)
{
	const struct mode *mode = arg;

	irq_enable();
	mode->run(cpu_index() % HV_STIMER_COUNT);
	irq_disable();
}

static void test_modes(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct mode mode = modes[i];

		if (mode.direct && !hv_edx(HV_EDX_DIRECT_STIMER)) {
			skip(mode.name, "not announced");
			continue;
		}
		smp_call_others(run_mode, &mode);
		run_mode(&mode);
		expect(smp_wait_all(20000));
		test_case("%s: on %u VPs", mode.name, cpu_count());
	}
}

static void test_refused(void)
{
	if (hv_by_kvm()) {
		skip("configurations that fault", "KVM's own timers take all of them");
		return;
	}
	expect_eq(wrmsr_safe(HV_TIMER_CONFIG(0), HV_STIMER_DIRECT | 15 << HV_STIMER_VECTOR_SHIFT),
		  VECTOR_GP);
	expect_eq(wrmsr_safe(HV_TIMER_CONFIG(0), BIT(14)), VECTOR_GP);
	expect_eq(rdmsr(HV_TIMER_CONFIG(0)), 0);
	test_case("configurations that fault");
}

/*
 * --- Keeping time. -------------------------------------------------------------------------------
 */

/* 64 Hz, as Windows' clock, and what its programs ask for when they are in a hurry. */
static uint64_t periods[] = {10000000 / 64, 10000000 / 1000};

static uint64_t run_seconds;

/* Sleeps, as an idle system does. The local APIC's timer makes sure that it wakes up. */
static void keep_time(void *unused)
{
	(void)unused;
	apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_1);
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | ALARM);
	apic_write(APIC_TIMER_INITIAL, 500000000);
	for (unsigned int i = 0; i < ARRAY_SIZE(periods); i++)
		start(i, periods[i], TO_SINT(i) | HV_STIMER_PERIODIC);
	while (hv_now() < keep_until) {
		irq_enable_and_halt();
		irq_disable();
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(periods); i++)
		stop(i);
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	apic_write(APIC_TIMER_INITIAL, 0);
	irq_enable();
	delay_us(1000);
	irq_disable();
}

/* Ticks against the reference time between the first and the last one's expiration. */
static void report(unsigned int cpu, unsigned int timer)
{
	const struct seen *s = &all_seen[cpu][timer];
	uint64_t want =
		s->messages ? (s->last - s->first + periods[timer] / 2) / periods[timer] + 1 : 0;

	note("cpu %u, %lu Hz: %u ticks of %lu, late p50 %lu p99 %lu max %lu us", cpu,
	     10000000 / periods[timer], s->messages, want, histogram_quantile(s->late, 500) / 10,
	     histogram_quantile(s->late, 990) / 10, s->late->max / 10);
	expect(s->messages > 0);
	expect(s->messages <= want);
	expect_eq(s->early + s->odd, 0);
	if (param_is_set("strict")) {
		expect_eq(s->messages, want);
		/* And none is missing at either end. */
		expect(want + 1 >= run_seconds * 10000000 / periods[timer]);
	}
}

static void test_keeping_time(void)
{
	run_seconds = param_u64("seconds", 2);
	periods[1] = 10000000 / param_u64("hz", 1000);
	for (unsigned int cpu = 0; cpu < cpu_count(); cpu++)
		for (unsigned int i = 0; i < ARRAY_SIZE(periods); i++) {
			memset(&all_seen[cpu][i], 0, sizeof(struct seen));
			all_seen[cpu][i].late = page_alloc(
				align_up(sizeof(struct histogram), PAGE_SIZE) / PAGE_SIZE);
		}
	keep_until = hv_now() + HV_TIME_MS(run_seconds * 1000);
	smp_call_others(keep_time, NULL);
	keep_time(NULL);
	expect(smp_wait_all(5000));
	for (unsigned int cpu = 0; cpu < cpu_count(); cpu++)
		for (unsigned int i = 0; i < ARRAY_SIZE(periods); i++)
			report(cpu, i);
	test_case("64 Hz and %lu Hz for %lu s on %u VPs: never early, never too many",
		  10000000 / periods[1], run_seconds, cpu_count());
}

void test_main(void)
{
	hv_init();
	if (!hv_eax(HV_EAX_STIMER | HV_EAX_SYNIC))
		skip_all("synthetic timers are not announced");
	if (cpu_count() > 1 && !smp_start_all(20000))
		bail_out("not all CPUs start");
	page = hv_eax(HV_EAX_REF_TSC) ? hv_time_enable() : NULL;
	all_seen = page_alloc(align_up(cpu_count() * sizeof(*all_seen), PAGE_SIZE) / PAGE_SIZE);
	for (unsigned int i = 0; i < HV_STIMER_COUNT; i++) {
		irq_set_handler(VECTOR + i, on_message);
		irq_set_handler(DIRECT + i, on_direct);
	}
	irq_set_handler(ALARM, on_alarm);
	smp_call_others(turn_on, NULL);
	turn_on(NULL);
	expect(smp_wait_all(5000));
	test_case("all timers are off at power-on");
	test_refused();
	test_modes();
	test_keeping_time();
}
