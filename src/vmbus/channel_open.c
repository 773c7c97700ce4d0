// SPDX-License-Identifier: MIT
/*
 * Opening, closing and retargeting a channel: the bus' loop's side, and the handing over between
 * the two loops (channel_internal.h).
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmbus/channel_internal.h"

/* --- Opening. ------------------------------------------------------------------------------ */

static void take_apart(struct channel *ch)
{
	if (ch->connected)
		transport_close_event(ch->device->bus->transport, ch->request.connection_id);
	ch->connected = false;
	if (ch->eventfd >= 0)
		close(ch->eventfd);
	ch->eventfd = -1;
	gpadl_unmap_ring(&ch->in_memory);
	gpadl_unmap_ring(&ch->out_memory);
	gpadl_put(ch->gpadl);
	ch->gpadl = NULL;
	free(ch->buffer);
	ch->buffer = NULL;
	ch->in_use = ch->stopping = false;
}

static int map_rings(struct channel *ch)
{
	struct gpadl_table *gpadls = vmbus_server_gpadls(ch->device->bus->server);
	const uint32_t split = ch->request.downstream_page;
	int r = gpadl_get(gpadls, ch->request.relid, ch->request.ring_gpadl, &ch->gpadl);

	if (r < 0)
		return r;
	/* The first part is the ring that the guest writes. */
	r = gpadl_map_ring(ch->gpadl, 0, split, &ch->in_memory);
	if (r < 0)
		return r;
	return gpadl_map_ring(ch->gpadl, split, gpadl_ring_pages(ch->gpadl) - split,
			      &ch->out_memory);
}

static int connect_event(struct channel *ch)
{
	int r;

	/* The first read looks at the ring, whatever is in it already. */
	ch->eventfd = eventfd(1, EFD_CLOEXEC);
	if (ch->eventfd < 0)
		return -errno;
	r = transport_open_event(ch->device->bus->transport, ch->request.connection_id,
				 ch->eventfd);
	ch->connected = r == 0;
	return r;
}

static void remember_connection(struct channel *ch)
{
	const struct vmbus_connection *connection = vmbus_connection(ch->device->bus);

	/* A reserved channel may be opened by a guest that has no connection any more. */
	ch->vmbus_version = connection ? connection->version : VERSION_WIN10;
	ch->sint = connection ? connection->sint : VMBUS_MESSAGE_SINT;
	ch->connection_vp = connection ? connection->target_vp : 0;
	ch->interrupt_bits = ch->device->bus->interrupt_page;
	atomic_store(&ch->target_vp, ch->request.target_vp);
}

void channel_start_open(struct channel *ch, const struct vmbus_open *open)
{
	int r;

	assert(!ch->in_use);
	ch->in_use = true;
	ch->request = *open;
	remember_connection(ch);
	ch->buffer = malloc(ch->device->config.ops->packet_max);
	r = ch->buffer ? map_rings(ch) : -ENOMEM;
	if (r == 0)
		r = connect_event(ch);
	if (r < 0) {
		take_apart(ch);
		channel_event(ch, EVENT_CHANNEL_REFUSED, strerrordesc_np(-r));
		vmbus_offer_opened(&ch->offer, VMBUS_STATUS_INSUFFICIENT_RESOURCES);
		return;
	}
	loop_post(ch->loop, &ch->start_task);
}

static void run_start(struct loop_task *task)
{
	struct channel *ch = container_of(task, struct channel, start_task);

	ch->start_result = channel_begin(ch);
	loop_post(ch->device->bus->loop, &ch->started_task);
}

struct event_sink *channel_events(const struct channel *ch)
{
	return ch->device->bus->events;
}

void channel_event(const struct channel *ch, enum event_id id, const char *why)
{
	const struct event_field fields[] = {
		EVENT_TEXT("device", ch->device->config.ops->name),
		EVENT_NUMBER("channel", ch->index),
		EVENT_TEXT("detail", why),
	};

	event_emit(ch->device->bus->events, id, fields, why ? 3 : 2);
}

static void run_started(struct loop_task *task)
{
	struct channel *ch = container_of(task, struct channel, started_task);

	if (ch->start_result < 0)
		take_apart(ch);
	channel_event(ch, ch->start_result < 0 ? EVENT_CHANNEL_REFUSED : EVENT_CHANNEL_OPENED,
		      NULL);
	vmbus_offer_opened(&ch->offer,
			   ch->start_result < 0 ? VMBUS_STATUS_UNSUCCESSFUL : VMBUS_STATUS_SUCCESS);
}

/* --- Closing. ------------------------------------------------------------------------------ */

void channel_start_close(struct channel *ch)
{
	ch->stopping = true;
	if (ch->index == 0)
		device_revoke_sub_channels(ch->device);
	loop_post(ch->loop, &ch->stop_task);
}

static void run_stop(struct loop_task *task)
{
	channel_end(container_of(task, struct channel, stop_task));
}

static void run_stopped(struct loop_task *task)
{
	struct channel *ch = container_of(task, struct channel, stopped_task);

	take_apart(ch);
	channel_event(ch, EVENT_CHANNEL_CLOSED, NULL);
	if (ch->index == 0)
		device_primary_closed(ch->device);
	vmbus_offer_closed(&ch->offer);
}

/* --- Retargeting. -------------------------------------------------------------------------- */

/* Once the channel's loop has been asked, every interrupt that it sends goes to the new VP. */
void channel_retarget(struct channel *ch, unsigned int vp)
{
	atomic_store(&ch->target_vp, vp);
	loop_post(ch->loop, &ch->retarget_task);
}

static void run_retarget(struct loop_task *task)
{
	struct channel *ch = container_of(task, struct channel, retarget_task);

	loop_post(ch->device->bus->loop, &ch->retargeted_task);
}

static void run_retargeted(struct loop_task *task)
{
	struct channel *ch = container_of(task, struct channel, retargeted_task);

	vmbus_offer_modified(&ch->offer, VMBUS_STATUS_SUCCESS);
}

/* --- Creation. ----------------------------------------------------------------------------- */

static struct loop *loop_of(const struct vmbus_device *device, unsigned int index)
{
	const struct vmbus_device_config *config = &device->config;

	if (config->loop_count)
		return config->loops[index % config->loop_count];
	return config->loop ? config->loop : device->bus->loop;
}

void channel_init(struct channel *ch, struct vmbus_device *device, unsigned int index)
{
	ch->device = device;
	ch->index = index;
	ch->loop = loop_of(device, index);
	ch->eventfd = -1;
	ch->start_task.run = run_start;
	ch->started_task.run = run_started;
	ch->stop_task.run = run_stop;
	ch->stopped_task.run = run_stopped;
	ch->retarget_task.run = run_retarget;
	ch->retargeted_task.run = run_retargeted;
	ch->work.run = channel_work;
}
