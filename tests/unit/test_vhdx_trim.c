// SPDX-License-Identifier: MIT
/*
 * src/devices/block/vhdx_trim.c and vhdx_alloc.c: space is given back only when that is durable and
 * nobody uses it, is used again without showing what it held, and running out of it hurts only who
 * wanted it.
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

START_TEST(space_comes_back)
{
	unsigned int truncates;
	struct model m;
	uint64_t chunks;

	model_init(&m, &small, 0, 1);
	model_write(&m, 0, MiB(20), false);
	chunks = m.fake.chunks;
	model_unmap(&m, MiB(2), MiB(10));
	ck_assert_uint_le(m.fake.chunks, chunks - 10 * 16 + 2);
	ck_assert_uint_eq(vhdx_in(&m)->bat.allocated, 10);
	/* Durable when it is done. */
	model_kill(&m);
	ck_assert_uint_eq(vhdx_in(&m)->bat.allocated, 10);
	model_verify(&m);
	/* And used again: the file does not grow. */
	truncates = m.fake.submitted[FILE_TRUNCATE];
	model_write(&m, MiB(30), MiB(10), false);
	ck_assert_uint_eq(m.fake.submitted[FILE_TRUNCATE], truncates);
	model_verify(&m);
	model_close(&m);
	model_check(&m.fake, false);
	model_finish(&m);
}
END_TEST

/* What a block held before does not show in another one that has its space now. */
START_TEST(no_old_data)
{
	struct model m;

	model_init(&m, &small, 0, 1);
	m.fake.no_discard = _i;
	model_write(&m, 0, MiB(8), false);
	model_unmap(&m, 0, MiB(8));
	for (unsigned int i = 0; i < 8; i++)
		model_write(&m, MiB(20) + i * MiB(1) + 4096, 512, false);
	model_verify(&m);
	model_flush(&m);
	model_kill(&m);
	model_verify(&m);
	model_finish(&m);
}
END_TEST

/* Reused space: its data are made durable before the entry that names it is written. */
START_TEST(data_before_metadata)
{
	unsigned int syncs;
	struct model m;

	model_init(&m, &small, 0, 1);
	model_write(&m, 0, MiB(1), true);
	model_unmap(&m, 0, MiB(1));
	model_write(&m, MiB(5), 4096, false);
	syncs = m.fake.submitted[FILE_SYNC];
	model_flush(&m);
	ck_assert_uint_eq(m.fake.submitted[FILE_SYNC], syncs + 2);
	model_finish(&m);
}
END_TEST

struct held {
	struct block_request req;
	struct iovec iov;
	uint8_t data[4096];
	bool done;
	int result;
};

static void held_done(struct block_request *req, int result)
{
	struct held *h = container_of(req, struct held, req);

	h->done = true;
	h->result = result;
}

static void hold(struct model *m, struct held *h, enum block_op op, uint64_t offset, uint64_t len)
{
	h->iov = (struct iovec){h->data, sizeof(h->data)};
	h->done = false;
	h->req = (struct block_request){.op = op, .offset = offset, .len = len, .done = held_done};
	if (op == BLOCK_READ || op == BLOCK_WRITE) {
		h->req.iov = &h->iov;
		h->req.iov_count = 1;
	}
	block_submit(m->block, &h->req);
}

/* A read that began before the unmap keeps the space from being used again until it is done. */
START_TEST(readers_keep_space)
{
	static struct held reader, unmap;
	struct file_request *stuck;
	struct model m;

	model_init(&m, &small, 0, 1);
	model_write(&m, 0, MiB(1), true);
	hold(&m, &reader, BLOCK_READ, 0, 4096);
	/* The file keeps that one to itself for now. */
	stuck = m.fake.first;
	ck_assert_ptr_nonnull(stuck);
	m.fake.first = NULL;
	m.fake.end = &m.fake.first;
	hold(&m, &unmap, BLOCK_UNMAP, 0, MiB(1));
	vhdx_fake_run(&m.fake);
	ck_assert(!unmap.done);
	ck_assert_uint_eq(vhdx_in(&m)->space.free, 0);
	memset(m.bytes, 0, MiB(1));
	model_write(&m, MiB(3), MiB(1), false); /* goes elsewhere */
	*m.fake.end = stuck;
	m.fake.end = &stuck->next;
	vhdx_fake_run(&m.fake);
	ck_assert(reader.done && reader.result == 0);
	ck_assert(unmap.done && unmap.result == 0);
	model_verify(&m);
	model_finish(&m);
}
END_TEST

