// SPDX-License-Identifier: MIT
/* VMBus offers: when they are made, taken away, and what becomes of their relids. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server_fake.h"

static struct fake_bus *bus;

static void setup(void)
{
	bus = fake_create_default();
}

static void teardown(void)
{
	fake_destroy(bus);
}

static const struct vmbus_channel_offer_channel *expect_offer(uint32_t relid)
{
	const struct fake_message *m = fake_next(bus);
	const struct vmbus_channel_offer_channel *offer;

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->m.header.msgtype, CHANNELMSG_OFFERCHANNEL);
	ck_assert_uint_eq(m->len, sizeof(*offer));
	offer = (const void *)&m->m;
	ck_assert_uint_eq(offer->child_relid, relid);
	return offer;
}

static void expect_rescind(uint32_t relid)
{
	const struct fake_message *m = fake_next(bus);

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->m.header.msgtype, CHANNELMSG_RESCIND_CHANNELOFFER);
	ck_assert_uint_eq(m->m.relid.child_relid, relid);
}

START_TEST(contents)
{
	struct vmbus_offer_config config;
	const struct vmbus_channel_offer_channel *m;

	ck_assert_int_eq(fake_offer(bus, 7, 0), 0);
	ck_assert_int_eq(fake_contact(bus, VERSION_WIN10), 0);
	fake_skip(bus);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_REQUESTOFFERS), 0);
	m = expect_offer(1);
	fake_config(7, 0, &config);
	ck_assert_mem_eq(&m->offer.if_type, &config.class_id, 16);
	ck_assert_mem_eq(&m->offer.if_instance, &config.instance_id, 16);
	ck_assert_mem_eq(m->offer.user_data, config.user_data, VMBUS_USER_DATA_SIZE);
	ck_assert_uint_eq(m->offer.chn_flags, 1);
	ck_assert_uint_eq(m->offer.mmio_megabytes, 7);
	ck_assert_uint_eq(m->offer.sub_channel_index, 0);
	ck_assert_uint_eq(m->monitor_allocated, 0);
	ck_assert_uint_eq(m->is_dedicated_interrupt, 1);
	ck_assert_uint_eq(m->connection_id, 0x2001);
	ck_assert(fake_expect(bus, CHANNELMSG_ALLOFFERS_DELIVERED));
	/* Once a connection. */
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_REQUESTOFFERS), 0);
	ck_assert(fake_silent(bus));
}
END_TEST

START_TEST(only_when_asked)
{
	ck_assert_int_eq(fake_offer(bus, 0, 0), 0);
	ck_assert_int_eq(fake_contact(bus, VERSION_WIN10), 0);
	ck_assert_int_eq(fake_offer(bus, 1, 0), 0);
	ck_assert(fake_expect(bus, CHANNELMSG_VERSION_RESPONSE));
	ck_assert(fake_silent(bus));
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_REQUESTOFFERS), 0);
	expect_offer(1);
	expect_offer(2);
	ck_assert(fake_expect(bus, CHANNELMSG_ALLOFFERS_DELIVERED));
	ck_assert_int_eq(fake_offer(bus, 2, 0), 0);
	expect_offer(3);
	ck_assert(fake_silent(bus));
}
END_TEST

START_TEST(names)
{
	ck_assert_int_eq(fake_offer(bus, 1, 3), -ENOENT);
	ck_assert_int_eq(fake_offer(bus, 0, 0), 0);
	ck_assert_int_eq(fake_offer(bus, 1, 3), 0);
	ck_assert_int_eq(fake_offer(bus, 2, 3), -EEXIST);
	ck_assert_int_eq(fake_offer(bus, 2, 2), 0);
	vmbus_offer_revoke(&bus->channels[1].offer);
	ck_assert_uint_eq(bus->channels[1].releases, 1);
	ck_assert_int_eq(fake_offer(bus, 1, 3), 0);
}
END_TEST

START_TEST(sub_channels)
{
	struct fake_channel *c = &bus->channels[0];

	fake_connect_open(bus, VERSION_WIN10_V4_1);
	ck_assert_int_eq(fake_offer(bus, 1, 1), 0);
	ck_assert_uint_eq(expect_offer(2)->offer.sub_channel_index, 1);
	/* They go with their primary, from inside its close. */
	c->revoke = &bus->channels[1];
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_CLOSECHANNEL, 1), 0);
	expect_rescind(2);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_RELID_RELEASED, 2), 0);
	ck_assert_uint_eq(bus->channels[1].releases, 1);
	c->revoke = NULL;
}
END_TEST

