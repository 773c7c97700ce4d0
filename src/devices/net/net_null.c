// SPDX-License-Identifier: MIT
/* The backend without another end. Queues belong to their loops. */
#include <errno.h>
#include <stdlib.h>

#include "devices/net/net_backend_internal.h"
#include "devices/net/net_null.h"

struct null_backend {
	struct net_backend backend;
	struct net_counters counters[NET_QUEUES_MAX];
};

/* stopped() must not come from inside net_queue_stop(). */
struct null_queue {
	struct net_queue queue;
	struct loop_deferred stop;
};

static struct null_backend *null_of(const struct net_backend *backend)
{
	return (struct null_backend *)(uintptr_t)backend;
}

static void on_stop(struct loop_deferred *deferred)
{
	struct null_queue *queue = container_of(deferred, struct null_queue, stop);
	const struct net_queue common = queue->queue;

	free(queue);
	net_queue_stopped(&common);
}

static int null_start(struct net_backend *backend, const struct net_queue *common,
		      struct error *err, struct net_queue **ret)
{
	struct null_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return error_set(err, -ENOMEM, "out of memory");
	queue->queue = *common;
	queue->stop.run = on_stop;
	*ret = &queue->queue;
	return 0;
}

static void null_stop(struct net_queue *queue)
{
	loop_defer(queue->loop, &container_of(queue, struct null_queue, queue)->stop);
}

static void null_send(struct net_queue *queue, struct net_tx *tx)
{
	net_tx_finish(tx, &null_of(queue->backend)->counters[queue->index], 0);
}

static int64_t null_receive(struct net_queue *queue, struct virtio_net_hdr_v1 *header,
			    const struct iovec *iov, unsigned int iov_count)
{
	return -EAGAIN;
}

static void null_set_offloads(struct net_backend *backend, const struct net_offloads *offloads)
{
}

static bool null_link(const struct net_backend *backend)
{
	return true;
}

static const struct net_counters *null_counters(const struct net_backend *backend,
						unsigned int index)
{
	return &null_of(backend)->counters[index];
}

static void null_destroy(struct net_backend *backend)
{
	free(null_of(backend));
}

static const struct net_backend_ops null_ops = {
	.start = null_start,
	.stop = null_stop,
	.send = null_send,
	.receive = null_receive,
	.set_offloads = null_set_offloads,
	.link = null_link,
	.counters = null_counters,
	.destroy = null_destroy,
};

int net_null_create(struct error *err, struct net_backend **ret)
{
	struct null_backend *null = calloc(1, sizeof(*null));

	if (!null)
		return error_set(err, -ENOMEM, "out of memory");
	null->backend = (struct net_backend){
		.ops = &null_ops,
		.info = {.queues = NET_QUEUES_MAX,
			 .checksum = true,
			 .tso = true,
			 .uso = true,
			 .mtu_max = NET_MTU_MAX},
	};
	*ret = &null->backend;
	return 0;
}
