// SPDX-License-Identifier: MIT
/*
 * Configuration values that own memory: strings, paths, and where a serial line goes or the control
 * socket is.
 *
 * No state; any thread.
 */
#include "vmm/config_type.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmm/config.h"

static void replace_string(void *field, char *s)
{
	free(config_get_string(field));
	memcpy(field, &s, sizeof(s));
}

static void finish_string(void *field)
{
	replace_string(field, NULL);
}

/* --- strings --- */

static bool char_among(char c, const char *set)
{
	for (; *set; set++) {
		if (set[1] == '-' && set[2]) {
			if (c >= set[0] && c <= set[2])
				return true;
			set += 2;
		} else if (c == *set) {
			return true;
		}
	}
	return false;
}

static bool string_fits(const struct config_row *row, const char *text)
{
	size_t i, len = strlen(text);

	if (len < row->min || len > row->max)
		return false;
	for (i = 0; row->chars && i < len; i++) {
		if (!char_among(text[i], i == 0 && row->first ? row->first : row->chars))
			return false;
	}
	return true;
}

static int parse_string(const struct config_row *row, const char *text, const char *dir,
			void *field, struct error *err)
{
	char *copy;

	if (!string_fits(row, text))
		return config_type_wrong(row, text, "", err);
	copy = strdup(text);
	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	replace_string(field, copy);
	return 0;
}

static char *text_string(const struct config_row *row, const void *field)
{
	return strdup(config_get_string(field));
}

static void range_string(const struct config_row *row, char *buf, size_t size)
{
	if (row->chars)
		snprintf(buf, size, "%llu to %llu of %s", (unsigned long long)row->min,
			 (unsigned long long)row->max, row->chars);
}

static void expected_string(const struct config_row *row, char *buf, size_t size)
{
	unsigned long long min = row->min, max = row->max;

	if (row->chars && row->first)
		snprintf(buf, size, "%llu to %llu characters of %s, the first of %s", min, max,
			 row->chars, row->first);
	else if (row->chars)
		snprintf(buf, size, "%llu to %llu characters of %s", min, max, row->chars);
	else
		snprintf(buf, size, "a string of %llu to %llu bytes", min, max);
}

static void pattern_string(const struct config_row *row, char *buf, size_t size)
{
	unsigned long long min = row->min, max = row->max;

	if (row->chars && row->first && min > 0)
		snprintf(buf, size, "^[%s][%s]{%llu,%llu}$", row->first, row->chars, min - 1,
			 max - 1);
	else if (row->chars)
		snprintf(buf, size, "^[%s]{%llu,%llu}$", row->chars, min, max);
}

static void length_string(const struct config_row *row, uint64_t *ret_min, uint64_t *ret_max)
{
	*ret_min = row->min;
	*ret_max = row->max;
}

const struct config_type config_type_string = {
	.forms = CONFIG_FORM_STRING,
	.printed = CONFIG_FORM_STRING,
	.parse = parse_string,
	.text = text_string,
	.expected = expected_string,
	.range = range_string,
	.pattern = pattern_string,
	.length = length_string,
	.finish = finish_string,
	.size = sizeof(char *),
};

/* --- paths --- */

/* @text as seen from the directory @dir; NULL: no memory. */
static char *join_path(const char *dir, const char *text)
{
	size_t len = dir ? strlen(dir) : 0;
	char *joined;

	if (len == 0 || text[0] == '/')
		return strdup(text);
	if (asprintf(&joined, "%s%s%s", dir, dir[len - 1] == '/' ? "" : "/", text) < 0)
		return NULL;
	return joined;
}

/* A working directory that was removed has no name: the path then stays relative. */
static char *absolute_path(const char *path)
{
	char *joined, *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);

	joined = join_path(cwd, path);
	free(cwd);
	return joined;
}

static int parse_path(const struct config_row *row, const char *text, const char *dir, void *field,
		      struct error *err)
{
	char *path;

	if (text[0] == '\0' || strlen(text) >= PATH_MAX)
		return config_type_wrong(row, text, "", err);
	path = join_path(dir, text);
	if (!path)
		return error_set(err, -ENOMEM, "out of memory");
	replace_string(field, path);
	return 0;
}

static char *text_path(const struct config_row *row, const void *field)
{
	return absolute_path(config_get_string(field));
}

static void expected_path(const struct config_row *row, char *buf, size_t size)
{
	snprintf(buf, size, "a path of 1 to %d bytes", PATH_MAX - 1);
}

static void length_path(const struct config_row *row, uint64_t *ret_min, uint64_t *ret_max)
{
	*ret_min = 1;
	*ret_max = PATH_MAX - 1;
}

const struct config_type config_type_path = {
	.forms = CONFIG_FORM_STRING,
	.printed = CONFIG_FORM_STRING,
	.parse = parse_path,
	.text = text_path,
	.expected = expected_path,
	.length = length_path,
	.finish = finish_string,
	.size = sizeof(char *),
};

/* --- where a serial line goes --- */

struct serial_word {
	const char *word;
	bool takes_path;
};

static const struct serial_word serial_words[] = {
	[CONFIG_SERIAL_STDIO] = {"stdio", false}, [CONFIG_SERIAL_NULL] = {"null", false},
	[CONFIG_SERIAL_PTY] = {"pty", false},     [CONFIG_SERIAL_FILE] = {"file", true},
	[CONFIG_SERIAL_UNIX] = {"unix", true},
};

