// SPDX-License-Identifier: MIT
/* The policy: what holds for any fleet, and what must happen in those that people have. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "balancer/policy.h"
#include "fleet_fake.h"

static struct fleet f;

/* --- Any fleet. ----------------------------------------------------------------------------- */

static uint64_t up_to(uint64_t limit)
{
	return limit ? fleet_random(&f) % limit : 0;
}

static void random_vm(void)
{
	const uint64_t minimum = MiB(64) + up_to(GiB(2)), maximum = minimum + up_to(GiB(8));
	struct policy_vm *vm = fleet_add(&f, minimum + up_to(maximum - minimum + 1), minimum,
					 maximum, up_to(GiB(12)));
	const uint64_t odd = fleet_random(&f);

	vm->weight = 1 + (uint32_t)up_to(POLICY_WEIGHT_MAX);
	vm->buffer = (uint32_t)up_to(60);
	vm->rss = vm->assigned - up_to(vm->assigned / 2);
	if (odd % 3 == 0)
		vm->target = minimum + up_to(maximum - minimum + 1);
	vm->has_available = odd % 5 != 0;
	vm->available = up_to(vm->assigned);
	vm->report_age_ns = odd % 17 == 0 ? GiB(100) : 0;
	vm->is_static = odd % 19 == 0;
	vm->driver = odd % 23 != 0;
	vm->silent = odd % 29 == 0;
	if (odd % 31 == 0)
		vm->demand = UINT64_MAX;
	if (odd % 37 == 0)
		vm->assigned = UINT64_MAX - up_to(GiB(1));
	if (odd % 41 == 0)
		vm->floor = up_to(GiB(4));
	if (odd % 43 == 0)
		vm->target = up_to(UINT64_MAX);
}

static void random_fleet(size_t n)
{
	fleet_init(&f, n * GiB(1) + up_to(n * GiB(6)));
	f.random ^= n * 0x9e3779b97f4a7c15ull;
	while (f.n < n)
		random_vm();
	f.host.available = up_to(f.host.total);
	f.host.stall = up_to(7) ? 0 : 50;
}

static bool is_touched(const struct policy_decision *d, const struct policy_vm *vm)
{
	return d->target != vm->target;
}

static void check_limits(void)
{
	for (size_t i = 0; i < f.n; i++) {
		const struct policy_vm *vm = &f.vms[i];
		const struct policy_decision *d = &f.decisions[i];

		if (!is_touched(d, vm))
			continue;
		ck_assert_int_ne(d->reason, POLICY_INVALID);
		ck_assert_uint_le(d->target, max_of(vm->maximum, vm->assigned));
		if (d->target < vm->target)
			ck_assert_uint_ge(d->target, min_of(vm->minimum, vm->assigned));
		if (d->reason >= POLICY_STEADY)
			ck_assert_uint_le(d->target, vm->maximum);
	}
}

/* What is promised after a decision is what was before, and what the host could spare. */
static void check_sum(void)
{
	uint64_t before = 0, after = 0;

	for (size_t i = 0; i < f.n; i++) {
		const struct policy_vm *vm = &f.vms[i];

		if (f.decisions[i].reason == POLICY_INVALID)
			continue;
		before += fleet_promise(vm);
		after += max_of(vm->assigned, f.decisions[i].target);
	}
	ck_assert_uint_le(after, before + f.totals.spare);
	if (f.totals.stalled)
		ck_assert_uint_le(after, before);
}

START_TEST(any_fleet)
{
	for (size_t n = 1; n <= 150; n++) {
		random_fleet(n);
		for (int round = 0; round < 4; round++) {
			fleet_decide(&f);
			check_limits();
			check_sum();
			for (size_t i = 0; i < n; i++)
				if (fleet_random(&f) % 2 && f.decisions[i].reason != POLICY_INVALID)
					f.vms[i].target = f.decisions[i].target;
		}
	}
}
END_TEST

/* --- Fleets that do as they are told. ------------------------------------------------------- */

static void sane_fleet(size_t n, unsigned int plenty)
{
	uint64_t ideal = 0;

	fleet_init(&f, n * GiB(16));
	f.random += n;
	while (f.n < n) {
		const uint64_t minimum = MiB(128) + up_to(MiB(256));
		const uint64_t demand = up_to(GiB(4));
		struct policy_vm *vm = fleet_add(&f, minimum, minimum, GiB(4), demand);

		vm->weight = 100 + (uint32_t)up_to(9900);
		ideal += max_of(minimum, min_of(demand / 100 * 120, GiB(4)));
	}
	/* So many percent of what all should have, and the reserve. */
	f.host.total = ideal / 95 * plenty + MiB(64) * n;
	fleet_settle_host(&f, 0);
}

