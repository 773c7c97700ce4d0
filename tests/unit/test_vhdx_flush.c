// SPDX-License-Identifier: MIT
/*
 * src/devices/block/vhdx_flush.c: what is durable when, what is sent to the file for it, and what
 * becomes of errors.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_internal.h"
#include "vhdx_model.h"

static const struct vhdx_create_options small = {.size = MiB(64), .block_size = MiB(1)};

static struct vhdx *vhdx_in(struct model *m)
{
	return vhdx_of(m->block);
}

/* One write of the log and one sync make a new block durable. */
START_TEST(one_entry)
{
	unsigned int writes, syncs;
	struct model m;

	model_init(&m, &small, 0, 1);
	model_write(&m, 0, 4096, false);
	writes = m.fake.submitted[FILE_WRITE];
	syncs = m.fake.submitted[FILE_SYNC];
	model_flush(&m);
	ck_assert_uint_eq(m.fake.submitted[FILE_WRITE], writes + 1);
	ck_assert_uint_eq(m.fake.submitted[FILE_SYNC], syncs + 1);
	/* Nothing is dirty: a sync alone. */
	model_write(&m, 8192, 4096, false);
	model_flush(&m);
	ck_assert_uint_eq(m.fake.submitted[FILE_WRITE], writes + 2);
	ck_assert_uint_eq(m.fake.submitted[FILE_SYNC], syncs + 2);
	model_kill(&m);
	model_verify(&m);
	model_finish(&m);
}
END_TEST

/*
 * A write with FUA to a block whose place is durable is that one write; to a new one it is a
 * flush.
 */
START_TEST(fua)
{
	unsigned int syncs;
	struct model m;

	model_init(&m, &small, 0, 1);
	model_write(&m, MiB(2), 512, true);
	model_kill(&m);
	model_read(&m, MiB(2), 512);
	model_write(&m, MiB(2), 512, true); /* begins the session */
	syncs = m.fake.submitted[FILE_SYNC];
	model_write(&m, MiB(2), 512, true);
	ck_assert_uint_eq(m.fake.submitted[FILE_SYNC], syncs);
	model_finish(&m);
}
END_TEST

/* Flushes that come while one is under way are served by one more. */
static unsigned int flushes_done;

static void flush_done(struct block_request *req, int result)
{
	ck_assert_int_eq(result, 0);
	flushes_done++;
}

START_TEST(flushes_are_merged)
{
	struct block_request req[10];
	struct model m;
	unsigned int syncs;

	model_init(&m, &small, 0, 1);
	model_write(&m, 0, 4096, false);
	syncs = m.fake.submitted[FILE_SYNC];
	for (unsigned int i = 0; i < ARRAY_SIZE(req); i++) {
		req[i] = (struct block_request){.op = BLOCK_FLUSH, .done = flush_done};
		block_submit(m.block, &req[i]);
	}
	vhdx_fake_run(&m.fake);
	ck_assert_uint_eq(flushes_done, 10);
	ck_assert_uint_eq(m.fake.submitted[FILE_SYNC], syncs + 2);
	model_finish(&m);
}
END_TEST

/* The log goes round many times; killed at any time, all that was flushed is there. */
START_TEST(log_goes_round)
{
	struct vhdx_create_options create = {.size = GiB(2), .block_size = MiB(1)};
	struct model m;

	create.size = MiB(700);
	model_init(&m, &create, 0, 1);
	for (unsigned int i = 0; i < 700; i++) {
		model_write(&m, i * MiB(1) + (i % 7) * 4096, 512, i % 3 == 0);
		if (i % 3 == 1)
			model_flush(&m);
		if (i % 97 == 96) {
			model_flush(&m);
			model_kill(&m);
			model_check(&m.fake, true);
		}
	}
	model_flush(&m);
	model_kill(&m);
	model_verify(&m);
	model_finish(&m);
}
END_TEST

/* An entry is as long as can be, and the log is full more than once in one flush. */
START_TEST(log_is_full)
{
	/* A page of the BAT for every 512 blocks: 300 pages. */
	struct vhdx_create_options create = {.size = 300 * 513 * MiB(1), .block_size = MiB(1)};
	struct vhdx_open_options options = {.read_only = false};
	struct error err = {.text = ""};
	struct vhdx_fake fake, copy;
	struct block *block;
	uint8_t data[512], back[512];

	vhdx_fake_init(&fake);
	vhdx_fake_init(&copy);
	ck_assert_int_eq(vhdx_create(&fake.file, &create, &err), 0);
	ck_assert_int_eq(vhdx_open(&fake.file, NULL, &options, &err, &block), 0);
	for (unsigned int round = 0; round < 3; round++) {
		memset(data, (int)round + 1, sizeof(data));
		for (uint64_t i = 0; i < 300; i++)
			ck_assert_int_eq(vhdx_fake_do(&fake, block, BLOCK_WRITE,
						      (i * 511 + round) * MiB(1), data, 512, false),
					 0);
		ck_assert_int_eq(vhdx_fake_do(&fake, block, BLOCK_FLUSH, 0, NULL, 0, false), 0);
		vhdx_fake_copy(&fake, &copy);
		model_check(&copy, true);
	}
	ck_assert_int_eq(block_close(block, &err), 0);
	ck_assert_int_eq(vhdx_open(&copy.file, NULL, &options, &err, &block), 0);
	for (uint64_t i = 0; i < 900; i++) {
		memset(data, (int)(i % 3) + 1, sizeof(data));
		ck_assert_int_eq(vhdx_fake_do(&copy, block, BLOCK_READ,
					      (i / 3 * 511 + i % 3) * MiB(1), back, 512, false),
				 0);
		ck_assert_mem_eq(data, back, 512);
	}
	ck_assert_int_eq(block_close(block, &err), 0);
	vhdx_fake_finish(&fake);
	vhdx_fake_finish(&copy);
}
END_TEST

