// SPDX-License-Identifier: MIT
/* Versions, and the beginning and end of VMBus connections. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server_fake.h"

static const uint32_t versions[] = {
	VERSION_WS2008,     VERSION_WIN7,       VERSION_WIN8,       VERSION_WIN8_1,
	VERSION_WIN10,      VERSION_WIN10_V4_1, VERSION_WIN10_V5,   VERSION_WIN10_V5_1,
	VERSION_WIN10_V5_2, VERSION_WIN10_V5_3, VERSION_WIN_COPPER,
};

static struct fake_bus *bus;

static void setup(void)
{
	bus = fake_create_default();
}

static void teardown(void)
{
	fake_destroy(bus);
}

static void expect_refusal(unsigned int vp, unsigned int sint)
{
	const struct fake_message *m = fake_next(bus);
	const struct vmbus_channel_version_response *r;

	ck_assert_ptr_nonnull(m);
	r = (const void *)&m->m;
	ck_assert_uint_eq(m->vp, vp);
	ck_assert_uint_eq(m->sint, sint);
	ck_assert_uint_eq(m->len, sizeof(*r));
	ck_assert_uint_eq(r->header.msgtype, CHANNELMSG_VERSION_RESPONSE);
	ck_assert_uint_eq(r->version_supported, 0);
	ck_assert_ptr_null(vmbus_server_connection(bus->s));
	ck_assert(fake_silent(bus));
}

START_TEST(every_version)
{
	const uint32_t version = versions[_i];
	const struct vmbus_channel_version_response2 *r;
	const struct fake_message *m;

	ck_assert_int_eq(fake_contact(bus, version), 0);
	m = fake_next(bus);
	r = (const void *)&m->m;
	ck_assert_uint_eq(m->vp, version >= VERSION_WIN8_1 ? 2 : 0);
	ck_assert_uint_eq(m->sint, version >= VERSION_WIN10_V5 ? 5 : VMBUS_MESSAGE_SINT);
	ck_assert_uint_eq(m->len, version >= VERSION_WIN_COPPER ? 20 : 16);
	ck_assert_uint_eq(r->response.header.msgtype, CHANNELMSG_VERSION_RESPONSE);
	ck_assert_uint_eq(r->response.version_supported, 1);
	ck_assert_uint_eq(r->response.connection_state, VMBUS_CONNECTION_SUCCESSFUL);
	ck_assert_uint_eq(r->response.msg_conn_id, version >= VERSION_WIN10_V5 ? 4 : version);
	ck_assert_uint_eq(bus->connected, 1);
	ck_assert_uint_eq(bus->connection.version, version);
	ck_assert_uint_eq(bus->connection.interrupt_page, version < VERSION_WIN8 ? 0x2000 : 0);
	ck_assert_uint_eq(bus->connection.monitor_page[1], 0x4000);
	ck_assert_ptr_nonnull(vmbus_server_connection(bus->s));
}
END_TEST

START_TEST(limited)
{
	const struct vmbus_server_config config = {.gpadl_limits = GPADL_LIMITS_DEFAULT,
						   .vp_count = FAKE_VPS,
						   .max_version = versions[_i]};
	struct fake_bus *low = fake_create(&config);

	for (unsigned int i = 0; i < ARRAY_SIZE(versions); i++) {
		ck_assert_int_eq(fake_contact(low, versions[i]), 0);
		ck_assert_int_eq(vmbus_server_connection(low->s) != NULL, (int)i <= _i);
	}
	fake_destroy(low);
}
END_TEST

START_TEST(versions_there_are_not)
{
	static const uint32_t wrong[] = {0,
					 1,
					 VMBUS_VERSION(0, 12),
					 VMBUS_VERSION(1, 0),
					 VMBUS_VERSION(2, 5),
					 VMBUS_VERSION(3, 1),
					 VMBUS_VERSION(5, 4),
					 VMBUS_VERSION(6, 1),
					 UINT32_MAX};

	ck_assert_int_eq(fake_contact(bus, wrong[_i]), 0);
	expect_refusal(wrong[_i] >= VERSION_WIN8_1 ? 2 : 0,
		       wrong[_i] >= VERSION_WIN10_V5 ? 5 : VMBUS_MESSAGE_SINT);
	ck_assert_uint_eq(counter_get(&vmbus_server_counters(bus->s)->refused_versions), 1);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_REQUESTOFFERS), 0);
	ck_assert_uint_eq(counter_get(&vmbus_server_counters(bus->s)->unexpected), 1);
}
END_TEST

static int contact(uint32_t id, uint32_t version, uint32_t vp, uint8_t sint, uint8_t vtl)
{
	const struct vmbus_channel_initiate_contact m = {
		.header = {.msgtype = CHANNELMSG_INITIATE_CONTACT},
		.vmbus_version_requested = version,
		.target_vcpu = vp,
		.msg_sint = sint,
		.msg_vtl = vtl};

	return fake_post_on(bus, id, &m, sizeof(m));
}

START_TEST(targets)
{
	ck_assert_int_eq(contact(4, VERSION_WIN10_V5, FAKE_VPS, 2, 0), 0);
	expect_refusal(0, 2);
	ck_assert_int_eq(contact(4, VERSION_WIN10_V5, 1, 16, 0), 0);
	expect_refusal(0, 2);
	ck_assert_int_eq(contact(4, VERSION_WIN10_V5_1, 1, 15, 1), 0);
	expect_refusal(1, 15);
	/* 5.0 has no trust levels, and the old connection tells of no SINT. */
	ck_assert_int_eq(contact(4, VERSION_WIN10_V5, 3, 15, 1), 0);
	ck_assert_uint_eq(bus->connection.sint, 15);
	ck_assert_uint_eq(bus->connection.target_vp, 3);
	ck_assert_int_eq(contact(1, VERSION_WIN10_V5_2, 3, 15, 1), 0);
	ck_assert_uint_eq(bus->connection.sint, VMBUS_MESSAGE_SINT);
	/* Before 3.0 VP 0 it is. */
	ck_assert_int_eq(contact(1, VERSION_WIN8, FAKE_VPS, 0, 0), 0);
	ck_assert_uint_eq(bus->connection.target_vp, 0);
	ck_assert_uint_eq(bus->connected, 3);
}
END_TEST

