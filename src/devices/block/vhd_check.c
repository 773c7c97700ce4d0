// SPDX-License-Identifier: MIT
/*
 * Is a VHD image sound? No state; blocks.
 */
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "devices/block/vhd_image.h"

#define FINDINGS_MAX 100u

/* A block, or something else that has space in the file. */
struct extent {
	uint64_t start, end;
	int64_t block; /* -1: header, table or name of a parent */
};

struct check {
	const struct vhd_check_options *options;
	struct vhd_check_result result;
	struct vhd_layout layout;
	struct extent *extents;
	size_t count;
};

static void found(struct check *check, enum vhd_finding_kind kind, const char *fmt, ...)
	printf_like(3, 4);
static void found(struct check *check, enum vhd_finding_kind kind, const char *fmt, ...)
{
	uint64_t *counts[] = {[VHD_ERROR] = &check->result.errors,
			      [VHD_LEAK] = &check->result.leaks,
			      [VHD_NOTICE] = &check->result.notices};
	char text[256];
	va_list ap;

	if (++*counts[kind] > FINDINGS_MAX || !check->options->found)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	check->options->found(check->options->ctx, kind, text);
}

static void add(struct check *check, uint64_t start, uint64_t len, int64_t block)
{
	check->extents[check->count++] =
		(struct extent){.start = start, .end = start + len, .block = block};
}

static int by_start(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* What has space in the file. Entries that name none that could be are findings. */
static int read_extents(struct check *check, struct file *file)
{
	const struct vhd_layout *layout = &check->layout;
	uint32_t *table = calloc(layout->blocks, sizeof(*table));
	uint64_t table_len = align_up(layout->blocks * sizeof(*table), VHD_SECTOR);
	int r = table ? 0 : -ENOMEM;

	check->extents = calloc(layout->blocks + 3 + VHD_LOCATORS, sizeof(*check->extents));
	if (!check->extents)
		r = -ENOMEM;
	if (r == 0)
		r = file_pread(file, table, layout->blocks * sizeof(*table), layout->table_offset);
	if (r) {
		free(table);
		return r;
	}
	add(check, 0, VHD_FOOTER_SIZE, -1);
	add(check, be64toh(layout->footer.data_offset), VHD_HEADER_SIZE, -1);
	add(check, layout->table_offset, table_len, -1);
	for (unsigned int i = 0; i < VHD_LOCATORS; i++) {
		const struct vhd_locator *l = &layout->header.parent_locators[i];
		uint64_t offset = be64toh(l->data_offset);
		uint32_t len = be32toh(l->data_length);

		if (l->platform_code && range_within(offset, len, layout->file_size))
			add(check, offset, align_up(len, VHD_SECTOR), -1);
		else if (l->platform_code)
			found(check, VHD_ERROR, "name %u of the parent is outside the file", i);
	}
	for (uint64_t i = 0; i < layout->blocks; i++) {
		uint32_t entry = be32toh(table[i]);

		if (entry == VHD_BLOCK_UNUSED)
			continue;
		check->result.blocks_allocated++;
		add(check, (uint64_t)entry * VHD_SECTOR, vhd_unit(layout), (int64_t)i);
	}
	free(table);
	return 0;
}

static void check_pair(struct check *check, const struct extent *before, const struct extent *e)
{
	if (e->start >= before->end)
		return;
	if (e->block >= 0 && before->block >= 0)
		found(check, VHD_ERROR, "blocks %lld and %lld overlap at byte %llu",
		      (long long)before->block, (long long)e->block, (unsigned long long)e->start);
	else if (e->block >= 0 || before->block >= 0)
		found(check, VHD_ERROR, "block %lld is where the image's own structures are",
		      (long long)max_of(e->block, before->block));
	else
		found(check, VHD_ERROR, "the image's own structures overlap at byte %llu",
		      (unsigned long long)e->start);
}

static void check_gap(struct check *check, uint64_t start, uint64_t end)
{
	/* Less than a page is for alignment. */
	if (end <= start || end - start < VHD_ALIGNMENT)
		return;
	found(check, VHD_LEAK, "%llu bytes at byte %llu belong to nothing",
	      (unsigned long long)(end - start), (unsigned long long)start);
	check->result.leaked_bytes += end - start;
}

static void check_extents(struct check *check)
{
	uint64_t limit = check->layout.file_size - VHD_FOOTER_SIZE;
	struct extent last = {0};

	qsort(check->extents, check->count, sizeof(*check->extents), by_start);
	for (size_t i = 0; i < check->count; i++) {
		const struct extent *e = &check->extents[i];

		if (e->end > limit && e->block >= 0 && e->start >= limit)
			found(check, VHD_ERROR, "block %lld is past the end of the file",
			      (long long)e->block);
		else if (e->end > limit && e->block >= 0 && !check->layout.dirty)
			found(check, VHD_ERROR, "block %lld reaches into the footer",
			      (long long)e->block);
		check_pair(check, &last, e);
		check_gap(check, last.end, min_of(e->start, limit));
		if (e->end > last.end)
			last = *e;
	}
	check_gap(check, last.end, limit);
}

int vhd_check(struct file *file, const struct vhd_check_options *options, struct error *err,
	      struct vhd_check_result *ret)
{
	struct check check = {.options = options};
	struct error text;
	int r;

	r = vhd_read_layout(file, &text, &check.layout);
	if (r == -EUCLEAN) {
		found(&check, VHD_ERROR, "%s", text.text);
		*ret = check.result;
		return 0;
	}
	if (r)
		return error_set(err, r, "%s", text.text);
	if (check.layout.dirty)
		found(&check, VHD_NOTICE, "the footer and its copy are not the same");
	if (check.layout.type != VHD_FIXED) {
		check.result.blocks = check.layout.blocks;
		r = read_extents(&check, file);
		if (r == 0)
			check_extents(&check);
		free(check.extents);
	}
	if (r)
		return error_errno(err, r, "%s: cannot read it", file->name);
	*ret = check.result;
	return 0;
}
