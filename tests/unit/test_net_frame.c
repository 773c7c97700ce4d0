// SPDX-License-Identifier: MIT
/* Headers of frames: what is believed, and what is done in software, against naive checksums. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "devices/net/net_frame.h"

static uint8_t frame[NET_FRAME_MAX], out[NET_FRAME_MAX];
static struct virtio_net_hdr_v1 header;

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static unsigned int get16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

/* RFC 1071, a byte at a time. */
static unsigned int naive(const uint8_t *p, size_t len, unsigned int sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (unsigned int)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* 0xffff when all is right. */
static unsigned int transport_sum(const uint8_t *f, unsigned int network, unsigned int version,
				  unsigned int len)
{
	const unsigned int transport = network + (version == 4 ? 20 : 40);
	const uint8_t *addresses = f + network + (version == 4 ? 12 : 8);
	const unsigned int protocol = f[network + (version == 4 ? 9 : 6)];
	unsigned int sum = naive(addresses, version == 4 ? 8 : 32, protocol + len - transport);

	return naive(f + transport, len - transport, sum);
}

/* Ethernet, with @tags, then IP @version, then TCP or UDP, then @payload bytes. */
static uint32_t build(unsigned int tags, unsigned int version, unsigned int protocol,
		      uint32_t payload)
{
	const unsigned int network = 14 + 4 * tags, ip = version == 4 ? 20 : 40;
	const unsigned int transport = network + ip, l4 = protocol == IPPROTO_TCP ? 20 : 8;
	const uint32_t len = transport + l4 + payload;

	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 7 + i / 256);
	for (unsigned int i = 0; i < tags; i++)
		put16(frame + 12 + 4 * i, 0x8100);
	put16(frame + network - 2, version == 4 ? 0x0800 : 0x86dd);
	if (version == 4) {
		memset(frame + network, 0, 12);
		frame[network] = 0x45;
		put16(frame + network + 2, len - network);
		put16(frame + network + 4, 0xfffe);
		frame[network + 8] = 64;
		frame[network + 9] = (uint8_t)protocol;
	} else {
		memset(frame + network, 0, 8);
		frame[network] = 0x60;
		put16(frame + network + 4, len - network - 40);
		frame[network + 6] = (uint8_t)protocol;
	}
	if (protocol == IPPROTO_TCP) {
		frame[transport + 12] = 0x50;
		frame[transport + 13] = 0x99; /* FIN, PSH, ACK, CWR */
	} else {
		put16(frame + transport + 4, len - transport);
	}
	header = (struct virtio_net_hdr_v1){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = (uint16_t)transport,
		.csum_offset = protocol == IPPROTO_TCP ? 16 : 6,
	};
	return len;
}

static int check(uint32_t len)
{
	return net_frame_check(&header, frame, len, len);
}

START_TEST(looks)
{
	struct net_frame f;
	uint32_t len;

	for (unsigned int tags = 0; tags < 3; tags++) {
		len = build(tags, 4, IPPROTO_TCP, 100);
		ck_assert_int_eq(net_frame_parse(frame, len, len, &f), 0);
		ck_assert_uint_eq(f.network, 14 + 4 * tags);
		ck_assert_uint_eq(f.transport, 34 + 4 * tags);
		ck_assert_uint_eq(f.payload, 54 + 4 * tags);
		ck_assert_uint_eq(f.version, 4);
	}
	len = build(0, 6, IPPROTO_UDP, 0);
	ck_assert_int_eq(net_frame_parse(frame, len, len, &f), 0);
	ck_assert_uint_eq(f.payload, 62);
	/* Cut off anywhere, it is nothing, or says so. */
	for (uint32_t cut = 0; cut < len; cut++)
		ck_assert_int_eq(net_frame_parse(frame, cut, cut, &f), -EPROTO);
	/* A fragment has no ports; something else has none either. */
	len = build(0, 4, IPPROTO_UDP, 10);
	put16(frame + 14 + 6, 1);
	ck_assert_int_eq(net_frame_parse(frame, len, len, &f), 0);
	ck_assert_uint_eq(f.transport, 0);
	put16(frame + 12, 0x0806);
	ck_assert_int_eq(net_frame_parse(frame, len, len, &f), 0);
	ck_assert_uint_eq(f.network, 0);
}
END_TEST

START_TEST(extension_headers)
{
	struct net_frame f;
	uint32_t len = build(0, 6, IPPROTO_UDP, 100);

	memmove(frame + 14 + 48, frame + 14 + 40, 108);
	memset(frame + 14 + 40, 0, 8);
	frame[14 + 6] = IPPROTO_HOPOPTS;
	frame[14 + 40] = IPPROTO_UDP;
	len += 8;
	ck_assert_int_eq(net_frame_parse(frame, len, len, &f), 0);
	ck_assert_uint_eq(f.transport, 62);
	/* One that points out of the frame, and one that goes round and round. */
	frame[14 + 41] = 255;
	ck_assert_int_eq(net_frame_parse(frame, len, len, &f), -EPROTO);
	for (unsigned int i = 0; i < 12; i++) {
		frame[14 + 40 + 8 * i] = IPPROTO_DSTOPTS;
		frame[14 + 41 + 8 * i] = 0;
	}
	ck_assert_int_eq(net_frame_parse(frame, len, len, &f), -EPROTO);
}
END_TEST

