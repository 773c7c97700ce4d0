// SPDX-License-Identifier: MIT
/*
 * ACPI tables: the small ones' content, and the place of all (ACPI 6.3, section 5.2).
 *
 * All are built in a buffer that mirrors LAYOUT_ACPI .. LAYOUT_ACPI_END and go to the guest in one
 * write. The machine they describe is a PC with fixed ACPI hardware: guests since ACPI 1.0 know
 * that, and Windows wants it.
 */
#include "vmm/acpi.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/acpi_tables.h"
#include "vmm/checksum.h"
#include "vmm/layout.h"

#define IMAGE_SIZE (LAYOUT_ACPI_END - LAYOUT_ACPI)

/*
 * No guest we know of decides anything by these: Hyper-V is found by CPUID, quirks look for other
 * makers. So they say who made the tables, and a bug report that quotes a guest's log names us.
 */
#define OEM_ID       "CANDEL"
#define OEM_TABLE_ID "CANDELA "
#define CREATOR_ID   "CNDL"
#define VENDOR       "candela" /* of the hypervisor, in the FADT */

/* The tables that the RSDT and the XSDT list: FADT, MADT, WAET. */
#define LISTED_TABLES 3

struct image {
	uint8_t *buf;
	size_t used;
	uint32_t listed[LISTED_TABLES]; /* their GPAs */
	size_t listed_count;
};

/* Room for @len bytes, zeroed, or NULL. */
static void *image_reserve(struct image *image, size_t len, size_t alignment)
{
	size_t start = align_up(image->used, alignment);

	if (!range_within(start, len, IMAGE_SIZE))
		return NULL;
	image->used = start + len;
	return image->buf + start;
}

static uint32_t image_gpa(const struct image *image, const void *table)
{
	return (uint32_t)(LAYOUT_ACPI + (size_t)((const uint8_t *)table - image->buf));
}

/* The last step: everything behind the header is in place. */
static void header_seal(struct acpi_header *header, const char *signature, uint8_t revision,
			size_t len)
{
	memcpy(header->signature, signature, sizeof(header->signature));
	header->length = (uint32_t)len;
	header->revision = revision;
	memcpy(header->oem_id, OEM_ID, sizeof(header->oem_id));
	memcpy(header->oem_table_id, OEM_TABLE_ID, sizeof(header->oem_table_id));
	header->oem_revision = 1;
	memcpy(header->creator_id, CREATOR_ID, sizeof(header->creator_id));
	header->creator_revision = 1;
	header->checksum = 0;
	header->checksum = checksum8(header, len);
}

static void image_list(struct image *image, const void *table)
{
	assert(image->listed_count < LISTED_TABLES);
	image->listed[image->listed_count++] = image_gpa(image, table);
}

static const struct acpi_facs *build_facs(struct image *image)
{
	struct acpi_facs *facs = image_reserve(image, sizeof(*facs), 64);

	if (!facs)
		return NULL;
	memcpy(facs->signature, "FACS", sizeof(facs->signature));
	facs->length = sizeof(*facs);
	facs->version = 2;
	return facs;
}

static const struct acpi_header *build_dsdt(struct image *image, const struct acpi_config *config,
					    uint64_t ram_end)
{
	struct acpi_header *dsdt = image_reserve(image, sizeof(*dsdt), 16);
	size_t len;

	if (!dsdt || acpi_dsdt_build(image->buf + image->used, IMAGE_SIZE - image->used, config,
				     ram_end, &len))
		return NULL;
	image->used += len;
	/* Revision 2: integers have 64 bits. */
	header_seal(dsdt, "DSDT", 2, sizeof(*dsdt) + len);
	return dsdt;
}

static struct acpi_gas io_gas(uint16_t port, uint8_t bits, uint8_t access_size)
{
	return (struct acpi_gas){
		.space = ACPI_SPACE_IO,
		.bit_width = bits,
		.access_size = access_size,
		.address = port,
	};
}

/*
 * Both the old fields and the extended ones: newer guests read the latter, and Windows the lengths
 * of the former beside them.
 */
