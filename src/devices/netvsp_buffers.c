// SPDX-License-Identifier: MIT
/*
 * The two buffers that a guest lends to its network interface. A buffer is taken once and stays the
 * same until the guest revokes it or closes the channel; the pages are the guest's again only when
 * no queue uses them any more, which a round through the queues makes sure of. State belongs to the
 * first queue's loop.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "devices/netvsp_internal.h"

/* --- Sections. ------------------------------------------------------------------------------- */

static void free_sections(struct netvsp *netvsp)
{
	struct netvsp_sections *s = &netvsp->sections;

	free(s->next);
	free(s->state);
	free(s->owner);
	*s = (struct netvsp_sections){0};
	for (unsigned int i = 0; i < netvsp->queue_count; i++) {
		struct netvsp_rx *rx = &netvsp->queues[i].rx;

		free(rx->free);
		rx->free = NULL;
		rx->free_count = rx->owned = 0;
	}
}

/*
 * A guest that takes large frames gets sections of a page: fewer of them make a frame, and none is
 * in two pieces.
 */
static uint32_t section_size(const struct netvsp *netvsp)
{
	const uint32_t size =
		(uint32_t)align_up(NETVSP_RX_DATA + VLAN_HEADER + netvsp->frame_max, 64);

	return netvsp_offloads_large(netvsp) ? max_of(size, PAGE_SIZE) : size;
}

/* All of them are the first queue's, until there are others. */
static int make_sections(struct netvsp *netvsp, const struct gpadl_view *view)
{
	struct netvsp_sections *s = &netvsp->sections;
	struct netvsp_rx *rx = &netvsp_primary(netvsp)->rx;
	const uint32_t size = section_size(netvsp);
	const uint32_t count = min_of(view->len / size, NETVSP_SECTIONS_MAX);

	if (!count)
		return -EINVAL;
	*s = (struct netvsp_sections){.view = *view, .size = size, .count = count};
	s->next = calloc(count, sizeof(*s->next));
	s->state = calloc(count, sizeof(*s->state));
	s->owner = calloc(count, sizeof(*s->owner));
	rx->free = calloc(count, sizeof(*rx->free));
	if (!s->next || !s->state || !s->owner || !rx->free) {
		free_sections(netvsp);
		return -ENOMEM;
	}
	/* A stack: the first ones are used over and over. */
	for (uint32_t i = 0; i < count; i++)
		rx->free[i] = (uint16_t)(count - 1 - i);
	rx->free_count = rx->owned = count;
	return 0;
}

/* Sections that a queue has to have, to be of use. */
#define SHARE_MIN 4u

static void give_share(struct netvsp *netvsp, unsigned int index, unsigned int share)
{
	struct netvsp_rx *from = &netvsp_primary(netvsp)->rx, *to = &netvsp->queues[index].rx;

	to->free_count = 0;
	while (to->free_count < share) {
		const uint16_t section = from->free[--from->free_count];

		netvsp->sections.owner[section] = (uint8_t)index;
		to->free[to->free_count++] = section;
	}
	from->owned -= share;
	to->owned = share;
}

int netvsp_share_sections(struct netvsp *netvsp, unsigned int count)
{
	const unsigned int share = netvsp_primary(netvsp)->rx.free_count / count;

	if (share < SHARE_MIN)
		return -ENOSPC;
	for (unsigned int i = 1; i < count; i++) {
		struct netvsp_rx *rx = &netvsp->queues[i].rx;

		assert(!rx->free);
		rx->free = calloc(share, sizeof(*rx->free));
		if (!rx->free) {
			while (--i)
				free(netvsp->queues[i].rx.free);
			for (i = 1; i < count; i++)
				netvsp->queues[i].rx.free = NULL;
			return -ENOMEM;
		}
	}
	for (unsigned int i = 1; i < count; i++)
		give_share(netvsp, i, share);
	return 0;
}

/* --- Taking. --------------------------------------------------------------------------------- */

static bool is_recv(const struct netvsp_buffer *buffer)
{
	return buffer == &buffer->netvsp->recv;
}

static void answer(struct netvsp_buffer *buffer, bool ok)
{
	struct netvsp *netvsp = buffer->netvsp;
	const struct netvsp_sections *s = &netvsp->sections;
	struct nvsp_message out = {.msg_type = NVSP_MSG1_TYPE_SEND_SEND_BUF_COMPLETE};

	if (is_recv(buffer)) {
		out.msg_type = NVSP_MSG1_TYPE_SEND_RECV_BUF_COMPLETE;
		out.send_recv_buf_complete.status = ok ? NVSP_STAT_SUCCESS : NVSP_STAT_FAIL;
		out.send_recv_buf_complete.num_sections = ok;
		if (ok)
			out.send_recv_buf_complete.sections[0] =
				(struct nvsp_1_receive_buffer_section){.sub_alloc_size = s->size,
								       .num_sub_allocs = s->count,
								       .end_offset =
									       s->size * s->count};
	} else {
		out.send_send_buf_complete.status = ok ? NVSP_STAT_SUCCESS : NVSP_STAT_FAIL;
		out.send_send_buf_complete.section_size = ok ? NETVSP_SEND_SECTION : 0;
	}
	if (!ok)
		counter_add_shared(&netvsp->counters.refused, 1);
	if (buffer->wants_completion)
		channel_complete(netvsp_primary(netvsp)->channel, buffer->trans_id, &out,
				 netvsp_size(netvsp));
	buffer->wants_completion = false;
}

