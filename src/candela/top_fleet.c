// SPDX-License-Identifier: MIT
/* The VMs that candela top shows. See top_fleet.h. */
#include "candela/top_fleet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "candela/control_client.h"
#include "candela/control_path.h"
#include "candela/stat_rates.h"
#include "vmm/loop.h"

struct vm {
	struct vm *next;
	char *name;
	bool seen;                     /* in this round */
	struct control_client *client; /* NULL: none yet, or it was not to be had */
	const char *asked;             /* the method that has not been answered; NULL: none */
	bool silent;                   /* it did not answer in time */
	struct json_object *status;
	struct json_object *before, *now; /* counters */
	bool fresh;                       /* `now` is of this round */
};

struct top_fleet {
	struct vm *vms;
	struct top_row *rows;
	size_t count;
	int result;
};

/* --- One VM. --------------------------------------------------------------------------------- */

static void forget(struct vm *vm)
{
	control_disconnect(vm->client);
	json_object_put(vm->status);
	json_object_put(vm->before);
	json_object_put(vm->now);
	vm->client = NULL;
	vm->asked = NULL;
	vm->status = vm->before = vm->now = NULL;
}

static void vm_free(struct vm *vm)
{
	forget(vm);
	free(vm->name);
	free(vm);
}

static void ask(struct vm *vm, const char *method)
{
	if (!vm->client && control_connect_now(vm->name, NULL, &vm->client) < 0) {
		vm->silent = true;
		return;
	}
	if (vm->asked)
		return;
	if (control_send(vm->client, method, NULL, NULL) == 0)
		vm->asked = method;
	else
		forget(vm);
}

static void take(struct vm *vm, struct json_object *answer)
{
	if (strcmp(vm->asked, "status") == 0) {
		json_object_put(vm->status);
		vm->status = answer;
	} else {
		json_object_put(vm->before);
		vm->before = vm->now;
		vm->now = answer;
		vm->fresh = true;
	}
	vm->asked = NULL;
	vm->silent = false;
}

/* What has been asked for: one that hung the last time is not waited for. */
static void hear(struct vm *vm, uint64_t deadline)
{
	const uint64_t now = loop_now();
	const bool waits = !vm->silent && now < deadline;
	struct json_object *answer = NULL;
	int r;

	if (!vm->asked)
		return;
	r = control_answer(vm->client, waits ? (int)((deadline - now) / NSEC_PER_MSEC) + 1 : 0,
			   NULL, &answer);
	if (r == 0)
		take(vm, answer);
	else if (r == -ETIMEDOUT)
		vm->silent = true;
	else
		forget(vm);
}

/* --- All of them. ---------------------------------------------------------------------------- */

static void found(void *ctx, const char *name, const char *path)
{
	struct top_fleet *fleet = ctx;
	struct vm *vm = fleet->vms;

	while (vm && strcmp(vm->name, name) != 0)
		vm = vm->next;
	if (!vm) {
		vm = calloc(1, sizeof(*vm));
		if (vm)
			vm->name = strdup(name);
		if (!vm || !vm->name) {
			free(vm);
			fleet->result = -ENOMEM;
			return;
		}
		vm->next = fleet->vms;
		fleet->vms = vm;
	}
	vm->seen = true;
}

static void drop_gone(struct top_fleet *fleet)
{
	struct vm **link = &fleet->vms, *vm;

	while ((vm = *link)) {
		if (vm->seen) {
			link = &vm->next;
		} else {
			*link = vm->next;
			vm_free(vm);
		}
	}
}

static void ask_all(struct top_fleet *fleet, const char *method)
{
	const uint64_t deadline = loop_now() + TOP_WAIT_MS * NSEC_PER_MSEC;

	for (struct vm *vm = fleet->vms; vm; vm = vm->next)
		ask(vm, method);
	for (struct vm *vm = fleet->vms; vm; vm = vm->next)
		hear(vm, deadline);
}

static int read_row(struct top_row *row, const struct vm *vm)
{
	struct json_object *sample = NULL;
	int r = 0;

	if (!vm->silent && vm->before && vm->now && vm->fresh)
		r = stat_rates(vm->name, vm->before, vm->now, &sample);
	if (r == 0)
		top_row_read(row, vm->name, vm->silent ? NULL : vm->status, sample);
	json_object_put(sample);
	return r;
}

static int read_rows(struct top_fleet *fleet)
{
	size_t count = 0, i = 0;
	struct top_row *rows;
	int r = 0;

	for (struct vm *vm = fleet->vms; vm; vm = vm->next)
		count++;
	rows = realloc(fleet->rows, (count + 1) * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	fleet->rows = rows;
	fleet->count = 0;
	for (struct vm *vm = fleet->vms; vm && r == 0; vm = vm->next)
		/* One that has just ended has neither a connection nor silence. */
		if (vm->client || vm->silent)
			r = read_row(&rows[i++], vm);
	fleet->count = i;
	return r;
}

int top_fleet_read(struct top_fleet *fleet, struct error *err, struct top_row **ret_rows,
		   size_t *ret_count)
{
	int r;

	for (struct vm *vm = fleet->vms; vm; vm = vm->next)
		vm->seen = vm->fresh = false;
	fleet->result = 0;
	r = control_each(found, fleet, err);
	if (r < 0)
		return r;
	drop_gone(fleet);
	ask_all(fleet, "status");
	ask_all(fleet, "counters");
	r = fleet->result < 0 ? fleet->result : read_rows(fleet);
	if (r < 0)
		return error_set(err, r, "out of memory");
	*ret_rows = fleet->rows;
	*ret_count = fleet->count;
	return 0;
}

int top_fleet_create(struct error *err, struct top_fleet **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : error_set(err, -ENOMEM, "out of memory");
}

void top_fleet_destroy(struct top_fleet *fleet)
{
	struct vm *vm, *next;

	if (!fleet)
		return;
	for (vm = fleet->vms; vm; vm = next) {
		next = vm->next;
		vm_free(vm);
	}
	free(fleet->rows);
	free(fleet);
}
