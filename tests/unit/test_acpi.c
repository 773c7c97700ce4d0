// SPDX-License-Identifier: MIT
/*
 * The ACPI tables as a guest reads them: from the RSDP on, every pointer, length and checksum. What
 * the AML means is judged by iasl (tests/lint/iasl.sh).
 */
#include "vmm/acpi.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/acpi_proto.h"
#include "vmm/aml_proto.h"
#include "vmm/layout.h"

static struct mem *mem;
static struct acpi_config config;

static void use_memory(uint64_t size)
{
	struct mem_config mem_config = {.size = size};

	mem_destroy(mem);
	mem = NULL;
	ck_assert_int_eq(mem_create(&mem_config, NULL, &mem), 0);
}

static void setup(void)
{
	use_memory(MiB(64));
	config = (struct acpi_config){.cpus = 1, .vmbus = true, .serial = true, .phys_bits = 40};
}

static void teardown(void)
{
	mem_destroy(mem);
	mem = NULL;
}

static void check_sum(const void *data, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)data)[i]);
	ck_assert_uint_eq(sum, 0);
}

/* The table at @gpa, which must lie in the area and have a header in order. */
static const void *table_at(uint64_t gpa, const char *signature)
{
	const struct acpi_header *header;

	ck_assert(gpa >= LAYOUT_ACPI && gpa % 16 == 0);
	ck_assert(range_within(gpa, sizeof(*header), LAYOUT_ACPI_END));
	header = mem_map(mem, gpa, sizeof(*header));
	ck_assert_ptr_nonnull(header);
	ck_assert_mem_eq(header->signature, signature, 4);
	ck_assert(range_within(gpa, header->length, LAYOUT_ACPI_END));
	check_sum(header, header->length);
	return header;
}

static const struct acpi_rsdp *build(void)
{
	const struct acpi_rsdp *rsdp;
	struct error err = {0};
	uint64_t gpa = 0;

	ck_assert_msg(acpi_build(mem, &config, &err, &gpa) == 0, "%s", err.text);
	ck_assert_uint_eq(gpa, LAYOUT_ACPI);
	rsdp = mem_map(mem, gpa, sizeof(*rsdp));
	ck_assert_ptr_nonnull(rsdp);
	return rsdp;
}

/* Through the XSDT. */
static const void *find(const char *signature)
{
	const struct acpi_rsdp *rsdp = build();
	const struct acpi_header *xsdt = table_at(rsdp->xsdt, "XSDT");

	for (size_t i = 0; i < (xsdt->length - sizeof(*xsdt)) / 8; i++) {
		uint64_t gpa;

		memcpy(&gpa, (const uint8_t *)(xsdt + 1) + i * 8, sizeof(gpa));
		if (memcmp(mem_map(mem, gpa, 4), signature, 4) == 0)
			return table_at(gpa, signature);
	}
	ck_abort_msg("no %s", signature);
}

static const struct acpi_header *find_dsdt(void)
{
	const struct acpi_fadt *fadt = find("FACP");

	return table_at(fadt->x_dsdt, "DSDT");
}

START_TEST(rsdp_sums)
{
	const struct acpi_rsdp *rsdp = build();

	ck_assert_mem_eq(rsdp->signature, "RSD PTR ", 8);
	ck_assert_uint_eq(rsdp->revision, 2);
	ck_assert_uint_eq(rsdp->length, 36);
	check_sum(rsdp, 20);
	check_sum(rsdp, 36);
}
END_TEST

START_TEST(both_roots_list_the_same)
{
	const struct acpi_rsdp *rsdp = build();
	const struct acpi_header *rsdt = table_at(rsdp->rsdt, "RSDT");
	const struct acpi_header *xsdt = table_at(rsdp->xsdt, "XSDT");
	static const char signatures[3][5] = {"FACP", "APIC", "WAET"};

	ck_assert_uint_eq(rsdt->length, sizeof(*rsdt) + 3 * 4);
	ck_assert_uint_eq(xsdt->length, sizeof(*xsdt) + 3 * 8);
	for (size_t i = 0; i < 3; i++) {
		uint32_t gpa32;
		uint64_t gpa64;

		memcpy(&gpa32, (const uint8_t *)(rsdt + 1) + i * 4, sizeof(gpa32));
		memcpy(&gpa64, (const uint8_t *)(xsdt + 1) + i * 8, sizeof(gpa64));
		ck_assert_uint_eq(gpa32, gpa64);
		table_at(gpa64, signatures[i]);
	}
}
END_TEST

