// SPDX-License-Identifier: MIT
/*
 * A loop on a thread of its own, for tests and benchmarks; or one without a thread, which the
 * caller pumps, for what has to be deterministic.
 */
#pragma once

#include <pthread.h>
#include <semaphore.h>

#include "vmm/loop.h"

struct loop_thread {
	pthread_t thread;
	bool pumped;
	struct loop *loop;
	sem_t started, stopped;

	struct loop_task call;
	void (*function)(void *arg);
	void *arg;
	sem_t called;
};

void loop_thread_start(struct loop_thread *t, bool pumped);
/* Nothing may be open on the loop but what dies with it; nobody posts to it any more. */
void loop_thread_stop(struct loop_thread *t);

/* @function on the loop's thread; waits until it is over. One caller at a time. */
void loop_thread_call(struct loop_thread *t, void (*function)(void *arg), void *arg);

/* Without a thread: some passes of the loop. With one: what was posted before has run. */
void loop_thread_pump(struct loop_thread *t);
