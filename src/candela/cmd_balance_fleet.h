// SPDX-License-Identifier: MIT
/*
 * The VMs that a balancer looks after, by name, and the arrays that the policy wants of them.
 * Owner: the loop's thread.
 */
#pragma once

#include "candela/cmd_balance_vm.h"

struct balance_fleet {
	struct balance_vm **vms; /* by name */
	size_t count, size;

	/* Of those that have answered once, as balance_fleet_gather() found them. */
	size_t sampled, room;
	struct balance_vm **sampled_vms;
	struct policy_vm *samples;
	struct policy_state *states;
	struct policy_slot *slots;
	struct policy_decision *decisions;
};

/* Frees the arrays; there are no VMs any more, or the process ends. */
void balance_fleet_finish(struct balance_fleet *fleet);

/* Connects to VMs that are new. -errno with text: the directory cannot be read, or no memory. */
int balance_fleet_discover(struct balance_fleet *fleet, struct loop *loop,
			   const struct balance_vm_ops *ops, void *ctx,
			   struct error *err) must_check;
/* Asks all. How many will answer, unless they hang. */
size_t balance_fleet_ask(struct balance_fleet *fleet);
/*
 * Is there a VM of which nothing is known yet, and which was asked less than @silent_ns ago? What
 * it has been promised would be given to others.
 */
bool balance_fleet_is_partial(const struct balance_fleet *fleet, uint64_t now_ns,
			      uint64_t silent_ns);
/* How many have a target that they have not confirmed. */
size_t balance_fleet_ordered(const struct balance_fleet *fleet);

/*
 * Puts what is known at @now_ns into the arrays. A VM that has been asked @silent_ns ago and not
 * answered is silent. -ENOMEM.
 */
int balance_fleet_gather(struct balance_fleet *fleet, uint64_t now_ns,
			 uint64_t silent_ns) must_check;

/* Of a VM whose connection has ended: forgets and destroys it. */
void balance_fleet_remove(struct balance_fleet *fleet, struct balance_vm *vm);
/* Ends all connections; each is to be removed when it has ended. */
void balance_fleet_close(struct balance_fleet *fleet);
