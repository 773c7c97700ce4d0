// SPDX-License-Identifier: MIT
/* See netvsp_fake.h. */
#include "netvsp_fake.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING_PAGES 33u

const uint8_t netvsp_fake_mac[6] = {0x02, 0x15, 0x5d, 0x01, 0x02, 0x03};

/* --- The host. ------------------------------------------------------------------------------- */

static void on_link(void *ctx, bool up)
{
	struct netvsp_fake *f = ctx;

	atomic_fetch_add(up ? &f->links_up : &f->links_down, 1);
}

static void create_nic(void *arg)
{
	struct netvsp_fake *f = arg;
	struct loop *loops[NETVSP_FAKE_LOOPS];
	struct netvsp_config config = {
		.bus = f->guest.bus,
		.vm = "vm",
		.backend = &f->net,
		.mtu = f->config.mtu,
		.link_up = !f->config.link_down,
		.link_changed = on_link,
		.link_ctx = f,
		.loops = loops,
		.loop_count = f->config.loops,
		.queues_max = f->config.queues,
	};
	struct error err = {0};
	int r;

	memcpy(config.mac, netvsp_fake_mac, 6);
	for (unsigned int i = 0; i < f->config.loops; i++)
		loops[i] = f->loops[i].loop;
	r = netvsp_create(&config, &err, &f->netvsp);
	assert(r == 0);
}

void netvsp_fake_call(struct netvsp_fake *f, void (*function)(void *arg))
{
	bus_guest_call(&f->guest, function, f);
}

static void on_removed(void *ctx)
{
	struct netvsp_fake *f = ctx;

	atomic_store(&f->removed, true);
}

static void destroy_nic(void *arg)
{
	struct netvsp_fake *f = arg;

	netvsp_destroy(f->netvsp, on_removed, f);
}

void netvsp_fake_destroy_nic(struct netvsp_fake *f)
{
	f->destroyed = true;
	netvsp_fake_call(f, destroy_nic);
}

static const struct netvsp_fake_config defaults;

void netvsp_fake_init(struct netvsp_fake *f, const struct netvsp_fake_config *config)
{
	struct bus_guest_config guest = {0};

	memset(f, 0, sizeof(*f));
	f->config = config ? *config : defaults;
	if (!f->config.queues)
		f->config.queues = 1;
	if (!f->config.mtu)
		f->config.mtu = 1500;
	if (!f->config.version)
		f->config.version = NVSP_PROTOCOL_VERSION_61;
	if (!f->config.frame_max)
		f->config.frame_max = 1514;
	if (!f->config.recv_pages)
		f->config.recv_pages = 512;
	if (!f->config.send_pages)
		f->config.send_pages = 16;
	guest.pumped = f->config.pumped;
	net_fake_init(&f->net, f->config.queues);
	f->net.info.checksum = !f->config.no_checksum;
	f->net.info.tso = !f->config.no_tso;
	bus_guest_create(&f->guest, &guest);
	for (unsigned int i = 0; i < f->config.loops; i++)
		loop_thread_start(&f->loops[i], false);
	netvsp_fake_call(f, create_nic);
	bus_guest_connect(&f->guest, VERSION_WIN10_V5_3, &f->offer, 1);
	bus_guest_channel_init(&f->guest, &f->ch, &f->offer, RING_PAGES, 1);
	f->recv_gpa = bus_guest_pages(&f->guest, f->config.recv_pages);
	f->send_gpa = bus_guest_pages(&f->guest, f->config.send_pages);
	f->data_gpa = bus_guest_pages(&f->guest, 32);
}

void netvsp_fake_finish(struct netvsp_fake *f)
{
	if (!f->destroyed) {
		bus_guest_reset(&f->guest);
		netvsp_fake_destroy_nic(f);
	}
	for (unsigned int i = 0; !atomic_load(&f->removed); i++) {
		assert(i < BUS_GUEST_MS * 10);
		loop_thread_pump(&f->guest.thread);
		if (!f->config.pumped)
			usleep(100);
	}
	/* What is on its way between loops arrives. */
	for (unsigned int i = 0; i < f->config.loops; i++)
		loop_thread_pump(&f->loops[i]);
	bus_guest_destroy(&f->guest);
	for (unsigned int i = 0; i < f->config.loops; i++)
		loop_thread_stop(&f->loops[i]);
	net_fake_finish(&f->net);
}

