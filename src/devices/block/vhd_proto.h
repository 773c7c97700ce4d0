// SPDX-License-Identifier: MIT
/*
 * What is in a VHD file: Microsoft's "Virtual Hard Disk Image Format Specification", version 1.0.
 * All numbers are big-endian; timestamps are seconds since 2000-01-01 00:00 UTC.
 *
 * A fixed image is the disk, and a footer behind it. The others are: a copy of the footer, the
 * header of the block table, the table, blocks (each a bitmap of its sectors, in whole sectors, and
 * the data), and the footer in the last 512 bytes.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define VHD_SECTOR 512u

#define VHD_FOOTER_COOKIE     "conectix"
#define VHD_FOOTER_SIZE       512u
#define VHD_FEATURES_RESERVED 0x00000002u /* always set */
#define VHD_VERSION           0x00010000u
#define VHD_DATA_OFFSET_NONE  0xffffffffffffffffull
#define VHD_DISK_FIXED        2u
#define VHD_DISK_DYNAMIC      3u
#define VHD_DISK_DIFFERENCING 4u
#define VHD_CREATOR_WINDOWS   0x5769326bu           /* "Wi2k" */
#define VHD_GEOMETRY_MAX      (65535ull * 16 * 255) /* sectors */

struct vhd_footer {
	char cookie[8];
	uint32_t features;
	uint32_t file_format_version;
	uint64_t data_offset; /* of the header; VHD_DATA_OFFSET_NONE in a fixed image */
	uint32_t time_stamp;
	char creator_application[4];
	uint32_t creator_version;
	uint32_t creator_host_os;
	uint64_t original_size;
	uint64_t current_size;
	uint16_t cylinders;
	uint8_t heads;
	uint8_t sectors_per_track;
	uint32_t disk_type;
	uint32_t checksum; /* of the footer with 0 here: complement of the sum of its bytes */
	uint8_t unique_id[16];
	uint8_t saved_state;
	uint8_t reserved[427];
} __attribute__((packed));

static_assert(sizeof(struct vhd_footer) == VHD_FOOTER_SIZE, "vhd_footer");
static_assert(offsetof(struct vhd_footer, current_size) == 48, "vhd_footer");
static_assert(offsetof(struct vhd_footer, checksum) == 64, "vhd_footer");
static_assert(offsetof(struct vhd_footer, saved_state) == 84, "vhd_footer");

#define VHD_HEADER_COOKIE "cxsparse"
#define VHD_HEADER_SIZE   1024u
#define VHD_LOCATORS      8u

#define VHD_PLATFORM_NONE 0x00000000u
#define VHD_PLATFORM_W2RU 0x57327275u /* "W2ru": UTF-16LE, relative to the image */
#define VHD_PLATFORM_W2KU 0x57326b75u /* "W2ku": UTF-16LE, absolute */
#define VHD_PLATFORM_MACX 0x4d616358u /* "MacX": a file: URL in UTF-8 */

struct vhd_locator {
	uint32_t platform_code;
	uint32_t data_space; /* in sectors; some write bytes */
	uint32_t data_length;
	uint32_t reserved;
	uint64_t data_offset;
} __attribute__((packed));

static_assert(sizeof(struct vhd_locator) == 24, "vhd_locator");

struct vhd_header {
	char cookie[8];
	uint64_t data_offset; /* VHD_DATA_OFFSET_NONE */
	uint64_t table_offset;
	uint32_t header_version;
	uint32_t max_table_entries;
	uint32_t block_size;
	uint32_t checksum; /* as the footer's */
	uint8_t parent_unique_id[16];
	uint32_t parent_time_stamp;
	uint32_t reserved;
	uint16_t parent_unicode_name[256]; /* UTF-16BE */
	struct vhd_locator parent_locators[VHD_LOCATORS];
	uint8_t reserved2[256];
} __attribute__((packed));

static_assert(sizeof(struct vhd_header) == VHD_HEADER_SIZE, "vhd_header");
static_assert(offsetof(struct vhd_header, block_size) == 32, "vhd_header");
static_assert(offsetof(struct vhd_header, parent_locators) == 576, "vhd_header");

#define VHD_BLOCK_UNUSED 0xffffffffu /* in the table: else a block's first sector in the file */
