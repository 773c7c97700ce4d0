// SPDX-License-Identifier: MIT
/* The VMs of a balancer. See cmd_balance_fleet.h. */
#include "candela/cmd_balance_fleet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "candela/control_path.h"

/* --- Who is there. -------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	struct balance_vm *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* Where a VM of this name is, or belongs. */
static size_t place_of(const struct balance_fleet *fleet, size_t known, const char *name,
		       bool *ret_found)
{
	size_t low = 0, high = known;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int order = strcmp(fleet->vms[middle]->name, name);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_found = false;
	return low;
}

struct discovery {
	struct balance_fleet *fleet;
	struct loop *loop;
	const struct balance_vm_ops *ops;
	void *ctx;
	size_t known; /* those that are in order; new ones come behind them */
	int result;
};

static int reserve_vms(struct balance_fleet *fleet)
{
	const size_t size = fleet->size ? 2 * fleet->size : 64;
	struct balance_vm **vms;

	if (fleet->count < fleet->size)
		return 0;
	vms = reallocarray(fleet->vms, size, sizeof(*vms));
	if (!vms)
		return -ENOMEM;
	fleet->vms = vms;
	fleet->size = size;
	return 0;
}

static void found(void *ctx, const char *name, const char *path)
{
	struct discovery *d = ctx;
	struct balance_fleet *fleet = d->fleet;
	struct balance_vm *vm;
	bool known;
	int r;

	(void)place_of(fleet, d->known, name, &known);
	if (known || fleet->count >= POLICY_VMS_MAX)
		return;
	r = reserve_vms(fleet);
	if (r == 0)
		r = balance_vm_create(d->loop, name, path, d->ops, d->ctx, &vm);
	if (r == 0)
		fleet->vms[fleet->count++] = vm;
	else if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
		d->result = r;
	/* Others have just gone, or are busy: the next time. */
}

int balance_fleet_discover(struct balance_fleet *fleet, struct loop *loop,
			   const struct balance_vm_ops *ops, void *ctx, struct error *err)
{
	struct discovery d = {
		.fleet = fleet, .loop = loop, .ops = ops, .ctx = ctx, .known = fleet->count};
	int r = control_each(found, &d, err);

	if (fleet->count > d.known)
		qsort(fleet->vms, fleet->count, sizeof(fleet->vms[0]), by_name);
	if (r == 0 && d.result < 0)
		r = error_errno(err, d.result, "cannot connect to all VMs");
	return r;
}

void balance_fleet_remove(struct balance_fleet *fleet, struct balance_vm *vm)
{
	bool is_there;
	const size_t at = place_of(fleet, fleet->count, vm->name, &is_there);

	if (is_there && fleet->vms[at] == vm) {
		fleet->count--;
		memmove(&fleet->vms[at], &fleet->vms[at + 1],
			(fleet->count - at) * sizeof(fleet->vms[0]));
	}
	balance_vm_destroy(vm);
}

void balance_fleet_close(struct balance_fleet *fleet)
{
	for (size_t i = 0; i < fleet->count; i++)
		balance_vm_close(fleet->vms[i]);
}

/* --- Questions. ----------------------------------------------------------------------------- */

size_t balance_fleet_ask(struct balance_fleet *fleet)
{
	size_t asked = 0;

	for (size_t i = 0; i < fleet->count; i++) {
		fleet->vms[i]->counted = balance_vm_ask(fleet->vms[i]);
		asked += fleet->vms[i]->counted;
	}
	return asked;
}

bool balance_fleet_is_partial(const struct balance_fleet *fleet, uint64_t now_ns,
			      uint64_t silent_ns)
{
	for (size_t i = 0; i < fleet->count; i++) {
		const struct balance_vm *vm = fleet->vms[i];

		if (!vm->has_sample && !vm->closing && vm->ask_id &&
		    now_ns - vm->ask_ns < silent_ns)
			return true;
	}
	return false;
}

size_t balance_fleet_ordered(const struct balance_fleet *fleet)
{
	size_t ordered = 0;

	for (size_t i = 0; i < fleet->count; i++)
		ordered += fleet->vms[i]->order_id != 0 && !fleet->vms[i]->closing;
	return ordered;
}

/* --- The policy's arrays. ------------------------------------------------------------------- */

static void free_arrays(struct balance_fleet *fleet)
{
	free(fleet->sampled_vms);
	free(fleet->samples);
	free(fleet->states);
	free(fleet->slots);
	free(fleet->decisions);
	fleet->sampled_vms = NULL;
	fleet->samples = NULL;
	fleet->states = NULL;
	fleet->slots = NULL;
	fleet->decisions = NULL;
	fleet->room = 0;
}

static int reserve_arrays(struct balance_fleet *fleet)
{
	const size_t room = fleet->size;

	if (fleet->count <= fleet->room)
		return 0;
	free_arrays(fleet);
	fleet->sampled_vms = calloc(room, sizeof(struct balance_vm *));
	fleet->samples = calloc(room, sizeof(*fleet->samples));
	fleet->states = calloc(room, sizeof(*fleet->states));
	fleet->slots = calloc(room, sizeof(*fleet->slots));
	fleet->decisions = calloc(room, sizeof(*fleet->decisions));
	if (!fleet->sampled_vms || !fleet->samples || !fleet->states || !fleet->slots ||
	    !fleet->decisions) {
		free_arrays(fleet);
		return -ENOMEM;
	}
	fleet->room = room;
	return 0;
}

int balance_fleet_gather(struct balance_fleet *fleet, uint64_t now_ns, uint64_t silent_ns)
{
	fleet->sampled = 0;
	if (reserve_arrays(fleet) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < fleet->count; i++) {
		struct balance_vm *vm = fleet->vms[i];
		struct policy_vm *sample = &fleet->samples[fleet->sampled];
		const uint64_t age = now_ns - vm->sample_ns;

		if (!vm->has_sample || vm->closing)
			continue;
		*sample = vm->sample.vm;
		if (__builtin_add_overflow(sample->report_age_ns, age, &sample->report_age_ns))
			sample->report_age_ns = UINT64_MAX;
		sample->silent = vm->ask_id && now_ns - vm->ask_ns > silent_ns;
		fleet->states[fleet->sampled] = vm->state;
		fleet->sampled_vms[fleet->sampled++] = vm;
	}
	return 0;
}

void balance_fleet_finish(struct balance_fleet *fleet)
{
	for (size_t i = 0; i < fleet->count; i++)
		balance_vm_destroy(fleet->vms[i]);
	free(fleet->vms);
	free_arrays(fleet);
	*fleet = (struct balance_fleet){0};
}
