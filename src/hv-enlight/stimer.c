// SPDX-License-Identifier: MIT
/*
 * Synthetic timer rules. See stimer.h.
 */
#include "hv-enlight/stimer.h"

#include <string.h>

void stimers_init(struct stimers *timers, const struct stimer_ops *ops, bool direct_allowed)
{
	*timers = (struct stimers){.ops = ops, .direct_allowed = direct_allowed};
}

void stimers_reset(struct stimers *timers)
{
	memset(timers->timer, 0, sizeof(timers->timer));
}

static void disarm(struct stimer *t)
{
	t->armed = false;
	t->pending = false;
}

/* An enabled timer with a count runs from now on: one-shot at the count, periodic a period away. */
static void arm(struct stimer *t, uint64_t now)
{
	disarm(t);
	if (!(t->config & HV_STIMER_ENABLE) || !t->count)
		return;
	if (!(t->config & HV_STIMER_PERIODIC))
		t->expiry = t->count;
	else if (__builtin_add_overflow(now, t->count, &t->expiry))
		return; /* a period of millennia */
	t->armed = true;
}

/* SINT 0 is the hypervisor's: a message timer that names none is not enabled (TLFS 12.5.1). */
static uint64_t without_sint_0(uint64_t config)
{
	bool message = !(config & HV_STIMER_DIRECT);

	return message && !(config >> HV_STIMER_SINT_SHIFT & 0xf) ? config & ~HV_STIMER_ENABLE
								  : config;
}

bool stimer_set_config(struct stimers *timers, unsigned int index, uint64_t value, uint64_t now)
{
	struct stimer *t = &timers->timer[index];
	bool direct = value & HV_STIMER_DIRECT;

	if (value & ~HV_STIMER_VALID)
		return false;
	if (direct && (!timers->direct_allowed || (value >> HV_STIMER_VECTOR_SHIFT & 0xff) < 16))
		return false;
	t->config = without_sint_0(value);
	arm(t, now);
	return true;
}

void stimer_set_count(struct stimers *timers, unsigned int index, uint64_t value, uint64_t now)
{
	struct stimer *t = &timers->timer[index];

	t->count = value;
	/* Writing 0 stops the timer; anything else starts an auto-enabled one. */
	if (!value)
		t->config &= ~HV_STIMER_ENABLE;
	else if (t->config & HV_STIMER_AUTO_ENABLE)
		t->config = without_sint_0(t->config | HV_STIMER_ENABLE);
	arm(t, now);
}

uint64_t stimers_next(const struct stimers *timers)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < HV_STIMER_COUNT; i++)
		/* One whose message waits is looked at when the guest says EOM. */
		if (timers->timer[i].armed && !timers->timer[i].pending)
			next = min_of(next, timers->timer[i].expiry);
	return next;
}

static void count_lateness(struct stimers *timers, uint64_t late)
{
	uint64_t us = late / 10;
	unsigned int bucket = us ? 64 - (unsigned int)__builtin_clzll(us) : 0;

	counter_add(&timers->counters.late_total, late);
	counter_add(&timers->counters.late[min_of(bucket, STIMER_LATE_BUCKETS - 1u)], 1);
}

/* False: the message must wait. */
static bool deliver(struct stimers *timers, unsigned int index, uint64_t expiry, uint64_t now)
{
	struct stimer *t = &timers->timer[index];
	struct hv_timer_message message = {
		.timer_index = index, .expiration_time = expiry, .delivery_time = now};

	if (t->config & HV_STIMER_DIRECT)
		timers->ops->interrupt(timers,
				       (uint8_t)(t->config >> HV_STIMER_VECTOR_SHIFT & 0xff));
	else if (!timers->ops->message(timers, t->config >> HV_STIMER_SINT_SHIFT & 0xf, &message))
		return false;
	counter_add(&timers->counters.expirations, 1);
	count_lateness(timers, now > expiry ? now - expiry : 0);
	return true;
}

/*
 * The expiration after this one, bounded in how far it may lie behind. Lazy timers are only ever
 * late, and interrupts of one vector would merge: neither has anything to catch up with.
 */
static void advance(struct stimers *timers, struct stimer *t, uint64_t now)
{
	uint64_t catch_up = t->config & (HV_STIMER_DIRECT | HV_STIMER_LAZY) ? 0 : STIMER_CATCH_UP;
	uint64_t due;

	if (!(t->config & HV_STIMER_PERIODIC)) {
		t->armed = false;
		t->config &= ~HV_STIMER_ENABLE;
		return;
	}
	/* Nothing comes after the end of time. */
	t->armed = !__builtin_add_overflow(t->expiry, t->count, &t->expiry);
	if (!t->armed || t->expiry > now)
		return;
	due = (now - t->expiry) / t->count + 1;
	if (due <= catch_up)
		return;
	counter_add(&timers->counters.skipped, due - catch_up);
	t->expiry += (due - catch_up - 1) * t->count; /* not beyond now */
	t->armed = !__builtin_add_overflow(t->expiry, t->count, &t->expiry);
}

static void run_one(struct stimers *timers, unsigned int index, uint64_t now)
{
	struct stimer *t = &timers->timer[index];

	if (t->pending) {
		if (!deliver(timers, index, t->pending_expiry, now))
			return;
		t->pending = false;
	}
	while (t->armed && t->expiry <= now) {
		uint64_t expiry = t->expiry;

		if (!deliver(timers, index, expiry, now)) {
			counter_add(&timers->counters.deferred, 1);
			t->pending = true;
			t->pending_expiry = expiry;
			advance(timers, t, now);
			return;
		}
		advance(timers, t, now);
	}
}

void stimers_run(struct stimers *timers, uint64_t now)
{
	for (unsigned int i = 0; i < HV_STIMER_COUNT; i++)
		run_one(timers, i, now);
}
