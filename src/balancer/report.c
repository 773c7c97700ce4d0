// SPDX-License-Identifier: MIT
/* The page. See report.h. */
#include "balancer/report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "balancer/report_chart.h"
#include "balancer/report_style.h"

#define GIB(bytes) ((double)(bytes) / (double)GiB(1))

/* An alert is due when less than this of the host's memory is available. */
#define ALERT_PERCENT 5

/* --- Small things. -------------------------------------------------------------------------- */

static void cell(FILE *out, const char *fmt, ...) printf_like(2, 3);
static void cell(FILE *out, const char *fmt, ...)
{
	va_list ap;

	fputs("<td class=\"n\">", out);
	va_start(ap, fmt);
	vfprintf(out, fmt, ap);
	va_end(ap);
	fputs("</td>", out);
}

static void text_cell(FILE *out, const char *text)
{
	fputs("<td>", out);
	html_text(out, text);
	fputs("</td>", out);
}

static void heads(FILE *out, const char *const *names)
{
	fputs("<div class=\"wide\"><table><thead><tr>", out);
	for (; *names; names++)
		fprintf(out, "<th%s>%s</th>", **names == '>' ? " class=\"n\"" : "",
			*names + (**names == '>'));
	fputs("</tr></thead><tbody>\n", out);
}

static void end_table(FILE *out)
{
	fputs("</tbody></table></div>\n", out);
}

static void no_memory(FILE *out)
{
	fputs("<p>There was no memory for this picture.</p>\n", out);
}

/* --- Pictures. ------------------------------------------------------------------------------ */

/* Values for a chart: its times, and room for the lines. */
struct columns {
	uint64_t *times;
	double *values[CHART_LINES];
};

static bool columns_init(struct columns *c, size_t n)
{
	double *all = calloc(n * CHART_LINES + 1, sizeof(*all));

	c->times = calloc(n + 1, sizeof(*c->times));
	for (size_t l = 0; l < CHART_LINES; l++)
		c->values[l] = all ? all + l * n : NULL;
	return all && c->times;
}

static void columns_finish(struct columns *c)
{
	free(c->times);
	free(c->values[0]);
}

/* Available memory of the host, and what the VMs' pressure is on average. */
static void host_chart(FILE *out, const struct series *series)
{
	const size_t n = series->host_count;
	struct columns c;

	if (!columns_init(&c, n)) {
		no_memory(out);
	} else if (n) {
		struct chart chart = {
			.title = "Available memory and average memory pressure",
			.left = "GiB available",
			.right = "pressure, %",
			.times_ms = c.times,
			.n = n,
			.lines = {{"average pressure", "c2", c.values[1], false, true},
				  {"available memory", "c1", c.values[0], true, false}},
			.line_count = 2,
			.mark = GIB(series->hosts[n - 1].total) * ALERT_PERCENT / 100};

		for (size_t i = 0; i < n; i++) {
			c.times[i] = series->hosts[i].time_ms;
			c.values[0][i] = GIB(series->hosts[i].available);
			c.values[1][i] = series->hosts[i].pressure;
		}
		chart_write(out, &chart);
	}
	columns_finish(&c);
}

static void fill_vm(struct columns *c, const struct series_vm *vm)
{
	for (size_t i = 0; i < vm->count; i++) {
		const struct series_point *p = &vm->points[i];

		c->times[i] = p->time_ms;
		c->values[0][i] = GIB(p->assigned);
		c->values[1][i] = (double)p->counts.add_operations;
		c->values[2][i] = (double)p->counts.remove_operations;
		c->values[3][i] = (double)min_of(p->pressure, 1000u);
	}
}

static void vm_charts(FILE *out, const struct series_vm *vm)
{
	struct columns c;

	if (!columns_init(&c, vm->count)) {
		no_memory(out);
	} else {
		struct chart visible = {
			.title = "Visible memory, and operations that add and remove",
			.left = "GiB visible",
			.right = "operations, cumulative",
			.times_ms = c.times,
			.n = vm->count,
			.lines = {{"visible memory", "c1", c.values[0], true, false},
				  {"add operations", "c3", c.values[1], false, true},
				  {"remove operations", "c4", c.values[2], false, true}},
			.line_count = 3};
		struct chart pressure = {.title = "Memory pressure",
					 .left = "pressure, %",
					 .times_ms = c.times,
					 .n = vm->count,
					 .lines = {{"pressure", "c2", c.values[3], false, false}},
					 .line_count = 1,
					 .mark = 100};

		fill_vm(&c, vm);
		chart_write(out, &visible);
		chart_write(out, &pressure);
	}
	columns_finish(&c);
}

/* --- Tables. -------------------------------------------------------------------------------- */

static void vm_row(FILE *out, const struct series_vm *vm)
{
	const struct series_point *last = &vm->points[vm->count - 1];
	const struct series_counts *n = &last->counts;

	fputs("<tr>", out);
	text_cell(out, vm->name);
	cell(out, "%.2f – %.2f", GIB(vm->minimum), GIB(vm->maximum));
	cell(out, "%u %%", vm->buffer);
	cell(out, "%u", vm->weight);
	cell(out, "%.2f", GIB(last->assigned));
	cell(out, "%.2f", GIB(last->demand));
	cell(out, "%u", last->pressure);
	cell(out, "%llu (%.2f)", (unsigned long long)n->add_operations, GIB(n->add_bytes));
	cell(out, "%llu (%.2f)", (unsigned long long)n->remove_operations, GIB(n->remove_bytes));
	cell(out, "%llu / %llu", (unsigned long long)n->buffer_hits,
	     (unsigned long long)n->buffer_misses);
	fprintf(out, "<td>%s</td></tr>\n", policy_reason_name(last->reason));
}

