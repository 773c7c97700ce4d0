// SPDX-License-Identifier: MIT
/* See vmbus.h. All state is CPU 0's. */
#include "kit/vmbus.h"

#include "kit/hv.h"
#include "kit/kit.h"

#define VECTOR   0x52
#define QUEUE    64u
#define SINT     VMBUS_MESSAGE_SINT
#define PFNS_MAX 26u

uint32_t vmbus_connection_id = VMBUS_MESSAGE_CONNECTION_ID;

/* What came while something was posted; the oldest is lost when there is too much. */
static union vmbus_message queue[QUEUE];
static unsigned int queue_first, queue_end;

static void on_sint(struct trap_frame *frame)
{
	(void)frame;
	apic_eoi();
}

void vmbus_init(void)
{
	hv_synic_on(NULL);
	irq_set_handler(VECTOR, on_sint);
	wrmsr(HV_SINT(SINT), VECTOR);
	irq_enable();
}

/* --- Messages. ----------------------------------------------------------------------------- */

static bool fetch(union vmbus_message *ret)
{
	struct hv_message message;

	if (!hv_take_message(SINT, &message))
		return false;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, message.payload, message.header.payload_size);
	return true;
}

static void fetch_all(void)
{
	union vmbus_message message;

	while (fetch(&message)) {
		if (queue_end - queue_first == QUEUE)
			queue_first++;
		queue[queue_end++ % QUEUE] = message;
	}
}

bool vmbus_next(union vmbus_message *ret, uint64_t ms)
{
	if (queue_first != queue_end) {
		*ret = queue[queue_first++ % QUEUE];
		return true;
	}
	return wait_for(fetch(ret), ms);
}

void vmbus_skip(void)
{
	union vmbus_message message;

	while (vmbus_next(&message, 20))
		;
}

bool vmbus_await(uint32_t type, union vmbus_message *ret)
{
	uint64_t deadline = deadline_ms(VMBUS_MS);

	while (!deadline_passed(deadline))
		if (vmbus_next(ret, 100) && ret->header.msgtype == type)
			return true;
	return false;
}

uint16_t vmbus_post(const void *message, size_t len)
{
	uint64_t deadline = deadline_ms(VMBUS_MS);
	uint16_t status;

	do {
		status = hv_post(vmbus_connection_id, VMBUS_MESSAGE_TYPE, message, len);
		if (status != HV_STATUS_INSUFFICIENT_BUFFERS)
			return status;
		fetch_all();
	} while (!deadline_passed(deadline));
	return status;
}

uint16_t vmbus_post_header(uint32_t type)
{
	const struct vmbus_channel_message_header m = {.msgtype = type};

	return vmbus_post(&m, sizeof(m));
}

uint16_t vmbus_post_relid(uint32_t type, uint32_t relid)
{
	const struct vmbus_channel_relid m = {.header = {.msgtype = type}, .child_relid = relid};

	return vmbus_post(&m, sizeof(m));
}

bool vmbus_contact(uint32_t version)
{
	struct vmbus_channel_initiate_contact m = {
		.header = {.msgtype = CHANNELMSG_INITIATE_CONTACT},
		.vmbus_version_requested = version,
	};
	union vmbus_message answer;

	vmbus_connection_id = VMBUS_MESSAGE_CONNECTION_ID;
	if (version >= VERSION_WIN10_V5) {
		vmbus_connection_id = VMBUS_MESSAGE_CONNECTION_ID_4;
		m.msg_sint = SINT;
	}
	if (vmbus_post(&m, sizeof(m)) || !vmbus_await(CHANNELMSG_VERSION_RESPONSE, &answer))
		return false;
	if (!answer.version.response.version_supported)
		return false;
	if (version >= VERSION_WIN10_V5)
		vmbus_connection_id = answer.version.response.msg_conn_id;
	return true;
}

unsigned int vmbus_offers(struct vmbus_channel_offer_channel *ret, unsigned int max)
{
	unsigned int count = 0;
	union vmbus_message m;

	vmbus_post_header(CHANNELMSG_REQUESTOFFERS);
	while (vmbus_next(&m, VMBUS_MS)) {
		if (m.header.msgtype == CHANNELMSG_ALLOFFERS_DELIVERED)
			break;
		if (m.header.msgtype != CHANNELMSG_OFFERCHANNEL)
			continue;
		if (count < max)
			ret[count] = m.offer;
		count++;
	}
	return count;
}

