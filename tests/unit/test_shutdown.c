// SPDX-License-Identifier: MIT
/* The shutdown service. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/ic/shutdown.h"
#include "ic_guest.h"

static struct ic_guest g;
static struct ic_shutdown *service;
static int result;
static unsigned int results;

static void on_done(void *ctx, int r)
{
	result = r;
	results++;
}

static void setup(void)
{
	results = 0;
	ic_guest_init(&g);
	ck_assert_int_eq(ic_shutdown_create(&g.bus, g.loop, NULL, &service), 0);
}

static void teardown(void)
{
	ic_guest_finish(&g);
	ic_shutdown_destroy(service);
}

static int ask(enum ic_shutdown_kind kind, bool force)
{
	const struct ic_shutdown_request request = {.kind = kind,
						    .force = force,
						    .seconds = 9,
						    .reason = "a \xe2\x82\xac",
						    .done = on_done};

	return ic_shutdown_ask(service, &request);
}

static struct shutdown_msg_data next(struct ic_guest_message *m)
{
	struct shutdown_msg_data data = {0};

	ck_assert(ic_guest_next(&g, m));
	ck_assert_uint_eq(m->len, 28 + sizeof(data));
	memcpy(&data, m->body, 40);
	return data;
}

START_TEST(asks)
{
	struct ic_guest_message m;
	struct shutdown_msg_data data;

	ic_guest_start(&g, IC_VERSION(3, 2));
	ck_assert(ic_shutdown_is_up(service));
	ck_assert_int_eq(ask(IC_SHUTDOWN_POWER_OFF, false), 0);
	data = next(&m);
	ck_assert_uint_eq(data.flags, 0);
	ck_assert_uint_eq(data.timeout_seconds, 9);
	ck_assert_mem_eq(data.display_message, "a\0 \0\xac\x20\0\0", 8);
	ck_assert_int_eq(ask(IC_SHUTDOWN_POWER_OFF, false), -EBUSY);
	ck_assert_int_eq(ic_guest_answer(&g, &m, HV_S_OK, m.body, 12), 0);
	ck_assert_uint_eq(results, 1);
	ck_assert_int_eq(result, 0);
	ck_assert_ptr_null(ic_shutdown_pending(service));
}
END_TEST

START_TEST(kinds)
{
	struct ic_guest_message m;

	ic_guest_start(&g, IC_VERSION(3, 2));
	ck_assert_int_eq(ask(IC_SHUTDOWN_REBOOT, true), 0);
	ck_assert_uint_eq(next(&m).flags, 3);
	ck_assert_int_eq(ic_guest_answer(&g, &m, HV_S_OK, NULL, 0), 0);
	ck_assert_int_eq(ask(IC_SHUTDOWN_HIBERNATION, false), 0);
	ck_assert_uint_eq(next(&m).flags, 4);
	ck_assert_int_eq(ic_guest_answer(&g, &m, HV_E_FAIL, NULL, 0), 0);
	ck_assert_int_eq(result, -EREMOTEIO);
	ck_assert_uint_eq(results, 2);
}
END_TEST

START_TEST(too_old)
{
	ic_guest_start(&g, IC_VERSION(3, 0));
	ck_assert_int_eq(ask(IC_SHUTDOWN_REBOOT, false), 0);
	ck_assert_int_eq(result, -EOPNOTSUPP);
	ck_assert_int_eq(ask(IC_SHUTDOWN_HIBERNATION, false), 0);
	ck_assert_uint_eq(results, 2);
	ck_assert_int_eq(ask(IC_SHUTDOWN_POWER_OFF, false), 0);
	ck_assert_uint_eq(results, 2);
}
END_TEST

/* What was asked before the driver came, and what a guest did not answer before it was reset. */
START_TEST(kept)
{
	struct ic_guest_message m;

	ck_assert_int_eq(ask(IC_SHUTDOWN_POWER_OFF, false), 0);
	ck_assert_ptr_nonnull(ic_shutdown_pending(service));
	ic_guest_start(&g, IC_VERSION(1, 0));
	(void)next(&m);
	ic_guest_close(&g);
	ck_assert_uint_eq(results, 0);
	ic_guest_start(&g, IC_VERSION(3, 2));
	(void)next(&m);
	ck_assert_int_eq(ic_guest_answer(&g, &m, HV_S_OK, NULL, 0), 0);
	ck_assert_uint_eq(results, 1);
	ck_assert_int_eq(result, 0);
}
END_TEST

/* A guest that restarts at once has done what it was asked for. */
START_TEST(reboots_without_answer)
{
	struct ic_guest_message m;

	ic_guest_start(&g, IC_VERSION(3, 2));
	ck_assert_int_eq(ask(IC_SHUTDOWN_REBOOT, false), 0);
	(void)next(&m);
	ic_guest_close(&g);
	ck_assert_uint_eq(results, 1);
	ck_assert_int_eq(result, 0);
	ic_guest_start(&g, IC_VERSION(3, 2));
	ck_assert(!ic_guest_next(&g, &m));
}
END_TEST

START_TEST(cancelled)
{
	struct ic_guest_message m, again;

	ic_guest_start(&g, IC_VERSION(3, 2));
	ck_assert_int_eq(ask(IC_SHUTDOWN_POWER_OFF, false), 0);
	(void)next(&m);
	ic_shutdown_cancel(service);
	ck_assert_int_eq(result, -ECANCELED);
	/* The next waits until the guest has answered the first. */
	ck_assert_int_eq(ask(IC_SHUTDOWN_REBOOT, false), 0);
	ck_assert(!ic_guest_next(&g, &again));
	ck_assert_int_eq(ic_guest_answer(&g, &m, HV_S_OK, NULL, 0), 0);
	ck_assert_uint_eq(next(&again).flags, 2);
	ck_assert_uint_eq(results, 1);
	ck_assert_int_eq(ic_guest_answer(&g, &again, HV_S_OK, NULL, 0), 0);
	ck_assert_uint_eq(results, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("shutdown");
	TCase *tc = tcase_create("shutdown");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, asks);
	tcase_add_test(tc, kinds);
	tcase_add_test(tc, too_old);
	tcase_add_test(tc, kept);
	tcase_add_test(tc, reboots_without_answer);
	tcase_add_test(tc, cancelled);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