/* --- NVSP. ----------------------------------------------------------------------------------- */

static uint32_t message_size(const struct netvsp_fake *f)
{
	return f->config.version >= NVSP_PROTOCOL_VERSION_61 ? NVSP_SIZE_61 : 32;
}

struct completion {
	struct vmpacket_descriptor head;
	uint8_t payload[64];
};

uint32_t netvsp_fake_ask(struct netvsp_fake *f, const struct nvsp_message *in,
			 struct nvsp_message *ret)
{
	const uint64_t id = ++f->trans_id;
	struct completion c;
	uint32_t len;
	bool ok = bus_guest_send(&f->ch, true, id, in, sizeof(*in));

	assert(ok);
	len = bus_guest_completion(&f->ch, id, &c, sizeof(c));
	if (len < sizeof(c.head))
		return 0;
	len -= (uint32_t)sizeof(c.head);
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, c.payload, min_of((size_t)len, sizeof(*ret)));
	return len;
}

void netvsp_fake_tell(struct netvsp_fake *f, const struct nvsp_message *in)
{
	bool ok = bus_guest_send(&f->ch, false, 0, in, sizeof(*in));

	assert(ok);
}

bool netvsp_fake_dead(struct netvsp_fake *f)
{
	for (unsigned int i = 0; i < BUS_GUEST_MS; i++) {
		if (counter_get(&netvsp_channel_counters(f->netvsp)->failures))
			return true;
		loop_thread_pump(&f->guest.thread);
		if (!f->config.pumped)
			usleep(1000);
		else if (i == 100)
			break;
	}
	return false;
}

/* --- Beginning. ------------------------------------------------------------------------------ */

void netvsp_fake_open(struct netvsp_fake *f)
{
	uint32_t status = bus_guest_open(&f->ch);

	assert(status == 0);
}

void netvsp_fake_agree(struct netvsp_fake *f)
{
	const struct nvsp_message init = {
		.msg_type = NVSP_MSG_TYPE_INIT,
		.init = {f->config.version, f->config.version},
	};
	const struct nvsp_message config = {
		.msg_type = NVSP_MSG2_TYPE_SEND_NDIS_CONFIG,
		.send_ndis_config = {.mtu = f->config.frame_max,
				     .capabilities = NVSP_CAPABILITY_IEEE8021Q |
						     NVSP_CAPABILITY_TEAMING | NVSP_CAPABILITY_RSC},
	};
	const struct nvsp_message ndis = {
		.msg_type = NVSP_MSG1_TYPE_SEND_NDIS_VER,
		.send_ndis_ver = {6, f->config.version >= NVSP_PROTOCOL_VERSION_5 ? 30 : 1},
	};
	struct nvsp_message out;
	uint32_t len = netvsp_fake_ask(f, &init, &out);

	assert(len >= NVSP_SIZE && out.msg_type == NVSP_MSG_TYPE_INIT_COMPLETE);
	assert(out.init_complete.status == NVSP_STAT_SUCCESS);
	if (f->config.version >= NVSP_PROTOCOL_VERSION_2)
		netvsp_fake_tell(f, &config);
	netvsp_fake_tell(f, &ndis);
}

static void make_gpadl(struct netvsp_fake *f, uint32_t *handle, uint64_t gpa, uint32_t pages)
{
	uint32_t status;

	*handle = f->guest.next_gpadl++;
	status = bus_guest_gpadl(&f->guest, f->ch.relid, *handle, gpa, pages);
	assert(status == 0);
}

