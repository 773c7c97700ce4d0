// SPDX-License-Identifier: MIT
/* Weights, reserves and limits: the founding examples, and what reserves make of weights. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cpu_list.h"
#include "vmm/cpu_share.h"

#define CLAIMS_MAX 64

static struct cpu_claim claims[CLAIMS_MAX];
static uint32_t weights[CLAIMS_MAX], all;
static size_t count;
static cpu_set_t host;

static void on(cpu_set_t *set, const char *list)
{
	ck_assert_int_eq(cpu_list_parse(list, strlen(list), set), 0);
}

static void setup(void)
{
	count = 0;
	on(&host, "0-1");
}

/* @vps VPs of one VM. */
static void add(unsigned int vps, uint32_t weight, uint32_t reserve, const char *list)
{
	for (unsigned int i = 0; i < vps; i++) {
		claims[count] = (struct cpu_claim){
			.weight = weight, .reserve = reserve, .limit = CPU_PERCENT_MAX};
		on(&claims[count++].cpus, list);
	}
}

static void weigh(void)
{
	ck_assert_int_eq(cpu_share_weights(claims, count, weights, &all), 0);
}

/* Of VP @i on one processor with those VPs from @first to @last that are not itself, in percent. */
static double share_among(size_t i, size_t first, size_t last)
{
	double sum = 0;

	for (size_t j = first; j <= last; j++)
		sum += weights[j];
	return 100.0 * weights[i] / sum;
}

START_TEST(plain)
{
	add(2, 200, 0, "0-1");
	add(2, 200, 0, "0-1");
	add(2, 50, 0, "0-1");
	add(2, 50, 0, "0-1");
	weigh();
	ck_assert_uint_eq(weights[0], 200);
	ck_assert_uint_eq(weights[7], 50);
	ck_assert_uint_eq(all, 1000);
}
END_TEST

START_TEST(extremes)
{
	add(1, 1, 0, "0");
	add(1, CPU_WEIGHT_MAX, 0, "0");
	weigh();
	ck_assert_uint_eq(weights[0], 1);
	ck_assert_uint_eq(weights[1], CPU_WEIGHT_MAX);
	ck_assert_uint_eq(all, CPU_WEIGHT_MAX);
	count = 0;
	weigh();
	ck_assert_uint_eq(all, 1);
}
END_TEST

START_TEST(reserve_that_the_weight_gives_anyway)
{
	add(2, 200, 10, "0-1");
	add(2, 200, 10, "0-1");
	add(2, 100, 10, "0-1");
	add(2, 100, 10, "0-1");
	weigh();
	ck_assert_uint_eq(weights[0], 200);
	ck_assert_uint_eq(weights[6], 100);
	ck_assert_uint_eq(all, 1200);
}
END_TEST

START_TEST(reserve_on_one_processor)
{
	add(1, 1000, 0, "0");
	add(1, 10, 60, "0");
	weigh();
	ck_assert_uint_eq(weights[0], 1000);
	ck_assert_double_ge(share_among(1, 0, 1), 60);
	/* Beside a thread of the host's it is just that. */
	ck_assert_double_eq_tol(100.0 * weights[1] / (weights[0] + weights[1] + 100), 60, 0.1);
	ck_assert_uint_eq(all, weights[0] + weights[1]);
}
END_TEST

START_TEST(reserves_beside_each_other)
{
	add(1, 1000, 0, "0");
	add(1, 10, 40, "0");
	add(1, 10, 30, "0");
	weigh();
	ck_assert_double_ge(share_among(1, 0, 2), 39.9);
	ck_assert_double_ge(share_among(2, 0, 2), 29.9);
}
END_TEST

/* Three VPs on two processors: two share one, and the reserve holds there. */
START_TEST(reserve_wherever_it_runs)
{
	add(1, 1, 50, "0-1");
	add(1, 100, 0, "0-1");
	add(1, 100, 0, "0-1");
	weigh();
	ck_assert_double_ge(share_among(0, 0, 1), 49.9);
}
END_TEST

START_TEST(whole_processor)
{
	add(1, 100, 100, "0-1");
	add(2, 100, 0, "0-1");
	weigh();
	ck_assert_uint_eq(weights[0], CPU_WEIGHT_MAX);
	ck_assert_uint_eq(weights[1], 100);
}
END_TEST

