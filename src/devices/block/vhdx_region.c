// SPDX-License-Identifier: MIT
/*
 * The region table, MS-VHDX 2.2.3: where the BAT and the metadata are. There are two copies; the
 * first that is valid counts. Every region is in whole MiB, outside the header section, inside the
 * file, and overlaps no other and not the log.
 */
#include "devices/block/vhdx_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_crc.h"

static const struct vhdx_guid bat_guid = VHDX_REGION_BAT;
static const struct vhdx_guid metadata_guid = VHDX_REGION_METADATA;

static bool table_is_valid(const void *table)
{
	const struct vhdx_region_header *header = table;

	return header->signature == VHDX_REGION_SIGNATURE &&
	       header->entry_count <= VHDX_REGION_MAX_ENTRIES &&
	       header->checksum == vhdx_crc_without(table, VHDX_REGION_TABLE_SIZE,
						    offsetof(struct vhdx_region_header, checksum));
}

static bool overlaps(const struct vhdx_extent *a, uint64_t offset, uint64_t len)
{
	return a->len && a->offset < offset + len && offset < a->offset + a->len;
}

static int take_entry(struct vhdx_image *image, const struct vhdx_region_entry *entry,
		      const char *name, struct error *err)
{
	struct vhdx_extent *where;
	uint64_t limit;

	if (entry->length == 0 || !is_aligned(entry->length, VHDX_MIB) ||
	    !is_aligned(entry->file_offset, VHDX_MIB) ||
	    entry->file_offset < VHDX_HEADER_SECTION_SIZE ||
	    !range_within(entry->file_offset, entry->length, image->file_size))
		return error_set(err, -EUCLEAN, "%s: a region at 0x%llx of 0x%x bytes cannot be",
				 name, (unsigned long long)entry->file_offset, entry->length);
	if (overlaps(&image->log, entry->file_offset, entry->length) ||
	    overlaps(&image->bat, entry->file_offset, entry->length) ||
	    overlaps(&image->metadata, entry->file_offset, entry->length))
		return error_set(err, -EUCLEAN, "%s: regions overlap", name);
	for (unsigned int i = 0; i < image->other_count; i++)
		if (overlaps(&image->other[i], entry->file_offset, entry->length))
			return error_set(err, -EUCLEAN, "%s: regions overlap", name);
	if (vhdx_guid_equal(&entry->guid, &bat_guid)) {
		where = &image->bat;
		limit = VHDX_MAX_BAT;
	} else if (vhdx_guid_equal(&entry->guid, &metadata_guid)) {
		where = &image->metadata;
		limit = VHDX_MAX_METADATA;
	} else if (entry->flags & VHDX_REGION_REQUIRED) {
		return error_set(err, -ENOTSUP, "%s: has a region that is required and not known",
				 name);
	} else {
		if (image->other_count == VHDX_OTHER_REGIONS)
			return error_set(err, -ENOTSUP, "%s: has more than %u unknown regions",
					 name, VHDX_OTHER_REGIONS);
		where = &image->other[image->other_count++];
		limit = UINT32_MAX;
	}
	if (where->len || entry->length > limit)
		return error_set(err, -EUCLEAN, "%s: a region is there twice or too long", name);
	*where = (struct vhdx_extent){entry->file_offset, entry->length};
	return 0;
}

static int take_table(struct vhdx_image *image, const void *table, const char *name,
		      struct error *err)
{
	const struct vhdx_region_header *header = table;
	const struct vhdx_region_entry *entries = (const void *)(header + 1);

	if (header->reserved)
		return error_set(err, -EUCLEAN, "%s: the region table has reserved bits set", name);
	for (uint32_t i = 0; i < header->entry_count; i++) {
		int ret;

		if (entries[i].flags & ~VHDX_REGION_REQUIRED)
			return error_set(err, -EUCLEAN, "%s: a region has reserved bits set", name);
		ret = take_entry(image, &entries[i], name, err);
		if (ret)
			return ret;
	}
	if (!image->bat.len || !image->metadata.len)
		return error_set(err, -EUCLEAN, "%s: it has no %s region", name,
				 image->bat.len ? "metadata" : "BAT");
	return 0;
}

int vhdx_region_read(struct vhdx_image *image, struct file *file, struct error *err)
{
	static const uint64_t offsets[2] = {VHDX_REGION_TABLE1, VHDX_REGION_TABLE2};
	char *tables = malloc(2ul * VHDX_REGION_TABLE_SIZE);
	int ret = 0;

	if (!tables)
		return error_errno(err, -ENOMEM, "%s", file->name);
	image->bat = image->metadata = (struct vhdx_extent){0};
	image->other_count = 0;
	if (!range_within(image->log.offset, image->log.len, image->file_size)) {
		ret = error_set(err, -EUCLEAN, "%s: the log is beyond the end of the file",
				file->name);
		goto out;
	}
	for (int i = 0; ret == 0 && i < 2; i++) {
		char *table = tables + (size_t)i * VHDX_REGION_TABLE_SIZE;

		ret = file_pread(file, table, VHDX_REGION_TABLE_SIZE, offsets[i]);
		image->region_valid[i] = ret == 0 && table_is_valid(table);
	}
	if (ret)
		error_errno(err, ret, "%s: cannot be read", file->name);
	else if (!image->region_valid[0] && !image->region_valid[1])
		ret = error_set(err, -EUCLEAN, "%s: both region tables are damaged", file->name);
	else
		ret = take_table(image,
				 tables + (image->region_valid[0] ? 0 : VHDX_REGION_TABLE_SIZE),
				 file->name, err);
out:
	free(tables);
	return ret;
}

void vhdx_region_build(void *table, const struct vhdx_extent *bat,
		       const struct vhdx_extent *metadata)
{
	struct vhdx_region_header *header = table;
	struct vhdx_region_entry *entries = (void *)(header + 1);

	memset(table, 0, VHDX_REGION_TABLE_SIZE);
	header->signature = VHDX_REGION_SIGNATURE;
	header->entry_count = 2;
	entries[0] = (struct vhdx_region_entry){bat_guid, bat->offset, (uint32_t)bat->len,
						VHDX_REGION_REQUIRED};
	entries[1] = (struct vhdx_region_entry){metadata_guid, metadata->offset,
						(uint32_t)metadata->len, VHDX_REGION_REQUIRED};
	header->checksum = vhdx_crc_without(table, VHDX_REGION_TABLE_SIZE,
					    offsetof(struct vhdx_region_header, checksum));
}
