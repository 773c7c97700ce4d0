// SPDX-License-Identifier: MIT
/*
 * The SynIC with its guest and its hosts running at once. The guest does what drivers do: it sleeps
 * until interrupted, empties the slot, then looks at the pending flag, and says EOM only if asked
 * to. Nothing is looked at a second time, so that whatever is lost shows as a case that does not
 * end.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "hv-enlight/synic_vp.h"
#include "hv_tests.h"

#define SINT     2u
#define MESSAGES 1000u /* of each host */
#define TICKS    300u  /* messages of the VP's own, as its timers send them */
#define SIGNALS  1000u
#define HOSTS    2u
#define TICK     0x80000010u

static struct synic_vp synic;
static struct hv_message_page page, other_page;
static struct hv_message_page *current = &page;
static struct hv_event_flags_page flags;

/* The bit in the APIC: interrupts merge. */
static _Atomic bool latched;
static _Atomic unsigned int rooms;

static void interrupt(struct synic_vp *s, unsigned int sint, uint64_t value)
{
	atomic_store(&latched, true);
}

static void room(struct synic_vp *s, unsigned int sint)
{
	atomic_fetch_add(&rooms, 1);
}

static const struct synic_vp_ops ops = {.interrupt = interrupt, .room = room};

static void setup(void)
{
	synic_vp_init(&synic, &ops);
	synic_vp_set_enabled(&synic, true);
	synic_vp_set_message_page(&synic, current);
	synic_vp_set_flags_page(&synic, &flags);
	ck_assert(synic_vp_set_sint(&synic, SINT, 0x30));
}

static void teardown(void)
{
	synic_vp_finish(&synic);
}

static void sleep_until_interrupted(void)
{
	while (!atomic_exchange(&latched, false))
		sched_yield();
}

/* --- Messages. ------------------------------------------------------------------------------- */

/* Sends its numbers in order; waits for room when there is none. */
static void *host(void *arg)
{
	uint32_t me = *(const uint32_t *)arg;

	for (uint32_t n = 0; n < MESSAGES; n++) {
		struct hv_message m = {
			.header = {.message_type = me, .payload_size = sizeof(m.payload)}};
		unsigned int before;

		for (size_t i = 0; i < sizeof(m.payload); i += sizeof(n))
			memcpy(m.payload + i, &n, sizeof(n));
		while (before = atomic_load(&rooms), synic_vp_post(&synic, SINT, &m) == -EAGAIN)
			while (atomic_load(&rooms) == before)
				sched_yield();
	}
	return NULL;
}

struct guest {
	unsigned int got[HOSTS + 1];
	unsigned int ticks, ticks_sent;
	bool tick_waits;
	bool wrong;
};

/* What the VP's thread does at an exit: its timers' messages, until one has to wait for EOM. */
static void tick(struct guest *g)
{
	const struct hv_message m = {.header = {.message_type = TICK}};

	g->tick_waits = !synic_vp_try_post(&synic, SINT, &m);
	g->ticks_sent += !g->tick_waits;
}

static void eom(struct guest *g)
{
	synic_vp_eom(&synic);
	if (g->tick_waits)
		tick(g);
}

static void take_message(struct guest *g)
{
	struct hv_message *slot = &current->sint[SINT];
	uint32_t type = __atomic_load_n(&slot->header.message_type, __ATOMIC_ACQUIRE), n;

	if (type == HV_MESSAGE_NONE)
		return;
	if (type == TICK) {
		g->ticks++;
	} else {
		for (size_t i = 0; i < sizeof(slot->payload); i += sizeof(n)) {
			memcpy(&n, slot->payload + i, sizeof(n));
			g->wrong |= n != g->got[type];
		}
		g->got[type]++;
	}
	__atomic_store_n(&slot->header.message_type, HV_MESSAGE_NONE, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&slot->header.message_flags, __ATOMIC_SEQ_CST) &
	    HV_MESSAGE_FLAG_PENDING)
		eom(g);
}

/* The guest takes its page away and puts another one there, with the slot empty. */
static void move_page(void)
{
	if (__atomic_load_n(&current->sint[SINT].header.message_type, __ATOMIC_ACQUIRE))
		return;
	synic_vp_set_message_page(&synic, NULL);
	/* One may have come in between: it is taken from the old page then, as from the new one. */
	if (__atomic_load_n(&current->sint[SINT].header.message_type, __ATOMIC_ACQUIRE) == 0)
		current = current == &page ? &other_page : &page;
	synic_vp_set_message_page(&synic, current);
}

static bool all_came(const struct guest *g)
{
	return g->got[1] == MESSAGES && g->got[2] == MESSAGES && g->ticks == TICKS;
}

START_TEST(messages)
{
	uint32_t names[HOSTS] = {1, 2};
	pthread_t threads[HOSTS];
	struct guest g = {0};

	for (unsigned int i = 0; i < HOSTS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, host, &names[i]), 0);
	for (unsigned int turn = 0; !all_came(&g); turn++) {
		if (!g.tick_waits && g.ticks_sent < TICKS)
			tick(&g);
		if (turn % 16 == 0)
			move_page();
		sleep_until_interrupted();
		take_message(&g);
	}
	for (unsigned int i = 0; i < HOSTS; i++)
		pthread_join(threads[i], NULL);
	ck_assert(!g.wrong);
	ck_assert(!atomic_load(&latched) || current->sint[SINT].header.message_type == 0);
}
END_TEST

/* --- Event flags. ---------------------------------------------------------------------------- */

static _Atomic unsigned int done;

static void *signaller(void *arg)
{
	for (unsigned int n = 0; n < SIGNALS; n++)
		if (synic_vp_signal(&synic, SINT, n * 37 % HV_EVENT_FLAGS_COUNT) != 0)
			abort();
	atomic_fetch_add(&done, 1);
	return NULL;
}

static unsigned int take_flags(void)
{
	unsigned int taken = 0;

	for (size_t i = 0; i < HV_EVENT_FLAGS_COUNT / 64; i++)
		taken += (unsigned int)__builtin_popcountll(
			__atomic_exchange_n(&flags.sint[SINT][i], 0, __ATOMIC_SEQ_CST));
	return taken;
}

/* Every flag that is set is announced: when no interrupt is left, neither is a flag. */
START_TEST(events)
{
	pthread_t threads[HOSTS];
	uint64_t taken = 0;

	for (unsigned int i = 0; i < HOSTS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, signaller, NULL), 0);
	do {
		if (atomic_exchange(&latched, false))
			taken += take_flags();
		else
			sched_yield();
	} while (atomic_load(&done) < HOSTS);
	for (unsigned int i = 0; i < HOSTS; i++)
		pthread_join(threads[i], NULL);
	if (atomic_exchange(&latched, false))
		taken += take_flags();
	ck_assert_uint_eq(take_flags(), 0);
	ck_assert_uint_eq(taken, counter_get(&synic.counters.events));
	ck_assert_uint_eq(taken + counter_get(&synic.counters.coalesced),
			  (uint64_t)HOSTS * SIGNALS);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {messages, events};

	return hv_run_tests("synic_vp_race", setup, teardown, tests, ARRAY_SIZE(tests));
}
