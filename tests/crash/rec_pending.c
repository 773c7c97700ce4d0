// SPDX-License-Identifier: MIT
/*
 * What of a recording file is pending, and what a crash leaves of it.
 */
#include "rec_pending.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

static void op_free(struct rec_op *op)
{
	pages_finish(&op->contents);
	free(op->data);
	free(op);
}

/* --- Applying operations to contents. -------------------------------------------------------- */

static void apply_size(struct pages *pages, const struct rec_op *op)
{
	/* What is in flight was given its size early: a write never makes the file shorter. */
	if (op->new_size == REC_NO_SIZE || (op->op != FILE_TRUNCATE && op->new_size < pages->size))
		return;
	if (op->new_size < pages->size)
		pages_cut(pages, op->new_size);
	pages->size = op->new_size;
}

static void apply_part(struct pages *pages, const struct rec_op *op, uint64_t start, uint64_t len)
{
	if (op->op == FILE_WRITE)
		pages_take(pages, &op->contents, op->offset + start, len);
	else if (op->op == FILE_ZERO)
		pages_zero_kept(pages, op->offset + start, len);
	else if (op->op == FILE_DISCARD)
		pages_zero(pages, op->offset + start, len);
}

/* The parts are sectors of the disk, whatever the operation's own alignment. */
static void apply_torn(struct pages *pages, const struct rec_op *op, uint64_t mask, uint32_t part)
{
	uint64_t start = 0;

	for (unsigned int n = 0; start < op->len; n++) {
		uint64_t end = align_down(op->offset + start, part) + part - op->offset;

		end = min_of(end, op->len);
		if (mask >> (n % 64) & 1)
			apply_part(pages, op, start, end - start);
		start = end;
	}
}

static void apply(struct pages *pages, const struct rec_op *op)
{
	apply_size(pages, op);
	apply_part(pages, op, 0, op->len);
}

/* --- How they come and go. ------------------------------------------------------------------- */

struct rec_op *rec_pending_add(struct rec_file *rec, enum file_op op, uint64_t offset, uint64_t len,
			       unsigned char *data)
{
	struct rec_op *new = xcalloc(1, sizeof(*new));

	*new = (struct rec_op){
		.op = op,
		.offset = offset,
		.len = op == FILE_TRUNCATE ? 0 : len,
		.data = data,
		.new_size = REC_NO_SIZE,
	};
	if (data)
		pages_write(&new->contents, data, len, offset);
	/* Sizes of what is in flight are what they would be now; completion says for good. */
	if (op == FILE_TRUNCATE && offset != rec->live.size)
		new->new_size = offset;
	if ((op == FILE_WRITE || op == FILE_ZERO) && offset + len > rec->live.size)
		new->new_size = offset + len;
	rec->pending = xrealloc(rec->pending, (rec->pending_count + 1) * sizeof(struct rec_op *));
	rec->pending[rec->pending_count++] = new;
	rec->version++;
	return new;
}

static size_t find(const struct rec_file *rec, const struct rec_op *op)
{
	size_t i = 0;

	while (rec->pending[i] != op)
		i++;
	return i;
}

static void take_out(struct rec_file *rec, size_t i)
{
	memmove(&rec->pending[i], &rec->pending[i + 1],
		(rec->pending_count - i - 1) * sizeof(struct rec_op *));
	rec->pending_count--;
}

/* Moves @op behind the last that completed. */
static void into_order(struct rec_file *rec, struct rec_op *op)
{
	size_t to = 0;

	take_out(rec, find(rec, op));
	while (to < rec->pending_count && rec->pending[to]->completed)
		to++;
	memmove(&rec->pending[to + 1], &rec->pending[to],
		(rec->pending_count - to) * sizeof(struct rec_op *));
	rec->pending[to] = op;
	rec->pending_count++;
	op->completed = ++rec->completions;
}

/* What comes first and is durable is part of the durable contents. */
static void fold(struct rec_file *rec)
{
	size_t n = 0;

	while (n < rec->pending_count && rec->pending[n]->must) {
		apply(&rec->durable, rec->pending[n]);
		op_free(rec->pending[n]);
		n++;
	}
	if (n == 0)
		return;
	rec->pending_count -= n;
	memmove(rec->pending, rec->pending + n, rec->pending_count * sizeof(struct rec_op *));
}

