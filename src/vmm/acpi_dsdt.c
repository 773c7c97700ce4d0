// SPDX-License-Identifier: MIT
/*
 * The DSDT (ACPI 6.3, chapters 5.6 and 6): processors, the VMBus in its container, and exactly the
 * legacy devices that are there. A guest that is told of a device that is missing polls for it for
 * seconds; one that is not told of a device that is there probes for it.
 */
#include "vmm/acpi_tables.h"

#include <stdio.h>

#include "vmm/aml.h"
#include "vmm/layout.h"

/*
 * The container's window above 4 GiB. Generous, since vPCI devices bring BARs of gigabytes, and
 * nothing behind it costs anything.
 */
#define HIGH_WINDOW_ALIGN GiB(1)
#define HIGH_WINDOW_MAX   GiB(64)

static void name_int(struct aml *aml, const char *name, uint64_t value)
{
	aml_name(aml, name);
	aml_int(aml, value);
}

static void name_string(struct aml *aml, const char *name, const char *value)
{
	aml_name(aml, name);
	aml_string(aml, value);
}

static void name_eisa_id(struct aml *aml, const char *name, const char *id)
{
	aml_name(aml, name);
	aml_eisa_id(aml, id);
}

static void crs_open(struct aml *aml)
{
	aml_name(aml, "_CRS");
	aml_resources(aml);
}

static void put_sleep_states(struct aml *aml)
{
	aml_name(aml, "_S5");
	aml_package(aml, 4);
	aml_int(aml, ACPI_SLP_TYP_S5); /* PM1a */
	aml_int(aml, 0);               /* PM1b: there is none */
	aml_int(aml, 0);
	aml_int(aml, 0);
	aml_end(aml);
}

/*
 * As devices: Processor() terms are deprecated and know only 8 bits of id. At 30 bytes each the
 * area is full long before three digits are used up.
 */
static void put_processors(struct aml *aml, unsigned int cpus)
{
	char name[5];

	for (unsigned int i = 0; i < cpus && !aml->overflow; i++) {
		snprintf(name, sizeof(name), "C%03X", i & 0xfff);
		aml_device(aml, name);
		name_string(aml, "_HID", "ACPI0007");
		name_int(aml, "_UID", i);
		aml_end(aml);
	}
}

/*
 * What is left between RAM and the end of the guest's address space, bounded. Returns 0 when that
 * is less than the alignment.
 */
static uint64_t high_window(uint64_t ram_end, uint64_t phys_bits, uint64_t *ret_base)
{
	uint64_t limit = 1ull << (phys_bits < 52 ? phys_bits : 52);
	uint64_t base = align_up(ram_end, HIGH_WINDOW_ALIGN);

	if (base < LAYOUT_RAM_ABOVE_4G)
		base = LAYOUT_RAM_ABOVE_4G;
	if (base >= limit)
		return 0;
	*ret_base = base;
	return align_down(min_of(limit - base, HIGH_WINDOW_MAX), HIGH_WINDOW_ALIGN);
}

/*
 * _HID "VMBus" and not "MSFT1000": Linux, the BSDs and every Windows know it, old Windows only it.
 * No _ADR, which next to a _HID means nothing. The interrupt serves old Linux, which looks for it;
 * older ones cannot read the extended descriptor, so it is the small one.
 */
static void put_vmbus_device(struct aml *aml)
{
	aml_device(aml, "VMBS");
	name_string(aml, "_HID", "VMBus");
	name_int(aml, "_UID", 0);
	name_int(aml, "STA", 0xf);
	aml_method(aml, "_STA", 0, false);
	aml_return_name(aml, "STA");
	aml_end(aml);
	aml_method(aml, "_DIS", 0, false);
	aml_and(aml, "STA", 0xd, "STA");
	aml_end(aml);
	aml_method(aml, "_PS0", 0, false);
	aml_or(aml, "STA", 0xf, "STA");
	aml_end(aml);
	aml_method(aml, "_PS3", 0, false);
	aml_end(aml);
	crs_open(aml);
	aml_irq(aml, LAYOUT_IRQ_VMBUS, AML_EDGE, AML_ACTIVE_HIGH);
	aml_end(aml);
	aml_end(aml);
}

