// SPDX-License-Identifier: MIT
/*
 * The log. The level is the one piece of state shared by the whole process.
 */
#include "vmm/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LOG_WINDOW_NS (10 * NSEC_PER_SEC)

static _Atomic int current_level = LOG_WARNING;

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

static void log_write(enum log_level level, const char *fmt, va_list ap)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	char line[1024];
	int head, body;

	head = snprintf(line, sizeof(line), "candela: %s: ", names[level]);
	body = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, fmt, ap);
	if (body < 0)
		return;
	size_t len = min_of((size_t)head + (size_t)body, sizeof(line) - 2);
	line[len++] = '\n';
	/* Nobody is left to tell when stderr itself fails. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	log_write(level, fmt, ap);
	va_end(ap);
}

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

void log_guest(struct log_limit *limit, enum log_level level, const char *fmt, ...)
{
	uint64_t now = monotonic_ns();
	uint64_t start = atomic_load_explicit(&limit->window_start_ns, memory_order_relaxed);
	va_list ap;

	if (now - start >= LOG_WINDOW_NS &&
	    atomic_compare_exchange_strong(&limit->window_start_ns, &start, now)) {
		uint64_t lost = atomic_exchange(&limit->suppressed, 0);

		atomic_store(&limit->in_window, 0);
		if (lost)
			log_line(level, "(%llu more lines like the next were suppressed)",
				 (unsigned long long)lost);
	}
	if (atomic_fetch_add(&limit->in_window, 1) >= LOG_GUEST_BURST) {
		atomic_fetch_add(&limit->suppressed, 1);
		return;
	}
	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	log_write(level, fmt, ap);
	va_end(ap);
}
