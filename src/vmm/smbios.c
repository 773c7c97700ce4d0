// SPDX-License-Identifier: MIT
/*
 * SMBIOS structures (DSP0134 3.0.0), found by guests through the scan of 0xf0000-0xfffff.
 *
 * What guests do with them: Linux applies its Hyper-V quirks (ata_piix leaves disks to storvsc,
 * i8042 probes less) when manufacturer and product are those of Hyper-V, and names the machine in
 * its log. We know of no guest that looks at the firmware's vendor, so that one is ours. The
 * chassis has no asset tag: by Azure's, cloud-init and others take a machine for one of Azure's and
 * wait for its metadata service.
 */
#include "vmm/acpi.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/checksum.h"
#include "vmm/layout.h"
#include "vmm/smbios_proto.h"

#define IMAGE_SIZE     (LAYOUT_SMBIOS_END - LAYOUT_SMBIOS)
#define ENTRY64_OFFSET 0x00 /* entry points stand on multiples of 16 */
#define ENTRY32_OFFSET 0x20
#define TABLE_OFFSET   0x40

/* Of the tables, as firmware; Linux judges how old a machine is by the year. */
#define FIRMWARE_VERSION "1.0"
#define FIRMWARE_DATE    "01/01/2026"

/* Handles, in the habit of counting by type. */
#define HANDLE_CHASSIS      0x0300
#define HANDLE_MEMORY_ARRAY 0x1000

struct image {
	uint8_t *buf;
	size_t used;
	bool overflow; /* sticky: from then on nothing is written */
	size_t structures;
	size_t longest;
	/* The structure being written: where it starts, and how many strings it has. */
	size_t start;
	uint8_t strings;
};

static void put_bytes(struct image *image, const void *data, size_t len)
{
	if (image->overflow || !range_within(image->used, len, IMAGE_SIZE)) {
		image->overflow = true;
		return;
	}
	memcpy(image->buf + image->used, data, len);
	image->used += len;
}

/* Adds the formatted part of a structure; its strings follow, then structure_end(). */
static void put_structure(struct image *image, uint8_t type, uint16_t handle, void *data,
			  uint8_t len)
{
	struct smbios_header *header = data;

	header->type = type;
	header->length = len;
	header->handle = handle;
	image->start = image->used;
	image->strings = 0;
	put_bytes(image, data, len);
}

/*
 * Adds string number @number of the structure. The empty string would end the set, so it must not
 * come here.
 */
static void put_string(struct image *image, uint8_t number, const char *text)
{
	assert(*text && number == image->strings + 1);
	image->strings = number;
	put_bytes(image, text, strlen(text) + 1);
}

static void structure_end(struct image *image)
{
	/* A set of strings ends with an empty one; an absent set is two zero bytes. */
	put_bytes(image, "\0", image->strings ? 1 : 2);
	image->structures++;
	image->longest = max_of(image->longest, image->used - image->start);
}

static void put_bios(struct image *image)
{
	struct smbios_bios bios = {
		.vendor_str = 1,
		.version_str = 2,
		.date_str = 3,
		.start_segment = LAYOUT_ACPI >> 4,
		.rom_size = (LAYOUT_SMBIOS_END - LAYOUT_ACPI) / KiB(64) - 1,
		.characteristics = SMBIOS_BIOS_NOT_SUPPORTED,
		.extension = {SMBIOS_BIOS_EXT0_ACPI, SMBIOS_BIOS_EXT1_VIRTUAL},
		.major_release = 1,
		.ec_major_release = 0xff,
		.ec_minor_release = 0xff,
	};

	put_structure(image, SMBIOS_BIOS, 0x0000, &bios, sizeof(bios));
	put_string(image, 1, "candela");
	put_string(image, 2, FIRMWARE_VERSION);
	put_string(image, 3, FIRMWARE_DATE);
	structure_end(image);
}

static const char *manufacturer(const struct smbios_config *config)
{
	return config->microsoft ? "Microsoft Corporation" : "candela";
}

static void put_system(struct image *image, const struct smbios_config *config)
{
	bool named = config->vm_name && *config->vm_name;
	struct smbios_system system = {
		.manufacturer_str = 1,
		.product_str = 2,
		.version_str = 3,
		.serial_str = named ? 4 : 0,
		.wake_up = SMBIOS_WAKE_UP_POWER_SWITCH,
	};

	if (config->uuid)
		memcpy(system.uuid, config->uuid, sizeof(system.uuid));
	put_structure(image, SMBIOS_SYSTEM, 0x0100, &system, sizeof(system));
	put_string(image, 1, manufacturer(config));
	put_string(image, 2, "Virtual Machine");
	put_string(image, 3, FIRMWARE_VERSION);
	if (named)
		put_string(image, 4, config->vm_name);
	structure_end(image);
}

