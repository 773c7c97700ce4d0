// SPDX-License-Identifier: MIT
/*
 * A file in memory that knows what a crash may leave of it: its operations, and faults.
 */
#include "recording_file.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "rec_pending.h"

struct rec_request {
	struct sim_event event;
	struct rec_file *rec;
	struct file_request *req;
	struct rec_op *op;   /* NULL: changes nothing */
	uint64_t sync_mark;  /* FILE_SYNC: what had completed by then */
	int error;           /* a fault's */
	uint64_t fault_part; /* so much of it is done all the same */
};

static struct rec_file *to_rec(struct file *file)
{
	return container_of(file, struct rec_file, file);
}

static const char *const op_names[] = {
	[FILE_READ] = "read",         [FILE_WRITE] = "write",     [FILE_SYNC] = "sync",
	[FILE_TRUNCATE] = "truncate", [FILE_DISCARD] = "discard", [FILE_ZERO] = "zero",
};

/* --- Faults and rules. ----------------------------------------------------------------------- */

/* 0, or the error with which this operation fails. */
static int fault(struct rec_file *rec, enum file_op op, uint64_t len, uint64_t *ret_part)
{
	const struct rec_fault *f = &rec->fault;

	rec->counts[op]++;
	if (!(f->kinds & 1u << op) || !f->nth)
		return 0;
	rec->matched++;
	if (rec->matched < f->nth || (rec->matched > f->nth && !f->forever))
		return 0;
	rec->faulted = true;
	*ret_part = 0;
	if (f->partly && len > 512)
		*ret_part = 512 * prng_below(&rec->prng, len / 512);
	return f->error;
}

static void check_use(struct rec_file *rec, enum file_op op)
{
	if (!rec->open)
		verdict_fail(rec->verdict, "a %s on a file that is closed", op_names[op]);
	if (rec->file.read_only && op != FILE_READ && op != FILE_SYNC)
		verdict_fail(rec->verdict, "a %s on a file open for reading", op_names[op]);
}

/* --- Requests. ------------------------------------------------------------------------------- */

static void scatter(struct file_request *req, const struct rec_file *rec)
{
	uint64_t offset = req->offset;

	for (unsigned int i = 0; i < req->iov_count; i++) {
		pages_read(&rec->live, req->iov[i].iov_base, req->iov[i].iov_len, offset);
		offset += req->iov[i].iov_len;
	}
}

static void gather(const struct file_request *req, unsigned char *to)
{
	for (unsigned int i = 0; i < req->iov_count; i++) {
		memcpy(to, req->iov[i].iov_base, req->iov[i].iov_len);
		to += req->iov[i].iov_len;
	}
}

/* What is on its way to the disk must not change: nobody can say what arrives. */
static void check_unchanged(const struct rec_request *rq)
{
	unsigned char *now = xcalloc(1, rq->op->len);

	gather(rq->req, now);
	if (memcmp(now, rq->op->data, rq->op->len) != 0)
		verdict_fail(rq->rec->verdict,
			     "memory changed while it was being written to %#llx + %#llx",
			     (unsigned long long)rq->op->offset, (unsigned long long)rq->op->len);
	free(now);
}

static int end_sync(struct rec_file *rec, uint64_t mark, int error)
{
	if (error)
		rec->sync_failed = true;
	else if (rec->sync_failed)
		error = -EIO;
	if (error)
		rec_pending_lose(rec, mark);
	else
		rec_pending_sync(rec, mark);
	return error;
}

static int take_effect(struct rec_request *rq)
{
	struct rec_file *rec = rq->rec;
	struct rec_op *op = rq->op;

	if (op && op->op == FILE_WRITE)
		check_unchanged(rq);
	if (op && rq->error) {
		rec_pending_fail(rec, op, rq->fault_part);
		return rq->error;
	}
	if (rq->req->op == FILE_SYNC)
		return end_sync(rec, rq->sync_mark, rq->error);
	if (rq->error)
		return rq->error;
	if (rq->req->op == FILE_READ)
		scatter(rq->req, rec);
	if (op)
		rec_pending_complete(rec, op, rq->req->durable && op->op == FILE_WRITE);
	return 0;
}

static void run_request(struct sim_event *event)
{
	struct rec_request *rq = container_of(event, struct rec_request, event);
	struct rec_file *rec = rq->rec;
	struct file_request *req = rq->req;
	int r = take_effect(rq);

	rec->in_flight--;
	free(rq);
	req->done(req, r);
}

static uint64_t iov_total(const struct file_request *req)
{
	uint64_t len = 0;

	for (unsigned int i = 0; i < req->iov_count; i++)
		len += req->iov[i].iov_len;
	return len;
}

