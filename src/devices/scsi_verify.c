// SPDX-License-Identifier: MIT
/*
 * VERIFY and WRITE AND VERIFY (SBC-3 5.42, 5.46): the disk is read through the unit's buffer, and
 * compared with the initiator's where that is asked for. State is the unit's.
 */
#include "devices/scsi_internal.h"

#define BYTCHK_SHIFT 1
#define BYTCHK_MASK  3u

/* True: @len bytes of the buffers from @offset on, which there are, are those in @buf. */
static bool same(const struct scsi_request *req, uint64_t offset, const uint8_t *buf, size_t len)
{
	for (unsigned int i = 0; len; i++) {
		size_t have = req->iov[i].iov_len, n;

		if (offset >= have) {
			offset -= have;
			continue;
		}
		n = min_of(len, have - offset);
		if (memcmp(buf, (const uint8_t *)req->iov[i].iov_base + offset, n) != 0)
			return false;
		buf += n;
		len -= n;
		offset = 0;
	}
	return true;
}

/* req->at and left: on the disk; chunk: what has been read; len: 0, or what is compared. */
static bool verify_step(struct scsi_request *req, int result)
{
	struct scsi_device *device = req->device;
	bool compare = (req->cdb[1] >> BYTCHK_SHIFT & BYTCHK_MASK) == 1;
	struct block_request *block = &req->block;

	if (result) {
		scsi_finish_result(req, result);
		return false;
	}
	if (compare && !same(req, req->len - req->left, device->scratch, req->chunk)) {
		scsi_check(req, SCSI_MISCOMPARE, SCSI_ASC_MISCOMPARE_DURING_VERIFY);
		return false;
	}
	req->at += req->chunk;
	req->left -= req->chunk;
	if (!req->left) {
		req->transferred = req->len;
		scsi_good(req);
		return false;
	}
	req->chunk = min_of(req->left, (uint64_t)SCSI_SCRATCH);
	req->part = (struct iovec){.iov_base = device->scratch, .iov_len = req->chunk};
	block->op = BLOCK_READ;
	block->offset = req->at;
	block->len = req->chunk;
	block->iov = &req->part;
	block->iov_count = 1;
	scsi_issue(req);
	return true;
}

static bool write_verify_step(struct scsi_request *req, int result)
{
	struct block_request *block = &req->block;

	if (req->phase)
		return verify_step(req, result);
	req->phase = true;
	block->op = BLOCK_WRITE;
	block->fua = true;
	block->offset = req->at;
	block->len = req->len;
	block->iov = req->iov;
	block->iov_count = req->iov_count;
	scsi_issue(req);
	return true;
}

/* False: the command is over. */
static bool prepare(struct scsi_device *device, struct scsi_request *req, bool data)
{
	unsigned int bytchk = req->cdb[1] >> BYTCHK_SHIFT & BYTCHK_MASK;
	uint64_t lba, count;

	if (!scsi_range(device, req, &lba, &count))
		return false;
	/* Neither protection information nor one block for all. */
	if (req->cdb[1] & 0xe0 || bytchk > 1) {
		scsi_invalid_byte(req, true, 1);
		return false;
	}
	if (!count) {
		scsi_good(req);
		return false;
	}
	req->at = lba << device->shift;
	req->left = count << device->shift;
	req->chunk = 0;
	req->phase = false;
	if (!data && !bytchk) {
		req->len = 0;
		return true;
	}
	if (req->left > req->len || req->direction != SCSI_TO_DEVICE) {
		scsi_invalid_field(req);
		return false;
	}
	scsi_trim(req, (uint32_t)req->left);
	return true;
}

void scsi_verify(struct scsi_device *device, struct scsi_request *req)
{
	if (prepare(device, req, false))
		scsi_steps_scratch(req, verify_step);
}

void scsi_write_verify(struct scsi_device *device, struct scsi_request *req)
{
	if (scsi_protected(device, req))
		return;
	if (prepare(device, req, true))
		scsi_steps_scratch(req, write_verify_step);
}
