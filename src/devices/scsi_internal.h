// SPDX-License-Identifier: MIT
/*
 * What the files of a SCSI unit share: the unit itself, its table of commands, and how a command
 * answers and waits. Everything runs on the unit's loop.
 */
#pragma once

#include <errno.h>
#include <string.h>

#include "devices/scsi.h"

#define SCSI_NEXUS_MAX  8u
#define SCSI_SCRATCH    65536u /* bytes of the unit's own buffer */
#define SCSI_UNMAP_MAX  256u   /* descriptors of one UNMAP */
#define SCSI_NO_SERVICE 0xffu
#define SCSI_SAME_MAX   MiB(128) /* bytes of one WRITE SAME */
#define SCSI_SERIAL_MAX 32u

/* What a reservation of somebody else lets through (SPC-4 5.13.1). */
enum scsi_access {
	SCSI_ACCESS_ALWAYS,
	SCSI_ACCESS_READ,  /* not with exclusive access */
	SCSI_ACCESS_WRITE, /* not with any */
};

/* A row of a unit's table. Rows of one operation code follow each other. */
struct scsi_command {
	uint8_t opcode;
	uint8_t service; /* SCSI_NO_SERVICE: the operation code says it all */
	uint8_t access;  /* enum scsi_access */
	bool unattended; /* runs with a unit attention pending, and does not tell of it */
	bool medium;     /* needs one */
	uint8_t kind;    /* enum scsi_kind */
	void (*run)(struct scsi_device *device, struct scsi_request *req);
	/* Which bits of the CDB mean something; its length is that of the code's group. */
	uint8_t usage[SCSI_CDB_SIZE];
};

/* Unit attentions, in the order in which they are told. */
enum scsi_attention {
	SCSI_ATTENTION_APPEARED,
	SCSI_ATTENTION_MEDIUM,
	SCSI_ATTENTION_CAPACITY,
	SCSI_ATTENTION_MODE,
	SCSI_ATTENTION_PREEMPTED,    /* its reservation */
	SCSI_ATTENTION_RELEASED,     /* the reservation that it was a registrant of */
	SCSI_ATTENTION_UNREGISTERED, /* its registration, by somebody else */
	SCSI_ATTENTIONS
};

/* An initiator that has been seen. */
struct scsi_nexus {
	uint64_t id;
	bool used;
	bool registered;
	uint64_t key;
	uint32_t attentions; /* 1 << enum scsi_attention */
	uint8_t sense[SCSI_SENSE_SIZE];
	bool sense_kept;
};

struct scsi_reservations {
	uint32_t generation;
	uint8_t type;   /* SCSI_PR_*; 0: there is none */
	uint8_t holder; /* number of a nexus */
	int legacy;     /* who has done RESERVE; -1: nobody */
};

struct scsi_device {
	const struct scsi_command *commands;
	unsigned int command_count;
	uint8_t first[256]; /* row of an operation code, plus 1; 0: there is none */

	struct block *block;
	void (*failed)(void *ctx, bool reading, int error); /* may be NULL */
	void *failed_ctx;
	uint8_t type; /* SCSI_TYPE_* */
	uint8_t id[16];
	char serial[SCSI_SERIAL_MAX + 1];
	unsigned int shift;    /* log2 of a logical block */
	unsigned int physical; /* log2 of the logical blocks of a physical one */
	uint64_t size;         /* of the disk in bytes, as the guest has been told */
	uint32_t in_flight;

	bool write_cache;
	uint32_t attentions; /* for initiators that have not been seen yet */
	struct scsi_nexus nexus[SCSI_NEXUS_MAX];
	struct scsi_reservations reservations;

	/* The buffer, whose turn it is, and who waits for it. */
	uint8_t *scratch;
	struct scsi_request *scratch_owner;
	struct scsi_request *waiting, **waiting_end;
	bool scratch_passing;

	/* The tray: what is on it while it is open, and what has happened that is not told yet. */
	struct block *ejected;
	bool open, locked;
	uint8_t event;

	struct scsi_counters counters;
};

/* --- scsi.c: answers, and work in steps. ----------------------------------------------------- */

/* The end of a command. */
void scsi_finish(struct scsi_request *req, uint8_t status);
static inline void scsi_good(struct scsi_request *req)
{
	scsi_finish(req, SCSI_GOOD);
}
/* With CHECK CONDITION. @asc: SCSI_ASC_*. */
void scsi_check(struct scsi_request *req, uint8_t key, uint16_t asc);
void scsi_invalid_field(struct scsi_request *req);
/* With sense data that says where: a byte of the CDB, or of the parameter list. */
void scsi_invalid_byte(struct scsi_request *req, bool in_cdb, uint16_t byte);
/* What became of a request to the disk: 0, or -errno. */
void scsi_finish_result(struct scsi_request *req, int result);

/*
 * The end of a command that gives data: @len bytes, or as many as the initiator allows and has room
 * for.
 */
void scsi_reply(struct scsi_request *req, const void *data, size_t len, size_t allocation);

/* Copies parameters out of the buffers. False: they do not hold so much; the command is over. */
bool scsi_parameters(struct scsi_request *req, uint64_t offset, void *buf, size_t len);

