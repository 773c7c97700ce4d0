// SPDX-License-Identifier: MIT
/* Channels of a network interface: many queues on several loops, and ends of every kind. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netvsp_fake.h"

#define ALL (NDIS_PACKET_TYPE_DIRECTED | NDIS_PACKET_TYPE_BROADCAST)

static struct netvsp_fake f;
static uint8_t frame[2048], bytes[4096];
static struct netvsp_fake_rx rx;
static struct netvsp_fake_packet packet;

static void setup(void)
{
	const struct netvsp_fake_config config = {.queues = 4, .loops = 2};

	netvsp_fake_init(&f, &config);
	netvsp_fake_start(&f, ALL);
	netvsp_fake_open_subs(&f, 3);
}

static void teardown(void)
{
	netvsp_fake_finish(&f);
}

static struct bus_guest_channel *channel(unsigned int i)
{
	return i ? &f.subs[i - 1] : &f.ch;
}

static void wait_sent(unsigned int count)
{
	for (unsigned int i = 0; net_fake_sent(&f.net) < count; i++) {
		ck_assert_uint_lt(i, BUS_GUEST_MS * 10);
		usleep(100);
	}
}

static void post(unsigned int i, uint64_t id, unsigned int seed)
{
	uint32_t len;

	netvsp_fake_frame(frame, 100 + i, seed);
	len = netvsp_fake_wrap(bytes, frame, 100 + i, NULL, 0);
	netvsp_fake_post_section(&f, channel(i), id, bytes, len, i);
}

static void check_all(void)
{
	for (unsigned int i = 0; i < 4; i++) {
		post(i, 100 + i, i);
		ck_assert_uint_eq(netvsp_fake_status(channel(i), 100 + i), NVSP_STAT_SUCCESS);
		net_fake_put(&f.net, i, NULL, frame, 100 + i);
		ck_assert(netvsp_fake_receive(&f, channel(i), &rx));
		ck_assert_uint_eq(rx.len, 100 + i);
		ck_assert_mem_eq(rx.frame, frame, rx.len);
	}
	ck_assert_uint_eq(net_fake_sent(&f.net), 4);
	for (unsigned int i = 0; i < 4; i++)
		ck_assert_uint_eq(net_fake_frame(&f.net, i)->queue, i);
	net_fake_forget(&f.net);
}

START_TEST(every_queue_has_its_channel)
{
	check_all();
	ck_assert_uint_eq(atomic_load(&f.net.started), 4);
}
END_TEST

START_TEST(all_at_once)
{
	const struct netvsp_counters *counters = netvsp_counters(f.netvsp);
	unsigned int sent[4] = {0}, answered[4] = {0};
	bool busy = true;

	f.net.discard = true;
	netvsp_fake_frame(frame, 64, 0);
	for (unsigned int n = 0; n < 300; n++)
		for (unsigned int i = 0; i < 4; i++)
			net_fake_put(&f.net, i, NULL, frame, 64);
	while (busy) {
		busy = counter_get(&counters->rx_packets) < 1200;
		for (unsigned int i = 0; i < 4; i++) {
			struct {
				struct vmpacket_descriptor head;
				uint8_t bytes[4096];
			} in;

			if (sent[i] < 1000 && sent[i] - answered[i] < 20)
				post(i, 1000 + sent[i]++, 0);
			while (ring_guest_receive(&channel(i)->in, &in, sizeof(in))) {
				answered[i] += in.head.type == VM_PKT_COMP;
				if (in.head.type != VM_PKT_COMP)
					netvsp_fake_return(channel(i), in.head.trans_id);
				if (ring_guest_commit(&channel(i)->in))
					bus_guest_signal(channel(i));
			}
			busy |= answered[i] < 1000;
		}
	}
	ck_assert_uint_eq(counter_get(&counters->tx_packets), 4000);
	ck_assert_uint_eq(counter_get(&counters->rx_dropped), 0);
}
END_TEST

START_TEST(closing_the_primary_closes_all)
{
	bus_guest_post_relid(&f.guest, CHANNELMSG_CLOSECHANNEL, f.ch.relid);
	bus_guest_post_teardown(&f.guest, f.ch.relid, f.ch.gpadl);
	bus_guest_post_teardown(&f.guest, f.ch.relid, f.recv_gpadl);
	bus_guest_post_teardown(&f.guest, f.ch.relid, f.send_gpadl);
	for (unsigned int i = 0; i < 6; i++) {
		union bus_guest_message m;

		ck_assert(bus_guest_next(&f.guest, &m, BUS_GUEST_MS));
		if (m.header.msgtype == CHANNELMSG_RESCIND_CHANNELOFFER)
			bus_guest_post_relid(&f.guest, CHANNELMSG_RELID_RELEASED,
					     m.relid.child_relid);
		else
			ck_assert_uint_eq(m.header.msgtype, CHANNELMSG_GPADL_TORNDOWN);
	}
	ck_assert_uint_eq(atomic_load(&f.net.started), 0);
	/* And again, from the beginning. */
	netvsp_fake_start(&f, ALL);
	netvsp_fake_open_subs(&f, 3);
	check_all();
}
END_TEST

