// SPDX-License-Identifier: MIT
/*
 * Runs a script of requests on an image.
 */
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "pattern.h"

struct request {
	struct block_request req;
	struct run *run;
	struct step step;
	struct iovec iov[2];
	unsigned char *buf;
	size_t write; /* the oracle's */
	uint64_t stamp;
	bool answered;
};

const char *script_text(const struct script *script, char *buf, size_t len)
{
	static const char *const names[] = {"write", "read", "flush", "unmap", "zeroes", "reopen"};
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < script->count && n < len; i++) {
		const struct step *s = &script->steps[i];

		n += (size_t)snprintf(buf + n, len - n, "%s%s%s%s",
				      i ? s->alone ? "; " : " & " : "", s->unmap ? "unmap-" : "",
				      names[s->kind], s->fua ? "-fua" : "");
		if (n < len && s->len)
			n += (size_t)snprintf(buf + n, len - n, " %lluk+%lluk",
					      (unsigned long long)s->offset / 1024,
					      (unsigned long long)s->len / 1024);
	}
	return buf;
}

/* --- What comes back. ------------------------------------------------------------------------ */

static bool excused(const struct run *run)
{
	return run->image.rec.faulted || run->image.parent.faulted || memory_failed();
}

static void fail(struct run *run, const char *what, int r, const char *text)
{
	run->failed++;
	if (!excused(run))
		verdict_fail(run->verdict, "a %s failed (%s)%s%s", what, strerror(-r),
			     text[0] ? ": " : "", text);
}

static void check_read(const struct request *rq)
{
	uint64_t first = rq->step.offset / PATTERN_UNIT;

	for (uint64_t i = 0; i < rq->step.len / PATTERN_UNIT; i++) {
		uint32_t generation;
		uint64_t unit;
		struct oracle_set set;
		char text[128];

		if (pattern_decode(rq->buf + i * PATTERN_UNIT, first + i, &unit, &generation) !=
		    PATTERN_GOOD) {
			verdict_fail(rq->run->verdict, "read: unit %llu has contents not its own",
				     (unsigned long long)(first + i));
			return;
		}
		oracle_now(&rq->run->oracle, first + i, rq->stamp, &set);
		if (!oracle_has(&set, generation)) {
			verdict_fail(rq->run->verdict, "read: unit %llu has %u, not one of %s",
				     (unsigned long long)(first + i), generation,
				     oracle_text(&set, text, sizeof(text)));
			return;
		}
	}
}

static void note(struct request *rq, int result)
{
	struct run *run = rq->run;
	uint64_t flushes = run->oracle.flushes;

	switch (rq->step.kind) {
	case STEP_READ:
		if (result == 0)
			check_read(rq);
		break;
	case STEP_FLUSH:
		if (result == 0)
			oracle_flushed(&run->oracle, rq->stamp);
		break;
	case STEP_WRITE:
	case STEP_ZEROES:
	case STEP_UNMAP:
		oracle_done(&run->oracle, rq->write, result < 0, rq->step.fua);
		break;
	case STEP_REOPEN:
		break;
	}
	if (run->oracle.flushes != flushes && run->flushed)
		run->flushed(run);
}

static void request_done(struct block_request *req, int result)
{
	static const char *const names[] = {
		[STEP_WRITE] = "write", [STEP_READ] = "read",     [STEP_FLUSH] = "flush",
		[STEP_UNMAP] = "unmap", [STEP_ZEROES] = "zeroes",
	};
	struct request *rq = container_of(req, struct request, req);
	struct run *run = rq->run;

	if (rq->answered) {
		verdict_fail(run->verdict, "a request was done twice");
		return;
	}
	rq->answered = true;
	run->in_flight--;
	if (result > 0)
		verdict_fail(run->verdict, "a %s was done with %d", names[rq->step.kind], result);
	if (result < 0)
		fail(run, names[rq->step.kind], result, "");
	note(rq, result);
	free(rq->buf);
	free(rq);
}

/* --- What is sent. --------------------------------------------------------------------------- */

/* A vector of one or two parts, cut anywhere. */
static void give_buffer(struct run *run, struct request *rq)
{
	uint64_t len = rq->step.len, cut = len;

	rq->buf = xcalloc(1, len);
	if (prng_once_in(&run->prng, 4))
		cut = 1 + prng_below(&run->prng, len - 1);
	rq->iov[0] = (struct iovec){.iov_base = rq->buf, .iov_len = cut};
	rq->iov[1] = (struct iovec){.iov_base = rq->buf + cut, .iov_len = len - cut};
	rq->req.iov = rq->iov;
	rq->req.iov_count = cut < len ? 2 : 1;
}

