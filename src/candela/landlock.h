// SPDX-License-Identifier: MIT
/*
 * Landlock: a thread gives up the user's access to files, for good, but for places that are named
 * first. Also TCP, and sockets of the abstract name space. What is open stays open.
 *
 * By the system calls themselves (landlock(7)); each kernel is asked for what it can withhold. No
 * state but the descriptor; any thread.
 */
#pragma once

#include "vmm/error.h"

/* What may be done at a place: below a directory, or with one file. A set. */
enum landlock_use {
	LANDLOCK_READ = 1 << 0,
	LANDLOCK_WRITE = 1 << 1,       /* files that are there */
	LANDLOCK_CREATE = 1 << 2,      /* regular files */
	LANDLOCK_SOCKETS = 1 << 3,     /* names for Unix sockets */
	LANDLOCK_REMOVE = 1 << 4,      /* files */
	LANDLOCK_DEVICES = 1 << 5,     /* ioctls of devices */
	LANDLOCK_DIRECTORIES = 1 << 6, /* making and removing them */
};

/*
 * A set of rules, without a place in it: a descriptor, to be closed once the threads have entered.
 * -ENOTSUP: the kernel has no Landlock, or it is off.
 */
int landlock_open(void) must_check;

/* Adds a place. -ENOENT and others, with @err: @path cannot be opened. */
int landlock_allow(int fd, const char *path, uint32_t uses, struct error *err) must_check;

/* Confines the calling thread, which must have no_new_privs. -errno. */
int landlock_enter(int fd) must_check;