void netvsp_fake_lend(struct netvsp_fake *f)
{
	struct nvsp_message in, out;
	uint32_t len;

	make_gpadl(f, &f->recv_gpadl, f->recv_gpa, f->config.recv_pages);
	make_gpadl(f, &f->send_gpadl, f->send_gpa, f->config.send_pages);
	in = (struct nvsp_message){.msg_type = NVSP_MSG1_TYPE_SEND_RECV_BUF,
				   .send_buf = {.gpadl_handle = f->recv_gpadl, .id = 0xcafe}};
	len = netvsp_fake_ask(f, &in, &out);
	assert(len >= NVSP_SIZE && out.msg_type == NVSP_MSG1_TYPE_SEND_RECV_BUF_COMPLETE);
	assert(out.send_recv_buf_complete.status == NVSP_STAT_SUCCESS);
	assert(out.send_recv_buf_complete.num_sections == 1);
	f->section_size = out.send_recv_buf_complete.sections[0].sub_alloc_size;
	f->section_count = out.send_recv_buf_complete.sections[0].num_sub_allocs;
	in = (struct nvsp_message){.msg_type = NVSP_MSG1_TYPE_SEND_SEND_BUF,
				   .send_buf = {.gpadl_handle = f->send_gpadl}};
	len = netvsp_fake_ask(f, &in, &out);
	assert(len == message_size(f) && out.msg_type == NVSP_MSG1_TYPE_SEND_SEND_BUF_COMPLETE);
	assert(out.send_send_buf_complete.status == NVSP_STAT_SUCCESS);
	assert(out.send_send_buf_complete.section_size == 6144);
}

void netvsp_fake_initialize(struct netvsp_fake *f)
{
	struct {
		struct rndis_header head;
		struct rndis_initialize_request body;
	} in = {{RNDIS_MSG_INIT, sizeof(in)}, {++f->req_id, 1, 0, 0x4000}};
	struct {
		struct rndis_header head;
		struct rndis_initialize_complete body;
	} out;
	uint32_t status = netvsp_fake_control(f, &in, sizeof(in)), len;

	assert(status == NVSP_STAT_SUCCESS);
	len = netvsp_fake_message(f, &out, sizeof(out));
	assert(len == sizeof(out) && out.body.req_id == f->req_id && !out.body.status);
	assert(out.head.msg_type == (RNDIS_MSG_INIT | RNDIS_MSG_COMPLETION));
}

void netvsp_fake_start(struct netvsp_fake *f, uint32_t filter)
{
	uint32_t status;

	netvsp_fake_open(f);
	netvsp_fake_agree(f);
	netvsp_fake_lend(f);
	netvsp_fake_initialize(f);
	status = netvsp_fake_set(f, OID_GEN_CURRENT_PACKET_FILTER, &filter, sizeof(filter));
	assert(!status);
}

void netvsp_fake_close(struct netvsp_fake *f)
{
	bool ok;

	bus_guest_close(&f->ch);
	bus_guest_post_teardown(&f->guest, f->ch.relid, f->recv_gpadl);
	ok = bus_guest_expect(&f->guest, CHANNELMSG_GPADL_TORNDOWN, NULL);
	assert(ok);
	bus_guest_post_teardown(&f->guest, f->ch.relid, f->send_gpadl);
	ok = bus_guest_expect(&f->guest, CHANNELMSG_GPADL_TORNDOWN, NULL);
	assert(ok);
}

void netvsp_fake_open_subs(struct netvsp_fake *f, unsigned int count)
{
	const struct nvsp_message in = {
		.msg_type = NVSP_MSG5_TYPE_SUBCHANNEL,
		.subchn_req = {NVSP_SUBCHANNEL_ALLOCATE, count},
	};
	struct netvsp_fake_packet packet;
	struct nvsp_message out;
	uint32_t len = netvsp_fake_ask(f, &in, &out);
	bool ok;

	assert(len && out.msg_type == NVSP_MSG5_TYPE_SUBCHANNEL && count <= NETVSP_FAKE_SUBS);
	assert(out.subchn_comp.status == NVSP_STAT_SUCCESS);
	assert(out.subchn_comp.num_subchannels == count);
	for (unsigned int i = 0; i < count; i++) {
		union bus_guest_message m;

		ok = bus_guest_expect(&f->guest, CHANNELMSG_OFFERCHANNEL, &m);
		assert(ok && m.offer.offer.sub_channel_index == i + 1);
		if (!f->subs[i].pages)
			bus_guest_channel_init(&f->guest, &f->subs[i], &m.offer, RING_PAGES,
					       (i + 2) % 4);
		f->subs[i].relid = m.offer.child_relid;
		f->subs[i].connection_id = m.offer.connection_id;
		f->subs[i].event_flag = (uint16_t)m.offer.child_relid;
	}
	for (unsigned int i = 0; i < count; i++) {
		uint32_t status = bus_guest_open(&f->subs[i]);

		assert(status == 0);
	}
	/* The table of channels comes when all are open. */
	ok = netvsp_fake_next(f, &f->ch, &packet, BUS_GUEST_MS);
	assert(ok && packet.msg_type == NVSP_MSG5_TYPE_SEND_INDIRECTION_TABLE);
	assert(packet.payload[1] == 16 && packet.payload[2] == 40);
	assert(packet.payload[10 + 1] == 1 % (count + 1));
}

