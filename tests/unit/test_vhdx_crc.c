// SPDX-License-Identifier: MIT
/* src/devices/block/vhdx_crc.c: known values, and the two ways agree. */
#include <check.h>
#include <stdlib.h>

#include "devices/block/vhdx_crc.h"

/* RFC 3720, B.4. */
START_TEST(known_values)
{
	uint8_t bytes[32];

	for (unsigned int i = 0; i < 32; i++)
		bytes[i] = 0;
	ck_assert_uint_eq(vhdx_crc(0, bytes, 32), 0x8a9136aa);
	for (unsigned int i = 0; i < 32; i++)
		bytes[i] = 0xff;
	ck_assert_uint_eq(vhdx_crc(0, bytes, 32), 0x62a8ab43);
	for (unsigned int i = 0; i < 32; i++)
		bytes[i] = (uint8_t)i;
	ck_assert_uint_eq(vhdx_crc(0, bytes, 32), 0x46dd794e);
	ck_assert_uint_eq(vhdx_crc(0, "123456789", 9), 0xe3069283);
	ck_assert_uint_eq(vhdx_crc(0, "", 0), 0);
}
END_TEST

START_TEST(both_ways)
{
	uint8_t bytes[300];

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * i + 13 * i);
	for (size_t len = 0; len < 290; len++) {
		size_t at = len % 9;

		ck_assert_uint_eq(vhdx_crc(7, bytes + at, len),
				  vhdx_crc_by_table(7, bytes + at, len));
		ck_assert_uint_eq(vhdx_crc(vhdx_crc(0, bytes, len), bytes + len, 10),
				  vhdx_crc(0, bytes, len + 10));
	}
}
END_TEST

START_TEST(without)
{
	uint8_t bytes[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
	uint32_t crc = vhdx_crc_without(bytes, sizeof(bytes), 4);

	bytes[4] = bytes[5] = bytes[6] = bytes[7] = 0;
	ck_assert_uint_eq(crc, vhdx_crc(0, bytes, sizeof(bytes)));
	ck_assert_uint_eq(crc, vhdx_crc_without(bytes, sizeof(bytes), 4));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhdx_crc");
	TCase *tc = tcase_create("vhdx_crc");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, known_values);
	tcase_add_test(tc, both_ways);
	tcase_add_test(tc, without);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