int netvsp_take_buffer(struct netvsp_buffer *buffer, const struct ring_packet *packet,
		       const struct nvsp_1_message_send_buffer *message)
{
	/* A guest whose buffer was refused may try another one; no other. */
	if (buffer->state != NETVSP_BUFFER_NONE)
		return -EINVAL;
	buffer->id = message->id;
	buffer->wants_completion = packet->wants_completion;
	buffer->trans_id = packet->trans_id;
	buffer->state = NETVSP_BUFFER_ASKED;
	channel_hold(netvsp_primary(buffer->netvsp)->channel, &buffer->hold, message->gpadl_handle);
	return 0;
}

/* Its first use. */
static int use(struct netvsp_buffer *buffer)
{
	struct netvsp *netvsp = buffer->netvsp;
	struct netvsp_queue *queue = netvsp_primary(netvsp);
	int r;

	if (!is_recv(buffer)) {
		if (buffer->hold.view.len < NETVSP_SEND_SECTION)
			return -EINVAL;
		queue->send = &buffer->hold.view;
		return 0;
	}
	r = make_sections(netvsp, &buffer->hold.view);
	if (r < 0)
		return r;
	queue->recv = &netvsp->sections;
	netvsp_rx_kick(queue);
	return 0;
}

static void release(struct netvsp_buffer *buffer, enum netvsp_buffer_state then)
{
	buffer->state = NETVSP_BUFFER_RELEASING;
	buffer->then = then;
	channel_release(&buffer->hold);
}

static void held(struct channel_hold *hold, int result)
{
	struct netvsp_buffer *buffer = container_of(hold, struct netvsp_buffer, hold);
	struct netvsp *netvsp = buffer->netvsp;

	buffer->state = result < 0 ? NETVSP_BUFFER_NONE : NETVSP_BUFFER_HELD;
	if (netvsp->closing) {
		netvsp_proceed_closing(netvsp);
		return;
	}
	if (result == 0) {
		result = use(buffer);
		if (result < 0)
			release(buffer, NETVSP_BUFFER_NONE);
	}
	answer(buffer, result == 0);
}

/* --- Giving back. ---------------------------------------------------------------------------- */

static void released(struct channel_hold *hold)
{
	struct netvsp_buffer *buffer = container_of(hold, struct netvsp_buffer, hold);
	struct netvsp *netvsp = buffer->netvsp;

	buffer->state = buffer->then;
	if (is_recv(buffer))
		free_sections(netvsp);
	if (buffer->wants_completion && !netvsp->closing)
		channel_complete(netvsp_primary(netvsp)->channel, buffer->trans_id, NULL, 0);
	buffer->wants_completion = false;
	netvsp_proceed_closing(netvsp);
}

static void run_revoke_recv(struct netvsp_round *round, struct netvsp_queue *queue)
{
	netvsp_rx_forget(queue);
	queue->recv = NULL;
	netvsp_round_done(round);
}

static void run_revoke_send(struct netvsp_round *round, struct netvsp_queue *queue)
{
	queue->send = NULL;
	if (queue->tx && queue->tx->in_sections)
		round->parts[queue->index].waiting = true;
	else
		netvsp_round_done(round);
}

static void revoked(struct netvsp_round *round)
{
	struct netvsp_buffer *buffer = container_of(round, struct netvsp_buffer, round);

	release(buffer, NETVSP_BUFFER_GONE);
}

int netvsp_revoke_buffer(struct netvsp_buffer *buffer, const struct ring_packet *packet,
			 uint16_t id)
{
	struct netvsp *netvsp = buffer->netvsp;

	if (buffer->state != NETVSP_BUFFER_HELD || id != buffer->id)
		return -EINVAL;
	/* Whoever opens from now on would use it. */
	pthread_mutex_lock(&netvsp->lock);
	netvsp->accepting = false;
	pthread_mutex_unlock(&netvsp->lock);
	buffer->wants_completion = packet->wants_completion;
	buffer->trans_id = packet->trans_id;
	buffer->state = NETVSP_BUFFER_REVOKED;
	netvsp_round_start(&buffer->round, is_recv(buffer) ? run_revoke_recv : run_revoke_send,
			   revoked);
	return 0;
}

bool netvsp_drop_buffer(struct netvsp_buffer *buffer)
{
	switch (buffer->state) {
	case NETVSP_BUFFER_NONE:
	case NETVSP_BUFFER_GONE:
		return true;
	case NETVSP_BUFFER_HELD:
		release(buffer, NETVSP_BUFFER_GONE);
		return false;
	case NETVSP_BUFFER_ASKED:
	case NETVSP_BUFFER_REVOKED:
	case NETVSP_BUFFER_RELEASING:
		return false;
	}
	return false;
}

static void init_buffer(struct netvsp_buffer *buffer, struct netvsp *netvsp)
{
	buffer->netvsp = netvsp;
	buffer->hold.held = held;
	buffer->hold.released = released;
	netvsp_round_init(&buffer->round, netvsp, netvsp_primary(netvsp)->loop);
}

void netvsp_buffers_init(struct netvsp *netvsp)
{
	init_buffer(&netvsp->recv, netvsp);
	init_buffer(&netvsp->send, netvsp);
}