static void fadt_set_blocks(struct acpi_fadt *fadt)
{
	fadt->pm1a_evt_blk = LAYOUT_PORT_PM + ACPI_PM1_EVENT;
	fadt->pm1a_cnt_blk = LAYOUT_PORT_PM + ACPI_PM1_CONTROL;
	fadt->pm_tmr_blk = LAYOUT_PORT_PM + ACPI_PM_TIMER;
	fadt->gpe0_blk = LAYOUT_PORT_PM + ACPI_GPE0;
	fadt->pm1_evt_len = 4;
	fadt->pm1_cnt_len = 2;
	fadt->pm_tmr_len = 4;
	fadt->gpe0_blk_len = 4;
	fadt->x_pm1a_evt_blk = io_gas(LAYOUT_PORT_PM + ACPI_PM1_EVENT, 32, 2);
	fadt->x_pm1a_cnt_blk = io_gas(LAYOUT_PORT_PM + ACPI_PM1_CONTROL, 16, 2);
	fadt->x_pm_tmr_blk = io_gas(LAYOUT_PORT_PM + ACPI_PM_TIMER, 32, 3);
	fadt->x_gpe0_blk = io_gas(LAYOUT_PORT_PM + ACPI_GPE0, 32, 1);
	fadt->reset_reg = io_gas(LAYOUT_PORT_RESET, 8, 1);
	fadt->reset_value = ACPI_RESET_VALUE;
}

/*
 * USE_PLATFORM_CLOCK as on Hyper-V and QEMU: a Windows without enlightenments must not take a TSC
 * that may move between hosts for its performance counter.
 *
 * FORCE_APIC_CLUSTER, as on QEMU: the flat model of xAPIC mode names eight CPUs at most. Linux does
 * not look at it and decides by the number of CPUs.
 */
static uint32_t fadt_flags(const struct acpi_config *config)
{
	uint32_t flags = ACPI_FADT_WBINVD | ACPI_FADT_PROC_C1 | ACPI_FADT_SLP_BUTTON |
			 ACPI_FADT_FIX_RTC | ACPI_FADT_TMR_VAL_EXT | ACPI_FADT_RESET_REG_SUP |
			 ACPI_FADT_USE_PLATFORM_CLOCK;

	if (config->cpus > 8)
		flags |= ACPI_FADT_FORCE_APIC_CLUSTER;
	return flags;
}

static bool build_fadt(struct image *image, const struct acpi_config *config,
		       const struct acpi_facs *facs, const struct acpi_header *dsdt)
{
	struct acpi_fadt *fadt = image_reserve(image, sizeof(*fadt), 16);

	if (!fadt)
		return false;
	/* Of the FACS's two addresses only one may be set; of the DSDT's both may. */
	fadt->firmware_ctrl = image_gpa(image, facs);
	fadt->dsdt = image_gpa(image, dsdt);
	fadt->x_dsdt = fadt->dsdt;
	fadt->int_model = 1; /* what ACPI 1.0 calls a machine with both PIC and APIC */
	fadt->sci_int = LAYOUT_IRQ_SCI;
	fadt_set_blocks(fadt);
	/* Over 100 and over 1000: no C2, no C3. */
	fadt->p_lvl2_lat = 0xfff;
	fadt->p_lvl3_lat = 0xfff;
	fadt->century = ACPI_RTC_CENTURY;
	fadt->iapc_boot_arch = ACPI_FADT_VGA_NOT_PRESENT;
	if (config->serial || config->i8042)
		fadt->iapc_boot_arch |= ACPI_FADT_LEGACY_DEVICES;
	if (config->i8042)
		fadt->iapc_boot_arch |= ACPI_FADT_8042;
	fadt->flags = fadt_flags(config);
	memcpy(fadt->hypervisor_vendor, VENDOR, sizeof(VENDOR));
	header_seal(&fadt->header, "FACP", 6, sizeof(*fadt));
	image_list(image, fadt);
	return true;
}

