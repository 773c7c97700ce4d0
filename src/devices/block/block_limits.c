// SPDX-License-Identifier: MIT
/*
 * Limits: a bucket for requests and one for bytes, each filled by what passes and drained at its
 * rate. A request may pass while neither is full, whatever its own size: a large one leaves more
 * than the bucket holds, and the next waits the longer. State belongs to the loop's thread.
 */
#include "devices/block/block_limits.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct bucket {
	uint64_t rate; /* a second; 0: no limit */
	uint64_t size;
	unsigned __int128 level; /* in billionths, so that a nanosecond drains a whole number */
};

struct limits {
	struct block block;
	struct block *lower;
	struct loop *loop;
	struct bucket ios, bytes;
	uint64_t drained_ns; /* when the buckets were last drained */
	struct loop_timer timer;
	struct block_request *head, *tail; /* what waits */
};

static void bucket_init(struct bucket *bucket, uint64_t rate, uint64_t burst)
{
	bucket->rate = rate;
	bucket->size = burst ? burst : max_of(rate / 10, (uint64_t)1);
}

static void bucket_drain(struct bucket *bucket, uint64_t elapsed_ns)
{
	unsigned __int128 out = (unsigned __int128)bucket->rate * elapsed_ns;

	bucket->level -= min_of(bucket->level, out);
}

static void bucket_fill(struct bucket *bucket, uint64_t amount)
{
	if (bucket->rate)
		bucket->level += (unsigned __int128)amount * NSEC_PER_SEC;
}

/* Nanoseconds until it is not full any more; 0: it is not. */
static uint64_t bucket_wait(const struct bucket *bucket)
{
	unsigned __int128 full = (unsigned __int128)bucket->size * NSEC_PER_SEC, wait;

	if (!bucket->rate || bucket->level < full)
		return 0;
	wait = (bucket->level - full) / bucket->rate + 1;
	return wait > INT64_MAX ? INT64_MAX : (uint64_t)wait;
}

static void drain(struct limits *limits, uint64_t now)
{
	uint64_t elapsed = now - limits->drained_ns;

	bucket_drain(&limits->ios, elapsed);
	bucket_drain(&limits->bytes, elapsed);
	limits->drained_ns = now;
}

static void pass(struct limits *limits, struct block_request *req)
{
	if (req->op != BLOCK_FLUSH)
		bucket_fill(&limits->ios, 1);
	if (req->op == BLOCK_READ || req->op == BLOCK_WRITE)
		bucket_fill(&limits->bytes, req->len);
	block_submit(limits->lower, req);
}

static uint64_t wait_of(const struct limits *limits, const struct block_request *req)
{
	if (req->op == BLOCK_FLUSH)
		return 0;
	return max_of(bucket_wait(&limits->ios), bucket_wait(&limits->bytes));
}

static void timer_fired(struct loop_timer *timer)
{
	struct limits *limits = container_of(timer, struct limits, timer);
	struct block_request *req;
	uint64_t wait;

	drain(limits, loop_now());
	while ((req = limits->head)) {
		wait = wait_of(limits, req);
		if (wait) {
			loop_timer_set(limits->loop, timer, limits->drained_ns + wait);
			return;
		}
		limits->head = req->next;
		pass(limits, req);
	}
}

static void limits_submit(struct block *block, struct block_request *req)
{
	struct limits *limits = container_of(block, struct limits, block);
	uint64_t wait;

	if (limits->head) {
		req->next = NULL;
		limits->tail->next = req;
		limits->tail = req;
		return;
	}
	drain(limits, loop_now());
	wait = wait_of(limits, req);
	if (wait == 0) {
		pass(limits, req);
		return;
	}
	req->next = NULL;
	limits->head = limits->tail = req;
	loop_timer_set(limits->loop, &limits->timer, limits->drained_ns + wait);
}

static enum block_map limits_map(struct block *block, uint64_t offset, uint64_t *ret_len)
{
	return block_map(container_of(block, struct limits, block)->lower, offset, ret_len);
}

static int limits_close(struct block *block, struct error *err)
{
	struct limits *limits = container_of(block, struct limits, block);
	int r;

	assert(!limits->head);
	loop_timer_cancel(limits->loop, &limits->timer);
	r = block_close(limits->lower, err);
	free(limits);
	return r;
}

static const struct block_ops limits_ops = {
	.submit = limits_submit,
	.map = limits_map,
	.close = limits_close,
};

int block_limits_create(struct block *lower, const struct block_limits *limits, struct loop *loop,
			struct error *err, struct block **ret)
{
	struct limits *new = calloc(1, sizeof(*new));

	if (!new)
		return error_set(err, -ENOMEM, "out of memory");
	new->block = (struct block){.ops = &limits_ops, .info = lower->info, .name = lower->name};
	new->lower = lower;
	new->loop = loop;
	bucket_init(&new->ios, limits->iops, limits->burst_ios);
	bucket_init(&new->bytes, limits->bytes_per_second, limits->burst_bytes);
	new->drained_ns = loop_now();
	new->timer.fired = timer_fired;
	*ret = &new->block;
	return 0;
}
