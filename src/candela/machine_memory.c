// SPDX-License-Identifier: MIT
/*
 * The memory of a machine as it moves: the balloon, RAM that is added while the VM runs, and what
 * the control socket shows and sets of both. On the machine's loop.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "candela/control.h"
#include "candela/machine_internal.h"
#include "devices/balloon.h"
#include "devices/dm_proto.h"
#include "vmm/json_build.h"

/* What is added takes memory slots, of which there are only so many. */
#define ADDED_SLOTS_MAX (MACHINE_OVERLAY_SLOTS - MACHINE_ADDED_SLOTS)

struct machine_memory {
	struct balloon *balloon;
	unsigned int slots; /* in use for what was added */
	uint32_t buffer, weight;
};

/* --- What the balloon wants of the machine. -------------------------------------------------- */

/* Large enough for the slots to last; the guest need not be told of all at once. */
static uint64_t piece(const struct machine *m, uint64_t len)
{
	const uint64_t page = m->config->memory.huge_pages == MEM_HUGE_1G ? GiB(1) : MiB(2);
	uint64_t gpa, window = mem_window(m->mem, &gpa);

	len = align_up(max_of(len, window / (ADDED_SLOTS_MAX / 2)), page);
	return min_of(len, window - mem_added(m->mem));
}

static int grow(void *ctx, uint64_t len, struct error *err)
{
	struct machine *m = ctx;
	const unsigned int slot = m->memory->slots;
	struct mem_region region;
	int r;

	if (slot == ADDED_SLOTS_MAX)
		return error_set(err, -ENOSPC, "memory: no more slots");
	r = mem_grow(m->mem, piece(m, len), err, &region);
	if (r < 0)
		return r;
	r = kvm_add_memory(&m->kvm, MACHINE_ADDED_SLOTS + slot, &region, err);
	if (r < 0) {
		mem_grow_undo(m->mem, &region);
		return r;
	}
	mem_grow_done(m->mem, &region);
	event(machine_sink(m), EVENT_MEMORY_ADDED, EVENT_NUMBER("bytes", region.len));
	m->memory->slots++;
	return 0;
}

static void on_settled(void *ctx, const char *why)
{
	struct machine *m = ctx;
	struct balloon_state state;
	char assigned[32], text[192];

	if (!m->memory) /* not even made */
		return;
	balloon_get_state(m->memory->balloon, &state);
	snprintf(assigned, sizeof(assigned), "%llu MiB", (unsigned long long)state.assigned >> 20);
	snprintf(text, sizeof(text), "target of %llu MiB %s: the guest has %s%s%s",
		 (unsigned long long)state.target >> 20, why ? "refused" : "reached", assigned,
		 why ? "; " : "", why ? why : "");
	machine_event(m, EVENT_MEMORY, text);
}

static const struct balloon_host_ops host_ops = {.grow = grow, .settled = on_settled};

/* --- Life. ----------------------------------------------------------------------------------- */

uint64_t machine_memory_reach(const struct vm_config *config)
{
	const struct config_memory *memory = &config->memory;
	const uint64_t maximum = config_memory_maximum(memory);
	const long pages = sysconf(_SC_PHYS_PAGES);

	if (config_memory_minimum(memory) == maximum)
		return memory->startup;
	/* The maximum of a VM that runs may be raised. Address space costs nothing. */
	return pages > 0 ? max_of(maximum, (uint64_t)pages * PAGE_SIZE) : maximum;
}

/* What is added must be where the guest's processors can address it. */
static uint64_t most_addressable(const struct machine *m)
{
	uint64_t gpa, window = mem_window(m->mem, &gpa),
		      end = 1ull << min_of(m->phys_bits, (uint64_t)52);

	return mem_size(m->mem) + (gpa < end ? min_of(window, end - gpa) : 0);
}

static int check_addressable(const struct machine *m, struct error *err)
{
	const uint64_t maximum = config_memory_maximum(&m->config->memory);

	if (maximum == mem_size(m->mem) || maximum <= most_addressable(m))
		return 0;
	return error_set(err, -ENOTSUP,
			 "memory.maximum: expected at most %llu MiB, because this host's "
			 "processors have addresses of %llu bits",
			 (unsigned long long)most_addressable(m) >> 20,
			 (unsigned long long)m->phys_bits);
}