START_TEST(features)
{
	const struct vmbus_channel_version_response2 *r;

	ck_assert_int_eq(fake_contact_features(bus, VERSION_WIN_COPPER, UINT32_MAX), 0);
	r = (const void *)&fake_next(bus)->m;
	ck_assert_uint_eq(r->feature_flags, VMBUS_FEATURES_KNOWN);
	ck_assert_uint_eq(bus->connection.client_id.b[15], 0x77);
	ck_assert_int_eq(fake_contact_features(bus, VERSION_WIN_COPPER, 1), 0);
	ck_assert_uint_eq(bus->connection.features, 1);
	ck_assert_uint_eq(bus->connection.client_id.b[15], 0);
	ck_assert_int_eq(fake_contact_features(bus, VERSION_WIN10_V5_3, UINT32_MAX), 0);
	ck_assert_uint_eq(bus->connection.features, 0);
}
END_TEST

START_TEST(client_id_missing)
{
	struct vmbus_channel_initiate_contact m = {
		.header = {.msgtype = CHANNELMSG_INITIATE_CONTACT},
		.vmbus_version_requested = VERSION_WIN_COPPER,
		.msg_sint = 2,
		.feature_flags = VMBUS_FEATURE_CLIENT_ID};

	ck_assert_int_eq(fake_post_on(bus, 4, &m, sizeof(m)), 0);
	expect_refusal(0, 2);
	ck_assert_int_eq(fake_post_on(bus, 4, &m, sizeof(m) - 1), 0);
	ck_assert(fake_silent(bus));
	ck_assert_uint_eq(counter_get(&vmbus_server_counters(bus->s)->short_), 1);
}
END_TEST

/* --- Ends. --------------------------------------------------------------------------------- */

enum { CLOSED, OPENING, OPEN, MODIFYING, CLOSING, REOPENING, RESCINDED, STATES };

