// SPDX-License-Identifier: MIT
/*
 * Many measured values in little memory: counts in buckets whose width is a sixteenth of the value,
 * so quantiles are exact to about 6 percent. One writer; read when it is done.
 */
#pragma once

#include "kit/base.h"

#define HISTOGRAM_BUCKETS (61 * 16)

struct histogram {
	uint64_t count, sum, max;
	uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);
/* The value below or at which @permille of all are: the upper end of its bucket, at most max. */
uint64_t histogram_quantile(const struct histogram *h, unsigned int permille);
/* Zero for none. */
uint64_t histogram_mean(const struct histogram *h);
