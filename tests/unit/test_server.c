// SPDX-License-Identifier: MIT
/* The control plane of VMBus against messages that are not as they should be. */
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

#define COUNT(name) counter_get(&vmbus_server_counters(bus->s)->name)

/* Lengths of all that guests send; 0: hosts do, or nobody. */
static const uint8_t sizes[CHANNELMSG_COUNT] = {
	[CHANNELMSG_REQUESTOFFERS] = 8,   [CHANNELMSG_OPENCHANNEL] = 148,
	[CHANNELMSG_CLOSECHANNEL] = 12,   [CHANNELMSG_GPADL_HEADER] = 20,
	[CHANNELMSG_GPADL_BODY] = 16,     [CHANNELMSG_GPADL_TEARDOWN] = 16,
	[CHANNELMSG_RELID_RELEASED] = 12, [CHANNELMSG_INITIATE_CONTACT] = 40,
	[CHANNELMSG_UNLOAD] = 8,          [CHANNELMSG_OPENRESERVED] = 28,
	[CHANNELMSG_CLOSERESERVED] = 20,  [CHANNELMSG_TL_CONNECT_REQUEST] = 40,
	[CHANNELMSG_MODIFYCHANNEL] = 16,  [CHANNELMSG_PAUSE] = 8,
	[CHANNELMSG_RESUME] = 8,
};

/* From which version on. */
static const uint32_t since[CHANNELMSG_COUNT] = {
	[CHANNELMSG_OPENRESERVED] = VERSION_WIN10,
	[CHANNELMSG_TL_CONNECT_REQUEST] = VERSION_WIN10,
	[CHANNELMSG_MODIFYCHANNEL] = VERSION_WIN10_V4_1,
	[CHANNELMSG_PAUSE] = VERSION_WIN_COPPER,
	[CHANNELMSG_RESUME] = VERSION_WIN_COPPER,
};

static int post_zeroes(uint32_t type, size_t len)
{
	uint32_t m[VMBUS_MESSAGE_SIZE_MAX / 4 + 1] = {type};

	return fake_post(bus, m, len);
}

START_TEST(every_length)
{
	if (!sizes[_i] || sizes[_i] == 8)
		return;
	fake_contact_features(bus, VERSION_WIN_COPPER, VMBUS_FEATURE_PAUSE_RESUME);
	fake_skip(bus);
	for (size_t len = 8; len < sizes[_i]; len++)
		ck_assert_int_eq(post_zeroes((uint32_t)_i, len), 0);
	ck_assert_uint_eq(COUNT(short_), sizes[_i] - 8u);
	ck_assert(fake_silent(bus));
	ck_assert_int_eq(post_zeroes((uint32_t)_i, sizes[_i]), 0);
	ck_assert_uint_eq(COUNT(short_), sizes[_i] - 8u);
}
END_TEST

START_TEST(no_message_at_all)
{
	uint32_t m[VMBUS_MESSAGE_SIZE_MAX / 4 + 1] = {CHANNELMSG_UNLOAD};

	for (size_t len = 0; len < 8; len++)
		ck_assert_int_eq(fake_post(bus, m, len), 0);
	ck_assert_int_eq(fake_post(bus, m, VMBUS_MESSAGE_SIZE_MAX + 1), 0);
	ck_assert_uint_eq(COUNT(short_), 9);
	ck_assert_int_eq(fake_post(bus, m, VMBUS_MESSAGE_SIZE_MAX), 0);
	ck_assert_uint_eq(COUNT(unexpected), 1);
}
END_TEST

START_TEST(every_type_disconnected)
{
	for (uint32_t type = 0; type < CHANNELMSG_COUNT + 5u; type++)
		if (type != CHANNELMSG_INITIATE_CONTACT)
			ck_assert_int_eq(post_zeroes(type, VMBUS_MESSAGE_SIZE_MAX), 0);
	ck_assert_int_eq(post_zeroes(UINT32_MAX, VMBUS_MESSAGE_SIZE_MAX), 0);
	ck_assert(fake_silent(bus));
	ck_assert_uint_eq(COUNT(unexpected), 13);
	ck_assert_uint_eq(COUNT(invalid), 1); /* CLOSERESERVED of a channel there is not */
	ck_assert_uint_eq(COUNT(unknown), 21);
}
END_TEST

