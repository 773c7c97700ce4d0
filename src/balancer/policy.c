// SPDX-License-Identifier: MIT
/*
 * The decision for all VMs together: what there is, who shall have which share of it, and how far
 * each goes there now. See policy.h; what a VM should have is policy_want.c's.
 *
 * Taking memory from a guest takes time, so a decision has two sides: growth is paid from what the
 * host has now, and what is wanted beyond that is asked back from those who have more than their
 * share, the least pressed first. The next decision finds it in the host's hands.
 */
#include "balancer/policy.h"

#include "balancer/policy_order.h"
#include "balancer/policy_share.h"
#include "balancer/policy_want.h"

/* A step is never smaller than this, so that small guests move as soon as large ones. */
#define STEP_MIN MiB(256)

/*
 * The host's available memory is never quiet: so much of it on both sides of the reserve is neither
 * given for buffers nor asked back. What guests need is given to the last byte above the reserve.
 */
#define SLACK_PART 256

struct policy_run {
	const struct policy_settings *settings;
	const struct policy_vm *vms;
	struct policy_slot *slots;
	struct policy_totals *totals;
	size_t n;
	uint64_t give;     /* what the host has for those who grow ... */
	uint64_t slack;    /* ... and what of it not for buffers */
	uint64_t short_of; /* or what it wants back */
};

void policy_settings_init(struct policy_settings *settings)
{
	*settings = (struct policy_settings){
		.reserve = MiB(256),
		.reserve_percent = 5,
		.dead_band = 5,
		.step_up = 50,
		.step_down = 25,
		.stall = 10,
		.hold_ns = 30 * NSEC_PER_SEC,
		.stale_ns = 10 * NSEC_PER_SEC,
		.stuck_ns = 20 * NSEC_PER_SEC,
	};
}

uint32_t policy_pressure(uint64_t demand, uint64_t assigned)
{
	uint64_t percent;

	if (assigned == 0)
		return 0;
	if (__builtin_mul_overflow(demand, 100, &percent))
		percent =
			demand / assigned < UINT32_MAX / 100 ? demand / assigned * 100 : UINT32_MAX;
	else
		percent /= assigned;
	return (uint32_t)min_of(percent, (uint64_t)UINT32_MAX);
}

uint64_t policy_committed(uint32_t pressure, uint64_t assigned)
{
	return assigned / 100 * pressure + assigned % 100 * pressure / 100;
}

/* --- What there is. ------------------------------------------------------------------------- */

static void keep_to_budget(struct policy_run *run, uint64_t base)
{
	const uint64_t budget = run->settings->budget;
	const uint64_t room = budget > base ? budget - base : 0;
	const uint64_t over = budget < base ? base - budget : 0;

	if (budget == 0)
		return;
	run->give = min_of(run->give, room);
	if (room < run->totals->spare)
		run->slack = 0;
	run->short_of = max_of(run->short_of, over);
	run->totals->spare = min_of(run->totals->spare, room);
	run->totals->short_of = max_of(run->totals->short_of, over);
}

/* Left over when all that was promised has been touched and the reserve is whole. */
static void weigh_host(struct policy_run *run, const struct policy_host *host, uint64_t base)
{
	struct policy_totals *totals = run->totals;
	const uint64_t total = min_of(host->total, POLICY_BYTES_MAX);
	const uint64_t available = min_of(host->available, total);
	const uint64_t reserve =
		max_of(run->settings->reserve, total / 100 * run->settings->reserve_percent);
	const uint64_t slack = total / SLACK_PART, bound = totals->promised + reserve;

	if (available > bound) {
		totals->spare = available - bound;
		run->give = totals->spare;
		run->slack = slack;
	} else {
		totals->short_of = bound - available;
		run->short_of = totals->short_of > slack ? totals->short_of : 0;
	}
	keep_to_budget(run, base);
	totals->supply = base + run->give;
	totals->supply -= min_of(totals->supply, run->short_of);
	totals->stalled = host->swapping || host->stall > run->settings->stall;
}

