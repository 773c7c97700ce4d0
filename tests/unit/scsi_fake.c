// SPDX-License-Identifier: MIT
/* See scsi_fake.h. */
#include "scsi_fake.h"

#include <assert.h>

void scsi_fake_disk(struct scsi_fake *f, uint64_t size, uint32_t sector)
{
	struct scsi_config config = {.block = &f->disk.block, .serial = "SERIAL"};
	int r;

	memset(f, 0, sizeof(*f));
	disk_fake_init(&f->disk, size, sector);
	r = scsi_disk_create(&config, NULL, &f->device);
	assert(r == 0);
	(void)r;
}

void scsi_fake_dvd(struct scsi_fake *f, uint64_t size)
{
	struct scsi_config config = {.block = size ? &f->disk.block : NULL};
	int r;

	memset(f, 0, sizeof(*f));
	disk_fake_init(&f->disk, size ? size : 2048, 512);
	f->disk.block.info.read_only = true;
	r = scsi_dvd_create(&config, NULL, &f->device);
	assert(r == 0);
	(void)r;
}

void scsi_fake_finish(struct scsi_fake *f)
{
	disk_fake_complete_all(&f->disk);
	scsi_destroy(f->device);
	disk_fake_finish(&f->disk);
}

static void on_done(struct scsi_request *req)
{
	container_of(req, struct scsi_fake, req)->done++;
}

void scsi_fake_submit(struct scsi_fake *f, enum scsi_direction direction, uint32_t len,
		      const uint8_t cdb[SCSI_CDB_SIZE])
{
	uint32_t first = len / 3;

	assert(len <= FAKE_BUFFER);
	memset(&f->req, 0xcc, sizeof(f->req));
	memcpy(f->req.cdb, cdb, SCSI_CDB_SIZE);
	f->iov[0] = (struct iovec){.iov_base = f->data, .iov_len = first};
	f->iov[1] = (struct iovec){.iov_base = f->data + first, .iov_len = len - first};
	f->req.direction = direction;
	f->req.len = len;
	f->req.iov = f->iov;
	f->req.iov_count = len ? 2 : 0;
	f->req.nexus = f->nexus;
	f->req.done = on_done;
	f->done = 0;
	scsi_submit(f->device, &f->req);
}

uint8_t scsi_fake_run(struct scsi_fake *f, enum scsi_direction direction, uint32_t len,
		      const uint8_t cdb[SCSI_CDB_SIZE])
{
	scsi_fake_submit(f, direction, len, cdb);
	disk_fake_complete_all(&f->disk);
	assert(f->done == 1);
	assert(f->req.transferred <= len);
	return f->req.status;
}

uint32_t scsi_fake_sense(const struct scsi_fake *f)
{
	const uint8_t *sense = f->req.sense;

	if (!f->req.sense_len)
		return 0;
	assert(f->req.sense_len == SCSI_SENSE_SIZE && sense[0] == 0x70 && sense[7] == 10);
	return (uint32_t)sense[2] << 16 | be16_at(sense + 12);
}
