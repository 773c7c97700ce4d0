// SPDX-License-Identifier: MIT
/*
 * Limits: a bucket for frames and one for bytes, for each direction, which all queues share. One
 * frame may pass while neither is full, whatever its own size: a large one leaves more than the
 * bucket holds, and the next waits the longer.
 *
 * A bucket is a point in time: when it will be empty. It may lie ahead by as much as the burst
 * takes. So a number is all there is to share, and queues need no lock for it: two that look at the
 * same moment may both pass, and the next pays for it.
 */
#include "devices/net/net_limits.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "devices/net/net_backend_internal.h"

/* Of a nanosecond: what one byte takes at high rates is not much more than one. */
#define FRACTION 64u

struct bucket {
	_Atomic uint64_t empty_at; /* in fractions, of loop_now()'s clock */
	_Atomic uint64_t rate, burst;
};

struct direction {
	struct bucket bytes, packets;
};

struct limits {
	struct net_backend backend;
	struct net_backend *lower;
	struct direction tx, rx;
	_Atomic bool limited; /* is there any at all? */
};

struct limits_queue {
	struct net_queue queue;
	struct limits *limits;
	struct net_queue *lower;
	struct net_tx *head, *tail; /* what waits */
	struct loop_timer tx_timer, rx_timer;
};

static struct limits *limits_of(const struct net_backend *backend)
{
	return (struct limits *)(uintptr_t)backend;
}

/* --- Buckets. ------------------------------------------------------------------------------- */

static uint64_t cost(uint64_t amount, uint64_t rate)
{
	unsigned __int128 c = (unsigned __int128)amount * NSEC_PER_SEC * FRACTION / rate;

	return c > INT64_MAX / 4 ? INT64_MAX / 4 : (uint64_t)c;
}

/* Nanoseconds until it is not full any more; 0: it is not. */
static uint64_t bucket_wait(struct bucket *b, uint64_t now)
{
	const uint64_t rate = atomic_load_explicit(&b->rate, memory_order_relaxed);
	uint64_t burst, until;

	if (!rate)
		return 0;
	burst = cost(atomic_load_explicit(&b->burst, memory_order_relaxed), rate);
	until = now * FRACTION + burst;
	if (atomic_load_explicit(&b->empty_at, memory_order_relaxed) < until)
		return 0;
	return (atomic_load_explicit(&b->empty_at, memory_order_relaxed) - until) / FRACTION + 1;
}

static void bucket_fill(struct bucket *b, uint64_t now, uint64_t amount)
{
	const uint64_t rate = atomic_load_explicit(&b->rate, memory_order_relaxed);
	uint64_t before, after, more;

	if (!rate)
		return;
	more = cost(amount, rate);
	before = atomic_load_explicit(&b->empty_at, memory_order_relaxed);
	do {
		after = max_of(before, now * FRACTION) + more;
	} while (!atomic_compare_exchange_weak_explicit(
		&b->empty_at, &before, after, memory_order_relaxed, memory_order_relaxed));
}

static void bucket_set(struct bucket *b, uint64_t rate, uint64_t burst)
{
	atomic_store(&b->empty_at, 0);
	atomic_store(&b->burst, burst ? burst : max_of(rate / 10, (uint64_t)1));
	atomic_store(&b->rate, rate);
}

static uint64_t wait_of(struct direction *d, uint64_t now)
{
	return max_of(bucket_wait(&d->bytes, now), bucket_wait(&d->packets, now));
}

static void fill(struct direction *d, uint64_t now, uint64_t len)
{
	bucket_fill(&d->bytes, now, len);
	bucket_fill(&d->packets, now, 1);
}

static bool is_limited(const struct limits *limits)
{
	return atomic_load_explicit(&limits->limited, memory_order_relaxed);
}

/* --- Sending. ------------------------------------------------------------------------------- */

/* Sends the first that waits, or sets the timer; false: the timer is set. */
static bool send_first(struct limits_queue *queue, uint64_t now)
{
	struct net_tx *tx = queue->head;
	uint64_t wait = wait_of(&queue->limits->tx, now);

	if (wait) {
		loop_timer_set(queue->queue.loop, &queue->tx_timer, now + wait);
		return false;
	}
	queue->head = tx->next;
	fill(&queue->limits->tx, now, tx->len);
	net_queue_send(queue->lower, tx);
	return true;
}

static void on_tx_timer(struct loop_timer *timer)
{
	struct limits_queue *queue = container_of(timer, struct limits_queue, tx_timer);
	const uint64_t now = loop_now();

	while (queue->head && send_first(queue, now))
		continue;
}

static void limits_send(struct net_queue *net_queue, struct net_tx *tx)
{
	struct limits_queue *queue = container_of(net_queue, struct limits_queue, queue);
	const bool waits = queue->head;

	if (!waits && !is_limited(queue->limits)) {
		net_queue_send(queue->lower, tx);
		return;
	}
	tx->next = NULL;
	if (waits)
		queue->tail->next = tx;
	else
		queue->head = tx;
	queue->tail = tx;
	if (!waits)
		(void)send_first(queue, loop_now());
}

