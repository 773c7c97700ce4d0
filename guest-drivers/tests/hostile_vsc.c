// SPDX-License-Identifier: MIT
/*
 * A storage driver that means harm: rings with senseless indices, packets of wrong lengths and
 * offsets, contents that change while they are read, abused GPADLs, storms of opening and closing,
 * messages that there are not. After each a well-behaved driver on another channel (or the same, if
 * there is but one) is served. What harm would be done to the host's process is seen there: best
 * with a build that has sanitizers.
 *
 * Parameters: n=N (packets of each race, default 200), seed=N.
 */
#include "devices/storvsp_proto.h"
#include "kit/hv.h"
#include "kit/kit.h"
#include "kit/vmbus.h"

#define PAGES  3u
#define OFFERS 8u

/* ba6163d9-04a1-4d29-b605-72e2ffb1dc7f */
static const struct vmbus_guid scsi_class = {{0xd9, 0x63, 0x61, 0xba, 0xa1, 0x04, 0x29, 0x4d, 0xb6,
					      0x05, 0x72, 0xe2, 0xff, 0xb1, 0xdc, 0x7f}};

static struct vmbus_channel victim, good;
static uint64_t random_state;
static unsigned int rounds;

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

static bool ask(struct vmbus_channel *ch, struct vstor_packet *packet)
{
	struct {
		struct vmpacket_descriptor head;
		struct vstor_packet packet;
	} answer;

	packet->flags = VSTOR_REQUEST_COMPLETION_FLAG;
	if (!vmbus_send(ch, packet->operation, packet, sizeof(*packet)))
		return false;
	for (unsigned int i = 0; i < 8; i++) {
		if (vmbus_receive(ch, &answer, sizeof(answer), VMBUS_MS) < VSTOR_PACKET_SIZE_V1)
			return false;
		if (answer.head.type == VM_PKT_COMP && answer.head.trans_id == packet->operation)
			return answer.packet.status == VSTOR_STATUS_SUCCESS;
	}
	return false;
}

static bool shake_hands(struct vmbus_channel *ch)
{
	struct vstor_packet packets[] = {
		{.operation = VSTOR_OPERATION_BEGIN_INITIALIZATION},
		{.operation = VSTOR_OPERATION_QUERY_PROTOCOL_VERSION,
		 .version = {.major_minor = VMSTOR_PROTO_VERSION_WIN10}},
		{.operation = VSTOR_OPERATION_QUERY_PROPERTIES},
		{.operation = VSTOR_OPERATION_END_INITIALIZATION},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(packets); i++)
		if (!ask(ch, &packets[i]))
			return false;
	return true;
}

/* Reads eight blocks from the start of the first disk. */
struct request {
	struct vmpacket_descriptor head;
	struct vmdata_gpa_direct_list list;
	struct gpa_range range;
	uint64_t pfns[2];
	struct vstor_packet packet;
};

static void fill_request(struct request *r, uint64_t buffer)
{
	*r = (struct request){
		.head = {.type = VM_PKT_DATA_USING_GPA_DIRECT,
			 .offset8 = offsetof(struct request, packet) / 8,
			 .len8 = sizeof(*r) / 8,
			 .flags = VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED,
			 .trans_id = 9},
		.list = {.range_cnt = 1},
		.range = {.byte_count = 4096, .byte_offset = 0},
		.pfns = {buffer / PAGE_SIZE, buffer / PAGE_SIZE + 1},
		.packet = {.operation = VSTOR_OPERATION_EXECUTE_SRB,
			   .flags = VSTOR_REQUEST_COMPLETION_FLAG,
			   .vm_srb = {.length = sizeof(struct vmscsi_request),
				      .cdb_length = 10,
				      .sense_info_length = VMSCSI_SENSE_SIZE,
				      .data_in = VMSCSI_DATA_IN,
				      .data_transfer_length = 4096,
				      .cdb = {0x28, 0, 0, 0, 0, 0, 0, 0, 8}}},
	};
}

