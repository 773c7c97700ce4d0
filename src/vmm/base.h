// SPDX-License-Identifier: MIT
/*
 * Small helpers that every file may use. No state, no dependencies.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* clang-format takes (ptr) for a cast. */
// clang-format off
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
// clang-format on

#define KiB(n) ((uint64_t)(n) << 10)
#define MiB(n) ((uint64_t)(n) << 20)
#define GiB(n) ((uint64_t)(n) << 30)

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_USEC 1000ull

#define PAGE_SIZE  4096u
#define PAGE_SHIFT 12u

#define must_check             __attribute__((warn_unused_result))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

#define min_of(a, b)                                                                               \
	({                                                                                         \
		__typeof__(a) min_a_ = (a);                                                        \
		__typeof__(b) min_b_ = (b);                                                        \
		min_a_ < min_b_ ? min_a_ : min_b_;                                                 \
	})

#define max_of(a, b)                                                                               \
	({                                                                                         \
		__typeof__(a) max_a_ = (a);                                                        \
		__typeof__(b) max_b_ = (b);                                                        \
		max_a_ > max_b_ ? max_a_ : max_b_;                                                 \
	})

/* Alignment must be a power of two. align_up() wraps to 0 past UINT64_MAX: check first. */
static inline uint64_t align_down(uint64_t v, uint64_t alignment)
{
	return v & ~(alignment - 1);
}

static inline uint64_t align_up(uint64_t v, uint64_t alignment)
{
	return align_down(v + alignment - 1, alignment);
}

static inline bool is_aligned(uint64_t v, uint64_t alignment)
{
	return (v & (alignment - 1)) == 0;
}

/* True, and *ret set, when a + b does not wrap. */
static inline bool checked_add(uint64_t a, uint64_t b, uint64_t *ret)
{
	return !__builtin_add_overflow(a, b, ret);
}

/* True when [start, start + len) lies inside [0, limit), without computing start + len. */
static inline bool range_within(uint64_t start, uint64_t len, uint64_t limit)
{
	return start <= limit && len <= limit - start;
}
