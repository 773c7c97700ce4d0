// SPDX-License-Identifier: MIT
/*
 * Errors on their way to a user: one line saying what failed, on which object, and what to do.
 *
 * A function that can fail because of something a user gave it (a file, an option, the host) takes
 * a `struct error *` and fills it once, at the place that knows most; callers pass it on. Only the
 * program (src/candela) prints it. The return value stays 0 or -errno for code to decide on.
 */
#pragma once

#include "vmm/base.h"

struct error {
	char text[512];
};

/* Formats the line into @err (which may be NULL) and returns @code, a negative errno. */
int error_set(struct error *err, int code, const char *fmt, ...) printf_like(3, 4);

/* As error_set(), with ": " and the text of -@code behind it. */
int error_errno(struct error *err, int code, const char *fmt, ...) printf_like(3, 4);

/* Puts "context: " in front of a text that is already there. */
void error_prefix(struct error *err, const char *fmt, ...) printf_like(2, 3);
