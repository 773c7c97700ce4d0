// SPDX-License-Identifier: MIT
/*
 * Writes to an image without end, for somebody to kill, and says afterwards whether all is there
 * that has to be. See usage().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/block/block_open.h"
#include "devices/block/file_uring.h"
#include "devices/block/vhdx.h"
#include "ledger.h"
#include "pattern.h"
#include "prng.h"

#define DEPTH     16u
#define MAX_UNITS 64u /* of a write */

static const char usage[] =
	"Usage: crash_writer create IMAGE LEDGER MIB\n"
	"       crash_writer write IMAGE LEDGER SEED CACHE [REQUESTS]\n"
	"       crash_writer verify IMAGE LEDGER [read-only]\n"
	"\n"
	"write: checks what is there, then writes, flushes and trims until it is killed or has\n"
	"done REQUESTS. CACHE: none or writeback. Exit status: 1 something was lost, 2 an error,\n"
	"3 the host had no space (what was written then was flushed, and checked). An image whose\n"
	"name does not end in .vhdx is a raw one.\n";

struct writer;

struct slot {
	struct block_request req;
	struct writer *writer;
	struct iovec iov;
	unsigned char *buf;
	uint64_t first, count; /* units */
	uint32_t generation;
	uint32_t flush; /* BLOCK_FLUSH: of what was done before it */
	bool busy;
};

struct writer {
	struct loop *loop;
	struct block *block;
	struct ledger *ledger;
	struct prng prng;
	struct slot slots[DEPTH];
	bool *in_use;      /* units that a request is under way for */
	uint32_t *done;    /* the generation that was written last, of each unit; 0: nothing new */
	uint32_t *done_at; /* in requests done */
	uint32_t requests, completed;
	uint32_t limit; /* 0: none */
	unsigned int in_flight;
	bool no_space;
	int error;
	struct loop_deferred refill;
};

/* --- What comes back. ------------------------------------------------------------------------ */

static void note_flush(struct writer *w, uint32_t before)
{
	for (uint64_t i = 0; i < w->ledger->units; i++)
		if (w->done[i] && w->done_at[i] <= before) {
			w->ledger->entries[i].floor =
				max_of(w->ledger->entries[i].floor, w->done[i]);
			w->done[i] = 0;
		}
	w->ledger->flushes++;
}

static void note_write(struct writer *w, const struct slot *s)
{
	w->completed++;
	for (uint64_t i = s->first; i < s->first + s->count; i++) {
		w->done[i] = s->generation;
		w->done_at[i] = w->completed;
	}
}

static void slot_done(struct block_request *req, int result)
{
	struct slot *s = container_of(req, struct slot, req);
	struct writer *w = s->writer;

	s->busy = false;
	w->in_flight--;
	for (uint64_t i = s->first; i < s->first + s->count; i++)
		w->in_use[i] = false;
	if (result == -ENOSPC || result == -EFBIG)
		w->no_space = true;
	else if (result < 0)
		w->error = result;
	else if (req->op == BLOCK_FLUSH)
		note_flush(w, s->flush);
	else if (req->op != BLOCK_UNMAP)
		note_write(w, s);
	loop_defer(w->loop, &w->refill);
}

/* --- What is sent. --------------------------------------------------------------------------- */

static bool take_range(struct writer *w, struct slot *s)
{
	uint64_t block = MiB(1) / LEDGER_UNIT;

	s->first = prng_below(&w->prng, w->ledger->units);
	s->count = 1 + prng_below(&w->prng, 16);
	if (s->req.op != BLOCK_WRITE) {
		s->first = align_down(s->first, block);
		s->count = block;
	} else if (prng_once_in(&w->prng, 8)) {
		s->count = MAX_UNITS;
	}
	s->count = min_of(s->count, w->ledger->units - s->first);
	for (uint64_t i = s->first; i < s->first + s->count; i++)
		if (w->in_use[i])
			return false;
	return true;
}

/* Before it is submitted: it may take effect at any time from then on. */
static void announce(struct writer *w, struct slot *s)
{
	s->generation = ++w->ledger->generation;
	for (uint64_t i = s->first; i < s->first + s->count; i++) {
		w->in_use[i] = true;
		if (s->req.op == BLOCK_WRITE)
			w->ledger->entries[i].top = s->generation;
		else
			w->ledger->entries[i].zeroed = s->generation;
	}
}

