// SPDX-License-Identifier: MIT
/* See netvsp_headers.h. Fields of headers are big-endian, and aligned to nothing. */
#include "devices/netvsp_headers.h"

#include <errno.h>
#include <string.h>

#include "devices/rndis_proto.h"

#define TYPE_IP4  0x0800u
#define TYPE_IP6  0x86ddu
#define TYPE_VLAN 0x8100u

#define PROTOCOL_TCP 6u
#define PROTOCOL_UDP 17u

#define IP4_HEADER 20u
#define IP6_HEADER 40u
#define TCP_HEADER 20u
#define UDP_HEADER 8u

#define TCP_CHECKSUM 16u
#define UDP_CHECKSUM 6u

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

/* --- Checksums. ------------------------------------------------------------------------------ */

static uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* In the order of the bytes in memory, as if there were zeroes behind them. */
static uint64_t sum_bytes(const uint8_t *p, uint64_t len)
{
	uint64_t sum = 0;

	for (; len >= 4; len -= 4, p += 4) {
		uint32_t word;

		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	if (len) {
		uint32_t word = 0;

		memcpy(&word, p, len);
		sum += word;
	}
	return sum;
}

static uint16_t swap16(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

/* The sum of @len bytes from @skip on, as of bytes in memory order. */
static uint16_t sum_iov(const struct iovec *iov, unsigned int count, uint64_t skip, uint64_t len)
{
	uint64_t sum = 0;
	bool odd = false;

	for (unsigned int i = 0; i < count && len; i++) {
		uint64_t n = iov[i].iov_len;
		uint16_t part;

		if (skip >= n) {
			skip -= n;
			continue;
		}
		n = min_of(n - skip, len);
		part = fold(sum_bytes((const uint8_t *)iov[i].iov_base + skip, n));
		sum += odd ? swap16(part) : part;
		odd ^= n & 1;
		len -= n;
		skip = 0;
	}
	return fold(sum);
}

static bool put_iov(const struct iovec *iov, unsigned int count, uint64_t at, uint8_t byte)
{
	for (unsigned int i = 0; i < count; i++) {
		if (at < iov[i].iov_len) {
			((uint8_t *)iov[i].iov_base)[at] = byte;
			return true;
		}
		at -= iov[i].iov_len;
	}
	return false;
}

bool netvsp_headers_checksum(const struct virtio_net_hdr_v1 *header, const struct iovec *iov,
			     unsigned int count, uint64_t len)
{
	const uint64_t start = header->csum_start, at = start + header->csum_offset;
	uint16_t sum;
	uint8_t bytes[2];

	if (at + 2 > len)
		return false;
	/* The field has the pseudo header's sum. */
	sum = (uint16_t)~sum_iov(iov, count, start, len - start);
	if (!sum && header->csum_offset == UDP_CHECKSUM)
		sum = 0xffff;
	memcpy(bytes, &sum, sizeof(bytes));
	return put_iov(iov, count, at, bytes[0]) && put_iov(iov, count, at + 1, bytes[1]);
}

/* --- Finding the way. ------------------------------------------------------------------------ */

struct layers {
	bool ip6;
	uint32_t network, transport; /* offsets */
	uint8_t protocol;            /* of the transport; fragments have none */
};

static bool is_extension(uint8_t protocol)
{
	/* Hop by hop, routing, destination: all with their length in their second byte. */
	return protocol == 0 || protocol == 43 || protocol == 60;
}

static bool find_ip6(const uint8_t *frame, uint32_t have, struct layers *l)
{
	uint32_t at = l->network + IP6_HEADER;
	uint8_t protocol;

	if (have < at || frame[l->network] >> 4 != 6)
		return false;
	protocol = frame[l->network + 6];
	while (is_extension(protocol)) {
		if (have < at + 2)
			return false;
		protocol = frame[at];
		at += 8u + 8u * frame[at + 1];
	}
	l->ip6 = true;
	l->protocol = protocol;
	l->transport = at;
	return true;
}

static bool find_ip4(const uint8_t *frame, uint32_t have, struct layers *l)
{
	const uint8_t *ip = frame + l->network;
	uint32_t header;

	if (have < l->network + IP4_HEADER || ip[0] >> 4 != 4)
		return false;
	header = (ip[0] & 0xfu) * 4u;
	if (header < IP4_HEADER)
		return false;
	l->transport = l->network + header;
	l->protocol = get16(ip + 6) & 0x3fff ? 0 : ip[9];
	return true;
}

static bool find_layers(const uint8_t *frame, uint32_t have, struct layers *l)
{
	uint16_t type;

	*l = (struct layers){.network = ETHERNET_HEADER};
	if (have < ETHERNET_HEADER)
		return false;
	type = get16(frame + 12);
	if (type == TYPE_VLAN && have >= ETHERNET_HEADER + VLAN_HEADER) {
		l->network += VLAN_HEADER;
		type = get16(frame + 16);
	}
	if (type == TYPE_IP4)
		return find_ip4(frame, have, l);
	return type == TYPE_IP6 && find_ip6(frame, have, l);
}

void netvsp_headers_look(const uint8_t *frame, uint32_t have, struct netvsp_seen *ret)
{
	struct layers l;

	*ret = (struct netvsp_seen){0};
	if (have >= ETHERNET_HEADER + VLAN_HEADER && get16(frame + 12) == TYPE_VLAN) {
		ret->vlan = true;
		ret->tci = get16(frame + 14);
	}
	if (!find_layers(frame, have, &l))
		return;
	ret->ip4 = !l.ip6;
	ret->ip6 = l.ip6;
	ret->tcp = l.protocol == PROTOCOL_TCP;
	ret->udp = l.protocol == PROTOCOL_UDP;
}

/* --- Of frames that go out. ------------------------------------------------------------------ */

/* The sum of the pseudo header, as checksums that are to be filled in begin. */
static uint16_t pseudo_sum(const uint8_t *frame, const struct layers *l, uint32_t len)
{
	const uint8_t *ip = frame + l->network;
	const uint8_t rest[8] = {(uint8_t)(len >> 24),
				 (uint8_t)(len >> 16),
				 (uint8_t)(len >> 8),
				 (uint8_t)len,
				 0,
				 0,
				 0,
				 l->protocol};
	uint64_t sum = sum_bytes(rest, sizeof(rest));

	sum += l->ip6 ? sum_bytes(ip + 8, 32) : sum_bytes(ip + 12, 8);
	return fold(sum);
}

static void fill_ip4_checksum(uint8_t *ip)
{
	uint16_t sum;

	put16(ip + 10, 0);
	sum = (uint16_t)~fold(sum_bytes(ip, (ip[0] & 0xfull) * 4));
	memcpy(ip + 10, &sum, sizeof(sum));
}

static void want_checksum(uint8_t *frame, const struct layers *l, uint32_t frame_len,
			  struct virtio_net_hdr_v1 *header)
{
	const uint32_t at = l->protocol == PROTOCOL_TCP ? TCP_CHECKSUM : UDP_CHECKSUM;
	const uint16_t sum = pseudo_sum(frame, l, frame_len - l->transport);

	memcpy(frame + l->transport + at, &sum, sizeof(sum));
	header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header->csum_start = (uint16_t)l->transport;
	header->csum_offset = (uint16_t)at;
}

/* The end of the transport's header; 0: there is not all of it. */
static uint32_t transport_end(const uint8_t *frame, uint32_t have, const struct layers *l)
{
	uint32_t header = l->protocol == PROTOCOL_TCP ? TCP_HEADER : UDP_HEADER;

	if (have < l->transport || have - l->transport < header)
		return 0;
	if (l->protocol == PROTOCOL_TCP) {
		header = (frame[l->transport + 12] >> 4) * 4u;
		if (header < TCP_HEADER || have - l->transport < header)
			return 0;
	}
	return l->transport + header;
}

/* A large TCP segment, whose lengths guests leave to us. */
static int make_large(uint32_t info, uint8_t *frame, uint32_t frame_len, const struct layers *l,
		      uint32_t end, struct virtio_net_hdr_v1 *header)
{
	const uint32_t mss = NDIS_LSO_MSS(info), len = frame_len - l->network;

	if (!mss || mss > UINT16_MAX || len > UINT16_MAX + (l->ip6 ? IP6_HEADER : 0) ||
	    l->protocol != PROTOCOL_TCP)
		return -EINVAL;
	if (l->ip6) {
		put16(frame + l->network + 4, len - IP6_HEADER);
	} else {
		put16(frame + l->network + 2, len);
		fill_ip4_checksum(frame + l->network);
	}
	want_checksum(frame, l, frame_len, header);
	if (frame_len - end > mss) {
		header->gso_type = l->ip6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
		header->gso_size = (uint16_t)mss;
		header->hdr_len = (uint16_t)end;
	}
	return 0;
}

/* Checksums and large segments. How much of the frame is looked at goes to *ret_end. */
static int offload(const struct netvsp_wishes *wishes, uint8_t *frame, uint32_t have,
		   uint32_t frame_len, struct virtio_net_hdr_v1 *header, uint32_t *ret_end)
{
	const uint32_t info = wishes->checksum ? wishes->checksum_info : 0;
	struct layers l;
	uint32_t end;

	if (!find_layers(frame, have, &l))
		return -EINVAL;
	if (wishes->large || (info & (NDIS_TXCSUM_TCP | NDIS_TXCSUM_UDP))) {
		const uint8_t expected =
			wishes->large || (info & NDIS_TXCSUM_TCP) ? PROTOCOL_TCP : PROTOCOL_UDP;

		end = transport_end(frame, have, &l);
		if (l.protocol != expected || !end)
			return -EINVAL;
		*ret_end = end;
		if (wishes->large)
			return make_large(wishes->large_info, frame, frame_len, &l, end, header);
		want_checksum(frame, &l, frame_len, header);
	} else {
		if (have < l.transport)
			return -EINVAL;
		*ret_end = l.transport;
	}
	if ((info & NDIS_TXCSUM_IP) && !l.ip6)
		fill_ip4_checksum(frame + l.network);
	return 0;
}

static void insert_tag(uint32_t info, uint8_t *frame, uint32_t len,
		       struct virtio_net_hdr_v1 *header)
{
	memmove(frame + 12 + VLAN_HEADER, frame + 12, len - 12);
	put16(frame + 12, TYPE_VLAN);
	put16(frame + 14,
	      NDIS_8021Q_PRIORITY(info) << 13 | NDIS_8021Q_DEI(info) << 12 | NDIS_8021Q_VLAN(info));
	if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		header->csum_start = (uint16_t)(header->csum_start + VLAN_HEADER);
	if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		header->hdr_len = (uint16_t)(header->hdr_len + VLAN_HEADER);
}

int netvsp_headers_send(const struct netvsp_wishes *wishes, uint8_t *headers, uint32_t have,
			uint32_t frame_len, struct virtio_net_hdr_v1 *header,
			uint32_t *ret_consumed, uint32_t *ret_len)
{
	uint32_t end = wishes->vlan ? ETHERNET_HEADER : 0;

	*header = (struct virtio_net_hdr_v1){.gso_type = VIRTIO_NET_HDR_GSO_NONE};
	have = min_of(have, NETVSP_HEADERS_MAX - VLAN_HEADER);
	if (have < ETHERNET_HEADER)
		return -EINVAL;
	if (wishes->large || (wishes->checksum && wishes->checksum_info)) {
		int r = offload(wishes, headers, have, frame_len, header, &end);

		if (r < 0)
			return r;
	}
	*ret_consumed = *ret_len = end;
	if (wishes->vlan) {
		insert_tag(wishes->vlan_info, headers, end, header);
		*ret_len += VLAN_HEADER;
	}
	return 0;
}