static uint64_t look_at_all(struct policy_run *run, const struct policy_host *host, uint64_t now_ns,
			    struct policy_state *states)
{
	uint64_t base = 0, pressure = 0;

	for (size_t i = 0; i < run->n; i++) {
		const struct policy_vm *vm = &run->vms[i];
		struct policy_slot *slot = &run->slots[i];

		policy_want(run->settings, host, now_ns, vm, &states[i], slot);
		base += slot->base;
		if (slot->base > vm->rss)
			run->totals->promised += slot->base - vm->rss;
		if (vm->has_demand && slot->reason != POLICY_INVALID &&
		    slot->reason != POLICY_STALE && slot->reason != POLICY_SILENT) {
			pressure += policy_pressure(vm->demand, vm->assigned);
			run->totals->reporting++;
		}
	}
	if (run->totals->reporting)
		run->totals->pressure =
			(uint32_t)min_of(pressure / run->totals->reporting, (uint64_t)UINT32_MAX);
	return base;
}

/* --- Shares. -------------------------------------------------------------------------------- */

/* Whole chunks for each; what that leaves over goes out again by the chunk. */
static void round_shares(struct policy_run *run, uint64_t sum)
{
	uint64_t left;

	for (size_t i = 0; i < run->n; i++) {
		struct policy_slot *slot = &run->slots[i];
		const uint64_t down = align_down(slot->share, POLICY_CHUNK);

		if (slot->share >= slot->ideal || down < slot->low)
			continue;
		sum -= slot->share - down;
		slot->share = down;
	}
	left = run->totals->supply > sum ? run->totals->supply - sum : 0;
	for (size_t i = 0; i < run->n && left >= POLICY_CHUNK; i++) {
		struct policy_slot *slot = &run->slots[i];

		if (slot->share < slot->ideal && slot->ideal - slot->share >= POLICY_CHUNK) {
			slot->share += POLICY_CHUNK;
			left -= POLICY_CHUNK;
		}
	}
}

/* First what is needed, then the buffers: each by weight when there is not enough. */
static void set_shares(struct policy_run *run)
{
	uint64_t sum;

	for (size_t i = 0; i < run->n; i++) {
		run->slots[i].lo = run->slots[i].low;
		run->slots[i].hi = run->slots[i].need;
	}
	sum = policy_share(run->slots, run->n, run->totals->supply);
	run->totals->overpacked = sum > run->totals->supply;
	for (size_t i = 0; i < run->n; i++) {
		run->slots[i].lo = run->slots[i].share;
		run->slots[i].hi = run->slots[i].ideal;
	}
	sum = policy_share(run->slots, run->n, run->totals->supply);
	round_shares(run, sum);
	for (size_t i = 0; i < run->n; i++)
		run->slots[i].goal = run->slots[i].share;
}

/* --- Growth. -------------------------------------------------------------------------------- */

static uint64_t step_of(const struct policy_vm *vm, uint32_t percent)
{
	return max_of(align_up(vm->assigned / 100 * percent, POLICY_CHUNK), STEP_MIN);
}

/* Is it far enough below its share to be moved? What it needs counts for more than a buffer. */
static bool should_grow(const struct policy_run *run, size_t i)
{
	const struct policy_slot *slot = &run->slots[i];
	const uint64_t band = policy_dead_band(run->settings, run->vms[i].assigned);

	if (slot->left || slot->goal <= slot->heading)
		return false;
	if (slot->heading < slot->low || slot->thrashing)
		return true;
	if (slot->need > slot->heading)
		return slot->goal - slot->heading >= band / 2;
	return !slot->resting && slot->goal - slot->heading >= band;
}

static uint64_t want_growth(struct policy_run *run)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < run->n; i++) {
		struct policy_slot *slot = &run->slots[i];

		if (!should_grow(run, i) || slot->goal <= slot->base)
			continue;
		slot->up = min_of(slot->goal - slot->base,
				  step_of(&run->vms[i], run->settings->step_up));
		sum += slot->up;
	}
	return sum;
}

