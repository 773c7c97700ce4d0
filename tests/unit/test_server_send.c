// SPDX-License-Identifier: MIT
/* Messages that the guest does not read: nothing is lost, nothing piles up. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server_fake.h"

static struct fake_bus *bus;
static struct fake_channel *c;

static void setup(void)
{
	bus = fake_create_default();
	c = &bus->channels[0];
}

static void teardown(void)
{
	fake_destroy(bus);
}

/* A session with all that is ever sent, in the order it is to arrive; @room at a time. */
static const uint8_t session[] = {
	CHANNELMSG_VERSION_RESPONSE,    CHANNELMSG_OFFERCHANNEL,
	CHANNELMSG_ALLOFFERS_DELIVERED, CHANNELMSG_GPADL_CREATED,
	CHANNELMSG_OPENCHANNEL_RESULT,  CHANNELMSG_MODIFYCHANNEL_RESPONSE,
	CHANNELMSG_TL_CONNECT_RESULT,   CHANNELMSG_GPADL_TORNDOWN,
	CHANNELMSG_OFFERCHANNEL,        CHANNELMSG_RESCIND_CHANNELOFFER,
	CHANNELMSG_PAUSE_RESPONSE,      CHANNELMSG_UNLOAD_RESPONSE,
};

static void step(unsigned int n)
{
	const struct vmbus_channel_tl_connect_request tl = {
		.header = {.msgtype = CHANNELMSG_TL_CONNECT_REQUEST}};

	switch (n) {
	case 0:
		fake_contact_features(bus, VERSION_WIN_COPPER, VMBUS_FEATURE_PAUSE_RESUME);
		break;
	case 1:
		fake_header(bus, CHANNELMSG_REQUESTOFFERS);
		break;
	case 3:
		fake_gpadl(bus, 1, 1, 16, 8);
		break;
	case 4:
		fake_open(bus, 1, 1, 0);
		break;
	case 5:
		fake_modify(bus, 1, 1);
		break;
	case 6:
		fake_post(bus, &tl, sizeof(tl));
		break;
	case 7:
		fake_teardown(bus, 1, 1);
		fake_relid(bus, CHANNELMSG_CLOSECHANNEL, 1);
		break;
	case 8:
		ck_assert_int_eq(fake_offer(bus, 1, 0), 0);
		break;
	case 9:
		vmbus_offer_revoke(&bus->channels[1].offer);
		break;
	case 10:
		fake_header(bus, CHANNELMSG_PAUSE);
		break;
	case 11:
		fake_header(bus, CHANNELMSG_UNLOAD);
		break;
	default:
		break; /* comes with the one before */
	}
}

/* The slot is full at message number _i, and free again only when all is done that can be. */
START_TEST(full_at_every_message)
{
	c->keep_gpadl = true;
	ck_assert_int_eq(fake_offer(bus, 0, 0), 0);
	for (unsigned int n = 0; n < ARRAY_SIZE(session); n++) {
		bus->room = n == (unsigned int)_i ? 0 : FAKE_NEVER;
		step(n);
		if (n == (unsigned int)_i) {
			if (n != 2) {
				ck_assert(fake_silent(bus));
				ck_assert(!vmbus_server_flush(bus->s));
				ck_assert(!vmbus_server_flush(bus->s));
			}
			bus->room = FAKE_NEVER;
			ck_assert(vmbus_server_flush(bus->s));
		}
		if (n != 1)
			ck_assert_msg(fake_expect(bus, session[n]), "message %u", n);
		else
			ck_assert(fake_expect(bus, CHANNELMSG_OFFERCHANNEL));
	}
	ck_assert(fake_silent(bus));
	ck_assert(vmbus_server_flush(bus->s));
}
END_TEST

START_TEST(one_at_a_time)
{
	for (unsigned int i = 0; i < 20; i++)
		ck_assert_int_eq(fake_offer(bus, i, 0), 0);
	bus->room = 0;
	ck_assert_int_eq(fake_contact(bus, VERSION_WIN10), 0);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_REQUESTOFFERS), 0);
	for (unsigned int i = 0; i < 22; i++) {
		const uint32_t due = i == 0    ? CHANNELMSG_VERSION_RESPONSE
				     : i == 21 ? CHANNELMSG_ALLOFFERS_DELIVERED
					       : CHANNELMSG_OFFERCHANNEL;

		ck_assert(fake_silent(bus));
		bus->room = 1;
		ck_assert_int_eq(vmbus_server_flush(bus->s), i == 21);
		ck_assert(fake_expect(bus, due));
	}
	ck_assert(fake_silent(bus));
}
END_TEST

