// SPDX-License-Identifier: MIT
/*
 * The event loop on simulated time. State: each loop's own, and the clock of all.
 */
#include "sim_loop.h"

#include <errno.h>
#include <stdlib.h>

#include "memory.h"
#include "prng.h"

struct loop {
	enum sim_order order;
	struct prng prng;
	struct sim_event events;       /* sentinel, oldest first */
	struct loop_timer timers;      /* sentinel, soonest first */
	struct loop_deferred deferred; /* sentinel, in order */
	size_t event_count;
};

static uint64_t sim_now = NSEC_PER_SEC;

uint64_t loop_now(void)
{
	return sim_now;
}

struct loop *sim_loop_create(enum sim_order order, uint64_t seed)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));

	loop->order = order;
	loop->prng.state = seed;
	loop->events.prev = loop->events.next = &loop->events;
	loop->timers.prev = loop->timers.next = &loop->timers;
	loop->deferred.prev = loop->deferred.next = &loop->deferred;
	return loop;
}

int loop_create(unsigned int entries, struct error *err, struct loop **ret)
{
	*ret = sim_loop_create(SIM_IN_ORDER, 0);
	return 0;
}

void loop_destroy(struct loop *loop)
{
	free(loop);
}

/* --- What there is in loop.h. ---------------------------------------------------------------- */

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
	if (!timer->next)
		return;
	timer->prev->next = timer->next;
	timer->next->prev = timer->prev;
	timer->prev = timer->next = NULL;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t expiry_ns)
{
	struct loop_timer *after;

	loop_timer_cancel(loop, timer);
	after = loop->timers.prev;
	timer->expiry_ns = expiry_ns;
	while (after != &loop->timers && after->expiry_ns > expiry_ns)
		after = after->prev;
	timer->prev = after;
	timer->next = after->next;
	after->next->prev = timer;
	after->next = timer;
}

void loop_defer(struct loop *loop, struct loop_deferred *deferred)
{
	struct loop_deferred *end = &loop->deferred;

	if (deferred->next)
		return;
	deferred->prev = end->prev;
	deferred->next = end;
	end->prev->next = deferred;
	end->prev = deferred;
}

void loop_defer_cancel(struct loop_deferred *deferred)
{
	if (!deferred->next)
		return;
	deferred->prev->next = deferred->next;
	deferred->next->prev = deferred->prev;
	deferred->prev = deferred->next = NULL;
}

/* Nothing here has more than one thread: it runs in the next pass as well as later. */
static void run_task(struct sim_event *event)
{
	struct {
		struct sim_event event;
		struct loop_task *task;
	} *posted = (void *)event;
	struct loop_task *task = posted->task;

	free(posted);
	atomic_store(&task->queued, false);
	task->run(task);
}

void loop_post(struct loop *loop, struct loop_task *task)
{
	struct {
		struct sim_event event;
		struct loop_task *task;
	} * posted;

	if (atomic_exchange(&task->queued, true))
		return;
	posted = xcalloc(1, sizeof(*posted));
	posted->task = task;
	posted->event.run = run_task;
	sim_loop_add(loop, &posted->event);
}

/* --- Running it. ----------------------------------------------------------------------------- */

void sim_loop_add(struct loop *loop, struct sim_event *event)
{
	event->next = &loop->events;
	event->prev = loop->events.prev;
	event->prev->next = event;
	loop->events.prev = event;
	loop->event_count++;
}

static struct sim_event *choose(struct loop *loop)
{
	struct sim_event *event = loop->events.next;

	if (loop->order == SIM_REVERSE)
		event = loop->events.prev;
	if (loop->order == SIM_RANDOM)
		for (uint64_t n = prng_below(&loop->prng, loop->event_count); n > 0; n--)
			event = event->next;
	event->prev->next = event->next;
	event->next->prev = event->prev;
	loop->event_count--;
	return event;
}

static bool run_events(struct loop *loop)
{
	size_t budget = 1;

	if (!loop->event_count)
		return false;
	if (loop->order == SIM_RANDOM)
		budget += prng_below(&loop->prng, loop->event_count);
	while (budget--) {
		struct sim_event *event = choose(loop);

		event->run(event);
	}
	return true;
}

static bool run_timers(struct loop *loop, bool idle)
{
	struct loop_timer *timer = loop->timers.next;

	if (timer == &loop->timers)
		return false;
	/* With nothing else to do, or now and then anyway: timers race with completions. */
	if (timer->expiry_ns > sim_now && !idle && !prng_once_in(&loop->prng, 16))
		return false;
	sim_now = max_of(sim_now, timer->expiry_ns);
	loop_timer_cancel(loop, timer);
	timer->fired(timer);
	return true;
}

static bool run_deferred(struct loop *loop)
{
	bool any = false;

	while (loop->deferred.next != &loop->deferred) {
		struct loop_deferred *deferred = loop->deferred.next;

		loop_defer_cancel(deferred);
		deferred->run(deferred);
		any = true;
	}
	return any;
}

bool sim_loop_step(struct loop *loop)
{
	/* What was deferred outside of a pass runs before the loop waits. */
	bool any = run_deferred(loop);

	sim_now += NSEC_PER_USEC;
	any |= run_events(loop);
	any |= run_timers(loop, !any);
	any |= run_deferred(loop);
	return any;
}
