// SPDX-License-Identifier: MIT
/*
 * The control plane: messages on their way to the guest. They wait in four places, none of which
 * the guest can make larger: a short list of answers, a list of GPADLs that are gone, marks on
 * offers, and requests of hvsockets. Owner: the control plane's loop.
 */
#include <assert.h>
#include <string.h>

#include "vmbus/server_internal.h"

static bool send_to(struct vmbus_server *s, unsigned int vp, unsigned int sint, const void *message,
		    size_t len)
{
	if (!s->ops.send(s->ctx, vp, sint, message, len)) {
		counter_add(&s->counters.blocked, 1);
		return false;
	}
	counter_add(&s->counters.sent, 1);
	return true;
}

static bool send_message(struct vmbus_server *s, const void *message, size_t len)
{
	return send_to(s, s->connection.target_vp, s->connection.sint, message, len);
}

void vmbus_reply_to(struct vmbus_server *s, unsigned int vp, unsigned int sint, const void *message,
		    size_t len)
{
	struct vmbus_reply *reply = &s->replies[s->reply_count];

	assert(s->reply_count < VMBUS_REPLIES_MAX && len <= sizeof(reply->message));
	s->reply_count++;
	reply->vp = vp;
	reply->sint = sint;
	reply->len = len;
	memcpy(reply->message, message, len);
}

void vmbus_reply(struct vmbus_server *s, const void *message, size_t len)
{
	vmbus_reply_to(s, s->connection.target_vp, s->connection.sint, message, len);
}

void vmbus_set_pending(struct vmbus_offer *o, uint8_t bits)
{
	assert(o->relid);
	o->pending |= bits;
	o->server->pending[o->relid / 64] |= 1ull << (o->relid % 64);
}

void vmbus_clear_pending(struct vmbus_offer *o)
{
	o->pending = 0;
	o->server->pending[o->relid / 64] &= ~(1ull << (o->relid % 64));
}

void vmbus_drop_outgoing(struct vmbus_server *s)
{
	s->reply_count = 0;
	s->torn_down_count = 0;
	s->offers_delivered_pending = false;
	s->paused = false;
	memset(s->tl, 0, sizeof(s->tl));
}

static bool send_offer(struct vmbus_offer *o)
{
	const struct vmbus_offer_config *c = &o->config;
	struct vmbus_channel_offer_channel m = {
		.header = {.msgtype = CHANNELMSG_OFFERCHANNEL},
		.offer = {.if_type = c->class_id,
			  .if_instance = c->instance_id,
			  .chn_flags = c->flags,
			  .mmio_megabytes = c->mmio_megabytes,
			  .sub_channel_index = c->sub_channel_index,
			  .mmio_megabytes_optional = c->mmio_megabytes_optional},
		.child_relid = o->relid,
		.monitorid = UINT8_MAX, /* none */
		.is_dedicated_interrupt = 1,
		.connection_id = vmbus_offer_connection_id(o),
	};

	memcpy(m.offer.user_data, c->user_data, sizeof(m.offer.user_data));
	return send_message(o->server, &m, sizeof(m));
}

static bool send_open_result(struct vmbus_offer *o)
{
	const struct vmbus_channel_open_result m = {
		.header = {.msgtype = CHANNELMSG_OPENCHANNEL_RESULT},
		.child_relid = o->relid,
		.openid = o->openid,
		.status = o->open_status,
	};

	if (o->reserved)
		return send_to(o->server, o->reserved_vp, o->reserved_sint, &m, sizeof(m));
	return send_message(o->server, &m, sizeof(m));
}

static bool send_modify_response(struct vmbus_offer *o)
{
	const struct vmbus_channel_modifychannel_response m = {
		.header = {.msgtype = CHANNELMSG_MODIFYCHANNEL_RESPONSE},
		.child_relid = o->relid,
		.status = o->modify_status,
	};

	return send_message(o->server, &m, sizeof(m));
}

