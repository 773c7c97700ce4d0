// SPDX-License-Identifier: MIT
/*
 * Sharing by weight, max-min fair: everybody has at least lo and at most hi, and between them as
 * much as a level that is the same for all, times the weight. Nobody who has less than hi could
 * have more without somebody having less who has no more for their weight. No state; any thread.
 */
#pragma once

#include "balancer/policy.h"

/*
 * Sets share of each of @slots from its lo, hi and weight, so that the sum is at most @supply and
 * less only by what a level of whole bytes costs, or since everybody has hi. When not even the sum
 * of lo is there, everybody has lo. Returns the sum. Slots with lo == hi are as good as absent.
 */
uint64_t policy_share(struct policy_slot *slots, size_t n, uint64_t supply);
