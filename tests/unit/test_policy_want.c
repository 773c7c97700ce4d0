// SPDX-License-Identifier: MIT
/* What one VM should have, by itself: the second signal, what is held, and what cannot move. */
#include <check.h>
#include <stdlib.h>

#include "balancer/policy_want.h"

static const struct policy_host host = {.total = GiB(64), .available = GiB(32)};
static struct policy_settings settings;
static struct policy_state state;
static struct policy_slot slot;
static struct policy_vm vm;
static uint64_t now;

static void setup(void)
{
	policy_settings_init(&settings);
	now = NSEC_PER_SEC;
	state = (struct policy_state){0};
	vm = (struct policy_vm){.minimum = MiB(256),
				.maximum = GiB(8),
				.assigned = GiB(4),
				.target = GiB(4),
				.demand = GiB(2),
				.rss = GiB(4),
				.buffer = 20,
				.weight = 5000,
				.driver = true,
				.has_demand = true};
}

static void want_after(uint64_t seconds)
{
	now += seconds * NSEC_PER_SEC;
	policy_want(&settings, &host, now, &vm, &state, &slot);
}

static bool is_about(uint64_t a, uint64_t b)
{
	return max_of(a, b) - min_of(a, b) <= POLICY_CHUNK;
}

START_TEST(demand_and_buffer)
{
	want_after(1);
	ck_assert(!slot.left);
	ck_assert_uint_eq(slot.low, MiB(256));
	ck_assert_uint_eq(slot.need, GiB(2));
	ck_assert(is_about(slot.ideal, GiB(2) / 100 * 120));
	/* At first, it needed what it has. */
	ck_assert(is_about(slot.limit, GiB(4)));
	vm.buffer = 50;
	want_after(1);
	ck_assert(is_about(slot.ideal, GiB(3)));
	vm.demand = UINT64_MAX;
	want_after(1);
	ck_assert_uint_eq(slot.ideal, GiB(8));
	vm.demand = 0;
	vm.floor = MiB(700);
	want_after(1);
	ck_assert_uint_eq(slot.ideal, MiB(700));
}
END_TEST

/* A guest on its way down is not turned back by the floor that it had when it last reported. */
START_TEST(floor_of_an_old_report)
{
	vm.demand = MiB(600);
	vm.floor = MiB(1500);
	want_after(1);
	ck_assert_uint_eq(slot.low, MiB(1500));
	vm.target = GiB(1);
	vm.moving = true;
	want_after(1);
	ck_assert_uint_eq(slot.low, GiB(1));
	vm.moving = false;
	vm.assigned = MiB(1500);
	vm.report_age_ns = NSEC_PER_SEC / 2;
	want_after(1);
	ck_assert_uint_eq(slot.low, GiB(1));
	/* Now it has told that it needs so much. */
	want_after(1);
	ck_assert_uint_eq(slot.low, MiB(1500));
}
END_TEST

START_TEST(held_then_let_go)
{
	want_after(1);
	want_after(29);
	ck_assert(is_about(slot.limit, GiB(4)));
	want_after(1);
	want_after(30);
	ck_assert(is_about(slot.limit, GiB(2) / 100 * 120));
	/* A new peak is held, until a stretch without it is over. */
	vm.demand = GiB(3);
	want_after(1);
	vm.demand = GiB(1);
	want_after(29);
	ck_assert(is_about(slot.limit, GiB(3) / 100 * 120));
	want_after(30);
	ck_assert(is_about(slot.limit, GiB(1) / 100 * 120));
}
END_TEST

/* Committed, and not used: the need is less than the demand, the ideal is not. */
START_TEST(committed_and_available)
{
	vm.demand = GiB(6);
	vm.has_available = true;
	vm.available = GiB(2);
	want_after(1);
	ck_assert_uint_eq(slot.need, GiB(6));
	want_after(6);
	ck_assert(is_about(slot.need, GiB(2) / 100 * 120));
	ck_assert(is_about(slot.ideal, GiB(6) / 100 * 120));
	/* While it moves, or with a report from before, the excess is taken to be the same. */
	vm.moving = true;
	vm.available = 0;
	vm.demand = GiB(7);
	want_after(1);
	ck_assert(is_about(slot.need, GiB(1) + GiB(2) / 100 * 120));
	vm.moving = false;
	vm.report_age_ns = 60 * NSEC_PER_SEC;
	settings.stale_ns = 100 * NSEC_PER_SEC;
	want_after(1);
	ck_assert(is_about(slot.need, GiB(1) + GiB(2) / 100 * 120));
	/* More than there is of it: a lie. */
	vm.report_age_ns = 0;
	vm.available = GiB(5);
	want_after(1);
	ck_assert(is_about(slot.need, GiB(1) + GiB(2) / 100 * 120));
	vm.available = 0;
	vm.demand = GiB(3);
	want_after(1);
	ck_assert_uint_ge(slot.need, GiB(4));
}
END_TEST

/* Used, and not committed. */
START_TEST(used_and_nothing_available)
{
	vm.has_available = true;
	vm.available = MiB(40);
	want_after(1);
	ck_assert(!slot.thrashing);
	want_after(6);
	ck_assert(slot.thrashing);
	ck_assert(is_about(slot.need, GiB(4) - MiB(40)));
	ck_assert_uint_gt(slot.ideal, GiB(4));
}
END_TEST

