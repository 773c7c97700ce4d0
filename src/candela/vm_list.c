// SPDX-License-Identifier: MIT
/* All VMs that run. See vm_list.h. */
#include "candela/vm_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "candela/control_client.h"
#include "candela/control_path.h"
#include "vmm/json_build.h"
#include "vmm/loop.h"

#define ANSWERS_MS 2000 /* for all of them */

static void add_vm(void *ctx, const char *name, const char *path)
{
	struct vm_list *all = ctx;
	struct vm_listed *grown = realloc(all->vms, (all->count + 1) * sizeof(*grown));
	char *copy = strdup(name);

	if (grown)
		all->vms = grown;
	if (!grown || !copy) {
		free(copy);
		all->result = -ENOMEM;
		return;
	}
	all->vms[all->count++] = (struct vm_listed){.name = copy};
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct vm_listed *)a)->name, ((const struct vm_listed *)b)->name);
}

static void ask_all(struct vm_list *all, const char *method)
{
	const uint64_t deadline = loop_now() + ANSWERS_MS * NSEC_PER_MSEC;

	for (size_t i = 0; i < all->count; i++) {
		struct vm_listed *vm = &all->vms[i];

		if (control_connect(vm->name, NULL, &vm->client) == 0)
			(void)!control_send(vm->client, method, NULL, NULL);
	}
	for (size_t i = 0; i < all->count; i++) {
		const uint64_t now = loop_now();
		const int ms = now < deadline ? (int)((deadline - now) / NSEC_PER_MSEC) : 0;
		struct vm_listed *vm = &all->vms[i];
		/* One that ended meanwhile is not running, so it is not listed. */
		if (vm->client && control_answer(vm->client, ms, NULL, &vm->answer) == -EPIPE) {
			control_disconnect(vm->client);
			vm->client = NULL;
		}
	}
}

int vm_list_ask(struct vm_list *all, const char *method, struct error *err)
{
	int r;

	*all = (struct vm_list){0};
	r = control_each(add_vm, all, err);
	if (r == 0 && all->result < 0)
		r = error_set(err, all->result, "out of memory");
	if (r < 0)
		return r;
	if (all->count)
		qsort(all->vms, all->count, sizeof(all->vms[0]), by_name);
	ask_all(all, method);
	return 0;
}

void vm_list_free(struct vm_list *all)
{
	for (size_t i = 0; i < all->count; i++) {
		control_disconnect(all->vms[i].client);
		json_object_put(all->vms[i].answer);
		free(all->vms[i].name);
	}
	free(all->vms);
	*all = (struct vm_list){0};
}

int vm_list_print_json(struct vm_list *all, FILE *out, struct error *err)
{
	struct json_object *array = json_object_new_array();
	int r = array ? 0 : -ENOMEM;

	for (size_t i = 0; i < all->count && r == 0; i++) {
		struct vm_listed *vm = &all->vms[i];
		struct json_object *o;

		if (!vm->client)
			continue;
		o = vm->answer ? json_object_get(vm->answer) : json_object_new_object();
		r = json_append(array, o);
		if (r == 0 && !json_object_object_get_ex(o, "name", NULL))
			r = json_put_string(o, "name", vm->name);
		if (r == 0 && !vm->answer)
			r = json_put_string(o, "state", "no answer");
	}
	r = r < 0 ? error_set(err, r, "out of memory") : json_write(array, out, err);
	json_object_put(array);
	return r;
}
