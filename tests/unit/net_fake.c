// SPDX-License-Identifier: MIT
/* See net_fake.h. */
#include "net_fake.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- The test's end. ------------------------------------------------------------------------- */

static void keep(struct net_fake_frame *to, const struct virtio_net_hdr_v1 *header, uint32_t len)
{
	to->header = header ? *header : (struct virtio_net_hdr_v1){0};
	to->len = len;
	to->bytes = malloc(len ? len : 1);
	assert(to->bytes);
}

static void run_wake(struct loop_task *task)
{
	struct net_queue *q = container_of(task, struct net_queue, wake);
	struct net_tx *held, *next;

	pthread_mutex_lock(&q->backend->lock);
	held = q->backend->hold ? NULL : q->held;
	if (held)
		q->held = NULL;
	pthread_mutex_unlock(&q->backend->lock);
	for (; held; held = next) {
		next = held->next;
		held->done(held, q->backend->result);
	}
	if (q->ops)
		q->ops->readable(q->ctx, q);
}

static void wake(struct net_queue *q)
{
	if (q->loop)
		loop_post(q->loop, &q->wake);
}

static void wake_all(struct net_backend *fake)
{
	for (unsigned int i = 0; i < NET_QUEUES_MAX; i++)
		wake(&fake->queues[i]);
}

void net_fake_put(struct net_backend *fake, unsigned int index,
		  const struct virtio_net_hdr_v1 *header, const void *frame, uint32_t len)
{
	struct net_queue *q = &fake->queues[index];
	struct net_fake_frame *to;

	pthread_mutex_lock(&fake->lock);
	assert(q->in_count < NET_FAKE_FRAMES);
	to = &q->in[(q->in_first + q->in_count++) % NET_FAKE_FRAMES];
	keep(to, header, len);
	memcpy(to->bytes, frame, len);
	wake(q);
	pthread_mutex_unlock(&fake->lock);
}

unsigned int net_fake_sent(struct net_backend *fake)
{
	unsigned int count;

	pthread_mutex_lock(&fake->lock);
	count = fake->out_count;
	pthread_mutex_unlock(&fake->lock);
	return count;
}

const struct net_fake_frame *net_fake_frame(struct net_backend *fake, unsigned int index)
{
	assert(index < net_fake_sent(fake));
	return &fake->out[index];
}

void net_fake_forget(struct net_backend *fake)
{
	pthread_mutex_lock(&fake->lock);
	while (fake->out_count)
		free(fake->out[--fake->out_count].bytes);
	pthread_mutex_unlock(&fake->lock);
}

void net_fake_flood(struct net_backend *fake, uint64_t count)
{
	/* Who ran dry is woken. */
	if (atomic_fetch_add(&fake->flood, count) > 0)
		return;
	pthread_mutex_lock(&fake->lock);
	wake_all(fake);
	pthread_mutex_unlock(&fake->lock);
}

unsigned int net_fake_waiting(struct net_backend *fake, unsigned int queue)
{
	unsigned int count;

	pthread_mutex_lock(&fake->lock);
	count = fake->queues[queue].in_count;
	pthread_mutex_unlock(&fake->lock);
	return count;
}

void net_fake_hold(struct net_backend *fake, bool hold)
{
	pthread_mutex_lock(&fake->lock);
	fake->hold = hold;
	wake_all(fake);
	pthread_mutex_unlock(&fake->lock);
}

void net_fake_link(struct net_backend *fake, bool up)
{
	pthread_mutex_lock(&fake->lock);
	fake->link = up;
	wake_all(fake);
	pthread_mutex_unlock(&fake->lock);
}

struct net_offloads net_fake_offloads(struct net_backend *fake)
{
	struct net_offloads offloads;

	pthread_mutex_lock(&fake->lock);
	offloads = fake->offloads;
	pthread_mutex_unlock(&fake->lock);
	return offloads;
}

static void run_finish(struct loop_task *task)
{
	struct net_queue *q = container_of(task, struct net_queue, finish);
	struct net_backend *fake = q->backend;
	void (*stopped)(void *ctx) = q->stopped;

	while (q->held) {
		struct net_tx *tx = q->held;

		q->held = tx->next;
		tx->done(tx, -ECANCELED);
	}
	atomic_fetch_sub(&fake->started, 1);
	if (stopped)
		stopped(q->stopped_ctx);
}

void net_fake_init(struct net_backend *fake, unsigned int queues)
{
	memset(fake, 0, sizeof(*fake));
	pthread_mutex_init(&fake->lock, NULL);
	fake->info = (struct net_backend_info){
		.queues = queues, .checksum = true, .tso = true, .mtu_max = 65521};
	fake->link = true;
	for (unsigned int i = 0; i < NET_QUEUES_MAX; i++) {
		fake->queues[i].backend = fake;
		fake->queues[i].index = i;
		fake->queues[i].wake.run = run_wake;
		fake->queues[i].finish.run = run_finish;
	}
}

void net_fake_drop(struct net_backend *fake)
{
	assert(!fake->started);
	for (unsigned int i = 0; i < NET_QUEUES_MAX; i++) {
		struct net_queue *q = &fake->queues[i];

		for (; q->in_count; q->in_count--, q->in_first++)
			free(q->in[q->in_first % NET_FAKE_FRAMES].bytes);
	}
}

