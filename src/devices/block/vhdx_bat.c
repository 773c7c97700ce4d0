// SPDX-License-Identifier: MIT
/*
 * The block allocation table, MS-VHDX 2.5, in memory: pages that hold only zeroes are not kept, and
 * an entry takes four bytes. Owner: the disk's loop.
 *
 * Every entry is checked when the image is opened, so that none needs to be later: a known state,
 * no reserved bits, its space inside the file and nobody else's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_internal.h"

#define SCAN_BYTES MiB(1)

int vhdx_bat_decode(const struct vhdx_image *image, uint64_t index, uint64_t raw, uint32_t *ret)
{
	unsigned int state = raw & VHDX_BAT_STATE;
	uint64_t mib = raw >> 20;
	bool bitmap = vhdx_index_is_bitmap(image, index);

	if (raw & VHDX_BAT_RESERVED || state == 4 || state == 5)
		return -EUCLEAN;
	if (bitmap && (state != VHDX_BITMAP_NOT_PRESENT && state != VHDX_BITMAP_PRESENT))
		return -EUCLEAN;
	if (!image->has_parent &&
	    (state == VHDX_BLOCK_PARTIALLY_PRESENT || (bitmap && state == VHDX_BITMAP_PRESENT)))
		return -EUCLEAN;
	/*
	 * The place is reserved where no space is meant; blocks that were unmapped may keep
	 * theirs.
	 */
	if (!vhdx_state_has_space(state) && state != VHDX_BLOCK_UNMAPPED &&
	    state != VHDX_BLOCK_UNDEFINED)
		mib = 0;
	if (mib >= VHDX_MAX_FILE / VHDX_MIB || (vhdx_state_has_space(state) && mib == 0))
		return -EUCLEAN;
	*ret = vhdx_entry(state, mib);
	return 0;
}

static int scan_bytes(const uint64_t *raw, uint64_t first, uint64_t count,
		      int (*entry)(void *ctx, uint64_t index, uint64_t raw), void *ctx)
{
	for (uint64_t i = 0; i < count; i++) {
		int ret = raw[i] ? entry(ctx, first + i, raw[i]) : 0;

		if (ret)
			return ret;
	}
	return 0;
}

int vhdx_bat_scan(const struct vhdx_image *image, struct file *file,
		  int (*entry)(void *ctx, uint64_t index, uint64_t raw), void *ctx)
{
	uint64_t end = image->entries * 8, at = 0;
	uint64_t *raw = malloc(SCAN_BYTES);
	int ret = raw ? 0 : -ENOMEM;

	while (ret == 0 && at < end) {
		uint64_t len, step = min_of(end - at, SCAN_BYTES);
		bool data;

		/* A large table is mostly a hole. */
		ret = file_extent(file, image->bat.offset + at, &data, &len);
		if (ret == 0 && !data && len >= 8) {
			at += align_down(min_of(len, end - at), 8);
			continue;
		}
		if (ret == 0)
			ret = file_pread(file, raw, step, image->bat.offset + at);
		if (ret == 0)
			ret = scan_bytes(raw, at / 8, step / 8, entry, ctx);
		at += step;
	}
	free(raw);
	return ret;
}

static struct vhdx_bat_page *page_get(struct vhdx *v, uint64_t index)
{
	uint64_t number = index / VHDX_ENTRIES_PER_PAGE;
	struct vhdx_bat_page *page = v->bat.pages[number];

	if (!page) {
		page = calloc(1, sizeof(*page));
		if (page)
			page->page.file_offset = v->image.bat.offset + number * PAGE_SIZE;
		v->bat.pages[number] = page;
	}
	return page;
}

int vhdx_bat_reserve(struct vhdx *v, uint64_t index)
{
	return page_get(v, index) ? 0 : -ENOMEM;
}

static void count_allocated(struct vhdx *v, uint64_t index, uint32_t old, uint32_t new)
{
	if (vhdx_index_is_bitmap(&v->image, index))
		return;
	v->bat.allocated += vhdx_state_has_space(vhdx_entry_state(new));
	v->bat.allocated -= vhdx_state_has_space(vhdx_entry_state(old));
}

void vhdx_bat_set(struct vhdx *v, uint64_t index, uint32_t entry)
{
	struct vhdx_bat_page *page = v->bat.pages[index / VHDX_ENTRIES_PER_PAGE];
	uint32_t *place = &page->entries[index % VHDX_ENTRIES_PER_PAGE];

	count_allocated(v, index, *place, entry);
	*place = entry;
	vhdx_page_dirty(v, &page->page);
}

bool vhdx_bat_is_durable(const struct vhdx *v, uint64_t index)
{
	const struct vhdx_bat_page *page = v->bat.pages[index / VHDX_ENTRIES_PER_PAGE];

	return !page || (!page->page.dirty && page->page.cycle <= v->flusher.durable_cycle);
}

