// SPDX-License-Identifier: MIT
/*
 * RNDIS between a guest and its network interface: control messages, their answers, and what the
 * guest is told unasked. Messages are private copies. Answers go through sections of the receive
 * buffer as frames do, and wait for those, a few of them; a guest that asks for more is told that
 * we are busy. State belongs to the first queue's loop.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "devices/netvsp_internal.h"

/* --- Out. ------------------------------------------------------------------------------------ */

/* The oldest answer, in a section of its own. False: not now. */
static bool send_reply(struct netvsp *netvsp)
{
	const struct netvsp_reply *reply = &netvsp->replies[netvsp->reply_first];
	struct netvsp_queue *queue = netvsp_primary(netvsp);
	const struct netvsp_sections *s = queue->recv;
	const struct nvsp_message body = {
		.msg_type = NVSP_MSG1_TYPE_SEND_RNDIS_PKT,
		.send_rndis_pkt = {.channel_type = RMC_CONTROL,
				   .send_buf_section_index = NVSP_SECTION_NONE},
	};
	struct {
		struct vmtransfer_page_list list;
		struct vmtransfer_page_range range;
	} list = {.list = {.xfer_pageset_id = netvsp->recv.id, .range_cnt = 1}};
	struct ring_message message = {
		.type = VM_PKT_DATA_USING_XFER_PAGES,
		.wants_completion = true,
		.list = &list,
		.list_len = sizeof(list),
		.payload = &body,
		.payload_len = netvsp_size(netvsp),
	};
	uint16_t section;

	if (!queue->rx.free_count)
		return false;
	section = queue->rx.free[queue->rx.free_count - 1];
	list.range = (struct vmtransfer_page_range){.byte_count = reply->len,
						    .byte_offset = section * s->size};
	message.trans_id = section;
	if (gpadl_view_write(&s->view, list.range.byte_offset, reply->bytes, reply->len) < 0 ||
	    channel_send(queue->channel, &message) < 0)
		return false;
	queue->rx.free_count--;
	s->state[section] = NETVSP_SECTION_FIRST;
	s->next[section] = section;
	return true;
}

static bool has_room(const struct netvsp *netvsp)
{
	return netvsp->reply_count < NETVSP_REPLIES;
}

static struct netvsp_reply *add_reply(struct netvsp *netvsp, uint32_t msg_type, uint32_t body_len)
{
	struct netvsp_reply *reply =
		&netvsp->replies[(netvsp->reply_first + netvsp->reply_count) % NETVSP_REPLIES];
	const struct rndis_header header = {.msg_type = msg_type,
					    .msg_len = (uint32_t)sizeof(header) + body_len};

	assert(has_room(netvsp) && header.msg_len <= sizeof(reply->bytes));
	netvsp->reply_count++;
	memcpy(reply->bytes, &header, sizeof(header));
	reply->len = header.msg_len;
	return reply;
}

void netvsp_rndis_reply(struct netvsp *netvsp, uint32_t msg_type, const void *body, uint32_t len)
{
	struct netvsp_reply *reply = add_reply(netvsp, msg_type, len);

	memcpy(reply->bytes + sizeof(struct rndis_header), body, len);
}

/* --- Indications. ---------------------------------------------------------------------------- */

static void indicate(struct netvsp *netvsp, uint32_t status, const void *buf, uint32_t len)
{
	const struct rndis_indicate_status body = {
		.status = status,
		.status_buflen = len,
		.status_buf_offset = len ? sizeof(body) : 0,
	};
	struct netvsp_reply *reply =
		add_reply(netvsp, RNDIS_MSG_INDICATE, (uint32_t)sizeof(body) + len);
	uint8_t *to = reply->bytes + sizeof(struct rndis_header);

	memcpy(to, &body, sizeof(body));
	if (len)
		memcpy(to + sizeof(body), buf, len);
}

static void indicate_link(struct netvsp *netvsp)
{
	const bool link = atomic_load(&netvsp->link);

	if (link != netvsp->link_told)
		indicate(netvsp, link ? RNDIS_STATUS_MEDIA_CONNECT : RNDIS_STATUS_MEDIA_DISCONNECT,
			 NULL, 0);
	else if (netvsp->link_flapped && link)
		/* It may be another network now. */
		indicate(netvsp, RNDIS_STATUS_NETWORK_CHANGE, NULL, 0);
	netvsp->link_told = link;
	netvsp->link_flapped = netvsp->tell_link = false;
}

