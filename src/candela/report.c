// SPDX-License-Identifier: MIT
/* Reports, in text and JSON. See report.h. */
#include "candela/report.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define JSON_VERSION 1 /* raised when a key changes its meaning or goes away */

/* Where a line's parts begin, and how wide it may be. */
#define LABEL_COLUMN 2
#define VALUE_COLUMN 33
#define COST_COLUMN  45
#define WIDTH        80

struct report {
	FILE *out;
	size_t column;             /* text: where the next character goes */
	char group[32];            /* its key */
	struct json_object *root;  /* NULL: text */
	struct json_object *rows;  /* of the group; root owns it */
	struct json_object *lacks; /* the array "missing"; added to root in the end */
};

struct report *report_create(enum report_form form, FILE *out)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->out = out;
	if (form == REPORT_TEXT)
		return r;
	r->root = json_object_new_object();
	r->lacks = json_object_new_array();
	if (!r->root || !r->lacks) {
		json_object_put(r->root);
		json_object_put(r->lacks);
		free(r);
		return NULL;
	}
	json_object_object_add(r->root, "version", json_object_new_int(JSON_VERSION));
	r->rows = r->root;
	return r;
}

bool report_destroy(struct report *r)
{
	const char *text = "";
	bool good;

	if (!r)
		return true;
	if (r->root) {
		json_object_object_add(r->root, "missing", r->lacks);
		text = json_object_to_json_string_ext(
			r->root, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
					 JSON_C_TO_STRING_NOSLASHESCAPE);
		if (text)
			fprintf(r->out, "%s\n", text);
	}
	good = text && fflush(r->out) == 0 && !ferror(r->out);
	json_object_put(r->root);
	free(r);
	return good;
}

/* --- Text. ---------------------------------------------------------------------------------- */

static void put(struct report *r, const char *text, size_t len)
{
	fwrite(text, 1, len, r->out);
	r->column += len;
}

static void end_line(struct report *r)
{
	fputc('\n', r->out);
	r->column = 0;
}

/* Moves on to a column, at least one blank behind what stands there, or in a new line. */
static void go_to(struct report *r, size_t column)
{
	if (r->column >= column)
		end_line(r);
	while (r->column < column)
		put(r, " ", 1);
}

/* Puts words from the present column on, which is also where further lines begin. */
static void put_words(struct report *r, const char *text)
{
	size_t start = r->column;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (r->column > start && r->column + 1 + len > WIDTH) {
			end_line(r);
			go_to(r, start);
		} else if (r->column > start) {
			put(r, " ", 1);
		}
		put(r, text, len);
		text += len;
		text += strspn(text, " ");
	}
}

static void format_bytes(char *buf, size_t size, uint64_t bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double scaled = (double)bytes;
	size_t unit = 0;

	while (scaled >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		scaled /= 1024;
		unit++;
	}
	snprintf(buf, size, "%.*f %s", scaled < 100 && unit ? 1 : 0, scaled, units[unit]);
}

static void put_value(struct report *r, struct report_value v)
{
	char buf[64] = "unknown";

	switch (v.kind) {
	case REPORT_UNKNOWN:
		break;
	case REPORT_YES_NO:
		snprintf(buf, sizeof(buf), "%s", v.number ? "yes" : "no");
		break;
	case REPORT_COUNT:
	case REPORT_LEVEL:
		if (v.kind == REPORT_LEVEL && v.number == 0) {
			put_words(r, "no");
			return;
		}
		snprintf(buf, sizeof(buf), "%llu%s%s", (unsigned long long)v.number,
			 v.text ? " " : "", v.text ? v.text : "");
		break;
	case REPORT_BYTES:
		format_bytes(buf, sizeof(buf), v.number);
		break;
	case REPORT_STRING:
	case REPORT_WORDS:
		put_words(r, *v.text ? v.text : "none");
		return;
	}
	put_words(r, buf);
}

static void put_row(struct report *r, const char *label, struct report_value value, bool fatal,
		    const char *cost)
{
	go_to(r, LABEL_COLUMN);
	put(r, label, strlen(label));
	go_to(r, VALUE_COLUMN);
	put_value(r, value);
	if (cost) {
		char text[1024];

		snprintf(text, sizeof(text), "%s%s", fatal ? "FATAL: " : "", cost);
		/* A blank between the two, also when the value is as wide as its column. */
		if (r->column + 1 > COST_COLUMN)
			end_line(r);
		go_to(r, COST_COLUMN);
		put_words(r, text);
	}
	end_line(r);
}

/* --- JSON. ---------------------------------------------------------------------------------- */

static struct json_object *new_array(const char *words)
{
	struct json_object *array = json_object_new_array();

	while (array && *words) {
		size_t len = strcspn(words, " ");

		json_object_array_add(array, json_object_new_string_len(words, (int)len));
		words += len;
		words += strspn(words, " ");
	}
	return array;
}

static struct json_object *new_value(struct report_value v)
{
	switch (v.kind) {
	case REPORT_UNKNOWN:
		return NULL;
	case REPORT_YES_NO:
		return json_object_new_boolean(v.number != 0);
	case REPORT_COUNT:
	case REPORT_LEVEL:
	case REPORT_BYTES:
		return json_object_new_uint64(v.number);
	case REPORT_STRING:
		return json_object_new_string(v.text);
	case REPORT_WORDS:
		return new_array(v.text);
	}
	return NULL;
}

static void add_row(struct report *r, const char *key, struct report_value value, bool fatal,
		    const char *cost)
{
	struct json_object *lack;

	json_object_object_add(r->rows, key, new_value(value));
	if (!cost)
		return;
	lack = json_object_new_object();
	json_object_object_add(lack, "group", json_object_new_string(r->group));
	json_object_object_add(lack, "key", json_object_new_string(key));
	json_object_object_add(lack, "fatal", json_object_new_boolean(fatal));
	json_object_object_add(lack, "cost", json_object_new_string(cost));
	json_object_array_add(r->lacks, lack);
}

/* --- Both. ---------------------------------------------------------------------------------- */

void report_group(struct report *r, const char *key, const char *title)
{
	bool first = !r->group[0];

	snprintf(r->group, sizeof(r->group), "%s", key);
	if (r->root) {
		r->rows = json_object_new_object();
		json_object_object_add(r->root, key, r->rows);
	} else {
		fprintf(r->out, "%s%s\n", first ? "" : "\n", title);
	}
}

static void any_row(struct report *r, const char *key, const char *label, struct report_value value,
		    bool fatal, const char *cost)
{
	if (r->root)
		add_row(r, key, value, fatal, cost);
	else
		put_row(r, label, value, fatal, cost);
}

void report_row(struct report *r, const char *key, const char *label, struct report_value value,
		const char *cost)
{
	any_row(r, key, label, value, false, cost);
}

void report_fatal(struct report *r, const char *key, const char *label, struct report_value value,
		  const char *cost)
{
	any_row(r, key, label, value, true, cost);
}
