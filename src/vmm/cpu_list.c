// SPDX-License-Identifier: MIT
/* Lists of processors. See cpu_list.h. */
#include "vmm/cpu_list.h"

#include <errno.h>
#include <stdio.h>

struct cursor {
	const char *at, *end;
};

static int read_number(struct cursor *c, unsigned int *ret)
{
	unsigned int v = 0;

	if (c->at == c->end || *c->at < '0' || *c->at > '9')
		return -EINVAL;
	for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++)
		if (v < CPU_SETSIZE)
			v = v * 10 + (unsigned int)(*c->at - '0');
	if (v >= CPU_SETSIZE)
		return -ERANGE;
	*ret = v;
	return 0;
}

static bool take(struct cursor *c, char wanted)
{
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

int cpu_list_parse(const char *text, size_t len, cpu_set_t *ret)
{
	struct cursor c = {.at = text, .end = text + len};
	unsigned int low, high;
	cpu_set_t set;
	int r;

	if (len && text[len - 1] == '\n')
		c.end--;
	CPU_ZERO(&set);
	do {
		r = read_number(&c, &low);
		high = low;
		if (r == 0 && take(&c, '-'))
			r = read_number(&c, &high);
		if (r < 0)
			return r;
		if (high < low)
			return -EINVAL;
		for (; low <= high; low++)
			CPU_SET(low, &set);
	} while (take(&c, ','));
	if (c.at != c.end)
		return -EINVAL;
	*ret = set;
	return 0;
}

bool cpu_list_print(const cpu_set_t *set, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (unsigned int low = 0, high; low < CPU_SETSIZE; low++) {
		if (!CPU_ISSET(low, set))
			continue;
		for (high = low; high + 1 < CPU_SETSIZE && CPU_ISSET(high + 1, set);)
			high++;
		used += (size_t)snprintf(buf + used, size - used, "%s%u", used ? "," : "", low);
		if (used < size && high > low)
			used += (size_t)snprintf(buf + used, size - used, "-%u", high);
		if (used >= size)
			return false;
		low = high;
	}
	return true;
}

bool cpu_list_within(const cpu_set_t *inner, const cpu_set_t *outer)
{
	cpu_set_t both;

	CPU_AND(&both, inner, outer);
	return CPU_EQUAL(&both, inner);
}