static bool read_blocks(struct vmbus_channel *ch)
{
	static uint8_t *buffer;
	struct request r;
	struct {
		struct vmpacket_descriptor head;
		struct vstor_packet packet;
	} answer;

	if (!buffer)
		buffer = page_alloc(2);
	fill_request(&r, (uintptr_t)buffer);
	return vmbus_write(ch, &r.head, &r.list, sizeof(r) - sizeof(r.head)) &&
	       vmbus_signal(ch) == HV_STATUS_SUCCESS &&
	       vmbus_receive(ch, &answer, sizeof(answer), VMBUS_MS) == sizeof(answer) &&
	       answer.head.trans_id == r.head.trans_id &&
	       answer.packet.vm_srb.srb_status == SRB_STATUS_SUCCESS;
}

/* A connection from the beginning, as a kernel that was started by kexec would make it. */
static bool connect(void)
{
	struct vmbus_channel_offer_channel offers[OFFERS];
	unsigned int count, found = 0;

	vmbus_skip();
	if (!vmbus_contact(VERSION_WIN10_V5_3) && !vmbus_contact(VERSION_WIN8))
		return false;
	count = vmbus_offers(offers, OFFERS);
	for (unsigned int i = 0; i < count && i < OFFERS; i++) {
		struct vmbus_channel *ch = found ? &good : &victim;

		if (memcmp(&offers[i].offer.if_type, &scsi_class, sizeof(scsi_class)) != 0)
			continue;
		if (!ch->pages)
			vmbus_channel_init(ch, &offers[i], PAGES);
		ch->relid = offers[i].child_relid;
		ch->connection_id = offers[i].connection_id;
		ch->gpadl = 0x1000 + ch->relid;
		found++;
	}
	return found > 0;
}

static bool serve(struct vmbus_channel *ch)
{
	return vmbus_open(ch) == VMBUS_STATUS_SUCCESS && shake_hands(ch) && read_blocks(ch) &&
	       vmbus_close(ch);
}

/* Others are served while the victim is as it is; then everything is, from the beginning. */
static void expect_service(const char *after)
{
	vmbus_skip();
	if (good.relid)
		expect(serve(&good));
	expect(connect());
	expect(serve(&victim));
	if (good.relid)
		expect(serve(&good));
	test_case("served after %s", after);
}

static bool open_victim(void)
{
	return expect_eq(vmbus_open(&victim), VMBUS_STATUS_SUCCESS) && expect(shake_hands(&victim));
}

static void close_victim(void)
{
	expect(vmbus_close(&victim));
}

/*
 * --- Indices. -----------------------------------------------------------------------------------
 */

static void test_indices(void)
{
	static const uint32_t values[] = {1,      4,          8,          0xff8, 0x1ff8,     0x2000,
					  0x2008, 0x7ffffff8, 0x80000000, ~7u,   UINT32_MAX, 0};

	for (unsigned int i = 0; i < ARRAY_SIZE(values) * 4; i++) {
		struct hv_ring_buffer *out = victim.out.control, *in = victim.in.control;
		uint32_t *const fields[] = {&out->write_index, &out->read_index, &in->read_index,
					    &in->write_index};

		if (!open_victim())
			break;
		__atomic_store_n(fields[i % 4], values[i / 4], __ATOMIC_SEQ_CST);
		in->pending_send_sz = random();
		vmbus_signal(&victim);
		(void)vmbus_send(&victim, 1, "a packet", 8);
		vmbus_signal(&victim);
		close_victim();
	}
	expect_service("senseless indices");
}

/* Forwards, then back to where packets were taken from. */
static void test_backwards(void)
{
	for (unsigned int i = 0; i < 8; i++) {
		if (!open_victim())
			break;
		__atomic_store_n(&victim.out.control->write_index, (victim.out.index - 8 * i - 8),
				 __ATOMIC_SEQ_CST);
		vmbus_signal(&victim);
		__atomic_store_n(&victim.out.control->write_index, 0, __ATOMIC_SEQ_CST);
		vmbus_signal(&victim);
		close_victim();
	}
	expect_service("indices that move backwards");
}

/*
 * --- Packets. -----------------------------------------------------------------------------------
 */

static void send_head(const struct vmpacket_descriptor *head, const void *bytes, uint32_t len)
{
	(void)vmbus_write(&victim, head, bytes, len);
	vmbus_signal(&victim);
}

