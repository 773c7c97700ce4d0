// SPDX-License-Identifier: MIT
/* A VHDX beside its bytes. */
#include "vhdx_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int open_parent(void *ctx, const char *path, unsigned int depth, struct error *err,
		       struct block **ret)
{
	struct model *m = ctx;
	struct vhdx_open_options options = {
		.read_only = true, .depth = depth, .open_parent = open_parent, .ctx = m};

	ck_assert_uint_le(depth, m->parent_count);
	ck_assert_str_eq(path, "parent.vhdx");
	return vhdx_open(&m->parents[depth - 1].file, NULL, &options, err, ret);
}

void model_open(struct model *m)
{
	struct error err = {.text = ""};
	int ret;

	m->options.open_parent = open_parent;
	m->options.ctx = m;
	ret = vhdx_open(&m->fake.file, NULL, &m->options, &err, &m->block);
	ck_assert_msg(ret == 0, "open: %d, %s", ret, err.text);
}

void model_close(struct model *m)
{
	struct error err = {.text = ""};
	int ret;

	vhdx_fake_run(&m->fake);
	ck_assert_uint_eq(m->in_flight, 0);
	ret = block_close(m->block, &err);
	ck_assert_msg(ret == 0, "close: %d, %s", ret, err.text);
	m->block = NULL;
}

void model_kill(struct model *m)
{
	struct error err = {.text = ""};
	struct vhdx_fake at_once;

	vhdx_fake_init(&at_once);
	vhdx_fake_copy(&m->fake, &at_once);
	vhdx_fake_run(&m->fake);
	if (block_close(m->block, &err))
		m->block = NULL;
	vhdx_fake_copy(&at_once, &m->fake);
	vhdx_fake_finish(&at_once);
	model_open(m);
}

/* --- Making it. ---------------------------------------------------------------------------- */

static void make(struct vhdx_fake *fake, const struct vhdx_create_options *create)
{
	struct error err = {.text = ""};
	int ret;

	vhdx_fake_init(fake);
	ret = vhdx_create(&fake->file, create, &err);
	ck_assert_msg(ret == 0, "create: %d, %s", ret, err.text);
}

static void guid_of(struct vhdx_fake *fake, uint8_t guid[16])
{
	struct error err = {.text = ""};
	struct vhdx_info info;

	ck_assert_msg(vhdx_info(&fake->file, &err, &info) == 0, "info: %s", err.text);
	memcpy(guid, info.data_write_guid, 16);
}

/* The farthest parent first: each is a disk of its own for a while, with the rest behind it. */
static void make_parents(struct model *m)
{
	struct vhdx_create_options create = m->create;
	unsigned int parents = m->parent_count;
	uint8_t guid[16];

	for (unsigned int i = parents; i-- > 0;) {
		struct model one = {.create = create, .rng = m->rng + i, .bytes = m->bytes};

		create.type = i + 1 == parents ? VHDX_DYNAMIC : VHDX_DIFFERENCING;
		create.parent_path = "parent.vhdx";
		create.parent_linkage = guid;
		one.create = create;
		make(&one.fake, &create);
		one.parent_count = parents - 1 - i;
		for (unsigned int k = 0; k < one.parent_count; k++) {
			vhdx_fake_init(&one.parents[k]);
			vhdx_fake_copy(&m->parents[i + 1 + k], &one.parents[k]);
			one.parents[k].file.read_only = true;
		}
		one.fake.also = one.parent_count ? &one.parents[0] : NULL;
		for (unsigned int k = 0; k + 1 < one.parent_count; k++)
			one.parents[k].also = &one.parents[k + 1];
		model_open(&one);
		model_run(&one, 40);
		model_close(&one);
		guid_of(&one.fake, guid);
		vhdx_fake_init(&m->parents[i]);
		vhdx_fake_copy(&one.fake, &m->parents[i]);
		one.bytes = NULL;
		model_finish(&one);
	}
	for (unsigned int i = 0; i < parents; i++) {
		m->parents[i].file.read_only = true;
		m->parents[i].also = i + 1 < parents ? &m->parents[i + 1] : NULL;
	}
}

