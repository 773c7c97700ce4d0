// SPDX-License-Identifier: MIT
/* See acpi.h. State: the tables' addresses, written once by CPU 0. */
#include "kit/acpi.h"
#include "kit/cpu.h"
#include "kit/smp.h"
#include "kit/start_info.h"
#include "kit/string.h"

#define RSDP_LENGTH_1 20

static const struct acpi_rsdp *rsdp;
static const struct acpi_header *root;
static const struct acpi_fadt *fadt;

bool acpi_checksum_ok(const void *p, size_t len)
{
	const uint8_t *bytes = p;
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return !sum;
}

const struct acpi_rsdp *acpi_rsdp(void)
{
	return rsdp;
}

static const struct acpi_rsdp *scan(uint64_t begin, uint64_t end)
{
	for (uint64_t pa = begin; pa + sizeof(*rsdp) <= end; pa += 16) {
		const struct acpi_rsdp *r = pa_ptr(pa);

		if (*(const uint64_t *)pa_ptr(pa) == 0x2052545020445352 && /* "RSD PTR " */
		    acpi_checksum_ok(r, RSDP_LENGTH_1))
			return r;
	}
	return NULL;
}

const struct acpi_rsdp *acpi_scan_rsdp(void)
{
	uint64_t ebda = (uint64_t)mmio_read16(0x40e) << 4;
	const struct acpi_rsdp *found = NULL;

	if (ebda >= KiB(128) && ebda < KiB(640))
		found = scan(ebda, ebda + KiB(1));
	return found ? found : scan(0xe0000, MiB(1));
}

size_t acpi_table_count(void)
{
	if (!root)
		return 0;
	return (root->length - sizeof(*root)) / (root->signature[0] == 'X' ? 8 : 4);
}

const struct acpi_header *acpi_table(size_t index)
{
	const char *entries = (const char *)(root + 1);
	uint64_t pa = 0;

	if (root->signature[0] == 'X')
		memcpy(&pa, entries + index * 8, 8);
	else
		memcpy(&pa, entries + index * 4, 4);
	return pa_ptr(pa);
}

const struct acpi_header *acpi_find(const char *signature)
{
	for (size_t i = 0; i < acpi_table_count(); i++)
		if (!memcmp(acpi_table(i)->signature, signature, 4))
			return acpi_table(i);
	return NULL;
}

const struct acpi_fadt *acpi_fadt(void)
{
	return fadt;
}

const struct acpi_header *acpi_dsdt(void)
{
	if (!fadt)
		return NULL;
	if (fadt->header.length >= sizeof(*fadt) && fadt->x_dsdt)
		return pa_ptr(fadt->x_dsdt);
	return fadt->dsdt ? pa_ptr(fadt->dsdt) : NULL;
}

void madt_for_each(void (*fn)(const struct madt_entry *entry, void *arg), void *arg)
{
	const struct acpi_header *madt = acpi_find("APIC");

	if (!madt)
		return;
	const char *p = (const char *)madt + sizeof(struct acpi_madt);
	const char *end = (const char *)madt + madt->length;

	while (end - p >= (ptrdiff_t)sizeof(struct madt_entry)) {
		const struct madt_entry *entry = (const void *)p;

		if (entry->length < sizeof(*entry) || entry->length > end - p)
			return;
		fn(entry, arg);
		p += entry->length;
	}
}

struct override_search {
	uint8_t irq;
	uint32_t gsi;
	uint16_t flags;
};

static void match_override(const struct madt_entry *entry, void *arg)
{
	const struct madt_override *o = (const void *)entry;
	struct override_search *s = arg;

	if (entry->type != MADT_OVERRIDE || o->irq != s->irq)
		return;
	s->gsi = o->gsi;
	s->flags = o->flags;
}

uint32_t madt_gsi(uint8_t irq, uint16_t *ret_flags)
{
	struct override_search s = {.irq = irq, .gsi = irq};

	madt_for_each(match_override, &s);
	*ret_flags = s.flags;
	return s.gsi;
}

static void match_ioapic(const struct madt_entry *entry, void *arg)
{
	uint32_t *address = arg;

	if (entry->type == MADT_IOAPIC && !*address)
		*address = ((const struct madt_ioapic *)(const void *)entry)->address;
}

uint32_t madt_ioapic_address(void)
{
	uint32_t address = 0;

	madt_for_each(match_ioapic, &address);
	return address;
}

static void add_cpu(const struct madt_entry *entry, void *arg)
{
	const struct madt_lapic *lapic = (const void *)entry;
	const struct madt_x2apic *x2apic = (const void *)entry;

	(void)arg;
	if (entry->type == MADT_LAPIC && lapic->flags & 1)
		smp_add_cpu(lapic->apic_id);
	else if (entry->type == MADT_X2APIC && x2apic->flags & 1)
		smp_add_cpu(x2apic->apic_id);
}

/* An integer of AML: ZeroOp, OneOp, or BytePrefix and a byte. */
static bool small_integer(const uint8_t **p, uint8_t *ret)
{
	const uint8_t *b = *p;

	if (b[0] > 1 && b[0] != 0x0a)
		return false;
	*ret = b[0] > 1 ? b[1] : b[0];
	*p += b[0] > 1 ? 2 : 1;
	return true;
}

bool acpi_s5_types(uint8_t *ret_a, uint8_t *ret_b)
{
	const struct acpi_header *dsdt = acpi_dsdt();
	const uint8_t *p = (const uint8_t *)dsdt;

	if (!dsdt || dsdt->length < sizeof(*dsdt) + 16)
		return false;
	for (const uint8_t *end = p + dsdt->length - 12; p < end; p++) {
		const uint8_t *q = p + 4;

		/* "_S5_", PackageOp, package length in one byte (bits 7:6 zero), element count */
		if (*p != '_' || memcmp(p, "_S5_", 4) || q[0] != 0x12 || q[1] & 0xc0)
			continue;
		q += 3;
		return small_integer(&q, ret_a) && small_integer(&q, ret_b);
	}
	return false;
}

void acpi_init(void)
{
	uint64_t pa = start_info()->rsdp;

	rsdp = pa && !memcmp(pa_ptr(pa), "RSD PTR ", 8) ? pa_ptr(pa) : NULL;
	if (!rsdp)
		rsdp = acpi_scan_rsdp();
	if (!rsdp)
		return;
	root = pa_ptr(rsdp->revision >= 2 && rsdp->xsdt ? rsdp->xsdt : rsdp->rsdt);
	fadt = (const void *)acpi_find("FACP");
	madt_for_each(add_cpu, NULL);
}
