// SPDX-License-Identifier: MIT
/*
 * A network interface, fed with packets of a guest on its primary channel and sub-channels: NVSP
 * and RNDIS, control and data, in any order and malformed, while frames come in and stay on their
 * way out, buffers are lent, revoked and torn down in use, their contents change, and the link, the
 * channels and the machine's pauses come and go. Whatever is sent, a reset ends everything, and a
 * well-behaved guest after it is served.
 *
 * One thread, by pumping the loop. The input is a byte on how far a well-behaved guest had come,
 * then commands of one byte, whose high half names a channel, with arguments; see
 * make-netvsp-corpus.
 */
#include <assert.h>
#include <string.h>

#include "fuzz_input.h"
#include "../unit/netvsp_fake.h"
#include "vmm/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define QUEUES   4u
#define WAITING  200u
#define FILTER   (NDIS_PACKET_TYPE_PROMISCUOUS)
#define MESSAGES 2048u

enum {
	OP_NVSP,
	OP_CONTROL,
	OP_DATA,
	OP_SECTION,
	OP_COMPLETE,
	OP_FRAME,
	OP_BACKEND,
	OP_MACHINE,
	OP_OPEN,
	OP_CLOSE,
	OP_GPADL,
	OP_TEARDOWN,
	OP_READ,
	OP_POKE,
	OP_PUMP,
	OP_OFFLOAD,
};

static struct netvsp_fake f;

/* --- Messages of the control plane. ---------------------------------------------------------- */

static void on_offer(const struct vmbus_channel_offer_channel *offer)
{
	const unsigned int i = offer->offer.sub_channel_index;
	struct bus_guest_channel *sub;

	if (!i || i > NETVSP_FAKE_SUBS)
		return;
	sub = &f.subs[i - 1];
	if (!sub->pages)
		bus_guest_channel_init(&f.guest, sub, offer, 3, i % 4);
	sub->relid = offer->child_relid;
	sub->connection_id = offer->connection_id;
	sub->event_flag = (uint16_t)offer->child_relid;
}

static void settle(void)
{
	struct synic_fake_message taken;
	bool more;

	do {
		loop_thread_pump(&f.guest.thread);
		for (more = false; synic_fake_take(f.guest.hv, &taken, 0); more = true) {
			union bus_guest_message m = {0};

			memcpy(&m, taken.payload, min_of((size_t)taken.len, sizeof(m)));
			if (m.header.msgtype == CHANNELMSG_OFFERCHANNEL)
				on_offer(&m.offer);
			else if (m.header.msgtype == CHANNELMSG_RESCIND_CHANNELOFFER)
				bus_guest_post_relid(&f.guest, CHANNELMSG_RELID_RELEASED,
						     m.relid.child_relid);
		}
	} while (more);
}

static struct bus_guest_channel *a_channel(unsigned int n)
{
	struct bus_guest_channel *ch = n % QUEUES ? &f.subs[n % QUEUES - 1] : &f.ch;

	return ch->out.mem ? ch : NULL;
}

/* --- Commands. ------------------------------------------------------------------------------- */

static void op_nvsp(struct bus_guest_channel *ch, struct input *in)
{
	const uint8_t kind = u8(in);
	uint32_t payload[12] = {0};

	payload[0] = kind & 0x80 ? u32(in) : 1 + u8(in);
	if (payload[0] > 2 && !(kind & 0x80))
		payload[0] += 97;
	take(in, payload + 1, kind & 0x1c);
	(void)bus_guest_send(ch, kind & 1, u8(in), payload, kind & 2 ? 32 : 40);
}

/* A message for RNDIS, in pages that are there. */
static void send_pages(struct bus_guest_channel *ch, uint32_t channel_type, uint32_t section,
		       uint32_t section_len, const void *bytes, uint32_t len, uint32_t offset)
{
	const uint32_t payload[10] = {NVSP_MSG1_TYPE_SEND_RNDIS_PKT, channel_type, section,
				      section_len};
	uint64_t list[2 + 20] = {(uint64_t)1 << 32, len | (uint64_t)offset << 32};
	const uint32_t pages = (offset + len + PAGE_SIZE - 1) / PAGE_SIZE;

	assert(pages <= 20 && len);
	memcpy((uint8_t *)bus_guest_host(&f.guest, f.data_gpa, 20 * PAGE_SIZE) + offset, bytes,
	       len);
	for (uint32_t i = 0; i < pages; i++)
		list[2 + i] = f.data_gpa / PAGE_SIZE + i;
	(void)bus_guest_send_list(ch, VM_PKT_DATA_USING_GPA_DIRECT, 1, ++f.trans_id, list,
				  16 + 8 * pages, payload, sizeof(payload));
}

