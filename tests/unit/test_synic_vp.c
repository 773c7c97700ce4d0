// SPDX-License-Identifier: MIT
/*
 * The SynIC of one VP against TLFS 11: slots, pending and EOM, queues, SINTs, event flags; and
 * threads that play guest and hosts at once.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "hv-enlight/synic_vp.h"
#include "hv_tests.h"

#define VECTOR  0x51ull
#define SINT    4u
#define OPEN    VECTOR /* a SINT that interrupts */
#define IN_SLOT 1

static struct synic_vp synic;
static struct hv_message_page page, other_page;
static struct hv_event_flags_page flags;

static _Atomic unsigned int interrupts, rooms;
static unsigned int last_sint;
static uint64_t last_value;

static void interrupt(struct synic_vp *s, unsigned int sint, uint64_t value)
{
	ck_assert_ptr_eq(s, &synic);
	last_sint = sint;
	last_value = value;
	interrupts++;
}

static void room(struct synic_vp *s, unsigned int sint)
{
	ck_assert_ptr_eq(s, &synic);
	rooms++;
}

static const struct synic_vp_ops ops = {.interrupt = interrupt, .room = room};

/* As a guest sets it up. */
static void open_synic(void)
{
	synic_vp_set_enabled(&synic, true);
	synic_vp_set_message_page(&synic, &page);
	synic_vp_set_flags_page(&synic, &flags);
	ck_assert(synic_vp_set_sint(&synic, SINT, OPEN));
}

static void setup(void)
{
	synic_vp_init(&synic, &ops);
	synic.polling = true;
	open_synic();
}

static void teardown(void)
{
	synic_vp_finish(&synic);
	synic_vp_finish(&synic);
}

static struct hv_message make(uint32_t n)
{
	struct hv_message m = {
		.header = {.message_type = 1 + n, .payload_size = 240, .sender = 77}};

	for (size_t i = 0; i < sizeof(m.payload); i++)
		m.payload[i] = (uint8_t)(n + i);
	return m;
}

static int post(unsigned int sint, uint32_t n)
{
	const struct hv_message m = make(n);

	return synic_vp_post(&synic, sint, &m);
}

static bool try_post(unsigned int sint, uint32_t n)
{
	const struct hv_message m = make(n);

	return synic_vp_try_post(&synic, sint, &m);
}

/* The slot holds message @n, and says whether more wait. */
static bool slot_is(unsigned int sint, uint32_t n, bool pending)
{
	struct hv_message m = make(n);

	m.header.message_flags = pending ? HV_MESSAGE_FLAG_PENDING : 0;
	return memcmp(&page.sint[sint], &m, sizeof(m)) == 0;
}

static bool slot_is_free(unsigned int sint)
{
	return page.sint[sint].header.message_type == HV_MESSAGE_NONE;
}

/* What a guest does: frees the slot, and then says so if it is asked to. */
static void consume(unsigned int sint)
{
	page.sint[sint].header.message_type = HV_MESSAGE_NONE;
	if (page.sint[sint].header.message_flags & HV_MESSAGE_FLAG_PENDING)
		synic_vp_eom(&synic);
}

/* --- Registers (TLFS 11.8). ------------------------------------------------------------------ */

START_TEST(initial)
{
	struct synic_vp fresh;

	synic_vp_init(&fresh, &ops);
	for (unsigned int i = 0; i < HV_SINT_COUNT; i++)
		ck_assert_uint_eq(synic_vp_get_sint(&fresh, i), 0x10000);
	ck_assert_int_eq(synic_vp_signal(&fresh, 1, 0), -ENODEV);
	ck_assert_int_eq(synic_vp_post(&fresh, 1, &(struct hv_message){0}), 0);
	synic_vp_eom(&fresh);
	synic_vp_reset(&fresh);
	synic_vp_finish(&fresh);
	ck_assert_uint_eq(interrupts, 0);
}
END_TEST

