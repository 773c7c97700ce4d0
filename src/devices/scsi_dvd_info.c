// SPDX-License-Identifier: MIT
/*
 * What a DVD drive says of its disc and of itself (MMC-6 6.5, 6.22, 6.25, 6.26, 6.27): one session
 * with one track of data. No state.
 */
#include "devices/scsi_internal.h"

#define PROFILE_NONE 0x0000u
#define PROFILE_CD   0x0008u
#define PROFILE_DVD  0x0010u

#define CD_BLOCKS 405000u /* 90 minutes: what is larger is a DVD */
#define LEAD_OUT  0xaau
#define FRAMES    75u   /* a second */
#define DATA      0x14u /* control and ADR of a track of data */

static uint16_t profile(const struct scsi_device *device)
{
	if (!device->block)
		return PROFILE_NONE;
	return scsi_blocks(device) > CD_BLOCKS ? PROFILE_DVD : PROFILE_CD;
}

static uint32_t sectors(const struct scsi_device *device)
{
	return (uint32_t)min_of(scsi_blocks(device), (uint64_t)UINT32_MAX);
}

/* --- READ TOC. ------------------------------------------------------------------------------- */

/* Minutes, seconds and frames after the lead-in; what a byte cannot say is the last that it can. */
static void put_msf(uint8_t *p, uint32_t lba)
{
	uint64_t frames = min_of((uint64_t)lba + 150, 256ull * 60 * FRAMES - 1);

	p[0] = (uint8_t)(frames / 60 / FRAMES);
	p[1] = (uint8_t)(frames / FRAMES % 60);
	p[2] = (uint8_t)(frames % FRAMES);
}

static void put_address(uint8_t *p, bool msf, uint32_t lba)
{
	if (msf)
		put_msf(p + 1, lba);
	else
		put_be32(p, lba);
}

static size_t tracks(const struct scsi_device *device, bool msf, uint8_t first, uint8_t *data)
{
	size_t len = 4;

	data[2] = 1;
	data[3] = 1;
	if (first <= 1) {
		data[len + 1] = DATA;
		data[len + 2] = 1;
		put_address(data + len + 4, msf, 0);
		len += 8;
	}
	data[len + 1] = DATA;
	data[len + 2] = LEAD_OUT;
	put_address(data + len + 4, msf, sectors(device));
	return len + 8;
}

static size_t sessions(bool msf, uint8_t *data)
{
	data[2] = 1;
	data[3] = 1;
	data[5] = DATA;
	data[6] = 1;
	put_address(data + 8, msf, 0);
	return 12;
}

/* As in the lead-in: first and last track, lead-out, and the track. */
static size_t full_toc(const struct scsi_device *device, uint8_t *data)
{
	static const uint8_t points[] = {0xa0, 0xa1, 0xa2, 1};
	size_t len = 4;

	data[2] = 1;
	data[3] = 1;
	for (unsigned int i = 0; i < ARRAY_SIZE(points); i++, len += 11) {
		data[len] = 1;
		data[len + 1] = DATA;
		data[len + 3] = points[i];
		if (i < 2)
			data[len + 8] = 1;
		else
			put_msf(data + len + 8, i == 2 ? sectors(device) : 0);
	}
	return len;
}

void scsi_read_toc(struct scsi_device *device, struct scsi_request *req)
{
	bool msf = req->cdb[1] & 2;
	uint8_t format = req->cdb[2] & 0xf, first = req->cdb[6];
	uint8_t data[64] = {0};
	size_t len;

	/* Where ATAPI had it. */
	if (!format)
		format = req->cdb[9] >> 6;
	if (format > 2) {
		scsi_invalid_byte(req, true, 2);
		return;
	}
	if (format == 0 && first > 1 && first != LEAD_OUT) {
		scsi_invalid_byte(req, true, 6);
		return;
	}
	if (format == 0)
		len = tracks(device, msf, first, data);
	else
		len = format == 1 ? sessions(msf, data) : full_toc(device, data);
	put_be16(data, (uint16_t)(len - 2));
	scsi_reply(req, data, len, be16_at(req->cdb + 7));
}

/* --- GET CONFIGURATION. ---------------------------------------------------------------------- */

#define PERSISTENT 0x02u
#define CURRENT    0x01u

struct feature {
	uint16_t code;
	uint8_t version; /* in place, with PERSISTENT */
	uint16_t of;     /* current with that profile; 0: always */
	uint8_t len;
	uint8_t data[8];
};

static const struct feature features[] = {
	/* The profiles; which of them is current is filled in. */
	{0x0000, PERSISTENT, 0, 8, {0x00, 0x10, 0, 0, 0x00, 0x08, 0, 0}},
	{0x0001, 0x08 | PERSISTENT, 0, 8, {0, 0, 0, 1, 0x01}}, /* core: SCSI, reports events */
	{0x0002, 0x04 | PERSISTENT, 0, 4, {0x02}},             /* morphing: by polling */
	{0x0003, 0x04 | PERSISTENT, 0, 4, {0x39}},             /* removable: tray, eject, lock */
	{0x0010, 0, 1, 8, {0, 0, 0x08, 0, 0, 1, 0, 0}},        /* random reads of 2048 bytes */
	{0x001e, 0x08, PROFILE_CD, 4, {0}},                    /* reads CDs */
	{0x001f, 0x04, PROFILE_DVD, 4, {0}},                   /* reads DVDs */
	{0x0100, PERSISTENT, 0, 0, {0}},                       /* power management */
	{0x0105, PERSISTENT, 0, 4, {0}},                       /* timeouts */
};