void model_init(struct model *m, const struct vhdx_create_options *create, unsigned int parents,
		uint64_t seed)
{
	uint8_t guid[16];

	memset(m, 0, sizeof(*m));
	m->create = *create;
	m->rng = seed;
	m->bytes = calloc(1, create->size);
	ck_assert_ptr_nonnull(m->bytes);
	m->parent_count = parents;
	if (parents) {
		make_parents(m);
		guid_of(&m->parents[0], guid);
		m->create.type = VHDX_DIFFERENCING;
		m->create.parent_path = "parent.vhdx";
		m->create.parent_linkage = guid;
	}
	make(&m->fake, &m->create);
	m->fake.also = parents ? &m->parents[0] : NULL;
	model_open(m);
}

void model_finish(struct model *m)
{
	if (m->block)
		model_close(m);
	vhdx_fake_finish(&m->fake);
	for (unsigned int i = 0; i < m->parent_count; i++)
		vhdx_fake_finish(&m->parents[i]);
	for (unsigned int i = 0; i < MODEL_OPS; i++)
		free(m->ops[i].data);
	free(m->bytes);
}

/* --- Random requests. ---------------------------------------------------------------------- */

uint64_t model_random(struct model *m)
{
	m->rng = m->rng * 6364136223846793005ull + 1442695040888963407ull;
	return m->rng >> 33;
}

static void op_done(struct block_request *req, int result)
{
	struct model_op *op = container_of(req, struct model_op, req);
	struct model *m = op->model;

	ck_assert_int_eq(result, 0);
	if (req->op == BLOCK_READ)
		ck_assert_msg(memcmp(op->data, m->bytes + req->offset, req->len) == 0,
			      "read of 0x%llx at 0x%llx", (unsigned long long)req->len,
			      (unsigned long long)req->offset);
	op->busy = false;
	m->in_flight--;
}

static bool overlaps(const struct model *m, uint64_t offset, uint64_t len)
{
	for (unsigned int i = 0; i < MODEL_OPS; i++) {
		const struct block_request *req = &m->ops[i].req;

		if (m->ops[i].busy && req->offset < offset + len && offset < req->offset + req->len)
			return true;
	}
	return false;
}

static void submit(struct model_op *op)
{
	struct block_request *req = &op->req;
	uint64_t a = req->len / 5, b = req->len / 2;

	if (op->data) {
		op->iov[0] = (struct iovec){op->data, a};
		op->iov[1] = (struct iovec){op->data + a, b - a};
		op->iov[2] = (struct iovec){op->data + b, req->len - b};
		req->iov = op->iov;
		req->iov_count = 3;
	}
	req->done = op_done;
	op->busy = true;
	op->model->in_flight++;
	block_submit(op->model->block, req);
}

/* An unmap of what is surely given back, so that it is known what is read after. */
static bool prepare_unmap(struct model *m, struct block_request *req)
{
	uint64_t size = m->create.size, block = m->block->info.unmap_granularity;
	uint64_t first = align_up(req->offset, block), end = req->offset + req->len;

	end = end == size ? size : align_down(end, block);
	if (first >= end || m->parent_count || m->create.type == VHDX_FIXED)
		return false;
	req->offset = first;
	req->len = end - first;
	return true;
}

static void fill(struct model *m, struct model_op *op)
{
	uint8_t x = (uint8_t)model_random(m);

	op->data = malloc(op->req.len);
	ck_assert_ptr_nonnull(op->data);
	for (uint64_t i = 0; i < op->req.len; i++)
		op->data[i] = (uint8_t)(x + i * 7 + (i >> 9));
}