static void indicate_offloads(struct netvsp *netvsp)
{
	struct ndis_offload offload;
	const uint32_t len =
		netvsp_offloads_describe(netvsp, atomic_load(&netvsp->offloads), &offload);

	indicate(netvsp, RNDIS_STATUS_OFFLOAD_CONFIG, &offload, len);
	netvsp->tell_offloads = false;
}

void netvsp_rndis_send(struct netvsp *netvsp)
{
	if (!netvsp_primary(netvsp)->recv || netvsp->closing)
		return;
	for (;;) {
		if (netvsp->operational && netvsp->tell_link && has_room(netvsp))
			indicate_link(netvsp);
		if (netvsp->operational && netvsp->tell_offloads && has_room(netvsp))
			indicate_offloads(netvsp);
		if (!netvsp->reply_count || !send_reply(netvsp))
			return;
		netvsp->reply_first = (netvsp->reply_first + 1) % NETVSP_REPLIES;
		netvsp->reply_count--;
	}
}

void netvsp_rndis_link(struct netvsp *netvsp)
{
	const bool link = atomic_load(&netvsp->link_wanted) && net_backend_link(netvsp->backend);

	if (link == atomic_load(&netvsp->link))
		return;
	atomic_store(&netvsp->link, link);
	if (netvsp->link_changed)
		netvsp->link_changed(netvsp->link_ctx, link);
	if (!netvsp->operational)
		return;
	netvsp->tell_link = true;
	if (!link)
		netvsp->link_flapped = true;
	netvsp_rndis_send(netvsp);
}

/* --- In. ------------------------------------------------------------------------------------- */

static void initialize(struct netvsp *netvsp, const void *body, uint32_t len)
{
	const struct rndis_initialize_request *in = body;
	const bool known = in->major_ver == RNDIS_MAJOR_VERSION;
	const struct rndis_initialize_complete out = {
		.req_id = in->req_id,
		.status = known ? RNDIS_STATUS_SUCCESS : RNDIS_STATUS_BAD_VERSION,
		.major_ver = RNDIS_MAJOR_VERSION,
		.minor_ver = RNDIS_MINOR_VERSION,
		.dev_flags = RNDIS_DF_CONNECTIONLESS,
		.medium = RNDIS_MEDIUM_802_3,
		.max_pkt_per_msg = NETVSP_BATCH_TOLD,
		.max_xfer_size = NETVSP_BATCH_TOLD * NET_FRAME_MAX,
		.pkt_alignment_factor = 3,
	};

	(void)len;
	netvsp->operational = known;
	netvsp->link_told = atomic_load(&netvsp->link);
	atomic_store(&netvsp->running, known);
	netvsp_rndis_reply(netvsp, RNDIS_MSG_INIT | RNDIS_MSG_COMPLETION, &out, sizeof(out));
}

/* Nothing moves until it is initialized again. */
static void halt(struct netvsp *netvsp, const void *body, uint32_t len)
{
	(void)body;
	(void)len;
	netvsp->operational = false;
	atomic_store(&netvsp->running, false);
	atomic_store(&netvsp->filter, 0);
	netvsp->reply_count = 0;
}

/* Where a query's or a set's information is. NULL: not in the message. */
static const uint8_t *find_info(const struct rndis_oid_request *in, uint32_t len)
{
	if (!in->info_buflen)
		return (const uint8_t *)in;
	if (in->info_buf_offset < sizeof(*in) ||
	    !range_within(in->info_buf_offset, in->info_buflen, len))
		return NULL;
	return (const uint8_t *)in + in->info_buf_offset;
}

static void query(struct netvsp *netvsp, const void *body, uint32_t len)
{
	const struct rndis_oid_request *in = body;
	struct {
		struct rndis_query_complete head;
		uint8_t info[NETVSP_INFO_MAX];
	} out = {.head = {.req_id = in->req_id, .info_buf_offset = sizeof(out.head)}};
	uint32_t info_len = 0;

	out.head.status = RNDIS_STATUS_INVALID_LENGTH;
	if (find_info(in, len))
		out.head.status = netvsp_oid_query(netvsp, in->oid, out.info, &info_len);
	out.head.info_buflen = info_len;
	if (out.head.status)
		counter_add_shared(&netvsp->counters.refused, 1);
	netvsp_rndis_reply(netvsp, RNDIS_MSG_QUERY | RNDIS_MSG_COMPLETION, &out,
			   (uint32_t)sizeof(out.head) + info_len);
}

