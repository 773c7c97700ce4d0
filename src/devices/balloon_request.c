// SPDX-License-Identifier: MIT
/*
 * What the guest is asked for, and what it answers. State belongs to the loop of the bus.
 *
 * Transaction ids are the guest's own in its answers, so which request is answered is told by the
 * type, and there is but one request at a time. An answer that nobody waits for is counted, and
 * changes nothing.
 */
#include <errno.h>
#include <string.h>

#include "devices/balloon_internal.h"

/* Half of what guests take: a ring of one page must have room for the message. */
#define RANGES_MAX ((DM_MESSAGE_MAX / 2 - sizeof(struct dm_unballoon_request)) / sizeof(uint64_t))

static uint64_t range_of(uint64_t start, uint64_t count)
{
	return start | count << DM_RANGE_START_BITS;
}

static void begin(struct balloon *b, enum balloon_request request, uint64_t asked)
{
	b->request = request;
	b->request_ns = loop_now();
	b->asked = asked;
	b->got = 0;
	loop_timer_set(b->loop, &b->timer, b->request_ns + b->answer_ns);
}

/* Does this add come while the guest has what it needs? */
static void count_buffer(struct balloon *b)
{
	if (!b->reported)
		return;
	if (b->demand <= balloon_visible(b))
		counter_add(&b->counters.buffer_hits, 1);
	else
		counter_add(&b->counters.buffer_misses, 1);
}

static void end(struct balloon *b, struct counter *operations, struct counter *bytes)
{
	b->request = BALLOON_NOTHING;
	b->late = false;
	loop_timer_cancel(b->loop, &b->timer);
	if (b->got) {
		counter_add(operations, 1);
		counter_add(bytes, b->got);
	}
}

/* It did less than it was asked for. */
static void refused(struct balloon *b, bool more, const char *why)
{
	counter_add(&b->counters.refusals, 1);
	b->retry_ns[more] = loop_now() + BALLOON_BACKOFF_NS;
	balloon_stuck(b, why);
}

/* Was there a request of this kind? */
static bool expected(struct balloon *b, enum balloon_request request)
{
	if (b->request == request)
		return true;
	counter_add(&b->counters.unexpected, 1);
	log_guest(&b->log, LOG_DEBUG, "balloon: an answer that nobody waits for");
	return false;
}

/* --- Taking. --------------------------------------------------------------------------------- */

void balloon_take(struct balloon *b, uint64_t len)
{
	struct dm_balloon_request message = {.num_pages = (uint32_t)(len >> PAGE_SHIFT)};

	if (balloon_send(b, DM_BALLOON_REQUEST, &message, sizeof(message)) == 0)
		begin(b, BALLOON_TAKE, len);
}

/* Is it RAM that the guest was told of? */
static bool is_guests(const struct balloon *b, uint64_t gpa, uint64_t len)
{
	uint64_t window;

	if (!mem_is_ram(b->mem, gpa, len))
		return false;
	return !mem_window(b->mem, &window) || gpa < window ||
	       range_within(gpa - window, len, b->added);
}

static bool take_range(struct balloon *b, uint64_t range)
{
	const uint64_t start = range & DM_RANGE_START_MASK;
	const uint64_t count = range >> DM_RANGE_START_BITS;
	const uint64_t gpa = start << PAGE_SHIFT, len = count << PAGE_SHIFT;
	int r;

	if (!count || len > b->asked - b->got || !is_guests(b, gpa, len) ||
	    balloon_pages_add(&b->out, start, count) < 0)
		return false;
	b->got += len;
	r = mem_release(b->mem, gpa, len);
	if (r < 0)
		log_guest(&b->log, LOG_WARNING, "balloon: the host takes no memory back: %s",
			  strerrordesc_np(-r));
	return true;
}

int balloon_taken(struct balloon *b, const void *message, size_t len)
{
	struct dm_balloon_response in;
	uint32_t count;

	if (len < sizeof(in))
		return -EINVAL;
	memcpy(&in, message, sizeof(in));
	count = in.more_and_count >> 1;
	if (count > (len - sizeof(in)) / sizeof(uint64_t))
		return -EINVAL;
	if (!expected(b, BALLOON_TAKE))
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t range;

		memcpy(&range, (const char *)message + sizeof(in) + i * sizeof(range),
		       sizeof(range));
		if (take_range(b, range))
			continue;
		counter_add(&b->counters.bad_ranges, 1);
		log_guest(&b->log, LOG_WARNING,
			  "balloon: the guest gives what is not its own: %llu pages at page 0x%llx",
			  (unsigned long long)(range >> DM_RANGE_START_BITS),
			  (unsigned long long)(range & DM_RANGE_START_MASK));
	}
	if (in.more_and_count & 1)
		return 0;
	end(b, &b->counters.removes, &b->counters.remove_bytes);
	if (b->got < b->asked)
		refused(b, false, "the guest gave less than it was asked for");
	return 0;
}

/* --- Giving back. ---------------------------------------------------------------------------- */

struct unballoon {
	struct dm_unballoon_request head;
	uint64_t ranges[RANGES_MAX];
};