/* Unmapping all of a large disk is done in steps, and little is dirty at any time. */
START_TEST(large_unmap)
{
	struct vhdx_create_options create = {.size = 200 * 512 * MiB(1), .block_size = MiB(1)};
	struct vhdx_open_options options = {.read_only = false};
	struct error err = {.text = ""};
	struct vhdx_fake fake;
	struct block *block;
	uint8_t data[512] = {1};

	vhdx_fake_init(&fake);
	ck_assert_int_eq(vhdx_create(&fake.file, &create, &err), 0);
	ck_assert_int_eq(vhdx_open(&fake.file, NULL, &options, &err, &block), 0);
	for (uint64_t i = 0; i < 200; i++)
		ck_assert_int_eq(
			vhdx_fake_do(&fake, block, BLOCK_WRITE, i * 511 * MiB(1), data, 512, false),
			0);
	ck_assert_int_eq(vhdx_fake_do(&fake, block, BLOCK_UNMAP, 0, NULL, create.size, false), 0);
	ck_assert_uint_eq(vhdx_of(block)->bat.allocated, 0);
	ck_assert_int_eq(block_close(block, &err), 0);
	ck_assert_uint_lt(fake.size, MiB(6));
	model_check(&fake, false);
	vhdx_fake_finish(&fake);
}
END_TEST

/* Zeroes: whole blocks when they may be given up, and writes of zeroes elsewhere. */
START_TEST(zeroes)
{
	struct model m;

	model_init(&m, &small, 0, 1);
	model_write(&m, 0, MiB(6), false);
	model_zero(&m, 512, MiB(2), true);
	ck_assert_uint_eq(vhdx_in(&m)->bat.allocated, 5);
	model_zero(&m, MiB(3), MiB(1), false);
	ck_assert_uint_eq(vhdx_in(&m)->bat.allocated, 5);
	model_zero(&m, MiB(20), MiB(3), false);
	ck_assert_uint_eq(vhdx_in(&m)->bat.allocated, 5);
	model_verify(&m);
	model_finish(&m);
}
END_TEST

START_TEST(fixed_keeps_all)
{
	struct vhdx_create_options create = small;
	struct model m;

	create.type = VHDX_FIXED;
	model_init(&m, &create, 0, 1);
	ck_assert(!m.block->info.unmap);
	model_write(&m, 0, MiB(4), false);
	ck_assert_int_eq(vhdx_fake_do(&m.fake, m.block, BLOCK_UNMAP, 0, NULL, MiB(2), false), 0);
	model_zero(&m, MiB(2), MiB(2), true);
	model_verify(&m);
	ck_assert_uint_eq(vhdx_in(&m)->bat.allocated, 64);
	model_finish(&m);
}
END_TEST

/* The host has no space: for the data, or for a longer file. */
START_TEST(no_space)
{
	uint8_t *data = calloc(1, MiB(2));
	struct model m;

	model_init(&m, &small, 0, 1);
	model_write(&m, 0, MiB(2), true);
	if (_i == 0) {
		m.fake.max_chunks = m.fake.chunks + 3;
		memset(data, 7, MiB(2));
	} else {
		vhdx_in(&m)->file_mib = vhdx_in(&m)->space.frontier; /* no slack left */
		m.fake.fail_result = -ENOSPC;
		m.fake.fail_op = FILE_TRUNCATE;
		m.fake.fail_count = 10;
	}
	ck_assert_int_eq(vhdx_fake_do(&m.fake, m.block, BLOCK_WRITE, MiB(8), data, MiB(2), false),
			 -ENOSPC);
	m.fake.max_chunks = 0;
	m.fake.fail_result = 0;
	model_read(&m, 0, MiB(4)); /* the rest goes on */
	model_write(&m, MiB(9), MiB(3), false);
	memset(m.bytes + MiB(8), 0, MiB(1));
	model_flush(&m);
	model_kill(&m);
	model_check(&m.fake, true);
	model_read(&m, MiB(9), MiB(3));
	model_read(&m, 0, MiB(2));
	model_finish(&m);
	free(data);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhdx_trim");
	TCase *tc = tcase_create("vhdx_trim");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, space_comes_back);
	tcase_add_loop_test(tc, no_old_data, 0, 2);
	tcase_add_test(tc, data_before_metadata);
	tcase_add_test(tc, readers_keep_space);
	tcase_add_test(tc, large_unmap);
	tcase_add_test(tc, zeroes);
	tcase_add_test(tc, fixed_keeps_all);
	tcase_add_loop_test(tc, no_space, 0, 2);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
