// SPDX-License-Identifier: MIT
/* Opening channels under every version of the protocol, who is interrupted, and refusals. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo_device.h"

#define CHANNELS 3u

static const uint32_t versions[] = {
	VERSION_WS2008,     VERSION_WIN7,       VERSION_WIN8,       VERSION_WIN8_1,
	VERSION_WIN10,      VERSION_WIN10_V4_1, VERSION_WIN10_V5,   VERSION_WIN10_V5_1,
	VERSION_WIN10_V5_2, VERSION_WIN10_V5_3, VERSION_WIN_COPPER,
};

static struct bus_guest guest;
static struct echo_device echo[CHANNELS];
static struct vmbus_channel_offer_channel offers[CHANNELS];
static struct bus_guest_channel ch[CHANNELS];

static void setup(void)
{
	bus_guest_create(&guest, NULL);
	for (unsigned int i = 0; i < CHANNELS; i++)
		echo_create(&echo[i], &guest, i, 0, NULL);
}

static void teardown(void)
{
	bus_guest_destroy(&guest);
	for (unsigned int i = 0; i < CHANNELS; i++)
		echo_finish(&echo[i]);
}

static void connect_with(uint32_t version)
{
	bus_guest_connect(&guest, version, offers, CHANNELS);
	for (unsigned int i = 0; i < CHANNELS; i++)
		bus_guest_channel_init(&guest, &ch[i], &offers[i], 2 + i, i + 1);
}

/* --- Versions. ----------------------------------------------------------------------------- */

START_TEST(every_version)
{
	connect_with(versions[_i]);
	for (unsigned int i = 0; i < CHANNELS; i++)
		ck_assert_uint_eq(bus_guest_open(&ch[i]), 0);
	for (unsigned int n = 0; n < 50; n++)
		for (unsigned int i = 0; i < CHANNELS; i++)
			ck_assert(echo_alive(&ch[i]));
	for (unsigned int i = 0; i < CHANNELS; i++) {
		ck_assert_uint_gt(counter_get(&echo_counters(&echo[i])->interrupts), 0);
		ck_assert_uint_gt(counter_get(&echo_counters(&echo[i])->wakes), 0);
	}
	/* Before 2.4 VP 0 gets all interrupts, and later each its own. */
	ck_assert_int_eq(synic_fake_interrupts(guest.hv, 0) > 0, versions[_i] < VERSION_WIN8);
	ck_assert_int_eq(synic_fake_interrupts(guest.hv, 3) > 0, versions[_i] >= VERSION_WIN8);
	bus_guest_close(&ch[1]);
	ck_assert(echo_alive(&ch[0]));
	bus_guest_unload(&guest);
	ck_assert_uint_eq(synic_fake_connections(guest.hv), 2);
	/* And another guest, of another version, after it. */
	connect_with(versions[ARRAY_SIZE(versions) - 1 - (unsigned int)_i]);
	ck_assert_uint_eq(bus_guest_open(&ch[0]), 0);
	ck_assert(echo_alive(&ch[0]));
}
END_TEST

START_TEST(unknown_versions)
{
	static const uint32_t unknown[] = {0,
					   1,
					   VMBUS_VERSION(0, 12),
					   VMBUS_VERSION(2, 3),
					   VMBUS_VERSION(5, 4),
					   VMBUS_VERSION(6, 1),
					   UINT32_MAX};

	for (unsigned int i = 0; i < ARRAY_SIZE(unknown); i++)
		ck_assert(!bus_guest_contact(&guest, unknown[i], 0));
	connect_with(VERSION_WIN10);
	ck_assert_uint_eq(bus_guest_open(&ch[0]), 0);
	ck_assert(echo_alive(&ch[0]));
}
END_TEST

