// SPDX-License-Identifier: MIT
/*
 * Messages, events and synthetic interrupts (TLFS 11), through the SynIC test device's connections.
 *
 * Parameters: engine=kernel (KVM serves), n=N (messages from each VP in the storms, default 100).
 */
#include "kit/hv.h"
#include "kit/kit.h"

#define SINT        4
#define OTHER_SINT  5
#define VECTOR0     0x60 /* + SINT */
#define AUTO_VECTOR 0x90
#define CONNECTION  9
#define DOORBELL    100
#define TYPE        0x51

/* Interrupts of each SINT on each CPU; written by it. */
static unsigned int taken[CPUS_MAX][HV_SINT_COUNT];
static unsigned int auto_taken;

static void on_sint(struct trap_frame *frame)
{
	atomic_inc(&taken[cpu_index()][frame->vector - VECTOR0]);
	apic_eoi();
}

static unsigned int taken_here(unsigned int sint)
{
	return load_acquire(&taken[cpu_index()][sint]);
}

/* Interrupts that should not come: enough time for one to be seen. */
static void expect_quiet(unsigned int sint, unsigned int before)
{
	delay_us(2000);
	expect_eq(taken_here(sint), before);
}

static bool interrupted(unsigned int sint, unsigned int before)
{
	return wait_for(taken_here(sint) > before, 3000);
}

static void unmask(unsigned int sint)
{
	wrmsr(HV_SINT(sint), VECTOR0 + sint);
}

static uint16_t post_number(uint32_t number)
{
	return hv_post(CONNECTION, TYPE, &number, sizeof(number));
}

static bool take_number(unsigned int sint, uint32_t *ret)
{
	struct hv_message message;

	if (!hv_take_message(sint, &message))
		return false;
	memcpy(ret, message.payload, sizeof(*ret));
	return true;
}

/* The message with @number arrives, and is taken. */
static bool number_comes(uint32_t number)
{
	uint32_t got = 0;

	return wait_for(take_number(SINT, &got), 3000) && expect_eq(got, number);
}

/*
 * --- One message (11.2, 11.4). ------------------------------------------------------------------
 */

static void test_message(void)
{
	struct hv_message message = {0};
	uint8_t payload[HV_MESSAGE_PAYLOAD_SIZE];
	unsigned int before = taken_here(SINT);

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + 1);
	expect_eq(hv_post(CONNECTION, TYPE, payload, sizeof(payload)), HV_STATUS_SUCCESS);
	expect(interrupted(SINT, before));
	expect(hv_take_message(SINT, &message));
	expect_eq(message.header.message_type, TYPE);
	expect_eq(message.header.payload_size, sizeof(payload));
	expect_eq(message.header.message_flags, 0);
	expect(!memcmp(message.payload, payload, sizeof(payload)));
	expect_quiet(SINT, before + 1);
	test_case("a message arrives whole, with one interrupt");

	before = taken_here(SINT);
	expect_eq(hv_post(CONNECTION, 0x7fffffff, "", 0), HV_STATUS_SUCCESS);
	expect(interrupted(SINT, before));
	expect(hv_take_message(SINT, &message));
	expect_eq(message.header.message_type, 0x7fffffff);
	expect_eq(message.header.payload_size, 0);
	test_case("an empty message of the largest type");
}

static void test_busy_slot(void)
{
	struct hv_message *slot = hv_slot(0, SINT);
	unsigned int before = taken_here(SINT);

	expect_eq(post_number(1), HV_STATUS_SUCCESS);
	expect(interrupted(SINT, before));
	expect_eq(post_number(2), HV_STATUS_SUCCESS);
	expect(wait_for(READ_ONCE(slot->header.message_flags) & HV_MESSAGE_FLAG_PENDING, 3000));
	expect_eq(*(uint32_t *)slot->payload, 1);
	expect_quiet(SINT, before + 1);
	test_case("a second message waits: the slot is as it was, but for the pending flag");

	WRITE_ONCE(slot->header.message_type, HV_MESSAGE_NONE);
	expect_quiet(SINT, before + 1);
	expect_eq(READ_ONCE(slot->header.message_type), HV_MESSAGE_NONE);
	wrmsr(HV_MSR_EOM, 0);
	expect(interrupted(SINT, before + 1));
	expect(number_comes(2));
	test_case("it comes with an interrupt when the guest says end of message, not before");

	wrmsr(HV_MSR_EOM, 0);
	expect(!hv_take_message(SINT, NULL));
	expect_quiet(SINT, before + 2);
	test_case("an end of message with nothing waiting does nothing");
}

