// SPDX-License-Identifier: MIT
/*
 * How fast disks are without a guest: requests from this process -> format -> io_uring, random
 * blocks, and what each request costs.
 *
 *   block_bench FILE read|write DEPTH [SECONDS [BYTES [CACHE]]]
 *
 * FILE in any format; DEPTH requests in flight; 3 seconds, 4096 bytes, cache "none" unless said.
 * One line of JSON. "write" destroys the contents. tests/bench/block compares with fio.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "counted.h"
#include "devices/block/block_open.h"

#define DEPTH_MAX 256u

struct slot {
	struct block_request req;
	struct iovec iov;
};

struct bench {
	struct loop *loop;
	struct block *block;
	enum block_op op;
	uint64_t bytes, blocks, random;
	uint64_t done, in_flight;
	bool stopping;
	struct slot slots[DEPTH_MAX];
	struct loop_timer timer;
};

static struct bench bench;

static void die(const char *what, const struct error *err)
{
	fprintf(stderr, "block_bench: %s%s%s\n", what, err ? ": " : "", err ? err->text : "");
	exit(EXIT_FAILURE);
}

static uint64_t next_random(struct bench *b)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return b->random;
}

static void start(struct slot *slot)
{
	struct bench *b = &bench;

	slot->req.op = b->op;
	slot->req.offset = next_random(b) % b->blocks * b->bytes;
	slot->req.len = b->bytes;
	slot->req.iov = &slot->iov;
	slot->req.iov_count = 1;
	b->in_flight++;
	block_submit(b->block, &slot->req);
}

static void done(struct block_request *req, int result)
{
	struct bench *b = &bench;

	if (result)
		die(strerror(-result), NULL);
	b->in_flight--;
	b->done++;
	if (!b->stopping)
		start(container_of(req, struct slot, req));
	else if (b->in_flight == 0)
		loop_stop(b->loop);
}

static void time_over(struct loop_timer *timer)
{
	loop_stop(bench.loop);
}

static void run_for(struct bench *b, uint64_t ns)
{
	b->timer.fired = time_over;
	loop_timer_set(b->loop, &b->timer, loop_now() + ns);
	if (loop_run(b->loop))
		die("the loop failed", NULL);
}

struct reading {
	uint64_t ns, cpu_ns, done, allocations, enters;
};

/* The process' time on a processor: unlike the clock, it is much the same on a busy machine. */
static uint64_t cpu_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static struct reading now(const struct bench *b)
{
	return (struct reading){.ns = loop_now(),
				.cpu_ns = cpu_now(),
				.done = b->done,
				.allocations = atomic_load(&counted_allocations),
				.enters = atomic_load(&counted_enters)};
}

static void report(const struct bench *b, unsigned int depth, const struct reading *from,
		   const struct reading *to)
{
	const double n = (double)(to->done - from->done);

	printf("{\"op\": \"%s\", \"depth\": %u, \"bytes\": %llu, \"requests\": %.0f, "
	       "\"iops\": %.0f, \"per_request\": {\"cpu_us\": %.3f, \"enters\": %.4f, "
	       "\"allocations\": %.6f}}\n",
	       b->op == BLOCK_WRITE ? "write" : "read", depth, (unsigned long long)b->bytes, n,
	       n * 1e9 / (double)(to->ns - from->ns), (double)(to->cpu_ns - from->cpu_ns) / n / 1e3,
	       (double)(to->enters - from->enters) / n,
	       (double)(to->allocations - from->allocations) / n);
}

static void open_disk(struct bench *b, const char *path, enum block_cache cache)
{
	const struct block_config config = {
		.path = path, .cache = cache, .read_only = b->op == BLOCK_READ};
	struct error err;

	if (loop_create(0, &err, &b->loop) || block_open(&config, b->loop, &err, &b->block))
		die("cannot open the disk", &err);
	b->blocks = b->block->info.size / b->bytes;
	if (b->blocks == 0)
		die("the image is too small", NULL);
}

static enum block_cache parse_cache(const char *text)
{
	if (strcmp(text, "none") == 0)
		return BLOCK_CACHE_NONE;
	return strcmp(text, "writeback") == 0 ? BLOCK_CACHE_WRITEBACK : BLOCK_CACHE_UNSAFE;
}

int main(int argc, char **argv)
{
	struct bench *b = &bench;
	unsigned long depth = argc > 3 ? strtoul(argv[3], NULL, 0) : 0;
	uint64_t seconds = argc > 4 ? strtoull(argv[4], NULL, 0) : 3;
	struct reading from, to;
	struct error err;
	void *memory;

	b->bytes = argc > 5 ? strtoull(argv[5], NULL, 0) : PAGE_SIZE;
	if (depth == 0 || depth > DEPTH_MAX || seconds == 0 || b->bytes == 0 || b->bytes % 512) {
		fputs("usage: block_bench FILE read|write DEPTH [SECONDS [BYTES [CACHE]]]\n",
		      stderr);
		return 2;
	}
	b->op = strcmp(argv[2], "write") == 0 ? BLOCK_WRITE : BLOCK_READ;
	b->random = 88172645;
	open_disk(b, argv[1], argc > 6 ? parse_cache(argv[6]) : BLOCK_CACHE_NONE);
	if (posix_memalign(&memory, PAGE_SIZE, depth * b->bytes))
		die("out of memory", NULL);
	memset(memory, 0x5a, depth * b->bytes);
	for (unsigned long i = 0; i < depth; i++) {
		b->slots[i].iov = (struct iovec){(char *)memory + i * b->bytes, b->bytes};
		b->slots[i].req.done = done;
		start(&b->slots[i]);
	}
	run_for(b, seconds * NSEC_PER_SEC / 8);
	from = now(b);
	run_for(b, seconds * NSEC_PER_SEC);
	to = now(b);
	b->stopping = true;
	while (b->in_flight)
		if (loop_run(b->loop))
			die("the loop failed", NULL);
	report(b, (unsigned int)depth, &from, &to);
	if (block_close(b->block, &err))
		die("cannot close the disk", &err);
	loop_destroy(b->loop);
	free(memory);
	return 0;
}
