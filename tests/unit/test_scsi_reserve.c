// SPDX-License-Identifier: MIT
/* Reservations of two initiators, the persistent ones and the old. */
#include <check.h>
#include <stdlib.h>

#include "scsi_fake.h"

static struct scsi_fake f;

static void setup(void)
{
	scsi_fake_disk(&f, MiB(1), 512);
}

static void teardown(void)
{
	scsi_fake_finish(&f);
}

/* As initiator @who. */
static uint8_t out(uint64_t who, uint8_t service, uint8_t type, uint64_t key, uint64_t service_key)
{
	f.nexus = who;
	memset(f.data, 0, 24);
	put_be64(f.data, key);
	put_be64(f.data + 8, service_key);
	return scsi_fake_out(&f, 24, SCSI_PERSISTENT_RESERVE_OUT, service, type, [8] = 24);
}

static uint32_t in(uint8_t service)
{
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_PERSISTENT_RESERVE_IN, service, [7] = 2),
			  SCSI_GOOD);
	return f.req.transferred;
}

static uint8_t do_read(uint64_t who)
{
	f.nexus = who;
	return scsi_fake_in(&f, 512, SCSI_READ_10, [8] = 1);
}

static uint8_t do_write(uint64_t who)
{
	f.nexus = who;
	return scsi_fake_out(&f, 512, SCSI_WRITE_10, [8] = 1);
}

/* Takes the unit attention that is due. */
static uint16_t attention(uint64_t who)
{
	f.nexus = who;
	if (scsi_fake_none(&f, SCSI_TEST_UNIT_READY) == SCSI_GOOD)
		return 0;
	ck_assert_uint_eq(scsi_fake_sense(&f) >> 16, SCSI_UNIT_ATTENTION);
	return (uint16_t)scsi_fake_sense(&f);
}

static void register_both(void)
{
	ck_assert_uint_eq(out(1, SCSI_PR_REGISTER, 0, 0, 0x11), SCSI_GOOD);
	ck_assert_uint_eq(out(2, SCSI_PR_REGISTER, 0, 0, 0x22), SCSI_GOOD);
}

START_TEST(registrations)
{
	ck_assert_uint_eq(in(SCSI_PR_READ_KEYS), 8);
	/* With a key that it does not have yet; then rightly, again, another, and none. */
	ck_assert_uint_eq(out(1, SCSI_PR_REGISTER, 0, 5, 0x11), SCSI_RESERVATION_CONFLICT);
	ck_assert_uint_eq(out(1, SCSI_PR_REGISTER, 0, 0, 0x11), SCSI_GOOD);
	ck_assert_uint_eq(out(1, SCSI_PR_REGISTER, 0, 0, 0x11), SCSI_RESERVATION_CONFLICT);
	ck_assert_uint_eq(out(1, SCSI_PR_REGISTER, 0, 0x11, 0x12), SCSI_GOOD);
	ck_assert_uint_eq(out(2, SCSI_PR_REGISTER_AND_IGNORE, 0, 99, 0x22), SCSI_GOOD);
	ck_assert_uint_eq(in(SCSI_PR_READ_KEYS), 8 + 16);
	ck_assert_uint_eq(be32_at(f.data), 3);
	ck_assert_uint_eq(be32_at(f.data + 4), 16);
	ck_assert_uint_eq(be64_at(f.data + 8) + be64_at(f.data + 16), 0x12 + 0x22);
	ck_assert_uint_eq(out(1, SCSI_PR_REGISTER, 0, 0x12, 0), SCSI_GOOD);
	ck_assert_uint_eq(out(1, SCSI_PR_REGISTER, 0, 0, 0), SCSI_GOOD);
	ck_assert_uint_eq(in(SCSI_PR_READ_KEYS), 8 + 8);
}
END_TEST

