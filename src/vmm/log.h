// SPDX-License-Identifier: MIT
/*
 * The log: lines for people on stderr. Any thread; a line is written with one write(2).
 *
 * Lines that a guest can cause go through log_guest(), which lets a few through per interval and
 * counts the rest, so that a guest cannot fill a disk or slow the host by making us talk.
 */
#pragma once

#include <stdatomic.h>

#include "vmm/base.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* The level up to which lines are written; LOG_WARNING at start. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

void log_line(enum log_level level, const char *fmt, ...) printf_like(2, 3);

#define log_error(...)   log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_DEBUG, __VA_ARGS__)

/* One per kind of line; zero-initialised. At most LOG_GUEST_BURST lines every ten seconds. */
struct log_limit {
	_Atomic uint64_t window_start_ns;
	_Atomic uint32_t in_window;
	_Atomic uint64_t suppressed;
};

#define LOG_GUEST_BURST 5

void log_guest(struct log_limit *limit, enum log_level level, const char *fmt, ...)
	printf_like(3, 4);
