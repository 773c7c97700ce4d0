// SPDX-License-Identifier: MIT
/* Headers of frames: what they say, whether it is true, and what they leave to be done. Pure. */
#include "devices/net/net_frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define ETHERNET_LEN  14u
#define ETHERTYPE_AT  12u
#define VLAN_LEN      4u
#define VLANS_MAX     2u
#define TYPE_IPV4     0x0800
#define TYPE_IPV6     0x86dd
#define TYPE_VLAN     0x8100
#define TYPE_QINQ     0x88a8
#define IPV4_LEN      20u
#define IPV6_LEN      40u
#define TCP_LEN       20u
#define UDP_LEN       8u
#define EXTENSIONS    8u  /* extension headers that are looked through */
#define MSS_MIN       48u /* smaller segments would make too many of one frame */
#define DATAGRAMS_MAX 128u
#define TCP_CHECK     16u /* offsets of the checksums */
#define UDP_CHECK     6u

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

/* --- Looking. ------------------------------------------------------------------------------- */

static int parse_transport(const uint8_t *head, size_t room, uint32_t at, uint8_t protocol,
			   uint32_t len, struct net_frame *f)
{
	uint32_t size = UDP_LEN;

	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return 0;
	if (protocol == IPPROTO_TCP) {
		if (at + TCP_LEN > room)
			return -EPROTO;
		size = (uint32_t)(head[at + 12] >> 4) * 4;
		if (size < TCP_LEN)
			return -EPROTO;
	}
	if (at + size > len || at + size > room)
		return -EPROTO;
	f->protocol = protocol;
	f->transport = (uint16_t)at;
	f->payload = (uint16_t)(at + size);
	return 0;
}

static int parse_ipv4(const uint8_t *head, size_t room, uint32_t at, uint32_t len,
		      struct net_frame *f)
{
	uint32_t size;

	if (at + IPV4_LEN > room || head[at] >> 4 != 4)
		return -EPROTO;
	size = (head[at] & 15u) * 4;
	if (size < IPV4_LEN || at + size > room)
		return -EPROTO;
	f->version = 4;
	f->network = (uint16_t)at;
	if (get16(head + at + 6) & 0x3fff) /* a fragment */
		return 0;
	return parse_transport(head, room, at + size, head[at + 9], len, f);
}

static bool is_extension(uint8_t next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS;
}

static int parse_ipv6(const uint8_t *head, size_t room, uint32_t at, uint32_t len,
		      struct net_frame *f)
{
	uint32_t p = at + IPV6_LEN;
	uint8_t next;

	if (p > room || head[at] >> 4 != 6)
		return -EPROTO;
	f->version = 6;
	f->network = (uint16_t)at;
	next = head[at + 6];
	for (unsigned int i = 0; is_extension(next); i++) {
		if (i == EXTENSIONS || p + 8 > room)
			return -EPROTO;
		next = head[p];
		p += (head[p + 1] + 1u) * 8;
	}
	return parse_transport(head, room, p, next, len, f);
}

int net_frame_parse(const uint8_t *head, size_t head_len, uint32_t len, struct net_frame *ret)
{
	const size_t room = min_of(head_len, (size_t)NET_FRAME_HEAD);
	struct net_frame f = {0};
	uint32_t at = ETHERTYPE_AT;
	uint16_t type;
	int r = 0;

	if (room < ETHERNET_LEN || len < ETHERNET_LEN)
		return -EPROTO;
	type = get16(head + at);
	for (unsigned int i = 0; i < VLANS_MAX && (type == TYPE_VLAN || type == TYPE_QINQ); i++) {
		at += VLAN_LEN;
		if (at + 2 > room)
			return -EPROTO;
		type = get16(head + at);
	}
	if (type == TYPE_IPV4)
		r = parse_ipv4(head, room, at + 2, len, &f);
	else if (type == TYPE_IPV6)
		r = parse_ipv6(head, room, at + 2, len, &f);
	if (r == 0)
		*ret = f;
	return r;
}

