// SPDX-License-Identifier: MIT
/*
 * Memory for the tests themselves, which never runs out, and memory that does, on request, for what
 * is tested: the programs here are linked with --wrap for malloc() and its relatives.
 *
 * One thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);

/*
 * From now on the @nth allocation (from 1) of what is tested fails; all after it as well when
 * @forever. 0: none fails.
 */
void memory_fail(uint64_t nth, int forever);
/* Whether one failed since. */
int memory_failed(void);
/* None fails and none is counted until memory_resume() of what memory_pause() returned. */
uint64_t memory_pause(void);
void memory_resume(uint64_t paused);
