// SPDX-License-Identifier: MIT
/*
 * The PC's keyboard controller with nothing attached to it, and the system control ports beside it.
 *
 * It is there for what it is still used for: resetting the machine, and telling drivers quickly
 * that there is no keyboard and no mouse. Every command is answered before the write returns, and a
 * byte sent to a device is answered by the controller itself, with its time-out status, so no
 * driver has to poll until it loses patience. The second port fails its tests, as on a controller
 * without one.
 *
 * Ports: 0x60 and 0x64; 0x92 (fast reset; A20 is always open); 0x61 where no timer serves it.
 */
#pragma once

#include "vmm/bus.h"
#include "vmm/device.h"
#include "vmm/irq.h"

struct i8042;

struct i8042_events {
	/* Mandatory. The guest pulled the CPU's reset line. On a vCPU thread, no locks held. */
	void (*reset)(void *ctx);
};

struct i8042_config {
	struct irq_line *irq; /* IRQ 1, edge; NULL: not wired */
	/*
	 * Serve port 0x61 too. Only for machines whose timer is not KVM's own, which has that port.
	 * Timer 2 then always reads as run out, so that a loop waiting for it ends.
	 */
	bool port_61;
	const struct i8042_events *events;
	void *events_ctx;
};

int i8042_create(const struct i8042_config *config, struct error *err,
		 struct i8042 **ret) must_check;
int i8042_attach(struct i8042 *kbc, struct bus *ports, struct error *err) must_check;
struct device *i8042_device(struct i8042 *kbc);