bool vmbus_unload(void)
{
	union vmbus_message m;

	return vmbus_post_header(CHANNELMSG_UNLOAD) == HV_STATUS_SUCCESS &&
	       vmbus_await(CHANNELMSG_UNLOAD_RESPONSE, &m);
}

/* --- GPADLs. ------------------------------------------------------------------------------- */

size_t vmbus_gpadl_header(union vmbus_message *ret, uint32_t relid, uint32_t gpadl, uint64_t pa,
			  unsigned int pages)
{
	const struct vmbus_channel_gpadl_header header = {
		.header = {.msgtype = CHANNELMSG_GPADL_HEADER},
		.child_relid = relid,
		.gpadl = gpadl,
		.range_buflen = (uint16_t)(sizeof(struct gpa_range) + pages * sizeof(uint64_t)),
		.rangecount = 1,
	};
	const uint32_t range[2] = {(uint32_t)(pages * PAGE_SIZE), 0};
	uint8_t *p = ret->bytes + sizeof(header) + sizeof(range);

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->bytes, &header, sizeof(header));
	memcpy(ret->bytes + sizeof(header), range, sizeof(range));
	for (unsigned int i = 0; i < pages && i < PFNS_MAX; i++, p += sizeof(uint64_t))
		memcpy(p, &(uint64_t){pa / PAGE_SIZE + i}, sizeof(uint64_t));
	return (size_t)(p - ret->bytes);
}

uint32_t vmbus_lend(uint32_t relid, uint32_t gpadl, uint64_t pa, unsigned int pages)
{
	union vmbus_message m;
	size_t len = vmbus_gpadl_header(&m, relid, gpadl, pa, pages);

	if (vmbus_post(&m, len) || !vmbus_await(CHANNELMSG_GPADL_CREATED, &m))
		return VMBUS_STATUS_UNSUCCESSFUL;
	return m.created.creation_status;
}

void vmbus_post_teardown(uint32_t relid, uint32_t gpadl)
{
	const struct vmbus_channel_gpadl_teardown m = {
		.header = {.msgtype = CHANNELMSG_GPADL_TEARDOWN},
		.child_relid = relid,
		.gpadl = gpadl,
	};

	vmbus_post(&m, sizeof(m));
}

bool vmbus_take_back(uint32_t relid, uint32_t gpadl)
{
	union vmbus_message m;

	vmbus_post_teardown(relid, gpadl);
	return vmbus_await(CHANNELMSG_GPADL_TORNDOWN, &m) && m.torndown.gpadl == gpadl;
}

/* --- Channels. ----------------------------------------------------------------------------- */

void vmbus_channel_init(struct vmbus_channel *ch, const struct vmbus_channel_offer_channel *offer,
			unsigned int pages)
{
	uint8_t *memory = page_alloc(2ul * pages);
	const uint32_t len = (uint32_t)((pages - 1) * PAGE_SIZE);

	*ch = (struct vmbus_channel){
		.relid = offer->child_relid,
		.connection_id = offer->connection_id,
		.gpadl = 0x1000 + offer->child_relid,
		.pages = pages,
		.out = {(void *)memory, memory + PAGE_SIZE, len, 0},
		.in = {(void *)(memory + pages * PAGE_SIZE), memory + (pages + 1) * PAGE_SIZE, len,
		       0},
	};
}

void vmbus_post_open(struct vmbus_channel *ch)
{
	const struct vmbus_channel_open_channel m = {
		.header = {.msgtype = CHANNELMSG_OPENCHANNEL},
		.child_relid = ch->relid,
		.openid = ch->relid,
		.ringbuffer_gpadlhandle = ch->gpadl,
		.downstream_ringbuffer_pageoffset = ch->pages,
	};

	vmbus_post(&m, sizeof(m));
}

