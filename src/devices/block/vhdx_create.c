// SPDX-License-Identifier: MIT
/*
 * A new image: header section, log, metadata, BAT, and for a fixed one its blocks, in this order.
 * The identifier is written last, when all else is durable: until then the file is not a VHDX.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_crc.h"
#include "devices/block/vhdx_locator.h"

#define LOG_OFFSET      MiB(1)
#define LOG_LENGTH      MiB(1)
#define METADATA_OFFSET MiB(2)
#define METADATA_LENGTH MiB(1)
#define BAT_OFFSET      MiB(3)
#define DEFAULT_BLOCK   MiB(32)
#define DEFAULT_CHILD   MiB(2)

static const char creator[] = "candela";

/* The options with their defaults, as an image. */
static int plan(struct vhdx_image *image, const struct vhdx_create_options *options,
		const char *name, struct error *err)
{
	bool child = options->type == VHDX_DIFFERENCING;
	uint64_t block = options->block_size ? options->block_size
			 : child             ? DEFAULT_CHILD
					     : DEFAULT_BLOCK;

	*image = (struct vhdx_image){.size = options->size};
	image->logical_sector = options->logical_sector ? options->logical_sector : 512;
	image->physical_sector = options->physical_sector ? options->physical_sector : 4096;
	if (block < VHDX_MIN_BLOCK || block > VHDX_MAX_BLOCK || block & (block - 1))
		return error_set(
			err, -EINVAL,
			"%s: blocks are a power of two from 1 MiB to 256 MiB, not %llu bytes", name,
			(unsigned long long)block);
	if ((image->logical_sector != 512 && image->logical_sector != 4096) ||
	    (image->physical_sector != 512 && image->physical_sector != 4096) ||
	    image->physical_sector < image->logical_sector)
		return error_set(err, -EINVAL,
				 "%s: sectors are 512 or 4096 bytes, and physical ones not smaller",
				 name);
	if (options->size == 0 || options->size > VHDX_MAX_SIZE ||
	    !is_aligned(options->size, image->logical_sector))
		return error_set(err, -EINVAL, "%s: the size must be whole sectors, at most 64 TiB",
				 name);
	if (child && (!options->parent_path || !options->parent_linkage))
		return error_set(err, -EINVAL, "%s: a differencing image needs a parent", name);
	image->block_size = (uint32_t)block;
	image->has_parent = child;
	image->leave_allocated = options->type == VHDX_FIXED;
	vhdx_geometry(image);
	image->log = (struct vhdx_extent){LOG_OFFSET, LOG_LENGTH};
	image->metadata = (struct vhdx_extent){METADATA_OFFSET, METADATA_LENGTH};
	image->bat = (struct vhdx_extent){BAT_OFFSET, align_up(image->entries * 8, VHDX_MIB)};
	return 0;
}

/* --- Metadata. ----------------------------------------------------------------------------- */

struct items {
	uint8_t *region; /* table and items; METADATA_LENGTH bytes */
	uint16_t count;
	uint32_t end;
};

static void add_item(struct items *items, struct vhdx_guid guid, uint32_t flags, const void *data,
		     uint32_t len)
{
	struct vhdx_metadata_entry entry = {
		.item = guid, .offset = items->end, .length = len, .flags = flags};

	memcpy(items->region + sizeof(struct vhdx_metadata_header) + items->count++ * sizeof(entry),
	       &entry, sizeof(entry));
	memcpy(items->region + items->end, data, len);
	items->end += len;
}

static int write_metadata(struct file *file, const struct vhdx_image *image,
			  const struct vhdx_create_options *options, struct error *err)
{
	const uint32_t disk = VHDX_METADATA_DISK | VHDX_METADATA_REQUIRED;
	struct items items = {.region = calloc(1, METADATA_LENGTH),
			      .end = VHDX_METADATA_TABLE_SIZE};
	struct vhdx_file_parameters parameters = {image->block_size, 0};
	struct vhdx_metadata_header header = {.signature = VHDX_METADATA_SIGNATURE};
	uint8_t locator[16384];
	struct vhdx_guid id;
	int ret = 0;

	if (!items.region)
		return error_errno(err, -ENOMEM, "%s", file->name);
	parameters.flags = image->has_parent        ? VHDX_PARAMETERS_HAS_PARENT
			   : image->leave_allocated ? VHDX_PARAMETERS_LEAVE_ALLOCATED
						    : 0;
	if (options->disk_id)
		memcpy(id.bytes, options->disk_id, sizeof(id.bytes));
	else
		vhdx_guid_make(&id);
	add_item(&items, (struct vhdx_guid)VHDX_ITEM_FILE_PARAMETERS, VHDX_METADATA_REQUIRED,
		 &parameters, sizeof(parameters));
	add_item(&items, (struct vhdx_guid)VHDX_ITEM_DISK_SIZE, disk, &image->size, 8);
	add_item(&items, (struct vhdx_guid)VHDX_ITEM_DISK_ID, disk, &id, sizeof(id));
	add_item(&items, (struct vhdx_guid)VHDX_ITEM_LOGICAL_SECTOR, disk, &image->logical_sector,
		 4);
	add_item(&items, (struct vhdx_guid)VHDX_ITEM_PHYSICAL_SECTOR, disk, &image->physical_sector,
		 4);
	if (image->has_parent) {
		ret = vhdx_locator_build(options->parent_path, options->parent_absolute,
					 options->parent_linkage, locator, sizeof(locator));
		if (ret > 0)
			add_item(&items, (struct vhdx_guid)VHDX_ITEM_PARENT_LOCATOR,
				 VHDX_METADATA_REQUIRED, locator, (uint32_t)ret);
	}
	header.entry_count = items.count;
	memcpy(items.region, &header, sizeof(header));
	if (ret >= 0)
		ret = file_pwrite(file, items.region, METADATA_LENGTH, image->metadata.offset);
	free(items.region);
	return ret ? error_errno(err, ret, "%s: the metadata", file->name) : 0;
}

