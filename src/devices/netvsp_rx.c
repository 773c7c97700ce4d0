// SPDX-License-Identifier: MIT
/*
 * Frames for the guest: which sections of the receive buffer they go to, and when. Frames are taken
 * from the backend only while there is room for them; what is beyond waits there, and is lost there
 * if it gets too much. State belongs to the queue's loop.
 */
#include <errno.h>
#include <string.h>

#include "devices/netvsp_internal.h"

/* A frame in NETVSP_RX_PARTS sections, each in as many pieces as it touches pages. */
#define RX_IOV 160u

unsigned int netvsp_rx_wanted(const struct netvsp_queue *queue)
{
	const uint32_t data = queue->recv->size - NETVSP_RX_DATA;
	const uint32_t offloads =
		atomic_load_explicit(&queue->netvsp->offloads, memory_order_relaxed);

	if (!(offloads & (NETVSP_RSC4 | NETVSP_RSC6)))
		return 1;
	return (NET_FRAME_MAX + data - 1) / data;
}

/* --- To the guest. --------------------------------------------------------------------------- */

static bool flush(struct netvsp_queue *queue)
{
	struct netvsp *netvsp = queue->netvsp;
	struct netvsp_rx *rx = &queue->rx;
	const struct nvsp_message body = {
		.msg_type = NVSP_MSG1_TYPE_SEND_RNDIS_PKT,
		.send_rndis_pkt = {.channel_type = RMC_DATA,
				   .send_buf_section_index = NVSP_SECTION_NONE},
	};
	const struct ring_message message = {
		.type = VM_PKT_DATA_USING_XFER_PAGES,
		.wants_completion = true,
		.trans_id = rx->first,
		.list = &rx->message,
		.list_len = (uint32_t)(sizeof(rx->message.list) +
				       rx->range_count * sizeof(rx->message.ranges[0])),
		.payload = &body,
		.payload_len = netvsp_size(netvsp),
	};
	int r;

	if (!rx->range_count)
		return true;
	rx->message.list = (struct vmtransfer_page_list){.xfer_pageset_id = netvsp->recv.id,
							 .range_cnt = rx->range_count};
	r = channel_send(queue->channel, &message);
	rx->full = r == -EAGAIN;
	if (r == 0) {
		counter_add_shared(&netvsp->counters.rx_batches, 1);
		counter_add_shared(&netvsp->counters.rx_packets, rx->frames);
		counter_add_shared(&netvsp->counters.rx_bytes, rx->bytes);
		rx->range_count = rx->frames = 0;
		rx->bytes = 0;
	}
	return r == 0;
}

/* --- From the backend. ----------------------------------------------------------------------- */

/* The memory of @wanted sections, behind what each begins with. */
static int gather(const struct netvsp_queue *queue, unsigned int wanted, struct iovec *iov,
		  unsigned int *ret_count)
{
	const struct netvsp_sections *s = queue->recv;
	const struct netvsp_rx *rx = &queue->rx;
	size_t count = 0;

	for (unsigned int i = 0; i < wanted; i++) {
		const uint64_t at = (uint64_t)rx->free[rx->free_count - 1 - i] * s->size;
		int r = gpadl_view_iov(&s->view, at + NETVSP_RX_DATA, s->size - NETVSP_RX_DATA, iov,
				       RX_IOV, &count);

		if (r < 0)
			return r;
	}
	*ret_count = (unsigned int)count;
	return 0;
}

/* 0; -EAGAIN: none, or nowhere to put it; other -errno: one was lost. */
static int receive(struct netvsp_queue *queue)
{
	const unsigned int wanted = netvsp_rx_wanted(queue);
	struct netvsp *netvsp = queue->netvsp;
	struct netvsp_rx *rx = &queue->rx;
	struct virtio_net_hdr_v1 header;
	struct iovec iov[RX_IOV];
	unsigned int count;
	int64_t n;
	int r;

	if (rx->range_count + wanted > NETVSP_RX_RANGES && !flush(queue))
		return -EAGAIN;
	if (rx->free_count < wanted) {
		rx->starved = true;
		counter_add_shared(&netvsp->counters.rx_no_buffer, 1);
		return -EAGAIN;
	}
	r = gather(queue, wanted, iov, &count);
	if (r < 0)
		return r;
	n = net_queue_receive(queue->net, &header, iov, count);
	if (n < 0) {
		if (n != -EAGAIN)
			counter_add_shared(&netvsp->counters.rx_dropped, 1);
		return (int)n;
	}
	netvsp_rx_frame(queue, &header, iov, count, (uint32_t)n);
	return 0;
}

