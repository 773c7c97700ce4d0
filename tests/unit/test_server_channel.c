// SPDX-License-Identifier: MIT
/* Opening, closing and retargeting VMBus channels; reserved channels. */
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

static uint64_t invalid(void)
{
	return counter_get(&vmbus_server_counters(bus->s)->invalid);
}

/* Channel 0 offered, with GPADL 1. */
static void prepare(uint32_t version)
{
	ck_assert_int_eq(fake_offer(bus, 0, 0), 0);
	fake_connect(bus, version);
	ck_assert_int_eq(fake_gpadl(bus, 1, 1, 16, 8), 0);
	ck_assert(fake_expect(bus, CHANNELMSG_GPADL_CREATED));
}

static void expect_result(uint32_t status)
{
	const struct fake_message *m = fake_next(bus);
	const struct vmbus_channel_open_result *r;

	ck_assert_ptr_nonnull(m);
	r = (const void *)&m->m;
	ck_assert_uint_eq(m->len, sizeof(*r));
	ck_assert_uint_eq(r->header.msgtype, CHANNELMSG_OPENCHANNEL_RESULT);
	ck_assert_uint_eq(r->child_relid, 1);
	ck_assert_uint_eq(r->openid, 0x1001);
	ck_assert_uint_eq(r->status, status);
}

START_TEST(open_params)
{
	prepare(VERSION_WIN10);
	ck_assert_int_eq(fake_open(bus, 1, 1, 3), 0);
	expect_result(0);
	ck_assert_uint_eq(c->open.relid, 1);
	ck_assert_uint_eq(c->open.ring_gpadl, 1);
	ck_assert_uint_eq(c->open.downstream_page, 4);
	ck_assert_uint_eq(c->open.target_vp, 3);
	ck_assert_uint_eq(c->open.connection_id, 0x2001);
	ck_assert_uint_eq(c->open.event_flag, 1);
	ck_assert_uint_eq(c->open.user_data[119], 0x33);
	ck_assert(!c->open.reserved);
}
END_TEST

START_TEST(open_target)
{
	prepare(VERSION_WIN10);
	ck_assert_int_eq(fake_open(bus, 1, 1, FAKE_VPS), 0);
	expect_result(VMBUS_STATUS_INVALID_PARAMETER);
	ck_assert_int_eq(fake_open(bus, 1, 1, FAKE_VPS - 1), 0);
	expect_result(0);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_CLOSECHANNEL, 1), 0);
	ck_assert_int_eq(fake_open(bus, 1, 1, VMBUS_VP_INTERRUPT_DISABLED), 0);
	expect_result(0);
	ck_assert_uint_eq(c->opens, 2);
	/* What has no target cannot be given one. */
	ck_assert_int_eq(fake_contact(bus, VERSION_WIN7), 0);
	fake_skip(bus);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_REQUESTOFFERS), 0);
	ck_assert_int_eq(fake_gpadl(bus, 1, 1, 16, 8), 0);
	fake_skip(bus);
	ck_assert_int_eq(fake_open(bus, 1, 1, 12345), 0);
	expect_result(0);
	ck_assert_uint_eq(c->open.target_vp, 0);
}
END_TEST

START_TEST(open_rings)
{
	static const struct {
		uint32_t downstream;
		bool ok;
	} cases[] = {{0, false}, {1, false}, {2, true},          {6, true},
		     {7, false}, {8, false}, {UINT32_MAX, false}};
	struct vmbus_channel_open_channel m = {.header = {.msgtype = CHANNELMSG_OPENCHANNEL},
					       .child_relid = 1,
					       .openid = 0x1001,
					       .ringbuffer_gpadlhandle = 1};

	prepare(VERSION_WIN10);
	m.downstream_ringbuffer_pageoffset = cases[_i].downstream;
	ck_assert_int_eq(fake_post(bus, &m, sizeof(m)), 0);
	expect_result(cases[_i].ok ? 0 : VMBUS_STATUS_INVALID_PARAMETER);
}
END_TEST

