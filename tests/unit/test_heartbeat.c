// SPDX-License-Identifier: MIT
/* The heartbeat service. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/ic/heartbeat.h"
#include "devices/ic/ic.h"
#include "ic_guest.h"

static struct ic_guest g;
static struct ic_heartbeat *h;
static unsigned int changes;

static void on_changed(void *ctx)
{
	changes++;
}

static void create(uint64_t interval_ns, uint64_t lost_ns)
{
	const struct ic_heartbeat_config config = {
		.bus = &g.bus,
		.loop = g.loop,
		.interval_ns = interval_ns,
		.lost_ns = lost_ns,
		.changed = on_changed,
	};

	ck_assert_int_eq(ic_heartbeat_create(&config, NULL, &h), 0);
}

static void setup(void)
{
	changes = 0;
	ic_guest_init(&g);
}

static void teardown(void)
{
	ic_guest_finish(&g);
	ic_heartbeat_destroy(h);
}

/* Answers what was asked, as Linux does (0) or as Windows does. False: nothing was. */
static bool answer(uint32_t applications)
{
	struct heartbeat_msg_data data;
	struct ic_guest_message m;

	if (!ic_guest_next(&g, &m))
		return false;
	memcpy(&data, m.body, sizeof(data));
	data.seq_num++;
	data.application_state = applications;
	ck_assert_int_eq(ic_guest_answer(&g, &m, HV_S_OK, &data, sizeof(data)), 0);
	return true;
}

static bool is_lost(void *arg)
{
	return ic_heartbeat_state(h) == IC_HEARTBEAT_LOST;
}

static bool is_asked(void *arg)
{
	return g.channel->sent > g.taken;
}

START_TEST(alive)
{
	create(NSEC_PER_MSEC, 0);
	ck_assert_str_eq(ic_heartbeat_state_name(h), "none");
	ic_guest_start(&g, IC_VERSION(3, 0));
	ck_assert(answer(0));
	ck_assert_str_eq(ic_heartbeat_state_name(h), "ok");
	ck_assert_ptr_null(ic_heartbeat_applications(h));
	ck_assert_uint_eq(changes, 1);
	ck_assert(ic_guest_until(&g, is_asked, NULL));
	ck_assert(answer(IC_APPLICATIONS_HEALTHY));
	ck_assert_str_eq(ic_heartbeat_applications(h), "healthy");
	ck_assert_uint_eq(changes, 2);
	ck_assert(ic_guest_until(&g, is_asked, NULL));
	ck_assert(answer(0xffffffff));
	ck_assert_ptr_null(ic_heartbeat_applications(h));
}
END_TEST

/* It is asked once, until it answers. */
START_TEST(lost_and_found)
{
	create(NSEC_PER_MSEC, 5 * NSEC_PER_MSEC);
	ic_guest_start(&g, IC_VERSION(1, 0));
	ck_assert(answer(0));
	ck_assert(ic_guest_until(&g, is_asked, NULL));
	ck_assert(ic_guest_until(&g, is_lost, NULL));
	ck_assert_str_eq(ic_heartbeat_state_name(h), "lost");
	ck_assert_uint_eq(g.channel->sent, g.taken + 1);
	ck_assert(answer(0));
	ck_assert_str_eq(ic_heartbeat_state_name(h), "ok");
}
END_TEST

START_TEST(driver_goes)
{
	create(0, 0);
	ic_guest_start(&g, IC_VERSION(3, 0));
	ck_assert(answer(0));
	ic_guest_close(&g);
	ck_assert_str_eq(ic_heartbeat_state_name(h), "lost");
	ic_heartbeat_reset(h);
	ck_assert_str_eq(ic_heartbeat_state_name(h), "none");
	ic_guest_start(&g, IC_VERSION(3, 0));
	ck_assert_str_eq(ic_heartbeat_state_name(h), "none");
	ic_heartbeat_reset(h);
	ic_guest_close(&g);
	ck_assert_str_eq(ic_heartbeat_state_name(h), "none");
}
END_TEST

START_TEST(paused)
{
	create(NSEC_PER_MSEC, 5 * NSEC_PER_MSEC);
	ic_guest_start(&g, IC_VERSION(3, 0));
	ck_assert(answer(0));
	ic_heartbeat_pause(h);
	ck_assert_str_eq(ic_heartbeat_state_name(h), "ok");
	ck_assert(ic_guest_until(&g, is_lost, NULL));
	ck_assert_uint_eq(g.channel->sent, g.taken);
	ic_guest_run(&g, 20);
	ck_assert_uint_eq(g.channel->sent, g.taken);
	ck_assert_str_eq(ic_heartbeat_state_name(h), "lost");
	ic_heartbeat_resume(h);
	ck_assert_str_eq(ic_heartbeat_state_name(h), "lost");
	ck_assert(answer(0));
	ck_assert_str_eq(ic_heartbeat_state_name(h), "ok");
}
END_TEST

/* One that goes on in time was never lost; a driver that is not there is not missed. */
START_TEST(paused_for_a_moment)
{
	create(NSEC_PER_MSEC, 3600 * NSEC_PER_SEC);
	ic_heartbeat_pause(h);
	ic_guest_run(&g, 20);
	ck_assert_str_eq(ic_heartbeat_state_name(h), "none");
	ic_heartbeat_resume(h);
	ic_guest_start(&g, IC_VERSION(3, 0));
	ck_assert(answer(0));
	ic_heartbeat_pause(h);
	ic_guest_run(&g, 20);
	ic_heartbeat_resume(h);
	ck_assert_str_eq(ic_heartbeat_state_name(h), "ok");
	ck_assert_uint_eq(changes, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("heartbeat");
	TCase *tc = tcase_create("heartbeat");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, alive);
	tcase_add_test(tc, lost_and_found);
	tcase_add_test(tc, driver_goes);
	tcase_add_test(tc, paused);
	tcase_add_test(tc, paused_for_a_moment);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
