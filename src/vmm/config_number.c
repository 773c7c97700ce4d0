// SPDX-License-Identifier: MIT
/*
 * Configuration values that are numbers: integers, sizes, durations.
 *
 * Numbers are plain decimal digits: no sign, no 0x, no fraction, so that a text has one reading.
 * No state; any thread.
 */
#include "vmm/config_type.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct unit {
	const char *suffix;
	uint64_t factor;
};

/* Largest first: printing takes the first that divides the value, or the last. */
static const struct unit size_units[] = {
	{"T", 1ull << 40}, {"G", 1ull << 30}, {"M", 1ull << 20}, {"K", 1ull << 10}, {"", 1},
};

static const struct unit duration_units[] = {
	{"d", 24ull * 3600 * NSEC_PER_SEC},
	{"h", 3600 * NSEC_PER_SEC},
	{"m", 60 * NSEC_PER_SEC},
	{"s", NSEC_PER_SEC},
	{"ms", NSEC_PER_MSEC},
};

/* Decimal digits at *@p, which is moved behind them. False: none, or too many. */
static bool take_digits(const char **p, uint64_t *ret)
{
	const char *s = *p;
	uint64_t v = 0;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return false;
	}
	*p = s;
	*ret = v;
	return true;
}

static bool in_range(const struct config_row *row, uint64_t v)
{
	return v >= row->min && v <= row->max && (row->step == 0 || v % row->step == 0);
}

static void format_units(uint64_t v, const struct unit *units, size_t count, char *buf, size_t size)
{
	size_t i;

	for (i = 0; i < count - 1; i++) {
		if (v != 0 && v % units[i].factor == 0)
			break;
	}
	snprintf(buf, size, "%llu%s", (unsigned long long)(v / units[i].factor),
		 v ? units[i].suffix : "");
}

static void format_size(uint64_t v, char *buf, size_t size)
{
	format_units(v, size_units, ARRAY_SIZE(size_units), buf, size);
}

static void format_duration(uint64_t v, char *buf, size_t size)
{
	format_units(v, duration_units, ARRAY_SIZE(duration_units), buf, size);
}

/* --- integers --- */

static int parse_uint(const struct config_row *row, const char *text, const char *dir, void *field,
		      struct error *err)
{
	const char *p = text;
	uint64_t v;
	uint32_t v32;

	if (!take_digits(&p, &v) || *p || v > UINT32_MAX || !in_range(row, v))
		return config_type_wrong(row, text, "", err);
	v32 = (uint32_t)v;
	memcpy(field, &v32, sizeof(v32));
	return 0;
}

static char *text_uint(const struct config_row *row, const void *field)
{
	char buf[16];

	snprintf(buf, sizeof(buf), "%u", config_get_u32(field));
	return strdup(buf);
}

static void range_uint(const struct config_row *row, char *buf, size_t size)
{
	snprintf(buf, size, "%llu to %llu", (unsigned long long)row->min,
		 (unsigned long long)row->max);
}

static void expected_uint(const struct config_row *row, char *buf, size_t size)
{
	snprintf(buf, size, "an integer from %llu to %llu", (unsigned long long)row->min,
		 (unsigned long long)row->max);
}

const struct config_type config_type_uint = {
	.forms = CONFIG_FORM_INTEGER,
	.printed = CONFIG_FORM_INTEGER,
	.integer_unit = 1,
	.parse = parse_uint,
	.text = text_uint,
	.expected = expected_uint,
	.range = range_uint,
	.size = sizeof(uint32_t),
};

/* --- sizes --- */

/* K, M, G, T or KiB ... TiB, capital or not: always powers of 1024. */
static bool take_size(const char *text, uint64_t *ret)
{
	const char *p = text;
	uint64_t v;
	size_t i;

	if (!take_digits(&p, &v))
		return false;
	if (*p) {
		for (i = 0; size_units[i].factor > 1; i++) {
			if ((*p & ~0x20) == size_units[i].suffix[0])
				break;
		}
		if (size_units[i].factor == 1 ||
		    __builtin_mul_overflow(v, size_units[i].factor, &v))
			return false;
		p++;
		if (strcmp(p, "iB") == 0)
			p += 2;
	}
	*ret = v;
	return *p == '\0';
}

