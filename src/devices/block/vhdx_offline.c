// SPDX-License-Identifier: MIT
/*
 * The frame for offline changes. Blocks; owns nothing but what it opened.
 */
#include "devices/block/vhdx_offline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEP MiB(1)

int vhdx_offline_open(struct file *file, struct error *err, struct vhdx **ret)
{
	struct vhdx_open_options options = {.read_only = false};

	return vhdx_open_image(file, NULL, &options, err, ret);
}

int vhdx_offline_begin(struct vhdx *v, bool data, struct error *err)
{
	int ret = vhdx_session_begin_now(v, data);

	if (ret)
		vhdx_fail(v, ret);
	return ret ? error_errno(err, ret, "%s: cannot be written", v->file->name) : 0;
}

int vhdx_offline_end(struct vhdx *v, int ret_so_far, struct error *err)
{
	struct error ignored;
	int ret = ret_so_far;

	/* After an error of the file the log is the better place for what is under way. */
	if (!v->failed)
		ret = vhdx_session_end(v, ret_so_far ? &ignored : err);
	vhdx_destroy(v);
	return ret_so_far ? ret_so_far : ret;
}

/* --- Changes of other metadata than the BAT. ----------------------------------------------- */

void vhdx_changes_init(struct vhdx_changes *changes, struct vhdx *v)
{
	*changes = (struct vhdx_changes){.v = v};
}

void vhdx_changes_finish(struct vhdx_changes *changes)
{
	for (unsigned int i = 0; i < changes->count; i++)
		free(changes->pages[i]);
}

/* The page at @offset, read once. */
static int get_page(struct vhdx_changes *changes, uint64_t offset, uint8_t **ret)
{
	uint8_t *page;
	int error;

	for (unsigned int i = 0; i < changes->count; i++) {
		if (changes->offsets[i] == offset) {
			*ret = changes->pages[i];
			return 0;
		}
	}
	if (changes->count == VHDX_OFFLINE_PAGES)
		return -E2BIG;
	page = malloc(PAGE_SIZE);
	if (!page)
		return -ENOMEM;
	error = file_pread(changes->v->file, page, PAGE_SIZE, offset);
	if (error) {
		free(page);
		return error;
	}
	changes->offsets[changes->count] = offset;
	changes->pages[changes->count++] = *ret = page;
	return 0;
}

int vhdx_changes_add(struct vhdx_changes *changes, uint64_t offset, const void *data, uint64_t len)
{
	const uint8_t *bytes = data;

	while (len) {
		uint64_t in = offset % PAGE_SIZE, n = min_of(len, PAGE_SIZE - in);
		uint8_t *page;
		int ret = get_page(changes, offset - in, &page);

		if (ret)
			return ret;
		memcpy(page + in, bytes, n);
		bytes += n;
		offset += n;
		len -= n;
	}
	return 0;
}

int vhdx_changes_commit(struct vhdx_changes *changes)
{
	struct vhdx_log_page pages[VHDX_OFFLINE_PAGES];
	struct vhdx *v = changes->v;
	int ret = vhdx_session_commit(v);

	for (unsigned int i = 0; i < changes->count; i++)
		pages[i] = (struct vhdx_log_page){changes->offsets[i], changes->pages[i]};
	if (ret == 0 && !vhdx_log_has_room(&v->log, changes->count)) {
		/* Everything is in its place: an entry without pages makes the log empty. */
		ret = vhdx_write_log(v, NULL, 0);
		if (ret == 0)
			ret = vhdx_sync_now(v);
	}
	if (ret == 0)
		ret = vhdx_write_log(v, pages, changes->count);
	if (ret == 0)
		ret = vhdx_sync_now(v);
	for (unsigned int i = 0; ret == 0 && i < changes->count; i++)
		ret = file_pwrite(v->file, changes->pages[i], PAGE_SIZE, changes->offsets[i]);
	if (ret == 0) {
		v->log.applied = v->log.head;
		ret = vhdx_sync_now(v);
	}
	if (ret)
		vhdx_fail(v, ret);
	return ret;
}

/* --- Ranges of the file. ------------------------------------------------------------------- */

static int write_zeroes(struct vhdx *v, uint64_t offset, uint64_t len)
{
	void *zeroes = calloc(1, STEP);
	int ret = zeroes ? 0 : -ENOMEM;

	while (ret == 0 && len) {
		uint64_t n = min_of(len, STEP);

		ret = file_pwrite(v->file, zeroes, n, offset);
		offset += n;
		len -= n;
	}
	free(zeroes);
	return ret;
}

int vhdx_offline_zero(struct vhdx *v, uint64_t offset, uint64_t len)
{
	if (len == 0 || file_discard(v->file, offset, len) == 0)
		return 0;
	return write_zeroes(v, offset, len);
}

int vhdx_offline_copy(struct vhdx *v, uint64_t from, uint64_t to, uint64_t len)
{
	bool discarded = file_discard(v->file, to, len) == 0;
	void *buf = malloc(STEP);
	int ret = buf ? 0 : -ENOMEM;

	while (ret == 0 && len) {
		uint64_t n;
		bool data;

		ret = file_extent(v->file, from, &data, &n);
		if (ret)
			break;
		n = min_of(n, len);
		if (data) {
			n = min_of(n, STEP);
			ret = file_pread(v->file, buf, n, from);
			if (ret == 0)
				ret = file_pwrite(v->file, buf, n, to);
		} else if (!discarded) {
			ret = write_zeroes(v, to, n);
		}
		from += n;
		to += n;
		len -= n;
	}
	free(buf);
	return ret;
}

int vhdx_offline_extend(struct vhdx *v, uint64_t mib)
{
	int ret;

	if (mib <= v->file_mib)
		return 0;
	ret = file_truncate(v->file, mib * VHDX_MIB);
	if (ret == 0)
		v->file_mib = mib;
	return ret;
}
