// SPDX-License-Identifier: MIT
/*
 * MODE SENSE and MODE SELECT (SPC-4 6.11, 6.9) with the pages on caching and control, and a DVD
 * drive's on what it can do. State is the unit's: whether the write cache is on, which the guest
 * can change; without it every write is durable before it is answered.
 */
#include "devices/scsi_internal.h"

#define HEADER_6      4u
#define HEADER_10     8u
#define MODE_DATA_MAX 128u
#define CACHING_SIZE  20u
#define CONTROL_SIZE  12u
#define CAPABLE_SIZE  22u
#define WCE           0x04u
#define ALL_SUBPAGES  0xffu

enum control { CURRENT, CHANGEABLE, DEFAULT, SAVED };

struct mode_data {
	uint8_t bytes[MODE_DATA_MAX];
	size_t len;
};

static void page_caching(const struct scsi_device *device, enum control control, uint8_t *p)
{
	p[0] = SCSI_MODE_CACHING;
	p[1] = CACHING_SIZE - 2;
	if (control == CHANGEABLE || control == DEFAULT || device->write_cache)
		p[2] = WCE;
}

static void page_control(const struct scsi_device *device, enum control control, uint8_t *p)
{
	(void)device;
	p[0] = SCSI_MODE_CONTROL;
	p[1] = CONTROL_SIZE - 2;
	if (control == CHANGEABLE)
		return;
	p[3] = 0x10;                 /* unrestricted reordering */
	put_be16(p + 8, UINT16_MAX); /* busy for as long as it takes */
}

static void page_capabilities(const struct scsi_device *device, enum control control, uint8_t *p)
{
	p[0] = SCSI_MODE_CAPABILITIES;
	p[1] = CAPABLE_SIZE - 2;
	if (control == CHANGEABLE)
		return;
	p[2] = 0x3b; /* reads CD-R, CD-RW, method 2, DVD-ROM, DVD-R */
	p[4] = 0x70; /* mode 2, multi-session */
	/* Tray; ejects, and can be locked. */
	p[6] = (uint8_t)(0x29 | (device->locked ? 0x02 : 0));
	put_be16(p + 8, 11080); /* KB/s, as 8x DVD */
	put_be16(p + 12, 64);   /* KiB of buffer */
	put_be16(p + 14, 11080);
}

struct mode_page {
	uint8_t code, type, size;
	void (*fill)(const struct scsi_device *device, enum control control, uint8_t *p);
};

static const struct mode_page pages[] = {
	{SCSI_MODE_CACHING, SCSI_TYPE_DISK, CACHING_SIZE, page_caching},
	{SCSI_MODE_CONTROL, SCSI_TYPE_DISK, CONTROL_SIZE, page_control},
	{SCSI_MODE_CONTROL, SCSI_TYPE_CD_DVD, CONTROL_SIZE, page_control},
	{SCSI_MODE_CAPABILITIES, SCSI_TYPE_CD_DVD, CAPABLE_SIZE, page_capabilities},
};

/* --- MODE SENSE. ----------------------------------------------------------------------------- */

static uint8_t device_specific(const struct scsi_device *device)
{
	if (device->type != SCSI_TYPE_DISK)
		return 0;
	return (uint8_t)(SCSI_MODE_DPOFUA | (device->block->info.read_only ? SCSI_MODE_WP : 0));
}

static void block_descriptor(const struct scsi_device *device, bool ten, bool long_lba,
			     struct mode_data *data)
{
	uint8_t *p = data->bytes + data->len;
	uint64_t blocks = scsi_blocks(device);

	if (long_lba) {
		put_be64(p, blocks);
		put_be32(p + 12, 1u << device->shift);
	} else {
		put_be32(p, (uint32_t)min_of(blocks, (uint64_t)UINT32_MAX));
		put_be32(p + 4, 1u << device->shift);
	}
	data->len += long_lba ? 16 : 8;
	if (ten) {
		data->bytes[4] = long_lba;
		data->bytes[7] = long_lba ? 16 : 8;
	} else {
		data->bytes[3] = 8;
	}
}

void scsi_mode_sense(struct scsi_device *device, struct scsi_request *req)
{
	bool ten = req->cdb[0] == SCSI_MODE_SENSE_10;
	enum control control = (enum control)(req->cdb[2] >> 6);
	uint8_t code = req->cdb[2] & 0x3f, subpage = req->cdb[3];
	struct mode_data data = {.len = ten ? HEADER_10 : HEADER_6};
	bool found = false;

	if (control == SAVED) {
		scsi_check(req, SCSI_ILLEGAL_REQUEST, SCSI_ASC_SAVING_PARAMETERS_UNSUPPORTED);
		return;
	}
	if (subpage && subpage != ALL_SUBPAGES) {
		scsi_invalid_byte(req, true, 3);
		return;
	}
	data.bytes[ten ? 3 : 2] = device_specific(device);
	if (!(req->cdb[1] & 0x08) && device->type == SCSI_TYPE_DISK)
		block_descriptor(device, ten, ten && (req->cdb[1] & 0x10), &data);
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		if (pages[i].type != device->type ||
		    (code != SCSI_MODE_ALL && code != pages[i].code))
			continue;
		pages[i].fill(device, control, data.bytes + data.len);
		data.len += pages[i].size;
		found = true;
	}
	if (!found) {
		scsi_invalid_byte(req, true, 2);
		return;
	}
	if (ten)
		put_be16(data.bytes, (uint16_t)(data.len - 2));
	else
		data.bytes[0] = (uint8_t)(data.len - 1);
	scsi_reply(req, data.bytes, data.len, ten ? be16_at(req->cdb + 7) : req->cdb[4]);
}

