// SPDX-License-Identifier: MIT
/* Frames of a guest's: batches, offloads, VLANs, and what is malformed. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/netvsp_internal.h"
#include "netvsp_fake.h"

static struct netvsp_fake f;
static uint8_t frame[NETVSP_FAKE_MAX], bytes[NETVSP_FAKE_MAX];

static void setup(void)
{
	const struct netvsp_fake_config config = {.pumped = true};

	netvsp_fake_init(&f, &config);
	netvsp_fake_start(&f, NDIS_PACKET_TYPE_DIRECTED);
}

static void teardown(void)
{
	netvsp_fake_finish(&f);
}

/* The one frame that was sent, and forgets it. */
static struct virtio_net_hdr_v1 take_sent(uint8_t *to, uint32_t *ret_len)
{
	const struct net_fake_frame *sent;
	struct virtio_net_hdr_v1 header;

	ck_assert_uint_eq(net_fake_sent(&f.net), 1);
	sent = net_fake_frame(&f.net, 0);
	header = sent->header;
	*ret_len = sent->len;
	memcpy(to, sent->bytes, sent->len);
	net_fake_forget(&f.net);
	return header;
}

static void refused(const void *message, uint32_t len, uint32_t status)
{
	const uint64_t id = ++f.trans_id;

	netvsp_fake_post_section(&f, &f.ch, id, message, len, 1);
	ck_assert_uint_eq(netvsp_fake_status(&f.ch, id), status);
	ck_assert_uint_eq(net_fake_sent(&f.net), 0);
}

/* --- Where packets are. ---------------------------------------------------------------------- */

START_TEST(batches_are_many_frames)
{
	for (unsigned int n = 1; n <= NETVSP_BATCH_MAX; n++) {
		const uint64_t id = ++f.trans_id;
		uint32_t len = 0;

		for (unsigned int i = 0; i < n; i++) {
			netvsp_fake_frame(frame, 60 + i, i);
			len += netvsp_fake_wrap(bytes + len, frame, 60 + i, NULL, 0);
		}
		netvsp_fake_post_section(&f, &f.ch, id, bytes, len, n % 8);
		ck_assert_uint_eq(netvsp_fake_status(&f.ch, id), NVSP_STAT_SUCCESS);
		ck_assert_uint_eq(net_fake_sent(&f.net), n);
		for (unsigned int i = 0; i < n; i++) {
			netvsp_fake_frame(frame, 60 + i, i);
			ck_assert_uint_eq(net_fake_frame(&f.net, i)->len, 60 + i);
			ck_assert_mem_eq(net_fake_frame(&f.net, i)->bytes, frame, 60 + i);
		}
		net_fake_forget(&f.net);
	}
}
END_TEST

START_TEST(too_many_frames_are_refused)
{
	uint32_t len = 0;

	for (unsigned int i = 0; i <= NETVSP_BATCH_MAX; i++) {
		netvsp_fake_frame(frame, 60, i);
		len += netvsp_fake_wrap(bytes + len, frame, 60, NULL, 0);
	}
	refused(bytes, len, NVSP_STAT_INVALID_RNDIS_PKT);
}
END_TEST

/* As Linux does: the header where the batch is, the frame where it was. */
START_TEST(section_and_pages_are_one)
{
	const uint64_t id = ++f.trans_id;
	const uint64_t list[3] = {(uint64_t)1 << 32, 1000, f.data_gpa / PAGE_SIZE};
	uint32_t first, len;

	netvsp_fake_frame(frame, 100, 1);
	first = netvsp_fake_wrap(bytes, frame, 100, NULL, 0);
	netvsp_fake_frame(frame, 1000, 2);
	len = netvsp_fake_wrap(bytes + first, frame, 1000, NULL, 0);
	memcpy(bus_guest_host(&f.guest, f.data_gpa, 1000), frame, 1000);
	{
		const struct nvsp_message in = {
			.msg_type = NVSP_MSG1_TYPE_SEND_RNDIS_PKT,
			.send_rndis_pkt = {RMC_DATA, 3, first + len - 1000},
		};

		memcpy(bus_guest_host(&f.guest, f.send_gpa + 3 * 6144, first + 44), bytes,
		       first + 44);
		ck_assert(bus_guest_send_list(&f.ch, VM_PKT_DATA_USING_GPA_DIRECT, 1, id, list,
					      sizeof(list), &in, sizeof(in)));
	}
	ck_assert_uint_eq(netvsp_fake_status(&f.ch, id), NVSP_STAT_SUCCESS);
	ck_assert_uint_eq(net_fake_sent(&f.net), 2);
	ck_assert_mem_eq(net_fake_frame(&f.net, 1)->bytes, frame, 1000);
}
END_TEST

