// SPDX-License-Identifier: MIT
/*
 * What a VHDX file holds, per MS-VHDX (the section is with each struct). All integers are little
 * endian; GUIDs are kept as the 16 bytes they are in the file.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define VHDX_MIB 0x100000u

/* 2.2: the first MiB. */
#define VHDX_IDENTIFIER_OFFSET   0x0u
#define VHDX_HEADER1_OFFSET      0x10000u
#define VHDX_HEADER2_OFFSET      0x20000u
#define VHDX_REGION_TABLE1       0x30000u
#define VHDX_REGION_TABLE2       0x40000u
#define VHDX_HEADER_SIZE         0x1000u
#define VHDX_REGION_TABLE_SIZE   0x10000u
#define VHDX_HEADER_SECTION_SIZE VHDX_MIB

struct vhdx_guid {
	uint8_t bytes[16];
} __attribute__((packed));

#define VHDX_IDENTIFIER_SIGNATURE 0x656c696678646876ull /* "vhdxfile" */
#define VHDX_CREATOR_UNITS        256u

struct vhdx_file_identifier { /* 2.2.1 */
	uint64_t signature;
	uint16_t creator[VHDX_CREATOR_UNITS]; /* UTF-16 */
} __attribute__((packed));

#define VHDX_HEADER_SIGNATURE 0x64616568u /* "head" */
#define VHDX_VERSION          1u
#define VHDX_LOG_VERSION      0u

struct vhdx_header { /* 2.2.2 */
	uint32_t signature;
	uint32_t checksum; /* CRC-32C of VHDX_HEADER_SIZE bytes with this zero */
	uint64_t sequence_number;
	struct vhdx_guid file_write_guid;
	struct vhdx_guid data_write_guid;
	struct vhdx_guid log_guid;
	uint16_t log_version;
	uint16_t version;
	uint32_t log_length;
	uint64_t log_offset;
	uint8_t reserved[4016];
} __attribute__((packed));

#define VHDX_REGION_SIGNATURE   0x69676572u /* "regi" */
#define VHDX_REGION_MAX_ENTRIES 2047u
#define VHDX_REGION_REQUIRED    0x1u

struct vhdx_region_header { /* 2.2.3.1 */
	uint32_t signature;
	uint32_t checksum; /* CRC-32C of VHDX_REGION_TABLE_SIZE bytes with this zero */
	uint32_t entry_count;
	uint32_t reserved;
} __attribute__((packed));

struct vhdx_region_entry { /* 2.2.3.2 */
	struct vhdx_guid guid;
	uint64_t file_offset;
	uint32_t length;
	uint32_t flags;
} __attribute__((packed));

#define VHDX_LOG_SECTOR            0x1000u
#define VHDX_LOG_ENTRY_SIGNATURE   0x65676f6cu /* "loge" */
#define VHDX_LOG_ZERO_SIGNATURE    0x6f72657au /* "zero" */
#define VHDX_LOG_DESC_SIGNATURE    0x63736564u /* "desc" */
#define VHDX_LOG_DATA_SIGNATURE    0x61746164u /* "data" */
#define VHDX_LOG_FIRST_DESCRIPTORS 126u        /* in the sector with the header */

struct vhdx_log_header { /* 2.3.1.1 */
	uint32_t signature;
	uint32_t checksum; /* CRC-32C of entry_length bytes with this zero */
	uint32_t entry_length;
	uint32_t tail;
	uint64_t sequence_number;
	uint32_t descriptor_count;
	uint32_t reserved;
	struct vhdx_guid log_guid;
	uint64_t flushed_file_offset;
	uint64_t last_file_offset;
} __attribute__((packed));

struct vhdx_log_zero { /* 2.3.1.2 */
	uint32_t signature;
	uint32_t reserved;
	uint64_t length;
	uint64_t file_offset;
	uint64_t sequence_number;
} __attribute__((packed));

