// SPDX-License-Identifier: MIT
/*
 * The four synthetic timers of one VP, as candela itself serves them (TLFS 12.1-12.3).
 *
 * Pure state over reference time: the owner asks stimers_next() when to look again and calls
 * stimers_run() then. Everything belongs to the VP's own thread.
 *
 * A periodic timer that fell behind (the VP or the host was stopped) catches up with at most
 * STIMER_CATCH_UP expirations in a row; what is older is skipped, counted, and the phase kept. Lazy
 * timers and those in direct mode do not catch up: of all that is late, one signal comes.
 */
#pragma once

#include "hv-enlight/hv_proto.h"
#include "vmm/base.h"
#include "vmm/counter.h"

#define STIMER_CATCH_UP 16

struct stimers;

struct stimer_ops {
	/* Message mode. False: the slot is busy, try again after the guest's EOM. */
	bool (*message)(struct stimers *timers, unsigned int sint,
			const struct hv_timer_message *message);
	/* Direct mode: interrupts the VP. */
	void (*interrupt)(struct stimers *timers, uint8_t vector);
};

struct stimer {
	uint64_t config;
	uint64_t count;  /* as written: expiry, or period */
	uint64_t expiry; /* reference time of the next expiration; armed timers only */
	bool armed;
	bool pending; /* its message waits for the slot */
	uint64_t pending_expiry;
};

/* Lateness of deliveries in powers of two: bucket n counts those below 2^n microseconds. */
#define STIMER_LATE_BUCKETS 24

struct stimer_counters {
	struct counter expirations;
	struct counter deferred;   /* found the slot busy */
	struct counter skipped;    /* periods given up */
	struct counter late_total; /* 100 ns units, all deliveries */
	struct counter late[STIMER_LATE_BUCKETS];
};

struct stimers {
	const struct stimer_ops *ops;
	bool direct_allowed; /* the direct mode is announced */
	struct stimer timer[HV_STIMER_COUNT];
	struct stimer_counters counters;
};

void stimers_init(struct stimers *timers, const struct stimer_ops *ops, bool direct_allowed);
/* All timers off and zero. */
void stimers_reset(struct stimers *timers);

/* MSR writes at reference time @now. False: the value is not valid and must fault. */
bool stimer_set_config(struct stimers *timers, unsigned int index, uint64_t value,
		       uint64_t now) must_check;
void stimer_set_count(struct stimers *timers, unsigned int index, uint64_t value, uint64_t now);

/* Reference time of the soonest expiration; UINT64_MAX: none. */
uint64_t stimers_next(const struct stimers *timers);

/* Delivers what is due at @now, and messages that waited for their slot (after EOM). */
void stimers_run(struct stimers *timers, uint64_t now);
