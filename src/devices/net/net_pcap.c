// SPDX-License-Identifier: MIT
/*
 * Captures. Each queue fills buffers of its own and has its loop write them, whole blocks at a
 * time: the file is open for appending, so queues need to know nothing of each other.
 */
#include "devices/net/net_pcap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "devices/net/net_backend_internal.h"
#include "devices/net/pcapng_proto.h"
#include "vmm/log.h"

#define BUFFER_SIZE KiB(256)
#define FLUSH_NS    (200 * NSEC_PER_MSEC) /* how old what is in the file may be */

struct pcap {
	struct net_backend backend;
	struct net_backend *lower;
	int fd;
	uint32_t snap;
	_Atomic bool failed; /* the file takes no more: nothing is captured any longer */
	struct counter dropped;
	char *path;
};

struct pcap_queue {
	struct net_queue queue;
	struct pcap *pcap;
	struct net_queue *lower;
	uint8_t *buffers[2];
	unsigned int current; /* the one that is being filled */
	uint32_t filled;
	bool writing; /* the other one */
	uint32_t written, write_len;
	struct loop_op write;
	struct loop_timer timer;
	bool lower_stopped;
};

static struct pcap *pcap_of(const struct net_backend *backend)
{
	return (struct pcap *)(uintptr_t)backend;
}

/* --- Writing. ------------------------------------------------------------------------------- */

static void try_end(struct pcap_queue *queue);

static void fail(struct pcap_queue *queue, int error)
{
	if (!atomic_exchange(&queue->pcap->failed, true))
		log_line(LOG_WARNING, "%s: %s; the capture ends here", queue->pcap->path,
			 strerrordesc_np(error));
}

/* False: the loop takes nothing now. */
static bool issue(struct pcap_queue *queue)
{
	struct io_uring_sqe *sqe = loop_sqe(queue->queue.loop, &queue->write);

	if (!sqe)
		return false;
	io_uring_prep_write(sqe, queue->pcap->fd, queue->buffers[!queue->current] + queue->written,
			    queue->write_len - queue->written, (uint64_t)-1);
	return true;
}

/* Has what is in the current buffer written, if the other one is free. */
static void flush(struct pcap_queue *queue)
{
	if (queue->writing || queue->filled == 0)
		return;
	queue->current = !queue->current;
	queue->written = 0;
	queue->write_len = queue->filled;
	queue->filled = 0;
	queue->writing = issue(queue);
	if (!queue->writing)
		counter_add_shared(&queue->pcap->dropped, 1);
}

static void on_written(struct loop_op *op, int res, unsigned int flags)
{
	struct pcap_queue *queue = container_of(op, struct pcap_queue, write);

	if (res > 0) {
		queue->written += (uint32_t)res;
		/* A part of a block would be followed by another queue's: what is left goes. */
		if (queue->written < queue->write_len)
			fail(queue, ENOSPC);
	} else {
		fail(queue, res < 0 ? -res : EIO);
	}
	queue->writing = false;
	if (queue->queue.ops)
		return;
	flush(queue);
	try_end(queue);
}

static void on_timer(struct loop_timer *timer)
{
	struct pcap_queue *queue = container_of(timer, struct pcap_queue, timer);

	flush(queue);
	if (queue->filled)
		loop_timer_set(queue->queue.loop, timer, loop_now() + FLUSH_NS);
}

/* --- Frames. -------------------------------------------------------------------------------- */

static uint64_t real_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static uint8_t *reserve(struct pcap_queue *queue, uint32_t len)
{
	if (BUFFER_SIZE - queue->filled < len)
		flush(queue);
	if (BUFFER_SIZE - queue->filled < len) {
		counter_add_shared(&queue->pcap->dropped, 1);
		return NULL;
	}
	if (queue->filled == 0)
		loop_timer_set(queue->queue.loop, &queue->timer, loop_now() + FLUSH_NS);
	queue->filled += len;
	return queue->buffers[queue->current] + queue->filled - len;
}

static void copy(uint8_t *to, const struct iovec *iov, unsigned int iov_count, uint32_t len)
{
	for (unsigned int i = 0; i < iov_count && len; i++) {
		const uint32_t n = (uint32_t)min_of((uint64_t)iov[i].iov_len, (uint64_t)len);

		memcpy(to, iov[i].iov_base, n);
		to += n;
		len -= n;
	}
}