static void check_gas(const struct acpi_gas *gas, uint32_t port, uint32_t len)
{
	ck_assert_uint_eq(gas->space, ACPI_SPACE_IO);
	ck_assert_uint_eq(gas->bit_width, len * 8);
	ck_assert_uint_eq(gas->bit_offset, 0);
	ck_assert_uint_eq(gas->address, port);
}

START_TEST(fadt_blocks)
{
	const struct acpi_fadt *fadt = find("FACP");
	static const struct acpi_gas none;

	ck_assert_uint_eq(fadt->header.revision, 6);
	ck_assert_uint_eq(fadt->header.length, 276);
	ck_assert_uint_eq(fadt->sci_int, LAYOUT_IRQ_SCI);
	ck_assert_uint_eq(fadt->smi_cmd, 0);
	ck_assert_uint_eq(fadt->pm1a_evt_blk, LAYOUT_PORT_PM);
	check_gas(&fadt->x_pm1a_evt_blk, fadt->pm1a_evt_blk, fadt->pm1_evt_len);
	ck_assert_uint_eq(fadt->pm1a_cnt_blk, LAYOUT_PORT_PM + 4);
	check_gas(&fadt->x_pm1a_cnt_blk, fadt->pm1a_cnt_blk, fadt->pm1_cnt_len);
	ck_assert_uint_eq(fadt->pm_tmr_blk, LAYOUT_PORT_PM + 8);
	check_gas(&fadt->x_pm_tmr_blk, fadt->pm_tmr_blk, fadt->pm_tmr_len);
	ck_assert_uint_eq(fadt->gpe0_blk, LAYOUT_PORT_PM + 0x10);
	check_gas(&fadt->x_gpe0_blk, fadt->gpe0_blk, fadt->gpe0_blk_len);
	ck_assert_uint_eq(fadt->pm1_evt_len, 4);
	ck_assert_uint_eq(fadt->pm1_cnt_len, 2);
	ck_assert_uint_eq(fadt->pm_tmr_len, 4);
	ck_assert_uint_eq(fadt->gpe0_blk_len, 4);
	ck_assert_mem_eq(&fadt->x_pm1b_evt_blk, &none, sizeof(none));
	ck_assert_mem_eq(&fadt->x_pm2_cnt_blk, &none, sizeof(none));
	check_gas(&fadt->reset_reg, 0xcf9, 1);
	ck_assert_uint_eq(fadt->reset_value, 6);
}
END_TEST

START_TEST(fadt_says_what_is_there)
{
	const struct acpi_fadt *fadt = find("FACP");

	ck_assert_uint_eq(fadt->iapc_boot_arch,
			  ACPI_FADT_LEGACY_DEVICES | ACPI_FADT_VGA_NOT_PRESENT);
	ck_assert(fadt->flags & ACPI_FADT_RESET_REG_SUP);
	ck_assert(fadt->flags & ACPI_FADT_TMR_VAL_EXT);
	ck_assert(fadt->flags & ACPI_FADT_SLP_BUTTON);
	ck_assert(!(fadt->flags & ACPI_FADT_PWR_BUTTON));
	ck_assert(!(fadt->flags & ACPI_FADT_FORCE_APIC_CLUSTER));
	ck_assert_uint_eq(fadt->century, 0x32);

	config.serial = false;
	fadt = find("FACP");
	ck_assert_uint_eq(fadt->iapc_boot_arch, ACPI_FADT_VGA_NOT_PRESENT);

	config.i8042 = true;
	config.cpus = 9;
	fadt = find("FACP");
	ck_assert_uint_eq(fadt->iapc_boot_arch,
			  ACPI_FADT_LEGACY_DEVICES | ACPI_FADT_8042 | ACPI_FADT_VGA_NOT_PRESENT);
	ck_assert(fadt->flags & ACPI_FADT_FORCE_APIC_CLUSTER);
}
END_TEST

START_TEST(facs)
{
	const struct acpi_fadt *fadt = find("FACP");
	const struct acpi_facs *table = mem_map(mem, fadt->firmware_ctrl, sizeof(*table));

	ck_assert_uint_eq(fadt->x_firmware_ctrl, 0);
	ck_assert_uint_eq(fadt->firmware_ctrl % 64, 0);
	ck_assert(fadt->firmware_ctrl >= LAYOUT_ACPI + sizeof(struct acpi_rsdp));
	ck_assert_mem_eq(table->signature, "FACS", 4);
	ck_assert_uint_eq(table->length, 64);
	ck_assert_uint_eq(table->version, 2);
}
END_TEST

