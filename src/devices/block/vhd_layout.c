// SPDX-License-Identifier: MIT
/*
 * What is in a VHD file, read and checked. No state; any thread.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include "devices/block/vhd_image.h"

#define OPEN_MAX_SIZE  (64ull << 40)
#define BLOCK_SIZE_MAX MiB(256)

uint32_t vhd_checksum(const void *data, size_t len, size_t field)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		if (i < field || i >= field + 4)
			sum += bytes[i];
	return ~sum;
}

void vhd_seal_footer(struct vhd_footer *footer)
{
	footer->checksum = htobe32(
		vhd_checksum(footer, sizeof(*footer), offsetof(struct vhd_footer, checksum)));
}

void vhd_seal_header(struct vhd_header *header)
{
	header->checksum = htobe32(
		vhd_checksum(header, sizeof(*header), offsetof(struct vhd_header, checksum)));
}

static int read_footer_at(struct file *file, uint64_t offset, struct vhd_footer *ret)
{
	int r;

	r = file_pread(file, ret, sizeof(*ret), offset);
	if (r)
		return r;
	if (memcmp(ret->cookie, VHD_FOOTER_COOKIE, sizeof(ret->cookie)) != 0)
		return -EINVAL;
	if (be32toh(ret->checksum) !=
	    vhd_checksum(ret, sizeof(*ret), offsetof(struct vhd_footer, checksum)))
		return -EUCLEAN;
	return 0;
}

bool vhd_probe(struct file *file)
{
	char cookie[8];
	uint64_t size;

	if (file_size(file, &size) || size < VHD_FOOTER_SIZE)
		return false;
	if (file_pread(file, cookie, sizeof(cookie), size - VHD_FOOTER_SIZE) == 0 &&
	    memcmp(cookie, VHD_FOOTER_COOKIE, sizeof(cookie)) == 0)
		return true;
	return file_pread(file, cookie, sizeof(cookie), 0) == 0 &&
	       memcmp(cookie, VHD_FOOTER_COOKIE, sizeof(cookie)) == 0;
}

/* The footer at the end, or its copy at the beginning, which all but fixed images have. */
static int read_footer(struct file *file, struct error *err, struct vhd_layout *layout)
{
	struct vhd_footer copy;
	int end = -EINVAL, begin;

	if (layout->file_size < VHD_FOOTER_SIZE)
		return error_set(err, -EINVAL, "%s: not a VHD image: too short", file->name);
	end = read_footer_at(file, layout->file_size - VHD_FOOTER_SIZE, &layout->footer);
	if (end && end != -EINVAL && end != -EUCLEAN)
		return error_errno(err, end, "%s: cannot read it", file->name);
	begin = read_footer_at(file, 0, &copy);
	if (begin == 0 && be32toh(copy.disk_type) == VHD_DISK_FIXED)
		begin = -EINVAL;
	if (end && begin == 0)
		layout->footer = copy;
	else if (end && (end == -EUCLEAN || begin == -EUCLEAN))
		return error_set(err, -EUCLEAN, "%s: damaged: the checksum of the footer is wrong",
				 file->name);
	else if (end)
		return error_set(err, -EINVAL, "%s: not a VHD image", file->name);
	layout->dirty = end || begin || memcmp(&copy, &layout->footer, sizeof(copy)) != 0;
	return 0;
}

static int check_footer(struct file *file, struct error *err, struct vhd_layout *layout)
{
	const struct vhd_footer *footer = &layout->footer;
	uint32_t type = be32toh(footer->disk_type), version = be32toh(footer->file_format_version);

	if (version >> 16 != VHD_VERSION >> 16)
		return error_set(err, -ENOTSUP, "%s: version %u.%u of the VHD format is not known",
				 file->name, version >> 16, version & 0xffff);
	if (type != VHD_DISK_FIXED && type != VHD_DISK_DYNAMIC && type != VHD_DISK_DIFFERENCING)
		return error_set(err, -ENOTSUP, "%s: a VHD of type %u is not known", file->name,
				 type);
	layout->type = type == VHD_DISK_FIXED     ? VHD_FIXED
		       : type == VHD_DISK_DYNAMIC ? VHD_DYNAMIC
						  : VHD_DIFFERENCING;
	layout->size = align_down(be64toh(footer->current_size), VHD_SECTOR);
	if (layout->size == 0 || layout->size > OPEN_MAX_SIZE)
		return error_set(err, -EUCLEAN, "%s: damaged: a disk of %llu bytes", file->name,
				 (unsigned long long)layout->size);
	if (layout->type != VHD_FIXED)
		return 0;
	layout->dirty = false;
	if (layout->size > layout->file_size - VHD_FOOTER_SIZE)
		return error_set(err, -EUCLEAN,
				 "%s: damaged: the file is shorter than the disk in it",
				 file->name);
	return 0;
}

static int read_header(struct file *file, struct error *err, struct vhd_layout *layout)
{
	struct vhd_header *header = &layout->header;
	uint64_t offset = be64toh(layout->footer.data_offset);
	int r;

	if (offset < VHD_FOOTER_SIZE || !is_aligned(offset, VHD_SECTOR) ||
	    !range_within(offset, sizeof(*header), layout->file_size))
		return error_set(err, -EUCLEAN, "%s: damaged: its header is outside the file",
				 file->name);
	r = file_pread(file, header, sizeof(*header), offset);
	if (r)
		return error_errno(err, r, "%s: cannot read it", file->name);
	if (memcmp(header->cookie, VHD_HEADER_COOKIE, sizeof(header->cookie)) != 0)
		return error_set(err, -EUCLEAN, "%s: damaged: it has no header", file->name);
	if (be32toh(header->checksum) !=
	    vhd_checksum(header, sizeof(*header), offsetof(struct vhd_header, checksum)))
		return error_set(err, -EUCLEAN, "%s: damaged: the checksum of the header is wrong",
				 file->name);
	if (be32toh(header->header_version) >> 16 != VHD_VERSION >> 16)
		return error_set(err, -ENOTSUP, "%s: its header has a version that is not known",
				 file->name);
	return 0;
}

