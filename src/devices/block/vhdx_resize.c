// SPDX-License-Identifier: MIT
/*
 * Making a disk longer or shorter. Blocks. The new size goes through the log in one entry with all
 * that has to change with it; a crash leaves the old disk or the new one.
 *
 * Longer: the entries of the new blocks are written before the size makes them count; when the
 * BAT's region is too short for them, all of the BAT is written to a new place, and the region
 * tables change with the size. Shorter: the size changes first, then the blocks above it are given
 * up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_crc.h"
#include "devices/block/vhdx_offline.h"

struct resizer {
	struct vhdx *v;
	struct vhdx_image new; /* as it will be */
	uint64_t first_mib;    /* where a fixed image's new blocks are */
	struct error *err;
};

static int fail(const struct resizer *r, int ret, const char *what)
{
	return error_errno(r->err, ret, "%s: not resized: %s", r->v->file->name, what);
}

/* --- Longer: the new blocks. --------------------------------------------------------------- */

/* Space that reads as zero. */
static int take_zeroed(struct vhdx *v, uint64_t mib, uint64_t *ret)
{
	bool fresh;
	int error = vhdx_space_take(&v->space, mib, ret, &fresh);

	if (error == 0)
		error = vhdx_offline_extend(v, *ret + mib);
	if (error == 0 && !fresh)
		error = vhdx_offline_zero(v, *ret * VHDX_MIB, mib * VHDX_MIB);
	return error;
}

/* What of the last block was behind the end of the disk must read as zero when it no longer is. */
static int zero_tail(struct resizer *r)
{
	const struct vhdx_image *old = &r->v->image;
	uint64_t inside = old->size & (old->block_size - 1);
	uint64_t index = vhdx_bat_index(old, old->blocks - 1);
	uint32_t entry = vhdx_bat_get(&r->v->bat, index);

	if (inside == 0 || !vhdx_state_has_space(vhdx_entry_state(entry)))
		return 0;
	return vhdx_offline_zero(r->v, vhdx_entry_offset(entry) + inside, old->block_size - inside);
}

/* The entry of a new block, as in the file. */
static uint64_t new_entry(const struct resizer *r, uint64_t index)
{
	const struct vhdx_image *new = &r->new;
	uint64_t block = index - index / (new->chunk_ratio + 1ull);

	if (!new->leave_allocated || vhdx_index_is_bitmap(new, index))
		return 0;
	return (r->first_mib + (block - r->v->image.blocks) * vhdx_block_mib(r->v)) << 20 |
	       VHDX_BLOCK_FULLY_PRESENT;
}

/* Entries from that of the first new block on, into the table at @offset in the file. */
static int write_new_entries(struct resizer *r, uint64_t offset)
{
	uint64_t at = r->v->image.entries, end = r->new.entries, step = MiB(1) / 8;
	uint64_t *raw = malloc(MiB(1));
	int ret = raw ? 0 : -ENOMEM;

	/* Up to the end of the page, for what is behind the last entry is nobody's. */
	end = align_up(end, VHDX_ENTRIES_PER_PAGE);
	while (ret == 0 && at < end) {
		uint64_t n = min_of(end - at, step);

		for (uint64_t i = 0; i < n; i++)
			raw[i] = at + i < r->new.entries ? new_entry(r, at + i) : 0;
		ret = file_pwrite(r->v->file, raw, n * 8, offset + at * 8);
		at += n;
	}
	free(raw);
	return ret;
}

/* --- Longer: another place for the BAT. ---------------------------------------------------- */

/* The region table as it is, with the BAT elsewhere, noted for both places. */
static int change_regions(struct resizer *r, struct vhdx_changes *changes)
{
	static const struct vhdx_guid bat = VHDX_REGION_BAT;
	bool first = r->v->image.region_valid[0];
	struct vhdx_region_header *table = malloc(VHDX_REGION_TABLE_SIZE);
	struct vhdx_region_entry *entries = (void *)(table + 1);
	int ret = table ? file_pread(r->v->file, table, VHDX_REGION_TABLE_SIZE,
				     first ? VHDX_REGION_TABLE1 : VHDX_REGION_TABLE2)
			: -ENOMEM;

	if (ret == 0) {
		for (uint32_t i = 0; i < min_of(table->entry_count, VHDX_REGION_MAX_ENTRIES); i++) {
			if (!vhdx_guid_equal(&entries[i].guid, &bat))
				continue;
			entries[i].file_offset = r->new.bat.offset;
			entries[i].length = (uint32_t)r->new.bat.len;
		}
		table->checksum = vhdx_crc_without(table, VHDX_REGION_TABLE_SIZE,
						   offsetof(struct vhdx_region_header, checksum));
		ret = vhdx_changes_add(changes, VHDX_REGION_TABLE1, table, VHDX_REGION_TABLE_SIZE);
	}
	if (ret == 0)
		ret = vhdx_changes_add(changes, VHDX_REGION_TABLE2, table, VHDX_REGION_TABLE_SIZE);
	free(table);
	return ret;
}

static int move_bat(struct resizer *r, struct vhdx_changes *changes)
{
	struct vhdx *v = r->v;
	uint64_t mib, len = align_up(r->new.entries * 8, VHDX_MIB);
	int ret;

	if (len > VHDX_MAX_BAT)
		return -EFBIG;
	ret = take_zeroed(v, len / VHDX_MIB, &mib);
	if (ret)
		return ret;
	r->new.bat = (struct vhdx_extent){mib * VHDX_MIB, len};
	ret = vhdx_offline_copy(v, v->image.bat.offset, r->new.bat.offset,
				align_down(v->image.entries * 8, 8));
	return ret ? ret : change_regions(r, changes);
}

