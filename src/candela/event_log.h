// SPDX-License-Identifier: MIT
/*
 * A file that lines are appended to, for as long as a VM lives. A file that cannot be written loses
 * lines, which are counted; it never holds anything up: there is room for EVENT_LOG_ROOM bytes, and
 * writes go through the loop's io_uring.
 *
 * Owner: the loop's thread; before there is a loop, and when it does not run any more, whoever has
 * the log.
 */
#pragma once

#include "vmm/error.h"
#include "vmm/loop.h"

struct event_log;

#define EVENT_LOG_ROOM KiB(64)
/* At the end: so long a write under way is waited for. */
#define EVENT_LOG_END_NS (2 * NSEC_PER_SEC)

/* Creates the file, with mode 0640, or appends to it. @path is copied, and made absolute. */
int event_log_open(const char *path, struct error *err, struct event_log **ret) must_check;

/* From now on lines are written by @loop; before, they wait. */
void event_log_start(struct event_log *log, struct loop *loop);

/* A line, with its end. */
void event_log_line(struct event_log *log, const char *line, size_t len);

/* Lines that were lost since the last call. */
uint64_t event_log_take_lost(struct event_log *log);

/* Goes on in what has the path now: the old file may have been moved. On failure in the old one. */
int event_log_reopen(struct event_log *log, struct error *err) must_check;

/* Writes what there is, while the loop does not run, and closes. NULL is fine. */
void event_log_close(struct event_log *log);
