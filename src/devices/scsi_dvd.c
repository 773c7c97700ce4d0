// SPDX-License-Identifier: MIT
/*
 * A DVD drive: its commands, its tray, and what happens to it (MMC-6). Discs are images with
 * sectors of 2048 bytes, and can only be read. State is the unit's.
 */
#include "devices/scsi_internal.h"

#define SECTOR_SHIFT 11u

/* Media events. */
#define EVENT_NONE    0u
#define EVENT_NEW     2u
#define EVENT_REMOVED 3u
#define CLASS_MEDIA   4u

/* --- The tray. ------------------------------------------------------------------------------- */

static void set_medium(struct scsi_device *device, struct block *block)
{
	device->block = block;
	device->size = block ? block->info.size : 0;
	device->event = block ? EVENT_NEW : EVENT_REMOVED;
	if (block)
		scsi_attention(device, SCSI_ATTENTION_MEDIUM);
}

/* What is in flight goes on with the disc it has begun with, which stays until another comes. */
static void eject(struct scsi_device *device, struct scsi_request *req)
{
	if (device->locked) {
		scsi_check(req, SCSI_ILLEGAL_REQUEST, SCSI_ASC_MEDIUM_REMOVAL_PREVENTED);
		return;
	}
	if (!device->open) {
		device->open = true;
		device->ejected = device->block;
		set_medium(device, NULL);
	}
	scsi_good(req);
}

static void load(struct scsi_device *device, struct scsi_request *req)
{
	if (device->open) {
		device->open = false;
		set_medium(device, device->ejected);
		device->ejected = NULL;
	}
	scsi_good(req);
}

static void start_stop(struct scsi_device *device, struct scsi_request *req)
{
	if (req->cdb[4] & 0xf0 || !(req->cdb[4] & 0x02)) {
		/* Power, or the motor. */
		scsi_good(req);
		return;
	}
	if (req->cdb[4] & 0x01)
		load(device, req);
	else
		eject(device, req);
}

static void prevent_allow(struct scsi_device *device, struct scsi_request *req)
{
	device->locked = req->cdb[4] & 1;
	scsi_good(req);
}

int scsi_dvd_insert(struct scsi_device *device, struct block *block, bool force)
{
	if (device->in_flight || (device->locked && !force))
		return -EBUSY;
	if (block && block->info.logical_sector > 1u << SECTOR_SHIFT)
		return -EINVAL;
	device->open = false;
	device->locked = false;
	device->ejected = NULL;
	set_medium(device, block);
	return 0;
}

bool scsi_dvd_open(const struct scsi_device *device)
{
	return device->open;
}

/* --- What happens. --------------------------------------------------------------------------- */

static void get_event_status(struct scsi_device *device, struct scsi_request *req)
{
	uint8_t data[8] = {0};
	size_t len = 4;

	/* Only who asks again and again is served. */
	if (!(req->cdb[1] & 1)) {
		scsi_invalid_byte(req, true, 1);
		return;
	}
	data[3] = 1u << CLASS_MEDIA;
	if (req->cdb[4] & 1u << CLASS_MEDIA) {
		data[2] = CLASS_MEDIA;
		data[4] = device->event;
		data[5] = (uint8_t)((device->open ? 1 : 0) | (device->block ? 2 : 0));
		device->event = EVENT_NONE;
		len = 8;
	} else {
		data[2] = 0x80; /* no such class */
	}
	put_be16(data, (uint16_t)(len - 2));
	scsi_reply(req, data, len, be16_at(req->cdb + 7));
}

static void mechanism_status(struct scsi_device *device, struct scsi_request *req)
{
	uint8_t data[8] = {0};

	data[1] = device->open ? 0x10 : 0;
	data[5] = 1; /* slot */
	scsi_reply(req, data, sizeof(data), be16_at(req->cdb + 8));
}

/* --- Its commands. --------------------------------------------------------------------------- */

static void seek(struct scsi_device *device, struct scsi_request *req)
{
	if (be32_at(req->cdb + 2) >= scsi_blocks(device))
		scsi_check(req, SCSI_ILLEGAL_REQUEST, SCSI_ASC_LBA_OUT_OF_RANGE);
	else
		scsi_good(req);
}

#define NO_SA SCSI_NO_SERVICE
/* Access, unattended, medium. */
#define ALWAYS SCSI_ACCESS_ALWAYS, false, false
#define ALOOF  SCSI_ACCESS_ALWAYS, true, false
#define MEDIUM SCSI_ACCESS_ALWAYS, false, true