int machine_create_memory(struct machine *m, struct error *err)
{
	const struct config_memory *memory = &m->config->memory;
	const struct balloon_config config = {
		.bus = m->vmbus,
		.loop = m->loop,
		.mem = m->mem,
		.vm = m->config->name,
		.minimum = config_memory_minimum(memory),
		.maximum = config_memory_maximum(memory),
		.grace_ns = memory->grace_ns,
		.answer_ns = BALLOON_ANSWER_NS,
		.ops = &host_ops,
		.ctx = m,
	};
	struct machine_memory *mm = calloc(1, sizeof(*mm));
	int r;

	if (!mm)
		return error_set(err, -ENOMEM, "out of memory");
	m->memory = mm;
	r = check_addressable(m, err);
	if (r < 0)
		return r;
	mm->buffer = memory->buffer;
	mm->weight = memory->weight;
	return m->vmbus ? balloon_create(&config, err, &mm->balloon) : 0;
}

void machine_destroy_memory(struct machine *m)
{
	if (!m->memory)
		return;
	balloon_destroy(m->memory->balloon);
	free(m->memory);
	m->memory = NULL;
}

int machine_reset_memory(struct machine *m)
{
	struct machine_memory *mm = m->memory;

	for (; mm->slots; mm->slots--) {
		int r = kvm_remove_memory(&m->kvm, MACHINE_ADDED_SLOTS + mm->slots - 1);

		if (r < 0)
			return r;
	}
	mem_shrink(m->mem);
	if (mm->balloon)
		balloon_reset(mm->balloon);
	return mem_release_all(m->mem);
}

/* --- memory ---------------------------------------------------------------------------------- */

static void get_state(const struct machine *m, struct balloon_state *state)
{
	const uint64_t size = mem_size(m->mem);

	if (m->memory->balloon)
		balloon_get_state(m->memory->balloon, state);
	else
		*state = (struct balloon_state){.minimum = size,
						.maximum = size,
						.target = size,
						.assigned = size,
						.floor = size};
}

/* A number, or null. */
static int put_known(struct json_object *o, const char *key, bool known, uint64_t v)
{
	if (known)
		return json_put_integer(o, key, v);
	return json_object_object_add(o, key, NULL) < 0 ? -ENOMEM : 0;
}

int machine_put_memory_report(struct json_object *o, const struct machine *m)
{
	struct balloon_state s;
	int r;

	get_state(m, &s);
	r = json_put_integer(o, "assigned", s.assigned);
	if (r == 0)
		r = put_known(o, "demand", s.reported, s.demand);
	return r < 0 ? r : put_known(o, "pressure", s.reported, s.pressure);
}

static int put_limits(struct json_object *o, const struct machine *m, const struct balloon_state *s)
{
	int r = json_put(o, "static", json_object_new_boolean(s->minimum == s->maximum));

	if (r == 0)
		r = json_put_integer(o, "startup", mem_size(m->mem));
	if (r == 0)
		r = json_put_integer(o, "minimum", s->minimum);
	if (r == 0)
		r = json_put_integer(o, "maximum", s->maximum);
	if (r == 0)
		r = json_put_integer(o, "buffer", m->memory->buffer);
	return r < 0 ? r : json_put_integer(o, "weight", m->memory->weight);
}

static int put_driver(struct json_object *o, const struct balloon_state *s)
{
	char version[16];
	int r = json_put(o, "driver", json_object_new_boolean(s->driver));

	snprintf(version, sizeof(version), "%u.%u", s->version >> 16, s->version & 0xffff);
	if (r == 0)
		r = s->version ? json_put_string(o, "version", version)
			       : put_known(o, "version", false, 0);
	if (r == 0)
		r = put_known(o, "report-age-ns", s->reported, s->report_age_ns);
	return r < 0 ? r : json_put_integer(o, "grace-left-ns", s->grace_left_ns);
}

static int put_counters(struct json_object *o, const struct machine *m)
{
	static const struct balloon_counters none;
	const struct balloon_counters *c =
		m->memory->balloon ? balloon_counters(m->memory->balloon) : &none;
	const struct {
		const char *key;
		const struct counter *counter;
	} rows[] = {
		{"add-operations", &c->adds},     {"remove-operations", &c->removes},
		{"add-bytes", &c->add_bytes},     {"remove-bytes", &c->remove_bytes},
		{"buffer-hits", &c->buffer_hits}, {"buffer-misses", &c->buffer_misses},
		{"refusals", &c->refusals},       {"bad-ranges", &c->bad_ranges},
		{"retaken-bytes", &c->retaken},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows) && r == 0; i++)
		r = json_put_integer(o, rows[i].key, counter_get(rows[i].counter));
	return r;
}

