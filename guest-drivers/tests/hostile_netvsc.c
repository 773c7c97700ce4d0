// SPDX-License-Identifier: MIT
/*
 * A network driver that means harm: messages of NVSP and RNDIS that there are not, or not now;
 * lengths and offsets that lie; frames whose headers say other things than the driver does;
 * sections and pages that are nobody's; contents that change while they are looked at; buffers that
 * are taken back in use. After each a well-behaved driver is served on the same channel. What harm
 * would be done to the host's process is seen there: best with a build that has sanitizers.
 *
 * Parameters: n=N (packets of each race, default 200), seed=N.
 */
#include "devices/nvsp_proto.h"
#include "devices/rndis_proto.h"
#include "kit/hv.h"
#include "kit/kit.h"
#include "kit/vmbus.h"

#define PAGES        3u
#define OFFERS       8u
#define BUFFER_PAGES 24u
#define SECTION      6144u
#define FRAME        200u

/* f8615163-df3e-46c5-913f-f2d2f965ed0e */
static const struct vmbus_guid net_class = {{0x63, 0x51, 0x61, 0xf8, 0x3e, 0xdf, 0xc5, 0x46, 0x91,
					     0x3f, 0xf2, 0xd2, 0xf9, 0x65, 0xed, 0x0e}};

static struct vmbus_channel nic;
static uint8_t *recv_buf, *send_buf, *data;
static uint64_t random_state;
static unsigned int rounds;
static uint64_t trans_id;

static uint32_t random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 16);
}

/*
 * --- The well-behaved driver. -------------------------------------------------------------------
 */

struct packet {
	struct vmpacket_descriptor head;
	uint8_t bytes[512];
};

static void give_back(uint64_t id)
{
	const struct vmpacket_descriptor head = {
		.type = VM_PKT_COMP, .offset8 = 2, .len8 = 3, .trans_id = id};
	const uint32_t body[2] = {NVSP_MSG1_TYPE_SEND_RNDIS_PKT_COMPLETE, NVSP_STAT_SUCCESS};

	(void)vmbus_write(&nic, &head, body, sizeof(body));
	vmbus_signal(&nic);
}

/* The completion of @id; what else comes is given back. */
static bool await(uint64_t id, struct nvsp_message *ret)
{
	struct packet p;

	for (unsigned int i = 0; i < 64; i++) {
		uint32_t len = vmbus_receive(&nic, &p, sizeof(p), VMBUS_MS);

		if (!len)
			return false;
		if (p.head.type == VM_PKT_COMP && p.head.trans_id == id) {
			memset(ret, 0, sizeof(*ret));
			memcpy(ret, p.bytes, len - 16 < sizeof(*ret) ? len - 16 : sizeof(*ret));
			return true;
		}
		if (p.head.type == VM_PKT_DATA_USING_XFER_PAGES)
			give_back(p.head.trans_id);
	}
	return false;
}

static bool ask(const struct nvsp_message *in, struct nvsp_message *ret)
{
	const uint64_t id = ++trans_id;

	return vmbus_send(&nic, id, in, sizeof(*in)) && await(id, ret);
}

static struct nvsp_message message(uint32_t type, uint32_t a, uint32_t b)
{
	return (struct nvsp_message){.msg_type = type, .init = {a, b}};
}

static bool agree(void)
{
	struct nvsp_message in = message(NVSP_MSG_TYPE_INIT, NVSP_PROTOCOL_VERSION_61, 0), out;

	if (!ask(&in, &out) || out.init_complete.status != NVSP_STAT_SUCCESS)
		return false;
	in = (struct nvsp_message){
		.msg_type = NVSP_MSG2_TYPE_SEND_NDIS_CONFIG,
		.send_ndis_config = {1514, 0, NVSP_CAPABILITY_IEEE8021Q | NVSP_CAPABILITY_RSC, 0}};
	if (!ask(&in, &out))
		return false;
	in = message(NVSP_MSG1_TYPE_SEND_NDIS_VER, 6, 30);
	return ask(&in, &out);
}

static bool lend(void)
{
	struct nvsp_message in = message(NVSP_MSG1_TYPE_SEND_RECV_BUF, 0x21, 0xcafe), out;

	if (vmbus_lend(nic.relid, 0x21, (uintptr_t)recv_buf, BUFFER_PAGES) ||
	    vmbus_lend(nic.relid, 0x22, (uintptr_t)send_buf, BUFFER_PAGES) || !ask(&in, &out) ||
	    out.send_recv_buf_complete.status != NVSP_STAT_SUCCESS)
		return false;
	in = message(NVSP_MSG1_TYPE_SEND_SEND_BUF, 0x22, 0);
	return ask(&in, &out) && out.send_send_buf_complete.status == NVSP_STAT_SUCCESS;
}

