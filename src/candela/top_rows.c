// SPDX-License-Identifier: MIT
/* The lines of candela top. See top_rows.h. */
#include "candela/top_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/show.h"

/* --- What is shown. -------------------------------------------------------------------------- */

static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *value = NULL;

	if (o && json_object_is_type(o, json_type_object))
		json_object_object_get_ex(o, key, &value);
	return value;
}

static double real(struct json_object *o, const char *key)
{
	struct json_object *value = member(o, key);

	return value ? json_object_get_double(value) : NAN;
}

static uint64_t whole(struct json_object *o, const char *key)
{
	struct json_object *value = member(o, key);

	return value ? json_object_get_uint64(value) : UINT64_MAX;
}

static void add(double *sum, double value)
{
	if (!isnan(value))
		*sum = isnan(*sum) ? value : *sum + value;
}

static double sum_all(struct json_object *entries)
{
	double sum = NAN;

	if (!entries || !json_object_is_type(entries, json_type_object))
		return sum;
	json_object_object_foreach(entries, key, entry)
	{
		add(&sum, real(entry, "rate"));
		(void)key;
	}
	return sum;
}

/* Of all devices in @array, of the counters @keys. */
static double sum_devices(struct json_object *array, const char *const *keys)
{
	double sum = NAN;

	if (!array || !json_object_is_type(array, json_type_array))
		return sum;
	for (size_t i = 0; i < json_object_array_length(array); i++)
		for (size_t k = 0; keys[k]; k++)
			add(&sum,
			    real(member(json_object_array_get_idx(array, i), keys[k]), "rate"));
	return sum;
}

static void read_sample(struct top_row *row, struct json_object *sample)
{
	static const char *const ios[] = {"reads", "writes", "flushes", "unmaps", "others", NULL};
	static const char *const io_bytes[] = {"read_bytes", "write_bytes", NULL};
	static const char *const packets[] = {"rx_packets", "tx_packets", NULL};
	static const char *const bytes[] = {"rx_bytes", "tx_bytes", NULL};

	row->cpu = real(member(sample, "cpu"), "process");
	row->guest = real(member(sample, "cpu"), "guest");
	row->hypervisor = real(member(sample, "cpu"), "hypervisor");
	row->exits = sum_all(member(sample, "exits"));
	row->disk_ios = sum_devices(member(sample, "disks"), ios);
	row->disk_bytes = sum_devices(member(sample, "disks"), io_bytes);
	row->net_packets = sum_devices(member(sample, "networks"), packets);
	row->net_bytes = sum_devices(member(sample, "networks"), bytes);
}

void top_row_read(struct top_row *row, const char *name, struct json_object *status,
		  struct json_object *sample)
{
	*row = (struct top_row){.state = status ? TOP_ANSWERS : TOP_SILENT};
	snprintf(row->name, sizeof(row->name), "%s", name);
	snprintf(row->word, sizeof(row->word), "%s",
		 status ? show_text(status, "state") : "no answer");
	snprintf(row->heartbeat, sizeof(row->heartbeat), "%s",
		 status && *show_text(status, "heartbeat") ? show_text(status, "heartbeat") : "-");
	row->assigned = whole(status, "assigned");
	row->demand = whole(status, "demand");
	row->pressure = whole(status, "pressure");
	read_sample(row, sample);
}

/* --- The order. ------------------------------------------------------------------------------ */

const char *top_key_name(char key)
{
	switch (key) {
	case 'c':
		return "CPU";
	case 'm':
		return "memory";
	case 'd':
		return "disk";
	case 'n':
		return "network";
	case 'e':
		return "exits";
	case 'N':
		return "name";
	default:
		return NULL;
	}
}

static double value_of(const struct top_row *row, char key)
{
	switch (key) {
	case 'c':
		return row->cpu;
	case 'm':
		return row->assigned == UINT64_MAX ? NAN : (double)row->assigned;
	case 'd':
		return row->disk_bytes;
	case 'n':
		return row->net_bytes;
	case 'e':
		return row->exits;
	default:
		return NAN;
	}
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct top_row *x = a, *y = b;
	const char key = *(const char *)arg;
	double vx = value_of(x, key), vy = value_of(y, key);

	/* What is unknown comes last. */
	vx = isnan(vx) ? -1 : vx;
	vy = isnan(vy) ? -1 : vy;
	if (vx != vy)
		return vx < vy ? 1 : -1;
	return strcmp(x->name, y->name);
}

