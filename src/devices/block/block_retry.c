// SPDX-License-Identifier: MIT
/*
 * Requests for which the host had no space wait until somebody says that it is worth another try.
 * State belongs to the loop's thread.
 */
#include "devices/block/block_retry.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct retry {
	struct block block;
	struct block *lower;
	void (*stop)(void *ctx, const char *why);
	void *ctx;
	bool given_up;
	struct block_request *head, *tail; /* what waits */
};

typedef void done_fn(struct block_request *req, int result);

/* While a request is below us, its owner's callback is in the word that is ours. */
static done_fn *owner_of(const struct block_request *req)
{
	return (done_fn *)(uintptr_t)req->private[BLOCK_PRIVATE_RETRY];
}

static void keep(struct retry *retry, struct block_request *req)
{
	bool first = !retry->head;
	char why[512];

	req->next = NULL;
	if (first)
		retry->head = req;
	else
		retry->tail->next = req;
	retry->tail = req;
	if (!first || !retry->stop)
		return;
	snprintf(why, sizeof(why), "%s: the host has no space left", retry->block.name);
	retry->stop(retry->ctx, why);
}

static void lower_done(struct block_request *req, int result)
{
	struct retry *retry = (struct retry *)(uintptr_t)req->private[BLOCK_PRIVATE_RETRY + 1];

	req->done = owner_of(req);
	req->block = &retry->block;
	if (result == -ENOSPC && !retry->given_up)
		keep(retry, req);
	else
		req->done(req, result);
}

static void retry_submit(struct block *block, struct block_request *req)
{
	struct retry *retry = container_of(block, struct retry, block);

	req->private[BLOCK_PRIVATE_RETRY] = (uintptr_t)req->done;
	req->private[BLOCK_PRIVATE_RETRY + 1] = (uintptr_t)retry;
	req->done = lower_done;
	block_submit(retry->lower, req);
}

static enum block_map retry_map(struct block *block, uint64_t offset, uint64_t *ret_len)
{
	return block_map(container_of(block, struct retry, block)->lower, offset, ret_len);
}

static int retry_close(struct block *block, struct error *err)
{
	struct retry *retry = container_of(block, struct retry, block);
	int r;

	assert(!retry->head);
	r = block_close(retry->lower, err);
	free(retry);
	return r;
}

static const struct block_ops retry_ops = {
	.submit = retry_submit,
	.map = retry_map,
	.close = retry_close,
};

/* Everything that waits; what comes to wait meanwhile is not among it. */
static struct block_request *take_all(struct retry *retry)
{
	struct block_request *all = retry->head;

	retry->head = NULL;
	return all;
}

void block_retry(struct block *block)
{
	struct retry *retry = container_of(block, struct retry, block);
	struct block_request *req, *next;

	if (block->ops != &retry_ops)
		return;
	for (req = take_all(retry); req; req = next) {
		next = req->next;
		retry_submit(block, req);
	}
}

void block_give_up(struct block *block)
{
	struct retry *retry = container_of(block, struct retry, block);
	struct block_request *req, *next;

	if (block->ops != &retry_ops)
		return;
	retry->given_up = true;
	for (req = take_all(retry); req; req = next) {
		next = req->next;
		req->done(req, -ENOSPC);
	}
}

int block_retry_create(struct block *lower, void (*stop)(void *ctx, const char *why), void *ctx,
		       struct error *err, struct block **ret)
{
	struct retry *retry = calloc(1, sizeof(*retry));

	if (!retry)
		return error_set(err, -ENOMEM, "out of memory");
	retry->block = (struct block){.ops = &retry_ops, .info = lower->info, .name = lower->name};
	retry->lower = lower;
	retry->stop = stop;
	retry->ctx = ctx;
	*ret = &retry->block;
	return 0;
}
