// SPDX-License-Identifier: MIT
/* See netvsp_fake.h: frames, and their way both ways. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "netvsp_fake.h"

__attribute__((no_sanitize("thread"))) void netvsp_fake_copy(void *to, const void *from,
							     uint32_t len)
{
	volatile uint8_t *t = to;
	const volatile uint8_t *s = from;

	for (uint32_t i = 0; i < len; i++)
		t[i] = s[i];
}

/* --- Out. ------------------------------------------------------------------------------------ */

uint32_t netvsp_fake_wrap(uint8_t *to, const void *frame, uint32_t len,
			  const struct netvsp_fake_info *infos, unsigned int count)
{
	const uint32_t infos_len = count * 16;
	const struct rndis_header head = {RNDIS_MSG_PACKET, 44 + infos_len + len};
	const struct rndis_packet packet = {
		.data_offset = 36 + infos_len,
		.data_len = len,
		.per_pkt_info_offset = count ? 36 : 0,
		.per_pkt_info_len = infos_len,
	};

	memcpy(to, &head, sizeof(head));
	memcpy(to + 8, &packet, sizeof(packet));
	for (unsigned int i = 0; i < count; i++) {
		const struct rndis_per_packet_info info = {16, infos[i].type, 12};

		memcpy(to + 44 + 16 * i, &info, sizeof(info));
		memcpy(to + 44 + 16 * i + 12, &infos[i].value, 4);
	}
	memcpy(to + 44 + infos_len, frame, len);
	return head.msg_len;
}

void netvsp_fake_post_section(struct netvsp_fake *f, struct bus_guest_channel *ch, uint64_t id,
			      const void *bytes, uint32_t len, uint32_t section)
{
	const struct nvsp_message in = {
		.msg_type = NVSP_MSG1_TYPE_SEND_RNDIS_PKT,
		.send_rndis_pkt = {RMC_DATA, section, len},
	};
	bool ok;

	netvsp_fake_copy(bus_guest_host(&f->guest, f->send_gpa + section * 6144ul, len), bytes,
			 len);
	ok = bus_guest_send(ch, true, id, &in, sizeof(in));
	assert(ok);
}

/* In reverse order of pages, so that none is next to the one before. */
void netvsp_fake_post_pages(struct netvsp_fake *f, struct bus_guest_channel *ch, uint64_t id,
			    const void *bytes, uint32_t len)
{
	const struct nvsp_message in = {
		.msg_type = NVSP_MSG1_TYPE_SEND_RNDIS_PKT,
		.send_rndis_pkt = {RMC_DATA, NVSP_SECTION_NONE, 0},
	};
	const uint32_t offset = 100, pages = (offset + len + PAGE_SIZE - 1) / PAGE_SIZE;
	uint64_t list[2 + 32] = {(uint64_t)1 << 32, len | (uint64_t)offset << 32};
	const uint8_t *from = bytes;
	uint32_t at = offset;
	bool ok;

	assert(pages <= 32);
	for (uint32_t i = 0; i < pages; i++) {
		const uint64_t gpa = f->data_gpa + (31 - i) * (uint64_t)PAGE_SIZE;
		const uint32_t n = min_of(len, PAGE_SIZE - at);

		list[2 + i] = gpa / PAGE_SIZE;
		netvsp_fake_copy((uint8_t *)bus_guest_host(&f->guest, gpa, PAGE_SIZE) + at, from,
				 n);
		from += n;
		len -= n;
		at = 0;
	}
	ok = bus_guest_send_list(ch, VM_PKT_DATA_USING_GPA_DIRECT, 1, id, list, 16 + 8 * pages, &in,
				 sizeof(in));
	assert(ok);
}

uint32_t netvsp_fake_status(struct bus_guest_channel *ch, uint64_t id)
{
	struct {
		struct vmpacket_descriptor head;
		uint32_t payload[16];
	} in;

	if (!bus_guest_completion(ch, id, &in, sizeof(in)) ||
	    in.payload[0] != NVSP_MSG1_TYPE_SEND_RNDIS_PKT_COMPLETE)
		return 0xffffffff;
	return in.payload[1];
}

uint32_t netvsp_fake_send(struct netvsp_fake *f, const void *frame, uint32_t len,
			  const struct netvsp_fake_info *infos, unsigned int count)
{
	static uint8_t bytes[NETVSP_FAKE_MAX + 256];
	const uint32_t n = netvsp_fake_wrap(bytes, frame, len, infos, count);
	const uint64_t id = ++f->trans_id;

	netvsp_fake_post_pages(f, &f->ch, id, bytes, n);
	return netvsp_fake_status(&f->ch, id);
}

/* --- In. ------------------------------------------------------------------------------------- */

static void take_info(struct netvsp_fake_rx *rx, uint32_t type, uint32_t value)
{
	switch (type) {
	case NDIS_PPI_CHECKSUM:
		rx->has_checksum = true;
		rx->checksum = value;
		break;
	case NDIS_PPI_8021Q:
		rx->has_vlan = true;
		rx->vlan = value;
		break;
	case RNDIS_PKTINFO_ID:
		rx->has_id = true;
		memcpy(&rx->id, &value, sizeof(value));
		break;
	default:
		abort();
	}
}