/* Frames on their way hold everything until they are gone. */
START_TEST(closing_waits_for_frames)
{
	union bus_guest_message m;
	unsigned int torn = 0;

	net_fake_hold(&f.net, true);
	for (unsigned int i = 0; i < 4; i++)
		post(i, 5, i);
	wait_sent(4);
	bus_guest_post_relid(&f.guest, CHANNELMSG_CLOSECHANNEL, f.ch.relid);
	bus_guest_post_teardown(&f.guest, f.ch.relid, f.send_gpadl);
	/* The backend lets go of them when it is told to stop. */
	while (!torn) {
		ck_assert(bus_guest_next(&f.guest, &m, BUS_GUEST_MS));
		torn += m.header.msgtype == CHANNELMSG_GPADL_TORNDOWN;
	}
	ck_assert_uint_eq(atomic_load(&f.net.started), 0);
}
END_TEST

START_TEST(sub_channels_come_and_go)
{
	for (unsigned int n = 0; n < 5; n++) {
		for (unsigned int i = 0; i < 3; i++) {
			/* With frames that the guest has not given back. */
			netvsp_fake_frame(frame, 100, i);
			net_fake_put(&f.net, i + 1, NULL, frame, 100);
			ck_assert(netvsp_fake_next(&f, &f.subs[i], &packet, BUS_GUEST_MS));
			bus_guest_close(&f.subs[i]);
		}
		for (unsigned int i = 0; i < 3; i++)
			ck_assert_uint_eq(bus_guest_open(&f.subs[i]), 0);
		check_all();
	}
}
END_TEST

START_TEST(a_reset_ends_all)
{
	net_fake_hold(&f.net, true);
	for (unsigned int i = 0; i < 4; i++)
		post(i, 5, i);
	wait_sent(4);
	bus_guest_reset(&f.guest);
	ck_assert_uint_eq(atomic_load(&f.net.started), 0);
}
END_TEST

START_TEST(removal_ends_all)
{
	net_fake_hold(&f.net, true);
	for (unsigned int i = 0; i < 4; i++)
		post(i, 5, i);
	wait_sent(4);
	netvsp_fake_destroy_nic(&f);
	for (unsigned int i = 0; i < 4; i++) {
		union bus_guest_message m;

		ck_assert(bus_guest_expect(&f.guest, CHANNELMSG_RESCIND_CHANNELOFFER, &m));
		bus_guest_post_relid(&f.guest, CHANNELMSG_RELID_RELEASED, m.relid.child_relid);
	}
}
END_TEST

START_TEST(sub_channels_carry_data_only)
{
	static const uint32_t types[] = {NVSP_MSG_TYPE_INIT, NVSP_MSG1_TYPE_REVOKE_RECV_BUF,
					 NVSP_MSG5_TYPE_SUBCHANNEL, 12345};
	const struct nvsp_message in = {.msg_type = types[_i]};

	ck_assert(bus_guest_send(&f.subs[1], true, 5, &in, sizeof(in)));
	ck_assert(netvsp_fake_dead(&f));
}
END_TEST

START_TEST(control_on_sub_channels_is_refused)
{
	const struct nvsp_message in = {
		.msg_type = NVSP_MSG1_TYPE_SEND_RNDIS_PKT,
		.send_rndis_pkt = {RMC_CONTROL, 0, 12},
	};

	ck_assert(bus_guest_send(&f.subs[1], true, 5, &in, sizeof(in)));
	ck_assert_uint_eq(netvsp_fake_status(&f.subs[1], 5), NVSP_STAT_FAIL);
}
END_TEST

/* Another channel's sections are not to be given back. */
START_TEST(sections_are_of_one_queue)
{
	netvsp_fake_frame(frame, 100, 0);
	net_fake_put(&f.net, 1, NULL, frame, 100);
	ck_assert(netvsp_fake_next(&f, &f.subs[0], &packet, BUS_GUEST_MS));
	netvsp_fake_return(&f.subs[1], packet.trans_id);
	ck_assert(netvsp_fake_dead(&f));
}
END_TEST

START_TEST(a_backend_that_does_not_start)
{
	const struct netvsp_fake_config config = {0};

	netvsp_fake_init(&f, &config);
	f.net.refuse = -5;
	ck_assert_uint_ne(bus_guest_open(&f.ch), 0);
	f.net.refuse = 0;
	netvsp_fake_start(&f, ALL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("netvsp_channel");
	TCase *t = tcase_create("channels"), *own = tcase_create("own configuration");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, every_queue_has_its_channel);
	tcase_add_test(t, all_at_once);
	tcase_add_test(t, closing_the_primary_closes_all);
	tcase_add_test(t, closing_waits_for_frames);
	tcase_add_test(t, sub_channels_come_and_go);
	tcase_add_test(t, a_reset_ends_all);
	tcase_add_test(t, removal_ends_all);
	tcase_add_loop_test(t, sub_channels_carry_data_only, 0, 4);
	tcase_add_test(t, control_on_sub_channels_is_refused);
	tcase_add_test(t, sections_are_of_one_queue);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(own, NULL, teardown);
	tcase_add_test(own, a_backend_that_does_not_start);
	suite_add_tcase(s, own);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
