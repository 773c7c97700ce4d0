// SPDX-License-Identifier: MIT
/*
 * A thread that runs an event loop, for devices that are not to wait for others.
 *
 * Until io_thread_start() the loop is the creator's, after it the thread's; loop_post() reaches it
 * at any time.
 */
#pragma once

#include "vmm/error.h"
#include "vmm/loop.h"

struct io_thread;

/* @name: of the thread, as tools show it; at most 15 characters. */
int io_thread_create(const char *name, struct error *err, struct io_thread **ret) must_check;

/*
 * What the thread does first, before its loop runs: 0, or -errno, with which io_thread_start() then
 * fails. Before that.
 */
typedef int io_thread_begin(void *ctx);
void io_thread_on_begin(struct io_thread *thread, io_thread_begin *begin, void *ctx);

int io_thread_start(struct io_thread *thread, struct error *err) must_check;

struct loop *io_thread_loop(struct io_thread *thread);

/*
 * Ends the thread after the pass that it is in; the loop is the caller's then. 0, or the -errno
 * that its loop_run() has ended with.
 */
int io_thread_stop(struct io_thread *thread);

/* Stopped, or never started. NULL is fine. */
void io_thread_destroy(struct io_thread *thread);
