// SPDX-License-Identifier: MIT
/*
 * The arguments of candela disk, by table. Main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "candela/cmd_disk.h"
#include "vmm/config_table.h"
#include "vmm/config_value.h"
#include "vmm/suggest.h"

#define ARGS struct disk_args

static const char *const format_names[] = {
	[BLOCK_FORMAT_AUTO] = "auto", [BLOCK_FORMAT_RAW] = "raw",     [BLOCK_FORMAT_VHD] = "vhd",
	[BLOCK_FORMAT_VHDX] = "vhdx", [BLOCK_FORMAT_VHDX + 1] = NULL,
};

static const char *const subformat_names[] = {
	[DISK_SUBFORMAT_DEFAULT] = "default",
	[DISK_SUBFORMAT_FIXED] = "fixed",
	[DISK_SUBFORMAT_DYNAMIC] = "dynamic",
	[DISK_SUBFORMAT_DIFFERENCING] = "differencing",
	NULL,
};

static const struct config_row rows[] = {
	{
		.option = "format",
		CONFIG_AT_ENUM(ARGS, format, block_format),
		.names = format_names,
		.verbs = DISK_CREATE | DISK_INFO | DISK_CHECK | DISK_CONVERT | DISK_RESIZE |
			 DISK_COMPACT,
	},
	{
		.option = "source-format",
		CONFIG_AT_ENUM(ARGS, source_format, block_format),
		.names = format_names,
		.verbs = DISK_CONVERT,
	},
	{
		.option = "subformat",
		CONFIG_AT_ENUM(ARGS, subformat, disk_subformat),
		.names = subformat_names,
		.verbs = DISK_CREATE | DISK_CONVERT,
	},
	{
		.option = "block-size",
		CONFIG_AT_SIZE(ARGS, block_size),
		.min = 512,
		.max = MiB(256),
		.verbs = DISK_CREATE | DISK_CONVERT,
	},
	{
		.option = "sector-size",
		CONFIG_AT_UINT(ARGS, sector_size),
		.min = 512,
		.max = 4096,
		.verbs = DISK_CREATE | DISK_CONVERT,
	},
	{.option = "parent", CONFIG_AT_PATH(ARGS, parent), .verbs = DISK_CREATE},
	{.option = "force", CONFIG_AT_BOOL(ARGS, force), .verbs = DISK_CREATE | DISK_CONVERT},
	{.option = "json", CONFIG_AT_BOOL(ARGS, json), .verbs = DISK_INFO | DISK_CHECK},
	{.option = "shrink", CONFIG_AT_BOOL(ARGS, shrink), .verbs = DISK_RESIZE},
	{.option = "help", .letter = 'h', CONFIG_AT_BOOL(ARGS, help), .verbs = ~0u},
};

static const struct config_row size_row = {
	.kind = CONFIG_SIZE, .min = 512, .max = DISK_SIZE_MAX, .step = 512};

int disk_size_parse(const char *text, uint64_t *ret, struct error *err)
{
	return config_value_parse(&size_row, text, NULL, ret, err);
}

static const struct config_row *find(enum disk_verb verb, const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if ((rows[i].verbs & verb) && strncmp(rows[i].option, name, len) == 0 &&
		    rows[i].option[len] == '\0')
			return &rows[i];
	return NULL;
}

static int unknown(enum disk_verb verb, const char *name, struct error *err)
{
	struct suggest suggest;
	const char *best;

	suggest_init(&suggest, name);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].verbs & verb)
			suggest_offer(&suggest, rows[i].option);
	best = suggest_best(&suggest);
	if (best)
		return error_set(err, -EINVAL, "unknown option --%.40s; did you mean --%s?", name,
				 best);
	return error_set(err, -EINVAL, "unknown option --%.40s", name);
}

/*
 * The option at argv[*i], whose value may be the next argument. A path is only pointed to: it is
 * the process' argument, and lives as long.
 */
static int take_option(ARGS *args, enum disk_verb verb, int argc, char **argv, int *i,
		       struct error *err)
{
	const char *name = argv[*i] + 2, *value = strchr(name, '=');
	size_t len = value ? (size_t)(value - name) : strlen(name);
	const struct config_row *row = find(verb, name, len);
	void *field;
	int r;

	if (!row)
		return unknown(verb, name, err);
	field = (char *)args + row->offset;
	if (row->kind == CONFIG_BOOL) {
		if (value)
			return error_set(err, -EINVAL, "--%s: takes no value", row->option);
		return config_value_parse(row, "true", NULL, field, err);
	}
	if (value)
		value++;
	else if (*i + 1 < argc)
		value = argv[++*i];
	else
		return error_set(err, -EINVAL, "--%s: expected a value after it", row->option);
	if (row->kind == CONFIG_PATH) {
		memcpy(field, &value, sizeof(value));
		return 0;
	}
	r = config_value_parse(row, value, NULL, field, err);
	if (r)
		error_prefix(err, "--%s", row->option);
	return r;
}

int disk_args_parse(struct disk_args *args, enum disk_verb verb, int argc, char **argv,
		    struct error *err)
{
	bool ended = false;
	int r = 0;

	memset(args, 0, sizeof(*args));
	for (int i = 1; r == 0 && i < argc; i++) {
		const char *word = argv[i];

		if (!ended && strcmp(word, "--") == 0)
			ended = true;
		else if (!ended && strcmp(word, "-h") == 0)
			args->help = true;
		else if (!ended && strncmp(word, "--", 2) == 0)
			r = take_option(args, verb, argc, argv, &i, err);
		else if (!ended && word[0] == '-' && word[1] && verb != DISK_RESIZE)
			r = error_set(err, -EINVAL, "unknown option %.40s", word);
		else if (args->word_count == ARRAY_SIZE(args->words))
			r = error_set(err, -EINVAL, "unexpected argument %.200s", word);
		else
			args->words[args->word_count++] = word;
		if (args->help)
			return 0;
	}
	if (r == 0 && args->sector_size && args->sector_size != 512 && args->sector_size != 4096)
		r = error_set(err, -EINVAL, "--sector-size: expected 512 or 4096, got %u",
			      args->sector_size);
	return r;
}
