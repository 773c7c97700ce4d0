// SPDX-License-Identifier: MIT
/*
 * What the tests of the PC devices share: an interrupt line that records, and running the real loop
 * until something has happened.
 */
#pragma once

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>

#include "vmm/bus.h"
#include "vmm/irq.h"
#include "vmm/loop.h"

struct fake_irq {
	struct irq_line line;
	_Atomic unsigned int pulses;
	_Atomic unsigned int sets;
};

static inline void fake_irq_set(struct irq_line *line, bool level)
{
	atomic_fetch_add(&container_of(line, struct fake_irq, line)->sets, 1);
}

static inline void fake_irq_pulse(struct irq_line *line)
{
	atomic_fetch_add(&container_of(line, struct fake_irq, line)->pulses, 1);
}

static inline void fake_irq_init(struct fake_irq *irq)
{
	static const struct irq_line_ops ops = {fake_irq_set, fake_irq_pulse};

	*irq = (struct fake_irq){.line = {.ops = &ops}};
}

/* How many pulses came since the last call. */
static inline unsigned int fake_irq_take(struct fake_irq *irq)
{
	return atomic_exchange(&irq->pulses, 0);
}

/* --- Ports. -------------------------------------------------------------------------------- */

static inline uint8_t in8(struct bus *bus, uint64_t port)
{
	return (uint8_t)bus_read(bus, port, 1);
}

static inline void out8(struct bus *bus, uint64_t port, uint8_t value)
{
	bus_write(bus, port, 1, value);
}

/* --- The loop. ----------------------------------------------------------------------------- */

struct fake_wait {
	struct loop *loop;
	struct loop_timer timer;
	bool (*until)(void *ctx);
	void *ctx;
	uint64_t deadline;
	bool happened;
};

static inline void fake_wait_fired(struct loop_timer *timer)
{
	struct fake_wait *wait = container_of(timer, struct fake_wait, timer);

	wait->happened = wait->until && wait->until(wait->ctx);
	if (wait->happened || loop_now() >= wait->deadline)
		loop_stop(wait->loop);
	else
		loop_timer_set(wait->loop, timer, loop_now() + NSEC_PER_MSEC / 2);
}

/* Runs the loop until @until says true. False when it did not within @ms. */
static inline bool run_until(struct loop *loop, bool (*until)(void *ctx), void *ctx,
			     unsigned int ms)
{
	struct fake_wait wait = {
		.loop = loop,
		.timer = {.fired = fake_wait_fired},
		.until = until,
		.ctx = ctx,
		.deadline = loop_now() + ms * NSEC_PER_MSEC,
	};

	loop_timer_set(loop, &wait.timer, 0);
	ck_assert_int_eq(loop_run(loop), 0);
	loop_timer_cancel(loop, &wait.timer);
	return wait.happened;
}

static inline void run_for(struct loop *loop, unsigned int ms)
{
	run_until(loop, NULL, NULL, ms);
}

static inline bool flag_is_set(void *ctx)
{
	return *(bool *)ctx;
}

static inline void set_flag(void *ctx)
{
	*(bool *)ctx = true;
}

static inline struct loop *new_loop(void)
{
	struct loop *loop;
	struct error err;

	ck_assert_msg(loop_create(64, &err, &loop) == 0, "%s", err.text);
	return loop;
}

/* --- Several vCPUs. ------------------------------------------------------------------------ */

struct fake_hammer {
	struct bus *bus;
	struct loop *loop;
	const uint16_t *ports;
	size_t count;
	_Atomic uint32_t seed;
	_Atomic unsigned int running;
};

static inline void *fake_hammer_thread(void *ctx)
{
	struct fake_hammer *h = ctx;
	uint32_t x = atomic_fetch_add(&h->seed, 1);

	for (unsigned int i = 0; i < 10000; i++) {
		uint16_t port;

		x = x * 1664525 + 1013904223;
		port = h->ports[(x >> 8) % h->count];
		if (x >> 31)
			out8(h->bus, port, (uint8_t)(x >> 16));
		else
			in8(h->bus, port);
	}
	if (atomic_fetch_sub(&h->running, 1) == 1)
		loop_stop(h->loop);
	return NULL;
}

/* Two threads at random registers while the loop runs: for the thread sanitizer, mostly. */
static inline void hammer(struct loop *loop, struct bus *bus, const uint16_t *ports, size_t count)
{
	struct fake_hammer h = {
		.bus = bus, .loop = loop, .ports = ports, .count = count, .seed = 1, .running = 2};
	pthread_t threads[2];

	for (unsigned int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, fake_hammer_thread, &h), 0);
	ck_assert_int_eq(loop_run(loop), 0);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}
