// SPDX-License-Identifier: MIT
/*
 * The control plane: offers and relids. A relid belongs to an offer from when it is sent until the
 * guest has given it back (or has gone) and the device's end is closed. Owner: the control plane's
 * loop.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "vmbus/guid.h"
#include "vmbus/server_internal.h"

/* --- Relids. ------------------------------------------------------------------------------- */

/* There is one for every offer: as many as may be registered. */
static void take_relid(struct vmbus_offer *o)
{
	struct vmbus_server *s = o->server;
	unsigned int w = 0;

	while (~s->relids[w] == 0)
		w++;
	o->relid = w * 64 + (unsigned int)__builtin_ctzll(~s->relids[w]);
	assert(o->relid <= VMBUS_RELID_MAX);
	s->relids[w] |= s->relids[w] + 1;
	s->by_relid[o->relid] = o;
}

static void free_relid(struct vmbus_offer *o)
{
	struct vmbus_server *s = o->server;

	if (!o->relid)
		return;
	assert(!o->deferred); /* its GPADLs went when the guest gave it back, or went itself */
	vmbus_clear_pending(o);
	s->by_relid[o->relid] = NULL;
	s->relids[o->relid / 64] &= ~(1ull << (o->relid % 64));
	o->relid = 0;
}

struct vmbus_offer *vmbus_find_offer(struct vmbus_server *s, uint32_t relid)
{
	struct vmbus_offer *o = relid <= VMBUS_RELID_MAX ? s->by_relid[relid] : NULL;

	if (!o || o->guest == VMBUS_OFFER_UNKNOWN || (o->pending & VMBUS_PENDING_OFFER))
		return NULL;
	return o;
}

uint32_t vmbus_offer_connection_id(const struct vmbus_offer *o)
{
	return VMBUS_MESSAGE_SINT << 12 | o->relid;
}

/* --- The list of offers. ------------------------------------------------------------------- */

static bool same_channel(const struct vmbus_offer *o, const struct vmbus_offer_config *c,
			 uint16_t sub_channel_index)
{
	return o->config.sub_channel_index == sub_channel_index &&
	       vmbus_guid_equal(&o->config.instance_id, &c->instance_id) &&
	       vmbus_guid_equal(&o->config.class_id, &c->class_id);
}

static bool is_registered(const struct vmbus_server *s, const struct vmbus_offer_config *c,
			  uint16_t sub_channel_index)
{
	for (const struct vmbus_offer *o = s->first; o; o = o->next)
		if (!o->revoked && same_channel(o, c, sub_channel_index))
			return true;
	return false;
}

/* The guest still has a revoked channel of the same name: it would take both for one. */
static bool has_ghost(const struct vmbus_offer *offer)
{
	for (const struct vmbus_offer *o = offer->server->first; o; o = o->next)
		if (o != offer && o->guest != VMBUS_OFFER_UNKNOWN &&
		    same_channel(o, &offer->config, offer->config.sub_channel_index))
			return true;
	return false;
}

static void link_offer(struct vmbus_offer *o)
{
	struct vmbus_server *s = o->server;

	o->prev = s->last;
	if (s->last)
		s->last->next = o;
	else
		s->first = o;
	s->last = o;
	s->offer_count++;
}

static void unlink_offer(struct vmbus_offer *o)
{
	struct vmbus_server *s = o->server;

	if (o->prev)
		o->prev->next = o->next;
	else
		s->first = o->next;
	if (o->next)
		o->next->prev = o->prev;
	else
		s->last = o->prev;
	s->offer_count--;
}

/* --- Offering. ----------------------------------------------------------------------------- */

static void make_offer(struct vmbus_offer *o)
{
	o->waiting = has_ghost(o);
	if (o->waiting)
		return;
	take_relid(o);
	o->guest = VMBUS_OFFER_MADE;
	vmbus_set_pending(o, VMBUS_PENDING_OFFER);
	counter_add(&o->server->counters.offers, 1);
}

static bool may_offer(const struct vmbus_offer *o)
{
	return o->guest == VMBUS_OFFER_UNKNOWN && !o->relid && !o->revoked;
}

bool vmbus_on_request_offers(struct vmbus_server *s, const union vmbus_message *m, size_t len)
{
	if (s->offers_requested)
		return false;
	s->offers_requested = true;
	for (struct vmbus_offer *o = s->first; o; o = o->next)
		if (may_offer(o))
			make_offer(o);
	s->offers_delivered_pending = true;
	return true;
}

static void offer_waiting(struct vmbus_server *s)
{
	for (struct vmbus_offer *o = s->first; o; o = o->next)
		if (o->waiting && may_offer(o))
			make_offer(o);
}