static void test_descriptors(void)
{
	static const uint16_t types[] = {0,
					 1,
					 VM_PKT_DATA_INBAND,
					 VM_PKT_DATA_USING_XFER_PAGES,
					 VM_PKT_DATA_USING_GPA_DIRECT,
					 VM_PKT_COMP,
					 0xffff};
	static const uint16_t lens[] = {0, 1, 2, 3, 10, 11, 0x1ff, 0x3ff, 0x400, 0x7fff, 0xffff};
	static uint8_t bytes[64];
	unsigned int n = 0;

	for (unsigned int t = 0; t < ARRAY_SIZE(types); t++)
		for (unsigned int i = 0; i < ARRAY_SIZE(lens); i++) {
			const struct vmpacket_descriptor head = {
				.type = types[t],
				.offset8 = lens[(i * 5 + t) % ARRAY_SIZE(lens)],
				.len8 = lens[i],
				.flags = (uint16_t)(n++ % 3),
				.trans_id = random(),
			};

			if (!open_victim())
				return;
			send_head(&head, bytes, sizeof(bytes));
			close_victim();
		}
	expect_service("descriptors of every wrong kind");
}

/* A request with one thing wrong. */
static void send_request(const struct request *r)
{
	send_head(&r->head, &r->list, sizeof(*r) - sizeof(r->head));
}

/* Spoils one field of @r, in way @n. */
static void spoil(struct request *r, unsigned int n)
{
	static const uint32_t values[] = {0,          1,          7,         511,       4095,
					  4097,       8193,       0x100000,  0x7ffffff, 0x7fffffff,
					  0x80000000, 0xfffffff8, UINT32_MAX};
	const uint32_t value = values[n / 14 % ARRAY_SIZE(values)];
	struct vmscsi_request *srb = &r->packet.vm_srb;
	uint8_t *const bytes[] = {&srb->cdb_length, &srb->sense_info_length, &srb->data_in,
				  &srb->lun,        &srb->target_id,         &srb->path_id};

	switch (n % 14) {
	case 0:
		r->list.range_cnt = value;
		break;
	case 1:
		r->range.byte_count = value;
		break;
	case 2:
		r->range.byte_offset = value;
		break;
	case 3:
		r->pfns[0] = (uint64_t)value << 20 | value;
		break;
	case 4:
		r->pfns[0] = 0xfee00000 / PAGE_SIZE + value;
		break;
	case 5:
		r->packet.operation = value;
		break;
	case 6:
		srb->data_transfer_length = value;
		break;
	case 7:
		srb->length = (uint16_t)value;
		break;
	default:
		if (n % 14 - 8 < ARRAY_SIZE(bytes))
			*bytes[n % 14 - 8] = (uint8_t)value;
		memcpy(&srb->cdb[2], &value, sizeof(value));
		srb->cdb[0] = (uint8_t)random();
	}
}

static void test_requests(void)
{
	const uint64_t buffer = (uintptr_t)page_alloc(4);
	struct request r;

	if (!open_victim())
		return;
	for (unsigned int n = 0; n < 14 * 13; n++) {
		fill_request(&r, buffer);
		spoil(&r, n);
		send_request(&r);
		/* Some break the protocol, and end the channel; and answers are not read. */
		if (n % 4 == 3) {
			close_victim();
			if (!open_victim())
				break;
		}
	}
	close_victim();
	expect_service("requests of every wrong kind");
}

static void test_short_packets(void)
{
	static uint8_t bytes[64];

	for (unsigned int len = 0; len <= 56; len += 8) {
		struct vmpacket_descriptor head = {.type = VM_PKT_DATA_INBAND,
						   .offset8 = 2,
						   .len8 = (uint16_t)(2 + len / 8),
						   .flags = len / 8 & 1,
						   .trans_id = len};

		if (!open_victim())
			break;
		bytes[0] = (uint8_t)(len / 8 + 1);
		send_head(&head, bytes, len);
		close_victim();
	}
	expect_service("packets that are too short");
}

/*
 * --- Contents that change while they are read. --------------------------------------------------
 */

static uint32_t race_stop;
static uint8_t *race_packet; /* where the next one goes; few are sent, the ring does not wrap */

