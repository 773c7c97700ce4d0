// SPDX-License-Identifier: MIT
/* A file in memory. */
#include "file_fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/iov.h"

static struct file_fake *fake_of(struct file *file)
{
	return container_of(file, struct file_fake, file);
}

static int grow(struct file_fake *fake, uint64_t size)
{
	if (size > fake->capacity)
		return -ENOSPC;
	fake->size = max_of(fake->size, size);
	return 0;
}

static void do_read(struct file_fake *fake, struct file_request *req)
{
	uint64_t have = req->offset < fake->size ? fake->size - req->offset : 0;
	uint64_t n = min_of(have, req->len);

	iov_copy_in(req->iov, req->iov_count, 0, fake->data + req->offset, n);
	iov_zero(req->iov, req->iov_count, n, req->len - n);
}

static int do_truncate(struct file_fake *fake, uint64_t size)
{
	if (size > fake->capacity)
		return -ENOSPC;
	if (size < fake->size)
		memset(fake->data + size, 0, fake->size - size);
	fake->size = size;
	return 0;
}

static int perform(struct file_fake *fake, struct file_request *req)
{
	uint64_t end = req->offset + req->len;
	int r;

	switch (req->op) {
	case FILE_READ:
		do_read(fake, req);
		return 0;
	case FILE_WRITE:
		r = grow(fake, end);
		if (r == 0)
			iov_copy_out(req->iov, req->iov_count, 0, fake->data + req->offset,
				     req->len);
		return r;
	case FILE_SYNC:
		return 0;
	case FILE_TRUNCATE:
		return do_truncate(fake, req->offset);
	case FILE_DISCARD:
		if (fake->no_discard)
			return -EOPNOTSUPP;
		if (req->offset < fake->size)
			memset(fake->data + req->offset, 0,
			       min_of(req->len, fake->size - req->offset));
		return 0;
	case FILE_ZERO:
		r = grow(fake, end);
		if (r == 0)
			memset(fake->data + req->offset, 0, req->len);
		return r;
	}
	return -EINVAL;
}

static int result_of(struct file_fake *fake, struct file_request *req)
{
	if (fake->fail_at && (fake->fail_any_op || req->op == fake->fail_op)) {
		fake->counted++;
		if (fake->counted >= fake->fail_at &&
		    fake->counted - fake->fail_at < fake->fail_count)
			return fake->fail_result;
	}
	return perform(fake, req);
}

static void run(struct loop_deferred *deferred)
{
	struct file_fake *fake = container_of(deferred, struct file_fake, deferred);
	struct file_request *list = NULL, *req;

	/* The list has the newest in front. */
	while ((req = fake->head)) {
		fake->head = req->next;
		if (fake->newest_first) {
			req->done(req, result_of(fake, req));
			continue;
		}
		req->next = list;
		list = req;
	}
	while ((req = list)) {
		list = req->next;
		req->done(req, result_of(fake, req));
	}
}

static void fake_submit(struct file *file, struct file_request *req)
{
	struct file_fake *fake = fake_of(file);

	if (fake->requests < FILE_FAKE_LOG)
		fake->log[fake->requests] = (struct file_fake_entry){.op = req->op,
								     .durable = req->durable,
								     .offset = req->offset,
								     .len = req->len};
	fake->requests++;
	req->file = file;
	req->next = fake->head;
	fake->head = req;
	if (!fake->held)
		loop_defer(fake->loop, &fake->deferred);
}

void file_fake_release(struct file_fake *fake)
{
	fake->held = false;
	loop_defer(fake->loop, &fake->deferred);
}

static int fake_pread(struct file *file, void *buf, size_t len, uint64_t offset)
{
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct file_request req = {.offset = offset, .len = len, .iov = &iov, .iov_count = 1};

	do_read(fake_of(file), &req);
	return 0;
}

static int fake_pwrite(struct file *file, const void *buf, size_t len, uint64_t offset)
{
	struct file_fake *fake = fake_of(file);
	int r = file->read_only ? -EROFS : grow(fake, offset + len);

	if (r == 0)
		memcpy(fake->data + offset, buf, len);
	return r;
}

static int fake_sync(struct file *file)
{
	return 0;
}

static int fake_truncate(struct file *file, uint64_t size)
{
	return file->read_only ? -EROFS : do_truncate(fake_of(file), size);
}

static int fake_discard(struct file *file, uint64_t offset, uint64_t len)
{
	struct file_request req = {.op = FILE_DISCARD, .offset = offset, .len = len};

	return perform(fake_of(file), &req);
}

static int fake_size(struct file *file, uint64_t *ret)
{
	*ret = fake_of(file)->size;
	return 0;
}

/* Pages of zeroes are holes. */
static int fake_extent(struct file *file, uint64_t offset, bool *ret_data, uint64_t *ret_len)
{
	static const char zeroes[PAGE_SIZE];
	struct file_fake *fake = fake_of(file);
	uint64_t at = offset;
	bool first = false;

	while (at < fake->size) {
		uint64_t n = min_of(PAGE_SIZE - at % PAGE_SIZE, fake->size - at);
		bool data = memcmp(fake->data + at, zeroes, n) != 0;

		if (at > offset && data != first)
			break;
		first = data;
		at += n;
	}
	*ret_data = first;
	*ret_len = at >= fake->size && !first ? UINT64_MAX - offset : at - offset;
	return 0;
}

static void fake_destroy(struct file *file)
{
	fake_of(file)->destroyed++;
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

void file_fake_init(struct file_fake *fake, struct loop *loop, uint64_t capacity)
{
	memset(fake, 0, sizeof(*fake));
	fake->file.ops = &fake_ops;
	fake->file.name = "dir/image";
	fake->loop = loop;
	fake->capacity = capacity;
	fake->data = calloc(1, capacity);
	fake->deferred.run = run;
	if (!fake->data)
		abort();
}

void file_fake_finish(struct file_fake *fake)
{
	free(fake->data);
	fake->data = NULL;
}

void file_fake_fail(struct file_fake *fake, enum file_op op, uint64_t skip, uint64_t count,
		    int result)
{
	fake->counted = 0;
	fake->fail_any_op = false;
	fake->fail_op = op;
	fake->fail_at = skip + 1;
	fake->fail_count = count;
	fake->fail_result = result;
}
