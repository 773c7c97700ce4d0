// SPDX-License-Identifier: MIT
/*
 * The SMBIOS structures as a guest finds them: both entry points, the walk over the structures, and
 * the fields whose encoding depends on the machine. tests/lint/dmidecode.sh is the second opinion.
 */
#include "vmm/acpi.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/layout.h"
#include "vmm/smbios_proto.h"

static struct mem *mem;
static struct smbios_config config;

/* The structures, copied out of the guest. */
static uint8_t table[LAYOUT_SMBIOS_END - LAYOUT_SMBIOS];
static size_t table_len;

static void setup(void)
{
	struct mem_config mem_config = {.size = MiB(2)};

	ck_assert_int_eq(mem_create(&mem_config, NULL, &mem), 0);
	config = (struct smbios_config){.microsoft = true, .memory_bytes = MiB(128), .cpus = 1};
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

/* Builds, finds the 64-bit entry point as Linux does, and copies the structures. */
static void build(void)
{
	struct smbios3_entry entry = {0};
	struct error err = {0};
	uint64_t gpa;

	ck_assert_msg(smbios_build(mem, &config, &err) == 0, "%s", err.text);
	for (gpa = 0xf0000; gpa < 0x100000; gpa += 16) {
		ck_assert_int_eq(mem_read(mem, gpa, &entry, sizeof(entry)), 0);
		if (memcmp(entry.anchor, "_SM3_", 5) == 0)
			break;
	}
	ck_assert_uint_ge(gpa, LAYOUT_SMBIOS);
	ck_assert_uint_lt(gpa, LAYOUT_SMBIOS_END);
	check_sum(&entry, entry.length);
	ck_assert_uint_eq(entry.length, 24);
	ck_assert_uint_eq(entry.major, 3);
	ck_assert_uint_eq(entry.revision, 1);
	ck_assert(entry.table >= LAYOUT_SMBIOS);
	ck_assert(range_within(entry.table, entry.table_max_len, LAYOUT_SMBIOS_END));
	table_len = entry.table_max_len;
	ck_assert_int_eq(mem_read(mem, entry.table, table, table_len), 0);
}

/* The offset behind the structure at @pos, strings included. */
static size_t next(size_t pos)
{
	ck_assert(table_len - pos >= 4 && table[pos + 1] >= 4);
	pos += table[pos + 1];
	while (pos + 1 < table_len && (table[pos] || table[pos + 1]))
		pos++;
	ck_assert(pos + 2 <= table_len);
	return pos + 2;
}

/* Structure number @index, from 0, of a type, or NULL. */
static const void *find(uint8_t type, unsigned int index)
{
	for (size_t pos = 0; pos < table_len; pos = next(pos))
		if (table[pos] == type && index-- == 0)
			return table + pos;
	return NULL;
}

static const void *get(uint8_t type)
{
	const void *structure = find(type, 0);

	ck_assert_ptr_nonnull(structure);
	return structure;
}

static const char *string(const void *structure, unsigned int number)
{
	const char *text = (const char *)structure + ((const uint8_t *)structure)[1];

	if (number == 0)
		return "";
	while (--number)
		text += strlen(text) + 1;
	ck_assert_int_ne(*text, '\0');
	return text;
}

START_TEST(walk)
{
	static const uint8_t types[] = {0, 1, 2, 3, 4, 16, 17, 19, 32, 127};
	uint16_t handles[ARRAY_SIZE(types)];
	size_t pos = 0;

	build();
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		ck_assert_uint_eq(table[pos], types[i]);
		memcpy(&handles[i], table + pos + 2, 2);
		for (size_t k = 0; k < i; k++)
			ck_assert_uint_ne(handles[i], handles[k]);
		pos = next(pos);
	}
	ck_assert_uint_eq(pos, table_len);
}
END_TEST

