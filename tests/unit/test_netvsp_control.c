// SPDX-License-Identifier: MIT
/* NVSP: versions, the order of messages, buffers, sub-channels. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "netvsp_fake.h"

#define ALL (NDIS_PACKET_TYPE_DIRECTED | NDIS_PACKET_TYPE_BROADCAST)

static struct netvsp_fake f;
static uint8_t frame[2048], bytes[4096];
static struct nvsp_message out;

static const uint32_t versions[] = {
	NVSP_PROTOCOL_VERSION_1, NVSP_PROTOCOL_VERSION_2, NVSP_PROTOCOL_VERSION_4,
	NVSP_PROTOCOL_VERSION_5, NVSP_PROTOCOL_VERSION_6, NVSP_PROTOCOL_VERSION_61,
};

static void setup(void)
{
	const struct netvsp_fake_config config = {.pumped = true, .queues = 2};

	netvsp_fake_init(&f, &config);
}

static void teardown(void)
{
	netvsp_fake_finish(&f);
}

static struct nvsp_message simple(uint32_t type, uint32_t a, uint32_t b)
{
	return (struct nvsp_message){.msg_type = type, .init = {a, b}};
}

static uint32_t ask(uint32_t type, uint32_t a, uint32_t b)
{
	const struct nvsp_message in = simple(type, a, b);

	return netvsp_fake_ask(&f, &in, &out);
}

static void violates(uint32_t type, uint32_t a, uint32_t b)
{
	const struct nvsp_message in = simple(type, a, b);

	ck_assert_uint_eq(counter_get(&netvsp_channel_counters(f.netvsp)->failures), 0);
	netvsp_fake_tell(&f, &in);
	ck_assert(netvsp_fake_dead(&f));
}

/* --- Versions. ------------------------------------------------------------------------------- */

START_TEST(every_version_works)
{
	const struct netvsp_fake_config config = {.pumped = true, .version = versions[_i]};
	struct netvsp_fake_rx rx;

	netvsp_fake_init(&f, &config);
	netvsp_fake_start(&f, ALL);
	ck_assert_uint_eq(netvsp_protocol_version(f.netvsp), versions[_i]);
	netvsp_fake_frame(frame, 500, 1);
	ck_assert_uint_eq(netvsp_fake_send(&f, frame, 500, NULL, 0), NVSP_STAT_SUCCESS);
	net_fake_put(&f.net, 0, NULL, frame, 500);
	ck_assert(netvsp_fake_receive(&f, &f.ch, &rx));
	ck_assert_mem_eq(rx.frame, frame, 500);
	netvsp_fake_close(&f);
	ck_assert_uint_eq(netvsp_protocol_version(f.netvsp), 0);
	netvsp_fake_start(&f, ALL);
}
END_TEST

START_TEST(other_versions_are_refused)
{
	static const uint32_t others[] = {0,       1,       3,       0x20000, 0x30001,
					  0x50001, 0x60002, 0x70000, ~0u};

	netvsp_fake_open(&f);
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		ck_assert_uint_eq(ask(NVSP_MSG_TYPE_INIT, others[i], others[i]), 32);
		ck_assert_uint_eq(out.msg_type, NVSP_MSG_TYPE_INIT_COMPLETE);
		ck_assert_uint_ne(out.init_complete.status, NVSP_STAT_SUCCESS);
	}
	/* Guests go on with the next. */
	netvsp_fake_agree(&f);
}
END_TEST