/* After an error of a sync or the log nothing is written any more, and reads go on. */
START_TEST(errors_end_writing)
{
	static const enum file_op ops[] = {FILE_SYNC, FILE_WRITE};
	struct error err = {.text = ""};
	uint8_t data[512] = {1}, back[512];
	struct model m;

	model_init(&m, &small, 0, 1);
	model_write(&m, 0, 4096, true);
	model_write(&m, MiB(1), 4096, false);
	m.fake.fail_result = -EIO;
	m.fake.fail_op = ops[_i];
	m.fake.fail_count = 1;
	ck_assert_int_eq(vhdx_fake_do(&m.fake, m.block, BLOCK_FLUSH, 0, NULL, 0, false), -EIO);
	ck_assert_int_eq(vhdx_fake_do(&m.fake, m.block, BLOCK_WRITE, 0, data, 512, false), -EIO);
	ck_assert_int_eq(vhdx_fake_do(&m.fake, m.block, BLOCK_FLUSH, 0, NULL, 0, false), -EIO);
	ck_assert_int_eq(vhdx_fake_do(&m.fake, m.block, BLOCK_READ, 0, back, 512, false), 0);
	ck_assert_int_eq(block_close(m.block, &err), -EIO);
	model_open(&m);
	model_read(&m, 0, 4096); /* what had been flushed */
	model_check(&m.fake, true);
	model_finish(&m);
}
END_TEST

/* The headers cannot be written: no session begins, the write fails, the image is as it was. */
START_TEST(session_cannot_begin)
{
	uint8_t data[512] = {1};
	struct error err;
	struct model m;

	model_init(&m, &small, 0, 1);
	m.fake.fail_result = -EIO;
	m.fake.fail_op = _i % 2 ? FILE_WRITE : FILE_SYNC;
	m.fake.fail_after = (unsigned int)_i / 2;
	m.fake.fail_count = 1;
	ck_assert_int_eq(vhdx_fake_do(&m.fake, m.block, BLOCK_WRITE, 0, data, 512, false), -EIO);
	ck_assert_int_ne(block_close(m.block, &err), 0);
	model_open(&m);
	model_verify(&m);
	model_finish(&m);
}
END_TEST

/* A data error is the request's alone. */
START_TEST(data_errors)
{
	uint8_t data[512] = {1};
	struct model m;

	model_init(&m, &small, 0, 1);
	model_write(&m, 0, 4096, false);
	m.fake.fail_result = -EIO;
	m.fake.fail_op = FILE_WRITE;
	m.fake.fail_count = 2;
	ck_assert_int_eq(vhdx_fake_do(&m.fake, m.block, BLOCK_WRITE, 4096, data, 512, false), -EIO);
	ck_assert_int_eq(vhdx_fake_do(&m.fake, m.block, BLOCK_WRITE, MiB(9), data, 512, false),
			 -EIO);
	ck_assert_uint_eq(vhdx_in(&m)->bat.allocated, 1);
	model_write(&m, 4096, 4096, false);
	model_write(&m, MiB(9), 4096, false);
	model_flush(&m);
	model_kill(&m);
	model_verify(&m);
	model_finish(&m);
}
END_TEST

/* Unsafe: no sync at all, and still clean in the end. */
START_TEST(unsafe)
{
	struct model m;

	model_init(&m, &small, 0, 1);
	model_close(&m);
	m.options.unsafe = true;
	model_open(&m);
	model_run(&m, 300);
	model_flush(&m);
	ck_assert_uint_eq(m.fake.submitted[FILE_SYNC], 0);
	model_close(&m);
	m.options.unsafe = false;
	model_open(&m);
	model_verify(&m);
	model_finish(&m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhdx_flush");
	TCase *tc = tcase_create("vhdx_flush");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, one_entry);
	tcase_add_test(tc, fua);
	tcase_add_test(tc, flushes_are_merged);
	tcase_add_test(tc, log_goes_round);
	tcase_add_test(tc, log_is_full);
	tcase_add_loop_test(tc, errors_end_writing, 0, 2);
	tcase_add_loop_test(tc, session_cannot_begin, 0, 6);
	tcase_add_test(tc, data_errors);
	tcase_add_test(tc, unsafe);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