/* --- MODE SELECT. ---------------------------------------------------------------------------- */

/*
 * Compares a page with what it is and what of it may change. Returns the first byte that is wrong,
 * or the page's size.
 */
static size_t check_page(const struct scsi_device *device, const struct mode_page *page,
			 const uint8_t *p)
{
	uint8_t now[MODE_DATA_MAX] = {0}, change[MODE_DATA_MAX] = {0};

	page->fill(device, CURRENT, now);
	page->fill(device, CHANGEABLE, change);
	for (size_t i = 2; i < page->size; i++)
		if ((p[i] ^ now[i]) & ~change[i])
			return i;
	return page->size;
}

static const struct mode_page *find_page(const struct scsi_device *device, uint8_t code)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++)
		if (pages[i].type == device->type && pages[i].code == code)
			return &pages[i];
	return NULL;
}

/* All are good before any takes effect. 0, or the byte that is wrong; SIZE_MAX: their length. */
static size_t check_pages(const struct scsi_device *device, const uint8_t *data, size_t at,
			  size_t len, bool *cache)
{
	while (at < len) {
		const struct mode_page *page;
		size_t bad;

		if (len - at < 2)
			return SIZE_MAX;
		page = find_page(device, data[at] & 0x3f);
		if (!page || data[at] & 0x40)
			return at;
		if (data[at + 1] != page->size - 2)
			return at + 1;
		if (len - at < page->size)
			return SIZE_MAX;
		bad = check_page(device, page, data + at);
		if (bad < page->size)
			return at + bad;
		if (page->code == SCSI_MODE_CACHING)
			*cache = data[at + 2] & WCE;
		at += page->size;
	}
	return 0;
}

static void set_write_cache(struct scsi_device *device, struct scsi_request *req, bool on)
{
	uint32_t mine;

	if (device->write_cache == on)
		return;
	device->write_cache = on;
	/* Everybody is told but who has done it. */
	mine = scsi_nexus(device, req->nexus)->attentions;
	scsi_attention(device, SCSI_ATTENTION_MODE);
	scsi_nexus(device, req->nexus)->attentions = mine;
}

static bool flushed(struct scsi_request *req, int result)
{
	if (!req->phase) {
		req->phase = true;
		req->block.op = BLOCK_FLUSH;
		req->block.offset = 0;
		req->block.len = 0;
		scsi_issue(req);
		return true;
	}
	scsi_finish_result(req, result);
	return false;
}

void scsi_mode_select(struct scsi_device *device, struct scsi_request *req)
{
	bool ten = req->cdb[0] == SCSI_MODE_SELECT_10, cache = device->write_cache, was = cache;
	size_t len = ten ? be16_at(req->cdb + 7) : req->cdb[4];
	size_t at = ten ? HEADER_10 : HEADER_6, bad;
	uint8_t data[MODE_DATA_MAX];

	/* Pages have the format of the standard, and are not saved. */
	if ((req->cdb[1] & 0x11) != 0x10) {
		scsi_invalid_byte(req, true, 1);
		return;
	}
	if (!len) {
		scsi_good(req);
		return;
	}
	if (len > sizeof(data) || len < at) {
		scsi_check(req, SCSI_ILLEGAL_REQUEST, SCSI_ASC_PARAMETER_LIST_LENGTH_ERROR);
		return;
	}
	if (!scsi_parameters(req, 0, data, len))
		return;
	/* The block descriptors do not change anything: sizes are what they are. */
	at += ten ? be16_at(data + 6) : data[3];
	bad = at > len ? SIZE_MAX : check_pages(device, data, at, len, &cache);
	if (bad == SIZE_MAX) {
		scsi_check(req, SCSI_ILLEGAL_REQUEST, SCSI_ASC_PARAMETER_LIST_LENGTH_ERROR);
		return;
	}
	if (bad) {
		scsi_invalid_byte(req, false, (uint16_t)bad);
		return;
	}
	set_write_cache(device, req, cache);
	req->transferred = (uint32_t)len;
	/* What the cache holds is not of its time any more. */
	if (was && !cache) {
		req->phase = false;
		scsi_steps(req, flushed);
		return;
	}
	scsi_good(req);
}
