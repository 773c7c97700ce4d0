// SPDX-License-Identifier: MIT
/*
 * The formats that are one stream from beginning to end: gzip (zlib), xz and LZMA (liblzma), zstd.
 * One loop feeds them the file and takes what they make; each format is a step function.
 */
#include "vmm/boot_unpack_formats.h"

#if defined(HAVE_ZLIB) || defined(HAVE_LZMA) || defined(HAVE_ZSTD)

#include <errno.h>
#include <stdlib.h>

#define IN_LEN  KiB(128)
#define OUT_LEN KiB(512)

/* A step moves both ends forward. */
struct stream_io {
	uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
};

/* STREAM_MORE: call again with more input or more room. */
enum stream_step { STREAM_MORE, STREAM_END, STREAM_DAMAGED, STREAM_NO_MEMORY };

struct stream_run {
	const struct boot_unpack *unpack;
	enum stream_step (*step)(void *state, struct stream_io *io);
	void *state;
	struct boot_sink *sink;
	uint64_t read, made; /* compressed and unpacked bytes so far */
	size_t room;         /* how much of out[] is used */
	uint8_t in[IN_LEN], out[OUT_LEN];
};

static int refill(struct stream_run *run, struct stream_io *io, struct error *err)
{
	const struct boot_unpack *unpack = run->unpack;
	size_t len = min_of(unpack->len - run->read, IN_LEN);
	int r;

	if (io->in_len || len == 0)
		return 0;
	r = boot_file_read(unpack->file, unpack->offset + run->read, run->in, len, err);
	if (r < 0)
		return r;
	run->read += len;
	io->in = run->in;
	io->in_len = len;
	return 0;
}

/* Hands on what is in the out buffer. */
static int drain(struct stream_run *run, struct stream_io *io, struct error *err)
{
	size_t len = run->room - io->out_len;
	int r;

	if (len > run->unpack->size - run->made)
		return boot_unpack_damaged(run->unpack, err);
	r = len ? run->sink->write(run->sink, run->made, run->out, len) : 0;
	if (r < 0)
		return error_errno(err, r, "%s: cannot load", run->unpack->file->path);
	run->made += len;
	io->out = run->out;
	io->out_len = run->room;
	return 0;
}

static int run_stream(struct stream_run *run, uint64_t want, struct error *err)
{
	struct stream_io io = {.out = run->out, .out_len = run->room};
	enum stream_step step = STREAM_MORE;
	int r;

	while (step == STREAM_MORE) {
		size_t before;

		r = refill(run, &io, err);
		if (r < 0)
			return r;
		before = io.in_len + io.out_len;
		step = run->step(run->state, &io);
		if (step == STREAM_NO_MEMORY)
			return error_set(err, -ENOMEM,
					 "%s: not enough memory to unpack the %s payload",
					 run->unpack->file->path, run->unpack->format->name);
		/* No progress with input and room: the data ends too early. */
		if (step == STREAM_DAMAGED ||
		    (step == STREAM_MORE && io.in_len + io.out_len == before))
			return boot_unpack_damaged(run->unpack, err);
		if (step == STREAM_END || io.out_len == 0) {
			r = drain(run, &io, err);
			if (r < 0)
				return r;
		}
		if (run->made >= want && want < run->unpack->size)
			return 0;
	}
	return run->made == run->unpack->size ? 0 : boot_unpack_damaged(run->unpack, err);
}

static int start_stream(const struct boot_unpack *unpack, uint64_t want, struct boot_sink *sink,
			enum stream_step (*step)(void *state, struct stream_io *io), void *state,
			struct error *err)
{
	struct stream_run *run = malloc(sizeof(*run));
	int r;

	if (!run)
		return error_set(err, -ENOMEM, "out of memory");
	run->unpack = unpack;
	run->step = step;
	run->state = state;
	run->sink = sink;
	run->read = run->made = 0;
	/* Of a slow format not more than is wanted. */
	run->room = min_of(want, OUT_LEN);
	r = run_stream(run, want, err);
	free(run);
	return r;
}

#endif

#ifdef HAVE_ZLIB

#include <zlib.h>

/* 15: the largest window; +16: a gzip header and trailer. */
#define GZIP_WINDOW_BITS (15 + 16)

static enum stream_step gzip_step(void *state, struct stream_io *io)
{
	z_stream *z = state;
	int r;

