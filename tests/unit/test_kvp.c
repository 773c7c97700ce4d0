// SPDX-License-Identifier: MIT
/* The key-value service. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <stdio.h>

#include "devices/ic/kvp.h"
#include "ic_guest.h"

static struct ic_guest g;
static struct ic_kvp *k;
static struct seen {
	unsigned int count;
	int result;
	size_t items;
	char key[32], value[32];
} seen;

static void on_done(void *ctx, int result, const struct ic_kvp_list *list)
{
	seen.count++;
	seen.result = result;
	seen.items = list ? list->count : 0;
	if (seen.items) {
		snprintf(seen.key, sizeof(seen.key), "%s", list->items[0].key);
		snprintf(seen.value, sizeof(seen.value), "%s", list->items[0].value);
	}
}

static void setup(void)
{
	seen = (struct seen){0};
	ic_guest_init(&g);
	ck_assert_int_eq(ic_kvp_create(&g.bus, g.loop, "vm1", NULL, &k), 0);
}

static void teardown(void)
{
	ic_guest_finish(&g);
	ic_kvp_destroy(k);
}

static struct ic_guest_message expect(uint8_t operation, uint8_t pool)
{
	struct ic_guest_message m;

	ck_assert(ic_guest_next(&g, &m));
	ck_assert_uint_eq(m.len, 28 + sizeof(struct hv_kvp_msg));
	ck_assert_uint_eq(m.body[0], operation);
	ck_assert_uint_eq(m.body[1], pool);
	return m;
}

static void answer(const struct ic_guest_message *m, uint32_t status, const char *key,
		   const char *value)
{
	static struct hv_kvp_msg msg;

	msg = (struct hv_kvp_msg){0};
	if (key)
		ic_kvp_encode(key, value, &msg.body.kvp_enum_data.data);
	ck_assert_int_eq(ic_guest_answer(&g, m, status, &msg, sizeof(msg)), 0);
}

/* Up to where nothing is asked any more: about itself first, then it is given items. */
static void start(void)
{
	struct ic_guest_message m;

	ic_guest_start(&g, IC_VERSION(4, 0));
	m = expect(KVP_OP_ENUMERATE, KVP_POOL_AUTO);
	answer(&m, HV_S_OK, "OSName", "Test");
	m = expect(KVP_OP_ENUMERATE, KVP_POOL_AUTO);
	ck_assert_uint_eq(m.body[4], 1);
	answer(&m, HV_S_CONT, NULL, NULL);
	m = expect(KVP_OP_SET, KVP_POOL_AUTO_EXTERNAL);
	ck_assert_mem_eq(m.body + 16, "V\0i\0r\0t\0", 8);
	answer(&m, HV_S_OK, NULL, NULL);
}

START_TEST(guest_tells)
{
	start();
	ck_assert_str_eq(ic_kvp_list_find(ic_kvp_guest(k), KVP_POOL_AUTO, "OSName")->value, "Test");
	ic_guest_close(&g);
	ck_assert_uint_eq(ic_kvp_guest(k)->count, 0);
}
END_TEST

START_TEST(sets)
{
	struct ic_guest_message m;

	ck_assert_int_eq(ic_kvp_set(k, "", "v", on_done, NULL), -EINVAL);
	start();
	ck_assert_int_eq(ic_kvp_set(k, "key", "value", on_done, NULL), 0);
	m = expect(KVP_OP_SET, KVP_POOL_EXTERNAL);
	ck_assert_mem_eq(m.body + 16, "k\0e\0y\0\0\0", 8);
	ck_assert_uint_eq(seen.count, 0);
	answer(&m, HV_S_OK, NULL, NULL);
	ck_assert_uint_eq(seen.count, 1);
	ck_assert_int_eq(seen.result, 0);
	ck_assert_int_eq(ic_kvp_set(k, "key", "other", on_done, NULL), 0);
	m = expect(KVP_OP_SET, KVP_POOL_EXTERNAL);
	answer(&m, HV_E_FAIL, NULL, NULL);
	ck_assert_int_eq(seen.result, -EREMOTEIO);
	ck_assert_int_eq(ic_kvp_delete(k, "nothing", on_done, NULL), -ENOENT);
	ck_assert_int_eq(ic_kvp_delete(k, "key", on_done, NULL), 0);
	m = expect(KVP_OP_DELETE, KVP_POOL_EXTERNAL);
	answer(&m, HV_S_CONT, NULL, NULL);
	ck_assert_uint_eq(seen.count, 3);
	ck_assert_int_eq(seen.result, 0);
}
END_TEST

