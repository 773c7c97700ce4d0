// SPDX-License-Identifier: MIT
/* Open channels: packets in, answers out, and what ends a channel; a guest in process. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo_device.h"
#include "vmbus/channel_internal.h"

static struct bus_guest guest;
static struct echo_device echo, other;
static struct bus_guest_channel ch, ch2;
static struct loop_thread own;

#define PAGES 2u /* a ring of 4 KiB */

static void start(bool pumped, struct loop_thread *thread)
{
	const struct bus_guest_config config = {.pumped = pumped};
	struct vmbus_channel_offer_channel offers[2];

	bus_guest_create(&guest, &config);
	echo_create(&echo, &guest, 0, 0, thread);
	echo_create(&other, &guest, 1, 0, thread);
	bus_guest_connect(&guest, VERSION_WIN10_V5_3, offers, 2);
	bus_guest_channel_init(&guest, &ch, &offers[0], PAGES, 1);
	bus_guest_channel_init(&guest, &ch2, &offers[1], PAGES, 2);
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
	ck_assert_uint_eq(bus_guest_open(&ch2), 0);
}

static void setup(void)
{
	start(false, NULL);
}

static void setup_pumped(void)
{
	start(true, NULL);
}

static void setup_own_loop(void)
{
	loop_thread_start(&own, false);
	start(false, &own);
}

static void teardown(void)
{
	bus_guest_destroy(&guest);
	echo_finish(&echo);
	echo_finish(&other);
}

static void teardown_own_loop(void)
{
	teardown();
	loop_thread_stop(&own);
}

/* As echo_ask_len(), but the host is not signalled. */
static void put(struct bus_guest_channel *c, uint64_t id, uint32_t operation)
{
	const struct echo_request request = {.operation = operation};
	bool signal;

	ck_assert(
		ring_guest_send(&c->out, VM_PKT_DATA_INBAND, 1, id, NULL, 0, &request, 8, &signal));
}

/* --- Packets and answers. ------------------------------------------------------------------ */

START_TEST(echoes)
{
	struct echo_request request = {.operation = ECHO_ANSWER};
	uint8_t buf[2048];
	uint32_t len;

	for (uint32_t n = 8; n <= 1000; n += 8) {
		memset(request.data, (int)n, sizeof(request.data));
		ck_assert(bus_guest_send(&ch, true, n, &request, n));
		len = bus_guest_completion(&ch, n, buf, sizeof(buf));
		ck_assert_uint_eq(len, 16 + min_of(n, ECHO_COMPLETION_MAX));
		ck_assert_mem_eq(buf + 16, &request, len - 16);
	}
	ck_assert_uint_eq(counter_get(&echo_counters(&echo)->packets), 125);
	ck_assert_uint_eq(counter_get(&echo_counters(&echo)->completions), 125);
	ck_assert_uint_eq(counter_get(&echo_counters(&echo)->opens), 1);
	ck_assert_uint_le(counter_get(&echo_counters(&echo)->interrupts), 125);
	ck_assert_uint_eq(synic_fake_interrupts(guest.hv, 0), 0);
	ck_assert_uint_eq(synic_fake_interrupts(guest.hv, 2), 0);
}
END_TEST

START_TEST(no_answer_where_none_is_wanted)
{
	const uint64_t request = ECHO_ANSWER;
	uint8_t buf[2048];

	ck_assert(bus_guest_send(&ch, false, 1, &request, sizeof(request)));
	ck_assert(echo_alive(&ch));
	ck_assert_uint_eq(bus_guest_receive(&ch, buf, sizeof(buf), 0), 0);
	ck_assert_uint_eq(counter_get(&echo_counters(&echo)->packets), 2);
	ck_assert_uint_eq(counter_get(&echo_counters(&echo)->completions), 1);
}
END_TEST

