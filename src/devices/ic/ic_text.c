// SPDX-License-Identifier: MIT
/*
 * UTF-8 to UTF-16 and back. No state.
 */
#include "devices/ic/ic_text.h"

#include <string.h>

#include "vmm/utf8.h"

#define NO_CHARACTER 0xfffdu

/* The character at *p, which is moved past it. */
static uint32_t next_utf8(const char **p, const char *end)
{
	static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	const size_t len = utf8_len(*p, end);
	uint32_t c;

	if (len == 0) {
		++*p;
		return NO_CHARACTER;
	}
	c = (uint8_t) * *p & masks[len];
	for (size_t i = 1; i < len; i++)
		c = c << 6 | ((uint8_t)(*p)[i] & 0x3f);
	*p += len;
	return c;
}

static void put_unit(uint8_t *out, uint32_t unit)
{
	out[0] = (uint8_t)unit;
	out[1] = (uint8_t)(unit >> 8);
}

size_t ic_text_encode(const char *text, uint8_t *out, size_t size)
{
	const char *p = text, *end = text + strlen(text);
	size_t at = 0;

	while (p < end) {
		const uint32_t c = next_utf8(&p, end);
		const size_t len = c > 0xffff ? 4 : 2;

		if (at + len + 2 > size)
			break;
		if (len == 4) {
			put_unit(out + at, 0xd800 + ((c - 0x10000) >> 10));
			put_unit(out + at + 2, 0xdc00 + ((c - 0x10000) & 0x3ff));
		} else {
			put_unit(out + at, c);
		}
		at += len;
	}
	put_unit(out + at, 0);
	return at + 2;
}

size_t ic_text_size(const char *text)
{
	const char *p = text, *end = text + strlen(text);
	size_t size = 2;

	while (p < end)
		size += next_utf8(&p, end) > 0xffff ? 4 : 2;
	return size;
}

static uint32_t unit_at(const uint8_t *in)
{
	return in[0] | (uint32_t)in[1] << 8;
}

/* The character at @in, and how many bytes it is; @len is at least 2. */
static uint32_t next_utf16(const uint8_t *in, size_t len, size_t *ret_len)
{
	const uint32_t high = unit_at(in);
	uint32_t low;

	*ret_len = 2;
	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || len < 4)
		return NO_CHARACTER;
	low = unit_at(in + 2);
	if (low < 0xdc00 || low > 0xdfff)
		return NO_CHARACTER;
	*ret_len = 4;
	return 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
}

static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

void ic_text_decode(const uint8_t *in, size_t len, char *out, size_t size)
{
	size_t at = 0, step;

	for (size_t i = 0; i + 2 <= len; i += step) {
		uint32_t c = next_utf16(in + i, len - i, &step);
		char bytes[4];
		size_t n;

		if (c == 0)
			break;
		n = utf8_put(is_control(c) ? NO_CHARACTER : c, bytes);
		if (at + n + 1 > size)
			break;
		memcpy(out + at, bytes, n);
		at += n;
	}
	out[at] = '\0';
}
