// SPDX-License-Identifier: MIT
/*
 * A table with every kind of value, and arrays of each syntax, for the tests of what works by
 * table: the real one may not have them all. Each test program has its own copy.
 */
#pragma once

#include <string.h>

#include "vmm/config.h"
#include "vmm/config_table.h"

enum sample_color { SAMPLE_RED, SAMPLE_GREEN, SAMPLE_BLUE };

struct sample_disk {
	const char *path;
	enum sample_color cache;
	bool read_only;
	const char **tags;
	size_t tag_count;
};

struct sample {
	const char *name;
	const char *note;
	const char *path;
	uint32_t count;
	uint32_t noise;
	uint64_t size;
	uint64_t wait_ns;
	enum sample_color color;
	bool fast;
	struct config_serial serial;
	struct sample_disk *disks;
	size_t disk_count;
	struct boot_module *words;
	size_t word_count;
};

static const char *const sample_colors[] = {"red", "green", "blue", NULL};

static const struct config_row sample_tag_rows[] = {
	{.kind = CONFIG_STRING, .max = 8, .help = "a tag"},
};

static const struct config_table sample_tag_table = {
	.rows = sample_tag_rows,
	.row_count = ARRAY_SIZE(sample_tag_rows),
	.size = sizeof(const char *),
	.syntax = CONFIG_ITEM_VALUE,
};

static const struct config_row sample_disk_rows[] = {
	{.key = "path", CONFIG_AT_PATH(struct sample_disk, path), .required = true, .help = "a"},
	{.key = "cache",
	 CONFIG_AT_ENUM(struct sample_disk, cache, sample_color),
	 .names = sample_colors,
	 .preset = "green",
	 .help = "b"},
	{.key = "opt.ro",
	 CONFIG_AT_BOOL(struct sample_disk, read_only),
	 .preset = "false",
	 .help = "c"},
	{.key = "tag",
	 CONFIG_AT_ARRAY(struct sample_disk, tags, tag_count, const char *),
	 .items = &sample_tag_table,
	 .max = 3,
	 .help = "d"},
};

static const struct config_table sample_disk_table = {
	.rows = sample_disk_rows,
	.row_count = ARRAY_SIZE(sample_disk_rows),
	.size = sizeof(struct sample_disk),
	.syntax = CONFIG_ITEM_KEYS,
};

static const struct config_row sample_word_rows[] = {
	{.key = "path", CONFIG_AT_PATH(struct boot_module, path), .required = true, .help = "a"},
	{.key = "cmdline", CONFIG_AT_STRING(struct boot_module, cmdline), .max = 99, .help = "b"},
};

static const struct config_table sample_word_table = {
	.rows = sample_word_rows,
	.row_count = ARRAY_SIZE(sample_word_rows),
	.size = sizeof(struct boot_module),
	.syntax = CONFIG_ITEM_WORDS,
};

static const struct config_row sample_rows[] = {
	{.key = "name",
	 CONFIG_AT_STRING(struct sample, name),
	 .min = 1,
	 .max = 8,
	 .chars = "A-Za-z0-9._-",
	 .first = "A-Za-z0-9_",
	 .help = "a name"},
	{.key = "note", CONFIG_AT_STRING(struct sample, note), .max = 16, .help = "any text"},
	{.key = "place.path", CONFIG_AT_PATH(struct sample, path), .option = "path", .help = "x"},
	{.key = "place.count",
	 CONFIG_AT_UINT(struct sample, count),
	 .min = 2,
	 .max = 40,
	 .preset = "3",
	 .help = "x"},
	{.key = "place.deep.size",
	 CONFIG_AT_SIZE(struct sample, size),
	 .min = 4096,
	 .max = MiB(1),
	 .step = 4096,
	 .preset = "8K",
	 .help = "x"},
	{.key = "wait",
	 CONFIG_AT_DURATION(struct sample, wait_ns),
	 .max = 3600 * NSEC_PER_SEC,
	 .preset = "2s",
	 .help = "x"},
	{.key = "color",
	 CONFIG_AT_ENUM(struct sample, color, sample_color),
	 .names = sample_colors,
	 .preset = "blue",
	 .help = "x"},
	{.key = "fast", CONFIG_AT_BOOL(struct sample, fast), .preset = "true", .help = "x"},
	{.key = "serial", CONFIG_AT_SERIAL(struct sample, serial), .preset = "null", .help = "x"},
	{CONFIG_AT_COUNT(struct sample, noise), .option = "noise", .help = "not in JSON"},
	{.key = "extra", .kind = CONFIG_IGNORED, .help = "x"},
	{.key = "disks",
	 CONFIG_AT_ARRAY(struct sample, disks, disk_count, struct sample_disk),
	 .items = &sample_disk_table,
	 .max = 4,
	 .help = "x"},
	{.key = "words",
	 CONFIG_AT_ARRAY(struct sample, words, word_count, struct boot_module),
	 .items = &sample_word_table,
	 .max = 4,
	 .help = "x"},
};

static const struct config_table sample_table = {
	.rows = sample_rows,
	.row_count = ARRAY_SIZE(sample_rows),
	.size = sizeof(struct sample),
};
