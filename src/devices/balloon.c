// SPDX-License-Identifier: MIT
/*
 * A balloon's life, and what it does next to reach its target. State belongs to the loop of the
 * bus; balloon.h says who calls what.
 */
#include "devices/balloon.h"

#include <errno.h>
#include <stdlib.h>

#include "devices/balloon_internal.h"

/* {525074dc-8985-46e2-8057-a307dc18a502} */
static const struct vmbus_guid balloon_class = {{0xdc, 0x74, 0x50, 0x52, 0x85, 0x89, 0xe2, 0x46,
						 0x80, 0x57, 0xa3, 0x07, 0xdc, 0x18, 0xa5, 0x02}};

/* --- Telling how it went. -------------------------------------------------------------------- */

/* Once for each target, and once more if it is reached after all. */
static void tell(struct balloon *b, const char *why)
{
	if (b->told == BALLOON_TOLD_REACHED || (why && b->told == BALLOON_TOLD_STUCK))
		return;
	b->told = why ? BALLOON_TOLD_STUCK : BALLOON_TOLD_REACHED;
	b->ops->settled(b->ctx, why);
}

void balloon_stuck(struct balloon *b, const char *why)
{
	b->stuck = true;
	tell(b, why);
}

/* --- The next step. -------------------------------------------------------------------------- */

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* What one request may move: less of a small guest, which has more to lose by an error. */
static uint64_t step_of(const struct balloon *b)
{
	const uint64_t part = align_down(balloon_visible(b) / 16, BALLOON_UNIT);

	return min_of(max_of(part, BALLOON_STEP_MIN), BALLOON_STEP_MAX);
}

uint64_t balloon_floor(const struct balloon *b)
{
	/* Of who has told nothing, nothing is taken. */
	if (!b->reported)
		return max_of(balloon_visible(b), b->minimum);
	return balloon_take_floor(&b->report, &b->view, b->minimum);
}

static void step_down(struct balloon *b, uint64_t visible)
{
	const uint64_t low = max_of(b->target, balloon_floor(b));

	if (!(b->caps & DM_CAP_BALLOON))
		balloon_stuck(b, "the guest gives no memory away");
	else if (!b->reported)
		return; /* it will */
	else if (visible < low + BALLOON_UNIT)
		balloon_stuck(b, "the guest needs what it has");
	else
		balloon_take(b, min_of(align_down(visible - low, BALLOON_UNIT), step_of(b)));
}

/* Bytes that can still be added. */
static uint64_t room_of(const struct balloon *b)
{
	const uint64_t most = b->maximum > b->startup ? b->maximum - b->startup : 0;
	uint64_t gpa, window = mem_window(b->mem, &gpa);

	if (!(b->caps & DM_CAP_HOT_ADD) || b->add_ended || b->alignment > MEM_WINDOW_ALIGNMENT)
		return 0;
	window = min_of(window, most);
	return align_down(window > b->added ? window - b->added : 0, BALLOON_UNIT);
}

static void step_up(struct balloon *b, uint64_t visible)
{
	const uint64_t missing = b->target - visible;
	const uint64_t len = min_of(missing, step_of(b));

	if (b->out.count)
		balloon_give(b, min_of(len, balloon_out_bytes(b)));
	else if (room_of(b))
		balloon_add(b, min_of(align_up(len, BALLOON_UNIT), room_of(b)));
	else
		balloon_stuck(b, "the guest takes no more memory");
}

void balloon_step(struct balloon *b)
{
	const uint64_t visible = balloon_visible(b);
	const uint64_t retry = b->retry_ns[visible < b->target];
	const uint64_t begin = max_of(b->ready_ns + b->grace_ns, retry);

	if (b->stage != BALLOON_READY || b->request != BALLOON_NOTHING || b->owed)
		return;
	b->stuck = false;
	if (distance(visible, b->target) < BALLOON_UNIT) {
		tell(b, NULL);
		return;
	}
	if (loop_now() < begin) {
		b->stuck = begin == retry;
		loop_timer_set(b->loop, &b->timer, begin);
		return;
	}
	if (visible > b->target)
		step_down(b, visible);
	else
		step_up(b, visible);
}