START_TEST(open_without_gpadl)
{
	prepare(VERSION_WIN10);
	ck_assert_int_eq(fake_open(bus, 1, 2, 0), 0);
	expect_result(VMBUS_STATUS_INVALID_PARAMETER);
	/* Another channel's. */
	ck_assert_int_eq(fake_offer(bus, 1, 0), 0);
	ck_assert_int_eq(fake_gpadl(bus, 2, 2, 32, 8), 0);
	fake_skip(bus);
	ck_assert_int_eq(fake_open(bus, 1, 2, 0), 0);
	expect_result(VMBUS_STATUS_INVALID_PARAMETER);
	/* One that is being taken back. */
	ck_assert_int_eq(fake_teardown(bus, 1, 1), 0);
	fake_skip(bus);
	ck_assert_int_eq(fake_open(bus, 1, 1, 0), 0);
	expect_result(VMBUS_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(c->opens, 0);
	ck_assert_uint_eq(counter_get(&vmbus_server_counters(bus->s)->open_failures), 3);
}
END_TEST

START_TEST(open_refused_by_the_device)
{
	c->open_status = VMBUS_STATUS_UNSUCCESSFUL;
	prepare(VERSION_WIN10);
	ck_assert_int_eq(fake_open(bus, 1, 1, 0), 0);
	expect_result(VMBUS_STATUS_UNSUCCESSFUL);
	ck_assert_int_eq(c->offer.device, VMBUS_DEVICE_CLOSED);
	c->open_status = 0;
	ck_assert_int_eq(fake_open(bus, 1, 1, 0), 0);
	expect_result(0);
}
END_TEST

START_TEST(signal_parameters)
{
	struct vmbus_channel_open_channel2 m = {
		.open = {.header = {.msgtype = CHANNELMSG_OPENCHANNEL},
			 .child_relid = 1,
			 .openid = 0x1001,
			 .ringbuffer_gpadlhandle = 1,
			 .downstream_ringbuffer_pageoffset = 4},
		.connection_id = VMBUS_CONNECTION_ID_MAX,
		.event_flag = 2047,
	};

	ck_assert_int_eq(fake_offer(bus, 0, 0), 0);
	ck_assert_int_eq(fake_contact_features(bus, VERSION_WIN_COPPER,
					       VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS),
			 0);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_REQUESTOFFERS), 0);
	ck_assert_int_eq(fake_gpadl(bus, 1, 1, 16, 8), 0);
	fake_skip(bus);
	ck_assert_int_eq(fake_post(bus, &m, sizeof(m.open)), 0);
	ck_assert(fake_silent(bus));
	m.event_flag = 2048;
	ck_assert_int_eq(fake_post(bus, &m, sizeof(m)), 0);
	expect_result(VMBUS_STATUS_INVALID_PARAMETER);
	m.event_flag = 2047;
	m.connection_id++;
	ck_assert_int_eq(fake_post(bus, &m, sizeof(m)), 0);
	expect_result(VMBUS_STATUS_INVALID_PARAMETER);
	m.connection_id--;
	ck_assert_int_eq(fake_post(bus, &m, sizeof(m)), 0);
	expect_result(0);
	ck_assert_uint_eq(c->open.connection_id, VMBUS_CONNECTION_ID_MAX);
	ck_assert_uint_eq(c->open.event_flag, 2047);
}
END_TEST

START_TEST(wrong_orders)
{
	prepare(VERSION_WIN10);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_CLOSECHANNEL, 1), 0); /* not open */
	ck_assert_uint_eq(invalid(), 1);
	c->slow = true;
	ck_assert_int_eq(fake_open(bus, 1, 1, 0), 0);
	ck_assert_int_eq(fake_open(bus, 1, 1, 0), 0); /* opening */
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_CLOSECHANNEL, 1), 0);
	ck_assert_uint_eq(invalid(), 3);
	fake_opened(c, 0);
	expect_result(0);
	ck_assert_int_eq(fake_open(bus, 1, 1, 0), 0); /* open */
	ck_assert_uint_eq(invalid(), 4);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_CLOSECHANNEL, 1), 0);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_CLOSECHANNEL, 1), 0); /* closing */
	ck_assert_uint_eq(invalid(), 5);
	fake_closed(c);
	ck_assert_uint_eq(c->opens, 1);
	ck_assert_uint_eq(c->closes, 1);
	ck_assert(fake_silent(bus));
}
END_TEST

