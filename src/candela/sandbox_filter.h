// SPDX-License-Identifier: MIT
/*
 * What sandbox_compile.c makes: a filter for each kind of thread, whose answer to all that is not
 * allowed is SECCOMP_RET_TRAP, and the names of system calls. Constant data; any thread.
 */
#pragma once

#include <linux/filter.h>
#include <stddef.h>

#include "candela/sandbox_kind.h"

struct sandbox_filter {
	const struct sock_filter *rows;
	unsigned short count;
};

extern const struct sandbox_filter sandbox_filters[SANDBOX_KINDS];

/* By number; NULL where there is none. */
extern const char *const sandbox_call_names[];
extern const size_t sandbox_call_name_count;