/* --- Packets of the host's. ------------------------------------------------------------------ */

static struct {
	struct vmpacket_descriptor head;
	uint8_t bytes[8192];
} raw;

bool netvsp_fake_next(struct netvsp_fake *f, struct bus_guest_channel *ch,
		      struct netvsp_fake_packet *ret, unsigned int ms)
{
	uint32_t offset, len = bus_guest_receive(ch, &raw, sizeof(raw), ms);
	struct vmtransfer_page_list list;

	(void)f;
	if (!len)
		return false;
	assert(raw.head.type != VM_PKT_COMP);
	offset = raw.head.offset8 * 8u;
	*ret = (struct netvsp_fake_packet){.type = raw.head.type, .trans_id = raw.head.trans_id};
	ret->payload_len = len - offset;
	memcpy(ret->payload, (const uint8_t *)&raw + offset,
	       min_of((size_t)ret->payload_len, sizeof(ret->payload)));
	ret->msg_type = ret->payload[0];
	ret->channel_type = ret->payload[1];
	if (ret->type != VM_PKT_DATA_USING_XFER_PAGES)
		return true;
	memcpy(&list, raw.bytes, sizeof(list));
	assert(list.xfer_pageset_id == 0xcafe && list.range_cnt <= ARRAY_SIZE(ret->ranges));
	assert(offset >= sizeof(raw.head) + sizeof(list) + list.range_cnt * 8);
	ret->range_count = list.range_cnt;
	memcpy(ret->ranges, raw.bytes + sizeof(list), list.range_cnt * sizeof(ret->ranges[0]));
	for (unsigned int i = 0; i < ret->range_count; i++) {
		assert(ret->ranges[i].byte_offset % f->section_size == 0);
		assert(ret->ranges[i].byte_offset / f->section_size < f->section_count);
		assert(ret->ranges[i].byte_count <= f->section_size);
	}
	return true;
}

void netvsp_fake_return(struct bus_guest_channel *ch, uint64_t trans_id)
{
	const uint32_t body[2] = {NVSP_MSG1_TYPE_SEND_RNDIS_PKT_COMPLETE, NVSP_STAT_SUCCESS};
	bool ok = bus_guest_send_list(ch, VM_PKT_COMP, 0, trans_id, NULL, 0, body, sizeof(body));

	assert(ok);
}

uint32_t netvsp_fake_message(struct netvsp_fake *f, void *ret, uint32_t max)
{
	struct netvsp_fake_packet packet;
	uint32_t len;

	if (!netvsp_fake_next(f, &f->ch, &packet, BUS_GUEST_MS))
		return 0;
	assert(packet.msg_type == NVSP_MSG1_TYPE_SEND_RNDIS_PKT && packet.range_count == 1);
	assert(packet.channel_type == RMC_CONTROL);
	len = packet.ranges[0].byte_count;
	assert(len <= max);
	netvsp_fake_copy(ret,
			 bus_guest_host(&f->guest, f->recv_gpa + packet.ranges[0].byte_offset, len),
			 len);
	netvsp_fake_return(&f->ch, packet.trans_id);
	return len;
}

/* --- RNDIS control. -------------------------------------------------------------------------- */