static void capture(struct pcap_queue *queue, uint32_t direction, const struct iovec *iov,
		    unsigned int iov_count, uint32_t len)
{
	const uint32_t captured = min_of(len, queue->pcap->snap);
	const uint32_t padded = (uint32_t)align_up(captured, 4);
	struct pcapng_packet packet = {
		.type = PCAPNG_PACKET, .captured = captured, .original = len};
	struct pcapng_packet_end end = {
		.flags = {.code = PCAPNG_EPB_FLAGS, .length = 4, .value = direction}};
	const uint32_t total = (uint32_t)(sizeof(packet) + padded + sizeof(end));
	uint64_t now;
	uint8_t *p;

	if (atomic_load_explicit(&queue->pcap->failed, memory_order_relaxed))
		return;
	p = reserve(queue, total);
	if (!p)
		return;
	now = real_time();
	packet.total_length = end.total_length = total;
	packet.time_high = (uint32_t)(now >> 32);
	packet.time_low = (uint32_t)now;
	memcpy(p, &packet, sizeof(packet));
	p += sizeof(packet);
	copy(p, iov, iov_count, captured);
	memset(p + captured, 0, padded - captured);
	memcpy(p + padded, &end, sizeof(end));
	if (queue->filled > BUFFER_SIZE / 2)
		flush(queue);
}

static void pcap_send(struct net_queue *net_queue, struct net_tx *tx)
{
	struct pcap_queue *queue = container_of(net_queue, struct pcap_queue, queue);

	capture(queue, PCAPNG_FLAG_OUTBOUND, tx->iov, tx->iov_count, tx->len);
	net_queue_send(queue->lower, tx);
}

static int64_t pcap_receive(struct net_queue *net_queue, struct virtio_net_hdr_v1 *header,
			    const struct iovec *iov, unsigned int iov_count)
{
	struct pcap_queue *queue = container_of(net_queue, struct pcap_queue, queue);
	int64_t len = net_queue_receive(queue->lower, header, iov, iov_count);

	if (len > 0)
		capture(queue, PCAPNG_FLAG_INBOUND, iov, iov_count, (uint32_t)len);
	return len;
}

static void on_lower_readable(void *ctx, struct net_queue *lower)
{
	struct pcap_queue *queue = ctx;

	net_queue_readable(&queue->queue);
}

static const struct net_queue_ops lower_ops = {.readable = on_lower_readable};

/* --- Queues. -------------------------------------------------------------------------------- */

static void free_queue(struct pcap_queue *queue)
{
	free(queue->buffers[0]);
	free(queue->buffers[1]);
	free(queue);
}

static int pcap_start(struct net_backend *backend, const struct net_queue *common,
		      struct error *err, struct net_queue **ret)
{
	struct pcap_queue *queue = calloc(1, sizeof(*queue));
	int r;

	if (!queue)
		return error_set(err, -ENOMEM, "out of memory");
	queue->queue = *common;
	queue->pcap = pcap_of(backend);
	queue->write.done = on_written;
	queue->timer.fired = on_timer;
	queue->buffers[0] = malloc(BUFFER_SIZE);
	queue->buffers[1] = malloc(BUFFER_SIZE);
	if (queue->buffers[0] && queue->buffers[1])
		r = net_queue_start(queue->pcap->lower, common->index, common->loop, &lower_ops,
				    queue, err, &queue->lower);
	else
		r = error_set(err, -ENOMEM, "out of memory");
	if (r < 0) {
		free_queue(queue);
		return r;
	}
	*ret = &queue->queue;
	return 0;
}

static void try_end(struct pcap_queue *queue)
{
	const struct net_queue common = queue->queue;

	if (!queue->lower_stopped || queue->writing)
		return;
	free_queue(queue);
	net_queue_stopped(&common);
}

static void on_lower_stopped(void *ctx)
{
	struct pcap_queue *queue = ctx;

	queue->lower_stopped = true;
	loop_timer_cancel(queue->queue.loop, &queue->timer);
	flush(queue);
	try_end(queue);
}

