// SPDX-License-Identifier: MIT
/*
 * Synthetic timers against TLFS 12.1-12.5, over a clock that is a number here.
 */
#include <string.h>

#include "hv-enlight/stimer.h"
#include "hv_tests.h"

#define SINT(n)   ((uint64_t)(n) << HV_STIMER_SINT_SHIFT)
#define VECTOR(n) ((uint64_t)(n) << HV_STIMER_VECTOR_SHIFT)
#define MESSAGE   (HV_STIMER_ENABLE | SINT(3))
#define PERIODIC  (MESSAGE | HV_STIMER_PERIODIC)
#define DIRECT    (HV_STIMER_ENABLE | HV_STIMER_DIRECT | VECTOR(0x40))

static struct stimers timers;
static uint64_t now;

/* What was delivered, the latest last. */
static struct hv_timer_message messages[64];
static unsigned int message_count, message_sint;
static unsigned int interrupt_count;
static uint8_t interrupt_vector;
static unsigned int tries;
static bool busy;
static unsigned int room; /* with busy: messages that still fit */

static bool message(struct stimers *t, unsigned int sint, const struct hv_timer_message *m)
{
	ck_assert_ptr_eq(t, &timers);
	tries++;
	if (busy && !room)
		return false;
	room -= busy;
	/* Never before its time, whatever happens (TLFS 12.1.3). */
	ck_assert_uint_le(m->expiration_time, m->delivery_time);
	ck_assert_uint_eq(m->delivery_time, now);
	ck_assert_uint_eq(m->reserved, 0);
	ck_assert_uint_lt(message_count, ARRAY_SIZE(messages));
	messages[message_count++] = *m;
	message_sint = sint;
	return true;
}

static void interrupt(struct stimers *t, uint8_t vector)
{
	ck_assert_ptr_eq(t, &timers);
	interrupt_count++;
	interrupt_vector = vector;
}

static const struct stimer_ops ops = {.message = message, .interrupt = interrupt};

static void setup(void)
{
	stimers_init(&timers, &ops, true);
	now = 1000;
}

static void teardown(void)
{
}

static bool config(unsigned int index, uint64_t value)
{
	return stimer_set_config(&timers, index, value, now);
}

static void count(unsigned int index, uint64_t value)
{
	stimer_set_count(&timers, index, value, now);
}

/* Lets time pass, and what is due happen. Returns the messages that came. */
static unsigned int run_at(uint64_t when)
{
	unsigned int before = message_count;

	now = when;
	stimers_run(&timers, now);
	return message_count - before;
}

static bool enabled(unsigned int index)
{
	return timers.timer[index].config & HV_STIMER_ENABLE;
}

/* --- Registers (TLFS 12.5). ------------------------------------------------------------------ */

START_TEST(initial)
{
	for (unsigned int i = 0; i < HV_STIMER_COUNT; i++) {
		ck_assert_uint_eq(timers.timer[i].config, 0);
		ck_assert_uint_eq(timers.timer[i].count, 0);
	}
	ck_assert_uint_eq(stimers_next(&timers), UINT64_MAX);
	ck_assert_uint_eq(run_at(UINT64_MAX), 0);
}
END_TEST

START_TEST(reserved_bits)
{
	ck_assert(config(0, MESSAGE | HV_STIMER_LAZY | HV_STIMER_AUTO_ENABLE | VECTOR(0xff)));
	for (unsigned int bit = 0; bit < 64; bit++) {
		if (bit <= 12 || (bit >= 16 && bit <= 19))
			continue;
		ck_assert(!config(0, MESSAGE | 1ull << bit));
	}
	/* What was refused changed nothing. */
	ck_assert_uint_eq(timers.timer[0].config,
			  MESSAGE | HV_STIMER_LAZY | HV_STIMER_AUTO_ENABLE | VECTOR(0xff));
}
END_TEST

START_TEST(sint_0)
{
	count(0, 2000);
	ck_assert(config(0, HV_STIMER_ENABLE));
	ck_assert(!enabled(0));
	ck_assert_uint_eq(stimers_next(&timers), UINT64_MAX);
	/* Taking the SINT away from an enabled one disables it at once. */
	ck_assert(config(0, MESSAGE));
	ck_assert(enabled(0));
	ck_assert(config(0, HV_STIMER_ENABLE | HV_STIMER_PERIODIC));
	ck_assert_uint_eq(timers.timer[0].config, HV_STIMER_PERIODIC);
	ck_assert_uint_eq(run_at(5000), 0);
	/* Direct mode needs none. */
	ck_assert(config(0, DIRECT));
	ck_assert(enabled(0));
}
END_TEST

