// SPDX-License-Identifier: MIT
/* Fleets in time. See simulate.h; what is counted of them is simulate_watch.c's. */
#include "balancer/simulate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "balancer/mom.h"
#include "balancer/simulate_guest.h"
#include "balancer/simulate_watch.h"

/* Of a host's memory, it needs so much for itself. */
#define OWN_PART 32

/* The report shows so many VMs at most. */
#define SERIES_VMS 64

#define HOUR_NS (3600 * NSEC_PER_SEC)

struct sim {
	const struct sim_spec *spec;
	const struct policy_settings *settings;
	enum sim_policy policy;
	struct series *series;
	struct sim_watch watch;
	uint64_t total; /* memory of each host */
	uint64_t end_ns;
	size_t n, hosts;
	struct sim_guest *guests;
	struct policy_state *states;
	/* For one host at a time. */
	struct policy_vm *samples;
	struct policy_slot *slots;
	struct policy_decision *decisions;
};

void sim_spec_init(struct sim_spec *spec)
{
	*spec = (struct sim_spec){.scenario = SIM_DAY,
				  .vms = 100,
				  .hosts = 1,
				  .hours = 24,
				  .seed = 1,
				  .host_memory = GiB(256),
				  .interval_ns = NSEC_PER_SEC};
}

/* --- Who there is. -------------------------------------------------------------------------- */

/* One that is at @demand, and from @step_ns on at @then. */
static void set_steps(struct sim_guest *g, uint64_t assigned, uint64_t minimum, uint64_t maximum,
		      uint64_t demand, uint64_t step_ns, uint64_t then)
{
	*g = (struct sim_guest){.kind = SIM_STEPS,
				.minimum = minimum,
				.maximum = maximum,
				.startup = assigned,
				.buffer = 20,
				.weight = 5000,
				.demand = demand,
				.goal = demand,
				.step_ns = step_ns,
				.step_bytes = then,
				.running = true,
				.assigned = assigned,
				.target = assigned,
				.most = maximum};
}

/* All of the host is out, and from the first step on one needs 256 MiB that another does not. */
static void set_need(struct sim *sim)
{
	const uint64_t then = sim->spec->interval_ns;

	sim->total = GiB(16);
	sim->end_ns = 600 * NSEC_PER_SEC;
	set_steps(&sim->guests[0], GiB(2), MiB(512), GiB(4), GiB(2) - MiB(100), then,
		  GiB(2) + MiB(256));
	set_steps(&sim->guests[1], GiB(6) + MiB(700), MiB(512), GiB(8), GiB(1), then, GiB(1));
	set_steps(&sim->guests[2], GiB(3), MiB(512), GiB(4), GiB(2) + MiB(500), then,
		  GiB(2) + MiB(500));
	set_steps(&sim->guests[3], GiB(3), MiB(512), GiB(4), GiB(2) + MiB(500), then,
		  GiB(2) + MiB(500));
}

/* Two hold their minimum; the third is at pressure 150 until they end, half way. */
static void set_shutdown(struct sim *sim)
{
	const uint64_t half = sim->end_ns / 2, hold = GiB(5) + MiB(90);

	sim->total = GiB(16);
	set_steps(&sim->guests[0], hold, hold, GiB(8), hold, half, 0);
	set_steps(&sim->guests[1], hold, hold, GiB(8), hold, half, 0);
	set_steps(&sim->guests[2], GiB(4) + MiB(512), GiB(1), GiB(8), GiB(6) + MiB(768), half,
		  GiB(6) + MiB(768));
}

static void set_recorded(struct sim *sim)
{
	const struct series *recorded = sim->spec->recorded;
	uint64_t end_ms = 0;

	if (recorded->host_count)
		sim->total = min_of(recorded->hosts[0].total, POLICY_BYTES_MAX);
	for (size_t i = 0; i < sim->n; i++) {
		const struct series_vm *vm = &recorded->vms[i];
		struct sim_guest *g = &sim->guests[i];

		*g = (struct sim_guest){.kind = SIM_RECORDED,
					.minimum = min_of(vm->minimum, vm->maximum),
					.maximum = min_of(vm->maximum, POLICY_BYTES_MAX),
					.buffer = min_of(vm->buffer, POLICY_BUFFER_MAX),
					.weight = min_of(max_of(vm->weight, 1u), POLICY_WEIGHT_MAX),
					.recorded = vm};
		/* No host has run one that is larger than itself. */
		if (!vm->count || vm->points[0].assigned > sim->total)
			continue;
		g->running = true;
		g->startup = vm->points[0].assigned;
		g->assigned = g->target = g->most = g->startup;
		end_ms = max_of(end_ms, vm->points[vm->count - 1].time_ms - vm->points[0].time_ms);
	}
	sim->end_ns = min_of(end_ms, 365ull * 24 * 3600 * 1000) * NSEC_PER_MSEC;
}

