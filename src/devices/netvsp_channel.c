// SPDX-License-Identifier: MIT
/*
 * Channels of a network interface: a queue's opening and closing, and packets on their way in.
 *
 * Sub-channels come and go on loops of their own, in no order with the primary one. Who may open is
 * settled under the lock; the primary channel is closed only when all others are, and when nothing
 * uses the guest's buffers any more.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "devices/netvsp_internal.h"

/* --- Closing. -------------------------------------------------------------------------------- */

static bool alone(struct netvsp *netvsp)
{
	bool alone;

	pthread_mutex_lock(&netvsp->lock);
	alone = netvsp->open_count == 1;
	pthread_mutex_unlock(&netvsp->lock);
	return alone;
}

/* It is not open any more, from here on. */
static void leave(struct netvsp_queue *queue)
{
	struct netvsp *netvsp = queue->netvsp;

	queue->channel = NULL;
	queue->closing = false;
	pthread_mutex_lock(&netvsp->lock);
	netvsp->open_count--;
	pthread_mutex_unlock(&netvsp->lock);
}

void netvsp_proceed_closing(struct netvsp *netvsp)
{
	struct netvsp_queue *queue = netvsp_primary(netvsp);
	struct channel *channel = queue->channel;
	bool recv, send;

	if (!netvsp->closing || queue->net || !alone(netvsp) || netvsp->recv.round.busy ||
	    netvsp->send.round.busy)
		return;
	recv = netvsp_drop_buffer(&netvsp->recv);
	send = netvsp_drop_buffer(&netvsp->send);
	if (!recv || !send)
		return;
	netvsp->closing = false;
	leave(queue);
	channel_closed(channel);
}

static void on_stopped(void *ctx)
{
	struct netvsp_queue *queue = ctx;
	struct netvsp *netvsp = queue->netvsp;
	struct channel *channel = queue->channel;

	queue->net = NULL;
	assert(netvsp_tx_idle(queue));
	netvsp_tx_destroy(queue);
	loop_defer_cancel(&queue->rx_work);
	netvsp_rx_forget(queue);
	queue->recv = NULL;
	queue->send = NULL;
	netvsp_rounds_settle(queue);
	if (queue->index == 0) {
		netvsp_proceed_closing(netvsp);
		return;
	}
	leave(queue);
	loop_post(netvsp_primary(netvsp)->loop, &netvsp->subs_task);
	channel_closed(channel);
}

static void on_close(void *ctx, struct channel *channel)
{
	struct netvsp_queue *queue = channel_private(channel);
	struct netvsp *netvsp = ctx;

	if (queue->index == 0) {
		pthread_mutex_lock(&netvsp->lock);
		netvsp->accepting = false;
		pthread_mutex_unlock(&netvsp->lock);
		netvsp->closing = true;
		atomic_store(&netvsp->running, false);
		atomic_store(&netvsp->version, 0);
	}
	queue->closing = true;
	net_queue_stop(queue->net, on_stopped, queue);
}

/* --- Opening. -------------------------------------------------------------------------------- */

static int enter(struct netvsp_queue *queue)
{
	struct netvsp *netvsp = queue->netvsp;
	int r = 0;

	pthread_mutex_lock(&netvsp->lock);
	if (queue->index > 0 && (!netvsp->accepting || queue->index > netvsp->sub_channels))
		r = -EBUSY;
	else
		netvsp->open_count++;
	pthread_mutex_unlock(&netvsp->lock);
	return r;
}

static int start(struct netvsp_queue *queue)
{
	struct netvsp *netvsp = queue->netvsp;
	struct error err = {0};
	int r = netvsp_tx_create(queue);

	if (r < 0)
		return r;
	r = net_queue_start(netvsp->backend, queue->index, queue->loop, &netvsp_net_ops, queue,
			    &err, &queue->net);
	if (r < 0) {
		log_guest(&netvsp->log, LOG_ERROR, "%s", err.text);
		netvsp_tx_destroy(queue);
	}
	return r;
}

static int on_open(void *ctx, struct channel *channel)
{
	struct netvsp *netvsp = ctx;
	struct netvsp_queue *queue = &netvsp->queues[channel_index(channel)];
	int r = enter(queue);

	if (r < 0)
		return r;
	queue->channel = channel;
	queue->closing = false;
	queue->paused = atomic_load(&netvsp->pausing);
	channel_set_private(channel, queue);
	if (queue->index == 0) {
		netvsp_forget(netvsp);
	} else {
		queue->recv = &netvsp->sections;
		queue->send = &netvsp->send.hold.view;
	}
	r = start(queue);
	if (r < 0) {
		queue->recv = NULL;
		queue->send = NULL;
		leave(queue);
		return r;
	}
	if (queue->index > 0)
		loop_post(netvsp_primary(netvsp)->loop, &netvsp->subs_task);
	netvsp_rx_kick(queue);
	return 0;
}

/* --- Packets. -------------------------------------------------------------------------------- */

static bool on_ready(void *ctx, struct channel *channel)
{
	struct netvsp_queue *queue = channel_private(channel);

	(void)ctx;
	queue->tx_starved = queue->paused || !netvsp_tx_ready(queue);
	return !queue->tx_starved;
}

static int on_packet(void *ctx, struct channel *channel, const struct ring_packet *packet)
{
	struct netvsp_queue *queue = channel_private(channel);
	struct nvsp_message message = {0};
	const uint32_t len = min_of(packet->payload_len, (uint32_t)sizeof(message));
	struct netvsp *netvsp = ctx;

	if (packet->type == VM_PKT_COMP)
		return netvsp_rx_complete(queue, packet->trans_id) ? 0 : -EINVAL;
	if (packet->type == VM_PKT_DATA_USING_XFER_PAGES || len < sizeof(message.msg_type))
		return -EINVAL;
	memcpy(&message, packet->payload, len);
	if (message.msg_type == NVSP_MSG1_TYPE_SEND_RNDIS_PKT) {
		if (!netvsp_version(netvsp) || !packet->wants_completion ||
		    len < sizeof(message.msg_type) + sizeof(message.send_rndis_pkt))
			return -EINVAL;
		return netvsp_tx_packet(queue, packet, &message.send_rndis_pkt);
	}
	if (queue->index > 0)
		return -EINVAL;
	return netvsp_control(netvsp, packet, &message, len);
}

static void on_room(void *ctx, struct channel *channel)
{
	struct netvsp_queue *queue = channel_private(channel);

	if (queue->index == 0) {
		netvsp_send_table(ctx);
		netvsp_rndis_send(ctx);
	}
	netvsp_rx_room(queue);
}

const struct channel_ops netvsp_channel_ops = {
	.name = "netvsp",
	.packet_max = NETVSP_PACKET_MAX,
	.completion_max = NVSP_SIZE_61,
	.open = on_open,
	.ready = on_ready,
	.packet = on_packet,
	.close = on_close,
	.room = on_room,
};
