// SPDX-License-Identifier: MIT
/*
 * The balancer's policy: who gets how much memory, and why. A pure function of what was sampled; no
 * I/O, no clock, no allocation, no state but the small one that the caller keeps for each VM, which
 * may be lost at any time: zeroed, it is read back from the next sample.
 *
 * Words: *assigned* is what the guest sees now, *target* where it was last told to go, *demand* the
 * bytes that it has committed. Pressure is demand / assigned x 100. The *ideal* is the demand and
 * the buffer, which is a percentage of the demand; the *need* is what of it the guest really uses,
 * as far as one can see. All within minimum and maximum, always.
 *
 * What a decision keeps to, whatever the samples say:
 *
 *   - a target lies between the VM's minimum (or the floor of its driver) and its maximum; what is
 *     below its minimum is never lowered, and first to be raised;
 *   - nothing is granted that the host does not have beyond its reserve, if every guest were to
 *     touch all it was promised. So growth waits for memory that others still hold;
 *   - no VM that needs memory waits while the host has some to give, or somebody a surplus;
 *   - when there is not enough, what each gets above its minimum goes by weight;
 *   - what stays as it is causes no decision: within the dead band nothing moves.
 *
 * Cost: linear in the VMs but for one sort. Any thread, one call at a time for one set of states.
 */
#pragma once

#include "vmm/base.h"

#define POLICY_BYTES_MAX  (1ull << 46) /* of any size; larger claims are cut or refused */
#define POLICY_WEIGHT_MAX 10000u
#define POLICY_BUFFER_MAX 2000u
#define POLICY_VMS_MAX    16384u
#define POLICY_CHUNK      MiB(2) /* targets are multiples of it, but for limits that are not */

struct policy_settings {
	uint64_t reserve;         /* of the host, bytes: never given to guests ... */
	uint32_t reserve_percent; /* ... or so much of its memory, if that is more */
	uint64_t budget;          /* for all guests together, bytes; 0: what the host has */
	uint32_t dead_band;       /* percent of what a VM has: less than that is not moved */
	uint32_t step_up;         /* percent of what a VM has: at most so much more at once */
	uint32_t step_down;       /* as much less, unless the host itself is short */
	uint32_t stall;    /* host stalls for memory (PSI), percent, above which none grows */
	uint64_t hold_ns;  /* a surplus that nobody needs is left alone for so long */
	uint64_t stale_ns; /* a guest that has not reported for so long is left alone */
	uint64_t stuck_ns; /* a guest that does not move for so long cannot */
};

struct policy_host {
	uint64_t total, available; /* bytes */
	uint32_t stall;            /* percent of the last 10 s that something waited for memory */
	bool swapping;             /* pages went out since the last sample */
};

/* What a VM says of itself. Sizes in bytes. */
struct policy_vm {
	uint64_t minimum, maximum;
	uint64_t floor; /* the guest's driver gives nothing below it */
	uint64_t assigned, target;
	uint64_t demand;    /* when has_demand */
	uint64_t available; /* of the guest's own, when has_available */
	uint64_t rss;       /* of it, the host has given so much */
	uint64_t report_age_ns, grace_left_ns;
	uint32_t buffer; /* percent */
	uint32_t weight; /* 0 to POLICY_WEIGHT_MAX; 0 counts as 1 */
	bool is_static, driver, has_demand, has_available;
	bool moving; /* a request is with the guest */
	bool silent; /* the VM did not answer: this is an old sample */
};

/* Kept between decisions by the caller; all zero: nothing is known yet. */
struct policy_state {
	uint64_t seen_ns;          /* 0: never */
	uint64_t peak, before;     /* highest demand of this stretch of time, and of the last one */
	uint64_t excess;           /* committed and not used, when that could last be seen */
	uint64_t uncommitted;      /* used and not committed */
	uint64_t stretch_ns;       /* when this one began; 0: not yet */
	uint64_t assigned, target; /* of the last sample ... */
	uint64_t lowered_ns;       /* ... when its target last fell; 0: never seen ... */
	uint64_t changed_ns;       /* ... and when one of them last changed */
	uint64_t no_more_ns;       /* until then the guest is not asked to take more */
	uint64_t no_less_ns;       /* nor here to give more */
};