static void on_timer(struct loop_timer *timer)
{
	struct balloon *b = container_of(timer, struct balloon, timer);

	if (b->request == BALLOON_NOTHING) {
		balloon_step(b);
		return;
	}
	if (b->late || loop_now() < b->request_ns + b->answer_ns)
		return;
	/* It may come yet, and nothing else is asked until it does. */
	b->late = true;
	counter_add(&b->counters.refusals, 1);
	log_guest(&b->log, LOG_WARNING, "balloon: the guest has not answered for %llu s",
		  (unsigned long long)(b->answer_ns / NSEC_PER_SEC));
	balloon_stuck(b, "the guest does not answer");
}

/* --- From outside. --------------------------------------------------------------------------- */

uint64_t balloon_set_target(struct balloon *b, uint64_t bytes)
{
	/* Aligned only after it is known not to overflow. */
	bytes = min_of(max_of(bytes, b->minimum), b->maximum);
	bytes = min_of(align_up(bytes, BALLOON_UNIT), b->maximum);
	/* Who says the same again is told nothing new. */
	if (bytes != b->target)
		b->told = BALLOON_TOLD_NOTHING;
	b->target = bytes;
	balloon_step(b);
	return b->target;
}

void balloon_set_limits(struct balloon *b, uint64_t minimum, uint64_t maximum)
{
	b->minimum = minimum;
	b->maximum = maximum;
	if (b->stage == BALLOON_READY && b->version >= DYNMEM_PROTOCOL_VERSION_2)
		b->owed |= BALLOON_OWES_INFO;
	balloon_go_on(b);
}

void balloon_get_state(const struct balloon *b, struct balloon_state *ret)
{
	const uint64_t now = loop_now(), begin = b->ready_ns + b->grace_ns;
	const bool ready = b->stage == BALLOON_READY;

	*ret = (struct balloon_state){
		.driver = ready,
		.version = ready ? b->version : 0,
		.moving = ready && !b->stuck && !b->late &&
			  (b->request || distance(balloon_visible(b), b->target) >= BALLOON_UNIT),
		.minimum = b->minimum,
		.maximum = b->maximum,
		.target = b->target,
		.assigned = balloon_visible(b),
		.floor = balloon_floor(b),
		.reported = b->reported,
		.grace_left_ns = ready ? (begin > now ? begin - now : 0) : b->grace_ns,
	};
	if (!b->reported)
		return;
	ret->demand = b->demand;
	ret->available = b->report.available;
	ret->pressure = balloon_pressure(ret->demand, ret->assigned);
	ret->report_age_ns = now - b->report_ns;
}

void balloon_reset(struct balloon *b)
{
	b->added = 0;
	b->region_end = 0;
	b->add_ended = false;
	b->target = b->startup;
	b->told = BALLOON_TOLD_REACHED;
}

const struct balloon_counters *balloon_counters(const struct balloon *b)
{
	return &b->counters;
}

/* --- Life. ----------------------------------------------------------------------------------- */

static uint64_t page_limit(const struct mem *mem)
{
	size_t count;
	const struct mem_region *last = mem_regions(mem, &count) + count - 1;
	uint64_t gpa, len = mem_window(mem, &gpa);

	return (len ? gpa + len : last->gpa + last->len) >> PAGE_SHIFT;
}

static struct balloon *new_balloon(const struct balloon_config *config)
{
	struct balloon *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->loop = config->loop;
	b->mem = config->mem;
	b->ops = config->ops;
	b->ctx = config->ctx;
	b->startup = mem_size(config->mem);
	b->minimum = config->minimum;
	b->maximum = config->maximum;
	b->grace_ns = config->grace_ns;
	b->answer_ns = config->answer_ns;
	b->target = b->startup;
	b->told = BALLOON_TOLD_REACHED;
	b->timer.fired = on_timer;
	if (balloon_pages_init(&b->out, page_limit(config->mem)) < 0) {
		free(b);
		return NULL;
	}
	return b;
}

int balloon_create(const struct balloon_config *config, struct error *err, struct balloon **ret)
{
	struct balloon *b = new_balloon(config);
	struct vmbus_device_config device = {
		.class_id = balloon_class,
		.instance_id = vmbus_instance_guid(config->vm, "memory", 0),
		.ops = &balloon_channel_ops,
		.ctx = b,
	};
	int r;

	if (!b)
		return error_set(err, -ENOMEM, "balloon: out of memory");
	r = vmbus_device_add(config->bus, &device, err, &b->device);
	if (r < 0) {
		balloon_destroy(b);
		return r;
	}
	*ret = b;
	return 0;
}

void balloon_destroy(struct balloon *b)
{
	if (!b)
		return;
	loop_timer_cancel(b->loop, &b->timer);
	balloon_pages_finish(&b->out);
	free(b);
}
