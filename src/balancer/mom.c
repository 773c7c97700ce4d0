// SPDX-License-Identifier: MIT
/*
 * The rule of oVirt's manager. See mom.h. Its facts: pressure below 20 % of free host memory,
 * critical below 5 %; a guest's share of memory to be left free is 20 %, less in proportion when
 * the host is under pressure, and below zero when that is critical, which makes guests swap; steps
 * of at most 5 %, changes of less than 0.25 % are not made.
 */
#include "balancer/mom.h"

#define PRESSURE 2000 /* hundredths of a percent of the host */
#define CRITICAL 500
#define STEP     20  /* a twentieth of the guest */
#define TRIFLE   400 /* a four hundredth */

static uint64_t used_of(const struct policy_vm *vm)
{
	return vm->has_available ? vm->assigned - min_of(vm->available, vm->assigned)
				 : min_of(vm->demand, vm->assigned);
}

/* @free: of the host, in hundredths of a percent. */
static uint64_t shrunk(const struct policy_vm *vm, uint64_t free)
{
	const uint64_t hundredth = vm->assigned / 10000;
	const uint64_t step = vm->assigned - vm->assigned / STEP;
	uint64_t least = used_of(vm);

	if (free > CRITICAL)
		least += hundredth * free;
	else
		least -= min_of(least, hundredth * (CRITICAL - free));
	least = max_of(least, step);
	least = max_of(least, vm->minimum);
	return min_of(least, vm->assigned);
}

static uint64_t grown(const struct policy_vm *vm)
{
	return min_of(vm->assigned + vm->assigned / STEP, vm->maximum);
}

void mom_decide(const struct policy_host *host, const struct policy_vm *vms, size_t n,
		struct policy_decision *decisions)
{
	const uint64_t free = host->total ? host->available / (host->total / 10000 + 1) : 0;

	for (size_t i = 0; i < n; i++) {
		const struct policy_vm *vm = &vms[i];
		const bool grows = free >= PRESSURE;
		uint64_t target = grows ? grown(vm) : shrunk(vm, free);
		const uint64_t change = max_of(target, vm->assigned) - min_of(target, vm->assigned);

		if (change <= vm->assigned / TRIFLE)
			target = vm->target;
		decisions[i] = (struct policy_decision){
			.target = target,
			.reason = target == vm->target ? POLICY_STEADY
				  : grows              ? POLICY_BUFFER
						       : POLICY_HOST_SHORT,
			.demand = vm->demand,
			.assigned = vm->assigned,
			.ideal = target,
			.share = target,
			.pressure = policy_pressure(vm->demand, vm->assigned)};
	}
}
