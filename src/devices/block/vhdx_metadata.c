// SPDX-License-Identifier: MIT
/*
 * The metadata region, MS-VHDX 2.6: a table of items, of which the ones a disk is described by are
 * read here. Items must lie in the region behind the table and not overlap; required ones must be
 * known.
 */
#include "devices/block/vhdx_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum item { FILE_PARAMETERS, DISK_SIZE, DISK_ID, LOGICAL_SECTOR, PHYSICAL_SECTOR, LOCATOR, ITEMS };

static const struct known {
	struct vhdx_guid guid;
	const char *name;
	uint32_t length; /* 0: any */
} known[ITEMS] = {
	[FILE_PARAMETERS] = {VHDX_ITEM_FILE_PARAMETERS, "file parameters", 8},
	[DISK_SIZE] = {VHDX_ITEM_DISK_SIZE, "virtual disk size", 8},
	[DISK_ID] = {VHDX_ITEM_DISK_ID, "virtual disk id", 16},
	[LOGICAL_SECTOR] = {VHDX_ITEM_LOGICAL_SECTOR, "logical sector size", 4},
	[PHYSICAL_SECTOR] = {VHDX_ITEM_PHYSICAL_SECTOR, "physical sector size", 4},
	[LOCATOR] = {VHDX_ITEM_PARENT_LOCATOR, "parent locator", 0},
};

/* The items found, and what is being read. */
struct reader {
	struct vhdx_image *image;
	struct file *file;
	struct error *err;
	struct vhdx_extent item[ITEMS]; /* in the file; len 0: not there */
};