/* Nor does a write of the count enable a timer that names no SINT. */
START_TEST(sint_0_auto_enable)
{
	ck_assert(config(0, HV_STIMER_AUTO_ENABLE));
	count(0, 2000);
	ck_assert(!enabled(0));
	ck_assert_uint_eq(stimers_next(&timers), UINT64_MAX);
	ck_assert_uint_eq(run_at(5000), 0);
	ck_assert(config(1, HV_STIMER_AUTO_ENABLE | HV_STIMER_DIRECT | VECTOR(0x40)));
	count(1, 6000);
	ck_assert(enabled(1));
}
END_TEST

START_TEST(count_0)
{
	ck_assert(config(0, PERIODIC));
	ck_assert_uint_eq(stimers_next(&timers), UINT64_MAX);
	count(0, 10);
	ck_assert_uint_eq(stimers_next(&timers), 1010);
	count(0, 0);
	ck_assert(!enabled(0));
	ck_assert_uint_eq(stimers_next(&timers), UINT64_MAX);
	ck_assert_uint_eq(run_at(2000), 0);
	/* Independent of AutoEnable. */
	ck_assert(config(0, PERIODIC | HV_STIMER_AUTO_ENABLE));
	count(0, 10);
	count(0, 0);
	ck_assert(!enabled(0));
	ck_assert_uint_eq(timers.timer[0].config & HV_STIMER_AUTO_ENABLE, HV_STIMER_AUTO_ENABLE);
}
END_TEST

START_TEST(auto_enable)
{
	ck_assert(config(2, HV_STIMER_AUTO_ENABLE | SINT(5)));
	ck_assert(!enabled(2));
	count(2, 1500);
	ck_assert(enabled(2));
	ck_assert_uint_eq(run_at(1499), 0);
	ck_assert_uint_eq(run_at(1500), 1);
	ck_assert_uint_eq(message_sint, 5);
	ck_assert(!enabled(2));
	/* And once more. */
	count(2, 1600);
	ck_assert(enabled(2));
	ck_assert_uint_eq(run_at(1600), 1);
	/* Without it the count alone does nothing. */
	ck_assert(config(2, SINT(5)));
	count(2, 1700);
	ck_assert_uint_eq(run_at(1800), 0);
}
END_TEST

START_TEST(reset)
{
	ck_assert(config(0, PERIODIC));
	count(0, 10);
	busy = true;
	run_at(1015);
	ck_assert(config(1, DIRECT));
	count(1, 2000);
	stimers_reset(&timers);
	busy = false;
	ck_assert_uint_eq(stimers_next(&timers), UINT64_MAX);
	ck_assert_uint_eq(run_at(10000), 0);
	ck_assert_uint_eq(interrupt_count, 0);
	ck_assert_uint_eq(timers.timer[0].config | timers.timer[0].count, 0);
	ck_assert_uint_eq(timers.timer[1].config | timers.timer[1].count, 0);
}
END_TEST

/* --- One-shot. ------------------------------------------------------------------------------- */

START_TEST(one_shot)
{
	count(1, 1234);
	ck_assert(config(1, MESSAGE));
	ck_assert_uint_eq(stimers_next(&timers), 1234);
	ck_assert_uint_eq(run_at(1233), 0);
	ck_assert(enabled(1));
	ck_assert_uint_eq(run_at(1300), 1);
	ck_assert_uint_eq(message_sint, 3);
	ck_assert_uint_eq(messages[0].timer_index, 1);
	ck_assert_uint_eq(messages[0].expiration_time, 1234);
	ck_assert_uint_eq(messages[0].delivery_time, 1300);
	/* Marked as disabled; the rest of the register stays. */
	ck_assert_uint_eq(timers.timer[1].config, SINT(3));
	ck_assert_uint_eq(timers.timer[1].count, 1234);
	ck_assert_uint_eq(run_at(9999), 0);
}
END_TEST

