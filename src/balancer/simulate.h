// SPDX-License-Identifier: MIT
/*
 * What a policy would do: fleets of guests (simulate_guest.h) on hosts, step by step, faster than
 * they would live. For planning, and to compare policies on the same demand.
 *
 * A simulation owns its memory; one thread.
 */
#pragma once

#include "balancer/series.h"
#include "vmm/error.h"

enum sim_scenario {
	SIM_DAY,      /* a fleet of all kinds */
	SIM_NEED,     /* a full host, on which one VM needs 256 MiB more, and another has it */
	SIM_SHUTDOWN, /* three VMs on a full host; two end, and the third gets its maximum */
};

enum sim_policy {
	SIM_CANDELA,
	SIM_MOM,
};

struct sim_spec {
	enum sim_scenario scenario;
	uint32_t vms, hosts; /* of SIM_DAY; the VMs are spread over the hosts */
	uint32_t hours;
	uint32_t seed;
	uint64_t host_memory;          /* bytes, of each host */
	uint64_t interval_ns;          /* of decisions, and of the steps */
	const struct series *recorded; /* NULL: generated. Else its VMs, and its host's memory */
};

#define SIM_WAIT_MAX 3600 /* seconds; longer waits are counted as this long */

struct sim_summary {
	uint64_t steps, vm_seconds;
	uint64_t waits, wait_max_s; /* a VM needed more than it had, and got it */
	uint64_t wait_median_s, wait_95_s;
	uint64_t unserved;       /* of them, the need went away or the time was over first */
	uint64_t starved;        /* waited over a minute while there was memory for all who did */
	uint64_t thrash_seconds; /* of VMs that used more than they had */
	uint64_t thrash_gib_s;   /* how much more, by how long */
	uint64_t reversals; /* up, down and up again (or the other way), with the same demand */
	uint64_t orders, moved_bytes;
	uint64_t overcommitted_s; /* of hosts: what guests had was more than the host */
	uint64_t need_ms;         /* SIM_NEED: until it had it; UINT64_MAX: never */
	uint32_t granted;         /* percent of the hosts' memory, on average */
	uint32_t pressure;        /* mean of all VMs and times, percent */
	uint64_t decide_ns;       /* of real time, on average, for a host */
};

void sim_spec_init(struct sim_spec *spec);

/*
 * Runs it whole. @series (may be NULL) gets the first host and its VMs. -EINVAL with text: the spec
 * cannot be; -ENOMEM.
 */
int sim_run(const struct sim_spec *spec, enum sim_policy policy,
	    const struct policy_settings *settings, struct series *series, struct sim_summary *ret,
	    struct error *err) must_check;