START_TEST(vectors)
{
	for (uint64_t vector = 0; vector < 256; vector++) {
		ck_assert_int_eq(synic_vp_set_sint(&synic, 2, vector), vector >= 16);
		ck_assert_int_eq(synic_vp_set_sint(&synic, 2, vector | HV_SINT_AUTO_EOI),
				 vector >= 16);
		/* A masked one needs none: it is how they all begin. */
		ck_assert(synic_vp_set_sint(&synic, 2, vector | HV_SINT_MASKED));
	}
	ck_assert(!synic_vp_set_sint(&synic, 2, 15));
	ck_assert_uint_eq(synic_vp_get_sint(&synic, 2), 0xff | HV_SINT_MASKED);
}
END_TEST

/* Guests read SINTs back and expect what they wrote; reserved bits are theirs to preserve. */
START_TEST(sint_keeps_all_bits)
{
	static const uint64_t values[] = {VECTOR, VECTOR | HV_SINT_AUTO_EOI, UINT64_MAX,
					  VECTOR | 1ull << 63 | 1ull << 19 | 0xff00};

	for (unsigned int sint = 0; sint < HV_SINT_COUNT; sint++)
		for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
			ck_assert(synic_vp_set_sint(&synic, sint, values[i]));
			ck_assert_uint_eq(synic_vp_get_sint(&synic, sint), values[i]);
		}
}
END_TEST

/* --- Messages (TLFS 11.4). ------------------------------------------------------------------- */

START_TEST(free_slot)
{
	ck_assert_int_eq(post(SINT, 5), 0);
	ck_assert(slot_is(SINT, 5, false));
	ck_assert_uint_eq(interrupts, 1);
	ck_assert_uint_eq(last_sint, SINT);
	ck_assert_uint_eq(last_value & HV_SINT_VECTOR, VECTOR);
	for (unsigned int i = 0; i < HV_SINT_COUNT; i++)
		ck_assert(i == SINT || slot_is_free(i));
}
END_TEST

/* The header's flags are the hypervisor's, whatever the sender had there. */
START_TEST(senders_flags)
{
	struct hv_message m = make(1);

	m.header.message_flags = 0xff;
	ck_assert_int_eq(synic_vp_post(&synic, SINT, &m), 0);
	ck_assert_uint_eq(page.sint[SINT].header.message_flags, 0);
}
END_TEST

START_TEST(busy_slot)
{
	ck_assert_int_eq(post(SINT, 1), 0);
	ck_assert_int_eq(post(SINT, 2), 0);
	ck_assert(slot_is(SINT, 1, true));
	ck_assert_uint_eq(interrupts, 1);
	/* EOM with the slot still in use: nothing moves. */
	synic_vp_eom(&synic);
	ck_assert(slot_is(SINT, 1, true));
	consume(SINT);
	ck_assert(slot_is(SINT, 2, false));
	ck_assert_uint_eq(interrupts, 2);
	consume(SINT);
	ck_assert(slot_is_free(SINT));
	synic_vp_eom(&synic);
	ck_assert_uint_eq(interrupts, 2);
}
END_TEST

START_TEST(order)
{
	for (uint32_t n = 0; n <= SYNIC_QUEUE_MAX; n++)
		ck_assert_int_eq(post(SINT, n), 0);
	/* Several rounds through the ring. */
	for (uint32_t n = 0; n < 100; n++) {
		ck_assert(slot_is(SINT, n, true));
		consume(SINT);
		ck_assert_int_eq(post(SINT, n + SYNIC_QUEUE_MAX + 1), 0);
	}
	for (uint32_t n = 100; n < 100 + SYNIC_QUEUE_MAX + 1; n++) {
		ck_assert(slot_is(SINT, n, n < 100 + SYNIC_QUEUE_MAX));
		consume(SINT);
	}
	ck_assert(slot_is_free(SINT));
}
END_TEST

START_TEST(queue_limit)
{
	for (uint32_t n = 0; n < IN_SLOT + SYNIC_QUEUE_MAX; n++)
		ck_assert_int_eq(post(SINT, n), 0);
	ck_assert_int_eq(post(SINT, 99), -EAGAIN);
	ck_assert_int_eq(post(SINT, 99), -EAGAIN);
	ck_assert_uint_eq(counter_get(&synic.counters.refused), 2);
	/* Of another SINT there is room. */
	ck_assert_int_eq(post(SINT + 1, 99), 0);
	ck_assert_uint_eq(rooms, 0);
	consume(SINT);
	ck_assert_uint_eq(rooms, 1);
	ck_assert_int_eq(post(SINT, 17), 0);
	ck_assert_int_eq(post(SINT, 99), -EAGAIN);
	consume(SINT);
	ck_assert_uint_eq(rooms, 2);
	/* Room is news only when there was none. */
	consume(SINT);
	ck_assert_uint_eq(rooms, 2);
}
END_TEST

