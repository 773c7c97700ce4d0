// SPDX-License-Identifier: MIT
/*
 * The part of <string.h> that a guest needs. The compiler calls some of these on its own.
 *
 * Copying and filling are single rep instructions: where ring 0 is emulated, a loop is a hundred
 * times slower.
 */
#pragma once

#include "kit/base.h"

void *memcpy(void *to, const void *from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t len);

/* True when all @len bytes are @byte. */
bool memory_is(const void *p, uint8_t byte, size_t len);
