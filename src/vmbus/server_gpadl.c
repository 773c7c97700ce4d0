// SPDX-License-Identifier: MIT
/*
 * The control plane: the messages of GPADLs, which vmbus/gpadl.h keeps. Owner: the control plane's
 * loop.
 */
#include <errno.h>

#include "vmbus/server_internal.h"

static void reply_created(struct vmbus_server *s, uint32_t relid, uint32_t handle, int err)
{
	const struct vmbus_channel_gpadl_created m = {
		.header = {.msgtype = CHANNELMSG_GPADL_CREATED},
		.child_relid = relid,
		.gpadl = handle,
		.creation_status = !err ? VMBUS_STATUS_SUCCESS
				   : err == -ENOSPC || err == -ENOMEM
					   ? VMBUS_STATUS_INSUFFICIENT_RESOURCES
					   : VMBUS_STATUS_INVALID_PARAMETER,
	};

	if (err)
		counter_add(&s->counters.gpadl_failures, 1);
	vmbus_reply(s, &m, sizeof(m));
}

bool vmbus_on_gpadl_header(struct vmbus_server *s, const union vmbus_message *m, size_t len)
{
	const struct vmbus_channel_gpadl_header *in = &m->gpadl_header;
	const struct vmbus_offer *o = vmbus_find_offer(s, in->child_relid);
	bool complete = false;
	int err = -EINVAL;

	/* Channels that are to outlive the connection do not get memory that does not. */
	if (o && o->guest == VMBUS_OFFER_MADE && !o->survivor)
		err = gpadl_begin(s->gpadls, in->child_relid, in->gpadl, in->range_buflen,
				  in->rangecount, m->bytes + sizeof(*in), len - sizeof(*in),
				  &complete);
	if (err || complete)
		reply_created(s, in->child_relid, in->gpadl, err);
	return !err;
}

bool vmbus_on_gpadl_body(struct vmbus_server *s, const union vmbus_message *m, size_t len)
{
	const struct vmbus_channel_gpadl_body *in = &m->gpadl_body;
	uint32_t relid;
	bool complete = false;
	int err;

	if (gpadl_channel(s->gpadls, in->gpadl, &relid) < 0)
		return false;
	err = gpadl_add(s->gpadls, in->gpadl, m->bytes + sizeof(*in), len - sizeof(*in), &complete);
	if (err == -ENOENT)
		return false;
	if (err || complete)
		reply_created(s, relid, in->gpadl, err);
	return !err;
}

bool vmbus_on_gpadl_teardown(struct vmbus_server *s, const union vmbus_message *m, size_t len)
{
	const struct vmbus_channel_gpadl_teardown *in = &m->gpadl_teardown;
	const struct vmbus_channel_gpadl_torndown reply = {
		.header = {.msgtype = CHANNELMSG_GPADL_TORNDOWN}, .gpadl = in->gpadl};
	struct vmbus_offer *o = vmbus_find_offer(s, in->child_relid);
	int err;

	if (!o || s->deferred + s->torn_down_count >= VMBUS_TEARDOWNS_MAX)
		return false;
	err = gpadl_teardown(s->gpadls, in->child_relid, in->gpadl);
	if (err == -EINPROGRESS) {
		o->deferred++;
		s->deferred++;
		if (s->ops.gpadl_wanted)
			s->ops.gpadl_wanted(s->ctx, o, in->gpadl);
		return true;
	}
	if (!err)
		vmbus_reply(s, &reply, sizeof(reply));
	return !err;
}

/* The last hold of a GPADL that the guest wanted back has ended. */
void vmbus_gpadl_torn_down(void *ctx, uint32_t channel, uint32_t handle)
{
	struct vmbus_server *s = ctx;
	unsigned int last = (s->torn_down_first + s->torn_down_count) % VMBUS_TEARDOWNS_MAX;

	s->torn_down[last] = handle;
	s->torn_down_count++;
	s->deferred--;
	s->by_relid[channel]->deferred--;
	vmbus_server_flush(s);
}

/* The channel's relid is about to mean nothing, or something else. */
void vmbus_drop_gpadls(struct vmbus_offer *o)
{
	gpadl_drop_channel(o->server->gpadls, o->relid);
	o->server->deferred -= o->deferred;
	o->deferred = 0;
}
