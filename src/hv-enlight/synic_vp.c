// SPDX-License-Identifier: MIT
/*
 * SynIC rules. See synic_vp.h.
 */
#include "hv-enlight/synic_vp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void synic_vp_init(struct synic_vp *synic, const struct synic_vp_ops *ops)
{
	*synic = (struct synic_vp){.ops = ops};
	pthread_mutex_init(&synic->lock, NULL);
	for (size_t i = 0; i < HV_SINT_COUNT; i++)
		synic->sint[i] = HV_SINT_MASKED;
}

void synic_vp_finish(struct synic_vp *synic)
{
	if (!synic->ops)
		return;
	for (size_t i = 0; i < HV_SINT_COUNT; i++)
		free(synic->queues[i]);
	pthread_mutex_destroy(&synic->lock);
	synic->ops = NULL;
}

void synic_vp_reset(struct synic_vp *synic)
{
	pthread_mutex_lock(&synic->lock);
	synic->enabled = false;
	synic->messages = NULL;
	synic->flags = NULL;
	for (size_t i = 0; i < HV_SINT_COUNT; i++) {
		synic->sint[i] = HV_SINT_MASKED;
		if (synic->queues[i])
			synic->queues[i]->count = 0;
	}
	pthread_mutex_unlock(&synic->lock);
}

/* --- Delivery; the lock is held. ----------------------------------------------------------- */

static void interrupt(struct synic_vp *synic, unsigned int sint)
{
	uint64_t value = synic->sint[sint];

	/* Where polling was not announced its bit is a reserved one: kept, without effect. */
	if (value & (HV_SINT_MASKED | (synic->polling ? HV_SINT_POLLING : 0)))
		return;
	counter_add(&synic->counters.interrupts, 1);
	synic->ops->interrupt(synic, sint, value);
}

/*
 * Writes into the slot if it is free. If it is busy the guest is asked, by the pending flag, to say
 * EOM; as it may have freed the slot just before it could see the flag, the slot is looked at
 * again. @more: another message waits behind this one, so the guest is to say EOM for it.
 */
static bool fill_slot(struct synic_vp *synic, unsigned int sint, const struct hv_message *message,
		      bool more)
{
	struct hv_message *slot;

	if (!synic->enabled || !synic->messages)
		return false;
	slot = &synic->messages->sint[sint];
	if (__atomic_load_n(&slot->header.message_type, __ATOMIC_ACQUIRE) != HV_MESSAGE_NONE) {
		__atomic_fetch_or(&slot->header.message_flags, HV_MESSAGE_FLAG_PENDING,
				  __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&slot->header.message_type, __ATOMIC_SEQ_CST) !=
		    HV_MESSAGE_NONE)
			return false;
	}
	slot->header.payload_size = message->header.payload_size;
	memcpy(slot->header.reserved, message->header.reserved, sizeof(slot->header.reserved));
	slot->header.sender = message->header.sender;
	memcpy(slot->payload, message->payload, sizeof(slot->payload));
	/* The guest may still be looking at this for the message before. */
	__atomic_store_n(&slot->header.message_flags, more ? HV_MESSAGE_FLAG_PENDING : 0,
			 __ATOMIC_RELAXED);
	/* The type makes the slot valid: everything else is there before it. */
	__atomic_store_n(&slot->header.message_type, message->header.message_type,
			 __ATOMIC_RELEASE);
	counter_add(&synic->counters.messages, 1);
	interrupt(synic, sint);
	return true;
}

/* True: the queue was full and is not any more. */
static bool deliver_next(struct synic_vp *synic, unsigned int sint)
{
	struct synic_queue *q = synic->queues[sint];

	if (!q || !q->count || !fill_slot(synic, sint, &q->messages[q->first], q->count > 1))
		return false;
	q->first = (q->first + 1) % SYNIC_QUEUE_MAX;
	return q->count-- == SYNIC_QUEUE_MAX;
}

static void deliver(struct synic_vp *synic, unsigned int sint)
{
	if (deliver_next(synic, sint))
		synic->ops->room(synic, sint);
}

static void deliver_all(struct synic_vp *synic)
{
	for (unsigned int sint = 0; sint < HV_SINT_COUNT; sint++)
		deliver(synic, sint);
}

/* --- What the guest does. ------------------------------------------------------------------ */

void synic_vp_set_enabled(struct synic_vp *synic, bool enabled)
{
	pthread_mutex_lock(&synic->lock);
	synic->enabled = enabled;
	deliver_all(synic);
	pthread_mutex_unlock(&synic->lock);
}