/* Hyper-V has sixteen buffers for each port (11.3). */
static void test_full_queue(void)
{
	uint32_t sent = 0;
	uint16_t status;

	while ((status = post_number(sent)) == HV_STATUS_SUCCESS && sent < 100)
		sent++;
	note("%u messages are taken while nobody reads", sent);
	expect_eq(status, HV_STATUS_INSUFFICIENT_BUFFERS);
	expect(sent >= 16);
	expect_eq(post_number(sent), HV_STATUS_INSUFFICIENT_BUFFERS);
	test_case("messages that find all buffers in use are refused: status 19");

	expect(number_comes(0));
	/* The next one has moved into the slot and left a buffer. */
	expect(wait_for(READ_ONCE(hv_slot(0, SINT)->header.message_type), 3000));
	expect_eq(post_number(sent), HV_STATUS_SUCCESS);
	expect_eq(post_number(sent + 1), HV_STATUS_INSUFFICIENT_BUFFERS);
	for (uint32_t i = 1; i <= sent; i++)
		if (!expect(number_comes(i)))
			break;
	expect(!hv_take_message(SINT, NULL));
	test_case("a message taken makes room for one; all arrive, in their order");
}

/*
 * --- Masks, modes, and a SynIC that is off (11.8).
 * ------------------------------------------------
 */

static void test_masked(void)
{
	unsigned int before = taken_here(SINT);
	uint16_t status;

	wrmsr(HV_SINT(SINT), HV_SINT_MASKED | (VECTOR0 + SINT));
	expect_eq(post_number(7), HV_STATUS_SUCCESS);
	expect(wait_for(READ_ONCE(hv_slot(0, SINT)->header.message_type) == TYPE, 3000));
	expect_eq(post_number(8), HV_STATUS_SUCCESS);
	expect_quiet(SINT, before);
	expect(number_comes(7));
	expect(number_comes(8));
	test_case("a masked SINT: messages come into the slot, no interrupt");
	unmask(SINT);
	expect_quiet(SINT, before);
	expect_eq(post_number(9), HV_STATUS_SUCCESS);
	expect(interrupted(SINT, before));
	expect(number_comes(9));
	test_case("unmasked: the lost interrupts stay lost, the next one comes");

	wrmsr(HV_SINT(SINT), HV_SINT_MASKED);
	status = hv_signal(CONNECTION + 1, 0);
	note("an event for a masked SINT: status 0x%x", status);
	expect(status == HV_STATUS_SUCCESS || status == HV_STATUS_INVALID_SYNIC_STATE);
	expect_eq(hv_test_and_clear_flag(0, SINT, CONNECTION + 1), status == HV_STATUS_SUCCESS);
	expect_quiet(SINT, before + 1);
	unmask(SINT);
	test_case("an event for a masked SINT does not interrupt");
}

static void test_polling(void)
{
	unsigned int before = taken_here(SINT);

	if (!hv_edx(HV_EDX_SINT_POLLING)) {
		skip("polling", "not announced");
		return;
	}
	wrmsr(HV_SINT(SINT), HV_SINT_POLLING | (VECTOR0 + SINT));
	expect_eq(post_number(1), HV_STATUS_SUCCESS);
	expect(number_comes(1));
	expect_eq(hv_signal(CONNECTION + 1, 0), HV_STATUS_SUCCESS);
	expect(wait_for(hv_test_and_clear_flag(0, SINT, CONNECTION + 1), 3000));
	expect_quiet(SINT, before);
	unmask(SINT);
	test_case("a polled SINT: messages and events without interrupts");
}

/* What waits is refused, or kept until the SynIC is on again; nothing is written meanwhile. */
static void test_off(uint32_t msr, const char *what)
{
	uint64_t value = rdmsr(msr);
	uint16_t status;

	wrmsr(msr, 0);
	status = post_number(3);
	note("a message while %s is off: status 0x%x", what, status);
	expect(status == HV_STATUS_SUCCESS || status == HV_STATUS_INVALID_SYNIC_STATE);
	if (msr == HV_MSR_SCONTROL) {
		expect_eq(hv_signal(CONNECTION + 1, 0), HV_STATUS_INVALID_SYNIC_STATE);
		expect_eq(READ_ONCE(hv_slot(0, SINT)->header.message_type), HV_MESSAGE_NONE);
	}
	wrmsr(msr, value);
	expect(status != HV_STATUS_SUCCESS || number_comes(3));
	expect_eq(post_number(4), HV_STATUS_SUCCESS);
	expect(number_comes(4));
	test_case("%s off and on again", what);
}