START_TEST(entry_of_32_bits)
{
	struct smbios_entry entry;
	size_t longest = 0;
	unsigned int count = 0;

	build();
	ck_assert_int_eq(mem_read(mem, LAYOUT_SMBIOS + 0x20, &entry, sizeof(entry)), 0);
	ck_assert_mem_eq(entry.anchor, "_SM_", 4);
	ck_assert_mem_eq(entry.intermediate_anchor, "_DMI_", 5);
	check_sum(&entry, entry.length);
	check_sum(entry.intermediate_anchor, 15);
	ck_assert_uint_eq(entry.length, 31);
	ck_assert_uint_eq(entry.major, 2);
	ck_assert_uint_eq(entry.minor, 8);
	ck_assert_uint_eq(entry.table, LAYOUT_SMBIOS + 0x40);
	ck_assert_uint_eq(entry.table_len, table_len);
	for (size_t pos = 0; pos < table_len; pos = next(pos)) {
		longest = max_of(longest, next(pos) - pos);
		count++;
	}
	ck_assert_uint_eq(entry.structure_count, count);
	ck_assert_uint_eq(entry.max_structure_len, longest);
}
END_TEST

START_TEST(identity)
{
	const struct smbios_system *system;
	const struct smbios_bios *bios;

	build();
	system = get(1);
	ck_assert_str_eq(string(system, system->manufacturer_str), "Microsoft Corporation");
	ck_assert_str_eq(string(system, system->product_str), "Virtual Machine");
	bios = get(0);
	ck_assert_str_eq(string(bios, bios->vendor_str), "candela");
	ck_assert(bios->extension[1] & 0x10); /* a virtual machine */

	config.microsoft = false;
	build();
	system = get(1);
	ck_assert_str_eq(string(system, system->manufacturer_str), "candela");
	ck_assert_ptr_null(memmem(table, table_len, "Microsoft", 9));
}
END_TEST

/* Azure's tag would make cloud-init wait for Azure's metadata service. */
START_TEST(no_asset_tag)
{
	const struct smbios_chassis *chassis;

	build();
	chassis = get(3);
	ck_assert_uint_eq(chassis->asset_tag_str, 0);
}
END_TEST

START_TEST(name_and_uuid)
{
	static const uint8_t uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	static const uint8_t zeros[16];
	const struct smbios_system *system;

	build();
	system = get(1);
	ck_assert_uint_eq(system->serial_str, 0);
	ck_assert_mem_eq(system->uuid, zeros, 16);

	config.vm_name = "";
	build();
	system = get(1);
	ck_assert_uint_eq(system->serial_str, 0);

	config.vm_name = "web1";
	config.uuid = uuid;
	build();
	system = get(1);
	ck_assert_str_eq(string(system, system->serial_str), "web1");
	ck_assert_mem_eq(system->uuid, uuid, 16);
}
END_TEST

/* The longest name that fits, one byte more, and no write when it does not. */
START_TEST(long_names)
{
	char *name = malloc(sizeof(table) + 1);
	struct error err = {0};
	uint8_t byte = 1;
	size_t room;

	ck_assert_ptr_nonnull(name);
	config.vm_name = "x";
	build();
	room = LAYOUT_SMBIOS_END - LAYOUT_SMBIOS - 0x40 - table_len + 1;
	memset(name, 'n', room);
	name[room] = '\0';
	config.vm_name = name;
	build();
	ck_assert_str_eq(string(get(1), 4), name);
	ck_assert_ptr_nonnull(find(127, 0));

	name[room] = 'n';
	name[room + 1] = '\0';
	ck_assert_int_eq(mem_fill(mem, LAYOUT_SMBIOS, 0, 1), 0);
	ck_assert_int_eq(smbios_build(mem, &config, &err), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(err.text, "VM name"));
	ck_assert_int_eq(mem_read(mem, LAYOUT_SMBIOS, &byte, 1), 0);
	ck_assert_uint_eq(byte, 0);
	free(name);
}
END_TEST

static const struct {
	unsigned int cpus;
	uint8_t small;
	uint16_t count;
} cpu_rows[] = {
	{1, 1, 1},       {2, 2, 2},         {254, 254, 254},       {255, 255, 255},
	{256, 255, 256}, {1024, 255, 1024}, {100000, 255, 0xfffe},
};