static void vm_table(FILE *out, const struct series *series)
{
	static const char *const names[] = {"VM",
					    ">minimum – maximum, GiB",
					    ">buffer",
					    ">weight",
					    ">visible",
					    ">committed",
					    ">pressure",
					    ">added: times (GiB)",
					    ">removed",
					    ">buffer hits / misses",
					    "last decision",
					    NULL};

	heads(out, names);
	for (size_t i = 0; i < series->vm_count; i++)
		if (series->vms[i].count)
			vm_row(out, &series->vms[i]);
	end_table(out);
}

static void move_row(FILE *out, const struct series *series, const struct series_move *move)
{
	char when[32], why[320];

	chart_time(move->time_ms, 0, when);
	policy_reason_text(&move->decision, why, sizeof(why));
	fputs("<tr>", out);
	cell(out, "%s", when);
	text_cell(out, series->vms[move->vm].name);
	cell(out, "%.2f", GIB(move->from));
	cell(out, "%.2f", GIB(move->decision.target));
	text_cell(out, why);
	fputs("</tr>\n", out);
}

static void move_table(FILE *out, const struct series *series)
{
	static const char *const names[] = {">time (UTC)", "VM",  ">from, GiB",
					    ">to, GiB",    "why", NULL};
	const size_t kept = min_of(series->move_count, (size_t)SERIES_MOVES_MAX);
	const size_t first = kept > REPORT_MOVES ? kept - REPORT_MOVES : 0;
	const struct series_move *move;

	fprintf(out, "<p>%zu decisions that changed a target", series->move_count);
	if (series->move_count > REPORT_MOVES)
		fprintf(out, "; the last %d of them", REPORT_MOVES);
	fputs("</p>\n", out);
	heads(out, names);
	for (size_t i = first; (move = series_move(series, i)); i++)
		move_row(out, series, move);
	end_table(out);
}

/* --- Which VMs. ----------------------------------------------------------------------------- */

static uint64_t moved_bytes(const struct series_vm *vm)
{
	uint64_t sum = 0;

	for (size_t i = 1; i < vm->count; i++) {
		const uint64_t a = vm->points[i - 1].assigned, b = vm->points[i].assigned;

		sum += max_of(a, b) - min_of(a, b);
	}
	return sum;
}

/* The limit below which a VM has no pictures, when there are too many. */
static uint64_t least_moved(const struct series *series)
{
	uint64_t top[REPORT_VMS] = {0};

	if (series->vm_count <= REPORT_VMS)
		return 0;
	for (size_t i = 0; i < series->vm_count; i++) {
		uint64_t v = moved_bytes(&series->vms[i]);

		for (size_t j = 0; j < REPORT_VMS; j++) {
			const uint64_t t = top[j];

			if (v > t) {
				top[j] = v;
				v = t;
			}
		}
	}
	return top[REPORT_VMS - 1];
}

static void all_vms(FILE *out, const struct series *series)
{
	const uint64_t least = least_moved(series);
	size_t shown = 0;

	for (size_t i = 0; i < series->vm_count && shown < REPORT_VMS; i++) {
		const struct series_vm *vm = &series->vms[i];

		if (!vm->count || moved_bytes(vm) < least)
			continue;
		fputs("<h3>", out);
		html_text(out, vm->name);
		fputs("</h3>\n", out);
		vm_charts(out, vm);
		shown++;
	}
	if (series->vm_count > shown)
		fprintf(out, "<p>The %zu VMs of %zu that moved most.</p>\n", shown,
			series->vm_count);
}

/* --- The page. ------------------------------------------------------------------------------ */

static void introduction(FILE *out, const struct series *series)
{
	char from[32], to[32];

	fputs("<h1>Memory of the host and its VMs</h1>\n", out);
	if (!series->host_count)
		return;
	chart_time(series->hosts[0].time_ms, 3ull * 24 * 3600 * 1000, from);
	chart_time(series->hosts[series->host_count - 1].time_ms, 3ull * 24 * 3600 * 1000, to);
	fprintf(out,
		"<p>From %s to %s (UTC). Memory pressure is committed / visible memory x 100: "
		"above 100, a guest has committed more than it has.",
		from, to);
	if (series->spacing_ms)
		fprintf(out, " Points are at least %.0f s apart.",
			(double)series->spacing_ms / 1000);
	fputs("</p>\n", out);
}

void report_write(FILE *out, const struct series *series)
{
	fprintf(out,
		"<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\"><head>"
		"<meta charset=\"utf-8\"/><meta name=\"viewport\" "
		"content=\"width=device-width, initial-scale=1\"/><title>Memory of the host and "
		"its VMs</title>\n<style>%s</style></head><body>\n",
		report_style);
	introduction(out, series);
	fputs("<h2>Host</h2>\n", out);
	host_chart(out, series);
	fputs("<h2>VMs</h2>\n", out);
	vm_table(out, series);
	all_vms(out, series);
	fputs("<h2>Decisions</h2>\n", out);
	move_table(out, series);
	fputs("</body></html>\n", out);
}
