// SPDX-License-Identifier: MIT
/*
 * An MC146818 real-time clock with PC CMOS memory.
 *
 * The time is the host's, shifted by what the guest sets. It is computed when it is looked at: UIP,
 * the update, alarm and periodic flags follow from the clock and from when they were looked at
 * last, so a guest that polls sees them pass, and no timer runs unless an interrupt is enabled.
 *
 * Interrupts are edge-triggered. Each enabled event is one pulse, also when register C has not been
 * read since the last (the WAET table promises that); events that were missed, by a slow host or a
 * paused machine, are one event.
 *
 * The NMI mask in the index port is ignored.
 */
#pragma once

#include "vmm/bus.h"
#include "vmm/device.h"
#include "vmm/irq.h"
#include "vmm/loop.h"

struct rtc;

struct rtc_config {
	struct irq_line *irq;
	struct loop *loop;
	bool local_time;       /* the host's local time, as Windows expects, instead of UTC */
	uint64_t ram_below_4g; /* bytes, for the memory sizes in CMOS */
	uint64_t ram_above_4g;
	/* For tests: nanoseconds since 1970. NULL: CLOCK_REALTIME. Any thread. */
	uint64_t (*wall_clock)(void *ctx);
	void *wall_clock_ctx;
};

int rtc_create(const struct rtc_config *config, struct error *err, struct rtc **ret) must_check;

/* Claims ports 0x70 and 0x71. */
int rtc_attach(struct rtc *rtc, struct bus *ports, struct error *err) must_check;

/* A reset keeps time and the CMOS bytes but the memory sizes, which are written anew. */
struct device *rtc_device(struct rtc *rtc);