void netvsp_fake_range(struct netvsp_fake *f, const struct netvsp_fake_packet *p,
		       unsigned int range, struct netvsp_fake_rx *ret)
{
	const uint32_t len = p->ranges[range].byte_count;
	static uint8_t at[65536];
	struct rndis_header head;
	struct rndis_packet packet;

	netvsp_fake_copy(at,
			 bus_guest_host(&f->guest, f->recv_gpa + p->ranges[range].byte_offset, len),
			 len);
	*ret = (struct netvsp_fake_rx){0};
	memcpy(&head, at, sizeof(head));
	memcpy(&packet, at + 8, sizeof(packet));
	assert(head.msg_type == RNDIS_MSG_PACKET && head.msg_len == len);
	assert(packet.data_offset >= 36 && packet.data_offset + packet.data_len == len - 8);
	if (packet.per_pkt_info_len)
		assert(packet.per_pkt_info_offset == 36 && packet.per_pkt_info_len % 16 == 0 &&
		       36 + packet.per_pkt_info_len <= packet.data_offset);
	for (uint32_t i = 0; i < packet.per_pkt_info_len; i += 16) {
		struct rndis_per_packet_info info;
		uint32_t value;

		memcpy(&info, at + 44 + i, sizeof(info));
		memcpy(&value, at + 44 + i + 12, sizeof(value));
		assert(info.size == 16 && info.ppi_offset == 12);
		take_info(ret, info.type, value);
	}
	ret->len = packet.data_len;
	memcpy(ret->frame, at + 8 + packet.data_offset, packet.data_len);
}

bool netvsp_fake_receive(struct netvsp_fake *f, struct bus_guest_channel *ch,
			 struct netvsp_fake_rx *ret)
{
	struct netvsp_fake_packet packet;

	if (!netvsp_fake_next(f, ch, &packet, BUS_GUEST_MS))
		return false;
	assert(packet.msg_type == NVSP_MSG1_TYPE_SEND_RNDIS_PKT && packet.channel_type == RMC_DATA);
	if (packet.range_count != 1)
		return false;
	netvsp_fake_range(f, &packet, 0, ret);
	netvsp_fake_return(ch, packet.trans_id);
	return true;
}

/* --- Frames. --------------------------------------------------------------------------------- */

void netvsp_fake_frame(uint8_t *to, uint32_t len, unsigned int seed)
{
	memset(to, 0xff, 6);
	for (uint32_t i = 6; i < len; i++)
		to[i] = (uint8_t)(i * 7 + seed);
	/* Of a type that nobody knows. */
	to[12] = 0x88;
	to[13] = 0xb5;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

uint32_t netvsp_fake_segment(uint8_t *to, bool ip6, bool udp, uint32_t payload)
{
	const uint32_t network = 14, transport = network + (ip6 ? 40 : 20);
	const uint32_t header = udp ? 8 : 20, len = transport + header + payload;
	uint8_t *ip = to + network, *l4 = to + transport;

	memset(to, 0, transport + header);
	memcpy(to, netvsp_fake_mac, 6);
	to[6] = 2;
	put16(to + 12, ip6 ? 0x86dd : 0x0800);
	if (ip6) {
		ip[0] = 0x60;
		put16(ip + 4, len - transport);
		ip[6] = udp ? 17 : 6;
		ip[7] = 64;
		for (unsigned int i = 0; i < 32; i++)
			ip[8 + i] = (uint8_t)(0x20 + i);
	} else {
		ip[0] = 0x45;
		put16(ip + 2, len - network);
		ip[8] = 64;
		ip[9] = udp ? 17 : 6;
		memcpy(ip + 12, "\x0a\x00\x00\x01\x0a\x00\x00\x02", 8);
	}
	put16(l4, 1234);
	put16(l4 + 2, 80);
	if (udp)
		put16(l4 + 4, header + payload);
	else
		l4[12] = 0x50;
	for (uint32_t i = 0; i < payload; i++)
		l4[header + i] = (uint8_t)(i * 13 + 5);
	return len;
}

/* Byte by byte, as the RFC says it. */
static uint32_t add(uint32_t sum, const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

bool netvsp_fake_checksum_right(const uint8_t *frame, uint32_t len)
{
	const bool ip6 = frame[12] == 0x86;
	const uint8_t *ip = frame + 14;
	const uint32_t transport = 14 + (ip6 ? 40 : 20), l4 = len - transport;
	const uint8_t protocol[2] = {0, ip6 ? ip[6] : ip[9]};
	uint8_t length[2];
	uint32_t sum = ip6 ? add(0, ip + 8, 32) : add(0, ip + 12, 8);

	put16(length, l4);
	sum = add(sum, protocol, 2);
	sum = add(sum, length, 2);
	return add(sum, frame + transport, l4) == 0xffff && (ip6 || add(0, ip, 20) == 0xffff);
}
