// SPDX-License-Identifier: MIT
/*
 * UTF-8 (RFC 3629, section 4: the table of well-formed byte sequences). No state; any thread.
 */
#include "vmm/utf8.h"

size_t utf8_len(const char *p, const char *end)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t i, len, left = (size_t)(end - p);
	unsigned char low = 0x80, high = 0xbf;

	if (u[0] < 0x80)
		return 1;
	if (u[0] < 0xc2 || u[0] > 0xf4)
		return 0;
	len = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	if (u[0] == 0xe0)
		low = 0xa0; /* overlong */
	else if (u[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (u[0] == 0xf0)
		low = 0x90; /* overlong */
	else if (u[0] == 0xf4)
		high = 0x8f; /* beyond U+10FFFF */
	if (left < len || u[1] < low || u[1] > high)
		return 0;
	for (i = 2; i < len; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

bool utf8_valid(const char *text, size_t len)
{
	const char *p = text, *end = text + len;

	while (p < end) {
		size_t n = utf8_len(p, end);

		if (n == 0)
			return false;
		p += n;
	}
	return true;
}

size_t utf8_put(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}