static int by_offset(const void *a, const void *b)
{
	const struct vhdx_metadata_entry *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int check_entry(struct reader *r, const struct vhdx_metadata_entry *entry)
{
	if (entry->flags & ~(VHDX_METADATA_USER | VHDX_METADATA_DISK | VHDX_METADATA_REQUIRED) ||
	    entry->reserved)
		return error_set(r->err, -EUCLEAN, "%s: a metadata item has reserved bits set",
				 r->file->name);
	if (entry->length == 0 && entry->offset == 0)
		return 0;
	if (entry->length == 0 || entry->length > VHDX_METADATA_MAX_ITEM ||
	    entry->offset < VHDX_METADATA_TABLE_SIZE ||
	    !range_within(entry->offset, entry->length, r->image->metadata.len))
		return error_set(r->err, -EUCLEAN, "%s: a metadata item is outside its region",
				 r->file->name);
	return 0;
}

static int take_entry(struct reader *r, const struct vhdx_metadata_entry *entry)
{
	for (int i = 0; i < ITEMS && !(entry->flags & VHDX_METADATA_USER); i++) {
		if (!vhdx_guid_equal(&entry->item, &known[i].guid))
			continue;
		if (r->item[i].len)
			return error_set(r->err, -EUCLEAN, "%s: the metadata have the %s twice",
					 r->file->name, known[i].name);
		if (entry->length == 0 || (known[i].length && entry->length != known[i].length))
			return error_set(r->err, -EUCLEAN, "%s: the %s has %u bytes", r->file->name,
					 known[i].name, entry->length);
		r->item[i].offset = r->image->metadata.offset + entry->offset;
		r->item[i].len = entry->length;
		return 0;
	}
	if (entry->flags & VHDX_METADATA_REQUIRED)
		return error_set(r->err, -ENOTSUP,
				 "%s: has a metadata item that is required and not known",
				 r->file->name);
	return 0;
}

static int take_entries(struct reader *r, struct vhdx_metadata_entry *entries, uint16_t count)
{
	uint64_t end = 0;
	int ret;

	for (uint16_t i = 0; i < count; i++) {
		ret = check_entry(r, &entries[i]);
		if (ret == 0)
			ret = take_entry(r, &entries[i]);
		if (ret)
			return ret;
	}
	qsort(entries, count, sizeof(*entries), by_offset);
	for (uint16_t i = 0; i < count; i++) {
		if (entries[i].length && entries[i].offset < end)
			return error_set(r->err, -EUCLEAN, "%s: metadata items overlap",
					 r->file->name);
		if (entries[i].length)
			end = (uint64_t)entries[i].offset + entries[i].length;
	}
	return 0;
}

static int read_table(struct reader *r)
{
	char *table = malloc(VHDX_METADATA_TABLE_SIZE);
	struct vhdx_metadata_header header;
	static const uint8_t zero[sizeof(header.reserved2)];
	int ret;

	if (!table)
		return error_errno(r->err, -ENOMEM, "%s", r->file->name);
	ret = file_pread(r->file, table, VHDX_METADATA_TABLE_SIZE, r->image->metadata.offset);
	if (ret) {
		error_errno(r->err, ret, "%s: the metadata cannot be read", r->file->name);
		goto out;
	}
	memcpy(&header, table, sizeof(header));
	if (header.signature != VHDX_METADATA_SIGNATURE || header.reserved ||
	    memcmp(header.reserved2, zero, sizeof(zero)) != 0 ||
	    header.entry_count > VHDX_METADATA_MAX_ENTRIES)
		ret = error_set(r->err, -EUCLEAN, "%s: the metadata table is damaged",
				r->file->name);
	else
		ret = take_entries(r, (void *)(table + sizeof(header)), header.entry_count);
out:
	free(table);
	return ret;
}

static int read_item(struct reader *r, enum item item, void *value)
{
	int ret;

	if (!r->item[item].len)
		return error_set(r->err, -EUCLEAN, "%s: the metadata have no %s", r->file->name,
				 known[item].name);
	ret = file_pread(r->file, value, r->item[item].len, r->item[item].offset);
	if (ret)
		return error_errno(r->err, ret, "%s: the metadata cannot be read", r->file->name);
	return 0;
}

static int check_values(struct reader *r, const struct vhdx_file_parameters *parameters)
{
	const struct vhdx_image *image = r->image;
	const char *name = r->file->name;

	if (parameters->flags & ~(VHDX_PARAMETERS_LEAVE_ALLOCATED | VHDX_PARAMETERS_HAS_PARENT))
		return error_set(r->err, -EUCLEAN, "%s: the file parameters have reserved bits set",
				 name);
	if (image->block_size < VHDX_MIN_BLOCK || image->block_size > VHDX_MAX_BLOCK ||
	    image->block_size & (image->block_size - 1))
		return error_set(r->err, -EUCLEAN, "%s: a block size of %u cannot be", name,
				 image->block_size);
	if ((image->logical_sector != 512 && image->logical_sector != 4096) ||
	    (image->physical_sector != 512 && image->physical_sector != 4096))
		return error_set(r->err, -EUCLEAN, "%s: sectors of %u and %u bytes cannot be", name,
				 image->logical_sector, image->physical_sector);
	if (image->size == 0 || image->size > VHDX_MAX_SIZE ||
	    !is_aligned(image->size, image->logical_sector))
		return error_set(r->err, -EUCLEAN, "%s: a disk of %llu bytes cannot be", name,
				 (unsigned long long)image->size);
	if (image->has_parent && !r->item[LOCATOR].len)
		return error_set(r->err, -EUCLEAN, "%s: has a parent and does not say where", name);
	return 0;
}

void vhdx_geometry(struct vhdx_image *image)
{
	uint64_t chunks;

	image->block_shift = (uint32_t)__builtin_ctz(image->block_size);
	image->chunk_ratio =
		(uint32_t)(VHDX_SECTORS_PER_CHUNK * image->logical_sector >> image->block_shift);
	image->blocks = (image->size + image->block_size - 1) >> image->block_shift;
	chunks = (image->blocks + image->chunk_ratio - 1) / image->chunk_ratio;
	/* Without a parent the last entry is the last payload block's. */
	image->entries = image->has_parent
				 ? chunks * (image->chunk_ratio + 1ull)
				 : image->blocks + (image->blocks - 1) / image->chunk_ratio;
}

int vhdx_metadata_read(struct vhdx_image *image, struct file *file, struct error *err)
{
	struct reader r = {.image = image, .file = file, .err = err};
	struct vhdx_file_parameters parameters;
	int ret = read_table(&r);

	if (ret == 0)
		ret = read_item(&r, FILE_PARAMETERS, &parameters);
	if (ret == 0)
		ret = read_item(&r, DISK_SIZE, &image->size);
	if (ret == 0)
		ret = read_item(&r, LOGICAL_SECTOR, &image->logical_sector);
	if (ret == 0)
		ret = read_item(&r, PHYSICAL_SECTOR, &image->physical_sector);
	if (ret == 0)
		ret = read_item(&r, DISK_ID, image->disk_id);
	if (ret)
		return ret;
	image->block_size = parameters.block_size;
	image->has_parent = parameters.flags & VHDX_PARAMETERS_HAS_PARENT;
	image->leave_allocated =
		!image->has_parent && parameters.flags & VHDX_PARAMETERS_LEAVE_ALLOCATED;
	ret = check_values(&r, &parameters);
	if (ret)
		return ret;
	image->size_offset = r.item[DISK_SIZE].offset;
	image->locator = r.item[LOCATOR];
	vhdx_geometry(image);
	if (image->entries * 8 > image->bat.len)
		return error_set(err, -EUCLEAN, "%s: the BAT is too short for the disk",
				 file->name);
	return 0;
}