static void set_guests(struct sim *sim)
{
	if (sim->spec->recorded) {
		set_recorded(sim);
		return;
	}
	switch (sim->spec->scenario) {
	case SIM_DAY:
		for (size_t i = 0; i < sim->n; i++)
			sim_guest_generate(&sim->guests[i],
					   (uint64_t)sim->spec->seed * POLICY_VMS_MAX + i);
		break;
	case SIM_NEED:
		set_need(sim);
		break;
	case SIM_SHUTDOWN:
		set_shutdown(sim);
		break;
	}
}

/* --- A step. -------------------------------------------------------------------------------- */

static void sample(struct policy_vm *vm, const struct sim_guest *g)
{
	const uint64_t used = sim_guest_used(g);

	*vm = (struct policy_vm){.minimum = g->minimum,
				 .maximum = g->maximum,
				 .assigned = g->assigned,
				 .target = g->target,
				 .demand = g->demand,
				 .available = g->assigned > used ? g->assigned - used : 0,
				 .rss = g->assigned,
				 .report_age_ns = NSEC_PER_SEC,
				 .buffer = g->buffer,
				 .weight = g->weight,
				 .driver = true,
				 .has_demand = true,
				 .has_available = true};
}

static uint64_t real_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* False: it is not time for a decision. */
static bool decide(struct sim *sim, const struct policy_host *host, uint64_t now, size_t from,
		   size_t n, struct policy_totals *totals)
{
	const uint64_t begin = real_now();

	*totals = (struct policy_totals){0};
	if (sim->policy == SIM_CANDELA)
		policy_decide(sim->settings, host, now, sim->samples, &sim->states[from], n,
			      sim->slots, sim->decisions, totals);
	else if (now % MOM_INTERVAL_NS == 0)
		mom_decide(host, sim->samples, n, sim->decisions);
	else
		return false;
	sim_watch_decision(&sim->watch, real_now() - begin);
	return true;
}

static int record_host(struct sim *sim, const struct policy_host *host, uint64_t now, size_t n,
		       const struct policy_totals *totals)
{
	struct series_host point = {.time_ms = now / NSEC_PER_MSEC,
				    .total = host->total,
				    .available = host->available,
				    .spare = totals->spare,
				    .wanted = totals->wanted,
				    .waiting = totals->waiting};
	uint64_t pressure = 0;

	for (size_t i = 0; i < n; i++) {
		const struct sim_guest *g = &sim->guests[i];

		pressure += policy_pressure(g->demand, g->assigned);
		point.vms += g->running;
	}
	point.pressure = point.vms ? (uint32_t)(pressure / point.vms) : 0;
	return series_add_host(sim->series, &point);
}

static int record_guest(struct sim *sim, size_t i, uint64_t now, bool moved)
{
	const struct sim_guest *g = &sim->guests[i];
	const struct policy_decision *d = &sim->decisions[i];
	struct series_point point = {.time_ms = now / NSEC_PER_MSEC,
				     .assigned = g->assigned,
				     .target = g->target,
				     .demand = g->demand,
				     .available = sim->samples[i].available,
				     .pressure = policy_pressure(g->demand, g->assigned),
				     .reason = d->reason,
				     .counts = g->counts};
	char name[24];
	size_t vm;
	int r;

	snprintf(name, sizeof(name), "vm%04zu", i + 1);
	r = series_find_vm(sim->series, sim->spec->recorded ? g->recorded->name : name, &vm);
	if (r < 0)
		return r;
	sim->series->vms[vm].startup = g->startup;
	sim->series->vms[vm].minimum = g->minimum;
	sim->series->vms[vm].maximum = g->maximum;
	sim->series->vms[vm].buffer = g->buffer;
	sim->series->vms[vm].weight = g->weight;
	if (moved)
		r = series_add_move(sim->series,
				    &(struct series_move){.time_ms = point.time_ms,
							  .vm = vm,
							  .from = sim->samples[i].target,
							  .decision = *d});
	return r < 0 ? r : series_add_point(sim->series, vm, &point);
}

/* Carries out what was decided for the guests of one host. */
static int order(struct sim *sim, uint64_t now, size_t from, size_t n, bool decided)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		struct sim_guest *g = &sim->guests[from + i];
		const bool moves = decided && g->running && sim->decisions[i].target != g->target;

		if (moves) {
			sim_watch_order(&sim->watch, from + i, g, sim->decisions[i].target, now);
			sim_guest_order(g, sim->decisions[i].target);
		}
		if (sim->series && from == 0 && i < SERIES_VMS && g->running)
			r = record_guest(sim, i, now, moves);
	}
	return r;
}

