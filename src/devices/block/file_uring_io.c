// SPDX-License-Identifier: MIT
/*
 * Requests to files through io_uring. A request goes one of three ways:
 *
 * - as it is: its memory and its range suit the file (always without O_DIRECT);
 * - in pieces through a buffer: a read, or a write whose memory alone is not aligned;
 * - through the page cache, alone among the writes: a write whose range is not aligned.
 *
 * @moved counts what is done of it, so that whatever comes back short is continued. State belongs
 * to the loop's thread.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <sys/mman.h>

#include "devices/block/file_uring_internal.h"
#include "devices/block/iov.h"
#include "vmm/log.h"

#define TRANSFER_MAX MiB(1024) /* of one submission; a length there has 32 bits */
#define AGAIN_NS     NSEC_PER_MSEC

static void issue(struct file_uring *f, struct file_request *req);
static void start(struct file_uring *f, struct file_request *req);

void file_queue_add(struct file_queue *queue, struct file_request *req)
{
	req->next = NULL;
	if (queue->head)
		queue->tail->next = req;
	else
		queue->head = req;
	queue->tail = req;
}

struct file_request *file_queue_take(struct file_queue *queue)
{
	struct file_request *req = queue->head;

	if (req)
		queue->head = req->next;
	return req;
}

static bool is_write(const struct file_request *req)
{
	return req->op != FILE_READ && req->op != FILE_SYNC;
}

/* --- the end of a request ------------------------------------------------------------------- */

/* Starts what had to wait, in order, as far as that goes. */
static void start_held(struct file_uring *f);

static void give_bounce(struct file_uring *f, struct file_request *req)
{
	struct file_request *waiting = file_queue_take(&f->bounce_wanted);

	if (waiting) {
		waiting->bounce = req->bounce;
		req->bounce = NULL;
		issue(f, waiting);
		return;
	}
	f->bounce_free[f->bounce_free_count++] = req->bounce;
	req->bounce = NULL;
}

/*
 * A host that could not write says so once, and then counts as written what is not. No later sync
 * can make good for that, so none succeeds any more.
 */
static int remember_sync(struct file_uring *f, const struct file_request *req, int result)
{
	bool sync = req->op == FILE_SYNC && !f->no_sync;

	if (result < 0 && (sync || (is_write(req) && req->durable && result != -ENOSPC)))
		f->sync_failed = true;
	return sync && f->sync_failed ? -EIO : result;
}

/* The request's owner may destroy the file as soon as it knows. */
static void finish(struct file_uring *f, struct file_request *req, int result)
{
	/* Other ways of the host to say that there is no space. */
	if (result == -EDQUOT || result == -EFBIG)
		result = -ENOSPC;
	result = remember_sync(f, req, result);
	if (req->bounce)
		give_bounce(f, req);
	if (f->exclusive == req)
		f->exclusive = NULL;
	else if (is_write(req))
		f->writes--;
	if (f->held.head)
		start_held(f);
	f->in_flight--;
	req->done(req, result);
}

static void run_finished(struct loop_deferred *deferred)
{
	struct file_uring *f = container_of(deferred, struct file_uring, finish);
	struct file_queue queue = f->finished;
	struct file_request *req;

	/* What the owners submit meanwhile comes in a later pass, if the file still exists. */
	f->finished.head = NULL;
	while ((req = file_queue_take(&queue)))
		finish(f, req, -(int)req->moved);
}

/* For what is over without the host: not from inside file_submit(). */
static void finish_later(struct file_uring *f, struct file_request *req, int result)
{
	req->moved = (uint64_t)-result;
	file_queue_add(&f->finished, req);
	loop_defer(f->loop, &f->finish);
}

/* --- again later ---------------------------------------------------------------------------- */

static void run_retry(struct loop_timer *timer)
{
	struct file_uring *f = container_of(timer, struct file_uring, retry);
	struct file_queue queue = f->pending;
	struct file_request *req;

	f->pending.head = NULL;
	while ((req = file_queue_take(&queue)))
		issue(f, req);
}

static void issue_later(struct file_uring *f, struct file_request *req, uint64_t delay_ns)
{
	counter_add(&f->counters.retried, 1);
	if (!f->pending.head)
		loop_timer_set(f->loop, &f->retry, loop_now() + delay_ns);
	file_queue_add(&f->pending, req);
}

/* --- reads and writes ----------------------------------------------------------------------- */

static bool range_aligned(const struct file_uring *f, const struct file_request *req)
{
	return is_aligned(req->offset | req->len, f->info.range_alignment);
}

static bool memory_aligned(const struct file_uring *f, const struct file_request *req)
{
	uint64_t bases = 0, lengths = 0;

	for (unsigned int i = 0; i < req->iov_count; i++) {
		bases |= (uintptr_t)req->iov[i].iov_base;
		lengths |= req->iov[i].iov_len;
	}
	return is_aligned(bases, f->info.memory_alignment) &&
	       is_aligned(lengths, f->info.range_alignment);
}

