// SPDX-License-Identifier: MIT
/* Frames for a guest: filters, what is said of them, large ones, and sections that run out. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "netvsp_fake.h"

#define DIRECTED  NDIS_PACKET_TYPE_DIRECTED
#define BROADCAST NDIS_PACKET_TYPE_BROADCAST
#define MULTICAST NDIS_PACKET_TYPE_MULTICAST
#define ALL_MULTI NDIS_PACKET_TYPE_ALL_MULTICAST
#define PROMISC   NDIS_PACKET_TYPE_PROMISCUOUS

static struct netvsp_fake f;
static uint8_t frame[NETVSP_FAKE_MAX], whole[NETVSP_FAKE_MAX];
static struct netvsp_fake_rx rx;
static struct netvsp_fake_packet packet;

static void begin(const struct netvsp_fake_config *config)
{
	netvsp_fake_init(&f, config);
	netvsp_fake_start(&f, DIRECTED | BROADCAST);
}

static void setup(void)
{
	const struct netvsp_fake_config config = {.pumped = true};

	begin(&config);
}

static void teardown(void)
{
	netvsp_fake_finish(&f);
}

static void filter(uint32_t value)
{
	ck_assert_uint_eq(netvsp_fake_set(&f, OID_GEN_CURRENT_PACKET_FILTER, &value, 4), 0);
}

static bool passes(const uint8_t *to)
{
	netvsp_fake_frame(frame, 80, 1);
	memcpy(frame, to, 6);
	net_fake_put(&f.net, 0, NULL, frame, 80);
	if (!netvsp_fake_next(&f, &f.ch, &packet, 0))
		return false;
	netvsp_fake_return(&f.ch, packet.trans_id);
	return true;
}

START_TEST(filters_decide)
{
	static const uint8_t all[6] = {255, 255, 255, 255, 255, 255}, other[6] = {2, 9, 9, 9, 9, 9},
			     group[6] = {1, 0, 0x5e, 0, 0, 1}, group2[6] = {1, 0, 0x5e, 0, 0, 2};
	static const struct {
		uint32_t filter;
		bool mine, all, other, group, group2;
	} rows[] = {
		{0, false, false, false, false, false},
		{DIRECTED, true, false, false, false, false},
		{BROADCAST, false, true, false, false, false},
		{MULTICAST, false, false, false, true, false},
		{ALL_MULTI, false, false, false, true, true},
		{PROMISC, true, true, true, true, true},
		{DIRECTED | BROADCAST | MULTICAST, true, true, false, true, false},
	};

	ck_assert_uint_eq(netvsp_fake_set(&f, OID_802_3_MULTICAST_LIST, group, 6), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		filter(rows[i].filter);
		ck_assert_int_eq(passes(netvsp_fake_mac), rows[i].mine);
		ck_assert_int_eq(passes(all), rows[i].all);
		ck_assert_int_eq(passes(other), rows[i].other);
		ck_assert_int_eq(passes(group), rows[i].group);
		ck_assert_int_eq(passes(group2), rows[i].group2);
	}
}
END_TEST

START_TEST(addresses_can_be_changed)
{
	static const uint8_t mac[6] = {2, 0xab, 3, 4, 5, 6};

	ck_assert_uint_eq(netvsp_fake_set(&f, OID_802_3_CURRENT_ADDRESS, mac, 6), 0);
	ck_assert(passes(mac));
	ck_assert(!passes(netvsp_fake_mac));
}
END_TEST

/* --- What is said. --------------------------------------------------------------------------- */

