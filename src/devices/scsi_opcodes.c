// SPDX-License-Identifier: MIT
/*
 * REPORT SUPPORTED OPERATION CODES and TASK MANAGEMENT FUNCTIONS (SPC-4 6.35, 6.36), told from the
 * unit's own table. No state.
 */
#include "devices/scsi_internal.h"

#define HEADER       4u
#define DESCRIPTOR   8u
#define TIMEOUTS     12u
#define COMMANDS_MAX 80u

#define RCTD          0x80u /* command timeouts, too */
#define SERVACTV      0x01u
#define CTDP          0x02u
#define SUPPORTED     0x03u
#define NOT_SUPPORTED 0x01u

static unsigned int cdb_length(uint8_t opcode)
{
	static const uint8_t lengths[8] = {6, 10, 10, 0, 16, 12, 0, 0};

	return lengths[opcode >> 5];
}

/* None is known. */
static size_t timeouts(uint8_t *p)
{
	put_be16(p, TIMEOUTS - 2);
	return TIMEOUTS;
}

/* A command of this unit that can be used: the table has some that depend on the disk. */
static bool usable(const struct scsi_device *device, const struct scsi_command *c)
{
	return c->opcode != SCSI_UNMAP || (device->block && device->block->info.unmap);
}

static void report_all(struct scsi_device *device, struct scsi_request *req)
{
	uint8_t data[HEADER + COMMANDS_MAX * (DESCRIPTOR + TIMEOUTS)] = {0};
	bool rctd = req->cdb[2] & RCTD;
	size_t len = HEADER;

	for (unsigned int i = 0; i < device->command_count && i < COMMANDS_MAX; i++) {
		const struct scsi_command *c = &device->commands[i];
		uint8_t *p = data + len;

		if (!usable(device, c))
			continue;
		p[0] = c->opcode;
		if (c->service != SCSI_NO_SERVICE) {
			put_be16(p + 2, c->service);
			p[5] |= SERVACTV;
		}
		put_be16(p + 6, (uint16_t)cdb_length(c->opcode));
		len += DESCRIPTOR;
		if (rctd) {
			p[5] |= CTDP;
			len += timeouts(data + len);
		}
	}
	put_be32(data, (uint32_t)(len - HEADER));
	scsi_reply(req, data, len, be32_at(req->cdb + 6));
}

static const struct scsi_command *find(const struct scsi_device *device, uint8_t opcode,
				       bool any_service, uint16_t service)
{
	for (unsigned int i = 0; i < device->command_count; i++) {
		const struct scsi_command *c = &device->commands[i];

		if (c->opcode == opcode && (any_service || c->service == service) &&
		    usable(device, c))
			return c;
	}
	return NULL;
}

static void report_one(struct scsi_device *device, struct scsi_request *req)
{
	uint8_t option = req->cdb[2] & 0x07, opcode = req->cdb[3];
	const struct scsi_command *any = find(device, opcode, true, 0), *c = any;
	bool services = any && any->service != SCSI_NO_SERVICE, rctd = req->cdb[2] & RCTD;
	uint8_t data[HEADER + SCSI_CDB_SIZE + TIMEOUTS] = {0};
	size_t len = HEADER;

	/* 1: of a code without service actions; 2: of one with; 3: of whichever it is. */
	if ((option == 1 && services) || (option == 2 && any && !services)) {
		scsi_invalid_byte(req, true, 2);
		return;
	}
	if (services)
		c = find(device, opcode, false, be16_at(req->cdb + 4));
	if (!c) {
		data[1] = NOT_SUPPORTED;
		scsi_reply(req, data, len, be32_at(req->cdb + 6));
		return;
	}
	data[1] = SUPPORTED;
	put_be16(data + 2, (uint16_t)cdb_length(opcode));
	memcpy(data + len, c->usage, cdb_length(opcode));
	len += cdb_length(opcode);
	if (rctd) {
		data[1] |= RCTD;
		len += timeouts(data + len);
	}
	scsi_reply(req, data, len, be32_at(req->cdb + 6));
}

void scsi_report_opcodes(struct scsi_device *device, struct scsi_request *req)
{
	uint8_t option = req->cdb[2] & 0x07;

	if (option > 3)
		scsi_invalid_byte(req, true, 2);
	else if (option)
		report_one(device, req);
	else
		report_all(device, req);
}

void scsi_report_task_functions(struct scsi_device *device, struct scsi_request *req)
{
	/* LOGICAL UNIT RESET, and I_T NEXUS RESET. */
	static const uint8_t data[16] = {0x08, 0x01, 0, 12};
	bool extended = req->cdb[2] & 0x80;

	(void)device;
	scsi_reply(req, data, extended ? 16 : 4, be32_at(req->cdb + 6));
}
