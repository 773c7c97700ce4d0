// SPDX-License-Identifier: MIT
/*
 * The balloon, fed with messages of a guest: in any order, malformed, with answers that nobody
 * asked for, come twice, give what is not the guest's, or never end; with targets that change, a
 * ring that is full, a host that has no memory, and drivers that come and go. Whatever is sent, the
 * guest's memory stays between what was agreed on, nothing is released that it did not give, and
 * what is in the balloon is counted right.
 *
 * The input is commands of one byte with arguments; see make-balloon-corpus.
 */
#include <assert.h>
#include <string.h>

#include "../unit/balloon_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	OP_START,  /* version (1 to 3) */
	OP_RAW,    /* type, length, bytes: a message with a right header */
	OP_PACKET, /* length, bytes: whatever it is */
	OP_REPORT, /* available, committed: MiB */
	OP_TARGET, /* MiB */
	OP_TAKE,   /* more, count, then runs: first page, pages */
	OP_GIVEN,
	OP_ADDED, /* pages, result */
	OP_FULL,
	OP_ROOM,
	OP_CLOSE,
	OP_RESET,
	OP_LIMITS,  /* minimum, maximum: of what is possible */
	OP_NO_GROW, /* or again */
	OPS
};

struct input {
	const uint8_t *data;
	size_t left;
};

static struct balloon_fake f;

/* What there is not is zero. */
static uint64_t number(struct input *in, size_t len)
{
	const size_t n = min_of(in->left, len);
	uint64_t v = 0;

	memcpy(&v, in->data, n);
	in->data += n;
	in->left -= n;
	return v;
}

static void take(struct input *in, uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)number(in, 1);
}

static bool is_open(void)
{
	return f.bus.device->channels[0] != NULL;
}

static void op_start(struct input *in)
{
	static const uint32_t versions[] = {DYNMEM_PROTOCOL_VERSION_1, DYNMEM_PROTOCOL_VERSION_2,
					    DYNMEM_PROTOCOL_VERSION_3};

	if (!is_open())
		balloon_fake_start(&f, versions[number(in, 1) % 3]);
}

static void op_raw(struct input *in)
{
	const uint16_t type = (uint16_t)number(in, 1);
	const size_t len = sizeof(struct dm_header) + number(in, 1);
	uint8_t message[512] = {0};

	take(in, message + sizeof(struct dm_header), len - sizeof(struct dm_header));
	if (is_open())
		(void)!balloon_fake_send(&f, type, message, len);
}

static void op_packet(struct input *in)
{
	uint8_t payload[256];
	const struct ring_packet packet = {
		.type = (uint16_t)(number(in, 1) % 2 ? VM_PKT_DATA_INBAND : VM_PKT_COMP),
		.wants_completion = number(in, 1) % 2,
		.payload = payload,
		.payload_len = (uint32_t)align_down(number(in, 1), 8),
	};

	take(in, payload, packet.payload_len);
	if (is_open())
		(void)!channel_fake_send(f.channel, &packet);
}

static void op_take(struct input *in)
{
	const bool more = number(in, 1) % 2;
	const unsigned int count = (unsigned int)number(in, 1);
	uint64_t ranges[256];

	for (unsigned int i = 0; i < count; i++) {
		const uint64_t start = number(in, 5), pages = number(in, 3);

		ranges[i] = balloon_fake_range(start & DM_RANGE_START_MASK, pages);
	}
	if (is_open())
		(void)!balloon_fake_give(&f, ranges, count, more);
}

static void op_report(struct input *in)
{
	const struct dm_status status = {.num_avail = number(in, 8),
					 .num_committed = number(in, 8)};

	if (is_open())
		(void)!balloon_fake_send(&f, DM_STATUS_REPORT, &status, sizeof(status));
}

static void op_limits(struct input *in)
{
	const struct balloon_state s = balloon_fake_state(&f);
	const uint64_t minimum = MiB(2 * number(in, 1)),
		       maximum = s.maximum + MiB(2 * number(in, 1));

	balloon_set_limits(f.balloon, min_of(s.minimum, max_of(minimum, MiB(16))),
			   min_of(maximum, MiB(1024)));
}

static void reset(void)
{
	if (is_open())
		(void)channel_fake_close(&f.bus, 0);
	mem_shrink(f.mem);
	balloon_reset(f.balloon);
}

static void run(struct input *in)
{
	switch (number(in, 1) % OPS) {
	case OP_START:
		op_start(in);
		break;
	case OP_RAW:
		op_raw(in);
		break;
	case OP_PACKET:
		op_packet(in);
		break;
	case OP_REPORT:
		op_report(in);
		break;
	case OP_TARGET:
		(void)balloon_set_target(f.balloon, number(in, 2) << 20);
		break;
	case OP_TAKE:
		op_take(in);
		break;
	case OP_GIVEN:
		if (is_open())
			(void)!balloon_fake_given(&f);
		break;
	case OP_ADDED:
		if (is_open()) {
			const uint32_t pages = (uint32_t)number(in, 4);

			(void)!balloon_fake_added(&f, pages, (uint32_t)number(in, 1));
		}
		break;
	case OP_FULL:
		if (is_open())
			f.channel->full = true;
		break;
	case OP_ROOM:
		if (is_open())
			channel_fake_room(f.channel);
		break;
	case OP_CLOSE:
		if (is_open())
			(void)channel_fake_close(&f.bus, 0);
		break;
	case OP_RESET:
		reset();
		break;
	case OP_LIMITS:
		op_limits(in);
		break;
	case OP_NO_GROW:
		f.grow_fails = !f.grow_fails;
		break;
	default:
		break;
	}
}

static void check(void)
{
	const struct balloon_state s = balloon_fake_state(&f);

	assert(s.assigned <= s.maximum);
	assert(s.assigned >= s.minimum);
	assert(s.target >= s.minimum && s.target <= s.maximum);
	assert(s.floor >= s.minimum);
	assert(s.demand <= 1ull << 53);
	assert(mem_added(f.mem) <= MiB(512));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.data = data, .left = size};

	balloon_fake_init(&f, 0, BALLOON_ANSWER_NS);
	while (in.left) {
		run(&in);
		check();
	}
	balloon_fake_finish(&f);
	return 0;
}
