// SPDX-License-Identifier: MIT
/* VMs in memory. See fleet_fake.h. */
#include "fleet_fake.h"

#include <assert.h>
#include <string.h>

void fleet_init(struct fleet *fleet, uint64_t total)
{
	memset(fleet, 0, sizeof(*fleet));
	policy_settings_init(&fleet->settings);
	fleet->host = (struct policy_host){.total = total, .available = total};
	fleet->now = 1000 * NSEC_PER_SEC;
	fleet->random = 88172645463325252ull;
}

uint64_t fleet_random(struct fleet *fleet)
{
	fleet->random ^= fleet->random << 13;
	fleet->random ^= fleet->random >> 7;
	fleet->random ^= fleet->random << 17;
	return fleet->random;
}

struct policy_vm *fleet_add(struct fleet *fleet, uint64_t assigned, uint64_t minimum,
			    uint64_t maximum, uint64_t demand)
{
	struct policy_vm *vm = &fleet->vms[fleet->n++];

	assert(fleet->n <= FLEET_MAX);
	*vm = (struct policy_vm){
		.minimum = minimum,
		.maximum = maximum,
		.assigned = assigned,
		.target = assigned,
		.demand = demand,
		.rss = assigned,
		.buffer = 20,
		.weight = 5000,
		.driver = true,
		.has_demand = true,
	};
	return vm;
}

void fleet_settle_host(struct fleet *fleet, uint64_t own)
{
	uint64_t used = own;

	for (size_t i = 0; i < fleet->n; i++)
		used += fleet->vms[i].rss;
	fleet->host.available = used < fleet->host.total ? fleet->host.total - used : 0;
}

void fleet_decide(struct fleet *fleet)
{
	fleet->now += NSEC_PER_SEC;
	policy_decide(&fleet->settings, &fleet->host, fleet->now, fleet->vms, fleet->states,
		      fleet->n, fleet->slots, fleet->decisions, &fleet->totals);
}

static void move(struct policy_vm *vm, uint64_t step)
{
	if (vm->target > vm->assigned)
		vm->assigned += min_of(vm->target - vm->assigned, step);
	else
		vm->assigned -= min_of(vm->assigned - vm->target, step);
	vm->rss = vm->assigned;
}

void fleet_step(struct fleet *fleet, uint64_t step)
{
	const uint64_t total = fleet->host.total;
	uint64_t used = 0, own;

	for (size_t i = 0; i < fleet->n; i++)
		used += fleet->vms[i].rss;
	own = total - min_of(total, used + fleet->host.available);
	fleet_decide(fleet);
	for (size_t i = 0; i < fleet->n; i++) {
		fleet->vms[i].target = fleet->decisions[i].target;
		move(&fleet->vms[i], step);
	}
	fleet_settle_host(fleet, own);
}

uint64_t fleet_promise(const struct policy_vm *vm)
{
	return max_of(vm->assigned, vm->target);
}