/*
 * A command of several requests to the disk. @step is called with 0 at first, then with what came
 * of each request that it makes with scsi_issue(). It returns true when it has made one, and false
 * when it has finished the command.
 */
void scsi_steps(struct scsi_request *req, bool (*step)(struct scsi_request *req, int result));
/* Submits req->block, of which op, offset and len have been set, and iov if it moves data. */
void scsi_issue(struct scsi_request *req);

/* As scsi_steps(), once it is this command's turn to use the scratch buffer. */
void scsi_steps_scratch(struct scsi_request *req, bool (*step)(struct scsi_request *req, int res));

/* The logical blocks that the unit has. */
static inline uint64_t scsi_blocks(const struct scsi_device *device)
{
	return device->size >> device->shift;
}

/* Why there is none. */
static inline uint16_t scsi_no_medium(const struct scsi_device *device)
{
	return device->open ? SCSI_ASC_NO_MEDIUM_TRAY_OPEN : SCSI_ASC_NO_MEDIUM_TRAY_CLOSED;
}

struct scsi_nexus *scsi_nexus(struct scsi_device *device, uint64_t id);

/* Common to create functions. */
int scsi_create(const struct scsi_config *config, uint8_t type, const struct scsi_command *commands,
		unsigned int rows, struct error *err, struct scsi_device **ret) must_check;

/* --- scsi_sense.c. --------------------------------------------------------------------------- */

void scsi_sense_fill(uint8_t sense[SCSI_SENSE_SIZE], uint8_t key, uint16_t asc);
/* Of all initiators. */
void scsi_attention(struct scsi_device *device, enum scsi_attention what);
/* True: the command has been answered with a unit attention. */
bool scsi_attend(struct scsi_device *device, struct scsi_request *req);
void scsi_request_sense(struct scsi_device *device, struct scsi_request *req);

/* --- scsi_reserve.c. ------------------------------------------------------------------------- */

/* True: the command has been answered with RESERVATION CONFLICT. */
bool scsi_conflict(struct scsi_device *device, struct scsi_request *req);
void scsi_reserve(struct scsi_device *device, struct scsi_request *req);
void scsi_release(struct scsi_device *device, struct scsi_request *req);
void scsi_persistent_in(struct scsi_device *device, struct scsi_request *req);
void scsi_persistent_out(struct scsi_device *device, struct scsi_request *req);

/* --- The commands. --------------------------------------------------------------------------- */

void scsi_test_unit_ready(struct scsi_device *device, struct scsi_request *req);
void scsi_inquiry(struct scsi_device *device, struct scsi_request *req);
void scsi_mode_sense(struct scsi_device *device, struct scsi_request *req);
void scsi_mode_select(struct scsi_device *device, struct scsi_request *req);
void scsi_report_opcodes(struct scsi_device *device, struct scsi_request *req);
void scsi_report_task_functions(struct scsi_device *device, struct scsi_request *req);
void scsi_read_write(struct scsi_device *device, struct scsi_request *req);
void scsi_flush(struct scsi_device *device, struct scsi_request *req);
void scsi_verify(struct scsi_device *device, struct scsi_request *req);
void scsi_write_verify(struct scsi_device *device, struct scsi_request *req);
void scsi_write_same(struct scsi_device *device, struct scsi_request *req);
void scsi_unmap(struct scsi_device *device, struct scsi_request *req);
void scsi_get_lba_status(struct scsi_device *device, struct scsi_request *req);
void scsi_read_capacity(struct scsi_device *device, struct scsi_request *req);

void scsi_read_toc(struct scsi_device *device, struct scsi_request *req);
void scsi_get_configuration(struct scsi_device *device, struct scsi_request *req);
void scsi_read_disc_information(struct scsi_device *device, struct scsi_request *req);
void scsi_read_track_information(struct scsi_device *device, struct scsi_request *req);
void scsi_read_disc_structure(struct scsi_device *device, struct scsi_request *req);

/*
 * The blocks that a READ, WRITE, VERIFY, WRITE SAME or SYNCHRONIZE CACHE names. False: there are no
 * such blocks, and the command is over.
 */
bool scsi_range(struct scsi_device *device, struct scsi_request *req, uint64_t *ret_lba,
		uint64_t *ret_count) must_check;
/* True: it may not be written, and the command is over. */
bool scsi_protected(struct scsi_device *device, struct scsi_request *req) must_check;

/* --- Numbers. -------------------------------------------------------------------------------- */

static inline uint16_t be16_at(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t be32_at(const uint8_t *p)
{
	return (uint32_t)be16_at(p) << 16 | be16_at(p + 2);
}

static inline uint64_t be64_at(const uint8_t *p)
{
	return (uint64_t)be32_at(p) << 32 | be32_at(p + 4);
}

static inline void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
	put_be16(p, (uint16_t)(v >> 16));
	put_be16(p + 2, (uint16_t)v);
}

static inline void put_be64(uint8_t *p, uint64_t v)
{
	put_be32(p, (uint32_t)(v >> 32));
	put_be32(p + 4, (uint32_t)v);
}