START_TEST(sints_are_independent)
{
	ck_assert(synic_vp_set_sint(&synic, 2, 0x60));
	ck_assert_int_eq(post(SINT, 1), 0);
	ck_assert_int_eq(post(SINT, 2), 0);
	ck_assert_int_eq(post(2, 3), 0);
	ck_assert(slot_is(2, 3, false));
	ck_assert_uint_eq(last_sint, 2);
	/* One EOM serves all: both slots are free now. */
	ck_assert_int_eq(post(2, 4), 0);
	page.sint[SINT].header.message_type = page.sint[2].header.message_type = 0;
	synic_vp_eom(&synic);
	ck_assert(slot_is(SINT, 2, false));
	ck_assert(slot_is(2, 4, false));
}
END_TEST

/*
 * A guest that frees the slot without EOM hears of what waits when another message is queued, which
 * is one of the three occasions of TLFS 11.4.
 */
START_TEST(another_message_is_queued)
{
	ck_assert_int_eq(post(SINT, 1), 0);
	ck_assert_int_eq(post(SINT, 2), 0);
	page.sint[SINT].header.message_type = HV_MESSAGE_NONE;
	ck_assert_int_eq(post(SINT, 3), 0);
	ck_assert(slot_is(SINT, 2, true));
	consume(SINT);
	ck_assert(slot_is(SINT, 3, false));
	/* And when the queue was full, it is not any more. */
	for (uint32_t n = 4; n < 4 + SYNIC_QUEUE_MAX; n++)
		ck_assert_int_eq(post(SINT, n), 0);
	ck_assert_int_eq(post(SINT, 99), -EAGAIN);
	page.sint[SINT].header.message_type = HV_MESSAGE_NONE;
	ck_assert_int_eq(post(SINT, 20), 0);
	ck_assert(slot_is(SINT, 4, true));
	/* It is full again: no room to tell anybody of. */
	ck_assert_uint_eq(rooms, 0);
	ck_assert_int_eq(post(SINT, 99), -EAGAIN);
}
END_TEST

/* For timers: now or not at all, and in turn. */
START_TEST(now_or_not)
{
	ck_assert(try_post(SINT, 1));
	ck_assert(!try_post(SINT, 2));
	ck_assert(slot_is(SINT, 1, true));
	ck_assert_int_eq(post(SINT, 3), 0);
	page.sint[SINT].header.message_type = HV_MESSAGE_NONE;
	/* Those that wait come first. */
	ck_assert(!try_post(SINT, 2));
	ck_assert(slot_is(SINT, 3, true));
	consume(SINT);
	ck_assert(try_post(SINT, 2));
	ck_assert(slot_is(SINT, 2, false));
}
END_TEST

/* --- Interrupts. ----------------------------------------------------------------------------- */

START_TEST(masked_and_polling)
{
	static const uint64_t quiet[] = {HV_SINT_MASKED | VECTOR, HV_SINT_POLLING | VECTOR,
					 HV_SINT_MASKED | HV_SINT_POLLING | VECTOR};

	for (size_t i = 0; i < ARRAY_SIZE(quiet); i++) {
		ck_assert(synic_vp_set_sint(&synic, SINT, quiet[i]));
		ck_assert_int_eq(post(SINT, 1), 0);
		ck_assert_int_eq(post(SINT, 2), 0);
		ck_assert(slot_is(SINT, 1, true));
		consume(SINT);
		/* EOM drains a masked SINT's queue too (TLFS 11.8.6). */
		ck_assert(slot_is(SINT, 2, false));
		consume(SINT);
		synic_vp_raise(&synic, SINT);
		ck_assert_uint_eq(interrupts, 0);
	}
	/* The interrupt was lost, not kept. */
	ck_assert(synic_vp_set_sint(&synic, SINT, OPEN));
	ck_assert_uint_eq(interrupts, 0);
}
END_TEST

