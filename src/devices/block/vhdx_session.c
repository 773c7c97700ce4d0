// SPDX-License-Identifier: MIT
/*
 * A session: from the first write to an image until it is closed. Owner: the disk's loop; the end
 * blocks.
 *
 * At its start an entry without pages goes to the log under a new GUID, and when that is durable
 * both headers get the GUID, one after the other. From then on a crash finds a valid sequence.
 * Before that the header that names no log is written once more: if who wrote it was killed before
 * its sync, or the sync failed, it may be in the host's cache only, and the log it gave up may be
 * needed still. Opening an image and only reading changes nothing, as its children know it by its
 * DataWriteGuid.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_internal.h"

#define MAX_RESERVED MiB(16) /* of the BAT */

/* --- The first write. ---------------------------------------------------------------------- */

static void end_beginning(struct vhdx *v, int result)
{
	struct block_request *req = v->beginning;

	v->session = result ? VHDX_CLEAN : VHDX_BEGUN;
	v->beginning = NULL;
	v->beginning_end = &v->beginning;
	while (req) {
		struct block_request *next = req->next;

		if (result)
			vhdx_complete(v, req, result);
		else
			vhdx_job_start(v, req);
		req = next;
	}
}

static void begun(struct vhdx *v)
{
	end_beginning(v, v->failed ? -EIO : 0);
}

static void write_header(struct vhdx *v, void (*next)(struct vhdx *v))
{
	struct vhdx_image *image = &v->image;

	if (v->failed) {
		begun(v);
		return;
	}
	image->header.sequence_number++;
	image->header_slot = !image->header_slot;
	vhdx_header_seal(&image->header);
	*v->header_page = image->header;
	vhdx_step(v, FILE_WRITE, v->header_page, sizeof(*v->header_page),
		  vhdx_header_offset(image->header_slot), next);
}

static void sync_step(struct vhdx *v, void (*next)(struct vhdx *v))
{
	if (v->failed)
		begun(v);
	else
		vhdx_step_sync(v, next);
}

static void second_written(struct vhdx *v)
{
	sync_step(v, begun);
}

static void first_synced(struct vhdx *v)
{
	write_header(v, second_written);
}

static void first_written(struct vhdx *v)
{
	sync_step(v, first_synced);
}

static void log_synced(struct vhdx *v)
{
	v->image.header.log_guid = v->log.guid;
	vhdx_guid_make(&v->image.header.file_write_guid);
	vhdx_guid_make(&v->image.header.data_write_guid);
	write_header(v, first_written);
}

static void log_written(struct vhdx *v)
{
	vhdx_log_written(&v->log);
	sync_step(v, log_synced);
}

static void header_synced(struct vhdx *v)
{
	struct vhdx_flusher *f = &v->flusher;

	if (v->failed) {
		begun(v);
		return;
	}
	vhdx_log_init(&v->log, &v->image);
	v->log.flushed_file_offset = v->durable_mib * VHDX_MIB;
	v->log.last_file_offset = v->space.frontier * VHDX_MIB;
	f->entry_len = vhdx_log_build(&v->log, NULL, 0, f->buffer, &f->entry_at);
	vhdx_step(v, FILE_WRITE, f->buffer, f->entry_len, v->log.offset + f->entry_at, log_written);
}

static void header_written(struct vhdx *v)
{
	sync_step(v, header_synced);
}

/*
 * The log and the BAT must not be what finds the host full: that would end all writing, where a
 * block that gets no space fails only the request that wanted it. So zeroes are written into their
 * holes before anything else, which takes space for them.
 */
static void reserve(struct vhdx *v);

static void reserved(struct file_request *req, int result)
{
	struct vhdx *v = container_of(req, struct vhdx, step);

	if (result == -ENOSPC) {
		end_beginning(v, result); /* nothing was changed: the next write tries again */
		return;
	}
	if (result)
		vhdx_fail(v, result);
	if (v->failed)
		begun(v);
	else
		reserve(v);
}

/* The first hole from *at on, which moves behind it: its length, or 0. */
static uint64_t find_hole(struct vhdx *v, uint64_t *at, uint64_t end, uint64_t *ret)
{
	while (*at < end) {
		uint64_t len;
		bool data;

		/* What cannot be told is taken to be there. */
		if (file_extent(v->file, *at, &data, &len))
			break;
		len = min_of(len, end - *at);
		if (!data)
			len = min_of(len, KiB(64));
		*ret = *at;
		*at += len;
		if (!data)
			return len;
	}
	*at = end;
	return 0;
}

