// SPDX-License-Identifier: MIT
/* src/devices/block/vhdx_compact.c: the file becomes shorter, the disk stays the same. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vhdx_model.h"

static struct error err;

struct counted {
	uint64_t calls, last, stop_after;
};

static bool step(void *ctx, uint64_t done, uint64_t total)
{
	struct counted *c = ctx;

	ck_assert_uint_le(done, total);
	ck_assert_uint_ge(done, c->last);
	c->last = done;
	return ++c->calls != c->stop_after;
}

static void scatter(struct model *m)
{
	model_write(m, 0, MiB(15), false);
	for (uint64_t i = 0; i < 15; i += 3)
		model_unmap(m, MiB(i), MiB(2));
	model_zero(m, MiB(2), MiB(1), false); /* a block of zeroes with space */
	model_write(m, MiB(18), MiB(2), false);
}

static void init(struct model *m, unsigned int parents)
{
	struct vhdx_create_options create = {.size = MiB(24), .block_size = MiB(1)};

	model_init(m, &create, parents, 1);
	if (parents)
		model_run(m, 200);
	else
		scatter(m);
	model_close(m);
}

START_TEST(becomes_shorter)
{
	struct counted counted = {0};
	struct vhdx_progress progress = {step, &counted};
	uint64_t before, saved;
	struct model m;

	init(&m, _i ? 2 : 0);
	before = m.fake.size;
	ck_assert_int_eq(vhdx_compact(&m.fake.file, &progress, &err, &saved), 0);
	ck_assert_uint_eq(before - saved, m.fake.size);
	ck_assert_uint_gt(counted.calls, 0);
	model_check(&m.fake, false);
	if (!_i)
		ck_assert_uint_eq(m.fake.size, MiB(4 + 4 + 2));
	model_open(&m);
	model_verify(&m);
	model_run(&m, 100);
	model_verify(&m);
	model_finish(&m);
}
END_TEST

START_TEST(again_does_nothing)
{
	struct model m;
	uint64_t saved;

	init(&m, 0);
	ck_assert_int_eq(vhdx_compact(&m.fake.file, NULL, &err, &saved), 0);
	ck_assert_int_eq(vhdx_compact(&m.fake.file, NULL, &err, &saved), 0);
	ck_assert_uint_eq(saved, 0);
	model_finish(&m);
}
END_TEST

START_TEST(stopped)
{
	for (uint64_t n = 1; n < 11; n += 3) {
		struct counted counted = {.stop_after = n};
		struct vhdx_progress progress = {step, &counted};
		struct model m;
		uint64_t saved;

		init(&m, 0);
		ck_assert_int_eq(vhdx_compact(&m.fake.file, &progress, &err, &saved), -ECANCELED);
		model_check(&m.fake, true);
		model_open(&m);
		model_verify(&m);
		model_finish(&m);
	}
}
END_TEST

START_TEST(failures)
{
	for (unsigned int n = _i; n < 400; n += 11) {
		struct model m;
		uint64_t saved;
		int ret;

		init(&m, 0);
		m.fake.fail_result = -EIO;
		m.fake.fail_op = _i ? FILE_SYNC : FILE_WRITE;
		m.fake.fail_after = n;
		m.fake.fail_count = 1000;
		ret = vhdx_compact(&m.fake.file, NULL, &err, &saved);
		m.fake.fail_result = 0;
		model_open(&m);
		model_verify(&m);
		model_finish(&m);
		if (ret == 0)
			return;
	}
	ck_abort_msg("never done");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhdx_compact");
	TCase *tc = tcase_create("vhdx_compact");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, becomes_shorter, 0, 2);
	tcase_add_test(tc, again_does_nothing);
	tcase_add_test(tc, stopped);
	tcase_add_loop_test(tc, failures, 0, 2);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