START_TEST(cpus)
{
	const struct smbios_processor *processor;

	config.cpus = cpu_rows[_i].cpus;
	build();
	processor = get(4);
	ck_assert_uint_eq(processor->header.length, 0x30);
	ck_assert_uint_eq(processor->cores, cpu_rows[_i].small);
	ck_assert_uint_eq(processor->cores_enabled, cpu_rows[_i].small);
	ck_assert_uint_eq(processor->threads, cpu_rows[_i].small);
	ck_assert_uint_eq(processor->cores2, cpu_rows[_i].count);
	ck_assert_uint_eq(processor->cores_enabled2, cpu_rows[_i].count);
	ck_assert_uint_eq(processor->threads2, cpu_rows[_i].count);
}
END_TEST

static const struct {
	uint64_t bytes;
	uint16_t size; /* of the module */
	uint32_t extended_size;
} memory_rows[] = {
	{MiB(1), 1, 0},
	{MiB(2) + PAGE_SIZE, 0x8000 | 2052, 0},
	{MiB(32) - PAGE_SIZE, 0x8000 | 32764, 0},
	{MiB(32) + PAGE_SIZE, 32, 0},
	{MiB(128), 128, 0},
	{GiB(3), 3072, 0},
	{GiB(4), 4096, 0},
	{GiB(32) - MiB(2), 0x7ffe, 0},
	{GiB(32) - MiB(1), 0x7fff, 0x7fff},
	{GiB(32), 0x7fff, 0x8000},
	{GiB(1024), 0x7fff, 1u << 20},
	{GiB(2048) - PAGE_SIZE, 0x7fff, (1u << 21) - 1},
	{GiB(2048), 0x7fff, 1u << 21},
	{GiB(4095), 0x7fff, 4095u << 10},
	{GiB(4096), 0x7fff, 1u << 22},
	{GiB(65536), 0x7fff, 1u << 26},
};

static void check_mapping(const struct smbios_memory_mapping *mapping, uint64_t first,
			  uint64_t last)
{
	ck_assert_ptr_nonnull(mapping);
	if (mapping->start == 0xffffffff) {
		ck_assert_uint_eq(mapping->end, 0xffffffff);
		ck_assert_uint_eq(mapping->extended_start, first);
		ck_assert_uint_eq(mapping->extended_end, last);
	} else {
		ck_assert_uint_eq((uint64_t)mapping->start * 1024, first);
		ck_assert_uint_eq((uint64_t)mapping->end * 1024 + 1023, last);
		ck_assert_uint_eq(mapping->extended_start, 0);
		ck_assert_uint_eq(mapping->extended_end, 0);
	}
}

START_TEST(memory)
{
	const struct smbios_memory_array *array;
	const struct smbios_memory_device *device;
	uint64_t bytes = memory_rows[_i].bytes;

	config.memory_bytes = bytes;
	build();
	array = get(16);
	if (array->capacity == 0x80000000)
		ck_assert_uint_eq(array->extended_capacity, bytes);
	else
		ck_assert_uint_eq((uint64_t)array->capacity * 1024, bytes);
	device = get(17);
	ck_assert_uint_eq(device->size, memory_rows[_i].size);
	ck_assert_uint_eq(device->extended_size, memory_rows[_i].extended_size);
	if (bytes <= LAYOUT_MMIO_HOLE) {
		check_mapping(find(19, 0), 0, bytes - 1);
		ck_assert_ptr_null(find(19, 1));
	} else {
		check_mapping(find(19, 0), 0, LAYOUT_MMIO_HOLE - 1);
		check_mapping(find(19, 1), GiB(4), GiB(4) + bytes - LAYOUT_MMIO_HOLE - 1);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("smbios");
	TCase *tc = tcase_create("smbios");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, walk);
	tcase_add_test(tc, entry_of_32_bits);
	tcase_add_test(tc, identity);
	tcase_add_test(tc, no_asset_tag);
	tcase_add_test(tc, name_and_uuid);
	tcase_add_test(tc, long_names);
	tcase_add_loop_test(tc, cpus, 0, (int)ARRAY_SIZE(cpu_rows));
	tcase_add_loop_test(tc, memory, 0, (int)ARRAY_SIZE(memory_rows));
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
