// SPDX-License-Identifier: MIT
/*
 * The edit distance behind "did you mean" (optimal string alignment). No state; any thread.
 */
#include "vmm/suggest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Only three rows of the matrix are alive at a time: @i - 2, @i - 1 and @i. */
static unsigned int distance(const char *a, const char *b)
{
	size_t alen = strlen(a), blen = strlen(b);
	unsigned int rows[3][SUGGEST_MAX];
	size_t i, j;

	for (j = 0; j <= blen; j++)
		rows[0][j] = (unsigned int)j;
	for (i = 1; i <= alen; i++) {
		unsigned int *row = rows[i % 3];
		const unsigned int *above = rows[(i - 1) % 3];

		row[0] = (unsigned int)i;
		for (j = 1; j <= blen; j++) {
			unsigned int d = above[j - 1] + !same(a[i - 1], b[j - 1]);

			d = min_of(d, above[j] + 1);
			d = min_of(d, row[j - 1] + 1);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
				d = min_of(d, rows[(i - 2) % 3][j - 2] + 1);
			row[j] = d;
		}
	}
	return rows[alen % 3][blen];
}

void suggest_init(struct suggest *s, const char *word)
{
	size_t len = strlen(word);

	memset(s, 0, sizeof(*s));
	if (len >= sizeof(s->word))
		return;
	memcpy(s->word, word, len);
	s->distance = (unsigned int)max_of(len / 3, (size_t)1) + 1;
}

void suggest_offer(struct suggest *s, const char *candidate)
{
	size_t len = strlen(candidate);
	unsigned int d;

	if (!s->word[0] || len == 0 || len >= sizeof(s->best))
		return;
	d = distance(s->word, candidate);
	if (d < s->distance) {
		s->distance = d;
		memcpy(s->best, candidate, len + 1);
	}
}

const char *suggest_best(const struct suggest *s)
{
	return s->best[0] ? s->best : NULL;
}
