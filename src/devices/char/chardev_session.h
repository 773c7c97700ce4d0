// SPDX-License-Identifier: MIT
/*
 * What a pseudo-terminal and a socket have in common: a peer that comes and goes. While it is
 * there, output goes to it, at its pace; while it is not, the latest CHARDEV_SCROLLBACK bytes are
 * kept and delivered first to the next one.
 *
 * A peer leaves in two steps, in either order: it sends no more (its input has ended), and it
 * listens no more (it is disconnected). One that only stopped sending still gets output; one that
 * wrote and left still has its last bytes read. After both, detached() follows.
 *
 * Embedded first in both backends. Owner: the loop's thread.
 */
#pragma once

#include "devices/char/chardev_backend.h"
#include "devices/char/chardev_io.h"

#define SESSION_INPUT_SIZE 512

struct chardev_session {
	struct chardev cd;
	struct chardev_io in;
	struct chardev_io out;
	struct chardev_io hangup;
	int fd;           /* of the peer */
	bool attached;    /* from attach to detached() */
	bool connected;   /* it listens */
	bool input_ended; /* it sends no more */

	uint8_t input[SESSION_INPUT_SIZE];
	size_t input_start, input_end;

	/* The scrollback, a ring. */
	uint8_t *kept;
	size_t kept_start, kept_len;
	bool sending_kept; /* `out` writes from the ring, not from the user's bytes */

	/* The user's write, borrowed, while the scrollback goes first. */
	const uint8_t *waiting;
	size_t waiting_len;

	/*
	 * What a peer that left has sent stays readable on the descriptor, without an end: do not
	 * wait for one, leave it to chardev_session_read_now().
	 */
	bool no_end_of_input;

	/* Mandatory. Nothing is in flight on the descriptor any more. May attach the next one. */
	void (*detached)(struct chardev_session *s);
};

/* @out_kind: CHARDEV_IO_WRITE or CHARDEV_IO_SEND. */
int chardev_session_init(struct chardev_session *s, const struct chardev_ops *ops,
			 struct loop *loop, const char *path, enum chardev_io_kind out_kind,
			 void (*detached)(struct chardev_session *s)) must_check;
void chardev_session_finish(struct chardev_session *s);

/* A peer is there; the descriptor stays the caller's. Not while attached. */
void chardev_session_attach(struct chardev_session *s, int fd);
/* Takes what can be read from @fd without waiting, while nobody is attached. */
void chardev_session_read_now(struct chardev_session *s, int fd);
/* Ends it from our side: detached() follows, perhaps at once. Harmless when not attached. */
void chardev_session_detach(struct chardev_session *s);

/*
 * Looks whether the peer is still there. Needed only where the answer matters now: one that first
 * stopped sending and then left silently is otherwise noticed when output for it comes.
 */
void chardev_session_check(struct chardev_session *s);

/* For struct chardev_ops. */
bool chardev_session_write(struct chardev *cd, const uint8_t *data, size_t len);
void chardev_session_input_resume(struct chardev *cd);
