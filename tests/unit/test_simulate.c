// SPDX-License-Identifier: MIT
/* Simulated fleets: what must come of them, and that the same comes again. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "balancer/simulate.h"

static struct policy_settings settings;
static struct sim_summary sum, mom;
static struct sim_spec spec;
static struct error err;

static void setup(void)
{
	policy_settings_init(&settings);
	sim_spec_init(&spec);
}

static void run(enum sim_policy policy, struct sim_summary *ret)
{
	ck_assert_msg(sim_run(&spec, policy, &settings, NULL, ret, &err) == 0, "%s", err.text);
}

/* A day of VMs of all kinds, more than the host has memory for at its worst hours. */
START_TEST(day)
{
	struct sim_summary again;

	spec.vms = 20;
	spec.hours = 10;
	spec.interval_ns = 10 * NSEC_PER_SEC;
	for (spec.seed = 1; spec.seed <= 3; spec.seed++) {
		spec.host_memory = GiB(44);
		run(SIM_CANDELA, &sum);
		ck_assert_uint_eq(sum.starved, 0);
		ck_assert_uint_eq(sum.reversals, 0);
		ck_assert_uint_eq(sum.overcommitted_s, 0);
		ck_assert_uint_eq(sum.vm_seconds, 20 * 10 * 3600);
		ck_assert_uint_gt(sum.orders, 100);
		ck_assert_uint_gt(sum.waits, 10);
	}
	run(SIM_CANDELA, &sum);
	run(SIM_CANDELA, &again);
	sum.decide_ns = again.decide_ns = 0;
	ck_assert_mem_eq(&sum, &again, sizeof(sum));
}
END_TEST

/* From "a VM needs 256 MiB, and the host has none free" to the guest having it. */
START_TEST(need)
{
	spec.scenario = SIM_NEED;
	run(SIM_CANDELA, &sum);
	run(SIM_MOM, &mom);
	ck_assert_uint_le(sum.need_ms, 3000);
	ck_assert_uint_ge(mom.need_ms, 10 * sum.need_ms);
	ck_assert_uint_le(sum.thrash_gib_s, mom.thrash_gib_s);
	ck_assert_uint_le(sum.thrash_seconds, mom.thrash_seconds);
}
END_TEST

/* Of three on a full host two end, and the third has its maximum within seconds. */
START_TEST(shutdown_of_two)
{
	const uint64_t half_ms = 1800 * 1000;
	struct series series;
	size_t at;

	spec.scenario = SIM_SHUTDOWN;
	spec.hours = 1;
	series_init(&series);
	ck_assert_int_eq(sim_run(&spec, SIM_CANDELA, &settings, &series, &sum, &err), 0);
	ck_assert_int_eq(series_find_vm(&series, "vm0003", &at), 0);
	for (size_t i = 0; i < series.vms[at].count; i++) {
		const struct series_point *p = &series.vms[at].points[i];

		if (p->time_ms < half_ms)
			ck_assert_uint_ge(p->pressure, 145);
		else if (p->time_ms > half_ms + 15000)
			ck_assert_uint_eq(p->assigned, GiB(8));
	}
	ck_assert_uint_gt(series.move_count, 0);
	series_finish(&series);
}
END_TEST

START_TEST(recorded)
{
	struct series series;
	size_t at;

	series_init(&series);
	ck_assert_int_eq(series_find_vm(&series, "a", &at), 0);
	series.vms[at].minimum = MiB(256);
	series.vms[at].maximum = GiB(4);
	series.vms[at].buffer = 20;
	for (uint64_t t = 0; t < 600; t++) {
		const struct series_point point = {.time_ms = 1700000000000ull + t * 1000,
						   .assigned = GiB(1),
						   .demand = t < 300 ? MiB(500) : GiB(2)};

		ck_assert_int_eq(series_add_point(&series, at, &point), 0);
	}
	/* One that says nothing, and one whose numbers cannot be. */
	ck_assert_int_eq(series_find_vm(&series, "empty", &at), 0);
	ck_assert_int_eq(series_find_vm(&series, "mad", &at), 0);
	series.vms[at].minimum = UINT64_MAX;
	series.vms[at].weight = UINT32_MAX;
	ck_assert_int_eq(series_add_point(&series, at,
					  &(struct series_point){.assigned = UINT64_MAX,
								 .demand = UINT64_MAX}),
			 0);
	spec.recorded = &series;
	spec.host_memory = GiB(8);
	run(SIM_CANDELA, &sum);
	ck_assert_uint_eq(sum.waits, 1);
	ck_assert_uint_le(sum.wait_max_s, 6);
	run(SIM_MOM, &mom);
	series_finish(&series);
}
END_TEST

START_TEST(too_many)
{
	spec.vms = POLICY_VMS_MAX;
	ck_assert_int_eq(sim_run(&spec, SIM_CANDELA, &settings, NULL, &sum, &err), -EINVAL);
	spec.vms = 0;
	ck_assert_int_eq(sim_run(&spec, SIM_CANDELA, &settings, NULL, &sum, &err), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("simulate");
	TCase *tc = tcase_create("simulate");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, day);
	tcase_add_test(tc, need);
	tcase_add_test(tc, shutdown_of_two);
	tcase_add_test(tc, recorded);
	tcase_add_test(tc, too_many);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
