// SPDX-License-Identifier: MIT
/* GUIDs of devices: fixed for ever, and distinct. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "vmbus/guid.h"

START_TEST(known)
{
	/* Worked out apart from the code under test: changing these renames every guest's disks. */
	static const uint8_t expected[16] = {0xa5, 0xbc, 0x49, 0xd8, 0xca, 0xe5, 0x73, 0x83,
					     0x81, 0xfd, 0xdc, 0xe0, 0xeb, 0x88, 0x69, 0x29};
	const struct vmbus_guid guid = vmbus_instance_guid("vm1", "scsi", 0);

	ck_assert_mem_eq(guid.b, expected, sizeof(expected));
}
END_TEST

START_TEST(marked)
{
	for (uint32_t i = 0; i < 1000; i++) {
		const struct vmbus_guid guid = vmbus_instance_guid("a machine", "network", i);

		ck_assert_int_eq(guid.b[7] >> 4, 8);
		ck_assert_int_eq(guid.b[8] >> 6, 2);
	}
}
END_TEST

START_TEST(distinct)
{
	static struct vmbus_guid guids[300];

	for (uint32_t i = 0; i < ARRAY_SIZE(guids); i++)
		guids[i] = vmbus_instance_guid("vm", "scsi", i);
	for (uint32_t i = 0; i < ARRAY_SIZE(guids); i++)
		for (uint32_t j = 0; j < i; j++)
			ck_assert(!vmbus_guid_equal(&guids[i], &guids[j]));
}
END_TEST

START_TEST(names_do_not_run_together)
{
	const struct vmbus_guid a = vmbus_instance_guid("vm", "1scsi", 0);
	const struct vmbus_guid b = vmbus_instance_guid("vm1", "scsi", 0);
	const struct vmbus_guid c = vmbus_instance_guid("", "", UINT32_MAX);

	ck_assert(!vmbus_guid_equal(&a, &b));
	ck_assert(!vmbus_guid_equal(&a, &c));
	ck_assert(vmbus_guid_equal(&a, &a));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guid");
	TCase *t = tcase_create("guid");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, known);
	tcase_add_test(t, marked);
	tcase_add_test(t, distinct);
	tcase_add_test(t, names_do_not_run_together);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
