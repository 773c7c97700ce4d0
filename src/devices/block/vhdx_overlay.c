// SPDX-License-Identifier: MIT
/*
 * Pages and zeroed ranges out of a log over a file. Of what was logged for a page the latest
 * counts. Requests that touch nothing of it go straight to the file below.
 *
 * Owner: whoever owns the file. Limits: OVERLAY_MAX_PAGES and OVERLAY_MAX_ZEROES, far beyond what a
 * log of 1 MiB, which is what everybody makes, can hold.
 */
#include "devices/block/vhdx_overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/iov.h"
#include "devices/block/vhdx_log_replay.h"

#define PAGE               VHDX_LOG_SECTOR
#define OVERLAY_MAX_PAGES  16384u
#define OVERLAY_MAX_ZEROES 4096u
#define OVERLAY_REQUESTS   32u
#define BUCKETS            1024u

struct page {
	struct page *next; /* in its bucket */
	uint64_t offset;
	uint64_t order; /* a later one wins */
	uint8_t data[PAGE];
};

struct zero {
	uint64_t offset, len, order;
};

/* A read that is changed when it is done. There are some; more have to wait for them. */
struct wrapped {
	struct wrapped *next;
	struct file_request req;
	struct overlay *overlay;
	struct file_request *outer;
};

struct overlay {
	struct file file;
	struct file *below;
	uint64_t size;
	uint64_t low, high; /* everything is in here */
	uint64_t order;
	size_t page_count, zero_count;
	struct zero *zeroes; /* OVERLAY_MAX_ZEROES, in order */
	struct page *buckets[BUCKETS];
	struct wrapped wrapped[OVERLAY_REQUESTS], *unused;
	struct file_request *waiting, **waiting_end;
};

static struct overlay *to_overlay(struct file *file)
{
	return container_of(file, struct overlay, file);
}

static struct page **bucket_of(struct overlay *o, uint64_t offset)
{
	return &o->buckets[offset / PAGE % BUCKETS];
}

static struct page *find_page(struct overlay *o, uint64_t offset)
{
	struct page *page = *bucket_of(o, offset);

	while (page && page->offset != offset)
		page = page->next;
	return page;
}

/* True when the page at @offset was logged; *ret_data is what it holds, NULL for zeroes. */
static bool lookup(struct overlay *o, uint64_t offset, const uint8_t **ret_data)
{
	const struct page *page = find_page(o, offset);

	for (size_t i = o->zero_count; i-- > 0;) {
		const struct zero *zero = &o->zeroes[i];

		if (page && page->order > zero->order)
			break;
		if (zero->offset <= offset && offset - zero->offset < zero->len) {
			*ret_data = NULL;
			return true;
		}
	}
	*ret_data = page ? page->data : NULL;
	return page != NULL;
}

static bool touches(struct overlay *o, uint64_t offset, uint64_t len)
{
	const uint8_t *data;
	uint64_t end = min_of(offset + len, o->high);

	for (uint64_t p = align_down(max_of(offset, o->low), PAGE); p < end; p += PAGE)
		if (lookup(o, p, &data))
			return true;
	return false;
}

/* Lays what was logged over @len bytes that were read from @offset into @iov. */
static void lay_over(struct overlay *o, const struct iovec *iov, unsigned int count,
		     uint64_t offset, uint64_t len)
{
	uint64_t end = min_of(offset + len, o->high);

	for (uint64_t p = align_down(max_of(offset, o->low), PAGE); p < end; p += PAGE) {
		uint64_t from = max_of(offset, p), to = min_of(offset + len, p + PAGE);
		const uint8_t *data;

		if (!lookup(o, p, &data))
			continue;
		if (data)
			iov_copy_in(iov, count, from - offset, data + (from - p), to - from);
		else
			iov_zero(iov, count, from - offset, to - from);
	}
}

/* --- As a file. ---------------------------------------------------------------------------- */

static void start(struct overlay *o, struct wrapped *w, struct file_request *outer);

static void wrapped_done(struct file_request *req, int result)
{
	struct wrapped *w = container_of(req, struct wrapped, req);
	struct file_request *outer = w->outer;
	struct overlay *o = w->overlay;

	if (result == 0)
		lay_over(o, outer->iov, outer->iov_count, outer->offset, outer->len);
	if (o->waiting) {
		struct file_request *next = o->waiting;

		o->waiting = next->next;
		if (!o->waiting)
			o->waiting_end = &o->waiting;
		start(o, w, next);
	} else {
		w->next = o->unused;
		o->unused = w;
	}
	outer->done(outer, result);
}

static void start(struct overlay *o, struct wrapped *w, struct file_request *outer)
{
	w->overlay = o;
	w->outer = outer;
	w->req = (struct file_request){.op = FILE_READ,
				       .offset = outer->offset,
				       .len = outer->len,
				       .iov = outer->iov,
				       .iov_count = outer->iov_count,
				       .done = wrapped_done};
	file_submit(o->below, &w->req);
}