/* How far up a VM may go before all others have been so far: minimums, needs, buffers. */
static uint64_t bound_of(const struct policy_slot *slot, unsigned int class)
{
	if (class == 0)
		return slot->thrashing ? slot->need : slot->low;
	return class == 1 ? slot->need : slot->goal;
}

/* Gives out what there is for one class; what is left. */
static uint64_t give_class(struct policy_run *run, unsigned int class, uint64_t left)
{
	uint64_t wanted = 0, base = 0, given = 0;

	for (size_t i = 0; i < run->n; i++) {
		struct policy_slot *slot = &run->slots[i];
		const uint64_t most = min_of(bound_of(slot, class), slot->base + slot->up);

		slot->lo = slot->base + slot->give;
		slot->hi = max_of(slot->lo, slot->up ? most : 0);
		wanted += slot->hi - slot->lo;
		base += slot->lo;
	}
	if (wanted > left)
		policy_share(run->slots, run->n, base + left);
	for (size_t i = 0; i < run->n; i++) {
		struct policy_slot *slot = &run->slots[i];
		uint64_t more = (wanted > left ? slot->share : slot->hi) - slot->lo;

		if (slot->lo + more < slot->hi)
			more = align_down(more, POLICY_CHUNK);
		slot->give += more;
		given += more;
	}
	return left - given;
}

/* What cannot be given now; it is to be asked back from others. */
static uint64_t grow(struct policy_run *run)
{
	const uint64_t wanted = want_growth(run), have = run->totals->stalled ? 0 : run->give;
	uint64_t left = have;

	for (unsigned int class = 0; class < 2 && left && wanted; class ++)
		left = give_class(run, class, left);
	if (left > run->slack && wanted)
		left = run->slack + give_class(run, 2, left - run->slack);
	run->totals->wanted = wanted;
	run->totals->waiting = wanted - (have - left);
	return run->totals->waiting;
}

/* --- Taking. -------------------------------------------------------------------------------- */

/* On its way back already: asked for, and still with the guests. */
static uint64_t in_flight(const struct policy_run *run)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < run->n; i++)
		if (!run->slots[i].left)
			sum += run->slots[i].base - run->slots[i].heading;
	return sum;
}

static void rank(struct policy_run *run)
{
	for (size_t i = 0; i < run->n; i++) {
		const struct policy_vm *vm = &run->vms[i];
		/* In hundredths of a percent. */
		const uint64_t demand = min_of(vm->demand, POLICY_BYTES_MAX);
		const uint64_t key = vm->assigned ? demand * 10000 / vm->assigned : 0;

		run->slots[i].key = (uint32_t)min_of(key, (uint64_t)UINT32_MAX);
	}
	policy_order(run->slots, run->n);
}

/*
 * Asks @wanted back, from the least pressed first; never more than what exceeds a VM's share. For
 * the sake of another guest nobody is bothered for a trifle: demands flicker, and shares with them.
 */
static void take(struct policy_run *run, uint64_t wanted)
{
	rank(run);
	for (size_t i = 0; i < run->n && wanted; i++) {
		const size_t at = run->slots[i].order;
		struct policy_slot *slot = &run->slots[at];
		const uint64_t band = policy_dead_band(run->settings, run->vms[at].assigned);
		const uint64_t least = run->short_of ? POLICY_CHUNK : band / 2;
		uint64_t most, part;

		if (slot->left || slot->heading < slot->goal + least)
			continue;
		most = slot->heading - slot->goal;
		if (!run->short_of)
			most = min_of(most, step_of(&run->vms[at], run->settings->step_down));
		part = min_of(align_up(wanted, POLICY_CHUNK), most);
		slot->take = part;
		slot->reason = run->short_of ? POLICY_HOST_SHORT : POLICY_OTHERS;
		wanted -= min_of(wanted, part);
	}
}

