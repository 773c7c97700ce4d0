// SPDX-License-Identifier: MIT
/*
 * Rings: indices, copies and signal decisions. See ring.h for the contract, the threads and what
 * the letters at loads and stores mean.
 *
 * Invariants: all indices are multiples of 8 below the ring's length, so sums of two of them, or of
 * one and a packet, fit 32 bits (gpadl.h: a ring is below 32 MiB). Distances are modulo the length.
 */
#include "vmbus/ring.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define DESCRIPTOR_LEN ((uint32_t)sizeof(struct vmpacket_descriptor))
#define TRAILER_LEN    ((uint32_t)sizeof(struct vmpacket_trailer))

/* --- The control page, and the data. ------------------------------------------------------- */

static uint32_t load(const uint32_t *field, int order)
{
	return __atomic_load_n(field, order);
}

static void store(uint32_t *field, uint32_t value, int order)
{
	__atomic_store_n(field, value, order);
}

static bool index_valid(const struct ring_memory *mem, uint32_t index)
{
	return index < mem->len && is_aligned(index, 8);
}

static uint32_t distance(const struct ring_memory *mem, uint32_t from, uint32_t to)
{
	return to >= from ? to - from : to + (mem->len - from);
}

static uint32_t advance(const struct ring_memory *mem, uint32_t index, uint32_t by)
{
	return by < mem->len - index ? index + by : index + by - mem->len;
}

/* What of [at, at + len) is in one piece: all, in a double mapping. */
static uint32_t piece(const struct ring_memory *mem, uint32_t at, uint32_t len, uint8_t **ret)
{
	if (mem->data) {
		*ret = mem->data + at;
		return len;
	}
	*ret = mem->pages[at / PAGE_SIZE] + at % PAGE_SIZE;
	return min_of(len, PAGE_SIZE - at % PAGE_SIZE);
}