START_TEST(in_the_past)
{
	count(0, 1);
	ck_assert(config(0, MESSAGE));
	ck_assert_uint_le(stimers_next(&timers), now);
	ck_assert_uint_eq(run_at(now), 1);
	ck_assert_uint_eq(messages[0].expiration_time, 1);
	/* Equal is reached. */
	count(0, now);
	ck_assert(config(0, MESSAGE));
	ck_assert_uint_eq(run_at(now), 1);
}
END_TEST

START_TEST(far_away)
{
	count(0, UINT64_MAX);
	ck_assert(config(0, MESSAGE));
	ck_assert_uint_eq(run_at(UINT64_MAX - 1), 0);
	ck_assert_uint_eq(run_at(UINT64_MAX), 1);
}
END_TEST

/* --- Periodic. ------------------------------------------------------------------------------- */

START_TEST(periodic)
{
	count(0, 100);
	now = 1050;
	ck_assert(config(0, PERIODIC));
	/* The first period begins when it is enabled. */
	for (unsigned int n = 1; n <= 10; n++) {
		ck_assert_uint_eq(stimers_next(&timers), 1050 + n * 100);
		ck_assert_uint_eq(run_at(1050 + n * 100 - 1), 0);
		ck_assert_uint_eq(run_at(1050 + n * 100 + 30), 1);
		ck_assert_uint_eq(messages[message_count - 1].expiration_time, 1050 + n * 100);
	}
	ck_assert(enabled(0));
	ck_assert(config(0, PERIODIC & ~HV_STIMER_ENABLE));
	ck_assert_uint_eq(run_at(10000), 0);
}
END_TEST

/* A timer that fell behind catches up a little, skips the rest, and keeps its phase. */
START_TEST(catch_up)
{
	const unsigned int periods[] = {
		1, 2, STIMER_CATCH_UP, STIMER_CATCH_UP + 1, STIMER_CATCH_UP + 2, 100000};

	for (size_t i = 0; i < ARRAY_SIZE(periods); i++) {
		uint64_t skipped = counter_get(&timers.counters.skipped), start;
		unsigned int came;

		message_count = 0;
		count(0, 100);
		ck_assert(config(0, PERIODIC));
		start = now;
		came = run_at(start + periods[i] * 100ull + 50);
		skipped = counter_get(&timers.counters.skipped) - skipped;
		ck_assert_uint_eq(came + skipped, periods[i]);
		ck_assert_uint_le(came, STIMER_CATCH_UP + 1);
		ck_assert_uint_ge(came, min_of(periods[i], STIMER_CATCH_UP + 0u));
		ck_assert_uint_eq(messages[came - 1].expiration_time, start + periods[i] * 100ull);
		ck_assert_uint_eq(stimers_next(&timers), start + (periods[i] + 1) * 100ull);
	}
}
END_TEST

/* Lazy: late signals come once, without a burst (TLFS 12.1.4). */
START_TEST(lazy)
{
	uint64_t start = now;

	count(0, 100);
	ck_assert(config(0, PERIODIC | HV_STIMER_LAZY));
	ck_assert_uint_eq(run_at(start + 100), 1);
	ck_assert_uint_eq(run_at(start + 850), 1);
	ck_assert_uint_eq(counter_get(&timers.counters.skipped), 6);
	ck_assert_uint_eq(stimers_next(&timers), start + 900);
	/* Not late, not skipped. */
	ck_assert_uint_eq(run_at(start + 900), 1);
	ck_assert_uint_eq(run_at(start + 1001), 1);
	ck_assert_uint_eq(counter_get(&timers.counters.skipped), 6);
	/* One-shots know no laziness. */
	count(1, now + 10);
	ck_assert(config(1, MESSAGE | HV_STIMER_LAZY));
	ck_assert(config(0, 0));
	ck_assert_uint_eq(run_at(now + 10000), 1);
}
END_TEST

/* The shortest period there is, far behind: a bounded number of deliveries, and no loop. */
START_TEST(shortest_period)
{
	count(0, 1);
	ck_assert(config(0, PERIODIC));
	ck_assert_uint_le(run_at(1ull << 62), STIMER_CATCH_UP + 1);
	ck_assert_uint_eq(stimers_next(&timers), (1ull << 62) + 1);
	message_count = 0;
	ck_assert(config(0, DIRECT | HV_STIMER_PERIODIC));
	run_at(UINT64_MAX - 1);
	ck_assert_uint_eq(interrupt_count, 1);
}
END_TEST

