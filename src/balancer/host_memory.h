// SPDX-License-Identifier: MIT
/*
 * What the host says of its memory: /proc/meminfo, the time that tasks wait for it
 * (/proc/pressure/memory), and pages swapped out (/proc/vmstat). Read anew each time; the parsers
 * take any text. No state but what the caller keeps; any thread.
 */
#pragma once

#include "vmm/error.h"

struct host_memory {
	uint64_t total, available; /* bytes */
	uint64_t swap_total, swap_free;
	uint64_t swapped_out; /* pages, since the host started */
	uint32_t some, full;  /* percent x 100 of the last 10 s that some, that all waited */
	bool has_stall;       /* the kernel says how long they waited */
};

/*
 * Parses add to @m; what is not there is left. -EINVAL: /proc/meminfo without total or available
 * memory, or with more available than there is.
 */
int host_memory_parse_meminfo(struct host_memory *m, const char *text, size_t len) must_check;
void host_memory_parse_stall(struct host_memory *m, const char *text, size_t len);
void host_memory_parse_vmstat(struct host_memory *m, const char *text, size_t len);

/* Reads all three. @root stands in front of each path: "" for this host, a directory in tests. */
int host_memory_read(struct host_memory *m, const char *root, struct error *err) must_check;