static void copy_out(const struct ring_memory *mem, uint32_t at, void *buf, uint32_t len)
{
	uint8_t *to = buf, *from;

	for (uint32_t n; len; len -= n, to += n, at = advance(mem, at, n)) {
		n = piece(mem, at, len, &from);
		memcpy(to, from, n);
	}
	/* The compiler shall use the copy, not read the ring again. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Returns where the next byte goes. @buf NULL: zeroes. */
static uint32_t copy_in(const struct ring_memory *mem, uint32_t at, const void *buf, uint32_t len)
{
	const uint8_t *from = buf;
	uint8_t *to;

	for (uint32_t n; len; len -= n, at = advance(mem, at, n)) {
		n = piece(mem, at, len, &to);
		if (from) {
			memcpy(to, from, n);
			from += n;
		} else {
			memset(to, 0, n);
		}
	}
	return at;
}

/* --- Guest to host. ------------------------------------------------------------------------ */

static int in_corrupt(struct ring_in *ring)
{
	if (!ring->corrupt)
		counter_add(&ring->counters.corrupt, 1);
	ring->corrupt = true;
	return -EPROTO;
}

int ring_in_init(struct ring_in *ring, const struct ring_memory *mem)
{
	uint32_t read = load(&mem->control->read_index, __ATOMIC_RELAXED);
	uint32_t write = load(&mem->control->write_index, __ATOMIC_ACQUIRE);

	if (!index_valid(mem, read) || !index_valid(mem, write))
		return -EPROTO;
	*ring = (struct ring_in){.mem = mem, .read = read, .committed = read, .write = read};
	store(&mem->control->interrupt_mask, 0, __ATOMIC_RELAXED);
	return 0;
}

bool ring_in_flow_control(const struct ring_in *ring)
{
	uint32_t features = load(&ring->mem->control->feature_bits, __ATOMIC_RELAXED);

	return features & HV_RING_FEAT_PENDING_SEND_SZ;
}

/*
 * The guest's index, now (A). Seen from what it knows of ours, it may not come back from where it
 * was, and so neither enter what we still read nor pass it.
 */
static int in_look(struct ring_in *ring, int order)
{
	const struct ring_memory *mem = ring->mem;
	uint32_t write = load(&mem->control->write_index, order);

	if (!index_valid(mem, write))
		return in_corrupt(ring);
	if (distance(mem, ring->committed, write) < distance(mem, ring->committed, ring->write))
		return in_corrupt(ring);
	ring->write = write;
	return 0;
}

void ring_in_begin(struct ring_in *ring)
{
	counter_add(&ring->counters.wakes, 1);
	ring->found = false;
	if (!ring->corrupt)
		store(&ring->mem->control->interrupt_mask, 1, __ATOMIC_RELAXED);
}

/* Of a private copy. */
static bool head_valid(const struct vmpacket_descriptor *head, uint32_t available)
{
	uint32_t offset = head->offset8 * 8u, len = head->len8 * 8u;
	uint32_t least = DESCRIPTOR_LEN;

	switch (head->type) {
	case VM_PKT_DATA_USING_XFER_PAGES:
		least += (uint32_t)sizeof(struct vmtransfer_page_list);
		break;
	case VM_PKT_DATA_USING_GPA_DIRECT:
		least += (uint32_t)sizeof(struct vmdata_gpa_direct_list);
		break;
	case VM_PKT_DATA_INBAND:
	case VM_PKT_COMP:
		break;
	default:
		return false;
	}
	if (head->flags & ~VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED)
		return false;
	return least <= offset && offset <= len && len <= available - TRAILER_LEN;
}

int ring_in_peek(struct ring_in *ring, uint32_t *ret_len)
{
	uint32_t available;

	if (ring->corrupt)
		return -EPROTO;
	if (!ring->peeked) {
		if (ring->read == ring->write && in_look(ring, __ATOMIC_ACQUIRE) < 0)
			return -EPROTO;
		available = distance(ring->mem, ring->read, ring->write);
		if (!available)
			return -EAGAIN;
		if (available < DESCRIPTOR_LEN + TRAILER_LEN)
			return in_corrupt(ring);
		copy_out(ring->mem, ring->read, &ring->head, DESCRIPTOR_LEN);
		if (!head_valid(&ring->head, available))
			return in_corrupt(ring);
		ring->peeked = true;
	}
	*ret_len = ring->head.len8 * 8u;
	return 0;
}

int ring_in_next(struct ring_in *ring, void *buf, uint32_t max, struct ring_packet *ret)
{
	const struct ring_memory *mem = ring->mem;
	uint32_t offset, len;
	uint8_t *packet = buf;
	int r = ring_in_peek(ring, &len);

	if (r < 0)
		return r;
	if (len > max)
		return -EMSGSIZE;
	offset = ring->head.offset8 * 8u;
	memcpy(packet, &ring->head, DESCRIPTOR_LEN);
	copy_out(mem, advance(mem, ring->read, DESCRIPTOR_LEN), packet + DESCRIPTOR_LEN,
		 len - DESCRIPTOR_LEN);
	ring->read = advance(mem, ring->read, len + TRAILER_LEN);
	ring->peeked = false;
	ring->found = true;
	counter_add(&ring->counters.packets, 1);
	counter_add(&ring->counters.bytes, len + TRAILER_LEN);
	*ret = (struct ring_packet){
		.type = ring->head.type,
		.wants_completion = ring->head.flags & VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED,
		.trans_id = ring->head.trans_id,
		.list = packet + DESCRIPTOR_LEN,
		.list_len = offset - DESCRIPTOR_LEN,
		.payload = packet + offset,
		.payload_len = len - offset,
	};
	return 0;
}

/*
 * Whether giving up [@from, ring->read) let the guest's free bytes reach what it waits for. Linux
 * wants more than the pending size, others at least that much: passing either is worth a signal.
 */
static bool in_room_wanted(struct ring_in *ring, uint32_t from)
{
	const struct ring_memory *mem = ring->mem;
	uint32_t pending, before, after;

	if (!ring_in_flow_control(ring))
		return false;
	pending = load(&mem->control->pending_send_sz, __ATOMIC_SEQ_CST); /* G */
	if (!pending || in_look(ring, __ATOMIC_ACQUIRE) < 0)
		return false;
	before = mem->len - distance(mem, from, ring->write);
	after = mem->len - distance(mem, ring->read, ring->write);
	return before <= pending && pending <= after;
}

bool ring_in_commit(struct ring_in *ring)
{
	uint32_t from = ring->committed;
	bool signal;

	if (ring->corrupt || ring->read == from)
		return false;
	store(&ring->mem->control->read_index, ring->read, __ATOMIC_SEQ_CST); /* B, G */
	ring->committed = ring->read;
	signal = in_room_wanted(ring, from);
	counter_add(&ring->counters.commits, 1);
	counter_add(signal ? &ring->counters.signals : &ring->counters.suppressed, 1);
	return signal;
}

bool ring_in_end(struct ring_in *ring)
{
	struct hv_ring_buffer *control = ring->mem->control;

	if (ring->corrupt)
		return true;
	store(&control->interrupt_mask, 0, __ATOMIC_SEQ_CST); /* E */
	if (in_look(ring, __ATOMIC_SEQ_CST) < 0)              /* A, E */
		return true;
	if (ring->read != ring->write) {
		store(&control->interrupt_mask, 1, __ATOMIC_RELAXED);
		return true;
	}
	if (!ring->found)
		counter_add(&ring->counters.spurious, 1);
	return false;
}

/* --- Host to guest. ------------------------------------------------------------------------ */

static int out_corrupt(struct ring_out *ring)
{
	if (!ring->corrupt)
		counter_add(&ring->counters.corrupt, 1);
	ring->corrupt = true;
	return -EPROTO;
}

int ring_out_init(struct ring_out *ring, const struct ring_memory *mem)
{
	struct hv_ring_buffer *control = mem->control;
	uint32_t write = load(&control->write_index, __ATOMIC_RELAXED);
	uint32_t read = load(&control->read_index, __ATOMIC_ACQUIRE);

	if (!index_valid(mem, read) || !index_valid(mem, write))
		return -EPROTO;
	*ring = (struct ring_out){.mem = mem, .write = write, .committed = write, .read = read};
	store(&control->pending_send_sz, 0, __ATOMIC_RELAXED);
	__atomic_fetch_or(&control->feature_bits, HV_RING_FEAT_PENDING_SEND_SZ, __ATOMIC_RELAXED);
	return 0;
}

/* The guest's index, now (D). It may only go forward, and not past what we showed it. */
static int out_look(struct ring_out *ring, int order)
{
	const struct ring_memory *mem = ring->mem;
	uint32_t read = load(&mem->control->read_index, order);

	if (!index_valid(mem, read))
		return out_corrupt(ring);
	if (distance(mem, read, ring->committed) > distance(mem, ring->read, ring->committed))
		return out_corrupt(ring);
	ring->read = read;
	return 0;
}

/* Never the last byte: a ring that looks empty is empty. */
static bool out_fits(const struct ring_out *ring, uint32_t space)
{
	uint32_t used = distance(ring->mem, ring->read, ring->write);

	return space < ring->mem->len - used - ring->reserved;
}

/*
 * Asks for a signal and looks again. The guest compares with what is free as it sees it, and that
 * includes what is reserved or not committed yet. At least a quarter of the ring, or the two ends
 * would hand each other single packets; and not all of it, or the signal would never come.
 */
static int out_wait(struct ring_out *ring, uint32_t space)
{
	const struct ring_memory *mem = ring->mem;
	uint64_t wanted =
		(uint64_t)space + ring->reserved + distance(mem, ring->committed, ring->write);

	wanted = max_of(wanted, (uint64_t)mem->len / 4);
	wanted = min_of(wanted, (uint64_t)mem->len - 8);
	store(&mem->control->pending_send_sz, (uint32_t)wanted, __ATOMIC_SEQ_CST); /* H */
	ring->waiting = true;
	return out_look(ring, __ATOMIC_SEQ_CST); /* D, H */
}

int ring_out_reserve(struct ring_out *ring, uint32_t space)
{
	assert(is_aligned(space, 8));
	if (ring->corrupt)
		return -EPROTO;
	if (space >= ring->mem->len)
		return -EMSGSIZE;
	if (!out_fits(ring, space) && out_look(ring, __ATOMIC_ACQUIRE) < 0)
		return -EPROTO;
	if (!out_fits(ring, space)) {
		if (out_wait(ring, space) < 0)
			return -EPROTO;
		if (!out_fits(ring, space)) {
			counter_add(&ring->counters.full, 1);
			return -EAGAIN;
		}
	}
	if (ring->waiting) {
		store(&ring->mem->control->pending_send_sz, 0, __ATOMIC_RELAXED);
		ring->waiting = false;
	}
	ring->reserved += space;
	return 0;
}

void ring_out_unreserve(struct ring_out *ring, uint32_t space)
{
	assert(space <= ring->reserved);
	ring->reserved -= space;
}

int ring_out_write(struct ring_out *ring, const struct ring_message *message, uint32_t reserved)
{
	const struct ring_memory *mem = ring->mem;
	uint32_t space, len, at = ring->write;
	struct vmpacket_descriptor head;
	struct vmpacket_trailer trailer = {.offset = ring->write};
	int r;

	assert(is_aligned(message->list_len, 8));
	if (message->list_len > VMPACKET_LEN_MAX || message->payload_len > VMPACKET_LEN_MAX)
		return -EMSGSIZE;
	space = ring_out_space(message->list_len, message->payload_len);
	len = space - TRAILER_LEN;
	if (len > VMPACKET_LEN_MAX)
		return -EMSGSIZE;
	if (ring->corrupt)
		return -EPROTO;
	if (!reserved) {
		r = ring_out_reserve(ring, space);
		if (r < 0)
			return r;
		reserved = space;
	}
	assert(space <= reserved);
	ring_out_unreserve(ring, reserved);
	head = (struct vmpacket_descriptor){
		.type = message->type,
		.offset8 = (uint16_t)((DESCRIPTOR_LEN + message->list_len) / 8),
		.len8 = (uint16_t)(len / 8),
		.flags =
			message->wants_completion ? VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED : 0,
		.trans_id = message->trans_id,
	};
	at = copy_in(mem, at, &head, DESCRIPTOR_LEN);
	if (message->list_len)
		at = copy_in(mem, at, message->list, message->list_len);
	if (message->payload_len)
		at = copy_in(mem, at, message->payload, message->payload_len);
	at = copy_in(mem, at, NULL,
		     (uint32_t)align_up(message->payload_len, 8) - message->payload_len);
	ring->write = copy_in(mem, at, &trailer, TRAILER_LEN);
	counter_add(&ring->counters.packets, 1);
	counter_add(&ring->counters.bytes, space);
	return 0;
}

bool ring_out_commit(struct ring_out *ring)
{
	struct hv_ring_buffer *control = ring->mem->control;
	uint32_t from = ring->committed;
	bool signal = false;

	if (ring->corrupt || ring->write == from)
		return false;
	store(&control->write_index, ring->write, __ATOMIC_SEQ_CST); /* C, F */
	ring->committed = ring->write;
	/* The mask first: a guest that clears it afterwards looks at the ring once more (F'). */
	if (!load(&control->interrupt_mask, __ATOMIC_SEQ_CST))                        /* F */
		signal = out_look(ring, __ATOMIC_SEQ_CST) == 0 && ring->read == from; /* D, F */
	counter_add(&ring->counters.commits, 1);
	counter_add(signal ? &ring->counters.signals : &ring->counters.suppressed, 1);
	return signal;
}

bool ring_out_unread(struct ring_out *ring)
{
	if (ring->corrupt || load(&ring->mem->control->interrupt_mask, __ATOMIC_SEQ_CST)) /* F */
		return false;
	return out_look(ring, __ATOMIC_SEQ_CST) == 0 && ring->read != ring->committed;
}