static enum block_op choose(struct writer *w)
{
	switch (prng_below(&w->prng, 24)) {
	case 0:
		return BLOCK_UNMAP;
	case 1:
		return BLOCK_WRITE_ZEROES;
	case 2:
	case 3:
		return BLOCK_FLUSH;
	default:
		return BLOCK_WRITE;
	}
}

static void send_one(struct writer *w, struct slot *s)
{
	s->req = (struct block_request){.op = choose(w), .done = slot_done};
	s->first = s->count = 0;
	s->flush = w->completed;
	if (s->req.op != BLOCK_FLUSH) {
		if (!take_range(w, s)) {
			s->count = 0;
			s->req.op = BLOCK_FLUSH;
		} else {
			announce(w, s);
		}
	}
	s->req.unmap = s->req.op == BLOCK_WRITE_ZEROES && prng_once_in(&w->prng, 2);
	s->req.offset = s->first * LEDGER_UNIT;
	s->req.len = s->count * LEDGER_UNIT;
	if (s->req.op == BLOCK_WRITE) {
		pattern_fill(s->buf, s->req.offset / PATTERN_UNIT, s->req.len / PATTERN_UNIT,
			     s->generation);
		s->iov = (struct iovec){.iov_base = s->buf, .iov_len = s->req.len};
		s->req.iov = &s->iov;
		s->req.iov_count = 1;
	}
	s->busy = true;
	w->in_flight++;
	w->requests++;
	block_submit(w->block, &s->req);
}

static void refill(struct loop_deferred *deferred)
{
	struct writer *w = container_of(deferred, struct writer, refill);

	for (unsigned int i = 0; i < DEPTH; i++) {
		if (w->error || w->no_space || (w->limit && w->requests >= w->limit))
			break;
		if (!w->slots[i].busy)
			send_one(w, &w->slots[i]);
	}
	if (!w->in_flight)
		loop_stop(w->loop);
}

/* --- Reading it all. ------------------------------------------------------------------------- */

struct waiting {
	struct block_request req;
	struct loop *loop;
	int result;
};

static void waiting_done(struct block_request *req, int result)
{
	struct waiting *waiting = container_of(req, struct waiting, req);

	waiting->result = result;
	loop_stop(waiting->loop);
}

static int do_one(struct writer *w, enum block_op op, void *buf, uint64_t len, uint64_t offset)
{
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct waiting waiting = {
		.req = {.op = op,
			.offset = offset,
			.len = len,
			.iov = &iov,
			.iov_count = len ? 1 : 0,
			.done = waiting_done},
		.loop = w->loop,
	};
	int r;

	block_submit(w->block, &waiting.req);
	r = loop_run(w->loop);
	return r < 0 ? r : waiting.result;
}

/* 0; 1 with lines on stderr: something is lost; 2: an error. */
static int verify(struct writer *w)
{
	uint64_t size = w->ledger->units * LEDGER_UNIT;
	unsigned char *buf = aligned_alloc(PAGE_SIZE, MiB(1));
	int status = 0;

	for (uint64_t offset = 0; offset < size && status < 2; offset += MiB(1)) {
		uint64_t len = min_of(MiB(1), size - offset);
		int r = do_one(w, BLOCK_READ, buf, len, offset);

		if (r < 0) {
			fprintf(stderr, "read: %s\n", strerror(-r));
			status = 2;
			break;
		}
		for (uint64_t i = 0; i < len / LEDGER_UNIT; i++)
			if (!ledger_check(w->ledger, offset / LEDGER_UNIT + i,
					  buf + i * LEDGER_UNIT))
				status = 1;
	}
	free(buf);
	return status;
}

/* --- The image. ------------------------------------------------------------------------------ */

static int complain(const struct error *err)
{
	fprintf(stderr, "%s\n", err->text);
	return 2;
}

static bool is_vhdx(const char *path)
{
	size_t len = strlen(path);

	return len > 5 && strcmp(path + len - 5, ".vhdx") == 0;
}

static int create(const char *path, const char *ledger, uint64_t mib)
{
	struct vhdx_create_options options = {
		.type = VHDX_DYNAMIC, .size = MiB(mib), .block_size = (uint32_t)MiB(1)};
	struct file *file;
	struct error err;
	int r;

	if (file_uring_open(path, FILE_URING_CREATE, NULL, &err, &file) < 0)
		return complain(&err);
	if (is_vhdx(path))
		r = vhdx_create(file, &options, &err);
	else
		r = error_set(&err, file_truncate(file, MiB(mib)), "truncate");
	file_destroy(file);
	if (r < 0)
		return complain(&err);
	return ledger_map(ledger, MiB(mib) / LEDGER_UNIT) ? 0 : 2;
}