/* Old guests that gave no page, or none that is: no interrupts, no harm. */
START_TEST(no_interrupt_page)
{
	static const uint64_t pages[] = {0x123, GiB(1), UINT64_MAX, UINT64_MAX - PAGE_SIZE + 1};
	uint8_t buf[2048];

	guest.interrupt_gpa = pages[_i / 2];
	ck_assert(bus_guest_contact(&guest, _i % 2 ? VERSION_WIN7 : VERSION_WS2008, 0));
	ck_assert_uint_eq(bus_guest_offers(&guest, offers, CHANNELS), CHANNELS);
	bus_guest_channel_init(&guest, &ch[0], &offers[0], 2, 0);
	ck_assert_uint_eq(bus_guest_open(&ch[0]), 0);
	ck_assert(ring_guest_send(&ch[0].out, VM_PKT_DATA_INBAND, 1, 5, NULL, 0,
				  &(uint64_t){ECHO_ANSWER}, 8, &(bool){false}));
	(void)synic_fake_signal(guest.hv, _i % 2 ? ch[0].connection_id : 2);
	if (_i % 2) {
		echo_wait_count(&echo[0], &echo[0].packets, 1);
		loop_thread_pump(&guest.thread);
		ck_assert_uint_ne(ring_guest_receive(&ch[0].in, buf, sizeof(buf)), 0);
	}
	bus_guest_close(&ch[0]);
}
END_TEST

/* A signal of the old kind for channels that are closed, and for none. */
START_TEST(stray_legacy_signals)
{
	_Atomic uint64_t *words;

	connect_with(VERSION_WS2008);
	ck_assert_uint_eq(bus_guest_open(&ch[1]), 0);
	words = bus_guest_host(&guest, guest.interrupt_gpa, PAGE_SIZE);
	for (unsigned int i = 0; i < 20; i++) {
		for (unsigned int n = 256; n < 512; n++)
			atomic_store(&words[n], UINT64_MAX);
		(void)synic_fake_signal(guest.hv, 2);
		ck_assert(echo_alive(&ch[1]));
	}
	bus_guest_unload(&guest);
	ck_assert_int_eq(synic_fake_signal(guest.hv, 2), HV_STATUS_INVALID_CONNECTION_ID);
}
END_TEST

/* --- Who is interrupted. ------------------------------------------------------------------- */

static void post_modify(unsigned int vp)
{
	const struct vmbus_channel_modifychannel m = {
		.header = {.msgtype = CHANNELMSG_MODIFYCHANNEL},
		.child_relid = ch[0].relid,
		.target_vp = vp,
	};

	bus_guest_post(&guest, &m, sizeof(m));
}

static uint64_t interrupts(unsigned int vp)
{
	return synic_fake_interrupts(guest.hv, vp);
}

START_TEST(retarget)
{
	union bus_guest_message m;
	uint64_t before;

	connect_with(VERSION_WIN10_V5_3);
	ck_assert_uint_eq(bus_guest_open(&ch[0]), 0);
	ck_assert(echo_alive(&ch[0]));
	ck_assert_uint_gt(interrupts(1), 0);
	for (unsigned int vp = 0; vp < 4; vp++) {
		post_modify(vp);
		ck_assert(bus_guest_expect(&guest, CHANNELMSG_MODIFYCHANNEL_RESPONSE, &m));
		ck_assert_uint_eq(m.modify.status, 0);
		ch[0].vp = vp;
		before = interrupts((vp + 1) % 4) + interrupts((vp + 2) % 4) +
			 interrupts((vp + 3) % 4);
		ck_assert(echo_alive(&ch[0]));
		ck_assert(echo_alive(&ch[0]));
		ck_assert_uint_eq(before, interrupts((vp + 1) % 4) + interrupts((vp + 2) % 4) +
						  interrupts((vp + 3) % 4));
	}
	post_modify(4);
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_MODIFYCHANNEL_RESPONSE, &m));
	ck_assert_uint_ne(m.modify.status, 0);
	ck_assert(echo_alive(&ch[0]));
	/* Closed meanwhile. */
	post_modify(2);
	bus_guest_post_relid(&guest, CHANNELMSG_CLOSECHANNEL, ch[0].relid);
	bus_guest_post_teardown(&guest, ch[0].relid, ch[0].gpadl);
	do {
		ck_assert(bus_guest_next(&guest, &m, BUS_GUEST_MS));
	} while (m.header.msgtype != CHANNELMSG_GPADL_TORNDOWN);
	ck_assert_uint_eq(bus_guest_open(&ch[0]), 0);
	ck_assert(echo_alive(&ch[0]));
}
END_TEST