/*
 * The VMBus stands in a module device, whose ranges it hands to its own devices (synthetic video,
 * vPCI): Windows has an arbiter for those, and Linux looks for them in the parent's _CRS.
 */
static void put_vmbus(struct aml *aml, uint64_t ram_end, uint64_t phys_bits)
{
	uint64_t base = 0;
	uint64_t len = high_window(ram_end, phys_bits, &base);

	aml_device(aml, "VMOD");
	name_string(aml, "_HID", "ACPI0004");
	name_int(aml, "_UID", 0);
	crs_open(aml);
	aml_dword_memory_producer(aml, LAYOUT_VMBUS_MMIO, LAYOUT_VMBUS_MMIO_LEN);
	if (len)
		aml_qword_memory_producer(aml, base, len);
	aml_end(aml);
	put_vmbus_device(aml);
	aml_end(aml);
}

static void put_serial(struct aml *aml)
{
	aml_device(aml, "COM1");
	name_eisa_id(aml, "_HID", "PNP0501");
	name_int(aml, "_UID", 1);
	name_string(aml, "_DDN", "COM1");
	crs_open(aml);
	aml_io(aml, 0x3f8, 8);
	aml_irq(aml, LAYOUT_IRQ_SERIAL, AML_EDGE, AML_ACTIVE_HIGH);
	aml_end(aml);
	aml_end(aml);
}

static void put_rtc(struct aml *aml)
{
	aml_device(aml, "RTC");
	name_eisa_id(aml, "_HID", "PNP0B00");
	crs_open(aml);
	aml_io(aml, 0x70, 2);
	aml_irq(aml, LAYOUT_IRQ_RTC, AML_EDGE, AML_ACTIVE_HIGH);
	aml_end(aml);
	aml_end(aml);
}

static void put_keyboard(struct aml *aml)
{
	aml_device(aml, "KBD");
	name_eisa_id(aml, "_HID", "PNP0303");
	crs_open(aml);
	aml_io(aml, 0x60, 1);
	aml_io(aml, 0x64, 1);
	aml_irq(aml, 1, AML_EDGE, AML_ACTIVE_HIGH);
	aml_end(aml);
	aml_end(aml);
}

/* The device as QEMU specifies it (docs/specs/pvpanic): its drivers need no more than the port. */
static void put_pvpanic(struct aml *aml)
{
	aml_device(aml, "PVPN");
	name_string(aml, "_HID", "QEMU0001");
	name_int(aml, "_STA", 0xf);
	crs_open(aml);
	aml_io(aml, LAYOUT_PORT_PVPANIC, 1);
	aml_end(aml);
	aml_end(aml);
}

/* Ports that belong to no device, so that no guest gives them to one. */
static void put_motherboard(struct aml *aml)
{
	aml_device(aml, "MBRD");
	name_eisa_id(aml, "_HID", "PNP0C02");
	crs_open(aml);
	aml_io(aml, LAYOUT_PORT_PM, ACPI_PM_LEN);
	aml_io(aml, LAYOUT_PORT_RESET, 1);
	aml_end(aml);
	aml_end(aml);
}

int acpi_dsdt_build(void *buf, size_t size, const struct acpi_config *config, uint64_t ram_end,
		    size_t *ret_len)
{
	struct aml aml;

	aml_init(&aml, buf, size);
	put_sleep_states(&aml);
	aml_scope(&aml, "_SB");
	put_processors(&aml, config->cpus);
	if (config->vmbus)
		put_vmbus(&aml, ram_end, config->phys_bits);
	if (config->serial)
		put_serial(&aml);
	put_rtc(&aml);
	if (config->i8042)
		put_keyboard(&aml);
	if (config->pvpanic)
		put_pvpanic(&aml);
	put_motherboard(&aml);
	aml_end(&aml);
	return aml_finish(&aml, ret_len);
}
