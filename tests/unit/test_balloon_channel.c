// SPDX-License-Identifier: MIT
/* What is agreed on first, reports, and packets that are not what they should be. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "balloon_fake.h"

static struct balloon_fake f;

static void setup(void)
{
	balloon_fake_init(&f, 0, BALLOON_ANSWER_NS);
}

static void teardown(void)
{
	balloon_fake_finish(&f);
}

static bool offer_version(uint32_t version)
{
	const struct dm_version_request request = {.version = version};
	const struct dm_accepted *answer;

	ck_assert_int_eq(balloon_fake_send(&f, DM_VERSION_REQUEST, &request, sizeof(request)), 0);
	answer = balloon_fake_next(&f, DM_VERSION_RESPONSE);
	return answer->is_accepted;
}

START_TEST(offer)
{
	static const uint8_t class_id[16] = {0xdc, 0x74, 0x50, 0x52, 0x85, 0x89, 0xe2, 0x46,
					     0x80, 0x57, 0xa3, 0x07, 0xdc, 0x18, 0xa5, 0x02};

	ck_assert_mem_eq(&f.bus.device->config.class_id, class_id, sizeof(class_id));
}
END_TEST

START_TEST(versions)
{
	f.channel = channel_fake_open(&f.bus, 0);
	ck_assert(!offer_version(DYNMEM_VERSION(3, 0)));
	ck_assert(!offer_version(DYNMEM_VERSION(0, 2)));
	ck_assert(!offer_version(UINT32_MAX));
	ck_assert(offer_version(DYNMEM_PROTOCOL_VERSION_2));
	ck_assert_uint_eq(balloon_fake_state(&f).version, 0);
}
END_TEST

START_TEST(all_versions)
{
	static const uint32_t versions_[] = {DYNMEM_PROTOCOL_VERSION_1, DYNMEM_PROTOCOL_VERSION_2,
					     DYNMEM_PROTOCOL_VERSION_3};

	for (size_t i = 0; i < ARRAY_SIZE(versions_); i++) {
		balloon_fake_start(&f, versions_[i]);
		ck_assert_uint_eq(balloon_fake_state(&f).version, versions_[i]);
		ck_assert(balloon_fake_silent(&f));
		ck_assert(channel_fake_close(&f.bus, 0));
		ck_assert_uint_eq(balloon_fake_state(&f).version, 0);
	}
}
END_TEST

START_TEST(out_of_order)
{
	const struct dm_capabilities caps = {.caps = DM_CAP_BALLOON};
	const struct dm_status status = {.num_avail = 1};

	f.channel = channel_fake_open(&f.bus, 0);
	ck_assert_int_eq(balloon_fake_send(&f, DM_CAPABILITIES_REPORT, &caps, sizeof(caps)),
			 -EINVAL);
	f.channel = channel_fake_open(&f.bus, 0);
	ck_assert_int_eq(balloon_fake_send(&f, DM_STATUS_REPORT, &status, sizeof(status)), -EINVAL);
	balloon_fake_start(&f, DYNMEM_PROTOCOL_VERSION_3);
	ck_assert_int_eq(balloon_fake_send(&f, DM_CAPABILITIES_REPORT, &caps, sizeof(caps)),
			 -EINVAL);
	ck_assert(!balloon_fake_state(&f).driver);
}
END_TEST

START_TEST(malformed)
{
	static const uint16_t types[] = {DM_VERSION_REQUEST, DM_CAPABILITIES_REPORT,
					 DM_STATUS_REPORT, DM_BALLOON_RESPONSE,
					 DM_MEM_HOT_ADD_RESPONSE};
	const struct dm_header header = {.size = 200};
	struct ring_packet packet = {
		.type = VM_PKT_DATA_INBAND, .payload = &header, .payload_len = sizeof(header)};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		balloon_fake_start(&f, DYNMEM_PROTOCOL_VERSION_3);
		ck_assert_int_eq(balloon_fake_send(&f, types[i], &header, sizeof(header)), -EINVAL);
	}
	balloon_fake_start(&f, DYNMEM_PROTOCOL_VERSION_3);
	ck_assert_int_eq(channel_fake_send(f.channel, &packet), -EINVAL);
	f.channel = channel_fake_open(&f.bus, 0);
	packet.payload_len = 0;
	ck_assert_int_eq(channel_fake_send(f.channel, &packet), -EINVAL);
	f.channel = channel_fake_open(&f.bus, 0);
	packet.type = VM_PKT_COMP;
	ck_assert_int_eq(channel_fake_send(f.channel, &packet), -EINVAL);
}
END_TEST

START_TEST(unknown_is_ignored)
{
	const struct dm_header header = {0};

	balloon_fake_start(&f, DYNMEM_PROTOCOL_VERSION_3);
	ck_assert_int_eq(balloon_fake_send(&f, 99, &header, sizeof(header)), 0);
	ck_assert_int_eq(balloon_fake_send(&f, DM_ERROR, &header, sizeof(header)), 0);
	ck_assert_uint_eq(counter_get(&balloon_counters(f.balloon)->unexpected), 2);
	ck_assert(balloon_fake_silent(&f));
}
END_TEST

START_TEST(short_report)
{
	const struct dm_status status = {.num_avail = MiB(100) >> PAGE_SHIFT,
					 .num_committed = MiB(300) >> PAGE_SHIFT};

	balloon_fake_start(&f, DYNMEM_PROTOCOL_VERSION_1);
	ck_assert_int_eq(balloon_fake_send(&f, DM_STATUS_REPORT, &status, DM_STATUS_LEN_MIN), 0);
	ck_assert_uint_eq(balloon_fake_state(&f).available, MiB(100));
	ck_assert_uint_eq(balloon_fake_state(&f).demand, MiB(300));
}
END_TEST

START_TEST(report_of_everything)
{
	const struct dm_status status = {.num_avail = UINT64_MAX, .num_committed = UINT64_MAX};
	struct balloon_state s;

	balloon_fake_start(&f, DYNMEM_PROTOCOL_VERSION_3);
	ck_assert_int_eq(balloon_fake_send(&f, DM_STATUS_REPORT, &status, sizeof(status)), 0);
	s = balloon_fake_state(&f);
	ck_assert_uint_eq(s.available, MiB(512));
	ck_assert_uint_le(s.demand, 1ull << 52);
	ck_assert_uint_eq(s.floor, MiB(256));
}
END_TEST

START_TEST(answers_wait_for_room)
{
	const struct dm_version_request request = {.version = DYNMEM_PROTOCOL_VERSION_3};
	const struct dm_capabilities caps = {.caps = DM_CAP_BALLOON};

	f.channel = channel_fake_open(&f.bus, 0);
	f.channel->full = true;
	ck_assert_int_eq(balloon_fake_send(&f, DM_VERSION_REQUEST, &request, sizeof(request)), 0);
	ck_assert_int_eq(balloon_fake_send(&f, DM_CAPABILITIES_REPORT, &caps, sizeof(caps)), 0);
	balloon_fake_report(&f, MiB(400), MiB(100));
	balloon_set_target(f.balloon, MiB(256));
	ck_assert(balloon_fake_silent(&f));
	channel_fake_room(f.channel);
	(void)balloon_fake_next(&f, DM_VERSION_RESPONSE);
	(void)balloon_fake_next(&f, DM_CAPABILITIES_RESPONSE);
	(void)balloon_fake_next(&f, DM_INFO_MESSAGE);
	balloon_fake_take(&f, 0x8000);
}
END_TEST

START_TEST(completes)
{
	const struct dm_header header = {.type = DM_ERROR, .size = sizeof(header)};

	balloon_fake_start(&f, DYNMEM_PROTOCOL_VERSION_3);
	ck_assert_int_eq(channel_fake_inband(f.channel, 5, &header, sizeof(header)), 0);
	ck_assert_ptr_nonnull(channel_fake_completion(f.channel, 5));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("balloon_channel");
	TCase *tc = tcase_create("balloon_channel");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, offer);
	tcase_add_test(tc, versions);
	tcase_add_test(tc, all_versions);
	tcase_add_test(tc, out_of_order);
	tcase_add_test(tc, malformed);
	tcase_add_test(tc, unknown_is_ignored);
	tcase_add_test(tc, short_report);
	tcase_add_test(tc, report_of_everything);
	tcase_add_test(tc, answers_wait_for_room);
	tcase_add_test(tc, completes);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
