// SPDX-License-Identifier: MIT
/*
 * The time synchronisation service. Owner: the bus' loop.
 */
#include "devices/ic/timesync.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "devices/ic/ic.h"

#define VERSION_REFERENCE IC_VERSION(4, 0)

struct ic_timesync {
	struct ic ic;
	struct ic_timesync_config config;
	struct loop_timer timer; /* armed while the driver is there and the VM is not paused */
	bool paused;
	bool set_clock; /* the guest has not been told yet */
};

/* In the units of the wire. */
static uint64_t host_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 10000000 + (uint64_t)now.tv_nsec / 100 + IC_TIME_UNIX_EPOCH;
}

static int tell(struct ic_timesync *t, uint8_t flags)
{
	struct ictimesync_ref_data referenced = {.flags = flags};
	struct ictimesync_data plain = {.flags = flags};

	if (t->ic.version < VERSION_REFERENCE) {
		plain.parenttime = host_time();
		return ic_ask(&t->ic, &plain, sizeof(plain), 0);
	}
	referenced.vmreferencetime = t->config.reference_time(t->config.ctx);
	referenced.parenttime = host_time();
	return ic_ask(&t->ic, &referenced, sizeof(referenced), 0);
}

/* If the guest has not answered the last one, then when it does. */
static void next(struct ic_timesync *t)
{
	int r;

	if (t->paused || !ic_is_up(&t->ic))
		return;
	r = tell(t, t->set_clock ? ICTIMESYNCFLAG_SYNC : ICTIMESYNCFLAG_SAMPLE);
	if (r == 0)
		t->set_clock = false;
	loop_timer_set(t->config.loop, &t->timer, loop_now() + t->config.interval_ns);
}

static void on_timer(struct loop_timer *timer)
{
	next(container_of(timer, struct ic_timesync, timer));
}

static void on_up(void *ctx)
{
	struct ic_timesync *t = ctx;

	t->set_clock = true;
	next(t);
}

static void on_down(void *ctx)
{
	struct ic_timesync *t = ctx;

	loop_timer_cancel(t->config.loop, &t->timer);
}

static void on_answer(void *ctx, uint32_t status, const void *body, uint32_t len)
{
	struct ic_timesync *t = ctx;

	if (t->set_clock)
		next(t);
}

static void on_late(void *ctx)
{
}

static const uint32_t versions[] = {IC_VERSION(1, 0), IC_VERSION(3, 0), VERSION_REFERENCE};

static const struct ic_service service = {
	.name = "time synchronisation",
	/* {9527e630-d0ae-497b-adce-e80ab0175caf} */
	.class_id = {{0x30, 0xe6, 0x27, 0x95, 0xae, 0xd0, 0x7b, 0x49, 0xad, 0xce, 0xe8, 0x0a, 0xb0,
		      0x17, 0x5c, 0xaf}},
	/* {2dd1ce17-079e-403c-b352-a1921ee207ee} */
	.instance_id = {{0x17, 0xce, 0xd1, 0x2d, 0x9e, 0x07, 0x3c, 0x40, 0xb3, 0x52, 0xa1, 0x92,
			 0x1e, 0xe2, 0x07, 0xee}},
	.type = ICMSGTYPE_TIMESYNC,
	.versions = versions,
	.version_count = ARRAY_SIZE(versions),
	.body_max = sizeof(struct ictimesync_data),
	.up = on_up,
	.down = on_down,
	.answer = on_answer,
	.late = on_late,
};

void ic_timesync_pause(struct ic_timesync *t)
{
	t->paused = true;
	loop_timer_cancel(t->config.loop, &t->timer);
}

void ic_timesync_resume(struct ic_timesync *t)
{
	t->paused = false;
	t->set_clock = true;
	next(t);
}

const struct ic_counters *ic_timesync_counters(const struct ic_timesync *t)
{
	return &t->ic.counters;
}

int ic_timesync_create(const struct ic_timesync_config *config, struct error *err,
		       struct ic_timesync **ret)
{
	struct ic_timesync *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return error_set(err, -ENOMEM, "time synchronisation service: out of memory");
	t->config = *config;
	if (!t->config.interval_ns)
		t->config.interval_ns = IC_TIMESYNC_INTERVAL_NS;
	t->timer.fired = on_timer;
	r = ic_init(&t->ic, config->bus, config->loop, &service, t, err);
	if (r < 0) {
		ic_timesync_destroy(t);
		return r;
	}
	*ret = t;
	return 0;
}

void ic_timesync_destroy(struct ic_timesync *t)
{
	if (!t)
		return;
	ic_finish(&t->ic);
	free(t);
}