static int parse_size(const struct config_row *row, const char *text, const char *dir, void *field,
		      struct error *err)
{
	bool plain = text[strspn(text, "0123456789")] == '\0';
	uint64_t v;

	if (!take_size(text, &v))
		return config_type_wrong(row, text, "", err);
	if (!in_range(row, v))
		return config_type_wrong(
			row, text, plain && v < row->min ? " (a plain number is bytes)" : "", err);
	memcpy(field, &v, sizeof(v));
	return 0;
}

static char *text_size(const struct config_row *row, const void *field)
{
	char buf[32];

	format_size(config_get_u64(field), buf, sizeof(buf));
	return strdup(buf);
}

static void range_size(const struct config_row *row, char *buf, size_t size)
{
	char min[32], max[32];

	format_size(row->min, min, sizeof(min));
	format_size(row->max, max, sizeof(max));
	snprintf(buf, size, "%s to %s", min, max);
}

static void expected_size(const struct config_row *row, char *buf, size_t size)
{
	char range[72], step[32];

	range_size(row, range, sizeof(range));
	format_size(row->step, step, sizeof(step));
	if (row->step > 1)
		snprintf(buf, size, "a size from %s in steps of %s", range, step);
	else
		snprintf(buf, size, "a size from %s", range);
}

static void pattern_size(const struct config_row *row, char *buf, size_t size)
{
	snprintf(buf, size, "^[0-9]+([KMGTkmgt](iB)?)?$");
}

const struct config_type config_type_size = {
	.forms = CONFIG_FORM_INTEGER | CONFIG_FORM_STRING,
	.printed = CONFIG_FORM_STRING,
	.integer_unit = 1,
	.parse = parse_size,
	.text = text_size,
	.expected = expected_size,
	.range = range_size,
	.pattern = pattern_size,
	.size = sizeof(uint64_t),
};

/* --- durations --- */

static bool take_duration(const char *text, uint64_t *ret)
{
	const char *p = text;
	uint64_t v;
	size_t i;

	if (!take_digits(&p, &v))
		return false;
	if (*p == '\0')
		p = "s";
	for (i = 0; i < ARRAY_SIZE(duration_units); i++) {
		if (strcmp(p, duration_units[i].suffix) == 0)
			return !__builtin_mul_overflow(v, duration_units[i].factor, ret);
	}
	return false;
}

static int parse_duration(const struct config_row *row, const char *text, const char *dir,
			  void *field, struct error *err)
{
	uint64_t v;

	if (!take_duration(text, &v) || !in_range(row, v))
		return config_type_wrong(row, text, "", err);
	memcpy(field, &v, sizeof(v));
	return 0;
}

static char *text_duration(const struct config_row *row, const void *field)
{
	char buf[32];

	format_duration(config_get_u64(field), buf, sizeof(buf));
	return strdup(buf);
}

static void range_duration(const struct config_row *row, char *buf, size_t size)
{
	char min[32], max[32];

	format_duration(row->min, min, sizeof(min));
	format_duration(row->max, max, sizeof(max));
	snprintf(buf, size, "%s to %s", min, max);
}

static void expected_duration(const struct config_row *row, char *buf, size_t size)
{
	char range[72];

	range_duration(row, range, sizeof(range));
	snprintf(buf, size, "a time such as 500ms, 90s or 5m, from %s", range);
}

static void pattern_duration(const struct config_row *row, char *buf, size_t size)
{
	snprintf(buf, size, "^[0-9]+(ms|s|m|h|d)?$");
}

const struct config_type config_type_duration = {
	.forms = CONFIG_FORM_INTEGER | CONFIG_FORM_STRING,
	.printed = CONFIG_FORM_STRING,
	.integer_unit = NSEC_PER_SEC,
	.parse = parse_duration,
	.text = text_duration,
	.expected = expected_duration,
	.range = range_duration,
	.pattern = pattern_duration,
	.size = sizeof(uint64_t),
};