static int put_memory(struct json_object *o, const struct machine *m)
{
	struct balloon_state s;
	int r;

	get_state(m, &s);
	r = put_limits(o, m, &s);
	if (r == 0)
		r = machine_put_memory_report(o, m);
	if (r == 0)
		r = json_put_integer(o, "target", s.target);
	if (r == 0)
		r = put_known(o, "available", s.reported, s.available);
	if (r == 0)
		r = json_put_integer(o, "floor", s.floor);
	if (r == 0)
		r = put_driver(o, &s);
	if (r == 0)
		r = put_counters(o, m);
	if (r == 0)
		r = json_put_integer(o, "host-rss", mem_resident(m->mem));
	return r < 0 ? r : json_put(o, "moving", json_object_new_boolean(s.moving));
}

static void reply_memory(const struct machine *m, struct control_call *call)
{
	struct json_object *o = json_object_new_object();

	if (o && put_memory(o, m) < 0) {
		json_object_put(o);
		o = NULL;
	}
	control_reply(call, o);
}

void machine_run_memory(void *ctx, struct control_call *call, struct json_object *params)
{
	(void)params;
	reply_memory(ctx, call);
}

/* --- memory.set, memory.target ---------------------------------------------------------------- */

const char *const machine_memory_set_params[] = {"minimum", "maximum", "buffer", "weight", NULL};
const char *const machine_memory_target_params[] = {"bytes", "reason", NULL};

/* Bytes, a multiple of 2 MiB, from @low to @high; as control_param_uint(). */
static int read_limit(struct json_object *params, const char *name, uint64_t low, uint64_t high,
		      uint64_t *ret, struct control_error *error)
{
	uint64_t v = *ret;
	int r = control_param_size(params, name, UINT64_MAX, &v, error);

	if (r < 0 || v == *ret)
		return r;
	if (v >= low && v <= high && is_aligned(v, MiB(2))) {
		*ret = v;
		return 0;
	}
	error->code = CONTROL_INVALID_PARAMS;
	snprintf(error->text, sizeof(error->text),
		 "%s: expected %llu to %llu bytes in steps of 2 MiB, got %llu: of a VM that runs "
		 "the minimum only goes down and the maximum up, as far as address space was set "
		 "aside",
		 name, (unsigned long long)low, (unsigned long long)high, (unsigned long long)v);
	return -EINVAL;
}

void machine_run_memory_set(void *ctx, struct control_call *call, struct json_object *params)
{
	struct machine *m = ctx;
	struct machine_memory *mm = m->memory;
	uint32_t buffer = mm->buffer, weight = mm->weight;
	struct control_error error;
	struct balloon_state s;

	get_state(m, &s);
	if (control_param_uint(params, "buffer", CONFIG_MEMORY_BUFFER_MAX, &buffer, &error) < 0 ||
	    control_param_uint(params, "weight", CONFIG_MEMORY_WEIGHT_MAX, &weight, &error) < 0 ||
	    read_limit(params, "minimum", MiB(16), s.minimum, &s.minimum, &error) < 0 ||
	    read_limit(params, "maximum", s.maximum, most_addressable(m), &s.maximum, &error) < 0) {
		control_refuse(call, error.code, error.text);
		return;
	}
	mm->buffer = buffer;
	mm->weight = weight;
	if (mm->balloon)
		balloon_set_limits(mm->balloon, s.minimum, s.maximum);
	reply_memory(m, call);
}

void machine_run_memory_target(void *ctx, struct control_call *call, struct json_object *params)
{
	struct machine *m = ctx;
	struct json_object *o, *reason;
	struct control_error error;
	uint64_t bytes = 0;

	if (control_param_size(params, "bytes", UINT64_MAX, &bytes, &error) < 0) {
		control_refuse(call, error.code, error.text);
		return;
	}
	if (!bytes) {
		control_refuse(call, CONTROL_INVALID_PARAMS, "bytes: missing");
		return;
	}
	if (m->ended || !m->memory->balloon) {
		control_refuse(call, CONTROL_REFUSED,
			       m->ended ? "the VM is ending" : "the VM has no VMBus");
		return;
	}
	bytes = balloon_set_target(m->memory->balloon, bytes);
	if (json_object_object_get_ex(params, "reason", &reason))
		log_debug("memory: target %llu MiB: %s", (unsigned long long)bytes >> 20,
			  json_object_get_string(reason));
	o = json_object_new_object();
	if (o && json_put_integer(o, "target", bytes) < 0) {
		json_object_put(o);
		o = NULL;
	}
	control_reply(call, o);
}
