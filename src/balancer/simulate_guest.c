// SPDX-License-Identifier: MIT
/*
 * Guests of the simulator. See simulate_guest.h.
 *
 * Speeds are round numbers of what Linux guests do: free pages go into the balloon at 512 MiB/s,
 * pages that must be reclaimed first at 64 MiB/s; what was in the balloon comes back at 1 GiB/s,
 * and memory that is new to the guest is added at 256 MiB/s.
 */
#include "balancer/simulate_guest.h"

#define FREE_RATE    MiB(512)
#define RECLAIM_RATE MiB(64)
#define RETURN_RATE  GiB(1)
#define ADD_RATE     MiB(256)

/* Of what is committed, a guest touches so many percent. */
#define TOUCHED 85

#define SECOND NSEC_PER_SEC
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static uint64_t random_of(struct sim_guest *g, uint64_t limit)
{
	g->random ^= g->random << 13;
	g->random ^= g->random >> 7;
	g->random ^= g->random << 17;
	return limit ? g->random % limit : 0;
}

/* From @low to @high percent of the maximum. */
static uint64_t percent(struct sim_guest *g, unsigned int low, unsigned int high)
{
	return g->maximum / 1000 * (low * 10ull + random_of(g, (high - low) * 10ull + 1));
}

/* --- Demand. -------------------------------------------------------------------------------- */

static enum sim_kind kind_of(uint64_t per_cent)
{
	return per_cent < 30   ? SIM_STEADY
	       : per_cent < 60 ? SIM_DAILY
	       : per_cent < 85 ? SIM_BURSTY
			       : SIM_BATCH;
}

void sim_guest_generate(struct sim_guest *g, uint64_t seed)
{
	*g = (struct sim_guest){.random = seed * 0x9e3779b97f4a7c15ull + 88172645463325252ull};
	for (int i = 0; i < 8; i++)
		random_of(g, 1);
	g->kind = kind_of(random_of(g, 100));
	g->maximum = GiB(2) + random_of(g, 7) * GiB(1);
	g->minimum = MiB(256);
	g->startup = GiB(1);
	g->buffer = 20;
	g->weight = 5000;
	g->phase_ns = random_of(g, 4 * HOUR);
	g->goal = g->demand = percent(g, 15, 25);
	g->assigned = g->target = g->most = g->startup;
	g->rate = MiB(128);
	g->running = true;
}

/* Two straight lines: lowest at midnight, highest at noon, moved by the guest's phase. */
static uint64_t daily(struct sim_guest *g, uint64_t now)
{
	const uint64_t of_day = (now + g->phase_ns) % DAY;
	const uint64_t minutes = (of_day < DAY / 2 ? of_day : DAY - of_day) / MINUTE;

	return g->maximum / 100 * 15 + g->maximum / 100 * 60 / 720 * minutes + percent(g, 0, 2);
}

static void choose_goal(struct sim_guest *g, uint64_t now)
{
	const uint64_t of_day = (now + g->phase_ns) % DAY;

	switch (g->kind) {
	case SIM_STEADY:
		if (g->goal < g->maximum / 100 * 10 || random_of(g, 5) == 0)
			g->goal = percent(g, 20, 50);
		g->next_ns = now + 10 * MINUTE + random_of(g, HOUR);
		break;
	case SIM_DAILY:
		g->goal = daily(g, now);
		g->next_ns = now + MINUTE + random_of(g, 2 * MINUTE);
		break;
	case SIM_BURSTY:
		g->high = !g->high;
		g->goal = g->high ? percent(g, 50, 95) : percent(g, 8, 20);
		g->next_ns = now + (g->high ? MINUTE + random_of(g, 20 * MINUTE)
					    : 5 * MINUTE + random_of(g, HOUR));
		break;
	case SIM_BATCH:
		g->goal = of_day < HOUR ? percent(g, 85, 95) : percent(g, 8, 15);
		g->next_ns = now + 20 * MINUTE;
		break;
	case SIM_STEPS:
		if (now >= g->step_ns) {
			g->goal = g->demand = g->step_bytes;
			g->running = g->step_bytes != 0;
		}
		break;
	case SIM_RECORDED:
	case SIM_KIND_COUNT:
		break;
	}
}

static void follow_record(struct sim_guest *g, uint64_t now)
{
	const struct series_vm *vm = g->recorded;
	const uint64_t first = vm->count ? vm->points[0].time_ms : 0;

	while (g->at + 1 < vm->count &&
	       vm->points[g->at + 1].time_ms - first <= now / NSEC_PER_MSEC)
		g->at++;
	if (g->at < vm->count)
		g->goal = g->demand = min_of(vm->points[g->at].demand, POLICY_BYTES_MAX);
}

void sim_guest_live(struct sim_guest *g, uint64_t now_ns, uint64_t step_ns)
{
	const uint64_t most = g->rate / 1000 * (step_ns / NSEC_PER_MSEC);

	if (!g->running)
		return;
	if (g->kind == SIM_RECORDED)
		follow_record(g, now_ns);
	else if (g->kind == SIM_STEPS || now_ns >= g->next_ns)
		choose_goal(g, now_ns);
	if (g->demand < g->goal)
		g->demand += min_of(g->goal - g->demand, most);
	else
		g->demand -= min_of(g->demand - g->goal, most);
	if (!g->running)
		g->assigned = g->target = g->demand = 0;
}

/* --- Size. ---------------------------------------------------------------------------------- */

uint64_t sim_guest_used(const struct sim_guest *g)
{
	return g->demand / 100 * TOUCHED;
}

static uint64_t at_rate(uint64_t rate, uint64_t step_ns)
{
	return rate / 1000 * (step_ns / NSEC_PER_MSEC);
}

static void shrink(struct sim_guest *g, uint64_t step_ns)
{
	const uint64_t used = sim_guest_used(g), wanted = g->assigned - g->target;
	const uint64_t unused = g->assigned > used ? g->assigned - used : 0;
	const uint64_t most = at_rate(FREE_RATE, step_ns);
	uint64_t part = wanted < unused ? wanted : unused;

	part = min_of(part, most);
	if (part < wanted && part == unused)
		part += min_of(wanted - part, at_rate(RECLAIM_RATE, step_ns));
	g->assigned -= part;
	g->counts.remove_bytes += part;
}

static void grow(struct sim_guest *g, uint64_t step_ns)
{
	const uint64_t known = g->most > g->assigned ? g->most - g->assigned : 0;
	const uint64_t wanted = g->target - g->assigned;
	const uint64_t most = at_rate(RETURN_RATE, step_ns);
	uint64_t part = wanted < known ? wanted : known;

	part = min_of(part, most);
	if (part < wanted && part == known)
		part += min_of(wanted - part, at_rate(ADD_RATE, step_ns));
	g->assigned += part;
	g->counts.add_bytes += part;
	g->most = max_of(g->most, g->assigned);
}

void sim_guest_move(struct sim_guest *g, uint64_t step_ns)
{
	if (!g->running)
		return;
	if (g->target < g->assigned)
		shrink(g, step_ns);
	else if (g->target > g->assigned)
		grow(g, step_ns);
}

void sim_guest_order(struct sim_guest *g, uint64_t target)
{
	if (target == g->target)
		return;
	if (target > g->assigned)
		g->counts.add_operations++;
	else
		g->counts.remove_operations++;
	g->target = target;
}