static void submit(struct run *run, const struct step *step)
{
	static const enum block_op ops[] = {
		[STEP_WRITE] = BLOCK_WRITE,         [STEP_READ] = BLOCK_READ,
		[STEP_FLUSH] = BLOCK_FLUSH,         [STEP_UNMAP] = BLOCK_UNMAP,
		[STEP_ZEROES] = BLOCK_WRITE_ZEROES,
	};
	static const enum oracle_kind kinds[] = {
		[STEP_WRITE] = ORACLE_WRITE,
		[STEP_UNMAP] = ORACLE_UNMAP,
		[STEP_ZEROES] = ORACLE_ZEROES,
	};
	struct request *rq = xcalloc(1, sizeof(*rq));
	uint64_t unit = step->offset / PATTERN_UNIT, units = step->len / PATTERN_UNIT;

	rq->run = run;
	rq->step = *step;
	rq->req = (struct block_request){
		.op = ops[step->kind],
		.fua = step->fua,
		.unmap = step->unmap,
		.offset = step->offset,
		.len = step->len,
		.done = request_done,
	};
	if (step->kind == STEP_WRITE || step->kind == STEP_READ)
		give_buffer(run, rq);
	if (step->kind == STEP_WRITE)
		pattern_fill(rq->buf, unit, units, ++run->generation);
	if (step->kind == STEP_READ || step->kind == STEP_FLUSH)
		rq->stamp = oracle_stamp(&run->oracle);
	else
		rq->write = oracle_submit(&run->oracle, kinds[step->kind], run->generation, unit,
					  units);
	run->in_flight++;
	run->requests++;
	block_submit(run->block, &rq->req);
}

/* --- The run. -------------------------------------------------------------------------------- */

static bool drain(struct run *run, size_t to)
{
	while (run->in_flight > to)
		if (!sim_loop_step(run->image.loop)) {
			verdict_fail(run->verdict, "%zu requests are never done", run->in_flight);
			return false;
		}
	if (!run->in_flight && run->image.rec.in_flight)
		verdict_fail(run->verdict, "all requests are done, and %zu of the file are not",
			     run->image.rec.in_flight);
	return true;
}

void run_init(struct run *run, const struct image_template *made, const struct pages *contents,
	      const uint32_t *initial, enum sim_order order, uint64_t seed, struct verdict *verdict)
{
	uint64_t units = made->kind.size / PATTERN_UNIT;

	*run = (struct run){.verdict = verdict, .prng = {seed}};
	image_init(&run->image, made, contents, order, seed, verdict);
	oracle_init(&run->oracle, units);
	memcpy(run->oracle.initial, initial ? initial : made->initial, units * sizeof(uint32_t));
}

void run_init_killed(struct run *run, const struct run *killed, enum sim_order order, uint64_t seed)
{
	*run = (struct run){
		.verdict = killed->verdict, .prng = {seed}, .generation = killed->generation};
	image_init(&run->image, killed->image.made, NULL, order, seed, killed->verdict);
	rec_file_copy_killed(&run->image.rec, &killed->image.rec);
	oracle_copy_killed(&run->oracle, &killed->oracle);
}

void run_finish(struct run *run)
{
	run->image.rec.before_durable = NULL;
	run->flushed = NULL;
	if (run->block && drain(run, 0))
		run_close(run);
	image_finish(&run->image);
	oracle_finish(&run->oracle);
}

bool run_open(struct run *run)
{
	struct error err;
	int r = image_open(&run->image, false, &err, &run->block);

	if (r < 0) {
		run->block = NULL;
		fail(run, "open", r, err.text);
	}
	return r == 0;
}

bool run_close(struct run *run)
{
	uint64_t stamp = oracle_stamp(&run->oracle);
	struct error err;
	int r;

	if (!run->block)
		return true;
	r = image_close(&run->image, run->block, &err);
	run->block = NULL;
	if (r < 0) {
		fail(run, "close", r, err.text);
		oracle_abandon(&run->oracle);
		return false;
	}
	oracle_flushed(&run->oracle, stamp);
	if (run->flushed)
		run->flushed(run);
	return true;
}

bool run_script(struct run *run, const struct script *script)
{
	for (size_t i = 0; i < script->count; i++) {
		const struct step *step = &script->steps[i];

		if ((step->alone || step->kind == STEP_REOPEN) && !drain(run, 0))
			return false;
		if (step->kind == STEP_REOPEN) {
			run_close(run);
			if (!run_open(run))
				return false;
			continue;
		}
		submit(run, step);
		/* What is in flight goes on a little, or not at all, before the next comes. */
		while (run->in_flight && prng_once_in(&run->prng, 3))
			if (!sim_loop_step(run->image.loop))
				break;
	}
	return run->leaves || drain(run, 0);
}