/* On another VP: spoils the packet, the indices, or all of the ring. */
static void spoil_ring(void *arg)
{
	const uintptr_t kind = (uintptr_t)arg;
	struct vmbus_ring *ring = &victim.out;
	uint32_t n = 0;

	while (!load_acquire(&race_stop)) {
		const uint32_t at = (n * 20) % (ring->len - 8);

		n++;
		switch (kind) {
		case 0: /* len8 and offset8, from right to wrong and back */
			*(volatile uint32_t *)(race_packet + 2) ^= n << 16 | (n & 0xff);
			break;
		case 1: /* range count, byte count, offset, page */
			*(volatile uint32_t *)(race_packet + 20 + (size_t)(n % 4) * 4) ^=
				n * 0x10001;
			break;
		case 2: /* anything */
			*(volatile uint32_t *)(ring->data + at) ^= n * 0x01010101;
			break;
		case 3:
			WRITE_ONCE(ring->control->write_index, n * 8);
			break;
		default:
			WRITE_ONCE(victim.in.control->read_index, n * 8);
			WRITE_ONCE(ring->control->pending_send_sz, n);
			WRITE_ONCE(ring->control->feature_bits, n);
		}
	}
}

static void race(uintptr_t kind, const char *what)
{
	const uint64_t buffer = (uintptr_t)page_alloc(4);
	struct request r;

	fill_request(&r, buffer);
	for (unsigned int i = 0; i < rounds; i++) {
		/* Every few packets the channel is probably dead. */
		if (i % 8 == 0 && !open_victim())
			break;
		race_packet = victim.out.data + victim.out.index;
		store_release(&race_stop, 0);
		if (cpu_count() > 1)
			smp_call_others(spoil_ring, (void *)kind);
		send_request(&r);
		vmbus_signal(&victim);
		delay_us(50 + i % 8 * 30);
		store_release(&race_stop, 1);
		expect(smp_wait_all(10000));
		if (i % 8 == 7 || i + 1 == rounds)
			close_victim();
	}
	expect_service(what);
}

/*
 * --- GPADLs. ------------------------------------------------------------------------------------
 */

static uint32_t lend_pages(uint32_t handle, const uint64_t *pfns, unsigned int count,
			   uint16_t ranges, uint16_t buflen, uint32_t bytes)
{
	union vmbus_message m;
	struct vmbus_channel_gpadl_header *header = (void *)m.bytes;
	size_t len = vmbus_gpadl_header(&m, victim.relid, handle, 0, count);

	header->rangecount = ranges;
	if (buflen)
		header->range_buflen = buflen;
	memcpy(m.bytes + sizeof(*header), &bytes, sizeof(bytes));
	memcpy(m.bytes + sizeof(*header) + 8, pfns, count * sizeof(*pfns));
	vmbus_post(m.bytes, len);
	if (!vmbus_await(CHANNELMSG_GPADL_CREATED, &m))
		return 0;
	return m.created.creation_status;
}

static void test_gpadls(void)
{
	const uint64_t page = (uintptr_t)page_alloc(8) / PAGE_SIZE;
	const uint64_t mmio = 0xfee00000 / PAGE_SIZE;

	expect(lend_pages(0x50, (uint64_t[]){page, page}, 2, 1, 0, 8192));
	expect(lend_pages(0x50, (uint64_t[]){page, mmio}, 2, 1, 0, 8192));
	expect(lend_pages(0x50, (uint64_t[]){1ull << 40, page}, 2, 1, 0, 8192));
	expect(lend_pages(0x50, (uint64_t[]){UINT64_MAX, page}, 2, 1, 0, 8192));
	expect(lend_pages(0x50, (uint64_t[]){page, page + 1}, 2, 1, 0, 0));
	expect(lend_pages(0x50, (uint64_t[]){page, page + 1}, 2, 1, 0, UINT32_MAX));
	expect(lend_pages(0x50, (uint64_t[]){page, page + 1}, 2, 0, 0, 8192));
	expect(lend_pages(0x50, (uint64_t[]){page, page + 1}, 2, 9, 0, 8192));
	expect(lend_pages(0, (uint64_t[]){page, page + 1}, 2, 1, 0, 8192));
	test_case("GPADLs with a page twice, of MMIO, of no RAM, of wrong lengths are refused");

	expect_eq(lend_pages(0x51, (uint64_t[]){page, page + 1}, 2, 1, 0, 8192), 0);
	expect(lend_pages(0x51, (uint64_t[]){page + 2, page + 3}, 2, 1, 0, 8192));
	expect(vmbus_take_back(victim.relid, 0x51));
	test_case("a handle that is in use is refused");
}

