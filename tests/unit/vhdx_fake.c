// SPDX-License-Identifier: MIT
/* A sparse file in memory. */
#include "vhdx_fake.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/block/iov.h"

static struct vhdx_fake *fake_of(struct file *file)
{
	return container_of(file, struct vhdx_fake, file);
}

static struct fake_chunk *find(struct vhdx_fake *fake, uint64_t number)
{
	struct fake_chunk *chunk = fake->buckets[number % FAKE_BUCKETS];

	while (chunk && chunk->number != number)
		chunk = chunk->next;
	return chunk;
}

static struct fake_chunk *get(struct vhdx_fake *fake, uint64_t number)
{
	struct fake_chunk *chunk = find(fake, number);

	if (chunk)
		return chunk;
	if (fake->max_chunks && fake->chunks >= fake->max_chunks)
		return NULL;
	chunk = calloc(1, sizeof(*chunk));
	assert(chunk);
	chunk->number = number;
	chunk->next = fake->buckets[number % FAKE_BUCKETS];
	fake->buckets[number % FAKE_BUCKETS] = chunk;
	fake->chunks++;
	return chunk;
}

static void read_at(struct vhdx_fake *fake, uint8_t *buf, uint64_t len, uint64_t offset)
{
	while (len) {
		uint64_t in = offset % FAKE_CHUNK, n = min_of(len, FAKE_CHUNK - in);
		struct fake_chunk *chunk = find(fake, offset / FAKE_CHUNK);

		if (chunk)
			memcpy(buf, chunk->data + in, n);
		else
			memset(buf, 0, n);
		buf += n;
		offset += n;
		len -= n;
	}
}

static bool too_long(const struct vhdx_fake *fake, uint64_t end)
{
	return fake->max_size && end > fake->max_size;
}

static int write_at(struct vhdx_fake *fake, const uint8_t *buf, uint64_t len, uint64_t offset)
{
	if (too_long(fake, offset + len))
		return -EFBIG;
	while (len) {
		uint64_t in = offset % FAKE_CHUNK, n = min_of(len, FAKE_CHUNK - in);
		struct fake_chunk *chunk = get(fake, offset / FAKE_CHUNK);

		if (!chunk)
			return -ENOSPC;
		memcpy(chunk->data + in, buf, n);
		buf += n;
		offset += n;
		len -= n;
		fake->size = max_of(fake->size, offset);
	}
	return 0;
}

/* Only what is there is touched, so that the range may be large. */
static void zero_at(struct vhdx_fake *fake, uint64_t offset, uint64_t len)
{
	uint64_t end = offset + len;

	for (unsigned int i = 0; i < FAKE_BUCKETS; i++) {
		for (struct fake_chunk **place = &fake->buckets[i]; *place;) {
			struct fake_chunk *chunk = *place;
			uint64_t start = chunk->number * FAKE_CHUNK;
			uint64_t from = max_of(start, offset);
			uint64_t to = min_of(start + FAKE_CHUNK, end);

			if (from < to && to - from == FAKE_CHUNK) {
				*place = chunk->next;
				free(chunk);
				fake->chunks--;
				continue;
			}
			if (from < to)
				memset(chunk->data + (from - start), 0, to - from);
			place = &chunk->next;
		}
	}
}

static int truncate_to(struct vhdx_fake *fake, uint64_t size)
{
	if (too_long(fake, size))
		return -EFBIG;
	if (size < fake->size)
		zero_at(fake, size, fake->size - size);
	fake->size = size;
	return 0;
}

static bool fails(struct vhdx_fake *fake, enum file_op op)
{
	if (!fake->fail_result || op != fake->fail_op)
		return false;
	if (fake->fail_after) {
		fake->fail_after--;
		return false;
	}
	if (!fake->fail_count)
		return false;
	fake->fail_count--;
	return true;
}

/* --- Requests. ----------------------------------------------------------------------------- */

static int write_iov(struct vhdx_fake *fake, const struct file_request *req)
{
	uint64_t offset = req->offset;

	assert(iov_length(req->iov, req->iov_count) == req->len);
	for (unsigned int i = 0; i < req->iov_count; i++) {
		int ret = write_at(fake, req->iov[i].iov_base, req->iov[i].iov_len, offset);

		if (ret)
			return ret;
		offset += req->iov[i].iov_len;
	}
	return 0;
}

static void read_iov(struct vhdx_fake *fake, const struct file_request *req)
{
	uint64_t offset = req->offset;

	assert(iov_length(req->iov, req->iov_count) == req->len);
	for (unsigned int i = 0; i < req->iov_count; i++) {
		read_at(fake, req->iov[i].iov_base, req->iov[i].iov_len, offset);
		offset += req->iov[i].iov_len;
	}
}

static int perform(struct vhdx_fake *fake, struct file_request *req)
{
	if (fails(fake, req->op))
		return fake->fail_result;
	switch (req->op) {
	case FILE_READ:
		read_iov(fake, req);
		return 0;
	case FILE_WRITE:
		assert(!fake->file.read_only);
		return write_iov(fake, req);
	case FILE_SYNC:
		return 0;
	case FILE_TRUNCATE:
		assert(!fake->file.read_only);
		return truncate_to(fake, req->offset);
	case FILE_DISCARD:
		if (fake->no_discard)
			return -EOPNOTSUPP;
		zero_at(fake, req->offset, req->len);
		return 0;
	case FILE_ZERO:
		zero_at(fake, req->offset, req->len);
		return 0;
	}
	return -EINVAL;
}

static void fake_submit(struct file *file, struct file_request *req)
{
	struct vhdx_fake *fake = fake_of(file);

	req->next = NULL;
	*fake->end = req;
	fake->end = &req->next;
	fake->submitted[req->op]++;
}

