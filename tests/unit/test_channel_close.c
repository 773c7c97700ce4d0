// SPDX-License-Identifier: MIT
/* The end of channels, with requests outstanding and without, and opening them again. */
#include <check.h>
#include <dirent.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo_device.h"

static struct bus_guest guest;
static struct echo_device echo, other;
static struct bus_guest_channel ch, ch2;
static struct loop_thread own;

static void start(struct loop_thread *thread)
{
	struct vmbus_channel_offer_channel offers[2];

	bus_guest_create(&guest, NULL);
	echo_create(&echo, &guest, 0, 0, thread);
	echo_create(&other, &guest, 1, 0, thread);
	bus_guest_connect(&guest, VERSION_WIN10_V5_3, offers, 2);
	bus_guest_channel_init(&guest, &ch, &offers[0], 2, 1);
	bus_guest_channel_init(&guest, &ch2, &offers[1], 4, 2);
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
	ck_assert_uint_eq(bus_guest_open(&ch2), 0);
}

static void setup(void)
{
	start(NULL);
}

static void setup_own_loop(void)
{
	loop_thread_start(&own, false);
	start(&own);
}

static void teardown(void)
{
	atomic_store(&echo.slow_close, false);
	echo_close(&echo, 0);
	bus_guest_destroy(&guest);
	echo_finish(&echo);
	echo_finish(&other);
}

static void teardown_own_loop(void)
{
	teardown();
	loop_thread_stop(&own);
}

static void hold(unsigned int count)
{
	const uint64_t before = atomic_load(&echo.packets);

	for (unsigned int i = 0; i < count; i++)
		ck_assert(echo_ask(&ch, i, ECHO_HOLD, 0));
	echo_wait_count(&echo, &echo.packets, before + count);
}

static void post_close(void)
{
	bus_guest_post_relid(&guest, CHANNELMSG_CLOSECHANNEL, ch.relid);
	bus_guest_post_teardown(&guest, ch.relid, ch.gpadl);
}

/* The guest's pages are its own again only when no request uses them. */
START_TEST(outstanding_requests)
{
	union bus_guest_message m;

	atomic_store(&echo.slow_close, true);
	hold(3);
	post_close();
	echo_wait_count(&echo, &echo.closes, 1);
	ck_assert(bus_guest_silent(&guest));
	ck_assert_uint_eq(synic_fake_signal(guest.hv, ch.connection_id), HV_STATUS_SUCCESS);
	ck_assert(echo_alive(&ch2));
	/* Their answers go nowhere. */
	echo_release(&echo, 0);
	ck_assert(bus_guest_silent(&guest));
	echo_close(&echo, 0);
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_GPADL_TORNDOWN, &m));
	ck_assert_uint_eq(m.torndown.gpadl, ch.gpadl);
	ck_assert_uint_eq(ch.down.control->write_index, 0);
	ck_assert_uint_eq(synic_fake_signal(guest.hv, ch.connection_id),
			  HV_STATUS_INVALID_CONNECTION_ID);
	ck_assert_uint_eq(counter_get(&echo_counters(&echo)->closes), 1);
	ck_assert_uint_eq(counter_get(&echo_counters(&echo)->failures), 0);
}
END_TEST

START_TEST(gpadl_of_an_open_channel)
{
	bus_guest_post_teardown(&guest, ch.relid, ch.gpadl);
	ck_assert(bus_guest_silent(&guest));
	ck_assert(echo_alive(&ch));
	bus_guest_post_relid(&guest, CHANNELMSG_CLOSECHANNEL, ch.relid);
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_GPADL_TORNDOWN, NULL));
}
END_TEST

START_TEST(reset_with_requests)
{
	struct vmbus_channel_offer_channel offers[2];

	atomic_store(&echo.slow_close, true);
	hold(6);
	bus_guest_begin_reset(&guest);
	echo_wait_count(&echo, &echo.closes, 1);
	usleep(10000);
	ck_assert(!atomic_load(&guest.is_reset));
	echo_release(&echo, 0);
	echo_close(&echo, 0);
	bus_guest_end_reset(&guest);
	ck_assert_uint_eq(synic_fake_connections(guest.hv), 2);
	atomic_store(&echo.slow_close, false);
	bus_guest_connect(&guest, VERSION_WIN10, offers, 2);
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
	ck_assert(echo_alive(&ch));
}
END_TEST