START_TEST(messages_of_later_versions_are_violations)
{
	static const struct {
		uint32_t type, version;
	} rows[] = {
		{NVSP_MSG1_TYPE_SEND_NDIS_VER, 0},
		{NVSP_MSG1_TYPE_SEND_RECV_BUF, 0},
		{NVSP_MSG1_TYPE_SEND_RNDIS_PKT, 0},
		{NVSP_MSG2_TYPE_SEND_NDIS_CONFIG, NVSP_PROTOCOL_VERSION_1},
		{NVSP_MSG4_TYPE_SWITCH_DATA_PATH, NVSP_PROTOCOL_VERSION_2},
		{NVSP_MSG5_TYPE_SUBCHANNEL, NVSP_PROTOCOL_VERSION_4},
		{NVSP_MSG6_TYPE_PD_API, NVSP_PROTOCOL_VERSION_5},
		{0, NVSP_PROTOCOL_VERSION_61},
		{3, NVSP_PROTOCOL_VERSION_61},
		{NVSP_MSG_TYPE_INIT, NVSP_PROTOCOL_VERSION_61},
		{NVSP_MSG1_TYPE_SEND_RECV_BUF_COMPLETE, NVSP_PROTOCOL_VERSION_61},
		{NVSP_MSG4_TYPE_SEND_VF_ASSOCIATION, NVSP_PROTOCOL_VERSION_61},
		{NVSP_MSG6_TYPE_PD_POST_BATCH, NVSP_PROTOCOL_VERSION_61},
		{0xffffffff, NVSP_PROTOCOL_VERSION_61},
	};

	netvsp_fake_open(&f);
	if (rows[_i].version)
		ask(NVSP_MSG_TYPE_INIT, rows[_i].version, rows[_i].version);
	violates(rows[_i].type, 0, 0);
}
END_TEST

START_TEST(short_messages_are_violations)
{
	static const struct {
		uint32_t type, len;
	} rows[] = {
		{NVSP_MSG1_TYPE_SEND_NDIS_VER, 8},     {NVSP_MSG1_TYPE_SEND_RECV_BUF, 8},
		{NVSP_MSG2_TYPE_SEND_NDIS_CONFIG, 16}, {NVSP_MSG5_TYPE_SUBCHANNEL, 8},
		{NVSP_MSG1_TYPE_SEND_RNDIS_PKT, 8},
	};
	const struct nvsp_message in = {.msg_type = rows[_i].type};

	netvsp_fake_open(&f);
	netvsp_fake_agree(&f);
	ck_assert(bus_guest_send(&f.ch, true, 9, &in, rows[_i].len));
	ck_assert(netvsp_fake_dead(&f));
}
END_TEST

START_TEST(what_there_is_not_is_said)
{
	netvsp_fake_start(&f, ALL);
	ck_assert_uint_eq(ask(NVSP_MSG5_TYPE_OID_QUERY_EX, 0x180096, 0x10101), 40);
	ck_assert_uint_eq(out.msg_type, NVSP_MSG5_TYPE_OID_QUERY_EX_COMP);
	ck_assert_uint_eq(out.oid_query_ex_complete.status, RNDIS_STATUS_NOT_SUPPORTED);
	ck_assert_uint_eq(ask(NVSP_MSG6_TYPE_PD_API, 5, 0), 40);
	ck_assert_uint_eq(out.pd_api.op, 5);
	ck_assert_uint_eq(out.pd_api.status, RNDIS_STATUS_NOT_SUPPORTED);
	/* An empty answer, as to all of those. */
	ck_assert_uint_eq(ask(NVSP_MSG4_TYPE_SWITCH_DATA_PATH, 1, 0), 0);
}
END_TEST

START_TEST(configuration_comes_once)
{
	static const uint32_t types[] = {NVSP_MSG1_TYPE_SEND_NDIS_VER,
					 NVSP_MSG2_TYPE_SEND_NDIS_CONFIG, NVSP_MSG_TYPE_INIT};

	netvsp_fake_open(&f);
	netvsp_fake_agree(&f);
	violates(types[_i], 6, 1);
}
END_TEST

START_TEST(sizes_follow_from_the_configuration)
{
	static const struct {
		uint32_t mtu, says, least;
	} rows[] = {
		{1500, 0, 1514},    {1500, 81, 1514},   {1500, 1514, 1514}, {1500, 9014, 1514},
		{9000, 9014, 9014}, {9000, 1514, 1514}, {9000, ~0u, 9014},  {65521, 65535, 65535},
		{1500, 82, 82},     {68, 65535, 82},
	};
	const struct netvsp_fake_config config = {.pumped = true,
						  .mtu = rows[_i].mtu,
						  .frame_max = rows[_i].says ? rows[_i].says : 1};
	uint32_t mtu, len;

	netvsp_fake_init(&f, &config);
	netvsp_fake_start(&f, ALL);
	ck_assert_uint_ge(f.section_size, rows[_i].least + 132);
	/* No more than that, or than the page that large frames want. */
	ck_assert_uint_lt(f.section_size, max_of(rows[_i].least + 132 + 64, PAGE_SIZE + 1));
	ck_assert_uint_eq(netvsp_fake_query(&f, OID_GEN_MAXIMUM_FRAME_SIZE, &mtu, 4, &len), 0);
	ck_assert_uint_eq(mtu, rows[_i].least - 14);
}
END_TEST

