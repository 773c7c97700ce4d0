// SPDX-License-Identifier: MIT
/*
 * New VHD images, and fixed ones made longer or shorter. No state; blocks.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "devices/block/vhd_image.h"

#define EPOCH              946684800 /* 2000-01-01 in Unix time */
#define HEADER_OFFSET      VHD_FOOTER_SIZE
#define TABLE_OFFSET       (HEADER_OFFSET + VHD_HEADER_SIZE)
#define BLOCK_SIZE_DEFAULT (uint32_t) MiB(2)
#define BLOCK_SIZE_MIN     KiB(512)
#define BLOCK_SIZE_MAX     MiB(256)

/* The format's own algorithm: as many sectors a track, and heads, as keep cylinders few. */
static void set_geometry(struct vhd_footer *footer, uint64_t sectors)
{
	uint64_t per_track, heads, cylinders_heads;

	sectors = min_of(sectors, VHD_GEOMETRY_MAX);
	if (sectors >= 65535ull * 16 * 63) {
		per_track = 255;
		heads = 16;
		cylinders_heads = sectors / per_track;
	} else {
		per_track = 17;
		cylinders_heads = sectors / per_track;
		heads = max_of((cylinders_heads + 1023) / 1024, (uint64_t)4);
		if (cylinders_heads >= heads * 1024 || heads > 16) {
			per_track = 31;
			heads = 16;
			cylinders_heads = sectors / per_track;
		}
		if (cylinders_heads >= heads * 1024) {
			per_track = 63;
			heads = 16;
			cylinders_heads = sectors / per_track;
		}
	}
	footer->cylinders = htobe16((uint16_t)(cylinders_heads / heads));
	footer->heads = (uint8_t)heads;
	footer->sectors_per_track = (uint8_t)per_track;
}

void vhd_set_size(struct vhd_footer *footer, uint64_t size)
{
	footer->current_size = htobe64(size);
	set_geometry(footer, size / VHD_SECTOR);
}

/*
 * "win " as the creator says that the size counts, not the geometry: QEMU and others take the size
 * from the geometry, which cannot express most sizes, unless they know the creator.
 */
static int make_footer(const struct vhd_create_options *options, struct vhd_footer *ret)
{
	struct vhd_footer footer = {
		.features = htobe32(VHD_FEATURES_RESERVED),
		.file_format_version = htobe32(VHD_VERSION),
		.data_offset =
			htobe64(options->type == VHD_FIXED ? VHD_DATA_OFFSET_NONE : HEADER_OFFSET),
		.time_stamp = htobe32((uint32_t)(time(NULL) - EPOCH)),
		.creator_version = htobe32(0x000a0000),
		.creator_host_os = htobe32(VHD_CREATOR_WINDOWS),
		.original_size = htobe64(options->size),
		.disk_type = htobe32(options->type == VHD_FIXED     ? VHD_DISK_FIXED
				     : options->type == VHD_DYNAMIC ? VHD_DISK_DYNAMIC
								    : VHD_DISK_DIFFERENCING),
	};

	memcpy(footer.cookie, VHD_FOOTER_COOKIE, sizeof(footer.cookie));
	memcpy(footer.creator_application, "win ", sizeof(footer.creator_application));
	vhd_set_size(&footer, options->size);
	if (options->id)
		memcpy(footer.unique_id, options->id, sizeof(footer.unique_id));
	else if (getrandom(footer.unique_id, sizeof(footer.unique_id), 0) !=
		 (ssize_t)sizeof(footer.unique_id))
		return -EIO;
	vhd_seal_footer(&footer);
	*ret = footer;
	return 0;
}

/* --- names of parents ----------------------------------------------------------------------- */