static void put_board(struct image *image, const struct smbios_config *config)
{
	struct smbios_board board = {
		.manufacturer_str = 1,
		.product_str = 2,
		.features = SMBIOS_BOARD_HOSTING,
		.chassis = HANDLE_CHASSIS,
		.board_type = SMBIOS_BOARD_MOTHERBOARD,
	};

	put_structure(image, SMBIOS_BOARD, 0x0200, &board, sizeof(board));
	put_string(image, 1, manufacturer(config));
	put_string(image, 2, "Virtual Machine");
	structure_end(image);
}

static void put_chassis(struct image *image, const struct smbios_config *config)
{
	struct smbios_chassis chassis = {
		.manufacturer_str = 1,
		.type = SMBIOS_CHASSIS_OTHER,
		.boot_up_state = SMBIOS_CHASSIS_SAFE,
		.power_supply_state = SMBIOS_CHASSIS_SAFE,
		.thermal_state = SMBIOS_CHASSIS_SAFE,
		.security_status = SMBIOS_CHASSIS_UNKNOWN,
	};

	put_structure(image, SMBIOS_CHASSIS, HANDLE_CHASSIS, &chassis, sizeof(chassis));
	put_string(image, 1, manufacturer(config));
	structure_end(image);
}

/* One socket with all VPs as its cores: guests take the real topology from CPUID. */
static void put_processor(struct image *image, const struct smbios_config *config)
{
	uint16_t count = (uint16_t)min_of(config->cpus, 0xfffeu); /* 0xffff is reserved */
	uint8_t small = (uint8_t)min_of(config->cpus, 0xffu);
	struct smbios_processor processor = {
		.socket_str = 1,
		.type = SMBIOS_PROCESSOR_CENTRAL,
		.family = SMBIOS_PROCESSOR_OTHER,
		.manufacturer_str = 2,
		.status = SMBIOS_PROCESSOR_ENABLED,
		.upgrade = SMBIOS_PROCESSOR_OTHER,
		.l1_cache = SMBIOS_NO_HANDLE,
		.l2_cache = SMBIOS_NO_HANDLE,
		.l3_cache = SMBIOS_NO_HANDLE,
		.cores = small,
		.cores_enabled = small,
		.threads = small,
		.characteristics = SMBIOS_PROCESSOR_64BIT,
		.family2 = SMBIOS_PROCESSOR_OTHER,
		.cores2 = count,
		.cores_enabled2 = count,
		.threads2 = count,
	};

	if (config->cpus > 1)
		processor.characteristics |= SMBIOS_PROCESSOR_MULTI;
	put_structure(image, SMBIOS_PROCESSOR, 0x0400, &processor, sizeof(processor));
	put_string(image, 1, "CPU 0");
	put_string(image, 2, manufacturer(config));
	structure_end(image);
}

static void put_memory_array(struct image *image, uint64_t bytes)
{
	struct smbios_memory_array array = {
		.location = SMBIOS_MEMORY_ARRAY_OTHER,
		.use = SMBIOS_MEMORY_ARRAY_SYSTEM,
		.error_correction = SMBIOS_MEMORY_ARRAY_MULTIBIT,
		.error_handle = SMBIOS_NO_ERROR_HANDLE,
		.devices = 1,
	};

	if (bytes / KiB(1) < SMBIOS_MEMORY_ARRAY_EXTENDED) {
		array.capacity = (uint32_t)(bytes / KiB(1));
	} else {
		array.capacity = SMBIOS_MEMORY_ARRAY_EXTENDED;
		array.extended_capacity = bytes;
	}
	put_structure(image, SMBIOS_MEMORY_ARRAY, HANDLE_MEMORY_ARRAY, &array, sizeof(array));
	structure_end(image);
}

/* All memory as one module: of a size in MiB, or KiB while that is exact and small enough. */
static void put_memory_device(struct image *image, uint64_t bytes)
{
	struct smbios_memory_device device = {
		.array = HANDLE_MEMORY_ARRAY,
		.error_handle = SMBIOS_NO_ERROR_HANDLE,
		.total_width = SMBIOS_MEMORY_DEVICE_UNKNOWN_WIDTH,
		.data_width = SMBIOS_MEMORY_DEVICE_UNKNOWN_WIDTH,
		.form_factor = SMBIOS_MEMORY_DEVICE_DIMM,
		.locator_str = 1,
		.memory_type = SMBIOS_MEMORY_DEVICE_RAM,
		.type_detail = SMBIOS_MEMORY_DEVICE_DETAIL_OTHER,
	};

	if (bytes / MiB(1) >= SMBIOS_MEMORY_DEVICE_EXTENDED) {
		device.size = SMBIOS_MEMORY_DEVICE_EXTENDED;
		device.extended_size = (uint32_t)min_of(bytes / MiB(1), 0x7fffffffull);
	} else if (bytes % MiB(1) && bytes / KiB(1) < SMBIOS_MEMORY_DEVICE_KIB) {
		device.size = (uint16_t)(SMBIOS_MEMORY_DEVICE_KIB | bytes / KiB(1));
	} else {
		device.size = (uint16_t)(bytes / MiB(1));
	}
	put_structure(image, SMBIOS_MEMORY_DEVICE, 0x1100, &device, sizeof(device));
	put_string(image, 1, "DIMM 0");
	structure_end(image);
}