static void op_control(struct bus_guest_channel *ch, struct input *in)
{
	uint8_t message[256 + 28];
	const uint8_t len = u8(in), kind = u8(in);
	uint32_t head[7] = {kind & 15, 28u + len, 1, 0, len, 20, 0};

	head[3] = kind & 0x10 ? u32(in) : 0;
	if (kind & 0x20)
		head[1] = u32(in);
	if (kind & 0x40) {
		head[4] = u32(in);
		head[5] = u32(in);
	}
	memcpy(message, head, sizeof(head));
	take(in, message + sizeof(head), len);
	if (kind & 0x80)
		head[1] = 12;
	memcpy(message, head, 8);
	send_pages(ch, kind & 0x80 ? kind & 3 : RMC_CONTROL, NVSP_SECTION_NONE, 0, message,
		   kind & 0x80 ? 12 : 28u + len, 0);
}

/* Frames of a kind, with infos and a field of the headers that are wrong. */
static uint32_t wrap(struct input *in, uint8_t *to)
{
	static uint8_t frame[65600];
	const uint8_t kind = u8(in), infos_count = u8(in) % 5;
	const uint16_t payload = u16(in) % 20000, at = u16(in);
	const uint32_t word = u32(in);
	struct netvsp_fake_info infos[4];
	uint32_t len;

	for (unsigned int i = 0; i < infos_count; i++) {
		infos[i].type = u8(in);
		infos[i].value = u32(in);
	}
	if (kind & 4) {
		netvsp_fake_frame(frame, 14u + payload, kind);
		len = 14u + payload;
	} else {
		len = netvsp_fake_segment(frame, kind & 1, kind & 2, payload);
	}
	if (kind & 8)
		memcpy(frame + at % 80, &word, sizeof(word));
	len = netvsp_fake_wrap(to, frame, len, infos, infos_count);
	if (kind & 16)
		memcpy(to + at / 4 % 32 * 4, &word, sizeof(word));
	return len;
}

static void op_data(struct bus_guest_channel *ch, struct input *in)
{
	static uint8_t bytes[20 * PAGE_SIZE];
	const uint8_t count = 1 + u8(in) % 3;
	uint32_t len = 0;

	for (unsigned int i = 0; i < count && len < 30000; i++)
		len += wrap(in, bytes + len);
	if (len <= 6144 && u8(in) & 1) {
		const uint32_t section = u8(in) % 4, payload[10] = {NVSP_MSG1_TYPE_SEND_RNDIS_PKT,
								    RMC_DATA, section, len};

		memcpy(bus_guest_host(&f.guest, f.send_gpa + section * 6144, len), bytes, len);
		(void)bus_guest_send(ch, true, ++f.trans_id, payload, sizeof(payload));
	} else {
		send_pages(ch, RMC_DATA, NVSP_SECTION_NONE, 0, bytes, len, u8(in) * 16u);
	}
}

static void op_section(struct bus_guest_channel *ch, struct input *in)
{
	const uint32_t section = u32(in), len = u32(in);
	uint8_t bytes[64];

	take(in, bytes, sizeof(bytes));
	if (len & 1)
		send_pages(ch, u8(in) % 3, section, len, bytes, 1 + len % 63, 0);
	else
		(void)bus_guest_send(ch, u8(in) & 1, ++f.trans_id,
				     (const uint32_t[10]){NVSP_MSG1_TYPE_SEND_RNDIS_PKT, u8(in) % 3,
							  section, len},
				     40);
}

static void op_frame(unsigned int queue, struct input *in)
{
	static uint8_t frame[65600];
	const uint8_t kind = u8(in);
	uint16_t len = u16(in);
	struct virtio_net_hdr_v1 header = {.flags = kind & 3};

	if (net_fake_waiting(&f.net, queue) > WAITING)
		return;
	if (kind & 4) {
		header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		header.gso_size = 1000;
	}
	header.csum_start = kind & 8 ? u16(in) : 34;
	header.csum_offset = kind & 8 ? u16(in) : 16;
	if (kind & 16)
		len = (uint16_t)netvsp_fake_segment(frame, kind & 32, kind & 64, len % 60000);
	else
		take(in, frame, min_of(len, (uint16_t)100));
	net_fake_put(&f.net, queue, &header, frame, len);
}

