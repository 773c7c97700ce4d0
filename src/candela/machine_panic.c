// SPDX-License-Identifier: MIT
/*
 * Panics of Linux guests that only their console tells of. On the loop's thread.
 */
#include <stdio.h>
#include <string.h>

#include "candela/machine_internal.h"
#include "devices/pc/serial.h"

/* So long a console is silent after a panic's last line before we believe it. */
#define SILENCE_NS (1 * NSEC_PER_SEC)

static void describe(struct machine_outcome *outcome, const struct panic_watch *watch)
{
	*outcome = (struct machine_outcome){.end = MACHINE_PANIC};
	snprintf(outcome->detail, sizeof(outcome->detail), "kernel panic: %s", watch->message);
}

static void on_silence(struct loop_timer *timer)
{
	struct machine *m = container_of(timer, struct machine, panic_silence);
	struct machine_outcome outcome;

	if (!panic_watch_ended(&m->panic))
		return;
	describe(&outcome, &m->panic);
	machine_report(m, outcome.end, 0, outcome.detail);
}

void machine_watch_panics(struct machine *m, enum boot_protocol protocol)
{
	bool linux_like = protocol == BOOT_LINUX || protocol == BOOT_LINUX_SELF_UNPACK ||
			  protocol == BOOT_PVH;

	loop_timer_cancel(m->loop, &m->panic_silence);
	panic_watch_init(&m->panic);
	m->panic_silence.fired = on_silence;
	m->watch_panics = linux_like && m->config->on_panic == CONFIG_PANIC_EXIT;
}

void machine_console_output(void *machine, const uint8_t *data, size_t len)
{
	struct machine *m = machine;

	if (!m->watch_panics || m->ended)
		return;
	panic_watch_feed(&m->panic, data, len);
	if (panic_watch_ended(&m->panic))
		loop_timer_set(m->loop, &m->panic_silence, loop_now() + SILENCE_NS);
	else
		loop_timer_cancel(m->loop, &m->panic_silence);
}

static void feed_copy(void *ctx, const uint8_t *data, size_t len)
{
	panic_watch_feed(ctx, data, len);
}

void machine_judge_panic(struct machine *m, struct machine_outcome *outcome)
{
	struct panic_watch watch = m->panic;

	bool may_follow =
		outcome->end == MACHINE_RESET ||
		(outcome->end == MACHINE_CRASH && outcome->value == MACHINE_CRASH_REPORTED);

	if (!m->watch_panics || !may_follow)
		return;
	/* The last words may not have reached the console yet. */
	serial_peek(m->serial, feed_copy, &watch);
	if (panic_watch_near(&watch))
		describe(outcome, &watch);
}