START_TEST(sections_outside_are_refused)
{
	const uint32_t sections = f.config.send_pages * PAGE_SIZE / 6144;
	const struct {
		uint32_t section, len;
	} bad[] = {{sections, 6144},  {sections + 1, 100},
		   {0x7fffffff, 100}, {0xfffffffe, 100},
		   {0, 6145},         {0, 0},
		   {0, 0xffffffff},   {1, 43}};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct nvsp_message in = {
			.msg_type = NVSP_MSG1_TYPE_SEND_RNDIS_PKT,
			.send_rndis_pkt = {RMC_DATA, bad[i].section, bad[i].len},
		};

		ck_assert(bus_guest_send(&f.ch, true, ++f.trans_id, &in, sizeof(in)));
		ck_assert_uint_gt(netvsp_fake_status(&f.ch, f.trans_id), NVSP_STAT_SUCCESS);
	}
}
END_TEST

START_TEST(malformed_packets_are_refused)
{
	/* Word, and what to put there. */
	static const struct {
		unsigned int word;
		uint32_t value;
	} bad[] = {
		{0, 2},           {0, 0x80000001}, {1, 43},         {1, 0},
		{1, 0xffffffff},  {1, 177},        {2, 35},         {2, 0xffffffff},
		{2, 69},          {3, 13},         {3, 101},        {3, 0xffffffff},
		{7, 35},          {7, 0xfffffff0}, {8, 0xffffffff}, {8, 200},
		{8, 257},         {8, 8},          {8, 24},         {11, 11},
		{11, 0xffffffff}, {11, 33},        {13, 11},        {13, 0xffffffff},
		{13, 33},         {15, 0},
	};
	static const struct netvsp_fake_info infos[2] = {{99, 0}, {98, 0}};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		uint32_t len;

		netvsp_fake_frame(frame, 100, 1);
		len = netvsp_fake_wrap(bytes, frame, 100, infos, 2);
		ck_assert_uint_eq(len, 176);
		memcpy(bytes + 4 * bad[i].word, &bad[i].value, 4);
		refused(bytes, len, NVSP_STAT_INVALID_RNDIS_PKT);
	}
	/* And as it is. */
	netvsp_fake_wrap(bytes, frame, 100, infos, 2);
	netvsp_fake_post_section(&f, &f.ch, 77, bytes, 176, 0);
	ck_assert_uint_eq(netvsp_fake_status(&f.ch, 77), NVSP_STAT_SUCCESS);
}
END_TEST

/* What follows a good one that is bad spoils both. */
START_TEST(nothing_of_a_bad_batch_is_sent)
{
	uint32_t len;

	netvsp_fake_frame(frame, 100, 1);
	len = netvsp_fake_wrap(bytes, frame, 100, NULL, 0);
	memset(bytes + len, 0, 8);
	refused(bytes, len + 8, NVSP_STAT_INVALID_RNDIS_PKT);
}
END_TEST

/* --- Offloads. ------------------------------------------------------------------------------- */

