// SPDX-License-Identifier: MIT
/*
 * Fuzzes both ends of a ring against a guest that writes whatever it likes, whenever. Beyond not
 * crashing, and not touching a byte outside the ring:
 *
 *   - a packet is what it says it is, fits the buffer, and moves our index by its length;
 *   - the control page gets our indices and no others, whatever the guest makes of them;
 *   - corrupt is for good, and neither empty nor full;
 *   - what is reserved can be written.
 *
 * The input is a byte (bit 0: page by page; bit 1: three pages, not one), then commands, below.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/ring_guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * CONTROL: field (1), value (4). DATA: offset (2), length (1), bytes. SEND: payload in words (1),
 * what a good guest does. BEGIN, PEEK, COMMIT_IN, END. NEXT: buffer in words (1). RESERVE,
 * UNRESERVE: words (2). WRITE: list in words, payload in sevens of bytes (1 each). WRITE_RESERVED.
 * COMMIT_OUT. RESTART: with the indices that are there.
 */
enum command {
	CONTROL,
	DATA,
	SEND,
	BEGIN,
	PEEK,
	NEXT,
	COMMIT_IN,
	END,
	RESERVE,
	UNRESERVE,
	WRITE,
	WRITE_RESERVED,
	COMMIT_OUT,
	RESTART,
	COMMANDS
};

#define COMMANDS_MAX 256
#define BUF_WORDS    2048

struct input {
	const uint8_t *data;
	size_t left;
};

struct pair {
	struct ring_memory mem;
	struct ring_in in;
	struct ring_out out;
	struct ring_guest guest;
	bool in_dead, out_dead;
	uint32_t reserved;
};

static uint64_t zeroes[BUF_WORDS];

