// SPDX-License-Identifier: MIT
/* Messages and signals between the SynIC and the bus' loop. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop_thread.h"
#include "synic_fake.h"
#include "vmbus/transport.h"
#include "vmbus/vmbus_proto.h"

#define QUEUE 64u /* transport.c's */

static struct loop_thread thread;
static struct hv *hv;
static struct transport *transport;
static uint32_t seen[4 * QUEUE], seen_ids[4 * QUEUE];
static unsigned int count, flushes, offered;
static bool busy, waiting;

static int on_message(void *ctx, uint32_t connection_id, const void *message, size_t len)
{
	ck_assert_ptr_eq(ctx, &thread);
	ck_assert_uint_ge(len, sizeof(uint32_t));
	offered++;
	if (busy)
		return -EAGAIN;
	seen_ids[count] = connection_id;
	memcpy(&seen[count++], message, sizeof(uint32_t));
	return 0;
}

static bool on_flush(void *ctx)
{
	flushes++;
	return !waiting;
}

static const struct transport_ops ops = {.message = on_message, .flush = on_flush};

static void setup(void)
{
	loop_thread_start(&thread, true);
	hv = synic_fake_create(2, 1);
	ck_assert_int_eq(transport_create(thread.loop, hv, &ops, &thread, &transport), 0);
	ck_assert_uint_eq(synic_fake_connections(hv), 2);
	count = flushes = offered = 0;
	busy = waiting = false;
}

static void teardown(void)
{
	transport_destroy(transport);
	loop_thread_pump(&thread);
	loop_thread_stop(&thread);
	synic_fake_destroy(hv);
}

static enum hv_status post(uint32_t number)
{
	return synic_fake_post(hv, VMBUS_MESSAGE_CONNECTION_ID, VMBUS_MESSAGE_TYPE, &number,
			       sizeof(number));
}

static uint64_t counted(const struct counter *counter)
{
	return counter_get(counter);
}

START_TEST(messages_arrive_in_order)
{
	const uint32_t last = 10;

	for (uint32_t i = 0; i < 10; i++)
		ck_assert_int_eq(post(i), HV_STATUS_SUCCESS);
	ck_assert_int_eq(synic_fake_post(hv, VMBUS_MESSAGE_CONNECTION_ID_4, VMBUS_MESSAGE_TYPE,
					 &last, sizeof(last)),
			 HV_STATUS_SUCCESS);
	ck_assert_uint_eq(count, 0); /* not on the VP's thread */
	loop_thread_pump(&thread);
	ck_assert_uint_eq(count, 11);
	for (uint32_t i = 0; i < 11; i++)
		ck_assert_uint_eq(seen[i], i);
	ck_assert_uint_eq(seen_ids[9], VMBUS_MESSAGE_CONNECTION_ID);
	ck_assert_uint_eq(seen_ids[10], VMBUS_MESSAGE_CONNECTION_ID_4);
	ck_assert_uint_eq(counted(&transport_counters(transport)->queued), 11);
}
END_TEST

START_TEST(others_messages)
{
	const uint32_t number = 1;

	ck_assert_int_eq(synic_fake_post(hv, VMBUS_MESSAGE_CONNECTION_ID, 2, &number, 4),
			 HV_STATUS_SUCCESS);
	ck_assert_int_eq(synic_fake_post(hv, 3, VMBUS_MESSAGE_TYPE, &number, 4),
			 HV_STATUS_INVALID_CONNECTION_ID);
	loop_thread_pump(&thread);
	ck_assert_uint_eq(offered, 0);
	ck_assert_uint_eq(counted(&transport_counters(transport)->foreign), 1);
}
END_TEST

START_TEST(a_full_queue)
{
	for (uint32_t i = 0; i < QUEUE; i++)
		ck_assert_int_eq(post(i), HV_STATUS_SUCCESS);
	ck_assert_int_eq(post(QUEUE), HV_STATUS_INSUFFICIENT_BUFFERS);
	ck_assert_int_eq(post(QUEUE), HV_STATUS_INSUFFICIENT_BUFFERS);
	ck_assert_uint_eq(counted(&transport_counters(transport)->full), 2);
	loop_thread_pump(&thread);
	ck_assert_uint_eq(count, QUEUE);
	for (uint32_t i = 0; i < QUEUE; i++)
		ck_assert_int_eq(post(QUEUE + i), HV_STATUS_SUCCESS);
	loop_thread_pump(&thread);
	ck_assert_uint_eq(count, 2 * QUEUE);
	for (uint32_t i = 0; i < 2 * QUEUE; i++)
		ck_assert_uint_eq(seen[i], i);
}
END_TEST

/* The slot of VP 0 has room for one message. */
static void fill_slot(void)
{
	ck_assert(transport_send(transport, 0, 2, "first", 5));
	ck_assert(!transport_send(transport, 0, 2, "second", 6));
	ck_assert(transport_send(transport, 1, 2, "other VP", 8));
}

static void read_slot(void)
{
	struct synic_fake_message m;

	ck_assert(synic_fake_take(hv, &m, 0));
	ck_assert_uint_eq(m.sint, 2);
	ck_assert_uint_eq(m.type, VMBUS_MESSAGE_TYPE);
	loop_thread_pump(&thread);
}

