// SPDX-License-Identifier: MIT
/*
 * One direction of one descriptor, for the backends: at most one operation in flight, through
 * io_uring, which copes with blocking descriptors. Descriptors that we inherited are shared with
 * others, so their flags are never changed: on a non-blocking one, -EAGAIN turns into a wait for
 * readiness and a second try.
 *
 * Terminals are special: their driver tells io_uring that it can refuse to block and then blocks
 * all the same (seen in Linux 6.18 with a write to a full pseudo-terminal), which would hold up the
 * whole loop. Operations on character devices are therefore given to a kernel worker from the
 * start.
 *
 * Owner: the loop's thread.
 */
#pragma once

#include "vmm/loop.h"

enum chardev_io_kind {
	CHARDEV_IO_READ,   /* completes with what there is; 0 at the end */
	CHARDEV_IO_WRITE,  /* completes when all is written or an error came */
	CHARDEV_IO_SEND,   /* the same for sockets: no SIGPIPE */
	CHARDEV_IO_ACCEPT, /* completes with a new descriptor */
	CHARDEV_IO_HANGUP, /* completes with poll events when the peer is gone, or half gone */
};

struct chardev_io {
	struct loop_op op;
	struct loop_timer retry; /* armed while the loop's queue has no room */
	struct loop *loop;
	enum chardev_io_kind kind;
	int fd;
	uint8_t *in;        /* READ */
	const uint8_t *out; /* WRITE, SEND */
	size_t len;         /* what is left to move */
	size_t moved;       /* WRITE, SEND: what has been written */
	bool worker;        /* @fd is a character device */
	bool busy;          /* from submit to done */
	bool polling;       /* what is in flight is a wait for readiness */
	bool cancelled;
	/*
	 * @res: bytes read, 0 after all was written, a descriptor, events, or -errno. @moved and
	 * @len then say how much was written and how much was not.
	 */
	void (*done)(struct chardev_io *io, int res);
};

void chardev_io_init(struct chardev_io *io, struct loop *loop, enum chardev_io_kind kind,
		     void (*done)(struct chardev_io *io, int res));

/* The descriptor of the next operations, until it changes. */
void chardev_io_set_fd(struct chardev_io *io, int fd);

/* Not while busy. done() comes once, from the loop. */
void chardev_io_read(struct chardev_io *io, uint8_t *buf, size_t len);
void chardev_io_write(struct chardev_io *io, const uint8_t *buf, size_t len);
void chardev_io_accept(struct chardev_io *io);
void chardev_io_hangup(struct chardev_io *io);

/* While busy: done() comes soon, with -ECANCELED or what had happened already. */
void chardev_io_cancel(struct chardev_io *io);
