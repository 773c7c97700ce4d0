// SPDX-License-Identifier: MIT
/*
 * The control plane: opening, closing and retargeting of channels. The device's end answers in its
 * own time; what the guest wants meanwhile is kept in the offer. Owner: the control plane's loop.
 */
#include <assert.h>
#include <string.h>

#include "vmbus/server_internal.h"

/* Of a ring: its control page, and one of data. */
#define RING_PAGES_MIN 2u

static bool has_vp(const struct vmbus_server *s, uint32_t vp)
{
	return vp < s->config.vp_count;
}

static void set_open_result(struct vmbus_offer *o, uint32_t openid, uint32_t status)
{
	o->openid = openid;
	o->open_status = status;
	counter_add(status ? &o->server->counters.open_failures : &o->server->counters.opens, 1);
	vmbus_set_pending(o, VMBUS_PENDING_OPEN_RESULT);
}

static uint32_t check_ring(struct vmbus_server *s, const struct vmbus_open *open)
{
	struct gpadl *gpadl;
	uint32_t pages;

	if (gpadl_get(s->gpadls, open->relid, open->ring_gpadl, &gpadl) < 0)
		return VMBUS_STATUS_INVALID_PARAMETER;
	pages = gpadl_ring_pages(gpadl);
	gpadl_put(gpadl);
	if (open->downstream_page < RING_PAGES_MIN || open->downstream_page > pages ||
	    pages - open->downstream_page < RING_PAGES_MIN)
		return VMBUS_STATUS_INVALID_PARAMETER;
	return VMBUS_STATUS_SUCCESS;
}

static uint32_t check_open(struct vmbus_server *s, const struct vmbus_open *open)
{
	if (open->target_vp != VMBUS_VP_INTERRUPT_DISABLED && !has_vp(s, open->target_vp))
		return VMBUS_STATUS_INVALID_PARAMETER;
	if (open->event_flag > VMBUS_RELID_MAX || open->connection_id > VMBUS_CONNECTION_ID_MAX)
		return VMBUS_STATUS_INVALID_PARAMETER;
	return check_ring(s, open);
}

/* Serves the request that the offer keeps. */
static void open_device(struct vmbus_offer *o)
{
	struct vmbus_server *s = o->server;
	const struct vmbus_open open = o->request;
	uint32_t status = check_open(s, &open);

	if (status) {
		set_open_result(o, o->request_openid, status);
		o->reserved = open.reserved;
		return;
	}
	o->openid = o->request_openid;
	o->device = VMBUS_DEVICE_OPENING;
	o->reserved = open.reserved;
	s->ops.open(s->ctx, o, &open);
}

void vmbus_offer_opened(struct vmbus_offer *o, uint32_t status)
{
	struct vmbus_server *s = o->server;

	assert(o->device == VMBUS_DEVICE_OPENING);
	o->device = status ? VMBUS_DEVICE_CLOSED : VMBUS_DEVICE_OPEN;
	if (o->close_wanted) {
		o->close_wanted = false;
		if (status)
			vmbus_settle_offer(o);
		else
			vmbus_close_device(o);
	} else {
		set_open_result(o, o->openid, status);
	}
	vmbus_server_flush(s);
}

void vmbus_close_device(struct vmbus_offer *o)
{
	struct vmbus_server *s = o->server;

	o->modifying = o->modify_again = false;
	switch (o->device) {
	case VMBUS_DEVICE_OPENING:
		o->close_wanted = true;
		break;
	case VMBUS_DEVICE_OPEN:
		o->device = VMBUS_DEVICE_CLOSING;
		counter_add(&s->counters.closes, 1);
		s->ops.close(s->ctx, o);
		break;
	case VMBUS_DEVICE_CLOSED:
	case VMBUS_DEVICE_CLOSING:
		break;
	}
}

void vmbus_offer_closed(struct vmbus_offer *o)
{
	struct vmbus_server *s = o->server;

	assert(o->device == VMBUS_DEVICE_CLOSING);
	o->device = VMBUS_DEVICE_CLOSED;
	if (o->guest == VMBUS_OFFER_MADE && o->reserved) {
		vmbus_set_pending(o, VMBUS_PENDING_CLOSE_RESERVED);
	} else if (o->guest == VMBUS_OFFER_MADE && o->reopen) {
		o->reopen = false;
		open_device(o);
	} else {
		vmbus_settle_offer(o);
	}
	vmbus_server_flush(s);
}

/* Takes a request to open: now, or when the closing before it is over. */
static bool request_open(struct vmbus_offer *o, const struct vmbus_open *open, uint32_t openid)
{
	if (o->guest == VMBUS_OFFER_RESCINDED)
		return true; /* it did not know yet */
	if ((o->pending & (VMBUS_PENDING_OPEN_RESULT | VMBUS_PENDING_CLOSE_RESERVED)) || o->reopen)
		return false;
	if (o->device == VMBUS_DEVICE_OPENING || o->device == VMBUS_DEVICE_OPEN)
		return false;
	if (o->device == VMBUS_DEVICE_CLOSING && o->reserved)
		return false;
	o->request = *open;
	o->request_openid = openid;
	if (o->device == VMBUS_DEVICE_CLOSING)
		o->reopen = true;
	else
		open_device(o);
	return true;
}

