// SPDX-License-Identifier: MIT
/*
 * Samples of VMs and lines of histories as JSON. See cmd_balance_sample.h.
 *
 * A line of a history is an object with "time" (seconds since 1970) and either "host" or "vm"; the
 * members are named as in the answer to "memory", so that one table serves both.
 */
#include "candela/cmd_balance_sample.h"

#include <errno.h>
#include <string.h>

#include "vmm/json_build.h"
#include "vmm/json_scan.h"

/* --- Members, whatever they are. ------------------------------------------------------------ */

/* False: there is none, or it is no number that is zero or more. */
static bool get_number(struct json_object *o, const char *key, uint64_t *ret)
{
	struct json_object *value;

	if (!json_object_object_get_ex(o, key, &value))
		return false;
	if (json_object_is_type(value, json_type_double)) {
		const double v = json_object_get_double(value);

		if (!(v >= 0))
			return false;
		*ret = v < 18446744073709551615.0 ? (uint64_t)v : UINT64_MAX;
		return true;
	}
	if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
		return false;
	*ret = json_object_get_uint64(value);
	return true;
}

static uint64_t number(struct json_object *o, const char *key)
{
	uint64_t v = 0;

	(void)get_number(o, key, &v);
	return v;
}

static uint32_t small(struct json_object *o, const char *key)
{
	return (uint32_t)min_of(number(o, key), (uint64_t)UINT32_MAX);
}

static bool truth(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) &&
	       json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

/* --- Tables of numbers. --------------------------------------------------------------------- */

struct row {
	const char *key;
	size_t offset; /* of a uint64_t */
};

static const struct row count_rows[] = {
	{"add-operations", offsetof(struct series_counts, add_operations)},
	{"remove-operations", offsetof(struct series_counts, remove_operations)},
	{"add-bytes", offsetof(struct series_counts, add_bytes)},
	{"remove-bytes", offsetof(struct series_counts, remove_bytes)},
	{"buffer-hits", offsetof(struct series_counts, buffer_hits)},
	{"buffer-misses", offsetof(struct series_counts, buffer_misses)},
	{"refusals", offsetof(struct series_counts, refusals)},
};

static const struct row vm_rows[] = {
	{"minimum", offsetof(struct policy_vm, minimum)},
	{"maximum", offsetof(struct policy_vm, maximum)},
	{"floor", offsetof(struct policy_vm, floor)},
	{"assigned", offsetof(struct policy_vm, assigned)},
	{"target", offsetof(struct policy_vm, target)},
	{"host-rss", offsetof(struct policy_vm, rss)},
	{"report-age-ns", offsetof(struct policy_vm, report_age_ns)},
	{"grace-left-ns", offsetof(struct policy_vm, grace_left_ns)},
};

static const struct row host_rows[] = {
	{"total", offsetof(struct series_host, total)},
	{"available", offsetof(struct series_host, available)},
	{"swap-used", offsetof(struct series_host, swap_used)},
	{"spare", offsetof(struct series_host, spare)},
	{"wanted", offsetof(struct series_host, wanted)},
	{"waiting", offsetof(struct series_host, waiting)},
};

static void get_rows(struct json_object *o, const struct row *rows, size_t n, void *base)
{
	for (size_t i = 0; i < n; i++) {
		const uint64_t v = number(o, rows[i].key);

		memcpy((char *)base + rows[i].offset, &v, sizeof(v));
	}
}

static int put_rows(struct json_object *o, const struct row *rows, size_t n, const void *base)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		uint64_t v;

		memcpy(&v, (const char *)base + rows[i].offset, sizeof(v));
		r = json_put_integer(o, rows[i].key, v);
	}
	return r;
}

/* --- Answers. ------------------------------------------------------------------------------- */

