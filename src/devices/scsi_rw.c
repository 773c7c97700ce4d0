// SPDX-License-Identifier: MIT
/*
 * READ, WRITE and SYNCHRONIZE CACHE (SBC-3 5.10 to 5.39): one request to the disk for a command,
 * which has the initiator's buffers. No state.
 */
#include "devices/scsi_internal.h"

#define FUA 0x08u

bool scsi_range(struct scsi_device *device, struct scsi_request *req, uint64_t *ret_lba,
		uint64_t *ret_count)
{
	const uint8_t *cdb = req->cdb;
	uint64_t lba, count;

	switch (cdb[0] >> 5) {
	case 0:
		lba = be32_at(cdb) & 0x1fffff;
		count = cdb[4] ? cdb[4] : 256;
		break;
	case 1:
	case 2:
		lba = be32_at(cdb + 2);
		count = be16_at(cdb + 7);
		break;
	case 4:
		lba = be64_at(cdb + 2);
		count = be32_at(cdb + 10);
		break;
	default:
		lba = be32_at(cdb + 2);
		count = be32_at(cdb + 6);
	}
	if (!range_within(lba, count, scsi_blocks(device))) {
		scsi_check(req, SCSI_ILLEGAL_REQUEST, SCSI_ASC_LBA_OUT_OF_RANGE);
		return false;
	}
	*ret_lba = lba;
	*ret_count = count;
	return true;
}

bool scsi_protected(struct scsi_device *device, struct scsi_request *req)
{
	if (!device->block->info.read_only)
		return false;
	scsi_check(req, SCSI_DATA_PROTECT, SCSI_ASC_WRITE_PROTECTED);
	return true;
}

static void read_write_done(struct block_request *block, int result)
{
	struct scsi_request *req = container_of(block, struct scsi_request, block);

	scsi_finish_result(req, result);
}

void scsi_read_write(struct scsi_device *device, struct scsi_request *req)
{
	bool writing = req->command->kind == SCSI_KIND_WRITE;
	struct block_request *block = &req->block;
	uint64_t lba, count;

	if (writing && scsi_protected(device, req))
		return;
	if (!scsi_range(device, req, &lba, &count))
		return;
	if (!count) {
		scsi_good(req);
		return;
	}
	/* No protection information; and the transfer must fit the buffers. */
	if (req->cdb[0] >> 5 && req->cdb[1] & 0xe0) {
		scsi_invalid_byte(req, true, 1);
		return;
	}
	if (count << device->shift > req->len ||
	    req->direction != (writing ? SCSI_TO_DEVICE : SCSI_FROM_DEVICE)) {
		scsi_invalid_field(req);
		return;
	}
	scsi_trim(req, (uint32_t)(count << device->shift));
	req->transferred = req->len;
	block->op = writing ? BLOCK_WRITE : BLOCK_READ;
	block->fua = writing && (!device->write_cache || (req->cdb[0] >> 5 && req->cdb[1] & FUA));
	block->unmap = false;
	block->offset = lba << device->shift;
	block->len = req->len;
	block->iov = req->iov;
	block->iov_count = req->iov_count;
	block->done = read_write_done;
	block_submit(device->block, block);
}

/* The whole cache, whatever range is named; after what IMMED allows, too. */
void scsi_flush(struct scsi_device *device, struct scsi_request *req)
{
	struct block_request *block = &req->block;
	uint64_t lba, count;

	if (req->command->opcode != SCSI_START_STOP_UNIT && !scsi_range(device, req, &lba, &count))
		return;
	block->op = BLOCK_FLUSH;
	block->offset = 0;
	block->len = 0;
	block->done = read_write_done;
	block_submit(device->block, block);
}
