// SPDX-License-Identifier: MIT
/*
 * What a VHDX says about itself: headers, regions and metadata, checked, and where in the file each
 * thing is. Read once; shared by the disk, the checker and the offline tools. Plain calls only.
 */
#pragma once

#include "devices/block/vhdx.h"
#include "devices/block/vhdx_proto.h"

struct vhdx_extent {
	uint64_t offset, len; /* in the file */
};

#define VHDX_MAX_LOG       MiB(1024) /* bytes of log, bat and metadata region that are believed */
#define VHDX_MAX_BAT       MiB(513)
#define VHDX_MAX_METADATA  MiB(128)
#define VHDX_MAX_FILE      (1ull << 49) /* 512 TiB: what a BAT entry in memory can point to */
#define VHDX_OTHER_REGIONS 16u          /* not required and not known */

struct vhdx_image {
	struct vhdx_header header; /* the current one */
	unsigned int header_slot;  /* 0 or 1: where it is */
	bool header_valid[2];
	bool region_valid[2];
	uint64_t file_size;

	struct vhdx_extent log, bat, metadata;
	struct vhdx_extent other[VHDX_OTHER_REGIONS];
	unsigned int other_count;

	/* Metadata. */
	uint64_t size;
	uint32_t block_size, block_shift;
	uint32_t logical_sector, physical_sector;
	bool has_parent, leave_allocated;
	uint8_t disk_id[16];
	uint64_t size_offset; /* in the file, of the virtual disk size */
	struct vhdx_extent locator;

	/* What follows from it. */
	uint64_t blocks;      /* payload blocks */
	uint32_t chunk_ratio; /* payload blocks to a sector bitmap block */
	uint64_t entries;     /* in the BAT */
};

static inline bool vhdx_guid_is_zero(const struct vhdx_guid *guid)
{
	static const struct vhdx_guid zero;

	return __builtin_memcmp(guid, &zero, sizeof(zero)) == 0;
}

static inline bool vhdx_guid_equal(const struct vhdx_guid *a, const struct vhdx_guid *b)
{
	return __builtin_memcmp(a, b, sizeof(*a)) == 0;
}

/* A random GUID, version 4. */
void vhdx_guid_make(struct vhdx_guid *guid);

/*
 * Fills header, header_slot, header_valid, log and file_size. Before a replay this is all there
 * is.
 */
int vhdx_image_read_header(struct vhdx_image *image, struct file *file,
			   struct error *err) must_check;
/* Fills the rest. The log must have been replayed. */
int vhdx_image_read_rest(struct vhdx_image *image, struct file *file, struct error *err) must_check;

/* vhdx_header.c: @page as it belongs in the file, with its checksum. */
void vhdx_header_seal(struct vhdx_header *page);
uint64_t vhdx_header_offset(unsigned int slot);
/*
 * Writes image->header to the file, to both places, each made durable before the next, its sequence
 * number increased each time. Blocks.
 */
int vhdx_header_update(struct vhdx_image *image, struct file *file, struct error *err) must_check;

/* vhdx_region.c: image->bat, metadata, other. */
int vhdx_region_read(struct vhdx_image *image, struct file *file, struct error *err) must_check;
/* A region table of @bat and @metadata in @table (VHDX_REGION_TABLE_SIZE bytes). */
void vhdx_region_build(void *table, const struct vhdx_extent *bat,
		       const struct vhdx_extent *metadata);

/* vhdx_metadata.c: everything under "Metadata". */
int vhdx_metadata_read(struct vhdx_image *image, struct file *file, struct error *err) must_check;
/* Computes what follows from size, block_size, logical_sector and has_parent. */
void vhdx_geometry(struct vhdx_image *image);

/* Where in the BAT the entry of a payload block, and that of a chunk's sector bitmap, is. */
static inline uint64_t vhdx_bat_index(const struct vhdx_image *image, uint64_t block)
{
	return block + block / image->chunk_ratio;
}

static inline uint64_t vhdx_bitmap_index(const struct vhdx_image *image, uint64_t chunk)
{
	return chunk * (image->chunk_ratio + 1ull) + image->chunk_ratio;
}

/* The entry of a payload block behind the end of the disk: a child's last chunk has such. */
static inline bool vhdx_index_is_beyond(const struct vhdx_image *image, uint64_t index)
{
	return index % (image->chunk_ratio + 1ull) != image->chunk_ratio &&
	       index - index / (image->chunk_ratio + 1ull) >= image->blocks;
}

static inline bool vhdx_index_is_bitmap(const struct vhdx_image *image, uint64_t index)
{
	return index % (image->chunk_ratio + 1ull) == image->chunk_ratio;
}