START_TEST(sub_channel_revoked_by_a_reset)
{
	struct fake_channel *c = &bus->channels[0], *sub = &bus->channels[1];

	fake_connect_open(bus, VERSION_WIN10_V4_1);
	ck_assert_int_eq(fake_offer(bus, 1, 1), 0);
	ck_assert_int_eq(fake_gpadl(bus, 2, 2, 32, 8), 0);
	ck_assert_int_eq(fake_open(bus, 2, 2, 1), 0);
	c->revoke = sub;
	fake_skip(bus);
	ck_assert_int_eq(fake_contact(bus, VERSION_WIN10_V4_1), 0);
	c->revoke = NULL;
	ck_assert_uint_eq(sub->closes, 1);
	ck_assert_uint_eq(sub->releases, 1);
	ck_assert(fake_expect(bus, CHANNELMSG_VERSION_RESPONSE));
	ck_assert(fake_silent(bus));
}
END_TEST

START_TEST(rescind_closed)
{
	struct fake_channel *c = &bus->channels[0];

	ck_assert_int_eq(fake_offer(bus, 0, 0), 0);
	fake_connect(bus, VERSION_WIN10);
	vmbus_offer_revoke(&c->offer);
	vmbus_offer_revoke(&c->offer);
	expect_rescind(1);
	ck_assert(fake_silent(bus));
	/* What crossed the rescind on its way is no offence, but does nothing. */
	ck_assert_int_eq(fake_open(bus, 1, 1, 0), 0);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_CLOSECHANNEL, 1), 0);
	ck_assert(fake_silent(bus));
	ck_assert_uint_eq(c->releases, 0);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_RELID_RELEASED, 1), 0);
	ck_assert_uint_eq(c->releases, 1);
	ck_assert_uint_eq(counter_get(&vmbus_server_counters(bus->s)->invalid), 0);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_RELID_RELEASED, 1), 0);
	ck_assert_uint_eq(counter_get(&vmbus_server_counters(bus->s)->invalid), 1);
	ck_assert_int_eq(fake_offer(bus, 1, 0), 0);
	expect_offer(1);
}
END_TEST

START_TEST(rescind_open)
{
	struct fake_channel *c = &bus->channels[0];

	c->slow = c->keep_gpadl = true;
	fake_connect_open(bus, VERSION_WIN10);
	vmbus_offer_revoke(&c->offer);
	expect_rescind(1);
	ck_assert_uint_eq(c->closes, 1);
	/* The relid is not free before the device is done, even if the guest is. */
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_RELID_RELEASED, 1), 0);
	ck_assert_int_eq(fake_offer(bus, 1, 0), 0);
	expect_offer(2);
	ck_assert_uint_eq(c->releases, 0);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_RELID_RELEASED, 1), 0);
	fake_closed(c);
	ck_assert_uint_eq(c->releases, 1);
	ck_assert_int_eq(fake_offer(bus, 2, 0), 0);
	expect_offer(1);
}
END_TEST

START_TEST(rescind_opening)
{
	struct fake_channel *c = &bus->channels[0];
	const uint32_t status = _i ? VMBUS_STATUS_UNSUCCESSFUL : 0;

	c->slow = true;
	ck_assert_int_eq(fake_offer(bus, 0, 0), 0);
	fake_connect(bus, VERSION_WIN10);
	ck_assert_int_eq(fake_gpadl(bus, 1, 1, 16, 8), 0);
	ck_assert_int_eq(fake_open(bus, 1, 1, 0), 0);
	fake_skip(bus);
	vmbus_offer_revoke(&c->offer);
	expect_rescind(1);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_RELID_RELEASED, 1), 0);
	fake_opened(c, status);
	ck_assert_uint_eq(c->closes, status ? 0 : 1);
	fake_closed(c);
	ck_assert_uint_eq(c->releases, 1);
	ck_assert(fake_silent(bus));
}
END_TEST

START_TEST(revoked_before_it_was_told)
{
	struct fake_channel *c = &bus->channels[0];

	fake_connect(bus, VERSION_WIN10);
	bus->room = 0;
	ck_assert_int_eq(fake_offer(bus, 0, 0), 0);
	/* A guest that guesses the relid gets nowhere. */
	ck_assert_int_eq(fake_gpadl(bus, 1, 1, 16, 8), 0);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_RELID_RELEASED, 1), 0);
	ck_assert_int_eq(c->offer.guest, VMBUS_OFFER_MADE);
	vmbus_offer_revoke(&c->offer);
	ck_assert_uint_eq(c->releases, 1);
	bus->room = FAKE_NEVER;
	vmbus_server_flush(bus->s);
	ck_assert(fake_expect(bus, CHANNELMSG_GPADL_CREATED));
	ck_assert(fake_silent(bus));
}
END_TEST

