// SPDX-License-Identifier: MIT
/*
 * The shutdown service. Owner: the bus' loop.
 */
#include "devices/ic/shutdown.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/ic/ic.h"
#include "devices/ic/ic_text.h"

#define VERSION_RESTART   IC_VERSION(3, 1)
#define VERSION_HIBERNATE IC_VERSION(3, 2)

struct ic_shutdown {
	struct ic ic;
	bool wanted; /* @request is there */
	bool sent;   /* and the guest has it */
	struct ic_shutdown_request request;
	struct shutdown_msg_data message;
};

/* The request is over; its owner may make another from inside. */
static void finish(struct ic_shutdown *s, int result)
{
	const struct ic_shutdown_request request = s->request;

	if (!s->wanted)
		return;
	s->wanted = s->sent = false;
	if (request.done)
		request.done(request.ctx, result);
}

static bool is_served(const struct ic_shutdown *s)
{
	switch (s->request.kind) {
	case IC_SHUTDOWN_POWER_OFF:
		break;
	case IC_SHUTDOWN_REBOOT:
		return s->ic.version >= VERSION_RESTART;
	case IC_SHUTDOWN_HIBERNATION:
		return s->ic.version >= VERSION_HIBERNATE;
	}
	return true;
}

/* An answer to a request that was cancelled may be awaited still: then once it is there. */
static void try_send(struct ic_shutdown *s)
{
	if (!s->wanted || s->sent || !ic_is_up(&s->ic))
		return;
	if (!is_served(s)) {
		finish(s, -EOPNOTSUPP);
		return;
	}
	s->sent = ic_ask(&s->ic, &s->message, sizeof(s->message), 0) == 0;
}

static void on_up(void *ctx)
{
	try_send(ctx);
}

/* A guest that has gone without an answer has either done what it should, or is to be asked. */
static void on_down(void *ctx)
{
	struct ic_shutdown *s = ctx;

	if (s->sent && s->request.kind == IC_SHUTDOWN_REBOOT)
		finish(s, 0);
	s->sent = false;
}

static void on_answer(void *ctx, uint32_t status, const void *body, uint32_t len)
{
	struct ic_shutdown *s = ctx;

	if (s->sent)
		finish(s, status == HV_S_OK ? 0 : -EREMOTEIO);
	try_send(s);
}

/* Nothing here has a time-out: how long to wait is for whoever asked. */
static void on_late(void *ctx)
{
}

static const uint32_t versions[] = {IC_VERSION(1, 0), IC_VERSION(3, 0), VERSION_RESTART,
				    VERSION_HIBERNATE};

static const struct ic_service service = {
	.name = "shutdown",
	/* {0e0b6031-5213-4934-818b-38d90ced39db} */
	.class_id = {{0x31, 0x60, 0x0b, 0x0e, 0x13, 0x52, 0x34, 0x49, 0x81, 0x8b, 0x38, 0xd9, 0x0c,
		      0xed, 0x39, 0xdb}},
	/* {b6650ff7-33bc-4840-8048-e0676786f393} */
	.instance_id = {{0xf7, 0x0f, 0x65, 0xb6, 0xbc, 0x33, 0x40, 0x48, 0x80, 0x48, 0xe0, 0x67,
			 0x67, 0x86, 0xf3, 0x93}},
	.type = ICMSGTYPE_SHUTDOWN,
	.versions = versions,
	.version_count = ARRAY_SIZE(versions),
	.body_max = sizeof(struct shutdown_msg_data),
	.up = on_up,
	.down = on_down,
	.answer = on_answer,
	.late = on_late,
};

static uint32_t flags_of(const struct ic_shutdown_request *request)
{
	static const uint32_t kinds[] = {
		[IC_SHUTDOWN_POWER_OFF] = 0,
		[IC_SHUTDOWN_REBOOT] = IC_SHUTDOWN_RESTART,
		[IC_SHUTDOWN_HIBERNATION] = IC_SHUTDOWN_HIBERNATE,
	};

	return kinds[request->kind] | (request->force ? IC_SHUTDOWN_FORCE : 0);
}

int ic_shutdown_ask(struct ic_shutdown *s, const struct ic_shutdown_request *request)
{
	if (s->wanted)
		return -EBUSY;
	s->wanted = true;
	s->request = *request;
	s->request.reason = NULL;
	s->message = (struct shutdown_msg_data){
		.reason_code = IC_SHUTDOWN_REASON_PLANNED,
		.timeout_seconds = request->seconds,
		.flags = flags_of(request),
	};
	(void)ic_text_encode(request->reason ? request->reason : "", s->message.display_message,
			     sizeof(s->message.display_message));
	try_send(s);
	return 0;
}

void ic_shutdown_cancel(struct ic_shutdown *s)
{
	finish(s, -ECANCELED);
}

bool ic_shutdown_is_up(const struct ic_shutdown *s)
{
	return ic_is_up(&s->ic);
}

const struct ic_shutdown_request *ic_shutdown_pending(const struct ic_shutdown *s)
{
	return s->wanted ? &s->request : NULL;
}

const struct ic_counters *ic_shutdown_counters(const struct ic_shutdown *s)
{
	return &s->ic.counters;
}

int ic_shutdown_create(struct vmbus *bus, struct loop *loop, struct error *err,
		       struct ic_shutdown **ret)
{
	struct ic_shutdown *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_set(err, -ENOMEM, "shutdown service: out of memory");
	r = ic_init(&s->ic, bus, loop, &service, s, err);
	if (r < 0) {
		ic_shutdown_destroy(s);
		return r;
	}
	*ret = s;
	return 0;
}

void ic_shutdown_destroy(struct ic_shutdown *s)
{
	if (!s)
		return;
	finish(s, -ECANCELED);
	ic_finish(&s->ic);
	free(s);
}
