// SPDX-License-Identifier: MIT
/*
 * Counters: what happened, how often, and at what cost. Readable live from any thread.
 *
 * The owner only ever adds; nobody resets. Readers take differences of two readings, so there is no
 * race between counting and reporting. All accesses are relaxed: a counter orders nothing.
 */
#pragma once

#include <stdatomic.h>

#include "vmm/base.h"

struct counter {
	_Atomic uint64_t value;
};

/* For a counter that one thread alone writes: no locked instruction. */
static inline void counter_add(struct counter *c, uint64_t n)
{
	uint64_t v = atomic_load_explicit(&c->value, memory_order_relaxed);

	atomic_store_explicit(&c->value, v + n, memory_order_relaxed);
}

/* For a counter that several threads write. */
static inline void counter_add_shared(struct counter *c, uint64_t n)
{
	atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed);
}

static inline uint64_t counter_get(const struct counter *c)
{
	return atomic_load_explicit(&c->value, memory_order_relaxed);
}
