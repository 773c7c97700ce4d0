// SPDX-License-Identifier: MIT
/*
 * A disk: its commands, and what it says of its size (SBC-3). State is the unit's.
 */
#include "devices/scsi_internal.h"

void scsi_read_capacity(struct scsi_device *device, struct scsi_request *req)
{
	uint64_t last = scsi_blocks(device) ? scsi_blocks(device) - 1 : 0;
	uint8_t data[32] = {0};

	if (req->cdb[0] == SCSI_READ_CAPACITY_10) {
		put_be32(data, (uint32_t)min_of(last, (uint64_t)UINT32_MAX));
		put_be32(data + 4, 1u << device->shift);
		scsi_reply(req, data, 8, 8);
		return;
	}
	put_be64(data, last);
	put_be32(data + 8, 1u << device->shift);
	data[13] = (uint8_t)device->physical;
	/*
	 * Provisioned, but what is unmapped may read as before: zeroes are certain only where they
	 * were asked for, by WRITE SAME.
	 */
	if (device->type == SCSI_TYPE_DISK && device->block->info.unmap &&
	    !device->block->info.read_only)
		data[14] = 0x80;
	scsi_reply(req, data, sizeof(data), be32_at(req->cdb + 10));
}

/* A disk that is stopped has its cache written. It runs again by itself. */
static void start_stop(struct scsi_device *device, struct scsi_request *req)
{
	if (req->cdb[4] & 0xf0 || req->cdb[4] & 0x01)
		scsi_good(req);
	else
		scsi_flush(device, req);
}

static void send_diagnostic(struct scsi_device *device, struct scsi_request *req)
{
	(void)device;
	/* The default self-test, which has nothing to find; no pages. */
	if (req->cdb[1] & 0xf3 || be16_at(req->cdb + 3))
		scsi_invalid_byte(req, true, 1);
	else
		scsi_good(req);
}

#define NO_SA SCSI_NO_SERVICE
/* Access, unattended, medium. */
#define ALWAYS    SCSI_ACCESS_ALWAYS, false, false
#define ALOOF     SCSI_ACCESS_ALWAYS, true, false
#define FOR_READ  SCSI_ACCESS_READ, false, false
#define FOR_WRITE SCSI_ACCESS_WRITE, false, false