START_TEST(waet)
{
	const struct acpi_waet *table = find("WAET");

	ck_assert_uint_eq(table->header.length, 40);
	ck_assert_uint_eq(table->flags, 3);
}
END_TEST

struct madt_seen {
	unsigned int lapics, x2apics, ioapics, overrides, nmis, x2apic_nmis;
};

static void check_madt_cpu(uint64_t id, uint64_t uid, uint64_t flags, const struct madt_seen *seen)
{
	ck_assert_uint_eq(id, seen->lapics + seen->x2apics);
	ck_assert_uint_eq(uid, id);
	ck_assert_uint_eq(flags, 1);
}

static void check_madt_override(const struct acpi_madt_override *override)
{
	ck_assert_uint_eq(override->bus, 0);
	if (override->source == 0) {
		ck_assert_uint_eq(override->gsi, 2);
		ck_assert_uint_eq(override->flags, 0);
	} else {
		ck_assert_uint_eq(override->source, 9);
		ck_assert_uint_eq(override->gsi, 9);
		ck_assert_uint_eq(override->flags, 0xd);
	}
}

static void check_madt_entry(const void *entry, uint8_t type, uint8_t len, struct madt_seen *seen)
{
	const struct acpi_madt_lapic *lapic = entry;
	const struct acpi_madt_x2apic *x2apic = entry;
	const struct acpi_madt_ioapic *ioapic = entry;
	const struct acpi_madt_lapic_nmi *nmi = entry;
	const struct acpi_madt_x2apic_nmi *x2apic_nmi = entry;

	switch (type) {
	case 0:
		ck_assert_uint_eq(len, 8);
		check_madt_cpu(lapic->apic_id, lapic->uid, lapic->flags, seen);
		seen->lapics++;
		break;
	case 1:
		ck_assert_uint_eq(len, 12);
		ck_assert_uint_eq(ioapic->id, 0);
		ck_assert_uint_eq(ioapic->address, 0xfec00000);
		ck_assert_uint_eq(ioapic->gsi_base, 0);
		seen->ioapics++;
		break;
	case 2:
		ck_assert_uint_eq(len, 10);
		check_madt_override(entry);
		seen->overrides++;
		break;
	case 4:
		ck_assert_uint_eq(len, 6);
		ck_assert_uint_eq(nmi->uid, 0xff);
		ck_assert_uint_eq(nmi->lint, 1);
		seen->nmis++;
		break;
	case 9:
		ck_assert_uint_eq(len, 16);
		ck_assert_uint_ge(x2apic->apic_id, 255);
		check_madt_cpu(x2apic->apic_id, x2apic->uid, x2apic->flags, seen);
		seen->x2apics++;
		break;
	case 10:
		ck_assert_uint_eq(len, 12);
		ck_assert_uint_eq(x2apic_nmi->uid, 0xffffffff);
		ck_assert_uint_eq(x2apic_nmi->lint, 1);
		seen->x2apic_nmis++;
		break;
	default:
		ck_abort_msg("MADT entry of type %u", type);
	}
}

static const unsigned int cpu_counts[] = {1, 2, 8, 9, 254, 255, 256, 300, 1024};

START_TEST(madt)
{
	unsigned int cpus = cpu_counts[_i];
	struct madt_seen seen = {0};
	const struct acpi_madt *table;
	const uint8_t *entry;
	size_t left;

	config.cpus = cpus;
	table = find("APIC");
	ck_assert_uint_eq(table->lapic, 0xfee00000);
	ck_assert_uint_eq(table->flags, 1);
	entry = (const uint8_t *)(table + 1);
	left = table->header.length - sizeof(*table);
	while (left) {
		ck_assert(left >= 2 && entry[1] >= 2 && entry[1] <= left);
		check_madt_entry(entry, entry[0], entry[1], &seen);
		left -= entry[1];
		entry += entry[1];
	}
	ck_assert_uint_eq(seen.lapics, cpus < 255 ? cpus : 255);
	ck_assert_uint_eq(seen.lapics + seen.x2apics, cpus);
	ck_assert_uint_eq(seen.ioapics, 1);
	ck_assert_uint_eq(seen.overrides, 2);
	ck_assert_uint_eq(seen.nmis, 1);
	ck_assert_uint_eq(seen.x2apic_nmis, cpus > 255);
}
END_TEST

