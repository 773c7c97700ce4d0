// SPDX-License-Identifier: MIT
/*
 * The rule that oVirt's Memory Overcommitment Manager ships, for comparison: below 20 % of free
 * host memory every guest shrinks, above it every guest grows, by at most 5 % of its size in 10 s.
 * Its interface is that of policy_decide(), of which it uses less. No state; any thread.
 */
#pragma once

#include "balancer/policy.h"

#define MOM_INTERVAL_NS (10 * NSEC_PER_SEC)

void mom_decide(const struct policy_host *host, const struct policy_vm *vms, size_t n,
		struct policy_decision *decisions);
