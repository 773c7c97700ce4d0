// SPDX-License-Identifier: MIT
/* Counting. See simulate_watch.h. */
#include "balancer/simulate_watch.h"

#include <errno.h>
#include <stdlib.h>

#include "balancer/policy_want.h"

/* Lacking for longer, while there is memory, is starving. */
#define STARVED_NS (60 * NSEC_PER_SEC)

/*
 * An order within this time of one in the other direction, for which neither the demand of the VM
 * nor that of its host has changed, is a turn. One is how memory moves: lent to another, and
 * returned. A second one is an oscillation.
 */
#define REVERSAL_NS (120 * NSEC_PER_SEC)

int sim_watch_init(struct sim_watch *watch, size_t n, uint64_t step_ns)
{
	*watch = (struct sim_watch){.n = n, .step_ns = step_ns};
	watch->vms = calloc(n, sizeof(*watch->vms));
	watch->waits = calloc(SIM_WAIT_MAX + 1, sizeof(*watch->waits));
	return watch->vms && watch->waits ? 0 : -ENOMEM;
}

void sim_watch_finish(struct sim_watch *watch)
{
	free(watch->vms);
	free(watch->waits);
}

/* --- A step. -------------------------------------------------------------------------------- */

static uint64_t ideal_of(const struct sim_guest *g)
{
	return max_of(g->minimum, min_of(policy_with_buffer(g->demand, g->buffer), g->maximum));
}

/* What a guest lacks, beyond what no balancer would move. */
static uint64_t lack_of(const struct policy_settings *settings, const struct sim_guest *g)
{
	const uint64_t wants = min_of(g->demand, g->maximum);

	return wants > g->assigned + policy_dead_band(settings, g->assigned) ? wants - g->assigned
									     : 0;
}

/*
 * What could be had (the host's beyond its reserve, and what guests have beyond their buffers),
 * when that is enough for all who lack; else 0: then they share.
 */
static uint64_t pool_for_all(const struct policy_settings *settings, const struct policy_host *host,
			     const struct sim_guest *guests, size_t n)
{
	const uint64_t reserve =
		max_of(settings->reserve, host->total / 100 * settings->reserve_percent);
	uint64_t pool = host->available > reserve ? host->available - reserve : 0, lack = 0;

	for (size_t i = 0; i < n; i++) {
		const uint64_t ideal =
			ideal_of(&guests[i]) + policy_dead_band(settings, guests[i].assigned);

		if (guests[i].assigned > ideal)
			pool += guests[i].assigned - ideal;
		lack += lack_of(settings, &guests[i]);
	}
	return pool >= lack ? pool : 0;
}

static void end_wait(struct sim_watch *watch, struct sim_watched *w, const struct sim_guest *g,
		     uint64_t now)
{
	const uint64_t seconds = (now - w->lacking_ns) / NSEC_PER_SEC;

	if (g->assigned > w->lacking_size) {
		watch->sum.waits++;
		watch->waits[min_of(seconds, (uint64_t)SIM_WAIT_MAX)]++;
	} else {
		watch->sum.unserved++;
	}
	w->lacking_ns = 0;
}

static void watch_wait(struct sim_watch *watch, struct sim_watched *w, const struct sim_guest *g,
		       uint64_t now)
{
	const bool lacks = g->demand > g->assigned && g->assigned < g->maximum;

	if (lacks && !w->lacking_ns) {
		w->lacking_ns = now;
		w->lacking_size = g->assigned;
	} else if (!lacks && w->lacking_ns) {
		end_wait(watch, w, g, now);
	}
}

/* @pool: what there is for those who lack. */
static void watch_hunger(struct sim_watch *watch, struct sim_watched *w, const struct sim_guest *g,
			 const struct policy_settings *settings, uint64_t pool, uint64_t now)
{
	if (!lack_of(settings, g) || !pool) {
		w->starving_ns = 0;
		w->starved = false;
	} else if (!w->starving_ns) {
		w->starving_ns = now;
	} else if (!w->starved && now - w->starving_ns > STARVED_NS) {
		w->starved = true;
		watch->sum.starved++;
	}
}

