// SPDX-License-Identifier: MIT
/*
 * Builds the firmware tables for a machine given on the command line and writes each into its own
 * file, for the tools that judge them: SIGNATURE.dat for iasl (tests/lint/iasl.sh), smbios3.dat and
 * smbios2.dat in the format of dmidecode --from-dump (tests/lint/dmidecode.sh).
 *
 *	acpi_dump DIRECTORY [cpus=N] [memory=MIB] [phys_bits=N] [vmbus=0|1] [serial=0|1]
 *	          [pvpanic=0|1] [i8042=0|1] [microsoft=0|1] [name=TEXT]
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/acpi.h"
#include "vmm/acpi_proto.h"
#include "vmm/checksum.h"
#include "vmm/layout.h"
#include "vmm/smbios_proto.h"

struct dump {
	const char *dir;
	struct mem *mem;
	struct acpi_config acpi;
	struct smbios_config smbios;
	uint64_t memory_mib;
};

static _Noreturn void die(const char *what, const char *text)
{
	fprintf(stderr, "acpi_dump: %s%s%s\n", what, *text ? ": " : "", text);
	exit(2);
}

/* Two parts, the first of which may be absent. */
static void write_file(const struct dump *dump, const char *name, const void *head, size_t head_len,
		       const void *data, size_t len)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.dat", dump->dir, name);
	file = fopen(path, "wb");
	if (!file || (head && fwrite(head, 1, head_len, file) != head_len) ||
	    fwrite(data, 1, len, file) != len || fclose(file) != 0)
		die("cannot write", path);
}

static const void *at(const struct dump *dump, uint64_t gpa, uint64_t len)
{
	const void *p = mem_map(dump->mem, gpa, len);

	if (!p)
		die("a table lies outside RAM", "");
	return p;
}

/* A table with the common header, or the FACS, whose length is at the same place. */
static void dump_table(const struct dump *dump, uint64_t gpa)
{
	const struct acpi_facs *head = at(dump, gpa, sizeof(*head));
	char name[5] = {0};

	for (size_t i = 0; i < 4; i++)
		name[i] = (char)tolower((unsigned char)head->signature[i]);
	write_file(dump, name, NULL, 0, at(dump, gpa, head->length), head->length);
}

static void dump_acpi(const struct dump *dump, uint64_t gpa)
{
	const struct acpi_rsdp *rsdp = at(dump, gpa, sizeof(*rsdp));
	const struct acpi_header *xsdt = at(dump, rsdp->xsdt, sizeof(*xsdt));
	const uint8_t *entries = at(dump, rsdp->xsdt + sizeof(*xsdt), xsdt->length - sizeof(*xsdt));

	write_file(dump, "rsdp", NULL, 0, rsdp, sizeof(*rsdp));
	dump_table(dump, rsdp->rsdt);
	dump_table(dump, rsdp->xsdt);
	for (size_t i = 0; i < (xsdt->length - sizeof(*xsdt)) / 8; i++) {
		const struct acpi_fadt *fadt;
		uint64_t table;

		memcpy(&table, entries + i * 8, sizeof(table));
		dump_table(dump, table);
		fadt = at(dump, table, sizeof(struct acpi_header));
		if (memcmp(fadt->header.signature, "FACP", 4) == 0) {
			dump_table(dump, fadt->firmware_ctrl);
			dump_table(dump, fadt->x_dsdt);
		}
	}
}

/* In a dump the entry point stands at 0 and says that the structures are at 32. */
static void dump_smbios(const struct dump *dump)
{
	uint8_t head[32] = {0};
	struct smbios3_entry entry64;
	struct smbios_entry entry32;
	const void *table;

	if (mem_read(dump->mem, LAYOUT_SMBIOS, &entry64, sizeof(entry64)) ||
	    mem_read(dump->mem, LAYOUT_SMBIOS + 32, &entry32, sizeof(entry32)))
		die("cannot read the SMBIOS entry points", "");
	table = at(dump, entry64.table, entry64.table_max_len);
	entry64.table = sizeof(head);
	entry64.checksum = 0;
	entry64.checksum = checksum8(&entry64, sizeof(entry64));
	memcpy(head, &entry64, sizeof(entry64));
	write_file(dump, "smbios3", head, sizeof(head), table, entry64.table_max_len);

	memset(head, 0, sizeof(head));
	entry32.table = sizeof(head);
	entry32.intermediate_checksum = 0;
	entry32.intermediate_checksum = checksum8(entry32.intermediate_anchor, 15);
	entry32.checksum = 0;
	entry32.checksum = checksum8(&entry32, sizeof(entry32));
	memcpy(head, &entry32, sizeof(entry32));
	write_file(dump, "smbios2", head, sizeof(head), table, entry32.table_len);
}

static void set_option(struct dump *dump, const char *option)
{
	const char *value = strchr(option, '=');
	size_t len = value ? (size_t)(value - option) : 0;
	unsigned long long number = value ? strtoull(value + 1, NULL, 0) : 0;
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{"vmbus", &dump->acpi.vmbus},           {"serial", &dump->acpi.serial},
		{"pvpanic", &dump->acpi.pvpanic},       {"i8042", &dump->acpi.i8042},
		{"microsoft", &dump->smbios.microsoft},
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (strlen(flags[i].name) == len && memcmp(option, flags[i].name, len) == 0) {
			*flags[i].flag = number != 0;
			return;
		}
	}
	if (value && strncmp(option, "cpus=", 5) == 0)
		dump->acpi.cpus = dump->smbios.cpus = (unsigned int)number;
	else if (value && strncmp(option, "memory=", 7) == 0)
		dump->memory_mib = number;
	else if (value && strncmp(option, "phys_bits=", 10) == 0)
		dump->acpi.phys_bits = number;
	else if (value && strncmp(option, "name=", 5) == 0)
		dump->smbios.vm_name = value + 1;
	else
		die("unknown option", option);
}

int main(int argc, char **argv)
{
	static const uint8_t uuid[16] = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66,
					 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	struct dump dump = {
		.acpi = {.cpus = 1, .vmbus = true, .serial = true, .phys_bits = 46},
		.smbios = {.cpus = 1, .microsoft = true, .uuid = uuid},
		.memory_mib = 256,
	};
	struct mem_config mem_config = {0};
	struct error err = {0};
	uint64_t rsdp = 0;

	if (argc < 2)
		die("usage: acpi_dump DIRECTORY [OPTION=VALUE]...", "");
	dump.dir = argv[1];
	for (int i = 2; i < argc; i++)
		set_option(&dump, argv[i]);
	mem_config.size = MiB(dump.memory_mib);
	dump.smbios.memory_bytes = mem_config.size;
	if (mem_create(&mem_config, &err, &dump.mem) ||
	    acpi_build(dump.mem, &dump.acpi, &err, &rsdp) ||
	    smbios_build(dump.mem, &dump.smbios, &err))
		die("cannot build the tables", err.text);
	dump_acpi(&dump, rsdp);
	dump_smbios(&dump);
	mem_destroy(dump.mem);
	return 0;
}
