// SPDX-License-Identifier: MIT
/*
 * SMBIOS entry points and structures as they lie in memory: DSP0134 3.0.0 (chapters 5 and 7).
 * Little endian. Members that end in _str are numbers of strings, from 1; 0: none.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct smbios3_entry {
	char anchor[5]; /* "_SM3_" */
	uint8_t checksum;
	uint8_t length;
	uint8_t major;
	uint8_t minor;
	uint8_t docrev;
	uint8_t revision; /* of the entry point: 1 */
	uint8_t reserved;
	uint32_t table_max_len;
	uint64_t table;
} __attribute__((packed));
_Static_assert(sizeof(struct smbios3_entry) == 24, "64-bit entry point");

struct smbios_entry {
	char anchor[4]; /* "_SM_" */
	uint8_t checksum;
	uint8_t length;
	uint8_t major;
	uint8_t minor;
	uint16_t max_structure_len;
	uint8_t revision; /* of the entry point: 0 */
	uint8_t formatted_area[5];
	char intermediate_anchor[5];   /* "_DMI_" */
	uint8_t intermediate_checksum; /* from intermediate_anchor on */
	uint16_t table_len;
	uint32_t table;
	uint16_t structure_count;
	uint8_t bcd_revision;
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_entry) == 31, "32-bit entry point");
_Static_assert(offsetof(struct smbios_entry, intermediate_anchor) == 16, "intermediate anchor");

struct smbios_header {
	uint8_t type;
	uint8_t length; /* without the strings */
	uint16_t handle;
} __attribute__((packed));

struct smbios_bios {
	struct smbios_header header;
	uint8_t vendor_str;
	uint8_t version_str;
	uint16_t start_segment;
	uint8_t date_str; /* mm/dd/yyyy */
	uint8_t rom_size; /* in 64 KiB, less one */
	uint64_t characteristics;
	uint8_t extension[2];
	uint8_t major_release;
	uint8_t minor_release;
	uint8_t ec_major_release; /* 0xff: no embedded controller */
	uint8_t ec_minor_release;
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_bios) == 0x18, "type 0");
#define SMBIOS_BIOS               0
#define SMBIOS_BIOS_NOT_SUPPORTED (1ull << 3) /* the other characteristics are not given */
#define SMBIOS_BIOS_EXT0_ACPI     (1u << 0)
#define SMBIOS_BIOS_EXT1_VIRTUAL  (1u << 4)

struct smbios_system {
	struct smbios_header header;
	uint8_t manufacturer_str;
	uint8_t product_str;
	uint8_t version_str;
	uint8_t serial_str;
	uint8_t uuid[16];
	uint8_t wake_up;
	uint8_t sku_str;
	uint8_t family_str;
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_system) == 0x1b, "type 1");
#define SMBIOS_SYSTEM               1
#define SMBIOS_WAKE_UP_POWER_SWITCH 6

struct smbios_board {
	struct smbios_header header;
	uint8_t manufacturer_str;
	uint8_t product_str;
	uint8_t version_str;
	uint8_t serial_str;
	uint8_t asset_tag_str;
	uint8_t features;
	uint8_t location_str;
	uint16_t chassis;
	uint8_t board_type;
	uint8_t contained_count;
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_board) == 0x0f, "type 2");
#define SMBIOS_BOARD             2
#define SMBIOS_BOARD_HOSTING     (1u << 0)
#define SMBIOS_BOARD_MOTHERBOARD 0x0a

struct smbios_chassis {
	struct smbios_header header;
	uint8_t manufacturer_str;
	uint8_t type;
	uint8_t version_str;
	uint8_t serial_str;
	uint8_t asset_tag_str;
	uint8_t boot_up_state;
	uint8_t power_supply_state;
	uint8_t thermal_state;
	uint8_t security_status;
	uint32_t oem;
	uint8_t height;
	uint8_t power_cords;
	uint8_t contained_count;
	uint8_t contained_len;
	uint8_t sku_str;
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_chassis) == 0x16, "type 3");
#define SMBIOS_CHASSIS         3
#define SMBIOS_CHASSIS_OTHER   1
#define SMBIOS_CHASSIS_SAFE    3
#define SMBIOS_CHASSIS_UNKNOWN 2

