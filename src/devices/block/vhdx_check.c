// SPDX-License-Identifier: MIT
/*
 * Is an image as MS-VHDX wants it? Plain calls; modifies nothing. What opening an image verifies
 * is verified by the same code; here are the findings that do not keep it from being opened, and
 * all of those about the BAT instead of the first.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_internal.h"
#include "devices/block/vhdx_locator.h"
#include "devices/block/vhdx_log_replay.h"
#include "devices/block/vhdx_overlay.h"

#define MAX_REPORTED 100u /* of each kind */

/* What is known of a chunk. */
#define CHUNK_HAS_BITMAP   1u
#define CHUNK_NEEDS_BITMAP 2u

struct checker {
	const struct vhdx_check_options *options;
	struct vhdx_check_result result;
	struct vhdx_image image;
	struct file *file; /* with the log laid over */
	struct vhdx_space space;
	uint8_t *chunks;
};

static void found(struct checker *c, enum vhdx_finding_kind kind, const char *fmt, ...)
	printf_like(3, 4);

static void found(struct checker *c, enum vhdx_finding_kind kind, const char *fmt, ...)
{
	uint64_t *counts[] = {[VHDX_ERROR] = &c->result.errors,
			      [VHDX_LEAK] = &c->result.leaks,
			      [VHDX_NOTICE] = &c->result.notices};
	char text[256];
	va_list args;

	if (++*counts[kind] > MAX_REPORTED || !c->options->found)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	c->options->found(c->options->ctx, kind, text);
}

/* --- The BAT. ------------------------------------------------------------------------------ */

static void check_space(struct checker *c, uint64_t index, uint32_t entry, bool bitmap)
{
	uint64_t mib = vhdx_entry_mib(entry), end = c->space.frontier;
	uint64_t count = bitmap ? 1 : c->image.block_size / VHDX_MIB;
	bool needed = vhdx_state_has_space(vhdx_entry_state(entry));

	if (!mib || vhdx_space_claim(&c->space, mib, count))
		return;
	if (!needed)
		found(c, VHDX_NOTICE, "BAT entry %llu: unmapped, and names space it does not have",
		      (unsigned long long)index);
	else if (!range_within(mib, count, end))
		found(c, VHDX_ERROR, "BAT entry %llu: at %llu MiB, beyond the end of the file",
		      (unsigned long long)index, (unsigned long long)mib);
	else
		found(c, VHDX_ERROR, "BAT entry %llu: at %llu MiB, where something else is",
		      (unsigned long long)index, (unsigned long long)mib);
}

static int check_entry(void *ctx, uint64_t index, uint64_t raw)
{
	struct checker *c = ctx;
	uint64_t chunk = index / (c->image.chunk_ratio + 1ull);
	bool bitmap = vhdx_index_is_bitmap(&c->image, index);
	unsigned int state;
	uint32_t entry;

	if (vhdx_bat_decode(&c->image, index, raw, &entry)) {
		found(c, VHDX_ERROR, "BAT entry %llu: 0x%llx cannot be", (unsigned long long)index,
		      (unsigned long long)raw);
		return 0;
	}
	if (vhdx_index_is_beyond(&c->image, index)) {
		found(c, VHDX_NOTICE, "BAT entry %llu: of a block behind the end of the disk",
		      (unsigned long long)index);
		return 0;
	}
	state = vhdx_entry_state(entry);
	check_space(c, index, entry, bitmap);
	if (bitmap)
		c->chunks[chunk] |= state == VHDX_BITMAP_PRESENT ? CHUNK_HAS_BITMAP : 0;
	else
		c->result.blocks_allocated += vhdx_state_has_space(state);
	if (!bitmap && state == VHDX_BLOCK_PARTIALLY_PRESENT)
		c->chunks[chunk] |= CHUNK_NEEDS_BITMAP;
	return 0;
}

static void check_chunks(struct checker *c)
{
	uint64_t chunks = c->image.entries / (c->image.chunk_ratio + 1ull);

	for (uint64_t i = 0; i < chunks; i++)
		if (c->chunks[i] == CHUNK_NEEDS_BITMAP)
			found(c, VHDX_ERROR,
			      "chunk %llu: blocks are present in part, but which is not said",
			      (unsigned long long)i);
}

/* --- Space. -------------------------------------------------------------------------------- */

static void claim(struct checker *c, const struct vhdx_extent *extent, const char *what)
{
	if (!vhdx_space_claim(&c->space, extent->offset / VHDX_MIB, extent->len / VHDX_MIB))
		found(c, VHDX_ERROR, "the %s is where something else is", what);
}