/* --- Buffers. -------------------------------------------------------------------------------- */

START_TEST(buffers_come_in_order)
{
	netvsp_fake_open(&f);
	ask(NVSP_MSG_TYPE_INIT, NVSP_PROTOCOL_VERSION_61, 0);
	violates(NVSP_MSG1_TYPE_SEND_RECV_BUF, 1, 1);
}
END_TEST

START_TEST(buffers_that_are_none_are_refused)
{
	netvsp_fake_open(&f);
	netvsp_fake_agree(&f);
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert_uint_eq(ask(NVSP_MSG1_TYPE_SEND_RECV_BUF, 0x4711 + i, 1), 40);
		ck_assert_uint_eq(out.msg_type, NVSP_MSG1_TYPE_SEND_RECV_BUF_COMPLETE);
		ck_assert_uint_eq(out.send_recv_buf_complete.status, NVSP_STAT_FAIL);
		ck_assert_uint_eq(ask(NVSP_MSG1_TYPE_SEND_SEND_BUF, 0x4711 + i, 1), 40);
		ck_assert_uint_eq(out.send_send_buf_complete.status, NVSP_STAT_FAIL);
	}
	netvsp_fake_lend(&f);
}
END_TEST

START_TEST(buffers_that_are_too_small_are_refused)
{
	const struct netvsp_fake_config config = {.pumped = true, .mtu = 9000, .frame_max = 9014};
	uint32_t handle;

	netvsp_fake_init(&f, &config);
	netvsp_fake_open(&f);
	netvsp_fake_agree(&f);
	handle = f.guest.next_gpadl++;
	ck_assert_uint_eq(bus_guest_gpadl(&f.guest, f.ch.relid, handle, f.data_gpa, 1), 0);
	ask(NVSP_MSG1_TYPE_SEND_RECV_BUF, handle, 1);
	ck_assert_uint_eq(out.send_recv_buf_complete.status, NVSP_STAT_FAIL);
	ask(NVSP_MSG1_TYPE_SEND_SEND_BUF, handle, 1);
	ck_assert_uint_eq(out.send_send_buf_complete.status, NVSP_STAT_FAIL);
	/* Nobody holds it any more. */
	bus_guest_post_teardown(&f.guest, f.ch.relid, handle);
	ck_assert(bus_guest_expect(&f.guest, CHANNELMSG_GPADL_TORNDOWN, NULL));
	netvsp_fake_lend(&f);
}
END_TEST

START_TEST(buffers_are_not_replaced)
{
	netvsp_fake_start(&f, ALL);
	violates(_i ? NVSP_MSG1_TYPE_SEND_RECV_BUF : NVSP_MSG1_TYPE_SEND_SEND_BUF,
		 _i ? f.recv_gpadl : f.send_gpadl, 0xcafe);
}
END_TEST

START_TEST(one_wish_at_a_time)
{
	const struct nvsp_message in = simple(NVSP_MSG1_TYPE_SEND_RECV_BUF, 1, 1);

	netvsp_fake_open(&f);
	netvsp_fake_agree(&f);
	netvsp_fake_tell(&f, &in);
	netvsp_fake_tell(&f, &in);
	ck_assert(netvsp_fake_dead(&f));
}
END_TEST