START_TEST(same_instance_again)
{
	struct vmbus_offer_config config;
	struct fake_channel *c = &bus->channels[0], *again = &bus->channels[1];

	ck_assert_int_eq(fake_offer(bus, 0, 0), 0);
	fake_connect(bus, VERSION_WIN10);
	vmbus_offer_revoke(&c->offer);
	expect_rescind(1);
	fake_config(0, 0, &config);
	again->registered = true;
	bus->used = 2;
	ck_assert_int_eq(vmbus_server_offer(bus->s, &again->offer, &config), 0);
	/* Not while the guest has the old one. */
	ck_assert(fake_silent(bus));
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_RELID_RELEASED, 1), 0);
	expect_offer(1);
	ck_assert(fake_silent(bus));
}
END_TEST

START_TEST(given_back_by_the_guest)
{
	struct fake_channel *c = &bus->channels[0];

	fake_connect_open(bus, VERSION_WIN10);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_RELID_RELEASED, 1), 0);
	ck_assert_int_eq(c->offer.guest, VMBUS_OFFER_MADE);
	c->slow = true;
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_CLOSECHANNEL, 1), 0);
	ck_assert_int_eq(fake_open(bus, 1, 1, 0), 0);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_RELID_RELEASED, 1), 0);
	ck_assert_int_eq(c->offer.guest, VMBUS_OFFER_MADE);
	fake_closed(c);
	fake_opened(c, VMBUS_STATUS_UNSUCCESSFUL);
	fake_skip(bus);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_RELID_RELEASED, 1), 0);
	/* It does not get it again on this connection. */
	ck_assert_uint_eq(c->offer.relid, 0);
	ck_assert(fake_silent(bus));
	ck_assert_int_eq(fake_contact(bus, VERSION_WIN10), 0);
	fake_skip(bus);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_REQUESTOFFERS), 0);
	expect_offer(1);
}
END_TEST

START_TEST(as_many_as_there_are_relids)
{
	struct fake_channel *last = &bus->channels[VMBUS_OFFERS_MAX];

	for (unsigned int i = 0; i < VMBUS_OFFERS_MAX; i++)
		ck_assert_int_eq(fake_offer(bus, i, 0), 0);
	ck_assert_int_eq(fake_offer(bus, VMBUS_OFFERS_MAX, 0), -ENOSPC);
	fake_connect(bus, VERSION_WIN10);
	ck_assert_uint_eq(bus->channels[VMBUS_OFFERS_MAX - 1].offer.relid, VMBUS_RELID_MAX);
	vmbus_offer_revoke(&bus->channels[99].offer);
	/* A guest that keeps what it was to give back does not get more. */
	ck_assert_int_eq(fake_offer(bus, VMBUS_OFFERS_MAX, 0), -ENOSPC);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_RELID_RELEASED, 100), 0);
	ck_assert_int_eq(fake_offer(bus, VMBUS_OFFERS_MAX, 0), 0);
	ck_assert_uint_eq(last->offer.relid, 100);
	ck_assert_int_eq(fake_contact(bus, VERSION_WIN10), 0);
	fake_skip(bus);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_REQUESTOFFERS), 0);
	for (uint32_t i = 1; i <= VMBUS_RELID_MAX; i++)
		expect_offer(i);
	ck_assert(fake_expect(bus, CHANNELMSG_ALLOFFERS_DELIVERED));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("server_offer");
	TCase *t = tcase_create("offers");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, contents);
	tcase_add_test(t, only_when_asked);
	tcase_add_test(t, names);
	tcase_add_test(t, sub_channels);
	tcase_add_test(t, sub_channel_revoked_by_a_reset);
	tcase_add_test(t, rescind_closed);
	tcase_add_test(t, rescind_open);
	tcase_add_loop_test(t, rescind_opening, 0, 2);
	tcase_add_test(t, revoked_before_it_was_told);
	tcase_add_test(t, same_instance_again);
	tcase_add_test(t, given_back_by_the_guest);
	tcase_add_test(t, as_many_as_there_are_relids);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
