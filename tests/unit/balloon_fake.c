// SPDX-License-Identifier: MIT
/* See balloon_fake.h. */
#include "balloon_fake.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static int grow(void *ctx, uint64_t len, struct error *err)
{
	struct balloon_fake *f = ctx;
	struct mem_region region;
	int r = f->grow_fails ? error_set(err, -ENOMEM, "no memory") : 0;

	if (r == 0)
		r = mem_grow(f->mem, len, err, &region);
	if (r == 0)
		mem_grow_done(f->mem, &region);
	return r;
}

static void settled(void *ctx, const char *why)
{
	struct balloon_fake *f = ctx;

	if (why)
		f->refused++;
	else
		f->settled++;
}

static const struct balloon_host_ops ops = {.grow = grow, .settled = settled};

void balloon_fake_init(struct balloon_fake *f, uint64_t grace_ns, uint64_t answer_ns)
{
	const struct mem_config mem_config = {.size = MiB(512), .maximum = MiB(1024)};
	struct error err;
	int r;

	*f = (struct balloon_fake){0};
	channel_fake_init(&f->bus);
	r = loop_create(0, &err, &f->loop);
	assert(r == 0);
	r = mem_create(&mem_config, &err, &f->mem);
	assert(r == 0);
	const struct balloon_config config = {
		.bus = &f->bus,
		.loop = f->loop,
		.mem = f->mem,
		.vm = "fake",
		.minimum = MiB(256),
		.maximum = MiB(1024),
		.grace_ns = grace_ns,
		.answer_ns = answer_ns,
		.ops = &ops,
		.ctx = f,
	};
	r = balloon_create(&config, &err, &f->balloon);
	assert(r == 0);
	(void)r;
}

void balloon_fake_finish(struct balloon_fake *f)
{
	if (f->bus.device)
		vmbus_device_remove(f->bus.device);
	balloon_destroy(f->balloon);
	channel_fake_finish(&f->bus);
	loop_destroy(f->loop);
	mem_destroy(f->mem);
}

int balloon_fake_send(struct balloon_fake *f, uint16_t type, const void *message, size_t len)
{
	uint8_t copy[DM_MESSAGE_MAX];
	const struct dm_header header = {.type = type, .size = (uint16_t)len, .trans_id = 7};
	const struct ring_packet packet = {.type = VM_PKT_DATA_INBAND,
					   .payload = copy,
					   .payload_len = (uint32_t)align_up(len, 8)};

	assert(len >= sizeof(header) && len <= sizeof(copy));
	memset(copy, 0, sizeof(copy));
	memcpy(copy, message, len);
	memcpy(copy, &header, sizeof(header));
	return channel_fake_send(f->channel, &packet);
}

bool balloon_fake_silent(const struct balloon_fake *f)
{
	return f->seen == f->channel->sent;
}

const void *balloon_fake_next(struct balloon_fake *f, uint16_t type)
{
	const struct fake_record *record = &f->channel->message[f->seen % FAKE_RECORDS];
	struct dm_header header;

	assert(!balloon_fake_silent(f));
	memcpy(&header, record->payload, sizeof(header));
	assert(header.type == type && header.size == record->len);
	(void)type;
	f->seen++;
	memcpy(f->message, record->payload, sizeof(f->message));
	return f->message;
}

void balloon_fake_start(struct balloon_fake *f, uint32_t version)
{
	const struct dm_version_request request = {.version = version};
	const struct dm_capabilities caps = {
		.caps = DM_CAP_BALLOON | DM_CAP_HOT_ADD | 7ull << DM_CAP_HOT_ADD_ALIGNMENT_SHIFT,
		.max_page_number = UINT64_MAX,
	};
	const struct dm_accepted *answer;
	int r;

	f->channel = channel_fake_open(&f->bus, 0);
	f->seen = 0;
	r = balloon_fake_send(f, DM_VERSION_REQUEST, &request, sizeof(request));
	assert(r == 0);
	answer = balloon_fake_next(f, DM_VERSION_RESPONSE);
	assert(answer->is_accepted == 1);
	r = balloon_fake_send(f, DM_CAPABILITIES_REPORT, &caps, sizeof(caps));
	assert(r == 0);
	answer = balloon_fake_next(f, DM_CAPABILITIES_RESPONSE);
	assert(answer->is_accepted == 1);
	if (version >= DYNMEM_PROTOCOL_VERSION_2)
		(void)balloon_fake_next(f, DM_INFO_MESSAGE);
	(void)answer;
	(void)r;
}

void balloon_fake_report(struct balloon_fake *f, uint64_t available, uint64_t committed)
{
	const struct dm_status status = {.num_avail = available >> PAGE_SHIFT,
					 .num_committed = committed >> PAGE_SHIFT};
	int r = balloon_fake_send(f, DM_STATUS_REPORT, &status, sizeof(status));

	assert(r == 0);
	(void)r;
}

uint64_t balloon_fake_range(uint64_t start, uint64_t pages)
{
	return start | pages << DM_RANGE_START_BITS;
}

int balloon_fake_give(struct balloon_fake *f, const uint64_t *ranges, unsigned int count, bool more)
{
	struct {
		struct dm_balloon_response head;
		uint64_t ranges[510];
	} message = {.head.more_and_count = count << 1 | more};

	assert(count <= ARRAY_SIZE(message.ranges));
	if (count)
		memcpy(message.ranges, ranges, count * sizeof(*ranges));
	return balloon_fake_send(f, DM_BALLOON_RESPONSE, &message,
				 sizeof(message.head) + count * sizeof(*ranges));
}

void balloon_fake_take(struct balloon_fake *f, uint64_t start)
{
	const struct dm_balloon_request *request = balloon_fake_next(f, DM_BALLOON_REQUEST);
	uint64_t ranges[510];
	unsigned int count = request->num_pages / 512;
	int r;

	assert(count <= ARRAY_SIZE(ranges) && request->num_pages % 512 == 0);
	for (unsigned int i = 0; i < count; i++)
		ranges[i] = balloon_fake_range(start + i * 512, 512);
	r = balloon_fake_give(f, ranges, count, false);
	assert(r == 0);
	(void)r;
}

int balloon_fake_added(struct balloon_fake *f, uint32_t pages, uint32_t result)
{
	const struct dm_hot_add_response response = {.page_count = pages, .result = result};

	return balloon_fake_send(f, DM_MEM_HOT_ADD_RESPONSE, &response, sizeof(response));
}

int balloon_fake_given(struct balloon_fake *f)
{
	const struct dm_unballoon_response response = {0};

	return balloon_fake_send(f, DM_UNBALLOON_RESPONSE, &response, sizeof(response));
}

struct stopper {
	struct loop_deferred deferred;
	struct loop *loop;
};

static void stop(struct loop_deferred *deferred)
{
	loop_stop(container_of(deferred, struct stopper, deferred)->loop);
}

void balloon_fake_pass(struct balloon_fake *f)
{
	struct stopper stopper = {.deferred = {.run = stop}, .loop = f->loop};
	int r;

	loop_defer(f->loop, &stopper.deferred);
	r = loop_run(f->loop);
	assert(r == 0);
	(void)r;
}

struct balloon_state balloon_fake_state(const struct balloon_fake *f)
{
	struct balloon_state state;

	balloon_get_state(f->balloon, &state);
	return state;
}
