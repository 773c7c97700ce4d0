// SPDX-License-Identifier: MIT
/*
 * VMs and a host in memory, for tests of the balancer's policy: guests that do at once, or in
 * steps, what they are told. One thread.
 */
#pragma once

#include "balancer/policy.h"

#define FLEET_MAX 1000

struct fleet {
	struct policy_settings settings;
	struct policy_host host;
	uint64_t now;
	size_t n;
	uint64_t random;
	struct policy_vm vms[FLEET_MAX];
	struct policy_state states[FLEET_MAX];
	struct policy_slot slots[FLEET_MAX];
	struct policy_decision decisions[FLEET_MAX];
	struct policy_totals totals;
};

void fleet_init(struct fleet *fleet, uint64_t total);
/* A dynamic VM of usual settings, all of whose memory has been touched. */
struct policy_vm *fleet_add(struct fleet *fleet, uint64_t assigned, uint64_t minimum,
			    uint64_t maximum, uint64_t demand);
/* 64 random bits; the same ones in each run. */
uint64_t fleet_random(struct fleet *fleet);

/* The host's available memory as what the VMs leave of it, but for @own bytes of the host's. */
void fleet_settle_host(struct fleet *fleet, uint64_t own);

/* A decision, a second later, and nothing done about it. */
void fleet_decide(struct fleet *fleet);
/* A decision, and every guest moves towards its target by at most @step bytes. */
void fleet_step(struct fleet *fleet, uint64_t step);

/* What is promised to a VM: what it has, or where it goes. */
uint64_t fleet_promise(const struct policy_vm *vm);
