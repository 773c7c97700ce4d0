// SPDX-License-Identifier: MIT
/*
 * The guest's end of a ring (the VSC side), and memory to have rings in, for tests, fuzz targets
 * and benchmarks. Written apart from src/vmbus/ring.c, from the same rules: the letters are those
 * of ring.h, here with their primes.
 *
 * One thread for each struct ring_guest. Failures of the test's own are asserted.
 */
#pragma once

#include "vmbus/ring.h"

/* A ring of @pages pages of data, zeroed; @paged: as where it cannot be mapped twice. */
void ring_guest_memory(struct ring_memory *mem, uint32_t pages, bool paged);
void ring_guest_memory_free(struct ring_memory *mem);

struct ring_guest {
	const struct ring_memory *mem;
	uint32_t index; /* our own: of the packet to come */
};

/* At the indices that are in the control page; says that it does flow control. */
void ring_guest_init_writer(struct ring_guest *guest, const struct ring_memory *mem);
void ring_guest_init_reader(struct ring_guest *guest, const struct ring_memory *mem);

/* --- The writer. --------------------------------------------------------------------------- */

/* Raw bytes at @at, modulo the length of the ring. */
void ring_guest_put(const struct ring_memory *mem, uint32_t at, const void *buf, uint32_t len);
void ring_guest_get(const struct ring_memory *mem, uint32_t at, void *buf, uint32_t len);

/*
 * Sends one packet as Linux does. False: no room, and the pending size is set. *signal: the host
 * has to be signalled. Lengths are multiples of 8.
 */
bool ring_guest_send(struct ring_guest *guest, uint16_t type, uint16_t flags, uint64_t trans_id,
		     const void *list, uint32_t list_len, const void *payload, uint32_t payload_len,
		     bool *signal);

/* --- The reader. --------------------------------------------------------------------------- */

void ring_guest_begin(struct ring_guest *guest);
/* The next packet with its descriptor, or 0. */
uint32_t ring_guest_receive(struct ring_guest *guest, void *buf, uint32_t max);
/* True: signal the host. */
bool ring_guest_commit(struct ring_guest *guest);
/* True: more came. */
bool ring_guest_end(struct ring_guest *guest);