// clang-format off
static const struct scsi_command commands[] = {
	{SCSI_TEST_UNIT_READY, NO_SA, MEDIUM, SCSI_KIND_OTHER, scsi_test_unit_ready,
	 {0x00, 0, 0, 0, 0, 0x04}},
	{SCSI_REQUEST_SENSE, NO_SA, ALOOF, SCSI_KIND_OTHER, scsi_request_sense,
	 {0x03, 0x01, 0, 0, 0xff, 0x04}},
	{SCSI_INQUIRY, NO_SA, ALOOF, SCSI_KIND_OTHER, scsi_inquiry,
	 {0x12, 0x01, 0xff, 0xff, 0xff, 0x04}},
	{SCSI_MODE_SELECT_6, NO_SA, ALWAYS, SCSI_KIND_OTHER, scsi_mode_select,
	 {0x15, 0x11, 0, 0, 0xff, 0x04}},
	{SCSI_MODE_SENSE_6, NO_SA, ALWAYS, SCSI_KIND_OTHER, scsi_mode_sense,
	 {0x1a, 0x08, 0xff, 0xff, 0xff, 0x04}},
	{SCSI_START_STOP_UNIT, NO_SA, ALWAYS, SCSI_KIND_OTHER, start_stop,
	 {0x1b, 0x01, 0, 0x0f, 0xf7, 0x04}},
	{SCSI_PREVENT_ALLOW_REMOVAL, NO_SA, ALWAYS, SCSI_KIND_OTHER, prevent_allow,
	 {0x1e, 0, 0, 0, 0x03, 0x04}},
	{SCSI_READ_CAPACITY_10, NO_SA, MEDIUM, SCSI_KIND_OTHER, scsi_read_capacity,
	 {0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0x04}},
	{SCSI_READ_10, NO_SA, MEDIUM, SCSI_KIND_READ, scsi_read_write,
	 {0x28, 0x18, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0x04}},
	{SCSI_SEEK_10, NO_SA, MEDIUM, SCSI_KIND_OTHER, seek,
	 {0x2b, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0x04}},
	{SCSI_READ_TOC, NO_SA, MEDIUM, SCSI_KIND_OTHER, scsi_read_toc,
	 {0x43, 0x02, 0x0f, 0, 0, 0, 0xff, 0xff, 0xff, 0xc4}},
	{SCSI_GET_CONFIGURATION, NO_SA, ALOOF, SCSI_KIND_OTHER, scsi_get_configuration,
	 {0x46, 0x03, 0xff, 0xff, 0, 0, 0, 0xff, 0xff, 0x04}},
	{SCSI_GET_EVENT_STATUS, NO_SA, ALOOF, SCSI_KIND_OTHER, get_event_status,
	 {0x4a, 0x01, 0, 0, 0xff, 0, 0, 0xff, 0xff, 0x04}},
	{SCSI_READ_DISC_INFORMATION, NO_SA, MEDIUM, SCSI_KIND_OTHER, scsi_read_disc_information,
	 {0x51, 0x07, 0, 0, 0, 0, 0, 0xff, 0xff, 0x04}},
	{SCSI_READ_TRACK_INFORMATION, NO_SA, MEDIUM, SCSI_KIND_OTHER, scsi_read_track_information,
	 {0x52, 0x03, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0x04}},
	{SCSI_MODE_SELECT_10, NO_SA, ALWAYS, SCSI_KIND_OTHER, scsi_mode_select,
	 {0x55, 0x11, 0, 0, 0, 0, 0, 0xff, 0xff, 0x04}},
	{SCSI_MODE_SENSE_10, NO_SA, ALWAYS, SCSI_KIND_OTHER, scsi_mode_sense,
	 {0x5a, 0x18, 0xff, 0xff, 0, 0, 0, 0xff, 0xff, 0x04}},
	{SCSI_MAINTENANCE_IN, SCSI_SA_REPORT_OPCODES, ALWAYS, SCSI_KIND_OTHER, scsi_report_opcodes,
	 {0xa3, 0x0c, 0x87, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0x04}},
	{SCSI_READ_12, NO_SA, MEDIUM, SCSI_KIND_READ, scsi_read_write,
	 {0xa8, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0x04}},
	{SCSI_READ_DISC_STRUCTURE, NO_SA, MEDIUM, SCSI_KIND_OTHER, scsi_read_disc_structure,
	 {0xad, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc0, 0x04}},
	{SCSI_SET_CD_SPEED, NO_SA, ALWAYS, SCSI_KIND_OTHER, scsi_test_unit_ready,
	 {0xbb, 0x03, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0x04}},
	{SCSI_MECHANISM_STATUS, NO_SA, ALOOF, SCSI_KIND_OTHER, mechanism_status,
	 {0xbd, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0x04}},
};
// clang-format on

int scsi_dvd_create(const struct scsi_config *config, struct error *err, struct scsi_device **ret)
{
	struct scsi_device *device;
	int r;

	if (config->block && config->block->info.logical_sector > 1u << SECTOR_SHIFT)
		return error_set(err, -EINVAL, "disc %s: sectors of %u bytes: a disc has 2048",
				 config->block->name, config->block->info.logical_sector);
	r = scsi_create(config, SCSI_TYPE_CD_DVD, commands, ARRAY_SIZE(commands), err, &device);
	if (r)
		return r;
	device->shift = SECTOR_SHIFT;
	*ret = device;
	return 0;
}