static void test_flags_page_off(void)
{
	uint64_t value = rdmsr(HV_MSR_SIEFP);

	wrmsr(HV_MSR_SIEFP, 0);
	expect_eq(hv_signal(CONNECTION + 1, 0), HV_STATUS_INVALID_SYNIC_STATE);
	wrmsr(HV_MSR_SIEFP, value);
	expect(!hv_test_and_clear_flag(0, SINT, CONNECTION + 1));
	expect_eq(hv_signal(CONNECTION + 1, 0), HV_STATUS_SUCCESS);
	expect(hv_test_and_clear_flag(0, SINT, CONNECTION + 1));
	test_case("event flags page off and on again");
}

/* A message that waits in the slot goes with the page. */
static void test_moved_page(void)
{
	struct hv_message_page *other = page_alloc(1);
	uint64_t value = rdmsr(HV_MSR_SIMP);

	expect_eq(post_number(11), HV_STATUS_SUCCESS);
	expect(wait_for(READ_ONCE(hv_slot(0, SINT)->header.message_type) == TYPE, 3000));
	expect_eq(post_number(12), HV_STATUS_SUCCESS);
	wrmsr(HV_MSR_SIMP, (uintptr_t)other | HV_PAGE_MSR_ENABLE);
	expect_eq(READ_ONCE(hv_slot(0, SINT)->header.message_type), HV_MESSAGE_NONE);
	expect_eq(READ_ONCE(other->sint[SINT].header.message_type), TYPE);
	expect_eq(*(uint32_t *)other->sint[SINT].payload, 11);
	WRITE_ONCE(other->sint[SINT].header.message_type, HV_MESSAGE_NONE);
	wrmsr(HV_MSR_EOM, 0);
	expect(wait_for(READ_ONCE(other->sint[SINT].header.message_type) == TYPE, 3000));
	expect_eq(*(uint32_t *)other->sint[SINT].payload, 12);
	wrmsr(HV_MSR_SIMP, value);
	expect(number_comes(12));
	test_case("the message page moves: messages go with it and come to the new place");
}

/*
 * --- Events (11.5).
 * --------------------------------------------------------------------------------
 */

static void test_events(void)
{
	unsigned int before = taken_here(OTHER_SINT);
	static const uint8_t ids[] = {3, 63, 64, 255}; /* 1 and 4 are the VMBus's */

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		hv_test(HV_TEST_EVENT, ids[i], 0, OTHER_SINT);
		expect_eq(hv_signal(ids[i], 0), HV_STATUS_SUCCESS);
		expect(interrupted(OTHER_SINT, before));
		before = taken_here(OTHER_SINT);
		expect_eq(hv_flags(0, OTHER_SINT)[ids[i] / 64], BIT(ids[i] % 64));
		expect_eq(hv_signal(ids[i], 0), HV_STATUS_SUCCESS);
		expect_quiet(OTHER_SINT, before);
		expect(hv_test_and_clear_flag(0, OTHER_SINT, ids[i]));
		expect_eq(hv_call_memory(HV_CALL_SIGNAL_EVENT, (uint64_t[]){ids[i]}, 8), 0);
		expect(interrupted(OTHER_SINT, before));
		before = taken_here(OTHER_SINT);
		expect(hv_test_and_clear_flag(0, OTHER_SINT, ids[i]));
		hv_test(HV_TEST_EVENT_END, ids[i], 0, 0);
		expect_eq(hv_signal(ids[i], 0), HV_STATUS_INVALID_CONNECTION_ID);
	}
	test_case(
		"an event sets its flag and interrupts; once more only after the flag was cleared");
}

/* Signals that the VMM only hears of: both forms, as often as one likes, until it is closed. */
static void test_doorbell(void)
{
	hv_test(HV_TEST_DOORBELL, DOORBELL, 0, 0);
	if (hv_signal(DOORBELL, 0) == HV_STATUS_INVALID_CONNECTION_ID) {
		skip("signals that end in the host", "this test device has no doorbells");
		return;
	}
	for (unsigned int i = 0; i < 100; i++) {
		expect_eq(hv_signal(DOORBELL, 0), HV_STATUS_SUCCESS);
		expect_eq(hv_call_memory(HV_CALL_SIGNAL_EVENT, (uint64_t[]){DOORBELL}, 8), 0);
	}
	expect_eq(hv_signal(DOORBELL + 1, 0), HV_STATUS_INVALID_CONNECTION_ID);
	hv_test(HV_TEST_EVENT_END, DOORBELL, 0, 0);
	expect_eq(hv_signal(DOORBELL, 0), HV_STATUS_INVALID_CONNECTION_ID);
	test_case("signals that end in the host");
}

