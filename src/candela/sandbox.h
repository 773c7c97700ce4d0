// SPDX-License-Identifier: MIT
/*
 * The sandbox of a VM's process: what its threads give up once the VM is set up. See
 * docs/sandbox.md.
 *
 * A struct sandbox is made by the main thread before others run, and constant from then on: each
 * thread enters by itself, for good. A thread that is made by one that has entered begins with that
 * one's confinement, and narrows it.
 *
 * In SANDBOX_ON a system call that is not allowed ends the process: one line to standard error, the
 * result file, exit status 1. For that the first sandbox takes SIGSYS, which is the process', and
 * there is one at a time.
 */
#pragma once

#include "candela/sandbox_kind.h"
#include "vmm/error.h"

struct sandbox;

enum sandbox_mode {
	SANDBOX_LOG, /* the kernel logs what would not be allowed; nothing else */
	SANDBOX_ON,
};

/* A place in the file system that stays reachable. */
struct sandbox_place {
	const char *path;
	uint32_t uses; /* enum landlock_use */
	bool optional; /* if it is not there, nothing is lost */
};

struct sandbox_config {
	enum sandbox_mode mode;
	const struct sandbox_place *places;
	size_t place_count;
	bool keep_net_admin; /* a capability, where the process has it */
	/* What a call that is not allowed leaves behind: a file that consists of these. */
	const char *result; /* its path; NULL: none */
	const char *result_before, *result_after;
};

/* Whether there are filters in this candela at all. */
bool sandbox_is_built(void);

/* On the thread that is to be SANDBOX_MAIN. -ENOTSUP: the kernel has no filters, or candela. */
int sandbox_create(const struct sandbox_config *config, struct error *err,
		   struct sandbox **ret) must_check;

/* One more place, for threads that have yet to enter; -errno with text. */
int sandbox_allow(struct sandbox *sandbox, const struct sandbox_place *place,
		  struct error *err) must_check;

/* Confines the calling thread, for good. -errno: it is not, or not wholly. */
int sandbox_enter(const struct sandbox *sandbox, enum sandbox_kind kind) must_check;

enum sandbox_mode sandbox_mode(const struct sandbox *sandbox);
/* Whether the kernel withholds files. */
bool sandbox_has_landlock(const struct sandbox *sandbox);

/* Threads stay confined. NULL is fine. */
void sandbox_destroy(struct sandbox *sandbox);
