// SPDX-License-Identifier: MIT
/* A chart over time, as SVG: lines and areas, two scales. And text for HTML. No state. */
#pragma once

#include <stdio.h>

#include "vmm/base.h"

#define CHART_LINES 4

struct chart_line {
	const char *label, *style; /* a class of the page's style sheet: "c1" to "c4" */
	const double *values;      /* one for each time */
	bool area, right;          /* filled; by the scale on the right */
};

struct chart {
	const char *title;        /* any text */
	const char *left, *right; /* what the scales measure; right may be NULL */
	const uint64_t *times_ms;
	size_t n;
	struct chart_line lines[CHART_LINES];
	size_t line_count;
	double mark; /* a horizontal line on the scale of the last line; 0: none */
};

void chart_write(FILE *out, const struct chart *chart);

/* "14:05", "3d 14:05" for long spans; times of day are UTC. */
void chart_time(uint64_t time_ms, uint64_t span_ms, char buf[32]);

/* Any bytes as text inside HTML: what is special is quoted, what is no text becomes "?". */
void html_text(FILE *out, const char *text);
