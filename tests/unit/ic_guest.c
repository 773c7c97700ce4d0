// SPDX-License-Identifier: MIT
/* See ic_guest.h. */
#include "ic_guest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS (sizeof(struct vmbuspipe_hdr) + sizeof(struct icmsg_hdr))

static void on_stop(struct loop_timer *timer)
{
	loop_stop(container_of(timer, struct ic_guest, stop)->loop);
}

void ic_guest_init(struct ic_guest *g)
{
	int r;

	*g = (struct ic_guest){.stop = {.fired = on_stop}};
	channel_fake_init(&g->bus);
	r = loop_create(8, NULL, &g->loop);
	assert(r == 0);
}

void ic_guest_finish(struct ic_guest *g)
{
	if (g->channel && g->bus.device->channels[0])
		ic_guest_close(g);
	/* As vmbus_destroy() does. */
	free(g->bus.device);
	g->bus.device = NULL;
	channel_fake_finish(&g->bus);
	loop_destroy(g->loop);
}

void ic_guest_open(struct ic_guest *g)
{
	g->channel = channel_fake_open(&g->bus, 0);
	assert(g->channel);
	g->taken = 0;
}

void ic_guest_start(struct ic_guest *g, uint32_t version)
{
	struct ic_guest_message message;
	bool asked;

	ic_guest_open(g);
	asked = ic_guest_next(g, &message);
	assert(asked && message.header.icmsgtype == ICMSGTYPE_NEGOTIATE);
	(void)ic_guest_negotiate(g, &message, 1, IC_VERSION(3, 0), version);
}

void ic_guest_close(struct ic_guest *g)
{
	if (g->channel)
		(void)channel_fake_close(&g->bus, 0);
	g->channel = NULL;
}

bool ic_guest_next(struct ic_guest *g, struct ic_guest_message *ret)
{
	const struct fake_record *record;

	if (!g->channel || g->taken == g->channel->sent)
		return false;
	record = &g->channel->message[g->taken++ % FAKE_RECORDS];
	*ret = (struct ic_guest_message){.len = record->len};
	memcpy(&ret->header, record->payload + sizeof(struct vmbuspipe_hdr), sizeof(ret->header));
	memcpy(ret->body, record->payload + HEADERS, FAKE_PAYLOAD - HEADERS);
	return true;
}

int ic_guest_send(struct ic_guest *g, const void *payload, uint32_t len)
{
	uint8_t *copy = calloc(1, align_up(len, 8));
	struct ring_packet packet = {
		.type = VM_PKT_DATA_INBAND,
		.payload = copy,
		.payload_len = (uint32_t)align_up(len, 8),
	};
	int r;

	assert(copy);
	memcpy(copy, payload, len);
	r = channel_fake_send(g->channel, &packet);
	free(copy);
	if (r < 0)
		g->channel = NULL;
	return r;
}

int ic_guest_answer(struct ic_guest *g, const struct ic_guest_message *message, uint32_t status,
		    const void *body, uint32_t len)
{
	struct vmbuspipe_hdr pipe = {.flags = IC_PIPE_DATA,
				     .msgsize = (uint32_t)sizeof(struct icmsg_hdr) + len};
	struct icmsg_hdr header = message->header;
	uint8_t packet[IC_MESSAGE_MAX];

	header.status = status;
	header.icflags = ICMSGHDRFLAG_TRANSACTION | ICMSGHDRFLAG_RESPONSE;
	header.icmsgsize = (uint16_t)len;
	memcpy(packet, &pipe, sizeof(pipe));
	memcpy(packet + sizeof(pipe), &header, sizeof(header));
	if (len)
		memcpy(packet + HEADERS, body, len);
	return ic_guest_send(g, packet, (uint32_t)HEADERS + len);
}

int ic_guest_negotiate(struct ic_guest *g, const struct ic_guest_message *message, uint16_t counts,
		       uint32_t framework, uint32_t version)
{
	struct {
		struct icmsg_negotiate head;
		struct ic_version versions[2];
	} body = {
		.head = {.icframe_vercnt = counts, .icmsg_vercnt = counts},
		.versions = {{IC_VERSION_MAJOR(framework), IC_VERSION_MINOR(framework)},
			     {IC_VERSION_MAJOR(version), IC_VERSION_MINOR(version)}},
	};

	return ic_guest_answer(g, message, HV_S_OK, &body, sizeof(body));
}

void ic_guest_run(struct ic_guest *g, unsigned int ms)
{
	int r;

	loop_timer_set(g->loop, &g->stop, loop_now() + ms * NSEC_PER_MSEC);
	r = loop_run(g->loop);
	assert(r == 0);
}

bool ic_guest_until(struct ic_guest *g, bool (*condition)(void *arg), void *arg)
{
	const uint64_t deadline = loop_now() + IC_GUEST_MS * NSEC_PER_MSEC;

	while (!condition(arg) && loop_now() < deadline)
		ic_guest_run(g, 1);
	return condition(arg);
}