/* RNDIS in section @section, or if that is none, in pages. */
struct gpa_packet {
	struct vmpacket_descriptor head;
	struct vmdata_gpa_direct_list list;
	struct gpa_range range;
	uint64_t pfns[3];
	struct nvsp_message message;
};

static struct gpa_packet in_pages(uint32_t channel_type, const void *bytes, uint32_t len)
{
	return (struct gpa_packet){
		.head = {.type = VM_PKT_DATA_USING_GPA_DIRECT,
			 .offset8 = offsetof(struct gpa_packet, message) / 8,
			 .len8 = sizeof(struct gpa_packet) / 8,
			 .flags = VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED,
			 .trans_id = ++trans_id},
		.list = {.range_cnt = 1},
		.range = {.byte_count = len,
			  .byte_offset = (uint32_t)((uintptr_t)bytes % PAGE_SIZE)},
		.pfns = {(uintptr_t)bytes / PAGE_SIZE, (uintptr_t)bytes / PAGE_SIZE + 1,
			 (uintptr_t)bytes / PAGE_SIZE + 2},
		.message = {.msg_type = NVSP_MSG1_TYPE_SEND_RNDIS_PKT,
			    .send_rndis_pkt = {channel_type, NVSP_SECTION_NONE, 0}},
	};
}

static void send_pages(const struct gpa_packet *p)
{
	(void)vmbus_write(&nic, &p->head, &p->list, sizeof(*p) - sizeof(p->head));
	vmbus_signal(&nic);
}

static uint32_t control(const void *bytes, uint32_t len)
{
	const struct gpa_packet p = in_pages(RMC_CONTROL, data, len);
	struct nvsp_message out;

	memcpy(data, bytes, len);
	send_pages(&p);
	return await(p.head.trans_id, &out) ? out.send_rndis_pkt_complete.status : 0;
}

static bool initialize(void)
{
	const uint32_t init[6] = {RNDIS_MSG_INIT, 24, 1, 1, 0, 0x4000};
	const uint32_t filter[8] = {RNDIS_MSG_SET,
				    32,
				    2,
				    OID_GEN_CURRENT_PACKET_FILTER,
				    4,
				    20,
				    0,
				    NDIS_PACKET_TYPE_PROMISCUOUS};

	return control(init, sizeof(init)) == NVSP_STAT_SUCCESS &&
	       control(filter, sizeof(filter)) == NVSP_STAT_SUCCESS;
}

/* A frame of UDP, wrapped; its length. */
static uint32_t wrap(uint8_t *to, uint32_t info, uint32_t value)
{
	const uint32_t head[11] = {
		RNDIS_MSG_PACKET, 44 + 16 + FRAME, 36 + 16, FRAME, 0, 0, 0, 36, 16};
	const uint32_t ppi[4] = {16, info, 12, value};
	static const uint8_t frame[] = {255, 255, 255, 255,  255, 255, 2,          0, 0,  0, 0,
					1,   8,   0,   0x45, 0,   0,   FRAME - 14, 0, 0,  0, 0,
					64,  17,  0,   0,    10,  0,   0,          1, 10, 0, 0,
					2,   0,   7,   0,    7,   0,   FRAME - 34};

	memcpy(to, head, sizeof(head));
	memcpy(to + 44, ppi, sizeof(ppi));
	memset(to + 60, 0, FRAME);
	memcpy(to + 60, frame, sizeof(frame));
	return 60 + FRAME;
}

static uint32_t send_frame(void)
{
	const uint32_t len = wrap(send_buf, NDIS_PPI_CHECKSUM, 0);
	const struct nvsp_message in = {.msg_type = NVSP_MSG1_TYPE_SEND_RNDIS_PKT,
					.send_rndis_pkt = {RMC_DATA, 0, len}};
	struct nvsp_message out;

	return ask(&in, &out) ? out.send_rndis_pkt_complete.status : 0;
}

static bool open_nic(void)
{
	return expect_eq(vmbus_open(&nic), VMBUS_STATUS_SUCCESS) && expect(agree()) &&
	       expect(lend()) && expect(initialize());
}

