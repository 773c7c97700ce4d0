// SPDX-License-Identifier: MIT
/*
 * The MADT (ACPI 6.3, section 5.2.12): processors, the I/O APIC, and how the ISA interrupts reach
 * it.
 */
#include "vmm/acpi_tables.h"

#include <assert.h>
#include <string.h>

#include "vmm/layout.h"

/* The lowest APIC id that a local APIC entry cannot name: 255 is broadcast in xAPIC mode. */
#define FIRST_X2APIC_ID 255u

/* An entry in a MADT that has room for it. */
static void put_entry(uint8_t **pos, uint8_t type, void *data, uint8_t len)
{
	struct acpi_madt_entry *entry = data;

	entry->type = type;
	entry->length = len;
	memcpy(*pos, data, len);
	*pos += len;
}

static void put_processors(uint8_t **pos, unsigned int cpus)
{
	for (unsigned int i = 0; i < cpus; i++) {
		struct acpi_madt_lapic lapic = {
			.uid = (uint8_t)i,
			.apic_id = (uint8_t)i,
			.flags = ACPI_MADT_CPU_ENABLED,
		};
		struct acpi_madt_x2apic x2apic = {
			.uid = i,
			.apic_id = i,
			.flags = ACPI_MADT_CPU_ENABLED,
		};

		if (i < FIRST_X2APIC_ID)
			put_entry(pos, ACPI_MADT_LAPIC, &lapic, sizeof(lapic));
		else
			put_entry(pos, ACPI_MADT_X2APIC, &x2apic, sizeof(x2apic));
	}
}

static void put_interrupts(uint8_t **pos, bool x2apic)
{
	struct acpi_madt_ioapic ioapic = {.address = LAYOUT_IOAPIC};
	/* The PIT's output goes to pin 2, as on every PC with an I/O APIC. */
	struct acpi_madt_override timer = {.source = 0, .gsi = 2};
	struct acpi_madt_override sci = {
		.source = LAYOUT_IRQ_SCI,
		.gsi = LAYOUT_IRQ_SCI,
		.flags = ACPI_MPS_ACTIVE_HIGH | ACPI_MPS_LEVEL,
	};
	struct acpi_madt_lapic_nmi nmi = {.uid = 0xff, .lint = 1};
	struct acpi_madt_x2apic_nmi x2apic_nmi = {.uid = 0xffffffff, .lint = 1};

	put_entry(pos, ACPI_MADT_IOAPIC, &ioapic, sizeof(ioapic));
	put_entry(pos, ACPI_MADT_OVERRIDE, &timer, sizeof(timer));
	put_entry(pos, ACPI_MADT_OVERRIDE, &sci, sizeof(sci));
	put_entry(pos, ACPI_MADT_LAPIC_NMI, &nmi, sizeof(nmi));
	if (x2apic)
		put_entry(pos, ACPI_MADT_X2APIC_NMI, &x2apic_nmi, sizeof(x2apic_nmi));
}

/* How many processors have a local APIC entry; the others have an x2APIC entry. */
static size_t lapic_count(unsigned int cpus)
{
	return min_of(cpus, FIRST_X2APIC_ID);
}

size_t acpi_madt_len(unsigned int cpus)
{
	size_t lapics = lapic_count(cpus);
	size_t x2apics = cpus - lapics;

	return sizeof(struct acpi_madt) + lapics * sizeof(struct acpi_madt_lapic) +
	       x2apics * sizeof(struct acpi_madt_x2apic) + sizeof(struct acpi_madt_ioapic) +
	       2 * sizeof(struct acpi_madt_override) + sizeof(struct acpi_madt_lapic_nmi) +
	       (x2apics ? sizeof(struct acpi_madt_x2apic_nmi) : 0);
}

void acpi_madt_fill(struct acpi_madt *madt, unsigned int cpus)
{
	uint8_t *pos = (uint8_t *)(madt + 1);

	madt->lapic = LAYOUT_LAPIC;
	madt->flags = ACPI_MADT_PCAT_COMPAT; /* KVM's PIC is there */
	put_processors(&pos, cpus);
	put_interrupts(&pos, cpus > lapic_count(cpus));
	assert(pos == (uint8_t *)madt + acpi_madt_len(cpus));
}
