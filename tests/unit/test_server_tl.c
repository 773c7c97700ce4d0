// SPDX-License-Identifier: MIT
/* Requests to connect to hvsocket services. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server_fake.h"

static struct fake_bus *bus;
static struct fake_channel *c;

static void setup(void)
{
	bus = fake_create_default();
	c = &bus->channels[0];
}

static void teardown(void)
{
	fake_destroy(bus);
}

static int request(uint8_t n, bool silo)
{
	struct vmbus_channel_tl_connect_request2 m = {
		.request = {.header = {.msgtype = CHANNELMSG_TL_CONNECT_REQUEST}}};

	memset(&m.request.guest_endpoint_id, n, 16);
	memset(&m.request.host_service_id, 0x11, 16);
	memset(&m.silo_id, 0x22, 16);
	return fake_post(bus, &m, silo ? sizeof(m) : sizeof(m.request));
}

static void expect_result(uint8_t n, uint32_t status)
{
	const struct fake_message *m = fake_next(bus);
	const struct vmbus_channel_tl_connect_result *r;

	ck_assert_ptr_nonnull(m);
	r = (const void *)&m->m;
	ck_assert_uint_eq(m->len, sizeof(*r));
	ck_assert_uint_eq(r->header.msgtype, CHANNELMSG_TL_CONNECT_RESULT);
	ck_assert_uint_eq(r->guest_endpoint_id.b[3], n);
	ck_assert_uint_eq(r->host_service_id.b[3], 0x11);
	ck_assert_uint_eq(r->status, status);
}

START_TEST(refused)
{
	fake_connect(bus, VERSION_WIN10_V4_1);
	ck_assert_int_eq(request(1, false), 0);
	expect_result(1, VMBUS_STATUS_CONNECTION_REFUSED);
	fake_connect(bus, VERSION_WIN10); /* knows the request, not the answer */
	ck_assert_int_eq(request(1, false), 0);
	ck_assert(fake_silent(bus));
	fake_connect(bus, VERSION_WIN8_1);
	ck_assert_int_eq(request(1, false), 0);
	ck_assert_uint_eq(bus->tls, 2);
	ck_assert_uint_eq(counter_get(&vmbus_server_counters(bus->s)->unexpected), 1);
	ck_assert_uint_eq(counter_get(&vmbus_server_counters(bus->s)->tl_refusals), 2);
}
END_TEST

START_TEST(no_services)
{
	fake_connect(bus, VERSION_WIN10_V5_3);
	bus->s->ops.tl_connect = NULL;
	ck_assert_int_eq(request(1, false), 0);
	expect_result(1, VMBUS_STATUS_CONNECTION_REFUSED);
}
END_TEST

START_TEST(silo)
{
	fake_connect(bus, VERSION_WIN10_V5_2);
	ck_assert_int_eq(request(1, true), 0);
	ck_assert_uint_eq(bus->tl_silo.b[0], 0x22);
	ck_assert_int_eq(request(1, false), 0);
	ck_assert_uint_eq(bus->tl_silo.b[0], 0);
	fake_connect(bus, VERSION_WIN10_V5_1);
	ck_assert_int_eq(request(1, true), 0);
	ck_assert_uint_eq(bus->tl_silo.b[0], 0);
}
END_TEST

START_TEST(later)
{
	uint32_t first, second;

	bus->tl_accept = true;
	fake_connect(bus, VERSION_WIN10_V5_3);
	ck_assert_int_eq(request(1, false), 0);
	first = bus->tl_id;
	ck_assert_int_eq(request(2, false), 0);
	second = bus->tl_id;
	ck_assert(fake_silent(bus));
	vmbus_server_tl_result(bus->s, second, VMBUS_STATUS_CONNECTION_REFUSED);
	expect_result(2, VMBUS_STATUS_CONNECTION_REFUSED);
	vmbus_server_tl_result(bus->s, second, VMBUS_STATUS_CONNECTION_REFUSED);
	vmbus_server_tl_result(bus->s, first, 0); /* an offer was the answer */
	vmbus_server_tl_result(bus->s, first, VMBUS_STATUS_CONNECTION_REFUSED);
	vmbus_server_tl_result(bus->s, 0, VMBUS_STATUS_CONNECTION_REFUSED);
	ck_assert(fake_silent(bus));
}
END_TEST

START_TEST(limit)
{
	bus->tl_accept = true;
	fake_connect(bus, VERSION_WIN10_V5_3);
	for (uint8_t i = 0; i < VMBUS_TL_MAX; i++)
		ck_assert_int_eq(request(i, false), 0);
	ck_assert(fake_silent(bus));
	ck_assert_int_eq(request(99, false), 0);
	expect_result(99, VMBUS_STATUS_CONNECTION_REFUSED);
	ck_assert_uint_eq(bus->tls, VMBUS_TL_MAX);
	/* All refused while the guest reads nothing. */
	bus->room = 0;
	for (uint32_t id = 1; id <= VMBUS_TL_MAX; id++)
		vmbus_server_tl_result(bus->s, id, VMBUS_STATUS_CONNECTION_REFUSED);
	bus->room = FAKE_NEVER;
	ck_assert(vmbus_server_flush(bus->s));
	for (uint8_t i = 0; i < VMBUS_TL_MAX; i++)
		expect_result(i, VMBUS_STATUS_CONNECTION_REFUSED);
	ck_assert_int_eq(request(1, false), 0);
	ck_assert_uint_eq(bus->tls, VMBUS_TL_MAX + 1);
}
END_TEST

START_TEST(of_an_ended_connection)
{
	uint32_t id;

	bus->tl_accept = true;
	fake_connect(bus, VERSION_WIN10_V5_3);
	ck_assert_int_eq(request(1, false), 0);
	id = bus->tl_id;
	fake_connect(bus, VERSION_WIN10_V5_3);
	ck_assert_int_eq(request(2, false), 0);
	ck_assert_uint_ne(bus->tl_id, id);
	vmbus_server_tl_result(bus->s, id, VMBUS_STATUS_CONNECTION_REFUSED);
	ck_assert(fake_silent(bus));
}
END_TEST

START_TEST(numbers_wrap)
{
	bus->tl_accept = true;
	fake_connect(bus, VERSION_WIN10_V5_3);
	ck_assert_int_eq(request(1, false), 0); /* 1 */
	bus->s->tl_last_id = UINT32_MAX;
	ck_assert_int_eq(request(2, false), 0);
	ck_assert_uint_eq(bus->tl_id, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("server_tl");
	TCase *t = tcase_create("server_tl");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, refused);
	tcase_add_test(t, no_services);
	tcase_add_test(t, silo);
	tcase_add_test(t, later);
	tcase_add_test(t, limit);
	tcase_add_test(t, of_an_ended_connection);
	tcase_add_test(t, numbers_wrap);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
