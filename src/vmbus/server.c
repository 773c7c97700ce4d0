// SPDX-License-Identifier: MIT
/*
 * The control plane: its making, and who handles which message. Owner: the control plane's loop.
 */
#include "vmbus/server.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmbus/server_internal.h"

/* What the guest may send, from which version on, with which feature, and how long at least. */
struct row {
	vmbus_handler *handle;
	uint32_t version; /* 0: also while disconnected */
	uint32_t feature;
	size_t size;
};

static bool on_pause(struct vmbus_server *s, const union vmbus_message *m, size_t len)
{
	const struct vmbus_channel_message_header reply = {.msgtype = CHANNELMSG_PAUSE_RESPONSE};

	vmbus_reply(s, &reply, sizeof(reply));
	s->paused = true;
	return true;
}

static bool on_resume(struct vmbus_server *s, const union vmbus_message *m, size_t len)
{
	s->paused = false;
	return true;
}

#define HEADER sizeof(struct vmbus_channel_message_header)

static const struct row rows[CHANNELMSG_COUNT] = {
	[CHANNELMSG_REQUESTOFFERS] = {vmbus_on_request_offers, VERSION_WS2008, 0, HEADER},
	[CHANNELMSG_OPENCHANNEL] = {vmbus_on_open, VERSION_WS2008, 0,
				    sizeof(struct vmbus_channel_open_channel)},
	[CHANNELMSG_CLOSECHANNEL] = {vmbus_on_close, VERSION_WS2008, 0,
				     sizeof(struct vmbus_channel_relid)},
	[CHANNELMSG_GPADL_HEADER] = {vmbus_on_gpadl_header, VERSION_WS2008, 0,
				     sizeof(struct vmbus_channel_gpadl_header)},
	[CHANNELMSG_GPADL_BODY] = {vmbus_on_gpadl_body, VERSION_WS2008, 0,
				   sizeof(struct vmbus_channel_gpadl_body)},
	[CHANNELMSG_GPADL_TEARDOWN] = {vmbus_on_gpadl_teardown, VERSION_WS2008, 0,
				       sizeof(struct vmbus_channel_gpadl_teardown)},
	[CHANNELMSG_RELID_RELEASED] = {vmbus_on_relid_released, VERSION_WS2008, 0,
				       sizeof(struct vmbus_channel_relid)},
	[CHANNELMSG_UNLOAD] = {vmbus_on_unload, VERSION_WS2008, 0, HEADER},
	[CHANNELMSG_OPENRESERVED] = {vmbus_on_open_reserved, VERSION_WIN10, 0,
				     sizeof(struct vmbus_channel_open_reserved)},
	[CHANNELMSG_CLOSERESERVED] = {vmbus_on_close_reserved, 0, 0,
				      sizeof(struct vmbus_channel_close_reserved)},
	[CHANNELMSG_TL_CONNECT_REQUEST] = {vmbus_on_tl_connect, VERSION_WIN10, 0,
					   sizeof(struct vmbus_channel_tl_connect_request)},
	[CHANNELMSG_MODIFYCHANNEL] = {vmbus_on_modify, VERSION_WIN10_V4_1, 0,
				      sizeof(struct vmbus_channel_modifychannel)},
	[CHANNELMSG_PAUSE] = {on_pause, VERSION_WIN_COPPER, VMBUS_FEATURE_PAUSE_RESUME, HEADER},
	[CHANNELMSG_RESUME] = {on_resume, VERSION_WIN_COPPER, VMBUS_FEATURE_PAUSE_RESUME, HEADER},
};

static bool is_due(const struct vmbus_server *s, uint32_t type)
{
	const struct row *row = &rows[type];
	const struct vmbus_connection *c = &s->connection;

	if (row->version == 0)
		return s->state != VMBUS_DISCONNECTING;
	if (s->state != VMBUS_CONNECTED || c->version < row->version)
		return false;
	/* A guest that has paused us says one of two things next. */
	if (s->paused && type != CHANNELMSG_RESUME && type != CHANNELMSG_UNLOAD)
		return false;
	return (row->feature & ~c->features) == 0;
}

