// SPDX-License-Identifier: MIT
/* See string.h. */
#include "kit/string.h"

void *memcpy(void *to, const void *from, size_t len)
{
	void *d = to;

	__asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(len) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t len)
{
	if ((uintptr_t)to - (uintptr_t)from >= len)
		return memcpy(to, from, len);

	char *d = (char *)to + len - 1;
	const char *s = (const char *)from + len - 1;

	__asm__ volatile("std; rep movsb; cld" : "+D"(d), "+S"(s), "+c"(len) : : "memory", "cc");
	return to;
}

void *memset(void *to, int byte, size_t len)
{
	void *d = to;

	__asm__ volatile("rep stosb" : "+D"(d), "+c"(len) : "a"(byte) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const uint8_t *x = a, *y = b;

	for (; len; len--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t len)
{
	for (; len && *a && *a == *b; len--)
		a++, b++;
	return len ? (uint8_t)*a - (uint8_t)*b : 0;
}

bool memory_is(const void *p, uint8_t byte, size_t len)
{
	bool same = true;

	/* repe scasb: ZF stays set while bytes match; with len 0 nothing is compared. */
	if (len)
		__asm__ volatile("repe scasb"
				 : "+D"(p), "+c"(len), "=@ccz"(same)
				 : "a"(byte)
				 : "memory");
	return same;
}