static void look_at_channel(void *arg)
{
	struct channel *channel = echo.channels[0].channel;

	ck_assert_uint_eq(channel_index(channel), 0);
	ck_assert_uint_eq(channel_vmbus_version(channel), VERSION_WIN10_V5_3);
	for (unsigned int i = 0; i < VMBUS_USER_DATA_SIZE; i++)
		ck_assert_uint_eq(channel_user_data(channel)[i], (uint8_t)(ch.relid + i));
}

START_TEST(what_a_device_can_ask)
{
	bus_guest_call(&guest, look_at_channel, NULL);
}
END_TEST

/* One wake, one commit a ring, one interrupt. */
START_TEST(a_batch)
{
	struct channel *channel = echo.channels[0].channel;
	const struct channel_counters *counters = echo_counters(&echo);
	uint64_t interrupts, wakes, commits, begun;

	ck_assert(echo_alive(&ch));
	loop_thread_pump(&guest.thread);
	interrupts = counter_get(&counters->interrupts);
	wakes = counter_get(&counters->wakes);
	commits = counter_get(&channel->out.counters.commits);
	begun = counter_get(&channel->in.counters.wakes);
	for (uint64_t i = 0; i < 20; i++)
		put(&ch, i, ECHO_ANSWER);
	bus_guest_signal(&ch);
	for (uint64_t i = 0; i < 20; i++)
		ck_assert(echo_answered(&ch, i));
	loop_thread_pump(&guest.thread);
	ck_assert_uint_eq(counter_get(&counters->interrupts) - interrupts, 1);
	ck_assert_uint_eq(counter_get(&counters->wakes) - wakes, 1);
	ck_assert_uint_eq(counter_get(&channel->out.counters.commits) - commits, 1);
	/* Answers from inside the batch are no reason for another. */
	ck_assert_uint_eq(counter_get(&channel->in.counters.wakes) - begun, 1);
	ck_assert_uint_eq(synic_fake_interrupts(guest.hv, 1), counter_get(&counters->interrupts));
}
END_TEST

/* Answers and room for more that is waited for: still one interrupt. */
START_TEST(room_and_answers_are_one_interrupt)
{
	uint64_t interrupts;
	uint64_t id = 0;

	while (echo_ask(&ch, id, ECHO_HOLD, 0) && id < 6)
		id++;
	echo_wait_count(&echo, &echo.packets, 7);
	loop_thread_pump(&guest.thread);
	for (uint64_t i = 0; i < 5; i++)
		put(&ch, 100 + i, ECHO_ANSWER);
	ch.up.control->pending_send_sz = 4096 - 32;
	interrupts = counter_get(&echo_counters(&echo)->interrupts);
	echo_release(&echo, 0);
	for (uint64_t i = 0; i < 7; i++)
		ck_assert(echo_answered(&ch, i));
	for (uint64_t i = 0; i < 5; i++)
		ck_assert(echo_answered(&ch, 100 + i));
	loop_thread_pump(&guest.thread);
	/* What was held goes first; then the batch. */
	ck_assert_uint_le(counter_get(&echo_counters(&echo)->interrupts) - interrupts, 2);
}
END_TEST

START_TEST(no_signals_at_depth)
{
	const struct channel_counters *counters = echo_counters(&echo);
	uint64_t id = 0, signals, wakes, polls = 0;

	for (; id < 6; id++)
		ck_assert(echo_ask(&ch, id, ECHO_HOLD, 0));
	loop_thread_pump(&guest.thread);
	signals = ch.signals;
	wakes = counter_get(&counters->wakes);
	for (unsigned int round = 0; round < 100; round++, id += 6) {
		/* The machine may be so slow that the silence is noticed. */
		polls += !ch.up.control->interrupt_mask;
		for (uint64_t i = 0; i < 6; i++)
			put(&ch, id + i, ECHO_HOLD);
		echo_release(&echo, 0);
		loop_thread_pump(&guest.thread);
		for (uint64_t i = 0; i < 6; i++)
			ck_assert(echo_answered(&ch, id - 6 + i));
		ck_assert_uint_eq(atomic_load(&echo.packets), id + 6);
	}
	ck_assert_uint_eq(ch.signals, signals);
	ck_assert_uint_eq(counter_get(&counters->wakes), wakes);
	ck_assert_uint_lt(polls, 50);
}
END_TEST