START_TEST(malformed)
{
	const uint8_t kinds[] = {1, 4, 8};

	ck_assert_uint_eq(scsi_fake_out(&f, 24, SCSI_PERSISTENT_RESERVE_OUT, 0, 0, [8] = 23),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_PARAMETER_LIST_LENGTH_ERROR));
	ck_assert_uint_eq(scsi_fake_out(&f, 23, SCSI_PERSISTENT_RESERVE_OUT, 0, 0, [8] = 24),
			  SCSI_CHECK_CONDITION);
	/* For others, for all ports, and to outlive the power: none of that. */
	for (unsigned int i = 0; i < 3; i++) {
		memset(f.data, 0, 24);
		f.data[20] = kinds[i];
		ck_assert_uint_eq(
			scsi_fake_out(&f, 24, SCSI_PERSISTENT_RESERVE_OUT, 0, 0, [8] = 24),
			SCSI_CHECK_CONDITION);
		ck_assert_uint_eq(scsi_fake_sense(&f), SENSE(SCSI_ILLEGAL_REQUEST,
							     SCSI_ASC_INVALID_FIELD_IN_PARAMETERS));
	}
	register_both();
	for (unsigned int type = 0; type < 256; type++) {
		uint8_t expected = (type >= 5 && type <= 8) || type == 1 || type == 3
					   ? SCSI_GOOD
					   : SCSI_CHECK_CONDITION;

		ck_assert_uint_eq(out(1, SCSI_PR_RESERVE, (uint8_t)type, 0x11, 0), expected);
		if (expected == SCSI_GOOD)
			ck_assert_uint_eq(out(1, SCSI_PR_RELEASE, (uint8_t)type, 0x11, 0),
					  SCSI_GOOD);
		attention(2);
	}
	ck_assert_uint_eq(scsi_fake_out(&f, 24, SCSI_PERSISTENT_RESERVE_OUT, 7, 0, [8] = 24),
			  SCSI_CHECK_CONDITION);
}
END_TEST

/* Who may read and write: the holder, a registrant, and a stranger. */
START_TEST(who_may)
{
	static const struct {
		uint8_t type;
		bool registrant_reads, registrant_writes, stranger_reads;
	} rows[] = {
		{SCSI_PR_WRITE_EXCLUSIVE, true, false, true},
		{SCSI_PR_EXCLUSIVE_ACCESS, false, false, false},
		{SCSI_PR_WRITE_EXCLUSIVE_RO, true, true, true},
		{SCSI_PR_EXCLUSIVE_ACCESS_RO, true, true, false},
		{SCSI_PR_WRITE_EXCLUSIVE_AR, true, true, true},
		{SCSI_PR_EXCLUSIVE_ACCESS_AR, true, true, false},
	};

	register_both();
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_uint_eq(out(1, SCSI_PR_RESERVE, rows[i].type, 0x11, 0), SCSI_GOOD);
		ck_assert_uint_eq(do_read(1), SCSI_GOOD);
		ck_assert_uint_eq(do_write(1), SCSI_GOOD);
		ck_assert_uint_eq(do_read(2) == SCSI_GOOD, rows[i].registrant_reads);
		ck_assert_uint_eq(do_write(2) == SCSI_GOOD, rows[i].registrant_writes);
		ck_assert_uint_eq(do_read(3) == SCSI_GOOD, rows[i].stranger_reads);
		ck_assert_uint_eq(do_write(3), SCSI_RESERVATION_CONFLICT);
		ck_assert_uint_eq(f.req.sense_len, 0);
		f.nexus = 3;
		ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_GOOD);
		ck_assert_uint_eq(scsi_fake_in(&f, 96, SCSI_INQUIRY, [4] = 96), SCSI_GOOD);
		ck_assert_uint_eq(out(1, SCSI_PR_RELEASE, rows[i].type, 0x11, 0), SCSI_GOOD);
		ck_assert_uint_eq(attention(2), i >= 2 ? SCSI_ASC_RESERVATIONS_RELEASED : 0);
		ck_assert_uint_eq(do_write(3), SCSI_GOOD);
	}
}
END_TEST