/* Brings channel 0, which is slow, into one of the states above. */
static void reach(int state)
{
	struct fake_channel *c = &bus->channels[0];

	c->slow = true;
	c->keep_gpadl = true;
	ck_assert_int_eq(fake_offer(bus, 0, 0), 0);
	fake_connect(bus, VERSION_WIN10_V5_3);
	ck_assert_int_eq(fake_gpadl(bus, 1, 1, 16, 8), 0);
	if (state == CLOSED)
		return;
	ck_assert_int_eq(fake_open(bus, 1, 1, 1), 0);
	if (state == OPENING)
		return;
	fake_opened(c, 0);
	if (state == MODIFYING)
		ck_assert_int_eq(fake_modify(bus, 1, 2), 0);
	if (state == CLOSING || state == REOPENING)
		ck_assert_int_eq(fake_relid(bus, CHANNELMSG_CLOSECHANNEL, 1), 0);
	if (state == REOPENING)
		ck_assert_int_eq(fake_open(bus, 1, 1, 2), 0);
	if (state == RESCINDED)
		vmbus_offer_revoke(&c->offer);
}

/* Lets the device do whatever it was asked to. */
static void finish(void)
{
	struct fake_channel *c = &bus->channels[0];

	if (c->registered)
		fake_opened(c, 0);
	if (c->registered)
		fake_closed(c);
	fake_check(bus);
}

/* The next kernel finds a fresh bus. */
static void expect_fresh(void)
{
	ck_assert(fake_expect(bus, CHANNELMSG_VERSION_RESPONSE));
	ck_assert(fake_silent(bus));
	ck_assert_ptr_nonnull(vmbus_server_connection(bus->s));
	ck_assert_uint_eq(bus->connected, 2);
	ck_assert_uint_eq(bus->disconnected, 1);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_REQUESTOFFERS), 0);
	if (bus->channels[0].registered)
		ck_assert(fake_expect(bus, CHANNELMSG_OFFERCHANNEL));
	ck_assert(fake_expect(bus, CHANNELMSG_ALLOFFERS_DELIVERED));
	if (!bus->channels[0].registered)
		return;
	/* The handle is free, the relid as before, and the channel works. */
	ck_assert_int_eq(fake_gpadl(bus, 1, 1, 32, 8), 0);
	ck_assert(fake_expect(bus, CHANNELMSG_GPADL_CREATED));
	ck_assert_int_eq(fake_open(bus, 1, 1, 0), 0);
	fake_opened(&bus->channels[0], 0);
	ck_assert(fake_expect(bus, CHANNELMSG_OPENCHANNEL_RESULT));
	ck_assert_int_eq(bus->channels[0].offer.device, VMBUS_DEVICE_OPEN);
	ck_assert_uint_eq(bus->s->deferred, 0);
}

START_TEST(kexec_in_every_state)
{
	const bool idle = _i == CLOSED;

	reach(_i);
	fake_skip(bus);
	ck_assert_int_eq(fake_contact(bus, VERSION_WIN10_V5_3), 0);
	if (!idle) {
		/* No answer before the device is done, and nothing else is listened to. */
		ck_assert(fake_silent(bus));
		ck_assert_ptr_null(vmbus_server_connection(bus->s));
		ck_assert_int_eq(fake_header(bus, CHANNELMSG_REQUESTOFFERS), 0);
		ck_assert_int_eq(fake_header(bus, CHANNELMSG_UNLOAD), 0);
		ck_assert(fake_silent(bus));
	}
	finish();
	expect_fresh();
}
END_TEST

START_TEST(unload_in_every_state)
{
	const struct fake_message *m;

	reach(_i);
	fake_skip(bus);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_UNLOAD), 0);
	if (_i != CLOSED)
		ck_assert(fake_silent(bus));
	finish();
	m = fake_next(bus);
	ck_assert_uint_eq(m->m.header.msgtype, CHANNELMSG_UNLOAD_RESPONSE);
	ck_assert_uint_eq(m->vp, 2);
	ck_assert_uint_eq(m->sint, 5);
	ck_assert_uint_eq(bus->unloaded, 1);
	ck_assert(fake_silent(bus));
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_UNLOAD), 0);
	ck_assert(fake_silent(bus));
	ck_assert_int_eq(fake_contact(bus, VERSION_WIN10_V5_3), 0);
	expect_fresh();
}
END_TEST