START_TEST(believes)
{
	uint32_t len = build(0, 4, IPPROTO_TCP, 5000);

	ck_assert_int_eq(check(len), 0);
	ck_assert_uint_eq(header.hdr_len, 54);
	header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	header.gso_size = 1448;
	ck_assert_int_eq(check(len), 0);
	len = build(1, 6, IPPROTO_UDP, 5000);
	header.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
	header.gso_size = 1400;
	ck_assert_int_eq(check(len), 0);
	header = (struct virtio_net_hdr_v1){.flags = VIRTIO_NET_HDR_F_DATA_VALID, .hdr_len = 9};
	ck_assert_int_eq(check(len), 0);
	ck_assert_uint_eq(header.hdr_len, 0);
}
END_TEST

static void refuse(uint32_t len, const char *what)
{
	ck_assert_msg(check(len) == -EPROTO, "%s", what);
}

START_TEST(refuses)
{
	uint32_t len = build(0, 4, IPPROTO_TCP, 5000);
	const struct virtio_net_hdr_v1 good = header;

	refuse(13, "shorter than a frame");
	refuse(NET_FRAME_MAX + 1, "longer than a frame");
	header.flags = VIRTIO_NET_HDR_F_RSC_INFO;
	refuse(len, "flags");
	header = good;
	header.csum_start++;
	refuse(len, "csum_start");
	header.csum_start = 0xfff0;
	refuse(len, "csum_start far out");
	header = good;
	header.csum_offset = 6;
	refuse(len, "csum_offset");
	header = good;
	header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	refuse(len, "no size");
	header.gso_size = 47;
	refuse(len, "too many segments");
	header.gso_size = 1448;
	refuse(54, "no payload");
	header.flags = 0;
	refuse(len, "large with a checksum");
	header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	refuse(len, "the other IP");
	header.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	refuse(len, "fragments");
	header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN;
	refuse(len, "ECN, which nobody agreed to");
	len = build(0, 4, IPPROTO_UDP, 5000);
	header.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
	header.gso_size = 39;
	refuse(len, "too many datagrams");
	len = build(0, 4, IPPROTO_TCP, 100);
	frame[14 + 20 + 12] = 0x40;
	refuse(len, "a TCP header that is too short");
}
END_TEST

START_TEST(sums_up)
{
	for (unsigned int version = 4; version <= 6; version += 2) {
		for (uint32_t payload = 0; payload < 40; payload++) {
			uint32_t len = build(payload % 3, version,
					     payload % 2 ? IPPROTO_TCP : IPPROTO_UDP, payload);

			ck_assert_int_eq(check(len), 0);
			net_frame_finish(&header, frame, len);
			ck_assert_uint_eq(
				transport_sum(frame, 14 + 4 * (payload % 3), version, len), 0xffff);
			ck_assert_uint_eq(header.flags, 0);
		}
	}
}
END_TEST

/* What a short frame is filled up with is not summed up. */
START_TEST(padding)
{
	uint32_t len = build(0, 4, IPPROTO_UDP, 1);

	header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	ck_assert_int_eq(check(60), 0);
	net_frame_finish(&header, frame, 60);
	ck_assert_uint_eq(transport_sum(frame, 14, 4, len), 0xffff);
}
END_TEST

/* A frame as large as they get, as a whole: lengths that its sender left out are there. */
START_TEST(large_whole)
{
	uint32_t len = build(0, 4, IPPROTO_TCP, 65535 - 40);

	put16(frame + 14 + 2, 0);
	header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	header.gso_size = 1448;
	ck_assert_int_eq(check(len), 0);
	net_frame_finish(&header, frame, len);
	ck_assert_uint_eq(get16(frame + 16), 65535);
	ck_assert_uint_eq(naive(frame + 14, 20, 0), 0xffff);
	ck_assert_uint_eq(transport_sum(frame, 14, 4, len), 0xffff);
}
END_TEST

static void check_piece(unsigned int version, unsigned int protocol, unsigned int network,
			int64_t len, unsigned int number, bool last)
{
	const unsigned int transport = network + (version == 4 ? 20 : 40);

	ck_assert_uint_eq(transport_sum(out, network, version, (unsigned int)len), 0xffff);
	if (version == 4) {
		ck_assert_uint_eq(naive(out + network, 20, 0), 0xffff);
		ck_assert_uint_eq(get16(out + network + 2), len - network);
		ck_assert_uint_eq(get16(out + network + 4), (0xfffe + number) & 0xffff);
	} else {
		ck_assert_uint_eq(get16(out + network + 4), len - network - 40);
	}
	if (protocol == IPPROTO_UDP)
		ck_assert_uint_eq(get16(out + transport + 4), len - transport);
	else
		ck_assert_uint_eq(out[transport + 13],
				  0x10 | (number ? 0 : 0x80) | (last ? 0x09 : 0));
}

