// SPDX-License-Identifier: MIT
/*
 * The latest bytes of a stream. Bytes are known by their position in the stream, so that each
 * reader has only that to remember; what a reader comes too late for is gone.
 *
 * No locks: the owner's thread.
 */
#pragma once

#include "vmm/base.h"

struct console_ring {
	uint8_t *data;
	size_t size;
	uint64_t end; /* bytes that there ever were; those from console_ring_start() on are kept */
};

/* -ENOMEM. */
int console_ring_init(struct console_ring *ring, size_t size) must_check;
void console_ring_finish(struct console_ring *ring);

void console_ring_append(struct console_ring *ring, const uint8_t *data, size_t len);

uint64_t console_ring_start(const struct console_ring *ring);

/* What is kept from @position on, in one piece; 0: nothing. Not before the start. */
size_t console_ring_peek(const struct console_ring *ring, uint64_t position, const uint8_t **ret);

/* Where the last @lines lines begin, as tail(1) counts them; at the earliest the start. */
uint64_t console_ring_lines(const struct console_ring *ring, size_t lines);

/* Where the first line begins that does so at @position or behind it; @position: nowhere. */
uint64_t console_ring_next_line(const struct console_ring *ring, uint64_t position);