static bool gso_fits(const struct virtio_net_hdr_v1 *header, const struct net_frame *f,
		     uint32_t len)
{
	const uint32_t payload = len - f->payload;

	if (header->gso_size == 0 || payload == 0)
		return false;
	switch (header->gso_type) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return f->version == 4 && f->protocol == IPPROTO_TCP && header->gso_size >= MSS_MIN;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return f->version == 6 && f->protocol == IPPROTO_TCP && header->gso_size >= MSS_MIN;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		return f->protocol == IPPROTO_UDP && payload / header->gso_size < DATAGRAMS_MAX;
	default:
		return false;
	}
}

int net_frame_check(struct virtio_net_hdr_v1 *header, const uint8_t *head, size_t head_len,
		    uint32_t len)
{
	struct net_frame f;

	if (len < ETHERNET_LEN || len > NET_FRAME_MAX)
		return -EPROTO;
	if (header->flags & ~(VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID))
		return -EPROTO;
	header->hdr_len = 0;
	header->num_buffers = 0;
	if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)) {
		header->csum_start = header->csum_offset = 0;
		header->gso_size = 0;
		return header->gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : -EPROTO;
	}
	if (net_frame_parse(head, head_len, len, &f) < 0 || !f.transport ||
	    header->csum_start != f.transport ||
	    header->csum_offset != (f.protocol == IPPROTO_TCP ? TCP_CHECK : UDP_CHECK))
		return -EPROTO;
	header->hdr_len = f.payload;
	if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		header->gso_size = 0;
		return 0;
	}
	return gso_fits(header, &f, len) ? 0 : -EPROTO;
}

/* --- Checksums. ----------------------------------------------------------------------------- */

/* Adds up in the machine's byte order, which the sum does not mind (RFC 1071). */
static uint64_t add(uint64_t sum, const uint8_t *p, size_t len)
{
	uint32_t word;
	uint16_t last = 0;

	for (; len >= 4; p += 4, len -= 4) {
		memcpy(&word, p, 4);
		sum += word;
	}
	if (len >= 2) {
		memcpy(&last, p, 2);
		sum += last;
		p += 2;
		len -= 2;
	}
	last = 0;
	if (len)
		memcpy(&last, p, 1);
	return sum + last;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put_ipv4_checksum(uint8_t *ip)
{
	uint16_t sum;

	put16(ip + 10, 0);
	sum = fold(add(0, ip, (ip[0] & 15u) * 4));
	memcpy(ip + 10, &sum, 2);
}

/* Over pseudo header, header and payload; @more is what the payload elsewhere adds up to. */
static void put_checksum(uint8_t *frame, const struct net_frame *f, uint32_t len, uint64_t more,
			 uint32_t more_len)
{
	const bool tcp = f->protocol == IPPROTO_TCP;
	uint8_t *check = frame + f->transport + (tcp ? TCP_CHECK : UDP_CHECK);
	const uint8_t *ip = frame + f->network;
	uint64_t sum = more;
	uint16_t result;

	sum += htonl(len - f->transport + more_len);
	sum += htons(f->protocol);
	sum = f->version == 4 ? add(sum, ip + 12, 8) : add(sum, ip + 8, 32);
	put16(check, 0);
	result = fold(add(sum, frame + f->transport, len - f->transport));
	if (result == 0 && !tcp)
		result = 0xffff; /* 0 would say that there is none */
	memcpy(check, &result, 2);
}

/* What the IP header, and UDP's, say about the length. */
static void put_lengths(uint8_t *frame, const struct net_frame *f, uint32_t len)
{
	uint8_t *ip = frame + f->network;

	if (f->version == 4) {
		put16(ip + 2, len - f->network);
		put_ipv4_checksum(ip);
	} else {
		put16(ip + 4, len - f->network - IPV6_LEN);
	}
	if (f->protocol == IPPROTO_UDP)
		put16(frame + f->transport + 4, len - f->transport);
}

/* Without what a short frame is filled up with. */
static uint32_t real_length(const uint8_t *frame, const struct net_frame *f, uint32_t len)
{
	const uint8_t *ip = frame + f->network;
	const uint32_t end =
		f->network + (f->version == 4 ? get16(ip + 2) : get16(ip + 4) + IPV6_LEN);

	return end >= f->payload && end < len ? end : len;
}

void net_frame_finish(struct virtio_net_hdr_v1 *header, uint8_t *frame, uint32_t len)
{
	struct net_frame f;

	if ((header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
	    net_frame_parse(frame, len, len, &f) == 0 && f.transport) {
		if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE)
			put_lengths(frame, &f, len);
		else
			len = real_length(frame, &f, len);
		put_checksum(frame, &f, len, 0, 0);
	}
	memset(header, 0, sizeof(*header));
}

/* --- Splitting. ----------------------------------------------------------------------------- */

static bool may_stay_large(const struct virtio_net_hdr_v1 *header,
			   const struct net_offloads *offloads)
{
	switch (header->gso_type) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return offloads->tso4;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return offloads->tso6;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		return offloads->uso;
	default:
		return true;
	}
}