/* The buffers go with the channel, or went before. */
static void close_nic(void)
{
	union vmbus_message m;

	vmbus_post_relid(CHANNELMSG_CLOSECHANNEL, nic.relid);
	vmbus_post_teardown(nic.relid, nic.gpadl);
	do {
		if (!expect(vmbus_await(CHANNELMSG_GPADL_TORNDOWN, &m)))
			return;
	} while (m.torndown.gpadl != nic.gpadl);
	vmbus_post_teardown(nic.relid, 0x21);
	vmbus_post_teardown(nic.relid, 0x22);
	vmbus_skip();
}

static bool connect(void)
{
	struct vmbus_channel_offer_channel offers[OFFERS];
	unsigned int count;

	vmbus_skip();
	if (!vmbus_contact(VERSION_WIN10_V5_3) && !vmbus_contact(VERSION_WIN10))
		return false;
	count = vmbus_offers(offers, OFFERS);
	for (unsigned int i = 0; i < count && i < OFFERS; i++) {
		if (memcmp(&offers[i].offer.if_type, &net_class, sizeof(net_class)) != 0)
			continue;
		if (!nic.pages)
			vmbus_channel_init(&nic, &offers[i], PAGES);
		nic.relid = offers[i].child_relid;
		nic.connection_id = offers[i].connection_id;
		nic.gpadl = 0x1000 + nic.relid;
		return true;
	}
	return false;
}

static void expect_service(const char *after)
{
	vmbus_skip();
	expect(connect());
	if (open_nic()) {
		expect_eq(send_frame(), NVSP_STAT_SUCCESS);
		close_nic();
	}
	test_case("served after %s", after);
}

/*
 * --- NVSP. --------------------------------------------------------------------------------------
 */

static void test_messages(void)
{
	for (uint32_t type = 0; type < 140; type += type == 3 ? 96 : 1) {
		for (unsigned int stage = 0; stage < 2; stage++) {
			struct nvsp_message in = message(type, random(), random());

			if (stage ? !open_nic()
				  : !expect_eq(vmbus_open(&nic), VMBUS_STATUS_SUCCESS))
				return;
			(void)vmbus_send(&nic, 3, &in, 8 + 8 * (random() % 5));
			(void)vmbus_send(&nic, 4, &in, sizeof(in));
			close_nic();
		}
	}
	expect_service("messages that there are not, or not now");
}

static void test_buffers(void)
{
	static const uint32_t handles[] = {0, 0x21, 0x22, 0x7777, UINT32_MAX};

	for (unsigned int i = 0; i < 30; i++) {
		struct nvsp_message in = message(NVSP_MSG1_TYPE_SEND_RECV_BUF + 3 * (i & 1),
						 handles[i / 2 % ARRAY_SIZE(handles)], random());

		if (!expect_eq(vmbus_open(&nic), VMBUS_STATUS_SUCCESS))
			return;
		expect(agree());
		vmbus_lend(nic.relid, 0x21, (uintptr_t)recv_buf, 1 + i % BUFFER_PAGES);
		(void)vmbus_send(&nic, 5, &in, sizeof(in));
		if (i % 3 == 0)
			vmbus_post_teardown(nic.relid, 0x21);
		if (i % 3 == 1)
			(void)vmbus_send(&nic, 6, &in, sizeof(in));
		close_nic();
	}
	expect_service("buffers that are none, or asked for twice");
}

/* Taken back while they are used, and used after they were taken back. */
static void test_revocation(void)
{
	const struct nvsp_message recv = message(NVSP_MSG1_TYPE_REVOKE_RECV_BUF, 0xcafe, 0);
	const struct nvsp_message send = message(NVSP_MSG1_TYPE_REVOKE_SEND_BUF, 0, 0);
	const struct nvsp_message frame = {.msg_type = NVSP_MSG1_TYPE_SEND_RNDIS_PKT,
					   .send_rndis_pkt = {RMC_DATA, 0, 260}};

	for (unsigned int i = 0; i < 16; i++) {
		if (!open_nic())
			return;
		wrap(send_buf, NDIS_PPI_CHECKSUM, 0);
		vmbus_post_teardown(nic.relid, i & 1 ? 0x21 : 0x22);
		for (unsigned int n = 0; n < 8; n++)
			(void)vmbus_send(&nic, 7, &frame, sizeof(frame));
		(void)vmbus_send(&nic, 8, i & 2 ? &recv : &send, sizeof(recv));
		for (unsigned int n = 0; n < 8; n++)
			(void)vmbus_send(&nic, 7, &frame, sizeof(frame));
		if (i & 4)
			(void)vmbus_send(&nic, 9, i & 8 ? &recv : &send, sizeof(recv));
		close_nic();
	}
	expect_service("buffers that are taken back in use");
}

