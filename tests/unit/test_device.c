// SPDX-License-Identifier: MIT
/* Devices on the bus: offers, sub-channels, and devices that come and go while a guest runs. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo_device.h"

#define SUBS 4u

static struct bus_guest guest;
static struct echo_device echo, other;
static struct bus_guest_channel ch, subs[SUBS];
static struct vmbus_channel_offer_channel offer;
static struct loop_thread own;

static void start(struct loop_thread *thread)
{
	bus_guest_create(&guest, NULL);
	echo_create(&echo, &guest, 0, SUBS, thread);
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
	bus_guest_destroy(&guest);
	echo_finish(&echo);
}

static void teardown_own_loop(void)
{
	teardown();
	loop_thread_stop(&own);
}

static void open_primary(void)
{
	bus_guest_connect(&guest, VERSION_WIN10_V5_3, &offer, 1);
	bus_guest_channel_init(&guest, &ch, &offer, 2, 0);
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
}

/* Sub-channels [@first, @first + @count) are offered. */
static void take_offers(unsigned int first, unsigned int count)
{
	union bus_guest_message m;

	for (unsigned int i = first; i < first + count; i++) {
		ck_assert(bus_guest_expect(&guest, CHANNELMSG_OFFERCHANNEL, &m));
		ck_assert_uint_eq(m.offer.offer.sub_channel_index, i);
		ck_assert_mem_eq(&m.offer.offer.if_instance, &offer.offer.if_instance, 16);
		bus_guest_channel_init(&guest, &subs[i - 1], &m.offer, 2, i % 4);
	}
}

static void open_subs(unsigned int count)
{
	ck_assert(echo_ask(&ch, 5, ECHO_SUBS, count));
	ck_assert(echo_answered(&ch, 5));
	take_offers(1, count);
	for (unsigned int i = 0; i < count; i++)
		ck_assert_uint_eq(bus_guest_open(&subs[i]), 0);
}

/* The guest hears that @channel is gone. */
static void expect_rescind(uint32_t relid)
{
	union bus_guest_message m;

	ck_assert(bus_guest_expect(&guest, CHANNELMSG_RESCIND_CHANNELOFFER, &m));
	ck_assert_uint_eq(m.relid.child_relid, relid);
}

static void release(uint32_t relid)
{
	bus_guest_post_relid(&guest, CHANNELMSG_RELID_RELEASED, relid);
}

/* --- Offers. ------------------------------------------------------------------------------- */

START_TEST(an_offer)
{
	bus_guest_connect(&guest, VERSION_WIN10, &offer, 1);
	ck_assert_uint_eq(offer.offer.if_type.b[0], 0xec);
	ck_assert_uint_eq(offer.offer.if_type.b[1], 0x40);
	ck_assert_uint_eq(offer.offer.if_instance.b[0], 1);
	ck_assert_uint_eq(offer.offer.mmio_megabytes, 3);
	ck_assert_uint_eq(offer.offer.sub_channel_index, 0);
	ck_assert_str_eq((const char *)offer.offer.user_data, "echo");
}
END_TEST

static void add_twice(void *arg)
{
	const struct vmbus_device_config config = {
		.class_id = {{0xec, 0x40}}, .instance_id = {{1, 0}}, .ops = &echo.ops};
	struct vmbus_device *device = NULL;
	struct error err;

	ck_assert_int_eq(vmbus_device_add(guest.bus, &config, &err, &device), -EEXIST);
	ck_assert_ptr_null(device);
	ck_assert_ptr_nonnull(strstr(err.text, "echo"));
}

START_TEST(the_same_twice)
{
	bus_guest_call(&guest, add_twice, NULL);
	bus_guest_connect(&guest, VERSION_WIN10, &offer, 1);
}
END_TEST

/* --- Sub-channels. ------------------------------------------------------------------------- */