int balance_sample_parse(struct json_object *answer, struct balance_sample *ret)
{
	struct balance_sample s = {.vm = {.report_age_ns = 0}};
	uint64_t v;

	if (!json_object_is_type(answer, json_type_object) || !get_number(answer, "assigned", &v) ||
	    !get_number(answer, "maximum", &v))
		return -EPROTO;
	get_rows(answer, vm_rows, ARRAY_SIZE(vm_rows), &s.vm);
	get_rows(answer, count_rows, ARRAY_SIZE(count_rows), &s.counts);
	s.startup = number(answer, "startup");
	s.vm.buffer = small(answer, "buffer");
	s.vm.weight = small(answer, "weight");
	s.vm.has_demand = get_number(answer, "demand", &s.vm.demand);
	s.vm.has_available = get_number(answer, "available", &s.vm.available);
	s.vm.is_static = truth(answer, "static");
	s.vm.driver = truth(answer, "driver");
	s.vm.moving = truth(answer, "moving");
	*ret = s;
	return 0;
}

/* --- Lines of a history. -------------------------------------------------------------------- */

struct json_object *balance_time(uint64_t time_ms)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu.%03u", (unsigned long long)(time_ms / 1000),
		 (unsigned int)(time_ms % 1000));
	return json_object_new_double_s((double)time_ms / 1000, text);
}

static struct json_object *line_at(uint64_t time_ms)
{
	struct json_object *line = json_object_new_object();

	if (line && json_put(line, "time", balance_time(time_ms)) < 0) {
		json_object_put(line);
		return NULL;
	}
	return line;
}

struct json_object *balance_host_line(const struct series_host *host)
{
	struct json_object *line = line_at(host->time_ms), *o = json_object_new_object();
	int r = line && o ? 0 : -ENOMEM;

	if (r == 0)
		r = put_rows(o, host_rows, ARRAY_SIZE(host_rows), host);
	if (r == 0)
		r = json_put_integer(o, "pressure", host->pressure);
	if (r == 0)
		r = json_put(o, "stall", json_object_new_double((double)host->stall / 100));
	if (r == 0)
		r = json_put_integer(o, "vms", host->vms);
	if (r == 0)
		r = json_put(line, "host", json_object_get(o));
	json_object_put(o);
	if (r == 0)
		return line;
	json_object_put(line);
	return NULL;
}

static int put_decision(struct json_object *line, const struct policy_decision *decision)
{
	int r = json_put_integer(line, "decision", decision->target);

	if (r == 0)
		r = json_put_integer(line, "ideal", decision->ideal);
	if (r == 0)
		r = json_put_integer(line, "share", decision->share);
	if (r == 0)
		r = json_put_integer(line, "pressure", decision->pressure);
	if (r == 0)
		r = json_put_string(line, "reason", policy_reason_name(decision->reason));
	return r;
}

static int put_sample(struct json_object *line, const struct balance_sample *sample)
{
	const struct policy_vm *vm = &sample->vm;
	int r = put_rows(line, vm_rows, ARRAY_SIZE(vm_rows) - 2, vm);

	if (r == 0)
		r = put_rows(line, count_rows, ARRAY_SIZE(count_rows), &sample->counts);
	if (r == 0)
		r = json_put_integer(line, "startup", sample->startup);
	if (r == 0)
		r = json_put_integer(line, "buffer", vm->buffer);
	if (r == 0)
		r = json_put_integer(line, "weight", vm->weight);
	if (r == 0 && vm->has_demand)
		r = json_put_integer(line, "demand", vm->demand);
	if (r == 0 && vm->has_available)
		r = json_put_integer(line, "available", vm->available);
	return r;
}

struct json_object *balance_vm_line(uint64_t time_ms, const char *name,
				    const struct balance_sample *sample,
				    const struct policy_decision *decision)
{
	struct json_object *line = line_at(time_ms);
	int r = line ? 0 : -ENOMEM;

	if (r == 0)
		r = json_put_string(line, "vm", name);
	if (r == 0)
		r = put_sample(line, sample);
	if (r == 0)
		r = put_decision(line, decision);
	if (r == 0)
		return line;
	json_object_put(line);
	return NULL;
}

/* --- And back. ------------------------------------------------------------------------------ */

