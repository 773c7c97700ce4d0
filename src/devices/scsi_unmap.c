// SPDX-License-Identifier: MIT
/*
 * Space that the guest does not need: UNMAP and GET LBA STATUS (SBC-3 5.28, 5.6). No state but the
 * command's.
 */
#include "devices/scsi_internal.h"

#define UNMAP_HEADER     8u
#define UNMAP_DESCRIPTOR 16u
#define STATUS_HEADER    8u
#define STATUS_SIZE      16u
#define STATUS_MAX       32u   /* descriptors in an answer */
#define STATUS_LOOKS     1024u /* at the disk's map for one */

/* Each descriptor is read once, when its turn comes. */
static bool unmap_step(struct scsi_request *req, int result)
{
	struct scsi_device *device = req->device;
	struct block_request *block = &req->block;
	uint8_t descriptor[UNMAP_DESCRIPTOR];
	uint64_t lba, count;

	if (result) {
		scsi_finish_result(req, result);
		return false;
	}
	do {
		if (req->index == req->count) {
			req->transferred = req->len;
			scsi_good(req);
			return false;
		}
		if (!scsi_parameters(req, UNMAP_HEADER + req->index++ * UNMAP_DESCRIPTOR,
				     descriptor, sizeof(descriptor)))
			return false;
		lba = be64_at(descriptor);
		count = be32_at(descriptor + 8);
		if (!range_within(lba, count, scsi_blocks(device))) {
			scsi_check(req, SCSI_ILLEGAL_REQUEST, SCSI_ASC_LBA_OUT_OF_RANGE);
			return false;
		}
	} while (!count);
	block->op = BLOCK_UNMAP;
	block->offset = lba << device->shift;
	block->len = count << device->shift;
	scsi_issue(req);
	return true;
}

void scsi_unmap(struct scsi_device *device, struct scsi_request *req)
{
	uint32_t len = be16_at(req->cdb + 7);
	uint8_t header[UNMAP_HEADER];

	if (!device->block->info.unmap) {
		scsi_check(req, SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_OPERATION_CODE);
		return;
	}
	if (scsi_protected(device, req))
		return;
	if (req->cdb[1] & 1) {
		scsi_invalid_byte(req, true, 1);
		return;
	}
	if (!len) {
		scsi_good(req);
		return;
	}
	if (len < UNMAP_HEADER || len > req->len) {
		scsi_check(req, SCSI_ILLEGAL_REQUEST, SCSI_ASC_PARAMETER_LIST_LENGTH_ERROR);
		return;
	}
	if (!scsi_parameters(req, 0, header, sizeof(header)))
		return;
	req->index = 0;
	req->count = min_of((uint32_t)be16_at(header + 2), len - UNMAP_HEADER) / UNMAP_DESCRIPTOR;
	if (req->count > SCSI_UNMAP_MAX) {
		scsi_invalid_byte(req, false, 2);
		return;
	}
	scsi_steps(req, unmap_step);
}

/* --- GET LBA STATUS. ------------------------------------------------------------------------- */

/* What is alike from @lba on; at most what a descriptor can say. */
static uint32_t extent(struct scsi_device *device, uint64_t lba, enum block_map *ret_map,
		       unsigned int *looks)
{
	uint64_t offset = lba << device->shift, end = offset, len;
	uint64_t limit = min_of(device->size - offset, (uint64_t)UINT32_MAX << device->shift);

	*ret_map = block_map(device->block, offset, &len);
	for (;;) {
		end += len;
		if (end - offset >= limit)
			return (uint32_t)(limit >> device->shift);
		if (!(*looks)-- || block_map(device->block, end, &len) != *ret_map)
			break;
	}
	return (uint32_t)((end - offset) >> device->shift);
}

void scsi_get_lba_status(struct scsi_device *device, struct scsi_request *req)
{
	uint8_t data[STATUS_HEADER + STATUS_MAX * STATUS_SIZE] = {0};
	uint32_t allocation = be32_at(req->cdb + 10);
	uint64_t lba = be64_at(req->cdb + 2);
	size_t room = min_of((size_t)allocation, sizeof(data)), len = STATUS_HEADER;
	unsigned int looks = STATUS_LOOKS;

	if (lba >= scsi_blocks(device)) {
		scsi_check(req, SCSI_ILLEGAL_REQUEST, SCSI_ASC_LBA_OUT_OF_RANGE);
		return;
	}
	while (lba < scsi_blocks(device) && looks && len + STATUS_SIZE <= room) {
		enum block_map map;
		uint32_t count = extent(device, lba, &map, &looks);

		/* A map that does not go by blocks: not worth telling. */
		if (!count)
			break;
		put_be64(data + len, lba);
		put_be32(data + len + 8, count);
		data[len + 12] = map == BLOCK_MAPPED ? 0 : 1;
		lba += count;
		len += STATUS_SIZE;
	}
	put_be32(data, (uint32_t)(len - 4));
	scsi_reply(req, data, len, allocation);
}
