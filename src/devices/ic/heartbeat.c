// SPDX-License-Identifier: MIT
/*
 * The heartbeat service. Owner: the bus' loop.
 */
#include "devices/ic/heartbeat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/ic/ic.h"

struct ic_heartbeat {
	struct ic ic;
	struct ic_heartbeat_config config;
	struct loop_timer timer; /* armed while the driver is there */
	bool paused;
	enum ic_heartbeat_state state;
	uint32_t applications; /* enum ic_application_state, or what the guest says */
	uint64_t heard_ns;     /* when it last answered, or could begin to */
	uint64_t sequence;
};

static void set(struct ic_heartbeat *h, enum ic_heartbeat_state state, uint32_t applications)
{
	const bool changed = state != h->state || applications != h->applications;

	h->state = state;
	h->applications = applications;
	if (changed && h->config.changed)
		h->config.changed(h->config.ctx);
}

/* One that is not answered is not followed by another: the guest answers when it can again. */
static void beat(struct ic_heartbeat *h)
{
	const struct heartbeat_msg_data message = {.seq_num = h->sequence};

	if (ic_ask(&h->ic, &message, sizeof(message), 0) == 0)
		h->sequence += 2;
	loop_timer_set(h->config.loop, &h->timer, loop_now() + h->config.interval_ns);
}

static void on_timer(struct loop_timer *timer)
{
	struct ic_heartbeat *h = container_of(timer, struct ic_heartbeat, timer);

	if (loop_now() - h->heard_ns >= h->config.lost_ns)
		set(h, IC_HEARTBEAT_LOST, h->applications);
	if (!h->paused)
		beat(h);
	else if (h->state != IC_HEARTBEAT_LOST)
		loop_timer_set(h->config.loop, timer, h->heard_ns + h->config.lost_ns);
}

static void on_up(void *ctx)
{
	struct ic_heartbeat *h = ctx;

	h->heard_ns = loop_now();
	if (!h->paused)
		beat(h);
}

/* A kernel that panics says goodbye to the bus: it was there, and is not any more. */
static void on_down(void *ctx)
{
	struct ic_heartbeat *h = ctx;

	loop_timer_cancel(h->config.loop, &h->timer);
	if (h->state == IC_HEARTBEAT_OK)
		set(h, IC_HEARTBEAT_LOST, h->applications);
}

static void on_answer(void *ctx, uint32_t status, const void *body, uint32_t len)
{
	struct heartbeat_msg_data message = {0};
	struct ic_heartbeat *h = ctx;

	memcpy(&message, body, min_of(len, (uint32_t)sizeof(message)));
	h->heard_ns = loop_now();
	set(h, IC_HEARTBEAT_OK, status == HV_S_OK ? message.application_state : h->applications);
}

static void on_late(void *ctx)
{
}

static const uint32_t versions[] = {IC_VERSION(1, 0), IC_VERSION(3, 0)};

static const struct ic_service service = {
	.name = "heartbeat",
	/* {57164f39-9115-4e78-ab55-382f3bd5422d} */
	.class_id = {{0x39, 0x4f, 0x16, 0x57, 0x15, 0x91, 0x78, 0x4e, 0xab, 0x55, 0x38, 0x2f, 0x3b,
		      0xd5, 0x42, 0x2d}},
	/* {fd149e91-82e0-4a7d-afa6-2a4166cbd7c0} */
	.instance_id = {{0x91, 0x9e, 0x14, 0xfd, 0xe0, 0x82, 0x7d, 0x4a, 0xaf, 0xa6, 0x2a, 0x41,
			 0x66, 0xcb, 0xd7, 0xc0}},
	.type = ICMSGTYPE_HEARTBEAT,
	.versions = versions,
	.version_count = ARRAY_SIZE(versions),
	.body_max = sizeof(struct heartbeat_msg_data),
	.up = on_up,
	.down = on_down,
	.answer = on_answer,
	.late = on_late,
};

void ic_heartbeat_pause(struct ic_heartbeat *h)
{
	h->paused = true;
}

void ic_heartbeat_resume(struct ic_heartbeat *h)
{
	h->paused = false;
	h->heard_ns = loop_now();
	if (ic_is_up(&h->ic))
		beat(h);
}

void ic_heartbeat_reset(struct ic_heartbeat *h)
{
	loop_timer_cancel(h->config.loop, &h->timer);
	set(h, IC_HEARTBEAT_NONE, IC_APPLICATIONS_UNKNOWN);
}

enum ic_heartbeat_state ic_heartbeat_state(const struct ic_heartbeat *h)
{
	return h->state;
}

const char *ic_heartbeat_state_name(const struct ic_heartbeat *h)
{
	static const char *const names[] = {
		[IC_HEARTBEAT_NONE] = "none",
		[IC_HEARTBEAT_OK] = "ok",
		[IC_HEARTBEAT_LOST] = "lost",
	};

	return names[h->state];
}

const char *ic_heartbeat_applications(const struct ic_heartbeat *h)
{
	switch (h->applications) {
	case IC_APPLICATIONS_HEALTHY:
		return "healthy";
	case IC_APPLICATIONS_CRITICAL:
		return "critical";
	case IC_APPLICATIONS_STOPPED:
		return "stopped";
	default:
		return NULL;
	}
}

const struct ic_counters *ic_heartbeat_counters(const struct ic_heartbeat *h)
{
	return &h->ic.counters;
}

int ic_heartbeat_create(const struct ic_heartbeat_config *config, struct error *err,
			struct ic_heartbeat **ret)
{
	struct ic_heartbeat *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return error_set(err, -ENOMEM, "heartbeat service: out of memory");
	h->config = *config;
	if (!h->config.interval_ns)
		h->config.interval_ns = IC_HEARTBEAT_INTERVAL_NS;
	if (!h->config.lost_ns)
		h->config.lost_ns = IC_HEARTBEAT_LOST_NS;
	h->timer.fired = on_timer;
	r = ic_init(&h->ic, config->bus, config->loop, &service, h, err);
	if (r < 0) {
		ic_heartbeat_destroy(h);
		return r;
	}
	*ret = h;
	return 0;
}

void ic_heartbeat_destroy(struct ic_heartbeat *h)
{
	if (!h)
		return;
	ic_finish(&h->ic);
	free(h);
}