static void settle(unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds; i++)
		fleet_step(&f, MiB(512));
}

/* Decides amid noise, and does what is decided; VMs that were sent up and down, or down and up. */
static unsigned int reversals_of(int rounds)
{
	static int8_t last[FLEET_MAX];
	unsigned int reversals = 0;

	memset(last, 0, sizeof(last));
	for (int round = 0; round < rounds; round++) {
		const uint64_t noise = up_to(f.host.total / 400);

		/* The host's own memory is never quiet, and neither are guests. */
		fleet_settle_host(&f, noise);
		for (size_t i = 0; i < f.n; i++)
			f.vms[i].demand += f.vms[i].demand / 400 * (round % 2 ? 1 : -1);
		fleet_decide(&f);
		for (size_t i = 0; i < f.n; i++) {
			struct policy_vm *vm = &f.vms[i];
			const uint64_t target = f.decisions[i].target;
			const int8_t way = target > vm->target ? 1 : target < vm->target ? -1 : 0;

			reversals += way && last[i] == -way;
			last[i] = way ? way : last[i];
			vm->assigned = vm->rss = vm->target = target;
		}
	}
	return reversals;
}

START_TEST(steady)
{
	for (unsigned int plenty = 50; plenty <= 140; plenty += 10) {
		sane_fleet(60, plenty);
		settle(90);
		ck_assert_msg(reversals_of(300) == 0, "%u%%", plenty);
		ck_assert_uint_eq(f.totals.moved, 0);
	}
}
END_TEST

/* Asked twice, it says the same. */
START_TEST(idempotent)
{
	static struct policy_decision first[FLEET_MAX];

	for (unsigned int plenty = 60; plenty <= 120; plenty += 20) {
		sane_fleet(80, plenty);
		settle(3);
		fleet_decide(&f);
		memcpy(first, f.decisions, sizeof(first));
		f.now -= NSEC_PER_SEC;
		fleet_decide(&f);
		for (size_t i = 0; i < f.n; i++)
			ck_assert_uint_eq(first[i].target, f.decisions[i].target);
	}
}
END_TEST

/* Nobody lacks anything while the host has more than it keeps, or somebody a surplus. */
START_TEST(work_conserving)
{
	for (unsigned int plenty = 50; plenty <= 150; plenty += 10) {
		uint64_t lacking = 0, surplus = 0, band = 0;

		sane_fleet(100, plenty);
		settle(120);
		for (size_t i = 0; i < f.n; i++) {
			const struct policy_vm *vm = &f.vms[i];
			const uint64_t ideal = f.decisions[i].ideal;

			if (vm->assigned < ideal)
				lacking += ideal - vm->assigned;
			else
				surplus += vm->assigned - ideal;
			band += max_of(vm->assigned * 5 / 100, MiB(8));
		}
		if (plenty >= 110)
			ck_assert_uint_le(lacking, band);
		if (lacking > band) {
			ck_assert_uint_le(surplus, band);
			ck_assert_uint_le(f.totals.spare, f.host.total / 256 + band);
		}
	}
}
END_TEST

/* When memory is short: nobody has more for their weight than one who lacks. */
START_TEST(weight_fair)
{
	double lowest = 1e30, highest = 0;

	sane_fleet(100, 60);
	for (size_t i = 0; i < f.n; i++) {
		f.vms[i].demand = GiB(4);
		f.vms[i].weight = i % 2 ? 2000 : 1000;
	}
	settle(200);
	for (size_t i = 0; i < f.n; i++) {
		const double level = (double)f.vms[i].assigned / f.vms[i].weight;

		if (f.vms[i].assigned >= GiB(4) || f.vms[i].assigned <= f.vms[i].minimum + MiB(64))
			continue;
		lowest = min_of(lowest, level);
		highest = max_of(highest, level);
	}
	ck_assert_double_gt(lowest, 0);
	ck_assert_double_le(highest, lowest * 1.08);
}
END_TEST

/* A guest that lies gets its share by weight, and no more. */
START_TEST(liar)
{
	fleet_init(&f, GiB(8));
	for (int i = 0; i < 4; i++)
		fleet_add(&f, GiB(1), MiB(256), GiB(8), GiB(3));
	f.vms[0].demand = UINT64_MAX;
	fleet_settle_host(&f, 0);
	settle(60);
	for (int i = 1; i < 4; i++)
		ck_assert_uint_le(f.vms[0].assigned, f.vms[i].assigned + MiB(128));
}
END_TEST

/* --- What people have. ---------------------------------------------------------------------- */

