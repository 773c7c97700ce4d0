// SPDX-License-Identifier: MIT
/* Samples and history lines: what is right comes through unchanged, what is wrong not at all. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "candela/cmd_balance_sample.h"

static struct series series;

static int parse(const char *text, struct balance_sample *ret)
{
	struct json_object *o = json_tokener_parse(text);
	int r = balance_sample_parse(o, ret);

	json_object_put(o);
	return r;
}

static int read_line(const char *line)
{
	return balance_line_read(&series, line, strlen(line));
}

START_TEST(answer)
{
	struct balance_sample s;

	ck_assert_int_eq(
		parse("{\"static\":false,\"startup\":1,\"minimum\":2,\"maximum\":3,\"buffer\":20,"
		      "\"weight\":5000,\"assigned\":4,\"target\":5,\"demand\":6,\"available\":7,"
		      "\"pressure\":150,\"floor\":8,\"driver\":true,\"version\":\"3.0\","
		      "\"report-age-ns\":9,\"grace-left-ns\":10,\"add-operations\":11,"
		      "\"remove-operations\":12,\"add-bytes\":13,\"remove-bytes\":14,"
		      "\"buffer-hits\":15,\"buffer-misses\":16,\"host-rss\":17,\"moving\":true,"
		      "\"refusals\":18,\"more\":[1]}",
		      &s),
		0);
	ck_assert(!s.vm.is_static && s.vm.driver && s.vm.moving);
	ck_assert(s.vm.has_demand && s.vm.has_available);
	ck_assert_uint_eq(s.startup, 1);
	ck_assert_uint_eq(s.vm.minimum, 2);
	ck_assert_uint_eq(s.vm.maximum, 3);
	ck_assert_uint_eq(s.vm.assigned, 4);
	ck_assert_uint_eq(s.vm.target, 5);
	ck_assert_uint_eq(s.vm.demand, 6);
	ck_assert_uint_eq(s.vm.available, 7);
	ck_assert_uint_eq(s.vm.floor, 8);
	ck_assert_uint_eq(s.vm.report_age_ns, 9);
	ck_assert_uint_eq(s.vm.grace_left_ns, 10);
	ck_assert_uint_eq(s.counts.add_operations, 11);
	ck_assert_uint_eq(s.counts.remove_operations, 12);
	ck_assert_uint_eq(s.counts.add_bytes, 13);
	ck_assert_uint_eq(s.counts.remove_bytes, 14);
	ck_assert_uint_eq(s.counts.buffer_hits, 15);
	ck_assert_uint_eq(s.counts.buffer_misses, 16);
	ck_assert_uint_eq(s.vm.rss, 17);
	ck_assert_uint_eq(s.counts.refusals, 18);
	ck_assert_uint_eq(s.vm.buffer, 20);
	ck_assert_uint_eq(s.vm.weight, 5000);
}
END_TEST

START_TEST(bad_answers)
{
	static const char *const bad[] = {
		"1",
		"[]",
		"{}",
		"{\"assigned\":1}",
		"{\"assigned\":-1,\"maximum\":1}",
		"{\"assigned\":\"1\",\"maximum\":1}",
		"{\"assigned\":null,\"maximum\":1}",
	};
	struct balance_sample s = {.startup = 77};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_int_eq(parse(bad[i], &s), -EPROTO);
	ck_assert_int_eq(balance_sample_parse(NULL, &s), -EPROTO);
	ck_assert_uint_eq(s.startup, 77);
	ck_assert_int_eq(
		parse("{\"assigned\":1,\"maximum\":1e300,\"demand\":null,\"weight\":-7,"
		      "\"available\":\"x\",\"driver\":1,\"buffer\":99999999999999999999999}",
		      &s),
		0);
	ck_assert_uint_eq(s.vm.maximum, UINT64_MAX);
	ck_assert(!s.vm.has_demand && !s.vm.has_available && !s.vm.driver);
	ck_assert_uint_eq(s.vm.weight, 0);
	ck_assert_uint_eq(s.vm.buffer, UINT32_MAX);
}
END_TEST

static void write_and_read(struct json_object *line)
{
	ck_assert_ptr_nonnull(line);
	ck_assert_int_eq(read_line(json_object_to_json_string(line)), 0);
	json_object_put(line);
}

START_TEST(there_and_back)
{
	const struct series_host host = {.time_ms = 1700000000123,
					 .total = GiB(64),
					 .available = GiB(3),
					 .swap_used = 5,
					 .spare = 6,
					 .wanted = 7,
					 .waiting = 8,
					 .pressure = 99,
					 .stall = 1234,
					 .vms = 3};
	const struct balance_sample sample = {.vm = {.minimum = MiB(1),
						     .maximum = UINT64_MAX,
						     .assigned = GiB(4),
						     .target = GiB(5),
						     .demand = GiB(6),
						     .buffer = 20,
						     .weight = 1,
						     .has_demand = true},
					      .startup = GiB(1),
					      .counts = {.add_operations = 9, .refusals = 1}};
	const struct policy_decision decision = {.target = GiB(6),
						 .reason = POLICY_STARVED,
						 .ideal = GiB(7),
						 .share = GiB(8),
						 .pressure = 150};
	const struct series_point *p;

	series_init(&series);
	write_and_read(balance_host_line(&host));
	ck_assert_mem_eq(&series.hosts[0], &host, offsetof(struct series_host, vms));
	ck_assert_uint_eq(series.hosts[0].vms, 3);
	write_and_read(balance_vm_line(1700000000123, "a \"name\" <&", &sample, &decision));
	ck_assert_str_eq(series.vms[0].name, "a \"name\" <&");
	ck_assert_uint_eq(series.vms[0].maximum, UINT64_MAX);
	ck_assert_uint_eq(series.vms[0].startup, GiB(1));
	p = &series.vms[0].points[0];
	ck_assert_uint_eq(p->time_ms, 1700000000123);
	ck_assert_uint_eq(p->assigned, GiB(4));
	ck_assert_uint_eq(p->demand, GiB(6));
	ck_assert_uint_eq(p->pressure, 150);
	ck_assert_int_eq(p->reason, POLICY_STARVED);
	ck_assert_uint_eq(p->counts.add_operations, 9);
	ck_assert_uint_eq(series.move_count, 1);
	ck_assert_uint_eq(series_move(&series, 0)->from, GiB(5));
	ck_assert_uint_eq(series_move(&series, 0)->decision.target, GiB(6));
	series_finish(&series);
}
END_TEST

START_TEST(bad_lines)
{
	static const char *const bad[] = {
		"",
		"x",
		"{}",
		"[]",
		"null",
		"{\"time\":1}",
		"{\"time\":-1,\"host\":{}}",
		"{\"time\":1e300,\"host\":{}}",
		"{\"time\":\"1\",\"host\":{}}",
		"{\"time\":1,\"host\":[]}",
		"{\"time\":1,\"vm\":\"a\"}",
		"{\"time\":1,\"vm\":7,\"assigned\":1,\"maximum\":1,\"reason\":\"steady\"}",
		"{\"time\":1,\"vm\":\"a\",\"assigned\":1,\"maximum\":1,\"reason\":\"whim\"}",
		"{\"time\":1,\"vm\":\"a\",\"assigned\":1,\"maximum\":1}",
		"{\"time\":1,\"host\":{}",
		"{\"time\":1,\"host\":{\"total\":1,\"total\":2}}",
	};

	series_init(&series);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(read_line(bad[i]) == -EPROTO, "%s", bad[i]);
	ck_assert_uint_eq(series.vm_count, 0);
	ck_assert_uint_eq(series.host_count, 0);
	series_finish(&series);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cmd_balance_sample");
	TCase *tc = tcase_create("cmd_balance_sample");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, answer);
	tcase_add_test(tc, bad_answers);
	tcase_add_test(tc, there_and_back);
	tcase_add_test(tc, bad_lines);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