void vhdx_bat_encode(const struct vhdx_bat_page *page, uint8_t *out)
{
	for (unsigned int i = 0; i < VHDX_ENTRIES_PER_PAGE; i++) {
		uint64_t raw = vhdx_entry_state(page->entries[i]) | vhdx_entry_mib(page->entries[i])
									    << 20;

		memcpy(out + 8 * i, &raw, 8);
	}
}

/* --- Loading. ------------------------------------------------------------------------------ */

struct loader {
	struct vhdx *v;
	struct error *err;
};

static int load_entry(void *ctx, uint64_t index, uint64_t raw)
{
	struct loader *l = ctx;
	struct vhdx *v = l->v;
	bool bitmap = vhdx_index_is_bitmap(&v->image, index);
	uint64_t mib, count = bitmap ? 1 : vhdx_block_mib(v);
	struct vhdx_bat_page *page;
	uint32_t entry;

	if (vhdx_bat_decode(&v->image, index, raw, &entry))
		return error_set(l->err, -EUCLEAN, "%s: BAT entry %llu cannot be 0x%llx",
				 v->file->name, (unsigned long long)index, (unsigned long long)raw);
	/* Making the disk shorter was interrupted: nobody needs what is behind its end. */
	if (vhdx_index_is_beyond(&v->image, index)) {
		page = page_get(v, index);
		if (page)
			vhdx_page_dirty(v, &page->page);
		return page ? 0 : error_errno(l->err, -ENOMEM, "%s", v->file->name);
	}
	mib = vhdx_entry_mib(entry);
	if (vhdx_state_has_space(vhdx_entry_state(entry)) &&
	    !vhdx_space_claim(&v->space, mib, count))
		return error_set(l->err, -EUCLEAN,
				 "%s: the space of BAT entry %llu is beyond the end or taken",
				 v->file->name, (unsigned long long)index);
	page = page_get(v, index);
	if (!page)
		return error_errno(l->err, -ENOMEM, "%s", v->file->name);
	/*
	 * A block that was unmapped may name the space it had. Nobody needs it: it counts as free,
	 * and the next flush says so in the file, before or with whatever uses it.
	 */
	if (mib && !vhdx_state_has_space(vhdx_entry_state(entry))) {
		entry = vhdx_entry(vhdx_entry_state(entry), 0);
		vhdx_page_dirty(v, &page->page);
	}
	page->entries[index % VHDX_ENTRIES_PER_PAGE] = entry;
	count_allocated(v, index, 0, entry);
	return 0;
}

/* A block that is present in part needs its bitmap. */
static int check_bitmaps(struct vhdx *v, struct error *err)
{
	const struct vhdx_image *image = &v->image;

	for (uint64_t n = 0; image->has_parent && n < v->bat.page_count; n++) {
		const struct vhdx_bat_page *page = v->bat.pages[n];

		for (unsigned int i = 0; page && i < VHDX_ENTRIES_PER_PAGE; i++) {
			uint64_t index = n * VHDX_ENTRIES_PER_PAGE + i;
			uint64_t chunk = index / (image->chunk_ratio + 1ull);

			if (vhdx_entry_state(page->entries[i]) != VHDX_BLOCK_PARTIALLY_PRESENT)
				continue;
			if (vhdx_entry_state(
				    vhdx_bat_get(&v->bat, vhdx_bitmap_index(image, chunk))) !=
			    VHDX_BITMAP_PRESENT)
				return error_set(err, -EUCLEAN,
						 "%s: chunk %llu has no sector bitmap",
						 v->file->name, (unsigned long long)chunk);
		}
	}
	return 0;
}

int vhdx_bat_load(struct vhdx *v, struct error *err)
{
	struct loader l = {.v = v, .err = err};
	struct error own = {.text = ""};
	int ret;

	v->bat.page_count = (v->image.entries + VHDX_ENTRIES_PER_PAGE - 1) / VHDX_ENTRIES_PER_PAGE;
	v->bat.pages = calloc(v->bat.page_count, sizeof(*v->bat.pages));
	if (!v->bat.pages)
		return error_errno(err, -ENOMEM, "%s", v->file->name);
	l.err = &own;
	ret = vhdx_bat_scan(&v->image, v->file, load_entry, &l);
	if (ret)
		return own.text[0]
			       ? error_set(err, ret, "%s", own.text)
			       : error_errno(err, ret, "%s: the BAT cannot be read", v->file->name);
	return check_bitmaps(v, err);
}

void vhdx_bat_finish(struct vhdx_bat *bat)
{
	for (uint64_t i = 0; bat->pages && i < bat->page_count; i++)
		free(bat->pages[i]);
	free(bat->pages);
}