static bool build_madt(struct image *image, unsigned int cpus)
{
	size_t len = acpi_madt_len(cpus);
	struct acpi_madt *madt = image_reserve(image, len, 16);

	if (!madt)
		return false;
	acpi_madt_fill(madt, cpus);
	header_seal(&madt->header, "APIC", 4, len);
	image_list(image, madt);
	return true;
}

static bool build_waet(struct image *image)
{
	struct acpi_waet *waet = image_reserve(image, sizeof(*waet), 16);

	if (!waet)
		return false;
	waet->flags = ACPI_WAET_RTC_GOOD | ACPI_WAET_PM_TIMER_GOOD;
	header_seal(&waet->header, "WAET", 1, sizeof(*waet));
	image_list(image, waet);
	return true;
}

/* The root tables: the XSDT, and for readers of ACPI 1.0 (small kernels, test guests) the RSDT. */
static bool build_roots(struct image *image, struct acpi_rsdp *rsdp)
{
	size_t rsdt_len = sizeof(struct acpi_header) + image->listed_count * sizeof(uint32_t);
	size_t xsdt_len = sizeof(struct acpi_header) + image->listed_count * sizeof(uint64_t);
	struct acpi_header *rsdt = image_reserve(image, rsdt_len, 16);
	struct acpi_header *xsdt = image_reserve(image, xsdt_len, 16);

	if (!rsdt || !xsdt)
		return false;
	for (size_t i = 0; i < image->listed_count; i++) {
		uint64_t gpa = image->listed[i];

		memcpy((uint8_t *)(rsdt + 1) + i * sizeof(uint32_t), &image->listed[i],
		       sizeof(uint32_t));
		memcpy((uint8_t *)(xsdt + 1) + i * sizeof(gpa), &gpa, sizeof(gpa));
	}
	header_seal(rsdt, "RSDT", 1, rsdt_len);
	header_seal(xsdt, "XSDT", 1, xsdt_len);

	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, OEM_ID, sizeof(rsdp->oem_id));
	rsdp->revision = 2;
	rsdp->rsdt = image_gpa(image, rsdt);
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = image_gpa(image, xsdt);
	rsdp->checksum = checksum8(rsdp, ACPI_RSDP_V1_LEN);
	rsdp->extended_checksum = checksum8(rsdp, sizeof(*rsdp));
	return true;
}

static bool build_all(struct image *image, const struct acpi_config *config, uint64_t ram_end)
{
	struct acpi_rsdp *rsdp = image_reserve(image, sizeof(*rsdp), 16);
	const struct acpi_facs *facs = build_facs(image);
	const struct acpi_header *dsdt = build_dsdt(image, config, ram_end);

	return rsdp && facs && dsdt && build_fadt(image, config, facs, dsdt) &&
	       build_madt(image, config->cpus) && build_waet(image) && build_roots(image, rsdp);
}

int acpi_build(struct mem *mem, const struct acpi_config *config, struct error *err,
	       uint64_t *ret_rsdp)
{
	struct image image = {0};
	const struct mem_region *regions;
	size_t count;
	int ret;

	assert(config->cpus > 0);
	regions = mem_regions(mem, &count);
	image.buf = calloc(1, IMAGE_SIZE);
	if (!image.buf)
		return error_set(err, -ENOMEM, "out of memory for the ACPI tables");
	if (build_all(&image, config, regions[count - 1].gpa + regions[count - 1].len)) {
		ret = mem_write(mem, LAYOUT_ACPI, image.buf, image.used);
		if (ret)
			error_errno(err, ret, "cannot write the ACPI tables at %#llx", LAYOUT_ACPI);
	} else {
		ret = error_set(err, -ENOSPC,
				"%u CPUs: their ACPI tables do not fit the %llu KiB there are for "
				"them; use fewer CPUs",
				config->cpus, IMAGE_SIZE / KiB(1));
	}
	free(image.buf);
	if (!ret)
		*ret_rsdp = LAYOUT_ACPI;
	return ret;
}