/* Three on a full host, one held at pressure 150; two end, and it is raised to its maximum. */
START_TEST(two_shut_down)
{
	int rounds = 0;

	fleet_init(&f, GiB(16));
	fleet_add(&f, GiB(5), GiB(5), GiB(8), GiB(5));
	fleet_add(&f, GiB(5), GiB(5), GiB(8), GiB(5));
	fleet_add(&f, GiB(4), GiB(1), GiB(8), GiB(6));
	fleet_settle_host(&f, GiB(1) + MiB(160));
	settle(60);
	ck_assert_uint_eq(policy_pressure(f.vms[2].demand, f.vms[2].assigned), 150);
	ck_assert_int_eq(f.decisions[2].reason, POLICY_SHARE);
	f.vms[0] = f.vms[2];
	f.states[0] = f.states[2];
	f.n = 1;
	f.vms[0].demand = GiB(7);
	fleet_settle_host(&f, GiB(1));
	for (; f.vms[0].assigned < GiB(8); rounds++) {
		ck_assert_int_lt(rounds, 6);
		fleet_step(&f, GiB(1));
	}
	fleet_decide(&f);
	ck_assert_int_eq(f.decisions[0].reason, POLICY_AT_MAXIMUM);
}
END_TEST

/* The host has none free: what one needs comes from the least pressed other. */
START_TEST(from_the_least_pressed)
{
	fleet_init(&f, GiB(8));
	fleet_add(&f, GiB(2), MiB(256), GiB(4), GiB(1) + MiB(600));
	fleet_add(&f, GiB(3), MiB(256), GiB(4), MiB(500));
	fleet_add(&f, GiB(2), MiB(256), GiB(4), GiB(2));
	fleet_settle_host(&f, MiB(600));
	fleet_decide(&f);
	ck_assert_int_eq(f.decisions[1].reason, POLICY_OTHERS);
	ck_assert_uint_lt(f.decisions[1].target, GiB(3));
	ck_assert_uint_eq(f.decisions[0].target, GiB(2));
	ck_assert_int_eq(f.decisions[2].reason, POLICY_WAITING);
	settle(4);
	ck_assert_uint_ge(f.vms[2].assigned, GiB(2) + MiB(300));
}
END_TEST

/* The one below its minimum, and the one with nothing left, come before a larger weight. */
START_TEST(first_things_first)
{
	fleet_init(&f, GiB(8));
	fleet_add(&f, GiB(2), MiB(256), GiB(6), GiB(6))->weight = 10000;
	fleet_add(&f, MiB(512), GiB(1), GiB(4), GiB(1));
	fleet_settle_host(&f, GiB(4) + MiB(900));
	fleet_decide(&f);
	ck_assert_int_eq(f.decisions[1].reason, POLICY_BELOW_MINIMUM);
	ck_assert_uint_gt(f.decisions[1].target, MiB(512));
	ck_assert_uint_le(f.decisions[0].target, GiB(2));
}
END_TEST

/* The host is short: it is given back at once, and never below a minimum. */
START_TEST(host_short)
{
	fleet_init(&f, GiB(8));
	fleet_add(&f, GiB(4), GiB(1), GiB(6), GiB(3));
	fleet_add(&f, GiB(3), GiB(2), GiB(6), GiB(3));
	f.host.available = MiB(100);
	fleet_decide(&f);
	ck_assert_int_eq(f.decisions[0].reason, POLICY_HOST_SHORT);
	ck_assert_uint_gt(f.totals.short_of, MiB(300));
	ck_assert_uint_le(f.decisions[0].target + f.decisions[1].target,
			  GiB(7) - f.totals.short_of + 2 * POLICY_CHUNK);
	f.host.available = 0;
	settle(20);
	ck_assert_uint_ge(f.vms[0].assigned, GiB(1));
	ck_assert_uint_ge(f.vms[1].assigned, GiB(2));
}
END_TEST

/* What guests were promised and have not touched is not there to be given. */
START_TEST(promises)
{
	fleet_init(&f, GiB(8));
	fleet_add(&f, GiB(4), GiB(1), GiB(4), GiB(3))->rss = MiB(100);
	fleet_add(&f, GiB(2), GiB(1), GiB(6), GiB(5));
	fleet_settle_host(&f, MiB(500));
	ck_assert_uint_gt(f.host.available, GiB(5));
	fleet_decide(&f);
	ck_assert_uint_le(f.decisions[1].target, GiB(3) + MiB(200));
}
END_TEST

