// SPDX-License-Identifier: MIT
/* Samples as tables. See stat_show.h. */
#include "candela/stat_show.h"

#include <stdio.h>

#include "candela/show.h"

#define CELL 12

static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *value = NULL;

	if (o)
		json_object_object_get_ex(o, key, &value);
	return value;
}

/* --- Cells. ---------------------------------------------------------------------------------- */

/* "-" for what is null or not there. */
static void real_text(struct json_object *value, char buf[32])
{
	if (value)
		snprintf(buf, 32, "%.1f", json_object_get_double(value));
	else
		snprintf(buf, 32, "-");
}

static void ns_text(struct json_object *value, char buf[32])
{
	const double ns = value ? json_object_get_double(value) : 0;

	if (!value)
		snprintf(buf, 32, "-");
	else if (ns < 1e3)
		snprintf(buf, 32, "%.0f ns", ns);
	else if (ns < 1e6)
		snprintf(buf, 32, "%.1f us", ns / 1e3);
	else
		snprintf(buf, 32, "%.1f ms", ns / 1e6);
}

/* Of all the entries named, together; "-" when none has a rate. */
static bool sum_rates(struct json_object *o, const char *const *keys, double *ret)
{
	bool known = false;

	*ret = 0;
	for (; *keys; keys++) {
		struct json_object *rate = member(member(o, *keys), "rate");

		known = known || rate;
		*ret += rate ? json_object_get_double(rate) : 0;
	}
	return known;
}

static void bytes_text(bool known, double rate, char buf[32])
{
	if (known)
		show_bytes((uint64_t)rate, buf);
	else
		snprintf(buf, 32, "-");
}

static void rate_cell(struct json_object *o, const char *key)
{
	char text[32];

	real_text(member(member(o, key), "rate"), text);
	printf(" %*s", CELL, text);
}

static void mean_cell(struct json_object *o, const char *key)
{
	char text[32];

	ns_text(member(member(o, key), "mean_ns"), text);
	printf(" %*s", CELL, text);
}

static void bytes_cell(struct json_object *o, const char *key)
{
	const char *const keys[] = {key, NULL};
	char text[32];
	double rate;
	const bool known = sum_rates(o, keys, &rate);

	bytes_text(known, rate, text);
	printf(" %*s", CELL, text);
}

static void heads(const char *label, const char *const *names, size_t count)
{
	printf("  %-20s", label);
	for (size_t i = 0; i < count; i++)
		printf(" %*s", CELL, names[i]);
	putchar('\n');
}

/* --- One VM. --------------------------------------------------------------------------------- */

static void show_cpu(struct json_object *cpu)
{
	static const char *const keys[] = {"process", "vps", "guest", "hypervisor", "exits"};
	static const char *const names[] = {"process %", "vps %", "guest %", "hypervisor %",
					    "exits %"};
	char text[32];

	heads("CPU", names, ARRAY_SIZE(names));
	printf("  %-20s", "");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		real_text(member(cpu, keys[i]), text);
		printf(" %*s", CELL, text);
	}
	putchar('\n');
}

/* A line for each entry that has happened. */
static void show_entries(const char *label, struct json_object *entries)
{
	static const char *const names[] = {"a second", "mean", "count"};

	bool any = false;

	if (!entries)
		return;
	json_object_object_foreach(entries, key, entry)
	{
		if (!show_number(entry, "count"))
			continue;
		if (!any)
			heads(label, names, ARRAY_SIZE(names));
		any = true;
		printf("  %-20s", key);
		rate_cell(entries, key);
		mean_cell(entries, key);
		printf(" %*llu\n", CELL, (unsigned long long)show_number(entry, "count"));
	}
}

static void show_channel(struct json_object *o)
{
	char label[48];

	snprintf(label, sizeof(label), "%s %llu", show_text(o, "device"),
		 (unsigned long long)show_number(o, "index"));
	printf("  %-20s", label);
	rate_cell(o, "wakes");
	rate_cell(o, "interrupts");
	rate_cell(o, "packets");
	rate_cell(o, "completions");
	putchar('\n');
}

static void show_disk(struct json_object *o)
{
	char label[48];

	snprintf(label, sizeof(label), "%llu:%llu",
		 (unsigned long long)show_number(o, "controller"),
		 (unsigned long long)show_number(o, "lun"));
	printf("  %-20s", label);
	rate_cell(o, "reads");
	bytes_cell(o, "read_bytes");
	mean_cell(o, "reads");
	rate_cell(o, "writes");
	bytes_cell(o, "write_bytes");
	mean_cell(o, "writes");
	mean_cell(o, "flushes");
	putchar('\n');
}