START_TEST(answers_have_room_first)
{
	const struct vmbus_channel_tl_connect_request tl = {
		.header = {.msgtype = CHANNELMSG_TL_CONNECT_REQUEST}};
	unsigned int taken = 0;

	ck_assert_int_eq(fake_offer(bus, 0, 0), 0);
	fake_connect(bus, VERSION_WIN10_V5_3);
	bus->room = 0;
	while (fake_gpadl(bus, 1, 1 + taken, 16 + 4 * taken, 4) == 0)
		taken++;
	ck_assert_uint_eq(taken, VMBUS_REPLIES_MAX);
	ck_assert_int_eq(fake_post(bus, &tl, sizeof(tl)), -EAGAIN);
	ck_assert_uint_eq(counter_get(&vmbus_server_counters(bus->s)->busy), 2);
	bus->room = 1;
	ck_assert(!vmbus_server_flush(bus->s));
	ck_assert_int_eq(fake_gpadl(bus, 1, 100, 200, 4), 0);
	ck_assert_int_eq(fake_gpadl(bus, 1, 101, 204, 4), -EAGAIN);
	/* A new beginning needs no room: nobody is there any more to read the answers. */
	ck_assert_int_eq(fake_contact(bus, VERSION_WIN10), 0);
	bus->room = FAKE_NEVER;
	ck_assert(vmbus_server_flush(bus->s));
	ck_assert(fake_expect(bus, CHANNELMSG_GPADL_CREATED));
	ck_assert(fake_expect(bus, CHANNELMSG_VERSION_RESPONSE));
	ck_assert(fake_silent(bus));
}
END_TEST

START_TEST(unload_needs_no_room)
{
	ck_assert_int_eq(fake_offer(bus, 0, 0), 0);
	fake_connect(bus, VERSION_WIN10_V5_3);
	bus->room = 0;
	for (unsigned int i = 0; i < VMBUS_REPLIES_MAX; i++)
		ck_assert_int_eq(fake_gpadl(bus, 1, 1 + i, 16 + 4 * i, 4), 0);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_UNLOAD), 0);
	bus->room = FAKE_NEVER;
	ck_assert(vmbus_server_flush(bus->s));
	ck_assert(fake_expect(bus, CHANNELMSG_UNLOAD_RESPONSE));
	ck_assert(fake_silent(bus));
}
END_TEST

START_TEST(offers_come_and_go_unread)
{
	fake_connect(bus, VERSION_WIN10);
	bus->room = 0;
	for (unsigned int i = 0; i < 1000; i++) {
		ck_assert_int_eq(fake_offer(bus, 0, 0), 0);
		vmbus_offer_revoke(&c->offer);
		fake_check(bus);
	}
	ck_assert_uint_eq(c->releases, 1000);
	bus->room = FAKE_NEVER;
	ck_assert(vmbus_server_flush(bus->s));
	ck_assert(fake_silent(bus));
}
END_TEST

START_TEST(paused)
{
	fake_contact_features(bus, VERSION_WIN_COPPER, VMBUS_FEATURE_PAUSE_RESUME);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_REQUESTOFFERS), 0);
	fake_skip(bus);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_PAUSE), 0);
	ck_assert(fake_expect(bus, CHANNELMSG_PAUSE_RESPONSE));
	ck_assert_int_eq(fake_offer(bus, 0, 0), 0);
	ck_assert_int_eq(fake_gpadl(bus, 1, 1, 16, 4), 0); /* not now */
	ck_assert_uint_eq(counter_get(&vmbus_server_counters(bus->s)->unexpected), 1);
	ck_assert(fake_silent(bus));
	if (_i == 0) {
		ck_assert_int_eq(fake_header(bus, CHANNELMSG_RESUME), 0);
		ck_assert(fake_expect(bus, CHANNELMSG_OFFERCHANNEL));
	} else if (_i == 1) {
		ck_assert_int_eq(fake_header(bus, CHANNELMSG_UNLOAD), 0);
		ck_assert(fake_expect(bus, CHANNELMSG_UNLOAD_RESPONSE));
	} else {
		ck_assert_int_eq(fake_contact(bus, VERSION_WIN10), 0);
		ck_assert(fake_expect(bus, CHANNELMSG_VERSION_RESPONSE));
		ck_assert_int_eq(fake_header(bus, CHANNELMSG_RESUME), 0);
		ck_assert_uint_eq(counter_get(&vmbus_server_counters(bus->s)->unexpected), 2);
	}
	ck_assert(fake_silent(bus));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("server_send");
	TCase *t = tcase_create("server_send");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, full_at_every_message, 0, ARRAY_SIZE(session));
	tcase_add_test(t, one_at_a_time);
	tcase_add_test(t, answers_have_room_first);
	tcase_add_test(t, unload_needs_no_room);
	tcase_add_test(t, offers_come_and_go_unread);
	tcase_add_loop_test(t, paused, 0, 3);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
