// SPDX-License-Identifier: MIT
/*
 * What the loader and the firmware tables promise: start info, command line, memory map, the ACPI
 * tables found both ways, with checksums, and the MADT against the CPU count.
 *
 * Parameters: cpus=N, memory_mb=N (what the machine was given; 0: not checked), modules=N and
 * module_bytes=N (the numbers from 1 to 1200; the second with arguments "two words"),
 * word=boot-parameter (comes back as it was given), legacy_ram (memory below 1 MiB is laid out as
 * vmm/layout.h says).
 */
#include "kit/kit.h"

static bool bss_was_clear = true;
static volatile uint64_t untouched[64];

void early_main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(untouched); i++)
		bss_was_clear &= !untouched[i];
}

static void test_start_info(void)
{
	const struct start_info *si = start_info();

	check(start_info_address() < GiB(4), "start info stands below 4 GiB");
	check(si->version >= 1, "start info has a memory map (version %u)", si->version);
	check(si->rsdp, "start info names the RSDP");
	check(bss_was_clear, "bss is zero");
}

static void test_cmdline(void)
{
	char word[32];

	param_string("word", "", word, sizeof(word));
	note("command line: %.200s", start_cmdline());
	if (!word[0])
		skip("command line arrives whole", "no word= given");
	else
		check(!strcmp(word, "boot-parameter"), "command line arrives whole");
}

/* The suite gives the numbers from 1 to 1200 as text, first alone, then with arguments. */
static void test_modules(void)
{
	uint64_t want = param_u64("modules", 0), bytes = param_u64("module_bytes", 0);

	if (!check_eq(start_info()->module_count, want, "module count") || !want)
		return;
	for (size_t i = 0; i < start_module_count(); i++) {
		const struct start_module *m = start_module(i);
		const char *text = pa_ptr(m->addr);

		note("module %zu at 0x%lx, %lu bytes, \"%.60s\"", i, m->addr, m->len,
		     m->cmdline ? (const char *)pa_ptr(m->cmdline) : "");
		expect(memory_is_ram(m->addr, m->len));
		expect(m->addr >= image_end() || m->addr + m->len <= image_start());
		expect_eq(m->len, bytes);
		expect(!memcmp(text, "1\n2\n3\n", 6) && !memcmp(text + bytes - 6, "\n1200\n", 6));
	}
	test_case("modules are there whole");
	if (want > 1)
		check(start_module(1)->cmdline &&
			      !strcmp(pa_ptr(start_module(1)->cmdline), "two words"),
		      "a module has its arguments");
}

static void test_map_order(void)
{
	uint64_t last = 0;

	for (size_t i = 0; i < memory_range_count(); i++) {
		const struct memory_range *r = memory_range(i);

		note("memory %012lx-%012lx type %u", r->addr, r->addr + r->len, r->type);
		expect(r->len > 0);
		expect(r->addr + r->len >= r->addr);
		expect(r->addr >= last);
		expect(r->type >= MEMORY_RAM && r->type <= MEMORY_UNUSABLE);
		expect_eq(r->reserved, 0);
		last = r->addr + r->len;
	}
	test_case("memory map is sorted, without overlap, of known types");
}

static void test_map_contents(void)
{
	uint64_t low = 0, high = 0, want = param_u64("memory_mb", 0);

	for (size_t i = 0; i < memory_range_count(); i++) {
		const struct memory_range *r = memory_range(i);

		if (r->type != MEMORY_RAM)
			continue;
		if (r->addr < MiB(1))
			low += r->len;
		else
			high += r->len;
		/* 0xf0000 and what is behind it belongs to firmware tables. */
		expect(r->addr >= MiB(1) || r->addr + r->len <= 0xf0000);
		expect(r->addr + r->len <= 0xfec00000 || r->addr >= GiB(4));
	}
	test_case("no RAM where firmware tables and APICs are");
	check(low >= KiB(512) && low <= KiB(640), "%lu KiB of conventional memory", low >> 10);
	check(memory_is_ram(image_start(), image_end() - image_start()), "the image stands in RAM");
	if (want)
		check_eq(high + MiB(1), MiB(want), "the map adds up to the configured memory");
}

