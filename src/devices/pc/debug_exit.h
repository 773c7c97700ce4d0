// SPDX-License-Identifier: MIT
/*
 * The debug exit port: a test guest writes a number and its VM ends with it. Stateless.
 */
#pragma once

#include "vmm/bus.h"
#include "vmm/device.h"

struct debug_exit;

struct debug_exit_events {
	/* Mandatory. On a vCPU thread; a guest can cause any number of calls. */
	void (*exit)(void *ctx, uint32_t value);
};

int debug_exit_create(const struct debug_exit_events *events, void *events_ctx, struct error *err,
		      struct debug_exit **ret) must_check;

/* Claims four ports at LAYOUT_PORT_DEBUGEXIT; writes of 1, 2 or 4 bytes to the first one count. */
int debug_exit_attach(struct debug_exit *de, struct bus *ports, struct error *err) must_check;

struct device *debug_exit_device(struct debug_exit *de);
