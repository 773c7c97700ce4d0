// SPDX-License-Identifier: MIT
/*
 * The control plane: requests to connect to hvsocket services. The answer of a service is an offer;
 * only refusals are messages. Owner: the control plane's loop.
 */
#include "vmbus/server_internal.h"

static struct vmbus_tl_request *find_request(struct vmbus_server *s, uint32_t id)
{
	for (unsigned int i = 0; i < VMBUS_TL_MAX; i++)
		if (s->tl[i].id == id)
			return &s->tl[i];
	return NULL;
}

/* Before 4.1 a guest is not told; it gives up in its own time. */
static bool tells_refusals(const struct vmbus_server *s)
{
	return s->connection.version >= VERSION_WIN10_V4_1;
}

static void refuse_at_once(struct vmbus_server *s, const union vmbus_message *m)
{
	const struct vmbus_channel_tl_connect_result reply = {
		.header = {.msgtype = CHANNELMSG_TL_CONNECT_RESULT},
		.guest_endpoint_id = m->tl.guest_endpoint_id,
		.host_service_id = m->tl.host_service_id,
		.status = VMBUS_STATUS_CONNECTION_REFUSED,
	};

	counter_add(&s->counters.tl_refusals, 1);
	if (tells_refusals(s))
		vmbus_reply(s, &reply, sizeof(reply));
}

/* A number that no request in the table has, and never 0. */
static uint32_t next_id(struct vmbus_server *s)
{
	do
		s->tl_last_id++;
	while (s->tl_last_id == 0 || find_request(s, s->tl_last_id));
	return s->tl_last_id;
}

bool vmbus_on_tl_connect(struct vmbus_server *s, const union vmbus_message *m, size_t len)
{
	const bool names_silo =
		s->connection.version >= VERSION_WIN10_V5_2 && len >= sizeof(m->tl2);
	const struct vmbus_guid silo = names_silo ? m->tl2.silo_id : (struct vmbus_guid){0};
	struct vmbus_tl_request *r = find_request(s, 0);
	uint32_t id;

	counter_add(&s->counters.tl_requests, 1);
	if (!s->ops.tl_connect || !r) {
		refuse_at_once(s, m);
		return true;
	}
	id = next_id(s);
	*r = (struct vmbus_tl_request){
		.id = id, .endpoint = m->tl.guest_endpoint_id, .service = m->tl.host_service_id};
	if (s->ops.tl_connect(s->ctx, id, &r->endpoint, &r->service, &silo) < 0)
		vmbus_server_tl_result(s, id, VMBUS_STATUS_CONNECTION_REFUSED);
	return true;
}

void vmbus_server_tl_result(struct vmbus_server *s, uint32_t id, uint32_t status)
{
	struct vmbus_tl_request *r = id ? find_request(s, id) : NULL;

	if (!r || r->done)
		return; /* of a connection that has ended */
	if (status)
		counter_add(&s->counters.tl_refusals, 1);
	if (!status || !tells_refusals(s)) {
		*r = (struct vmbus_tl_request){0};
		return;
	}
	r->done = true;
	r->status = status;
	vmbus_server_flush(s);
}