static void found(void *ctx, enum vhdx_finding_kind kind, const char *text)
{
	if (kind == VHDX_ERROR)
		fprintf(stderr, "check: %s\n", text);
}

static int check(const char *path)
{
	struct vhdx_check_options options = {.found = found};
	struct vhdx_check_result result;
	struct file *file;
	struct error err;
	int r;

	if (file_uring_open(path, FILE_URING_READ_ONLY, NULL, &err, &file) < 0)
		return complain(&err);
	r = vhdx_check(file, &options, &err, &result);
	file_destroy(file);
	if (r < 0)
		return complain(&err);
	return result.errors ? 1 : 0;
}

/* The kernel may take a moment to let go of what a killed process had. */
static int open_image(struct writer *w, const struct block_config *config)
{
	struct error err;
	int r = -EBUSY;

	for (int i = 0; i < 500 && r == -EBUSY; i++) {
		if (i > 0)
			usleep(10000);
		r = block_open(config, w->loop, &err, &w->block);
	}
	return r < 0 ? complain(&err) : 0;
}

static int close_image(struct writer *w)
{
	struct error err;
	struct block *block = w->block;

	w->block = NULL;
	return block_close(block, &err) < 0 ? complain(&err) : 0;
}

static int write_until(struct writer *w)
{
	uint64_t units = w->ledger->units;
	int r;

	w->in_use = calloc(units, sizeof(bool));
	w->done = calloc(units, sizeof(uint32_t));
	w->done_at = calloc(units, sizeof(uint32_t));
	for (unsigned int i = 0; i < DEPTH; i++) {
		w->slots[i].writer = w;
		w->slots[i].buf = aligned_alloc(PAGE_SIZE, MAX_UNITS * LEDGER_UNIT);
	}
	w->refill.run = refill;
	loop_defer(w->loop, &w->refill);
	r = loop_run(w->loop);
	if (r == 0)
		r = w->error;
	if (r < 0) {
		fprintf(stderr, "writing: %s\n", strerror(-r));
		return 2;
	}
	r = do_one(w, BLOCK_FLUSH, NULL, 0, 0);
	if (r < 0) {
		fprintf(stderr, "flush: %s\n", strerror(-r));
		return 2;
	}
	note_flush(w, UINT32_MAX);
	r = verify(w);
	return r == 0 && w->no_space ? 3 : r;
}

static void free_all(struct writer *w)
{
	for (unsigned int i = 0; i < DEPTH; i++)
		free(w->slots[i].buf);
	free(w->in_use);
	free(w->done);
	free(w->done_at);
}

static int work(const char *path, const char *ledger, int argc, char **argv, bool writes)
{
	struct block_config config = {.path = path, .cache = BLOCK_CACHE_WRITEBACK};
	struct writer *w = calloc(1, sizeof(*w));
	struct error err;
	int status;

	config.read_only = !writes && argc > 0;
	if (writes) {
		w->prng.state = strtoull(argv[0], NULL, 0);
		if (strcmp(argv[1], "none") == 0)
			config.cache = BLOCK_CACHE_NONE;
		w->limit = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 0;
	}
	w->ledger = ledger_map(ledger, 0);
	if (!w->ledger || loop_create(0, &err, &w->loop) < 0)
		return 2;
	status = open_image(w, &config);
	if (status == 0)
		status = verify(w);
	if (status == 0 && writes)
		status = write_until(w);
	if (w->block && close_image(w) && status != 1)
		status = 2;
	loop_destroy(w->loop);
	free_all(w);
	free(w);
	return status == 0 && !writes && is_vhdx(path) ? check(path) : status;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 3 ? argv[1] : "";

	if (strcmp(verb, "create") == 0 && argc == 5)
		return create(argv[2], argv[3], strtoull(argv[4], NULL, 0));
	if (strcmp(verb, "write") == 0 && argc >= 6)
		return work(argv[2], argv[3], argc - 4, argv + 4, true);
	if (strcmp(verb, "verify") == 0)
		return work(argv[2], argv[3], argc - 4, argv + 4, false);
	fputs(usage, stderr);
	return 2;
}
