// SPDX-License-Identifier: MIT
/*
 * The event loop without a kernel: loop.h on simulated time, and completions that come in the order
 * a seed says. Programs that link sim_loop.c get it in place of src/vmm/loop.c; there is nothing
 * behind loop_sqe() and loop_fd_add().
 *
 * One thread; any number of loops, none of which knows of the others.
 */
#pragma once

#include "vmm/loop.h"

enum sim_order {
	SIM_IN_ORDER,
	SIM_REVERSE, /* the newest first */
	SIM_RANDOM,  /* any, and several in a pass */
	SIM_ORDERS,
};

/* Something that completes. In its owner's memory until it ran. */
struct sim_event {
	struct sim_event *prev, *next;
	void (*run)(struct sim_event *event);
};

struct loop *sim_loop_create(enum sim_order order, uint64_t seed);
void sim_loop_add(struct loop *loop, struct sim_event *event);
/*
 * One pass: completions, timers, deferred callbacks. Time goes on to the next timer when nothing
 * else is left. False: there was nothing to do.
 */
bool sim_loop_step(struct loop *loop);
