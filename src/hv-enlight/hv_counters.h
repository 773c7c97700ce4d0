// SPDX-License-Identifier: MIT
/*
 * What the hypervisor interface counts, by name, for whoever reports it. Readable live from any
 * thread: owners only add, nobody resets, readers take differences.
 */
#pragma once

#include "hv-enlight/hv.h"

#define HV_ALL_VPS UINT32_MAX

/*
 * Calls @each for every counter of VP @vp, or for its sum over all of them. Names are stable:
 * "hypercalls.CLASS", "hypercall_ns.CLASS" (the classes of hypercall.h), "messages",
 * "timer_late_us.N" (deliveries later than half of N and earlier than N microseconds), ...
 */
void hv_each_counter(const struct hv *hv, uint32_t vp,
		     void (*each)(void *ctx, const char *name, uint64_t value), void *ctx);