/* Must this go through the page cache, alone? A hole's ends are zeroed there, too. */
static bool needs_detour(const struct file_uring *f, const struct file_request *req)
{
	if (!f->info.direct || !is_write(req))
		return false;
	if (req->op == FILE_TRUNCATE)
		return !is_aligned(req->offset, f->info.range_alignment);
	return !range_aligned(f, req);
}

/* Memory for the request's pieces, or false: it waits for some, or is over. */
static bool take_bounce(struct file_uring *f, struct file_request *req)
{
	if (!f->bounce_memory) {
		char *memory = mmap(NULL, BOUNCE_SIZE * BOUNCE_COUNT, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED) {
			finish_later(f, req, -ENOMEM);
			return false;
		}
		f->bounce_memory = memory;
		for (unsigned int i = 0; i < BOUNCE_COUNT; i++)
			f->bounce_free[i] = memory + i * BOUNCE_SIZE;
		f->bounce_free_count = BOUNCE_COUNT;
	}
	if (f->bounce_free_count == 0) {
		file_queue_add(&f->bounce_wanted, req);
		return false;
	}
	req->bounce = f->bounce_free[--f->bounce_free_count];
	return true;
}

/* The piece of a bounced request that is next: a range of the file, and what of it is wanted. */
struct piece {
	uint64_t start, len; /* aligned */
	uint64_t skip, want;
};

static struct piece next_piece(const struct file_uring *f, const struct file_request *req)
{
	uint64_t at = req->offset + req->moved, left = req->len - req->moved;
	uint32_t alignment = f->info.range_alignment;
	struct piece piece;

	piece.start = align_down(at, alignment);
	piece.skip = at - piece.start;
	piece.want = min_of(left, BOUNCE_SIZE - piece.skip);
	piece.len = align_up(piece.skip + piece.want, alignment);
	return piece;
}

static void issue_bounce(struct file_uring *f, struct file_request *req, struct io_uring_sqe *sqe)
{
	struct piece piece = next_piece(f, req);

	counter_add(&f->counters.bounced, 1);
	if (req->op == FILE_READ) {
		io_uring_prep_read(sqe, f->fd, req->bounce, (unsigned int)piece.len, piece.start);
		return;
	}
	iov_copy_out(req->iov, req->iov_count, req->moved, req->bounce, piece.want);
	io_uring_prep_write(sqe, f->fd, req->bounce, (unsigned int)piece.len, piece.start);
}

/* What is left of the vector. One that was left in the middle of an element: that element only. */
static void issue_vector(struct file_uring *f, struct file_request *req, struct io_uring_sqe *sqe)
{
	int fd = f->exclusive == req ? f->cache_fd : f->fd;
	uint64_t offset = req->offset + req->moved, skip = req->moved;
	const struct iovec *iov = req->iov;
	unsigned int count = req->iov_count, len;
	char *base;

	for (; skip >= iov->iov_len; count--)
		skip -= iov++->iov_len;
	if (count > 1 && skip == 0) {
		count = min_of(count, (unsigned int)IOV_MAX);
		if (req->op == FILE_READ)
			io_uring_prep_readv(sqe, fd, iov, count, offset);
		else
			io_uring_prep_writev(sqe, fd, iov, count, offset);
		return;
	}
	base = (char *)iov->iov_base + skip;
	len = (unsigned int)min_of(iov->iov_len - skip, TRANSFER_MAX);
	if (req->op == FILE_READ)
		io_uring_prep_read(sqe, fd, base, len, offset);
	else
		io_uring_prep_write(sqe, fd, base, len, offset);
}

static void issue(struct file_uring *f, struct file_request *req)
{
	struct io_uring_sqe *sqe = loop_sqe(f->loop, &req->loop_op);

	if (!sqe) {
		issue_later(f, req, 0);
		return;
	}
	switch (req->op) {
	case FILE_READ:
	case FILE_WRITE:
		if (req->bounce)
			issue_bounce(f, req, sqe);
		else
			issue_vector(f, req, sqe);
		if (req->durable && req->op == FILE_WRITE && !f->no_sync)
			sqe->rw_flags = RWF_DSYNC;
		break;
	case FILE_SYNC:
		/* The size is among the data, as far as they can be found again only with it. */
		io_uring_prep_fsync(sqe, f->fd, IORING_FSYNC_DATASYNC);
		break;
	case FILE_DISCARD:
	case FILE_ZERO:
	case FILE_TRUNCATE:
		file_uring_issue_space(f, req, sqe);
		break;
	}
}

/* A piece came back. True: go on with the next one. */
static bool bounce_moved(struct file_uring *f, struct file_request *req, uint64_t n)
{
	struct piece piece = next_piece(f, req);
	uint64_t got = n > piece.skip ? min_of(n - piece.skip, piece.want) : 0;

	if (req->op == FILE_WRITE)
		got = align_down(got, f->info.range_alignment);
	else
		iov_copy_in(req->iov, req->iov_count, req->moved, (char *)req->bounce + piece.skip,
			    got);
	req->moved += got;
	/* Part of a sector comes only from the end of a file. */
	return req->moved < req->len && got > 0 &&
	       (req->op == FILE_WRITE || is_aligned(n, f->info.range_alignment));
}

