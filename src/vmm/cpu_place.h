// SPDX-License-Identifier: MIT
/*
 * Where a VM's virtual processors (VPs) run and its memory comes from: cpus.affinity, cpus.nodes
 * and cpus.node-memory, put together with what this host has. No state; any thread.
 */
#pragma once

#include <sched.h>

#include "vmm/config.h"

/* Processors of VP @vp as cpus.affinity has it. The text has been checked. */
void cpu_place_affinity(const char *affinity, unsigned int vp, cpu_set_t *ret);

/*
 * Is it one list for all of @count VPs, or one for each, with colons between? -EINVAL: neither.
 */
int cpu_place_check_affinity(const char *affinity, unsigned int count) must_check;

/* A list of nodes, or "auto". -EINVAL. */
#define CPU_PLACE_AUTO "auto"
int cpu_place_check_nodes(const char *nodes) must_check;

struct cpu_place {
	cpu_set_t allowed; /* what this process may use at all */
	cpu_set_t nodes;   /* NUMA nodes; empty: none were asked for */
	cpu_set_t usable;  /* what is allowed, and on those nodes */
};

/*
 * What the host has of it. @root stands in front of "/sys". -ENOTSUP with text: a node or a
 * processor that is not there, or that this process may not use.
 */
int cpu_place_find(const struct config_cpus *cpus, uint64_t memory, const char *root,
		   struct error *err, struct cpu_place *ret) must_check;

/* Processors of one VP: what is usable, and what @affinity (NULL: any) says. -ENOTSUP with text. */
int cpu_place_vp(const struct cpu_place *place, const char *affinity, unsigned int vp,
		 struct error *err, cpu_set_t *ret) must_check;

/*
 * Has the calling thread, and those that it makes from then on, run on the nodes and take memory
 * from them. Nothing, when there are none. -errno with text.
 */
int cpu_place_enter(const struct cpu_place *place, enum config_node_memory memory,
		    struct error *err) must_check;

/*
 * As config_cpus_warn(), of what this host makes of the configuration: more virtual processors than
 * any of its nodes has. Nothing on a host with one.
 */
void cpu_place_warn(const struct config_cpus *cpus, const char *root,
		    void (*say)(void *ctx, const char *text), void *ctx);