/* The bit is a reserved one then, which is kept and means nothing. */
START_TEST(polling_not_announced)
{
	synic.polling = false;
	ck_assert(synic_vp_set_sint(&synic, SINT, HV_SINT_POLLING | VECTOR));
	ck_assert_uint_eq(synic_vp_get_sint(&synic, SINT), HV_SINT_POLLING | VECTOR);
	ck_assert_int_eq(post(SINT, 1), 0);
	ck_assert_uint_eq(interrupts, 1);
	ck_assert_int_eq(synic_vp_signal(&synic, SINT, 3), 0);
	ck_assert_uint_eq(interrupts, 2);
}
END_TEST

START_TEST(auto_eoi)
{
	ck_assert(synic_vp_set_sint(&synic, SINT, OPEN | HV_SINT_AUTO_EOI));
	ck_assert_int_eq(post(SINT, 1), 0);
	ck_assert_uint_eq(last_value & HV_SINT_AUTO_EOI, HV_SINT_AUTO_EOI);
	ck_assert(synic_vp_set_sint(&synic, SINT, 0x99));
	consume(SINT);
	ck_assert_int_eq(post(SINT, 1), 0);
	ck_assert_uint_eq(last_value, 0x99);
}
END_TEST

START_TEST(raise_alone)
{
	synic_vp_raise(&synic, SINT);
	ck_assert_uint_eq(interrupts, 1);
	ck_assert_uint_eq(last_sint, SINT);
	ck_assert(slot_is_free(SINT));
	synic_vp_set_enabled(&synic, false);
	synic_vp_raise(&synic, SINT);
	ck_assert_uint_eq(interrupts, 1);
}
END_TEST

/* --- Off and on. ----------------------------------------------------------------------------- */

START_TEST(off_and_on)
{
	synic_vp_set_enabled(&synic, false);
	ck_assert_int_eq(post(SINT, 1), 0);
	ck_assert_int_eq(post(SINT, 2), 0);
	ck_assert(!try_post(SINT, 3));
	synic_vp_eom(&synic);
	ck_assert(slot_is_free(SINT));
	synic_vp_set_enabled(&synic, true);
	ck_assert(slot_is(SINT, 1, true));
	ck_assert_uint_eq(interrupts, 1);
	/* The page goes away, and comes back elsewhere. */
	page.sint[SINT].header.message_type = HV_MESSAGE_NONE;
	synic_vp_set_message_page(&synic, NULL);
	synic_vp_eom(&synic);
	ck_assert_int_eq(post(SINT, 3), 0);
	ck_assert(slot_is_free(SINT));
	synic_vp_set_message_page(&synic, &other_page);
	ck_assert_uint_eq(other_page.sint[SINT].header.message_type, 1 + 2);
	ck_assert_uint_eq(other_page.sint[SINT].header.message_flags, HV_MESSAGE_FLAG_PENDING);
	ck_assert(slot_is_free(SINT));
}
END_TEST

/* A page with rubbish in it is a page with slots in use. */
START_TEST(rubbish_in_the_page)
{
	synic_vp_set_message_page(&synic, NULL);
	memset(&other_page, 0x5a, sizeof(other_page));
	ck_assert_int_eq(post(SINT, 1), 0);
	synic_vp_set_message_page(&synic, &other_page);
	ck_assert_uint_eq(other_page.sint[SINT].header.message_type, 0x5a5a5a5a);
	ck_assert_uint_eq(other_page.sint[SINT].header.message_flags, 0x5b);
	other_page.sint[SINT].header.message_type = HV_MESSAGE_NONE;
	synic_vp_eom(&synic);
	ck_assert_uint_eq(other_page.sint[SINT].header.message_type, 2);
	ck_assert_uint_eq(other_page.sint[SINT].header.message_flags, 0);
}
END_TEST

START_TEST(reset)
{
	for (uint32_t n = 0; n < 6; n++)
		ck_assert_int_eq(post(SINT, n), 0);
	synic_vp_reset(&synic);
	memset(&page, 0, sizeof(page));
	for (unsigned int i = 0; i < HV_SINT_COUNT; i++)
		ck_assert_uint_eq(synic_vp_get_sint(&synic, i), HV_SINT_MASKED);
	ck_assert_int_eq(synic_vp_signal(&synic, SINT, 1), -ENODEV);
	interrupts = 0;
	open_synic();
	synic_vp_eom(&synic);
	ck_assert(slot_is_free(SINT));
	ck_assert_uint_eq(interrupts, 0);
	ck_assert_int_eq(post(SINT, 8), 0);
	ck_assert(slot_is(SINT, 8, false));
}
END_TEST