/* Writes @path, of this system, as Windows wants it; @prefix in front of it. */
static int put_locator(struct file *file, struct vhd_locator *locator, uint32_t code,
		       const char *prefix, const char *path, uint64_t *end)
{
	char text[VHD_PATH_MAX];
	uint16_t units[VHD_SECTOR];
	size_t count;

	if (snprintf(text, sizeof(text), "%s%s", prefix, path) >= (int)sizeof(text))
		return -ENAMETOOLONG;
	for (char *p = text; *p; p++)
		if (*p == '/')
			*p = '\\';
	count = vhd_to_utf16(text, units, ARRAY_SIZE(units));
	if (count == 0)
		return -EINVAL;
	for (size_t i = 0; i < count; i++)
		units[i] = htole16(units[i]);
	locator->platform_code = htobe32(code);
	/* In bytes, as Windows has it; the specification says sectors. */
	locator->data_space = htobe32((uint32_t)align_up(count * 2, VHD_SECTOR));
	locator->data_length = htobe32((uint32_t)(count * 2));
	locator->data_offset = htobe64(*end);
	*end += align_up(count * 2, VHD_SECTOR);
	return file_pwrite(file, units, count * 2, be64toh(locator->data_offset));
}

static int put_parent(struct file *file, const struct vhd_create_options *options,
		      struct vhd_header *header, uint64_t *end)
{
	const char *name = strrchr(options->parent_path, '/');
	uint16_t units[ARRAY_SIZE(header->parent_unicode_name)];
	bool relative = *options->parent_path != '/';
	size_t count;
	int r = 0;

	name = name ? name + 1 : options->parent_path;
	count = vhd_to_utf16(name, units, ARRAY_SIZE(units));
	if (count == 0)
		return -EINVAL;
	for (size_t i = 0; i < count; i++)
		units[i] = htobe16(units[i]);
	memcpy(header->parent_unicode_name, units, count * sizeof(units[0]));
	memcpy(header->parent_unique_id, options->parent_id, sizeof(header->parent_unique_id));
	header->parent_time_stamp = htobe32(options->parent_timestamp);
	if (relative)
		r = put_locator(file, &header->parent_locators[0], VHD_PLATFORM_W2RU, ".\\",
				options->parent_path, end);
	if (r == 0 && options->parent_absolute)
		r = put_locator(file, &header->parent_locators[1], VHD_PLATFORM_W2KU, "",
				options->parent_absolute, end);
	return r;
}

/* --- images --------------------------------------------------------------------------------- */

static int check_options(struct file *file, const struct vhd_create_options *options,
			 struct error *err)
{
	uint32_t block_size = options->block_size ? options->block_size : BLOCK_SIZE_DEFAULT;

	if (options->size == 0 || !is_aligned(options->size, VHD_SECTOR))
		return error_set(
			err, -EINVAL,
			"%s: the size of a VHD is a multiple of 512 bytes, and more than 0",
			file->name);
	if (options->size > VHD_MAX_SIZE)
		return error_set(err, -EINVAL,
				 "%s: a VHD can be as large as 2040G, and no larger; a VHDX can",
				 file->name);
	if (options->type == VHD_FIXED && options->block_size)
		return error_set(err, -EINVAL, "%s: a fixed VHD has no blocks", file->name);
	if (block_size < BLOCK_SIZE_MIN || block_size > BLOCK_SIZE_MAX ||
	    !is_aligned(block_size, block_size))
		return error_set(err, -EINVAL,
				 "%s: the block size of a VHD is a power of two from 512K to 256M",
				 file->name);
	if (options->type == VHD_DIFFERENCING && (!options->parent_path || !options->parent_id))
		return error_set(err, -EINVAL, "%s: a differencing VHD has a parent", file->name);
	return 0;
}

/* The table: no block is there. */
static int put_table(struct file *file, uint64_t len)
{
	size_t chunk = (size_t)min_of(len, MiB(1));
	char *ones = malloc(chunk);
	uint64_t done = 0;
	int r = ones ? 0 : -ENOMEM;

	if (ones)
		memset(ones, 0xff, chunk);
	while (r == 0 && done < len) {
		size_t n = (size_t)min_of(len - done, (uint64_t)chunk);

		r = file_pwrite(file, ones, n, TABLE_OFFSET + done);
		done += n;
	}
	free(ones);
	return r;
}

