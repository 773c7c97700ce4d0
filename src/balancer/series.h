// SPDX-License-Identifier: MIT
/*
 * What was seen over a time: the host, its VMs, and the decisions on them. Read from a history or
 * made by the simulator; drawn by the report, and played again by the simulator.
 *
 * Memory is bounded: when there are too many points, the series is thinned to ones further apart,
 * as often as it takes. A series owns all of it. One thread.
 */
#pragma once

#include "balancer/policy.h"

#define SERIES_NAME_MAX   64
#define SERIES_POINTS_MAX (1u << 20) /* of all VMs and the host together */
#define SERIES_MOVES_MAX  2000       /* the last ones */

/* Since the VM's start. */
struct series_counts {
	uint64_t add_operations, remove_operations;
	uint64_t add_bytes, remove_bytes;
	uint64_t buffer_hits, buffer_misses;
	uint64_t refusals;
};

struct series_point {
	uint64_t time_ms;
	uint64_t assigned, target, demand, available; /* bytes; the last two 0: unknown */
	uint32_t pressure;                            /* percent; 0: unknown */
	enum policy_reason reason;
	struct series_counts counts;
};

struct series_vm {
	char name[SERIES_NAME_MAX + 1];
	uint64_t startup, minimum, maximum; /* as last seen */
	uint32_t buffer, weight;
	struct series_point *points; /* by time */
	size_t count, size;
};

struct series_host {
	uint64_t time_ms;
	uint64_t total, available, swap_used; /* bytes */
	uint64_t spare, wanted, waiting;
	uint32_t pressure; /* mean of the VMs', percent */
	uint32_t stall;    /* percent x 100 */
	uint32_t vms;
};

/* A target that was changed. */
struct series_move {
	uint64_t time_ms;
	size_t vm;
	uint64_t from;
	struct policy_decision decision;
};

struct series {
	struct series_host *hosts; /* by time */
	size_t host_count, host_size;
	struct series_vm *vms;
	size_t vm_count, vm_size;
	struct series_move *moves; /* a ring of SERIES_MOVES_MAX */
	size_t move_count;         /* that there were */
	size_t points;             /* of all VMs, and of the host */
	uint64_t spacing_ms;       /* points that are nearer to each other have been left out */
	uint32_t *index;           /* of names: VM + 1 by hash, 0 for none */
	size_t index_size;         /* a power of two */
};

void series_init(struct series *series);
void series_finish(struct series *series);

/*
 * -ENOMEM leaves the series as it was. Time may not go back: what is older than the last is left
 * out. Names are cut at SERIES_NAME_MAX bytes.
 */
int series_add_host(struct series *series, const struct series_host *host) must_check;
int series_find_vm(struct series *series, const char *name, size_t *ret) must_check;
int series_add_point(struct series *series, size_t vm, const struct series_point *point) must_check;
int series_add_move(struct series *series, const struct series_move *move) must_check;

/* Move @i of those that are kept, the oldest first; NULL behind the last. */
const struct series_move *series_move(const struct series *series, size_t i);
