// SPDX-License-Identifier: MIT
/*
 * A bus: guest addresses (ports or MMIO) to device handlers. One type, two instances.
 *
 * Devices are added while the machine is built; bus_freeze() sorts the table and from then on
 * lookup is a binary search without a lock, on any vCPU thread. Handlers run on the vCPU thread
 * that made the access, several at once when several vCPUs access the device: a device guards its
 * state itself. Accesses nobody claims read as all ones, writes vanish; both are counted, never
 * fatal.
 */
#pragma once

#include "vmm/counter.h"
#include "vmm/error.h"

struct bus_ops {
	/* Mandatory. Offset from the region's base; size is 1, 2, 4 or 8 and at most max_size. */
	uint64_t (*read)(void *dev, uint64_t offset, unsigned int size);
	void (*write)(void *dev, uint64_t offset, unsigned int size, uint64_t value);
	/*
	 * The widest access the device knows. Wider ones are split into max_size pieces, lowest
	 * address first, as the ISA bridge does. Mandatory: 1, 2, 4 or 8.
	 */
	unsigned int max_size;
};

struct bus_region {
	uint64_t base;
	uint64_t len;
	const char *name;
	const struct bus_ops *ops;
	void *dev;
	struct counter reads;
	struct counter writes;
};

#define BUS_REGIONS_MAX 128

struct bus {
	const char *name; /* "port" or "mmio", for messages */
	uint64_t limit;   /* first address past the bus */
	struct bus_region regions[BUS_REGIONS_MAX];
	size_t count;
	bool frozen;
	struct counter unclaimed_reads;
	struct counter unclaimed_writes;
};

void bus_init(struct bus *bus, const char *name, uint64_t limit);

/*
 * Claims [base, base + len) for a device; @name, @ops and @dev must outlive the bus. -EINVAL for an
 * empty range or one past the limit, -EEXIST for one that overlaps another, -ENOSPC when full.
 */
int bus_add(struct bus *bus, uint64_t base, uint64_t len, const char *name,
	    const struct bus_ops *ops, void *dev, struct error *err) must_check;
void bus_freeze(struct bus *bus);

/* An access by the guest. An access that only partly hits a region counts as unclaimed. */
uint64_t bus_read(struct bus *bus, uint64_t addr, unsigned int size);
void bus_write(struct bus *bus, uint64_t addr, unsigned int size, uint64_t value);
