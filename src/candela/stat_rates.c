// SPDX-License-Identifier: MIT
/* Rates of a VM's counters. See stat_rates.h. */
#include "candela/stat_rates.h"

#include <errno.h>
#include <string.h>

#include "vmm/json_build.h"

struct span {
	double seconds; /* 0: none has passed */
	double tick_ns; /* of the time stamp counter; 0: unknown */
};

/* Counters, and what they have cost altogether, in units of @scale ns. */
struct costs {
	struct json_object *before, *now;
	double scale; /* 0: unknown */
};

static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *value = NULL;

	if (o && json_object_is_type(o, json_type_object))
		json_object_object_get_ex(o, key, &value);
	return value;
}

static uint64_t number(struct json_object *o, const char *key)
{
	struct json_object *value = member(o, key);

	return value ? json_object_get_uint64(value) : 0;
}

static uint64_t difference(struct json_object *before, struct json_object *now, const char *key)
{
	const uint64_t b = number(before, key), n = number(now, key);

	return n < b ? n : n - b;
}

/* --- One counter. ---------------------------------------------------------------------------- */

static int put_ratio(struct json_object *o, const char *key, double value, double by)
{
	if (by <= 0)
		return json_object_object_add(o, key, NULL) < 0 ? -ENOMEM : 0;
	return json_put(o, key, json_object_new_double(value / by));
}

static int put_count(struct json_object *o, const char *key, uint64_t count,
		     const struct span *span, struct json_object **ret)
{
	struct json_object *entry = json_object_new_object();
	int r = json_put(o, key, entry);

	if (r == 0)
		r = json_put_integer(entry, "count", count);
	if (r == 0)
		r = put_ratio(entry, "rate", (double)count, span->seconds);
	if (r == 0 && ret)
		*ret = entry;
	return r;
}

static int put_cost(struct json_object *entry, uint64_t count, uint64_t cost, double scale)
{
	return put_ratio(entry, "mean_ns", (double)cost * scale, scale > 0 ? (double)count : 0);
}

/* All counters of @now; with @costs those of the same names too. */
static int put_all(struct json_object *o, struct json_object *before, struct json_object *now,
		   const struct costs *costs, const struct span *span)
{
	int r = 0;

	if (!now || !json_object_is_type(now, json_type_object))
		return 0;
	json_object_object_foreach(now, key, value)
	{
		const uint64_t count = difference(before, now, key);
		struct json_object *entry;

		if (!json_object_is_type(value, json_type_int))
			continue;
		r = put_count(o, key, count, span, &entry);
		if (r == 0 && costs && member(costs->now, key))
			r = put_cost(entry, count, difference(costs->before, costs->now, key),
				     costs->scale);
		if (r < 0)
			break;
	}
	return r;
}

/* --- Processors. ----------------------------------------------------------------------------- */

static int put_exits(struct json_object *o, struct json_object *before, struct json_object *now,
		     const struct span *span)
{
	const struct costs costs = {
		.before = member(before, "exit_ticks"),
		.now = member(now, "exit_ticks"),
		.scale = span->tick_ns,
	};
	struct json_object *exits = json_object_new_object();
	int r = json_put(o, "exits", exits);

	return r < 0 ? r
		     : put_all(exits, member(before, "exits"), member(now, "exits"), &costs, span);
}

/* Of the interface's counters, which have their classes in their names. */
static int put_hypercalls(struct json_object *o, struct json_object *before,
			  struct json_object *now, const struct span *span)
{
	static const char calls[] = "hypercalls.";
	struct json_object *classes = json_object_new_object();
	int r = json_put(o, "hypercalls", classes);

	if (r < 0 || !now || !json_object_is_type(now, json_type_object))
		return r;
	json_object_object_foreach(now, key, value)
	{
		const uint64_t count = difference(before, now, key);
		struct json_object *entry;
		char ns[80];

		if (!value || strncmp(key, calls, strlen(calls)) != 0)
			continue;
		snprintf(ns, sizeof(ns), "hypercall_ns.%s", key + strlen(calls));
		r = put_count(classes, key + strlen(calls), count, span, &entry);
		if (r == 0 && member(now, ns))
			r = put_cost(entry, count, difference(before, now, ns), 1);
		if (r < 0)
			break;
	}
	return r;
}

static int put_interrupts(struct json_object *o, struct json_object *before,
			  struct json_object *now, const struct span *span)
{
	static const struct {
		const char *key, *counters[2];
	} rows[] = {
		{"delivered", {"synthetic_interrupts"}},
		{"deferred", {"messages_deferred", "timer_deferred"}},
		{"coalesced", {"events_coalesced"}},
	};
	struct json_object *interrupts = json_object_new_object();
	int r = json_put(o, "interrupts", interrupts);

	for (size_t i = 0; i < ARRAY_SIZE(rows) && r == 0; i++) {
		uint64_t count = difference(before, now, rows[i].counters[0]);

		if (rows[i].counters[1])
			count += difference(before, now, rows[i].counters[1]);
		r = put_count(interrupts, rows[i].key, count, span, NULL);
	}
	return r;
}

/* What never happened is not among the interface's counters; without it there are none. */
static int put_hyperv(struct json_object *o, struct json_object *before, struct json_object *now,
		      const struct span *span)
{
	struct json_object *b = member(member(before, "hyperv"), "counters");
	struct json_object *n = member(member(now, "hyperv"), "counters");
	int r = 0;

	if (n)
		r = put_hypercalls(o, b, n, span);
	if (n && r == 0)
		r = put_interrupts(o, b, n, span);
	return r;
}

