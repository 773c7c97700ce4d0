// SPDX-License-Identifier: MIT
/*
 * Linux/x86 boot protocol 2.15: the setup header of a bzImage and the zero page.
 *
 * Field names and offsets from the kernel's documentation: arch/x86/boot.rst ("The Real-Mode Kernel
 * Header") and arch/x86/zero-page.rst. Fields a loader has no business with are padding here. All
 * little-endian.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LINUX_SETUP_HEADER_OFFSET 0x1f1u
#define LINUX_BOOT_FLAG_OFFSET    0x1feu
#define LINUX_JUMP_LEN_OFFSET     0x201u /* the setup header ends at 0x202 + the byte here */
#define LINUX_BOOT_FLAG           0xaa55u
#define LINUX_SETUP_MAGIC         0x53726448u /* "HdrS" */
#define LINUX_SECTOR              512u
#define LINUX_ENTRY_64_OFFSET     0x200u /* the 64-bit entry, from the start of the 32-bit code */

/* loadflags */
#define LINUX_LOADED_HIGH   0x01u
#define LINUX_KASLR_FLAG    0x02u
#define LINUX_KEEP_SEGMENTS 0x40u
#define LINUX_CAN_USE_HEAP  0x80u

/* xloadflags */
#define LINUX_XLF_KERNEL_64              0x01u
#define LINUX_XLF_CAN_BE_LOADED_ABOVE_4G 0x02u

#define LINUX_TYPE_OF_LOADER_UNDEFINED 0xffu

/* The protocol versions that brought the fields a loader uses. */
#define LINUX_PROTOCOL_CMDLINE_SIZE 0x0206u
#define LINUX_PROTOCOL_PAYLOAD      0x0208u
#define LINUX_PROTOCOL_SETUP_DATA   0x0209u
#define LINUX_PROTOCOL_INIT_SIZE    0x020au
#define LINUX_PROTOCOL_XLOADFLAGS   0x020cu

struct setup_header {
	uint8_t setup_sects;
	uint16_t root_flags;
	uint32_t syssize; /* of the 32-bit code, in 16-byte units */
	uint16_t ram_size;
	uint16_t vid_mode;
	uint16_t root_dev;
	uint16_t boot_flag;
	uint16_t jump;
	uint32_t header;
	uint16_t version;
	uint32_t realmode_swtch;
	uint16_t start_sys_seg;
	uint16_t kernel_version;
	uint8_t type_of_loader;
	uint8_t loadflags;
	uint16_t setup_move_size;
	uint32_t code32_start;
	uint32_t ramdisk_image;
	uint32_t ramdisk_size;
	uint32_t bootsect_kludge;
	uint16_t heap_end_ptr;
	uint8_t ext_loader_ver;
	uint8_t ext_loader_type;
	uint32_t cmd_line_ptr;
	uint32_t initrd_addr_max; /* the last address an initrd may occupy */
	uint32_t kernel_alignment;
	uint8_t relocatable_kernel;
	uint8_t min_alignment;
	uint16_t xloadflags;
	uint32_t cmdline_size; /* without the terminating zero */
	uint32_t hardware_subarch;
	uint64_t hardware_subarch_data;
	uint32_t payload_offset; /* from the start of the 32-bit code */
	uint32_t payload_length;
	uint64_t setup_data;
	uint64_t pref_address;
	uint32_t init_size;
	uint32_t handover_offset;
	uint32_t kernel_info_offset;
} __attribute__((packed));

/* A node of the list that setup_header.setup_data begins; its data follows. */
struct setup_data {
	uint64_t next;
	uint32_t type;
	uint32_t len;
} __attribute__((packed));

/* Entropy for the kernel's random numbers. It is wiped there once it was used. */
#define LINUX_SETUP_RNG_SEED     9u
#define LINUX_SETUP_RNG_SEED_LEN 32u

