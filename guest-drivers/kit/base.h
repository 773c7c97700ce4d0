// SPDX-License-Identifier: MIT
/*
 * Types and small macros for everything that runs inside a test guest. No state.
 *
 * A guest may not include the host's headers (only the pure *_proto.h ones), so the few helpers
 * that both sides want are repeated here.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define BIT(n) (1ull << (n))
#define KiB(n) ((uint64_t)(n) << 10)
#define MiB(n) ((uint64_t)(n) << 20)
#define GiB(n) ((uint64_t)(n) << 30)

#define PAGE_SIZE 4096ull

#define __packed            __attribute__((packed))
#define no_return           __attribute__((noreturn))
#define printf_like(fmt, a) __attribute__((format(printf, fmt, a)))

/* Alignment must be a power of two. */
static inline uint64_t align_down(uint64_t v, uint64_t alignment)
{
	return v & ~(alignment - 1);
}

static inline uint64_t align_up(uint64_t v, uint64_t alignment)
{
	return align_down(v + alignment - 1, alignment);
}

/* The compiler may neither cache nor move memory accesses across this. */
#define barrier() __asm__ volatile("" ::: "memory")

/* Single-copy accesses to what another CPU, an interrupt handler or the host changes. */
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define load_acquire(p)     __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define atomic_inc(p)       __atomic_fetch_add(p, 1, __ATOMIC_SEQ_CST)

/* Guest physical memory is mapped one to one. The compiler may not reason about low addresses. */
static inline void *pa_ptr(uint64_t pa)
{
	__asm__("" : "+r"(pa));
	return (void *)(uintptr_t)pa;
}
