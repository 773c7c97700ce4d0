// SPDX-License-Identifier: MIT
/*
 * All VMs that run, each asked the same. All are asked before the first answer is awaited, so one
 * that does not answer holds up nobody else. Main thread.
 */
#pragma once

#include <json-c/json.h>
#include <stdio.h>

#include "vmm/error.h"

struct control_client;

struct vm_listed {
	char *name;
	struct control_client *client; /* NULL: it went before it could be asked */
	struct json_object *answer;    /* NULL: it did not answer */
};

struct vm_list {
	struct vm_listed *vms; /* by name */
	size_t count;
	int result;
};

/* Asks all for @method. To be freed, also after a failure. */
int vm_list_ask(struct vm_list *list, const char *method, struct error *err) must_check;
void vm_list_free(struct vm_list *list);

/*
 * Prints an array of the answers; "name" is put into those that do not have it, and a state "no
 * answer" beside the name of who has not answered.
 */
int vm_list_print_json(struct vm_list *list, FILE *out, struct error *err) must_check;
