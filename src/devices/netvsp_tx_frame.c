// SPDX-License-Identifier: MIT
/*
 * From an RNDIS packet in guest memory to a frame for the backend. Everything that is looked at is
 * copied first: the message's header, the per-packet information, and with offloads the frame's own
 * headers, which then replace what they were copied from. The rest stays where it is.
 *
 * No state.
 */
#include <errno.h>
#include <string.h>

#include "devices/netvsp_internal.h"

/* --- Walking. -------------------------------------------------------------------------------- */

bool netvsp_cursor_skip(struct netvsp_cursor *c, uint64_t at)
{
	if (at > c->left)
		return false;
	c->left -= at;
	at += c->skip;
	while (c->count && at >= c->iov->iov_len) {
		at -= c->iov->iov_len;
		c->iov++;
		c->count--;
	}
	c->skip = at;
	return true;
}

bool netvsp_cursor_read(struct netvsp_cursor *c, void *buf, uint64_t len)
{
	uint8_t *to = buf;

	if (len > c->left)
		return false;
	c->left -= len;
	while (len) {
		const uint64_t n = min_of(len, c->iov->iov_len - c->skip);

		memcpy(to, (const uint8_t *)c->iov->iov_base + c->skip, n);
		to += n;
		len -= n;
		c->skip += n;
		if (c->skip == c->iov->iov_len) {
			c->iov++;
			c->count--;
			c->skip = 0;
		}
	}
	/* The compiler shall use the copy, not read the guest's memory again. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return true;
}

/* @len bytes as they are, behind what is in the frame's vector. */
static int add_pieces(struct netvsp_frame *frame, struct netvsp_cursor c, uint64_t len)
{
	unsigned int n = frame->tx.iov_count;

	while (len) {
		const uint64_t piece = min_of(len, c.iov->iov_len - c.skip);

		if (n == NETVSP_FRAME_IOV)
			return -E2BIG;
		frame->iov[n++] = (struct iovec){
			.iov_base = (uint8_t *)c.iov->iov_base + c.skip,
			.iov_len = piece,
		};
		len -= piece;
		c.iov++;
		c.skip = 0;
	}
	frame->tx.iov_count = n;
	return 0;
}

/* --- Per-packet information. ----------------------------------------------------------------- */

static void take_info(struct netvsp_wishes *wishes, uint32_t type, uint32_t value)
{
	switch (type) {
	case NDIS_PPI_CHECKSUM:
		wishes->checksum = true;
		wishes->checksum_info = value;
		break;
	case NDIS_PPI_LSO:
		wishes->large = true;
		wishes->large_info = value;
		break;
	case NDIS_PPI_8021Q:
		wishes->vlan = true;
		wishes->vlan_info = value;
		break;
	default:
		/* Hash values and the like: hints for hosts that can use them. */
		break;
	}
}

static int parse_infos(const uint8_t *p, uint32_t left, struct netvsp_wishes *wishes)
{
	while (left) {
		struct rndis_per_packet_info info;
		uint32_t value;

		if (left < sizeof(info))
			return -EINVAL;
		memcpy(&info, p, sizeof(info));
		if (info.size < sizeof(info) || info.size > left ||
		    info.ppi_offset < sizeof(info) || info.ppi_offset > info.size)
			return -EINVAL;
		if (info.size - info.ppi_offset >= sizeof(value)) {
			memcpy(&value, p + info.ppi_offset, sizeof(value));
			take_info(wishes, info.type, value);
		}
		p += info.size;
		left -= info.size;
	}
	return 0;
}

static int read_infos(const struct rndis_packet *packet, uint32_t body_len, struct netvsp_cursor c,
		      struct netvsp_wishes *wishes)
{
	const uint32_t offset = packet->per_pkt_info_offset, len = packet->per_pkt_info_len;
	uint8_t infos[NETVSP_PPI_MAX];

	if (!len)
		return 0;
	if (len > sizeof(infos) || offset < sizeof(*packet) || !range_within(offset, len, body_len))
		return -EINVAL;
	if (!netvsp_cursor_skip(&c, offset) || !netvsp_cursor_read(&c, infos, len))
		return -EINVAL;
	return parse_infos(infos, len, wishes);
}

/* --- The frame. ------------------------------------------------------------------------------ */

static bool can(const struct netvsp *netvsp, const struct virtio_net_hdr_v1 *header)
{
	const struct net_backend_info *info = net_backend_info(netvsp->backend);

	return (!header->flags || info->checksum) &&
	       (header->gso_type == VIRTIO_NET_HDR_GSO_NONE || info->tso);
}

/* Copies the frame's headers and changes them. @c is where the frame begins, and goes past them. */
static int change_headers(struct netvsp_frame *frame, const struct netvsp_wishes *wishes,
			  struct netvsp_cursor *c, uint32_t len)
{
	const uint32_t have = min_of(len, NETVSP_HEADERS_MAX - VLAN_HEADER);
	struct netvsp_cursor copy = *c;
	uint32_t consumed, made;
	int r;

	if (!netvsp_cursor_read(&copy, frame->headers, have))
		return -EINVAL;
	r = netvsp_headers_send(wishes, frame->headers, have, len, &frame->tx.header, &consumed,
				&made);
	if (r < 0)
		return r;
	if (!can(frame->queue->netvsp, &frame->tx.header) || !netvsp_cursor_skip(c, consumed))
		return -EINVAL;
	frame->iov[0] = (struct iovec){.iov_base = frame->headers, .iov_len = made};
	frame->tx.iov_count = made ? 1 : 0;
	frame->tx.len = len - consumed + made;
	frame->copied = consumed;
	return 0;
}

static int parse_packet(struct netvsp_frame *frame, const struct rndis_packet *packet,
			struct netvsp_cursor body)
{
	const uint32_t body_len = (uint32_t)body.left, len = packet->data_len;
	struct netvsp_wishes wishes = {0};
	struct netvsp_cursor c = body;
	int r;

	if (packet->data_offset < sizeof(*packet) || len < ETHERNET_HEADER || len > NET_FRAME_MAX ||
	    !range_within(packet->data_offset, len, body_len))
		return -EINVAL;
	r = read_infos(packet, body_len, body, &wishes);
	if (r < 0)
		return r;
	frame->tx.header = (struct virtio_net_hdr_v1){.gso_type = VIRTIO_NET_HDR_GSO_NONE};
	frame->tx.iov_count = 0;
	frame->tx.len = len;
	frame->copied = 0;
	if (!netvsp_cursor_skip(&c, packet->data_offset))
		return -EINVAL;
	if (wishes.checksum || wishes.large || wishes.vlan) {
		r = change_headers(frame, &wishes, &c, len);
		if (r < 0)
			return r;
	}
	return add_pieces(frame, c, len - frame->copied);
}

int netvsp_frame_parse(struct netvsp_frame *frame, struct netvsp_cursor *cursor)
{
	struct netvsp_cursor body = *cursor, at;
	struct rndis_header header;
	struct rndis_packet packet;
	int r;

	if (!netvsp_cursor_read(&body, &header, sizeof(header)))
		return -EINVAL;
	if (header.msg_type != RNDIS_MSG_PACKET || header.msg_len > cursor->left ||
	    header.msg_len < sizeof(header) + sizeof(packet))
		return -EINVAL;
	body.left = header.msg_len - sizeof(header);
	at = body;
	if (!netvsp_cursor_read(&at, &packet, sizeof(packet)))
		return -EINVAL;
	r = parse_packet(frame, &packet, body);
	if (r < 0)
		return r;
	return netvsp_cursor_skip(cursor, header.msg_len) ? 0 : -EINVAL;
}
