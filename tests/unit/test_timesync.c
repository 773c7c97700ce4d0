// SPDX-License-Identifier: MIT
/* The time synchronisation service. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <time.h>

#include "devices/ic/timesync.h"
#include "ic_guest.h"

static struct ic_guest g;
static struct ic_timesync *t;

static uint64_t reference_time(void *ctx)
{
	return 4711;
}

static void setup(void)
{
	struct ic_timesync_config config = {
		.bus = &g.bus, .interval_ns = NSEC_PER_MSEC, .reference_time = reference_time};

	ic_guest_init(&g);
	config.loop = g.loop;
	ck_assert_int_eq(ic_timesync_create(&config, NULL, &t), 0);
}

static void teardown(void)
{
	ic_guest_finish(&g);
	ic_timesync_destroy(t);
}

static void expect_now(uint64_t time)
{
	struct timespec now;
	uint64_t ns;

	clock_gettime(CLOCK_REALTIME, &now);
	ns = (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
	time = (time - 116444736000000000ull) * 100;
	ck_assert_uint_le(time, ns);
	ck_assert_uint_lt(ns - time, 20 * NSEC_PER_SEC);
}

static uint8_t take_referenced(struct ic_guest_message *m)
{
	struct ictimesync_ref_data data;

	ck_assert(ic_guest_next(&g, m));
	ck_assert_uint_eq(m->len, 28 + sizeof(data));
	memcpy(&data, m->body, sizeof(data));
	ck_assert_uint_eq(data.vmreferencetime, 4711);
	expect_now(data.parenttime);
	return data.flags;
}

static bool is_told(void *arg)
{
	return g.channel->sent > g.taken;
}

START_TEST(with_reference)
{
	struct ic_guest_message m;

	ic_guest_start(&g, IC_VERSION(4, 0));
	ck_assert_uint_eq(take_referenced(&m), ICTIMESYNCFLAG_SYNC);
	ck_assert_int_eq(ic_guest_answer(&g, &m, HV_S_OK, NULL, 0), 0);
	ck_assert(ic_guest_until(&g, is_told, NULL));
	ck_assert_uint_eq(take_referenced(&m), ICTIMESYNCFLAG_SAMPLE);
	/* It is not told more while it does not answer. */
	ic_guest_run(&g, 10);
	ck_assert(!ic_guest_next(&g, &m));
}
END_TEST

START_TEST(without_reference)
{
	static const uint32_t versions[] = {IC_VERSION(1, 0), IC_VERSION(3, 0)};

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct ictimesync_data data;
		struct ic_guest_message m;

		ic_guest_start(&g, versions[i]);
		ck_assert(ic_guest_next(&g, &m));
		ck_assert_uint_eq(m.len, 28 + sizeof(data));
		memcpy(&data, m.body, sizeof(data));
		expect_now(data.parenttime);
		ck_assert_uint_eq(data.flags, ICTIMESYNCFLAG_SYNC);
		ic_guest_close(&g);
	}
}
END_TEST

/* After a pause the clock is to be set; one that has not answered is told when it does. */
START_TEST(pauses)
{
	struct ic_guest_message m;

	ic_guest_start(&g, IC_VERSION(4, 0));
	ck_assert_uint_eq(take_referenced(&m), ICTIMESYNCFLAG_SYNC);
	ic_timesync_pause(t);
	ic_guest_run(&g, 10);
	ic_timesync_resume(t);
	ck_assert_uint_eq(g.channel->sent, g.taken);
	ck_assert_int_eq(ic_guest_answer(&g, &m, HV_S_OK, NULL, 0), 0);
	ck_assert_uint_eq(take_referenced(&m), ICTIMESYNCFLAG_SYNC);
	ck_assert_int_eq(ic_guest_answer(&g, &m, HV_S_OK, NULL, 0), 0);
	ic_timesync_pause(t);
	ic_guest_run(&g, 10);
	ck_assert_uint_eq(g.channel->sent, g.taken);
	ic_timesync_resume(t);
	ck_assert_uint_eq(take_referenced(&m), ICTIMESYNCFLAG_SYNC);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("timesync");
	TCase *tc = tcase_create("timesync");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, with_reference);
	tcase_add_test(tc, without_reference);
	tcase_add_test(tc, pauses);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
