// SPDX-License-Identifier: MIT
/*
 * Connections of hvsocket: what they have, and how it is given back. Owner: the bus' loop.
 *
 * A connection that ends has its channel revoked and its socket's watch closed; when both are over
 * it is freed.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/hvsock/hvsock_internal.h"
#include "vmbus/vmbus_proto.h"

void hvsock_conn_free(struct hvsock_conn *c)
{
	c->prev->next = c->next;
	c->next->prev = c->prev;
	c->hvsock->count--;
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

static void settle(struct hvsock_conn *c)
{
	if (c->state == HVSOCK_ENDING && !c->device && !c->watching)
		hvsock_conn_free(c);
}

static void on_removed(void *ctx)
{
	struct hvsock_conn *c = ctx;

	c->device = NULL;
	settle(c);
}

/* The other end of the socket sees the end now, not when the guest has given the channel back. */
static void on_unwatched(struct loop_fd *watch)
{
	struct hvsock_conn *c = container_of(watch, struct hvsock_conn, watch);

	c->watching = false;
	close(c->fd);
	c->fd = -1;
	settle(c);
}

void hvsock_conn_end(struct hvsock_conn *c)
{
	if (c->state == HVSOCK_ENDING)
		return;
	c->state = HVSOCK_ENDING;
	loop_timer_cancel(c->hvsock->config.loop, &c->timer);
	loop_defer_cancel(&c->over);
	if (c->watching)
		loop_fd_close(&c->watch, on_unwatched);
	if (c->device)
		vmbus_device_remove(c->device);
	settle(c);
}

static void on_ready(struct loop_fd *watch, uint32_t revents)
{
	struct hvsock_conn *c = container_of(watch, struct hvsock_conn, watch);

	if (c->state == HVSOCK_ASKING)
		hvsock_asked(c);
	else if (c->state == HVSOCK_OPEN)
		hvsock_relay(c, revents & (POLLHUP | POLLERR));
}

/* Patience is over; or, of one that is open, there is more to be read. */
static void on_timer(struct loop_timer *timer)
{
	struct hvsock_conn *c = container_of(timer, struct hvsock_conn, timer);

	if (c->state == HVSOCK_OPEN) {
		hvsock_relay(c, false);
		return;
	}
	if (c->from_host)
		counter_add(&c->hvsock->counters.refused_host, 1);
	hvsock_conn_end(c);
}

static void on_over(struct loop_deferred *deferred)
{
	hvsock_conn_end(container_of(deferred, struct hvsock_conn, over));
}

struct hvsock_conn *hvsock_conn_create(struct hvsock *hvsock, int fd, bool from_host)
{
	struct hvsock_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return NULL;
	}
	c->hvsock = hvsock;
	c->fd = fd;
	c->from_host = from_host;
	c->timer.fired = on_timer;
	c->over.run = on_over;
	c->prev = hvsock->conns.prev;
	c->next = &hvsock->conns;
	c->prev->next = c->next->prev = c;
	hvsock->count++;
	loop_timer_set(hvsock->config.loop, &c->timer, loop_now() + hvsock->config.patience_ns);
	return c;
}

int hvsock_conn_watch(struct hvsock_conn *c)
{
	int r = loop_fd_add(c->hvsock->config.loop, &c->watch, c->fd, POLLIN | POLLOUT | POLLRDHUP,
			    on_ready);

	c->watching = r == 0;
	if (r < 0)
		hvsock_conn_end(c);
	return r;
}

int hvsock_conn_offer(struct hvsock_conn *c, const struct vmbus_guid *service,
		      const struct vmbus_guid *instance)
{
	const struct hvsock_offer_params params = {
		.pipe_type = VMBUS_PIPE_TYPE_BYTE,
		.is_for_guest_accept = c->from_host,
		.version = HVSOCK_PARAMS_VERSION,
	};
	struct vmbus_device_config config = {
		.class_id = *service,
		.instance_id = *instance,
		.flags = VMBUS_CHANNEL_TLNPI_PROVIDER_OFFER | VMBUS_CHANNEL_NAMED_PIPE_MODE,
		.ops = &hvsock_channel_ops,
		.ctx = c,
		.loop = c->hvsock->config.loop,
		.removed = on_removed,
	};
	int r;

	memcpy(config.user_data, &params, sizeof(params));
	r = vmbus_device_add(c->hvsock->config.bus, &config, NULL, &c->device);
	if (r < 0) {
		hvsock_conn_end(c);
		return r;
	}
	c->state = HVSOCK_OFFERED;
	return 0;
}
