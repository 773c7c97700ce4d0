// SPDX-License-Identifier: MIT
/*
 * Who and what a unit is: INQUIRY (SPC-4 6.6) with vital product data, and REPORT LUNS (SPC-4
 * 6.33).
 *
 * Vendor and product are Hyper-V's, and the version is the one that it claims: guests know these
 * units by them. Linux takes the pages on provisioning and unmapping from a unit of version SPC-3
 * only because of that.
 */
#include "devices/scsi_internal.h"

#define VPD_HEADER 4u
#define VPD_MAX    64u
#define NAMES_SIZE 28u

#define ID_BINARY     0x01u
#define ID_T10_VENDOR 0x01u
#define ID_NAA        0x03u

struct page {
	uint8_t data[VPD_HEADER + VPD_MAX];
	size_t len;
};

static void add(struct page *page, const void *data, size_t len)
{
	memcpy(page->data + page->len, data, len);
	page->len += len;
}

/* --- Vital product data. --------------------------------------------------------------------- */

static bool provisioned(const struct scsi_device *device)
{
	return device->type == SCSI_TYPE_DISK && device->block->info.unmap &&
	       !device->block->info.read_only;
}

static bool vpd_supported(const struct scsi_device *device, struct page *page)
{
	static const uint8_t all[] = {SCSI_VPD_SUPPORTED_PAGES, SCSI_VPD_SERIAL_NUMBER,
				      SCSI_VPD_DEVICE_ID};
	static const uint8_t disk[] = {SCSI_VPD_BLOCK_LIMITS, SCSI_VPD_CHARACTERISTICS,
				       SCSI_VPD_PROVISIONING};

	add(page, all, sizeof(all));
	if (device->type == SCSI_TYPE_DISK)
		add(page, disk, sizeof(disk));
	return true;
}

static bool vpd_serial(const struct scsi_device *device, struct page *page)
{
	add(page, device->serial, strlen(device->serial));
	return true;
}

static bool vpd_device_id(const struct scsi_device *device, struct page *page)
{
	/*
	 * As Hyper-V names its disks: the vendor with the id of the image, and an IEEE registered
	 * extended name of the same vendor's from the ends of it, which are its most random bytes.
	 */
	const uint8_t t10[] = {ID_BINARY, ID_T10_VENDOR, 0, 8 + 16};
	const uint8_t naa[] = {ID_BINARY, ID_NAA, 0, 16, 0x60, 0x02, 0x24, 0x80};

	add(page, t10, sizeof(t10));
	add(page, "Msft    ", 8);
	add(page, device->id, 16);
	add(page, naa, sizeof(naa));
	add(page, device->id, 6);
	add(page, device->id + 10, 6);
	return true;
}

static bool vpd_block_limits(const struct scsi_device *device, struct page *page)
{
	uint8_t *p = page->data;

	if (device->type != SCSI_TYPE_DISK)
		return false;
	p[4] = 1; /* WSNZ: WRITE SAME of no blocks is refused */
	put_be16(p + 6, (uint16_t)(1u << device->physical));
	put_be32(p + 8, (uint32_t)(SCSI_TRANSFER_MAX >> device->shift));
	if (provisioned(device)) {
		uint32_t granularity = device->block->info.unmap_granularity >> device->shift;

		put_be32(p + 20, UINT32_MAX);
		put_be32(p + 24, SCSI_UNMAP_MAX);
		put_be32(p + 28, granularity ? granularity : 1);
		put_be32(p + 32, 1u << 31); /* the alignment, 0, is valid */
	}
	put_be64(p + 36, SCSI_SAME_MAX >> device->shift);
	page->len = VPD_HEADER + 60;
	return true;
}

static bool vpd_characteristics(const struct scsi_device *device, struct page *page)
{
	if (device->type != SCSI_TYPE_DISK)
		return false;
	put_be16(page->data + 4, 1); /* nothing rotates */
	page->len = VPD_HEADER + 60;
	return true;
}

static bool vpd_provisioning(const struct scsi_device *device, struct page *page)
{
	if (device->type != SCSI_TYPE_DISK)
		return false;
	if (provisioned(device)) {
		page->data[5] = 0xe0; /* UNMAP, WRITE SAME (16) and (10) with the UNMAP bit */
		page->data[6] = 2;    /* thin */
	}
	page->len = VPD_HEADER + 4;
	return true;
}

