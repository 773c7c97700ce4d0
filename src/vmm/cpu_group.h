// SPDX-License-Identifier: MIT
/*
 * Control groups of virtual processors (VPs): one for each VP of each VM that has CPU settings, all
 * side by side in one group that their VMs share, the fleet. So a weight is that of a VP, whatever
 * else its VM has, and a limit is not lent to its siblings. admin-guide/cgroup-v2.rst, "Threads".
 *
 * What a VM claims stands in an extended attribute of each of its groups, and the fleet's directory
 * is locked while anything changes: the kernel's tree is all there is of shared state. Whoever
 * changes something computes all weights anew. Groups of a VM that was killed are empty; whoever
 * next holds the lock removes them.
 *
 * A struct cpu_group belongs to one thread.
 */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "vmm/cpu_share.h"

#define CPU_FLEET_NAME "candela"

/* How long to wait for another VM that holds the lock. */
#define CPU_FLEET_PATIENCE_NS (30 * NSEC_PER_SEC)   /* hundreds may start at once */
#define CPU_FLEET_HURRY_NS    (200 * NSEC_PER_MSEC) /* where guests wait meanwhile */

struct cpu_fleet {
	int fd;        /* its directory; -1: not open */
	int parent_fd; /* of the group it was made in */
	char path[PATH_MAX];
};

/*
 * Opens the fleet below the group whose directory is @dir, which this process is in; makes it if
 * need be, and gives both the cpu controller. It is locked until it is closed, or
 * cpu_group_create() is done. @root is that of cgroup_find_own(). -ENOTSUP, -EACCES or -EBUSY with
 * text: it cannot be had.
 */
int cpu_fleet_open(const char *root, const char *dir, struct error *err,
		   struct cpu_fleet *ret) must_check;
/* The same if it is there. -ENOENT, perhaps without text: it is not. */
int cpu_fleet_find(const char *root, const char *dir, struct error *err,
		   struct cpu_fleet *ret) must_check;
void cpu_fleet_close(struct cpu_fleet *fleet);

/*
 * Could one be had on this host? Nothing is changed. Where systemd runs, it is asked for a group,
 * so that only the controller matters. Errors as those of cpu_fleet_open().
 */
int cpu_fleet_probe(const char *root, struct error *err) must_check;

/* Is systemd the init that made the groups? */
bool cpu_fleet_of_systemd(const char *root);

/* Removes what VMs left that were killed, and the fleet if it is empty then. It is locked. */
void cpu_fleet_tidy(struct cpu_fleet *fleet);

struct cpu_group;

struct cpu_group_config {
	struct cpu_fleet fleet; /* open; taken over, also after a failure */
	const char *name;       /* of the VM */
	unsigned int count;     /* of VPs */
	const struct cpu_claim *claims;
	const pid_t *threads; /* of the VPs; all in this process */
	cpu_set_t host;       /* the processors that reserves are of */
};

/*
 * Makes the groups, if there is room for what the VM reserves, and puts its threads there. -ENOSPC
 * with text: there is none.
 */
int cpu_group_create(const struct cpu_group_config *config, struct error *err,
		     struct cpu_group **ret) must_check;
/* Once the threads are gone. NULL is fine. */
void cpu_group_destroy(struct cpu_group *group);

/* Other claims of the same VPs. As they were after a failure: -ENOSPC, -EBUSY with text. */
int cpu_group_change(struct cpu_group *group, const struct cpu_claim *claims,
		     struct error *err) must_check;

/* The directory of the fleet, and what comes before "-vpN" in the names of the VM's groups. */
const char *cpu_group_fleet(const struct cpu_group *group);
const char *cpu_group_name(const struct cpu_group *group);

struct cpu_usage {
	uint64_t used_ns;
	uint64_t throttled_ns;               /* held back by the limit */
	uint64_t periods, throttled_periods; /* of the limit's; how often it held back */
	uint32_t weight;                     /* what the kernel goes by now */
};

/* -errno. */
int cpu_group_usage(const struct cpu_group *group, unsigned int vp,
		    struct cpu_usage *ret) must_check;