/* --- The rest. ----------------------------------------------------------------------------- */

/* The BAT of a fixed image: one block behind the other. That of the others is zero already. */
static int write_bat(struct file *file, const struct vhdx_image *image, struct error *err)
{
	uint64_t first = (image->bat.offset + image->bat.len) / VHDX_MIB, block = 0, at = 0;
	uint64_t step = MiB(1) / 8;
	uint64_t *entries = malloc(MiB(1));
	int ret = entries ? 0 : -ENOMEM;

	for (; ret == 0 && at < image->entries; at += step) {
		memset(entries, 0, MiB(1));
		for (uint64_t i = 0; i < step && at + i < image->entries; i++) {
			if (vhdx_index_is_bitmap(image, at + i))
				continue;
			entries[i] = (first + block * (image->block_size / VHDX_MIB)) << 20 |
				     VHDX_BLOCK_FULLY_PRESENT;
			block++;
		}
		ret = file_pwrite(file, entries, MiB(1), image->bat.offset + at * 8);
	}
	free(entries);
	return ret ? error_errno(err, ret, "%s: the BAT", file->name) : 0;
}

static int write_regions(struct file *file, const struct vhdx_image *image, struct error *err)
{
	char *table = malloc(VHDX_REGION_TABLE_SIZE);
	int ret = table ? 0 : -ENOMEM;

	if (table) {
		vhdx_region_build(table, &image->bat, &image->metadata);
		ret = file_pwrite(file, table, VHDX_REGION_TABLE_SIZE, VHDX_REGION_TABLE1);
		if (ret == 0)
			ret = file_pwrite(file, table, VHDX_REGION_TABLE_SIZE, VHDX_REGION_TABLE2);
	}
	free(table);
	return ret ? error_errno(err, ret, "%s: the region table", file->name) : 0;
}

static int write_identifier(struct file *file, struct error *err)
{
	struct vhdx_file_identifier identifier = {.signature = VHDX_IDENTIFIER_SIGNATURE};
	int ret;

	for (size_t i = 0; i < sizeof(creator); i++)
		identifier.creator[i] = (uint8_t)creator[i];
	ret = file_pwrite(file, &identifier, sizeof(identifier), VHDX_IDENTIFIER_OFFSET);
	if (ret == 0)
		ret = file_sync(file);
	return ret ? error_errno(err, ret, "%s: the identifier", file->name) : 0;
}

static int write_all(struct file *file, struct vhdx_image *image,
		     const struct vhdx_create_options *options, struct error *err)
{
	uint64_t end = image->bat.offset + image->bat.len;
	int ret;

	if (image->leave_allocated)
		end += image->blocks * image->block_size;
	ret = file_truncate(file, end);
	if (ret)
		return error_errno(err, ret, "%s: cannot become %llu bytes long", file->name,
				   (unsigned long long)end);
	ret = write_regions(file, image, err);
	if (ret == 0)
		ret = write_metadata(file, image, options, err);
	if (ret == 0 && image->leave_allocated)
		ret = write_bat(file, image, err);
	if (ret)
		return ret;
	image->header = (struct vhdx_header){.signature = VHDX_HEADER_SIGNATURE,
					     .log_version = VHDX_LOG_VERSION,
					     .version = VHDX_VERSION,
					     .log_length = (uint32_t)image->log.len,
					     .log_offset = image->log.offset};
	vhdx_guid_make(&image->header.file_write_guid);
	vhdx_guid_make(&image->header.data_write_guid);
	image->header_slot = 1; /* the first goes to slot 0 */
	ret = vhdx_header_update(image, file, err);
	return ret ? ret : write_identifier(file, err);
}

int vhdx_create(struct file *file, const struct vhdx_create_options *options, struct error *err)
{
	struct vhdx_image image;
	uint64_t size;
	int ret = plan(&image, options, file->name, err);

	if (ret)
		return ret;
	ret = file_size(file, &size);
	if (ret)
		return error_errno(err, ret, "%s: no size", file->name);
	if (size)
		return error_set(err, -EEXIST, "%s: is not empty", file->name);
	return write_all(file, &image, options, err);
}
