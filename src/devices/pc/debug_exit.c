// SPDX-License-Identifier: MIT
/*
 * The debug exit port. vCPU threads; nothing changes after creation, so there is no lock.
 */
#include "devices/pc/debug_exit.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "vmm/layout.h"

#define DEBUG_EXIT_PORTS 4 /* as wide as the widest access */

struct debug_exit {
	struct device dev;
	const struct debug_exit_events *events;
	void *events_ctx;
};

static uint64_t debug_exit_read(void *dev, uint64_t offset, unsigned int size)
{
	return 0;
}

static void debug_exit_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct debug_exit *de = dev;

	if (offset == 0)
		de->events->exit(de->events_ctx, (uint32_t)value);
}

static const struct bus_ops debug_exit_bus_ops = {
	.read = debug_exit_read,
	.write = debug_exit_write,
	.max_size = 4,
};

static void debug_exit_reset(struct device *dev)
{
}

static void debug_exit_destroy(struct device *dev)
{
	free(container_of(dev, struct debug_exit, dev));
}

static const struct device_ops debug_exit_device_ops = {
	.name = "debug-exit",
	.reset = debug_exit_reset,
	.destroy = debug_exit_destroy,
};

int debug_exit_create(const struct debug_exit_events *events, void *events_ctx, struct error *err,
		      struct debug_exit **ret)
{
	struct debug_exit *de = calloc(1, sizeof(*de));

	assert(events->exit);
	if (!de)
		return error_set(err, -ENOMEM, "debug-exit: out of memory");
	de->dev.ops = &debug_exit_device_ops;
	de->events = events;
	de->events_ctx = events_ctx;
	*ret = de;
	return 0;
}

int debug_exit_attach(struct debug_exit *de, struct bus *ports, struct error *err)
{
	return bus_add(ports, LAYOUT_PORT_DEBUGEXIT, DEBUG_EXIT_PORTS, "debug-exit",
		       &debug_exit_bus_ops, de, err);
}

struct device *debug_exit_device(struct debug_exit *de)
{
	return &de->dev;
}
