// SPDX-License-Identifier: MIT
/*
 * What one VM should have. See policy_want.h.
 *
 * Committed bytes are what a guest may come to need, and can mislead: some programs commit all they
 * can get and use what there is, others use memory that nobody commits (shared memory, the
 * kernel's). What the guest has available is the second signal: assigned less available is what it
 * uses. It is looked at only when the guest has been left in peace for a while, since the report
 * and the size of the guest must be of the same moment; until then what was last seen to be
 * committed and not used, or used and not committed, is taken to be so still. Otherwise each move
 * would change what the guest needs.
 */
#include "balancer/policy_want.h"

/* So long after a change the guest's available memory is not compared with its size. */
#define SETTLED_NS (5 * NSEC_PER_SEC)

/* What cannot move is tried again after so many times the time after which that was noticed. */
#define STUCK_PAUSES 6

#define DEAD_BAND_MIN (4 * POLICY_CHUNK)

/* Less than this part of the guest available: nothing is left that it could use. */
#define THRASHING_PART 32

static uint64_t clamp(uint64_t v, uint64_t low, uint64_t high)
{
	return v < low ? low : v > high ? high : v;
}

uint64_t policy_dead_band(const struct policy_settings *settings, uint64_t assigned)
{
	return max_of(assigned / 100 * settings->dead_band, DEAD_BAND_MIN);
}

uint64_t policy_with_buffer(uint64_t bytes, uint32_t percent)
{
	return bytes + bytes / 100 * percent;
}

/* A host cannot have given what it has not got: then nothing of the sample means anything. */
static bool is_valid(const struct policy_vm *vm, const struct policy_host *host)
{
	return vm->minimum <= vm->maximum && vm->maximum <= POLICY_BYTES_MAX && vm->assigned > 0 &&
	       vm->assigned <= host->total && vm->assigned <= POLICY_BYTES_MAX &&
	       vm->rss <= host->total && vm->target <= POLICY_BYTES_MAX &&
	       vm->weight <= POLICY_WEIGHT_MAX && vm->buffer <= POLICY_BUFFER_MAX;
}

static bool is_left(const struct policy_settings *settings, const struct policy_vm *vm,
		    const struct policy_host *host, enum policy_reason *ret)
{
	if (!is_valid(vm, host))
		*ret = POLICY_INVALID;
	else if (vm->silent)
		*ret = POLICY_SILENT;
	else if (vm->is_static)
		*ret = POLICY_STATIC;
	else if (!vm->driver)
		*ret = POLICY_NO_DRIVER;
	else if (vm->grace_left_ns)
		*ret = POLICY_GRACE;
	else if (!vm->has_demand)
		*ret = POLICY_NO_REPORT;
	else if (vm->report_age_ns > settings->stale_ns)
		*ret = POLICY_STALE;
	else
		return false;
	return true;
}

/* --- What is remembered. -------------------------------------------------------------------- */

static void remember_moves(const struct policy_settings *settings, uint64_t now,
			   const struct policy_vm *vm, struct policy_state *state)
{
	const uint64_t far = max_of(policy_dead_band(settings, vm->assigned) / 2, POLICY_CHUNK);

	if (state->seen_ns && vm->target < state->target)
		state->lowered_ns = now;
	if (state->seen_ns == 0 || state->assigned != vm->assigned || state->target != vm->target) {
		if (state->assigned != vm->assigned)
			state->no_more_ns = state->no_less_ns = 0;
		state->assigned = vm->assigned;
		state->target = vm->target;
		state->changed_ns = now;
	}
	if (vm->target == 0 || now - state->changed_ns < settings->stuck_ns)
		return;
	if (vm->target > vm->assigned + far)
		state->no_more_ns = now + STUCK_PAUSES * settings->stuck_ns;
	else if (vm->target + far < vm->assigned)
		state->no_less_ns = now + STUCK_PAUSES * settings->stuck_ns;
}

void policy_limited(const struct policy_settings *settings, uint64_t now_ns,
		    struct policy_state *state, uint64_t told, uint64_t taken)
{
	const uint64_t until = now_ns + STUCK_PAUSES * settings->stuck_ns;

	if (told >= taken + POLICY_CHUNK)
		state->no_more_ns = until;
	else if (taken >= told + POLICY_CHUNK)
		state->no_less_ns = until;
}

/*
 * The highest demand of late: of this stretch of time and the one before, so that demand that comes
 * and goes is not followed. Of a VM seen for the first time, what it has is what it needed.
 */
static uint64_t remember_peak(const struct policy_settings *settings, uint64_t now, uint64_t demand,
			      const struct policy_vm *vm, struct policy_state *state)
{
	if (state->stretch_ns == 0) {
		state->peak = vm->assigned / (100 + vm->buffer) * 100;
		state->stretch_ns = now;
	} else if (now - state->stretch_ns >= settings->hold_ns) {
		state->before = state->peak;
		state->peak = demand;
		state->stretch_ns = now;
	}
	state->peak = max_of(state->peak, demand);
	return max_of(state->peak, state->before);
}

