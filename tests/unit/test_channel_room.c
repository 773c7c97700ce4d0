// SPDX-License-Identifier: MIT
/* Open channels: room for answers and messages, and devices that are not ready. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo_device.h"

static struct bus_guest guest;
static struct echo_device echo, other;
static struct bus_guest_channel ch, ch2;
static struct loop_thread own;

#define PAGES 2u /* a ring of 4 KiB */

/* What a completion of so many bytes takes, and how many such fit the ring. */
#define SPACE(payload)     ((payload) + 24u)
#define FIT(payload, ring) (((ring)-8u) / SPACE(payload))

static void start(struct loop_thread *thread, uint32_t completion_max)
{
	struct vmbus_channel_offer_channel offers[2];

	bus_guest_create(&guest, NULL);
	echo_create(&echo, &guest, 0, 0, thread);
	echo.ops.completion_max = completion_max;
	echo_create(&other, &guest, 1, 0, thread);
	bus_guest_connect(&guest, VERSION_WIN10_V5_3, offers, 2);
	bus_guest_channel_init(&guest, &ch, &offers[0], PAGES, 1);
	bus_guest_channel_init(&guest, &ch2, &offers[1], PAGES, 2);
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
	ck_assert_uint_eq(bus_guest_open(&ch2), 0);
}

static void setup(void)
{
	start(NULL, ECHO_COMPLETION_MAX);
}

static void setup_short_answers(void)
{
	start(NULL, 16);
}