uint32_t vmbus_open(struct vmbus_channel *ch)
{
	union vmbus_message m;
	uint32_t status;

	memset(ch->out.control, 0, PAGE_SIZE);
	memset(ch->in.control, 0, PAGE_SIZE);
	ch->out.index = ch->in.index = 0;
	ch->out.control->feature_bits = HV_RING_FEAT_PENDING_SEND_SZ;
	status = vmbus_lend(ch->relid, ch->gpadl, (uintptr_t)ch->out.control, 2 * ch->pages);
	if (status)
		return status;
	vmbus_post_open(ch);
	if (!vmbus_await(CHANNELMSG_OPENCHANNEL_RESULT, &m))
		return VMBUS_STATUS_UNSUCCESSFUL;
	if (m.open.status)
		vmbus_take_back(ch->relid, ch->gpadl);
	return m.open.status;
}

bool vmbus_close(struct vmbus_channel *ch)
{
	vmbus_post_relid(CHANNELMSG_CLOSECHANNEL, ch->relid);
	return vmbus_take_back(ch->relid, ch->gpadl);
}

uint16_t vmbus_signal(struct vmbus_channel *ch)
{
	return hv_signal(ch->connection_id, 0);
}

/* --- Rings. -------------------------------------------------------------------------------- */

void vmbus_ring_put(struct vmbus_ring *ring, uint32_t at, const void *bytes, uint32_t len)
{
	uint32_t first;

	at %= ring->len;
	first = len < ring->len - at ? len : ring->len - at;
	memcpy(ring->data + at, bytes, first);
	memcpy(ring->data, (const uint8_t *)bytes + first, len - first);
}

void vmbus_ring_get(const struct vmbus_ring *ring, uint32_t at, void *bytes, uint32_t len)
{
	uint32_t first;

	at %= ring->len;
	first = len < ring->len - at ? len : ring->len - at;
	memcpy(bytes, ring->data + at, first);
	memcpy((uint8_t *)bytes + first, ring->data, len - first);
}

static uint32_t distance(const struct vmbus_ring *ring, uint32_t from, uint32_t to)
{
	return to >= from ? to - from : to + ring->len - from;
}

bool vmbus_write(struct vmbus_channel *ch, const struct vmpacket_descriptor *head,
		 const void *bytes, uint32_t len)
{
	struct vmbus_ring *ring = &ch->out;
	const struct vmpacket_trailer trailer = {.offset = ring->index};
	const uint32_t total = (uint32_t)(sizeof(*head) + len + sizeof(trailer));
	uint32_t read = load_acquire(&ring->control->read_index);

	if (total >= ring->len - distance(ring, read, ring->index))
		return false;
	vmbus_ring_put(ring, ring->index, head, sizeof(*head));
	vmbus_ring_put(ring, ring->index + (uint32_t)sizeof(*head), bytes, len);
	vmbus_ring_put(ring, ring->index + (uint32_t)sizeof(*head) + len, &trailer,
		       sizeof(trailer));
	ring->index = (ring->index + total) % ring->len;
	__atomic_store_n(&ring->control->write_index, ring->index, __ATOMIC_SEQ_CST);
	return true;
}

bool vmbus_send(struct vmbus_channel *ch, uint64_t trans_id, const void *payload, uint32_t len)
{
	const struct vmpacket_descriptor head = {
		.type = VM_PKT_DATA_INBAND,
		.offset8 = sizeof(head) / 8,
		.len8 = (uint16_t)((sizeof(head) + len) / 8),
		.flags = VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED,
		.trans_id = trans_id,
	};

	return vmbus_write(ch, &head, payload, len) && vmbus_signal(ch) == HV_STATUS_SUCCESS;
}

uint32_t vmbus_receive(struct vmbus_channel *ch, void *packet, uint32_t max, uint64_t ms)
{
	struct vmbus_ring *ring = &ch->in;
	struct vmpacket_descriptor head;
	uint32_t len;

	if (!wait_for(load_acquire(&ring->control->write_index) != ring->index, ms))
		return 0;
	vmbus_ring_get(ring, ring->index, &head, sizeof(head));
	len = head.len8 * 8u;
	vmbus_ring_get(ring, ring->index, packet, len < max ? len : max);
	ring->index = (ring->index + len + (uint32_t)sizeof(struct vmpacket_trailer)) % ring->len;
	__atomic_store_n(&ring->control->read_index, ring->index, __ATOMIC_SEQ_CST);
	return len < max ? len : max;
}
