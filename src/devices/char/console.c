// SPDX-License-Identifier: MIT
/*
 * A console that can be attached to. See console.h.
 *
 * The console is a character device to the serial port, and the serial port to the character device
 * behind it. Owner: the loop's thread.
 */
#include "devices/char/console.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/char/chardev_backend.h"
#include "devices/char/console_ring.h"

#define INPUT_SIZE  512
#define SEND_BUFFER KiB(32)

struct client {
	struct client *prev, *next;
	struct console *console;
	struct loop_fd lfd;
	struct loop_timer linger;
	struct console_options options;
	uint64_t position; /* in the stream, of the byte that it gets next */
	bool input_ended;  /* it sends no more */
	bool deaf;         /* it listens no more */
	bool closing;
	size_t input_start, input_end;
	size_t notice_start, notice_end;
	uint64_t skipped; /* what the notice tells of */
	uint8_t *input;   /* INPUT_SIZE bytes, or what came early */
	char notice[64];
};

struct console {
	struct chardev cd; /* what the serial port sees */
	struct chardev *inner;
	struct console_ring ring;
	struct client clients; /* sentinel of the list; who has had a turn goes to its end */
	unsigned int client_count;
	bool inner_waits; /* it has had less room than it wanted since its last turn */
	bool inner_closed;
	struct loop_timer end; /* of the clients' time, at the console's end */
	struct console_counters counters;
};

static struct console *to_console(struct chardev *cd)
{
	return container_of(cd, struct console, cd);
}

/* --- The end of a client, and of the console. ------------------------------------------------ */

static void check_closed(struct console *console)
{
	if (console->cd.closing && console->inner_closed && !console->client_count) {
		loop_timer_cancel(console->cd.loop, &console->end);
		chardev_finish_close(&console->cd);
	}
}

static void unlink_client(struct client *c)
{
	c->prev->next = c->next;
	c->next->prev = c->prev;
}

static void link_last(struct console *console, struct client *c)
{
	c->next = &console->clients;
	c->prev = console->clients.prev;
	c->prev->next = c->next->prev = c;
}

static void on_client_closed(struct loop_fd *lfd)
{
	struct client *c = container_of(lfd, struct client, lfd);
	struct console *console = c->console;

	unlink_client(c);
	console->client_count--;
	close(lfd->fd);
	free(c->input);
	free(c);
	check_closed(console);
}

/* Its memory stays until the loop has let go of it, so the list can be walked meanwhile. */
static void client_close(struct client *c)
{
	if (c->closing)
		return;
	c->closing = true;
	loop_timer_cancel(c->console->cd.loop, &c->linger);
	loop_fd_close(&c->lfd, on_client_closed);
}

static bool has_all(const struct client *c)
{
	return c->notice_start == c->notice_end && c->position == c->console->ring.end;
}

static bool has_input(const struct client *c)
{
	return c->input_start < c->input_end;
}

/* Is there anything that it could still get, or give? */
static void close_if_done(struct client *c)
{
	const bool gives = has_input(c) || !c->input_ended;
	const bool listens = !c->deaf && !(c->options.once && !gives && has_all(c));

	if (c->console->cd.closing ? c->deaf || has_all(c) : !listens && !gives)
		client_close(c);
	else if (c->deaf && !c->linger.next)
		loop_timer_set(c->console->cd.loop, &c->linger, loop_now() + CONSOLE_LINGER_NS);
}

static void on_linger(struct loop_timer *timer)
{
	client_close(container_of(timer, struct client, linger));
}

/* --- Output. --------------------------------------------------------------------------------- */

/* What it came too late for. It is given a part of what is kept, so as not to be late at once. */
static void skip_lost(struct client *c)
{
	const struct console_ring *ring = &c->console->ring;
	const uint64_t from = c->position;

	if (from >= console_ring_start(ring))
		return;
	c->position = console_ring_next_line(ring, ring->end - ring->size / 2);
	counter_add(&c->console->counters.skipped, c->position - from);
	c->skipped += c->position - from;
	c->notice_end =
		(size_t)snprintf(c->notice, sizeof(c->notice),
				 "\r\n[candela: %" PRIu64 " bytes skipped]\r\n", c->skipped);
}

