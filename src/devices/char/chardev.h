// SPDX-License-Identifier: MIT
/*
 * Character devices: where a serial port's bytes go to and come from on the host. What a frontend
 * and the machine see; backends include devices/char/chardev_backend.h.
 *
 * Everything belongs to the loop's thread. One user per character device.
 *
 *   created -> start -> close (asynchronous) -> closed callback -> destroy
 *
 * A device that was never started has nothing in flight and may be destroyed at once.
 *
 * Output: the user queues and hands over one contiguous batch at a time; the bytes are borrowed,
 * not copied. Input: bytes the user has no room for stay here, and the descriptor is not read
 * further until the user asks for them, so that whoever sends feels the back-pressure.
 */
#pragma once

#include "vmm/counter.h"
#include "vmm/error.h"
#include "vmm/loop.h"

struct chardev;

enum chardev_kind {
	CHARDEV_NULL,  /* output vanishes, no input */
	CHARDEV_STDIO, /* see below */
	CHARDEV_FILE,  /* output into a file, truncated first; no input */
	CHARDEV_PTY,   /* a new pseudo-terminal, attached to whenever somebody has it open */
	CHARDEV_UNIX,  /* a listening Unix stream socket, one client at a time */
};

/*
 * On a terminal, stdio is raw and Ctrl-A introduces a command. Elsewhere (a pipe, a file,
 * /dev/null) every byte is the guest's. The end of stdin just ends the input; a stdout that is gone
 * just discards.
 */
#define CHARDEV_ESCAPE         0x01 /* Ctrl-A, and then: */
#define CHARDEV_ESCAPE_QUIT    'x'  /* ends the VM */
#define CHARDEV_ESCAPE_LITERAL 'a'  /* sends Ctrl-A (so does Ctrl-A itself) */
#define CHARDEV_ESCAPE_BREAK   'b'  /* sends a break */
#define CHARDEV_ESCAPE_HELP    'h'  /* prints this list (so does '?') */
#define CHARDEV_ESCAPE_DETACH  'd'  /* of a client: leaves the VM alone (so does 'x') */

/*
 * Output that a pseudo-terminal or a socket keeps while nobody is attached; the latest bytes win
 * and are delivered to whoever attaches next.
 */
#define CHARDEV_SCROLLBACK KiB(64)

struct chardev_config {
	enum chardev_kind kind;
	const char *path; /* CHARDEV_FILE and CHARDEV_UNIX; copied */
	/* CHARDEV_STDIO: somebody typed Ctrl-A x. May be NULL. On the loop's thread. */
	void (*quit)(void *ctx);
	void *quit_ctx;
	/* CHARDEV_STDIO of a client, not of the VM itself: Ctrl-A d quits, too. */
	bool client;
	bool output_only; /* CHARDEV_STDIO: stdin is left alone */
};

/* All written on the loop's thread. */
struct chardev_counters {
	struct counter bytes_in;  /* taken by the user */
	struct counter bytes_out; /* accepted by the host */
	struct counter discarded; /* output that nobody will ever see */
	struct counter errors;    /* failed reads and writes */
	struct counter attaches;  /* pty and unix: clients seen */
	struct counter refused;   /* unix: clients turned away */
};

/* The user's side. Called on the loop's thread, never from inside chardev_*(). */
struct chardev_user {
	/*
	 * Takes some of @len > 0 bytes and returns how many. After taking fewer than @len the user
	 * gets no more until it calls chardev_input_resume().
	 */
	size_t (*input)(void *ctx, const uint8_t *data, size_t len);
	/* A break came in. False: no room, as input() taking less than it was offered. */
	bool (*input_break)(void *ctx);
	/* The bytes of a chardev_write() that returned false are done with. */
	void (*written)(void *ctx);
	/* Optional, CHARDEV_STDIO: no input comes any more; and output will never be taken. */
	void (*input_ended)(void *ctx);
	void (*output_ended)(void *ctx);
};

/* Nothing is read, written or accepted before chardev_start(). */
int chardev_create(struct loop *loop, const struct chardev_config *config, struct error *err,
		   struct chardev **ret) must_check;
void chardev_destroy(struct chardev *cd);

void chardev_start(struct chardev *cd, const struct chardev_user *user, void *ctx);

/*
 * Sends @len > 0 bytes. True: they are consumed. False: they are borrowed until written(), and no
 * further write may come before that. A write never fails: what the host refuses is discarded and
 * counted.
 */
bool chardev_write(struct chardev *cd, const uint8_t *data, size_t len);

/* There is room for input again. input() may be called from inside. */
void chardev_input_resume(struct chardev *cd);

/*
 * Stops everything; a write under way is cut off. No callback of the user comes any more; closed()
 * comes once, from the loop, never from inside the call.
 */
void chardev_close(struct chardev *cd, void (*closed)(void *ctx), void *ctx);

/* What to open to get at it: the pseudo-terminal's name, the socket's or file's path; else NULL. */
const char *chardev_path(const struct chardev *cd);

const struct chardev_counters *chardev_counters(const struct chardev *cd);

/*
 * Gives the terminal back its settings from before CHARDEV_STDIO made it raw; harmless when it did
 * not. Async-signal-safe, any thread. For the program's own signal handlers and for paths that end
 * in _exit(); exit() and signals left at their default action are looked after.
 */
void chardev_restore_terminal(void);
