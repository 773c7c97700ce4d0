// SPDX-License-Identifier: MIT
/*
 * Frames of the guest's, from RNDIS packets to the backend and back. A packet of NVSP may have many
 * of them; it is looked at as a whole before the first is sent, and answered when the last has
 * gone. State belongs to the queue's loop.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "devices/netvsp_internal.h"

/* --- Life. ----------------------------------------------------------------------------------- */

int netvsp_tx_create(struct netvsp_queue *queue)
{
	struct netvsp_tx *tx = calloc(1, sizeof(*tx));

	if (!tx)
		return -ENOMEM;
	/* Memory that is not used does not exist: see struct netvsp_tx. */
	tx->frames = calloc(NETVSP_FRAMES, sizeof(*tx->frames));
	if (!tx->frames) {
		free(tx);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < NETVSP_FRAMES; i++)
		tx->free_frames[i] = (uint16_t)(NETVSP_FRAMES - 1 - i);
	for (unsigned int i = 0; i < NETVSP_BATCHES; i++)
		tx->free_batches[i] = (uint16_t)(NETVSP_BATCHES - 1 - i);
	tx->frame_count = NETVSP_FRAMES;
	tx->batch_count = NETVSP_BATCHES;
	queue->tx = tx;
	return 0;
}

void netvsp_tx_destroy(struct netvsp_queue *queue)
{
	free(queue->tx->frames);
	free(queue->tx);
	queue->tx = NULL;
}

bool netvsp_tx_ready(const struct netvsp_queue *queue)
{
	return queue->tx->batch_count && queue->tx->frame_count >= NETVSP_BATCH_MAX;
}

bool netvsp_tx_idle(const struct netvsp_queue *queue)
{
	return !queue->tx || queue->tx->batch_count == NETVSP_BATCHES;
}

/* --- Back. ----------------------------------------------------------------------------------- */

static void complete(struct netvsp_queue *queue, uint64_t trans_id, uint32_t status)
{
	const struct nvsp_message out = {
		.msg_type = NVSP_MSG1_TYPE_SEND_RNDIS_PKT_COMPLETE,
		.send_rndis_pkt_complete = {.status = status},
	};

	channel_complete(queue->channel, trans_id, &out, netvsp_size(queue->netvsp));
}

static void count(struct netvsp *netvsp, const struct netvsp_batch *batch)
{
	if (batch->sent)
		counter_add_shared(&netvsp->counters.tx_packets, batch->sent);
	if (batch->bytes)
		counter_add_shared(&netvsp->counters.tx_bytes, batch->bytes);
	if (batch->lost)
		counter_add_shared(&netvsp->counters.tx_dropped, batch->lost);
	counter_add_shared(&netvsp->counters.tx_batches, 1);
}

/* A frame, or who made them, is done with the batch. */
static void put_batch(struct netvsp_queue *queue, struct netvsp_batch *batch)
{
	struct netvsp_tx *tx = queue->tx;

	if (--batch->pending)
		return;
	count(queue->netvsp, batch);
	if (!queue->closing)
		complete(queue, batch->trans_id, NVSP_STAT_SUCCESS);
	if (batch->section)
		tx->in_sections--;
	tx->free_batches[tx->batch_count++] = (uint16_t)(batch - tx->batches);
	netvsp_rounds_settle(queue);
	if (queue->tx_starved && !queue->paused && !queue->closing && netvsp_tx_ready(queue)) {
		queue->tx_starved = false;
		channel_resume(queue->channel);
	}
}

static void put_frame(struct netvsp_frame *frame)
{
	struct netvsp_tx *tx = frame->queue->tx;

	tx->free_frames[tx->frame_count++] = (uint16_t)(frame - tx->frames);
}

static void on_done(struct net_tx *net, int result)
{
	struct netvsp_frame *frame = container_of(net, struct netvsp_frame, tx);
	struct netvsp_batch *batch = frame->batch;

	if (result < 0) {
		batch->lost++;
	} else {
		batch->sent++;
		batch->bytes += net->len;
	}
	put_frame(frame);
	put_batch(frame->queue, batch);
}

/* --- There. ---------------------------------------------------------------------------------- */

static struct netvsp_frame *get_frame(struct netvsp_queue *queue)
{
	struct netvsp_tx *tx = queue->tx;
	struct netvsp_frame *frame;

	/* The channel has asked netvsp_tx_ready(). */
	assert(tx->frame_count);
	frame = &tx->frames[tx->free_frames[--tx->frame_count]];
	frame->queue = queue;
	frame->tx.done = on_done;
	frame->tx.iov = frame->iov;
	return frame;
}

/* What the guest may not send is lost, as on a wire. */
static bool fits(const struct netvsp_frame *frame)
{
	const struct netvsp *netvsp = frame->queue->netvsp;

	return frame->tx.header.gso_type != VIRTIO_NET_HDR_GSO_NONE ||
	       frame->tx.len <= netvsp->mtu + ETHERNET_HEADER + VLAN_HEADER;
}

