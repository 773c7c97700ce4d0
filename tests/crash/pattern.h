// SPDX-License-Identifier: MIT
/*
 * Contents that say where they belong and when they were written. The unit is 512 bytes, the
 * smallest that a disk writes at once. Zero bytes are generation 0.
 */
#pragma once

#include "vmm/base.h"

#define PATTERN_UNIT 512u

/* Generations are below 2^24, units below 2^32. */
void pattern_fill(void *buf, uint64_t unit, uint64_t count, uint32_t generation);

enum pattern_kind { PATTERN_GOOD, PATTERN_ELSEWHERE, PATTERN_GARBAGE };

/* ELSEWHERE: the contents of unit *ret_unit. GARBAGE: no unit's, or torn inside. */
enum pattern_kind pattern_decode(const void *buf, uint64_t unit, uint64_t *ret_unit,
				 uint32_t *ret_generation);
