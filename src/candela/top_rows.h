// SPDX-License-Identifier: MIT
/*
 * The lines of candela top: what is shown of a VM, from its status and a sample of its counters
 * (stat_rates.h), in which order, and as text. No state; any thread.
 */
#pragma once

#include <json-c/json.h>

#include "vmm/base.h"

enum top_state { TOP_ANSWERS, TOP_SILENT };

struct top_row {
	char name[64];
	enum top_state state;
	char word[12];                                       /* "running" */
	double cpu, guest, hypervisor, exits;                /* NAN: unknown */
	double disk_ios, disk_bytes, net_packets, net_bytes; /* likewise; a second */
	uint64_t assigned, demand, pressure;                 /* UINT64_MAX: unknown */
	char heartbeat[8];
};

/* @status and @sample may be NULL: it has not answered, or not twice yet. */
void top_row_read(struct top_row *row, const char *name, struct json_object *status,
		  struct json_object *sample);

/* By what rows are in order: the largest first, names the other way. 0: there is no such key. */
#define TOP_KEYS "cmdneN"
const char *top_key_name(char key);
void top_sort(struct top_row *rows, size_t count, char key);

/* Lines without an end, cut off at @width columns. */
#define TOP_LINE 192
void top_head(char buf[TOP_LINE], size_t width);
void top_row_text(const struct top_row *row, char buf[TOP_LINE], size_t width);
/* All of them together. */
void top_summary(const struct top_row *rows, size_t count, char key, char buf[TOP_LINE],
		 size_t width);