static int check_header(struct file *file, struct error *err, struct vhd_layout *layout)
{
	const struct vhd_header *header = &layout->header;
	uint32_t block_size = be32toh(header->block_size);
	uint64_t entries = be32toh(header->max_table_entries), table_len;

	if (block_size < VHD_SECTOR || block_size > BLOCK_SIZE_MAX ||
	    !is_aligned(block_size, block_size))
		return error_set(err, -EUCLEAN, "%s: damaged: blocks of %u bytes", file->name,
				 block_size);
	layout->block_size = block_size;
	layout->bitmap_size = (uint32_t)align_up((block_size / VHD_SECTOR + 7) / 8, VHD_SECTOR);
	layout->blocks = (layout->size + block_size - 1) / block_size;
	layout->table_offset = be64toh(header->table_offset);
	table_len = layout->blocks * sizeof(uint32_t);
	if (entries < layout->blocks)
		return error_set(err, -EUCLEAN,
				 "%s: damaged: its table has %llu entries, and the disk %llu "
				 "blocks",
				 file->name, (unsigned long long)entries,
				 (unsigned long long)layout->blocks);
	if (table_len > VHD_MAX_TABLE)
		return error_set(err, -ENOTSUP, "%s: %llu blocks are too many", file->name,
				 (unsigned long long)layout->blocks);
	if (layout->table_offset < VHD_FOOTER_SIZE ||
	    !is_aligned(layout->table_offset, VHD_SECTOR) ||
	    !range_within(layout->table_offset, table_len, layout->file_size))
		return error_set(err, -EUCLEAN, "%s: damaged: its table is outside the file",
				 file->name);
	return 0;
}

int vhd_read_layout(struct file *file, struct error *err, struct vhd_layout *ret)
{
	struct vhd_layout layout = {0};
	int r;

	r = file_size(file, &layout.file_size);
	if (r)
		return error_errno(err, r, "%s: cannot find out its size", file->name);
	r = read_footer(file, err, &layout);
	if (r == 0)
		r = check_footer(file, err, &layout);
	if (r == 0 && layout.type != VHD_FIXED)
		r = read_header(file, err, &layout);
	if (r == 0 && layout.type != VHD_FIXED)
		r = check_header(file, err, &layout);
	if (r == 0)
		*ret = layout;
	return r;
}

/* Where the last of what is not a block ends: header, table, names of parents. */
static uint64_t end_of_metadata(const struct vhd_layout *layout)
{
	uint64_t end = be64toh(layout->footer.data_offset) + VHD_HEADER_SIZE;
	uint64_t table =
		align_up(layout->table_offset + layout->blocks * sizeof(uint32_t), VHD_SECTOR);

	end = max_of(end, table);
	for (unsigned int i = 0; i < VHD_LOCATORS; i++) {
		const struct vhd_locator *locator = &layout->header.parent_locators[i];
		uint64_t offset = be64toh(locator->data_offset);
		uint32_t len = be32toh(locator->data_length);

		if (locator->platform_code && range_within(offset, len, layout->file_size))
			end = max_of(end, align_up(offset + len, VHD_SECTOR));
	}
	return end;
}

/* A block must not be where the header or the table is: writing to it would change them. */
static bool is_good_block(const struct vhd_layout *layout, uint64_t offset)
{
	uint64_t unit = vhd_unit(layout), header = be64toh(layout->footer.data_offset);
	uint64_t table_end = layout->table_offset + layout->blocks * sizeof(uint32_t);

	return offset >= VHD_FOOTER_SIZE && offset < layout->file_size &&
	       (offset >= header + VHD_HEADER_SIZE || offset + unit <= header) &&
	       (offset >= table_end || offset + unit <= layout->table_offset);
}

int vhd_read_table(struct file *file, const struct vhd_layout *layout, struct error *err,
		   uint32_t **ret, uint64_t *ret_end)
{
	uint32_t *table = calloc(layout->blocks, sizeof(*table));
	uint64_t end = end_of_metadata(layout), i;
	int r;

	if (!table)
		return error_set(err, -ENOMEM, "out of memory");
	r = file_pread(file, table, layout->blocks * sizeof(*table), layout->table_offset);
	if (r) {
		free(table);
		return error_errno(err, r, "%s: cannot read it", file->name);
	}
	for (i = 0; i < layout->blocks; i++) {
		uint64_t offset;

		table[i] = be32toh(table[i]);
		if (table[i] == VHD_BLOCK_UNUSED)
			continue;
		offset = (uint64_t)table[i] * VHD_SECTOR;
		if (!is_good_block(layout, offset)) {
			free(table);
			return error_set(err, -EUCLEAN,
					 "%s: damaged: block %llu is at byte %llu, where no block "
					 "can be",
					 file->name, (unsigned long long)i,
					 (unsigned long long)offset);
		}
		end = max_of(end, offset + vhd_unit(layout));
	}
	*ret = table;
	*ret_end = end;
	return 0;
}