START_TEST(open_while_closing)
{
	c->slow = c->keep_gpadl = true;
	fake_connect_open(bus, VERSION_WIN10);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_CLOSECHANNEL, 1), 0);
	ck_assert_int_eq(fake_teardown(bus, 1, 1), 0);
	ck_assert(fake_silent(bus)); /* the device holds it */
	ck_assert_int_eq(fake_gpadl(bus, 1, 2, 32, 8), 0);
	ck_assert(fake_expect(bus, CHANNELMSG_GPADL_CREATED));
	ck_assert_int_eq(fake_open(bus, 1, 2, 3), 0);
	ck_assert_int_eq(fake_open(bus, 1, 2, 3), 0);
	ck_assert_uint_eq(invalid(), 1);
	ck_assert_uint_eq(c->opens, 1);
	fake_closed(c);
	ck_assert(fake_expect(bus, CHANNELMSG_GPADL_TORNDOWN));
	ck_assert_uint_eq(c->opens, 2);
	ck_assert_uint_eq(c->open.ring_gpadl, 2);
	fake_opened(c, 0);
	expect_result(0);
}
END_TEST

START_TEST(storm)
{
	prepare(VERSION_WIN10);
	for (unsigned int i = 0; i < 1000; i++) {
		ck_assert_int_eq(fake_open(bus, 1, 1, i % FAKE_VPS), 0);
		expect_result(0);
		ck_assert_int_eq(fake_relid(bus, CHANNELMSG_CLOSECHANNEL, 1), 0);
	}
	ck_assert_uint_eq(c->closes, 1000);
	ck_assert(fake_silent(bus));
}
END_TEST

static void expect_modified(uint32_t status)
{
	const struct fake_message *m = fake_next(bus);
	const struct vmbus_channel_modifychannel_response *r;

	ck_assert_ptr_nonnull(m);
	r = (const void *)&m->m;
	ck_assert_uint_eq(r->header.msgtype, CHANNELMSG_MODIFYCHANNEL_RESPONSE);
	ck_assert_uint_eq(r->child_relid, 1);
	ck_assert_uint_eq(r->status, status);
}

START_TEST(modify)
{
	fake_connect_open(bus, VERSION_WIN10_V5_3);
	ck_assert_int_eq(fake_modify(bus, 1, FAKE_VPS - 1), 0);
	expect_modified(0);
	ck_assert_uint_eq(c->modify_vp, FAKE_VPS - 1);
	ck_assert_int_eq(fake_modify(bus, 1, FAKE_VPS), 0);
	expect_modified(VMBUS_STATUS_INVALID_PARAMETER);
	ck_assert_int_eq(fake_modify(bus, 1, VMBUS_VP_INTERRUPT_DISABLED), 0);
	expect_modified(VMBUS_STATUS_INVALID_PARAMETER);
	c->slow = true;
	ck_assert_int_eq(fake_modify(bus, 1, 0), 0);
	ck_assert_int_eq(fake_modify(bus, 1, 2), 0); /* before the answer */
	ck_assert_int_eq(fake_modify(bus, 1, FAKE_VPS), 0);
	ck_assert(fake_silent(bus));
	fake_modified(c, VMBUS_STATUS_UNSUCCESSFUL);
	expect_modified(VMBUS_STATUS_UNSUCCESSFUL);
	ck_assert(fake_silent(bus));
	ck_assert_uint_eq(c->modifies, 2);
	ck_assert_uint_eq(invalid(), 4);
}
END_TEST

START_TEST(modify_before_the_answer_is_read)
{
	fake_connect_open(bus, VERSION_WIN10_V5_3);
	bus->room = 0;
	ck_assert_int_eq(fake_modify(bus, 1, 2), 0);
	ck_assert_int_eq(fake_modify(bus, 1, 3), 0);
	ck_assert_uint_eq(c->modifies, 1);
	ck_assert_uint_eq(invalid(), 1);
	bus->room = FAKE_NEVER;
	ck_assert(vmbus_server_flush(bus->s));
	expect_modified(0);
	ck_assert(fake_silent(bus));
}
END_TEST

START_TEST(modify_without_answer)
{
	c->slow = true;
	fake_connect_open(bus, VERSION_WIN10_V4_1);
	for (uint32_t vp = 0; vp < FAKE_VPS; vp++)
		ck_assert_int_eq(fake_modify(bus, 1, vp), 0);
	ck_assert_uint_eq(c->modify_vp, 0);
	fake_modified(c, 0);
	ck_assert_uint_eq(c->modify_vp, FAKE_VPS - 1); /* the last counts */
	fake_modified(c, 0);
	ck_assert_uint_eq(c->modifies, 2);
	ck_assert(fake_silent(bus));
}
END_TEST

