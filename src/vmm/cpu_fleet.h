// SPDX-License-Identifier: MIT
/*
 * The inside of vmm/cpu_group.h: the fleet's lock, and who is in it. Under the lock but for the
 * lock itself. One thread.
 */
#pragma once

#include "vmm/cpu_group.h"
#include "vmm/cpu_list.h"

#define CPU_FLEET_VP       "-vp"          /* of a group's name: NAME-PID-vpN */
#define CPU_FLEET_NAME_MAX 128            /* of the part before it, with a NUL */
#define CPU_FLEET_XATTR    "user.candela" /* has the claim */

/* -EBUSY with text: another VM has it for longer than that. */
int cpu_fleet_lock(struct cpu_fleet *fleet, uint64_t patience_ns, struct error *err) must_check;
void cpu_fleet_unlock(struct cpu_fleet *fleet);

/* The VPs that there are. */
struct cpu_census {
	struct cpu_claim *claims;
	char **names; /* of their groups */
	size_t count, capacity;
	unsigned int removed; /* that were left over */
};

/* All but those of the VM @own (NULL: all). -errno. To be freed, also after a failure. */
int cpu_census_take(const struct cpu_fleet *fleet, const char *own,
		    struct cpu_census *ret) must_check;
int cpu_census_add(struct cpu_census *census, const char *name,
		   const struct cpu_claim *claim) must_check;
/* Gives each its weight, and the fleet its own. -errno. */
int cpu_census_apply(const struct cpu_fleet *fleet, const struct cpu_census *census) must_check;
void cpu_census_free(struct cpu_census *census);