/* Whatever the answer to the next message is, it can be kept until the guest takes it. */
static bool has_room(const struct vmbus_server *s)
{
	if (s->reply_count == VMBUS_REPLIES_MAX)
		return false;
	return s->torn_down_count == 0 || s->torn_down_count + s->deferred < VMBUS_TEARDOWNS_MAX;
}

/* These end the connection, and with it whatever waits to be sent. */
static bool ends_connection(uint32_t type)
{
	return type == CHANNELMSG_INITIATE_CONTACT || type == CHANNELMSG_UNLOAD;
}

static void dispatch(struct vmbus_server *s, uint32_t connection_id, const union vmbus_message *m,
		     size_t len)
{
	const uint32_t type = m->header.msgtype;
	bool ok;

	if (type == CHANNELMSG_INITIATE_CONTACT) {
		if (len < sizeof(m->contact)) {
			counter_add(&s->counters.short_, 1);
			return;
		}
		ok = vmbus_on_contact(s, connection_id, m, len);
	} else if (type >= CHANNELMSG_COUNT || !rows[type].handle) {
		counter_add(&s->counters.unknown, 1);
		return;
	} else if (!is_due(s, type)) {
		counter_add(&s->counters.unexpected, 1);
		return;
	} else if (len < rows[type].size) {
		counter_add(&s->counters.short_, 1);
		return;
	} else {
		ok = rows[type].handle(s, m, len);
	}
	if (!ok)
		counter_add(&s->counters.invalid, 1);
}

int vmbus_server_message(struct vmbus_server *s, uint32_t connection_id, const void *message,
			 size_t len)
{
	union vmbus_message m = {0};

	if (len < sizeof(m.header) || len > sizeof(m)) {
		counter_add(&s->counters.received, 1);
		counter_add(&s->counters.short_, 1);
		return 0;
	}
	memcpy(&m, message, len);
	if (!ends_connection(m.header.msgtype) && !has_room(s)) {
		counter_add(&s->counters.busy, 1);
		return -EAGAIN;
	}
	counter_add(&s->counters.received, 1);
	dispatch(s, connection_id, &m, len);
	vmbus_server_flush(s);
	return 0;
}

int vmbus_server_create(const struct vmbus_server_config *config,
			const struct vmbus_server_ops *ops, void *ctx, struct vmbus_server **ret)
{
	struct vmbus_server *s;
	int err;

	assert(ops->send && ops->connected && ops->disconnected);
	assert(ops->open && ops->close && ops->modify && ops->released);
	assert(config->vp_count > 0 && (config->features & ~VMBUS_FEATURES_KNOWN) == 0);

	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->config = *config;
	s->ops = *ops;
	s->ctx = ctx;
	s->relids[0] = 1; /* 0 is no relid */
	err = gpadl_table_create(config->mem, &config->gpadl_limits, vmbus_gpadl_torn_down, s,
				 &s->gpadls);
	if (err) {
		free(s);
		return err;
	}
	*ret = s;
	return 0;
}

void vmbus_server_destroy(struct vmbus_server *s)
{
	if (!s)
		return;
	for (struct vmbus_offer *o = s->first; o; o = o->next)
		assert(o->device == VMBUS_DEVICE_CLOSED);
	gpadl_table_destroy(s->gpadls);
	free(s);
}

const struct vmbus_server_counters *vmbus_server_counters(const struct vmbus_server *s)
{
	return &s->counters;
}

struct gpadl_table *vmbus_server_gpadls(struct vmbus_server *s)
{
	return s->gpadls;
}

const struct vmbus_connection *vmbus_server_connection(const struct vmbus_server *s)
{
	return s->state == VMBUS_CONNECTED ? &s->connection : NULL;
}