/* --- What it should have. ------------------------------------------------------------------- */

/* Sets *ret_used to what the guest uses; false: it cannot be known now. */
static bool used_of(uint64_t now, const struct policy_vm *vm, const struct policy_state *state,
		    uint64_t *ret_used)
{
	const uint64_t settled = now - state->changed_ns;

	if (!vm->has_available || vm->moving || settled < SETTLED_NS ||
	    vm->report_age_ns > settled || vm->available > vm->assigned)
		return false;
	*ret_used = vm->assigned - vm->available;
	return true;
}

static uint64_t in_chunks(uint64_t v, uint64_t low, uint64_t high)
{
	return clamp(align_up(v, POLICY_CHUNK), low, high);
}

/*
 * The floor is of the guest's last report, and as it was asked for memory then. A guest that is on
 * its way down has a lower one by the next report; it is not turned back for the sake of the old.
 */
static uint64_t floor_of(uint64_t now, const struct policy_vm *vm, const struct policy_state *state,
			 const struct policy_slot *slot)
{
	if (vm->moving || vm->report_age_ns > now - state->changed_ns)
		return min_of(vm->floor, slot->heading);
	return vm->floor;
}

static void set_wants(const struct policy_settings *settings, uint64_t now,
		      const struct policy_vm *vm, struct policy_state *state,
		      struct policy_slot *slot)
{
	const uint64_t floor = floor_of(now, vm, state, slot);
	const uint64_t low = min_of(max_of(vm->minimum, floor), vm->maximum);
	uint64_t demand = min_of(vm->demand, vm->maximum), used = 0, need, peak;

	if (used_of(now, vm, state, &used)) {
		slot->thrashing = vm->available < vm->assigned / THRASHING_PART;
		state->uncommitted = used > demand ? used - demand : 0;
	}
	demand = min_of(demand + state->uncommitted, vm->maximum);
	/* One that uses all it has shows only that it needs no less. */
	if (used && !slot->thrashing)
		state->excess = demand - min_of(demand, policy_with_buffer(used, vm->buffer));
	need = max_of(demand - min_of(state->excess, demand), min_of(used, demand));
	peak = remember_peak(settings, now, demand, vm, state);
	slot->low = low;
	slot->need = in_chunks(need, low, vm->maximum);
	slot->resting = slot->need <= slot->heading && state->lowered_ns &&
			now - state->lowered_ns < settings->hold_ns;
	slot->ideal = in_chunks(policy_with_buffer(demand, vm->buffer), slot->need, vm->maximum);
	slot->limit = in_chunks(policy_with_buffer(peak, vm->buffer), slot->ideal, vm->maximum);
}

/* What does not move stays where it is, and its promise is taken back. */
static void set_limits_of_stuck(uint64_t now, const struct policy_vm *vm,
				const struct policy_state *state, struct policy_slot *slot)
{
	if (now < state->no_more_ns) {
		slot->heading = min_of(slot->heading, max_of(vm->assigned, slot->low));
		slot->base = max_of(vm->assigned, slot->heading);
		slot->need = max_of(slot->low, min_of(slot->need, slot->base));
		slot->ideal = max_of(slot->low, min_of(slot->ideal, slot->base));
		slot->limit = max_of(slot->low, min_of(slot->limit, slot->base));
		slot->reason = POLICY_NO_MORE;
	} else if (now < state->no_less_ns) {
		slot->low = max_of(slot->low, min_of(vm->assigned, vm->maximum));
		slot->need = max_of(slot->need, slot->low);
		slot->ideal = max_of(slot->ideal, slot->low);
		slot->limit = max_of(slot->limit, slot->low);
		slot->reason = POLICY_NO_LESS;
	}
}

void policy_want(const struct policy_settings *settings, const struct policy_host *host,
		 uint64_t now_ns, const struct policy_vm *vm, struct policy_state *state,
		 struct policy_slot *slot)
{
	enum policy_reason why = POLICY_STEADY;
	const bool left = is_left(settings, vm, host, &why);

	*slot = (struct policy_slot){.left = left, .reason = why};
	if (why == POLICY_INVALID) {
		slot->heading = vm->target;
		return;
	}
	slot->weight = max_of(vm->weight, 1u);
	slot->heading = vm->target ? vm->target : vm->assigned;
	slot->base = max_of(vm->assigned, slot->heading);
	if (why == POLICY_STALE && slot->heading > vm->assigned)
		/* It will not take what was promised to it: others may. */
		slot->heading = slot->base =
			min_of(slot->heading, max_of(vm->assigned, vm->minimum));
	remember_moves(settings, now_ns, vm, state);
	if (slot->left) {
		slot->low = slot->need = slot->ideal = slot->limit = slot->base;
	} else {
		set_wants(settings, now_ns, vm, state, slot);
		set_limits_of_stuck(now_ns, vm, state, slot);
	}
	state->seen_ns = now_ns;
}