/* What nobody has asked for, and its guest has not needed for a while. */
static void take_surplus(struct policy_run *run)
{
	for (size_t i = 0; i < run->n; i++) {
		struct policy_slot *slot = &run->slots[i];
		const struct policy_vm *vm = &run->vms[i];
		const uint64_t band = policy_dead_band(run->settings, vm->assigned);
		const bool urgent = run->short_of || run->totals->stalled;
		const uint64_t end = urgent ? slot->goal : max_of(slot->goal, slot->limit);

		if (slot->left || slot->take || slot->heading < slot->goal + band)
			continue;
		if (slot->heading < end + band) {
			slot->reason = slot->reason == POLICY_STEADY ? POLICY_HELD : slot->reason;
			continue;
		}
		slot->take = min_of(slot->heading - end, step_of(vm, run->settings->step_down));
		slot->reason = POLICY_SURPLUS;
	}
}

/* --- Decisions. ----------------------------------------------------------------------------- */

static enum policy_reason why_given(const struct policy_slot *slot)
{
	if (slot->heading < slot->low)
		return POLICY_BELOW_MINIMUM;
	if (slot->thrashing)
		return POLICY_THRASHING;
	return slot->need > slot->heading ? POLICY_STARVED : POLICY_BUFFER;
}

static enum policy_reason why_still(const struct policy_run *run, size_t i)
{
	const struct policy_slot *slot = &run->slots[i];
	const struct policy_vm *vm = &run->vms[i];
	const uint64_t band = policy_dead_band(run->settings, vm->assigned);

	if (slot->reason != POLICY_STEADY)
		return slot->reason;
	if (slot->up)
		return POLICY_WAITING;
	if (slot->heading + band < slot->ideal)
		return POLICY_SHARE;
	if (slot->heading >= vm->maximum &&
	    policy_with_buffer(min_of(vm->demand, POLICY_BYTES_MAX), vm->buffer) > vm->maximum)
		return POLICY_AT_MAXIMUM;
	return POLICY_STEADY;
}

/* Where it shall go. What is promised to it anyway costs nothing. */
static uint64_t target_of(const struct policy_run *run, size_t i)
{
	const struct policy_slot *slot = &run->slots[i];

	if (slot->take)
		return slot->heading - slot->take;
	if (slot->give)
		return slot->base + slot->give;
	if (should_grow(run, i))
		return min_of(slot->base, slot->goal);
	return slot->heading;
}

static void decide_one(const struct policy_run *run, size_t i, struct policy_decision *d)
{
	const struct policy_slot *slot = &run->slots[i];
	const struct policy_vm *vm = &run->vms[i];
	const uint64_t target = slot->left ? slot->heading : min_of(target_of(run, i), vm->maximum);

	*d = (struct policy_decision){
		.target = target,
		.demand = vm->has_demand ? vm->demand : 0,
		.assigned = vm->assigned,
		.ideal = slot->ideal,
		.share = slot->goal,
		.pressure = vm->has_demand ? policy_pressure(vm->demand, vm->assigned) : 0,
	};
	if (slot->left || slot->take)
		d->reason = slot->reason;
	else if (target > slot->heading)
		d->reason = why_given(slot);
	else
		d->reason = why_still(run, i);
	run->totals->moved += target != (vm->target ? vm->target : vm->assigned);
}

void policy_decide(const struct policy_settings *settings, const struct policy_host *host,
		   uint64_t now_ns, const struct policy_vm *vms, struct policy_state *states,
		   size_t n, struct policy_slot *slots, struct policy_decision *decisions,
		   struct policy_totals *totals)
{
	struct policy_run run = {
		.settings = settings, .vms = vms, .slots = slots, .totals = totals, .n = n};
	uint64_t base, wanted, coming;

	*totals = (struct policy_totals){0};
	base = look_at_all(&run, host, now_ns, states);
	weigh_host(&run, host, base);
	set_shares(&run);
	wanted = grow(&run) + run.short_of;
	coming = in_flight(&run);
	if (wanted > coming)
		take(&run, wanted - coming);
	take_surplus(&run);
	for (size_t i = 0; i < n; i++)
		decide_one(&run, i, &decisions[i]);
}