START_TEST(unload_with_requests)
{
	atomic_store(&echo.slow_close, true);
	hold(2);
	bus_guest_post_header(&guest, CHANNELMSG_UNLOAD);
	echo_wait_count(&echo, &echo.closes, 1);
	ck_assert(bus_guest_silent(&guest));
	echo_close(&echo, 0);
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_UNLOAD_RESPONSE, NULL));
	ck_assert_uint_eq(synic_fake_connections(guest.hv), 2);
}
END_TEST

/* As after kexec: nothing was closed, and the new kernel has other rings. */
START_TEST(connected_anew)
{
	const struct vmbus_channel_initiate_contact m = {
		.header = {.msgtype = CHANNELMSG_INITIATE_CONTACT},
		.vmbus_version_requested = VERSION_WIN10,
	};
	struct vmbus_channel_offer_channel offers[2];

	atomic_store(&echo.slow_close, true);
	hold(5);
	guest.post_id = VMBUS_MESSAGE_CONNECTION_ID;
	bus_guest_post(&guest, &m, sizeof(m));
	echo_wait_count(&echo, &echo.closes, 1);
	ck_assert(bus_guest_silent(&guest));
	atomic_store(&echo.slow_close, false);
	echo_close(&echo, 0);
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_VERSION_RESPONSE, NULL));
	guest.version = VERSION_WIN10;
	ck_assert_uint_eq(bus_guest_offers(&guest, offers, 2), 2);
	bus_guest_channel_init(&guest, &ch, &offers[0], 3, 3);
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
	ck_assert(echo_alive(&ch));
}
END_TEST

/* A guest does not wait for a close: it has no answer of its own. */
START_TEST(opened_again_at_once)
{
	const uint32_t old = ch.gpadl;
	union bus_guest_message m;

	atomic_store(&echo.slow_close, _i);
	hold(1);
	bus_guest_post_relid(&guest, CHANNELMSG_CLOSECHANNEL, ch.relid);
	ch.gpa = bus_guest_pages(&guest, 2 * ch.pages);
	bus_guest_channel_init(&guest, &ch,
			       &(struct vmbus_channel_offer_channel){
				       .child_relid = ch.relid, .connection_id = ch.connection_id},
			       2, 3);
	ck_assert_uint_eq(bus_guest_lend(&ch), 0);
	bus_guest_post_open(&ch);
	if (_i) {
		echo_wait_count(&echo, &echo.closes, 1);
		ck_assert(bus_guest_silent(&guest));
		atomic_store(&echo.slow_close, false);
		echo_close(&echo, 0);
	}
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_OPENCHANNEL_RESULT, &m));
	ck_assert_uint_eq(m.open.status, 0);
	bus_guest_post_teardown(&guest, ch.relid, old);
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_GPADL_TORNDOWN, &m));
	ck_assert_uint_eq(m.torndown.gpadl, old);
	ck_assert(echo_alive(&ch));
	ck_assert_uint_eq(counter_get(&echo_counters(&echo)->opens), 2);
}
END_TEST

/* A channel that ended of itself ends a second time when the guest closes it; in either order. */
START_TEST(dead_and_closed)
{
	atomic_store(&echo.slow_close, true);
	hold(2);
	ck_assert(echo_ask(&ch, 9, ECHO_BAD, 0));
	echo_wait_count(&echo, &echo.closes, 1);
	if (_i) {
		post_close();
		ck_assert(bus_guest_silent(&guest));
		echo_close(&echo, 0);
	} else {
		echo_close(&echo, 0);
		ck_assert(echo_alive(&ch2));
		ck_assert_uint_eq(counter_get(&echo_counters(&echo)->closes), 0);
		post_close();
	}
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_GPADL_TORNDOWN, NULL));
	ck_assert_uint_eq(atomic_load(&echo.closes), 1);
	ck_assert_uint_eq(counter_get(&echo_counters(&echo)->closes), 1);
	atomic_store(&echo.slow_close, false);
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
	ck_assert(echo_alive(&ch));
}
END_TEST

/* Packets in the ring when the channel is closed are never seen. */
START_TEST(unread_packets)
{
	ck_assert(echo_ask(&ch, 1, ECHO_STOP, 0));
	ck_assert(echo_ask(&ch, 2, ECHO_ANSWER, 0));
	ck_assert(echo_ask(&ch, 3, ECHO_SEND, 10));
	bus_guest_close(&ch);
	ck_assert_uint_le(atomic_load(&echo.packets), 1);
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
	ck_assert(echo_alive(&ch));
}
END_TEST

