// SPDX-License-Identifier: MIT
/*
 * What the files of the storage VSP share. Everything belongs to the controller's loop.
 */
#pragma once

#include "devices/storvsp.h"
#include "devices/storvsp_proto.h"
#include "vmm/log.h"

/* Requests in flight of one channel. What is beyond waits in the guest's ring. */
#define STORVSP_REQUESTS 256u
/* What the guest is told it may move at once; the pages of it, one more if it is not aligned. */
#define STORVSP_TRANSFER_MAX SCSI_TRANSFER_MAX
#define STORVSP_IOV_MAX      (STORVSP_TRANSFER_MAX / PAGE_SIZE + 1)
/* Room for as many pages, in a few ranges. */
#define STORVSP_PACKET_MAX 8192u

enum storvsp_state {
	STORVSP_CLOSED,
	STORVSP_OPENED,    /* the guest is to begin */
	STORVSP_BEGUN,     /* to agree on a version */
	STORVSP_VERSIONED, /* to ask for properties */
	STORVSP_DESCRIBED, /* to end the initialization */
	STORVSP_READY,
};

struct storvsp_lun {
	struct scsi_device *device; /* NULL: there is none */
	uint32_t in_flight;
	bool leaving; /* no new requests; then @done */
	void (*done)(void *ctx);
	void *done_ctx;
};

struct storvsp_request {
	struct scsi_request scsi;
	struct storvsp_channel *channel;
	struct storvsp_lun *lun; /* NULL: of none */
	uint64_t trans_id;
	uint16_t reply_len;
	bool busy;
	struct vmscsi_request srb; /* as it came, with what the answer changes */
	struct iovec *iov;         /* STORVSP_IOV_MAX of them */
};

/* An open channel. Its requests are a stack, so that few of them are used over and over. */
struct storvsp_channel {
	struct storvsp *storvsp;
	struct channel *channel;
	struct storvsp_channel *next;
	bool closing;
	bool starved; /* ready() has said no */
	unsigned int free_count;
	uint16_t free[STORVSP_REQUESTS];
	struct storvsp_request *requests; /* STORVSP_REQUESTS of them */
	struct iovec *iov;                /* and their vectors */
};

struct storvsp {
	struct vmbus_device *device;
	struct loop *loop;
	enum storvsp_kind kind;
	uint8_t target; /* that the guest names */
	unsigned int sub_channels_max;

	enum storvsp_state state;
	_Atomic uint16_t version;
	uint16_t packet_size; /* of the version */
	struct storvsp_channel *channels;
	struct storvsp_channel *primary;
	bool notify; /* the guest is to look for units, and has not been told */

	struct storvsp_lun luns[STORVSP_LUNS];
	uint32_t in_flight;

	bool pausing; /* or paused */
	void (*paused)(void *ctx);
	void *paused_ctx;

	/* Units that are out, whose callers have not been told. */
	struct loop_deferred leave;

	void (*removed)(void *ctx);
	void *removed_ctx;

	struct log_limit log;
	struct storvsp_counters counters;
};

/* All requests of a controller come from one initiator. */
static inline uint64_t storvsp_nexus(const struct storvsp *storvsp)
{
	return (uintptr_t)storvsp;
}

/* --- storvsp.c. ------------------------------------------------------------------------------ */

/* A request is over: units that leave and a pause may have waited for it. */
void storvsp_settle(struct storvsp *storvsp, struct storvsp_lun *lun);

/* --- storvsp_channel.c. ---------------------------------------------------------------------- */

extern const struct channel_ops storvsp_channel_ops;

/* All channels may take packets again. */
void storvsp_channels_resume(struct storvsp *storvsp);
/* Sends what the guest has to be told, if it can be. */
void storvsp_notify(struct storvsp *storvsp);
void storvsp_request_free(struct storvsp_request *req);
/* Of all channels, those for @lun or all (NULL): ends what can be ended early. */
void storvsp_abort(struct storvsp *storvsp, const struct storvsp_lun *lun);

/* --- storvsp_control.c. ---------------------------------------------------------------------- */

/*
 * A packet that is no SCSI request. @body is the packet, zeroed beyond @len. Answers at once.
 */
void storvsp_control(struct storvsp_channel *sc, uint64_t trans_id, const struct vstor_packet *body,
		     uint32_t len);
/* Answers with no more than a status; @reply_len as from storvsp_reply_len(). */
void storvsp_answer(struct storvsp_channel *sc, uint64_t trans_id, uint32_t status,
		    uint16_t reply_len);
/* How long the answer to a packet of @len bytes is. */
uint16_t storvsp_reply_len(uint32_t len);

/* --- storvsp_srb.c. -------------------------------------------------------------------------- */

/* EXECUTE_SRB. A request is free. -EINVAL: the packet is malformed, and the channel ends. */
int storvsp_execute(struct storvsp_channel *sc, const struct ring_packet *packet,
		    const struct vstor_packet *body, uint32_t len) must_check;
