// SPDX-License-Identifier: MIT
/*
 * What the tests of the PC devices share: an interrupt line that records, and running the real loop
 * until something has happened.
 */
#pragma once

#include <check.h>
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
