// SPDX-License-Identifier: MIT
/*
 * Matching the two texts of a Linux panic in a stream. In both, the first character does not come
 * again, so a mismatch can only begin anew at that character.
 */
#include "candela/panic_watch.h"

#include <string.h>

static const char start_text[] = "Kernel panic - not syncing: ";
static const char end_text[] = "[ end Kernel panic - not syncing";

void panic_watch_init(struct panic_watch *watch)
{
	*watch = (struct panic_watch){.since_start = SIZE_MAX, .since_end = SIZE_MAX};
}

/* True when @c completes @text. */
static bool match(const char *text, size_t *matched, char c)
{
	*matched = c == text[*matched] ? *matched + 1 : c == text[0];
	if (text[*matched])
		return false;
	*matched = 0;
	return true;
}

static void advance(size_t *since)
{
	if (*since != SIZE_MAX)
		*since = *since < PANIC_WATCH_NEAR ? *since + 1 : SIZE_MAX;
}

static void add_to_message(struct panic_watch *watch, char c)
{
	if (c == '\n' || c == '\r' || watch->message_len == sizeof(watch->message) - 1) {
		watch->in_message = false;
		return;
	}
	if (c >= 0x20 && c < 0x7f)
		watch->message[watch->message_len++] = c;
	watch->message[watch->message_len] = 0;
}

static void feed_one(struct panic_watch *watch, char c)
{
	bool end_of_line = c == '\n' || c == '\r';

	advance(&watch->since_start);
	if (!end_of_line)
		advance(&watch->since_end);
	if (watch->in_end_line && c == '\n') {
		watch->in_end_line = false;
		watch->since_end = 0;
	}
	if (watch->in_message)
		add_to_message(watch, c);
	if (match(end_text, &watch->matched_end, c)) {
		watch->in_end_line = true;
		watch->since_end = SIZE_MAX;
	}
	/* The closing line has the first text in it, too. */
	if (match(start_text, &watch->matched_start, c) && !watch->in_end_line) {
		watch->since_start = 0;
		watch->in_message = true;
		watch->message_len = 0;
		watch->message[0] = 0;
	}
}

void panic_watch_feed(struct panic_watch *watch, const uint8_t *data, size_t len)
{
	/* Long stretches without a panic are looked through quickly. */
	while (len && !watch->matched_start && !watch->matched_end && !watch->in_message &&
	       !watch->in_end_line && watch->since_start == SIZE_MAX) {
		const uint8_t *kernel = memchr(data, start_text[0], len);
		const uint8_t *bracket =
			memchr(data, end_text[0], kernel ? (size_t)(kernel - data) : len);
		const uint8_t *next = bracket ? bracket : kernel;

		if (!next)
			return;
		len -= (size_t)(next - data);
		data = next;
		feed_one(watch, (char)*data++);
		len--;
	}
	for (; len; len--)
		feed_one(watch, (char)*data++);
}

bool panic_watch_ended(const struct panic_watch *watch)
{
	return watch->since_end == 0;
}

bool panic_watch_near(const struct panic_watch *watch)
{
	return watch->since_start != SIZE_MAX;
}
