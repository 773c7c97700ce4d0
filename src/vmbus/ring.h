// SPDX-License-Identifier: MIT
/*
 * One direction of a channel: packets in or out of a ring in guest memory (ring_proto.h).
 *
 * The guest can write every byte of a ring at any time. So: our own index is private, and what the
 * control page says of it is never read again; the guest's index is checked every time it is read,
 * and may only go forward, as far as we let it; a packet is copied out once, its descriptor first,
 * and only the copies are looked at; mask and pending size are hints that cost a signal at most.
 *
 * A ring that is found corrupt stays so: -EPROTO from then on, nothing more is read or written.
 * Close the channel. An empty or a full ring is -EAGAIN and no error.
 *
 * Each ring belongs to one thread, which is its channel's loop; counters may be read from any.
 * Nothing here blocks, allocates or takes a lock.
 *
 * The two ends meet in these pairs; x is ours, x' the guest's (whose side is written as ours is in
 * tests/unit/ring_guest.c):
 *
 *   A   we read write_index, then a packet        A'  it writes a packet, then write_index
 *   B   we have read a packet, write read_index   B'  it reads read_index, then reuses the room
 *   C   we write a packet, then write_index       C'  it reads write_index, then a packet
 *   D   we read read_index, then reuse the room   D'  it has read a packet, writes read_index
 *
 * and, each a store followed by a load of something else, sequentially consistent on both sides so
 * that one of the two sees the other's store:
 *
 *   E   clear our mask, read write_index          E'  write write_index, read our mask
 *   F   write write_index, read its mask and      F'  clear its mask or write read_index, read
 *       read_index                                    write_index
 *   G   write read_index, read its pending size   G'  write its pending size, read read_index
 *   H   write our pending size, read read_index   H'  write read_index, read our pending size
 */
#pragma once

#include "vmbus/ring_proto.h"
#include "vmm/counter.h"

struct gpadl;

/* Where a ring is. From gpadl_map_ring(); must stay as long as the ring is used. */
struct ring_memory {
	struct hv_ring_buffer *control;
	uint8_t *data;   /* mapped twice, back to back; NULL: page by page */
	uint8_t **pages; /* then this */
	uint32_t len;    /* of the data, once: a multiple of the page size */

	/* gpadl_unmap_ring()'s. */
	struct gpadl *gpadl;
	void *map;
	size_t map_len;
	uint32_t mappings;
};

struct ring_counters {
	struct counter packets;
	struct counter bytes; /* with descriptors and trailers */
	struct counter commits;
	struct counter signals;    /* decided on */
	struct counter suppressed; /* commits that needed none */
	struct counter wakes;      /* in: drains begun */
	struct counter spurious;   /* in: drains that found nothing */
	struct counter full;       /* out: no room */
	struct counter corrupt;
};

/* --- Guest to host. ------------------------------------------------------------------------ */

struct ring_in {
	const struct ring_memory *mem;
	uint32_t read;      /* where the next packet begins */
	uint32_t committed; /* what the guest has been told of it */
	uint32_t write;     /* the guest's, as last seen and checked */
	bool corrupt;
	bool found;  /* a packet since ring_in_begin() */
	bool peeked; /* head is the descriptor at read */
	struct vmpacket_descriptor head;
	struct ring_counters counters;
};

/* A packet in the caller's buffer. */
struct ring_packet {
	uint16_t type;
	bool wants_completion;
	uint64_t trans_id;
	const void *list; /* what is between descriptor and payload; a multiple of 8 bytes */
	uint32_t list_len;
	const void *payload; /* a multiple of 8 bytes: what is meant may be shorter */
	uint32_t payload_len;
};

/*
 * Starts at the indices that are in the control page, signals wanted. Packets may be there already:
 * drain once. -EPROTO when the indices are nonsense.
 */
int ring_in_init(struct ring_in *ring, const struct ring_memory *mem) must_check;

/*
 * How a drain goes, with one commit and one decision a batch:
 *
 *	ring_in_begin(ring);
 *	do {
 *		while (there is room for answers && ring_in_next(ring, ...) == 0)
 *			...
 *		if (ring_in_commit(ring))
 *			signal the guest;
 *	} while (the ring was empty && ring_in_end(ring));
 *
 * A drain that stops for want of room goes on later without ring_in_end(): the guest stays masked.
 */
