// SPDX-License-Identifier: MIT
/* A network interface's life: opening, pauses, the link, removal with frames in flight. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netvsp_fake.h"

#define ALL                                                                                        \
	(NDIS_PACKET_TYPE_DIRECTED | NDIS_PACKET_TYPE_BROADCAST | NDIS_PACKET_TYPE_ALL_MULTICAST)

static struct netvsp_fake f;
static uint8_t frame[2048];
static struct netvsp_fake_rx rx;

static void teardown(void)
{
	netvsp_fake_finish(&f);
}

START_TEST(frames_go_both_ways)
{
	netvsp_fake_start(&f, ALL);
	for (uint32_t len = 14; len <= 1514; len += 125) {
		const struct net_fake_frame *sent;

		netvsp_fake_frame(frame, len, len);
		ck_assert_uint_eq(netvsp_fake_send(&f, frame, len, NULL, 0), NVSP_STAT_SUCCESS);
		ck_assert_uint_eq(net_fake_sent(&f.net), 1);
		sent = net_fake_frame(&f.net, 0);
		ck_assert_uint_eq(sent->len, len);
		ck_assert_mem_eq(sent->bytes, frame, len);
		ck_assert_uint_eq(sent->header.flags, 0);
		net_fake_forget(&f.net);

		net_fake_put(&f.net, 0, NULL, frame, len);
		ck_assert(netvsp_fake_receive(&f, &f.ch, &rx));
		ck_assert_uint_eq(rx.len, len);
		ck_assert_mem_eq(rx.frame, frame, len);
		ck_assert(!rx.has_checksum && !rx.has_vlan && !rx.has_id);
	}
	ck_assert_uint_eq(counter_get(&netvsp_counters(f.netvsp)->tx_packets), 13);
	ck_assert_uint_eq(counter_get(&netvsp_counters(f.netvsp)->rx_packets), 13);
	ck_assert_uint_eq(netvsp_protocol_version(f.netvsp), NVSP_PROTOCOL_VERSION_61);
}
END_TEST

/* --- Pauses. --------------------------------------------------------------------------------- */

static void on_paused(void *ctx)
{
	atomic_store(&f.paused, true);
}

static void pause_nic(void *arg)
{
	netvsp_pause(f.netvsp, on_paused, NULL);
}

static void resume_nic(void *arg)
{
	netvsp_resume(f.netvsp);
}

static bool paused_soon(bool expected)
{
	for (unsigned int i = 0; atomic_load(&f.paused) != expected; i++) {
		if (i >= (f.config.pumped ? 50 : BUS_GUEST_MS))
			return false;
		loop_thread_pump(&f.guest.thread);
		usleep(f.config.pumped ? 0 : 1000);
	}
	return true;
}

static void post(uint64_t id)
{
	static uint8_t bytes[512];
	const uint32_t len = netvsp_fake_wrap(bytes, frame, 100, NULL, 0);

	netvsp_fake_post_section(&f, &f.ch, id, bytes, len, 0);
}

START_TEST(a_pause_waits_for_frames)
{
	netvsp_fake_start(&f, ALL);
	netvsp_fake_frame(frame, 100, 0);
	net_fake_hold(&f.net, true);
	post(5);
	while (!net_fake_sent(&f.net))
		loop_thread_pump(&f.guest.thread);
	netvsp_fake_call(&f, pause_nic);
	for (unsigned int i = 0; i < 10; i++)
		loop_thread_pump(&f.guest.thread);
	ck_assert(!atomic_load(&f.paused));
	net_fake_hold(&f.net, false);
	ck_assert(paused_soon(true));
	ck_assert_uint_eq(netvsp_fake_status(&f.ch, 5), NVSP_STAT_SUCCESS);

	/* Nothing moves now. */
	post(6);
	net_fake_put(&f.net, 0, NULL, frame, 100);
	for (unsigned int i = 0; i < 10; i++)
		loop_thread_pump(&f.guest.thread);
	ck_assert_uint_eq(net_fake_sent(&f.net), 1);
	ck_assert_uint_eq(net_fake_waiting(&f.net, 0), 1);

	netvsp_fake_call(&f, resume_nic);
	{
		unsigned int seen = 0;

		for (unsigned int i = 0; i < 2; i++) {
			uint8_t in[1024];
			struct vmpacket_descriptor head;

			ck_assert(bus_guest_receive(&f.ch, in, sizeof(in), BUS_GUEST_MS));
			memcpy(&head, in, sizeof(head));
			seen |= head.type == VM_PKT_COMP ? 1 : 2;
		}
		ck_assert_uint_eq(seen, 3);
	}
	ck_assert_uint_eq(net_fake_sent(&f.net), 2);
}
END_TEST

START_TEST(pauses_of_a_closed_nic)
{
	for (unsigned int i = 0; i < 3; i++) {
		atomic_store(&f.paused, false);
		netvsp_fake_call(&f, pause_nic);
		ck_assert(paused_soon(true));
		netvsp_fake_call(&f, resume_nic);
		netvsp_fake_call(&f, resume_nic);
	}
	netvsp_fake_start(&f, ALL);
}
END_TEST