static void send_frames(struct netvsp_queue *queue, struct netvsp_batch *batch,
			struct netvsp_frame *const *frames, unsigned int n)
{
	struct netvsp *netvsp = queue->netvsp;
	const bool link = atomic_load_explicit(&netvsp->link, memory_order_relaxed);
	uint64_t copied = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct netvsp_frame *frame = frames[i];

		frame->batch = batch;
		copied += frame->copied;
		if (link && fits(frame))
			net_queue_send(queue->net, &frame->tx);
		else
			on_done(&frame->tx, -ENETDOWN);
	}
	if (copied)
		counter_add_shared(&netvsp->counters.copied, copied);
}

static uint32_t send_data(struct netvsp_queue *queue, uint64_t trans_id, struct netvsp_cursor c,
			  bool section)
{
	struct netvsp_frame *frames[NETVSP_BATCH_MAX];
	struct netvsp_tx *tx = queue->tx;
	struct netvsp_batch *batch;
	unsigned int n = 0;
	int r = 0;

	while (c.left && r == 0) {
		if (n == NETVSP_BATCH_MAX) {
			r = -E2BIG;
			break;
		}
		frames[n] = get_frame(queue);
		r = netvsp_frame_parse(frames[n++], &c);
	}
	if (r < 0 || n == 0) {
		while (n)
			put_frame(frames[--n]);
		return NVSP_STAT_INVALID_RNDIS_PKT;
	}
	batch = &tx->batches[tx->free_batches[--tx->batch_count]];
	/* One more, until all have been sent. */
	*batch = (struct netvsp_batch){.trans_id = trans_id, .pending = n + 1, .section = section};
	tx->in_sections += section;
	send_frames(queue, batch, frames, n);
	put_batch(queue, batch);
	return NVSP_STAT_SUCCESS;
}

static uint32_t serve_control(struct netvsp_queue *queue, struct netvsp_cursor c)
{
	_Alignas(8) uint8_t message[NETVSP_CONTROL_MAX];
	const uint32_t len = (uint32_t)min_of(c.left, (uint64_t)UINT32_MAX);

	if (queue->index > 0 || !queue->recv || len > sizeof(message) ||
	    !netvsp_cursor_read(&c, message, len))
		return NVSP_STAT_FAIL;
	return netvsp_rndis(queue->netvsp, message, len);
}

/* The packet's memory. -EINVAL: a violation; else the packet is refused. */
static int find_memory(struct netvsp_queue *queue, const struct ring_packet *packet,
		       const struct nvsp_1_message_send_rndis_packet *message,
		       struct netvsp_cursor *ret)
{
	const uint32_t section = message->send_buf_section_index;
	uint32_t len = message->send_buf_section_size;
	size_t count = 0;
	uint64_t total = 0;
	int r;

	if (section != NVSP_SECTION_NONE) {
		if (!queue->send || len > NETVSP_SEND_SECTION)
			return -EFAULT;
		r = gpadl_view_iov(queue->send, (uint64_t)section * NETVSP_SEND_SECTION, len,
				   queue->tx->iov, NETVSP_PACKET_IOV, &count);
		if (r < 0)
			return r;
		total = len;
	}
	if (packet->type == VM_PKT_DATA_USING_GPA_DIRECT) {
		r = channel_gpa_iov(queue->channel, packet, queue->tx->iov, NETVSP_PACKET_IOV,
				    &count, &total);
		if (r < 0)
			return r;
	}
	*ret = (struct netvsp_cursor){
		.iov = queue->tx->iov, .count = (unsigned int)count, .left = total};
	return 0;
}

int netvsp_tx_packet(struct netvsp_queue *queue, const struct ring_packet *packet,
		     const struct nvsp_1_message_send_rndis_packet *message)
{
	const bool section = message->send_buf_section_index != NVSP_SECTION_NONE;
	const bool data = message->channel_type == RMC_DATA;
	struct netvsp *netvsp = queue->netvsp;
	uint32_t status = NVSP_STAT_FAIL;
	struct netvsp_cursor c;
	int r = find_memory(queue, packet, message, &c);

	if (r == -EINVAL)
		return r;
	if (r == 0 && message->channel_type == RMC_CONTROL)
		status = serve_control(queue, c);
	else if (r == 0 && data && atomic_load(&netvsp->running))
		status = send_data(queue, packet->trans_id, c, section);
	if (status != NVSP_STAT_SUCCESS)
		counter_add_shared(&netvsp->counters.refused, 1);
	/* Data that is on its way is answered when it has gone. */
	if (!data || status != NVSP_STAT_SUCCESS)
		complete(queue, packet->trans_id, status);
	if (!data && queue->index == 0)
		netvsp_rndis_send(netvsp);
	return 0;
}
