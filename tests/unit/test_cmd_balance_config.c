// SPDX-License-Identifier: MIT
/* Policy files: defaults, what is read, and what is refused and where. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "candela/cmd_balance_config.h"

static struct balance_config config;
static struct error err;

static int parse(const char *text)
{
	balance_config_init(&config);
	return balance_config_parse(&config, text, strlen(text), &err);
}

/* Those of the policy, and those of its file. */
START_TEST(same_defaults)
{
	struct policy_settings settings;

	policy_settings_init(&settings);
	balance_config_init(&config);
	ck_assert_uint_eq(config.policy.reserve, settings.reserve);
	ck_assert_uint_eq(config.policy.reserve_percent, settings.reserve_percent);
	ck_assert_uint_eq(config.policy.budget, settings.budget);
	ck_assert_uint_eq(config.policy.dead_band, settings.dead_band);
	ck_assert_uint_eq(config.policy.step_up, settings.step_up);
	ck_assert_uint_eq(config.policy.step_down, settings.step_down);
	ck_assert_uint_eq(config.policy.stall, settings.stall);
	ck_assert_uint_eq(config.policy.hold_ns, settings.hold_ns);
	ck_assert_uint_eq(config.policy.stale_ns, settings.stale_ns);
	ck_assert_uint_eq(config.policy.stuck_ns, settings.stuck_ns);
}
END_TEST

START_TEST(values)
{
	ck_assert_msg(parse("{\"$schema\":\"x\",\"reserve\":\"2G\",\"interval\":\"500ms\","
			    "\"alert\":{\"available\":10,\"pressure-for\":90},"
			    "\"history\":{\"limit\":\"1G\"}}") == 0,
		      "%s", err.text);
	ck_assert_uint_eq(config.policy.reserve, GiB(2));
	ck_assert_uint_eq(config.interval_ns, 500 * NSEC_PER_MSEC);
	ck_assert_uint_eq(config.alert.available, 10);
	ck_assert_uint_eq(config.alert.critical, 3);
	ck_assert_uint_eq(config.alert.pressure_for_ns, 90 * NSEC_PER_SEC);
	ck_assert_uint_eq(config.history.limit, GiB(1));
}
END_TEST

START_TEST(refused)
{
	static const struct {
		const char *text, *where;
	} bad[] = {
		{"", "line 1"},
		{"[]", "object"},
		{"{\"reserve\":-1}", "reserve"},
		{"{\"reserve\":\"much\"}", "reserve"},
		{"{\"hold\":\"1 week\"}", "hold"},
		{"{\"dead-band\":0}", "dead-band"},
		{"{\"alert\":{\"critical\":9}}", "alert.critical"},
		{"{\"alert\":{\"colour\":9}}", "alert.colour"},
		{"{\"reserv\":1}", "did you mean"},
		{"{\"stall\":1,\"stall\":2}", "line 1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_int_eq(parse(bad[i].text), -EINVAL);
		ck_assert_msg(strstr(err.text, bad[i].where), "%s: %s", bad[i].text, err.text);
	}
	balance_config_init(&config);
	ck_assert_int_eq(balance_config_load(&config, "/nowhere", &err), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cmd_balance_config");
	TCase *tc = tcase_create("cmd_balance_config");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, same_defaults);
	tcase_add_test(tc, values);
	tcase_add_test(tc, refused);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