static void reserve(struct vhdx *v)
{
	static struct {
		_Alignas(PAGE_SIZE) uint8_t bytes[KiB(64)];
	} zeroes; /* never written to */
	uint64_t bat = min_of(align_up(v->image.entries * 8, PAGE_SIZE), MAX_RESERVED);
	uint64_t log_len = v->image.log.len, at = v->reserve_at, place = 0, len = 0;

	/* Where it is: first in the log, then in the BAT, as if one followed the other. */
	if (at < log_len) {
		place = v->image.log.offset + at;
		len = find_hole(v, &place, v->image.log.offset + log_len, &at);
		v->reserve_at = place - v->image.log.offset;
	}
	if (!len) {
		place = v->image.bat.offset + v->reserve_at - log_len;
		len = find_hole(v, &place, v->image.bat.offset + bat, &at);
		v->reserve_at = log_len + place - v->image.bat.offset;
	}
	if (!len) {
		write_header(v, header_written);
		return;
	}
	v->step_iov[0] = (struct iovec){zeroes.bytes, len};
	v->step = (struct file_request){.op = FILE_WRITE,
					.offset = at,
					.len = len,
					.iov = v->step_iov,
					.iov_count = 1,
					.done = reserved};
	file_submit(v->file, &v->step);
}

void vhdx_session_begin(struct vhdx *v, struct block_request *req)
{
	req->next = NULL;
	*v->beginning_end = req;
	v->beginning_end = &req->next;
	if (v->session == VHDX_BEGINNING)
		return;
	v->session = VHDX_BEGINNING;
	v->reserve_at = 0;
	reserve(v);
}

/* --- The end. ------------------------------------------------------------------------------ */

/* Everything dirty into the log. */
static int log_all(struct vhdx *v)
{
	struct vhdx_log_page pages[VHDX_LOG_MAX_PAGES];
	struct vhdx_flusher *f = &v->flusher;
	int ret = 0;

	f->cycle++;
	while (ret == 0 && f->dirty_count) {
		unsigned int count = min_of(f->dirty_count, VHDX_LOG_MAX_PAGES);

		if (!vhdx_log_has_room(&v->log, count)) {
			ret = vhdx_put_in_place(v);
			if (ret == 0)
				ret = vhdx_write_log(v, NULL, 0);
			if (ret == 0)
				ret = vhdx_sync_now(v);
			continue;
		}
		f->target[0] = f->target[1] = f->dirty_count;
		ret = vhdx_take_pages(v, pages);
		if (ret > 0)
			ret = vhdx_write_log(v, pages, (unsigned int)ret);
	}
	return ret;
}

/* The file ends behind the last thing in it. */
static int cut_off(struct vhdx *v)
{
	uint64_t end = vhdx_space_end(&v->space);
	int ret;

	/* A fixed image keeps room for all its blocks. */
	if (end >= v->file_mib || (v->image.leave_allocated && v->bat.allocated < v->image.blocks))
		return 0;
	ret = file_truncate(v->file, end * VHDX_MIB);
	return ret ? ret : vhdx_sync_now(v);
}

int vhdx_session_begin_now(struct vhdx *v, bool data)
{
	struct error ignored;
	int ret;

	/* See above: the header that names no log first. */
	ret = vhdx_header_update(&v->image, v->file, &ignored);
	if (ret)
		return ret;
	vhdx_log_init(&v->log, &v->image);
	ret = vhdx_write_log(v, NULL, 0);
	if (ret == 0)
		ret = vhdx_sync_now(v);
	if (ret)
		return ret;
	v->image.header.log_guid = v->log.guid;
	vhdx_guid_make(&v->image.header.file_write_guid);
	if (data)
		vhdx_guid_make(&v->image.header.data_write_guid);
	ret = vhdx_header_update(&v->image, v->file, &ignored);
	if (ret == 0)
		v->session = VHDX_BEGUN;
	return ret;
}

int vhdx_session_commit(struct vhdx *v)
{
	int ret = vhdx_sync_now(v);

	if (ret == 0)
		ret = log_all(v);
	if (ret == 0)
		ret = vhdx_put_in_place(v);
	if (ret)
		vhdx_fail(v, ret);
	return ret;
}

int vhdx_session_end(struct vhdx *v, struct error *err)
{
	int ret;

	if (v->session != VHDX_BEGUN || v->failed)
		return v->failed
			       ? error_set(err, -EIO,
					   "%s: an error made it stop writing; the log is replayed "
					   "when it is opened again",
					   v->file->name)
			       : 0;
	ret = vhdx_sync_now(v);
	if (ret == 0)
		ret = log_all(v);
	if (ret == 0)
		ret = vhdx_put_in_place(v);
	if (ret)
		return error_errno(err, ret,
				   "%s: cannot be closed cleanly; its log is replayed when "
				   "it is opened again",
				   v->file->name);
	v->image.header.log_guid = (struct vhdx_guid){0};
	ret = vhdx_header_update(&v->image, v->file, err);
	if (ret)
		return ret;
	ret = cut_off(v);
	return ret ? error_errno(err, ret, "%s: cannot be made shorter", v->file->name) : 0;
}
