// SPDX-License-Identifier: MIT
/*
 * The contents of a file in memory: sparse, and cheap to copy, because copies share what neither of
 * them has written. What was never written reads as zero.
 *
 * One thread.
 */
#pragma once

#include "vmm/base.h"

struct pages_chunk;

struct pages {
	uint64_t size;
	size_t chunk_count;
	struct pages_chunk **chunks; /* by offset; NULL: all zero */
};

/* An empty file is all zeros: struct pages p = {}. */
void pages_finish(struct pages *pages);
void pages_copy(struct pages *to, const struct pages *from);

/* Past the end reads as zero. */
void pages_read(const struct pages *pages, void *buf, size_t len, uint64_t offset);
/* These do not change the size; what is past it stays hidden until pages_set_size(). */
void pages_write(struct pages *pages, const void *buf, size_t len, uint64_t offset);
/* As pages_write() of what @from has there; whole pages are shared. */
void pages_take(struct pages *pages, const struct pages *from, uint64_t offset, uint64_t len);
void pages_zero(struct pages *pages, uint64_t offset, uint64_t len);
/* The same, with memory behind it: no hole. */
void pages_zero_kept(struct pages *pages, uint64_t offset, uint64_t len);
/* What is past the new size is gone. */
void pages_cut(struct pages *pages, uint64_t size);
/* How many bytes from @offset on are all backed by memory (*ret_data), or all are not. */
uint64_t pages_extent(const struct pages *pages, uint64_t offset, bool *ret_data);