void top_sort(struct top_row *rows, size_t count, char key)
{
	if (count)
		qsort_r(rows, count, sizeof(rows[0]), compare, &key);
}

/* --- Text. ----------------------------------------------------------------------------------- */

/* At most @width columns: what is shown is ASCII. */
static void cut(char buf[TOP_LINE], size_t width)
{
	if (width < TOP_LINE)
		buf[width] = '\0';
}

static void number_text(double value, char buf[16])
{
	if (isnan(value))
		snprintf(buf, 16, "-");
	else if (value < 999.5)
		snprintf(buf, 16, "%.1f", value);
	else if (value < 999.5e3)
		snprintf(buf, 16, "%.1fk", value / 1e3);
	else
		snprintf(buf, 16, "%.1fM", value / 1e6);
}

static void mega_text(double value, char buf[16])
{
	if (isnan(value))
		snprintf(buf, 16, "-");
	else
		snprintf(buf, 16, "%.2f", value / 1e6);
}

static void memory_text(uint64_t value, char buf[32])
{
	if (value == UINT64_MAX)
		snprintf(buf, 32, "-");
	else
		show_bytes(value, buf);
}

#define LINE                                                                                       \
	"%-20.20s %-9.9s %6.6s %6.6s %6.6s %8.8s %9.9s %9.9s %5.5s %8.8s %8.8s %8.8s %8.8s %-5s"

void top_head(char buf[TOP_LINE], size_t width)
{
	snprintf(buf, TOP_LINE, LINE, "NAME", "STATE", "CPU%", "GUEST", "HYPER", "EXITS/S",
		 "MEMORY", "DEMAND", "PRES%", "DISK/S", "DISKMB/S", "PKTS/S", "NETMB/S", "BEAT");
	cut(buf, width);
}

void top_row_text(const struct top_row *row, char buf[TOP_LINE], size_t width)
{
	char cpu[16], guest[16], hypervisor[16], exits[16], ios[16], disk[16], packets[16], net[16];
	char assigned[32], demand[32], pressure[24] = "-";

	number_text(row->cpu, cpu);
	number_text(row->guest, guest);
	number_text(row->hypervisor, hypervisor);
	number_text(row->exits, exits);
	number_text(row->disk_ios, ios);
	mega_text(row->disk_bytes, disk);
	number_text(row->net_packets, packets);
	mega_text(row->net_bytes, net);
	memory_text(row->assigned, assigned);
	memory_text(row->demand, demand);
	if (row->pressure != UINT64_MAX)
		snprintf(pressure, sizeof(pressure), "%llu", (unsigned long long)row->pressure);
	snprintf(buf, TOP_LINE, LINE, row->name, row->word, cpu, guest, hypervisor, exits, assigned,
		 demand, pressure, ios, disk, packets, net, row->heartbeat);
	cut(buf, width);
}

void top_summary(const struct top_row *rows, size_t count, char key, char buf[TOP_LINE],
		 size_t width)
{
	double cpu = NAN, exits = NAN;
	uint64_t assigned = 0;
	size_t running = 0, silent = 0;
	char cpu_text[16], exits_text[16], memory[32];

	for (size_t i = 0; i < count; i++) {
		add(&cpu, rows[i].cpu);
		add(&exits, rows[i].exits);
		assigned += rows[i].assigned == UINT64_MAX ? 0 : rows[i].assigned;
		running += strcmp(rows[i].word, "running") == 0;
		silent += rows[i].state == TOP_SILENT;
	}
	number_text(cpu, cpu_text);
	number_text(exits, exits_text);
	show_bytes(assigned, memory);
	snprintf(buf, TOP_LINE,
		 "candela top: %zu VMs, %zu running, %zu silent; CPU %s %%, exits %s/s, memory %s; "
		 "by %s",
		 count, running, silent, cpu_text, exits_text, memory, top_key_name(key));
	cut(buf, width);
}