/* A guest that closes while the device waits for room. */
START_TEST(full_ring)
{
	if (_i)
		ch.up.control->feature_bits = 0;
	ck_assert(echo_ask(&ch, 1, ECHO_SEND, 100));
	echo_wait_count(&echo, &echo.packets, 1);
	for (uint64_t i = 0; i < 10; i++)
		(void)echo_ask(&ch, i, ECHO_ANSWER, 0);
	bus_guest_close(&ch);
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
	ck_assert(echo_alive(&ch));
}
END_TEST

static unsigned int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

START_TEST(thousands_of_times)
{
	const unsigned int files = open_files();
	size_t memory = 0;

	bus_guest_close(&ch);
	for (unsigned int i = 0; i < (echo.thread == &own ? 300 : 2000); i++) {
		if (i == 100)
			memory = mallinfo2().uordblks;
		ck_assert_uint_eq(bus_guest_open(&ch), 0);
		if (i % 16 == 0)
			ck_assert(echo_alive(&ch));
		else if (i % 16 == 1)
			(void)echo_ask(&ch, 1, ECHO_BAD, 0);
		bus_guest_close(&ch);
	}
	ck_assert_uint_le(open_files(), files);
	/* Sanitizers have a heap of their own and look for leaks themselves. */
	if (memory)
		ck_assert_uint_le(mallinfo2().uordblks, memory + KiB(16));
	ck_assert(echo_alive(&ch2));
}
END_TEST

/* A guest that waits for nothing. */
START_TEST(a_storm)
{
	union bus_guest_message m;
	unsigned int results = 0, torn = 0;

	bus_guest_close(&ch);
	synic_fake_set_depth(guest.hv, 256);
	for (unsigned int i = 0; i < 12; i++) {
		ck_assert_uint_eq(bus_guest_lend(&ch), 0);
		for (unsigned int n = 0; n < 3; n++) {
			bus_guest_post_open(&ch);
			bus_guest_signal(&ch);
			bus_guest_post_relid(&guest, CHANNELMSG_CLOSECHANNEL, ch.relid);
		}
		bus_guest_post_teardown(&guest, ch.relid, ch.gpadl);
		do {
			ck_assert(bus_guest_next(&guest, &m, BUS_GUEST_MS));
			results += m.header.msgtype == CHANNELMSG_OPENCHANNEL_RESULT;
			/* Closes that came too early were not heeded. */
			if (m.header.msgtype == CHANNELMSG_OPENCHANNEL_RESULT)
				bus_guest_post_relid(&guest, CHANNELMSG_CLOSECHANNEL, ch.relid);
		} while (m.header.msgtype != CHANNELMSG_GPADL_TORNDOWN);
		torn++;
		/* Late results of opening with a GPADL that is gone. */
		while (!bus_guest_silent(&guest))
			;
	}
	ck_assert_uint_eq(torn, 12);
	ck_assert_uint_ge(results, 12);
	bus_guest_post_relid(&guest, CHANNELMSG_CLOSECHANNEL, ch.relid);
	ck_assert(bus_guest_silent(&guest));
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
	ck_assert(echo_alive(&ch));
	ck_assert(echo_alive(&ch2));
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, outstanding_requests);
	tcase_add_test(t, gpadl_of_an_open_channel);
	tcase_add_test(t, reset_with_requests);
	tcase_add_test(t, unload_with_requests);
	tcase_add_test(t, connected_anew);
	tcase_add_loop_test(t, opened_again_at_once, 0, 2);
	tcase_add_loop_test(t, dead_and_closed, 0, 2);
	tcase_add_test(t, unread_packets);
	tcase_add_loop_test(t, full_ring, 0, 2);
	tcase_add_test(t, thousands_of_times);
	tcase_add_test(t, a_storm);
}

int main(void)
{
	Suite *s = suite_create("channel_close");
	TCase *t = tcase_create("channel_close"), *own_loop = tcase_create("own loop");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	add_tests(t);
	suite_add_tcase(s, own_loop);
	tcase_add_checked_fixture(own_loop, setup_own_loop, teardown_own_loop);
	add_tests(own_loop);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
