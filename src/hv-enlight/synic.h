// SPDX-License-Identifier: MIT
/*
 * Messages and events between the host and a partition (TLFS 11), whichever engine serves the
 * SynIC. This is all that the VMBus knows of the hypervisor interface.
 *
 * To the guest: messages into a VP's slot and event flags, each with the interrupt of its SINT.
 * From the guest: connections, by id, that it posts messages to or signals.
 */
#pragma once

#include "hv-enlight/hv_proto.h"
#include "vmm/base.h"

struct hv;

/*
 * Queues @len bytes of payload (at most HV_MESSAGE_PAYLOAD_SIZE) as a message of @type for @sint of
 * VP @vp. Any thread. -EINVAL for a VP, SINT or length that does not exist; -EAGAIN when
 * the queue is full: the room callback comes when it is not any more.
 */
int synic_post_message(struct hv *hv, unsigned int vp, unsigned int sint, uint32_t type,
		       const void *payload, size_t len) must_check;

/*
 * Sets event flag @flag of @sint of VP @vp and interrupts it unless the flag was set already. A
 * SINT that is masked gets the flag alone, and no interrupt later on. Any thread. -EINVAL as above,
 * -ENODEV while the guest has no page for it.
 */
int synic_signal_event(struct hv *hv, unsigned int vp, unsigned int sint,
		       unsigned int flag) must_check;

/* Interrupts VP @vp as @sint says, without a message or an event. Any thread. -EINVAL as above. */
int synic_raise(struct hv *hv, unsigned int vp, unsigned int sint) must_check;

/* A queue that answered -EAGAIN has room. One for all; set before the VPs run. Any vCPU thread. */
void synic_set_room_callback(struct hv *hv, void (*room)(void *ctx, unsigned int vp), void *ctx);

/*
 * What a message connection does with a message: a private copy. On the posting VP's thread;
 * returns what the guest is told, HV_STATUS_INSUFFICIENT_BUFFERS to make it try again.
 */
typedef enum hv_status synic_message_handler(void *ctx, uint32_t type, const uint8_t *payload,
					     size_t len);

/*
 * -EEXIST when the id is in use, -EINVAL when it has more than 24 bits, -ENOSPC when there are too
 * many. Any thread.
 */
int synic_open_message(struct hv *hv, uint32_t id, synic_message_handler *handler,
		       void *ctx) must_check;
/*
 * Signals go to @eventfd, without an exit to us where the engine can. The descriptor stays the
 * caller's.
 */
int synic_open_event(struct hv *hv, uint32_t id, int eventfd) must_check;
/*
 * What an event connection does with a signal, where it is to be done on the signalling VP's
 * thread.
 */
typedef enum hv_status synic_event_handler(void *ctx, uint16_t flag);
/* As synic_open_event(), but each signal exits to us and calls @handler. */
int synic_open_event_handler(struct hv *hv, uint32_t id, synic_event_handler *handler,
			     void *ctx) must_check;
/* After this no handler runs and nothing is signalled any more. Not from inside a handler. */
void synic_close(struct hv *hv, uint32_t id);
