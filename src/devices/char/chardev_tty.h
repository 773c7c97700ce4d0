// SPDX-License-Identifier: MIT
/*
 * The controlling terminal in raw mode, and its way back: at the end, at exit(), on fatal signals
 * and while the process is stopped. One terminal per process, as stdin is.
 */
#pragma once

#include "vmm/error.h"

/*
 * Makes the terminal @fd raw (output processing stays, since our own messages share it) and
 * installs handlers for those fatal and job-control signals that are at their default action. When
 * another process group is in the foreground the terminal is left alone until tty_is_ours() says
 * so.
 * -EBUSY when one is held already.
 */
int tty_acquire(int fd, struct error *err) must_check;

/* Restores settings and signal actions. Harmless when nothing is held. */
void tty_release(void);

/*
 * Whether we may read from the terminal now: it does not belong to another job. Makes it raw again
 * if it was given away in between.
 */
bool tty_is_ours(int fd);
