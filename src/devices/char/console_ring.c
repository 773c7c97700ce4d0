// SPDX-License-Identifier: MIT
/* The latest bytes of a stream. See console_ring.h. */
#include "devices/char/console_ring.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int console_ring_init(struct console_ring *ring, size_t size)
{
	/* Not cleared: what no output has reached costs no memory. */
	*ring = (struct console_ring){.data = malloc(size), .size = size};
	return ring->data ? 0 : -ENOMEM;
}

void console_ring_finish(struct console_ring *ring)
{
	free(ring->data);
}

void console_ring_append(struct console_ring *ring, const uint8_t *data, size_t len)
{
	const size_t lost = len > ring->size ? len - ring->size : 0;
	size_t at, part;

	ring->end += lost;
	data += lost;
	len -= lost;
	at = (size_t)(ring->end % ring->size);
	part = min_of(len, ring->size - at);
	memcpy(ring->data + at, data, part);
	memcpy(ring->data, data + part, len - part);
	ring->end += len;
}

uint64_t console_ring_start(const struct console_ring *ring)
{
	return ring->end > ring->size ? ring->end - ring->size : 0;
}

size_t console_ring_peek(const struct console_ring *ring, uint64_t position, const uint8_t **ret)
{
	const size_t at = (size_t)(position % ring->size);

	assert(position >= console_ring_start(ring) && position <= ring->end);
	*ret = ring->data + at;
	return (size_t)min_of(ring->end - position, (uint64_t)(ring->size - at));
}

static uint8_t byte_at(const struct console_ring *ring, uint64_t position)
{
	return ring->data[position % ring->size];
}

uint64_t console_ring_lines(const struct console_ring *ring, size_t lines)
{
	const uint64_t start = console_ring_start(ring);
	uint64_t position = ring->end;

	if (!lines || position == start)
		return position;
	/* The end of the last line is no line. */
	if (byte_at(ring, position - 1) == '\n')
		position--;
	for (; position > start; position--)
		if (byte_at(ring, position - 1) == '\n' && --lines == 0)
			break;
	return position;
}

uint64_t console_ring_next_line(const struct console_ring *ring, uint64_t position)
{
	for (uint64_t p = position; p < ring->end; p++)
		if (byte_at(ring, p) == '\n')
			return p + 1;
	return position;
}
