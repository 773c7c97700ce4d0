// SPDX-License-Identifier: MIT
/*
 * The synthetic interrupt controller of one VP, as candela itself serves it (TLFS 11): message
 * slots, event flags, 16 SINTs. Pure state: what it does to the world goes through struct
 * synic_vp_ops.
 *
 * Messages wait in a bounded queue per SINT while their slot is busy, and follow when the guest
 * says end-of-message; nothing polls. A message or an event for a masked SINT is written but does
 * not interrupt. The pages are the guest's to scribble on: what is read back from them is one word,
 * used once.
 *
 * Any thread; each SynIC has a lock. The ops are called with it held and must not call back.
 */
#pragma once

#include <pthread.h>

#include "hv-enlight/hv_proto.h"
#include "vmm/counter.h"

/* Hyper-V promises this many buffers to each port (TLFS 11.10.1). */
#define SYNIC_QUEUE_MAX 16

struct synic_vp;

struct synic_vp_ops {
	/* Interrupts this VP for @sint, whose value holds the vector. All mandatory. */
	void (*interrupt)(struct synic_vp *synic, unsigned int sint, uint64_t value);
	/* A queue that was full has room again. */
	void (*room)(struct synic_vp *synic, unsigned int sint);
};

struct synic_queue {
	struct hv_message messages[SYNIC_QUEUE_MAX];
	unsigned int first, count;
};

struct synic_counters {
	struct counter messages;  /* put into a slot */
	struct counter deferred;  /* found their slot busy first */
	struct counter refused;   /* the queue was full */
	struct counter events;    /* flags set */
	struct counter coalesced; /* flags that were set already */
	struct counter interrupts;
	struct counter eoms;
};

struct synic_vp {
	const struct synic_vp_ops *ops;
	pthread_mutex_t lock; /* protects all below */
	bool enabled;         /* SCONTROL */
	bool polling;         /* SINTs may be polled; set by the owner, before it is used */
	uint64_t sint[HV_SINT_COUNT];
	struct hv_message_page *messages;          /* NULL: the page is not enabled */
	struct hv_event_flags_page *flags;         /* likewise */
	struct synic_queue *queues[HV_SINT_COUNT]; /* made when first needed */
	struct synic_counters counters;
};

void synic_vp_init(struct synic_vp *synic, const struct synic_vp_ops *ops);
void synic_vp_finish(struct synic_vp *synic);
/* Power-on state: disabled, all SINTs masked, nothing queued. */
void synic_vp_reset(struct synic_vp *synic);

/* --- What the guest does (MSRs). ----------------------------------------------------------- */

void synic_vp_set_enabled(struct synic_vp *synic, bool enabled);
/* False: the value is not valid (a vector below 16 on an unmasked SINT) and must fault. */
bool synic_vp_set_sint(struct synic_vp *synic, unsigned int sint, uint64_t value) must_check;
uint64_t synic_vp_get_sint(struct synic_vp *synic, unsigned int sint);
/* The pages as enabled, or NULL. */
void synic_vp_set_message_page(struct synic_vp *synic, struct hv_message_page *page);
void synic_vp_set_flags_page(struct synic_vp *synic, struct hv_event_flags_page *page);
/* End of message: what waits for a slot that is free now follows. */
void synic_vp_eom(struct synic_vp *synic);

/* --- What is delivered to the guest. ------------------------------------------------------- */

/*
 * Puts into their slots what is queued and fits. Setting pages, SINTs and EOM do so by themselves;
 * it is for an owner that queues with synic_vp_queue() and delivers elsewhere.
 */
void synic_vp_deliver(struct synic_vp *synic);

/* As synic_vp_post(), without delivering. */
int synic_vp_queue(struct synic_vp *synic, unsigned int sint,
		   const struct hv_message *message) must_check;

/* Queues a copy of @message. -EAGAIN when the queue is full: room() will be called. -ENOMEM. */
int synic_vp_post(struct synic_vp *synic, unsigned int sint,
		  const struct hv_message *message) must_check;

/*
 * Puts @message into its slot now or not at all: false when the slot is busy or other messages wait
 * for it, in which case the guest will write EOM. For timers, which keep their own pending state.
 */
bool synic_vp_try_post(struct synic_vp *synic, unsigned int sint, const struct hv_message *message);

/* Sets event flag @flag of @sint. -EINVAL for a bad flag, -ENODEV when the page is not enabled. */
int synic_vp_signal(struct synic_vp *synic, unsigned int sint, unsigned int flag) must_check;

/* The interrupt of @sint alone. */
void synic_vp_raise(struct synic_vp *synic, unsigned int sint);