static void pcap_stop(struct net_queue *net_queue)
{
	struct pcap_queue *queue = container_of(net_queue, struct pcap_queue, queue);

	net_queue_stop(queue->lower, on_lower_stopped, queue);
}

/* --- The whole. ----------------------------------------------------------------------------- */

static void pcap_set_offloads(struct net_backend *backend, const struct net_offloads *offloads)
{
	net_backend_set_offloads(pcap_of(backend)->lower, offloads);
}

static bool pcap_link(const struct net_backend *backend)
{
	return net_backend_link(pcap_of(backend)->lower);
}

static const struct net_counters *pcap_counters(const struct net_backend *backend,
						unsigned int index)
{
	return net_backend_counters(pcap_of(backend)->lower, index);
}

static bool write_all(const struct pcap *pcap, const void *data, size_t len)
{
	return write(pcap->fd, data, len) == (ssize_t)len;
}

static void write_end(struct pcap *pcap)
{
	const uint64_t now = real_time();
	const struct pcapng_statistics statistics = {
		.type = PCAPNG_STATISTICS,
		.total_length = sizeof(statistics),
		.time_high = (uint32_t)(now >> 32),
		.time_low = (uint32_t)now,
		.drop_code = PCAPNG_ISB_IFDROP,
		.drop_length = 8,
		.dropped = counter_get(&pcap->dropped),
		.total_length_again = sizeof(statistics),
	};

	if (!atomic_load(&pcap->failed) && !write_all(pcap, &statistics, sizeof(statistics)))
		log_line(LOG_WARNING, "%s: %s", pcap->path, strerrordesc_np(errno));
}

static void pcap_destroy(struct net_backend *backend)
{
	struct pcap *pcap = pcap_of(backend);

	net_backend_destroy(pcap->lower);
	write_end(pcap);
	close(pcap->fd);
	free(pcap->path);
	free(pcap);
}

static const struct net_backend_ops pcap_ops = {
	.start = pcap_start,
	.stop = pcap_stop,
	.send = pcap_send,
	.receive = pcap_receive,
	.set_offloads = pcap_set_offloads,
	.link = pcap_link,
	.counters = pcap_counters,
	.destroy = pcap_destroy,
};

static int write_beginning(const struct pcap *pcap, struct error *err)
{
	struct {
		struct pcapng_section_header section;
		struct pcapng_interface interface;
	} __attribute__((packed)) head = {
		.section = {.type = PCAPNG_SECTION_HEADER,
			    .total_length = sizeof(head.section),
			    .byte_order = PCAPNG_BYTE_ORDER,
			    .major = 1,
			    .section_length = UINT64_MAX, /* until the file ends */
			    .total_length_again = sizeof(head.section)},
		.interface = {.type = PCAPNG_INTERFACE,
			      .total_length = sizeof(head.interface),
			      .link_type = PCAPNG_LINKTYPE_ETHERNET,
			      .snap_length = pcap->snap,
			      .resolution = {.code = PCAPNG_IF_TSRESOL, .length = 1, .value = 9},
			      .total_length_again = sizeof(head.interface)},
	};

	if (write_all(pcap, &head, sizeof(head)))
		return 0;
	return error_errno(err, errno ? -errno : -EIO, "%s: cannot write the capture", pcap->path);
}

int net_pcap_create(struct net_backend *lower, const char *path, uint32_t snap, struct error *err,
		    struct net_backend **ret)
{
	struct pcap *pcap = calloc(1, sizeof(*pcap));
	int r;

	if (!pcap)
		return error_set(err, -ENOMEM, "out of memory");
	pcap->backend = (struct net_backend){.ops = &pcap_ops, .info = lower->info};
	pcap->lower = lower;
	pcap->snap = snap;
	pcap->path = strdup(path);
	/* A capture may hold secrets. */
	pcap->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	if (!pcap->path)
		r = error_set(err, -ENOMEM, "out of memory");
	else if (pcap->fd < 0)
		r = error_errno(err, -errno, "%s: cannot create the capture", path);
	else
		r = write_beginning(pcap, err);
	if (r < 0) {
		if (pcap->fd >= 0)
			close(pcap->fd);
		free(pcap->path);
		free(pcap);
		return r;
	}
	*ret = &pcap->backend;
	return 0;
}