/* Fills in ranges of at most @max bytes in all; how many bytes they are. */
static uint64_t choose(const struct balloon *b, uint64_t max, struct unballoon *message)
{
	uint64_t from = 0, start, count, pages = 0;

	max >>= PAGE_SHIFT;
	while (message->head.range_count < RANGES_MAX && pages < max &&
	       balloon_pages_next(&b->out, from, min_of(max - pages, (uint64_t)DM_RANGE_COUNT_MAX),
				  &start, &count)) {
		message->ranges[message->head.range_count++] = range_of(start, count);
		pages += count;
		from = start + count;
	}
	return pages << PAGE_SHIFT;
}

void balloon_give_more(struct balloon *b)
{
	while (b->got < b->asked) {
		struct unballoon message = {0};
		const uint64_t len = choose(b, b->asked - b->got, &message);

		message.head.more = b->got + len < b->asked;
		if (balloon_send(b, DM_UNBALLOON_REQUEST, &message,
				 sizeof(message.head) +
					 message.head.range_count * sizeof(uint64_t)) < 0)
			return;
		/* From now on the guest may use them. */
		for (uint32_t i = 0; i < message.head.range_count; i++)
			balloon_pages_remove(&b->out, message.ranges[i] & DM_RANGE_START_MASK,
					     message.ranges[i] >> DM_RANGE_START_BITS);
		b->got += len;
	}
}

void balloon_give(struct balloon *b, uint64_t len)
{
	count_buffer(b);
	begin(b, BALLOON_GIVE, len);
	balloon_give_more(b);
}

int balloon_given(struct balloon *b, const void *message, size_t len)
{
	(void)message;
	(void)len;
	if (!expected(b, BALLOON_GIVE))
		return 0;
	if (b->got < b->asked) {
		/* It cannot have seen the last message, which is not sent. */
		counter_add(&b->counters.unexpected, 1);
		return 0;
	}
	end(b, &b->counters.adds, &b->counters.add_bytes);
	return 0;
}

/* --- Adding. --------------------------------------------------------------------------------- */

/* The host may have more ready than the guest has taken, from an add that went wrong. */
static int make_room(struct balloon *b, uint64_t len, struct error *err)
{
	const uint64_t ready = mem_added(b->mem) - b->added;

	return ready >= len ? 0 : b->ops->grow(b->ctx, len - ready, err);
}

void balloon_add(struct balloon *b, uint64_t len)
{
	struct dm_hot_add_request message = {0};
	size_t size = offsetof(struct dm_hot_add_request, region);
	uint64_t gpa, end_gpa;
	struct error err;

	if (make_room(b, len, &err) < 0) {
		log_guest(&b->log, LOG_WARNING, "balloon: %s", err.text);
		refused(b, true, "the host has no more memory");
		return;
	}
	(void)mem_window(b->mem, &gpa);
	gpa += b->added;
	/* A place that the guest knows is filled before it is told of another. */
	if (gpa < b->region_end)
		len = min_of(len, b->region_end - gpa);
	end_gpa = align_up(gpa + len, b->alignment);
	message.range = range_of(gpa >> PAGE_SHIFT, len >> PAGE_SHIFT);
	if (gpa >= b->region_end && end_gpa != gpa + len) {
		const uint64_t start = align_down(gpa, b->alignment);

		message.region = range_of(start >> PAGE_SHIFT, (end_gpa - start) >> PAGE_SHIFT);
		size = sizeof(message);
	}
	if (balloon_send(b, DM_MEM_HOT_ADD_REQUEST, &message, size) < 0)
		return;
	count_buffer(b);
	b->region_end = max_of(b->region_end, end_gpa);
	begin(b, BALLOON_ADD, len);
}

int balloon_was_added(struct balloon *b, const void *message, size_t len)
{
	struct dm_hot_add_response in;

	if (len < sizeof(in))
		return -EINVAL;
	memcpy(&in, message, sizeof(in));
	if (!expected(b, BALLOON_ADD))
		return 0;
	b->got = min_of((uint64_t)in.page_count << PAGE_SHIFT, b->asked);
	b->added += b->got;
	end(b, &b->counters.adds, &b->counters.add_bytes);
	if (b->got == b->asked)
		return 0;
	/* Some, or none with success: it will never take more. */
	if (b->got || in.result)
		b->add_ended = true;
	refused(b, true, "the guest took less memory than it was given");
	return 0;
}

/* --- Guests that do not keep to it. ---------------------------------------------------------- */

void balloon_retake(struct balloon *b)
{
	const uint64_t now = loop_now(), resident = mem_resident(b->mem);
	uint64_t start, count;

	if (!b->out.count || now < b->retaken_ns + BALLOON_RETAKE_NS ||
	    resident <= balloon_visible(b))
		return;
	b->retaken_ns = now;
	for (unsigned int i = 0; i < BALLOON_RETAKE_RUNS; i++) {
		if (!balloon_pages_next(&b->out, b->retake_from, DM_RANGE_COUNT_MAX, &start,
					&count)) {
			b->retake_from = 0;
			break;
		}
		(void)!mem_release(b->mem, start << PAGE_SHIFT, count << PAGE_SHIFT);
		b->retake_from = start + count;
	}
	counter_add(&b->counters.retaken, resident - min_of(resident, mem_resident(b->mem)));
}