/* What it gets next; 0: nothing. */
static size_t next_output(struct client *c, const void **ret)
{
	const uint8_t *data;
	size_t len;

	/* A notice that has begun to leave is not changed any more. */
	if (c->notice_start == 0)
		skip_lost(c);
	if (c->notice_start < c->notice_end) {
		*ret = c->notice + c->notice_start;
		return c->notice_end - c->notice_start;
	}
	len = console_ring_peek(&c->console->ring, c->position, &data);
	*ret = data;
	return len;
}

static void sent(struct client *c, size_t len)
{
	if (c->notice_start == c->notice_end) {
		c->position += len;
		return;
	}
	c->notice_start += len;
	if (c->notice_start == c->notice_end)
		c->notice_start = c->notice_end = c->skipped = 0;
}

static void client_send(struct client *c)
{
	const void *data;
	size_t len;
	ssize_t n;

	while (!c->closing && !c->deaf && (len = next_output(c, &data))) {
		n = send(c->lfd.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			sent(c, (size_t)n);
		else if (n < 0 && errno == EAGAIN)
			return;
		else if (n < 0 && errno != EINTR)
			c->deaf = true;
	}
}

static bool console_write(struct chardev *cd, const uint8_t *data, size_t len)
{
	struct console *console = to_console(cd);
	struct client *end = &console->clients;

	console_ring_append(&console->ring, data, len);
	for (struct client *c = end->next; c != end; c = c->next) {
		client_send(c);
		if (!c->closing)
			close_if_done(c);
	}
	return chardev_write(console->inner, data, len);
}

/* --- Input. ---------------------------------------------------------------------------------- */

/* True: all of it has been taken. */
static bool deliver(struct client *c)
{
	c->input_start += chardev_push_input(&c->console->cd, c->input + c->input_start,
					     c->input_end - c->input_start);
	return !has_input(c);
}

/* Reads as long as the guest takes it. */
static void client_receive(struct client *c)
{
	ssize_t n;

	while (deliver(c) && !c->input_ended && !c->closing && !c->console->cd.closing) {
		n = recv(c->lfd.fd, c->input, INPUT_SIZE, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		c->input_start = 0;
		c->input_end = n > 0 ? (size_t)n : 0;
		if (n == 0 || (n < 0 && errno != EINTR))
			c->input_ended = true;
	}
}

static size_t inner_input(void *ctx, const uint8_t *data, size_t len)
{
	struct console *console = ctx;
	size_t taken = chardev_push_input(&console->cd, data, len);

	console->inner_waits = taken < len;
	return taken;
}

static bool inner_break(void *ctx)
{
	struct console *console = ctx;
	bool taken = chardev_push_break(&console->cd);

	console->inner_waits = !taken;
	return taken;
}

/* Whoever gets some of the room is the last the next time. */
static void clients_input_resume(struct console *console)
{
	struct client *c = console->clients.next, *next;
	size_t start;

	/* Those that are moved to the end meanwhile are not met twice. */
	for (unsigned int n = console->client_count; n; n--, c = next) {
		next = c->next;
		if (c->closing || !has_input(c))
			continue;
		start = c->input_start;
		client_receive(c);
		if (c->input_start != start) {
			unlink_client(c);
			link_last(console, c);
		}
		close_if_done(c);
	}
}

static void console_input_resume(struct chardev *cd)
{
	struct console *console = to_console(cd);

	if (console->inner_waits) {
		/* The next room is the clients', should this take all there is. */
		console->inner_waits = false;
		chardev_input_resume(console->inner);
		clients_input_resume(console);
	} else {
		clients_input_resume(console);
		chardev_input_resume(console->inner);
	}
}

bool console_break(struct console *console)
{
	return chardev_push_break(&console->cd);
}

/* --- Clients. -------------------------------------------------------------------------------- */

static void on_ready(struct loop_fd *lfd, uint32_t revents)
{
	struct client *c = container_of(lfd, struct client, lfd);

	if (c->closing)
		return;
	if (revents & (POLLHUP | POLLERR))
		c->deaf = true;
	client_send(c);
	client_receive(c);
	close_if_done(c);
}

int console_check(const struct console *console)
{
	if (console->cd.closing)
		return -ESHUTDOWN;
	return console->client_count < CONSOLE_CLIENTS_MAX ? 0 : -EBUSY;
}

static uint64_t first_position(const struct console *console, const struct console_options *options)
{
	if (options->lines == CONSOLE_LINES_ALL)
		return console_ring_start(&console->ring);
	return console_ring_lines(&console->ring, options->lines);
}

size_t console_kept(const struct console *console, const struct console_options *options)
{
	return (size_t)(console->ring.end - first_position(console, options));
}

static struct client *client_create(struct console *console, int fd,
				    const struct console_options *options, const void *early,
				    size_t len)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->console = console;
	c->options = *options;
	c->position = first_position(console, options);
	c->linger.fired = on_linger;
	c->input = malloc(max_of(len, (size_t)INPUT_SIZE));
	if (!c->input || loop_fd_add(console->cd.loop, &c->lfd, fd, POLLIN | POLLOUT | POLLRDHUP,
				     on_ready) < 0) {
		free(c->input);
		free(c);
		return NULL;
	}
	c->input_ended = options->read_only;
	if (!options->read_only && len) {
		memcpy(c->input, early, len);
		c->input_end = len;
	}
	return c;
}

void console_attach(struct console *console, int fd, const struct console_options *options,
		    const void *early, size_t len)
{
	struct client *c = NULL;

	if (console_check(console) == 0)
		c = client_create(console, fd, options, early, len);
	if (!c) {
		close(fd);
		return;
	}
	/* What the kernel keeps for one that does not read is less than what we keep for all. */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){SEND_BUFFER}, sizeof(int));
	/* Its writes fail, rather than waiting for ever. */
	if (options->read_only)
		shutdown(fd, SHUT_RD);
	link_last(console, c);
	console->client_count++;
	counter_add(&console->counters.attaches, 1);
	/* The loop says at once what the descriptor is ready for. */
}

