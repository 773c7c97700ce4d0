// SPDX-License-Identifier: MIT
/*
 * Text of integration services: UTF-16, little-endian, ended by a zero. No state.
 */
#pragma once

#include "vmm/base.h"

/*
 * Writes @text, which is UTF-8, with a terminating zero to @out of @size bytes (an even number, not
 * 0); what does not fit is cut off between characters, and what is not UTF-8 becomes U+FFFD. The
 * bytes written, with the zero.
 */
size_t ic_text_encode(const char *text, uint8_t *out, size_t size);

/* The bytes that it takes, with the zero. */
size_t ic_text_size(const char *text);

/*
 * Writes the @len bytes at @in, up to a zero if there is one, as UTF-8 with a terminating zero to
 * @out of @size bytes; cut off likewise, and what is no character becomes U+FFFD. Control
 * characters become U+FFFD, too: this ends up on terminals.
 */
void ic_text_decode(const uint8_t *in, size_t len, char *out, size_t size);