/* Where time ends, expirations end: none comes early by wrapping around. */
START_TEST(end_of_time)
{
	static const uint64_t modes[] = {PERIODIC, PERIODIC | HV_STIMER_LAZY,
					 DIRECT | HV_STIMER_PERIODIC};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		message_count = 0;
		now = UINT64_MAX - 100;
		count(0, 7);
		ck_assert(config(0, modes[i]));
		interrupt_count = 0;
		run_at(UINT64_MAX - 90);
		run_at(UINT64_MAX - 50);
		run_at(UINT64_MAX);
		run_at(UINT64_MAX);
		ck_assert_uint_ge(message_count + interrupt_count, 3);
		ck_assert_uint_le(message_count + interrupt_count, 14);
		count(0, UINT64_MAX);
		ck_assert(config(0, modes[i]));
		message_count = interrupt_count = 0;
		run_at(UINT64_MAX);
		ck_assert_uint_eq(message_count + interrupt_count, 0);
	}
}
END_TEST

/* --- Busy slots. ----------------------------------------------------------------------------- */

START_TEST(busy_slot)
{
	count(0, 1100);
	ck_assert(config(0, MESSAGE));
	busy = true;
	ck_assert_uint_eq(run_at(1200), 0);
	ck_assert_uint_eq(counter_get(&timers.counters.deferred), 1);
	/* The guest's EOM is when to look again; until then nothing is due. */
	ck_assert_uint_eq(stimers_next(&timers), UINT64_MAX);
	ck_assert_uint_eq(run_at(1300), 0);
	busy = false;
	ck_assert_uint_eq(run_at(1400), 1);
	ck_assert_uint_eq(messages[0].expiration_time, 1100);
	ck_assert_uint_eq(messages[0].delivery_time, 1400);
	ck_assert_uint_eq(run_at(2000), 0);
	ck_assert(!enabled(0));
}
END_TEST

/* A timer's one buffer holds one message, however many periods pass. */
START_TEST(busy_periodic)
{
	uint64_t start = now;

	count(0, 100);
	ck_assert(config(0, PERIODIC));
	busy = true;
	run_at(start + 100);
	tries = 0;
	run_at(start + 5000);
	ck_assert_uint_eq(tries, 1);
	/* Each EOM makes room for one. */
	room = 1;
	ck_assert_uint_eq(run_at(start + 5000), 1);
	ck_assert_uint_eq(messages[0].expiration_time, start + 100);
	room = 1;
	ck_assert_uint_eq(run_at(start + 5010), 1);
	ck_assert_uint_gt(messages[1].expiration_time, start + 100);
	ck_assert_uint_le(messages[1].expiration_time, start + 5000);
	busy = false;
	ck_assert_uint_le(run_at(start + 5020), STIMER_CATCH_UP + 1);
	ck_assert_uint_eq(stimers_next(&timers), start + 5100);
}
END_TEST

START_TEST(disabled_while_waiting)
{
	count(0, 1100);
	ck_assert(config(0, MESSAGE));
	busy = true;
	run_at(1200);
	ck_assert(config(0, SINT(3)));
	busy = false;
	ck_assert_uint_eq(run_at(1300), 0);
	/* Likewise by its count. */
	count(0, 1400);
	ck_assert(config(0, MESSAGE));
	busy = true;
	run_at(1500);
	count(0, 0);
	busy = false;
	ck_assert_uint_eq(run_at(1600), 0);
}
END_TEST

/* --- Direct mode (TLFS 12.2). ---------------------------------------------------------------- */

START_TEST(direct)
{
	count(0, 1100);
	ck_assert(config(0, DIRECT));
	busy = true;
	ck_assert_uint_eq(run_at(1099), 0);
	ck_assert_uint_eq(interrupt_count, 0);
	run_at(1100);
	ck_assert_uint_eq(interrupt_count, 1);
	ck_assert_uint_eq(interrupt_vector, 0x40);
	ck_assert_uint_eq(tries, 0);
	ck_assert(!enabled(0));
}
END_TEST