static int step_host(struct sim *sim, uint64_t now, size_t from, size_t n)
{
	const uint64_t step = sim->spec->interval_ns;
	struct policy_host host = {.total = sim->total};
	uint64_t used = sim->total / OWN_PART;
	struct policy_totals totals;
	bool decided;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		struct sim_guest *g = &sim->guests[from + i];

		sim_guest_live(g, now, step);
		sim_guest_move(g, step);
		sample(&sim->samples[i], g);
		used += g->assigned;
	}
	host.available = sim->total - min_of(used, sim->total);
	sim_watch_host(&sim->watch, sim->settings, &host, used, &sim->guests[from], from, n, now);
	decided = decide(sim, &host, now, from, n, &totals);
	if (sim->series && from == 0)
		r = record_host(sim, &host, now, n, &totals);
	return r < 0 ? r : order(sim, now, from, n, decided);
}

static int step_all(struct sim *sim, uint64_t now)
{
	int r = 0;

	for (size_t h = 0; h < sim->hosts && r == 0; h++) {
		const size_t from = sim->n * h / sim->hosts, to = sim->n * (h + 1) / sim->hosts;

		r = step_host(sim, now, from, to - from);
	}
	return r;
}

/* --- The whole. ----------------------------------------------------------------------------- */

static int set_up(struct sim *sim, struct error *err)
{
	const struct sim_spec *spec = sim->spec;

	sim->n = spec->vms;
	sim->hosts = spec->hosts;
	if (spec->recorded || spec->scenario != SIM_DAY)
		sim->hosts = 1;
	if (spec->recorded)
		sim->n = spec->recorded->vm_count;
	else if (spec->scenario != SIM_DAY)
		sim->n = spec->scenario == SIM_NEED ? 4 : 3;
	sim->total = min_of(spec->host_memory, POLICY_BYTES_MAX);
	sim->end_ns = spec->hours * HOUR_NS;
	if (!sim->n || !sim->hosts || sim->n / sim->hosts >= POLICY_VMS_MAX) {
		error_set(err, -EINVAL, "from 1 to %u VMs a host can be simulated", POLICY_VMS_MAX);
		return -EINVAL;
	}
	sim->guests = calloc(sim->n, sizeof(*sim->guests));
	sim->states = calloc(sim->n, sizeof(*sim->states));
	sim->samples = calloc(sim->n, sizeof(*sim->samples));
	sim->slots = calloc(sim->n, sizeof(*sim->slots));
	sim->decisions = calloc(sim->n, sizeof(*sim->decisions));
	if (!sim->guests || !sim->states || !sim->samples || !sim->slots || !sim->decisions ||
	    sim_watch_init(&sim->watch, sim->n, spec->interval_ns) < 0) {
		error_set(err, -ENOMEM, "out of memory");
		return -ENOMEM;
	}
	set_guests(sim);
	return 0;
}

static void tear_down(struct sim *sim)
{
	sim_watch_finish(&sim->watch);
	free(sim->guests);
	free(sim->states);
	free(sim->samples);
	free(sim->slots);
	free(sim->decisions);
}

/* Until the need of SIM_NEED is served. */
static void watch_need(struct sim *sim, uint64_t now, uint64_t *need_ms)
{
	const struct sim_guest *g = &sim->guests[0];

	if (sim->spec->scenario == SIM_NEED && !sim->spec->recorded && *need_ms == UINT64_MAX &&
	    now >= g->step_ns && g->assigned >= g->demand)
		*need_ms = (now - g->step_ns) / NSEC_PER_MSEC;
}

int sim_run(const struct sim_spec *spec, enum sim_policy policy,
	    const struct policy_settings *settings, struct series *series, struct sim_summary *ret,
	    struct error *err)
{
	struct sim sim = {.spec = spec, .settings = settings, .policy = policy, .series = series};
	uint64_t need_ms = UINT64_MAX;
	int r = set_up(&sim, err);

	for (uint64_t now = spec->interval_ns; r == 0 && now <= sim.end_ns;
	     now += spec->interval_ns) {
		r = step_all(&sim, now);
		watch_need(&sim, now, &need_ms);
		if (r < 0)
			error_set(err, r, "out of memory");
	}
	if (r == 0) {
		sim_watch_summary(&sim.watch, ret);
		ret->need_ms = need_ms;
	}
	tear_down(&sim);
	return r;
}
