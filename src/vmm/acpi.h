// SPDX-License-Identifier: MIT
/*
 * ACPI tables and SMBIOS structures, built into guest memory before boot.
 *
 * ACPI 6.x tables of a small fixed-hardware PC: RSDP, RSDT, XSDT, FADT, FACS, MADT, DSDT, WAET.
 * They stand in the legacy scan area (vmm/layout.h), RSDP first, reserved in every memory map.
 * Hyper-V's own guests find the VMBus by the node \_SB.VMOD.VMBS.
 */
#pragma once

#include "vmm/error.h"
#include "vmm/mem.h"

/*
 * What the tables promise of the devices behind them.
 *
 * The PM block at LAYOUT_PORT_PM, always in ACPI mode (SCI_EN reads 1, there is no SMI command),
 * its interrupt LAYOUT_IRQ_SCI level-triggered and active high: PM1 status and enable, 16 bits
 * each, with a fixed power button and no sleep button and no RTC status; PM1 control; a 32-bit PM
 * timer; GPE status and enable, 16 bits each. Writing SLP_TYP = ACPI_SLP_TYP_S5 with SLP_EN to PM1
 * control powers off; S5 is the only sleep state. Writing ACPI_RESET_VALUE to LAYOUT_PORT_RESET
 * resets.
 *
 * An RTC with a century register. By WAET, its interrupts come also when register C is never read,
 * and one read of the PM timer is enough.
 */
#define ACPI_PM1_EVENT   0x00 /* offsets from LAYOUT_PORT_PM */
#define ACPI_PM1_CONTROL 0x04
#define ACPI_PM_TIMER    0x08
#define ACPI_GPE0        0x10
#define ACPI_PM_LEN      0x20
#define ACPI_SLP_TYP_S5  5
#define ACPI_RESET_VALUE 0x06
#define ACPI_RTC_CENTURY 0x32 /* CMOS index */

struct acpi_config {
	unsigned int cpus;  /* APIC id = VP index; at least 1 */
	bool vmbus;         /* announce the VMBus node and its container */
	bool serial;        /* COM1 is there */
	bool pvpanic;       /* the pvpanic port is there */
	bool i8042;         /* a keyboard controller is there, more than its reset command */
	uint64_t phys_bits; /* guest physical address width, for the high MMIO window */
};

/*
 * Builds all tables and writes them from LAYOUT_ACPI on. -ENOSPC when they do not fit (too many
 * CPUs: about 2000 do).
 */
int acpi_build(struct mem *mem, const struct acpi_config *config, struct error *err,
	       uint64_t *ret_rsdp) must_check;

/*
 * SMBIOS 3.0 structures with a 64-bit entry point, and a 32-bit one (2.8) for old readers.
 */
struct smbios_config {
	bool microsoft;      /* manufacturer and product as on Hyper-V, else candela's own */
	const char *vm_name; /* serial number string; NULL or "": none */
	const uint8_t *uuid; /* 16 bytes, wire order of SMBIOS 2.6+; NULL: not set */
	uint64_t memory_bytes;
	unsigned int cpus;
};

/* Writes them from LAYOUT_SMBIOS on. -ENOSPC when they do not fit (a name of many KiB). */
int smbios_build(struct mem *mem, const struct smbios_config *config, struct error *err) must_check;