static void setup_own_loop(void)
{
	loop_thread_start(&own, false);
	start(&own, ECHO_COMPLETION_MAX);
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

/* --- Room. --------------------------------------------------------------------------------- */

/* A question is taken only when there is room for the longest answer. */
START_TEST(room_for_the_answer_first)
{
	const unsigned int fit = FIT(ECHO_COMPLETION_MAX, 4096);
	uint64_t id = 0;

	for (; id < 20; id++)
		ck_assert(echo_ask(&ch, id, ECHO_HOLD, 0));
	echo_wait_count(&echo, &echo.packets, fit);
	usleep(5000);
	ck_assert_uint_eq(atomic_load(&echo.packets), fit);
	ck_assert(echo_alive(&ch2));
	/* Each answer frees more than it takes. */
	for (unsigned int i = 0; i < 4; i++) {
		loop_thread_pump(&guest.thread);
		echo_release(&echo, 0);
	}
	for (uint64_t i = 0; i < 20; i++)
		ck_assert(echo_answered(&ch, i));
}
END_TEST

static void fill(void)
{
	uint64_t id = 0;

	for (; id < 7; id++)
		ck_assert(echo_ask_len(&ch, id, ECHO_ANSWER, 0, 512));
	echo_wait_count(&echo, &echo.packets, 7);
	/* As long as the guest does not read, no more is taken. */
	for (; id < 14; id++)
		ck_assert(echo_ask_len(&ch, id, ECHO_ANSWER, 0, 512));
	usleep(5000);
	ck_assert_uint_eq(atomic_load(&echo.packets), 7);
	ck_assert(echo_alive(&ch2));
}

START_TEST(full_with_flow_control)
{
	uint64_t signals;

	fill();
	signals = ch.signals;
	for (uint64_t i = 0; i < 14; i++)
		ck_assert(echo_answered(&ch, i));
	ck_assert_uint_gt(ch.signals, signals);
	ck_assert(echo_alive(&ch));
}
END_TEST

/* An old guest says nothing when it has read. */
START_TEST(full_without_flow_control)
{
	uint8_t buf[2048];

	ch.up.control->feature_bits = 0;
	fill();
	for (unsigned int n = 0, tries = 0; n < 14; tries++) {
		ck_assert_uint_lt(tries, 10 * BUS_GUEST_MS);
		if (ring_guest_receive(&ch.in, buf, sizeof(buf)))
			n++;
		else
			usleep(100);
		(void)ring_guest_commit(&ch.in);
	}
	ck_assert_uint_eq(atomic_load(&echo.packets), 14);
}
END_TEST

START_TEST(not_ready)
{
	ck_assert(echo_ask(&ch, 1, ECHO_STOP, 0));
	ck_assert(echo_answered(&ch, 1));
	ck_assert(echo_ask(&ch, 2, ECHO_ANSWER, 0));
	ck_assert(echo_ask(&ch, 3, ECHO_ANSWER, 0));
	bus_guest_signal(&ch);
	ck_assert(echo_alive(&ch2));
	ck_assert_uint_eq(atomic_load(&echo.packets), 1);
	echo_resume(&echo, 0);
	ck_assert(echo_answered(&ch, 2));
	ck_assert(echo_answered(&ch, 3));
	ck_assert(echo_alive(&ch));
}
END_TEST

START_TEST(resumed_from_inside)
{
	for (uint64_t i = 0; i < 5; i++)
		ck_assert(echo_ask(&ch, i, ECHO_PAUSE, 0));
	for (uint64_t i = 0; i < 5; i++)
		ck_assert(echo_answered(&ch, i));
}
END_TEST

/* --- Messages of the device. --------------------------------------------------------------- */

static void take_messages(unsigned int count)
{
	struct vmpacket_descriptor head;
	uint8_t buf[2048];

	for (unsigned int i = 0; i < count; i++) {
		uint32_t len = bus_guest_receive(&ch, buf, sizeof(buf), BUS_GUEST_MS);

		ck_assert_uint_eq(len, 16 + ECHO_MESSAGE_LEN);
		memcpy(&head, buf, sizeof(head));
		ck_assert_uint_eq(head.type, VM_PKT_DATA_INBAND);
		ck_assert_uint_eq(head.trans_id, count - i);
	}
}

START_TEST(messages)
{
	ck_assert(bus_guest_send(&ch, false, 0, &(uint32_t[]){ECHO_SEND, 5}, 8));
	take_messages(5);
	ck_assert_uint_eq(counter_get(&echo_counters(&echo)->sent), 5);
	ck_assert(echo_alive(&ch));
}
END_TEST

START_TEST(messages_wait_for_room)
{
	ck_assert(bus_guest_send(&ch, false, 0, &(uint32_t[]){ECHO_SEND, 100}, 8));
	echo_wait_count(&echo, &echo.packets, 1);
	/* Meanwhile the loop has time for others. */
	ck_assert(echo_alive(&ch2));
	ck_assert_uint_le(atomic_load(&echo.rooms), 2);
	take_messages(100);
	ck_assert_uint_le(atomic_load(&echo.rooms), 100);
	ck_assert(echo_alive(&ch));
}
END_TEST

/* There is room for answers meanwhile: the wish for more must outlive that. */
START_TEST(messages_wait_beside_short_answers)
{
	ck_assert_uint_eq(ch.down.control->pending_send_sz, 0);
	ck_assert(bus_guest_send(&ch, false, 0, &(uint32_t[]){ECHO_SEND, 20}, 8));
	echo_wait_count(&echo, &echo.packets, 1);
	ck_assert(bus_guest_send(&ch, false, 0, &(uint32_t[]){ECHO_ANSWER, 0}, 8));
	echo_wait_count(&echo, &echo.packets, 2);
	loop_thread_pump(&guest.thread);
	ck_assert_uint_ne(ch.down.control->pending_send_sz, 0);
	take_messages(20);
}
END_TEST

START_TEST(messages_without_flow_control)
{
	uint8_t buf[2048];

	ch.up.control->feature_bits = 0;
	ck_assert(bus_guest_send(&ch, false, 0, &(uint32_t[]){ECHO_SEND, 30}, 8));
	for (unsigned int n = 0, tries = 0; n < 30; tries++) {
		ck_assert_uint_lt(tries, 10 * BUS_GUEST_MS);
		if (ring_guest_receive(&ch.in, buf, sizeof(buf)))
			n++;
		else
			usleep(100);
		(void)ring_guest_commit(&ch.in);
	}
	ck_assert(echo_alive(&ch2));
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, room_for_the_answer_first);
	tcase_add_test(t, full_with_flow_control);
	tcase_add_test(t, full_without_flow_control);
	tcase_add_test(t, not_ready);
	tcase_add_test(t, resumed_from_inside);
	tcase_add_test(t, messages);
	tcase_add_test(t, messages_wait_for_room);
	tcase_add_test(t, messages_without_flow_control);
}

int main(void)
{
	Suite *s = suite_create("channel_room");
	TCase *t = tcase_create("channel_room"), *own_loop = tcase_create("own loop"),
	      *small = tcase_create("short answers");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	add_tests(t);
	suite_add_tcase(s, own_loop);
	tcase_add_checked_fixture(own_loop, setup_own_loop, teardown_own_loop);
	add_tests(own_loop);
	suite_add_tcase(s, small);
	tcase_add_checked_fixture(small, setup_short_answers, teardown);
	tcase_add_test(small, messages_wait_beside_short_answers);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
