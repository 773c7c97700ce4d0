// SPDX-License-Identifier: MIT
/*
 * Facts, for people or as one JSON object. Main thread.
 */
#include <errno.h>
#include <stdio.h>

#include "candela/cmd_disk.h"
#include "vmm/json_build.h"

void disk_add_text(struct disk_facts *f, const char *key, const char *label, const char *text)
{
	f->facts[f->count++] = (struct disk_fact){
		.key = key, .label = label, .kind = DISK_FACT_TEXT, .text = text};
}

void disk_add_bytes(struct disk_facts *f, const char *key, const char *label, uint64_t bytes)
{
	f->facts[f->count++] = (struct disk_fact){
		.key = key, .label = label, .kind = DISK_FACT_BYTES, .number = bytes};
}

void disk_add_number(struct disk_facts *f, const char *key, const char *label, uint64_t number)
{
	f->facts[f->count++] = (struct disk_fact){
		.key = key, .label = label, .kind = DISK_FACT_NUMBER, .number = number};
}

void disk_add_yes_no(struct disk_facts *f, const char *key, const char *label, bool yes)
{
	f->facts[f->count++] = (struct disk_fact){
		.key = key, .label = label, .kind = DISK_FACT_YES_NO, .number = yes};
}

void disk_add_id(struct disk_facts *f, const char *key, const char *label, const uint8_t *id,
		 bool vhdx_id)
{
	f->facts[f->count++] = (struct disk_fact){
		.key = key, .label = label, .kind = DISK_FACT_ID, .id = id, .vhdx_id = vhdx_id};
}

static void format_bytes(uint64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = {"", "K", "M", "G", "T"};
	double scaled = (double)bytes;
	unsigned int unit = 0;

	while (scaled >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		scaled /= 1024;
		unit++;
	}
	if (unit == 0)
		snprintf(buf, size, "%llu bytes", (unsigned long long)bytes);
	else
		snprintf(buf, size, "%.4g%s (%llu bytes)", scaled, units[unit],
			 (unsigned long long)bytes);
}

static void format_id(const struct disk_fact *fact, char *buf, size_t size)
{
	static const uint8_t little[] = {3, 2, 1, 0, 5, 4, 7, 6};
	size_t len = 0;

	for (unsigned int i = 0; i < 16; i++) {
		unsigned int from = fact->vhdx_id && i < 8 ? little[i] : i;
		const char *dash = i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";

		len += (size_t)snprintf(buf + len, size - len, "%s%02x", dash, fact->id[from]);
	}
}

static void print_fact(const struct disk_fact *fact)
{
	char buf[64] = "";

	switch (fact->kind) {
	case DISK_FACT_TEXT:
		break;
	case DISK_FACT_BYTES:
		format_bytes(fact->number, buf, sizeof(buf));
		break;
	case DISK_FACT_NUMBER:
		snprintf(buf, sizeof(buf), "%llu", (unsigned long long)fact->number);
		break;
	case DISK_FACT_YES_NO:
		snprintf(buf, sizeof(buf), "%s", fact->number ? "yes" : "no");
		break;
	case DISK_FACT_ID:
		format_id(fact, buf, sizeof(buf));
		break;
	}
	printf("%-18s %s\n", fact->label, fact->kind == DISK_FACT_TEXT ? fact->text : buf);
}

static int add_fact(struct json_object *object, const struct disk_fact *fact)
{
	char buf[64];

	switch (fact->kind) {
	case DISK_FACT_TEXT:
		return json_put_string(object, fact->key, fact->text);
	case DISK_FACT_BYTES:
	case DISK_FACT_NUMBER:
		return json_put_integer(object, fact->key, fact->number);
	case DISK_FACT_YES_NO:
		return json_put(object, fact->key, json_object_new_boolean(fact->number != 0));
	case DISK_FACT_ID:
		format_id(fact, buf, sizeof(buf));
		return json_put_string(object, fact->key, buf);
	}
	return 0;
}

int disk_print_facts(const struct disk_facts *f, bool json, struct json_object *findings,
		     struct error *err)
{
	struct json_object *root = json ? json_object_new_object() : NULL;
	int r = 0;

	if (json && !root)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < f->count; i++) {
		if (json)
			r = add_fact(root, &f->facts[i]);
		else
			print_fact(&f->facts[i]);
	}
	if (r == 0 && findings)
		r = json_put(root, "findings", json_object_get(findings));
	if (r == -ENOMEM)
		error_set(err, r, "out of memory");
	if (r == 0 && json)
		r = json_write(root, stdout, err);
	else if (r == 0 && (fflush(stdout) || ferror(stdout)))
		r = error_set(err, -EIO, "cannot write to standard output");
	json_object_put(root);
	return r;
}