START_TEST(room)
{
	struct synic_fake_message m;

	fill_slot();
	loop_thread_pump(&thread);
	ck_assert_uint_eq(flushes, 0);
	ck_assert(synic_fake_take(hv, &m, 0));
	ck_assert_uint_eq(m.vp, 0);
	ck_assert_mem_eq(m.payload, "first", 5);
	ck_assert_uint_eq(flushes, 0); /* not on the VP's thread */
	loop_thread_pump(&thread);
	ck_assert_uint_eq(flushes, 1);
	ck_assert(transport_send(transport, 0, 2, "second", 6));
	/* Who was not refused needs no callback. */
	ck_assert(synic_fake_take(hv, &m, 0));
	ck_assert_uint_eq(m.vp, 1);
	loop_thread_pump(&thread);
	ck_assert_uint_eq(flushes, 1);
}
END_TEST

START_TEST(held_messages)
{
	fill_slot();
	busy = true;
	for (uint32_t i = 0; i < 5; i++)
		ck_assert_int_eq(post(i), HV_STATUS_SUCCESS);
	loop_thread_pump(&thread);
	ck_assert_uint_eq(offered, 1);
	/* More mail is no reason to offer it again. */
	ck_assert_int_eq(post(5), HV_STATUS_SUCCESS);
	loop_thread_pump(&thread);
	ck_assert_uint_eq(offered, 1);
	/* Nor is room that is used up at once. */
	waiting = true;
	read_slot();
	ck_assert_uint_eq(flushes, 1);
	ck_assert_uint_eq(offered, 1);
	ck_assert(!transport_send(transport, 1, 2, "x", 1));
	waiting = busy = false;
	read_slot();
	ck_assert_uint_eq(flushes, 2);
	ck_assert_uint_eq(count, 6);
	for (uint32_t i = 0; i < 6; i++)
		ck_assert_uint_eq(seen[i], i);
}
END_TEST

START_TEST(held_again)
{
	fill_slot();
	busy = true;
	ck_assert_int_eq(post(1), HV_STATUS_SUCCESS);
	loop_thread_pump(&thread);
	read_slot(); /* flushed; but the message still cannot be taken */
	ck_assert_uint_eq(offered, 2);
	ck_assert_uint_eq(count, 0);
	ck_assert(!transport_send(transport, 1, 2, "x", 1));
	busy = false;
	read_slot();
	ck_assert_uint_eq(count, 1);
}
END_TEST

START_TEST(reset_forgets)
{
	busy = true;
	for (uint32_t i = 0; i < QUEUE; i++)
		ck_assert_int_eq(post(i), HV_STATUS_SUCCESS);
	loop_thread_pump(&thread);
	transport_reset(transport);
	busy = false;
	ck_assert_int_eq(post(1000), HV_STATUS_SUCCESS);
	loop_thread_pump(&thread);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(seen[0], 1000);
}
END_TEST

START_TEST(signals_from_the_guest)
{
	const int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t value;

	ck_assert_int_eq(transport_open_event(transport, 77, fd), 0);
	ck_assert_int_eq(transport_open_event(transport, 77, fd), -EEXIST);
	ck_assert_int_eq(transport_open_event(transport, VMBUS_MESSAGE_CONNECTION_ID, fd), -EEXIST);
	ck_assert_int_eq(transport_open_event(transport, 1u << 24, fd), -EINVAL);
	ck_assert_int_eq(synic_fake_signal(hv, 77), HV_STATUS_SUCCESS);
	ck_assert_int_eq(read(fd, &value, sizeof(value)), sizeof(value));
	transport_close_event(transport, 77);
	ck_assert_int_eq(synic_fake_signal(hv, 77), HV_STATUS_INVALID_CONNECTION_ID);
	close(fd);
}
END_TEST

START_TEST(signals_to_the_guest)
{
	transport_signal(transport, 1, 2, 2047);
	ck_assert_uint_eq(synic_fake_interrupts(hv, 1), 1);
	transport_signal(transport, 1, 2, 2047);
	ck_assert_uint_eq(synic_fake_interrupts(hv, 1), 1);
	ck_assert(synic_fake_test_and_clear(hv, 1, 2, 2047));
	ck_assert(!synic_fake_test_and_clear(hv, 1, 2, 2047));
	synic_fake_set_flags_page(hv, false);
	transport_signal(transport, 1, 2, 5);
	ck_assert(!synic_fake_test_and_clear(hv, 1, 2, 5));
}
END_TEST

START_TEST(a_connection_that_is_taken)
{
	struct transport *second = NULL;

	transport_destroy(transport);
	transport = NULL;
	ck_assert_uint_eq(synic_fake_connections(hv), 0);
	ck_assert_int_eq(synic_open_event(hv, VMBUS_MESSAGE_CONNECTION_ID_4, -1), 0);
	ck_assert_int_eq(transport_create(thread.loop, hv, &ops, &thread, &second), -EEXIST);
	ck_assert_ptr_null(second);
	ck_assert_uint_eq(synic_fake_connections(hv), 1);
	synic_close(hv, VMBUS_MESSAGE_CONNECTION_ID_4);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("transport");
	TCase *t = tcase_create("transport");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, messages_arrive_in_order);
	tcase_add_test(t, others_messages);
	tcase_add_test(t, a_full_queue);
	tcase_add_test(t, room);
	tcase_add_test(t, held_messages);
	tcase_add_test(t, held_again);
	tcase_add_test(t, reset_forgets);
	tcase_add_test(t, signals_from_the_guest);
	tcase_add_test(t, signals_to_the_guest);
	tcase_add_test(t, a_connection_that_is_taken);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