static void show_network(struct json_object *o)
{
	char label[48];

	snprintf(label, sizeof(label), "%llu", (unsigned long long)show_number(o, "index"));
	printf("  %-20s", label);
	rate_cell(o, "rx_packets");
	bytes_cell(o, "rx_bytes");
	rate_cell(o, "rx_dropped");
	rate_cell(o, "tx_packets");
	bytes_cell(o, "tx_bytes");
	rate_cell(o, "tx_dropped");
	putchar('\n');
}

static void show_devices(const char *label, struct json_object *array, const char *const *names,
			 size_t count, void (*show_one)(struct json_object *o))
{
	if (!array || json_object_array_length(array) == 0)
		return;
	heads(label, names, count);
	for (size_t i = 0; i < json_object_array_length(array); i++)
		show_one(json_object_array_get_idx(array, i));
}

void stat_show_vm(struct json_object *sample)
{
	static const char *const channels[] = {"signals/s", "interrupts/s", "packets/s",
					       "completed/s"};
	static const char *const disks[] = {"reads/s", "bytes/s", "mean",      "writes/s",
					    "bytes/s", "mean",    "flush mean"};
	static const char *const networks[] = {"rx packets/s", "bytes/s", "dropped/s",
					       "tx packets/s", "bytes/s", "dropped/s"};
	struct json_object *restarted = member(sample, "restarted");

	printf("%s: %.1f s%s\n", show_text(sample, "name"),
	       (double)show_number(sample, "elapsed_ns") / 1e9,
	       restarted && json_object_get_boolean(restarted) ? ", since it was started again"
							       : "");
	show_cpu(member(sample, "cpu"));
	show_entries("EXITS", member(sample, "exits"));
	show_entries("HYPERCALLS", member(sample, "hypercalls"));
	show_entries("INTERRUPTS", member(sample, "interrupts"));
	show_devices("CHANNELS", member(sample, "channels"), channels, ARRAY_SIZE(channels),
		     show_channel);
	show_devices("DISKS", member(sample, "disks"), disks, ARRAY_SIZE(disks), show_disk);
	show_devices("NETWORKS", member(sample, "networks"), networks, ARRAY_SIZE(networks),
		     show_network);
}

/* --- All. ------------------------------------------------------------------------------------ */

#define LINE "%-24s %9s %9s %10s %10s %10s %10s %12s %10s %12s\n"

void stat_show_head(void)
{
	printf(LINE, "NAME", "GUEST %", "HYPERV. %", "EXITS/S", "CALLS/S", "INTR/S", "DISK IO/S",
	       "DISK BYTES/S", "PACKETS/S", "NET BYTES/S");
}

/* Of all entries. */
static void total_text(struct json_object *entries, char buf[32])
{
	bool known = false;
	double sum = 0;

	if (entries) {
		json_object_object_foreach(entries, key, entry)
		{
			struct json_object *rate = member(entry, "rate");

			known = known || rate;
			sum += rate ? json_object_get_double(rate) : 0;
			(void)key;
		}
	}
	if (known)
		snprintf(buf, 32, "%.1f", sum);
	else
		snprintf(buf, 32, "-");
}

/* Of the entries @keys of all devices. */
static void devices_text(struct json_object *array, const char *const *keys, bool bytes,
			 char buf[32])
{
	bool known = false;
	double sum = 0, one;

	for (size_t i = 0; array && i < json_object_array_length(array); i++) {
		known = sum_rates(json_object_array_get_idx(array, i), keys, &one) || known;
		sum += one;
	}
	if (bytes)
		bytes_text(known, sum, buf);
	else if (known)
		snprintf(buf, 32, "%.1f", sum);
	else
		snprintf(buf, 32, "-");
}

void stat_show_line(const char *name, struct json_object *sample)
{
	static const char *const io[] = {"reads", "writes", "flushes", "unmaps", "others", NULL};
	static const char *const io_bytes[] = {"read_bytes", "write_bytes", NULL};
	static const char *const packets[] = {"rx_packets", "tx_packets", NULL};
	static const char *const net_bytes[] = {"rx_bytes", "tx_bytes", NULL};
	char guest[32], hypervisor[32], exits[32], calls[32], interrupts[32];
	char disk[32], disk_bytes[32], net[32], bytes[32];

	if (!sample) {
		printf("%-24s no answer\n", name);
		return;
	}
	real_text(member(member(sample, "cpu"), "guest"), guest);
	real_text(member(member(sample, "cpu"), "hypervisor"), hypervisor);
	total_text(member(sample, "exits"), exits);
	total_text(member(sample, "hypercalls"), calls);
	real_text(member(member(member(sample, "interrupts"), "delivered"), "rate"), interrupts);
	devices_text(member(sample, "disks"), io, false, disk);
	devices_text(member(sample, "disks"), io_bytes, true, disk_bytes);
	devices_text(member(sample, "networks"), packets, false, net);
	devices_text(member(sample, "networks"), net_bytes, true, bytes);
	printf(LINE, name, guest, hypervisor, exits, calls, interrupts, disk, disk_bytes, net,
	       bytes);
}