static const struct {
	uint8_t code;
	bool (*fill)(const struct scsi_device *device, struct page *page);
} pages[] = {
	{SCSI_VPD_SUPPORTED_PAGES, vpd_supported},
	{SCSI_VPD_SERIAL_NUMBER, vpd_serial},
	{SCSI_VPD_DEVICE_ID, vpd_device_id},
	{SCSI_VPD_BLOCK_LIMITS, vpd_block_limits},
	{SCSI_VPD_CHARACTERISTICS, vpd_characteristics},
	{SCSI_VPD_PROVISIONING, vpd_provisioning},
};

static void vital_product_data(struct scsi_device *device, struct scsi_request *req)
{
	struct page page = {.len = VPD_HEADER};

	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		if (pages[i].code != req->cdb[2])
			continue;
		if (!pages[i].fill(device, &page))
			break;
		page.data[0] = device->type;
		page.data[1] = req->cdb[2];
		put_be16(page.data + 2, (uint16_t)(page.len - VPD_HEADER));
		scsi_reply(req, page.data, page.len, be16_at(req->cdb + 3));
		return;
	}
	scsi_invalid_byte(req, true, 2);
}

/* --- Standard data. -------------------------------------------------------------------------- */

static void standard_data(uint8_t data[SCSI_INQUIRY_SIZE], uint8_t type)
{
	/* Vendor, product, revision. */
	static const char disk[NAMES_SIZE] = "Msft    Virtual Disk    1.0 ";
	static const char dvd[NAMES_SIZE] = "Msft    Virtual DVD-ROM 1.0 ";
	static const uint16_t versions[] = {0x00a0 /* SAM-5 */, 0x0300 /* SPC-3 */,
					    0x04c0 /* SBC-3 */};

	memset(data, 0, SCSI_INQUIRY_SIZE);
	data[0] = type;
	data[1] = type == SCSI_TYPE_CD_DVD ? 0x80 : 0; /* removable */
	data[2] = SCSI_VERSION_SPC_3;
	data[3] = 0x02; /* format of this */
	data[4] = SCSI_INQUIRY_SIZE - 5;
	data[7] = 0x02; /* takes many commands at a time */
	memcpy(data + 8, type == SCSI_TYPE_CD_DVD ? dvd : disk, NAMES_SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(versions); i++)
		put_be16(data + 58 + 2ul * i, versions[i]);
}

void scsi_inquiry(struct scsi_device *device, struct scsi_request *req)
{
	uint8_t data[SCSI_INQUIRY_SIZE];

	if (req->cdb[1] & SCSI_INQUIRY_CMDDT) {
		scsi_invalid_byte(req, true, 1);
		return;
	}
	if (req->cdb[1] & SCSI_INQUIRY_EVPD) {
		vital_product_data(device, req);
		return;
	}
	if (req->cdb[2]) {
		scsi_invalid_byte(req, true, 2);
		return;
	}
	standard_data(data, device->type);
	scsi_reply(req, data, sizeof(data), be16_at(req->cdb + 3));
}

/* --- What is not there. ---------------------------------------------------------------------- */

bool scsi_submit_absent(struct scsi_request *req)
{
	uint8_t data[SCSI_INQUIRY_SIZE];

	req->device = NULL;
	req->sense_len = 0;
	req->transferred = 0;
	if (req->cdb[0] != SCSI_INQUIRY)
		return false;
	if (req->cdb[1] & (SCSI_INQUIRY_CMDDT | SCSI_INQUIRY_EVPD)) {
		scsi_invalid_byte(req, true, 1);
		return true;
	}
	standard_data(data, SCSI_TYPE_NOT_PRESENT);
	scsi_reply(req, data, sizeof(data), be16_at(req->cdb + 3));
	return true;
}

void scsi_report_luns(struct scsi_request *req, uint64_t luns)
{
	uint8_t data[8 + 64 * SCSI_LUN_SIZE] = {0};
	size_t len = 8;

	req->device = NULL;
	req->sense_len = 0;
	req->transferred = 0;
	/* All; well-known units, of which there are none; both. */
	if (req->cdb[2] > 2) {
		scsi_invalid_byte(req, true, 2);
		return;
	}
	if (req->cdb[2] == 1)
		luns = 0;
	for (; luns; luns &= luns - 1, len += SCSI_LUN_SIZE)
		data[len + 1] = (uint8_t)__builtin_ctzll(luns);
	put_be32(data, (uint32_t)(len - 8));
	scsi_reply(req, data, len, be32_at(req->cdb + 6));
}
