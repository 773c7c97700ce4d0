// SPDX-License-Identifier: MIT
/*
 * What is counted of a simulation, whichever policy decides: waits, starvation, thrashing, needless
 * moves, and how full the hosts are. Owner: the simulation; one thread.
 */
#pragma once

#include "balancer/simulate.h"
#include "balancer/simulate_guest.h"

struct sim_watched {
	uint64_t lacking_ns,
		lacking_size; /* since when it has less than its demand, and its size */
	uint64_t starving_ns; /* since when although there is memory for it */
	bool starved;
	int way; /* of its last order: 1 up, -1 down */
	uint64_t order_ns, order_demand, order_host;
	uint64_t turn_ns; /* when it last turned; 0: never */
};

struct sim_watch {
	struct sim_watched *vms;
	size_t n;
	uint64_t step_ns;
	uint32_t *waits; /* by seconds */
	struct sim_summary sum;
	uint64_t demand; /* of all guests of the host that was looked at last */
	uint64_t decisions, decide_ns;
	double granted, pressure, thrash_mib_s; /* sums */
	uint64_t host_steps, vm_steps, thrash_steps, over_steps;
};

int sim_watch_init(struct sim_watch *watch, size_t n, uint64_t step_ns) must_check;
void sim_watch_finish(struct sim_watch *watch);

/* One step of a host whose @n guests begin with @first; @used: of its memory, more than it has. */
void sim_watch_host(struct sim_watch *watch, const struct policy_settings *settings,
		    const struct policy_host *host, uint64_t used, const struct sim_guest *guests,
		    size_t first, size_t n, uint64_t now_ns);
void sim_watch_decision(struct sim_watch *watch, uint64_t real_ns);
/* Before the guest has it. */
void sim_watch_order(struct sim_watch *watch, size_t i, const struct sim_guest *guest,
		     uint64_t target, uint64_t now_ns);
void sim_watch_summary(struct sim_watch *watch, struct sim_summary *ret);