START_TEST(sub_channels)
{
	open_primary();
	ck_assert(bus_guest_silent(&guest));
	open_subs(2);
	for (unsigned int n = 0; n < 10; n++) {
		ck_assert(echo_alive(&ch));
		ck_assert(echo_alive(&subs[0]));
		ck_assert(echo_alive(&subs[1]));
	}
	/* Those that are not yet. */
	ck_assert(echo_ask(&subs[1], 6, ECHO_SUBS, SUBS));
	ck_assert(echo_answered(&subs[1], 6));
	take_offers(3, 2);
	ck_assert(echo_ask(&ch, 7, ECHO_SUBS, 1));
	ck_assert(echo_answered(&ch, 7));
	ck_assert(bus_guest_silent(&guest));
	ck_assert_uint_eq(bus_guest_open(&subs[3]), 0);
	ck_assert(echo_alive(&subs[3]));
	bus_guest_close(&subs[0]);
	ck_assert(echo_alive(&ch));
	ck_assert(echo_alive(&subs[1]));
	ck_assert_uint_eq(bus_guest_open(&subs[0]), 0);
	ck_assert(echo_alive(&subs[0]));
	ck_assert_uint_eq(counter_get(&echo_counters(&echo)->opens), 5);
}
END_TEST

START_TEST(sub_channels_go_with_the_primary)
{
	open_primary();
	open_subs(3);
	bus_guest_post_relid(&guest, CHANNELMSG_CLOSECHANNEL, ch.relid);
	for (unsigned int i = 0; i < 3; i++)
		expect_rescind(subs[i].relid);
	echo_wait_count(&echo, &echo.closes, 4);
	bus_guest_post_teardown(&guest, ch.relid, ch.gpadl);
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_GPADL_TORNDOWN, NULL));
	/* Again, before the guest has let go of all of them. */
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
	ck_assert(echo_alive(&ch));
	release(subs[0].relid);
	ck_assert(echo_ask(&ch, 5, ECHO_SUBS, 3));
	ck_assert(echo_answered(&ch, 5));
	take_offers(1, 1);
	ck_assert(bus_guest_silent(&guest));
	ck_assert_uint_eq(bus_guest_open(&subs[0]), 0);
	ck_assert(echo_alive(&subs[0]));
	release(subs[1].relid);
	take_offers(2, 1);
	release(subs[2].relid);
	take_offers(3, 1);
	ck_assert_uint_eq(bus_guest_open(&subs[2]), 0);
	ck_assert(echo_alive(&subs[2]));
}
END_TEST

/* The guest asks for sub-channels, and closes the primary before it is heard. */
START_TEST(asked_for_while_closing)
{
	open_primary();
	ck_assert(bus_guest_send(&ch, false, 0, &(uint32_t[]){ECHO_WAIT, 2}, 8));
	echo_wait_count(&echo, &echo.packets, 1);
	bus_guest_post_relid(&guest, CHANNELMSG_CLOSECHANNEL, ch.relid);
	loop_thread_pump(&guest.thread);
	echo_go_on(&echo);
	bus_guest_post_teardown(&guest, ch.relid, ch.gpadl);
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_GPADL_TORNDOWN, NULL));
	ck_assert(bus_guest_silent(&guest));
	/* And it is forgotten. */
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
	ck_assert(echo_alive(&ch));
	ck_assert(bus_guest_silent(&guest));
	open_subs(1);
	ck_assert(echo_alive(&subs[0]));
}
END_TEST

START_TEST(sub_channels_and_a_new_connection)
{
	open_primary();
	open_subs(SUBS);
	bus_guest_connect(&guest, VERSION_WIN10_V5_3, &offer, 1);
	ck_assert_uint_eq(counter_get(&echo_counters(&echo)->closes), 1 + SUBS);
	bus_guest_channel_init(&guest, &ch, &offer, 2, 0);
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
	open_subs(2);
	ck_assert(echo_alive(&subs[1]));
	bus_guest_reset(&guest);
	open_primary();
	open_subs(1);
	ck_assert(echo_alive(&subs[0]));
}
END_TEST

/* A sub-channel that breaks the protocol ends alone. */
START_TEST(a_dead_sub_channel)
{
	open_primary();
	open_subs(2);
	ck_assert(echo_ask(&subs[0], 1, ECHO_BAD, 0));
	echo_wait_count(&echo, &echo.closes, 1);
	ck_assert(echo_alive(&ch));
	ck_assert(echo_alive(&subs[1]));
	bus_guest_close(&subs[0]);
	ck_assert_uint_eq(bus_guest_open(&subs[0]), 0);
	ck_assert(echo_alive(&subs[0]));
}
END_TEST

/* --- Coming and going. --------------------------------------------------------------------- */