/* The host moved @n bytes. True: go on with what is left; false: *res is the result. */
static bool moved(struct file_uring *f, struct file_request *req, int *res)
{
	uint64_t n = (uint64_t)*res;
	bool more;

	*res = 0;
	if (req->bounce) {
		more = bounce_moved(f, req, n);
	} else {
		req->moved += n;
		more = req->moved < req->len && n > 0;
		/* O_DIRECT comes back with part of a sector only at the end of a file. */
		if (more && req->op == FILE_READ && f->info.direct)
			more = is_aligned(n, f->info.range_alignment);
	}
	if (more) {
		counter_add(&f->counters.continued, 1);
		return true;
	}
	if (req->moved < req->len && req->op == FILE_READ)
		iov_zero(req->iov, req->iov_count, req->moved, req->len - req->moved);
	else if (req->moved < req->len)
		*res = -EIO; /* it wrote nothing, and had no reason */
	return false;
}

/*
 * The file system has O_DIRECT, but not for this, although it is aligned: from now on all goes
 * through the page cache. True: that is a way that was not tried yet.
 */
static bool give_up_direct(struct file_uring *f, const struct file_request *req, int res)
{
	if (res != -EINVAL || !f->info.direct || f->exclusive == req)
		return false;
	log_info("%s: the host refuses O_DIRECT; using its page cache", f->file.name);
	f->info.direct = false;
	f->fd = f->cache_fd;
	return true;
}

static void op_done(struct loop_op *op, int res, unsigned int flags)
{
	struct file_request *req = container_of(op, struct file_request, loop_op);
	struct file_uring *f = file_uring_of(req->file);

	if (res == -EINTR) {
		counter_add(&f->counters.retried, 1);
		issue(f, req);
		return;
	}
	if (res == -EAGAIN) {
		issue_later(f, req, AGAIN_NS);
		return;
	}
	switch (req->op) {
	case FILE_READ:
	case FILE_WRITE:
		if (res < 0 && !give_up_direct(f, req, res))
			break;
		if (res >= 0 && !moved(f, req, &res))
			break;
		issue(f, req);
		return;
	case FILE_DISCARD:
	case FILE_ZERO:
		if (!file_uring_space_done(f, req, &res))
			break;
		issue(f, req);
		return;
	case FILE_SYNC:
	case FILE_TRUNCATE:
		break;
	}
	finish(f, req, res);
}

/* --- the beginning -------------------------------------------------------------------------- */

/* What needs no host. True: *ret is the result. */
static bool is_over(struct file_uring *f, struct file_request *req, int *ret)
{
	*ret = 0;
	if (req->op == FILE_SYNC)
		return f->no_sync;
	if (is_write(req) && f->file.read_only)
		*ret = -EROFS;
	else if (req->op == FILE_TRUNCATE)
		*ret = f->file.ops->truncate(&f->file, req->offset);
	else if (!range_within(req->offset, req->len, INT64_MAX))
		*ret = -EINVAL;
	else
		return req->len == 0;
	return true;
}

/* Its memory or range do not suit the file, and it does not go through the page cache. */
static bool needs_bounce(const struct file_uring *f, const struct file_request *req)
{
	return f->info.direct && (req->op == FILE_READ || req->op == FILE_WRITE) &&
	       f->exclusive != req && !(range_aligned(f, req) && memory_aligned(f, req));
}

/* The request's turn has come, as far as other writes are concerned. */
static void start(struct file_uring *f, struct file_request *req)
{
	int result;

	if (is_over(f, req, &result))
		finish_later(f, req, result);
	else if (!needs_bounce(f, req) || take_bounce(f, req))
		issue(f, req);
}

/* True, and counted: it may start now. */
static bool may_start(struct file_uring *f, struct file_request *req)
{
	if (!is_write(req))
		return true;
	if (f->exclusive)
		return false;
	if (needs_detour(f, req)) {
		if (f->writes)
			return false;
		f->exclusive = req;
		counter_add(&f->counters.detours, 1);
		return true;
	}
	f->writes++;
	return true;
}

static void start_held(struct file_uring *f)
{
	while (f->held.head && may_start(f, f->held.head))
		start(f, file_queue_take(&f->held));
}

void file_uring_submit(struct file *file, struct file_request *req)
{
	struct file_uring *f = file_uring_of(file);

	req->file = file;
	req->loop_op.done = op_done;
	req->moved = 0;
	req->bounce = NULL;
	f->in_flight++;
	counter_add(&f->counters.requests, 1);
	if ((f->held.head && is_write(req)) || !may_start(f, req))
		file_queue_add(&f->held, req);
	else
		start(f, req);
}

void file_uring_init_requests(struct file_uring *f)
{
	f->retry.fired = run_retry;
	f->finish.run = run_finished;
}
