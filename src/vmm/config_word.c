// SPDX-License-Identifier: MIT
/*
 * Configuration values that are words: booleans and enums; and the two kinds that have no text of
 * their own: counted options and ignored strings. No state; any thread.
 */
#include "vmm/config_type.h"

#include <stdio.h>

/* --- booleans --- */

static int parse_bool(const struct config_row *row, const char *text, const char *dir, void *field,
		      struct error *err)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
	size_t i;
	bool v;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(text, words[i]) == 0) {
			v = i % 2 == 1;
			memcpy(field, &v, sizeof(v));
			return 0;
		}
	}
	return config_type_wrong(row, text, "", err);
}

static char *text_bool(const struct config_row *row, const void *field)
{
	bool v;

	memcpy(&v, field, sizeof(v));
	return strdup(v ? "true" : "false");
}

static void expected_bool(const struct config_row *row, char *buf, size_t size)
{
	snprintf(buf, size, "true or false");
}

const struct config_type config_type_bool = {
	.forms = CONFIG_FORM_BOOLEAN,
	.printed = CONFIG_FORM_BOOLEAN,
	.parse = parse_bool,
	.text = text_bool,
	.expected = expected_bool,
	.size = sizeof(bool),
};

/* --- words --- */

static int parse_enum(const struct config_row *row, const char *text, const char *dir, void *field,
		      struct error *err)
{
	uint32_t i;

	for (i = 0; row->names[i]; i++) {
		if (strcmp(text, row->names[i]) == 0) {
			memcpy(field, &i, sizeof(i));
			return 0;
		}
	}
	return config_type_wrong(row, text, "", err);
}

static char *text_enum(const struct config_row *row, const void *field)
{
	return strdup(row->names[config_get_u32(field)]);
}

static void expected_enum(const struct config_row *row, char *buf, size_t size)
{
	size_t i, len = 0;

	buf[0] = '\0';
	for (i = 0; row->names[i] && len < size; i++) {
		const char *joint = i == 0 ? "" : row->names[i + 1] ? ", " : " or ";

		len += (size_t)snprintf(buf + len, size - len, "%s%s", joint, row->names[i]);
	}
}

const struct config_type config_type_enum = {
	.forms = CONFIG_FORM_STRING,
	.printed = CONFIG_FORM_STRING,
	.parse = parse_enum,
	.text = text_enum,
	.expected = expected_enum,
	.range = expected_enum,
	.size = sizeof(uint32_t),
};

/* --- options that are counted --- */

static int parse_count(const struct config_row *row, const char *text, const char *dir, void *field,
		       struct error *err)
{
	uint32_t count = config_get_u32(field) + 1;

	memcpy(field, &count, sizeof(count));
	return 0;
}

static void expected_count(const struct config_row *row, char *buf, size_t size)
{
	snprintf(buf, size, "no value");
}

const struct config_type config_type_count = {
	.parse = parse_count,
	.expected = expected_count,
	.size = sizeof(uint32_t),
};

/* --- what is accepted and forgotten --- */

static int parse_ignored(const struct config_row *row, const char *text, const char *dir,
			 void *field, struct error *err)
{
	return 0;
}

static void expected_ignored(const struct config_row *row, char *buf, size_t size)
{
	snprintf(buf, size, "a string");
}

const struct config_type config_type_ignored = {
	.forms = CONFIG_FORM_STRING,
	.printed = CONFIG_FORM_STRING,
	.parse = parse_ignored,
	.expected = expected_ignored,
};