unsigned int console_client_count(const struct console *console)
{
	return console->client_count;
}

const struct console_counters *console_counters(const struct console *console)
{
	return &console->counters;
}

/* --- Life. ----------------------------------------------------------------------------------- */

static void inner_written(void *ctx)
{
	struct console *console = ctx;

	chardev_push_written(&console->cd);
}

static void console_start(struct chardev *cd)
{
	static const struct chardev_user user = {
		.input = inner_input, .input_break = inner_break, .written = inner_written};
	struct console *console = to_console(cd);

	chardev_start(console->inner, &user, console);
}

static void on_inner_closed(void *ctx)
{
	struct console *console = ctx;

	console->inner_closed = true;
	check_closed(console);
}

static void on_end(struct loop_timer *timer)
{
	struct console *console = container_of(timer, struct console, end);
	struct client *end = &console->clients;

	for (struct client *c = end->next; c != end; c = c->next)
		client_close(c);
}

static void console_close(struct chardev *cd)
{
	struct console *console = to_console(cd);
	struct client *end = &console->clients;

	loop_timer_set(cd->loop, &console->end, loop_now() + CONSOLE_END_NS);
	chardev_close(console->inner, on_inner_closed, console);
	for (struct client *c = end->next; c != end; c = c->next) {
		client_send(c);
		if (!c->closing)
			close_if_done(c);
	}
}

static void console_destroy(struct chardev *cd)
{
	struct console *console = to_console(cd);

	assert(!console->client_count);
	chardev_destroy(console->inner);
	console_ring_finish(&console->ring);
	chardev_finish(cd);
	free(console);
}

static const struct chardev_ops console_ops = {
	.name = "console",
	.start = console_start,
	.write = console_write,
	.input_resume = console_input_resume,
	.close = console_close,
	.destroy = console_destroy,
};

int console_create(const struct console_config *config, struct error *err, struct console **ret)
{
	struct console *console = calloc(1, sizeof(*console));

	if (!console)
		return error_set(err, -ENOMEM, "out of memory");
	assert(config->size >= CONSOLE_SIZE_MIN && config->size <= CONSOLE_SIZE_MAX);
	if (console_ring_init(&console->ring, config->size) < 0 ||
	    chardev_init(&console->cd, &console_ops, config->loop, chardev_path(config->inner)) <
		    0) {
		console_ring_finish(&console->ring);
		free(console);
		return error_set(err, -ENOMEM, "out of memory");
	}
	console->inner = config->inner;
	console->clients.prev = console->clients.next = &console->clients;
	console->end.fired = on_end;
	*ret = console;
	return 0;
}

struct chardev *console_chardev(struct console *console)
{
	return &console->cd;
}
