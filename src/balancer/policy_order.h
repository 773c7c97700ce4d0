// SPDX-License-Identifier: MIT
/*
 * The least pressed first: a sort in place that allocates nothing (qsort() may) and has no bad
 * case. No state; any thread.
 */
#pragma once

#include "balancer/policy.h"

/* Sets the order of each slot: slots[slots[0].order].key is the smallest. Equals go by index. */
void policy_order(struct policy_slot *slots, size_t n);