#define LINUX_E820_RAM      1u
#define LINUX_E820_RESERVED 2u
#define LINUX_E820_MAX      128u

struct boot_e820_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
} __attribute__((packed));

/* The zero page. */
struct boot_params {
	uint8_t screen_info[0x40];
	uint8_t pad1[0x30];
	uint64_t acpi_rsdp_addr;
	uint8_t pad2[0x48];
	uint32_t ext_ramdisk_image;
	uint32_t ext_ramdisk_size;
	uint32_t ext_cmd_line_ptr;
	uint8_t pad3[0x114];
	uint32_t alt_mem_k;
	uint32_t scratch;
	uint8_t e820_entries;
	uint8_t pad4[6];
	uint8_t sentinel;
	uint8_t pad5;
	struct setup_header hdr;
	uint8_t pad6[0x2d0 - LINUX_SETUP_HEADER_OFFSET - sizeof(struct setup_header)];
	struct boot_e820_entry e820_table[LINUX_E820_MAX];
	uint8_t pad7[0x330];
} __attribute__((packed));

/* Offsets in the file, as the documentation gives them. */
#define LINUX_HDR_AT(field, at)                                                                    \
	_Static_assert(offsetof(struct setup_header, field) + LINUX_SETUP_HEADER_OFFSET == (at),   \
		       "setup header: " #field)

LINUX_HDR_AT(setup_sects, 0x1f1);
LINUX_HDR_AT(syssize, 0x1f4);
LINUX_HDR_AT(boot_flag, LINUX_BOOT_FLAG_OFFSET);
LINUX_HDR_AT(header, 0x202);
LINUX_HDR_AT(version, 0x206);
LINUX_HDR_AT(type_of_loader, 0x210);
LINUX_HDR_AT(loadflags, 0x211);
LINUX_HDR_AT(code32_start, 0x214);
LINUX_HDR_AT(ramdisk_image, 0x218);
LINUX_HDR_AT(heap_end_ptr, 0x224);
LINUX_HDR_AT(cmd_line_ptr, 0x228);
LINUX_HDR_AT(initrd_addr_max, 0x22c);
LINUX_HDR_AT(kernel_alignment, 0x230);
LINUX_HDR_AT(relocatable_kernel, 0x234);
LINUX_HDR_AT(xloadflags, 0x236);
LINUX_HDR_AT(cmdline_size, 0x238);
LINUX_HDR_AT(payload_offset, 0x248);
LINUX_HDR_AT(payload_length, 0x24c);
LINUX_HDR_AT(setup_data, 0x250);
LINUX_HDR_AT(pref_address, 0x258);
LINUX_HDR_AT(init_size, 0x260);
LINUX_HDR_AT(kernel_info_offset, 0x268);

_Static_assert(sizeof(struct setup_data) == 16, "setup data");
_Static_assert(sizeof(struct boot_e820_entry) == 20, "e820 entry");
_Static_assert(offsetof(struct boot_params, acpi_rsdp_addr) == 0x070, "acpi_rsdp_addr");
_Static_assert(offsetof(struct boot_params, ext_ramdisk_image) == 0x0c0, "ext_ramdisk_image");
_Static_assert(offsetof(struct boot_params, ext_cmd_line_ptr) == 0x0c8, "ext_cmd_line_ptr");
_Static_assert(offsetof(struct boot_params, alt_mem_k) == 0x1e0, "alt_mem_k");
_Static_assert(offsetof(struct boot_params, e820_entries) == 0x1e8, "e820_entries");
_Static_assert(offsetof(struct boot_params, sentinel) == 0x1ef, "sentinel");
_Static_assert(offsetof(struct boot_params, hdr) == LINUX_SETUP_HEADER_OFFSET, "hdr");
_Static_assert(offsetof(struct boot_params, e820_table) == 0x2d0, "e820_table");
_Static_assert(sizeof(struct boot_params) == 4096, "zero page");