/* Nobody says when it is done; but it is. */
START_TEST(retarget_unanswered)
{
	connect_with(VERSION_WIN10_V4_1);
	ck_assert_uint_eq(bus_guest_open(&ch[0]), 0);
	for (unsigned int n = 0; n < 50; n++)
		post_modify(n % 3);
	post_modify(3);
	ck_assert(bus_guest_silent(&guest));
	ch[0].vp = 3;
	ck_assert(echo_alive(&ch[0]));
}
END_TEST

START_TEST(never_interrupted)
{
	uint8_t buf[2048];

	connect_with(VERSION_WIN10);
	ch[0].vp = VMBUS_VP_INTERRUPT_DISABLED;
	ck_assert_uint_eq(bus_guest_open(&ch[0]), 0);
	ck_assert(echo_ask(&ch[0], 1, ECHO_ANSWER, 0));
	echo_wait_count(&echo[0], &echo[0].packets, 1);
	loop_thread_pump(&guest.thread);
	ck_assert_uint_ne(ring_guest_receive(&ch[0].in, buf, sizeof(buf)), 0);
	for (unsigned int vp = 0; vp < 4; vp++)
		ck_assert_uint_eq(interrupts(vp), 0);
	ck_assert_uint_eq(counter_get(&echo_counters(&echo[0])->interrupts), 0);
}
END_TEST

/* The guest has taken its page for flags away: nothing comes, nothing breaks. */
START_TEST(no_flags_page)
{
	uint8_t buf[2048];

	connect_with(VERSION_WIN10);
	ck_assert_uint_eq(bus_guest_open(&ch[0]), 0);
	synic_fake_set_flags_page(guest.hv, false);
	ck_assert(echo_ask(&ch[0], 1, ECHO_ANSWER, 0));
	echo_wait_count(&echo[0], &echo[0].packets, 1);
	loop_thread_pump(&guest.thread);
	ck_assert_uint_ne(ring_guest_receive(&ch[0].in, buf, sizeof(buf)), 0);
	(void)ring_guest_commit(&ch[0].in);
	synic_fake_set_flags_page(guest.hv, true);
	ck_assert(echo_alive(&ch[0]));
}
END_TEST

/* --- The guest chooses (6.0). -------------------------------------------------------------- */

START_TEST(chosen_ids)
{
	connect_with(VERSION_WIN_COPPER);
	ck_assert(guest.features & VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS);
	ch[0].connection_id = 0xabcdef;
	ch[0].event_flag = 2047;
	ch[1].connection_id = 0; /* any number is as good */
	ch[1].event_flag = 0;
	ch[2].event_flag = 0; /* a flag for two */
	ch[2].vp = ch[1].vp;
	for (unsigned int i = 0; i < CHANNELS; i++)
		ck_assert_uint_eq(bus_guest_open(&ch[i]), 0);
	for (unsigned int n = 0; n < 10; n++)
		for (unsigned int i = 0; i < CHANNELS; i++)
			ck_assert(echo_alive(&ch[i]));
	ck_assert_int_eq(synic_fake_signal(guest.hv, offers[0].connection_id),
			 HV_STATUS_INVALID_CONNECTION_ID);
	bus_guest_close(&ch[0]);
	ck_assert_int_eq(synic_fake_signal(guest.hv, 0xabcdef), HV_STATUS_INVALID_CONNECTION_ID);
}
END_TEST

START_TEST(taken_ids)
{
	static const uint32_t ids[] = {VMBUS_MESSAGE_CONNECTION_ID,
				       VMBUS_MESSAGE_CONNECTION_ID_4,
				       0x1000000,
				       UINT32_MAX,
				       0,
				       0};

	connect_with(VERSION_WIN_COPPER);
	ck_assert_uint_eq(bus_guest_open(&ch[1]), 0);
	ch[0].connection_id = _i == 4 ? ch[1].connection_id : ids[_i];
	if (_i == 5)
		ch[0].event_flag = 2048;
	ck_assert_uint_ne(bus_guest_open(&ch[0]), 0);
	ck_assert_uint_eq(atomic_load(&echo[0].opens), 0);
	ck_assert(echo_alive(&ch[1]));
	ch[0].connection_id = offers[0].connection_id;
	ch[0].event_flag = 100;
	ck_assert_uint_eq(bus_guest_open(&ch[0]), 0);
	ck_assert(echo_alive(&ch[0]));
}
END_TEST