/* What another thread queues is written when the VP's own says so. */
START_TEST(queue_then_deliver)
{
	for (uint32_t n = 0; n < SYNIC_QUEUE_MAX; n++) {
		const struct hv_message m = make(n);

		ck_assert_int_eq(synic_vp_queue(&synic, SINT, &m), 0);
	}
	ck_assert_int_eq(synic_vp_queue(&synic, SINT, &(struct hv_message){0}), -EAGAIN);
	ck_assert(slot_is_free(SINT));
	synic_vp_deliver(&synic);
	ck_assert(slot_is(SINT, 0, true));
	ck_assert_uint_eq(rooms, 1);
	consume(SINT);
	ck_assert(slot_is(SINT, 1, true));
}
END_TEST

/* --- Event flags (TLFS 11.5). ---------------------------------------------------------------- */

START_TEST(event_flags)
{
	static const unsigned int numbers[] = {0, 1, 63, 64, 1000, HV_EVENT_FLAGS_COUNT - 1};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const uint8_t *bytes = (const uint8_t *)flags.sint[SINT];

		ck_assert_int_eq(synic_vp_signal(&synic, SINT, numbers[i]), 0);
		ck_assert(bytes[numbers[i] / 8] & 1u << numbers[i] % 8);
		ck_assert_uint_eq(interrupts, i + 1);
		/* Set already: nothing new to say. */
		ck_assert_int_eq(synic_vp_signal(&synic, SINT, numbers[i]), 0);
		ck_assert_uint_eq(interrupts, i + 1);
	}
	ck_assert_uint_eq(counter_get(&synic.counters.coalesced), ARRAY_SIZE(numbers));
	flags.sint[SINT][0] &= ~1ull;
	ck_assert_int_eq(synic_vp_signal(&synic, SINT, 0), 0);
	ck_assert_uint_eq(interrupts, ARRAY_SIZE(numbers) + 1);
}
END_TEST

/* The flag is there for whoever looks; unmasking does not make up for the interrupt. */
START_TEST(masked_events)
{
	ck_assert(synic_vp_set_sint(&synic, SINT, HV_SINT_MASKED | VECTOR));
	ck_assert_int_eq(synic_vp_signal(&synic, SINT, 5), 0);
	ck_assert_uint_eq(flags.sint[SINT][0], 1u << 5);
	ck_assert(synic_vp_set_sint(&synic, SINT, OPEN));
	ck_assert_uint_eq(interrupts, 0);
	ck_assert_int_eq(synic_vp_signal(&synic, SINT, 6), 0);
	ck_assert_uint_eq(interrupts, 1);
}
END_TEST

START_TEST(events_refused)
{
	const struct hv_event_flags_page none = {0};

	ck_assert_int_eq(synic_vp_signal(&synic, SINT, HV_EVENT_FLAGS_COUNT), -EINVAL);
	ck_assert_int_eq(synic_vp_signal(&synic, SINT, UINT32_MAX), -EINVAL);
	synic_vp_set_enabled(&synic, false);
	ck_assert_int_eq(synic_vp_signal(&synic, SINT, 0), -ENODEV);
	synic_vp_set_enabled(&synic, true);
	synic_vp_set_flags_page(&synic, NULL);
	ck_assert_int_eq(synic_vp_signal(&synic, SINT, 0), -ENODEV);
	ck_assert_mem_eq(&flags, &none, sizeof(flags));
	ck_assert_uint_eq(interrupts, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		initial,
		vectors,
		sint_keeps_all_bits,
		free_slot,
		senders_flags,
		busy_slot,
		order,
		queue_limit,
		sints_are_independent,
		another_message_is_queued,
		now_or_not,
		masked_and_polling,
		polling_not_announced,
		masked_events,
		auto_eoi,
		raise_alone,
		off_and_on,
		rubbish_in_the_page,
		reset,
		queue_then_deliver,
		event_flags,
		events_refused,
	};

	return hv_run_tests("synic_vp", setup, teardown, tests, ARRAY_SIZE(tests));
}