/*
 * --- Storms.
 * -----------------------------------------------------------------------------------------
 */

struct storm_message {
	uint32_t cpu, number;
};

static unsigned int rounds, refused;
static unsigned int received[CPUS_MAX]; /* CPU 0's */
static unsigned int wrong;
static unsigned int progress[CPUS_MAX], noticed[CPUS_MAX];

static void on_storm_message(struct trap_frame *frame)
{
	struct hv_message message;
	struct storm_message m;

	(void)frame;
	apic_eoi();
	while (hv_take_message(SINT, &message)) {
		memcpy(&m, message.payload, sizeof(m));
		if (m.cpu < cpu_count() && m.number == received[m.cpu])
			store_release(&received[m.cpu], m.number + 1);
		else
			wrong++;
	}
}

static void post_many(void *arg)
{
	struct storm_message m = {.cpu = cpu_index()};

	(void)arg;
	while (m.number < rounds) {
		uint16_t status = hv_post(CONNECTION, TYPE, &m, sizeof(m));

		if (status == HV_STATUS_SUCCESS)
			m.number++;
		else if (status == HV_STATUS_INSUFFICIENT_BUFFERS && !deadline_passed(UINT64_MAX))
			atomic_inc(&refused);
		else if (!expect_eq(status, HV_STATUS_SUCCESS))
			return;
	}
}

static bool all_reached(const unsigned int *counts)
{
	for (unsigned int i = 0; i < cpu_count(); i++)
		if (load_acquire(&counts[i]) < rounds)
			return false;
	return true;
}

static void test_message_storm(void)
{
	uint64_t begin = now_ns();

	irq_set_handler(VECTOR0 + SINT, on_storm_message);
	smp_call_others(post_many, NULL);
	post_many(NULL);
	expect(smp_wait_all(30000));
	expect(wait_for(all_reached(received), 5000));
	for (unsigned int i = 0; i < cpu_count(); i++)
		expect_eq(received[i], rounds);
	expect_eq(wrong, 0);
	irq_set_handler(VECTOR0 + SINT, on_sint);
	test_case("%u messages from each of %u CPUs to one: none lost, none twice, in order",
		  rounds, cpu_count());
	note("%u refused and posted again; %lu us a message", refused,
	     (now_ns() - begin) / 1000 / rounds / cpu_count());
}

static void on_storm_event(struct trap_frame *frame)
{
	(void)frame;
	atomic_inc(&taken[0][OTHER_SINT]);
	apic_eoi();
	while (hv_test_and_clear_flag(0, OTHER_SINT, CONNECTION + 2))
		for (unsigned int i = 0; i < cpu_count(); i++)
			noticed[i] = load_acquire(&progress[i]);
}

static void signal_many(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < rounds; i++) {
		atomic_inc(&progress[cpu_index()]);
		expect_eq(hv_signal(CONNECTION + 2, 0), HV_STATUS_SUCCESS);
	}
}

/* Signals may merge, but whoever sees the last one sees all that was done before it. */
static void test_event_storm(void)
{
	unsigned int before = taken_here(OTHER_SINT);

	irq_set_handler(VECTOR0 + OTHER_SINT, on_storm_event);
	hv_test(HV_TEST_EVENT, CONNECTION + 2, 0, OTHER_SINT);
	smp_call_others(signal_many, NULL);
	signal_many(NULL);
	expect(smp_wait_all(30000));
	expect(wait_for(all_reached(noticed), 5000));
	expect(taken_here(OTHER_SINT) - before <= rounds * cpu_count());
	irq_set_handler(VECTOR0 + OTHER_SINT, on_sint);
	hv_test(HV_TEST_EVENT_END, CONNECTION + 2, 0, 0);
	test_case("%u signals from each CPU to one: the last ones are seen", rounds);
	note("%u interrupts for %u signals", taken_here(OTHER_SINT) - before, rounds * cpu_count());
}

/*
 * --- All SINTs of all VPs.
 * ---------------------------------------------------------------------------
 */

static void open_all(void *arg)
{
	(void)arg;
	hv_synic_on(NULL);
	for (unsigned int sint = 0; sint < HV_SINT_COUNT; sint++)
		unmask(sint);
}

