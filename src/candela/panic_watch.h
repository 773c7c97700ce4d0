// SPDX-License-Identifier: MIT
/*
 * Notices a Linux guest's panic on its console, for kernels that have no driver yet, or at all, to
 * report it by (pvpanic, crash MSRs): above all those that panic before they find their root.
 *
 * A kernel that has panicked writes nothing more, so the text alone does not count: after the
 * kernel's closing line the console has to stay silent, or a reset has to follow the panic shortly.
 * A log of an older panic, printed by a healthy guest, is followed by more output.
 *
 * Pure: no clock, no I/O. One thread.
 */
#pragma once

#include "vmm/base.h"

/* A panic further back than this in the output has nothing to do with what happens now. */
#define PANIC_WATCH_NEAR KiB(16)

struct panic_watch {
	size_t matched_start, matched_end; /* how much of either text has been seen */
	bool in_message;
	char message[160]; /* the rest of the line: why it panicked */
	size_t message_len;
	size_t since_start; /* bytes since the first text; SIZE_MAX: not seen */
	size_t since_end;   /* bytes since the line with the second text ended; likewise */
	bool in_end_line;
};

void panic_watch_init(struct panic_watch *watch);
void panic_watch_feed(struct panic_watch *watch, const uint8_t *data, size_t len);

/* The kernel has written its closing line and nothing since: silence from now on is a panic. */
bool panic_watch_ended(const struct panic_watch *watch);
/*
 * The kernel has begun to panic within the last PANIC_WATCH_NEAR bytes: a reset now follows from
 * it.
 */
bool panic_watch_near(const struct panic_watch *watch);
