// SPDX-License-Identifier: MIT
/*
 * What follows a system call that the sandbox does not allow: the end of the process, in words.
 *
 * The kernel sends SIGSYS to the thread that made the call. That thread writes the line and hands
 * over to the main thread by the same signal, because only that may open a file for the result; and
 * stays where it is. Everything is in signal handlers, whatever the threads were doing.
 */
#pragma once

#include "candela/sandbox.h"

struct sandbox_trap;

/* On the main thread. One at a time: -EBUSY. */
int sandbox_trap_create(const struct sandbox_config *config, struct error *err,
			struct sandbox_trap **ret) must_check;

/* The calling thread is of this kind; the signal can reach it from now on. */
void sandbox_trap_enter(enum sandbox_kind kind);

/* NULL is fine. */
void sandbox_trap_destroy(struct sandbox_trap *trap);