static void put_memory_mapping(struct image *image, uint16_t handle, uint64_t gpa, uint64_t len)
{
	struct smbios_memory_mapping mapping = {
		.array = HANDLE_MEMORY_ARRAY,
		.partition_width = 1,
	};

	if ((gpa + (len - 1)) / KiB(1) < SMBIOS_MEMORY_MAPPING_EXTENDED) {
		mapping.start = (uint32_t)(gpa / KiB(1));
		mapping.end = (uint32_t)((gpa + (len - 1)) / KiB(1));
	} else {
		mapping.start = SMBIOS_MEMORY_MAPPING_EXTENDED;
		mapping.end = SMBIOS_MEMORY_MAPPING_EXTENDED;
		mapping.extended_start = gpa;
		mapping.extended_end = gpa + (len - 1);
	}
	put_structure(image, SMBIOS_MEMORY_MAPPING, handle, &mapping, sizeof(mapping));
	structure_end(image);
}

static void put_memory(struct image *image, uint64_t bytes)
{
	uint64_t low = min_of(bytes, LAYOUT_MMIO_HOLE);

	put_memory_array(image, bytes);
	put_memory_device(image, bytes);
	put_memory_mapping(image, 0x1300, 0, low);
	if (bytes > low)
		put_memory_mapping(image, 0x1301, LAYOUT_RAM_ABOVE_4G, bytes - low);
}

static void put_all(struct image *image, const struct smbios_config *config)
{
	struct smbios_boot boot = {0};
	struct smbios_header end;

	put_bios(image);
	put_system(image, config);
	put_board(image, config);
	put_chassis(image, config);
	put_processor(image, config);
	put_memory(image, config->memory_bytes);
	put_structure(image, SMBIOS_BOOT, 0x2000, &boot, sizeof(boot));
	structure_end(image);
	put_structure(image, SMBIOS_END, 0x7f00, &end, sizeof(end));
	structure_end(image);
}

static void put_entry_points(struct image *image)
{
	struct smbios3_entry entry64 = {
		.anchor = {'_', 'S', 'M', '3', '_'},
		.length = sizeof(entry64),
		.major = 3,
		.revision = 1,
		.table_max_len = (uint32_t)(image->used - TABLE_OFFSET),
		.table = LAYOUT_SMBIOS + TABLE_OFFSET,
	};
	struct smbios_entry entry32 = {
		.anchor = {'_', 'S', 'M', '_'},
		.length = sizeof(entry32),
		.major = 2,
		.minor = 8,
		.max_structure_len = (uint16_t)image->longest,
		.intermediate_anchor = {'_', 'D', 'M', 'I', '_'},
		.table_len = (uint16_t)(image->used - TABLE_OFFSET),
		.table = LAYOUT_SMBIOS + TABLE_OFFSET,
		.structure_count = (uint16_t)image->structures,
		.bcd_revision = 0x28,
	};
	size_t intermediate = offsetof(struct smbios_entry, intermediate_anchor);

	entry64.checksum = checksum8(&entry64, sizeof(entry64));
	entry32.intermediate_checksum =
		checksum8((uint8_t *)&entry32 + intermediate, sizeof(entry32) - intermediate);
	entry32.checksum = checksum8(&entry32, sizeof(entry32));
	memcpy(image->buf + ENTRY64_OFFSET, &entry64, sizeof(entry64));
	memcpy(image->buf + ENTRY32_OFFSET, &entry32, sizeof(entry32));
}

int smbios_build(struct mem *mem, const struct smbios_config *config, struct error *err)
{
	struct image image = {.used = TABLE_OFFSET};
	int ret;

	assert(config->cpus > 0 && config->memory_bytes > 0);
	image.buf = calloc(1, IMAGE_SIZE);
	if (!image.buf)
		return error_set(err, -ENOMEM, "out of memory for the SMBIOS structures");
	put_all(&image, config);
	if (image.overflow) {
		ret = error_set(err, -ENOSPC,
				"the SMBIOS structures do not fit %llu KiB; use a shorter VM name",
				IMAGE_SIZE / KiB(1));
	} else {
		put_entry_points(&image);
		ret = mem_write(mem, LAYOUT_SMBIOS, image.buf, image.used);
		if (ret)
			error_errno(err, ret, "cannot write the SMBIOS structures at %#llx",
				    LAYOUT_SMBIOS);
	}
	free(image.buf);
	return ret;
}