START_TEST(removal_while_paused)
{
	union bus_guest_message m;

	netvsp_fake_start(&f, ALL);
	netvsp_fake_frame(frame, 100, 0);
	net_fake_hold(&f.net, true);
	post(5);
	while (!net_fake_sent(&f.net))
		loop_thread_pump(&f.guest.thread);
	netvsp_fake_call(&f, pause_nic);
	netvsp_fake_destroy_nic(&f);
	ck_assert(bus_guest_expect(&f.guest, CHANNELMSG_RESCIND_CHANNELOFFER, &m));
	bus_guest_post_relid(&f.guest, CHANNELMSG_RELID_RELEASED, m.relid.child_relid);
}
END_TEST

/* --- The link. ------------------------------------------------------------------------------- */

static void link_down(void *arg)
{
	netvsp_set_link(f.netvsp, false);
}

static void link_up(void *arg)
{
	netvsp_set_link(f.netvsp, true);
}

static void expect_status(uint32_t status)
{
	struct {
		struct rndis_header head;
		struct rndis_indicate_status body;
	} in;

	ck_assert_uint_eq(netvsp_fake_message(&f, &in, sizeof(in)), sizeof(in));
	ck_assert_uint_eq(in.head.msg_type, RNDIS_MSG_INDICATE);
	ck_assert_uint_eq(in.body.status, status);
}

static uint32_t connect_status(void)
{
	uint32_t v, len;

	ck_assert_uint_eq(netvsp_fake_query(&f, OID_GEN_MEDIA_CONNECT_STATUS, &v, 4, &len), 0);
	return v;
}

START_TEST(the_link_goes_and_comes)
{
	netvsp_fake_start(&f, ALL);
	ck_assert_uint_eq(connect_status(), NDIS_MEDIA_STATE_CONNECTED);
	netvsp_fake_call(&f, link_down);
	expect_status(RNDIS_STATUS_MEDIA_DISCONNECT);
	ck_assert_uint_eq(connect_status(), NDIS_MEDIA_STATE_DISCONNECTED);

	/* A cable that is out carries nothing. */
	netvsp_fake_frame(frame, 100, 0);
	ck_assert_uint_eq(netvsp_fake_send(&f, frame, 100, NULL, 0), NVSP_STAT_SUCCESS);
	ck_assert_uint_eq(net_fake_sent(&f.net), 0);
	net_fake_put(&f.net, 0, NULL, frame, 100);
	while (net_fake_waiting(&f.net, 0))
		loop_thread_pump(&f.guest.thread);

	netvsp_fake_call(&f, link_up);
	expect_status(RNDIS_STATUS_MEDIA_CONNECT);
	/* The other end's. */
	net_fake_link(&f.net, false);
	expect_status(RNDIS_STATUS_MEDIA_DISCONNECT);
	net_fake_link(&f.net, true);
	expect_status(RNDIS_STATUS_MEDIA_CONNECT);
	ck_assert_uint_eq(atomic_load(&f.links_up), 2);
	ck_assert_uint_eq(atomic_load(&f.links_down), 2);
	ck_assert_uint_eq(netvsp_fake_send(&f, frame, 100, NULL, 0), NVSP_STAT_SUCCESS);
	ck_assert_uint_eq(net_fake_sent(&f.net), 1);
}
END_TEST

START_TEST(a_link_may_be_down_at_first)
{
	const struct netvsp_fake_config config = {.link_down = true, .pumped = true};

	netvsp_fake_init(&f, &config);
	netvsp_fake_start(&f, ALL);
	ck_assert_uint_eq(connect_status(), NDIS_MEDIA_STATE_DISCONNECTED);
}
END_TEST

/* --- What cannot be. ------------------------------------------------------------------------- */

START_TEST(bad_configurations_are_refused)
{
	struct netvsp_config config = {
		.bus = f.guest.bus, .vm = "vm", .backend = &f.net, .mtu = 67, .queues_max = 1};
	struct netvsp *netvsp;
	struct error err;

	ck_assert_int_eq(netvsp_create(&config, &err, &netvsp), -22);
	ck_assert_ptr_nonnull(strstr(err.text, "MTU"));
	config.mtu = 65522;
	ck_assert_int_eq(netvsp_create(&config, &err, &netvsp), -22);
	config.mtu = 1500;
	config.mac[0] = 1;
	ck_assert_int_eq(netvsp_create(&config, &err, &netvsp), -22);
	ck_assert_ptr_nonnull(strstr(err.text, "MAC"));
	/* One that is there already. */
	config.mac[0] = 2;
	ck_assert_int_lt(netvsp_create(&config, &err, &netvsp), 0);
	netvsp_destroy(NULL, NULL, NULL);
}
END_TEST

/* --- Running them. --------------------------------------------------------------------------- */

static void setup_pumped(void)
{
	const struct netvsp_fake_config config = {.pumped = true};

	netvsp_fake_init(&f, &config);
}

static void setup(void)
{
	netvsp_fake_init(&f, NULL);
}

static void add(TCase *t)
{
	tcase_add_test(t, frames_go_both_ways);
	tcase_add_test(t, a_pause_waits_for_frames);
	tcase_add_test(t, pauses_of_a_closed_nic);
	tcase_add_test(t, removal_while_paused);
	tcase_add_test(t, the_link_goes_and_comes);
}

int main(void)
{
	Suite *s = suite_create("netvsp");
	TCase *t = tcase_create("pumped");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup_pumped, teardown);
	add(t);
	tcase_add_test(t, bad_configurations_are_refused);
	suite_add_tcase(s, t);
	t = tcase_create("threaded");
	tcase_add_checked_fixture(t, setup, teardown);
	add(t);
	suite_add_tcase(s, t);
	t = tcase_create("own configuration");
	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, a_link_may_be_down_at_first);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
