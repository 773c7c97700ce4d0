// SPDX-License-Identifier: MIT
/*
 * The snapshot service. Owner: the bus' loop.
 *
 * The guest is asked whether it can do it while it runs, then to freeze, then to thaw. A freeze
 * that failed, or had no answer, may be a freeze of some file systems: it is thawed, too.
 */
#include "devices/ic/vss.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/ic/ic.h"

/* Freezing writes all that is dirty first. */
#define FREEZE_NS (60 * NSEC_PER_SEC)
#define ANSWER_NS (40 * NSEC_PER_SEC)

struct ic_vss {
	struct ic ic;
	struct ic_vss_config config;
	enum ic_vss_state state;
	uint8_t operation; /* that the guest was asked for; of THAWED nothing is */
	int result;        /* of a freeze that failed, while it is thawed */
	uint64_t hold_ns;
	struct loop_timer expiry;
	ic_vss_done *done; /* NULL: nobody waits */
	void *done_ctx;
};

static void tell(struct ic_vss *v, int result)
{
	ic_vss_done *done = v->done;

	v->done = NULL;
	if (done)
		done(v->done_ctx, result);
}

static int ask(struct ic_vss *v, uint8_t operation, uint64_t timeout_ns)
{
	const struct hv_vss_msg message = {.operation = operation};

	v->operation = operation;
	return ic_ask(&v->ic, &message, sizeof(message), timeout_ns);
}

/* The end of it all, with @result for who waits. */
static void end(struct ic_vss *v, int result)
{
	v->state = IC_VSS_THAWED;
	loop_timer_cancel(v->config.loop, &v->expiry);
	tell(v, result);
}

static void thaw(struct ic_vss *v, int result)
{
	v->state = IC_VSS_THAWING;
	v->result = result;
	loop_timer_cancel(v->config.loop, &v->expiry);
	if (ask(v, VSS_OP_THAW, ANSWER_NS) < 0)
		end(v, -ENOTCONN);
}

static void on_expiry(struct loop_timer *timer)
{
	struct ic_vss *v = container_of(timer, struct ic_vss, expiry);

	thaw(v, 0);
	if (v->config.expired)
		v->config.expired(v->config.ctx);
}

/* --- From the guest. ------------------------------------------------------------------------- */

static void on_up(void *ctx)
{
}

/* A guest that starts again has nothing frozen. */
static void on_down(void *ctx)
{
	struct ic_vss *v = ctx;

	if (v->state != IC_VSS_THAWED)
		end(v, -ENOTCONN);
}

static void checked(struct ic_vss *v, uint32_t status)
{
	if (status != HV_S_OK)
		end(v, -EREMOTEIO);
	else if (ask(v, VSS_OP_FREEZE, FREEZE_NS) < 0)
		end(v, -ENOTCONN);
}

static void frozen(struct ic_vss *v, uint32_t status)
{
	if (status != HV_S_OK) {
		thaw(v, -EREMOTEIO);
		return;
	}
	v->state = IC_VSS_FROZEN;
	loop_timer_set(v->config.loop, &v->expiry, loop_now() + v->hold_ns);
	tell(v, 0);
}

static void on_answer(void *ctx, uint32_t status, const void *body, uint32_t len)
{
	struct ic_vss *v = ctx;

	switch (v->operation) {
	case VSS_OP_HOT_BACKUP:
		checked(v, status);
		break;
	case VSS_OP_FREEZE:
		frozen(v, status);
		break;
	default:
		end(v, status != HV_S_OK && !v->result ? -EREMOTEIO : v->result);
	}
}

static void on_late(void *ctx)
{
	struct ic_vss *v = ctx;

	if (v->state == IC_VSS_FREEZING)
		thaw(v, -ETIMEDOUT);
	else
		end(v, -ETIMEDOUT);
}

static const uint32_t versions[] = {IC_VERSION(5, 0)};

static const struct ic_service service = {
	.name = "snapshot",
	/* {35fa2e29-ea23-4236-96ae-3a6ebacba440} */
	.class_id = {{0x29, 0x2e, 0xfa, 0x35, 0x23, 0xea, 0x36, 0x42, 0x96, 0xae, 0x3a, 0x6e, 0xba,
		      0xcb, 0xa4, 0x40}},
	/* {2450ee40-33bf-4fbd-892e-9fb06e9214cf} */
	.instance_id = {{0x40, 0xee, 0x50, 0x24, 0xbf, 0x33, 0xbd, 0x4f, 0x89, 0x2e, 0x9f, 0xb0,
			 0x6e, 0x92, 0x14, 0xcf}},
	.type = ICMSGTYPE_VSS,
	.versions = versions,
	.version_count = ARRAY_SIZE(versions),
	.body_max = sizeof(struct hv_vss_msg),
	.up = on_up,
	.down = on_down,
	.answer = on_answer,
	.late = on_late,
};

/* --- What is asked for. ---------------------------------------------------------------------- */

static void wait_for(struct ic_vss *v, ic_vss_done *done, void *ctx)
{
	v->done = done;
	v->done_ctx = ctx;
}

int ic_vss_freeze(struct ic_vss *v, uint64_t hold_ns, ic_vss_done *done, void *ctx)
{
	int r;

	if (v->state != IC_VSS_THAWED)
		return -EBUSY;
	r = ask(v, VSS_OP_HOT_BACKUP, ANSWER_NS);
	if (r < 0)
		return r;
	v->state = IC_VSS_FREEZING;
	v->hold_ns = hold_ns;
	wait_for(v, done, ctx);
	return 0;
}

int ic_vss_thaw(struct ic_vss *v, ic_vss_done *done, void *ctx)
{
	if (v->state == IC_VSS_THAWED)
		return -EALREADY;
	if (v->state != IC_VSS_FROZEN)
		return -EBUSY;
	wait_for(v, done, ctx);
	thaw(v, 0);
	return 0;
}

void ic_vss_cancel(struct ic_vss *v)
{
	tell(v, -ENOTCONN);
}

enum ic_vss_state ic_vss_state(const struct ic_vss *v)
{
	return v->state;
}

bool ic_vss_is_up(const struct ic_vss *v)
{
	return ic_is_up(&v->ic);
}

const struct ic_counters *ic_vss_counters(const struct ic_vss *v)
{
	return &v->ic.counters;
}

int ic_vss_create(const struct ic_vss_config *config, struct error *err, struct ic_vss **ret)
{
	struct ic_vss *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return error_set(err, -ENOMEM, "snapshot service: out of memory");
	v->config = *config;
	v->expiry.fired = on_expiry;
	r = ic_init(&v->ic, config->bus, config->loop, &service, v, err);
	if (r < 0) {
		ic_vss_destroy(v);
		return r;
	}
	*ret = v;
	return 0;
}

void ic_vss_destroy(struct ic_vss *v)
{
	if (!v)
		return;
	ic_vss_cancel(v);
	ic_finish(&v->ic);
	free(v);
}
