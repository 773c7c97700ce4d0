// SPDX-License-Identifier: MIT
/*
 * What a test found: how often something was wrong, and the first time in words.
 */
#pragma once

#include "vmm/base.h"

struct verdict {
	uint64_t failures;
	char first[1024];
	char context[512]; /* put in front of the words */
};

void verdict_fail(struct verdict *verdict, const char *fmt, ...) printf_like(2, 3);
