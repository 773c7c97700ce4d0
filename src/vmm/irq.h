// SPDX-License-Identifier: MIT
/*
 * Interrupt lines as devices see them. A device never sees a KVM file descriptor.
 *
 * Any thread may drive a line; a line may be driven by several. Level lines remember their level so
 * that repeating it costs nothing.
 */
#pragma once

#include <stdatomic.h>

#include "vmm/base.h"

struct irq_line;

struct irq_line_ops {
	/* Mandatory. Level: true raised, false lowered; edge lines are only ever pulsed. */
	void (*set)(struct irq_line *line, bool level);
	void (*pulse)(struct irq_line *line);
};

/* Embedded in whatever implements it: the interrupt controller, or a test's recorder. */
struct irq_line {
	const struct irq_line_ops *ops;
	_Atomic bool level;
};

/* Level-triggered lines. */
static inline void irq_line_set(struct irq_line *line, bool level)
{
	if (atomic_exchange(&line->level, level) != level)
		line->ops->set(line, level);
}

/* Edge-triggered lines. */
static inline void irq_line_pulse(struct irq_line *line)
{
	line->ops->pulse(line);
}
