// SPDX-License-Identifier: MIT
/* The way into backends. No state of its own. */
#include <assert.h>

#include "devices/net/net_backend_internal.h"

const struct net_backend_info *net_backend_info(const struct net_backend *backend)
{
	return &backend->info;
}

int net_queue_start(struct net_backend *backend, unsigned int index, struct loop *loop,
		    const struct net_queue_ops *ops, void *ctx, struct error *err,
		    struct net_queue **ret)
{
	const struct net_queue common = {
		.backend = backend,
		.index = index,
		.loop = loop,
		.ops = ops,
		.ctx = ctx,
	};

	assert(index < backend->info.queues);
	return backend->ops->start(backend, &common, err, ret);
}

void net_queue_stop(struct net_queue *queue, void (*stopped)(void *ctx), void *ctx)
{
	assert(queue->ops);
	queue->ops = NULL; /* no callback any more */
	queue->stopped = stopped;
	queue->stopped_ctx = ctx;
	queue->backend->ops->stop(queue);
}

void net_queue_send(struct net_queue *queue, struct net_tx *tx)
{
	tx->queue = queue;
	queue->backend->ops->send(queue, tx);
}

int64_t net_queue_receive(struct net_queue *queue, struct virtio_net_hdr_v1 *header,
			  const struct iovec *iov, unsigned int iov_count)
{
	return queue->backend->ops->receive(queue, header, iov, iov_count);
}

void net_backend_set_offloads(struct net_backend *backend, const struct net_offloads *offloads)
{
	backend->ops->set_offloads(backend, offloads);
}

bool net_backend_link(const struct net_backend *backend)
{
	return backend->ops->link(backend);
}

const struct net_counters *net_backend_counters(const struct net_backend *backend,
						unsigned int index)
{
	assert(index < NET_QUEUES_MAX);
	return backend->ops->counters(backend, index);
}

void net_backend_destroy(struct net_backend *backend)
{
	if (backend)
		backend->ops->destroy(backend);
}

void net_queue_readable(struct net_queue *queue)
{
	if (queue->ops)
		queue->ops->readable(queue->ctx, queue);
}

void net_queue_stopped(const struct net_queue *common)
{
	if (common->stopped)
		common->stopped(common->stopped_ctx);
}

void net_tx_finish(struct net_tx *tx, struct net_counters *counters, int result)
{
	if (result < 0) {
		counter_add(&counters->tx_lost, 1);
	} else {
		counter_add(&counters->tx_frames, 1);
		counter_add(&counters->tx_bytes, tx->len);
	}
	tx->done(tx, result);
}