struct vhdx_log_descriptor { /* 2.3.1.3 */
	uint32_t signature;
	uint8_t trailing[4]; /* the last bytes of the page */
	uint8_t leading[8];  /* and the first */
	uint64_t file_offset;
	uint64_t sequence_number;
} __attribute__((packed));

struct vhdx_log_data { /* 2.3.1.4 */
	uint32_t signature;
	uint32_t sequence_high;
	uint8_t data[4084];
	uint32_t sequence_low;
} __attribute__((packed));

/* 2.5.1: state in bits 0-2, bits 3-19 zero, and the place in the file in MiB from bit 20. */
#define VHDX_BAT_STATE    0x7u
#define VHDX_BAT_RESERVED 0xffff8ull

enum vhdx_payload_state { /* 2.5.1.1 */
			  VHDX_BLOCK_NOT_PRESENT = 0,
			  VHDX_BLOCK_UNDEFINED = 1,
			  VHDX_BLOCK_ZERO = 2,
			  VHDX_BLOCK_UNMAPPED = 3,
			  VHDX_BLOCK_FULLY_PRESENT = 6,
			  VHDX_BLOCK_PARTIALLY_PRESENT = 7,
};

enum vhdx_bitmap_state { /* 2.5.1.2 */
			 VHDX_BITMAP_NOT_PRESENT = 0,
			 VHDX_BITMAP_PRESENT = 6,
};

#define VHDX_BITMAP_SIZE       VHDX_MIB    /* of a sector bitmap block */
#define VHDX_SECTORS_PER_CHUNK 0x800000ull /* its bits */
#define VHDX_MIN_BLOCK         VHDX_MIB
#define VHDX_MAX_BLOCK         0x10000000u

#define VHDX_METADATA_SIGNATURE   0x617461646174656dull /* "metadata" */
#define VHDX_METADATA_TABLE_SIZE  0x10000u
#define VHDX_METADATA_MAX_ENTRIES 2047u
#define VHDX_METADATA_MAX_ITEM    VHDX_MIB
#define VHDX_METADATA_USER        0x1u
#define VHDX_METADATA_DISK        0x2u
#define VHDX_METADATA_REQUIRED    0x4u

struct vhdx_metadata_header { /* 2.6.1.1 */
	uint64_t signature;
	uint16_t reserved;
	uint16_t entry_count;
	uint8_t reserved2[20];
} __attribute__((packed));

struct vhdx_metadata_entry { /* 2.6.1.2 */
	struct vhdx_guid item;
	uint32_t offset; /* in the metadata region */
	uint32_t length;
	uint32_t flags;
	uint32_t reserved;
} __attribute__((packed));

#define VHDX_PARAMETERS_LEAVE_ALLOCATED 0x1u
#define VHDX_PARAMETERS_HAS_PARENT      0x2u

struct vhdx_file_parameters { /* 2.6.2.1 */
	uint32_t block_size;
	uint32_t flags;
} __attribute__((packed));

#define VHDX_LOCATOR_MAX_ENTRIES 256u

struct vhdx_locator_header { /* 2.6.2.6.1 */
	struct vhdx_guid type;
	uint16_t reserved;
	uint16_t count;
} __attribute__((packed));

struct vhdx_locator_entry {  /* 2.6.2.6.2 */
	uint32_t key_offset; /* in the item */
	uint32_t value_offset;
	uint16_t key_length; /* bytes */
	uint16_t value_length;
} __attribute__((packed));

/* A GUID as it is written, {aabbccdd-eeff-gghh-iijj-kkllmmnnoopp}, to the bytes in the file. */
#define VHDX_GUID(a, b, c, d0, d1, e0, e1, e2, e3, e4, e5)                                         \
	{                                                                                          \
		{                                                                                  \
			(uint8_t)(a), (uint8_t)((a) >> 8), (uint8_t)((a) >> 16),                   \
				(uint8_t)((a) >> 24), (uint8_t)(b), (uint8_t)((b) >> 8),           \
				(uint8_t)(c), (uint8_t)((c) >> 8), d0, d1, e0, e1, e2, e3, e4, e5  \
		}                                                                                  \
	}

