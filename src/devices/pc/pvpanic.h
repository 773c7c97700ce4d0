// SPDX-License-Identifier: MIT
/*
 * The pvpanic port: the guest's kernel reports that it has panicked. Stateless.
 */
#pragma once

#include "vmm/bus.h"
#include "vmm/device.h"

struct pvpanic;

/* All mandatory; on a vCPU thread; a guest can cause any number of calls. */
struct pvpanic_events {
	void (*panicked)(void *ctx);
	/* It has panicked and has a crash kernel of its own that takes over now. */
	void (*crash_loaded)(void *ctx);
};

int pvpanic_create(const struct pvpanic_events *events, void *events_ctx, struct error *err,
		   struct pvpanic **ret) must_check;

/* Claims LAYOUT_PORT_PVPANIC. */
int pvpanic_attach(struct pvpanic *pp, struct bus *ports, struct error *err) must_check;

struct device *pvpanic_device(struct pvpanic *pp);
