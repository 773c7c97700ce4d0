// SPDX-License-Identifier: MIT
/* The snapshot service. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/ic/vss.h"
#include "ic_guest.h"

static struct ic_guest g;
static struct ic_vss *v;
static unsigned int results, expiries;
static int result;

static void on_done(void *ctx, int r)
{
	results++;
	result = r;
}

static void on_expired(void *ctx)
{
	expiries++;
}

static void setup(void)
{
	struct ic_vss_config config = {.bus = &g.bus, .expired = on_expired};

	results = expiries = 0;
	ic_guest_init(&g);
	config.loop = g.loop;
	ck_assert_int_eq(ic_vss_create(&config, NULL, &v), 0);
}

static void teardown(void)
{
	ic_guest_finish(&g);
	ic_vss_destroy(v);
}

/* The host asks for @operation, and the guest answers. */
static void step(uint8_t operation, uint32_t status)
{
	struct ic_guest_message m;

	ck_assert(ic_guest_next(&g, &m));
	ck_assert_uint_eq(m.len, 28 + sizeof(struct hv_vss_msg));
	ck_assert_uint_eq(m.body[0], operation);
	ck_assert_int_eq(ic_guest_answer(&g, &m, status, m.body, sizeof(struct hv_vss_msg)), 0);
}

static void freeze(uint64_t hold_ns)
{
	ic_guest_start(&g, IC_VERSION(5, 0));
	ck_assert_int_eq(ic_vss_freeze(v, hold_ns, on_done, NULL), 0);
	step(VSS_OP_HOT_BACKUP, HV_S_OK);
	ck_assert_int_eq(ic_vss_freeze(v, 0, on_done, NULL), -EBUSY);
	ck_assert_int_eq(ic_vss_thaw(v, on_done, NULL), -EBUSY);
	ck_assert_uint_eq(results, 0);
}

START_TEST(freezes_and_thaws)
{
	ck_assert_int_eq(ic_vss_freeze(v, 0, on_done, NULL), -ENOTCONN);
	ck_assert_int_eq(ic_vss_thaw(v, on_done, NULL), -EALREADY);
	freeze(60 * NSEC_PER_SEC);
	step(VSS_OP_FREEZE, HV_S_OK);
	ck_assert_uint_eq(results, 1);
	ck_assert_int_eq(result, 0);
	ck_assert_int_eq(ic_vss_state(v), IC_VSS_FROZEN);
	ck_assert_int_eq(ic_vss_thaw(v, on_done, NULL), 0);
	step(VSS_OP_THAW, HV_S_OK);
	ck_assert_uint_eq(results, 2);
	ck_assert_int_eq(result, 0);
	ck_assert_int_eq(ic_vss_thaw(v, on_done, NULL), -EALREADY);
}
END_TEST

/* Some file systems may be frozen. */
START_TEST(refused)
{
	freeze(60 * NSEC_PER_SEC);
	step(VSS_OP_FREEZE, HV_E_FAIL);
	ck_assert_uint_eq(results, 0);
	step(VSS_OP_THAW, HV_S_OK);
	ck_assert_uint_eq(results, 1);
	ck_assert_int_eq(result, -EREMOTEIO);
	ck_assert_int_eq(ic_vss_state(v), IC_VSS_THAWED);
	ck_assert_int_eq(ic_vss_freeze(v, 0, on_done, NULL), 0);
	step(VSS_OP_HOT_BACKUP, HV_E_FAIL);
	ck_assert_uint_eq(results, 2);
	ck_assert_int_eq(ic_vss_state(v), IC_VSS_THAWED);
}
END_TEST

static bool has_expired(void *arg)
{
	return expiries == 1;
}

START_TEST(expires)
{
	freeze(NSEC_PER_MSEC);
	step(VSS_OP_FREEZE, HV_S_OK);
	ck_assert(ic_guest_until(&g, has_expired, NULL));
	ck_assert_int_eq(ic_vss_thaw(v, on_done, NULL), -EBUSY);
	step(VSS_OP_THAW, HV_S_OK);
	ck_assert_int_eq(ic_vss_thaw(v, on_done, NULL), -EALREADY);
	ck_assert_uint_eq(results, 1);
}
END_TEST

START_TEST(guest_goes)
{
	freeze(NSEC_PER_SEC);
	ic_guest_close(&g);
	ck_assert_uint_eq(results, 1);
	ck_assert_int_eq(result, -ENOTCONN);
	ck_assert_int_eq(ic_vss_state(v), IC_VSS_THAWED);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vss");
	TCase *tc = tcase_create("vss");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, freezes_and_thaws);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, expires);
	tcase_add_test(tc, guest_goes);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
