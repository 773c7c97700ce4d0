// SPDX-License-Identifier: MIT
/*
 * Counts of allocations and io_uring_enter() in one program: what its own code calls goes through
 * the linker's wrappers here (counted_link_args in meson.build), what libraries call inside does
 * not. To be included by one file of a program.
 */
#pragma once

#include <liburing.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

static _Atomic uint64_t counted_allocations, counted_enters;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
int __real_posix_memalign(void **ret, size_t alignment, size_t size);
int __real_io_uring_submit(struct io_uring *ring);
int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned int n);
int __real_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
					    unsigned int n, struct __kernel_timespec *ts,
					    sigset_t *mask);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
int __wrap_posix_memalign(void **ret, size_t alignment, size_t size);
int __wrap_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned int n);
int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
					    unsigned int n, struct __kernel_timespec *ts,
					    sigset_t *mask);

void *__wrap_malloc(size_t size)
{
	atomic_fetch_add(&counted_allocations, 1);
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	atomic_fetch_add(&counted_allocations, 1);
	return __real_calloc(n, size);
}

int __wrap_posix_memalign(void **ret, size_t alignment, size_t size)
{
	atomic_fetch_add(&counted_allocations, 1);
	return __real_posix_memalign(ret, alignment, size);
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
	atomic_fetch_add(&counted_enters, 1);
	return __real_io_uring_submit(ring);
}

int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned int n)
{
	atomic_fetch_add(&counted_enters, 1);
	return __real_io_uring_submit_and_wait(ring, n);
}

int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
					    unsigned int n, struct __kernel_timespec *ts,
					    sigset_t *mask)
{
	atomic_fetch_add(&counted_enters, 1);
	return __real_io_uring_submit_and_wait_timeout(ring, cqe, n, ts, mask);
}