void net_fake_finish(struct net_backend *fake)
{
	net_fake_forget(fake);
	net_fake_drop(fake);
	pthread_mutex_destroy(&fake->lock);
}

/* --- The frontend's end. --------------------------------------------------------------------- */

const struct net_backend_info *net_backend_info(const struct net_backend *fake)
{
	return &fake->info;
}

int net_queue_start(struct net_backend *fake, unsigned int index, struct loop *loop,
		    const struct net_queue_ops *ops, void *ctx, struct error *err,
		    struct net_queue **ret)
{
	struct net_queue *q = &fake->queues[index];

	assert(index < fake->info.queues && !q->loop);
	if (fake->refuse)
		return error_set(err, fake->refuse, "refused");
	pthread_mutex_lock(&fake->lock);
	q->loop = loop;
	q->ops = ops;
	q->ctx = ctx;
	wake(q);
	pthread_mutex_unlock(&fake->lock);
	atomic_fetch_add(&fake->started, 1);
	*ret = q;
	return 0;
}

void net_queue_stop(struct net_queue *q, void (*stopped)(void *ctx), void *ctx)
{
	struct loop *loop = q->loop;

	assert(loop);
	pthread_mutex_lock(&q->backend->lock);
	q->loop = NULL;
	q->ops = NULL;
	pthread_mutex_unlock(&q->backend->lock);
	q->stopped = stopped;
	q->stopped_ctx = ctx;
	loop_post(loop, &q->finish);
}

static void record(struct net_backend *fake, const struct net_queue *q, const struct net_tx *tx)
{
	struct net_fake_frame *to = &fake->out[fake->out_count];
	uint32_t at = 0;

	assert(fake->out_count < NET_FAKE_FRAMES);
	keep(to, &tx->header, tx->len);
	to->queue = q->index;
	for (unsigned int i = 0; i < tx->iov_count; at += (uint32_t)tx->iov[i++].iov_len) {
		assert(at + tx->iov[i].iov_len <= tx->len);
		memcpy(to->bytes + at, tx->iov[i].iov_base, tx->iov[i].iov_len);
	}
	assert(at == tx->len);
	fake->out_count++;
}

void net_queue_send(struct net_queue *q, struct net_tx *tx)
{
	struct net_backend *fake = q->backend;
	struct net_tx **at = &q->held;
	bool hold;
	int result;

	assert(q->loop && tx->iov_count);
	pthread_mutex_lock(&fake->lock);
	if (!fake->discard)
		record(fake, q, tx);
	hold = fake->hold;
	result = fake->result;
	if (hold) {
		while (*at)
			at = &(*at)->next;
		tx->next = NULL;
		*at = tx;
	}
	pthread_mutex_unlock(&fake->lock);
	if (!hold)
		tx->done(tx, result);
}

static int64_t receive_flood(struct net_backend *fake, struct virtio_net_hdr_v1 *header,
			     const struct iovec *iov, unsigned int iov_count)
{
	static const uint8_t frame[65536] = {255, 255, 255, 255, 255, 255};
	uint32_t at = 0;

	atomic_fetch_sub(&fake->flood, 1);
	*header = (struct virtio_net_hdr_v1){0};
	if (fake->flood_len > 1518) {
		header->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		header->gso_size = 1448;
	}
	for (unsigned int i = 0; i < iov_count && at < fake->flood_len; i++) {
		const uint32_t n = (uint32_t)min_of((size_t)(fake->flood_len - at), iov[i].iov_len);

		memcpy(iov[i].iov_base, frame + at, n);
		at += n;
	}
	return at;
}

int64_t net_queue_receive(struct net_queue *q, struct virtio_net_hdr_v1 *header,
			  const struct iovec *iov, unsigned int iov_count)
{
	struct net_backend *fake = q->backend;
	struct net_fake_frame frame;
	uint32_t at = 0;

	if (atomic_load(&fake->flood))
		return receive_flood(fake, header, iov, iov_count);
	pthread_mutex_lock(&fake->lock);
	if (!q->in_count) {
		pthread_mutex_unlock(&fake->lock);
		return -EAGAIN;
	}
	frame = q->in[q->in_first % NET_FAKE_FRAMES];
	q->in_first = (q->in_first + 1) % NET_FAKE_FRAMES;
	q->in_count--;
	pthread_mutex_unlock(&fake->lock);
	*header = frame.header;
	for (unsigned int i = 0; i < iov_count && at < frame.len; i++) {
		const uint32_t n = (uint32_t)min_of((size_t)(frame.len - at), iov[i].iov_len);

		memcpy(iov[i].iov_base, frame.bytes + at, n);
		at += n;
	}
	free(frame.bytes);
	return at < frame.len ? -EMSGSIZE : (int64_t)frame.len;
}

void net_backend_set_offloads(struct net_backend *fake, const struct net_offloads *offloads)
{
	pthread_mutex_lock(&fake->lock);
	fake->offloads = *offloads;
	pthread_mutex_unlock(&fake->lock);
}

bool net_backend_link(const struct net_backend *fake)
{
	return fake->link;
}

const struct net_counters *net_backend_counters(const struct net_backend *fake, unsigned int index)
{
	return &fake->counters;
}

void net_backend_destroy(struct net_backend *fake)
{
	(void)fake;
}
