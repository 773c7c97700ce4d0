// SPDX-License-Identifier: MIT
/*
 * The event log's file. Lines go into one buffer while the other is on its way.
 */
#include "candela/event_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/log.h"

struct event_log {
	char *path;
	int fd, next_fd; /* -1, or what takes over once a write under way is done */
	struct loop *loop;
	struct loop_op op;
	struct loop_timer limit;
	char *fill, *drain;
	size_t filled;
	size_t drain_start, drain_end;
	bool busy;  /* `op` is in flight */
	bool torn;  /* the file ends within a line */
	bool tries; /* the last write failed */
	bool ending;
	uint64_t lost;
};

/* --- Writing. -------------------------------------------------------------------------------- */

/* Lines that have not left whole. */
static uint64_t lines_left(const struct event_log *log)
{
	uint64_t lines = 0;

	for (size_t i = max_of(log->drain_start, (size_t)1); i < log->drain_end; i++)
		lines += log->drain[i] == '\n';
	return lines;
}

static void failed(struct event_log *log, int error)
{
	log->lost += lines_left(log);
	/* No line begins with a line end, but for one that was to end a torn one. */
	if (log->drain_start)
		log->torn = log->drain[log->drain_start - 1] != '\n';
	else
		log->torn = log->drain[0] == '\n';
	log->drain_start = log->drain_end = 0;
	if (!log->tries)
		log_warning("cannot write the event log %s: %s; events are lost", log->path,
			    strerrordesc_np(-error));
	log->tries = true;
}

static void written(struct event_log *log, int res)
{
	if (res <= 0) {
		failed(log, res ? res : -EIO);
		return;
	}
	log->drain_start += (size_t)res;
	log->tries = false;
}

/* What was filled is what is drained next. False: there is nothing. */
static bool swap(struct event_log *log)
{
	char *drained = log->drain;

	if (log->drain_start < log->drain_end)
		return true;
	if (!log->filled)
		return false;
	log->drain = log->fill;
	log->fill = drained;
	log->drain_start = 0;
	log->drain_end = log->filled;
	log->filled = 0;
	return true;
}

static void write_now(struct event_log *log)
{
	while (swap(log)) {
		ssize_t n = write(log->fd, log->drain + log->drain_start,
				  log->drain_end - log->drain_start);

		if (n >= 0 || errno != EINTR)
			written(log, n < 0 ? -errno : (int)n);
	}
}

static void write_some(struct event_log *log)
{
	struct io_uring_sqe *sqe;

	if (log->busy || !log->loop || !swap(log))
		return;
	sqe = loop_sqe(log->loop, &log->op);
	if (!sqe) /* with the next line */
		return;
	log->busy = true;
	io_uring_prep_write(sqe, log->fd, log->drain + log->drain_start,
			    (unsigned int)(log->drain_end - log->drain_start), (uint64_t)-1);
}

static void change_file(struct event_log *log)
{
	if (log->next_fd < 0)
		return;
	close(log->fd);
	log->fd = log->next_fd;
	log->next_fd = -1;
	log->torn = false;
}

static void on_written(struct loop_op *op, int res, unsigned int flags)
{
	struct event_log *log = container_of(op, struct event_log, op);

	log->busy = false;
	if (res != -EINTR && res != -EAGAIN)
		written(log, res);
	else if (res == -EAGAIN)
		failed(log, res);
	if (log->drain_start == log->drain_end)
		change_file(log);
	if (log->ending)
		loop_stop(log->loop);
	else
		write_some(log);
}

void event_log_line(struct event_log *log, const char *line, size_t len)
{
	const size_t torn = log->torn && !log->filled;

	if (log->filled + torn + len > EVENT_LOG_ROOM) {
		log->lost++;
		return;
	}
	if (torn)
		log->fill[log->filled++] = '\n';
	log->torn = false;
	memcpy(log->fill + log->filled, line, len);
	log->filled += len;
	write_some(log);
}

uint64_t event_log_take_lost(struct event_log *log)
{
	const uint64_t lost = log->lost;

	log->lost = 0;
	return lost;
}

/* --- Life. ----------------------------------------------------------------------------------- */

static int open_file(const char *path, struct error *err)
{
	int fd =
		open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0640);

	if (fd < 0)
		return error_errno(err, -errno, "cannot open the event log %s", path);
	/* A named pipe that has no reader was not to hold us up; io_uring copes with the rest. */
	fcntl(fd, F_SETFL, O_APPEND);
	return fd;
}

static char *absolute(const char *path)
{
	char *dir, *whole = NULL;

	if (path[0] == '/')
		return strdup(path);
	dir = getcwd(NULL, 0);
	if (dir && asprintf(&whole, "%s/%s", dir, path) < 0)
		whole = NULL;
	free(dir);
	return whole;
}

static void event_log_free(struct event_log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	if (log->next_fd >= 0)
		close(log->next_fd);
	free(log->path);
	free(log->fill);
	free(log->drain);
	free(log);
}

static void on_limit(struct loop_timer *timer)
{
	loop_stop(container_of(timer, struct event_log, limit)->loop);
}

int event_log_open(const char *path, struct error *err, struct event_log **ret)
{
	struct event_log *log = calloc(1, sizeof(*log));
	int r;

	if (!log)
		return error_set(err, -ENOMEM, "out of memory");
	log->fd = log->next_fd = -1;
	log->op.done = on_written;
	log->limit.fired = on_limit;
	log->path = absolute(path);
	log->fill = malloc(EVENT_LOG_ROOM);
	log->drain = malloc(EVENT_LOG_ROOM);
	r = log->path && log->fill && log->drain ? open_file(log->path, err)
						 : error_set(err, -ENOMEM, "out of memory");
	if (r < 0) {
		event_log_free(log);
		return r;
	}
	log->fd = r;
	*ret = log;
	return 0;
}

void event_log_start(struct event_log *log, struct loop *loop)
{
	log->loop = loop;
	write_some(log);
}

int event_log_reopen(struct event_log *log, struct error *err)
{
	int fd = open_file(log->path, err);

	if (fd < 0)
		return fd;
	if (log->next_fd >= 0)
		close(log->next_fd);
	log->next_fd = fd;
	if (!log->busy)
		change_file(log);
	return 0;
}

/* A write under way has the buffer until it is done. */
static void wait_for_write(struct event_log *log)
{
	log->ending = true;
	loop_timer_set(log->loop, &log->limit, loop_now() + EVENT_LOG_END_NS);
	if (loop_run(log->loop) < 0)
		log_warning("the event log %s: io_uring failed", log->path);
	loop_timer_cancel(log->loop, &log->limit);
}

void event_log_close(struct event_log *log)
{
	if (!log)
		return;
	if (log->busy)
		wait_for_write(log);
	/* A file system that hangs has the buffer still, and the log with it. */
	if (log->busy)
		return;
	change_file(log);
	write_now(log);
	event_log_free(log);
}
