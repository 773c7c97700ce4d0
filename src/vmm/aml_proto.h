// SPDX-License-Identifier: MIT
/*
 * Resource descriptors as they lie in AML: ACPI 6.3, section 6.4. Little endian. A large one's
 * length counts what follows the tag and the length itself.
 */
#pragma once

#include <stdint.h>

#define ACPI_RES_LARGE_HEADER 3

struct acpi_res_irq {
	uint8_t tag;
	uint16_t mask;
	uint8_t flags;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_res_irq) == 4, "IRQ descriptor");
#define ACPI_RES_IRQ      0x23
#define ACPI_RES_IRQ_EDGE (1u << 0)
#define ACPI_RES_IRQ_LOW  (1u << 3)

struct acpi_res_io {
	uint8_t tag;
	uint8_t decode;
	uint16_t min;
	uint16_t max;
	uint8_t align;
	uint8_t len;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_res_io) == 8, "I/O descriptor");
#define ACPI_RES_IO          0x47
#define ACPI_RES_IO_DECODE16 1

struct acpi_res_memory32_fixed {
	uint8_t tag;
	uint16_t length;
	uint8_t writable;
	uint32_t base;
	uint32_t len;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_res_memory32_fixed) == 12, "fixed memory descriptor");
#define ACPI_RES_MEMORY32_FIXED 0x86

struct acpi_res_extended_irq {
	uint8_t tag;
	uint16_t length;
	uint8_t flags;
	uint8_t count;
	uint32_t gsi;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_res_extended_irq) == 9, "extended interrupt descriptor");
#define ACPI_RES_EXTENDED_IRQ          0x89
#define ACPI_RES_EXTENDED_IRQ_CONSUMER (1u << 0)
#define ACPI_RES_EXTENDED_IRQ_EDGE     (1u << 1)
#define ACPI_RES_EXTENDED_IRQ_LOW      (1u << 2)

/* Address space descriptors (6.4.3.5). */
struct acpi_res_dword_range {
	uint8_t tag;
	uint16_t length;
	uint8_t type;
	uint8_t flags;
	uint8_t type_flags;
	uint32_t granularity;
	uint32_t min;
	uint32_t max;
	uint32_t translation;
	uint32_t len;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_res_dword_range) == 26, "32-bit range descriptor");

struct acpi_res_word_range {
	uint8_t tag;
	uint16_t length;
	uint8_t type;
	uint8_t flags;
	uint8_t type_flags;
	uint16_t granularity;
	uint16_t min;
	uint16_t max;
	uint16_t translation;
	uint16_t len;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_res_word_range) == 16, "16-bit range descriptor");

struct acpi_res_qword_range {
	uint8_t tag;
	uint16_t length;
	uint8_t type;
	uint8_t flags;
	uint8_t type_flags;
	uint64_t granularity;
	uint64_t min;
	uint64_t max;
	uint64_t translation;
	uint64_t len;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_res_qword_range) == 46, "64-bit range descriptor");

#define ACPI_RES_DWORD_RANGE     0x87
#define ACPI_RES_WORD_RANGE      0x88
#define ACPI_RES_QWORD_RANGE     0x8a
#define ACPI_RES_RANGE_MEMORY    0
#define ACPI_RES_RANGE_IO        1
#define ACPI_RES_RANGE_MIN_FIXED (1u << 2)
#define ACPI_RES_RANGE_MAX_FIXED (1u << 3)
#define ACPI_RES_RANGE_WRITABLE  (1u << 0) /* type_flags of memory */
#define ACPI_RES_RANGE_CACHEABLE (1u << 1)
#define ACPI_RES_RANGE_IO_ENTIRE 3u /* type_flags of I/O: ISA and other addresses */
