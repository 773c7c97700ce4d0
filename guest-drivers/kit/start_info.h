// SPDX-License-Identifier: MIT
/*
 * What the loader hands over: struct hvm_start_info (Xen's public arch-x86/hvm/start_info.h), its
 * command line and its memory map. Copied at boot, so that the memory it stood in may be used.
 */
#pragma once

#include "kit/base.h"

#define START_INFO_MAGIC 0x336ec578u

struct start_info {
	uint32_t magic;
	uint32_t version; /* 1: with memory map */
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t memmap; /* version >= 1 */
	uint32_t memmap_entries;
	uint32_t reserved;
};

_Static_assert(sizeof(struct start_info) == 56, "start_info.h");

enum memory_type {
	MEMORY_RAM = 1,
	MEMORY_RESERVED = 2,
	MEMORY_ACPI = 3,
	MEMORY_NVS = 4,
	MEMORY_UNUSABLE = 5,
};

struct memory_range {
	uint64_t addr;
	uint64_t len;
	uint32_t type;
	uint32_t reserved;
};

_Static_assert(sizeof(struct memory_range) == 24, "start_info.h");

struct start_module {
	uint64_t addr;
	uint64_t len;
	uint64_t cmdline; /* 0: none */
	uint64_t reserved;
};

_Static_assert(sizeof(struct start_module) == 32, "start_info.h");

/* Once, at boot. False when there is nothing at @pa that looks like a start info. */
bool start_info_init(uint64_t pa);

const struct start_info *start_info(void);
uint64_t start_info_address(void);

/* The memory map, as handed over; at most MEMORY_RANGES_MAX entries of it. */
#define MEMORY_RANGES_MAX 64
size_t memory_range_count(void);
const struct memory_range *memory_range(size_t index);

/* Modules, at most MODULES_MAX; their contents stay where the loader put them. */
#define MODULES_MAX 8
size_t start_module_count(void);
const struct start_module *start_module(size_t index);

/* True when one RAM entry covers all of [addr, addr + len). */
bool memory_is_ram(uint64_t addr, uint64_t len);
/* End of the highest RAM entry. */
uint64_t memory_top(void);

/*
 * Parameters: words "name" or "name=value" of the command line, the first one counts. Numbers are
 * decimal or 0x hexadecimal.
 */
const char *start_cmdline(void);
uint64_t param_u64(const char *name, uint64_t or_else);
/* Copies the value to @buf, cut off at @size - 1; false, and @or_else copied, when not there. */
bool param_string(const char *name, const char *or_else, char *buf, size_t size);
bool param_is_set(const char *name);