static bool send_rescind(struct vmbus_offer *o)
{
	const struct vmbus_channel_relid m = {
		.header = {.msgtype = CHANNELMSG_RESCIND_CHANNELOFFER}, .child_relid = o->relid};

	return send_message(o->server, &m, sizeof(m));
}

static bool send_close_reserved(struct vmbus_offer *o)
{
	const struct vmbus_channel_relid m = {
		.header = {.msgtype = CHANNELMSG_CLOSERESERVED_RESPONSE}, .child_relid = o->relid};

	return send_to(o->server, o->reserved_vp, o->reserved_sint, &m, sizeof(m));
}

/* What waits on one offer. The last of it may be the end of the offer. */
static bool flush_offer(struct vmbus_offer *o)
{
	static bool (*const senders[])(struct vmbus_offer *) = {
		send_offer,          send_open_result, send_modify_response,
		send_close_reserved, send_rescind,
	};
	bool reserved_closed = o->pending & VMBUS_PENDING_CLOSE_RESERVED;

	for (unsigned int i = 0; i < ARRAY_SIZE(senders); i++) {
		if (!(o->pending & 1u << i))
			continue;
		if (!senders[i](o))
			return false;
		o->pending &= (uint8_t) ~(1u << i);
	}
	vmbus_clear_pending(o);
	if (reserved_closed) {
		o->reserved = false;
		if (o->survivor)
			vmbus_renew_offer(o);
	}
	return true;
}

static bool flush_offers(struct vmbus_server *s)
{
	for (unsigned int w = 0; w < VMBUS_RELID_WORDS; w++)
		while (s->pending[w])
			if (!flush_offer(s->by_relid[w * 64 +
						     (unsigned int)__builtin_ctzll(s->pending[w])]))
				return false;
	return true;
}

static bool flush_replies(struct vmbus_server *s)
{
	unsigned int sent = 0;

	while (sent < s->reply_count) {
		const struct vmbus_reply *r = &s->replies[sent];

		if (!send_to(s, r->vp, r->sint, r->message, r->len))
			break;
		sent++;
	}
	s->reply_count -= sent;
	memmove(s->replies, s->replies + sent, s->reply_count * sizeof(s->replies[0]));
	return s->reply_count == 0;
}

static bool flush_torn_down(struct vmbus_server *s)
{
	struct vmbus_channel_gpadl_torndown m = {.header = {.msgtype = CHANNELMSG_GPADL_TORNDOWN}};

	while (s->torn_down_count) {
		m.gpadl = s->torn_down[s->torn_down_first];
		if (!send_message(s, &m, sizeof(m)))
			return false;
		s->torn_down_first = (s->torn_down_first + 1) % VMBUS_TEARDOWNS_MAX;
		s->torn_down_count--;
	}
	return true;
}

static bool flush_tl(struct vmbus_server *s)
{
	for (unsigned int i = 0; i < VMBUS_TL_MAX; i++) {
		const struct vmbus_channel_tl_connect_result m = {
			.header = {.msgtype = CHANNELMSG_TL_CONNECT_RESULT},
			.guest_endpoint_id = s->tl[i].endpoint,
			.host_service_id = s->tl[i].service,
			.status = s->tl[i].status,
		};

		if (!s->tl[i].id || !s->tl[i].done)
			continue;
		if (!send_message(s, &m, sizeof(m)))
			return false;
		s->tl[i] = (struct vmbus_tl_request){0};
	}
	return true;
}

bool vmbus_server_flush(struct vmbus_server *s)
{
	const struct vmbus_channel_message_header all = {.msgtype = CHANNELMSG_ALLOFFERS_DELIVERED};

	if (!flush_replies(s))
		return false;
	if (s->paused)
		return true;
	if (!flush_torn_down(s) || !flush_tl(s) || !flush_offers(s))
		return false;
	if (s->offers_delivered_pending) {
		if (!send_message(s, &all, sizeof(all)))
			return false;
		s->offers_delivered_pending = false;
	}
	return true;
}