/* --- Receiving. ----------------------------------------------------------------------------- */

static void on_rx_timer(struct loop_timer *timer)
{
	net_queue_readable(&container_of(timer, struct limits_queue, rx_timer)->queue);
}

static int64_t limits_receive(struct net_queue *net_queue, struct virtio_net_hdr_v1 *header,
			      const struct iovec *iov, unsigned int iov_count)
{
	struct limits_queue *queue = container_of(net_queue, struct limits_queue, queue);
	uint64_t now, wait;
	int64_t len;

	if (!is_limited(queue->limits))
		return net_queue_receive(queue->lower, header, iov, iov_count);
	now = loop_now();
	wait = wait_of(&queue->limits->rx, now);
	if (wait) {
		loop_timer_set(queue->queue.loop, &queue->rx_timer, now + wait);
		return -EAGAIN;
	}
	len = net_queue_receive(queue->lower, header, iov, iov_count);
	if (len > 0)
		fill(&queue->limits->rx, now, (uint64_t)len);
	return len;
}

static void on_lower_readable(void *ctx, struct net_queue *lower)
{
	struct limits_queue *queue = ctx;

	net_queue_readable(&queue->queue);
}

static const struct net_queue_ops lower_ops = {.readable = on_lower_readable};

/* --- Queues. -------------------------------------------------------------------------------- */

static int limits_start(struct net_backend *backend, const struct net_queue *common,
			struct error *err, struct net_queue **ret)
{
	struct limits_queue *queue = calloc(1, sizeof(*queue));
	int r;

	if (!queue)
		return error_set(err, -ENOMEM, "out of memory");
	queue->queue = *common;
	queue->limits = limits_of(backend);
	queue->tx_timer.fired = on_tx_timer;
	queue->rx_timer.fired = on_rx_timer;
	r = net_queue_start(queue->limits->lower, common->index, common->loop, &lower_ops, queue,
			    err, &queue->lower);
	if (r < 0) {
		free(queue);
		return r;
	}
	*ret = &queue->queue;
	return 0;
}

static void on_lower_stopped(void *ctx)
{
	struct limits_queue *queue = ctx;
	const struct net_queue common = queue->queue;

	free(queue);
	net_queue_stopped(&common);
}

static const struct net_counters *limits_counters(const struct net_backend *backend,
						  unsigned int index)
{
	return net_backend_counters(limits_of(backend)->lower, index);
}

static void limits_stop(struct net_queue *net_queue)
{
	struct limits_queue *queue = container_of(net_queue, struct limits_queue, queue);
	/* The queue is ours, and so are its counters. */
	struct net_counters *counters = (struct net_counters *)(uintptr_t)limits_counters(
		net_queue->backend, net_queue->index);
	struct net_tx *tx;

	loop_timer_cancel(net_queue->loop, &queue->tx_timer);
	loop_timer_cancel(net_queue->loop, &queue->rx_timer);
	while ((tx = queue->head)) {
		queue->head = tx->next;
		net_tx_finish(tx, counters, -ECANCELED);
	}
	net_queue_stop(queue->lower, on_lower_stopped, queue);
}

/* --- The whole. ----------------------------------------------------------------------------- */

static void limits_set_offloads(struct net_backend *backend, const struct net_offloads *offloads)
{
	net_backend_set_offloads(limits_of(backend)->lower, offloads);
}

static bool limits_link(const struct net_backend *backend)
{
	return net_backend_link(limits_of(backend)->lower);
}

static void limits_destroy(struct net_backend *backend)
{
	struct limits *limits = limits_of(backend);

	net_backend_destroy(limits->lower);
	free(limits);
}

static const struct net_backend_ops limits_ops = {
	.start = limits_start,
	.stop = limits_stop,
	.send = limits_send,
	.receive = limits_receive,
	.set_offloads = limits_set_offloads,
	.link = limits_link,
	.counters = limits_counters,
	.destroy = limits_destroy,
};

static bool rate_is_set(const struct net_rate *rate)
{
	return rate->bytes || rate->packets;
}

void net_limits_set(struct net_backend *backend, const struct net_limits *limits)
{
	struct limits *l = limits_of(backend);

	assert(backend->ops == &limits_ops);
	bucket_set(&l->tx.bytes, limits->tx.bytes, limits->tx.burst_bytes);
	bucket_set(&l->tx.packets, limits->tx.packets, limits->tx.burst_packets);
	bucket_set(&l->rx.bytes, limits->rx.bytes, limits->rx.burst_bytes);
	bucket_set(&l->rx.packets, limits->rx.packets, limits->rx.burst_packets);
	atomic_store(&l->limited, rate_is_set(&limits->tx) || rate_is_set(&limits->rx));
}

int net_limits_create(struct net_backend *lower, struct error *err, struct net_backend **ret)
{
	struct limits *limits = calloc(1, sizeof(*limits));

	if (!limits)
		return error_set(err, -ENOMEM, "out of memory");
	limits->backend = (struct net_backend){.ops = &limits_ops, .info = lower->info};
	limits->lower = lower;
	*ret = &limits->backend;
	return 0;
}
