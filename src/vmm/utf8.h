// SPDX-License-Identifier: MIT
/*
 * UTF-8, as RFC 3629 has it: no overlong forms, no surrogates, nothing beyond U+10FFFF. No state.
 */
#pragma once

#include "vmm/base.h"

/* The length of the character at @p, 1 to 4, or 0 when there is no valid one. @p < @end. */
size_t utf8_len(const char *p, const char *end);

/* Writes the character @c (at most 0x10ffff) to @out, which has room for 4; returns its length. */
size_t utf8_put(uint32_t c, char *out);

bool utf8_valid(const char *text, size_t len);
