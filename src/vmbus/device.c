// SPDX-License-Identifier: MIT
/*
 * Devices on the bus: which of their channels are offered to the guest. Owner: the bus' loop.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmbus/channel_internal.h"

static int offer(struct channel *channel)
{
	const struct vmbus_device_config *device = &channel->device->config;
	struct vmbus_offer_config config = {
		.class_id = device->class_id,
		.instance_id = device->instance_id,
		.flags = device->flags,
		.mmio_megabytes = device->mmio_megabytes,
		.sub_channel_index = (uint16_t)channel->index,
	};
	int r;

	memcpy(config.user_data, device->user_data, sizeof(config.user_data));
	r = vmbus_server_offer(channel->device->bus->server, &channel->offer, &config);
	if (r < 0)
		return r;
	channel->offered = true;
	channel->revoking = false;
	channel->device->offered++;
	return 0;
}

static void revoke_offer(struct channel *channel)
{
	if (!channel->offered || channel->revoking)
		return;
	channel->revoking = true;
	vmbus_offer_revoke(&channel->offer);
}

/* --- Sub-channels. ------------------------------------------------------------------------- */

/* Those that are still going away from last time follow when they are released. */
static void offer_sub_channels(struct vmbus_device *device)
{
	const unsigned int wanted = atomic_load(&device->sub_channels_wanted);

	if (device->removing || !device->channels[0].in_use || device->channels[0].stopping)
		return;
	for (unsigned int i = 1; i <= wanted; i++) {
		if (device->channels[i].offered)
			continue;
		/* A guest that gets fewer than it asked for uses those. */
		if (offer(&device->channels[i]) < 0)
			return;
	}
}

static void run_offer(struct loop_task *task)
{
	offer_sub_channels(container_of(task, struct vmbus_device, offer_task));
}

void vmbus_device_offer_sub_channels(struct vmbus_device *device, unsigned int count)
{
	assert(count < device->channel_count);
	atomic_store(&device->sub_channels_wanted, count);
	loop_post(device->bus->loop, &device->offer_task);
}

void device_revoke_sub_channels(struct vmbus_device *device)
{
	for (unsigned int i = 1; i < device->channel_count; i++)
		revoke_offer(&device->channels[i]);
}

/* The device asks for none any more: what it asked for to the last is forgotten. */
void device_primary_closed(struct vmbus_device *device)
{
	atomic_store(&device->sub_channels_wanted, 0);
}

/* --- Removal. ------------------------------------------------------------------------------ */

static void run_removed(struct loop_task *task)
{
	struct vmbus_device *device = container_of(task, struct vmbus_device, removed_task);
	void (*removed)(void *ctx) = device->config.removed;
	void *ctx = device->config.ctx;

	device_destroy(device);
	if (removed)
		removed(ctx);
}

void device_released(struct vmbus *bus, struct channel *channel)
{
	struct vmbus_device *device = channel->device;

	channel->offered = channel->revoking = false;
	device->offered--;
	if (!device->removing)
		offer_sub_channels(device);
	else if (device->offered == 0)
		/* We may be inside the control plane, which knows the offer still. */
		loop_post(bus->loop, &device->removed_task);
}

void vmbus_device_remove(struct vmbus_device *device)
{
	assert(!device->removing);
	device->removing = true;
	for (unsigned int i = device->channel_count; i-- > 0;)
		revoke_offer(&device->channels[i]);
}

/* --- Creation. ----------------------------------------------------------------------------- */

int vmbus_device_add(struct vmbus *bus, const struct vmbus_device_config *config, struct error *err,
		     struct vmbus_device **ret)
{
	const unsigned int count = 1 + config->sub_channels_max;
	struct vmbus_device *device;
	int r;

	assert(config->ops->open && config->ops->packet && config->ops->close);
	assert(config->sub_channels_max < VMBUS_OFFERS_MAX);
	assert(config->ops->packet_max % 8 == 0 && config->ops->packet_max <= VMPACKET_LEN_MAX);
	device = calloc(1, sizeof(*device) + count * sizeof(device->channels[0]));
	if (!device)
		return error_set(err, -ENOMEM, "out of memory");
	device->bus = bus;
	device->config = *config;
	device->offer_task.run = run_offer;
	device->removed_task.run = run_removed;
	device->channel_count = count;
	for (unsigned int i = 0; i < count; i++)
		channel_init(&device->channels[i], device, i);
	r = offer(&device->channels[0]);
	if (r < 0) {
		free(device);
		return error_errno(err, r, "%s: cannot offer the device", config->ops->name);
	}
	device->prev = bus->devices.prev;
	device->next = &bus->devices;
	device->prev->next = device->next->prev = device;
	*ret = device;
	return 0;
}

void device_destroy(struct vmbus_device *device)
{
	device->prev->next = device->next;
	device->next->prev = device->prev;
	free(device);
}

const struct channel_counters *vmbus_device_counters(const struct vmbus_device *device)
{
	return &device->counters;
}
