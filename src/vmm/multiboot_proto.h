// SPDX-License-Identifier: MIT
/*
 * Multiboot 0.6.96: the header inside a kernel (section 3.1) and the information structure that a
 * loader hands over (section 3.3). All little-endian.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MULTIBOOT_SEARCH           8192u /* the header lies wholly within this many bytes */
#define MULTIBOOT_HEADER_ALIGN     4u
#define MULTIBOOT_HEADER_MAGIC     0x1badb002u
#define MULTIBOOT_BOOTLOADER_MAGIC 0x2badb002u /* EAX at the entry */

/* Header flags. A loader must refuse bits 0-15 that it does not know; 16-31 are hints. */
#define MULTIBOOT_PAGE_ALIGN    0x00000001u
#define MULTIBOOT_MEMORY_INFO   0x00000002u
#define MULTIBOOT_VIDEO_MODE    0x00000004u
#define MULTIBOOT_AOUT_KLUDGE   0x00010000u /* the address fields are valid */
#define MULTIBOOT_REQUIRED_MASK 0x0000ffffu

struct multiboot_header {
	uint32_t magic;
	uint32_t flags;
	uint32_t checksum;
	/* With MULTIBOOT_AOUT_KLUDGE: */
	uint32_t header_addr;
	uint32_t load_addr;
	uint32_t load_end_addr;
	uint32_t bss_end_addr;
	uint32_t entry_addr;
};

#define MULTIBOOT_HEADER_MIN_LEN 12u /* without the address fields */

/* Flags of the information structure. */
#define MULTIBOOT_INFO_MEMORY           0x00000001u
#define MULTIBOOT_INFO_CMDLINE          0x00000004u
#define MULTIBOOT_INFO_MODS             0x00000008u
#define MULTIBOOT_INFO_MEM_MAP          0x00000040u
#define MULTIBOOT_INFO_BOOT_LOADER_NAME 0x00000200u

struct multiboot_info {
	uint32_t flags;
	uint32_t mem_lower; /* KiB from 0 */
	uint32_t mem_upper; /* KiB from 1 MiB to the first hole */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count;
	uint32_t mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length;
	uint32_t mmap_addr;
	uint32_t drives_length;
	uint32_t drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
	uint32_t vbe_control_info;
	uint32_t vbe_mode_info;
	uint16_t vbe_mode;
	uint16_t vbe_interface_seg;
	uint16_t vbe_interface_off;
	uint16_t vbe_interface_len;
};

struct multiboot_module {
	uint32_t mod_start;
	uint32_t mod_end; /* one past the last byte */
	uint32_t cmdline;
	uint32_t pad;
};

#define MULTIBOOT_MEMORY_AVAILABLE 1u
#define MULTIBOOT_MEMORY_RESERVED  2u

struct multiboot_mmap_entry {
	uint32_t size; /* of what follows */
	uint64_t addr;
	uint64_t len;
	uint32_t type;
} __attribute__((packed));

_Static_assert(sizeof(struct multiboot_header) == 32, "multiboot header");
_Static_assert(offsetof(struct multiboot_header, entry_addr) == 28, "entry_addr");
_Static_assert(offsetof(struct multiboot_info, cmdline) == 16, "cmdline");
_Static_assert(offsetof(struct multiboot_info, mods_count) == 20, "mods_count");
_Static_assert(offsetof(struct multiboot_info, syms) == 28, "syms");
_Static_assert(offsetof(struct multiboot_info, mmap_length) == 44, "mmap_length");
_Static_assert(offsetof(struct multiboot_info, boot_loader_name) == 64, "boot_loader_name");
_Static_assert(offsetof(struct multiboot_info, vbe_control_info) == 72, "vbe_control_info");
_Static_assert(sizeof(struct multiboot_info) == 88, "multiboot info");
_Static_assert(sizeof(struct multiboot_module) == 16, "multiboot module");
_Static_assert(sizeof(struct multiboot_mmap_entry) == 24, "multiboot mmap entry");