static void post_body(uint32_t handle, uint64_t page)
{
	struct {
		struct vmbus_channel_gpadl_body body;
		uint64_t pfns[28];
	} m = {.body = {.header = {.msgtype = CHANNELMSG_GPADL_BODY}, .gpadl = handle}};

	for (unsigned int i = 0; i < ARRAY_SIZE(m.pfns); i++)
		m.pfns[i] = page + i;
	vmbus_post(&m, sizeof(m));
}

/* Announced, and never ended; ended without being announced; and more than there may be. */
static void test_unfinished_gpadls(void)
{
	union vmbus_message m;

	for (uint32_t i = 0; i < 100; i++) {
		struct vmbus_channel_gpadl_header *header = (void *)m.bytes;
		size_t len = vmbus_gpadl_header(&m, victim.relid, 0x100 + i, MiB(1), 20);

		header->range_buflen = 0xfff8;
		vmbus_post(m.bytes, len);
		post_body(0x100 + i, 1);
		post_body(0x900 + i, 1);
	}
	expect_service("GPADLs that never end");
}

static void test_gpadl_of_open_channel(void)
{
	union vmbus_message m;

	if (!open_victim())
		return;
	vmbus_post_teardown(victim.relid, victim.gpadl);
	vmbus_post_teardown(victim.relid, victim.gpadl);
	vmbus_post_teardown(victim.relid, 0x7777);
	vmbus_post_relid(CHANNELMSG_RELID_RELEASED, victim.relid);
	expect(!vmbus_next(&m, 50));
	expect(read_blocks(&victim));
	vmbus_post_relid(CHANNELMSG_CLOSECHANNEL, victim.relid);
	expect(vmbus_await(CHANNELMSG_GPADL_TORNDOWN, &m));
	expect_service("a GPADL taken back under an open channel");
}

/*
 * --- Storms. ------------------------------------------------------------------------------------
 */

static void test_storm(void)
{
	for (unsigned int i = 0; i < 60; i++) {
		union vmbus_message m;
		size_t len = vmbus_gpadl_header(&m, victim.relid, victim.gpadl,
						(uintptr_t)victim.out.control, 2 * PAGES);

		vmbus_post(m.bytes, len);
		for (unsigned int n = 0; n < 3; n++) {
			vmbus_post_open(&victim);
			vmbus_signal(&victim);
			vmbus_post_relid(CHANNELMSG_CLOSECHANNEL, victim.relid);
		}
		vmbus_post_teardown(victim.relid, victim.gpadl);
		if (i % 8 == 7)
			vmbus_post_header(i % 16 == 7 ? CHANNELMSG_UNLOAD
						      : CHANNELMSG_REQUESTOFFERS);
		if (i % 16 == 7)
			vmbus_contact(VERSION_WIN10);
	}
	expect(connect());
	expect_service("a storm of opening and closing");
}

static void test_messages(void)
{
	union vmbus_message m;

	for (unsigned int i = 0; i < 300; i++) {
		for (unsigned int n = 0; n < sizeof(m); n += 4)
			memcpy(m.bytes + n, &(uint32_t){random() & (i % 3 ? 0xff : UINT32_MAX)}, 4);
		m.header.msgtype = i % 3 ? i % 40 : random();
		if (m.header.msgtype == CHANNELMSG_INITIATE_CONTACT)
			vmbus_connection_id = VMBUS_MESSAGE_CONNECTION_ID;
		vmbus_post(m.bytes, i % 7 ? random() % (sizeof(m) + 1) : sizeof(m));
	}
	vmbus_skip();
	expect(connect());
	expect_service("messages that there are not");
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
		skip_all("no storage is offered");
	random_state = param_u64("seed", 0x9e3779b97f4a7c15);
	rounds = (unsigned int)param_u64("n", 200);
	if (cpu_count() > 1 && !smp_start_all(20000))
		bail_out("not all CPUs start");
	note("%s", good.relid ? "two controllers" : "one controller");
	expect_service("nothing");
	test_indices();
	test_backwards();
	test_descriptors();
	test_requests();
	test_short_packets();
	race(0, "lengths that change");
	race(1, "page lists that change");
	race(2, "packets that change");
	race(3, "a write index that changes");
	race(4, "a read index that changes");
	test_gpadls();
	test_unfinished_gpadls();
	test_gpadl_of_open_channel();
	test_storm();
	test_messages();
	vmbus_unload();
	hv_synic_off(NULL);
	irq_disable();
}