static void test_completions(void)
{
	for (unsigned int i = 0; i < 8; i++) {
		if (!open_nic())
			return;
		give_back(i < 4 ? i : (uint64_t)random() << 32 | random());
		close_nic();
	}
	expect_service("completions of nothing");
}

/*
 * --- RNDIS. -------------------------------------------------------------------------------------
 */

static const uint32_t values[] = {
	0,   1,    3,         11,         19,         35,         43,         44,
	255, 4095, 0x7ffffff, 0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffffc, UINT32_MAX};

static void test_control(void)
{
	static const uint32_t oids[] = {OID_GEN_CURRENT_PACKET_FILTER,
					OID_GEN_RNDIS_CONFIG_PARAMETER,
					OID_GEN_RECEIVE_SCALE_PARAMETERS,
					OID_TCP_OFFLOAD_PARAMETERS,
					OID_802_3_MULTICAST_LIST,
					OID_GEN_SUPPORTED_LIST,
					0x010c0001, /* a switch's, for hosts alone */
					0xffffffff};

	if (!open_nic())
		return;
	for (unsigned int n = 0; n < 16 * ARRAY_SIZE(values); n++) {
		uint32_t m[64] = {n & 1 ? RNDIS_MSG_SET : RNDIS_MSG_QUERY, 256, n,
				  oids[n / 2 % ARRAY_SIZE(oids)],          228, 20};

		for (unsigned int i = 7; i < ARRAY_SIZE(m); i++)
			m[i] = n & 4 ? random() : values[(n + i) % ARRAY_SIZE(values)];
		if (n % 16 < 6)
			m[n % 16] = values[n / 16];
		expect(control(m, n % 16 == 15 ? 28 : sizeof(m)));
		/* One of them may have been a halt. */
		if (m[0] == RNDIS_MSG_HALT)
			(void)initialize();
	}
	close_nic();
	expect_service("RNDIS messages of every wrong kind");
}

static void test_frames(void)
{
	static const uint32_t infos[] = {NDIS_PPI_CHECKSUM, NDIS_PPI_LSO, NDIS_PPI_8021Q,
					 RNDIS_PKTINFO_ID};

	if (!open_nic())
		return;
	for (unsigned int n = 0; n < 24 * ARRAY_SIZE(values); n++) {
		const uint32_t len = wrap(send_buf + 2 * SECTION, infos[n % 4], random());
		const struct nvsp_message in = {.msg_type = NVSP_MSG1_TYPE_SEND_RNDIS_PKT,
						.send_rndis_pkt = {RMC_DATA, 2, len}};
		struct nvsp_message out;

		memcpy(send_buf + 2 * SECTION + n % 24 * 4, &values[n / 24], 4);
		expect(ask(&in, &out) && out.send_rndis_pkt_complete.status);
	}
	close_nic();
	expect_service("frames of every wrong kind");
}

static void test_places(void)
{
	if (!open_nic())
		return;
	for (unsigned int n = 0; n < 3 * ARRAY_SIZE(values); n++) {
		const uint32_t v = values[n / 3];
		struct nvsp_message in = {.msg_type = NVSP_MSG1_TYPE_SEND_RNDIS_PKT,
					  .send_rndis_pkt = {n % 3, v, 6000}};
		struct nvsp_message out;

		if (n % 3 == 1)
			in.send_rndis_pkt = (struct nvsp_1_message_send_rndis_packet){0, 1, v};
		if (in.send_rndis_pkt.send_buf_section_index == NVSP_SECTION_NONE)
			continue;
		expect(ask(&in, &out) && out.send_rndis_pkt_complete.status);
	}
	close_nic();
	for (unsigned int n = 0; n < 4 * ARRAY_SIZE(values); n++) {
		struct gpa_packet p;

		if (n % 8 == 0 && !open_nic())
			return;
		p = in_pages(n % 3, data, wrap(data, 0, 0));
		if (n % 4 == 0)
			p.list.range_cnt = values[n / 4];
		else if (n % 4 == 1)
			p.range.byte_count = values[n / 4];
		else if (n % 4 == 2)
			p.range.byte_offset = values[n / 4];
		else
			p.pfns[0] = (uint64_t)values[n / 4] << 20 | values[n / 4];
		send_pages(&p);
		if (n % 8 == 7)
			close_nic();
	}
	expect_service("sections and pages that are nobody's");
}

