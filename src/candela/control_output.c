// SPDX-License-Identifier: MIT
/*
 * What is sent to a client of the control socket, and waits until it reads. Owner: the loop's
 * thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "candela/control_internal.h"
#include "vmm/log.h"

/*
 * False: it cannot take more, now or ever. What one that has left asked for before is done all the
 * same.
 */
static bool flush_some(struct client *c)
{
	ssize_t n = send(c->lfd.fd, c->out + c->out_start, c->out_end - c->out_start,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0) {
		c->out_start += (size_t)n;
		return true;
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		c->deaf = true;
		c->out_start = c->out_end = 0;
	}
	return n < 0 && errno == EINTR;
}

void client_flush(struct client *c)
{
	while (!c->closing && !client_is_idle(c))
		if (!flush_some(c))
			return;
	if (!c->closing)
		c->out_start = c->out_end = 0;
}

/* Makes room for @len more bytes behind what waits. */
static bool make_room(struct client *c, size_t len)
{
	const size_t waiting = c->out_end - c->out_start;
	size_t size = max_of(c->out_size, (size_t)KiB(1));
	char *grown;

	if (waiting + len > CONTROL_OUTPUT_MAX)
		return false;
	if (waiting)
		memmove(c->out, c->out + c->out_start, waiting);
	c->out_start = 0;
	c->out_end = waiting;
	while (size < waiting + len)
		size *= 2;
	if (size == c->out_size)
		return true;
	grown = realloc(c->out, size);
	if (!grown)
		return false;
	c->out = grown;
	c->out_size = size;
	return true;
}

/* Takes over @line; NULL: there was no memory for it. Who cannot be told everything is let go. */
void client_send(struct client *c, char *line)
{
	const size_t len = line ? strlen(line) : 0;

	if (c->closing || c->deaf) {
		free(line);
		return;
	}
	if (!line || (c->out_end + len > c->out_size && !make_room(c, len))) {
		log_debug("control: a client does not read what it is sent; it is disconnected");
		client_close(c);
	} else {
		memcpy(c->out + c->out_end, line, len);
		c->out_end += len;
		client_flush(c);
	}
	free(line);
}
