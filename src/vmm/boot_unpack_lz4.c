// SPDX-License-Identifier: MIT
/*
 * LZ4's legacy frame, as the kernel's build writes it: after the magic number a sequence of blocks,
 * each a 32-bit length and that many bytes, each unpacking on its own to 8 MiB (the last to less).
 * (lz4_Frame_format.md, "Legacy frame".)
 *
 * The blocks are independent, so a few threads share them. The threads live only for the call; a
 * process that may no longer start threads does all the work on the calling one.
 */
#include "vmm/boot_unpack_formats.h"

#ifdef HAVE_LZ4

#include <errno.h>
#include <lz4.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define MAGIC_LEN   4u
#define BLOCK_SIZE  MiB(8)
#define BLOCKS_MAX  (GiB(4) / BLOCK_SIZE) /* the unpacked size is a 32-bit number */
#define WORKERS_MAX 4

/* Compressed bytes that certainly hold the head: incompressible data grows by 1 in 255. */
#define HEAD_INPUT_MAX KiB(128)
_Static_assert(HEAD_INPUT_MAX >= LZ4_COMPRESSBOUND(BOOT_HEAD_MAX), "the head fits its input");

struct block {
	uint64_t offset; /* in the file */
	uint32_t len;
};

struct job {
	const struct boot_unpack *unpack;
	struct boot_sink *sink;
	size_t count;
	uint32_t longest;
	atomic_size_t next;
	struct block blocks[BLOCKS_MAX];
};

struct worker {
	struct job *job;
	pthread_t thread;
	bool started;
	int result;
	struct error err;
};

/* Finds the blocks, without reading more than their lengths. */
static int find_blocks(struct job *job, uint64_t want, struct error *err)
{
	const struct boot_unpack *unpack = job->unpack;
	uint64_t at = MAGIC_LEN;

	for (uint64_t made = 0; made < want; made += BLOCK_SIZE) {
		struct block *b = &job->blocks[job->count++];
		uint8_t raw[4];
		int r;

		if (!range_within(at, sizeof(raw), unpack->len))
			return boot_unpack_damaged(unpack, err);
		r = boot_file_read(unpack->file, unpack->offset + at, raw, sizeof(raw), err);
		if (r < 0)
			return r;
		at += sizeof(raw);
		b->offset = unpack->offset + at;
		b->len = raw[0] | raw[1] << 8 | raw[2] << 16 | (uint32_t)raw[3] << 24;
		if (b->len == 0 || b->len > LZ4_COMPRESSBOUND(BLOCK_SIZE) ||
		    !range_within(at, b->len, unpack->len))
			return boot_unpack_damaged(unpack, err);
		at += b->len;
		job->longest = max_of(job->longest, b->len);
	}
	return 0;
}

/* mmap() rather than malloc(): the memory is gone for certain when the kernel is loaded. */
static void *map_buffer(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, len, MADV_HUGEPAGE);
	return p;
}

static int do_block(struct job *job, size_t i, char *packed, char *unpacked, struct error *err)
{
	const struct block *b = &job->blocks[i];
	uint64_t offset = i * BLOCK_SIZE;
	uint64_t len = min_of(job->unpack->size - offset, BLOCK_SIZE);
	int r = boot_file_read(job->unpack->file, b->offset, packed, b->len, err);

	if (r < 0)
		return r;
	r = LZ4_decompress_safe(packed, unpacked, (int)b->len, (int)len);
	if (r < 0 || (uint64_t)r != len)
		return boot_unpack_damaged(job->unpack, err);
	r = job->sink->write(job->sink, offset, unpacked, len);
	if (r < 0)
		return error_errno(err, r, "%s: cannot load", job->unpack->file->path);
	return 0;
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct job *job = worker->job;
	size_t packed_at = align_up(min_of(job->unpack->size, BLOCK_SIZE), PAGE_SIZE);
	size_t len = packed_at + job->longest, i;
	char *buffer = map_buffer(len);

	if (!buffer) {
		worker->result = error_set(&worker->err, -ENOMEM, "out of memory");
		return NULL;
	}
	while (worker->result == 0 &&
	       (i = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed)) < job->count)
		worker->result = do_block(job, i, buffer + packed_at, buffer, &worker->err);
	munmap(buffer, len);
	return NULL;
}

static size_t worker_count(const struct job *job)
{
	cpu_set_t cpus;
	size_t count = min_of(job->count, (size_t)WORKERS_MAX);

	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return 1;
	return min_of(count, (size_t)CPU_COUNT(&cpus));
}

/* The calling thread is the first worker. */
static int run_workers(struct job *job, struct error *err)
{
	struct worker workers[WORKERS_MAX] = {0};
	size_t count = worker_count(job);
	int r = 0;

	workers[0].job = job;
	for (size_t i = 1; i < count; i++) {
		workers[i].job = job;
		workers[i].started =
			pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0;
	}
	work(&workers[0]);
	for (size_t i = 1; i < count; i++)
		if (workers[i].started)
			pthread_join(workers[i].thread, NULL);
	for (size_t i = 0; i < count && r == 0; i++)
		if (workers[i].result < 0)
			r = error_set(err, workers[i].result, "%s", workers[i].err.text);
	return r;
}

/* The beginning of the first block, from the beginning of its compressed bytes. */
static int run_head(const struct job *job, uint64_t want, struct error *err)
{
	const struct block *b = &job->blocks[0];
	uint32_t in_len = min_of(b->len, (uint32_t)HEAD_INPUT_MAX);
	size_t len = HEAD_INPUT_MAX + want;
	char *buffer = map_buffer(len);
	int r;

	if (!buffer)
		return error_set(err, -ENOMEM, "out of memory");
	r = boot_file_read(job->unpack->file, b->offset, buffer, in_len, err);
	if (r < 0)
		goto unmap;
	r = LZ4_decompress_safe_partial(buffer, buffer + HEAD_INPUT_MAX, (int)in_len, (int)want,
					(int)want);
	if (r < 0 || (uint64_t)r != want)
		r = boot_unpack_damaged(job->unpack, err);
	else
		r = job->sink->write(job->sink, 0, buffer + HEAD_INPUT_MAX, want);
unmap:
	munmap(buffer, len);
	return r;
}

int boot_unpack_lz4(const struct boot_unpack *unpack, uint64_t want, struct boot_sink *sink,
		    struct error *err)
{
	struct job job = {.unpack = unpack, .sink = sink};
	int r = find_blocks(&job, want, err);

	if (r < 0)
		return r;
	if (want <= BOOT_HEAD_MAX && want < unpack->size)
		return run_head(&job, want, err);
	return run_workers(&job, err);
}

#endif