/*
 * --- Contents that change while they are looked at. ---------------------------------------------
 */

static uint32_t race_stop;

/* On another VP: header, per-packet information, or the frame's own headers. */
static void spoil(void *arg)
{
	const uintptr_t kind = (uintptr_t)arg;
	uint32_t n = 0;

	while (!load_acquire(&race_stop)) {
		volatile uint32_t *at = (volatile uint32_t *)(kind & 4 ? data : send_buf);

		n++;
		at[(kind & 3) == 0   ? n % 11
		   : (kind & 3) == 1 ? 11 + n % 4
		   : (kind & 3) == 2 ? 15 + n % 12
				     : n % 65] ^= n * 0x01010101;
	}
}

static void race(uintptr_t kind, const char *what)
{
	if (!open_nic())
		return;
	for (unsigned int i = 0; i < rounds; i++) {
		const uint32_t info = i % 3 == 0   ? NDIS_PPI_CHECKSUM
				      : i % 3 == 1 ? NDIS_PPI_LSO
						   : NDIS_PPI_8021Q;
		const uint32_t len =
			wrap(kind & 4 ? data : send_buf, info,
			     info == NDIS_PPI_CHECKSUM ? NDIS_TXCSUM_IS_IPV4 | NDIS_TXCSUM_UDP
						       : 100 | NDIS_LSO_V2);
		const struct nvsp_message in = {.msg_type = NVSP_MSG1_TYPE_SEND_RNDIS_PKT,
						.send_rndis_pkt = {RMC_DATA, 0, len}};
		const struct gpa_packet p = in_pages(RMC_DATA, data, len);
		struct nvsp_message out;

		store_release(&race_stop, 0);
		if (cpu_count() > 1)
			smp_call_others(spoil, (void *)kind);
		if (kind & 4)
			send_pages(&p);
		else
			(void)vmbus_send(&nic, p.head.trans_id, &in, sizeof(in));
		expect(await(p.head.trans_id, &out));
		store_release(&race_stop, 1);
		expect(smp_wait_all(10000));
	}
	close_nic();
	expect_service(what);
}

static void test_storm(void)
{
	for (unsigned int i = 0; i < 40; i++) {
		const uint32_t len = wrap(send_buf, NDIS_PPI_CHECKSUM, 0);
		const struct nvsp_message in = {.msg_type = NVSP_MSG1_TYPE_SEND_RNDIS_PKT,
						.send_rndis_pkt = {RMC_DATA, 0, len}};

		if (i % 4 == 0 && !open_nic())
			break;
		for (unsigned int n = 0; n < 20; n++)
			(void)vmbus_send(&nic, n, &in, sizeof(in));
		if (i % 4 == 3) {
			if (i % 8 == 7)
				vmbus_unload();
			else
				close_nic();
			expect(connect());
		}
	}
	expect_service("a storm of frames and closing");
}

void test_main(void)
{
	hv_init();
	if (!hv_eax(HV_EAX_SYNIC))
		skip_all("SynIC is not announced");
	vmbus_init();
	if (hv_post(VMBUS_MESSAGE_CONNECTION_ID, VMBUS_MESSAGE_TYPE, "", 0) ==
	    HV_STATUS_INVALID_CONNECTION_ID)
		skip_all("there is no VMBus");
	if (!connect())
		skip_all("no network is offered");
	random_state = param_u64("seed", 0x9e3779b97f4a7c15);
	rounds = (unsigned int)param_u64("n", 200);
	recv_buf = page_alloc(BUFFER_PAGES);
	send_buf = page_alloc(BUFFER_PAGES);
	data = page_alloc(4);
	if (cpu_count() > 1 && !smp_start_all(20000))
		bail_out("not all CPUs start");
	expect_service("nothing");
	test_messages();
	test_buffers();
	test_revocation();
	test_completions();
	test_control();
	test_frames();
	test_places();
	race(0, "headers that change");
	race(1, "information that changes");
	race(2, "frames that change");
	race(3, "sections that change");
	race(7, "pages that change");
	test_storm();
	vmbus_unload();
	hv_synic_off(NULL);
	irq_disable();
}
