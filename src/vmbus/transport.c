// SPDX-License-Identifier: MIT
/*
 * The queue between the VPs that post and the loop. Protected by its lock, which nobody holds while
 * something is handled.
 */
#include "vmbus/transport.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "hv-enlight/synic.h"
#include "vmbus/vmbus_proto.h"

#define INBOX_SIZE 64u

struct inbox_message {
	uint32_t connection_id;
	uint32_t len;
	uint8_t data[VMBUS_MESSAGE_SIZE_MAX];
};

struct connection {
	struct transport *transport;
	uint32_t id;
};

struct transport {
	struct loop *loop;
	struct hv *hv;
	const struct transport_ops *ops;
	void *ctx;
	struct connection connections[2];

	pthread_mutex_t lock;
	struct inbox_message inbox[INBOX_SIZE]; /* by number, modulo the size */
	unsigned int first, end;                /* numbers of the oldest, and of the next */

	struct loop_task inbox_task, room_task;
	bool blocked; /* the oldest message waits for flush() */
	struct transport_counters counters;
};

/* --- From the guest. ----------------------------------------------------------------------- */

static bool queue_message(struct transport *t, uint32_t id, const uint8_t *payload, size_t len)
{
	struct inbox_message *m;
	bool ok;

	pthread_mutex_lock(&t->lock);
	ok = t->end - t->first < INBOX_SIZE;
	if (ok) {
		m = &t->inbox[t->end++ % INBOX_SIZE];
		m->connection_id = id;
		m->len = (uint32_t)len;
		memcpy(m->data, payload, len);
	}
	pthread_mutex_unlock(&t->lock);
	return ok;
}

/* On the posting VP's thread. */
static enum hv_status on_post(void *ctx, uint32_t type, const uint8_t *payload, size_t len)
{
	const struct connection *connection = ctx;
	struct transport *t = connection->transport;

	if (type != VMBUS_MESSAGE_TYPE || len > VMBUS_MESSAGE_SIZE_MAX) {
		counter_add_shared(&t->counters.foreign, 1);
		return HV_STATUS_SUCCESS;
	}
	if (!queue_message(t, connection->id, payload, len)) {
		counter_add_shared(&t->counters.full, 1);
		return HV_STATUS_INSUFFICIENT_BUFFERS;
	}
	counter_add_shared(&t->counters.queued, 1);
	loop_post(t->loop, &t->inbox_task);
	return HV_STATUS_SUCCESS;
}

static bool copy_oldest(struct transport *t, struct inbox_message *ret)
{
	bool found;

	pthread_mutex_lock(&t->lock);
	found = t->first != t->end;
	if (found)
		*ret = t->inbox[t->first % INBOX_SIZE];
	pthread_mutex_unlock(&t->lock);
	return found;
}

static void drop_oldest(struct transport *t)
{
	pthread_mutex_lock(&t->lock);
	t->first++;
	pthread_mutex_unlock(&t->lock);
}

static void handle_inbox(struct transport *t)
{
	struct inbox_message m;

	while (!t->blocked && copy_oldest(t, &m)) {
		if (t->ops->message(t->ctx, m.connection_id, m.data, m.len) == -EAGAIN)
			t->blocked = true;
		else
			drop_oldest(t);
	}
}

static void run_inbox(struct loop_task *task)
{
	handle_inbox(container_of(task, struct transport, inbox_task));
}

/* --- To the guest. ------------------------------------------------------------------------- */

static void run_room(struct loop_task *task)
{
	struct transport *t = container_of(task, struct transport, room_task);

	if (!t->ops->flush(t->ctx) && t->blocked)
		return;
	t->blocked = false;
	handle_inbox(t);
}

/* On a VP's thread. */
static void on_room(void *ctx, unsigned int vp)
{
	struct transport *t = ctx;

	loop_post(t->loop, &t->room_task);
}

bool transport_send(struct transport *t, unsigned int vp, unsigned int sint, const void *message,
		    size_t len)
{
	return synic_post_message(t->hv, vp, sint, VMBUS_MESSAGE_TYPE, message, len) != -EAGAIN;
}

void transport_signal(struct transport *t, unsigned int vp, unsigned int sint, unsigned int flag)
{
	/* A guest that has taken its event flags page away wants no events. */
	(void)!synic_signal_event(t->hv, vp, sint, flag);
}

int transport_open_event(struct transport *t, uint32_t id, int eventfd)
{
	return synic_open_event(t->hv, id, eventfd);
}

void transport_close_event(struct transport *t, uint32_t id)
{
	synic_close(t->hv, id);
}

/* --- Creation. ----------------------------------------------------------------------------- */

int transport_create(struct loop *loop, struct hv *hv, const struct transport_ops *ops, void *ctx,
		     struct transport **ret)
{
	static const uint32_t ids[] = {VMBUS_MESSAGE_CONNECTION_ID, VMBUS_MESSAGE_CONNECTION_ID_4};
	struct transport *t = calloc(1, sizeof(*t));
	int r = 0;

	if (!t)
		return -ENOMEM;
	t->loop = loop;
	t->hv = hv;
	t->ops = ops;
	t->ctx = ctx;
	t->inbox_task.run = run_inbox;
	t->room_task.run = run_room;
	pthread_mutex_init(&t->lock, NULL);
	synic_set_room_callback(hv, on_room, t);
	for (size_t i = 0; i < ARRAY_SIZE(ids) && r == 0; i++) {
		t->connections[i] = (struct connection){.transport = t, .id = ids[i]};
		r = synic_open_message(hv, ids[i], on_post, &t->connections[i]);
		if (r < 0)
			t->connections[i].transport = NULL;
	}
	if (r < 0) {
		transport_destroy(t);
		return r;
	}
	*ret = t;
	return 0;
}

void transport_destroy(struct transport *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(t->connections); i++)
		if (t->connections[i].transport)
			synic_close(t->hv, t->connections[i].id);
	synic_set_room_callback(t->hv, NULL, NULL);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

void transport_reset(struct transport *t)
{
	pthread_mutex_lock(&t->lock);
	t->first = t->end;
	pthread_mutex_unlock(&t->lock);
	t->blocked = false;
}

const struct transport_counters *transport_counters(const struct transport *t)
{
	return &t->counters;
}
