// SPDX-License-Identifier: MIT
/*
 * Where control sockets are, and who may have which: a socket, and a lock beside it that its VM
 * holds for as long as it lives. What has a lock that nobody holds is left over from a VM that was
 * killed, and whoever finds it removes it while holding the lock; so a live socket is never removed
 * and two VMs never share a name.
 *
 * No state but what is on disk; any thread, any number of processes.
 */
#pragma once

#include <sys/types.h>

#include "vmm/error.h"

#define CONTROL_PATH_MAX 108 /* of a socket, with its NUL: sun_path */

/*
 * The directory of the sockets of named VMs: "$XDG_RUNTIME_DIR/candela", of root without that
 * variable "/run/candela". -ENOENT with text: there is none; -ENAMETOOLONG.
 */
int control_dir(char dir[CONTROL_PATH_MAX], struct error *err) must_check;

/*
 * The socket of VM @name; what has a slash is a socket's path already. -ENAMETOOLONG, or as
 * control_dir().
 */
int control_path(const char *name, char path[CONTROL_PATH_MAX], struct error *err) must_check;

struct control_socket {
	int fd;      /* listens; -1: there is none */
	int lock_fd; /* -1: not held */
	dev_t dev;
	ino_t ino;
	char path[CONTROL_PATH_MAX];
};

/* Makes the directory of named VMs' sockets, for its owner only. */
int control_make_dir(struct error *err) must_check;

/*
 * Takes the lock of @path, and listens there: non-blocking, for the owner only. -EADDRINUSE:
 * another VM or program does; @what is what a message calls the VM.
 */
int control_socket_open(struct control_socket *s, const char *path, const char *what,
			struct error *err) must_check;

/* Removes socket and lock and closes them. Harmless when there is none (fds of -1). */
void control_socket_close(struct control_socket *s);

/*
 * Calls @each for every socket in the directory that has a living VM, in no order, and removes what
 * dead ones left. A directory that is not there has none.
 */
int control_each(void (*each)(void *ctx, const char *name, const char *path), void *ctx,
		 struct error *err) must_check;

/* Removes what a dead VM left at @path. True: there is nothing left. */
bool control_remove_stale(const char *path);