/* --- Both. --------------------------------------------------------------------------------- */

static int grow(struct resizer *r)
{
	struct vhdx *v = r->v;
	struct vhdx_changes changes;
	struct vhdx_extent old_bat = v->image.bat;
	uint64_t added = r->new.blocks - v->image.blocks;
	int ret = vhdx_session_commit(v); /* before the BAT may be copied */

	vhdx_changes_init(&changes, v);
	if (ret == 0)
		ret = zero_tail(r);
	if (ret == 0 && r->new.leave_allocated && added)
		ret = take_zeroed(v, added * vhdx_block_mib(v), &r->first_mib);
	if (ret == 0 && r->new.entries * 8 > old_bat.len)
		ret = move_bat(r, &changes);
	if (ret == 0)
		ret = write_new_entries(r, r->new.bat.offset);
	if (ret == 0)
		ret = vhdx_changes_add(&changes, v->image.size_offset, &r->new.size, 8);
	if (ret == 0)
		ret = vhdx_changes_commit(&changes);
	vhdx_changes_finish(&changes);
	if (ret)
		return fail(r, ret, "the new part cannot be made");
	if (r->new.bat.offset != old_bat.offset)
		vhdx_space_release(&v->space, old_bat.offset / VHDX_MIB, old_bat.len / VHDX_MIB);
	v->image.size = r->new.size;
	v->image.blocks = r->new.blocks;
	v->bat.allocated += r->new.leave_allocated ? added : 0;
	return 0;
}

/* Blocks from @r->new.blocks on; their number that hold data. */
static uint64_t count_above(const struct resizer *r)
{
	const struct vhdx_image *image = &r->v->image;
	uint64_t count = 0;

	for (uint64_t block = r->new.blocks; block < image->blocks; block++) {
		uint32_t entry = vhdx_bat_get(&r->v->bat, vhdx_bat_index(image, block));

		count += vhdx_state_has_space(vhdx_entry_state(entry));
	}
	return count;
}

/*
 * Entries from that of the first block that is gone on become zero; not the bitmap of those
 * before.
 */
static int give_up(struct resizer *r)
{
	struct vhdx *v = r->v;
	uint64_t first = vhdx_bat_index(&r->new, r->new.blocks), count;
	int ret;

	for (uint64_t i = first; i < v->image.entries; i++) {
		uint32_t entry = vhdx_bat_get(&v->bat, i);

		if (!entry || (i < r->new.entries &&vhdx_index_is_bitmap(&r->new, i)))
			continue;
		count = vhdx_index_is_bitmap(&v->image, i) ? 1 : vhdx_block_mib(v);
		vhdx_bat_set(v, i, 0);
		/* Nothing is allocated any more in this session: it can be free at once. */
		if (vhdx_state_has_space(vhdx_entry_state(entry)))
			vhdx_space_release(&v->space, vhdx_entry_mib(entry), count);
	}
	ret = vhdx_session_commit(v);
	return ret ? fail(r, ret, "the blocks above cannot be given up") : 0;
}

static int shrink(struct resizer *r)
{
	struct vhdx *v = r->v;
	struct vhdx_changes changes;
	int ret;

	vhdx_changes_init(&changes, v);
	ret = vhdx_changes_add(&changes, v->image.size_offset, &r->new.size, 8);
	if (ret == 0)
		ret = vhdx_changes_commit(&changes);
	vhdx_changes_finish(&changes);
	if (ret)
		return fail(r, ret, "the size cannot be written");
	ret = give_up(r);
	v->image.blocks = r->new.blocks;
	return ret;
}

static int check(struct resizer *r, uint64_t size, bool discard)
{
	const struct vhdx_image *image = &r->v->image;
	const char *name = r->v->file->name;
	uint64_t above;

	if (size == 0 || size > VHDX_MAX_SIZE || !is_aligned(size, image->logical_sector))
		return error_set(
			r->err, -EINVAL,
			"%s: the new size must be whole sectors of %u bytes, at most 64 TiB", name,
			image->logical_sector);
	r->new = *image;
	r->new.size = size;
	vhdx_geometry(&r->new);
	above = size < image->size ? count_above(r) : 0;
	if (above && !discard && !image->leave_allocated)
		return error_set(
			r->err, -EBUSY,
			"%s: %llu blocks above the new end hold data; unmap them in the guest, "
			"or have them discarded",
			name, (unsigned long long)above);
	if (size < image->size && image->leave_allocated && !discard)
		return error_set(r->err, -EBUSY,
				 "%s: a fixed image holds data up to its end; have them discarded",
				 name);
	return 0;
}

int vhdx_resize(struct file *file, uint64_t new_size, bool discard, struct error *err)
{
	struct resizer r = {.err = err};
	int ret = vhdx_offline_open(file, err, &r.v);

	if (ret)
		return ret;
	ret = check(&r, new_size, discard);
	if (ret == 0 && new_size != r.v->image.size) {
		ret = vhdx_offline_begin(r.v, true, err);
		if (ret == 0)
			ret = new_size > r.v->image.size ? grow(&r) : shrink(&r);
	}
	return vhdx_offline_end(r.v, ret, err);
}