/* As Linux takes its leave of older hosts: the pages are its own before the channel is closed. */
START_TEST(revoked_buffers_are_given_back)
{
	netvsp_fake_start(&f, ALL);
	netvsp_fake_open_subs(&f, 1);
	bus_guest_post_teardown(&f.guest, f.ch.relid, f.recv_gpadl);
	ck_assert(bus_guest_silent(&f.guest));
	ck_assert_uint_eq(ask(NVSP_MSG1_TYPE_REVOKE_RECV_BUF, 0xcafe, 0), 0);
	ck_assert(bus_guest_expect(&f.guest, CHANNELMSG_GPADL_TORNDOWN, NULL));

	/* The send buffer when the last frame is out of it. */
	netvsp_fake_frame(frame, 100, 1);
	net_fake_hold(&f.net, true);
	netvsp_fake_post_section(&f, &f.subs[0], 5, bytes,
				 netvsp_fake_wrap(bytes, frame, 100, NULL, 0), 2);
	for (unsigned int i = 0; i < 5; i++)
		loop_thread_pump(&f.guest.thread);
	ck_assert_uint_eq(net_fake_sent(&f.net), 1);
	{
		const struct nvsp_message in = simple(NVSP_MSG1_TYPE_REVOKE_SEND_BUF, 0, 0);

		netvsp_fake_tell(&f, &in);
	}
	bus_guest_post_teardown(&f.guest, f.ch.relid, f.send_gpadl);
	ck_assert(bus_guest_silent(&f.guest));
	net_fake_hold(&f.net, false);
	ck_assert(bus_guest_expect(&f.guest, CHANNELMSG_GPADL_TORNDOWN, NULL));

	/* What comes now has nowhere to go, or to come from. */
	net_fake_put(&f.net, 0, NULL, frame, 100);
	net_fake_put(&f.net, 1, NULL, frame, 100);
	netvsp_fake_post_section(&f, &f.ch, 6, bytes, netvsp_fake_wrap(bytes, frame, 100, NULL, 0),
				 2);
	ck_assert_uint_eq(netvsp_fake_status(&f.ch, 6), NVSP_STAT_FAIL);
	bus_guest_close(&f.subs[0]);
	bus_guest_post_relid(&f.guest, CHANNELMSG_CLOSECHANNEL, f.ch.relid);
	for (unsigned int i = 0; i < 5; i++)
		loop_thread_pump(&f.guest.thread);
	ck_assert_uint_eq(atomic_load(&f.net.started), 0);
}
END_TEST

START_TEST(wrong_revocations_are_violations)
{
	netvsp_fake_start(&f, ALL);
	if (_i == 2)
		ask(NVSP_MSG1_TYPE_REVOKE_RECV_BUF, 0xcafe, 0);
	violates(_i == 1 ? NVSP_MSG1_TYPE_REVOKE_SEND_BUF : NVSP_MSG1_TYPE_REVOKE_RECV_BUF,
		 _i == 2 ? 0xcafe : 0xcaff, 0);
}
END_TEST

START_TEST(revoked_buffers_have_no_successor)
{
	netvsp_fake_start(&f, ALL);
	ask(NVSP_MSG1_TYPE_REVOKE_RECV_BUF, 0xcafe, 0);
	violates(NVSP_MSG1_TYPE_SEND_RECV_BUF, f.recv_gpadl, 0xcafe);
}
END_TEST

/* Closing in the middle of everything. */
START_TEST(a_channel_may_close_at_any_time)
{
	const struct nvsp_message take = simple(NVSP_MSG1_TYPE_SEND_RECV_BUF, 0, 0xcafe);
	const struct nvsp_message revoke = simple(NVSP_MSG1_TYPE_REVOKE_RECV_BUF, 0xcafe, 0);
	struct nvsp_message in = take;

	if (_i == 0) {
		netvsp_fake_open(&f);
		netvsp_fake_agree(&f);
		in.send_buf.gpadl_handle = f.guest.next_gpadl++;
		ck_assert_uint_eq(bus_guest_gpadl(&f.guest, f.ch.relid, in.send_buf.gpadl_handle,
						  f.recv_gpa, 64),
				  0);
	} else {
		netvsp_fake_start(&f, ALL);
		in = revoke;
	}
	netvsp_fake_tell(&f, &in);
	bus_guest_post_relid(&f.guest, CHANNELMSG_CLOSECHANNEL, f.ch.relid);
	bus_guest_post_teardown(&f.guest, f.ch.relid, f.ch.gpadl);
	ck_assert(bus_guest_expect(&f.guest, CHANNELMSG_GPADL_TORNDOWN, NULL));
	netvsp_fake_start(&f, ALL);
}
END_TEST