static void overlay_submit(struct file *file, struct file_request *req)
{
	struct overlay *o = to_overlay(file);
	struct wrapped *w = o->unused;

	if (req->op != FILE_READ || !touches(o, req->offset, req->len)) {
		file_submit(o->below, req);
	} else if (w) {
		o->unused = w->next;
		start(o, w, req);
	} else {
		req->next = NULL;
		*o->waiting_end = req;
		o->waiting_end = &req->next;
	}
}

static int overlay_pread(struct file *file, void *buf, size_t len, uint64_t offset)
{
	struct overlay *o = to_overlay(file);
	struct iovec iov = {buf, len};
	int ret = file_pread(o->below, buf, len, offset);

	if (ret == 0)
		lay_over(o, &iov, 1, offset, len);
	return ret;
}

static int overlay_pwrite(struct file *file, const void *buf, size_t len, uint64_t offset)
{
	return -EROFS;
}

static int overlay_sync(struct file *file)
{
	return 0;
}

static int overlay_truncate(struct file *file, uint64_t size)
{
	return -EROFS;
}

static int overlay_discard(struct file *file, uint64_t offset, uint64_t len)
{
	return -EROFS;
}

static int overlay_size(struct file *file, uint64_t *ret)
{
	*ret = to_overlay(file)->size;
	return 0;
}

static int overlay_extent(struct file *file, uint64_t offset, bool *ret_data, uint64_t *ret_len)
{
	struct overlay *o = to_overlay(file);

	if (offset < o->high) {
		*ret_data = true;
		*ret_len = o->high - offset;
		return 0;
	}
	return file_extent(o->below, offset, ret_data, ret_len);
}

static void overlay_destroy(struct file *file)
{
	struct overlay *o = to_overlay(file);

	for (size_t i = 0; i < BUCKETS; i++) {
		while (o->buckets[i]) {
			struct page *page = o->buckets[i];

			o->buckets[i] = page->next;
			free(page);
		}
	}
	free(o->zeroes);
	free(o);
}

static const struct file_ops overlay_ops = {
	.submit = overlay_submit,
	.pread = overlay_pread,
	.pwrite = overlay_pwrite,
	.sync = overlay_sync,
	.truncate = overlay_truncate,
	.discard = overlay_discard,
	.size = overlay_size,
	.extent = overlay_extent,
	.destroy = overlay_destroy,
};

/* --- Filled from the log. ------------------------------------------------------------------ */

static void cover(struct overlay *o, uint64_t offset, uint64_t len)
{
	o->order++;
	o->low = min_of(o->low, offset);
	o->high = max_of(o->high, offset + len);
	o->size = max_of(o->size, offset + len);
}

static int overlay_page(void *ctx, uint64_t offset, const void *data)
{
	struct overlay *o = ctx;
	struct page *page = find_page(o, offset);

	if (!page) {
		if (o->page_count == OVERLAY_MAX_PAGES)
			return -EFBIG;
		page = malloc(sizeof(*page));
		if (!page)
			return -ENOMEM;
		page->offset = offset;
		page->next = *bucket_of(o, offset);
		*bucket_of(o, offset) = page;
		o->page_count++;
	}
	cover(o, offset, PAGE);
	page->order = o->order;
	memcpy(page->data, data, PAGE);
	return 0;
}

static int overlay_zero(void *ctx, uint64_t offset, uint64_t len)
{
	struct overlay *o = ctx;

	if (o->zero_count == OVERLAY_MAX_ZEROES)
		return -EFBIG;
	cover(o, offset, len);
	o->zeroes[o->zero_count++] = (struct zero){offset, len, o->order};
	return 0;
}

static int overlay_extend(void *ctx, uint64_t size)
{
	struct overlay *o = ctx;

	o->size = max_of(o->size, size);
	return 0;
}

int vhdx_overlay_create(const struct vhdx_image *image, struct file *file, struct error *err,
			struct file **ret)
{
	struct vhdx_log_target target = {overlay_page, overlay_zero, overlay_extend, NULL};
	struct vhdx_log_sequence sequence;
	struct overlay *o;
	int error;

	*ret = NULL;
	if (vhdx_guid_is_zero(&image->header.log_guid))
		return 0;
	o = calloc(1, sizeof(*o));
	if (!o)
		return error_errno(err, -ENOMEM, "%s", file->name);
	*o = (struct overlay){.file = {.ops = &overlay_ops, .name = file->name, .read_only = true},
			      .below = file,
			      .size = image->file_size,
			      .low = UINT64_MAX};
	target.ctx = o;
	o->waiting_end = &o->waiting;
	for (unsigned int i = 0; i < OVERLAY_REQUESTS; i++) {
		o->wrapped[i].next = o->unused;
		o->unused = &o->wrapped[i];
	}
	o->zeroes = calloc(OVERLAY_MAX_ZEROES, sizeof(*o->zeroes));
	error = o->zeroes ? vhdx_log_find(image, file, err, &sequence)
			  : error_errno(err, -ENOMEM, "%s", file->name);
	if (error == 0)
		error = vhdx_log_apply(image, file, &sequence, &target, err);
	if (error) {
		overlay_destroy(&o->file);
		return error;
	}
	*ret = &o->file;
	return 0;
}