static void put(uint8_t flags, bool ip6, bool udp, uint32_t payload, bool wrong)
{
	const uint32_t len = netvsp_fake_segment(frame, ip6, udp, payload);
	const uint32_t transport = ip6 ? 54 : 34;
	struct virtio_net_hdr_v1 header = {.flags = flags};
	uint32_t sum = 0;

	if (flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		header.csum_start = (uint16_t)transport;
		header.csum_offset = udp ? 6 : 16;
		/* The pseudo header's, as hosts leave it. */
		for (unsigned int i = 0; i < (ip6 ? 32 : 8); i += 2)
			sum += (uint32_t)(frame[(ip6 ? 22 : 26) + i] << 8 |
					  frame[(ip6 ? 22 : 26) + i + 1]);
		sum += (udp ? 17 : 6) + len - transport;
		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		frame[transport + header.csum_offset] = (uint8_t)(sum >> 8);
		frame[transport + header.csum_offset + 1] = (uint8_t)sum;
	}
	if (wrong)
		header.csum_start = 60000;
	net_fake_put(&f.net, 0, &header, frame, len);
}

START_TEST(checksums_are_told)
{
	netvsp_fake_offload(&f, false);
	ck_assert(net_fake_offloads(&f.net).checksum);
	ck_assert(!net_fake_offloads(&f.net).tso4);
	for (unsigned int i = 0; i < 8; i++) {
		const bool ip6 = i & 1, udp = i & 2, missing = i & 4;

		put(missing ? VIRTIO_NET_HDR_F_NEEDS_CSUM : VIRTIO_NET_HDR_F_DATA_VALID, ip6, udp,
		    501, false);
		ck_assert(netvsp_fake_receive(&f, &f.ch, &rx));
		ck_assert(rx.has_checksum);
		ck_assert_uint_eq(rx.checksum,
				  udp ? NDIS_RXCSUM_UDP_SUCCEEDED : NDIS_RXCSUM_TCP_SUCCEEDED);
		/* It is really there; IPv4 has one of its own, which is not. */
		if (missing && ip6)
			ck_assert(netvsp_fake_checksum_right(rx.frame, rx.len));
	}
	put(0, false, false, 500, false);
	ck_assert(netvsp_fake_receive(&f, &f.ch, &rx));
	ck_assert(!rx.has_checksum);
}
END_TEST

START_TEST(checksums_are_filled_in_for_who_did_not_ask)
{
	put(VIRTIO_NET_HDR_F_NEEDS_CSUM, true, false, 333, false);
	ck_assert(netvsp_fake_receive(&f, &f.ch, &rx));
	ck_assert(!rx.has_checksum);
	ck_assert(netvsp_fake_checksum_right(rx.frame, rx.len));
	/* One that lies outside is the backend's mistake. */
	put(VIRTIO_NET_HDR_F_NEEDS_CSUM, true, false, 333, true);
	ck_assert(!netvsp_fake_next(&f, &f.ch, &packet, 0));
	ck_assert_uint_eq(counter_get(&netvsp_counters(f.netvsp)->rx_dropped), 1);
}
END_TEST

START_TEST(vlan_tags_are_taken_out)
{
	netvsp_fake_frame(frame, 300, 4);
	memcpy(frame + 12, "\x81\x00\xb1\x23", 4);
	net_fake_put(&f.net, 0, NULL, frame, 300);
	ck_assert(netvsp_fake_receive(&f, &f.ch, &rx));
	ck_assert(rx.has_vlan);
	ck_assert_uint_eq(rx.vlan, 5 | 1 << 3 | 0x123 << 4);
	ck_assert_uint_eq(rx.len, 296);
	ck_assert_mem_eq(rx.frame, frame, 12);
	ck_assert_mem_eq(rx.frame + 12, frame + 16, 284);
}
END_TEST

START_TEST(largest_frames_fit)
{
	netvsp_fake_frame(frame, 1518, 4);
	net_fake_put(&f.net, 0, NULL, frame, 1518);
	ck_assert(netvsp_fake_receive(&f, &f.ch, &rx));
	ck_assert_uint_eq(rx.len, 1518);
	net_fake_put(&f.net, 0, NULL, frame, 3000);
	ck_assert(!netvsp_fake_next(&f, &f.ch, &packet, 0));
	ck_assert_uint_eq(counter_get(&netvsp_counters(f.netvsp)->rx_dropped), 1);
}
END_TEST

/* --- Large frames. --------------------------------------------------------------------------- */

