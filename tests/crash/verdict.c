// SPDX-License-Identifier: MIT
/*
 * What a test found.
 */
#include "verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void verdict_fail(struct verdict *verdict, const char *fmt, ...)
{
	va_list args;
	size_t len;

	if (verdict->failures++)
		return;
	snprintf(verdict->first, sizeof(verdict->first), "%s%s", verdict->context,
		 verdict->context[0] ? ": " : "");
	len = strlen(verdict->first);
	va_start(args, fmt);
	vsnprintf(verdict->first + len, sizeof(verdict->first) - len, fmt, args);
	va_end(args);
}
