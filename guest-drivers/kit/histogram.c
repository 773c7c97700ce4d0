// SPDX-License-Identifier: MIT
/* See histogram.h. Values below 16 have a bucket each, larger ones 16 to each power of two. */
#include "kit/histogram.h"

static unsigned int bucket_of(uint64_t value)
{
	unsigned int shift;

	if (value < 16)
		return (unsigned int)value;
	shift = 59 - (unsigned int)__builtin_clzll(value); /* brings it to 16..31 */
	return 16 * (shift + 1) + (unsigned int)(value >> shift & 15);
}

/* The largest value of a bucket. */
static uint64_t end_of(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < 16)
		return bucket;
	shift = bucket / 16 - 1;
	return ((uint64_t)(16 + bucket % 16) << shift) + (BIT(shift) - 1);
}

void histogram_add(struct histogram *h, uint64_t value)
{
	h->count++;
	h->sum += value;
	h->max = value > h->max ? value : h->max;
	h->buckets[bucket_of(value)]++;
}

uint64_t histogram_quantile(const struct histogram *h, unsigned int permille)
{
	uint64_t want = (h->count * permille + 999) / 1000, seen = 0;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen >= want && seen)
			return end_of(i) < h->max ? end_of(i) : h->max;
	}
	return h->max;
}

uint64_t histogram_mean(const struct histogram *h)
{
	return h->count ? h->sum / h->count : 0;
}