uint32_t netvsp_fake_control(struct netvsp_fake *f, const void *message, uint32_t len)
{
	const struct nvsp_message in = {
		.msg_type = NVSP_MSG1_TYPE_SEND_RNDIS_PKT,
		.send_rndis_pkt = {RMC_CONTROL, NVSP_SECTION_NONE, 0},
	};
	const uint64_t list[3] = {(uint64_t)1 << 32, len, f->data_gpa / PAGE_SIZE},
		       id = ++f->trans_id;
	bool ok;

	assert(len <= PAGE_SIZE);
	netvsp_fake_copy(bus_guest_host(&f->guest, f->data_gpa, len), message, len);
	ok = bus_guest_send_list(&f->ch, VM_PKT_DATA_USING_GPA_DIRECT, 1, id, list, sizeof(list),
				 &in, sizeof(in));
	assert(ok);
	return netvsp_fake_status(&f->ch, id);
}

uint32_t netvsp_fake_query(struct netvsp_fake *f, uint32_t oid, void *ret, uint32_t max,
			   uint32_t *ret_len)
{
	struct {
		struct rndis_header head;
		struct rndis_oid_request body;
	} in = {{RNDIS_MSG_QUERY, sizeof(in)}, {++f->req_id, oid, 0, sizeof(in.body), 0}};
	struct {
		struct rndis_header head;
		struct rndis_query_complete body;
		uint8_t info[512];
	} out;
	uint32_t status = netvsp_fake_control(f, &in, sizeof(in)), len;

	assert(status == NVSP_STAT_SUCCESS);
	len = netvsp_fake_message(f, &out, sizeof(out));
	assert(len >= 24 && out.body.req_id == f->req_id && out.head.msg_len == len);
	assert(out.body.info_buf_offset == 16 && out.body.info_buflen == len - 24);
	*ret_len = out.body.info_buflen;
	memcpy(ret, out.info, min_of(max, out.body.info_buflen));
	return out.body.status;
}

uint32_t netvsp_fake_set(struct netvsp_fake *f, uint32_t oid, const void *info, uint32_t len)
{
	struct {
		struct rndis_header head;
		struct rndis_oid_request body;
		uint8_t info[1024];
	} in = {{RNDIS_MSG_SET, 28 + len}, {++f->req_id, oid, len, sizeof(in.body), 0}, {0}};
	struct {
		struct rndis_header head;
		struct rndis_complete body;
	} out;
	uint32_t status, got;

	assert(len <= sizeof(in.info));
	if (len)
		memcpy(in.info, info, len);
	status = netvsp_fake_control(f, &in, 28 + len);
	assert(status == NVSP_STAT_SUCCESS);
	got = netvsp_fake_message(f, &out, sizeof(out));
	assert(got == sizeof(out) && out.body.req_id == f->req_id);
	assert(out.head.msg_type == (RNDIS_MSG_SET | RNDIS_MSG_COMPLETION));
	return out.body.status;
}

void netvsp_fake_offload(struct netvsp_fake *f, bool rsc)
{
	const struct ndis_offload_params params = {
		.header = {NDIS_OBJECT_TYPE_DEFAULT, 3, sizeof(params)},
		.ip_v4_csum = NDIS_OFFLOAD_TX_RX_DISABLED,
		.tcp_ip_v4_csum = NDIS_OFFLOAD_TX_RX_ENABLED,
		.udp_ip_v4_csum = NDIS_OFFLOAD_TX_RX_ENABLED,
		.tcp_ip_v6_csum = NDIS_OFFLOAD_TX_RX_ENABLED,
		.udp_ip_v6_csum = NDIS_OFFLOAD_TX_RX_ENABLED,
		.lso_v2_ipv4 = NDIS_OFFLOAD_ENABLED,
		.lso_v2_ipv6 = NDIS_OFFLOAD_ENABLED,
		.rsc_ip_v4 = rsc ? NDIS_OFFLOAD_ENABLED : NDIS_OFFLOAD_DISABLED,
		.rsc_ip_v6 = rsc ? NDIS_OFFLOAD_ENABLED : NDIS_OFFLOAD_DISABLED,
	};
	uint32_t status = netvsp_fake_set(f, OID_TCP_OFFLOAD_PARAMETERS, &params, sizeof(params));
	struct {
		struct rndis_header head;
		struct rndis_indicate_status body;
		struct ndis_offload offload;
	} out;
	uint32_t len = netvsp_fake_message(f, &out, sizeof(out));

	assert(!status && len > 20 && out.head.msg_type == RNDIS_MSG_INDICATE);
	assert(out.body.status == RNDIS_STATUS_OFFLOAD_CONFIG);
}
