// SPDX-License-Identifier: MIT
/*
 * Where things stand in guest physical memory. The one place that decides it.
 *
 * Below 1 MiB all of it is writable RAM; what a boot protocol must not hand to the guest as free
 * memory (the EBDA page and everything from 640 KiB on) is marked reserved in the memory maps.
 */
#pragma once

#include "vmm/base.h"

/* Tables, aligned by hand. */
// clang-format off

/* Boot data, all below 640 KiB. Nothing else may be placed there before the guest starts. */
#define LAYOUT_GDT           0x00001000ull /* one page: the boot GDT */
#define LAYOUT_BOOT_PARAMS   0x00002000ull /* zero page, start info: 16 KiB */
#define LAYOUT_BOOT_MEMMAP   0x00006000ull /* memory maps, module lists: 8 KiB */
#define LAYOUT_PAGE_TABLES   0x00008000ull /* boot page tables: up to 128 KiB */
#define LAYOUT_CMDLINE       0x00030000ull /* kernel command line */
#define LAYOUT_CMDLINE_MAX   0x00010000ull
#define LAYOUT_LOW_RAM_END   0x0009fc00ull /* the EBDA and legacy video start here */

/* ACPI tables and SMBIOS: the legacy scan areas, reserved in every memory map. */
#define LAYOUT_ACPI          0x000e0000ull /* RSDP first, then all tables */
#define LAYOUT_ACPI_END      0x000f8000ull
#define LAYOUT_SMBIOS        0x000f8000ull /* entry points, then the structures */
#define LAYOUT_SMBIOS_END    0x00100000ull

#define LAYOUT_HIGH_RAM      0x00100000ull /* extended memory: kernels load from here on */

/* RAM ends here at the latest below 4 GiB; what is left of it continues at 4 GiB. */
#define LAYOUT_MMIO_HOLE     0xc0000000ull
#define LAYOUT_RAM_ABOVE_4G  0x100000000ull

/* The MMIO window that the VMBus container node gives out (32-bit part). */
#define LAYOUT_VMBUS_MMIO     0xf8000000ull
#define LAYOUT_VMBUS_MMIO_LEN 0x06c00000ull

#define LAYOUT_IOAPIC        0xfec00000ull
#define LAYOUT_LAPIC         0xfee00000ull
/* KVM's TSS (three pages) and identity-map page, needed by VT-x without unrestricted guest. */
#define LAYOUT_KVM_TSS       0xfffbd000ull
#define LAYOUT_KVM_IDENTITY  0xfffbc000ull

/* Fixed ports. */
#define LAYOUT_PORT_PM        0x600 /* ACPI PM1 event, control, timer, GPE: 32 ports */
#define LAYOUT_PORT_PVPANIC   0x505
#define LAYOUT_PORT_DEBUGEXIT 0xf4
#define LAYOUT_PORT_RESET     0xcf9

/* Legacy interrupts. */
#define LAYOUT_IRQ_SERIAL 4
#define LAYOUT_IRQ_VMBUS  5
#define LAYOUT_IRQ_RTC    8
#define LAYOUT_IRQ_SCI    9
// clang-format on
