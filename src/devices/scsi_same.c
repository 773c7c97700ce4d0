// SPDX-License-Identifier: MIT
/*
 * WRITE SAME (SBC-3 5.50): zeroes are handed to the disk as such, at once; any other block is
 * repeated in the unit's buffer and written from there. State is the unit's.
 */
#include "devices/scsi_internal.h"

#define NDOB    0x01u /* no data: zeroes */
#define UNMAP   0x08u
#define REFUSED 0xf6u /* protection, anchors, and what is obsolete */

static void zeroes(struct scsi_request *req)
{
	struct block_request *block = &req->block;

	block->op = BLOCK_WRITE_ZEROES;
	block->unmap = req->cdb[1] & UNMAP;
	block->fua = !req->device->write_cache;
	block->offset = req->at;
	block->len = req->left;
	req->chunk = req->left;
	scsi_issue(req);
}

/* The block is in the scratch buffer, over and over. */
static void pattern(struct scsi_request *req)
{
	struct block_request *block = &req->block;

	req->chunk = min_of(req->left, (uint64_t)SCSI_SCRATCH);
	req->part = (struct iovec){.iov_base = req->device->scratch, .iov_len = req->chunk};
	block->op = BLOCK_WRITE;
	block->fua = !req->device->write_cache;
	block->offset = req->at;
	block->len = req->chunk;
	block->iov = &req->part;
	block->iov_count = 1;
	scsi_issue(req);
}

/* Takes the block from the initiator, once. False: the command is over. */
static bool fetch(struct scsi_request *req)
{
	uint8_t *scratch = req->device->scratch;
	size_t size = (size_t)1 << req->device->shift;

	if (!scsi_parameters(req, 0, scratch, size))
		return false;
	req->transferred = (uint32_t)size;
	/* All zero: the first byte is, and each is like the one before. */
	req->phase = !scratch[0] && memcmp(scratch, scratch + 1, size - 1) == 0;
	if (req->phase)
		return true;
	for (size_t have = size; have < SCSI_SCRATCH; have *= 2)
		memcpy(scratch + have, scratch, have);
	return true;
}

static bool same_step(struct scsi_request *req, int result)
{
	bool data = !(req->command->opcode == SCSI_WRITE_SAME_16 && req->cdb[1] & NDOB);

	if (result) {
		scsi_finish_result(req, result);
		return false;
	}
	if (!req->chunk) {
		req->phase = true;
		if (data && !fetch(req))
			return false;
	}
	req->at += req->chunk;
	req->left -= req->chunk;
	if (!req->left) {
		scsi_good(req);
		return false;
	}
	if (req->phase)
		zeroes(req);
	else
		pattern(req);
	return true;
}

void scsi_write_same(struct scsi_device *device, struct scsi_request *req)
{
	bool sixteen = req->cdb[0] == SCSI_WRITE_SAME_16;
	uint64_t lba, count;

	if (scsi_protected(device, req))
		return;
	if (req->cdb[1] & (sixteen ? REFUSED : REFUSED | NDOB)) {
		scsi_invalid_byte(req, true, 1);
		return;
	}
	if (!scsi_range(device, req, &lba, &count))
		return;
	if (!count || count > SCSI_SAME_MAX >> device->shift) {
		scsi_invalid_byte(req, true, sixteen ? 10 : 7);
		return;
	}
	req->at = lba << device->shift;
	req->left = count << device->shift;
	req->chunk = 0;
	if (sixteen && req->cdb[1] & NDOB)
		scsi_steps(req, same_step);
	else
		scsi_steps_scratch(req, same_step);
}
