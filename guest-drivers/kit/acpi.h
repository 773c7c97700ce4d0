// SPDX-License-Identifier: MIT
/*
 * The ACPI tables a guest needs: where they are, the few fields of FADT and MADT that the kit
 * uses, and the S5 sleep type. ACPI 6.x; section numbers of 6.5. Strictly read-only.
 */
#pragma once

#include "kit/base.h"

struct __packed acpi_rsdp { /* 5.2.5.3 */
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length; /* revision >= 2 from here on */
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
};

struct __packed acpi_header { /* 5.2.6 */
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	uint32_t creator_id;
	uint32_t creator_revision;
};

struct __packed acpi_address { /* 5.2.3.2, generic address structure */
	uint8_t space;         /* 0 memory, 1 port */
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size;
	uint64_t address;
};

#define FADT_TMR_VAL_EXT   BIT(8)
#define FADT_RESET_REG_SUP BIT(10)
#define FADT_HW_REDUCED    BIT(20)

/* FADT (5.2.9), only what is used; offsets are the table's. */
struct __packed acpi_fadt {
	struct acpi_header header;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t skipped0[2];
	uint16_t sci;
	uint8_t skipped1[8];
	uint32_t pm1a_event_port;
	uint32_t pm1b_event_port;
	uint32_t pm1a_control_port;
	uint32_t pm1b_control_port;
	uint32_t pm2_control_port;
	uint32_t pm_timer_port;
	uint8_t skipped2[32];
	uint32_t flags;
	struct acpi_address reset;
	uint8_t reset_value;
	uint8_t skipped3[3];
	uint64_t x_facs;
	uint64_t x_dsdt;
};

_Static_assert(offsetof(struct acpi_fadt, pm1a_control_port) == 64, "ACPI 5.2.9");
_Static_assert(offsetof(struct acpi_fadt, flags) == 112, "ACPI 5.2.9");
_Static_assert(offsetof(struct acpi_fadt, x_dsdt) == 140, "ACPI 5.2.9");

struct __packed acpi_madt { /* 5.2.12 */
	struct acpi_header header;
	uint32_t lapic;
	uint32_t flags;
};

#define MADT_LAPIC    0
#define MADT_IOAPIC   1
#define MADT_OVERRIDE 2
#define MADT_X2APIC   9

struct __packed madt_entry {
	uint8_t type;
	uint8_t length;
};

struct __packed madt_lapic {
	struct madt_entry entry;
	uint8_t acpi_id;
	uint8_t apic_id;
	uint32_t flags; /* bit 0: enabled */
};

struct __packed madt_ioapic {
	struct madt_entry entry;
	uint8_t id;
	uint8_t reserved;
	uint32_t address;
	uint32_t gsi_base;
};

struct __packed madt_override {
	struct madt_entry entry;
	uint8_t bus;
	uint8_t irq;
	uint32_t gsi;
	uint16_t flags; /* bits 1:0 polarity (3: active low), 3:2 trigger (3: level) */
};

struct __packed madt_x2apic {
	struct madt_entry entry;
	uint16_t reserved;
	uint32_t apic_id;
	uint32_t flags;
	uint32_t acpi_id;
};

/* Finds the tables and adds the MADT's CPUs (kit/smp.h). Once, at boot. */
void acpi_init(void);

/* The one the start info names, else the scan's; NULL: neither. */
const struct acpi_rsdp *acpi_rsdp(void);
/* By looking for it in the EBDA and below 1 MiB (5.2.5.1). */
const struct acpi_rsdp *acpi_scan_rsdp(void);

/* How many tables the XSDT (or RSDT) lists; the i-th; by signature, NULL: no such table. */
size_t acpi_table_count(void);
const struct acpi_header *acpi_table(size_t index);
const struct acpi_header *acpi_find(const char *signature);
/* Also of memory that is no table: do all bytes add up to zero? */
bool acpi_checksum_ok(const void *p, size_t len);

const struct acpi_fadt *acpi_fadt(void);
const struct acpi_header *acpi_dsdt(void);

/* Calls @fn for each MADT entry. */
void madt_for_each(void (*fn)(const struct madt_entry *entry, void *arg), void *arg);
/* The I/O APIC input of an ISA interrupt, and its flags, by the overrides. */
uint32_t madt_gsi(uint8_t irq, uint16_t *ret_flags);
/* Of the first I/O APIC; 0: none. */
uint32_t madt_ioapic_address(void);

/*
 * The SLP_TYP values of \_S5 in the DSDT (16.1, 7.4.2.5): its package begins with two small
 * integers. False when there is no such object.
 */
bool acpi_s5_types(uint8_t *ret_a, uint8_t *ret_b);