START_TEST(holding)
{
	register_both();
	ck_assert_uint_eq(out(3, SCSI_PR_RESERVE, 3, 0, 0), SCSI_RESERVATION_CONFLICT);
	ck_assert_uint_eq(out(1, SCSI_PR_RESERVE, 3, 0x99, 0), SCSI_RESERVATION_CONFLICT);
	ck_assert_uint_eq(in(SCSI_PR_READ_RESERVATION), 8);
	ck_assert_uint_eq(out(1, SCSI_PR_RESERVE, 3, 0x11, 0), SCSI_GOOD);
	ck_assert_uint_eq(out(1, SCSI_PR_RESERVE, 3, 0x11, 0), SCSI_GOOD);
	ck_assert_uint_eq(out(1, SCSI_PR_RESERVE, 1, 0x11, 0), SCSI_RESERVATION_CONFLICT);
	ck_assert_uint_eq(out(2, SCSI_PR_RESERVE, 3, 0x22, 0), SCSI_RESERVATION_CONFLICT);
	ck_assert_uint_eq(in(SCSI_PR_READ_RESERVATION), 8 + 16);
	ck_assert_uint_eq(be64_at(f.data + 8), 0x11);
	ck_assert_uint_eq(f.data[21], 3);
	/* By another: nothing happens. With another type: an error. */
	ck_assert_uint_eq(out(2, SCSI_PR_RELEASE, 3, 0x22, 0), SCSI_GOOD);
	ck_assert_uint_eq(out(1, SCSI_PR_RELEASE, 1, 0x11, 0), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_RELEASE_OF_RESERVATION));
	ck_assert_uint_eq(do_read(2), SCSI_RESERVATION_CONFLICT);
	/* Who leaves takes it along. */
	ck_assert_uint_eq(out(1, SCSI_PR_REGISTER, 0, 0x11, 0), SCSI_GOOD);
	ck_assert_uint_eq(do_read(2), SCSI_GOOD);
}
END_TEST

START_TEST(all_registrants)
{
	register_both();
	ck_assert_uint_eq(out(1, SCSI_PR_RESERVE, 8, 0x11, 0), SCSI_GOOD);
	ck_assert_uint_eq(out(2, SCSI_PR_RESERVE, 8, 0x22, 0), SCSI_GOOD);
	ck_assert_uint_eq(in(SCSI_PR_READ_RESERVATION), 8 + 16);
	ck_assert_uint_eq(be64_at(f.data + 8), 0);
	ck_assert_uint_eq(in(SCSI_PR_READ_FULL_STATUS), 8 + 2 * 48);
	ck_assert_uint_eq(f.data[8 + 12], 1);
	ck_assert_uint_eq(f.data[8 + 48 + 12], 1);
	ck_assert_uint_eq(f.data[8 + 48 + 13], 8);
	/* The last one ends it. */
	ck_assert_uint_eq(out(1, SCSI_PR_REGISTER, 0, 0x11, 0), SCSI_GOOD);
	ck_assert_uint_eq(do_read(1), SCSI_RESERVATION_CONFLICT);
	ck_assert_uint_eq(out(2, SCSI_PR_REGISTER, 0, 0x22, 0), SCSI_GOOD);
	ck_assert_uint_eq(do_read(1), SCSI_GOOD);
}
END_TEST

START_TEST(clear)
{
	register_both();
	ck_assert_uint_eq(out(1, SCSI_PR_RESERVE, 3, 0x11, 0), SCSI_GOOD);
	ck_assert_uint_eq(out(2, SCSI_PR_CLEAR, 0, 0x99, 0), SCSI_RESERVATION_CONFLICT);
	ck_assert_uint_eq(out(2, SCSI_PR_CLEAR, 0, 0x22, 0), SCSI_GOOD);
	ck_assert_uint_eq(attention(1), SCSI_ASC_RESERVATIONS_PREEMPTED);
	ck_assert_uint_eq(attention(2), 0);
	ck_assert_uint_eq(in(SCSI_PR_READ_KEYS), 8);
	ck_assert_uint_eq(be32_at(f.data), 3);
	ck_assert_uint_eq(do_write(3), SCSI_GOOD);
}
END_TEST