/* The row for the word before the colon; ARRAY_SIZE(serial_words): none, or the colon is wrong. */
static size_t find_serial_word(const char *text)
{
	size_t i, len = strcspn(text, ":");

	for (i = 0; i < ARRAY_SIZE(serial_words); i++) {
		const struct serial_word *w = &serial_words[i];

		if (strlen(w->word) == len && memcmp(w->word, text, len) == 0 &&
		    w->takes_path == (text[len] == ':'))
			break;
	}
	return i;
}

static void finish_serial(void *field)
{
	struct config_serial serial;

	memcpy(&serial, field, sizeof(serial));
	replace_string(&serial.path, NULL);
	memcpy(field, &serial, sizeof(serial));
}

static int parse_serial(const struct config_row *row, const char *text, const char *dir,
			void *field, struct error *err)
{
	struct config_serial serial = {.kind = (enum config_serial_kind)find_serial_word(text)};

	if (serial.kind >= ARRAY_SIZE(serial_words))
		return config_type_wrong(row, text, "", err);
	if (serial_words[serial.kind].takes_path) {
		const char *path = strchr(text, ':') + 1;

		if (path[0] == '\0' || strlen(path) >= PATH_MAX)
			return config_type_wrong(row, text, "", err);
		serial.path = join_path(dir, path);
		if (!serial.path)
			return error_set(err, -ENOMEM, "out of memory");
	}
	finish_serial(field);
	memcpy(field, &serial, sizeof(serial));
	return 0;
}

static char *text_serial(const struct config_row *row, const void *field)
{
	struct config_serial serial;
	char *path, *text;

	memcpy(&serial, field, sizeof(serial));
	if (!serial_words[serial.kind].takes_path)
		return strdup(serial_words[serial.kind].word);
	path = absolute_path(serial.path);
	if (!path || asprintf(&text, "%s:%s", serial_words[serial.kind].word, path) < 0)
		text = NULL;
	free(path);
	return text;
}

static void expected_serial(const struct config_row *row, char *buf, size_t size)
{
	size_t i, len = 0;

	for (i = 0; i < ARRAY_SIZE(serial_words) && len < size; i++) {
		const char *joint = i == 0 ? "" : i + 1 < ARRAY_SIZE(serial_words) ? ", " : " or ";

		len += (size_t)snprintf(buf + len, size - len, "%s%s%s", joint,
					serial_words[i].word,
					serial_words[i].takes_path ? ":PATH" : "");
	}
}

static void pattern_serial(const struct config_row *row, char *buf, size_t size)
{
	size_t i, len = 0;

	for (i = 0; i < ARRAY_SIZE(serial_words) && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s^%s%s", i ? "|" : "",
					serial_words[i].word,
					serial_words[i].takes_path ? ":[^\\x00]" : "$");
}

const struct config_type config_type_serial = {
	.forms = CONFIG_FORM_STRING,
	.printed = CONFIG_FORM_STRING,
	.parse = parse_serial,
	.text = text_serial,
	.expected = expected_serial,
	.range = expected_serial,
	.pattern = pattern_serial,
	.finish = finish_serial,
	.size = sizeof(struct config_serial),
};

/* --- where the control socket is --- */

static const char *const control_words[] = {
	[CONFIG_CONTROL_AUTO] = "auto",
	[CONFIG_CONTROL_NONE] = "none",
};

static void finish_control(void *field)
{
	struct config_control control;

	memcpy(&control, field, sizeof(control));
	replace_string(&control.path, NULL);
	memcpy(field, &control, sizeof(control));
}

/* A socket that is called like one of the words can be had as ./auto. */
static int parse_control(const struct config_row *row, const char *text, const char *dir,
			 void *field, struct error *err)
{
	struct config_control control = {.kind = CONFIG_CONTROL_PATH};

	if (text[0] == '\0' || strlen(text) >= PATH_MAX)
		return config_type_wrong(row, text, "", err);
	for (size_t i = 0; i < ARRAY_SIZE(control_words); i++)
		if (strcmp(text, control_words[i]) == 0)
			control.kind = (enum config_control_kind)i;
	if (control.kind == CONFIG_CONTROL_PATH) {
		control.path = join_path(dir, text);
		if (!control.path)
			return error_set(err, -ENOMEM, "out of memory");
	}
	finish_control(field);
	memcpy(field, &control, sizeof(control));
	return 0;
}

static char *text_control(const struct config_row *row, const void *field)
{
	struct config_control control;

	memcpy(&control, field, sizeof(control));
	if (control.kind == CONFIG_CONTROL_PATH)
		return absolute_path(control.path);
	return strdup(control_words[control.kind]);
}

static void expected_control(const struct config_row *row, char *buf, size_t size)
{
	snprintf(buf, size, "auto, none or a path of 1 to %d bytes", PATH_MAX - 1);
}

static void range_control(const struct config_row *row, char *buf, size_t size)
{
	snprintf(buf, size, "auto, none or PATH");
}

const struct config_type config_type_control = {
	.forms = CONFIG_FORM_STRING,
	.printed = CONFIG_FORM_STRING,
	.parse = parse_control,
	.text = text_control,
	.expected = expected_control,
	.range = range_control,
	.length = length_path,
	.finish = finish_control,
	.size = sizeof(struct config_control),
};