static void set_link(void *arg)
{
	netvsp_set_link(f.netvsp, *(const bool *)arg);
}

static void on_paused(void *ctx)
{
	atomic_store(&f.paused, false);
}

static void pause_nic(void *arg)
{
	netvsp_pause(f.netvsp, on_paused, NULL);
}

static void resume_nic(void *arg)
{
	netvsp_resume(f.netvsp);
}

static void op_machine(struct input *in)
{
	const uint8_t what = u8(in);
	bool up = what & 4;

	switch (what % 4) {
	case 0:
		bus_guest_call(&f.guest, set_link, &up);
		break;
	case 1:
		/* f.paused: a pause is under way. */
		if (!atomic_exchange(&f.paused, true))
			bus_guest_call(&f.guest, pause_nic, NULL);
		break;
	case 2:
		bus_guest_call(&f.guest, resume_nic, NULL);
		break;
	default:
		net_fake_link(&f.net, up);
		break;
	}
}

static void op_backend(struct input *in)
{
	const uint8_t what = u8(in);

	f.net.result = what & 2 ? -5 : 0;
	net_fake_hold(&f.net, what & 1);
}

static void op_open(unsigned int n)
{
	struct bus_guest_channel *ch = n % QUEUES ? &f.subs[n % QUEUES - 1] : &f.ch;

	if (!ch->pages)
		return;
	/* Its pages are always the same. */
	memset(ch->up.control, 0, PAGE_SIZE);
	memset(ch->down.control, 0, PAGE_SIZE);
	ring_guest_init_writer(&ch->out, &ch->up);
	ring_guest_init_reader(&ch->in, &ch->down);
	ch->gpadl = f.guest.next_gpadl++;
	{
		uint64_t pfns[2 * 33];

		for (unsigned int i = 0; i < 2 * ch->pages; i++)
			pfns[i] = ch->gpa / PAGE_SIZE + i;
		bus_guest_post_gpadl(&f.guest, ch->relid, ch->gpadl, pfns, 2 * ch->pages);
	}
	bus_guest_post_open(ch);
	settle();
}

static void op_gpadl(struct input *in)
{
	const uint8_t which = u8(in), pages = 1 + u8(in) % 100;
	const uint64_t gpa = which & 1 ? f.recv_gpa : f.send_gpa;
	uint64_t pfns[100];

	for (unsigned int i = 0; i < pages; i++)
		pfns[i] = gpa / PAGE_SIZE +
			  i % (which & 1 ? f.config.recv_pages : f.config.send_pages);
	bus_guest_post_gpadl(&f.guest, f.ch.relid, 1 + which % 8, pfns, pages);
	settle();
}

static void op_read(struct bus_guest_channel *ch, struct input *in)
{
	static struct {
		struct vmpacket_descriptor head;
		uint8_t bytes[8192];
	} packet;
	uint8_t keep = u8(in);

	while (ring_guest_receive(&ch->in, &packet, sizeof(packet))) {
		if (packet.head.type == VM_PKT_DATA_USING_XFER_PAGES && !(keep & 1))
			(void)bus_guest_send_list(ch, VM_PKT_COMP, 0, packet.head.trans_id, NULL, 0,
						  (const uint32_t[2]){108, 1}, 8);
		keep = (uint8_t)(keep >> 1 | keep << 7);
	}
	if (ring_guest_commit(&ch->in))
		bus_guest_signal(ch);
}

static void op_poke(struct input *in)
{
	const uint8_t which = u8(in), len = u8(in) % 64;
	const uint32_t at = u32(in) % (8 * PAGE_SIZE);

	take(in,
	     (uint8_t *)bus_guest_host(&f.guest, which & 1 ? f.recv_gpa : f.send_gpa,
				       9 * PAGE_SIZE) +
		     at,
	     len);
}

/* What is worth having early. */
static void op_offload(struct bus_guest_channel *ch, struct input *in)
{
	const uint8_t v = u8(in);
	uint32_t message[7 + 7] = {RNDIS_MSG_SET, 56, 1, OID_TCP_OFFLOAD_PARAMETERS, 28, 20, 0,
				   0x001c0380};
	uint8_t *bytes = (uint8_t *)&message[8];

	memset(bytes, v & 1 ? 4 : 1, 5);
	bytes[7] = bytes[8] = bytes[18] = bytes[19] = v & 2 ? 2 : 1;
	send_pages(ch, RMC_CONTROL, NVSP_SECTION_NONE, 0, message, sizeof(message), 0);
}