static void random_op(struct model *m, struct model_op *op)
{
	uint64_t size = m->create.size, sector = m->block->info.logical_sector;
	unsigned int kind = model_random(m) % 20;
	uint64_t longest = model_random(m) % 3 ? 16384 : 3 * (uint64_t)m->create.block_size;
	struct block_request *req = &op->req;

	free(op->data);
	*op = (struct model_op){.model = m};
	req->offset = align_down(model_random(m) * 4096 % size, sector);
	if (kind > 15)
		req->offset = align_down(req->offset, m->create.block_size);
	req->len = align_down(model_random(m) % longest, sector) + sector;
	req->len = min_of(req->len, size - req->offset);
	req->fua = model_random(m) % 4 == 0;
	req->op = kind < 7    ? BLOCK_READ
		  : kind < 14 ? BLOCK_WRITE
		  : kind < 16 ? BLOCK_FLUSH
		  : kind < 18 ? BLOCK_WRITE_ZEROES
			      : BLOCK_UNMAP;
	req->unmap = model_random(m) % 2;
	if (req->op == BLOCK_UNMAP && !prepare_unmap(m, req))
		return;
	if (req->op == BLOCK_FLUSH)
		req->offset = req->len = 0;
	if (overlaps(m, req->offset, req->len))
		return;
	if (req->op == BLOCK_READ || req->op == BLOCK_WRITE)
		fill(m, op);
	if (req->op == BLOCK_WRITE)
		memcpy(m->bytes + req->offset, op->data, req->len);
	else if (req->op == BLOCK_WRITE_ZEROES || req->op == BLOCK_UNMAP)
		memset(m->bytes + req->offset, 0, req->len);
	submit(op);
}

void model_run(struct model *m, unsigned int count)
{
	m->fake.order = m->rng | 1;
	for (unsigned int i = 0; i < count; i++) {
		struct model_op *op = NULL;

		while (m->in_flight > model_random(m) % MODEL_OPS)
			ck_assert(vhdx_fake_step(&m->fake));
		for (unsigned int k = 0; k < MODEL_OPS; k++)
			op = m->ops[k].busy ? op : &m->ops[k];
		random_op(m, op);
	}
	vhdx_fake_run(&m->fake);
	ck_assert_uint_eq(m->in_flight, 0);
	m->fake.order = 0;
}

/* --- One request. -------------------------------------------------------------------------- */

static void one(struct model *m, enum block_op kind, uint64_t offset, uint64_t len, bool flag)
{
	struct model_op *op = &m->ops[0];

	free(op->data);
	*op = (struct model_op){.model = m};
	op->req.op = kind;
	op->req.offset = offset;
	op->req.len = len;
	op->req.fua = kind == BLOCK_WRITE && flag;
	op->req.unmap = kind == BLOCK_WRITE_ZEROES && flag;
	if (kind == BLOCK_READ || kind == BLOCK_WRITE)
		fill(m, op);
	if (kind == BLOCK_WRITE)
		memcpy(m->bytes + offset, op->data, len);
	submit(op);
	while (op->busy)
		ck_assert(vhdx_fake_step(&m->fake));
}

void model_read(struct model *m, uint64_t offset, uint64_t len)
{
	one(m, BLOCK_READ, offset, len, false);
}

void model_write(struct model *m, uint64_t offset, uint64_t len, bool fua)
{
	one(m, BLOCK_WRITE, offset, len, fua);
}

void model_zero(struct model *m, uint64_t offset, uint64_t len, bool unmap)
{
	one(m, BLOCK_WRITE_ZEROES, offset, len, unmap);
	memset(m->bytes + offset, 0, len);
}

void model_unmap(struct model *m, uint64_t offset, uint64_t len)
{
	one(m, BLOCK_UNMAP, offset, len, false);
	memset(m->bytes + offset, 0, len);
}

void model_flush(struct model *m)
{
	one(m, BLOCK_FLUSH, 0, 0, false);
}

/* --- Verifying. ---------------------------------------------------------------------------- */

static void found(void *ctx, enum vhdx_finding_kind kind, const char *text)
{
	ck_assert_msg(kind != VHDX_ERROR, "check: %s", text);
}

void model_check(struct vhdx_fake *fake, bool leaks)
{
	struct vhdx_check_options options = {.found = found};
	struct error err = {.text = ""};
	struct vhdx_check_result result;
	int ret = vhdx_check(&fake->file, &options, &err, &result);

	ck_assert_msg(ret == 0, "check: %d, %s", ret, err.text);
	ck_assert_uint_eq(result.errors, 0);
	if (!leaks)
		ck_assert_uint_eq(result.leaked_bytes, 0);
}

void model_verify(struct model *m)
{
	for (uint64_t at = 0; at < m->create.size;) {
		uint64_t n = min_of(m->create.size - at, MiB(5));

		model_read(m, at, n);
		at += n;
	}
	model_check(&m->fake, true);
}