static void claim_regions(struct checker *c)
{
	struct vhdx_extent headers = {0, VHDX_HEADER_SECTION_SIZE};

	claim(c, &headers, "header section");
	claim(c, &c->image.log, "log");
	claim(c, &c->image.bat, "BAT");
	claim(c, &c->image.metadata, "metadata region");
	for (unsigned int i = 0; i < c->image.other_count; i++)
		claim(c, &c->image.other[i], "unknown region");
}

static void find_leaks(struct checker *c)
{
	uint64_t mib, count, from = 0;

	for (; vhdx_space_next_free(&c->space, from, &mib, &count); from = mib + count) {
		c->result.leaked_bytes += count * VHDX_MIB;
		found(c, VHDX_LEAK, "%llu MiB at %llu MiB belong to nothing",
		      (unsigned long long)count, (unsigned long long)mib);
	}
}

/* --- All. ---------------------------------------------------------------------------------- */

static void check_copies(struct checker *c)
{
	const struct vhdx_image *image = &c->image;
	char *tables = malloc(2ul * VHDX_REGION_TABLE_SIZE);

	for (int i = 0; i < 2; i++) {
		if (!image->header_valid[i])
			found(c, VHDX_NOTICE, "header %d is damaged; the other one is used", i + 1);
		if (!image->region_valid[i])
			found(c, VHDX_NOTICE, "region table %d is damaged; the other one is used",
			      i + 1);
	}
	if (tables && image->region_valid[0] && image->region_valid[1] &&
	    file_pread(c->file, tables, 2ul * VHDX_REGION_TABLE_SIZE, VHDX_REGION_TABLE1) == 0 &&
	    memcmp(tables, tables + VHDX_REGION_TABLE_SIZE, VHDX_REGION_TABLE_SIZE) != 0)
		found(c, VHDX_NOTICE, "the region tables differ; the first one is used");
	free(tables);
}

static int check_log(struct checker *c, struct file *file, struct error *err)
{
	struct vhdx_log_sequence sequence;
	int ret;

	if (vhdx_guid_is_zero(&c->image.header.log_guid))
		return 0;
	ret = vhdx_log_find(&c->image, file, err, &sequence);
	if (ret == 0)
		found(c, VHDX_NOTICE, "was not closed cleanly: %llu log entries will be replayed",
		      (unsigned long long)sequence.count);
	return ret;
}

static int check_all(struct checker *c, struct error *err)
{
	struct vhdx_image *image = &c->image;
	uint64_t end = (image->file_size + VHDX_MIB - 1) / VHDX_MIB;
	struct vhdx_locator locator;
	int ret = vhdx_space_init(&c->space, end);

	c->chunks = calloc(image->entries / (image->chunk_ratio + 1ull) + 1, 1);
	if (ret || !c->chunks)
		return error_errno(err, ret ? ret : -ENOMEM, "%s", c->file->name);
	c->result.blocks = image->blocks;
	claim_regions(c);
	ret = vhdx_bat_scan(image, c->file, check_entry, c);
	if (ret)
		return error_errno(err, ret, "%s: the BAT cannot be read", c->file->name);
	check_chunks(c);
	find_leaks(c);
	return image->has_parent ? vhdx_locator_read(image, c->file, err, &locator) : 0;
}

int vhdx_check(struct file *file, const struct vhdx_check_options *options, struct error *err,
	       struct vhdx_check_result *ret)
{
	struct checker c = {.options = options};
	struct error own = {.text = ""};
	struct file *overlay = NULL;
	int error = vhdx_image_read_header(&c.image, file, &own);

	c.file = file;
	if (error == 0)
		error = check_log(&c, file, &own);
	if (error == 0)
		error = vhdx_overlay_create(&c.image, file, &own, &overlay);
	if (overlay)
		c.file = overlay;
	if (error == 0)
		error = vhdx_image_read_rest(&c.image, c.file, &own);
	if (error == 0) {
		check_copies(&c);
		error = check_all(&c, &own);
	}
	/* Damage is what was looked for, and no reason to fail. */
	if (error == -EUCLEAN) {
		found(&c, VHDX_ERROR, "%s", own.text);
		error = 0;
	} else if (error) {
		error_set(err, error, "%s", own.text);
	}
	file_destroy(overlay);
	vhdx_space_finish(&c.space);
	free(c.chunks);
	if (error == 0)
		*ret = c.result;
	return error;
}