static void test_tables(void)
{
	for (size_t i = 0; i < acpi_table_count(); i++) {
		const struct acpi_header *t = acpi_table(i);

		note("ACPI %.4s at 0x%lx, %u bytes, revision %u, %.6s %.8s", t->signature,
		     (uintptr_t)t, t->length, t->revision, t->oem_id, t->oem_table_id);
		expect(t->length >= sizeof(*t) && t->length < MiB(1));
		expect(acpi_checksum_ok(t, t->length));
		expect(!memory_is_ram((uintptr_t)t, t->length));
	}
	test_case("every table of the root table: length, checksum, not in free RAM");
	if (check(acpi_dsdt(), "FADT leads to a DSDT"))
		check(!memcmp(acpi_dsdt()->signature, "DSDT", 4) &&
			      acpi_checksum_ok(acpi_dsdt(), acpi_dsdt()->length),
		      "DSDT: signature, checksum");
	check(acpi_find("APIC"), "MADT is there");
}

static void test_rsdp(void)
{
	const struct acpi_rsdp *given = pa_ptr(start_info()->rsdp);
	const struct acpi_rsdp *found = acpi_scan_rsdp();

	if (!check(start_info()->rsdp && !memcmp(given->signature, "RSD PTR ", 8),
		   "RSDP is where the start info says"))
		return;
	check(acpi_checksum_ok(given, 20), "RSDP checksum of the first 20 bytes");
	if (given->revision >= 2)
		check(acpi_checksum_ok(given, sizeof(*given)), "RSDP extended checksum");
	check_eq((uintptr_t)found, (uintptr_t)given, "the legacy scan finds the same RSDP");
	check(acpi_table_count() > 0, "root table lists %zu tables", acpi_table_count());
	test_tables();
}

static void test_s5(void)
{
	const struct acpi_fadt *fadt = acpi_fadt();
	uint8_t a, b;

	if (!check(fadt, "FADT is there"))
		return;
	check(fadt->pm1a_control_port && fadt->pm1a_event_port && fadt->pm_timer_port,
	      "FADT names PM1a event, control and timer ports (0x%x 0x%x 0x%x)",
	      fadt->pm1a_event_port, fadt->pm1a_control_port, fadt->pm_timer_port);
	check(acpi_s5_types(&a, &b), "DSDT has \\_S5 with small integers");
}

static void test_madt(void)
{
	uint64_t want = param_u64("cpus", 0);

	check(cpuid(1).edx & BIT(9), "CPUID says there is a local APIC");
	check(rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP, "this is the bootstrap processor");
	if (want)
		check_eq(cpu_count(), want, "MADT lists the configured CPUs");
	for (unsigned int i = 0; i < cpu_count(); i++)
		expect_eq(cpu_get(i)->apic_id, i);
	test_case("APIC ids are VP indexes");
}

static void test_legacy_ram(void)
{
	volatile uint64_t *p;

	if (!param_is_set("legacy_ram")) {
		skip("all of the first MiB is writable", "no legacy_ram given");
		return;
	}
	for (uint64_t pa = 0x9f000; pa < MiB(1); pa += PAGE_SIZE) {
		p = pa_ptr(pa + PAGE_SIZE - 8);
		uint64_t old = *p;

		*p = ~old;
		expect_eq(*p, ~old);
		*p = old;
	}
	test_case("all of the first MiB is writable");
}

void test_main(void)
{
	test_start_info();
	test_cmdline();
	test_modules();
	test_map_order();
	test_map_contents();
	test_rsdp();
	test_s5();
	test_madt();
	test_legacy_ram();
}