static bool may_receive(const struct netvsp_queue *queue)
{
	return queue->net && queue->recv && !queue->closing && !queue->paused && !queue->rx.full;
}

static void work(struct loop_deferred *deferred)
{
	struct netvsp_queue *queue = container_of(deferred, struct netvsp_queue, rx_work);
	unsigned int budget = NETVSP_RX_BUDGET;
	int r = 0;

	if (!may_receive(queue))
		return;
	queue->rx.starved = false;
	while (r != -EAGAIN && budget--)
		r = receive(queue);
	(void)flush(queue);
	/* The others of this loop first. */
	if (r != -EAGAIN)
		loop_post(queue->loop, &queue->rx_again);
}

static void again(struct loop_task *task)
{
	netvsp_rx_kick(container_of(task, struct netvsp_queue, rx_again));
}

void netvsp_rx_kick(struct netvsp_queue *queue)
{
	if (may_receive(queue))
		loop_defer(queue->loop, &queue->rx_work);
}

void netvsp_rx_room(struct netvsp_queue *queue)
{
	if (!queue->recv || queue->closing || !queue->rx.full)
		return;
	if (flush(queue))
		netvsp_rx_kick(queue);
}

static void on_readable(void *ctx, struct net_queue *net)
{
	struct netvsp_queue *queue = ctx;
	struct netvsp *netvsp = queue->netvsp;
	const bool link = atomic_load(&netvsp->link_wanted) && net_backend_link(netvsp->backend);

	(void)net;
	if (link != atomic_load_explicit(&netvsp->link, memory_order_relaxed))
		loop_post(netvsp_primary(netvsp)->loop, &netvsp->link_task);
	netvsp_rx_kick(queue);
}

const struct net_queue_ops netvsp_net_ops = {.readable = on_readable};

/* --- Back from the guest. -------------------------------------------------------------------- */

bool netvsp_rx_complete(struct netvsp_queue *queue, uint64_t trans_id)
{
	const struct netvsp_sections *s = queue->recv;
	struct netvsp_rx *rx = &queue->rx;
	uint16_t section, next;

	/* The buffer is the guest's again: so are they. */
	if (!s)
		return true;
	/* Whose it is first: what it is is the owner's. */
	if (trans_id >= s->count || s->owner[trans_id] != queue->index ||
	    s->state[trans_id] != NETVSP_SECTION_FIRST)
		return false;
	for (section = (uint16_t)trans_id;; section = next) {
		next = s->next[section];
		s->state[section] = NETVSP_SECTION_FREE;
		rx->free[rx->free_count++] = section;
		if (next == section)
			break;
	}
	if (queue->index == 0)
		netvsp_rndis_send(queue->netvsp);
	if (rx->starved && rx->free_count >= netvsp_rx_wanted(queue))
		netvsp_rx_kick(queue);
	return true;
}

void netvsp_rx_forget(struct netvsp_queue *queue)
{
	const struct netvsp_sections *s = queue->recv;
	struct netvsp_rx *rx = &queue->rx;

	rx->range_count = rx->frames = 0;
	rx->bytes = 0;
	rx->full = rx->starved = false;
	if (!s)
		return;
	rx->free_count = 0;
	for (unsigned int i = s->count; i-- > 0;) {
		if (s->owner[i] != queue->index)
			continue;
		s->state[i] = NETVSP_SECTION_FREE;
		rx->free[rx->free_count++] = (uint16_t)i;
	}
}

void netvsp_rx_init(struct netvsp_queue *queue)
{
	queue->rx_work.run = work;
	queue->rx_again.run = again;
}
