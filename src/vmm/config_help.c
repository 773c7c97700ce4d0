// SPDX-License-Identifier: MIT
/*
 * Help texts from the tables, 80 columns wide. No state; any thread.
 */
#include "vmm/config_cli.h"

#include <stdarg.h>
#include <string.h>

#include "vmm/config_value.h"
#include "vmm/config_verb.h"

#define WIDTH  79 /* a terminal of 80 may wrap at its last column */
#define INDENT 26 /* of what options do */

static const char *const group_titles[CONFIG_GROUP_COUNT] = {
	[CONFIG_GROUP_MACHINE] = "The machine",  [CONFIG_GROUP_BOOT] = "What it boots",
	[CONFIG_GROUP_DEVICES] = "Devices",      [CONFIG_GROUP_HYPERV] = "Hyper-V",
	[CONFIG_GROUP_END] = "How it ends",      [CONFIG_GROUP_SANDBOX] = "What it may do",
	[CONFIG_GROUP_PROGRAM] = "This command",
};

/* Writes @text from @column on, its lines broken at blanks and begun at @indent. */
static void wrap(FILE *out, const char *text, size_t column, size_t indent)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		if (column > indent && column + 1 + len > WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", (int)len, text);
		column += len;
		text += len + strspn(text + len, " ");
	}
	fputc('\n', out);
}

static void append(char *buf, size_t size, const char *fmt, ...) printf_like(3, 4);
static void append(char *buf, size_t size, const char *fmt, ...)
{
	size_t len = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + len, size - len, fmt, ap);
	va_end(ap);
}

/* "  -m, --memory SIZE", "      --[no-]prefault" */
static void option_column(const struct config_row *row, char *buf, size_t size)
{
	bool on_by_default = row->kind == CONFIG_BOOL && row->preset;

	buf[0] = '\0';
	if (row->letter)
		append(buf, size, "  -%c, ", row->letter);
	else
		append(buf, size, "      ");
	append(buf, size, "--%s%s", on_by_default ? "[no-]" : "", row->option);
	if (row->alias)
		append(buf, size, ", --%s", row->alias);
	if (row->metavar)
		append(buf, size, " %s", row->metavar);
}

/* "(16M to 64T; default 512M)" and the key, behind what the row says of itself. */
static void describe(const struct config_row *row, char *buf, size_t size)
{
	char facts[512] = "", range[256] = "";
	bool is_value = row->kind != CONFIG_ARRAY && row->kind != CONFIG_ASSIGN;

	if (is_value)
		config_value_range(row, range, sizeof(range));
	if (range[0])
		append(facts, sizeof(facts), "; %s", range);
	if (row->required)
		append(facts, sizeof(facts), "; required");
	if (row->kind == CONFIG_ARRAY)
		append(facts, sizeof(facts), "; may be repeated, up to %llu in all",
		       (unsigned long long)row->max);
	if (row->preset && row->kind == CONFIG_BOOL)
		append(facts, sizeof(facts), "; default %s",
		       strcmp(row->preset, "true") == 0 ? "on" : "off");
	else if (row->preset)
		append(facts, sizeof(facts), "; default %s", row->preset);
	else if (row->unset)
		append(facts, sizeof(facts), "; default %s", row->unset);
	snprintf(buf, size, "%s", row->help);
	if (facts[0])
		append(buf, size, " (%s)", facts + 2);
	if (row->key && row->option)
		append(buf, size, " [%s]", row->key);
}

static void help_row(FILE *out, const struct config_row *row)
{
	char left[128], right[1024];

	if (row->option)
		option_column(row, left, sizeof(left));
	else
		snprintf(left, sizeof(left), "  %s", row->key);
	describe(row, right, sizeof(right));
	fputs(left, out);
	/* Two blanks at least between the columns, or a line of its own. */
	if (strlen(left) + 2 > INDENT)
		fprintf(out, "\n%*s", INDENT, "");
	else
		fprintf(out, "%*s", INDENT - (int)strlen(left), "");
	wrap(out, right, INDENT, INDENT);
}

static void help_group(FILE *out, const struct config_verb_info *verb, enum config_group group)
{
	const struct config_table *const tables[] = {&config_vm_table, &config_cli_table};
	bool titled = false;
	size_t t, i;

	for (t = 0; t < ARRAY_SIZE(tables); t++) {
		for (i = 0; i < tables[t]->row_count; i++) {
			const struct config_row *row = &tables[t]->rows[i];

			if (row->group != group || !config_verb_has(verb, row))
				continue;
			if (!titled)
				fprintf(out, "\n%s:\n", group_titles[group]);
			titled = true;
			help_row(out, row);
		}
	}
}

/* Keys without an option of their own are for files and --set. */
static void help_keys(FILE *out)
{
	bool titled = false;
	size_t i;

	for (i = 0; i < config_vm_table.row_count; i++) {
		const struct config_row *row = &config_vm_table.rows[i];

		if (!row->key || row->option || row->kind == CONFIG_IGNORED)
			continue;
		if (!titled)
			fputs("\nFurther keys, for the file and for --set:\n", out);
		titled = true;
		help_row(out, row);
	}
}

void config_help(FILE *out, const char *verb_name)
{
	const struct config_verb_info *verb = config_verb_find(verb_name);
	unsigned int group;
	char status[512];

	fprintf(out, "Usage: candela %s %s\n", verb->name, verb->synopsis);
	wrap(out, verb->about, 0, 0);
	for (group = 0; group < CONFIG_GROUP_COUNT; group++)
		help_group(out, verb, (enum config_group)group);
	help_keys(out);
	fputc('\n', out);
	wrap(out,
	     "In [brackets] stands the key in the file: [cpus.count] is "
	     "{ \"cpus\": { \"count\": 2 } } there. Sizes take K, M, G or T, powers of 1024; times "
	     "take ms, s, m, h or d. Relative paths begin at the working directory, those in a "
	     "file where the file is. An option that may be repeated adds to what the file has; "
	     "--no-OPTION before it takes that away, and also empties a text or a path.",
	     0, 0);
	fputc('\n', out);
	snprintf(status, sizeof(status), "Exit status: %s", verb->exit_status);
	wrap(out, status, 0, 0);
}