/* Requests that take long do not keep others waiting. */
START_TEST(slow_answers)
{
	for (uint64_t i = 0; i < 6; i++)
		ck_assert(echo_ask(&ch, i, ECHO_HOLD, 0));
	echo_wait_count(&echo, &echo.packets, 6);
	usleep(10000);
	ck_assert(echo_alive(&ch));
	/* After a while of silence each is signalled. */
	for (unsigned int i = 0; __atomic_load_n(&ch.up.control->interrupt_mask, __ATOMIC_SEQ_CST);
	     i++) {
		ck_assert_uint_lt(i, BUS_GUEST_MS);
		usleep(1000);
	}
	echo_release(&echo, 0);
	for (uint64_t i = 0; i < 6; i++)
		ck_assert(echo_answered(&ch, i));
}
END_TEST

/* A guest that never stops sending does not keep others from being served. */
static _Atomic bool enough;

static void *send_on(void *arg)
{
	const struct echo_request request = {.operation = ECHO_ANSWER};

	while (!atomic_load(&enough))
		(void)bus_guest_send(&ch, false, 0, &request, 8);
	return NULL;
}

START_TEST(endless_packets)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, send_on, NULL), 0);
	for (unsigned int i = 0; i < 20; i++) {
		usleep(2000);
		ck_assert(echo_alive(&ch2));
	}
	atomic_store(&enough, true);
	pthread_join(thread, NULL);
	/* The ring may still be full; the last packets have signalled already. */
	for (unsigned int i = 0; !echo_ask(&ch, 77, ECHO_ANSWER, 0); i++) {
		ck_assert_uint_lt(i, BUS_GUEST_MS);
		usleep(1000);
	}
	ck_assert(echo_answered(&ch, 77));
}
END_TEST

/* However much a guest has sent, others get their turn in between. */
START_TEST(a_pass_has_an_end)
{
	const struct vmbus_channel_offer_channel offer = {.child_relid = ch.relid,
							  .connection_id = ch.connection_id};

	bus_guest_close(&ch);
	bus_guest_channel_init(&guest, &ch, &offer, 33, 1);
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
	for (uint64_t i = 0; i < 3000; i++)
		put(&ch, i, ECHO_ANSWER);
	bus_guest_signal(&ch);
	ck_assert(echo_alive(&ch2));
	ck_assert_uint_lt(atomic_load(&echo.packets), 2500);
	for (uint64_t i = 0; i < 3000; i++)
		ck_assert(echo_answered(&ch, i));
	ck_assert_uint_eq(atomic_load(&echo.packets), 3000);
}
END_TEST

/* --- What ends a channel. ------------------------------------------------------------------ */

static void misbehave(int how)
{
	struct hv_ring_buffer *up = ch.up.control, *down = ch.down.control;
	const uint64_t request = ECHO_ANSWER;

	switch (how) {
	case 0: /* longer than the device takes */
		ck_assert(echo_ask_len(&ch, 1, ECHO_ANSWER, 0, ECHO_PACKET_MAX - 8));
		return;
	case 1:
		ck_assert(echo_ask(&ch, 1, ECHO_BAD, 0));
		return;
	case 2:
		ck_assert(echo_ask(&ch, 1, ECHO_FAIL, 0));
		ck_assert(echo_answered(&ch, 1));
		return;
	case 3:
		__atomic_store_n(&up->write_index, 4, __ATOMIC_SEQ_CST);
		break;
	case 4:
		__atomic_store_n(&up->write_index, 4096, __ATOMIC_SEQ_CST);
		break;
	case 5: /* backwards */
		__atomic_store_n(&up->write_index, 8, __ATOMIC_SEQ_CST);
		break;
	case 6: /* past what was shown */
		__atomic_store_n(&down->read_index, (down->write_index + 64) % 4096,
				 __ATOMIC_SEQ_CST);
		break;
	case 7:
		__atomic_store_n(&down->read_index, 0xffffffff, __ATOMIC_SEQ_CST);
		break;
	case 8: /* no such type of packet */
		ck_assert(bus_guest_send_list(&ch, 0x55, 1, 1, NULL, 0, &request, 8));
		return;
	case 9: /* no such flags */
		ck_assert(bus_guest_send_list(&ch, VM_PKT_DATA_INBAND, 0x8000, 1, NULL, 0, &request,
					      8));
		return;
	}
	bus_guest_signal(&ch);
}