START_TEST(preempt)
{
	register_both();
	ck_assert_uint_eq(out(1, SCSI_PR_RESERVE, 5, 0x11, 0), SCSI_GOOD);
	ck_assert_uint_eq(out(2, SCSI_PR_PREEMPT, 3, 0x22, 0), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(out(2, SCSI_PR_PREEMPT, 3, 0x22, 0x77), SCSI_RESERVATION_CONFLICT);
	ck_assert_uint_eq(out(2, SCSI_PR_PREEMPT, 3, 0x22, 0x11), SCSI_GOOD);
	ck_assert_uint_eq(attention(1), SCSI_ASC_REGISTRATIONS_PREEMPTED);
	ck_assert_uint_eq(in(SCSI_PR_READ_RESERVATION), 8 + 16);
	ck_assert_uint_eq(be64_at(f.data + 8), 0x22);
	ck_assert_uint_eq(f.data[21], 3);
	ck_assert_uint_eq(do_read(1), SCSI_RESERVATION_CONFLICT);
	/* A registrant that is no holder loses its registration only. */
	ck_assert_uint_eq(out(3, SCSI_PR_REGISTER, 0, 0, 0x33), SCSI_GOOD);
	ck_assert_uint_eq(out(2, SCSI_PR_PREEMPT_AND_ABORT, 1, 0x22, 0x33), SCSI_GOOD);
	ck_assert_uint_eq(attention(3), SCSI_ASC_REGISTRATIONS_PREEMPTED);
	ck_assert_uint_eq(in(SCSI_PR_READ_RESERVATION), 8 + 16);
	ck_assert_uint_eq(f.data[21], 3);
	/* Itself: another type. */
	ck_assert_uint_eq(out(2, SCSI_PR_PREEMPT, 1, 0x22, 0x22), SCSI_GOOD);
	ck_assert_uint_eq(in(SCSI_PR_READ_RESERVATION), 8 + 16);
	ck_assert_uint_eq(f.data[21], 1);
}
END_TEST

/* Everybody else at once. */
START_TEST(preempt_all)
{
	register_both();
	ck_assert_uint_eq(out(3, SCSI_PR_REGISTER, 0, 0, 0x33), SCSI_GOOD);
	ck_assert_uint_eq(out(1, SCSI_PR_RESERVE, 7, 0x11, 0), SCSI_GOOD);
	ck_assert_uint_eq(out(2, SCSI_PR_PREEMPT, 3, 0x22, 0), SCSI_GOOD);
	ck_assert_uint_eq(attention(1), SCSI_ASC_REGISTRATIONS_PREEMPTED);
	ck_assert_uint_eq(attention(3), SCSI_ASC_REGISTRATIONS_PREEMPTED);
	ck_assert_uint_eq(in(SCSI_PR_READ_KEYS), 8 + 8);
	ck_assert_uint_eq(be64_at(f.data + 8), 0x22);
}
END_TEST

START_TEST(capabilities)
{
	ck_assert_uint_eq(in(SCSI_PR_REPORT_CAPABILITIES), 8);
	ck_assert_uint_eq(be16_at(f.data), 8);
	ck_assert_uint_eq(f.data[3], 0x80);
	ck_assert_uint_eq(be16_at(f.data + 4), 0xea01);
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_PERSISTENT_RESERVE_IN, 4, [7] = 2),
			  SCSI_CHECK_CONDITION);
}
END_TEST

START_TEST(old_ones)
{
	f.nexus = 1;
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_RESERVE_6), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_RESERVE_10), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_RESERVE_6, 1), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(do_write(1), SCSI_GOOD);
	ck_assert_uint_eq(do_read(2), SCSI_RESERVATION_CONFLICT);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_RESERVE_6), SCSI_RESERVATION_CONFLICT);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_RELEASE_6), SCSI_GOOD);
	ck_assert_uint_eq(do_read(2), SCSI_RESERVATION_CONFLICT);
	ck_assert_uint_eq(out(1, SCSI_PR_REGISTER, 0, 0, 1), SCSI_RESERVATION_CONFLICT);
	f.nexus = 1;
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_RELEASE_10), SCSI_GOOD);
	ck_assert_uint_eq(do_read(2), SCSI_GOOD);
	register_both();
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_RESERVE_6), SCSI_RESERVATION_CONFLICT);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_RELEASE_6), SCSI_RESERVATION_CONFLICT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_reserve");
	TCase *tc = tcase_create("reserve");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, registrations);
	tcase_add_test(tc, malformed);
	tcase_add_test(tc, who_may);
	tcase_add_test(tc, holding);
	tcase_add_test(tc, all_registrants);
	tcase_add_test(tc, clear);
	tcase_add_test(tc, preempt);
	tcase_add_test(tc, preempt_all);
	tcase_add_test(tc, capabilities);
	tcase_add_test(tc, old_ones);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
