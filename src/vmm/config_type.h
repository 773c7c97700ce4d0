// SPDX-License-Identifier: MIT
/*
 * What a type of configuration value is made of: the inside of config_value.c, which dispatches to
 * these. Types of numbers are in config_number.c, of words in config_word.c, those that own memory
 * in config_string.c. A new type: a kind in config_table.h, one of these, and a row in
 * config_value.c.
 */
#pragma once

#include <string.h>

#include "vmm/config_value.h"

struct config_type {
	unsigned int forms;       /* accepted in JSON: a set of enum config_form */
	enum config_form printed; /* written to JSON */
	uint64_t integer_unit;    /* what 1 as a JSON integer is in the field; 0: no such form */

	/* As config_value_parse(); mandatory. */
	int (*parse)(const struct config_row *row, const char *text, const char *dir, void *field,
		     struct error *err);
	/* As config_value_text(); mandatory for what is ever printed. */
	char *(*text)(const struct config_row *row, const void *field);
	/* As the functions of config_value.h; expected is mandatory, the others may be NULL. */
	void (*expected)(const struct config_row *row, char *buf, size_t size);
	void (*range)(const struct config_row *row, char *buf, size_t size);
	void (*pattern)(const struct config_row *row, char *buf, size_t size);
	void (*length)(const struct config_row *row, uint64_t *ret_min, uint64_t *ret_max);
	/* Frees what the field owns; NULL: it owns nothing. */
	void (*finish)(void *field);
	size_t size; /* of the field */
};

extern const struct config_type config_type_bool, config_type_enum, config_type_count;
extern const struct config_type config_type_uint, config_type_size, config_type_duration;
extern const struct config_type config_type_string, config_type_path, config_type_serial;
extern const struct config_type config_type_control;
extern const struct config_type config_type_ignored;

/* Fills in "expected ..., got ..." with @hint behind it; returns -EINVAL. */
int config_type_wrong(const struct config_row *row, const char *text, const char *hint,
		      struct error *err);

/* A table knows of a field only where it is, so fields are read as bytes. */
static inline uint32_t config_get_u32(const void *field)
{
	uint32_t v;

	memcpy(&v, field, sizeof(v));
	return v;
}

static inline uint64_t config_get_u64(const void *field)
{
	uint64_t v;

	memcpy(&v, field, sizeof(v));
	return v;
}

static inline char *config_get_string(const void *field)
{
	char *s;

	memcpy(&s, field, sizeof(s));
	return s;
}