/* clang-format would make a line of each byte. */
// clang-format off
static const struct scsi_command commands[] = {
	{SCSI_TEST_UNIT_READY, NO_SA, ALWAYS, SCSI_KIND_OTHER, scsi_test_unit_ready,
	 {0x00, 0, 0, 0, 0, 0x04}},
	{SCSI_REQUEST_SENSE, NO_SA, ALOOF, SCSI_KIND_OTHER, scsi_request_sense,
	 {0x03, 0x01, 0, 0, 0xff, 0x04}},
	{SCSI_READ_6, NO_SA, FOR_READ, SCSI_KIND_READ, scsi_read_write,
	 {0x08, 0x1f, 0xff, 0xff, 0xff, 0x04}},
	{SCSI_WRITE_6, NO_SA, FOR_WRITE, SCSI_KIND_WRITE, scsi_read_write,
	 {0x0a, 0x1f, 0xff, 0xff, 0xff, 0x04}},
	{SCSI_INQUIRY, NO_SA, ALOOF, SCSI_KIND_OTHER, scsi_inquiry,
	 {0x12, 0x01, 0xff, 0xff, 0xff, 0x04}},
	{SCSI_MODE_SELECT_6, NO_SA, FOR_WRITE, SCSI_KIND_OTHER, scsi_mode_select,
	 {0x15, 0x11, 0, 0, 0xff, 0x04}},
	{SCSI_RESERVE_6, NO_SA, ALWAYS, SCSI_KIND_OTHER, scsi_reserve,
	 {0x16, 0, 0, 0, 0, 0x04}},
	{SCSI_RELEASE_6, NO_SA, ALWAYS, SCSI_KIND_OTHER, scsi_release,
	 {0x17, 0, 0, 0, 0, 0x04}},
	{SCSI_MODE_SENSE_6, NO_SA, FOR_READ, SCSI_KIND_OTHER, scsi_mode_sense,
	 {0x1a, 0x08, 0xff, 0xff, 0xff, 0x04}},
	{SCSI_START_STOP_UNIT, NO_SA, FOR_WRITE, SCSI_KIND_FLUSH, start_stop,
	 {0x1b, 0x01, 0, 0x0f, 0xf7, 0x04}},
	{SCSI_SEND_DIAGNOSTIC, NO_SA, FOR_WRITE, SCSI_KIND_OTHER, send_diagnostic,
	 {0x1d, 0x04, 0, 0, 0, 0x04}},
	{SCSI_PREVENT_ALLOW_REMOVAL, NO_SA, ALWAYS, SCSI_KIND_OTHER, scsi_test_unit_ready,
	 {0x1e, 0, 0, 0, 0x03, 0x04}},
	{SCSI_READ_CAPACITY_10, NO_SA, ALWAYS, SCSI_KIND_OTHER, scsi_read_capacity,
	 {0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0x04}},
	{SCSI_READ_10, NO_SA, FOR_READ, SCSI_KIND_READ, scsi_read_write,
	 {0x28, 0x18, 0xff, 0xff, 0xff, 0xff, 0x1f, 0xff, 0xff, 0x04}},
	{SCSI_WRITE_10, NO_SA, FOR_WRITE, SCSI_KIND_WRITE, scsi_read_write,
	 {0x2a, 0x18, 0xff, 0xff, 0xff, 0xff, 0x1f, 0xff, 0xff, 0x04}},
	{SCSI_WRITE_AND_VERIFY_10, NO_SA, FOR_WRITE, SCSI_KIND_WRITE, scsi_write_verify,
	 {0x2e, 0x16, 0xff, 0xff, 0xff, 0xff, 0x1f, 0xff, 0xff, 0x04}},
	{SCSI_VERIFY_10, NO_SA, FOR_READ, SCSI_KIND_OTHER, scsi_verify,
	 {0x2f, 0x16, 0xff, 0xff, 0xff, 0xff, 0x1f, 0xff, 0xff, 0x04}},
	{SCSI_SYNCHRONIZE_CACHE_10, NO_SA, FOR_WRITE, SCSI_KIND_FLUSH, scsi_flush,
	 {0x35, 0x02, 0xff, 0xff, 0xff, 0xff, 0x1f, 0xff, 0xff, 0x04}},
	{SCSI_WRITE_SAME_10, NO_SA, FOR_WRITE, SCSI_KIND_UNMAP, scsi_write_same,
	 {0x41, 0x08, 0xff, 0xff, 0xff, 0xff, 0x1f, 0xff, 0xff, 0x04}},
	{SCSI_UNMAP, NO_SA, FOR_WRITE, SCSI_KIND_UNMAP, scsi_unmap,
	 {0x42, 0, 0, 0, 0, 0, 0x1f, 0xff, 0xff, 0x04}},
	{SCSI_MODE_SELECT_10, NO_SA, FOR_WRITE, SCSI_KIND_OTHER, scsi_mode_select,
	 {0x55, 0x11, 0, 0, 0, 0, 0, 0xff, 0xff, 0x04}},
	{SCSI_RESERVE_10, NO_SA, ALWAYS, SCSI_KIND_OTHER, scsi_reserve,
	 {0x56, 0, 0, 0, 0, 0, 0, 0, 0, 0x04}},
	{SCSI_RELEASE_10, NO_SA, ALWAYS, SCSI_KIND_OTHER, scsi_release,
	 {0x57, 0, 0, 0, 0, 0, 0, 0, 0, 0x04}},
	{SCSI_MODE_SENSE_10, NO_SA, FOR_READ, SCSI_KIND_OTHER, scsi_mode_sense,
	 {0x5a, 0x18, 0xff, 0xff, 0, 0, 0, 0xff, 0xff, 0x04}},
	{SCSI_PERSISTENT_RESERVE_IN, SCSI_PR_READ_KEYS, ALWAYS, SCSI_KIND_OTHER,
	 scsi_persistent_in, {0x5e, 0x00, 0, 0, 0, 0, 0, 0xff, 0xff, 0x04}},
	{SCSI_PERSISTENT_RESERVE_IN, SCSI_PR_READ_RESERVATION, ALWAYS, SCSI_KIND_OTHER,
	 scsi_persistent_in, {0x5e, 0x01, 0, 0, 0, 0, 0, 0xff, 0xff, 0x04}},
	{SCSI_PERSISTENT_RESERVE_IN, SCSI_PR_REPORT_CAPABILITIES, ALWAYS, SCSI_KIND_OTHER,
	 scsi_persistent_in, {0x5e, 0x02, 0, 0, 0, 0, 0, 0xff, 0xff, 0x04}},
	{SCSI_PERSISTENT_RESERVE_IN, SCSI_PR_READ_FULL_STATUS, ALWAYS, SCSI_KIND_OTHER,
	 scsi_persistent_in, {0x5e, 0x03, 0, 0, 0, 0, 0, 0xff, 0xff, 0x04}},
	{SCSI_PERSISTENT_RESERVE_OUT, SCSI_PR_REGISTER, ALWAYS, SCSI_KIND_OTHER,
	 scsi_persistent_out, {0x5f, 0x00, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x04}},
	{SCSI_PERSISTENT_RESERVE_OUT, SCSI_PR_RESERVE, ALWAYS, SCSI_KIND_OTHER,
	 scsi_persistent_out, {0x5f, 0x01, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x04}},
	{SCSI_PERSISTENT_RESERVE_OUT, SCSI_PR_RELEASE, ALWAYS, SCSI_KIND_OTHER,
	 scsi_persistent_out, {0x5f, 0x02, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x04}},
	{SCSI_PERSISTENT_RESERVE_OUT, SCSI_PR_CLEAR, ALWAYS, SCSI_KIND_OTHER,
	 scsi_persistent_out, {0x5f, 0x03, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x04}},
	{SCSI_PERSISTENT_RESERVE_OUT, SCSI_PR_PREEMPT, ALWAYS, SCSI_KIND_OTHER,
	 scsi_persistent_out, {0x5f, 0x04, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x04}},
	{SCSI_PERSISTENT_RESERVE_OUT, SCSI_PR_PREEMPT_AND_ABORT, ALWAYS, SCSI_KIND_OTHER,
	 scsi_persistent_out, {0x5f, 0x05, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x04}},
	{SCSI_PERSISTENT_RESERVE_OUT, SCSI_PR_REGISTER_AND_IGNORE, ALWAYS, SCSI_KIND_OTHER,
	 scsi_persistent_out, {0x5f, 0x06, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x04}},
	{SCSI_READ_16, NO_SA, FOR_READ, SCSI_KIND_READ, scsi_read_write,
	 {0x88, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f,
	  0x04}},
	{SCSI_WRITE_16, NO_SA, FOR_WRITE, SCSI_KIND_WRITE, scsi_read_write,
	 {0x8a, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f,
	  0x04}},
	{SCSI_WRITE_AND_VERIFY_16, NO_SA, FOR_WRITE, SCSI_KIND_WRITE, scsi_write_verify,
	 {0x8e, 0x16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f,
	  0x04}},
	{SCSI_VERIFY_16, NO_SA, FOR_READ, SCSI_KIND_OTHER, scsi_verify,
	 {0x8f, 0x16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f,
	  0x04}},
	{SCSI_SYNCHRONIZE_CACHE_16, NO_SA, FOR_WRITE, SCSI_KIND_FLUSH, scsi_flush,
	 {0x91, 0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f,
	  0x04}},
	{SCSI_WRITE_SAME_16, NO_SA, FOR_WRITE, SCSI_KIND_UNMAP, scsi_write_same,
	 {0x93, 0x09, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f,
	  0x04}},
	{SCSI_SERVICE_ACTION_IN_16, SCSI_SA_READ_CAPACITY_16, ALWAYS, SCSI_KIND_OTHER,
	 scsi_read_capacity,
	 {0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0x04}},
	{SCSI_SERVICE_ACTION_IN_16, SCSI_SA_GET_LBA_STATUS, FOR_READ, SCSI_KIND_OTHER,
	 scsi_get_lba_status,
	 {0x9e, 0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,
	  0x04}},
	{SCSI_MAINTENANCE_IN, SCSI_SA_REPORT_OPCODES, ALWAYS, SCSI_KIND_OTHER, scsi_report_opcodes,
	 {0xa3, 0x0c, 0x87, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0x04}},
	{SCSI_MAINTENANCE_IN, SCSI_SA_REPORT_TASK_FUNCTIONS, ALWAYS, SCSI_KIND_OTHER,
	 scsi_report_task_functions,
	 {0xa3, 0x0d, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0x04}},
	{SCSI_READ_12, NO_SA, FOR_READ, SCSI_KIND_READ, scsi_read_write,
	 {0xa8, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0x04}},
	{SCSI_WRITE_12, NO_SA, FOR_WRITE, SCSI_KIND_WRITE, scsi_read_write,
	 {0xaa, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0x04}},
	{SCSI_WRITE_AND_VERIFY_12, NO_SA, FOR_WRITE, SCSI_KIND_WRITE, scsi_write_verify,
	 {0xae, 0x16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0x04}},
	{SCSI_VERIFY_12, NO_SA, FOR_READ, SCSI_KIND_OTHER, scsi_verify,
	 {0xaf, 0x16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0x04}},
};
// clang-format on

static bool power_of_two(uint32_t n)
{
	return n && (n & (n - 1)) == 0;
}

int scsi_disk_create(const struct scsi_config *config, struct error *err, struct scsi_device **ret)
{
	const struct block_info *info = &config->block->info;
	struct scsi_device *device;
	int r;

	if ((info->logical_sector != 512 && info->logical_sector != 4096) ||
	    !power_of_two(info->physical_sector) || info->physical_sector < info->logical_sector ||
	    info->physical_sector / info->logical_sector > 1u << 15)
		return error_set(err, -EINVAL,
				 "disk %s: sectors of %u bytes, %u physical: use 512 or 4096",
				 config->block->name, info->logical_sector, info->physical_sector);
	if (!info->size || info->size % info->logical_sector)
		return error_set(err, -EINVAL, "disk %s: %llu bytes are no whole sectors",
				 config->block->name, (unsigned long long)info->size);
	r = scsi_create(config, SCSI_TYPE_DISK, commands, ARRAY_SIZE(commands), err, &device);
	if (r)
		return r;
	device->shift = (unsigned int)__builtin_ctz(info->logical_sector);
	device->physical = (unsigned int)__builtin_ctz(info->physical_sector) - device->shift;
	*ret = device;
	return 0;
}