static void require(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static uint32_t take(struct input *in, size_t bytes)
{
	uint32_t value = 0;
	size_t n = min_of(bytes, in->left);

	memcpy(&value, in->data, n);
	in->data += n;
	in->left -= n;
	return value;
}

static bool index_ok(const struct pair *p, uint32_t index)
{
	return index < p->mem.len && index % 8 == 0;
}

/* One ring for both ends: the fuzzer plays the guest in either role. */
static void restart(struct pair *p)
{
	const struct hv_ring_buffer *c = p->mem.control;
	bool good = index_ok(p, c->write_index) && index_ok(p, c->read_index);

	p->in_dead = ring_in_init(&p->in, &p->mem) < 0;
	p->out_dead = ring_out_init(&p->out, &p->mem) < 0;
	p->reserved = 0;
	require(p->in_dead == !good && p->out_dead == !good,
		"start of a bad ring, or none of a good");
}

/* --- The guest. ---------------------------------------------------------------------------- */

static void guest_control(struct pair *p, struct input *in)
{
	struct hv_ring_buffer *c = p->mem.control;
	uint32_t *const fields[] = {&c->write_index, &c->read_index, &c->interrupt_mask,
				    &c->pending_send_sz, &c->feature_bits};
	uint32_t field = take(in, 1);

	*fields[field % ARRAY_SIZE(fields)] = take(in, 4);
}

static void guest_data(struct pair *p, struct input *in)
{
	uint32_t at = take(in, 2);
	uint32_t len = (uint32_t)min_of((size_t)take(in, 1), in->left);

	ring_guest_put(&p->mem, at, in->data, len);
	in->data += len;
	in->left -= len;
}

static void guest_send(struct pair *p, struct input *in)
{
	uint32_t words = take(in, 1);
	bool signal;

	if (!index_ok(p, p->mem.control->write_index) || !index_ok(p, p->mem.control->read_index))
		return;
	p->guest = (struct ring_guest){.mem = &p->mem, .index = p->mem.control->write_index};
	(void)ring_guest_send(&p->guest, VM_PKT_DATA_INBAND, 0, words, NULL, 0, zeroes, words * 8,
			      &signal);
}

/* --- Guest to host. ------------------------------------------------------------------------ */

static void check_in(struct pair *p, int r)
{
	require(!p->in_dead || r == -EPROTO, "a corrupt ring lives");
	require(p->in.corrupt == (r == -EPROTO), "an error without its state");
	p->in_dead = r == -EPROTO;
}

static void host_next(struct pair *p, struct input *in)
{
	uint32_t max = take(in, 1) * 8, before = p->in.read, len = 0;
	/* Of exactly that size, for the sanitizer to guard. */
	uint64_t *buf = malloc(max + 8);
	struct ring_packet packet;
	int r;

	require(buf != NULL, "out of memory");
	r = ring_in_peek(&p->in, &len);
	require(r == 0 || r == -EAGAIN || r == -EPROTO, "peek");
	/* The guest changes its mind. */
	if (r == 0)
		ring_guest_put(&p->mem, before, zeroes, 16);
	r = ring_in_next(&p->in, buf, max, &packet);
	if (r == 0) {
		const struct vmpacket_descriptor *head = (const void *)buf;

		require(len <= max && len == head->len8 * 8u, "not the length that was peeked");
		require(16 + packet.list_len + packet.payload_len == len, "parts of a packet");
		require((const uint8_t *)packet.list == (uint8_t *)buf + 16, "list");
		require((const uint8_t *)packet.payload == (uint8_t *)buf + head->offset8 * 8u,
			"payload");
		require(packet.type == head->type && packet.trans_id == head->trans_id, "head");
		require(p->in.read == (before + len + 8) % p->mem.len, "index after a packet");
	} else {
		require(p->in.read == before, "index moved without a packet");
		require(r != -EMSGSIZE || len > max, "a packet that fits does not");
	}
	if (r != -EMSGSIZE)
		check_in(p, r);
	free(buf);
}

static void host_commit_in(struct pair *p)
{
	bool signal = ring_in_commit(&p->in);

	require(!p->in_dead || !signal, "signal from a corrupt ring");
	if (!p->in_dead)
		require(p->in.committed == p->in.read, "not all was given back");
	p->in_dead = p->in.corrupt;
}

static void host_end(struct pair *p)
{
	bool more = ring_in_end(&p->in);

	require(!p->in_dead || more, "a corrupt ring is left alone");
	if (!p->in.corrupt)
		require(p->mem.control->interrupt_mask == more, "mask");
	p->in_dead = p->in.corrupt;
}

/* --- Host to guest. ------------------------------------------------------------------------ */

static void check_out(struct pair *p, int r)
{
	require(!p->out_dead || r == -EPROTO || r == -EMSGSIZE, "a corrupt ring lives");
	require(r != -EPROTO || p->out.corrupt, "an error without its state");
	p->out_dead = p->out.corrupt;
	require(p->out.reserved == p->reserved, "reservations");
	require(p->reserved < p->mem.len, "more reserved than there is");
}

static void host_reserve(struct pair *p, struct input *in)
{
	uint32_t space = take(in, 2) * 8;
	int r = ring_out_reserve(&p->out, space);

	if (r == 0)
		p->reserved += space;
	require(r != -EAGAIN || p->mem.control->pending_send_sz, "nobody will be told");
	check_out(p, r);
}

static void host_write(struct pair *p, uint32_t list, uint32_t payload, uint32_t reserved)
{
	struct ring_message m = {.type = VM_PKT_COMP,
				 .list = zeroes,
				 .list_len = list,
				 .payload = zeroes,
				 .payload_len = payload};
	uint32_t before = p->out.write;
	int r = ring_out_write(&p->out, &m, reserved);

	if (r == 0) {
		p->reserved -= reserved;
		require(p->out.write == (before + ring_out_space(list, payload)) % p->mem.len,
			"index after a packet");
	}
	require(!reserved || r == 0 || r == -EPROTO, "a reservation that is none");
	check_out(p, r);
}

static void host_write_reserved(struct pair *p)
{
	if (p->reserved < ring_out_space(0, 0))
		return;
	host_write(p, 0, p->reserved - ring_out_space(0, 0), p->reserved);
}

static void host_commit_out(struct pair *p)
{
	bool dead = p->out_dead, signal = ring_out_commit(&p->out);

	require(!dead || !signal, "signal from a corrupt ring");
	p->out_dead = p->out.corrupt;
	if (!dead)
		require(p->out.committed == p->out.write, "not all was shown");
}

static void step(struct pair *p, struct input *in)
{
	uint32_t a, b;
	int r;

	switch ((enum command)(take(in, 1) % COMMANDS)) {
	case CONTROL:
		guest_control(p, in);
		break;
	case DATA:
		guest_data(p, in);
		break;
	case SEND:
		guest_send(p, in);
		break;
	case BEGIN:
		ring_in_begin(&p->in);
		break;
	case PEEK:
		r = ring_in_peek(&p->in, &a);
		check_in(p, r);
		break;
	case NEXT:
		host_next(p, in);
		break;
	case COMMIT_IN:
		host_commit_in(p);
		break;
	case END:
		host_end(p);
		break;
	case RESERVE:
		host_reserve(p, in);
		break;
	case UNRESERVE:
		a = min_of(take(in, 2) * 8, p->reserved);
		ring_out_unreserve(&p->out, a);
		p->reserved -= a;
		break;
	case WRITE:
		a = take(in, 1) * 8;
		b = take(in, 1) * 7;
		host_write(p, a, b, 0);
		break;
	case WRITE_RESERVED:
		host_write_reserved(p);
		break;
	case COMMIT_OUT:
		host_commit_out(p);
		break;
	case RESTART:
		restart(p);
		break;
	case COMMANDS:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.data = data, .left = size};
	uint32_t flags = take(&in, 1);
	struct pair p = {.in_dead = false};

	ring_guest_memory(&p.mem, flags & 2 ? 3 : 1, flags & 1);
	restart(&p);
	for (int i = 0; i < COMMANDS_MAX && in.left; i++) {
		step(&p, &in);
		/* A channel that is corrupt is closed; here it gets another life. */
		while (p.in_dead || p.out_dead) {
			p.mem.control->write_index = p.mem.control->read_index = 0;
			restart(&p);
		}
	}
	ring_guest_memory_free(&p.mem);
	return 0;
}
