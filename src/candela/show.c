// SPDX-License-Identifier: MIT
/* Values for people. See show.h. */
#include "candela/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/exit_status.h"
#include "vmm/log.h"
#include "vmm/utf8.h"

static bool is_control(const char *p, size_t len)
{
	const unsigned char *c = (const unsigned char *)p;

	/* U+0080 to U+009F are control characters too. */
	return c[0] < 0x20 || c[0] == 0x7f || (len == 2 && c[0] == 0xc2 && c[1] < 0xa0);
}

static bool is_harmless(const char *text)
{
	const char *end = text + strlen(text);

	for (size_t len; text < end; text += len) {
		len = utf8_len(text, end);
		if (len == 0 || is_control(text, len))
			return false;
	}
	return true;
}

/* As long as before: each byte that is not harmless becomes one that is. */
static void make_harmless(struct json_object *string)
{
	char *copy = strdup(json_object_get_string(string));
	char *end = copy ? copy + strlen(copy) : NULL;

	for (char *p = copy; p < end;) {
		size_t len = utf8_len(p, end);
		const bool bad = len == 0 || is_control(p, len);

		len = len ? len : 1;
		if (bad)
			memset(p, '?', len);
		p += len;
	}
	json_object_set_string(string, copy ? copy : "");
	free(copy);
}

const char *show_text(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return "";
	if (!is_harmless(json_object_get_string(value)))
		make_harmless(value);
	return json_object_get_string(value);
}

uint64_t show_number(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value))
		return 0;
	return json_object_get_uint64(value);
}

void show_bytes(uint64_t bytes, char buf[32])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double scaled = (double)bytes;
	size_t unit = 0;

	while (scaled >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		scaled /= 1024;
		unit++;
	}
	snprintf(buf, 32, "%.*f %s", scaled < 100 && scaled != (double)(uint64_t)scaled ? 1 : 0,
		 scaled, units[unit]);
}

static bool is_known(struct json_object *object, const char *key)
{
	struct json_object *value;

	return object && json_object_object_get_ex(object, key, &value) && value;
}

void show_known_bytes(struct json_object *object, const char *key, char buf[32])
{
	if (is_known(object, key))
		show_bytes(show_number(object, key), buf);
	else
		snprintf(buf, 32, "-");
}

void show_known_percent(struct json_object *object, const char *key, char buf[32])
{
	if (is_known(object, key))
		snprintf(buf, 32, "%llu %%", (unsigned long long)show_number(object, key));
	else
		snprintf(buf, 32, "-");
}

void show_duration(uint64_t ns, char buf[32])
{
	const unsigned long long s = ns / NSEC_PER_SEC;

	if (s < 60)
		snprintf(buf, 32, "%llus", s);
	else if (s < 3600)
		snprintf(buf, 32, "%llum %02llus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, 32, "%lluh %02llum", s / 3600, s / 60 % 60);
	else
		snprintf(buf, 32, "%llud %02lluh", s / 86400, s / 3600 % 24);
}

int show_flush(const char *command)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_SUCCESS;
	log_error("%s: cannot write to standard output", command);
	return STATUS_INTERNAL;
}