static void set(struct netvsp *netvsp, const void *body, uint32_t len)
{
	const struct rndis_oid_request *in = body;
	const uint8_t *info = find_info(in, len);
	const struct rndis_complete out = {
		.req_id = in->req_id,
		.status = info ? netvsp_oid_set(netvsp, in->oid, info, in->info_buflen)
			       : RNDIS_STATUS_INVALID_LENGTH,
	};

	if (out.status)
		counter_add_shared(&netvsp->counters.refused, 1);
	netvsp_rndis_reply(netvsp, RNDIS_MSG_SET | RNDIS_MSG_COMPLETION, &out, sizeof(out));
}

static void reset(struct netvsp *netvsp, const void *body, uint32_t len)
{
	const struct rndis_reset_complete out = {.status = RNDIS_STATUS_SUCCESS};

	(void)body;
	(void)len;
	netvsp_rndis_reply(netvsp, RNDIS_MSG_RESET | RNDIS_MSG_COMPLETION, &out, sizeof(out));
}

static void keep_alive(struct netvsp *netvsp, const void *body, uint32_t len)
{
	const struct rndis_request *in = body;
	const struct rndis_complete out = {.req_id = in->req_id, .status = RNDIS_STATUS_SUCCESS};

	(void)len;
	netvsp_rndis_reply(netvsp, RNDIS_MSG_KEEPALIVE | RNDIS_MSG_COMPLETION, &out, sizeof(out));
}

static const struct rndis_row {
	enum rndis_message_type type;
	bool initialized;     /* comes after INIT, else before */
	uint32_t least, most; /* bytes of its body */
	void (*run)(struct netvsp *netvsp, const void *body, uint32_t len);
} rows[] = {
	{RNDIS_MSG_INIT, false, sizeof(struct rndis_initialize_request),
	 sizeof(struct rndis_initialize_request), initialize},
	{RNDIS_MSG_HALT, true, sizeof(struct rndis_request), sizeof(struct rndis_request), halt},
	{RNDIS_MSG_QUERY, true, sizeof(struct rndis_oid_request), NETVSP_CONTROL_MAX, query},
	{RNDIS_MSG_SET, true, sizeof(struct rndis_oid_request), NETVSP_CONTROL_MAX, set},
	{RNDIS_MSG_RESET, true, sizeof(struct rndis_reset_request),
	 sizeof(struct rndis_reset_request), reset},
	{RNDIS_MSG_KEEPALIVE, true, sizeof(struct rndis_request), sizeof(struct rndis_request),
	 keep_alive},
};

static const struct rndis_row *find(uint32_t type)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++)
		if ((uint32_t)rows[i].type == type)
			return &rows[i];
	return NULL;
}

uint32_t netvsp_rndis(struct netvsp *netvsp, const uint8_t *message, uint32_t len)
{
	const struct rndis_row *row;
	struct rndis_header header;
	uint32_t body_len;

	if (len < sizeof(header))
		return NVSP_STAT_INVALID_RNDIS_PKT;
	memcpy(&header, message, sizeof(header));
	row = find(header.msg_type);
	/* Packets may be longer than what is in them. */
	if (!row || header.msg_len > len || header.msg_len < sizeof(header))
		return NVSP_STAT_INVALID_RNDIS_PKT;
	body_len = header.msg_len - (uint32_t)sizeof(header);
	if (body_len < row->least || body_len > row->most)
		return NVSP_STAT_INVALID_RNDIS_PKT;
	if (row->initialized != netvsp->operational)
		return NVSP_STAT_FAIL;
	if (!has_room(netvsp))
		return NVSP_STAT_BUSY;
	counter_add_shared(&netvsp->counters.control, 1);
	row->run(netvsp, message + sizeof(header), body_len);
	return NVSP_STAT_SUCCESS;
}
