// SPDX-License-Identifier: MIT
/*
 * The heartbeat service: asks the guest's kernel every other second whether it is there. Costs two
 * interrupts a beat; none while the guest has no driver for it, or the VM is paused.
 *
 * Everything belongs to the bus' loop.
 */
#pragma once

#include "vmbus/channel.h"
#include "vmm/error.h"

struct ic_counters;
struct ic_heartbeat;

enum ic_heartbeat_state {
	IC_HEARTBEAT_NONE, /* the guest has no driver for it, or not yet */
	IC_HEARTBEAT_OK,   /* it answers */
	IC_HEARTBEAT_LOST, /* it has not for some time, or its driver has gone */
};

#define IC_HEARTBEAT_INTERVAL_NS (2 * NSEC_PER_SEC)
/* So long without an answer, and it is lost. */
#define IC_HEARTBEAT_LOST_NS (4 * IC_HEARTBEAT_INTERVAL_NS)

struct ic_heartbeat_config {
	struct vmbus *bus;
	struct loop *loop;
	uint64_t interval_ns, lost_ns; /* 0: those above */
	/* The state is another, or what the guest says of its applications. May be NULL. */
	void (*changed)(void *ctx);
	void *ctx;
};

int ic_heartbeat_create(const struct ic_heartbeat_config *config, struct error *err,
			struct ic_heartbeat **ret) must_check;
/* As ic_finish(). NULL is fine. */
void ic_heartbeat_destroy(struct ic_heartbeat *heartbeat);

/*
 * A paused VM is not asked, and cannot answer: it is lost in its usual time, and found again when
 * it answers after that.
 */
void ic_heartbeat_pause(struct ic_heartbeat *heartbeat);
void ic_heartbeat_resume(struct ic_heartbeat *heartbeat);
/* The machine is reset: nothing is lost if the guest does not answer from here on. */
void ic_heartbeat_reset(struct ic_heartbeat *heartbeat);

enum ic_heartbeat_state ic_heartbeat_state(const struct ic_heartbeat *heartbeat);
/* "none", "ok", "lost". */
const char *ic_heartbeat_state_name(const struct ic_heartbeat *heartbeat);
/* "healthy", "critical", "stopped"; NULL: the guest does not say, as Linux does not. */
const char *ic_heartbeat_applications(const struct ic_heartbeat *heartbeat);

const struct ic_counters *ic_heartbeat_counters(const struct ic_heartbeat *heartbeat);