static bool is_current(const struct scsi_device *device, const struct feature *feature)
{
	uint16_t now = profile(device);

	return !feature->of || (now && (feature->of == 1 || feature->of == now));
}

void scsi_get_configuration(struct scsi_device *device, struct scsi_request *req)
{
	uint8_t which = req->cdb[1] & 3;
	uint16_t first = be16_at(req->cdb + 2), now = profile(device);
	uint8_t data[128] = {0};
	size_t len = 8;

	if (which > 2) {
		scsi_invalid_byte(req, true, 1);
		return;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(features); i++) {
		const struct feature *f = &features[i];
		bool current = is_current(device, f);
		uint8_t *p = data + len;

		if (which == 2 ? f->code != first : f->code < first)
			continue;
		if (which == 1 && !current)
			continue;
		put_be16(p, f->code);
		p[2] = (uint8_t)(f->version | (current ? CURRENT : 0));
		p[3] = f->len;
		memcpy(p + 4, f->data, f->len);
		for (unsigned int j = 0; f->code == 0 && j < f->len; j += 4)
			p[4 + j + 2] = now && be16_at(p + 4 + j) == now;
		len += 4u + f->len;
	}
	put_be32(data, (uint32_t)(len - 4));
	put_be16(data + 6, now);
	scsi_reply(req, data, len, be16_at(req->cdb + 7));
}

/* --- Disc and track. ------------------------------------------------------------------------- */

void scsi_read_disc_information(struct scsi_device *device, struct scsi_request *req)
{
	uint8_t data[34] = {0, 32, 0x0e /* complete */, 1, 1, 1, 1, 0x20 /* for any use */};

	(void)device;
	if (req->cdb[1] & 7) {
		scsi_invalid_byte(req, true, 1);
		return;
	}
	scsi_reply(req, data, sizeof(data), be16_at(req->cdb + 7));
}

void scsi_read_track_information(struct scsi_device *device, struct scsi_request *req)
{
	uint8_t data[36] = {0, 34, 1, 1, 0, 0x04 /* data */, 0x01 /* mode 1 */};
	uint32_t what = be32_at(req->cdb + 2);
	bool found;

	/* By block, by track, by session. */
	switch (req->cdb[1] & 3) {
	case 0:
		found = what < scsi_blocks(device);
		break;
	case 1:
	case 2:
		found = what == 1;
		break;
	default:
		found = false;
	}
	if (!found) {
		scsi_invalid_byte(req, true, 2);
		return;
	}
	put_be32(data + 24, sectors(device));
	scsi_reply(req, data, sizeof(data), be16_at(req->cdb + 7));
}

/* --- READ DISC STRUCTURE. -------------------------------------------------------------------- */

/* DVD-ROM of one layer, 120 mm. */
static size_t physical_format(const struct scsi_device *device, uint8_t *p)
{
	p[0] = 0x01; /* DVD-ROM, version 1 */
	p[1] = 0x0f; /* any rate */
	p[2] = 0x01; /* one layer, read only */
	put_be32(p + 4, 0x030000);
	put_be32(p + 8, 0x030000 + sectors(device) - 1);
	return 2048;
}

void scsi_read_disc_structure(struct scsi_device *device, struct scsi_request *req)
{
	/* Which there are, as 0xff tells: code, readable, length. */
	static const uint8_t formats[] = {0x00, 0x40, 0x08, 0x04, 0x01, 0x40, 0x00, 0x08,
					  0x04, 0x40, 0x08, 0x04, 0xff, 0x40, 0x00, 0x14};
	uint8_t data[4 + 2048] = {0};
	size_t len;

	if (profile(device) != PROFILE_DVD) {
		scsi_check(req, SCSI_ILLEGAL_REQUEST, SCSI_ASC_INCOMPATIBLE_MEDIUM);
		return;
	}
	if (req->cdb[1] & 0xf || req->cdb[6]) {
		scsi_invalid_byte(req, true, req->cdb[6] ? 6 : 1);
		return;
	}
	switch (req->cdb[7]) {
	case 0x00:
		len = physical_format(device, data + 4);
		break;
	case 0x01: /* not protected */
		len = 4;
		break;
	case 0x04: /* by nobody */
		len = 2048;
		break;
	case 0xff:
		memcpy(data + 4, formats, sizeof(formats));
		len = sizeof(formats);
		break;
	default:
		scsi_invalid_byte(req, true, 7);
		return;
	}
	put_be16(data, (uint16_t)(len + 2));
	scsi_reply(req, data, 4 + len, be16_at(req->cdb + 8));
}
