// SPDX-License-Identifier: MIT
/*
 * Messages, events and connections of a partition. The table of connections has a lock of its own,
 * held while a handler runs, so that after synic_close() none does.
 */
#include "hv-enlight/synic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hv-enlight/hv_internal.h"

/* --- To the guest. ------------------------------------------------------------------------- */

int synic_post_message(struct hv *hv, unsigned int vp, unsigned int sint, uint32_t type,
		       const void *payload, size_t len)
{
	struct hv_message message = {.header = {.message_type = type}};

	if (vp >= hv->host.vp_count || sint >= HV_SINT_COUNT || len > HV_MESSAGE_PAYLOAD_SIZE)
		return -EINVAL;
	message.header.payload_size = (uint8_t)len;
	memcpy(message.payload, payload, len);
	return hv->engine->post(&hv->vps[vp], sint, &message);
}

int synic_signal_event(struct hv *hv, unsigned int vp, unsigned int sint, unsigned int flag)
{
	if (vp >= hv->host.vp_count || sint >= HV_SINT_COUNT || flag >= HV_EVENT_FLAGS_COUNT)
		return -EINVAL;
	return hv->engine->signal(&hv->vps[vp], sint, flag);
}

int synic_raise(struct hv *hv, unsigned int vp, unsigned int sint)
{
	if (vp >= hv->host.vp_count || sint >= HV_SINT_COUNT)
		return -EINVAL;
	synic_vp_raise(&hv->vps[vp].synic, sint);
	return 0;
}

void synic_set_room_callback(struct hv *hv, void (*room)(void *ctx, unsigned int vp), void *ctx)
{
	hv->room = room;
	hv->room_ctx = ctx;
}

/* --- Connections; the lock is held. -------------------------------------------------------- */

static struct hv_connection *find(struct hv *hv, uint32_t id)
{
	for (size_t i = 0; i < hv->connection_count; i++)
		if (hv->connections[i].id == id)
			return &hv->connections[i];
	return NULL;
}

static int add(struct hv *hv, const struct hv_connection *connection)
{
	if (find(hv, connection->id))
		return -EEXIST;
	if (hv->connection_count == hv->connection_room) {
		size_t room = hv->connection_room ? 2 * hv->connection_room : 16;
		struct hv_connection *grown;

		if (room > HV_CONNECTIONS_MAX)
			return -ENOSPC;
		grown = reallocarray(hv->connections, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		hv->connections = grown;
		hv->connection_room = room;
	}
	hv->connections[hv->connection_count++] = *connection;
	return 0;
}

static int open_connection(struct hv *hv, const struct hv_connection *connection)
{
	int r;

	if (connection->id > HV_CONNECTION_ID_MAX)
		return -EINVAL;
	pthread_mutex_lock(&hv->connections_lock);
	r = add(hv, connection);
	if (r == 0 && connection->fd >= 0) {
		r = hv->engine->bind_event(hv, connection->id, connection->fd);
		if (r < 0)
			hv->connection_count--;
	}
	pthread_mutex_unlock(&hv->connections_lock);
	return r;
}

int synic_open_message(struct hv *hv, uint32_t id, synic_message_handler *handler, void *ctx)
{
	return open_connection(
		hv, &(struct hv_connection){.id = id, .handler = handler, .ctx = ctx, .fd = -1});
}

int synic_open_event(struct hv *hv, uint32_t id, int eventfd)
{
	return open_connection(hv, &(struct hv_connection){.id = id, .fd = eventfd});
}

int synic_open_event_handler(struct hv *hv, uint32_t id, synic_event_handler *handler, void *ctx)
{
	return open_connection(
		hv, &(struct hv_connection){.id = id, .event = handler, .ctx = ctx, .fd = -1});
}

void synic_close(struct hv *hv, uint32_t id)
{
	struct hv_connection *connection;

	pthread_mutex_lock(&hv->connections_lock);
	connection = find(hv, id);
	if (connection) {
		if (connection->fd >= 0)
			hv->engine->unbind_event(hv, id, connection->fd);
		*connection = hv->connections[--hv->connection_count];
	}
	pthread_mutex_unlock(&hv->connections_lock);
}

/* --- From the guest. ----------------------------------------------------------------------- */

enum hv_status hv_post_from_guest(struct hv *hv, uint32_t id, uint32_t type, const uint8_t *payload,
				  size_t len)
{
	enum hv_status status = HV_STATUS_INVALID_CONNECTION_ID;
	const struct hv_connection *connection;

	pthread_mutex_lock(&hv->connections_lock);
	connection = find(hv, id);
	if (connection)
		status = connection->handler
				 ? connection->handler(connection->ctx, type, payload, len)
				 : HV_STATUS_INVALID_PORT_ID;
	pthread_mutex_unlock(&hv->connections_lock);
	return status;
}

static enum hv_status signal_connection(const struct hv_connection *connection, uint16_t flag)
{
	uint64_t one = 1;

	if (connection->event)
		return connection->event(connection->ctx, flag);
	if (connection->fd < 0)
		return HV_STATUS_INVALID_PORT_ID;
	/* Connections of ours have one flag, number 0. */
	if (flag)
		return HV_STATUS_INVALID_PARAMETER;
	/* One that cannot count further has been signalled: events never lack room (TLFS 11.5). */
	(void)!write(connection->fd, &one, sizeof(one));
	return HV_STATUS_SUCCESS;
}

enum hv_status hv_signal_from_guest(struct hv *hv, uint32_t id, uint16_t flag)
{
	enum hv_status status = HV_STATUS_INVALID_CONNECTION_ID;
	const struct hv_connection *connection;

	pthread_mutex_lock(&hv->connections_lock);
	connection = find(hv, id);
	if (connection)
		status = signal_connection(connection, flag);
	pthread_mutex_unlock(&hv->connections_lock);
	return status;
}