/* --- Sub-channels. --------------------------------------------------------------------------- */

static uint32_t want_subs(uint32_t op, uint32_t count)
{
	ck_assert_uint_eq(ask(NVSP_MSG5_TYPE_SUBCHANNEL, op, count), 40);
	ck_assert_uint_eq(out.msg_type, NVSP_MSG5_TYPE_SUBCHANNEL);
	return out.subchn_comp.status;
}

START_TEST(sub_channels_are_granted_once)
{
	netvsp_fake_start(&f, ALL);
	ck_assert_uint_eq(want_subs(NVSP_SUBCHANNEL_ALLOCATE, 2), NVSP_STAT_FAIL);
	ck_assert_uint_eq(want_subs(NVSP_SUBCHANNEL_ALLOCATE, 0xffffffff), NVSP_STAT_FAIL);
	ck_assert_uint_eq(want_subs(0, 1), NVSP_STAT_FAIL);
	ck_assert_uint_eq(want_subs(2, 1), NVSP_STAT_FAIL);
	ck_assert_uint_eq(want_subs(NVSP_SUBCHANNEL_ALLOCATE, 0), NVSP_STAT_SUCCESS);
	netvsp_fake_open_subs(&f, 1);
	ck_assert_uint_eq(want_subs(NVSP_SUBCHANNEL_ALLOCATE, 1), NVSP_STAT_FAIL);
}
END_TEST

START_TEST(sub_channels_need_a_buffer)
{
	netvsp_fake_open(&f);
	netvsp_fake_agree(&f);
	ck_assert_uint_eq(want_subs(NVSP_SUBCHANNEL_ALLOCATE, 1), NVSP_STAT_FAIL);
	netvsp_fake_lend(&f);
	ck_assert_uint_eq(want_subs(NVSP_SUBCHANNEL_ALLOCATE, 1), NVSP_STAT_FAIL);
	netvsp_fake_initialize(&f);
	netvsp_fake_open_subs(&f, 1);
}
END_TEST

START_TEST(sub_channels_need_sections)
{
	const struct netvsp_fake_config config = {.pumped = true, .queues = 4, .recv_pages = 4};

	netvsp_fake_init(&f, &config);
	netvsp_fake_start(&f, ALL);
	ck_assert_uint_eq(want_subs(NVSP_SUBCHANNEL_ALLOCATE, 3), NVSP_STAT_FAIL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("netvsp_control");
	TCase *t = tcase_create("messages"), *own = tcase_create("own configuration");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, other_versions_are_refused);
	tcase_add_loop_test(t, messages_of_later_versions_are_violations, 0, 14);
	tcase_add_loop_test(t, short_messages_are_violations, 0, 5);
	tcase_add_test(t, what_there_is_not_is_said);
	tcase_add_loop_test(t, configuration_comes_once, 0, 3);
	tcase_add_test(t, buffers_come_in_order);
	tcase_add_test(t, buffers_that_are_none_are_refused);
	tcase_add_loop_test(t, buffers_are_not_replaced, 0, 2);
	tcase_add_test(t, one_wish_at_a_time);
	tcase_add_test(t, revoked_buffers_are_given_back);
	tcase_add_loop_test(t, wrong_revocations_are_violations, 0, 3);
	tcase_add_test(t, revoked_buffers_have_no_successor);
	tcase_add_loop_test(t, a_channel_may_close_at_any_time, 0, 2);
	tcase_add_test(t, sub_channels_are_granted_once);
	tcase_add_test(t, sub_channels_need_a_buffer);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(own, NULL, teardown);
	tcase_add_loop_test(own, every_version_works, 0, ARRAY_SIZE(versions));
	tcase_add_loop_test(own, sizes_follow_from_the_configuration, 0, 10);
	tcase_add_test(own, buffers_that_are_too_small_are_refused);
	tcase_add_test(own, sub_channels_need_sections);
	suite_add_tcase(s, own);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
