// SPDX-License-Identifier: MIT
/*
 * What one VM should have, by what it says of itself and what is remembered of it; nothing of other
 * VMs. The first half of policy_decide(). No state of its own; any thread.
 */
#pragma once

#include "balancer/policy.h"

/*
 * Fills low, need, ideal, heading, base, limit, weight, left, thrashing and (of one that is left
 * alone) reason of @slot, and renews @state.
 */
void policy_want(const struct policy_settings *settings, const struct policy_host *host,
		 uint64_t now_ns, const struct policy_vm *vm, struct policy_state *state,
		 struct policy_slot *slot);

/* Changes that are smaller are not made. */
uint64_t policy_dead_band(const struct policy_settings *settings, uint64_t assigned);

/* @bytes and @percent of it more. */
uint64_t policy_with_buffer(uint64_t bytes, uint32_t percent);
