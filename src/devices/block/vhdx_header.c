// SPDX-License-Identifier: MIT
/*
 * The file type identifier and the two headers, MS-VHDX 2.2.1 and 2.2.2. The valid header with the
 * greater sequence number is the current one; the other one is where the next version goes.
 */
#include "devices/block/vhdx_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "devices/block/vhdx_crc.h"

void vhdx_guid_make(struct vhdx_guid *guid)
{
	/* Never fails once the system has started, for as few bytes as these. */
	while (getrandom(guid->bytes, sizeof(guid->bytes), 0) != (ssize_t)sizeof(guid->bytes))
		;
	guid->bytes[7] = (guid->bytes[7] & 0x0f) | 0x40;
	guid->bytes[8] = (guid->bytes[8] & 0x3f) | 0x80;
}

uint64_t vhdx_header_offset(unsigned int slot)
{
	return slot ? VHDX_HEADER2_OFFSET : VHDX_HEADER1_OFFSET;
}

void vhdx_header_seal(struct vhdx_header *page)
{
	page->checksum =
		vhdx_crc_without(page, sizeof(*page), offsetof(struct vhdx_header, checksum));
}

bool vhdx_probe(struct file *file)
{
	uint64_t signature;

	return file_pread(file, &signature, sizeof(signature), 0) == 0 &&
	       signature == VHDX_IDENTIFIER_SIGNATURE;
}

static bool header_is_valid(const struct vhdx_header *header)
{
	return header->signature == VHDX_HEADER_SIGNATURE &&
	       header->checksum == vhdx_crc_without(header, sizeof(*header),
						    offsetof(struct vhdx_header, checksum));
}

static int check_header(struct vhdx_image *image, const char *name, struct error *err)
{
	const struct vhdx_header *header = &image->header;

	if (header->version != VHDX_VERSION)
		return error_set(err, -ENOTSUP, "%s: VHDX version %u is not known (1 is)", name,
				 header->version);
	if (header->log_version != VHDX_LOG_VERSION)
		return error_set(err, -ENOTSUP, "%s: VHDX log version %u is not known (0 is)", name,
				 header->log_version);
	if (header->sequence_number > UINT64_MAX - 1024)
		return error_set(err, -EUCLEAN, "%s: the header's sequence number is used up",
				 name);
	image->log = (struct vhdx_extent){header->log_offset, header->log_length};
	if (header->log_length == 0 || header->log_length > VHDX_MAX_LOG ||
	    !is_aligned(header->log_length, VHDX_MIB) ||
	    !is_aligned(header->log_offset, VHDX_MIB) ||
	    header->log_offset < VHDX_HEADER_SECTION_SIZE ||
	    !range_within(header->log_offset, header->log_length, VHDX_MAX_FILE))
		return error_set(err, -EUCLEAN, "%s: the log at 0x%llx of 0x%x bytes cannot be",
				 name, (unsigned long long)header->log_offset, header->log_length);
	return 0;
}

int vhdx_image_read_header(struct vhdx_image *image, struct file *file, struct error *err)
{
	struct vhdx_header *both = malloc(2 * sizeof(*both));
	int ret;

	*image = (struct vhdx_image){0};
	if (!both)
		return error_errno(err, -ENOMEM, "%s", file->name);
	ret = file_size(file, &image->file_size);
	if (ret == 0 && (image->file_size < VHDX_HEADER_SECTION_SIZE || !vhdx_probe(file))) {
		ret = error_set(err, -EINVAL, "%s: not a VHDX image", file->name);
		goto out;
	}
	for (unsigned int slot = 0; ret == 0 && slot < 2; slot++) {
		ret = file_pread(file, &both[slot], sizeof(*both), vhdx_header_offset(slot));
		image->header_valid[slot] = ret == 0 && header_is_valid(&both[slot]);
	}
	if (ret) {
		error_errno(err, ret, "%s: cannot be read", file->name);
		goto out;
	}
	if (!image->header_valid[0] && !image->header_valid[1]) {
		ret = error_set(err, -EUCLEAN, "%s: both VHDX headers are damaged", file->name);
		goto out;
	}
	image->header_slot =
		!image->header_valid[0] ||
		(image->header_valid[1] && both[1].sequence_number > both[0].sequence_number);
	image->header = both[image->header_slot];
	ret = check_header(image, file->name, err);
out:
	free(both);
	return ret;
}

int vhdx_header_update(struct vhdx_image *image, struct file *file, struct error *err)
{
	for (unsigned int i = 0; i < 2; i++) {
		int ret;

		image->header.sequence_number++;
		image->header_slot = !image->header_slot;
		vhdx_header_seal(&image->header);
		ret = file_pwrite(file, &image->header, sizeof(image->header),
				  vhdx_header_offset(image->header_slot));
		if (ret == 0)
			ret = file_sync(file);
		if (ret)
			return error_errno(err, ret, "%s: its header cannot be written",
					   file->name);
	}
	return 0;
}

int vhdx_image_read_rest(struct vhdx_image *image, struct file *file, struct error *err)
{
	int ret = file_size(file, &image->file_size);

	if (ret)
		return error_errno(err, ret, "%s: no size", file->name);
	ret = vhdx_region_read(image, file, err);
	if (ret == 0)
		ret = vhdx_metadata_read(image, file, err);
	return ret;
}
