// SPDX-License-Identifier: MIT
/*
 * Values of a configuration: from text, back to text, and what is expected of them.
 *
 * Text is the common form: an option's value, a default, and a JSON scalar all arrive here as text,
 * so they obey the same rules and give the same messages. Arrays are made of values and handled in
 * config_tree.c; their rows, and CONFIG_ASSIGN ones, must not be given to these functions.
 *
 * No state. A field is the member that the row describes, in a struct that was set to zero once.
 */
#pragma once

#include "vmm/config_table.h"
#include "vmm/error.h"

/* The forms that a value may have in JSON, as a set. */
enum config_form {
	CONFIG_FORM_BOOLEAN = 1 << 0,
	CONFIG_FORM_INTEGER = 1 << 1,
	CONFIG_FORM_STRING = 1 << 2,
};

/*
 * Reads @text into @field, and frees what was there. A relative path is put behind @dir, unless
 * that is NULL. -EINVAL (text says what was expected) or -ENOMEM; the field is then as before.
 */
int config_value_parse(const struct config_row *row, const char *text, const char *dir, void *field,
		       struct error *err) must_check;

/* Frees what the field holds and leaves it empty: zero, false, NULL. */
void config_value_finish(const struct config_row *row, void *field);

/*
 * False for a string or path that is NULL, for an integer without a default that nobody gave, and
 * for what holds no value at all.
 */
bool config_value_is_set(const struct config_row *row, const void *field);

/*
 * The value as text that config_value_parse() reads back to the same value from any working
 * directory: paths are made absolute. The field must be set. To be freed; NULL: no memory.
 */
char *config_value_text(const struct config_row *row, const void *field);

/* "an integer from 1 to 1024" */
void config_value_expected(const struct config_row *row, char *buf, size_t size);

/* The same in few words, for a help text: "1 to 1024". Empty when there is nothing to say. */
void config_value_range(const struct config_row *row, char *buf, size_t size);

/* The forms in which JSON may have it, and the one in which it is printed. */
unsigned int config_value_forms(enum config_kind kind);
enum config_form config_value_printed_form(enum config_kind kind);

/*
 * What a JSON Schema says of the forms. Of integers: what 1 is in units of the field (a duration is
 * a number of seconds). Of strings: a regular expression, the same to ECMA 262, Python and POSIX,
 * or an empty one; and the length, from 0 to UINT64_MAX when there is nothing to say.
 */
uint64_t config_value_integer_unit(enum config_kind kind);
void config_value_pattern(const struct config_row *row, char *buf, size_t size);
void config_value_length(const struct config_row *row, uint64_t *ret_min, uint64_t *ret_max);

/*
 * @text in double quotes for a message: shortened, with control characters and what is not UTF-8
 * made visible.
 */
#define CONFIG_QUOTE_MAX 72
void config_quote(const char *text, char buf[CONFIG_QUOTE_MAX]);
