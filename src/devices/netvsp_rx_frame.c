// SPDX-License-Identifier: MIT
/*
 * One frame that lies in the receive buffer: whether the guest wants it, and what RNDIS says of it.
 *
 * The guest can change the frame at any time. What is decided on its contents is decided on a
 * private copy of its beginning, and harms nobody but the guest. State belongs to the queue's loop.
 */
#include <string.h>

#include "devices/netvsp_internal.h"

/* --- Does the guest want it? ----------------------------------------------------------------- */

static bool listed(struct netvsp *netvsp, uint64_t address)
{
	for (unsigned int i = 0; i < NETVSP_MULTICAST_MAX; i++)
		if (atomic_load_explicit(&netvsp->multicast[i], memory_order_relaxed) == address)
			return true;
	return false;
}

static bool wanted(struct netvsp *netvsp, const uint8_t *frame)
{
	const uint32_t filter = atomic_load_explicit(&netvsp->filter, memory_order_relaxed);
	const uint64_t address = netvsp_address(frame);

	if (!atomic_load_explicit(&netvsp->link, memory_order_relaxed))
		return false;
	if (filter & NDIS_PACKET_TYPE_PROMISCUOUS)
		return true;
	if (address == 0xffffffffffff)
		return filter & NDIS_PACKET_TYPE_BROADCAST;
	if (frame[0] & 1)
		return (filter & NDIS_PACKET_TYPE_ALL_MULTICAST) ||
		       ((filter & NDIS_PACKET_TYPE_MULTICAST) && listed(netvsp, address));
	return (filter & NDIS_PACKET_TYPE_DIRECTED) &&
	       address == atomic_load_explicit(&netvsp->mac, memory_order_relaxed);
}

/* --- What is said of it. --------------------------------------------------------------------- */

/* A header with its per-packet information, of at most NETVSP_RX_DATA bytes. */
struct rx_header {
	uint32_t len;
	uint8_t bytes[NETVSP_RX_DATA];
};

static void add_info(struct rx_header *h, uint32_t type, uint32_t value)
{
	const struct rndis_per_packet_info info = {
		.size = sizeof(info) + sizeof(value), .type = type, .ppi_offset = sizeof(info)};

	memcpy(h->bytes + h->len, &info, sizeof(info));
	memcpy(h->bytes + h->len + sizeof(info), &value, sizeof(value));
	h->len += (uint32_t)(sizeof(info) + sizeof(value));
}

/* What was looked at on the way, as far as the guest wants to be told. */
static uint32_t checksum_info(uint32_t offloads, const struct virtio_net_hdr_v1 *header,
			      const struct netvsp_seen *seen)
{
	uint32_t info = 0;

	if (!(header->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID)))
		return 0;
	if (seen->tcp && (offloads & (seen->ip4 ? NETVSP_RX_TCP4 : NETVSP_RX_TCP6)))
		info = NDIS_RXCSUM_TCP_SUCCEEDED;
	if (seen->udp && (offloads & (seen->ip4 ? NETVSP_RX_UDP4 : NETVSP_RX_UDP6)))
		info = NDIS_RXCSUM_UDP_SUCCEEDED;
	/* Of what was coalesced nobody has the sum. */
	if (info && seen->tcp && header->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		info |= NDIS_RXCSUM_TCP_VALUE_INVALID;
	return info;
}

static uint32_t vlan_info(uint16_t tci)
{
	return (uint32_t)tci >> 13 | (tci >> 12 & 1u) << 3 | (tci & 0xfffu) << 4;
}

static uint32_t fragment_info(unsigned int i, unsigned int count, uint16_t id)
{
	struct rndis_pktinfo_id info = {
		.ver = RNDIS_PKTINFO_ID_V1, .flag = RNDIS_PKTINFO_SUBALLOC, .pkt_id = id};
	uint32_t value;

	if (i == 0)
		info.flag |= RNDIS_PKTINFO_1ST_FRAG;
	if (i == count - 1)
		info.flag |= RNDIS_PKTINFO_LAST_FRAG;
	memcpy(&value, &info, sizeof(value));
	return value;
}

/* --- Into the message. ----------------------------------------------------------------------- */

/* Takes the next free section, of which @len bytes are used. */
static uint16_t take_section(struct netvsp_queue *queue, uint32_t len)
{
	const struct netvsp_sections *s = queue->recv;
	struct netvsp_rx *rx = &queue->rx;
	const uint16_t section = rx->free[--rx->free_count];

	s->next[section] = section;
	if (rx->range_count) {
		s->state[section] = NETVSP_SECTION_MORE;
		s->next[rx->last] = section;
	} else {
		s->state[section] = NETVSP_SECTION_FIRST;
		rx->first = section;
	}
	rx->last = section;
	rx->message.ranges[rx->range_count++] =
		(struct vmtransfer_page_range){.byte_count = len, .byte_offset = section * s->size};
	return section;
}

