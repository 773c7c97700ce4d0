// SPDX-License-Identifier: MIT
/*
 * src/devices/block/vhdx_write.c, and with it all of the runtime: random requests that end in any
 * order, over several sessions, some of which end by a kill.
 */
#include <stdlib.h>

#include "vhdx_model.h"

static void sessions(enum vhdx_type type, uint32_t block_mib, uint32_t sector, unsigned int parents,
		     uint64_t seed)
{
	struct vhdx_create_options create = {.type = type,
					     .size = MiB(24) - 7 * 4096,
					     .block_size = block_mib << 20,
					     .logical_sector = sector};
	struct model m;

	model_init(&m, &create, parents, seed);
	for (unsigned int i = 0; i < 4; i++) {
		model_run(&m, 80);
		if (i % 2) {
			model_flush(&m);
			model_kill(&m);
			model_verify(&m);
		} else {
			model_close(&m);
			model_check(&m.fake, true);
			model_open(&m);
		}
	}
	model_verify(&m);
	model_close(&m);
	model_check(&m.fake, true);
	model_finish(&m);
}

static const struct {
	enum vhdx_type type;
	uint32_t block_mib, sector;
	unsigned int parents;
} kinds[] = {
	{VHDX_DYNAMIC, 1, 512, 0}, {VHDX_DYNAMIC, 2, 4096, 0}, {VHDX_DYNAMIC, 32, 512, 0},
	{VHDX_FIXED, 1, 512, 0},   {VHDX_FIXED, 4, 4096, 0},   {VHDX_DYNAMIC, 1, 512, 1},
	{VHDX_DYNAMIC, 4, 512, 2}, {VHDX_DYNAMIC, 1, 4096, 3}, {VHDX_DYNAMIC, 32, 512, 1},
};

START_TEST(random_requests)
{
	for (uint64_t seed = 1; seed <= 2; seed++)
		sessions(kinds[_i].type, kinds[_i].block_mib, kinds[_i].sector, kinds[_i].parents,
			 seed);
}
END_TEST

/* An image that is only read is left as it is. */
START_TEST(reading_changes_nothing)
{
	struct vhdx_create_options create = {.size = MiB(8), .block_size = MiB(1)};
	struct model m;

	model_init(&m, &create, 0, 1);
	model_verify(&m);
	model_flush(&m);
	ck_assert_uint_eq(m.fake.submitted[FILE_WRITE], 0);
	ck_assert_uint_eq(m.fake.submitted[FILE_SYNC], 0);
	model_finish(&m);
}
END_TEST

/*
 * A read or write inside of a block with space is one request to the file, with its memory as it
 * is.
 */
START_TEST(direct)
{
	struct vhdx_create_options create = {.size = MiB(8), .block_size = MiB(1)};
	unsigned int writes, reads;
	struct model m;

	model_init(&m, &create, 0, 1);
	model_write(&m, MiB(3), 4096, false);
	writes = m.fake.submitted[FILE_WRITE];
	model_write(&m, MiB(3) + 8192, 65536, false);
	ck_assert_uint_eq(m.fake.submitted[FILE_WRITE], writes + 1);
	reads = m.fake.submitted[FILE_READ];
	model_read(&m, MiB(3), MiB(1));
	ck_assert_uint_eq(m.fake.submitted[FILE_READ], reads + 1);
	model_read(&m, MiB(4), MiB(1)); /* of what has none: none */
	ck_assert_uint_eq(m.fake.submitted[FILE_READ], reads + 1);
	model_finish(&m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhdx_write");
	TCase *tc = tcase_create("vhdx_write");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, random_requests, 0, (int)ARRAY_SIZE(kinds));
	tcase_add_test(tc, reading_changes_nothing);
	tcase_add_test(tc, direct);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