START_TEST(modify_when_not_open)
{
	prepare(VERSION_WIN10_V5_3);
	ck_assert_int_eq(fake_modify(bus, 1, 1), 0);
	expect_modified(VMBUS_STATUS_INVALID_PARAMETER);
	ck_assert_int_eq(fake_modify(bus, 2, 1), 0);
	ck_assert(fake_silent(bus));
	ck_assert_int_eq(fake_open(bus, 1, 1, VMBUS_VP_INTERRUPT_DISABLED), 0);
	expect_result(0);
	ck_assert_int_eq(fake_modify(bus, 1, 1), 0);
	expect_modified(VMBUS_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(c->modifies, 0);
	fake_contact(bus, VERSION_WIN10);
	fake_skip(bus);
	ck_assert_int_eq(fake_modify(bus, 1, 1), 0); /* 4.0 has no such message */
	ck_assert_uint_eq(counter_get(&vmbus_server_counters(bus->s)->unexpected), 1);
}
END_TEST

START_TEST(close_while_modifying)
{
	c->slow = true;
	fake_connect_open(bus, VERSION_WIN10_V5_3);
	ck_assert_int_eq(fake_modify(bus, 1, 2), 0);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_CLOSECHANNEL, 1), 0);
	vmbus_offer_modified(&c->offer, 0);
	fake_closed(c);
	ck_assert(fake_silent(bus));
}
END_TEST

/* --- Reserved channels. -------------------------------------------------------------------- */

static int open_reserved(uint32_t relid, uint32_t vp, uint32_t sint)
{
	const struct vmbus_channel_open_reserved m = {
		.header = {.msgtype = CHANNELMSG_OPENRESERVED},
		.child_relid = relid,
		.target_vp = vp,
		.target_sint = sint,
		.ringbuffer_gpadlhandle = 1,
		.downstream_ringbuffer_pageoffset = 4};

	return fake_post(bus, &m, sizeof(m));
}

static int close_reserved(uint32_t relid, uint32_t vp, uint32_t sint)
{
	const struct vmbus_channel_close_reserved m = {
		.header = {.msgtype = CHANNELMSG_CLOSERESERVED},
		.child_relid = relid,
		.target_vp = vp,
		.target_sint = sint};

	return fake_post(bus, &m, sizeof(m));
}

static void expect_at(uint32_t type, unsigned int vp, unsigned int sint)
{
	const struct fake_message *m = fake_next(bus);

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->m.header.msgtype, type);
	ck_assert_uint_eq(m->vp, vp);
	ck_assert_uint_eq(m->sint, sint);
}

START_TEST(reserved)
{
	prepare(VERSION_WIN10);
	ck_assert_int_eq(open_reserved(1, FAKE_VPS, 3), 0);
	ck_assert_int_eq(open_reserved(1, 3, VMBUS_SINTS), 0);
	ck_assert_uint_eq(invalid(), 2);
	ck_assert_int_eq(open_reserved(1, 3, 7), 0);
	expect_at(CHANNELMSG_OPENCHANNEL_RESULT, 3, 7);
	ck_assert(c->open.reserved);
	ck_assert_uint_eq(c->open.target_vp, VMBUS_VP_INTERRUPT_DISABLED);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_CLOSECHANNEL, 1), 0); /* not this way */
	ck_assert_int_eq(open_reserved(1, 3, 7), 0);
	ck_assert_uint_eq(invalid(), 4);
	ck_assert_int_eq(close_reserved(1, FAKE_VPS, 1), 0);
	ck_assert_int_eq(close_reserved(1, 1, 9), 0);
	expect_at(CHANNELMSG_CLOSERESERVED_RESPONSE, 1, 9);
	/* It is an ordinary channel again. */
	ck_assert_int_eq(fake_open(bus, 1, 1, 0), 0);
	expect_result(0);
	ck_assert_int_eq(close_reserved(1, 1, 9), 0);
	ck_assert_uint_eq(invalid(), 6);
}
END_TEST

START_TEST(reserved_closing)
{
	c->slow = true;
	prepare(VERSION_WIN10);
	ck_assert_int_eq(open_reserved(1, 3, 7), 0);
	fake_opened(c, 0);
	fake_skip(bus);
	ck_assert_int_eq(close_reserved(1, 3, 7), 0);
	ck_assert_int_eq(fake_open(bus, 1, 1, 0), 0); /* not before the answer */
	ck_assert_int_eq(open_reserved(1, 3, 7), 0);
	ck_assert_uint_eq(invalid(), 2);
	bus->room = 0;
	fake_closed(c);
	ck_assert_int_eq(fake_open(bus, 1, 1, 0), 0); /* nor before it is sent */
	ck_assert_int_eq(open_reserved(1, 3, 7), 0);
	ck_assert_uint_eq(invalid(), 4);
	bus->room = FAKE_NEVER;
	ck_assert(vmbus_server_flush(bus->s));
	expect_at(CHANNELMSG_CLOSERESERVED_RESPONSE, 3, 7);
	ck_assert_int_eq(open_reserved(1, 3, 7), 0);
	ck_assert_uint_eq(c->opens, 2);
}
END_TEST

