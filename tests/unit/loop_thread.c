// SPDX-License-Identifier: MIT
/* See loop_thread.h. */
#include "loop_thread.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

/* No test waits longer for anything; sanitized programs on busy machines are slow. */
#define PATIENCE_S 50

static void wait_for(sem_t *sem)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	while (sem_timedwait(sem, &until) < 0)
		assert(errno == EINTR);
}

static void run_call(struct loop_task *task)
{
	struct loop_thread *t = container_of(task, struct loop_thread, call);

	t->function(t->arg);
	sem_post(&t->called);
}

static void create_loop(struct loop_thread *t)
{
	int r = loop_create(0, NULL, &t->loop);

	assert(r == 0);
}

/* A loop belongs to the thread that created it. */
static void *run(void *arg)
{
	struct loop_thread *t = arg;
	int r;

	create_loop(t);
	sem_post(&t->started);
	r = loop_run(t->loop);
	assert(r == 0);
	/* Who told it to stop may be on the way out of that still. */
	wait_for(&t->stopped);
	loop_destroy(t->loop);
	return NULL;
}

void loop_thread_start(struct loop_thread *t, bool pumped)
{
	int r;

	*t = (struct loop_thread){.pumped = pumped, .call = {.run = run_call}};
	sem_init(&t->started, 0, 0);
	sem_init(&t->called, 0, 0);
	sem_init(&t->stopped, 0, 0);
	if (pumped) {
		create_loop(t);
		return;
	}
	r = pthread_create(&t->thread, NULL, run, t);
	assert(r == 0);
	wait_for(&t->started);
}

void loop_thread_call(struct loop_thread *t, void (*function)(void *arg), void *arg)
{
	if (t->pumped) {
		function(arg);
		return;
	}
	t->function = function;
	t->arg = arg;
	loop_post(t->loop, &t->call);
	wait_for(&t->called);
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

void loop_thread_stop(struct loop_thread *t)
{
	if (t->pumped) {
		loop_destroy(t->loop);
	} else {
		loop_thread_call(t, stop_loop, t->loop);
		sem_post(&t->stopped);
		pthread_join(t->thread, NULL);
	}
	sem_destroy(&t->started);
	sem_destroy(&t->called);
	sem_destroy(&t->stopped);
}

static void nothing(void *arg)
{
}

static void run_stop_call(struct loop_task *task)
{
	struct loop_thread *t = container_of(task, struct loop_thread, call);

	stop_loop(t->loop);
}

/* A pass does what one before made ready: a signal, its handling, an answer, the other loop's. */
void loop_thread_pump(struct loop_thread *t)
{
	if (!t->pumped) {
		loop_thread_call(t, nothing, NULL);
		return;
	}
	for (int i = 0; i < 3; i++) {
		int r;

		t->call.run = run_stop_call;
		loop_post(t->loop, &t->call);
		r = loop_run(t->loop);
		assert(r == 0);
	}
}
