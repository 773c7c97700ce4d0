// SPDX-License-Identifier: MIT
/*
 * A console that can be attached to: it stands between a serial port and the character device that
 * the port was given, keeps the latest output, and serves clients, each on a connected stream
 * socket that carries nothing but the console's bytes.
 *
 * Output goes to the character device as if nobody else were there, at its pace. Clients read from
 * what is kept: one that is slower than the guest loses the middle, and is told how many bytes that
 * were, in a line of its own. The guest never waits for a client.
 *
 * Input comes from the character device and from all clients that are not read-only, in turns, in
 * pieces of what the guest has room for; nothing of it is lost.
 *
 * Everything belongs to the loop's thread.
 */
#pragma once

#include "devices/char/chardev.h"

struct console;

#define CONSOLE_CLIENTS_MAX 16

/* Output that is kept. Memory is used as far as there is output. */
#define CONSOLE_SIZE_MIN KiB(4)
#define CONSOLE_SIZE_MAX MiB(16)

/* When the console ends: so long its clients have to take what is left. */
#define CONSOLE_END_NS (500 * NSEC_PER_MSEC)
/* So long the last input of a client that has left may wait for room in the guest. */
#define CONSOLE_LINGER_NS (10 * NSEC_PER_SEC)

struct console_config {
	struct loop *loop;
	size_t size;           /* CONSOLE_SIZE_MIN to CONSOLE_SIZE_MAX */
	struct chardev *inner; /* not started; the console's own once console_create() succeeds */
};

#define CONSOLE_LINES_ALL SIZE_MAX

struct console_options {
	size_t lines;   /* of what is kept, that come first; CONSOLE_LINES_ALL */
	bool read_only; /* what it sends is not read */
	bool once;      /* it is over when its input has ended and it has got what there was */
};

struct console_counters {
	struct counter attaches; /* clients that there were */
	struct counter skipped;  /* bytes that clients have lost */
};

int console_create(const struct console_config *config, struct error *err,
		   struct console **ret) must_check;

/* What the serial port is given. Destroying it destroys the console. */
struct chardev *console_chardev(struct console *console);

/* 0; -EBUSY: there are CONSOLE_CLIENTS_MAX clients; -ESHUTDOWN: the console ends. */
int console_check(const struct console *console) must_check;

/* Bytes that a client with @options would get at once. */
size_t console_kept(const struct console *console, const struct console_options *options);

/*
 * A client on @fd, which becomes the console's and is closed at once when there is no place for it;
 * @early, @len: input of it that came already.
 */
void console_attach(struct console *console, int fd, const struct console_options *options,
		    const void *early, size_t len);

/* Sends a break. False: the guest has no room for it. */
bool console_break(struct console *console);

unsigned int console_client_count(const struct console *console);
const struct console_counters *console_counters(const struct console *console);