static const uint8_t *dsdt_search(const struct acpi_header *dsdt, const void *what, size_t len)
{
	return memmem(dsdt + 1, dsdt->length - sizeof(*dsdt), what, len);
}

static bool dsdt_has(const char *what)
{
	const struct acpi_header *dsdt = find_dsdt();

	return dsdt_search(dsdt, what, strlen(what)) != NULL;
}

START_TEST(dsdt_processors)
{
	const struct acpi_header *dsdt;
	const uint8_t *aml;
	char name[16];
	unsigned int count = 0;

	config.cpus = cpu_counts[_i];
	dsdt = find_dsdt();
	ck_assert_uint_eq(dsdt->revision, 2);
	aml = (const uint8_t *)(dsdt + 1);
	for (size_t i = 0; i + 9 <= dsdt->length - sizeof(*dsdt); i++)
		count += memcmp(aml + i, "ACPI0007", 9) == 0;
	ck_assert_uint_eq(count, config.cpus);
	snprintf(name, sizeof(name), "C%03X\b_HID\rACPI", config.cpus - 1);
	ck_assert_ptr_nonnull(dsdt_search(dsdt, name, strlen(name)));
}
END_TEST

/* The way from the flags to the ids; each also in the negative. */
START_TEST(dsdt_devices)
{
	ck_assert(dsdt_has("VMBus"));
	ck_assert(dsdt_has("ACPI0004"));
	ck_assert(dsdt_has("COM1"));
	ck_assert(dsdt_has("\x41\xd0\x0b")); /* PNP0B00; its last byte is 0 */
	ck_assert(dsdt_has("\x41\xd0\x0c\x02"));
	ck_assert(dsdt_has("_S5_"));
	ck_assert(!dsdt_has("QEMU0001"));
	ck_assert(!dsdt_has("\x41\xd0\x03\x03"));

	config.vmbus = false;
	config.serial = false;
	config.pvpanic = true;
	config.i8042 = true;
	ck_assert(!dsdt_has("VMBus"));
	ck_assert(!dsdt_has("ACPI0004"));
	ck_assert(!dsdt_has("COM1"));
	ck_assert(dsdt_has("QEMU0001"));
	ck_assert(dsdt_has("\x41\xd0\x03\x03"));
}
END_TEST

START_TEST(dsdt_vmbus_irq)
{
	static const uint8_t irq5[] = {0x11, 0x09, 0x0a, 0x06, 0x23, 0x20, 0x00, 0x01, 0x79, 0x00};
	static const uint8_t hid[] = {0x08, '_', 'H', 'I', 'D', 0x0d, 'V', 'M', 'B', 'u', 's', 0};
	const struct acpi_header *dsdt = find_dsdt();

	ck_assert_ptr_nonnull(dsdt_search(dsdt, irq5, sizeof(irq5)));
	ck_assert_ptr_nonnull(dsdt_search(dsdt, hid, sizeof(hid)));
}
END_TEST

START_TEST(low_window)
{
	static const uint8_t tag[] = {0x87, 0x17, 0x00};
	struct acpi_res_dword_range range;
	const uint8_t *found = dsdt_search(find_dsdt(), tag, sizeof(tag));

	ck_assert_ptr_nonnull(found);
	memcpy(&range, found, sizeof(range));
	ck_assert_uint_eq(range.min, LAYOUT_VMBUS_MMIO);
	ck_assert_uint_eq(range.len, LAYOUT_VMBUS_MMIO_LEN);
	ck_assert_uint_eq(range.max, LAYOUT_IOAPIC - 1);
}
END_TEST

static const struct {
	uint64_t memory, phys_bits, base, len;
} windows[] = {
	{MiB(64), 40, GiB(4), GiB(64)},
	{GiB(3), 40, GiB(4), GiB(64)},
	{GiB(3) + PAGE_SIZE, 40, GiB(5), GiB(64)},
	{GiB(8), 40, GiB(9), GiB(64)},
	{GiB(8), 52, GiB(9), GiB(64)},
	{GiB(8), 64, GiB(9), GiB(64)},
	{MiB(64), 36, GiB(4), GiB(60)},
	{GiB(62), 36, GiB(63), GiB(1)},
	{GiB(62) + PAGE_SIZE, 36, 0, 0},
	{GiB(63), 36, 0, 0},
	{MiB(64), 32, 0, 0},
	{MiB(64), 0, 0, 0},
	{GiB(1024), 46, GiB(1025), GiB(64)},
};