START_TEST(reserved_survives)
{
	c->keep_gpadl = true;
	prepare(VERSION_WIN10);
	ck_assert_int_eq(fake_offer(bus, 1, 0), 0);
	ck_assert_int_eq(open_reserved(1, 3, 7), 0);
	fake_skip(bus);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_UNLOAD), 0);
	ck_assert(fake_expect(bus, CHANNELMSG_UNLOAD_RESPONSE));
	ck_assert_uint_eq(c->closes, 0);
	ck_assert(c->offer.survivor);
	if (_i == 0) { /* closed by nobody's guest */
		ck_assert_int_eq(close_reserved(1, 0, 4), 0);
		expect_at(CHANNELMSG_CLOSERESERVED_RESPONSE, 0, 4);
		ck_assert_uint_eq(c->offer.relid, 0);
		return;
	}
	/* The next guest does not get it before it has closed it. */
	ck_assert_int_eq(fake_contact(bus, VERSION_WIN10), 0);
	fake_skip(bus);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_REQUESTOFFERS), 0);
	ck_assert(fake_expect(bus, CHANNELMSG_OFFERCHANNEL));
	ck_assert(fake_expect(bus, CHANNELMSG_ALLOFFERS_DELIVERED));
	ck_assert_int_eq(fake_gpadl(bus, 1, 5, 64, 8), 0);
	ck_assert(fake_expect(bus, CHANNELMSG_GPADL_CREATED));
	ck_assert(invalid() > 0);
	if (_i == 1) {
		ck_assert_int_eq(close_reserved(1, 0, 4), 0);
		expect_at(CHANNELMSG_CLOSERESERVED_RESPONSE, 0, 4);
		ck_assert(fake_expect(bus, CHANNELMSG_OFFERCHANNEL)); /* anew */
	} else if (_i == 2) {
		vmbus_offer_revoke(&c->offer);
		ck_assert_uint_eq(c->releases, 1);
	} else {
		ck_assert_int_eq(fake_contact(bus, VERSION_WIN10), 0);
		ck_assert(c->offer.survivor);
		vmbus_server_reset(bus->s);
		ck_assert_uint_eq(c->closes, 1);
		ck_assert_uint_eq(c->offer.relid, 0);
	}
}
END_TEST

START_TEST(reserved_answer_survives)
{
	prepare(VERSION_WIN10);
	ck_assert_int_eq(open_reserved(1, 3, 7), 0);
	fake_skip(bus);
	bus->room = 0;
	ck_assert_int_eq(close_reserved(1, 3, 8), 0);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_UNLOAD), 0);
	bus->room = FAKE_NEVER;
	ck_assert(vmbus_server_flush(bus->s));
	ck_assert(fake_expect(bus, CHANNELMSG_UNLOAD_RESPONSE));
	expect_at(CHANNELMSG_CLOSERESERVED_RESPONSE, 3, 8);
	ck_assert_uint_eq(c->offer.relid, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("server_channel");
	TCase *t = tcase_create("channels");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, open_params);
	tcase_add_test(t, open_target);
	tcase_add_loop_test(t, open_rings, 0, 7);
	tcase_add_test(t, open_without_gpadl);
	tcase_add_test(t, open_refused_by_the_device);
	tcase_add_test(t, signal_parameters);
	tcase_add_test(t, wrong_orders);
	tcase_add_test(t, open_while_closing);
	tcase_add_test(t, storm);
	tcase_add_test(t, modify);
	tcase_add_test(t, modify_before_the_answer_is_read);
	tcase_add_test(t, modify_without_answer);
	tcase_add_test(t, modify_when_not_open);
	tcase_add_test(t, close_while_modifying);
	tcase_add_test(t, reserved);
	tcase_add_test(t, reserved_closing);
	tcase_add_loop_test(t, reserved_survives, 0, 4);
	tcase_add_test(t, reserved_answer_survives);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
