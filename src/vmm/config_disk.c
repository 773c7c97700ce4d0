// SPDX-License-Identifier: MIT
/*
 * The settings of one disk, a row each, and where on the bus a disk is. Constant data; any thread.
 */
#include "vmm/config.h"
#include "vmm/config_table.h"

#define DISK struct config_disk

static const char *const type_names[] = {
	[CONFIG_DISK_DISK] = "disk",
	[CONFIG_DISK_DVD] = "dvd",
	NULL,
};

static const char *const format_names[] = {
	[CONFIG_DISK_FORMAT_AUTO] = "auto",
	[CONFIG_DISK_FORMAT_RAW] = "raw",
	[CONFIG_DISK_FORMAT_VHD] = "vhd",
	[CONFIG_DISK_FORMAT_VHDX] = "vhdx",
	NULL,
};

static const char *const cache_names[] = {
	[CONFIG_DISK_CACHE_NONE] = "none",
	[CONFIG_DISK_CACHE_WRITEBACK] = "writeback",
	[CONFIG_DISK_CACHE_UNSAFE] = "unsafe",
	NULL,
};

static const char *const on_error_names[] = {
	[CONFIG_DISK_ERROR_REPORT] = "report",
	[CONFIG_DISK_ERROR_PAUSE] = "pause",
	NULL,
};

static const struct config_row rows[] = {
	{
		.key = "path",
		CONFIG_AT_PATH(DISK, path),
		.required = true,
		.help = "the image file, or a block device",
	},
	{
		.key = "type",
		CONFIG_AT_ENUM(DISK, type, config_disk_type),
		.names = type_names,
		.preset = "disk",
		.help = "what the guest sees; a dvd is read-only, and its image an ISO 9660 one",
	},
	{
		.key = "format",
		CONFIG_AT_ENUM(DISK, format, config_disk_format),
		.names = format_names,
		.preset = "auto",
		.help = "of the image; auto goes by the name: .vhdx, .vhd, and all others are raw; "
			"contents that say otherwise are refused",
	},
	{
		.key = "read-only",
		CONFIG_AT_BOOL(DISK, read_only),
		.preset = "false",
		.help = "the guest cannot write, and several VMs may share the image",
	},
	{
		.key = "ephemeral",
		CONFIG_AT_BOOL(DISK, ephemeral),
		.preset = "false",
		.help = "what the guest writes is thrown away in the end, and the image stays as "
			"it is",
	},
	{
		.key = "cache",
		CONFIG_AT_ENUM(DISK, cache, config_disk_cache),
		.names = cache_names,
		.preset = "none",
		.help = "none goes around the host's page cache where the file system can do that, "
			"writeback through it; unsafe is writeback without flushes: a crash of the "
			"host can ruin the image",
	},
	{
		.key = "on-error",
		CONFIG_AT_ENUM(DISK, on_error, config_disk_on_error),
		.names = on_error_names,
		.preset = "report",
		.help = "when the host has no space left: report tells the guest, pause pauses the "
			"VM until it is resumed, and tries again then",
	},
	{
		.key = "sector-size",
		CONFIG_AT_UINT(DISK, sector_size),
		.min = 512,
		.max = 4096,
		.unset = "what the image says, and 512 for a raw one",
		.help = "logical sector of a raw image: 512 or 4096",
	},
	{
		.key = "iops",
		CONFIG_AT_UINT(DISK, iops),
		.max = UINT32_MAX - 1,
		.preset = "0",
		.help = "requests a second at most; 0 is no limit",
	},
	{
		.key = "iops-burst",
		CONFIG_AT_UINT(DISK, iops_burst),
		.max = UINT32_MAX - 1,
		.preset = "0",
		.help = "requests that may come at once after a pause; 0 is a tenth of iops",
	},
	{
		.key = "bandwidth",
		CONFIG_AT_SIZE(DISK, bandwidth),
		.max = GiB(1024),
		.preset = "0",
		.help = "bytes a second at most; 0 is no limit",
	},
	{
		.key = "bandwidth-burst",
		CONFIG_AT_SIZE(DISK, bandwidth_burst),
		.max = GiB(1024),
		.preset = "0",
		.help = "bytes that may come at once after a pause; 0 is a tenth of bandwidth",
	},
	{
		.key = "controller",
		CONFIG_AT_UINT(DISK, controller),
		.max = CONFIG_DISK_CONTROLLERS - 1,
		.preset = "0",
		.help = "SCSI controller that it is on",
	},
	{
		.key = "lun",
		CONFIG_AT_UINT(DISK, lun),
		.max = CONFIG_DISK_LUNS - 1,
		.unset = "the first that is free",
		.help = "its number on that controller",
	},
};

const struct config_table config_disk_table = {
	.rows = rows,
	.row_count = ARRAY_SIZE(rows),
	.size = sizeof(struct config_disk),
	.syntax = CONFIG_ITEM_KEYS,
};

uint32_t config_disk_lun(const struct vm_config *config, size_t index)
{
	const struct config_disk *disk = &config->disks[index];
	uint64_t used = 0;
	size_t i;

	if (disk->lun != CONFIG_UINT_UNSET)
		return disk->lun;
	for (i = 0; i < config->disk_count; i++) {
		const struct config_disk *other = &config->disks[i];

		if (other->controller == disk->controller && other->lun != CONFIG_UINT_UNSET)
			used |= 1ull << other->lun;
	}
	/* Those before it that said nothing have the first free ones, in their order. */
	for (i = 0; i < index && ~used; i++) {
		const struct config_disk *other = &config->disks[i];

		if (other->controller == disk->controller && other->lun == CONFIG_UINT_UNSET)
			used |= ~used & -~used;
	}
	return ~used ? (uint32_t)__builtin_ctzll(~used) : CONFIG_UINT_UNSET;
}