START_TEST(high_window)
{
	static const uint8_t tag[] = {0x8a, 0x2b, 0x00};
	struct acpi_res_qword_range range;
	const uint8_t *found;

	use_memory(windows[_i].memory);
	config.phys_bits = windows[_i].phys_bits;
	found = dsdt_search(find_dsdt(), tag, sizeof(tag));
	if (windows[_i].len == 0) {
		ck_assert_ptr_null(found);
		return;
	}
	ck_assert_ptr_nonnull(found);
	memcpy(&range, found, sizeof(range));
	ck_assert_uint_eq(range.min, windows[_i].base);
	ck_assert_uint_eq(range.len, windows[_i].len);
	ck_assert_uint_eq(range.max, windows[_i].base + windows[_i].len - 1);
}
END_TEST

static bool fits(unsigned int cpus)
{
	uint64_t gpa = 12345;
	int ret;

	config.cpus = cpus;
	ret = acpi_build(mem, &config, NULL, &gpa);
	ck_assert(ret == 0 || ret == -ENOSPC);
	ck_assert_uint_eq(gpa, ret ? 12345 : LAYOUT_ACPI);
	return ret == 0;
}

/* At the largest number of CPUs that fits, and at one more. */
START_TEST(limit)
{
	unsigned int good = 1024;
	unsigned int bad = 4096;

	ck_assert(fits(good));
	while (bad - good > 1) {
		unsigned int middle = good + (bad - good) / 2;

		if (fits(middle))
			good = middle;
		else
			bad = middle;
	}
	ck_assert(good >= 2000);
	config.cpus = good;
	table_at(build()->xsdt, "XSDT");
	ck_assert(!fits(good + 1));
	ck_assert(!fits(100000));
	ck_assert(!fits(UINT32_MAX));
}
END_TEST

START_TEST(too_many_cpus_is_said)
{
	struct error err = {0};
	uint64_t gpa;
	uint8_t byte = 1;

	config.cpus = 5000;
	ck_assert_int_eq(acpi_build(mem, &config, &err, &gpa), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(err.text, "5000 CPUs"));
	ck_assert_int_eq(mem_read(mem, LAYOUT_ACPI, &byte, 1), 0);
	ck_assert_uint_eq(byte, 0);
}
END_TEST

static bool all_zero(const uint8_t *bytes, size_t len)
{
	while (len && *bytes == 0) {
		bytes++;
		len--;
	}
	return len == 0;
}

/* Nothing outside the area is touched, and building again gives the same bytes. */
START_TEST(stays_in_its_area)
{
	static uint8_t before[LAYOUT_HIGH_RAM], after[LAYOUT_HIGH_RAM];

	config.cpus = 1024;
	build();
	ck_assert_int_eq(mem_read(mem, 0, before, sizeof(before)), 0);
	ck_assert(all_zero(before, LAYOUT_ACPI));
	ck_assert(all_zero(before + LAYOUT_ACPI_END, sizeof(before) - LAYOUT_ACPI_END));
	ck_assert_int_eq(mem_release_all(mem), 0);
	build();
	ck_assert_int_eq(mem_read(mem, 0, after, sizeof(after)), 0);
	ck_assert_mem_eq(before, after, sizeof(after));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("acpi");
	TCase *tc = tcase_create("acpi");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, rsdp_sums);
	tcase_add_test(tc, both_roots_list_the_same);
	tcase_add_test(tc, fadt_blocks);
	tcase_add_test(tc, fadt_says_what_is_there);
	tcase_add_test(tc, facs);
	tcase_add_test(tc, waet);
	tcase_add_loop_test(tc, madt, 0, (int)ARRAY_SIZE(cpu_counts));
	tcase_add_loop_test(tc, dsdt_processors, 0, (int)ARRAY_SIZE(cpu_counts));
	tcase_add_test(tc, dsdt_devices);
	tcase_add_test(tc, dsdt_vmbus_irq);
	tcase_add_test(tc, low_window);
	tcase_add_loop_test(tc, high_window, 0, (int)ARRAY_SIZE(windows));
	tcase_add_test(tc, limit);
	tcase_add_test(tc, too_many_cpus_is_said);
	tcase_add_test(tc, stays_in_its_area);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
