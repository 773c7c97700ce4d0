// SPDX-License-Identifier: MIT
/*
 * The life of a device, as the machine drives it. All calls come on the loop's thread while no vCPU
 * runs, so they need no lock against register accesses.
 *
 *   created -> start -> (pause -> resume | reset)* -> destroy
 */
#pragma once

#include "vmm/base.h"

struct device;

struct device_ops {
	const char *name;                  /* mandatory */
	void (*reset)(struct device *dev); /* mandatory: back to the state after power-on */
	void (*pause)(struct device *dev); /* optional: stop timers and backends */
	void (*resume)(struct device *dev);
	void (*destroy)(struct device *dev); /* mandatory: frees the device */
};

struct device {
	const struct device_ops *ops;
};
