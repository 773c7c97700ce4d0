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

static void setup_pumped(void)
{
	const struct netvsp_fake_config config = {.pumped = true};

	netvsp_fake_init(&f, &config);
}

static void setup(void)
{
	netvsp_fake_init(&f, NULL);
}

int main(void)
{
	Suite *s = suite_create("netvsp");
	TCase *t = tcase_create("pumped");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup_pumped, teardown);
	tcase_add_test(t, frames_go_both_ways);
	suite_add_tcase(s, t);
	t = tcase_create("threaded");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, frames_go_both_ways);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
