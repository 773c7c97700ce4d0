// SPDX-License-Identifier: MIT
/*
 * Memory that runs out on request. State: what memory_fail() set, of the program's one thread.
 */
#include "memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* The linker's names, for --wrap. */
// NOLINTBEGIN
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **ret, size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_posix_memalign(void **ret, size_t alignment, size_t size);
// NOLINTEND

static uint64_t fail_at, counted;
static bool fail_forever, failed;

static bool fails(void)
{
	if (!fail_at)
		return false;
	counted++;
	if (counted < fail_at || (counted > fail_at && !fail_forever))
		return false;
	failed = true;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

int __wrap_posix_memalign(void **ret, size_t alignment, size_t size)
{
	return fails() ? ENOMEM : __real_posix_memalign(ret, alignment, size);
}

static void *must(void *p)
{
	if (!p) {
		fputs("out of memory\n", stderr);
		abort();
	}
	return p;
}

void *xcalloc(size_t count, size_t size)
{
	return must(__real_calloc(count, size ? size : 1));
}

void *xrealloc(void *old, size_t size)
{
	return must(__real_realloc(old, size ? size : 1));
}

void memory_fail(uint64_t nth, int forever)
{
	fail_at = nth;
	fail_forever = forever;
	counted = 0;
	failed = false;
}

int memory_failed(void)
{
	return failed;
}

uint64_t memory_pause(void)
{
	uint64_t nth = fail_at;

	fail_at = 0;
	return nth;
}

void memory_resume(uint64_t paused)
{
	fail_at = paused;
}