START_TEST(every_type_in_every_version)
{
	static const uint32_t versions[] = {
		VERSION_WS2008,     VERSION_WIN7,       VERSION_WIN8,      VERSION_WIN8_1,
		VERSION_WIN10,      VERSION_WIN10_V4_1, VERSION_WIN10_V5,  VERSION_WIN10_V5_1,
		VERSION_WIN10_V5_2, VERSION_WIN10_V5_3, VERSION_WIN_COPPER};

	for (unsigned int v = 0; v < ARRAY_SIZE(versions); v++) {
		const uint64_t before = COUNT(unexpected);

		fake_contact_features(bus, versions[v], VMBUS_FEATURE_PAUSE_RESUME);
		ck_assert_int_eq(post_zeroes((uint32_t)_i, VMBUS_MESSAGE_SIZE_MAX), 0);
		ck_assert_uint_eq(COUNT(unexpected) - before,
				  sizes[_i] && versions[v] < since[_i] ? 1 : 0);
	}
	ck_assert_uint_eq(COUNT(unknown), sizes[_i] ? 0 : ARRAY_SIZE(versions));
}
END_TEST

START_TEST(features_not_granted)
{
	fake_contact_features(bus, VERSION_WIN_COPPER, VMBUS_FEATURE_CLIENT_ID);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_PAUSE), 0);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_RESUME), 0);
	ck_assert_uint_eq(COUNT(unexpected), 2);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_MODIFYCONNECTION), 0);
	ck_assert_uint_eq(COUNT(unknown), 1);
}
END_TEST

START_TEST(wrong_relids)
{
	static const uint32_t wrong[] = {0, 2, VMBUS_RELID_MAX, VMBUS_RELID_MAX + 1, UINT32_MAX};
	static const uint32_t types[] = {CHANNELMSG_CLOSECHANNEL, CHANNELMSG_RELID_RELEASED,
					 CHANNELMSG_OPENCHANNEL,  CHANNELMSG_GPADL_TEARDOWN,
					 CHANNELMSG_OPENRESERVED, CHANNELMSG_CLOSERESERVED,
					 CHANNELMSG_MODIFYCHANNEL};

	fake_connect_open(bus, VERSION_WIN10_V5_3);
	for (unsigned int t = 0; t < ARRAY_SIZE(types); t++) {
		uint32_t m[VMBUS_MESSAGE_SIZE_MAX / 4] = {types[t], 0, wrong[_i]};

		ck_assert_int_eq(fake_post(bus, m, sizeof(m)), 0);
	}
	ck_assert_uint_eq(COUNT(invalid), ARRAY_SIZE(types));
	ck_assert(fake_silent(bus));
	ck_assert_int_eq(c->offer.device, VMBUS_DEVICE_OPEN);
}
END_TEST

/* Any bytes at all, in any order, by a guest that reads nothing for long whiles. */
START_TEST(noise)
{
	uint32_t seed = 12345u + (uint32_t)_i;

	for (unsigned int i = 0; i < 4; i++) {
		bus->channels[i].slow = i & 1;
		bus->channels[i].keep_gpadl = i & 2;
		ck_assert_int_eq(fake_offer(bus, i, 0), 0);
	}
	for (unsigned int i = 0; i < 20000; i++) {
		uint32_t m[VMBUS_MESSAGE_SIZE_MAX / 4];

		for (unsigned int w = 0; w < ARRAY_SIZE(m); w++) {
			seed = seed * 1664525u + 1013904223u;
			m[w] = (seed >> 16) % 6;
		}
		m[0] = (seed >> 8) % CHANNELMSG_COUNT;
		if (m[0] == CHANNELMSG_INITIATE_CONTACT)
			m[2] = seed & 0x10000000 ? VERSION_WIN10_V5_3 : VERSION_WIN_COPPER;
		if (m[0] == CHANNELMSG_GPADL_HEADER)
			m[4] = 0x10028, m[5] = 4 * PAGE_SIZE, m[6] = 0;
		bus->room = seed & 0x40000000 ? FAKE_NEVER : 0;
		(void)!fake_post(bus, m, sizeof(m));
		fake_opened(&bus->channels[i % 4], seed & 0x20000000 ? 0 : 1);
		fake_closed(&bus->channels[(i >> 2) % 4]);
		fake_check(bus);
	}
	ck_assert(bus->connected > 1);
}
END_TEST

START_TEST(nothing_made)
{
	const struct vmbus_server_config config = {.mem = bus->mem, .vp_count = 1};
	struct vmbus_server *none = NULL;

	vmbus_server_destroy(NULL);
	ck_assert_int_eq(vmbus_server_create(&config, &bus->s->ops, bus, &none), -EINVAL);
	ck_assert_ptr_null(none);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("server");
	TCase *t = tcase_create("server");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, every_length, 0, CHANNELMSG_COUNT);
	tcase_add_test(t, no_message_at_all);
	tcase_add_test(t, every_type_disconnected);
	tcase_add_loop_test(t, every_type_in_every_version, 0, CHANNELMSG_COUNT);
	tcase_add_test(t, features_not_granted);
	tcase_add_loop_test(t, wrong_relids, 0, 5);
	tcase_add_loop_test(t, noise, 0, 4);
	tcase_add_test(t, nothing_made);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
