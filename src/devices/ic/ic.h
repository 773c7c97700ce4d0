// SPDX-License-Identifier: MIT
/*
 * What the integration services share: a channel each, over which the host asks and the guest
 * answers, once both have agreed on versions (ic_proto.h).
 *
 * A service embeds a struct ic and describes itself by a const struct ic_service. The guest opens
 * the channel when its driver comes, versions are agreed on, and up() is called; from then until
 * down() one question at a time can be asked. What the guest sends that was not asked for, or not
 * so, is counted and otherwise without effect; only a packet that is too short for its headers ends
 * the channel.
 *
 * Everything belongs to the bus' loop; counters may be read from any thread.
 */
#pragma once

#include "devices/ic/ic_proto.h"
#include "vmbus/channel.h"
#include "vmm/log.h"

struct ic_service {
	const char *name; /* for people: "shutdown" */
	struct vmbus_guid class_id;
	struct vmbus_guid instance_id; /* the same in every virtual machine, as guests expect */
	uint16_t type;                 /* ICMSGTYPE_* */
	const uint32_t *versions;      /* IC_VERSION(), lowest first; at most IC_VERSIONS_MAX */
	unsigned int version_count;
	uint32_t body_max; /* of what it asks */

	/* The first argument is what ic_init() was given. down() ends what was asked. */
	void (*up)(void *ctx);
	void (*down)(void *ctx);
	/* The answer; @body is of this call only, not aligned, and may be short. */
	void (*answer)(void *ctx, uint32_t status, const void *body, uint32_t len);
	/* There was none in time; one that comes later is nobody's. */
	void (*late)(void *ctx);
};

#define IC_VERSIONS_MAX 8u

enum ic_state {
	IC_CLOSED,
	IC_NEGOTIATING,
	IC_UP,
	IC_USELESS, /* the guest speaks no version that we do */
};

struct ic_counters {
	struct counter asked;
	struct counter answered;
	struct counter late;
	struct counter stray; /* packets that answered nothing that was asked */
	struct counter ups;
};

struct ic {
	const struct ic_service *service;
	void *ctx;
	struct loop *loop;
	struct vmbus_device *device;
	struct channel *channel; /* NULL: closed */
	enum ic_state state;
	uint32_t framework, version; /* of IC_UP */
	bool asking;
	uint8_t transaction; /* of what is, or was last, asked */
	struct loop_timer timer;
	uint8_t *message; /* what was asked last */
	uint32_t message_len;
	bool unsent; /* the ring had no room for it */
	struct log_limit log;
	struct ic_counters counters;
};

/*
 * Offers the service to the guest. @service must outlive it. -ENOMEM, -ENOSPC, -EEXIST with text.
 */
int ic_init(struct ic *ic, struct vmbus *bus, struct loop *loop, const struct ic_service *service,
	    void *ctx, struct error *err) must_check;
/*
 * Frees what it has. The channel is closed (vmbus_reset()) and nothing runs any more: the device
 * itself is the bus's, and goes with it. Harmless for one that was zeroed and never initialized.
 */
void ic_finish(struct ic *ic);

bool ic_is_up(const struct ic *ic);

/*
 * Asks. @timeout_ns: after which late() comes; 0: never. -ENOTCONN: the service is not up;
 * -EBUSY: something was asked that has not been answered.
 */
int ic_ask(struct ic *ic, const void *body, uint32_t len, uint64_t timeout_ns) must_check;