START_TEST(reset_in_every_state)
{
	reach(_i);
	fake_skip(bus);
	vmbus_server_reset(bus->s);
	if (_i != CLOSED) {
		ck_assert_uint_eq(bus->resets, 0);
		ck_assert_int_eq(fake_contact(bus, VERSION_WIN10), 0);
		ck_assert(fake_silent(bus));
	}
	finish();
	ck_assert_uint_eq(bus->resets, 1);
	ck_assert(fake_silent(bus));
	ck_assert_int_eq(fake_contact(bus, VERSION_WIN10_V5_3), 0);
	expect_fresh();
}
END_TEST

START_TEST(last_contact_counts)
{
	reach(OPEN);
	fake_skip(bus);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_UNLOAD), 0);
	ck_assert_int_eq(fake_contact(bus, VERSION_WIN8_1), 0);
	ck_assert_int_eq(fake_contact(bus, VMBUS_VERSION(9, 9)), 0);
	ck_assert_int_eq(fake_contact(bus, VERSION_WIN10), 0);
	ck_assert(fake_silent(bus));
	finish();
	ck_assert(fake_expect(bus, CHANNELMSG_VERSION_RESPONSE));
	ck_assert(fake_silent(bus));
	ck_assert_uint_eq(bus->connection.version, VERSION_WIN10);
	ck_assert_uint_eq(bus->unloaded, 0);
	/* A refusal ends the old connection all the same. */
	ck_assert_int_eq(fake_contact(bus, VMBUS_VERSION(9, 9)), 0);
	expect_refusal(2, 5);
	ck_assert_uint_eq(bus->disconnected, 2);
}
END_TEST

START_TEST(reset_without_guest)
{
	vmbus_server_reset(bus->s);
	vmbus_server_reset(bus->s);
	ck_assert_uint_eq(bus->resets, 2);
	ck_assert_uint_eq(bus->disconnected, 0);
}
END_TEST

START_TEST(contact_storm)
{
	for (unsigned int i = 0; i < 16; i++)
		ck_assert_int_eq(fake_offer(bus, i, 0), 0);
	bus->room = 0;
	for (unsigned int i = 0; i < 1000; i++) {
		ck_assert_int_eq(fake_contact(bus, VERSION_WIN10_V5_2), 0);
		ck_assert_int_eq(fake_header(bus, CHANNELMSG_REQUESTOFFERS), 0);
	}
	bus->room = FAKE_NEVER;
	ck_assert(vmbus_server_flush(bus->s));
	ck_assert(fake_expect(bus, CHANNELMSG_VERSION_RESPONSE));
	for (unsigned int i = 0; i < 16; i++)
		ck_assert(fake_expect(bus, CHANNELMSG_OFFERCHANNEL));
	ck_assert(fake_expect(bus, CHANNELMSG_ALLOFFERS_DELIVERED));
	ck_assert(fake_silent(bus));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("server_version");
	TCase *t = tcase_create("versions");
	TCase *e = tcase_create("ends");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	suite_add_tcase(s, e);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_checked_fixture(e, setup, teardown);
	tcase_add_loop_test(t, every_version, 0, ARRAY_SIZE(versions));
	tcase_add_loop_test(t, limited, 0, ARRAY_SIZE(versions));
	tcase_add_loop_test(t, versions_there_are_not, 0, 9);
	tcase_add_test(t, targets);
	tcase_add_test(t, features);
	tcase_add_test(t, client_id_missing);
	tcase_add_loop_test(e, kexec_in_every_state, 0, STATES);
	tcase_add_loop_test(e, unload_in_every_state, 0, STATES);
	tcase_add_loop_test(e, reset_in_every_state, 0, STATES);
	tcase_add_test(e, last_contact_counts);
	tcase_add_test(e, reset_without_guest);
	tcase_add_test(e, contact_storm);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