static void check_large(uint32_t payload, bool vlan)
{
	struct virtio_net_hdr_v1 header = {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
					   .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					   .gso_size = 1448,
					   .csum_start = 34,
					   .csum_offset = 16};
	uint32_t len = netvsp_fake_segment(frame, false, false, payload), at = 0;

	if (vlan) {
		memmove(frame + 16, frame + 12, len - 12);
		memcpy(frame + 12, "\x81\x00\x00\x07", 4);
		len += 4;
	}
	net_fake_put(&f.net, 0, &header, frame, len);
	ck_assert(netvsp_fake_next(&f, &f.ch, &packet, BUS_GUEST_MS));
	ck_assert_uint_gt(packet.range_count, 1);
	for (unsigned int i = 0; i < packet.range_count; i++) {
		netvsp_fake_range(&f, &packet, i, &rx);
		ck_assert(rx.has_id);
		ck_assert_uint_eq(rx.id.ver, 1);
		ck_assert_uint_eq(
			rx.id.flag,
			RNDIS_PKTINFO_SUBALLOC | (i ? 0 : RNDIS_PKTINFO_1ST_FRAG) |
				(i == packet.range_count - 1 ? RNDIS_PKTINFO_LAST_FRAG : 0));
		ck_assert_int_eq(rx.has_checksum, i == 0);
		ck_assert_int_eq(rx.has_vlan, vlan && i == 0);
		if (i == 0)
			ck_assert_uint_eq(rx.checksum, NDIS_RXCSUM_TCP_SUCCEEDED |
							       NDIS_RXCSUM_TCP_VALUE_INVALID);
		memcpy(whole + at, rx.frame, rx.len);
		at += rx.len;
	}
	netvsp_fake_return(&f.ch, packet.trans_id);
	if (vlan) {
		memmove(frame + 12, frame + 16, len - 16);
		len -= 4;
	}
	ck_assert_uint_eq(at, len);
	ck_assert_mem_eq(whole, frame, len);
}

START_TEST(large_frames_are_in_several_sections)
{
	netvsp_fake_offload(&f, true);
	ck_assert(net_fake_offloads(&f.net).tso4 && net_fake_offloads(&f.net).tso6);
	for (unsigned int n = 0; n < 20; n++) {
		check_large(65480, false);
		check_large(65480, true);
		check_large(4000, n & 1);
		check_large(7970, true);
	}
	/* And small ones are as ever. */
	put(VIRTIO_NET_HDR_F_DATA_VALID, false, false, 100, false);
	ck_assert(netvsp_fake_receive(&f, &f.ch, &rx));
	ck_assert(!rx.has_id);
	netvsp_fake_offload(&f, false);
	ck_assert(!net_fake_offloads(&f.net).tso4);
}
END_TEST

START_TEST(without_sections_there_are_no_large_frames)
{
	const struct netvsp_fake_config config = {.pumped = true, .recv_pages = 32};

	begin(&config);
	netvsp_fake_offload(&f, true);
	ck_assert(!net_fake_offloads(&f.net).tso4);
}
END_TEST

START_TEST(jumbo_frames_have_larger_sections)
{
	const struct netvsp_fake_config config = {.pumped = true, .mtu = 9000, .frame_max = 9014};

	begin(&config);
	ck_assert_uint_ge(f.section_size, 9018 + 128);
	netvsp_fake_frame(frame, 9014, 4);
	net_fake_put(&f.net, 0, NULL, frame, 9014);
	ck_assert(netvsp_fake_receive(&f, &f.ch, &rx));
	ck_assert_uint_eq(rx.len, 9014);
	ck_assert_mem_eq(rx.frame, frame, 9014);
	ck_assert_uint_eq(netvsp_fake_send(&f, frame, 9014, NULL, 0), NVSP_STAT_SUCCESS);
	ck_assert_uint_eq(net_fake_sent(&f.net), 1);
}
END_TEST

/* --- Sections. ------------------------------------------------------------------------------- */