/* 2.2.3.2 */
#define VHDX_REGION_BAT                                                                            \
	VHDX_GUID(0x2dc27766u, 0xf623, 0x4200, 0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08)
#define VHDX_REGION_METADATA                                                                       \
	VHDX_GUID(0x8b7ca206u, 0x4790, 0x4b9a, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e)
/* 2.6.2 */
#define VHDX_ITEM_FILE_PARAMETERS                                                                  \
	VHDX_GUID(0xcaa16737u, 0xfa36, 0x4d43, 0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b)
#define VHDX_ITEM_DISK_SIZE                                                                        \
	VHDX_GUID(0x2fa54224u, 0xcd1b, 0x4876, 0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8)
#define VHDX_ITEM_DISK_ID                                                                          \
	VHDX_GUID(0xbeca12abu, 0xb2e6, 0x4523, 0x93, 0xef, 0xc3, 0x09, 0xe0, 0x00, 0xc7, 0x46)
#define VHDX_ITEM_LOGICAL_SECTOR                                                                   \
	VHDX_GUID(0x8141bf1du, 0xa96f, 0x4709, 0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f)
#define VHDX_ITEM_PHYSICAL_SECTOR                                                                  \
	VHDX_GUID(0xcda348c7u, 0x445d, 0x4471, 0x9c, 0xc9, 0xe9, 0x88, 0x52, 0x51, 0xc5, 0x56)
#define VHDX_ITEM_PARENT_LOCATOR                                                                   \
	VHDX_GUID(0xa8d35f2du, 0xb30b, 0x454d, 0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c)
/* 2.6.2.6.3 */
#define VHDX_LOCATOR_VHDX                                                                          \
	VHDX_GUID(0xb04aefb7u, 0xd19e, 0x4a81, 0xb7, 0x89, 0x25, 0xb8, 0xe9, 0x44, 0x59, 0x13)

_Static_assert(sizeof(struct vhdx_file_identifier) == 520, "MS-VHDX 2.2.1");
_Static_assert(sizeof(struct vhdx_header) == VHDX_HEADER_SIZE, "MS-VHDX 2.2.2");
_Static_assert(offsetof(struct vhdx_header, log_guid) == 48, "MS-VHDX 2.2.2");
_Static_assert(offsetof(struct vhdx_header, log_offset) == 72, "MS-VHDX 2.2.2");
_Static_assert(sizeof(struct vhdx_region_header) == 16, "MS-VHDX 2.2.3.1");
_Static_assert(sizeof(struct vhdx_region_entry) == 32, "MS-VHDX 2.2.3.2");
_Static_assert(sizeof(struct vhdx_log_header) == 64, "MS-VHDX 2.3.1.1");
_Static_assert(offsetof(struct vhdx_log_header, flushed_file_offset) == 48, "MS-VHDX 2.3.1.1");
_Static_assert(sizeof(struct vhdx_log_zero) == 32, "MS-VHDX 2.3.1.2");
_Static_assert(sizeof(struct vhdx_log_descriptor) == 32, "MS-VHDX 2.3.1.3");
_Static_assert(sizeof(struct vhdx_log_data) == VHDX_LOG_SECTOR, "MS-VHDX 2.3.1.4");
_Static_assert(sizeof(struct vhdx_metadata_header) == 32, "MS-VHDX 2.6.1.1");
_Static_assert(sizeof(struct vhdx_metadata_entry) == 32, "MS-VHDX 2.6.1.2");
_Static_assert(sizeof(struct vhdx_file_parameters) == 8, "MS-VHDX 2.6.2.1");
_Static_assert(sizeof(struct vhdx_locator_header) == 20, "MS-VHDX 2.6.2.6.1");
_Static_assert(sizeof(struct vhdx_locator_entry) == 12, "MS-VHDX 2.6.2.6.2");