/* Items that were set before the guest came, and again for the next one. */
START_TEST(kept)
{
	struct ic_guest_message m;

	ck_assert_int_eq(ic_kvp_set(k, "key", "value", on_done, NULL), 0);
	ck_assert_int_eq(seen.result, -ENOTCONN);
	for (int i = 0; i < 2; i++) {
		start();
		m = expect(KVP_OP_SET, KVP_POOL_EXTERNAL);
		answer(&m, HV_S_OK, NULL, NULL);
		ck_assert(!ic_guest_next(&g, &m));
		ic_guest_close(&g);
	}
	ck_assert_uint_eq(seen.count, 1);
}
END_TEST

START_TEST(enumerates)
{
	struct ic_guest_message m;

	start();
	ck_assert_int_eq(ic_kvp_enumerate(k, KVP_POOL_GUEST, on_done, NULL), 0);
	m = expect(KVP_OP_ENUMERATE, KVP_POOL_GUEST);
	answer(&m, HV_S_OK, "app", "fine");
	m = expect(KVP_OP_ENUMERATE, KVP_POOL_GUEST);
	answer(&m, HV_S_OK, "app2", "fine");
	m = expect(KVP_OP_ENUMERATE, KVP_POOL_GUEST);
	answer(&m, HV_S_CONT, NULL, NULL);
	ck_assert_uint_eq(seen.items, 2);
	ck_assert_str_eq(seen.key, "app");
	ck_assert_str_eq(seen.value, "fine");
}
END_TEST

/* A guest that has no end. */
START_TEST(endless)
{
	struct ic_guest_message m;
	char key[16];

	start();
	ck_assert_int_eq(ic_kvp_enumerate(k, KVP_POOL_GUEST, on_done, NULL), 0);
	for (unsigned int i = 0; i < IC_KVP_ITEMS_MAX; i++) {
		ck_assert_uint_eq(seen.count, 0);
		m = expect(KVP_OP_ENUMERATE, KVP_POOL_GUEST);
		snprintf(key, sizeof(key), "%u", i);
		answer(&m, HV_S_OK, key, "");
	}
	ck_assert_uint_eq(seen.count, 1);
	ck_assert_uint_eq(seen.items, IC_KVP_ITEMS_MAX);
	ck_assert(!ic_guest_next(&g, &m));
	/* And one whose answer is too short. */
	ck_assert_int_eq(ic_kvp_enumerate(k, KVP_POOL_GUEST, on_done, NULL), 0);
	m = expect(KVP_OP_ENUMERATE, KVP_POOL_GUEST);
	ck_assert_int_eq(ic_guest_answer(&g, &m, HV_S_OK, m.body, 8), 0);
	ck_assert_uint_eq(seen.count, 2);
	ck_assert_uint_eq(seen.items, 0);
}
END_TEST

START_TEST(queue)
{
	start();
	for (unsigned int i = 0; i < IC_KVP_QUEUE_MAX; i++)
		ck_assert_int_eq(ic_kvp_enumerate(k, KVP_POOL_GUEST, on_done, NULL), 0);
	ck_assert_int_eq(ic_kvp_enumerate(k, KVP_POOL_GUEST, on_done, NULL), -EBUSY);
	ck_assert_int_eq(ic_kvp_set(k, "key", "value", on_done, NULL), -EBUSY);
	ic_guest_close(&g);
	ck_assert_uint_eq(seen.count, IC_KVP_QUEUE_MAX);
	ck_assert_int_eq(seen.result, -ENOTCONN);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kvp");
	TCase *tc = tcase_create("kvp");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, guest_tells);
	tcase_add_test(tc, sets);
	tcase_add_test(tc, kept);
	tcase_add_test(tc, enumerates);
	tcase_add_test(tc, endless);
	tcase_add_test(tc, queue);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
