// SPDX-License-Identifier: MIT
/*
 * The time synchronisation service: tells the guest what time it is on the host. When its driver
 * comes, and after the VM stood still, the guest is to set its clock; every few seconds it gets a
 * sample that it may steer by.
 *
 * Everything belongs to the bus' loop.
 */
#pragma once

#include "vmbus/channel.h"
#include "vmm/error.h"

struct ic_counters;
struct ic_timesync;

#define IC_TIMESYNC_INTERVAL_NS (5 * NSEC_PER_SEC)

struct ic_timesync_config {
	struct vmbus *bus;
	struct loop *loop;
	uint64_t interval_ns; /* 0: the one above */
	/* The partition's reference time, in 100 ns: what the guest reads of it, too. */
	uint64_t (*reference_time)(void *ctx);
	void *ctx;
};

int ic_timesync_create(const struct ic_timesync_config *config, struct error *err,
		       struct ic_timesync **ret) must_check;
/* As ic_finish(). NULL is fine. */
void ic_timesync_destroy(struct ic_timesync *timesync);

/* Nobody is told anything while the VM is paused; when it goes on, it is to set its clock. */
void ic_timesync_pause(struct ic_timesync *timesync);
void ic_timesync_resume(struct ic_timesync *timesync);

const struct ic_counters *ic_timesync_counters(const struct ic_timesync *timesync);
