// SPDX-License-Identifier: MIT
/*
 * Sense data in fixed format (SPC-4 4.5.3), unit attentions (SAM-5 5.14) and REQUEST SENSE. State
 * is the unit's.
 */
#include "devices/scsi_internal.h"

static const uint16_t attention_asc[SCSI_ATTENTIONS] = {
	[SCSI_ATTENTION_APPEARED] = SCSI_ASC_POWER_ON_OR_RESET,
	[SCSI_ATTENTION_MEDIUM] = SCSI_ASC_MEDIUM_MAY_HAVE_CHANGED,
	[SCSI_ATTENTION_CAPACITY] = SCSI_ASC_CAPACITY_CHANGED,
	[SCSI_ATTENTION_MODE] = SCSI_ASC_MODE_PARAMETERS_CHANGED,
	[SCSI_ATTENTION_PREEMPTED] = SCSI_ASC_RESERVATIONS_PREEMPTED,
	[SCSI_ATTENTION_RELEASED] = SCSI_ASC_RESERVATIONS_RELEASED,
	[SCSI_ATTENTION_UNREGISTERED] = SCSI_ASC_REGISTRATIONS_PREEMPTED,
};

void scsi_sense_fill(uint8_t sense[SCSI_SENSE_SIZE], uint8_t key, uint16_t asc)
{
	memset(sense, 0, SCSI_SENSE_SIZE);
	sense[0] = 0x70; /* current, fixed format */
	sense[2] = key;
	sense[7] = SCSI_SENSE_SIZE - 8;
	put_be16(sense + 12, asc);
}

void scsi_attention(struct scsi_device *device, enum scsi_attention what)
{
	/* Who comes later learns of all else when he looks for the first time. */
	if (what == SCSI_ATTENTION_APPEARED)
		device->attentions |= 1u << what;
	for (unsigned int i = 0; i < SCSI_NEXUS_MAX; i++)
		if (device->nexus[i].used)
			device->nexus[i].attentions |= 1u << what;
}

static uint16_t next_attention(struct scsi_nexus *nexus)
{
	unsigned int what = (unsigned int)__builtin_ctz(nexus->attentions);

	nexus->attentions &= nexus->attentions - 1;
	return attention_asc[what];
}

bool scsi_attend(struct scsi_device *device, struct scsi_request *req)
{
	struct scsi_nexus *nexus = scsi_nexus(device, req->nexus);

	if (!nexus->attentions)
		return false;
	scsi_check(req, SCSI_UNIT_ATTENTION, next_attention(nexus));
	return true;
}

void scsi_keep_sense(struct scsi_device *device, const struct scsi_request *req)
{
	struct scsi_nexus *nexus = scsi_nexus(device, req->nexus);

	if (!req->sense_len)
		return;
	memcpy(nexus->sense, req->sense, SCSI_SENSE_SIZE);
	nexus->sense_kept = true;
}

void scsi_request_sense(struct scsi_device *device, struct scsi_request *req)
{
	struct scsi_nexus *nexus = scsi_nexus(device, req->nexus);
	uint8_t sense[SCSI_SENSE_SIZE];

	/* Descriptor format. */
	if (req->cdb[1] & 1) {
		scsi_invalid_byte(req, true, 1);
		return;
	}
	if (nexus->sense_kept) {
		memcpy(sense, nexus->sense, sizeof(sense));
		nexus->sense_kept = false;
	} else if (nexus->attentions) {
		scsi_sense_fill(sense, SCSI_UNIT_ATTENTION, next_attention(nexus));
	} else if (device->type == SCSI_TYPE_CD_DVD && !device->block) {
		scsi_sense_fill(sense, SCSI_NOT_READY, scsi_no_medium(device));
	} else {
		scsi_sense_fill(sense, SCSI_NO_SENSE, SCSI_ASC_NONE);
	}
	scsi_reply(req, sense, sizeof(sense), req->cdb[4]);
}
