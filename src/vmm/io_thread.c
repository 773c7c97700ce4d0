// SPDX-License-Identifier: MIT
/* A thread and its loop. The creator's, but for the loop while the thread runs. */
#include "vmm/io_thread.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct io_thread {
	struct loop *loop;
	pthread_t thread;
	bool running;
	int result;
	char name[16];
	io_thread_begin *begin; /* NULL: nothing */
	void *begin_ctx;
	sem_t begun; /* with begin_result; while io_thread_start() waits */
	int begin_result;
};

int io_thread_create(const char *name, struct error *err, struct io_thread **ret)
{
	struct io_thread *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return error_set(err, -ENOMEM, "out of memory");
	snprintf(t->name, sizeof(t->name), "%s", name);
	r = loop_create(0, err, &t->loop);
	if (r < 0) {
		free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void io_thread_on_begin(struct io_thread *t, io_thread_begin *begin, void *ctx)
{
	t->begin = begin;
	t->begin_ctx = ctx;
}

static void *run(void *arg)
{
	struct io_thread *t = arg;
	int r;

	/* By the thread itself: another one would have to open a file for it. */
	pthread_setname_np(pthread_self(), t->name);
	r = t->begin_result = t->begin ? t->begin(t->begin_ctx) : 0;
	sem_post(&t->begun);
	if (r == 0)
		t->result = loop_run(t->loop);
	return NULL;
}

static int wait_begun(struct io_thread *t)
{
	while (sem_wait(&t->begun) < 0)
		continue;
	if (t->begin_result < 0)
		pthread_join(t->thread, NULL);
	return t->begin_result;
}

/* Signals are for the thread that asked for them: this one begins with all of them blocked. */
int io_thread_start(struct io_thread *t, struct error *err)
{
	sigset_t all, before;
	int r;

	assert(!t->running);
	sem_init(&t->begun, 0, 0);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&t->thread, NULL, run, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		r = wait_begun(t);
	sem_destroy(&t->begun);
	if (r < 0)
		return error_errno(err, r, "cannot start the thread %s", t->name);
	t->running = true;
	return 0;
}

struct loop *io_thread_loop(struct io_thread *t)
{
	return t->loop;
}

int io_thread_stop(struct io_thread *t)
{
	if (!t->running)
		return 0;
	loop_stop(t->loop);
	pthread_join(t->thread, NULL);
	t->running = false;
	return t->result;
}

void io_thread_destroy(struct io_thread *t)
{
	if (!t)
		return;
	assert(!t->running);
	loop_destroy(t->loop);
	free(t);
}
