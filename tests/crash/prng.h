// SPDX-License-Identifier: MIT
/*
 * Numbers that look random and are the same for the same seed everywhere (splitmix64).
 */
#pragma once

#include "vmm/base.h"

struct prng {
	uint64_t state;
};

static inline uint64_t prng_next(struct prng *p)
{
	uint64_t z = p->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* In [0, n); @n is not 0. */
static inline uint64_t prng_below(struct prng *p, uint64_t n)
{
	return prng_next(p) % n;
}

/* True once in @n times. */
static inline bool prng_once_in(struct prng *p, uint64_t n)
{
	return prng_below(p, n) == 0;
}
