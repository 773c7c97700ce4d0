// SPDX-License-Identifier: MIT
/*
 * Text out of the guest: COM1, polled, and a small printf.
 *
 * Any CPU may print, also from exception handlers; each call comes out in one piece. The port is
 * set up by the first call, so nothing touches it before a guest's early_main() has looked at it.
 */
#pragma once

#include "kit/base.h"

#define COM1 0x3f8

/*
 * Understands %d %u %x %c %s %p %%, the flags - and 0, a width, .precision for %s, and the sizes
 * l, ll, z. Returns the length without the terminating zero; truncates at @size - 1.
 */
size_t format_text(char *buf, size_t size, const char *fmt, ...) printf_like(3, 4);
size_t format_text_va(char *buf, size_t size, const char *fmt, va_list args) printf_like(3, 0);

/* Longer output is cut off at CONSOLE_LINE_MAX. */
#define CONSOLE_LINE_MAX 384
void print(const char *fmt, ...) printf_like(1, 2);
void print_va(const char *fmt, va_list args) printf_like(1, 0);

/* Sets COM1 up again after a test has used it for something else. */
void console_reset(void);