/* Interrupts merge in the APIC: of those missed, one is delivered. */
START_TEST(direct_periodic)
{
	uint64_t start = now;

	count(0, 100);
	ck_assert(config(0, DIRECT | HV_STIMER_PERIODIC));
	run_at(start + 100);
	run_at(start + 200);
	ck_assert_uint_eq(interrupt_count, 2);
	run_at(start + 1050);
	ck_assert_uint_eq(interrupt_count, 3);
	ck_assert_uint_eq(stimers_next(&timers), start + 1100);
}
END_TEST

START_TEST(direct_refused)
{
	ck_assert(!config(0, HV_STIMER_ENABLE | HV_STIMER_DIRECT | VECTOR(15)));
	ck_assert(!config(0, HV_STIMER_ENABLE | HV_STIMER_DIRECT | VECTOR(0)));
	ck_assert(config(0, HV_STIMER_ENABLE | HV_STIMER_DIRECT | VECTOR(16)));
	ck_assert(config(0, HV_STIMER_ENABLE | HV_STIMER_DIRECT | VECTOR(255)));
	stimers_init(&timers, &ops, false);
	ck_assert(!config(0, DIRECT));
	ck_assert_uint_eq(timers.timer[0].config, 0);
	ck_assert(config(0, MESSAGE));
}
END_TEST

/* --- Several, and changes. ------------------------------------------------------------------- */

START_TEST(four_timers)
{
	for (unsigned int i = 0; i < HV_STIMER_COUNT; i++) {
		count(i, 2000 - i * 100);
		ck_assert(config(i, HV_STIMER_ENABLE | SINT(i + 1)));
	}
	for (unsigned int i = HV_STIMER_COUNT; i-- > 0;) {
		ck_assert_uint_eq(stimers_next(&timers), 2000 - i * 100);
		ck_assert_uint_eq(run_at(2000 - i * 100), 1);
		ck_assert_uint_eq(messages[message_count - 1].timer_index, i);
		ck_assert_uint_eq(message_sint, i + 1);
	}
	ck_assert_uint_eq(stimers_next(&timers), UINT64_MAX);
}
END_TEST

START_TEST(changed_while_armed)
{
	count(0, 2000);
	ck_assert(config(0, MESSAGE));
	count(0, 3000);
	ck_assert_uint_eq(stimers_next(&timers), 3000);
	ck_assert_uint_eq(run_at(2500), 0);
	/* One-shot to periodic: undefined in detail, but a period is a period. */
	ck_assert(config(0, PERIODIC));
	ck_assert_uint_eq(stimers_next(&timers), 5500);
	ck_assert_uint_eq(run_at(5499), 0);
	ck_assert_uint_eq(run_at(5500), 1);
	ck_assert(config(0, DIRECT));
	ck_assert_uint_eq(run_at(5500), 0);
	ck_assert_uint_eq(interrupt_count, 1);
}
END_TEST

START_TEST(lateness)
{
	count(0, 2000);
	ck_assert(config(0, MESSAGE));
	run_at(2000 + 10 * 100); /* 100 us */
	ck_assert_uint_eq(counter_get(&timers.counters.expirations), 1);
	ck_assert_uint_eq(counter_get(&timers.counters.late_total), 1000);
	ck_assert_uint_eq(counter_get(&timers.counters.late[7]), 1); /* below 128 us */
	count(0, 1);
	ck_assert(config(0, MESSAGE));
	run_at(UINT64_MAX);
	ck_assert_uint_eq(counter_get(&timers.counters.late[STIMER_LATE_BUCKETS - 1]), 1);
	count(0, UINT64_MAX);
	ck_assert(config(0, MESSAGE));
	run_at(UINT64_MAX);
	ck_assert_uint_eq(counter_get(&timers.counters.late[0]), 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		initial,
		reserved_bits,
		sint_0,
		sint_0_auto_enable,
		count_0,
		auto_enable,
		reset,
		one_shot,
		in_the_past,
		far_away,
		periodic,
		catch_up,
		lazy,
		shortest_period,
		end_of_time,
		busy_slot,
		busy_periodic,
		disabled_while_waiting,
		direct,
		direct_periodic,
		direct_refused,
		four_timers,
		changed_while_armed,
		lateness,
	};

	return hv_run_tests("stimer", setup, teardown, tests, ARRAY_SIZE(tests));
}