void net_splitter_begin(struct net_splitter *s, const struct virtio_net_hdr_v1 *header,
			uint8_t *frame, uint32_t len, const struct net_offloads *offloads)
{
	const bool large = may_stay_large(header, offloads);

	*s = (struct net_splitter){.frame = frame, .len = len, .header = *header};
	if (!large) {
		/* It was looked at before, so there is a header. */
		if (net_frame_parse(frame, len, len, &s->where) < 0) {
			s->frame = NULL;
			return;
		}
		s->size = header->gso_size;
		if (s->where.version == 4)
			s->id = get16(frame + s->where.network + 4);
		if (s->where.protocol == IPPROTO_TCP) {
			s->sequence = get32(frame + s->where.transport + 4);
			s->flags = frame[s->where.transport + 13];
		}
	} else if ((header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && !offloads->checksum) {
		net_frame_finish(&s->header, frame, len);
	} else if (!offloads->checksum) {
		s->header.flags = 0;
	}
}

#define TCP_FIN_PSH 0x09
#define TCP_CWR     0x80

/* Makes the frame's own headers those of the piece of @count bytes that begins at s->next. */
static void make_headers(struct net_splitter *s, uint32_t count, bool last)
{
	const struct net_frame *f = &s->where;
	uint8_t *transport = s->frame + f->transport;

	if (f->version == 4)
		put16(s->frame + f->network + 4, s->id + s->next / s->size);
	put_lengths(s->frame, f, f->payload + count);
	if (f->protocol == IPPROTO_TCP) {
		put32(transport + 4, s->sequence + s->next);
		transport[13] =
			(uint8_t)(s->flags & ~(last ? 0 : TCP_FIN_PSH) & ~(s->next ? TCP_CWR : 0));
	}
	put_checksum(s->frame, f, f->payload, add(0, s->frame + f->payload + s->next, count),
		     count);
}

/* Copies @len bytes behind the @at that are there; false: there is no room. */
static bool append(const struct iovec *iov, unsigned int iov_count, uint32_t at,
		   const uint8_t *from, uint32_t len)
{
	for (unsigned int i = 0; i < iov_count && len; i++) {
		uint32_t n;

		if (at >= iov[i].iov_len) {
			at -= (uint32_t)iov[i].iov_len;
			continue;
		}
		n = (uint32_t)min_of((uint64_t)len, (uint64_t)iov[i].iov_len - at);
		memcpy((uint8_t *)iov[i].iov_base + at, from, n);
		from += n;
		len -= n;
		at = 0;
	}
	return len == 0;
}

static int64_t next_whole(struct net_splitter *s, struct virtio_net_hdr_v1 *header,
			  const struct iovec *iov, unsigned int iov_count)
{
	*header = s->header;
	if (!append(iov, iov_count, 0, s->frame, s->len))
		return -EMSGSIZE;
	return s->len;
}

int64_t net_splitter_next(struct net_splitter *s, struct virtio_net_hdr_v1 *header,
			  const struct iovec *iov, unsigned int iov_count)
{
	uint32_t left, count;
	int64_t r;

	if (!s->frame)
		return -ENODATA;
	if (!s->size) {
		r = next_whole(s, header, iov, iov_count);
		s->frame = NULL;
		return r;
	}
	left = s->len - s->where.payload - s->next;
	count = min_of(left, s->size);
	make_headers(s, count, count == left);
	memset(header, 0, sizeof(*header));
	if (append(iov, iov_count, 0, s->frame, s->where.payload) &&
	    append(iov, iov_count, s->where.payload, s->frame + s->where.payload + s->next, count))
		r = s->where.payload + count;
	else
		r = -EMSGSIZE;
	s->next += count;
	if (r < 0 || count == left)
		s->frame = NULL;
	return r;
}