/* A sync covers what completed before it, so nothing overtakes it that would have to. */
bool vhdx_fake_step(struct vhdx_fake *fake)
{
	struct file_request **place = &fake->first, *req;

	if (!fake->first)
		return fake->also && vhdx_fake_step(fake->also);
	if (fake->order) {
		fake->order = fake->order * 6364136223846793005ull + 1442695040888963407ull;
		for (uint64_t skip = fake->order >> 60; skip && (*place)->next; skip--)
			place = &(*place)->next;
	}
	req = *place;
	*place = req->next;
	if (!*place)
		fake->end = place;
	req->done(req, perform(fake, req));
	return true;
}

void vhdx_fake_run(struct vhdx_fake *fake)
{
	while (vhdx_fake_step(fake))
		;
}

/* --- Plain calls. -------------------------------------------------------------------------- */

static int fake_pread(struct file *file, void *buf, size_t len, uint64_t offset)
{
	struct vhdx_fake *fake = fake_of(file);

	if (fails(fake, FILE_READ))
		return fake->fail_result;
	read_at(fake, buf, len, offset);
	return 0;
}

static int fake_pwrite(struct file *file, const void *buf, size_t len, uint64_t offset)
{
	struct vhdx_fake *fake = fake_of(file);

	assert(!file->read_only);
	return fails(fake, FILE_WRITE) ? fake->fail_result : write_at(fake, buf, len, offset);
}

static int fake_sync(struct file *file)
{
	struct vhdx_fake *fake = fake_of(file);

	return fails(fake, FILE_SYNC) ? fake->fail_result : 0;
}

static int fake_truncate(struct file *file, uint64_t size)
{
	struct vhdx_fake *fake = fake_of(file);

	assert(!file->read_only);
	return fails(fake, FILE_TRUNCATE) ? fake->fail_result : truncate_to(fake, size);
}

static int fake_discard(struct file *file, uint64_t offset, uint64_t len)
{
	struct vhdx_fake *fake = fake_of(file);

	if (fake->no_discard)
		return -EOPNOTSUPP;
	zero_at(fake, offset, len);
	return 0;
}

static int fake_size(struct file *file, uint64_t *ret)
{
	*ret = fake_of(file)->size;
	return 0;
}

static int fake_extent(struct file *file, uint64_t offset, bool *ret_data, uint64_t *ret_len)
{
	*ret_data = find(fake_of(file), offset / FAKE_CHUNK);
	*ret_len = FAKE_CHUNK - offset % FAKE_CHUNK;
	return 0;
}

static void fake_destroy(struct file *file)
{
	struct vhdx_fake *fake = fake_of(file);

	assert(!fake->first);
	fake->destroyed = true;
	if (!fake->kept)
		vhdx_fake_finish(fake);
}

static const struct file_ops fake_ops = {
	.submit = fake_submit,
	.pread = fake_pread,
	.pwrite = fake_pwrite,
	.sync = fake_sync,
	.truncate = fake_truncate,
	.discard = fake_discard,
	.size = fake_size,
	.extent = fake_extent,
	.destroy = fake_destroy,
};

void vhdx_fake_init(struct vhdx_fake *fake)
{
	memset(fake, 0, sizeof(*fake));
	fake->file.ops = &fake_ops;
	fake->file.name = "fake.vhdx";
	fake->end = &fake->first;
	fake->kept = true;
}

void vhdx_fake_finish(struct vhdx_fake *fake)
{
	zero_at(fake, 0, UINT64_MAX);
	fake->size = 0;
}

void vhdx_fake_save(struct vhdx_fake *fake, const char *path)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	assert(fd >= 0);
	for (unsigned int i = 0; i < FAKE_BUCKETS; i++)
		for (struct fake_chunk *chunk = fake->buckets[i]; chunk; chunk = chunk->next)
			assert(pwrite(fd, chunk->data, FAKE_CHUNK,
				      (off_t)(chunk->number * FAKE_CHUNK)) == FAKE_CHUNK);
	assert(ftruncate(fd, (off_t)fake->size) == 0);
	close(fd);
}

void vhdx_fake_copy(struct vhdx_fake *fake, struct vhdx_fake *to)
{
	vhdx_fake_finish(to);
	for (unsigned int i = 0; i < FAKE_BUCKETS; i++)
		for (struct fake_chunk *chunk = fake->buckets[i]; chunk; chunk = chunk->next)
			assert(write_at(to, chunk->data, FAKE_CHUNK, chunk->number * FAKE_CHUNK) ==
			       0);
	to->size = fake->size;
}

struct waited {
	struct block_request req;
	bool done;
	int result;
};

static void waited_done(struct block_request *req, int result)
{
	struct waited *w = container_of(req, struct waited, req);

	assert(!w->done);
	w->done = true;
	w->result = result;
}

int vhdx_fake_do(struct vhdx_fake *fake, struct block *block, enum block_op op, uint64_t offset,
		 void *data, uint64_t len, bool fua)
{
	uint64_t a = len / 3, b = len / 2;
	char none = 0, *bytes = data ? data : &none;
	struct iovec iov[3] = {
		{bytes, a}, {bytes + (data ? a : 0), b - a}, {bytes + (data ? b : 0), len - b}};
	struct waited w = {.req = {.op = op,
				   .fua = fua,
				   .unmap = true,
				   .offset = offset,
				   .len = len,
				   .iov = data ? iov : NULL,
				   .iov_count = data ? 3 : 0,
				   .done = waited_done}};

	block_submit(block, &w.req);
	while (!w.done)
		assert(vhdx_fake_step(fake));
	return w.result;
}