bool synic_vp_set_sint(struct synic_vp *synic, unsigned int sint, uint64_t value)
{
	/* Vectors 0-15 are the processor's exceptions; a masked SINT may hold anything. */
	if (!(value & HV_SINT_MASKED) && (value & HV_SINT_VECTOR) < 16)
		return false;
	pthread_mutex_lock(&synic->lock);
	synic->sint[sint] = value;
	deliver(synic, sint);
	pthread_mutex_unlock(&synic->lock);
	return true;
}

uint64_t synic_vp_get_sint(struct synic_vp *synic, unsigned int sint)
{
	uint64_t value;

	pthread_mutex_lock(&synic->lock);
	value = synic->sint[sint];
	pthread_mutex_unlock(&synic->lock);
	return value;
}

void synic_vp_set_message_page(struct synic_vp *synic, struct hv_message_page *page)
{
	pthread_mutex_lock(&synic->lock);
	synic->messages = page;
	deliver_all(synic);
	pthread_mutex_unlock(&synic->lock);
}

void synic_vp_set_flags_page(struct synic_vp *synic, struct hv_event_flags_page *page)
{
	pthread_mutex_lock(&synic->lock);
	synic->flags = page;
	pthread_mutex_unlock(&synic->lock);
}

void synic_vp_eom(struct synic_vp *synic)
{
	pthread_mutex_lock(&synic->lock);
	counter_add(&synic->counters.eoms, 1);
	deliver_all(synic);
	pthread_mutex_unlock(&synic->lock);
}

/* --- What is delivered to the guest. ------------------------------------------------------- */

static int enqueue(struct synic_vp *synic, unsigned int sint, const struct hv_message *message)
{
	struct synic_queue *q = synic->queues[sint];

	if (!q) {
		q = calloc(1, sizeof(*q));
		if (!q)
			return -ENOMEM;
		synic->queues[sint] = q;
	}
	if (q->count == SYNIC_QUEUE_MAX) {
		counter_add(&synic->counters.refused, 1);
		return -EAGAIN;
	}
	q->messages[(q->first + q->count++) % SYNIC_QUEUE_MAX] = *message;
	counter_add(&synic->counters.deferred, 1);
	return 0;
}

static bool has_queued(const struct synic_vp *synic, unsigned int sint)
{
	return synic->queues[sint] && synic->queues[sint]->count;
}

int synic_vp_post(struct synic_vp *synic, unsigned int sint, const struct hv_message *message)
{
	int r = 0;

	pthread_mutex_lock(&synic->lock);
	/*
	 * A new message is an occasion to look at what waits (TLFS 11.4). What room that makes in a
	 * full queue is this message's.
	 */
	(void)deliver_next(synic, sint);
	if (has_queued(synic, sint) || !fill_slot(synic, sint, message, false))
		r = enqueue(synic, sint, message);
	pthread_mutex_unlock(&synic->lock);
	return r;
}

int synic_vp_queue(struct synic_vp *synic, unsigned int sint, const struct hv_message *message)
{
	int r;

	pthread_mutex_lock(&synic->lock);
	r = enqueue(synic, sint, message);
	pthread_mutex_unlock(&synic->lock);
	return r;
}

void synic_vp_deliver(struct synic_vp *synic)
{
	pthread_mutex_lock(&synic->lock);
	deliver_all(synic);
	pthread_mutex_unlock(&synic->lock);
}

bool synic_vp_try_post(struct synic_vp *synic, unsigned int sint, const struct hv_message *message)
{
	bool done;

	pthread_mutex_lock(&synic->lock);
	deliver(synic, sint);
	done = !has_queued(synic, sint) && fill_slot(synic, sint, message, false);
	pthread_mutex_unlock(&synic->lock);
	return done;
}

int synic_vp_signal(struct synic_vp *synic, unsigned int sint, unsigned int flag)
{
	int r = 0;

	if (flag >= HV_EVENT_FLAGS_COUNT)
		return -EINVAL;
	pthread_mutex_lock(&synic->lock);
	if (!synic->enabled || !synic->flags) {
		r = -ENODEV;
	} else if (__atomic_fetch_or(&synic->flags->sint[sint][flag / 64], 1ull << flag % 64,
				     __ATOMIC_SEQ_CST) &
		   1ull << flag % 64) {
		counter_add(&synic->counters.coalesced, 1);
	} else {
		counter_add(&synic->counters.events, 1);
		interrupt(synic, sint);
	}
	pthread_mutex_unlock(&synic->lock);
	return r;
}

void synic_vp_raise(struct synic_vp *synic, unsigned int sint)
{
	pthread_mutex_lock(&synic->lock);
	if (synic->enabled)
		interrupt(synic, sint);
	pthread_mutex_unlock(&synic->lock);
}
