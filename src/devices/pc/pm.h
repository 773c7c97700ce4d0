// SPDX-License-Identifier: MIT
/*
 * ACPI fixed hardware: PM1 events with a power button, PM1 control for S5, the PM timer, one block
 * of general-purpose events, and the reset register. What vmm/acpi.h promises of them.
 *
 * There is no SMI and no legacy mode: SCI_EN always reads 1. The SCI is level-triggered.
 */
#pragma once

#include "vmm/bus.h"
#include "vmm/device.h"
#include "vmm/irq.h"
#include "vmm/loop.h"

struct pm;

/* Mandatory all; on a vCPU thread, without locks held; a guest can cause any number of calls. */
struct pm_events {
	void (*power_off)(void *ctx);
	void (*reset)(void *ctx);
};

struct pm_config {
	struct irq_line *sci;
	struct loop *loop;
	const struct pm_events *events;
	void *events_ctx;
	uint32_t timer_start; /* what the PM timer starts from; 0 but in tests of its overflow */
};

int pm_create(const struct pm_config *config, struct error *err, struct pm **ret) must_check;

/* Claims LAYOUT_PORT_PM and LAYOUT_PORT_RESET. */
int pm_attach(struct pm *pm, struct bus *ports, struct error *err) must_check;

/* Pausing stops the PM timer; a reset starts it anew. */
struct device *pm_device(struct pm *pm);

/*
 * Any thread: somebody presses the power button. False when the guest has not enabled it (yet), so
 * that nothing will come of it for now; the press stays noted.
 */
bool pm_press_power_button(struct pm *pm);

/* Any thread: raises general-purpose event @n, below 16. */
void pm_raise_gpe(struct pm *pm, unsigned int n);