void ring_in_begin(struct ring_in *ring);

/*
 * The length of the next packet from its descriptor on, which is at least that of the descriptor;
 * ring_in_next() will copy exactly so much. -EAGAIN empty; -EPROTO.
 */
int ring_in_peek(struct ring_in *ring, uint32_t *ret_len) must_check;

/*
 * Copies the next packet to @buf (8-byte aligned) and moves past it. What *ret points to lies in
 * @buf. Checked: its lengths, flags and type, and that a page list has its fixed part; not what the
 * list says. -EAGAIN empty; -EMSGSIZE longer than @max, and still there; -EPROTO.
 */
int ring_in_next(struct ring_in *ring, void *buf, uint32_t max, struct ring_packet *ret) must_check;

/*
 * Gives the room of all packets taken back to the guest. True: it waits for room and has it now,
 * signal it.
 */
bool ring_in_commit(struct ring_in *ring) must_check;

/*
 * Wants signals again. True: something came meanwhile, and signals are masked again: go on. (Also
 * for a corrupt ring: ring_in_peek() and ring_in_next() say so.)
 */
bool ring_in_end(struct ring_in *ring) must_check;

/* --- Host to guest. ------------------------------------------------------------------------ */

struct ring_out {
	const struct ring_memory *mem;
	uint32_t write;     /* where the next packet goes */
	uint32_t committed; /* what the guest has been told of it */
	uint32_t read;      /* the guest's, as last seen and checked */
	uint32_t reserved;  /* bytes promised by ring_out_reserve() */
	bool waiting;       /* pending_send_sz is set */
	bool corrupt;
	struct ring_counters counters;
};

/* What to send. Lengths are rounded up to 8 bytes, with zeroes. */
struct ring_message {
	uint16_t type; /* VM_PKT_* */
	bool wants_completion;
	uint64_t trans_id;
	const void *list;
	uint32_t list_len; /* a multiple of 8 */
	const void *payload;
	uint32_t payload_len;
};

/* What a message of such lengths takes in a ring. The caller's numbers: no overflow check. */
static inline uint32_t ring_out_space(uint32_t list_len, uint32_t payload_len)
{
	return (uint32_t)(sizeof(struct vmpacket_descriptor) + list_len + align_up(payload_len, 8) +
			  sizeof(struct vmpacket_trailer));
}

/* Starts at the indices in the control page. -EPROTO when they are nonsense. */
int ring_out_init(struct ring_out *ring, const struct ring_memory *mem) must_check;

/*
 * Sets @space bytes aside (a multiple of 8, see ring_out_space()) for a later ring_out_write():
 * have room for the answer before taking the question.
 *
 * -EAGAIN: not now. The guest has been asked to signal when there is room (it will only if it knows
 * how: ring_in_flow_control()). Commit what has been written, and try again when it signals, and
 * whenever less is reserved than now. Success withdraws the wish. -EMSGSIZE: more than the ring can
 * ever take. -EPROTO.
 */
int ring_out_reserve(struct ring_out *ring, uint32_t space) must_check;
void ring_out_unreserve(struct ring_out *ring, uint32_t space);

/*
 * Writes a packet, unseen by the guest until ring_out_commit(). With @reserved, at least the
 * message's space, of what ring_out_reserve() gave, all of which is used up; this cannot fail but
 * with -EPROTO. With 0, room is found as by ring_out_reserve(), with its errors.
 */
int ring_out_write(struct ring_out *ring, const struct ring_message *message,
		   uint32_t reserved) must_check;

/*
 * Shows all packets written to the guest. True: the ring was empty as far as it knows, and it does
 * not mask signals: signal it.
 */
bool ring_out_commit(struct ring_out *ring) must_check;

/*
 * Whether the guest has packets to read and would like a signal for them: for a signal that
 * ring_out_commit() asked for and that was put off.
 */
bool ring_out_unread(struct ring_out *ring) must_check;

/*
 * Whether the guest signals for room, as it says in the ring that it writes. A hint: one that does
 * not must be polled when ring_out_reserve() fails.
 */
bool ring_in_flow_control(const struct ring_in *ring);
