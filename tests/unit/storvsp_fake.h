// SPDX-License-Identifier: MIT
/*
 * A guest that uses a storage controller, on channel_fake.h and disk_fake.h: for the tests of
 * src/devices/storvsp*.c. Failures of its own are asserted.
 */
#pragma once

#include "disk_fake.h"
#include "channel_fake.h"
#include "devices/storvsp.h"
#include "devices/storvsp_proto.h"

struct storvsp_fake {
	struct vmbus bus;
	struct loop *loop;
	struct storvsp *storvsp;
	struct disk_fake disk;
	struct scsi_device *unit;
	struct channel *primary;
	uint64_t trans_id; /* of the packet sent last */
	bool removed;
};

/* A controller with a disk of 1 MiB as unit 0; nothing is open. */
void storvsp_fake_init(struct storvsp_fake *f, enum storvsp_kind kind, unsigned int index);
void storvsp_fake_finish(struct storvsp_fake *f);

/* Opens the primary channel and goes through the initialization. */
void storvsp_fake_start(struct storvsp_fake *f, uint16_t version);
/* One pass of the loop, for what was deferred. */
void storvsp_fake_pass(struct storvsp_fake *f);

/* Sends a control packet of @len bytes; the answer. */
const struct vstor_packet *storvsp_fake_control(struct storvsp_fake *f, struct vstor_packet packet,
						uint32_t len);
/* With success expected. */
const struct vstor_packet *storvsp_fake_ask(struct storvsp_fake *f, uint32_t operation);

struct fake_srb {
	uint8_t path, target, lun;
	uint8_t cdb[VMSCSI_CDB_SIZE];
	uint8_t cdb_len; /* 0: all */
	uint8_t data_in;
	uint32_t len; /* of the data, in @pages from @pfn on */
	uint64_t pfn;
	uint32_t flags;
};

/* Sends it on @channel (NULL: the primary one). What channel_fake_send() says. */
int storvsp_fake_send(struct storvsp_fake *f, struct channel *channel, const struct fake_srb *srb);
/* And takes the answer; NULL: none has come. */
const struct vstor_packet *storvsp_fake_srb(struct storvsp_fake *f, const struct fake_srb *srb);
/* The answer to the packet sent last. */
const struct vstor_packet *storvsp_fake_answer(struct storvsp_fake *f, struct channel *channel);