static void rec_submit(struct file *file, struct file_request *req)
{
	struct rec_file *rec = to_rec(file);
	struct rec_request *rq = xcalloc(1, sizeof(*rq));
	bool data = req->op == FILE_READ || req->op == FILE_WRITE;

	req->file = file;
	check_use(rec, req->op);
	if (data && iov_total(req) != req->len)
		verdict_fail(rec->verdict, "a %s of %#llx bytes with a vector of %#llx",
			     op_names[req->op], (unsigned long long)req->len,
			     (unsigned long long)iov_total(req));
	*rq = (struct rec_request){
		.event = {.run = run_request},
		.rec = rec,
		.req = req,
		.sync_mark = rec->completions,
	};
	rq->error = fault(rec, req->op, req->len, &rq->fault_part);
	if (req->op != FILE_READ && req->op != FILE_SYNC) {
		unsigned char *copy = NULL;

		if (req->op == FILE_WRITE) {
			copy = xcalloc(1, req->len);
			gather(req, copy);
		}
		rq->op = rec_pending_add(rec, req->op, req->offset, req->len, copy);
	}
	rec->in_flight++;
	sim_loop_add(rec->loop, &rq->event);
}

/* --- Plain calls. ---------------------------------------------------------------------------- */

static int rec_pread(struct file *file, void *buf, size_t len, uint64_t offset)
{
	struct rec_file *rec = to_rec(file);
	uint64_t part = 0;
	int r;

	check_use(rec, FILE_READ);
	r = fault(rec, FILE_READ, len, &part);
	if (r == 0)
		pages_read(&rec->live, buf, len, offset);
	return r;
}

/* An operation that is over when the call is. */
static int at_once(struct rec_file *rec, enum file_op op, const void *buf, uint64_t len,
		   uint64_t offset)
{
	unsigned char *copy = NULL;
	struct rec_op *pending;
	uint64_t part = 0;
	int r;

	check_use(rec, op);
	r = fault(rec, op, len, &part);
	if (op == FILE_WRITE) {
		copy = xcalloc(1, len);
		memcpy(copy, buf, len);
	}
	pending = rec_pending_add(rec, op, offset, len, copy);
	if (r < 0)
		rec_pending_fail(rec, pending, part);
	else
		rec_pending_complete(rec, pending, false);
	return r;
}

static int rec_pwrite(struct file *file, const void *buf, size_t len, uint64_t offset)
{
	return at_once(to_rec(file), FILE_WRITE, buf, len, offset);
}

static int rec_truncate(struct file *file, uint64_t size)
{
	return at_once(to_rec(file), FILE_TRUNCATE, NULL, 0, size);
}

static int rec_discard(struct file *file, uint64_t offset, uint64_t len)
{
	return at_once(to_rec(file), FILE_DISCARD, NULL, len, offset);
}

static int rec_sync(struct file *file)
{
	struct rec_file *rec = to_rec(file);
	uint64_t part = 0;
	int r;

	check_use(rec, FILE_SYNC);
	r = fault(rec, FILE_SYNC, 0, &part);
	return end_sync(rec, rec->completions, r);
}

static int rec_size(struct file *file, uint64_t *ret)
{
	*ret = to_rec(file)->live.size;
	return 0;
}

static int rec_extent(struct file *file, uint64_t offset, bool *ret_data, uint64_t *ret_len)
{
	const struct rec_file *rec = to_rec(file);

	if (offset >= rec->live.size)
		return -ENXIO;
	*ret_len = pages_extent(&rec->live, offset, ret_data);
	return 0;
}

static void rec_destroy(struct file *file)
{
	struct rec_file *rec = to_rec(file);

	if (!rec->open)
		verdict_fail(rec->verdict, "a file that is closed twice");
	if (rec->in_flight)
		verdict_fail(rec->verdict, "a file that is closed with %zu requests in flight",
			     rec->in_flight);
	rec->open = false;
}

static const struct file_ops rec_ops = {
	.submit = rec_submit,
	.pread = rec_pread,
	.pwrite = rec_pwrite,
	.sync = rec_sync,
	.truncate = rec_truncate,
	.discard = rec_discard,
	.size = rec_size,
	.extent = rec_extent,
	.destroy = rec_destroy,
};

/* --- Its life. ------------------------------------------------------------------------------- */

void rec_file_init(struct rec_file *rec, const struct pages *contents, struct loop *loop,
		   uint64_t seed, struct verdict *verdict)
{
	*rec = (struct rec_file){
		.file = {.ops = &rec_ops, .name = "recorded"},
		.loop = loop,
		.verdict = verdict,
		.prng = {seed},
	};
	if (contents) {
		pages_copy(&rec->live, contents);
		pages_copy(&rec->durable, contents);
	}
}

void rec_file_finish(struct rec_file *rec)
{
	rec_pending_finish(rec);
	pages_finish(&rec->live);
	pages_finish(&rec->durable);
}

struct file *rec_file_open(struct rec_file *rec, bool read_only)
{
	assert(!rec->open);
	rec->open = true;
	rec->sync_failed = false;
	rec->file.read_only = read_only;
	return &rec->file;
}
