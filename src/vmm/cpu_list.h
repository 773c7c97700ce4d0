// SPDX-License-Identifier: MIT
/*
 * Lists of the host's logical processors, or of its NUMA nodes, as Linux and people write them:
 * "0-3,8". cpuset(7), "List format". No state; any thread.
 */
#pragma once

#include <sched.h>

#include "vmm/error.h"

/* Room for any list, with its NUL; every second number would need as much. */
#define CPU_LIST_TEXT_MAX 4096

/*
 * Reads the @len bytes at @text: numbers and ranges, in any order, with a line end or not. -EINVAL:
 * not a list, an empty one or a range that goes down; -ERANGE: a number that does not fit a
 * cpu_set_t.
 */
int cpu_list_parse(const char *text, size_t len, cpu_set_t *ret) must_check;

/* Writes the list, which is empty for an empty set; true when @buf had room for it all. */
bool cpu_list_print(const cpu_set_t *set, char *buf, size_t size);

/* Is all of @inner in @outer? */
bool cpu_list_within(const cpu_set_t *inner, const cpu_set_t *outer);