START_TEST(left_alone)
{
	static const struct {
		enum policy_reason reason;
		size_t offset;
	} flags[] = {
		{POLICY_STATIC, offsetof(struct policy_vm, is_static)},
		{POLICY_SILENT, offsetof(struct policy_vm, silent)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		bool *flag = (bool *)((char *)&vm + flags[i].offset);

		*flag = true;
		want_after(1);
		ck_assert(slot.left);
		ck_assert_int_eq(slot.reason, flags[i].reason);
		ck_assert_uint_eq(slot.need, GiB(4));
		*flag = false;
	}
	vm.driver = false;
	want_after(1);
	ck_assert_int_eq(slot.reason, POLICY_NO_DRIVER);
	vm.driver = true;
	vm.has_demand = false;
	want_after(1);
	ck_assert_int_eq(slot.reason, POLICY_NO_REPORT);
	vm.grace_left_ns = 1;
	want_after(1);
	ck_assert_int_eq(slot.reason, POLICY_GRACE);
}
END_TEST

/* A guest that stopped reporting keeps what it has; what it was promised goes to others. */
START_TEST(stale)
{
	vm.report_age_ns = settings.stale_ns + 1;
	vm.target = GiB(6);
	want_after(1);
	ck_assert_int_eq(slot.reason, POLICY_STALE);
	ck_assert_uint_eq(slot.heading, GiB(4));
	ck_assert_uint_eq(slot.base, GiB(4));
	vm.target = GiB(2);
	want_after(1);
	ck_assert_uint_eq(slot.heading, GiB(2));
	ck_assert_uint_eq(slot.base, GiB(4));
}
END_TEST

START_TEST(impossible)
{
	const struct policy_vm good = vm;
	uint64_t *const sizes[] = {&vm.minimum, &vm.assigned, &vm.target, &vm.rss, &vm.maximum};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		*sizes[i] = UINT64_MAX;
		want_after(1);
		ck_assert_int_eq(slot.reason, POLICY_INVALID);
		ck_assert_uint_eq(slot.base, 0);
		vm = good;
	}
	vm.weight = POLICY_WEIGHT_MAX + 1;
	want_after(1);
	ck_assert_int_eq(slot.reason, POLICY_INVALID);
	vm = good;
	/* A configuration may say so. */
	vm.weight = 0;
	want_after(1);
	ck_assert_int_ne(slot.reason, POLICY_INVALID);
	ck_assert_uint_eq(slot.weight, 1);
	ck_assert_uint_eq(slot.base, GiB(4));
	vm = good;
	vm.assigned = GiB(65);
	want_after(1);
	ck_assert_int_eq(slot.reason, POLICY_INVALID);
}
END_TEST

/* Told to grow, or to shrink, and nothing happens: it is not counted on, for a while. */
START_TEST(stuck)
{
	vm.target = GiB(5);
	vm.demand = GiB(6);
	want_after(1);
	want_after(10);
	ck_assert_uint_gt(slot.ideal, GiB(7));
	want_after(10);
	ck_assert_int_eq(slot.reason, POLICY_NO_MORE);
	ck_assert_uint_eq(slot.heading, GiB(4));
	ck_assert_uint_eq(slot.ideal, GiB(4));
	vm.target = GiB(4);
	want_after(1);
	ck_assert_int_eq(slot.reason, POLICY_NO_MORE);
	want_after(200);
	ck_assert_int_eq(slot.reason, POLICY_STEADY);
	vm.target = GiB(2);
	vm.demand = GiB(1);
	want_after(1);
	want_after(20);
	ck_assert_int_eq(slot.reason, POLICY_NO_LESS);
	ck_assert_uint_eq(slot.low, GiB(4));
	/* It moved after all, as far as it could. */
	vm.assigned = GiB(3);
	want_after(1);
	ck_assert_int_eq(slot.reason, POLICY_STEADY);
	ck_assert_uint_eq(slot.low, MiB(256));
	policy_limited(&settings, now, &state, GiB(2), GiB(2) + 4096);
	want_after(1);
	ck_assert_int_eq(slot.reason, POLICY_STEADY);
	policy_limited(&settings, now, &state, GiB(2), GiB(3));
	want_after(1);
	ck_assert_int_eq(slot.reason, POLICY_NO_LESS);
	want_after(200);
	vm.target = GiB(3);
	want_after(1);
	policy_limited(&settings, now, &state, GiB(4), GiB(3));
	want_after(1);
	ck_assert_int_eq(slot.reason, POLICY_NO_MORE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_want");
	TCase *tc = tcase_create("policy_want");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, demand_and_buffer);
	tcase_add_test(tc, floor_of_an_old_report);
	tcase_add_test(tc, held_then_let_go);
	tcase_add_test(tc, committed_and_available);
	tcase_add_test(tc, used_and_nothing_available);
	tcase_add_test(tc, left_alone);
	tcase_add_test(tc, stale);
	tcase_add_test(tc, impossible);
	tcase_add_test(tc, stuck);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