START_TEST(breaches)
{
	const struct channel_counters *counters = echo_counters(&echo);
	uint64_t counted;

	for (unsigned int i = 0; i < 8; i++)
		ck_assert(echo_alive(&ch));
	/* The indices of the ring down look wrong only when the host needs room. */
	if (_i == 6 || _i == 7) {
		for (unsigned int i = 0; i < 6; i++)
			ck_assert(echo_ask_len(&ch, i, ECHO_ANSWER, 0, 512));
		echo_wait_count(&echo, &echo.packets, 14);
		loop_thread_pump(&guest.thread);
		loop_thread_pump(echo.thread);
	}
	counted = counter_get(&counters->failures);
	misbehave(_i);
	if (_i == 6 || _i == 7)
		for (unsigned int i = 0; i < 3; i++)
			(void)echo_ask_len(&ch, i, ECHO_ANSWER, 0, 512);
	echo_wait_count(&echo, &echo.closes, 1);
	ck_assert_uint_eq(counter_get(&counters->failures), counted + 1);
	/* Dead, and nothing else is. */
	ck_assert(echo_alive(&ch2));
	ck_assert_uint_eq(counter_get(&echo_counters(&other)->failures), 0);
	bus_guest_signal(&ch);
	bus_guest_close(&ch);
	ck_assert_uint_eq(counter_get(&counters->closes), 1);
	ck_assert_uint_eq(atomic_load(&echo.closes), 1);
	/* And the channel is as good as new. */
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
	ck_assert(echo_alive(&ch));
	ck_assert(echo_alive(&ch2));
}
END_TEST

/* --- A loop of its own. -------------------------------------------------------------------- */

START_TEST(many_packets)
{
	uint8_t buf[2048];
	uint64_t sent = 0, received = 0;

	while (received < 20000) {
		while (sent < 20000 && echo_ask_len(&ch, sent, ECHO_ANSWER, 0, 8 + sent % 60 * 8))
			sent++;
		ck_assert_uint_ne(bus_guest_completion(&ch, received, buf, sizeof(buf)), 0);
		received++;
	}
	ck_assert_uint_eq(counter_get(&echo_counters(&echo)->completions), 20000);
	ck_assert(echo_alive(&ch2));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("channel");
	TCase *t = tcase_create("channel"), *pumped = tcase_create("pumped"),
	      *own_loop = tcase_create("own loop");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, echoes);
	tcase_add_test(t, no_answer_where_none_is_wanted);
	tcase_add_test(t, what_a_device_can_ask);
	tcase_add_test(t, slow_answers);
	tcase_add_test(t, endless_packets);
	tcase_add_loop_test(t, breaches, 0, 10);
	tcase_add_test(t, many_packets);
	suite_add_tcase(s, pumped);
	tcase_add_checked_fixture(pumped, setup_pumped, teardown);
	tcase_add_test(pumped, echoes);
	tcase_add_test(pumped, a_batch);
	tcase_add_test(pumped, a_pass_has_an_end);
	tcase_add_test(pumped, room_and_answers_are_one_interrupt);
	tcase_add_test(pumped, no_signals_at_depth);
	suite_add_tcase(s, own_loop);
	tcase_add_checked_fixture(own_loop, setup_own_loop, teardown_own_loop);
	tcase_add_test(own_loop, echoes);
	tcase_add_loop_test(own_loop, breaches, 0, 10);
	tcase_add_test(own_loop, many_packets);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