static void check_checksum(bool ip6, bool udp, uint32_t payload)
{
	const uint32_t len = netvsp_fake_segment(frame, ip6, udp, payload);
	const uint32_t transport = ip6 ? 54 : 34;
	const struct netvsp_fake_info info = {
		NDIS_PPI_CHECKSUM,
		(ip6 ? NDIS_TXCSUM_IS_IPV6 : NDIS_TXCSUM_IS_IPV4 | NDIS_TXCSUM_IP) |
			(udp ? NDIS_TXCSUM_UDP : NDIS_TXCSUM_TCP) | transport << 16,
	};
	struct virtio_net_hdr_v1 header;
	struct iovec iov = {.iov_base = bytes};
	uint32_t got;

	ck_assert_uint_eq(netvsp_fake_send(&f, frame, len, &info, 1), NVSP_STAT_SUCCESS);
	header = take_sent(bytes, &got);
	ck_assert_uint_eq(got, len);
	ck_assert_uint_eq(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	ck_assert_uint_eq(header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	ck_assert_uint_eq(header.csum_start, transport);
	ck_assert_uint_eq(header.csum_offset, udp ? 6 : 16);
	ck_assert_mem_eq(bytes + transport + 20, frame + transport + 20, len - transport - 20);
	/* And filled in, it is right. */
	iov.iov_len = got;
	ck_assert(netvsp_headers_checksum(&header, &iov, 1, got));
	ck_assert(netvsp_fake_checksum_right(bytes, got));
}

START_TEST(checksums_are_asked_for)
{
	for (uint32_t payload = 32; payload <= 1400; payload += 171)
		for (unsigned int i = 0; i < 4; i++)
			check_checksum(i & 1, i & 2, payload);
}
END_TEST

static void check_large(bool ip6, uint32_t payload, uint32_t mss, bool vlan)
{
	const uint32_t len = netvsp_fake_segment(frame, ip6, false, payload);
	const uint32_t transport = ip6 ? 54 : 34, tag = vlan ? 4 : 0;
	const struct netvsp_fake_info infos[2] = {
		{NDIS_PPI_LSO, mss | transport << 20 | NDIS_LSO_V2 | (ip6 ? NDIS_LSO_V2_IPV6 : 0)},
		{NDIS_PPI_8021Q, 5 | 1 << 3 | 0x123 << 4},
	};
	struct virtio_net_hdr_v1 header;
	uint32_t got;

	/* Guests leave the lengths to us. */
	memset(frame + (ip6 ? 18 : 16), 0, 2);
	ck_assert_uint_eq(netvsp_fake_send(&f, frame, len, infos, vlan ? 2 : 1), NVSP_STAT_SUCCESS);
	header = take_sent(bytes, &got);
	ck_assert_uint_eq(got, len + tag);
	ck_assert_uint_eq(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	ck_assert_uint_eq(header.csum_start, transport + tag);
	if (payload > mss) {
		ck_assert_uint_eq(header.gso_type,
				  ip6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4);
		ck_assert_uint_eq(header.gso_size, mss);
		ck_assert_uint_eq(header.hdr_len, transport + 20 + tag);
	} else {
		ck_assert_uint_eq(header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	}
	if (vlan) {
		ck_assert_mem_eq(bytes + 12, "\x81\x00\xb1\x23", 4);
		memmove(bytes + 4, bytes, 12);
	}
	ck_assert_mem_eq(bytes + tag, frame, 14);
	ck_assert_mem_eq(bytes + tag + transport + 20, frame + transport + 20, payload);
	{
		struct iovec iov = {.iov_base = bytes + tag, .iov_len = len};

		header.csum_start = (uint16_t)transport;
		ck_assert(netvsp_headers_checksum(&header, &iov, 1, len));
		ck_assert(netvsp_fake_checksum_right(bytes + tag, len));
	}
}

START_TEST(large_segments_pass_unsplit)
{
	for (unsigned int i = 0; i < 4; i++) {
		check_large(i & 1, 62000, 1428, i & 2);
		check_large(i & 1, 1429, 1428, i & 2);
		check_large(i & 1, 1428, 1428, i & 2);
		check_large(i & 1, 1, 536, i & 2);
	}
	ck_assert_uint_gt(counter_get(&netvsp_counters(f.netvsp)->copied), 0);
}
END_TEST

START_TEST(vlan_tags_are_put_in)
{
	const struct netvsp_fake_info info = {NDIS_PPI_8021Q, 7 | 0xfff << 4};
	struct virtio_net_hdr_v1 header;
	uint32_t got;

	netvsp_fake_frame(frame, 200, 3);
	ck_assert_uint_eq(netvsp_fake_send(&f, frame, 200, &info, 1), NVSP_STAT_SUCCESS);
	header = take_sent(bytes, &got);
	ck_assert_uint_eq(got, 204);
	ck_assert_uint_eq(header.flags, 0);
	ck_assert_mem_eq(bytes, frame, 12);
	ck_assert_mem_eq(bytes + 12, "\x81\x00\xef\xff", 4);
	ck_assert_mem_eq(bytes + 16, frame + 12, 188);
}
END_TEST

static void spoil(uint32_t at, uint8_t value, bool ip6, bool udp, uint32_t type, uint32_t info)
{
	const struct netvsp_fake_info one = {type, info};
	uint32_t len = netvsp_fake_segment(frame, ip6, udp, 100);

	frame[at] = value;
	len = netvsp_fake_wrap(bytes, frame, len, &one, 1);
	refused(bytes, len, NVSP_STAT_INVALID_RNDIS_PKT);
}

START_TEST(offloads_of_other_frames_are_refused)
{
	const uint32_t tcp = NDIS_TXCSUM_IS_IPV4 | NDIS_TXCSUM_TCP | 34 << 16;
	const uint32_t large = 500 | 34 << 20 | NDIS_LSO_V2;

	spoil(12, 0x77, false, false, NDIS_PPI_CHECKSUM, tcp);        /* what type? */
	spoil(14, 0x44, false, false, NDIS_PPI_CHECKSUM, tcp);        /* header too short */
	spoil(14, 0x65, false, false, NDIS_PPI_CHECKSUM, tcp);        /* version */
	spoil(21, 1, false, false, NDIS_PPI_CHECKSUM, tcp);           /* a fragment */
	spoil(23, 17, false, false, NDIS_PPI_CHECKSUM, tcp);          /* UDP */
	spoil(46, 0x40, false, false, NDIS_PPI_CHECKSUM, tcp);        /* TCP header too short */
	spoil(46, 0xf0, false, false, NDIS_PPI_LSO, 0 | NDIS_LSO_V2); /* no segment size */
	spoil(0, 0, false, true, NDIS_PPI_LSO, large);                /* UDP */
	spoil(20, 44, true, false, NDIS_PPI_CHECKSUM, tcp);           /* a fragment of IPv6 */
	spoil(54, 0, true, true, NDIS_PPI_LSO, large);
	/* Extension headers that go on for ever. */
	spoil(20, 0, true, false, NDIS_PPI_CHECKSUM, tcp);
}
END_TEST

START_TEST(extension_headers_are_walked)
{
	const uint32_t len = netvsp_fake_segment(frame, true, true, 200);
	const struct netvsp_fake_info info = {NDIS_PPI_CHECKSUM,
					      NDIS_TXCSUM_IS_IPV6 | NDIS_TXCSUM_UDP};
	struct virtio_net_hdr_v1 header;
	uint32_t got;

	/* Hop by hop, 16 bytes, then UDP. */
	memmove(frame + 70, frame + 54, len - 54);
	memset(frame + 54, 0, 16);
	frame[20] = 0;
	frame[54] = 17;
	frame[55] = 1;
	ck_assert_uint_eq(netvsp_fake_send(&f, frame, len + 16, &info, 1), NVSP_STAT_SUCCESS);
	header = take_sent(bytes, &got);
	ck_assert_uint_eq(header.csum_start, 70);
	ck_assert_uint_eq(header.csum_offset, 6);
}
END_TEST

START_TEST(what_does_not_fit_is_lost)
{
	netvsp_fake_frame(frame, 1519, 1);
	ck_assert_uint_eq(netvsp_fake_send(&f, frame, 1519, NULL, 0), NVSP_STAT_SUCCESS);
	ck_assert_uint_eq(net_fake_sent(&f.net), 0);
	ck_assert_uint_eq(counter_get(&netvsp_counters(f.netvsp)->tx_dropped), 1);
}
END_TEST

START_TEST(what_the_backend_lacks_is_refused)
{
	const uint32_t tcp = NDIS_TXCSUM_IS_IPV4 | NDIS_TXCSUM_TCP | 34 << 16;

	f.net.info.checksum = f.net.info.tso = false;
	spoil(0, 0, false, false, NDIS_PPI_CHECKSUM, tcp);
	spoil(0, 0, false, false, NDIS_PPI_LSO, 50 | 34 << 20 | NDIS_LSO_V2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("netvsp_tx_frame");
	TCase *t = tcase_create("frames");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, batches_are_many_frames);
	tcase_add_test(t, too_many_frames_are_refused);
	tcase_add_test(t, section_and_pages_are_one);
	tcase_add_test(t, sections_outside_are_refused);
	tcase_add_test(t, malformed_packets_are_refused);
	tcase_add_test(t, nothing_of_a_bad_batch_is_sent);
	tcase_add_test(t, checksums_are_asked_for);
	tcase_add_test(t, large_segments_pass_unsplit);
	tcase_add_test(t, vlan_tags_are_put_in);
	tcase_add_test(t, offloads_of_other_frames_are_refused);
	tcase_add_test(t, extension_headers_are_walked);
	tcase_add_test(t, what_does_not_fit_is_lost);
	tcase_add_test(t, what_the_backend_lacks_is_refused);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