START_TEST(many_frames_are_one_message)
{
	unsigned int got = 0, messages = 0;

	for (unsigned int i = 0; i < 500; i++) {
		netvsp_fake_frame(frame, 60 + i, i);
		net_fake_put(&f.net, 0, NULL, frame, 60 + i);
	}
	while (got < 500) {
		ck_assert(netvsp_fake_next(&f, &f.ch, &packet, BUS_GUEST_MS));
		messages++;
		for (unsigned int i = 0; i < packet.range_count; i++, got++) {
			netvsp_fake_range(&f, &packet, i, &rx);
			netvsp_fake_frame(frame, 60 + got, got);
			ck_assert_uint_eq(rx.len, 60 + got);
			ck_assert_mem_eq(rx.frame, frame, rx.len);
		}
		netvsp_fake_return(&f.ch, packet.trans_id);
	}
	ck_assert_uint_le(messages, 3);
}
END_TEST

START_TEST(frames_wait_for_sections)
{
	const struct netvsp_fake_config config = {.pumped = true, .recv_pages = 8};
	unsigned int got = 0;

	begin(&config);
	ck_assert_uint_lt(f.section_count, 30);
	for (unsigned int i = 0; i < 200; i++) {
		netvsp_fake_frame(frame, 100, i);
		net_fake_put(&f.net, 0, NULL, frame, 100);
	}
	/* As many as there are, and no more until they come back. */
	while (got < 200) {
		uint64_t ids[32];
		unsigned int n = 0, ranges = 0;

		while (netvsp_fake_next(&f, &f.ch, &packet, 0)) {
			for (unsigned int i = 0; i < packet.range_count; i++, got++) {
				netvsp_fake_range(&f, &packet, i, &rx);
				netvsp_fake_frame(frame, 100, got);
				ck_assert_mem_eq(rx.frame, frame, 100);
			}
			ranges += packet.range_count;
			ids[n++] = packet.trans_id;
		}
		ck_assert_uint_gt(n, 0);
		ck_assert_uint_le(ranges, f.section_count);
		while (n)
			netvsp_fake_return(&f.ch, ids[--n]);
	}
	ck_assert_uint_gt(counter_get(&netvsp_counters(f.netvsp)->rx_no_buffer), 0);
}
END_TEST

static void wrong_completion(uint64_t id)
{
	netvsp_fake_frame(frame, 100, 1);
	net_fake_put(&f.net, 0, NULL, frame, 100);
	ck_assert(netvsp_fake_next(&f, &f.ch, &packet, BUS_GUEST_MS));
	netvsp_fake_return(&f.ch, id == UINT64_MAX ? packet.trans_id : id);
	if (id == UINT64_MAX)
		netvsp_fake_return(&f.ch, packet.trans_id);
	ck_assert(netvsp_fake_dead(&f));
}

START_TEST(wrong_completions_are_violations)
{
	/* Of nothing, of too much, and of something twice. */
	static const uint64_t ids[] = {7, 0xffff, UINT64_MAX - 1, UINT64_MAX};

	setup();
	wrong_completion(ids[_i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("netvsp_rx_frame");
	TCase *t = tcase_create("frames"), *own = tcase_create("own configuration");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, filters_decide);
	tcase_add_test(t, addresses_can_be_changed);
	tcase_add_test(t, checksums_are_told);
	tcase_add_test(t, checksums_are_filled_in_for_who_did_not_ask);
	tcase_add_test(t, vlan_tags_are_taken_out);
	tcase_add_test(t, largest_frames_fit);
	tcase_add_test(t, large_frames_are_in_several_sections);
	tcase_add_test(t, many_frames_are_one_message);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(own, NULL, teardown);
	tcase_add_test(own, without_sections_there_are_no_large_frames);
	tcase_add_test(own, jumbo_frames_have_larger_sections);
	tcase_add_test(own, frames_wait_for_sections);
	tcase_add_loop_test(own, wrong_completions_are_violations, 0, 4);
	suite_add_tcase(s, own);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
