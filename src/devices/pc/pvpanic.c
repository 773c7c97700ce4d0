// SPDX-License-Identifier: MIT
/*
 * The pvpanic port. vCPU threads; nothing changes after creation, so there is no lock.
 */
#include "devices/pc/pvpanic.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "devices/pc/pvpanic_proto.h"
#include "vmm/layout.h"

struct pvpanic {
	struct device dev;
	const struct pvpanic_events *events;
	void *events_ctx;
};

static uint64_t pvpanic_read(void *dev, uint64_t offset, unsigned int size)
{
	return PVPANIC_EVENTS;
}

static void pvpanic_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct pvpanic *pp = dev;

	if (value & PVPANIC_PANICKED)
		pp->events->panicked(pp->events_ctx);
	else if (value & PVPANIC_CRASH_LOADED)
		pp->events->crash_loaded(pp->events_ctx);
}

static const struct bus_ops pvpanic_bus_ops = {
	.read = pvpanic_read,
	.write = pvpanic_write,
	.max_size = 1,
};

static void pvpanic_reset(struct device *dev)
{
}

static void pvpanic_destroy(struct device *dev)
{
	free(container_of(dev, struct pvpanic, dev));
}

static const struct device_ops pvpanic_device_ops = {
	.name = "pvpanic",
	.reset = pvpanic_reset,
	.destroy = pvpanic_destroy,
};

int pvpanic_create(const struct pvpanic_events *events, void *events_ctx, struct error *err,
		   struct pvpanic **ret)
{
	struct pvpanic *pp = calloc(1, sizeof(*pp));

	assert(events->panicked && events->crash_loaded);
	if (!pp)
		return error_set(err, -ENOMEM, "pvpanic: out of memory");
	pp->dev.ops = &pvpanic_device_ops;
	pp->events = events;
	pp->events_ctx = events_ctx;
	*ret = pp;
	return 0;
}

int pvpanic_attach(struct pvpanic *pp, struct bus *ports, struct error *err)
{
	return bus_add(ports, LAYOUT_PORT_PVPANIC, 1, "pvpanic", &pvpanic_bus_ops, pp, err);
}

struct device *pvpanic_device(struct pvpanic *pp)
{
	return &pp->dev;
}
