// SPDX-License-Identifier: MIT
/*
 * Going into the background: a child becomes the VM, and its parent stays with the terminal until
 * the VM runs, or has failed with whatever it had to say. Before there are threads, and before
 * /dev/kvm is open, since neither survives a fork.
 */
#pragma once

#include <sys/types.h>

#include "vmm/error.h"

struct detach {
	int fd; /* to the parent */
	int null;
};

/*
 * 0: this is the child. 1: this is the parent, and its work is done: it ends with *ret_status, 0 or
 * the child's. -errno with text.
 */
int detach_begin(struct detach *d, int *ret_status, struct error *err) must_check;

/*
 * The child: the VM runs. The parent ends; terminal and standard streams are let go.
 */
void detach_done(struct detach *d);
