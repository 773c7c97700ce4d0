// SPDX-License-Identifier: MIT
/*
 * Contents that say where they belong and when they were written: 64 words made of one, which is a
 * mark, the generation and the unit.
 */
#include "pattern.h"

#include <string.h>

#define WORDS (PATTERN_UNIT / 8)
#define MARK  0xa5ull

static uint64_t first_word(uint64_t unit, uint32_t generation)
{
	return MARK << 56 | (uint64_t)generation << 32 | unit;
}

static uint64_t word(uint64_t first, unsigned int i)
{
	return first ^ (uint64_t)i * 0x9e3779b97f4a7c15u;
}

void pattern_fill(void *buf, uint64_t unit, uint64_t count, uint32_t generation)
{
	uint64_t *p = buf;

	if (generation == 0) {
		memset(buf, 0, count * PATTERN_UNIT);
		return;
	}
	for (; count > 0; count--, unit++)
		for (unsigned int i = 0; i < WORDS; i++)
			*p++ = word(first_word(unit, generation), i);
}

enum pattern_kind pattern_decode(const void *buf, uint64_t unit, uint64_t *ret_unit,
				 uint32_t *ret_generation)
{
	uint64_t words[WORDS], first;

	memcpy(words, buf, sizeof(words));
	first = words[0];
	*ret_unit = unit;
	*ret_generation = (uint32_t)(first >> 32 & 0xffffff);
	if (first == 0) {
		for (unsigned int i = 1; i < WORDS; i++)
			if (words[i] != 0)
				return PATTERN_GARBAGE;
		return PATTERN_GOOD;
	}
	if (first >> 56 != MARK)
		return PATTERN_GARBAGE;
	for (unsigned int i = 1; i < WORDS; i++)
		if (words[i] != word(first, i))
			return PATTERN_GARBAGE;
	*ret_unit = first & UINT32_MAX;
	return *ret_unit == unit ? PATTERN_GOOD : PATTERN_ELSEWHERE;
}