bool vmbus_on_open(struct vmbus_server *s, const union vmbus_message *m, size_t len)
{
	struct vmbus_offer *o = vmbus_find_offer(s, m->open.child_relid);
	struct vmbus_open open = {
		.relid = m->open.child_relid,
		.ring_gpadl = m->open.ringbuffer_gpadlhandle,
		.downstream_page = m->open.downstream_ringbuffer_pageoffset,
		/* Before 2.4 there is no such field, and VP 0 serves all. */
		.target_vp = s->connection.version < VERSION_WIN8 ? 0 : m->open.target_vp,
	};

	if (!o)
		return false;
	memcpy(open.user_data, m->open.userdata, sizeof(open.user_data));
	open.event_flag = (uint16_t)o->relid;
	open.connection_id = vmbus_offer_connection_id(o);
	if (s->connection.features & VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS) {
		if (len < sizeof(m->open2))
			return false;
		open.event_flag = m->open2.event_flag;
		open.connection_id = m->open2.connection_id;
	}
	return request_open(o, &open, m->open.openid);
}

bool vmbus_on_close(struct vmbus_server *s, const union vmbus_message *m, size_t len)
{
	struct vmbus_offer *o = vmbus_find_offer(s, m->relid.child_relid);

	if (!o)
		return false;
	if (o->guest == VMBUS_OFFER_RESCINDED)
		return true; /* it is being closed */
	if (o->device != VMBUS_DEVICE_OPEN || o->reserved)
		return false;
	vmbus_close_device(o);
	return true;
}

/* --- Reserved channels: open across disconnects, for dumps and hibernation. ---------------- */

bool vmbus_on_open_reserved(struct vmbus_server *s, const union vmbus_message *m, size_t len)
{
	const struct vmbus_channel_open_reserved *in = &m->open_reserved;
	struct vmbus_offer *o = vmbus_find_offer(s, in->child_relid);
	struct vmbus_open open = {
		.relid = in->child_relid,
		.ring_gpadl = in->ringbuffer_gpadlhandle,
		.downstream_page = in->downstream_ringbuffer_pageoffset,
		.target_vp = VMBUS_VP_INTERRUPT_DISABLED, /* it polls */
		.event_flag = (uint16_t)in->child_relid,
		.reserved = true,
	};

	if (!o || !has_vp(s, in->target_vp) || in->target_sint >= VMBUS_SINTS ||
	    o->device != VMBUS_DEVICE_CLOSED || o->pending)
		return false;
	open.connection_id = vmbus_offer_connection_id(o);
	o->reserved_vp = in->target_vp;
	o->reserved_sint = in->target_sint;
	return request_open(o, &open, 0);
}

/* Also of a guest that has disconnected; its offer may be one that only we remember. */
bool vmbus_on_close_reserved(struct vmbus_server *s, const union vmbus_message *m, size_t len)
{
	const struct vmbus_channel_close_reserved *in = &m->close_reserved;
	struct vmbus_offer *o = vmbus_find_offer(s, in->child_relid);

	if (!o || !has_vp(s, in->target_vp) || in->target_sint >= VMBUS_SINTS)
		return false;
	if (o->guest == VMBUS_OFFER_RESCINDED)
		return true;
	if (o->device != VMBUS_DEVICE_OPEN || !o->reserved)
		return false;
	o->reserved_vp = in->target_vp;
	o->reserved_sint = in->target_sint;
	vmbus_close_device(o);
	return true;
}

/* --- Retargeting. -------------------------------------------------------------------------- */

static void answer_modify(struct vmbus_offer *o, uint32_t status)
{
	if (o->guest != VMBUS_OFFER_MADE || o->server->connection.version < VERSION_WIN10_V5_3)
		return;
	o->modify_status = status;
	vmbus_set_pending(o, VMBUS_PENDING_MODIFY_RESPONSE);
}

static void modify(struct vmbus_offer *o, uint32_t vp)
{
	struct vmbus_server *s = o->server;

	o->modifying = true;
	counter_add(&s->counters.modifies, 1);
	s->ops.modify(s->ctx, o, vp);
}

bool vmbus_on_modify(struct vmbus_server *s, const union vmbus_message *m, size_t len)
{
	const uint32_t vp = m->modify.target_vp;
	struct vmbus_offer *o = vmbus_find_offer(s, m->modify.child_relid);

	if (!o || (o->pending & VMBUS_PENDING_MODIFY_RESPONSE))
		return false;
	if (o->guest == VMBUS_OFFER_RESCINDED)
		return true;
	if (o->device != VMBUS_DEVICE_OPEN || o->reserved || !has_vp(s, vp) ||
	    o->request.target_vp == VMBUS_VP_INTERRUPT_DISABLED) {
		if (!o->modifying)
			answer_modify(o, VMBUS_STATUS_INVALID_PARAMETER);
		return false;
	}
	if (!o->modifying) {
		modify(o, vp);
		return true;
	}
	/* Before 5.3 a guest is not told when it is done: it may ask again, and the last counts. */
	if (s->connection.version >= VERSION_WIN10_V5_3)
		return false;
	o->modify_again = true;
	o->modify_vp = vp;
	return true;
}

void vmbus_offer_modified(struct vmbus_offer *o, uint32_t status)
{
	struct vmbus_server *s = o->server;

	if (!o->modifying)
		return; /* it was closed meanwhile */
	o->modifying = false;
	if (o->modify_again) {
		o->modify_again = false;
		modify(o, o->modify_vp);
	} else {
		answer_modify(o, status);
	}
	vmbus_server_flush(s);
}