static void run_channel(unsigned int op, unsigned int n, struct input *in)
{
	struct bus_guest_channel *ch = a_channel(n);

	if (!ch)
		return;
	if (op == OP_NVSP)
		op_nvsp(ch, in);
	else if (op == OP_CONTROL)
		op_control(ch, in);
	else if (op == OP_DATA)
		op_data(ch, in);
	else if (op == OP_SECTION)
		op_section(ch, in);
	else if (op == OP_COMPLETE)
		(void)bus_guest_send_list(ch, VM_PKT_COMP, 0, u8(in), NULL, 0,
					  (const uint32_t[2]){108, 1}, 8);
	else if (op == OP_READ)
		op_read(ch, in);
	else if (op == OP_OFFLOAD)
		op_offload(ch, in);
	else if (op == OP_CLOSE)
		bus_guest_post_relid(&f.guest, CHANNELMSG_CLOSECHANNEL, ch->relid);
}

static void run(struct input *in)
{
	const uint8_t command = u8(in), op = command & 15, n = command >> 4;

	switch (op) {
	case OP_FRAME:
		op_frame(n % QUEUES, in);
		break;
	case OP_BACKEND:
		op_backend(in);
		break;
	case OP_MACHINE:
		op_machine(in);
		break;
	case OP_OPEN:
		op_open(n);
		break;
	case OP_GPADL:
		op_gpadl(in);
		break;
	case OP_TEARDOWN:
		bus_guest_post_teardown(&f.guest, f.ch.relid,
					n & 8   ? f.recv_gpadl
					: n & 4 ? f.send_gpadl
						: 1 + n % 8);
		break;
	case OP_POKE:
		op_poke(in);
		break;
	case OP_PUMP:
		settle();
		break;
	default:
		run_channel(op, n, in);
		break;
	}
}

/* --- Before and after. ----------------------------------------------------------------------- */

static void begin(uint8_t how)
{
	static const uint32_t versions[] = {NVSP_PROTOCOL_VERSION_61, NVSP_PROTOCOL_VERSION_1,
					    NVSP_PROTOCOL_VERSION_4, NVSP_PROTOCOL_VERSION_5};
	const uint32_t filter = FILTER;

	f.config.version = versions[how >> 4 & 3];
	f.config.frame_max = how & 0x40 ? 9014 : how & 0x80 ? 82 : 1514;
	bus_guest_connect(&f.guest, VERSION_WIN10_V5_3, &f.offer, 1);
	f.ch.relid = f.offer.child_relid;
	f.ch.connection_id = f.offer.connection_id;
	f.ch.event_flag = (uint16_t)f.offer.child_relid;
	netvsp_fake_open(&f);
	if (how & 1)
		netvsp_fake_agree(&f);
	if ((how & 3) == 3)
		netvsp_fake_lend(&f);
	if ((how & 7) == 7) {
		netvsp_fake_initialize(&f);
		(void)netvsp_fake_set(&f, OID_GEN_CURRENT_PACKET_FILTER, &filter, 4);
	}
	if ((how & 15) == 15 && f.config.version >= NVSP_PROTOCOL_VERSION_5)
		netvsp_fake_open_subs(&f, QUEUES - 1);
}

static void end(void)
{
	bool up = true;

	f.net.result = 0;
	net_fake_hold(&f.net, false);
	bus_guest_call(&f.guest, resume_nic, NULL);
	bus_guest_call(&f.guest, set_link, &up);
	net_fake_link(&f.net, true);
	settle();
	bus_guest_reset(&f.guest);
	assert(!f.net.started && !atomic_load(&f.paused));
	for (unsigned int i = 0; i < NETVSP_FAKE_SUBS; i++)
		f.subs[i].out.mem = NULL;
	net_fake_drop(&f.net);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, min_of(size, (size_t)MESSAGES)};

	if (!f.netvsp) {
		const struct netvsp_fake_config config = {
			.pumped = true, .queues = QUEUES, .mtu = 9000};

		log_set_level(LOG_ERROR);
		netvsp_fake_init(&f, &config);
		f.net.discard = true;
		bus_guest_reset(&f.guest);
	}
	begin(u8(&in));
	while (in.left)
		run(&in);
	end();
	return 0;
}