START_TEST(removed_before_anybody_came)
{
	echo_remove(&echo);
	echo_wait_removed(&echo);
	bus_guest_connect(&guest, VERSION_WIN10, NULL, 0);
}
END_TEST

START_TEST(removed_unopened)
{
	bus_guest_connect(&guest, VERSION_WIN10, &offer, 1);
	echo_remove(&echo);
	expect_rescind(offer.child_relid);
	ck_assert_uint_eq(atomic_load(&echo.removals), 0);
	release(offer.child_relid);
	echo_wait_removed(&echo);
}
END_TEST

/* With requests in flight, sub-channels, and a guest that closes or does not. */
START_TEST(removed_while_in_use)
{
	open_primary();
	open_subs(2);
	for (unsigned int i = 0; i < 5; i++)
		ck_assert(echo_ask(&ch, i, ECHO_HOLD, 0));
	echo_wait_count(&echo, &echo.packets, 6);
	atomic_store(&echo.slow_close, true);
	echo_remove(&echo);
	/* In no special order. */
	for (unsigned int i = 0; i < 3; i++)
		ck_assert(bus_guest_expect(&guest, CHANNELMSG_RESCIND_CHANNELOFFER, NULL));
	echo_wait_count(&echo, &echo.closes, 3);
	if (_i)
		for (unsigned int i = 0; i < 2; i++)
			bus_guest_post_relid(&guest, CHANNELMSG_CLOSECHANNEL, subs[i].relid);
	for (unsigned int i = 0; i < 2; i++)
		release(subs[i].relid);
	release(ch.relid);
	ck_assert(bus_guest_silent(&guest));
	ck_assert_uint_eq(atomic_load(&echo.removals), 0);
	echo_release(&echo, 0);
	for (unsigned int i = 0; i < 3; i++)
		echo_close(&echo, i);
	echo_wait_removed(&echo);
	ck_assert_uint_eq(synic_fake_connections(guest.hv), 2);
}
END_TEST

START_TEST(added_while_running)
{
	union bus_guest_message m;
	struct bus_guest_channel c;

	open_primary();
	for (unsigned int n = 0; n < 50; n++) {
		echo_create(&other, &guest, 1, 0, NULL);
		ck_assert(bus_guest_expect(&guest, CHANNELMSG_OFFERCHANNEL, &m));
		bus_guest_channel_init(&guest, &c, &m.offer, 2, 1);
		ck_assert_uint_eq(bus_guest_open(&c), 0);
		ck_assert(echo_alive(&c));
		ck_assert(echo_alive(&ch));
		echo_remove(&other);
		expect_rescind(c.relid);
		release(c.relid);
		echo_wait_removed(&other);
		echo_finish(&other);
	}
}
END_TEST

/* The guest still has the old one: it would take the new one for it. */
START_TEST(replaced)
{
	union bus_guest_message m;

	bus_guest_connect(&guest, VERSION_WIN10, &offer, 1);
	echo_remove(&echo);
	echo_create(&other, &guest, 0, 0, NULL);
	expect_rescind(offer.child_relid);
	ck_assert(bus_guest_silent(&guest));
	release(offer.child_relid);
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_OFFERCHANNEL, &m));
	echo_wait_removed(&echo);
	bus_guest_channel_init(&guest, &ch, &m.offer, 2, 1);
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
	ck_assert(echo_alive(&ch));
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, an_offer);
	tcase_add_test(t, the_same_twice);
	tcase_add_test(t, sub_channels);
	tcase_add_test(t, sub_channels_go_with_the_primary);
	tcase_add_test(t, sub_channels_and_a_new_connection);
	tcase_add_test(t, a_dead_sub_channel);
	tcase_add_test(t, removed_before_anybody_came);
	tcase_add_test(t, removed_unopened);
	tcase_add_loop_test(t, removed_while_in_use, 0, 2);
	tcase_add_test(t, added_while_running);
	tcase_add_test(t, replaced);
}

int main(void)
{
	Suite *s = suite_create("device");
	TCase *t = tcase_create("device"), *own_loop = tcase_create("own loop");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	add_tests(t);
	suite_add_tcase(s, own_loop);
	tcase_add_checked_fixture(own_loop, setup_own_loop, teardown_own_loop);
	add_tests(own_loop);
	tcase_add_test(own_loop, asked_for_while_closing);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