/* What is too large for cpu.weight shrinks together. */
START_TEST(scale)
{
	add(1, CPU_WEIGHT_MAX, 0, "0");
	add(1, 100, 60, "0");
	weigh();
	ck_assert_uint_eq(weights[1], CPU_WEIGHT_MAX);
	ck_assert_double_ge(share_among(1, 0, 1), 59.9);
}
END_TEST

START_TEST(room)
{
	struct cpu_shortage shortage;

	add(2, 100, 60, "0-1");
	ck_assert_int_eq(cpu_share_check(claims, count, &host, &shortage), 0);
	add(1, 100, 70, "0-1");
	ck_assert_int_eq(cpu_share_check(claims, count, &host, &shortage), 0);
	add(1, 100, 1, "0-1");
	ck_assert_int_eq(cpu_share_check(claims, count, &host, &shortage), -ENOSPC);
	ck_assert_uint_eq(shortage.reservable, 190);
	ck_assert_uint_eq(shortage.reserved, 191);
	ck_assert_int_eq(CPU_COUNT(&shortage.cpus), 2);
	ck_assert_uint_eq(cpu_share_reserved(claims + 3, 1, &shortage.cpus), 1);
}
END_TEST

START_TEST(room_where_it_may_run)
{
	struct cpu_shortage shortage;

	on(&host, "0-3");
	add(1, 100, 100, "3");
	ck_assert_int_eq(cpu_share_check(claims, count, &host, &shortage), 0);
	add(1, 100, 1, "3");
	ck_assert_int_eq(cpu_share_check(claims, count, &host, &shortage), -ENOSPC);
	ck_assert_uint_eq(shortage.reservable, 100);
	ck_assert(CPU_ISSET(3, &shortage.cpus));
	/* Only together they are too many: each has room where it may run. */
	count = 0;
	add(2, 100, 80, "0-1");
	add(1, 100, 90, "1-2");
	ck_assert_int_eq(cpu_share_check(claims, count, &host, &shortage), 0);
	add(1, 100, 60, "0,2");
	ck_assert_int_eq(cpu_share_check(claims, count, &host, &shortage), -ENOSPC);
	ck_assert_uint_eq(shortage.reservable, 300);
	ck_assert_uint_eq(shortage.reserved, 310);
}
END_TEST

START_TEST(limits)
{
	uint32_t quota, period;

	cpu_share_max(100, &quota, &period);
	ck_assert_uint_eq(quota, 0);
	for (uint32_t limit = 1; limit < 100; limit++) {
		cpu_share_max(limit, &quota, &period);
		ck_assert_uint_ge(quota, 1000);
		ck_assert_uint_eq(quota * 100, period * limit);
		ck_assert_uint_le(period, 100000);
		ck_assert_uint_ge(period, 20000);
	}
}
END_TEST

START_TEST(claim_text)
{
	static const char *const bad[] = {"",
					  "100",
					  "100 0 100",
					  "0 0 100 0",
					  "100 0 0 0",
					  "100 0 101 0",
					  "100 60 50 0",
					  "100 0 100 x",
					  "10001 0 100 0"};
	struct cpu_claim claim, back;
	char text[CPU_CLAIM_TEXT_MAX];

	add(1, 250, 10, "0-3,8");
	claims[0].limit = 50;
	ck_assert(cpu_claim_print(&claims[0], text, sizeof(text)));
	ck_assert_str_eq(text, "250 10 50 0-3,8");
	ck_assert_int_eq(cpu_claim_parse(text, &back), 0);
	ck_assert(cpu_claim_equal(&claims[0], &back));
	back.weight++;
	ck_assert(!cpu_claim_equal(&claims[0], &back));
	ck_assert(!cpu_claim_print(&claims[0], text, 8));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(cpu_claim_parse(bad[i], &claim) == -EINVAL, "%s", bad[i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cpu_share");
	TCase *t = tcase_create("cpu_share");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, plain);
	tcase_add_test(t, extremes);
	tcase_add_test(t, reserve_that_the_weight_gives_anyway);
	tcase_add_test(t, reserve_on_one_processor);
	tcase_add_test(t, reserves_beside_each_other);
	tcase_add_test(t, reserve_wherever_it_runs);
	tcase_add_test(t, whole_processor);
	tcase_add_test(t, scale);
	tcase_add_test(t, room);
	tcase_add_test(t, room_where_it_may_run);
	tcase_add_test(t, limits);
	tcase_add_test(t, claim_text);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