static int create_dynamic(struct file *file, const struct vhd_create_options *options,
			  const struct vhd_footer *footer)
{
	uint32_t block_size = options->block_size ? options->block_size : BLOCK_SIZE_DEFAULT;
	uint64_t blocks = (options->size + block_size - 1) / block_size;
	uint64_t table_len = align_up(blocks * sizeof(uint32_t), VHD_SECTOR);
	uint64_t end = TABLE_OFFSET + table_len;
	struct vhd_header header = {
		.data_offset = htobe64(VHD_DATA_OFFSET_NONE),
		.table_offset = htobe64(TABLE_OFFSET),
		.header_version = htobe32(VHD_VERSION),
		.max_table_entries = htobe32((uint32_t)blocks),
		.block_size = htobe32(block_size),
	};
	int r = 0;

	memcpy(header.cookie, VHD_HEADER_COOKIE, sizeof(header.cookie));
	r = put_table(file, table_len);
	if (r == 0 && options->type == VHD_DIFFERENCING)
		r = put_parent(file, options, &header, &end);
	vhd_seal_header(&header);
	if (r == 0)
		r = file_pwrite(file, &header, sizeof(header), HEADER_OFFSET);
	if (r == 0)
		r = file_pwrite(file, footer, sizeof(*footer), 0);
	if (r == 0)
		r = file_pwrite(file, footer, sizeof(*footer), end);
	return r;
}

int vhd_create(struct file *file, const struct vhd_create_options *options, struct error *err)
{
	struct vhd_footer footer;
	int r;

	r = check_options(file, options, err);
	if (r)
		return r;
	r = make_footer(options, &footer);
	if (r == 0 && options->type == VHD_FIXED)
		r = file_pwrite(file, &footer, sizeof(footer), options->size);
	else if (r == 0)
		r = create_dynamic(file, options, &footer);
	if (r == 0)
		r = file_sync(file);
	return r ? error_errno(err, r, "%s: cannot write it", file->name) : 0;
}

/*
 * The new footer is there before the old one goes: whenever we die, one of them is where it is
 * looked for.
 */
static int move_footer(struct file *file, const struct vhd_layout *layout, uint64_t new_size)
{
	static const char zeroes[VHD_FOOTER_SIZE];
	struct vhd_footer footer = layout->footer;
	uint64_t old_size = layout->file_size - VHD_FOOTER_SIZE;
	int r;

	vhd_set_size(&footer, new_size);
	vhd_seal_footer(&footer);
	r = file_pwrite(file, &footer, sizeof(footer), new_size);
	if (r == 0)
		r = file_sync(file);
	if (r == 0 && new_size > old_size)
		r = file_pwrite(file, zeroes,
				(size_t)min_of((uint64_t)sizeof(zeroes), new_size - old_size),
				old_size);
	else if (r == 0)
		r = file_truncate(file, new_size + VHD_FOOTER_SIZE);
	return r ? r : file_sync(file);
}

int vhd_resize(struct file *file, uint64_t new_size, struct error *err)
{
	struct vhd_layout layout;
	int r;

	r = vhd_read_layout(file, err, &layout);
	if (r)
		return r;
	if (layout.type != VHD_FIXED)
		return error_set(err, -ENOTSUP,
				 "%s: only a fixed VHD can be resized; convert it to VHDX",
				 file->name);
	if (new_size == 0 || !is_aligned(new_size, VHD_SECTOR) || new_size > VHD_MAX_SIZE)
		return error_set(
			err, -EINVAL,
			"%s: the size of a VHD is a multiple of 512 bytes, and at most 2040G",
			file->name);
	if (new_size == layout.size)
		return 0;
	r = move_footer(file, &layout, new_size);
	return r ? error_errno(err, r, "%s: cannot resize it", file->name) : 0;
}
