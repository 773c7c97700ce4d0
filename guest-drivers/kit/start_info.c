// SPDX-License-Identifier: MIT
/* See start_info.h. All state is written once, by CPU 0, at boot. */
#include "kit/start_info.h"
#include "kit/string.h"

#define CMDLINE_MAX 1024

static struct start_info info;
static uint64_t address;
static char cmdline[CMDLINE_MAX];
static struct memory_range ranges[MEMORY_RANGES_MAX];
static size_t range_count;
static struct start_module modules[MODULES_MAX];
static size_t module_count;

bool start_info_init(uint64_t pa)
{
	const struct start_info *given = pa_ptr(pa);

	if (!pa || given->magic != START_INFO_MAGIC)
		return false;
	info = *given;
	address = pa;

	if (info.cmdline) {
		const char *text = pa_ptr(info.cmdline);

		for (size_t i = 0; i < CMDLINE_MAX - 1 && text[i]; i++)
			cmdline[i] = text[i];
	}
	module_count = info.module_count < MODULES_MAX ? info.module_count : MODULES_MAX;
	memcpy(modules, pa_ptr(info.modules), module_count * sizeof(modules[0]));
	if (info.version >= 1 && info.memmap) {
		range_count = info.memmap_entries;
		if (range_count > MEMORY_RANGES_MAX)
			range_count = MEMORY_RANGES_MAX;
		memcpy(ranges, pa_ptr(info.memmap), range_count * sizeof(ranges[0]));
	}
	return true;
}

const struct start_info *start_info(void)
{
	return &info;
}

uint64_t start_info_address(void)
{
	return address;
}

size_t memory_range_count(void)
{
	return range_count;
}

const struct memory_range *memory_range(size_t index)
{
	return &ranges[index];
}

size_t start_module_count(void)
{
	return module_count;
}

const struct start_module *start_module(size_t index)
{
	return &modules[index];
}

bool memory_is_ram(uint64_t addr, uint64_t len)
{
	for (size_t i = 0; i < range_count; i++) {
		const struct memory_range *r = &ranges[i];

		if (r->type == MEMORY_RAM && addr >= r->addr && len <= r->len &&
		    addr - r->addr <= r->len - len)
			return true;
	}
	return false;
}

uint64_t memory_top(void)
{
	uint64_t top = 0;

	for (size_t i = 0; i < range_count; i++)
		if (ranges[i].type == MEMORY_RAM && ranges[i].addr + ranges[i].len > top)
			top = ranges[i].addr + ranges[i].len;
	return top;
}

const char *start_cmdline(void)
{
	return cmdline;
}

/* What follows "name" in the command line: "=value...", " ..." or the end; NULL: no such word. */
static const char *find_param(const char *name)
{
	size_t len = strlen(name);
	const char *p = cmdline;

	while (*p) {
		while (*p == ' ')
			p++;
		if (!strncmp(p, name, len) && (!p[len] || p[len] == ' ' || p[len] == '='))
			return p + len;
		while (*p && *p != ' ')
			p++;
	}
	return NULL;
}

bool param_is_set(const char *name)
{
	return find_param(name);
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

uint64_t param_u64(const char *name, uint64_t or_else)
{
	const char *p = find_param(name);
	unsigned int base = 10;
	uint64_t v = 0;

	if (!p || *p++ != '=')
		return or_else;
	if (p[0] == '0' && p[1] == 'x') {
		base = 16;
		p += 2;
	}
	for (; (unsigned int)digit_value(*p) < base; p++)
		v = v * base + (unsigned int)digit_value(*p);
	return v;
}

bool param_string(const char *name, const char *or_else, char *buf, size_t size)
{
	const char *p = find_param(name);
	bool found = p && *p == '=';
	const char *from = found ? p + 1 : or_else;
	size_t n = 0;

	while (n + 1 < size && from[n] && (!found || from[n] != ' ')) {
		buf[n] = from[n];
		n++;
	}
	buf[n] = 0;
	return found;
}
