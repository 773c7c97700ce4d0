// SPDX-License-Identifier: MIT
/*
 * Bus dispatch. The table is written while the machine is built, by one thread, and only read (but
 * for its counters) once it is frozen.
 */
#include "vmm/bus.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void bus_init(struct bus *bus, const char *name, uint64_t limit)
{
	*bus = (struct bus){.name = name, .limit = limit};
}

int bus_add(struct bus *bus, uint64_t base, uint64_t len, const char *name,
	    const struct bus_ops *ops, void *dev, struct error *err)
{
	assert(!bus->frozen);
	assert(ops->read && ops->write);
	assert(ops->max_size == 1 || ops->max_size == 2 || ops->max_size == 4 ||
	       ops->max_size == 8);

	if (len == 0 || !range_within(base, len, bus->limit))
		return error_set(err, -EINVAL, "%s: %s range 0x%llx+0x%llx is not on the bus", name,
				 bus->name, (unsigned long long)base, (unsigned long long)len);
	for (size_t i = 0; i < bus->count; i++) {
		const struct bus_region *r = &bus->regions[i];

		if (base < r->base + r->len && r->base < base + len)
			return error_set(err, -EEXIST, "%s: %s range 0x%llx+0x%llx overlaps %s",
					 name, bus->name, (unsigned long long)base,
					 (unsigned long long)len, r->name);
	}
	if (bus->count == BUS_REGIONS_MAX)
		return error_set(err, -ENOSPC, "%s: more than %d devices on the %s bus", name,
				 BUS_REGIONS_MAX, bus->name);
	bus->regions[bus->count++] =
		(struct bus_region){.base = base, .len = len, .name = name, .ops = ops, .dev = dev};
	return 0;
}

static int compare_base(const void *a, const void *b)
{
	const struct bus_region *x = a, *y = b;

	return x->base < y->base ? -1 : x->base > y->base;
}

void bus_freeze(struct bus *bus)
{
	qsort(bus->regions, bus->count, sizeof(bus->regions[0]), compare_base);
	bus->frozen = true;
}

/* The region that holds all of [addr, addr + size), by binary search, or NULL. */
static struct bus_region *find(struct bus *bus, uint64_t addr, unsigned int size)
{
	size_t low = 0, high = bus->count;

	assert(bus->frozen);
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		struct bus_region *r = &bus->regions[mid];

		if (addr < r->base)
			high = mid;
		else if (addr - r->base >= r->len)
			low = mid + 1;
		else
			return range_within(addr - r->base, size, r->len) ? r : NULL;
	}
	return NULL;
}

uint64_t bus_read(struct bus *bus, uint64_t addr, unsigned int size)
{
	struct bus_region *r = find(bus, addr, size);
	uint64_t value = 0;

	if (!r) {
		counter_add_shared(&bus->unclaimed_reads, 1);
		return size == 8 ? UINT64_MAX : (1ull << (8 * size)) - 1;
	}
	counter_add_shared(&r->reads, 1);
	if (size <= r->ops->max_size)
		return r->ops->read(r->dev, addr - r->base, size);
	for (unsigned int at = 0; at < size; at += r->ops->max_size)
		value |= r->ops->read(r->dev, addr - r->base + at, r->ops->max_size) << (8 * at);
	return value;
}

void bus_write(struct bus *bus, uint64_t addr, unsigned int size, uint64_t value)
{
	struct bus_region *r = find(bus, addr, size);

	if (!r) {
		counter_add_shared(&bus->unclaimed_writes, 1);
		return;
	}
	counter_add_shared(&r->writes, 1);
	if (size <= r->ops->max_size) {
		r->ops->write(r->dev, addr - r->base, size, value);
		return;
	}
	for (unsigned int at = 0; at < size; at += r->ops->max_size) {
		uint64_t piece = value >> (8 * at);

		if (r->ops->max_size < 8)
			piece &= (1ull << (8 * r->ops->max_size)) - 1;
		r->ops->write(r->dev, addr - r->base + at, r->ops->max_size, piece);
	}
}