static void split(unsigned int tags, unsigned int version, unsigned int protocol, uint32_t payload,
		  uint16_t size)
{
	static uint8_t whole[NET_FRAME_MAX];
	const struct net_offloads none = {0};
	const unsigned int network = 14 + 4 * tags;
	const unsigned int at =
		network + (version == 4 ? 20 : 40) + (protocol == IPPROTO_TCP ? 20 : 8);
	const struct iovec iov[] = {{out, 33}, {out + 33, sizeof(out) - 33}};
	uint32_t len = build(tags, version, protocol, payload), done = 0;
	struct virtio_net_hdr_v1 piece_header;
	struct net_splitter s;
	unsigned int number = 0;
	int64_t r;

	header.gso_type = protocol == IPPROTO_UDP ? VIRTIO_NET_HDR_GSO_UDP_L4
			  : version == 4          ? VIRTIO_NET_HDR_GSO_TCPV4
						  : VIRTIO_NET_HDR_GSO_TCPV6;
	header.gso_size = size;
	ck_assert_int_eq(check(len), 0);
	memcpy(whole, frame, len);
	net_splitter_begin(&s, &header, frame, len, &none);
	while ((r = net_splitter_next(&s, &piece_header, iov, 2)) != -ENODATA) {
		const uint32_t count = (uint32_t)r - at;

		ck_assert_int_gt(r, at);
		ck_assert_uint_eq(count, min_of((uint32_t)size, payload - done));
		ck_assert_int_eq(memcmp(out + at, whole + at + done, count), 0);
		ck_assert_uint_eq(piece_header.flags, 0);
		ck_assert_uint_eq(piece_header.gso_type, 0);
		done += count;
		check_piece(version, protocol, network, r, number++, done == payload);
	}
	ck_assert_uint_eq(done, payload);
}

START_TEST(splits)
{
	split(0, 4, IPPROTO_TCP, 65535 - 40, 1448);
	split(1, 6, IPPROTO_TCP, 30001, 1428);
	split(0, 4, IPPROTO_UDP, 12000, 1473);
	split(2, 6, IPPROTO_UDP, 99, 1);
	split(0, 4, IPPROTO_TCP, 48, 48);
	split(0, 4, IPPROTO_TCP, 49, 48);
}
END_TEST

/* Who takes all gets it as it is; who takes checksums gets no others. */
START_TEST(leaves_alone)
{
	const struct net_offloads all = {.checksum = true, .tso4 = true};
	const struct net_offloads sums = {.checksum = true};
	const struct iovec iov = {out, sizeof(out)};
	uint32_t len = build(0, 4, IPPROTO_TCP, 5000);
	struct virtio_net_hdr_v1 got;
	struct net_splitter s;

	header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	header.gso_size = 1000;
	ck_assert_int_eq(check(len), 0);
	net_splitter_begin(&s, &header, frame, len, &all);
	ck_assert_int_eq(net_splitter_next(&s, &got, &iov, 1), len);
	ck_assert_int_eq(memcmp(&got, &header, sizeof(got)), 0);
	ck_assert_int_eq(memcmp(out, frame, len), 0);
	ck_assert_int_eq(net_splitter_next(&s, &got, &iov, 1), -ENODATA);
	net_splitter_begin(&s, &header, frame, len, &sums);
	ck_assert_int_eq(net_splitter_next(&s, &got, &iov, 1), 1054);
}
END_TEST

START_TEST(no_room)
{
	const struct net_offloads none = {0};
	const struct iovec iov = {out, 1053};
	uint32_t len = build(0, 4, IPPROTO_TCP, 5000);
	struct virtio_net_hdr_v1 got;
	struct net_splitter s;

	header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	header.gso_size = 1000;
	ck_assert_int_eq(check(len), 0);
	net_splitter_begin(&s, &header, frame, len, &none);
	ck_assert_int_eq(net_splitter_next(&s, &got, &iov, 1), -EMSGSIZE);
	ck_assert_int_eq(net_splitter_next(&s, &got, &iov, 1), -ENODATA);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net_frame");
	TCase *t = tcase_create("net_frame");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, looks);
	tcase_add_test(t, extension_headers);
	tcase_add_test(t, believes);
	tcase_add_test(t, refuses);
	tcase_add_test(t, sums_up);
	tcase_add_test(t, padding);
	tcase_add_test(t, large_whole);
	tcase_add_test(t, splits);
	tcase_add_test(t, leaves_alone);
	tcase_add_test(t, no_room);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