/* The part of a frame that is in one section, from @start on. */
static void put_part(struct netvsp_queue *queue, struct rx_header *h, uint32_t start, uint32_t len)
{
	const struct netvsp_sections *s = queue->recv;
	const uint16_t section = take_section(queue, start + len);
	const struct rndis_header header = {.msg_type = RNDIS_MSG_PACKET, .msg_len = start + len};
	const uint32_t infos = h->len - (uint32_t)(sizeof(header) + sizeof(struct rndis_packet));
	const struct rndis_packet packet = {
		.data_offset = start - (uint32_t)sizeof(header),
		.data_len = len,
		.per_pkt_info_offset = infos ? sizeof(packet) : 0,
		.per_pkt_info_len = infos,
	};

	memcpy(h->bytes, &header, sizeof(header));
	memcpy(h->bytes + sizeof(header), &packet, sizeof(packet));
	/* Sections lie in the buffer. */
	(void)!gpadl_view_write(&s->view, (uint64_t)section * s->size, h->bytes, h->len);
}

struct rx_frame {
	uint32_t len; /* as it lies there, in sections each as full as can be */
	uint32_t cut; /* bytes at the beginning that are not the frame's any more */
	uint32_t checksum;
	bool vlan;
	uint32_t vlan_info;
};

static void put_frame(struct netvsp_queue *queue, const struct rx_frame *frame)
{
	const uint32_t data = queue->recv->size - NETVSP_RX_DATA;
	const unsigned int count = (frame->len + data - 1) / data;
	uint32_t left = frame->len, cut = frame->cut;

	for (unsigned int i = 0; i < count; i++) {
		const uint32_t n = min_of(left, data);
		struct rx_header h = {.len = sizeof(struct rndis_header) +
					     sizeof(struct rndis_packet)};

		if (i == 0 && frame->checksum)
			add_info(&h, NDIS_PPI_CHECKSUM, frame->checksum);
		if (i == 0 && frame->vlan)
			add_info(&h, NDIS_PPI_8021Q, frame->vlan_info);
		if (count > 1)
			add_info(&h, RNDIS_PKTINFO_ID,
				 fragment_info(i, count, (uint16_t)queue->rx.frames));
		put_part(queue, &h, NETVSP_RX_DATA + cut, n - cut);
		left -= n;
		cut = 0;
	}
	queue->rx.frames++;
	queue->rx.bytes += frame->len - frame->cut;
}

/* Takes the tag out: the addresses move up to the type behind it. */
static void strip(struct netvsp_queue *queue, const uint8_t *look, const struct netvsp_seen *seen,
		  struct rx_frame *frame)
{
	const struct netvsp_rx *rx = &queue->rx;
	const uint64_t at = (uint64_t)rx->free[rx->free_count - 1] * queue->recv->size;

	frame->cut = VLAN_HEADER;
	frame->vlan = true;
	frame->vlan_info = vlan_info(seen->tci);
	(void)!gpadl_view_write(&queue->recv->view, at + NETVSP_RX_DATA + VLAN_HEADER, look, 12);
}

void netvsp_rx_frame(struct netvsp_queue *queue, const struct virtio_net_hdr_v1 *header,
		     const struct iovec *iov, unsigned int iov_count, uint32_t len)
{
	struct netvsp *netvsp = queue->netvsp;
	const uint32_t offloads = atomic_load_explicit(&netvsp->offloads, memory_order_relaxed);
	struct netvsp_cursor c = {.iov = iov, .count = iov_count, .left = len};
	const uint32_t have = min_of(len, NETVSP_LOOK);
	struct rx_frame frame = {.len = len};
	struct netvsp_seen seen;
	uint8_t look[NETVSP_LOOK];

	/* Also what is longer than the guest takes, though its sections have room. */
	if (have < ETHERNET_HEADER || !netvsp_cursor_read(&c, look, have) ||
	    (header->gso_type == VIRTIO_NET_HDR_GSO_NONE &&
	     len > netvsp->frame_max + VLAN_HEADER)) {
		counter_add_shared(&netvsp->counters.rx_dropped, 1);
		return;
	}
	if (!wanted(netvsp, look))
		return;
	netvsp_headers_look(look, have, &seen);
	/* Also for those who are told that it is good: they may pass the frame on. */
	if ((header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
	    header->gso_type == VIRTIO_NET_HDR_GSO_NONE &&
	    !netvsp_headers_checksum(header, iov, iov_count, len)) {
		counter_add_shared(&netvsp->counters.rx_dropped, 1);
		return;
	}
	frame.checksum = checksum_info(offloads, header, &seen);
	if (seen.vlan && atomic_load_explicit(&netvsp->strip_vlan, memory_order_relaxed))
		strip(queue, look, &seen, &frame);
	put_frame(queue, &frame);
}
