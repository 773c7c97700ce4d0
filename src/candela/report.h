// SPDX-License-Identifier: MIT
/*
 * A report: facts in groups, as aligned text for people or as one JSON object for machines.
 *
 * Both forms come from the same calls. In JSON, a group is an object and a row a member of it;
 * "missing" lists the rows that have a cost. In text, a cost stands beside its row.
 *
 * Text is written at once, JSON by report_destroy(). One thread.
 */
#pragma once

#include <stdio.h>

#include "vmm/base.h"

enum report_form { REPORT_TEXT, REPORT_JSON };

enum report_kind {
	REPORT_UNKNOWN, /* null */
	REPORT_YES_NO,
	REPORT_COUNT,
	REPORT_LEVEL, /* a count, whose 0 people read as "no" */
	REPORT_BYTES, /* a number; 2 KiB for people */
	REPORT_STRING,
	REPORT_WORDS, /* words with blanks between them: an array of strings */
};

struct report_value {
	enum report_kind kind;
	uint64_t number;
	const char *text; /* strings and words; of counts the unit, for people only, or NULL */
};

static inline struct report_value report_unknown(void)
{
	return (struct report_value){.kind = REPORT_UNKNOWN};
}

static inline struct report_value report_yes_no(bool yes)
{
	return (struct report_value){.kind = REPORT_YES_NO, .number = yes};
}

static inline struct report_value report_count(uint64_t number, const char *unit)
{
	return (struct report_value){.kind = REPORT_COUNT, .number = number, .text = unit};
}

static inline struct report_value report_level(uint64_t number)
{
	return (struct report_value){.kind = REPORT_LEVEL, .number = number};
}

static inline struct report_value report_bytes(uint64_t number)
{
	return (struct report_value){.kind = REPORT_BYTES, .number = number};
}

/* NULL and "" are unknown. */
static inline struct report_value report_string(const char *text)
{
	if (!text || !*text)
		return report_unknown();
	return (struct report_value){.kind = REPORT_STRING, .text = text};
}

/* "" is an empty list: people read "none". */
static inline struct report_value report_words(const char *text)
{
	return (struct report_value){.kind = REPORT_WORDS, .text = text};
}

struct report;

/* NULL: no memory. */
struct report *report_create(enum report_form form, FILE *out);

/* Ends the report. False when it could not be written in full. NULL is fine. */
bool report_destroy(struct report *r);

/* Rows go into the last group. Keys are for programs, stable. No text need outlive the call. */
void report_group(struct report *r, const char *key, const char *title);

/* @cost: what it costs that the value is as it is; NULL when it is fine. */
void report_row(struct report *r, const char *key, const char *label, struct report_value value,
		const char *cost);

/* A row whose value means that nothing works; @cost as above, but must be there. */
void report_fatal(struct report *r, const char *key, const char *label, struct report_value value,
		  const char *cost);
