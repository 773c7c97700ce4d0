// SPDX-License-Identifier: MIT
/*
 * The names of the interface's counters, and their sums. Any thread.
 */
#include "hv-enlight/hv_counters.h"

#include <stdio.h>

#include "hv-enlight/hv_internal.h"

struct counter_row {
	const char *name;
	size_t offset; /* in struct hv_vp */
};

#define ROW(name, member)                                                                          \
	{                                                                                          \
		name, offsetof(struct hv_vp, member)                                               \
	}

static const struct counter_row rows[] = {
	ROW("msr_reads", counters.msr_reads),
	ROW("msr_writes", counters.msr_writes),
	ROW("msr_faults", counters.msr_faults),
	ROW("kicks", counters.kicks),
	ROW("messages", synic.counters.messages),
	ROW("messages_deferred", synic.counters.deferred),
	ROW("messages_refused", synic.counters.refused),
	ROW("events", synic.counters.events),
	ROW("events_coalesced", synic.counters.coalesced),
	ROW("synthetic_interrupts", synic.counters.interrupts),
	ROW("eoms", synic.counters.eoms),
	ROW("timer_expirations", timers.counters.expirations),
	ROW("timer_deferred", timers.counters.deferred),
	ROW("timer_skipped", timers.counters.skipped),
};

static uint64_t read_one(const struct hv *hv, uint32_t vp, size_t offset)
{
	const char *base = (const char *)&hv->vps[vp];

	return counter_get((const struct counter *)(base + offset));
}

static uint64_t read_counter(const struct hv *hv, uint32_t vp, size_t offset)
{
	uint64_t sum = 0;

	if (vp != HV_ALL_VPS)
		return read_one(hv, vp, offset);
	for (uint32_t i = 0; i < hv->host.vp_count; i++)
		sum += read_one(hv, i, offset);
	return sum;
}

static uint64_t ticks_to_ns(const struct hv *hv, uint64_t ticks)
{
	if (!hv->time.tsc_hz)
		return 0;
	return (uint64_t)((unsigned __int128)ticks * NSEC_PER_SEC / hv->time.tsc_hz);
}

void hv_each_counter(const struct hv *hv, uint32_t vp,
		     void (*each)(void *ctx, const char *name, uint64_t value), void *ctx)
{
	char name[64];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		each(ctx, rows[i].name, read_counter(hv, vp, rows[i].offset));
	for (size_t i = 0; i < HYPERCALL_CLASSES; i++) {
		uint64_t calls =
			read_counter(hv, vp, offsetof(struct hv_vp, counters.hypercalls[i]));
		uint64_t ticks =
			read_counter(hv, vp, offsetof(struct hv_vp, counters.hypercall_ticks[i]));

		snprintf(name, sizeof(name), "hypercalls.%s", hypercall_class_names[i]);
		each(ctx, name, calls);
		snprintf(name, sizeof(name), "hypercall_ns.%s", hypercall_class_names[i]);
		each(ctx, name, ticks_to_ns(hv, ticks));
	}
	for (size_t i = 0; i < STIMER_LATE_BUCKETS; i++) {
		snprintf(name, sizeof(name), "timer_late_us.%u", 1u << i);
		each(ctx, name,
		     read_counter(hv, vp, offsetof(struct hv_vp, timers.counters.late[i])));
	}
}
