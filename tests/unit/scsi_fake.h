// SPDX-License-Identifier: MIT
/*
 * An initiator of SCSI commands, on disk_fake.h: for the tests of src/devices/scsi*.c. Its buffer
 * is in two pieces, so that whatever goes through it crosses from one to the other.
 */
#pragma once

#include "disk_fake.h"
#include "devices/scsi_internal.h"

#define FAKE_BUFFER (1u << 18)
#define SECTOR      512ul

struct scsi_fake {
	struct disk_fake disk;
	struct scsi_device *device;
	struct scsi_request req;
	unsigned int done; /* times that done() was called */
	uint64_t nexus;    /* who asks next */
	struct iovec iov[2];
	uint8_t data[FAKE_BUFFER];
};

/* A disk of @size bytes in sectors of @sector, and 4096 physical. */
void scsi_fake_disk(struct scsi_fake *f, uint64_t size, uint32_t sector);
/* A DVD drive with a disc of @size bytes; 0: empty. */
void scsi_fake_dvd(struct scsi_fake *f, uint64_t size);
void scsi_fake_finish(struct scsi_fake *f);

/* Submits a command with the first @len bytes of data; its end need not have come. */
void scsi_fake_submit(struct scsi_fake *f, enum scsi_direction direction, uint32_t len,
		      const uint8_t cdb[SCSI_CDB_SIZE]);

#define CDB(...) ((const uint8_t[SCSI_CDB_SIZE]){__VA_ARGS__})
/* Its status. */
uint8_t scsi_fake_run(struct scsi_fake *f, enum scsi_direction direction, uint32_t len,
		      const uint8_t cdb[SCSI_CDB_SIZE]);
#define scsi_fake_none(f, ...)     scsi_fake_run(f, SCSI_NO_DATA, 0, CDB(__VA_ARGS__))
#define scsi_fake_in(f, len, ...)  scsi_fake_run(f, SCSI_FROM_DEVICE, len, CDB(__VA_ARGS__))
#define scsi_fake_out(f, len, ...) scsi_fake_run(f, SCSI_TO_DEVICE, len, CDB(__VA_ARGS__))

/* Key, code and qualifier of the sense data that came last, as 0xKCCQQ; 0: none came. */
uint32_t scsi_fake_sense(const struct scsi_fake *f);
/* The same for comparison. */
#define SENSE(key, asc) ((uint32_t)(key) << 16 | (asc))