/* An id that is another's by default: that one is refused until it is free. */
START_TEST(a_neighbours_id)
{
	connect_with(VERSION_WIN_COPPER);
	ch[0].connection_id = offers[1].connection_id;
	ck_assert_uint_eq(bus_guest_open(&ch[0]), 0);
	ck_assert_uint_ne(bus_guest_open(&ch[1]), 0);
	ck_assert(echo_alive(&ch[0]));
	bus_guest_close(&ch[0]);
	ck_assert_uint_eq(bus_guest_open(&ch[1]), 0);
	ck_assert(echo_alive(&ch[1]));
}
END_TEST

/* --- Refusals. ----------------------------------------------------------------------------- */

static uint32_t open_with(uint32_t gpadl, uint32_t downstream, uint32_t vp)
{
	const struct vmbus_channel_open_channel m = {
		.header = {.msgtype = CHANNELMSG_OPENCHANNEL},
		.child_relid = ch[0].relid,
		.openid = 5,
		.ringbuffer_gpadlhandle = gpadl,
		.target_vp = vp,
		.downstream_ringbuffer_pageoffset = downstream,
	};
	union bus_guest_message answer;

	bus_guest_post(&guest, &m, sizeof(m));
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_OPENCHANNEL_RESULT, &answer));
	ck_assert_uint_eq(answer.open.openid, 5);
	return answer.open.status;
}

START_TEST(refused)
{
	connect_with(VERSION_WIN10);
	ck_assert_uint_eq(bus_guest_lend(&ch[0]), 0);
	ck_assert_uint_ne(open_with(ch[0].gpadl + 1, 2, 0), 0);
	ck_assert_uint_ne(open_with(0, 2, 0), 0);
	ck_assert_uint_ne(open_with(ch[0].gpadl, 0, 0), 0);
	ck_assert_uint_ne(open_with(ch[0].gpadl, 1, 0), 0);
	ck_assert_uint_ne(open_with(ch[0].gpadl, 3, 0), 0);
	ck_assert_uint_ne(open_with(ch[0].gpadl, 4, 0), 0);
	ck_assert_uint_ne(open_with(ch[0].gpadl, UINT32_MAX, 0), 0);
	ck_assert_uint_ne(open_with(ch[0].gpadl, 2, 4), 0);
	ck_assert_uint_eq(atomic_load(&echo[0].opens), 0);
	atomic_store(&echo[0].open_result, -EBUSY);
	ck_assert_uint_eq(open_with(ch[0].gpadl, 2, 1), VMBUS_STATUS_UNSUCCESSFUL);
	atomic_store(&echo[0].open_result, 0);
	ck_assert_uint_eq(counter_get(&echo_counters(&echo[0])->opens), 0);
	/* Nothing is left of it, and it holds nothing. */
	ck_assert_uint_eq(synic_fake_connections(guest.hv), 2);
	ck_assert_uint_eq(open_with(ch[0].gpadl, 2, 1), 0);
	ck_assert(echo_alive(&ch[0]));
}
END_TEST

START_TEST(senseless_indices)
{
	static const uint32_t indices[] = {1, 4, 4096, 0x80000000, UINT32_MAX};
	uint32_t *fields[4];

	connect_with(VERSION_WIN10);
	fields[0] = &ch[0].up.control->write_index;
	fields[1] = &ch[0].up.control->read_index;
	fields[2] = &ch[0].down.control->write_index;
	fields[3] = &ch[0].down.control->read_index;
	ck_assert_uint_eq(bus_guest_lend(&ch[0]), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(indices); i++) {
		*fields[_i] = indices[i];
		ck_assert_uint_ne(open_with(ch[0].gpadl, 2, 0), 0);
	}
	*fields[_i] = 0;
	ck_assert_uint_eq(open_with(ch[0].gpadl, 2, 1), 0);
	ck_assert(echo_alive(&ch[0]));
}
END_TEST

/* A ring that the longest answer never fits. */
START_TEST(ring_too_small)
{
	echo[0].ops.completion_max = 8192;
	connect_with(VERSION_WIN10);
	ck_assert_uint_eq(bus_guest_open(&ch[0]), 0);
	(void)echo_ask(&ch[0], 1, ECHO_ANSWER, 0);
	echo_wait_count(&echo[0], &echo[0].closes, 1);
	bus_guest_close(&ch[0]);
}
END_TEST