struct smbios_processor {
	struct smbios_header header;
	uint8_t socket_str;
	uint8_t type;
	uint8_t family;
	uint8_t manufacturer_str;
	uint64_t id;
	uint8_t version_str;
	uint8_t voltage;
	uint16_t external_clock;
	uint16_t max_speed;
	uint16_t current_speed;
	uint8_t status;
	uint8_t upgrade;
	uint16_t l1_cache; /* 0xffff: not given */
	uint16_t l2_cache;
	uint16_t l3_cache;
	uint8_t serial_str;
	uint8_t asset_tag_str;
	uint8_t part_str;
	uint8_t cores; /* 0xff: see cores2; likewise the next two */
	uint8_t cores_enabled;
	uint8_t threads;
	uint16_t characteristics;
	uint16_t family2;
	uint16_t cores2;
	uint16_t cores_enabled2;
	uint16_t threads2;
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_processor) == 0x30, "type 4");
#define SMBIOS_PROCESSOR         4
#define SMBIOS_PROCESSOR_CENTRAL 3
#define SMBIOS_PROCESSOR_ENABLED 0x41 /* socket populated, CPU enabled */
#define SMBIOS_PROCESSOR_OTHER   1    /* as family and upgrade */
#define SMBIOS_PROCESSOR_UNKNOWN 2
#define SMBIOS_PROCESSOR_64BIT   (1u << 2)
#define SMBIOS_PROCESSOR_MULTI   (1u << 3)
#define SMBIOS_NO_HANDLE         0xffff

struct smbios_memory_array {
	struct smbios_header header;
	uint8_t location;
	uint8_t use;
	uint8_t error_correction;
	uint32_t capacity; /* KiB; 0x80000000: see extended_capacity */
	uint16_t error_handle;
	uint16_t devices;
	uint64_t extended_capacity; /* bytes */
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_memory_array) == 0x17, "type 16");
#define SMBIOS_MEMORY_ARRAY          16
#define SMBIOS_MEMORY_ARRAY_OTHER    1 /* location */
#define SMBIOS_MEMORY_ARRAY_SYSTEM   3 /* use */
#define SMBIOS_MEMORY_ARRAY_MULTIBIT 6
#define SMBIOS_MEMORY_ARRAY_EXTENDED 0x80000000u
#define SMBIOS_NO_ERROR_HANDLE       0xfffe

struct smbios_memory_device {
	struct smbios_header header;
	uint16_t array;
	uint16_t error_handle;
	uint16_t total_width;
	uint16_t data_width;
	uint16_t size; /* MiB, or KiB with the top bit set; 0x7fff: see extended_size */
	uint8_t form_factor;
	uint8_t device_set;
	uint8_t locator_str;
	uint8_t bank_str;
	uint8_t memory_type;
	uint16_t type_detail;
	uint16_t speed;
	uint8_t manufacturer_str;
	uint8_t serial_str;
	uint8_t asset_tag_str;
	uint8_t part_str;
	uint8_t attributes;
	uint32_t extended_size; /* MiB */
	uint16_t configured_speed;
	uint16_t min_voltage;
	uint16_t max_voltage;
	uint16_t configured_voltage;
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_memory_device) == 0x28, "type 17");
#define SMBIOS_MEMORY_DEVICE               17
#define SMBIOS_MEMORY_DEVICE_KIB           0x8000u
#define SMBIOS_MEMORY_DEVICE_EXTENDED      0x7fffu
#define SMBIOS_MEMORY_DEVICE_UNKNOWN_WIDTH 0xffff
#define SMBIOS_MEMORY_DEVICE_DIMM          0x09
#define SMBIOS_MEMORY_DEVICE_RAM           0x07
#define SMBIOS_MEMORY_DEVICE_DETAIL_OTHER  (1u << 1)

struct smbios_memory_mapping {
	struct smbios_header header;
	uint32_t start; /* KiB; both 0xffffffff: see the extended ones */
	uint32_t end;   /* of the last KiB */
	uint16_t array;
	uint8_t partition_width;
	uint64_t extended_start; /* bytes */
	uint64_t extended_end;   /* the last byte */
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_memory_mapping) == 0x1f, "type 19");
#define SMBIOS_MEMORY_MAPPING          19
#define SMBIOS_MEMORY_MAPPING_EXTENDED 0xffffffffu

struct smbios_boot {
	struct smbios_header header;
	uint8_t reserved[6];
	uint8_t status; /* 0: no errors */
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_boot) == 0x0b, "type 32");
#define SMBIOS_BOOT 32

#define SMBIOS_END 127