void sim_watch_host(struct sim_watch *watch, const struct policy_settings *settings,
		    const struct policy_host *host, uint64_t used, const struct sim_guest *guests,
		    size_t first, size_t n, uint64_t now_ns)
{
	const uint64_t pool = pool_for_all(settings, host, guests, n);
	const double seconds = (double)watch->step_ns / 1e9;

	watch->demand = 0;
	for (size_t i = 0; i < n; i++) {
		const struct sim_guest *g = &guests[i];
		struct sim_watched *w = &watch->vms[first + i];
		const uint64_t touched = sim_guest_used(g);

		if (!g->running)
			continue;
		watch->vm_steps++;
		watch->demand += g->demand;
		watch->granted += (double)g->assigned;
		watch->pressure += (double)policy_pressure(g->demand, g->assigned);
		if (touched > g->assigned) {
			watch->thrash_steps++;
			watch->thrash_mib_s +=
				(double)(touched - g->assigned) / (double)MiB(1) * seconds;
		}
		watch_wait(watch, w, g, now_ns);
		watch_hunger(watch, w, g, settings, pool, now_ns);
	}
	watch->over_steps += used > host->total;
	watch->host_steps++;
	watch->sum.steps += first == 0;
	/* Hosts are alike. */
	watch->sum.granted = (uint32_t)(watch->granted / (double)watch->host_steps /
					(double)max_of(host->total, 1ull) * 100);
}

/* --- Decisions. ----------------------------------------------------------------------------- */

void sim_watch_decision(struct sim_watch *watch, uint64_t real_ns)
{
	watch->decisions++;
	watch->decide_ns += real_ns;
}

static uint64_t change_of(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

void sim_watch_order(struct sim_watch *watch, size_t i, const struct sim_guest *guest,
		     uint64_t target, uint64_t now_ns)
{
	struct sim_watched *w = &watch->vms[i];
	const int way = target > guest->target ? 1 : -1;

	if (w->way == -way && now_ns - w->order_ns < REVERSAL_NS &&
	    change_of(guest->demand, w->order_demand) < guest->assigned / 20 &&
	    change_of(watch->demand, w->order_host) < change_of(target, guest->target)) {
		watch->sum.reversals += w->turn_ns && now_ns - w->turn_ns < 2 * REVERSAL_NS;
		w->turn_ns = now_ns;
	}
	watch->sum.orders++;
	w->way = way;
	w->order_ns = now_ns;
	w->order_demand = guest->demand;
	w->order_host = watch->demand;
}

/* --- The end. ------------------------------------------------------------------------------- */

/* The time that so many percent of the waits did not exceed. */
static uint64_t wait_at(const struct sim_watch *watch, uint64_t percent)
{
	uint64_t left = (watch->sum.waits * percent + 99) / 100;

	for (uint64_t s = 0; s <= SIM_WAIT_MAX; s++) {
		if (left <= watch->waits[s])
			return s;
		left -= watch->waits[s];
	}
	return SIM_WAIT_MAX;
}

static uint64_t seconds_of(const struct sim_watch *watch, uint64_t steps)
{
	return (uint64_t)((double)steps * ((double)watch->step_ns / 1e9));
}

void sim_watch_summary(struct sim_watch *watch, struct sim_summary *ret)
{
	struct sim_summary *sum = &watch->sum;

	for (size_t i = 0; i < watch->n; i++)
		sum->unserved += watch->vms[i].lacking_ns != 0;
	sum->wait_median_s = wait_at(watch, 50);
	sum->wait_95_s = wait_at(watch, 95);
	sum->wait_max_s = wait_at(watch, 100);
	sum->vm_seconds = seconds_of(watch, watch->vm_steps);
	sum->thrash_seconds = seconds_of(watch, watch->thrash_steps);
	sum->thrash_gib_s = (uint64_t)(watch->thrash_mib_s / 1024);
	sum->overcommitted_s = seconds_of(watch, watch->over_steps);
	sum->pressure = watch->vm_steps ? (uint32_t)(watch->pressure / (double)watch->vm_steps) : 0;
	sum->decide_ns = watch->decisions ? watch->decide_ns / watch->decisions : 0;
	*ret = *sum;
}