static int get_time(struct json_object *line, uint64_t *ret_ms)
{
	struct json_object *value;
	double seconds;

	if (!json_object_object_get_ex(line, "time", &value) ||
	    !(json_object_is_type(value, json_type_double) ||
	      json_object_is_type(value, json_type_int)))
		return -EPROTO;
	seconds = json_object_get_double(value);
	/* Times that a uint64_t of milliseconds holds; no NaN. */
	if (!(seconds >= 0 && seconds < 1e12))
		return -EPROTO;
	*ret_ms = (uint64_t)(seconds * 1000 + 0.5);
	return 0;
}

static int read_host(struct series *series, uint64_t time_ms, struct json_object *o)
{
	struct series_host host = {.time_ms = time_ms};
	struct json_object *stall;

	if (!json_object_is_type(o, json_type_object))
		return -EPROTO;
	get_rows(o, host_rows, ARRAY_SIZE(host_rows), &host);
	host.pressure = small(o, "pressure");
	host.vms = small(o, "vms");
	if (json_object_object_get_ex(o, "stall", &stall)) {
		const double v = json_object_get_double(stall);

		host.stall = v >= 0 && v <= 100 ? (uint32_t)(v * 100 + 0.5) : 0;
	}
	return series_add_host(series, &host);
}

static int read_move(struct series *series, size_t vm, const struct series_point *point,
		     struct json_object *line)
{
	struct series_move move = {.time_ms = point->time_ms, .vm = vm};

	if (!get_number(line, "decision", &move.decision.target))
		return 0;
	move.from = point->target ? point->target : point->assigned;
	move.decision.reason = point->reason;
	move.decision.demand = point->demand;
	move.decision.assigned = point->assigned;
	move.decision.pressure = point->pressure;
	move.decision.ideal = number(line, "ideal");
	move.decision.share = number(line, "share");
	return move.decision.target == move.from ? 0 : series_add_move(series, &move);
}

static int read_vm(struct series *series, uint64_t time_ms, struct json_object *name,
		   struct json_object *line)
{
	struct series_point point = {.time_ms = time_ms};
	struct json_object *reason;
	struct balance_sample s;
	struct series_vm *vm;
	size_t at;
	int r;

	if (!json_object_is_type(name, json_type_string) || balance_sample_parse(line, &s) < 0 ||
	    !json_object_object_get_ex(line, "reason", &reason) ||
	    !json_object_is_type(reason, json_type_string) ||
	    policy_reason_parse(json_object_get_string(reason), &point.reason) < 0)
		return -EPROTO;
	r = series_find_vm(series, json_object_get_string(name), &at);
	if (r < 0)
		return r;
	vm = &series->vms[at];
	vm->startup = s.startup;
	vm->minimum = s.vm.minimum;
	vm->maximum = s.vm.maximum;
	vm->buffer = s.vm.buffer;
	vm->weight = s.vm.weight;
	point.assigned = s.vm.assigned;
	point.target = s.vm.target;
	point.demand = s.vm.demand;
	point.available = s.vm.available;
	point.pressure = small(line, "pressure");
	point.counts = s.counts;
	r = read_move(series, at, &point, line);
	return r < 0 ? r : series_add_point(series, at, &point);
}

int balance_line_read(struct series *series, const char *line, size_t len)
{
	struct json_object *o, *member;
	struct json_tokener *tok;
	uint64_t time_ms;
	int r = json_scan(line, len, NULL);

	if (r < 0)
		return r == -ENOMEM ? r : -EPROTO;
	tok = json_tokener_new_ex(JSON_SCAN_MAX_DEPTH + 2);
	if (!tok)
		return -ENOMEM;
	o = json_tokener_parse_ex(tok, line, (int)len);
	json_tokener_free(tok);
	r = -EPROTO;
	if (json_object_is_type(o, json_type_object) && get_time(o, &time_ms) == 0) {
		if (json_object_object_get_ex(o, "host", &member))
			r = read_host(series, time_ms, member);
		else if (json_object_object_get_ex(o, "vm", &member))
			r = read_vm(series, time_ms, member, o);
	}
	json_object_put(o);
	return r;
}
