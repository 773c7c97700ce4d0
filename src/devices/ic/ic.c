// SPDX-License-Identifier: MIT
/*
 * The framework of integration services: versions, questions and answers. Owner: the bus' loop.
 */
#include "devices/ic/ic.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmbus/vmbus_proto.h"

#define HEADERS (sizeof(struct vmbuspipe_hdr) + sizeof(struct icmsg_hdr))

static const uint32_t frameworks[] = {IC_VERSION(1, 0), IC_VERSION(3, 0)};

/* The longest of all: what is negotiated. */
#define NEGOTIATION_MAX                                                                            \
	(sizeof(struct icmsg_negotiate) +                                                          \
	 (ARRAY_SIZE(frameworks) + IC_VERSIONS_MAX) * sizeof(struct ic_version))

static struct ic_version to_wire(uint32_t version)
{
	return (struct ic_version){.major = IC_VERSION_MAJOR(version),
				   .minor = IC_VERSION_MINOR(version)};
}

/* --- To the guest. --------------------------------------------------------------------------- */

/* What was asked, or as soon as there is room. */
static void send_message(struct ic *ic)
{
	const struct ring_message message = {
		.type = VM_PKT_DATA_INBAND,
		.trans_id = ic->transaction,
		.payload = ic->message,
		.payload_len = ic->message_len,
	};
	int r = channel_send(ic->channel, &message);

	ic->unsent = r == -EAGAIN;
	if (r == -EMSGSIZE)
		channel_fail(ic->channel, "the ring is too small for a message");
}

static void compose(struct ic *ic, uint16_t type, const void *body, uint32_t len)
{
	const struct vmbuspipe_hdr pipe = {
		.flags = IC_PIPE_DATA,
		.msgsize = (uint32_t)sizeof(struct icmsg_hdr) + len,
	};
	const struct icmsg_hdr header = {
		.icverframe = to_wire(ic->framework),
		.icmsgtype = type,
		.icvermsg = to_wire(ic->version),
		.icmsgsize = (uint16_t)len,
		.ictransaction_id = ++ic->transaction,
		.icflags = ICMSGHDRFLAG_TRANSACTION | ICMSGHDRFLAG_REQUEST,
	};

	memcpy(ic->message, &pipe, sizeof(pipe));
	memcpy(ic->message + sizeof(pipe), &header, sizeof(header));
	memcpy(ic->message + HEADERS, body, len);
	ic->message_len = (uint32_t)HEADERS + len;
}

static void put_versions(uint8_t **at, const uint32_t *versions, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		const struct ic_version version = to_wire(versions[i]);

		memcpy(*at, &version, sizeof(version));
		*at += sizeof(version);
	}
}

static void negotiate(struct ic *ic)
{
	const struct ic_service *service = ic->service;
	const struct icmsg_negotiate head = {
		.icframe_vercnt = ARRAY_SIZE(frameworks),
		.icmsg_vercnt = (uint16_t)service->version_count,
	};
	uint8_t body[NEGOTIATION_MAX], *at = body;

	memcpy(at, &head, sizeof(head));
	at += sizeof(head);
	put_versions(&at, frameworks, ARRAY_SIZE(frameworks));
	put_versions(&at, service->versions, service->version_count);
	ic->framework = ic->version = 0;
	compose(ic, ICMSGTYPE_NEGOTIATE, body, (uint32_t)(at - body));
	ic->asking = true;
	send_message(ic);
}

int ic_ask(struct ic *ic, const void *body, uint32_t len, uint64_t timeout_ns)
{
	assert(len <= ic->service->body_max);
	if (ic->state != IC_UP)
		return -ENOTCONN;
	if (ic->asking)
		return -EBUSY;
	compose(ic, ic->service->type, body, len);
	ic->asking = true;
	counter_add(&ic->counters.asked, 1);
	if (timeout_ns)
		loop_timer_set(ic->loop, &ic->timer, loop_now() + timeout_ns);
	send_message(ic);
	return 0;
}

static void on_late(struct loop_timer *timer)
{
	struct ic *ic = container_of(timer, struct ic, timer);

	ic->asking = false;
	ic->unsent = false;
	counter_add(&ic->counters.late, 1);
	ic->service->late(ic->ctx);
}

/* --- From the guest. ------------------------------------------------------------------------- */

static bool is_among(uint32_t version, const uint32_t *versions, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (versions[i] == version)
			return true;
	return false;
}

static uint32_t from_wire(const uint8_t *at)
{
	struct ic_version version;

	memcpy(&version, at, sizeof(version));
	return IC_VERSION(version.major, version.minor);
}

/* It has to have chosen one of each. */
static bool take_versions(struct ic *ic, const uint8_t *body, uint32_t len)
{
	const struct ic_service *service = ic->service;
	struct icmsg_negotiate head;
	uint32_t framework, version;

	if (len < sizeof(head) + 2 * sizeof(struct ic_version))
		return false;
	memcpy(&head, body, sizeof(head));
	if (head.icframe_vercnt != 1 || head.icmsg_vercnt != 1)
		return false;
	framework = from_wire(body + sizeof(head));
	version = from_wire(body + sizeof(head) + sizeof(struct ic_version));
	if (!is_among(framework, frameworks, ARRAY_SIZE(frameworks)) ||
	    !is_among(version, service->versions, service->version_count))
		return false;
	ic->framework = framework;
	ic->version = version;
	return true;
}

static void say_up(const struct ic *ic)
{
	char version[24], framework[24];

	snprintf(version, sizeof(version), "%u.%u", IC_VERSION_MAJOR(ic->version),
		 IC_VERSION_MINOR(ic->version));
	snprintf(framework, sizeof(framework), "%u.%u", IC_VERSION_MAJOR(ic->framework),
		 IC_VERSION_MINOR(ic->framework));
	event(channel_events(ic->channel), EVENT_SERVICE_UP,
	      EVENT_TEXT("service", ic->service->name), EVENT_TEXT("version", version),
	      EVENT_TEXT("framework", framework));
}