int vmbus_server_offer(struct vmbus_server *s, struct vmbus_offer *o,
		       const struct vmbus_offer_config *config)
{
	if (is_registered(s, config, config->sub_channel_index))
		return -EEXIST;
	if (config->sub_channel_index && !is_registered(s, config, 0))
		return -ENOENT;
	if (s->offer_count == VMBUS_OFFERS_MAX)
		return -ENOSPC;
	*o = (struct vmbus_offer){.server = s, .config = *config};
	link_offer(o);
	if (s->offers_requested) {
		make_offer(o);
		vmbus_server_flush(s);
	}
	return 0;
}

void vmbus_renew_offer(struct vmbus_offer *o)
{
	o->guest = VMBUS_OFFER_UNKNOWN;
	o->survivor = false;
	o->waiting = o->server->offers_requested;
	vmbus_settle_offer(o);
}

/* --- Their end. ---------------------------------------------------------------------------- */

void vmbus_settle_offer(struct vmbus_offer *o)
{
	struct vmbus_server *s = o->server;

	if (o->guest == VMBUS_OFFER_UNKNOWN && o->device == VMBUS_DEVICE_CLOSED) {
		free_relid(o);
		o->reserved = o->survivor = false;
		if (o->revoked) {
			unlink_offer(o);
			s->ops.released(s->ctx, o);
		}
		offer_waiting(s);
	}
	vmbus_settle(s);
}

/* The guest does not know the offer any more. */
static void forget(struct vmbus_offer *o)
{
	o->guest = VMBUS_OFFER_UNKNOWN;
	o->reopen = o->modifying = o->modify_again = o->waiting = o->survivor = false;
	if (o->relid)
		vmbus_clear_pending(o);
}

void vmbus_offer_revoke(struct vmbus_offer *o)
{
	struct vmbus_server *s = o->server;

	if (o->revoked)
		return;
	o->revoked = true;
	o->reopen = false;
	if (o->survivor || (o->pending & VMBUS_PENDING_OFFER)) {
		forget(o); /* it was not told, or is not there to be */
	} else if (o->guest == VMBUS_OFFER_MADE) {
		o->guest = VMBUS_OFFER_RESCINDED;
		vmbus_clear_pending(o);
		vmbus_set_pending(o, VMBUS_PENDING_RESCIND);
		counter_add(&s->counters.rescinds, 1);
	}
	if (o->device == VMBUS_DEVICE_CLOSED)
		vmbus_settle_offer(o);
	else
		vmbus_close_device(o);
	vmbus_server_flush(s);
}

bool vmbus_on_relid_released(struct vmbus_server *s, const union vmbus_message *m, size_t len)
{
	struct vmbus_offer *o = vmbus_find_offer(s, m->relid.child_relid);

	if (!o)
		return false;
	if (o->guest == VMBUS_OFFER_MADE &&
	    (o->device == VMBUS_DEVICE_OPENING || o->device == VMBUS_DEVICE_OPEN || o->reopen))
		return false;
	forget(o);
	vmbus_drop_gpadls(o);
	vmbus_settle_offer(o);
	return true;
}

/* Closing one may make the owner revoke others: the list is looked through anew every time. */
static struct vmbus_offer *find_to_close(struct vmbus_server *s)
{
	for (struct vmbus_offer *o = s->first; o; o = o->next)
		if (o->guest == VMBUS_OFFER_UNKNOWN &&
		    (o->device == VMBUS_DEVICE_OPEN ||
		     (o->device == VMBUS_DEVICE_OPENING && !o->close_wanted)))
			return o;
	return NULL;
}

static struct vmbus_offer *find_to_release(struct vmbus_server *s)
{
	for (struct vmbus_offer *o = s->first; o; o = o->next)
		if (o->guest == VMBUS_OFFER_UNKNOWN && o->device == VMBUS_DEVICE_CLOSED &&
		    o->revoked)
			return o;
	return NULL;
}

/* One that is only being opened does not: nobody would be there to hear of it. */
static bool survives(const struct vmbus_offer *o)
{
	return o->reserved && o->guest == VMBUS_OFFER_MADE &&
	       (o->device == VMBUS_DEVICE_OPEN || o->device == VMBUS_DEVICE_CLOSING ||
		(o->pending & VMBUS_PENDING_CLOSE_RESERVED));
}

void vmbus_forget_offers(struct vmbus_server *s, bool with_reserved)
{
	struct vmbus_offer *o;

	gpadl_reset(s->gpadls);
	s->deferred = 0;
	for (o = s->first; o; o = o->next) {
		o->deferred = 0;
		if (survives(o) && !with_reserved) {
			o->survivor = true;
			continue;
		}
		forget(o);
		if (o->device == VMBUS_DEVICE_CLOSED)
			free_relid(o);
	}
	while ((o = find_to_close(s)))
		vmbus_close_device(o);
	while ((o = find_to_release(s)))
		vmbus_settle_offer(o);
}