static void test_all_sints(void)
{
	unsigned int cpus = cpu_count() < 256 ? cpu_count() : 256;

	memset(taken, 0, sizeof(taken));
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		for (uint8_t sint = 0; sint < HV_SINT_COUNT; sint++) {
			hv_test(HV_TEST_ROUTE, 0, (uint8_t)cpu, sint);
			hv_test(HV_TEST_RAISE, 0, (uint8_t)cpu, sint);
			expect(wait_for(load_acquire(&taken[cpu][sint]) == 1, 3000));
		}
	delay_us(2000);
	for (unsigned int cpu = 0; cpu < cpu_count(); cpu++)
		for (unsigned int sint = 0; sint < HV_SINT_COUNT; sint++)
			expect_eq(taken[cpu][sint], cpu < cpus);
	test_case("16 SINTs of %u VPs: each raised once, taken once, by no other", cpus);
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		for (uint8_t sint = 0; sint < HV_SINT_COUNT; sint++)
			hv_test(HV_TEST_ROUTE_END, 0, (uint8_t)cpu, sint);
}

/*
 * --- AutoEOI (11.8.5).
 * ---------------------------------------------------------------------------------
 */

static bool isr_seen;

static void on_ipi_look(struct trap_frame *frame)
{
	isr_seen = apic_bit(APIC_ISR, (unsigned int)frame->vector);
	apic_eoi();
}

/* An APIC that software stands in for may have no in-service register: no EOI is needed there. */
static bool apic_has_isr(void)
{
	unsigned int before = this_cpu()->interrupts;

	irq_set_handler(AUTO_VECTOR, on_ipi_look);
	apic_send_shorthand(ICR_SELF | ICR_FIXED | ICR_ASSERT | AUTO_VECTOR);
	wait_for(READ_ONCE(this_cpu()->interrupts) > before, 1000);
	return READ_ONCE(isr_seen);
}

static void on_auto(struct trap_frame *frame)
{
	(void)frame;
	atomic_inc(&auto_taken); /* and no EOI */
}

static void test_auto_eoi(void)
{
	if (!apic_has_isr()) {
		skip("AutoEOI",
		     "this local APIC has no in-service register, as on some software KVMs");
		return;
	}
	irq_set_handler(AUTO_VECTOR, on_auto);
	wrmsr(HV_SINT(SINT), HV_SINT_AUTO_EOI | AUTO_VECTOR);
	for (unsigned int i = 0; i < 20; i++) {
		expect_eq(post_number(i), HV_STATUS_SUCCESS);
		if (!expect(wait_for(load_acquire(&auto_taken) == i + 1, 3000)))
			break;
		expect(number_comes(i));
	}
	expect(wait_for(!apic_bit(APIC_ISR, AUTO_VECTOR), 3000));
	unmask(SINT);
	test_case("AutoEOI: interrupt after interrupt without an EOI, and none stays in service");
}

void test_main(void)
{
	hv_init();
	if (!hv_eax(HV_EAX_SYNIC))
		skip_all("SynIC is not announced");
	if (!hv_test_device())
		skip_all("there is no SynIC test device");
	rounds = (unsigned int)param_u64("n", 100);
	for (unsigned int sint = 0; sint < HV_SINT_COUNT; sint++)
		irq_set_handler(VECTOR0 + sint, on_sint);
	irq_enable();
	if (cpu_count() > 1 && !smp_start_all(20000))
		bail_out("not all CPUs start");
	smp_call_others(open_all, NULL);
	open_all(NULL);
	expect(smp_wait_all(10000));
	hv_test(HV_TEST_MESSAGE, CONNECTION, 0, SINT);
	hv_test(HV_TEST_EVENT, CONNECTION + 1, 0, SINT);

	test_message();
	test_busy_slot();
	test_full_queue();
	test_masked();
	test_polling();
	test_off(HV_MSR_SCONTROL, "SynIC");
	test_off(HV_MSR_SIMP, "the message page");
	test_flags_page_off();
	test_moved_page();
	test_events();
	test_doorbell();
	test_message_storm();
	test_event_storm();
	test_all_sints();
	test_auto_eoi();

	hv_test(HV_TEST_MESSAGE_END, CONNECTION, 0, 0);
	check_eq(post_number(1), HV_STATUS_INVALID_CONNECTION_ID, "a closed connection is none");
	hv_test(HV_TEST_EVENT_END, CONNECTION + 1, 0, 0);
	smp_call_others(hv_synic_off, NULL);
	smp_wait_all(5000);
	hv_synic_off(NULL);
	irq_disable();
}