static void negotiated(struct ic *ic, const uint8_t *body, uint32_t len)
{
	const char *name = ic->service->name;

	if (!take_versions(ic, body, len)) {
		ic->state = IC_USELESS;
		log_guest(&ic->log, LOG_WARNING, "%s service: the guest has no version of it",
			  name);
		event(channel_events(ic->channel), EVENT_SERVICE_USELESS,
		      EVENT_TEXT("service", name));
		return;
	}
	ic->state = IC_UP;
	counter_add(&ic->counters.ups, 1);
	say_up(ic);
	ic->service->up(ic->ctx);
}

/* Does it answer what was asked? */
static bool is_answer(const struct ic *ic, const struct icmsg_hdr *header, uint32_t body_len)
{
	const uint16_t type = ic->state == IC_NEGOTIATING ? ICMSGTYPE_NEGOTIATE : ic->service->type;

	return ic->asking && !ic->unsent && (header->icflags & ICMSGHDRFLAG_RESPONSE) &&
	       header->icmsgtype == type && header->ictransaction_id == ic->transaction &&
	       header->icmsgsize <= body_len;
}

static void take_message(struct ic *ic, const uint8_t *message, uint32_t len)
{
	const uint8_t *body = message + sizeof(struct icmsg_hdr);
	struct icmsg_hdr header;

	memcpy(&header, message, sizeof(header));
	if (!is_answer(ic, &header, len - (uint32_t)sizeof(header))) {
		counter_add(&ic->counters.stray, 1);
		return;
	}
	ic->asking = false;
	loop_timer_cancel(ic->loop, &ic->timer);
	if (ic->state == IC_NEGOTIATING) {
		negotiated(ic, body, header.icmsgsize);
		return;
	}
	counter_add(&ic->counters.answered, 1);
	ic->service->answer(ic->ctx, header.status, body, header.icmsgsize);
}

static int on_packet(void *ctx, struct channel *channel, const struct ring_packet *packet)
{
	struct vmbuspipe_hdr pipe;
	struct ic *ic = ctx;

	/* Guests that were asked for a completion give one; it says nothing. */
	if (packet->type == VM_PKT_COMP)
		return 0;
	if (packet->type != VM_PKT_DATA_INBAND || packet->payload_len < HEADERS)
		return -EINVAL;
	memcpy(&pipe, packet->payload, sizeof(pipe));
	if (pipe.flags != IC_PIPE_DATA || pipe.msgsize < sizeof(struct icmsg_hdr) ||
	    pipe.msgsize > packet->payload_len - sizeof(pipe))
		return -EINVAL;
	if (packet->wants_completion)
		channel_complete(channel, packet->trans_id, NULL, 0);
	take_message(ic, (const uint8_t *)packet->payload + sizeof(pipe), pipe.msgsize);
	return 0;
}

/* --- The channel. ---------------------------------------------------------------------------- */

static int on_open(void *ctx, struct channel *channel)
{
	struct ic *ic = ctx;

	ic->channel = channel;
	ic->state = IC_NEGOTIATING;
	negotiate(ic);
	return 0;
}

static void on_close(void *ctx, struct channel *channel)
{
	struct ic *ic = ctx;
	const bool was_up = ic->state == IC_UP;

	loop_timer_cancel(ic->loop, &ic->timer);
	ic->channel = NULL;
	ic->state = IC_CLOSED;
	ic->asking = ic->unsent = false;
	if (was_up)
		ic->service->down(ic->ctx);
	channel_closed(channel);
}

static void on_room(void *ctx, struct channel *channel)
{
	struct ic *ic = ctx;

	if (ic->unsent)
		send_message(ic);
}

static const struct channel_ops channel_ops = {
	.name = "integration service",
	.packet_max =
		sizeof(struct vmpacket_descriptor) + sizeof(struct vmbuspipe_hdr) + IC_MESSAGE_MAX,
	.open = on_open,
	.packet = on_packet,
	.close = on_close,
	.room = on_room,
};

/* --- Life. ----------------------------------------------------------------------------------- */

int ic_init(struct ic *ic, struct vmbus *bus, struct loop *loop, const struct ic_service *service,
	    void *ctx, struct error *err)
{
	const uint32_t pipe_type = VMBUS_PIPE_TYPE_MESSAGE;
	struct vmbus_device_config config = {
		.class_id = service->class_id,
		.instance_id = service->instance_id,
		.flags = VMBUS_CHANNEL_ENUMERATE_DEVICE_INTERFACE | VMBUS_CHANNEL_NAMED_PIPE_MODE,
		.ops = &channel_ops,
		.ctx = ic,
		.loop = loop,
	};

	assert(service->version_count <= IC_VERSIONS_MAX);
	assert(service->body_max + sizeof(struct icmsg_hdr) <= IC_MESSAGE_MAX);
	*ic = (struct ic){
		.service = service, .ctx = ctx, .loop = loop, .timer = {.fired = on_late}};
	ic->message = malloc(HEADERS + max_of((size_t)service->body_max, NEGOTIATION_MAX));
	if (!ic->message)
		return error_set(err, -ENOMEM, "%s service: out of memory", service->name);
	memcpy(config.user_data, &pipe_type, sizeof(pipe_type));
	return vmbus_device_add(bus, &config, err, &ic->device);
}

void ic_finish(struct ic *ic)
{
	assert(!ic->channel);
	free(ic->message);
	ic->message = NULL;
}

bool ic_is_up(const struct ic *ic)
{
	return ic->state == IC_UP;
}