enum policy_reason {
	/* Left alone. */
	POLICY_STATIC,    /* its memory is not dynamic */
	POLICY_SILENT,    /* the VM does not answer */
	POLICY_INVALID,   /* what it says cannot be */
	POLICY_NO_DRIVER, /* the guest has no balloon driver (yet) */
	POLICY_NO_REPORT, /* the guest has not reported yet */
	POLICY_GRACE,     /* its guest has just started */
	POLICY_STALE,     /* the guest has stopped reporting */
	/* Where it should be. */
	POLICY_STEADY,     /* it has what it should have */
	POLICY_AT_MAXIMUM, /* would have more, but for its maximum */
	POLICY_SHARE,      /* memory is short, and it has its share by weight */
	POLICY_NO_MORE,    /* should have more, but the guest does not take it */
	POLICY_NO_LESS,    /* should have less, but the guest does not give it */
	POLICY_HELD,       /* has a surplus that nobody needs, not for long enough yet */
	/* Given to. */
	POLICY_BELOW_MINIMUM, /* its minimum comes first */
	POLICY_THRASHING,     /* the guest has nothing available and uses all it has */
	POLICY_STARVED,       /* it uses more than it has */
	POLICY_BUFFER,        /* its buffer is not full */
	POLICY_WAITING,       /* should have more, and the host has none yet */
	/* Taken from. */
	POLICY_SURPLUS,    /* it has not needed so much for a while */
	POLICY_OTHERS,     /* others need it, and this is the least pressed */
	POLICY_HOST_SHORT, /* the host itself is short */
	POLICY_REASON_COUNT,
};

struct policy_decision {
	uint64_t target; /* where the VM shall be; as it was: leave it */
	enum policy_reason reason;
	uint64_t demand, assigned; /* as the decision saw them */
	uint64_t ideal, share;     /* what it should have, and what there is for it */
	uint32_t pressure;         /* percent; 0: unknown */
};

/* What a decision found of the whole. */
struct policy_totals {
	uint64_t supply;   /* for all VMs together */
	uint64_t promised; /* granted, and not touched yet */
	uint64_t spare;    /* the host's, beyond reserve and promises */
	uint64_t short_of; /* or so much it lacks */
	uint64_t wanted;   /* more, by all that should have more */
	uint64_t waiting;  /* of it, what could not be given yet */
	uint32_t pressure; /* mean of those that report, percent */
	uint32_t reporting, moved;
	bool overpacked; /* there is not even enough for the minimums */
	bool stalled;    /* nothing is given while the host waits for memory itself */
};

/* Room to work in, one for each VM. Contents mean nothing between calls. */
struct policy_slot {
	uint64_t low, need, ideal;
	uint64_t heading, base; /* where it goes; what is promised to it */
	uint64_t lo, hi, share; /* of policy_share() */
	uint64_t goal;          /* its share of the whole */
	uint64_t limit;         /* where it stays while nobody needs its surplus */
	uint64_t up, give, take;
	uint32_t weight, order, key;
	enum policy_reason reason;
	bool left, thrashing;
	bool resting; /* its buffer has just been lent, and is not asked back yet */
};

/* The defaults that docs/balance.md names. */
void policy_settings_init(struct policy_settings *settings);

/*
 * Decides for @n VMs (at most POLICY_VMS_MAX) at @now_ns of a clock that only goes forward. @states
 * belong to the VMs in the same order, @slots are @n to work in, @decisions @n results.
 */
void policy_decide(const struct policy_settings *settings, const struct policy_host *host,
		   uint64_t now_ns, const struct policy_vm *vms, struct policy_state *states,
		   size_t n, struct policy_slot *slots, struct policy_decision *decisions,
		   struct policy_totals *totals);

/*
 * A VM has been told a target of @told bytes, and goes to @taken instead: it cannot do better, and
 * is not asked to until it has moved, or for a while.
 */
void policy_limited(const struct policy_settings *settings, uint64_t now_ns,
		    struct policy_state *state, uint64_t told, uint64_t taken);

/* Percent, rounded down; UINT32_MAX when it is more than that; 0 when nothing is assigned. */
uint32_t policy_pressure(uint64_t demand, uint64_t assigned);
/* The other way round: the bytes committed at a pressure. */
uint64_t policy_committed(uint32_t pressure, uint64_t assigned);

/* "starved": for programs. */
const char *policy_reason_name(enum policy_reason reason);
/* -EINVAL when there is none of that name. */
int policy_reason_parse(const char *name, enum policy_reason *ret) must_check;
/* For people, with the numbers: "pressure 150: 6.0 GiB committed, 4.0 GiB visible; ..." */
void policy_reason_text(const struct policy_decision *decision, char *buf, size_t size);