static uint64_t exit_ticks(struct json_object *before, struct json_object *now)
{
	struct json_object *b = member(before, "exit_ticks"), *n = member(now, "exit_ticks");
	uint64_t sum = 0;

	if (!n || !json_object_is_type(n, json_type_object))
		return 0;
	json_object_object_foreach(n, key, value)
	{
		if (value)
			sum += difference(b, n, key);
	}
	return sum;
}

/* In percent of one processor of the host. */
static int put_percent(struct json_object *o, const char *key, double ns, const struct span *span)
{
	return put_ratio(o, key, ns / 1e7, span->seconds);
}

static int put_cpu(struct json_object *o, struct json_object *before, struct json_object *now,
		   const struct span *span)
{
	struct json_object *b = member(before, "cpu"), *n = member(now, "cpu");
	const double process = (double)difference(b, n, "process_ns");
	const double guest = (double)difference(b, n, "guest_ns");
	struct json_object *cpu = json_object_new_object();
	int r = json_put(o, "cpu", cpu);

	if (r == 0 && member(n, "process_ns"))
		r = put_percent(cpu, "process", process, span);
	if (r == 0 && member(n, "vps_ns"))
		r = put_percent(cpu, "vps", (double)difference(b, n, "vps_ns"), span);
	if (r == 0 && member(n, "guest_ns"))
		r = put_percent(cpu, "guest", guest, span);
	/* The kernel counts the guest's time in larger steps, so it may be ahead for a moment. */
	if (r == 0 && member(n, "guest_ns") && member(n, "process_ns"))
		r = put_percent(cpu, "hypervisor", process > guest ? process - guest : 0, span);
	if (r == 0 && span->tick_ns > 0)
		r = put_percent(cpu, "exits", (double)exit_ticks(before, now) * span->tick_ns,
				span);
	return r;
}

/* --- Devices. -------------------------------------------------------------------------------- */

struct device_row {
	const char *key;     /* of the array */
	const char *same[3]; /* members by which a device is found again, and which are shown */
};

static bool is_same(const struct device_row *row, struct json_object *a, struct json_object *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(row->same) && row->same[i]; i++)
		if (!json_object_equal(member(a, row->same[i]), member(b, row->same[i])))
			return false;
	return true;
}

static struct json_object *find_device(const struct device_row *row, struct json_object *array,
				       struct json_object *device)
{
	if (!array || !json_object_is_type(array, json_type_array))
		return NULL;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *o = json_object_array_get_idx(array, i);

		if (is_same(row, o, device))
			return o;
	}
	return NULL;
}

static int put_device(struct json_object *array, const struct device_row *row,
		      struct json_object *before, struct json_object *now, const struct span *span)
{
	struct json_object *b = member(before, "counters"), *n = member(now, "counters");
	const struct costs costs = {
		.before = member(b, "ticks"),
		.now = member(n, "ticks"),
		.scale = span->tick_ns,
	};
	struct json_object *o = json_object_new_object();
	int r = json_append(array, o);

	for (size_t i = 0; i < ARRAY_SIZE(row->same) && row->same[i] && r == 0; i++)
		if (member(now, row->same[i]))
			r = json_put(o, row->same[i], json_object_get(member(now, row->same[i])));
	return r < 0 ? r : put_all(o, b, n, &costs, span);
}

static int put_devices(struct json_object *o, const struct device_row *row,
		       struct json_object *before, struct json_object *now, const struct span *span)
{
	struct json_object *b = member(before, row->key), *n = member(now, row->key);
	struct json_object *array;
	int r;

	if (!n || !json_object_is_type(n, json_type_array))
		return 0;
	array = json_object_new_array();
	r = json_put(o, row->key, array);
	for (size_t i = 0; i < json_object_array_length(n) && r == 0; i++) {
		struct json_object *device = json_object_array_get_idx(n, i);

		r = put_device(array, row, find_device(row, b, device), device, span);
	}
	return r;
}

/* --- A sample. ------------------------------------------------------------------------------- */

static bool is_other_vm(struct json_object *before, struct json_object *now)
{
	return number(before, "pid") != number(now, "pid") ||
	       number(before, "time_ns") > number(now, "time_ns");
}

static int put_sample(struct json_object *o, struct json_object *before, struct json_object *now)
{
	static const struct device_row rows[] = {
		{"channels", {"device", "index"}},
		{"disks", {"controller", "lun", "path"}},
		{"networks", {"index", "mac"}},
	};
	const uint64_t ns = before ? number(now, "time_ns") - number(before, "time_ns")
				   : number(now, "uptime_ns");
	const double hz = (double)number(now, "tsc_hz");
	const struct span span = {
		.seconds = (double)ns / 1e9,
		.tick_ns = hz > 0 ? 1e9 / hz : 0,
	};
	int r = json_put_integer(o, "elapsed_ns", ns);

	if (r == 0)
		r = put_cpu(o, before, now, &span);
	if (r == 0)
		r = put_exits(o, before, now, &span);
	if (r == 0)
		r = put_hyperv(o, before, now, &span);
	for (size_t i = 0; i < ARRAY_SIZE(rows) && r == 0; i++)
		r = put_devices(o, &rows[i], before, now, &span);
	return r;
}

int stat_rates(const char *name, struct json_object *before, struct json_object *now,
	       struct json_object **ret_sample)
{
	const bool other = before && is_other_vm(before, now);
	struct json_object *o = json_object_new_object();
	int r = o ? json_put_string(o, "name", name) : -ENOMEM;

	if (r == 0)
		r = json_put(o, "restarted", json_object_new_boolean(other));
	if (r == 0)
		r = put_sample(o, other ? NULL : before, now);
	if (r < 0) {
		json_object_put(o);
		return r;
	}
	*ret_sample = o;
	return 0;
}
