// SPDX-License-Identifier: MIT
/*
 * The table of value types, and the way into it. No state; any thread.
 */
#include "vmm/config_value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/config.h"
#include "vmm/config_type.h"
#include "vmm/utf8.h"

#define EXPECTED_MAX 256

static const struct config_type *const types[] = {
	[CONFIG_BOOL] = &config_type_bool,       [CONFIG_UINT] = &config_type_uint,
	[CONFIG_SIZE] = &config_type_size,       [CONFIG_DURATION] = &config_type_duration,
	[CONFIG_ENUM] = &config_type_enum,       [CONFIG_STRING] = &config_type_string,
	[CONFIG_PATH] = &config_type_path,       [CONFIG_SERIAL] = &config_type_serial,
	[CONFIG_COUNT] = &config_type_count,     [CONFIG_IGNORED] = &config_type_ignored,
	[CONFIG_CONTROL] = &config_type_control,
};

/* The length of the character at @p if a terminal may see it, else 0. */
static size_t printable_len(const char *p, const char *end)
{
	size_t len = utf8_len(p, end);
	unsigned char c = (unsigned char)p[0];

	if (c < 0x20 || c == 0x7f)
		return 0;
	/* U+0080 to U+009F are control characters too. */
	return c == 0xc2 && len == 2 && (unsigned char)p[1] < 0xa0 ? 0 : len;
}

void config_quote(const char *text, char buf[CONFIG_QUOTE_MAX])
{
	static const char more[] = "...\"";
	const char *end = text + strlen(text);
	size_t n, len = 0;

	buf[len++] = '"';
	while (*text) {
		/* There must be room for the longest step, four bytes, and for this end. */
		if (len + 4 + sizeof(more) > CONFIG_QUOTE_MAX) {
			memcpy(buf + len, more, sizeof(more));
			return;
		}
		n = printable_len(text, end);
		if (n > 0)
			memcpy(buf + len, text, n);
		else
			snprintf(buf + len, 5, "\\x%02x", (unsigned char)*text);
		len += n > 0 ? n : 4;
		text += n > 0 ? n : 1;
	}
	buf[len++] = '"';
	buf[len] = '\0';
}

int config_type_wrong(const struct config_row *row, const char *text, const char *hint,
		      struct error *err)
{
	char expected[EXPECTED_MAX], got[CONFIG_QUOTE_MAX];

	config_value_expected(row, expected, sizeof(expected));
	/* A number needs no quotes: in a file it may have had none. */
	if (*text && text[strspn(text, "0123456789")] == '\0')
		snprintf(got, sizeof(got), "%.40s", text);
	else
		config_quote(text, got);
	return error_set(err, -EINVAL, "expected %s, got %s%s", expected, got, hint);
}

int config_value_parse(const struct config_row *row, const char *text, const char *dir, void *field,
		       struct error *err)
{
	return types[row->kind]->parse(row, text, dir, field, err);
}

void config_value_finish(const struct config_row *row, void *field)
{
	const struct config_type *type = types[row->kind];

	if (type->finish)
		type->finish(field);
	memset(field, 0, type->size);
}

bool config_value_is_set(const struct config_row *row, const void *field)
{
	if (row->kind == CONFIG_STRING || row->kind == CONFIG_PATH)
		return config_get_string(field) != NULL;
	if (row->kind == CONFIG_UINT && !row->preset)
		return config_get_u32(field) != CONFIG_UINT_UNSET;
	if (row->kind == CONFIG_SIZE && !row->preset)
		return config_get_u64(field) != 0;
	return types[row->kind]->text != NULL;
}

char *config_value_text(const struct config_row *row, const void *field)
{
	return types[row->kind]->text(row, field);
}

void config_value_expected(const struct config_row *row, char *buf, size_t size)
{
	types[row->kind]->expected(row, buf, size);
}

void config_value_range(const struct config_row *row, char *buf, size_t size)
{
	buf[0] = '\0';
	if (types[row->kind]->range)
		types[row->kind]->range(row, buf, size);
}

void config_value_pattern(const struct config_row *row, char *buf, size_t size)
{
	buf[0] = '\0';
	if (types[row->kind]->pattern)
		types[row->kind]->pattern(row, buf, size);
}

void config_value_length(const struct config_row *row, uint64_t *ret_min, uint64_t *ret_max)
{
	*ret_min = 0;
	*ret_max = UINT64_MAX;
	if (types[row->kind]->length)
		types[row->kind]->length(row, ret_min, ret_max);
}

unsigned int config_value_forms(enum config_kind kind)
{
	return types[kind]->forms;
}

enum config_form config_value_printed_form(enum config_kind kind)
{
	return types[kind]->printed;
}

uint64_t config_value_integer_unit(enum config_kind kind)
{
	return types[kind]->integer_unit;
}
