// SPDX-License-Identifier: MIT
/*
 * Logical units: disks and DVD drives that answer SCSI commands (SPC-4, SBC-3, MMC-6) from a disk
 * image (block/block.h). Knows nothing of how commands come.
 *
 * A unit belongs to one loop, its disk's; everything here is that loop's, except that counters may
 * be read from any thread. Nothing is allocated, locked or copied for a command that moves data of
 * the disk: its buffers go down to the disk as they are. A unit that a command finds in need of a
 * buffer of its own (a comparison, a repeated pattern) has one, and such commands take turns.
 *
 * Commands come from guests: every field of a CDB is checked, parameter lists are read once, and
 * whatever is wrong is answered with CHECK CONDITION and sense data in fixed format.
 */
#pragma once

#include "devices/block/block.h"
#include "devices/scsi_proto.h"
#include "vmm/counter.h"

struct scsi_device;
struct scsi_request;

enum scsi_direction { SCSI_NO_DATA, SCSI_TO_DEVICE, SCSI_FROM_DEVICE };

/*
 * What VPD page 0xb0 says is the most that one command moves. Not more than initiators want: Linux
 * does not go beyond 1280 KiB by itself, and each needs so many pages' worth of vectors in advance.
 */
#define SCSI_TRANSFER_MAX MiB(1)

struct scsi_request {
	/* The initiator's. */
	uint8_t cdb[SCSI_CDB_SIZE]; /* what is not meant is zero */
	enum scsi_direction direction;
	uint32_t len;           /* of the buffers: SCSI_NO_DATA: 0 */
	unsigned int iov_count; /* exactly @len bytes */
	struct iovec *iov;      /* stays until done; the unit shortens it when it moves less */
	uint64_t nexus;         /* who asks: reservations and unit attentions are per initiator */
	/* The request is the initiator's again. May come from inside scsi_submit(). */
	void (*done)(struct scsi_request *req);

	/* The answer. */
	uint8_t status;       /* SCSI_GOOD, SCSI_CHECK_CONDITION, ... */
	uint8_t sense_len;    /* 0, or SCSI_SENSE_SIZE with SCSI_CHECK_CONDITION */
	uint32_t transferred; /* bytes of the buffers that mean something; 0 but with SCSI_GOOD */
	uint8_t sense[SCSI_SENSE_SIZE];

	/* The unit's. */
	struct scsi_device *device;
	struct scsi_request *next;
	const struct scsi_command *command;
	bool (*step)(struct scsi_request *req, int result);
	uint64_t at, left; /* of work in steps: where it is, and how much is to do */
	uint64_t chunk;    /* what the step in flight does of it */
	uint64_t started;
	uint32_t index, count;
	int result;
	bool stepping, stepped, aborted, phase;
	struct iovec part;
	struct block_request block;
};

/* What a command was for. */
enum scsi_kind {
	SCSI_KIND_READ,
	SCSI_KIND_WRITE,
	SCSI_KIND_FLUSH,
	SCSI_KIND_UNMAP, /* and writing of zeroes */
	SCSI_KIND_OTHER,
	SCSI_KINDS
};

struct scsi_counters {
	struct counter requests[SCSI_KINDS]; /* done */
	struct counter ticks[SCSI_KINDS];    /* of the time stamp counter, from submit to done */
	struct counter errors[SCSI_KINDS];   /* not SCSI_GOOD */
	struct counter read_bytes;
	struct counter write_bytes;
};

struct scsi_config {
	/*
	 * The disk; the caller's, and stays as long as the unit. NULL: a DVD drive without a disc.
	 */
	struct block *block;
	/* What tells the unit from others; zero: @block's id, or failing that its name's hash. */
	uint8_t id[16];
	/*
	 * The host has failed a request with @error (-errno), @reading or not; may be NULL. On the
	 * unit's loop.
	 */
	void (*failed)(void *ctx, bool reading, int error);
	void *ctx;
	const char *serial; /* printable, at most 32 characters; NULL: @id in hexadecimal */
};

/*
 * A disk, with a write cache that the guest can switch off. -EINVAL: what the disk is like cannot
 * be told to a guest (sector sizes) or the serial number; -ENOMEM.
 */
int scsi_disk_create(const struct scsi_config *config, struct error *err,
		     struct scsi_device **ret) must_check;

/* A DVD drive with @config->block as its disc: sectors of 2048 bytes, read only. As above. */
int scsi_dvd_create(const struct scsi_config *config, struct error *err,
		    struct scsi_device **ret) must_check;

/*
 * Another disc, or none (NULL). The guest is told. 0: the old one is not used any more and may be
 * closed. -EBUSY: something is in flight, or the guest has locked the tray and @force is not set;
 * try again. -EINVAL: sectors that a disc cannot have.
 */
int scsi_dvd_insert(struct scsi_device *device, struct block *block, bool force) must_check;
/* Whether the guest has the tray open: what is on it is still the disc that was inserted last. */
bool scsi_dvd_open(const struct scsi_device *device);

/* Nothing may be in flight; not from inside a done(). NULL is fine. The disk stays open. */
void scsi_destroy(struct scsi_device *device);

void scsi_submit(struct scsi_device *device, struct scsi_request *req);

/* Shortens the buffers to @len bytes; harmless when they are not longer. */
void scsi_trim(struct scsi_request *req, uint32_t len);

/*
 * Ends a command early if it can: one that works in steps does no more of them and ends with
 * SCSI_TASK_ABORTED. It is done when done() comes, as ever.
 */
void scsi_abort(struct scsi_request *req);

/* The unit has just appeared to guests that are running: they are told by a unit attention. */
void scsi_appeared(struct scsi_device *device);

/*
 * The initiator is gone, and whoever comes next under its name starts afresh: it holds no
 * reservation of the old kind nor the tray, and finds the write cache on. What PERSISTENT RESERVE
 * made stays.
 */
void scsi_forget(struct scsi_device *device, uint64_t nexus);

/*
 * Answers for a unit that is not there: INQUIRY says so. False, and nothing done, for commands that
 * there is no answer to.
 */
bool scsi_submit_absent(struct scsi_request *req);

/* Answers REPORT LUNS: bit N of @luns is unit N. */
void scsi_report_luns(struct scsi_request *req, uint64_t luns);

/*
 * Keeps the sense data of @req for REQUEST SENSE, for initiators that do not take it with the
 * answer.
 */
void scsi_keep_sense(struct scsi_device *device, const struct scsi_request *req);

const struct scsi_counters *scsi_counters(const struct scsi_device *device);
struct block *scsi_block(const struct scsi_device *device);
