// SPDX-License-Identifier: MIT
/*
 * Inside of file_uring*.c: opening and plain calls, requests, and the host's facts.
 */
#pragma once

#include "devices/block/file_uring.h"

/* Buffers for memory that is not aligned, allocated together when the first is needed. */
#define BOUNCE_SIZE  KiB(64)
#define BOUNCE_COUNT 8u

/* Requests in their order, linked by next. */
struct file_queue {
	struct file_request *head, *tail;
};

struct file_uring {
	struct file file;
	struct loop *loop;
	int fd;        /* what requests use: one of these */
	int cache_fd;  /* through the page cache: plain calls and detours */
	int direct_fd; /* around it; -1: none */
	bool no_sync;
	bool sync_failed;             /* so do all that come after it */
	bool no_zero_range, no_punch; /* the file system said so */
	struct file_uring_info info;
	struct file_uring_counters counters;

	uint64_t in_flight;
	/*
	 * With O_DIRECT: a write through the page cache must not meet one around it in the same
	 * page. So @exclusive runs while there are no other @writes; what comes meanwhile waits.
	 */
	uint64_t writes;
	struct file_request *exclusive;
	struct file_queue held;

	struct file_queue pending; /* the submission queue took no more, or said "again" */
	struct loop_timer retry;

	struct file_queue finished; /* done without the host; @moved is the result */
	struct loop_deferred finish;

	void *bounce_memory;
	void *bounce_free[BOUNCE_COUNT];
	unsigned int bounce_free_count;
	struct file_queue bounce_wanted;

	void *zeroes; /* BOUNCE_SIZE bytes that are only read, when needed */
};

static inline struct file_uring *file_uring_of(struct file *file)
{
	return container_of(file, struct file_uring, file);
}

void file_queue_add(struct file_queue *queue, struct file_request *req);
struct file_request *file_queue_take(struct file_queue *queue);

/* As in struct file_ops. */
void file_uring_submit(struct file *file, struct file_request *req);
void file_uring_init_requests(struct file_uring *f);

/* file_uring_zero.c: FILE_DISCARD and FILE_ZERO. */
void file_uring_issue_space(struct file_uring *f, struct file_request *req,
			    struct io_uring_sqe *sqe);
/* True: it is to be issued again, another way or for the rest; false: it is done, with *res. */
bool file_uring_space_done(struct file_uring *f, struct file_request *req, int *res);

/* What the host can do with the file that both descriptors of @f name. */
void file_uring_find_facts(struct file_uring *f);
