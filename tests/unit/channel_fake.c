// SPDX-License-Identifier: MIT
/* See channel_fake.h. */
#include "channel_fake.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void channel_fake_init(struct vmbus *bus)
{
	*bus = (struct vmbus){0};
	bus->memory = mmap(NULL, FAKE_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(bus->memory != MAP_FAILED);
}

void channel_fake_finish(struct vmbus *bus)
{
	assert(!bus->device);
	munmap(bus->memory, FAKE_PAGES * PAGE_SIZE);
}

/* --- Devices. -------------------------------------------------------------------------------- */

int vmbus_device_add(struct vmbus *bus, const struct vmbus_device_config *config, struct error *err,
		     struct vmbus_device **ret)
{
	struct vmbus_device *device;

	assert(!bus->device);
	if (bus->add_result)
		return error_set(err, bus->add_result, "refused");
	device = calloc(1, sizeof(*device));
	assert(device);
	device->config = *config;
	device->bus = bus;
	bus->device = device;
	*ret = device;
	return 0;
}

static void remove_if_closed(struct vmbus_device *device)
{
	void (*removed)(void *ctx) = device->config.removed;
	void *ctx = device->config.ctx;

	if (!device->removing)
		return;
	for (unsigned int i = 0; i < FAKE_CHANNELS; i++)
		if (device->channels[i])
			return;
	device->bus->device = NULL;
	free(device);
	if (removed)
		removed(ctx);
}

void vmbus_device_remove(struct vmbus_device *device)
{
	struct vmbus *bus = device->bus;

	device->removing = true;
	for (unsigned int i = FAKE_CHANNELS; i-- > 0 && bus->device;)
		if (device->channels[i] && !device->channels[i]->closing)
			(void)channel_fake_close(bus, i);
	if (bus->device == device)
		remove_if_closed(device);
}

void vmbus_device_offer_sub_channels(struct vmbus_device *device, unsigned int count)
{
	assert(count >= 1 && count <= device->config.sub_channels_max);
	device->offered = max_of(device->offered, count);
}

struct event_sink *channel_events(const struct channel *ch)
{
	return NULL;
}

const struct channel_counters *vmbus_device_counters(const struct vmbus_device *device)
{
	return &device->counters;
}

/* --- Opening and closing. -------------------------------------------------------------------- */

struct channel *channel_fake_open(struct vmbus *bus, unsigned int index)
{
	struct vmbus_device *device = bus->device;
	struct channel *channel = calloc(1, sizeof(*channel));

	assert(channel && device && index < FAKE_CHANNELS && !device->channels[index]);
	channel->device = device;
	channel->index = index;
	channel->open = true;
	device->channels[index] = channel;
	if (device->config.ops->open(device->config.ctx, channel) < 0) {
		device->channels[index] = NULL;
		free(channel);
		return NULL;
	}
	counter_add(&device->counters.opens, 1);
	return channel;
}

static void end(struct channel *channel)
{
	struct vmbus_device *device = channel->device;

	assert(!channel->closing);
	channel->closing = true;
	channel->open = false;
	device->config.ops->close(device->config.ctx, channel);
}

bool channel_fake_close(struct vmbus *bus, unsigned int index)
{
	struct vmbus_device *device = bus->device;

	for (unsigned int i = FAKE_CHANNELS; index == 0 && i-- > 1 && bus->device;)
		if (device->channels[i] && !device->channels[i]->closing)
			end(device->channels[i]);
	if (bus->device && device->channels[index] && !device->channels[index]->closing)
		end(device->channels[index]);
	return !bus->device || !device->channels[index];
}

void channel_closed(struct channel *channel)
{
	struct vmbus_device *device = channel->device;

	assert(channel->closing);
	assert(device->channels[channel->index] == channel);
	device->channels[channel->index] = NULL;
	counter_add(&device->counters.closes, 1);
	free(channel);
	remove_if_closed(device);
}

void channel_fail(struct channel *channel, const char *why)
{
	(void)why;
	counter_add(&channel->device->counters.failures, 1);
	end(channel);
}

/* --- Packets. -------------------------------------------------------------------------------- */

/* Exactly so much memory that an access beyond is seen. */
static void *exactly(const void *from, uint32_t len)
{
	void *copy = malloc(len ? len : 1);

	assert(copy);
	if (len)
		memcpy(copy, from, len);
	return copy;
}

int channel_fake_send(struct channel *channel, const struct ring_packet *packet)
{
	struct vmbus_device *device = channel->device;
	const struct channel_ops *ops = device->config.ops;
	struct ring_packet own = *packet;
	void *list, *payload;
	int r;

	assert(channel->open);
	assert(sizeof(struct vmpacket_descriptor) + packet->list_len + packet->payload_len <=
	       ops->packet_max);
	if (ops->ready && !ops->ready(device->config.ctx, channel))
		return -EBUSY;
	list = exactly(packet->list, packet->list_len);
	payload = exactly(packet->payload, packet->payload_len);
	own.list = list;
	own.payload = payload;
	counter_add(&device->counters.packets, 1);
	if (packet->wants_completion)
		channel->outstanding++;
	r = ops->packet(device->config.ctx, channel, &own);
	free(list);
	free(payload);
	if (r < 0) {
		counter_add(&device->counters.failures, 1);
		end(channel);
	}
	return r;
}

int channel_fake_inband(struct channel *channel, uint64_t trans_id, const void *payload,
			uint32_t len)
{
	struct ring_packet packet = {
		.type = VM_PKT_DATA_INBAND,
		.wants_completion = true,
		.trans_id = trans_id,
		.payload = payload,
		.payload_len = len,
	};

	return channel_fake_send(channel, &packet);
}

int channel_fake_gpa(struct channel *channel, uint64_t trans_id, uint64_t pfn, uint32_t offset,
		     uint32_t bytes, const void *payload, uint32_t len)
{
	uint32_t pages = (uint32_t)(((uint64_t)offset + bytes + PAGE_SIZE - 1) / PAGE_SIZE);
	uint64_t list[2 + FAKE_PAGES] = {(uint64_t)1 << 32, bytes | (uint64_t)offset << 32};
	struct ring_packet packet = {
		.type = VM_PKT_DATA_USING_GPA_DIRECT,
		.wants_completion = true,
		.trans_id = trans_id,
		.list = list,
		.list_len = 16 + 8 * pages,
		.payload = payload,
		.payload_len = len,
	};

	assert(pages <= FAKE_PAGES);
	for (uint32_t i = 0; i < pages; i++)
		list[2 + i] = pfn + i;
	return channel_fake_send(channel, &packet);
}

static void record(struct fake_record *to, uint64_t trans_id, const void *payload, uint32_t len)
{
	to->trans_id = trans_id;
	to->len = len;
	memcpy(to->payload, payload, min_of(len, FAKE_PAYLOAD));
}

void channel_complete(struct channel *channel, uint64_t trans_id, const void *payload, uint32_t len)
{
	assert(len <= channel->device->config.ops->completion_max);
	if (!channel->open)
		return;
	assert(channel->outstanding > 0);
	channel->outstanding--;
	counter_add(&channel->device->counters.completions, 1);
	record(&channel->completed[channel->completions++ % FAKE_RECORDS], trans_id, payload, len);
}

const struct fake_record *channel_fake_completion(const struct channel *channel, uint64_t trans_id)
{
	unsigned int oldest =
		channel->completions > FAKE_RECORDS ? channel->completions - FAKE_RECORDS : 0;

	for (unsigned int i = channel->completions; i-- > oldest;)
		if (channel->completed[i % FAKE_RECORDS].trans_id == trans_id)
			return &channel->completed[i % FAKE_RECORDS];
	return NULL;
}

int channel_send(struct channel *channel, const struct ring_message *message)
{
	if (!channel->open)
		return -ENOTCONN;
	if (channel->full)
		return -EAGAIN;
	counter_add(&channel->device->counters.sent, 1);
	record(&channel->message[channel->sent++ % FAKE_RECORDS], message->trans_id,
	       message->payload, message->payload_len);
	return 0;
}

void channel_fake_room(struct channel *channel)
{
	struct vmbus_device *device = channel->device;

	channel->full = false;
	if (device->config.ops->room)
		device->config.ops->room(device->config.ctx, channel);
}

void channel_resume(struct channel *channel)
{
	channel->resumes++;
}

/* --- What a channel knows. ------------------------------------------------------------------- */

unsigned int channel_index(const struct channel *channel)
{
	return channel->index;
}

struct vmbus_device *channel_device(const struct channel *channel)
{
	return channel->device;
}

const uint8_t *channel_user_data(const struct channel *channel)
{
	return channel->user_data;
}

uint32_t channel_vmbus_version(const struct channel *channel)
{
	(void)channel;
	return VERSION_WIN10_V5_3;
}

void channel_set_private(struct channel *channel, void *private)
{
	channel->private = private;
}

void *channel_private(const struct channel *channel)
{
	return channel->private;
}

/* One page, joined with the entry before where that ends at it. */
static int add_page(struct vmbus *bus, uint64_t pfn, uint32_t offset, uint32_t len,
		    struct iovec *iov, size_t max, size_t *count)
{
	uint8_t *host;

	if (pfn >= FAKE_PAGES)
		return -EFAULT;
	host = bus->memory + pfn * PAGE_SIZE + offset;
	if (*count && (uint8_t *)iov[*count - 1].iov_base + iov[*count - 1].iov_len == host) {
		iov[*count - 1].iov_len += len;
		return 0;
	}
	if (*count == max)
		return -E2BIG;
	iov[(*count)++] = (struct iovec){.iov_base = host, .iov_len = len};
	return 0;
}

int channel_gpa_iov(const struct channel *channel, const struct ring_packet *packet,
		    struct iovec *iov, size_t max, size_t *count, uint64_t *ret_len)
{
	const uint64_t *word = packet->list, *end = word + packet->list_len / 8;
	uint32_t ranges = packet->list_len >= 8 ? (uint32_t)(*word++ >> 32) : 0;
	size_t used = *count;
	uint64_t total = *ret_len;

	if (!ranges)
		return -EINVAL;
	while (ranges--) {
		uint32_t bytes, offset;

		if (word >= end)
			return -EINVAL;
		bytes = (uint32_t)*word;
		offset = (uint32_t)(*word++ >> 32);
		if (!bytes || offset >= PAGE_SIZE)
			return -EINVAL;
		total += bytes;
		while (bytes) {
			uint32_t n = min_of(bytes, PAGE_SIZE - offset);
			int r;

			if (word >= end)
				return -EINVAL;
			r = add_page(channel->device->bus, *word++, offset, n, iov, max, &used);
			if (r)
				return r;
			bytes -= n;
			offset = 0;
		}
	}
	*count = used;
	*ret_len = total;
	return 0;
}