static void announce(struct rec_file *rec)
{
	if (rec->before_durable)
		rec->before_durable(rec);
}

void rec_pending_complete(struct rec_file *rec, struct rec_op *op, bool durable)
{
	durable &= !rec->lie_durable;
	if (durable)
		announce(rec);
	into_order(rec, op);
	op->new_size = REC_NO_SIZE;
	if (op->op == FILE_TRUNCATE && op->offset != rec->live.size)
		op->new_size = op->offset;
	if ((op->op == FILE_WRITE || op->op == FILE_ZERO) && op->offset + op->len > rec->live.size)
		op->new_size = op->offset + op->len;
	apply(&rec->live, op);
	op->must = durable;
	fold(rec);
}

void rec_pending_fail(struct rec_file *rec, struct rec_op *op, uint64_t part)
{
	if (op->op == FILE_TRUNCATE || part == 0) {
		take_out(rec, find(rec, op));
		op_free(op);
		return;
	}
	op->len = min_of(op->len, part);
	rec_pending_complete(rec, op, false);
}

void rec_pending_sync(struct rec_file *rec, uint64_t mark)
{
	if (rec->lie_sync)
		return;
	announce(rec);
	for (size_t i = 0; i < rec->pending_count; i++) {
		struct rec_op *op = rec->pending[i];

		if (op->completed && op->completed <= mark && !op->lost)
			op->must = true;
	}
	fold(rec);
}

void rec_pending_lose(struct rec_file *rec, uint64_t mark)
{
	for (size_t i = 0; i < rec->pending_count; i++) {
		struct rec_op *op = rec->pending[i];

		if (op->completed && op->completed <= mark && !op->must)
			op->lost = true;
	}
}

void rec_pending_finish(struct rec_file *rec)
{
	for (size_t i = 0; i < rec->pending_count; i++)
		op_free(rec->pending[i]);
	free(rec->pending);
	rec->pending = NULL;
	rec->pending_count = 0;
}

static struct rec_op *op_copy(const struct rec_op *op)
{
	struct rec_op *copy = xcalloc(1, sizeof(*copy));

	*copy = *op;
	copy->data = NULL;
	pages_copy(&copy->contents, &op->contents);
	return copy;
}

void rec_file_copy_killed(struct rec_file *to, const struct rec_file *from)
{
	rec_file_finish(to);
	pages_copy(&to->live, &from->live);
	pages_copy(&to->durable, &from->durable);
	to->pending = xcalloc(from->pending_count, sizeof(struct rec_op *));
	to->completions = from->completions;
	to->version = from->version + 1;
	for (size_t i = 0; i < from->pending_count; i++) {
		const struct rec_op *op = from->pending[i];

		if (!op->completed && prng_once_in(&to->prng, 2))
			continue;
		to->pending[to->pending_count++] = op_copy(op);
		if (!op->completed)
			rec_pending_complete(to, to->pending[to->pending_count - 1], false);
	}
}

/* --- A crash. -------------------------------------------------------------------------------- */

size_t rec_file_min_sizes(const struct rec_file *rec)
{
	size_t n = rec->pending_count;

	while (n > 0 && !rec->pending[n - 1]->must)
		n--;
	return n;
}

static void keep_one(const struct rec_file *rec, const struct rec_crash *crash, size_t i,
		     struct pages *pages)
{
	const struct rec_op *op = rec->pending[i];

	if (crash->keep[i] == REC_KEPT)
		apply_part(pages, op, 0, op->len);
	else if (crash->keep[i] == REC_TORN)
		apply_torn(pages, op, crash->torn_mask, crash->torn_part);
	if (i < crash->sizes)
		apply_size(pages, op);
}

void rec_file_crash(const struct rec_file *rec, const struct rec_crash *crash, struct pages *ret)
{
	size_t done = 0;

	while (done < rec->pending_count && rec->pending[done]->completed)
		done++;
	pages_copy(ret, &rec->durable);
	if (crash->in_flight_first)
		for (size_t i = done; i < rec->pending_count; i++)
			keep_one(rec, crash, i, ret);
	for (size_t i = 0; i < done; i++)
		keep_one(rec, crash, i, ret);
	if (!crash->in_flight_first)
		for (size_t i = done; i < rec->pending_count; i++)
			keep_one(rec, crash, i, ret);
	pages_cut(ret, ret->size);
}