/* Rings start where the guest says, and may hold packets then. */
START_TEST(packets_before_opening)
{
	uint8_t buf[2048];
	bool signal;

	connect_with(VERSION_WIN10);
	ck_assert_uint_eq(bus_guest_lend(&ch[0]), 0);
	ch[0].out.index = ch[0].up.control->write_index = ch[0].up.control->read_index = 4080;
	ch[0].in.index = ch[0].down.control->write_index = ch[0].down.control->read_index = 8;
	ck_assert(ring_guest_send(&ch[0].out, VM_PKT_DATA_INBAND, 1, 3, NULL, 0,
				  &(uint64_t){ECHO_ANSWER}, 8, &signal));
	bus_guest_post_open(&ch[0]);
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_OPENCHANNEL_RESULT, NULL));
	ck_assert_uint_ne(bus_guest_completion(&ch[0], 3, buf, sizeof(buf)), 0);
	ck_assert(echo_alive(&ch[0]));
}
END_TEST

/* --- Reserved channels. -------------------------------------------------------------------- */

static void poll_echo(struct bus_guest_channel *c)
{
	uint8_t buf[2048];
	uint32_t len = 0;

	ck_assert(echo_ask(c, 9, ECHO_ANSWER, 0));
	for (unsigned int i = 0; !len && i < BUS_GUEST_MS * 10; i++) {
		len = ring_guest_receive(&c->in, buf, sizeof(buf));
		if (!len)
			usleep(100);
	}
	ck_assert_uint_ne(len, 0);
	(void)ring_guest_commit(&c->in);
}

START_TEST(reserved)
{
	struct vmbus_channel_open_reserved open = {
		.header = {.msgtype = CHANNELMSG_OPENRESERVED},
		.target_vp = 3,
		.target_sint = 5,
		.downstream_ringbuffer_pageoffset = 2,
	};
	struct vmbus_channel_close_reserved close = {
		.header = {.msgtype = CHANNELMSG_CLOSERESERVED}, .target_vp = 2, .target_sint = 5};
	union bus_guest_message m;

	connect_with(VERSION_WIN10);
	ck_assert_uint_eq(bus_guest_lend(&ch[0]), 0);
	open.child_relid = close.child_relid = ch[0].relid;
	open.ringbuffer_gpadlhandle = ch[0].gpadl;
	bus_guest_post(&guest, &open, sizeof(open));
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_OPENCHANNEL_RESULT, &m));
	ck_assert_uint_eq(m.open.status, 0);
	ck_assert_uint_eq(guest.message_vp, 3);
	ck_assert_uint_eq(bus_guest_open(&ch[1]), 0);
	poll_echo(&ch[0]);
	bus_guest_unload(&guest);
	ck_assert_uint_eq(atomic_load(&echo[1].closes), 1);
	ck_assert_uint_eq(atomic_load(&echo[0].closes), 0);
	poll_echo(&ch[0]);
	poll_echo(&ch[0]);
	bus_guest_post(&guest, &close, sizeof(close));
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_CLOSERESERVED_RESPONSE, &m));
	ck_assert_uint_eq(guest.message_vp, 2);
	ck_assert_uint_eq(atomic_load(&echo[0].closes), 1);
	connect_with(VERSION_WS2008);
	ck_assert_uint_eq(bus_guest_open(&ch[0]), 0);
	ck_assert(echo_alive(&ch[0]));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("channel_open");
	TCase *t = tcase_create("channel_open");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, every_version, 0, ARRAY_SIZE(versions));
	tcase_add_test(t, unknown_versions);
	tcase_add_loop_test(t, no_interrupt_page, 0, 8);
	tcase_add_test(t, stray_legacy_signals);
	tcase_add_test(t, retarget);
	tcase_add_test(t, retarget_unanswered);
	tcase_add_test(t, never_interrupted);
	tcase_add_test(t, no_flags_page);
	tcase_add_test(t, chosen_ids);
	tcase_add_loop_test(t, taken_ids, 0, 6);
	tcase_add_test(t, a_neighbours_id);
	tcase_add_test(t, refused);
	tcase_add_loop_test(t, senseless_indices, 0, 4);
	tcase_add_test(t, ring_too_small);
	tcase_add_test(t, packets_before_opening);
	tcase_add_test(t, reserved);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