	z->next_in = io->in;
	z->avail_in = (uInt)io->in_len;
	z->next_out = io->out;
	z->avail_out = (uInt)io->out_len;
	r = inflate(z, Z_NO_FLUSH);
	io->in = z->next_in;
	io->in_len = z->avail_in;
	io->out = z->next_out;
	io->out_len = z->avail_out;
	if (r == Z_MEM_ERROR)
		return STREAM_NO_MEMORY;
	if (r == Z_STREAM_END)
		return STREAM_END;
	return r == Z_OK || r == Z_BUF_ERROR ? STREAM_MORE : STREAM_DAMAGED;
}

int boot_unpack_gzip(const struct boot_unpack *unpack, uint64_t want, struct boot_sink *sink,
		     struct error *err)
{
	z_stream z = {0};
	int r;

	if (inflateInit2(&z, GZIP_WINDOW_BITS) != Z_OK)
		return error_set(err, -ENOMEM, "out of memory");
	r = start_stream(unpack, want, sink, gzip_step, &z, err);
	inflateEnd(&z);
	return r;
}

#endif

#ifdef HAVE_LZMA

#include <lzma.h>

/* Twice the largest dictionary a kernel is built with. */
#define LZMA_MEMORY_MAX MiB(256)

static enum stream_step lzma_step(void *state, struct stream_io *io)
{
	lzma_stream *lzma = state;
	lzma_ret r;

	lzma->next_in = io->in;
	lzma->avail_in = io->in_len;
	lzma->next_out = io->out;
	lzma->avail_out = io->out_len;
	r = lzma_code(lzma, LZMA_RUN);
	io->in += io->in_len - lzma->avail_in;
	io->in_len = lzma->avail_in;
	io->out = lzma->next_out;
	io->out_len = lzma->avail_out;
	if (r == LZMA_MEM_ERROR || r == LZMA_MEMLIMIT_ERROR)
		return STREAM_NO_MEMORY;
	if (r == LZMA_STREAM_END)
		return STREAM_END;
	return r == LZMA_OK || r == LZMA_BUF_ERROR ? STREAM_MORE : STREAM_DAMAGED;
}

static int run_lzma(const struct boot_unpack *unpack, uint64_t want, struct boot_sink *sink,
		    bool alone, struct error *err)
{
	lzma_stream lzma = LZMA_STREAM_INIT;
	lzma_ret ret = alone ? lzma_alone_decoder(&lzma, LZMA_MEMORY_MAX)
			     : lzma_stream_decoder(&lzma, LZMA_MEMORY_MAX, 0);
	int r;

	if (ret != LZMA_OK)
		return error_set(err, -ENOMEM, "out of memory");
	r = start_stream(unpack, want, sink, lzma_step, &lzma, err);
	lzma_end(&lzma);
	return r;
}

int boot_unpack_xz(const struct boot_unpack *unpack, uint64_t want, struct boot_sink *sink,
		   struct error *err)
{
	return run_lzma(unpack, want, sink, false, err);
}

int boot_unpack_lzma(const struct boot_unpack *unpack, uint64_t want, struct boot_sink *sink,
		     struct error *err)
{
	return run_lzma(unpack, want, sink, true, err);
}

#endif

#ifdef HAVE_ZSTD

#include <zstd.h>
#include <zstd_errors.h>

static enum stream_step zstd_step(void *state, struct stream_io *io)
{
	ZSTD_inBuffer in = {.src = io->in, .size = io->in_len};
	ZSTD_outBuffer out = {.dst = io->out, .size = io->out_len};
	size_t r = ZSTD_decompressStream(state, &out, &in);

	io->in += in.pos;
	io->in_len -= in.pos;
	io->out += out.pos;
	io->out_len -= out.pos;
	if (ZSTD_isError(r))
		return ZSTD_getErrorCode(r) == ZSTD_error_memory_allocation ? STREAM_NO_MEMORY
									    : STREAM_DAMAGED;
	return r == 0 ? STREAM_END : STREAM_MORE;
}

int boot_unpack_zstd(const struct boot_unpack *unpack, uint64_t want, struct boot_sink *sink,
		     struct error *err)
{
	/* Its window limit is 128 MiB by default, which is what the kernel's build uses. */
	ZSTD_DStream *zstd = ZSTD_createDStream();
	int r;

	if (!zstd)
		return error_set(err, -ENOMEM, "out of memory");
	r = start_stream(unpack, want, sink, zstd_step, zstd, err);
	ZSTD_freeDStream(zstd);
	return r;
}

#endif