/* A host that stalls for memory gives none. */
START_TEST(stalled)
{
	fleet_init(&f, GiB(16));
	fleet_add(&f, GiB(2), GiB(1), GiB(6), GiB(5));
	fleet_settle_host(&f, 0);
	f.host.stall = 40;
	fleet_decide(&f);
	ck_assert_uint_eq(f.decisions[0].target, GiB(2));
	ck_assert_int_eq(f.decisions[0].reason, POLICY_WAITING);
	ck_assert(f.totals.stalled);
	f.host.stall = 0;
	f.host.swapping = true;
	fleet_decide(&f);
	ck_assert_uint_eq(f.decisions[0].target, GiB(2));
	f.host.swapping = false;
	fleet_decide(&f);
	ck_assert_uint_gt(f.decisions[0].target, GiB(2));
}
END_TEST

/* Idle memory comes back in its time, in steps, and to the buffer only. */
START_TEST(idle)
{
	uint64_t last = GiB(4);

	fleet_init(&f, GiB(16));
	fleet_add(&f, GiB(4), MiB(256), GiB(4), GiB(1));
	fleet_settle_host(&f, 0);
	for (int i = 0; i < 25; i++) {
		fleet_step(&f, GiB(1));
		ck_assert_uint_eq(f.vms[0].assigned, GiB(4));
		ck_assert_int_eq(f.decisions[0].reason, POLICY_HELD);
	}
	for (int i = 0; i < 120; i++) {
		fleet_step(&f, GiB(1));
		ck_assert_uint_le(last - f.vms[0].assigned, GiB(1) + POLICY_CHUNK);
		last = f.vms[0].assigned;
	}
	ck_assert_uint_ge(last, GiB(1) / 100 * 120);
	ck_assert_uint_le(last, GiB(1) / 100 * 130);
}
END_TEST

/* What the buffer is for: demand that grows by less than it never waits. */
START_TEST(buffer_speeds_growth)
{
	for (uint32_t buffer = 0; buffer <= 20; buffer += 20) {
		unsigned int lacking = 0;

		fleet_init(&f, GiB(16));
		fleet_add(&f, GiB(1), MiB(256), GiB(8), GiB(1))->buffer = buffer;
		fleet_settle_host(&f, 0);
		settle(5);
		for (int i = 0; i < 20; i++) {
			f.vms[0].demand += i % 5 ? 0 : f.vms[0].demand / 100 * 15;
			lacking += f.vms[0].demand > f.vms[0].assigned;
			fleet_step(&f, GiB(1));
		}
		ck_assert_uint_eq(lacking, buffer ? 0 : 4);
	}
}
END_TEST

/* 4 GiB visible at pressure 150 is 6 GiB committed. */
START_TEST(pressure)
{
	ck_assert_uint_eq(policy_pressure(GiB(6), GiB(4)), 150);
	ck_assert_uint_eq(policy_committed(150, GiB(4)), GiB(6));
	ck_assert_uint_eq(policy_pressure(GiB(3), GiB(4)), 75);
	ck_assert_uint_eq(policy_pressure(GiB(3), 0), 0);
	ck_assert_uint_eq(policy_pressure(0, GiB(1)), 0);
	ck_assert_uint_eq(policy_pressure(UINT64_MAX, 1), UINT32_MAX);
	ck_assert_uint_eq(policy_pressure(UINT64_MAX, GiB(1024)), UINT64_MAX / GiB(1024) * 100);
}
END_TEST

/* Nothing there, and nobody. */
START_TEST(nothing)
{
	fleet_init(&f, GiB(1));
	fleet_decide(&f);
	ck_assert_uint_eq(f.totals.reporting, 0);
	f.host = (struct policy_host){0};
	fleet_add(&f, GiB(1), 0, GiB(1), 0);
	fleet_decide(&f);
	ck_assert_int_eq(f.decisions[0].reason, POLICY_INVALID);
	ck_assert_uint_eq(f.decisions[0].target, GiB(1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy");
	TCase *any = tcase_create("any fleet");
	TCase *people = tcase_create("what people have");
	SRunner *runner;
	int failed;

	tcase_set_timeout(any, 60);
	tcase_add_test(any, any_fleet);
	tcase_add_test(any, steady);
	tcase_add_test(any, idempotent);
	tcase_add_test(any, work_conserving);
	tcase_add_test(any, weight_fair);
	tcase_add_test(any, liar);
	suite_add_tcase(suite, any);
	tcase_add_test(people, two_shut_down);
	tcase_add_test(people, from_the_least_pressed);
	tcase_add_test(people, first_things_first);
	tcase_add_test(people, host_short);
	tcase_add_test(people, promises);
	tcase_add_test(people, stalled);
	tcase_add_test(people, idle);
	tcase_add_test(people, buffer_speeds_growth);
	tcase_add_test(people, pressure);
	tcase_add_test(people, nothing);
	suite_add_tcase(suite, people);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
