// SPDX-License-Identifier: MIT
/*
 * The processors of a machine: where its virtual processors (VPs) run, what share of the host's
 * they get, and what the control socket shows and sets of that. On the machine's loop.
 *
 * A VM that asks for nothing of it has nothing: no control group, no call of the kernel.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "candela/control.h"
#include "candela/cpu_home.h"
#include "candela/machine_control.h"
#include "candela/landlock.h"
#include "candela/machine_events.h"
#include "candela/machine_internal.h"
#include "candela/sandbox.h"
#include "vmm/config_cpus.h"
#include "vmm/cpu_group.h"
#include "vmm/cpu_list.h"
#include "vmm/cpu_place.h"
#include "vmm/json_build.h"

struct machine_cpu {
	struct config_cpus now; /* the configuration, as it was changed since */
	char *affinity;         /* of @now, if it was changed */
	bool placed;            /* @place is known */
	struct cpu_place place;
	struct cpu_group *group; /* NULL: none */
};

/* --- Places. --------------------------------------------------------------------------------- */

static int find_place(struct machine *m, struct error *err)
{
	struct machine_cpu *cpu = m->cpu;
	int r = cpu->placed ? 0
			    : cpu_place_find(&cpu->now, m->config->memory.startup, "", err,
					     &cpu->place);

	cpu->placed = r == 0;
	return r;
}

int machine_enter_place(struct machine *m, struct error *err)
{
	int r;

	m->cpu = calloc(1, sizeof(*m->cpu));
	if (!m->cpu)
		return error_set(err, -ENOMEM, "out of memory");
	m->cpu->now = m->config->cpus;
	if (!m->cpu->now.nodes)
		return 0;
	r = find_place(m, err);
	return r < 0 ? r : cpu_place_enter(&m->cpu->place, m->cpu->now.node_memory, err);
}

/* What each VP claims; to be freed. */
static int make_claims(const struct machine *m, const struct config_cpus *cpus, struct error *err,
		       struct cpu_claim **ret)
{
	struct cpu_claim *claims = calloc(cpus->count, sizeof(*claims));
	int r = 0;

	if (!claims)
		return error_set(err, -ENOMEM, "out of memory");
	for (unsigned int i = 0; i < cpus->count && r == 0; i++) {
		claims[i].weight = cpus->weight;
		claims[i].reserve = cpus->reserve;
		claims[i].limit = cpus->limit;
		r = cpu_place_vp(&m->cpu->place, cpus->affinity, i, err, &claims[i].cpus);
	}
	if (r == 0)
		*ret = claims;
	else
		free(claims);
	return r;
}

/*
 * All threads of the process, where they are to be on certain nodes: those that were put into a
 * scope may run anywhere again.
 */
static void hold_on_nodes(const struct cpu_place *place)
{
	DIR *dir = CPU_COUNT(&place->nodes) ? opendir("/proc/self/task") : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		const pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		/* One that has ended meanwhile needs no place. */
		if (tid > 0)
			(void)sched_setaffinity(tid, sizeof(place->usable), &place->usable);
	}
	if (dir)
		closedir(dir);
}

/*
 * After the threads have been put into their groups: where the cpuset controller is in use, that
 * lets a thread run wherever its group may, whatever was said before.
 */
static int pin(const struct machine *m, const struct cpu_claim *claims, struct error *err)
{
	hold_on_nodes(&m->cpu->place);
	for (unsigned int i = 0; i < m->vcpus.count; i++)
		if (sched_setaffinity(m->vcpus.vcpus[i].tid, sizeof(claims[i].cpus),
				      &claims[i].cpus) < 0)
			return error_errno(err, -errno, "cpus.affinity: VP %u", i);
	return 0;
}

/* --- Groups. --------------------------------------------------------------------------------- */

static bool needs_group(const struct config_cpus *cpus)
{
	return cpus->weight != CPU_WEIGHT_DEFAULT || cpus->limit != CPU_PERCENT_MAX ||
	       cpus->reserve || cpus->group == CONFIG_CPU_GROUP_ALWAYS;
}

/* The key that asks for a group, for a message. */
static const char *reason(const struct config_cpus *cpus)
{
	if (cpus->reserve)
		return "cpus.reserve";
	if (cpus->limit != CPU_PERCENT_MAX)
		return "cpus.limit";
	return cpus->weight != CPU_WEIGHT_DEFAULT ? "cpus.weight" : "cpus.group";
}

static int make_group(struct machine *m, const struct config_cpus *cpus,
		      const struct cpu_claim *claims, struct error *err)
{
	struct cpu_group_config config = {
		.name = m->config->name ? m->config->name : "vm",
		.count = m->vcpus.count,
		.claims = claims,
		.host = m->cpu->place.allowed,
	};
	pid_t *threads;
	int r = cpu_home_open(err, &config.fleet);

	if (r < 0) {
		error_prefix(err, "%s cannot be had on this host", reason(cpus));
		return r;
	}
	threads = calloc(config.count, sizeof(*threads));
	if (!threads) {
		cpu_fleet_close(&config.fleet);
		return error_set(err, -ENOMEM, "out of memory");
	}
	for (unsigned int i = 0; i < config.count; i++)
		threads[i] = m->vcpus.vcpus[i].tid;
	config.threads = threads;
	r = cpu_group_create(&config, err, &m->cpu->group);
	free(threads);
	return r;
}

int machine_create_cpu(struct machine *m, struct error *err)
{
	const struct config_cpus *cpus = &m->cpu->now;
	struct cpu_claim *claims = NULL;
	int r;

	if (!needs_group(cpus) && !cpus->affinity)
		return 0;
	vcpu_set_await_threads(&m->vcpus);
	r = find_place(m, err);
	if (r == 0)
		r = make_claims(m, cpus, err, &claims);
	if (r == 0 && needs_group(cpus))
		r = make_group(m, cpus, claims, err);
	if (r == 0)
		r = pin(m, claims, err);
	free(claims);
	return r;
}

int machine_cpu_places(const struct machine *m, struct error *err)
{
	/* How processors and nodes are, and what threads there are. */
	static const struct sandbox_place topology[] = {{"/sys/devices/system", LANDLOCK_READ},
							{"/proc", LANDLOCK_READ}};
	const uint32_t uses = LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_DIRECTORIES;
	char path[PATH_MAX], *slash;
	int r;

	if (!m->cpu->group)
		return 0;
	snprintf(path, sizeof(path), "%s", cpu_group_fleet(m->cpu->group));
	/* The last VM removes the fleet itself. */
	slash = strrchr(path, '/');
	if (slash && slash != path)
		*slash = '\0';
	r = sandbox_allow(m->sandbox, &(struct sandbox_place){path, uses}, err);
	for (size_t i = 0; i < ARRAY_SIZE(topology) && r == 0; i++)
		r = sandbox_allow(m->sandbox, &topology[i], err);
	return r;
}

void machine_destroy_cpu(struct machine *m)
{
	if (!m->cpu)
		return;
	cpu_group_destroy(m->cpu->group);
	free(m->cpu->affinity);
	free(m->cpu);
	m->cpu = NULL;
}

/* --- cpus ------------------------------------------------------------------------------------ */

/* Without a group the thread's own clock says what it has used. */
static void get_usage(const struct machine *m, unsigned int vp, struct cpu_usage *ret)
{
	struct timespec ts;
	clockid_t clock;

	*ret = (struct cpu_usage){.weight = CPU_WEIGHT_DEFAULT};
	if (m->cpu->group && cpu_group_usage(m->cpu->group, vp, ret) == 0)
		return;
	if (pthread_getcpuclockid(m->vcpus.vcpus[vp].thread, &clock) == 0 &&
	    clock_gettime(clock, &ts) == 0)
		ret->used_ns = (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static int put_usage(struct json_object *o, const struct cpu_usage *usage)
{
	int r = json_put_integer(o, "used_ns", usage->used_ns);

	if (r == 0)
		r = json_put_integer(o, "throttled_ns", usage->throttled_ns);
	if (r == 0)
		r = json_put_integer(o, "periods", usage->periods);
	return r < 0 ? r : json_put_integer(o, "throttled-periods", usage->throttled_periods);
}

static int put_vp(struct json_object *array, const struct machine *m, unsigned int vp,
		  const struct cpu_usage *usage)
{
	struct json_object *o = json_object_new_object();
	char list[CPU_LIST_TEXT_MAX] = "";
	cpu_set_t cpus;
	int r = json_append(array, o);

	if (sched_getaffinity(m->vcpus.vcpus[vp].tid, sizeof(cpus), &cpus) == 0)
		(void)cpu_list_print(&cpus, list, sizeof(list));
	if (r == 0)
		r = json_put_integer(o, "index", vp);
	if (r == 0)
		r = json_put_string(o, "cpus", list);
	if (r == 0)
		r = json_put_integer(o, "effective-weight", usage->weight);
	return r < 0 ? r : put_usage(o, usage);
}

static int put_vps(struct json_object *o, const struct machine *m)
{
	struct json_object *array = json_object_new_array();
	struct cpu_usage sum = {0}, usage;
	int r = json_put(o, "vps", array);

	for (unsigned int i = 0; i < m->vcpus.count && r == 0; i++) {
		get_usage(m, i, &usage);
		sum.used_ns += usage.used_ns;
		sum.throttled_ns += usage.throttled_ns;
		sum.periods += usage.periods;
		sum.throttled_periods += usage.throttled_periods;
		r = put_vp(array, m, i, &usage);
	}
	return r < 0 ? r : put_usage(o, &sum);
}

/* A text, or null. */
static int put_known_string(struct json_object *o, const char *key, const char *text)
{
	if (text)
		return json_put(o, key, control_text(text));
	return json_object_object_add(o, key, NULL) < 0 ? -ENOMEM : 0;
}

static int put_settings(struct json_object *o, const struct config_cpus *cpus)
{
	static const char *const memory[] = {
		[CONFIG_NODE_MEMORY_PREFER] = "prefer",
		[CONFIG_NODE_MEMORY_BIND] = "bind",
		[CONFIG_NODE_MEMORY_ANY] = "any",
	};
	int r = json_put_integer(o, "count", cpus->count);

	if (r == 0)
		r = json_put_integer(o, "weight", cpus->weight);
	if (r == 0)
		r = json_put_integer(o, "reserve", cpus->reserve);
	if (r == 0)
		r = json_put_integer(o, "limit", cpus->limit);
	if (r == 0)
		r = put_known_string(o, "affinity", cpus->affinity);
	if (r == 0)
		r = put_known_string(o, "nodes", cpus->nodes);
	return r < 0 ? r : json_put_string(o, "node-memory", memory[cpus->node_memory]);
}

static int put_group(struct json_object *o, const struct machine_cpu *cpu)
{
	char path[PATH_MAX + 256];

	if (!cpu->group)
		return put_known_string(o, "group", NULL);
	snprintf(path, sizeof(path), "%s/%s", cpu_group_fleet(cpu->group),
		 cpu_group_name(cpu->group));
	return put_known_string(o, "group", path);
}

static void reply_cpus(struct machine *m, struct control_call *call)
{
	struct json_object *o = json_object_new_object();
	int r = o ? put_settings(o, &m->cpu->now) : -ENOMEM;

	vcpu_set_await_threads(&m->vcpus);
	if (r == 0)
		r = put_group(o, m->cpu);
	if (r == 0)
		r = json_put_integer(o, "time_ns", loop_now());
	if (r == 0)
		r = put_vps(o, m);
	machine_control_reply(call, o, r);
}

void machine_run_cpus(void *ctx, struct control_call *call, struct json_object *params)
{
	(void)params;
	reply_cpus(ctx, call);
}

/* --- cpus.set -------------------------------------------------------------------------------- */

const char *const machine_cpus_set_params[] = {"weight", "limit", "reserve", "affinity", NULL};

/* As control_param_uint(), of 1 to @max. */
static int read_positive(struct json_object *params, const char *name, uint32_t max, uint32_t *ret,
			 struct control_error *error)
{
	uint32_t v = *ret;
	int r = control_param_uint(params, name, max, &v, error);

	if (r == 0 && !v) {
		error->code = CONTROL_INVALID_PARAMS;
		snprintf(error->text, sizeof(error->text), "%s: expected 1 to %u", name, max);
		r = -EINVAL;
	}
	if (r == 0)
		*ret = v;
	return r;
}

/* "all" is what it is without one. The text lives as long as @params. */
static int read_affinity(struct json_object *params, const char **ret, struct control_error *error)
{
	struct json_object *value;
	const char *text;

	if (!params || !json_object_object_get_ex(params, "affinity", &value))
		return 0;
	text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
	if (*text && strlen(text) <= CONFIG_AFFINITY_MAX) {
		*ret = strcmp(text, "all") == 0 ? NULL : text;
		return 0;
	}
	error->code = CONTROL_INVALID_PARAMS;
	snprintf(error->text, sizeof(error->text),
		 "affinity: expected a list such as \"0-3,8\", or \"all\"");
	return -EINVAL;
}

static int apply(struct machine *m, const struct config_cpus *cpus, struct error *err)
{
	struct cpu_claim *claims = NULL;
	int r;

	if (!m->cpu->group && machine_is_confined(m))
		return error_set(err, -EPERM,
				 "the VM has no control group, and the sandbox lets it make none "
				 "once it runs: start it with cpus.group=always, or --sandbox=off");
	vcpu_set_await_threads(&m->vcpus);
	r = find_place(m, err);
	if (r == 0)
		r = make_claims(m, cpus, err, &claims);
	if (r == 0 && m->cpu->group)
		r = cpu_group_change(m->cpu->group, claims, err);
	else if (r == 0)
		/* Who sets anything wants it to count, also if it is what was. */
		r = make_group(m, cpus, claims, err);
	if (r == 0)
		r = pin(m, claims, err);
	free(claims);
	return r;
}

static void announce(struct machine *m)
{
	const struct config_cpus *cpus = &m->cpu->now;
	char text[CONFIG_AFFINITY_MAX + 128];

	snprintf(text, sizeof(text), "weight %u, reserve %u %%, limit %u %%, affinity %s",
		 cpus->weight, cpus->reserve, cpus->limit, cpus->affinity ? cpus->affinity : "all");
	machine_event(m, EVENT_CPUS, text);
}

static int set(struct machine *m, struct config_cpus *cpus, struct error *err)
{
	char *affinity = cpus->affinity ? strdup(cpus->affinity) : NULL;
	int r = cpus->affinity && !affinity ? error_set(err, -ENOMEM, "out of memory") : 0;

	cpus->affinity = affinity;
	if (r == 0)
		r = config_cpus_check(cpus, err);
	if (r == 0)
		r = apply(m, cpus, err);
	if (r < 0) {
		free(affinity);
		return r;
	}
	free(m->cpu->affinity);
	m->cpu->affinity = affinity;
	m->cpu->now = *cpus;
	return 0;
}

void machine_run_cpus_set(void *ctx, struct control_call *call, struct json_object *params)
{
	struct machine *m = ctx;
	struct config_cpus cpus = m->cpu->now;
	struct control_error error;
	struct error err;
	int r;

	if (machine_control_refuse_ended(m, call))
		return;
	if (read_positive(params, "weight", CPU_WEIGHT_MAX, &cpus.weight, &error) < 0 ||
	    read_positive(params, "limit", CPU_PERCENT_MAX, &cpus.limit, &error) < 0 ||
	    control_param_uint(params, "reserve", CPU_PERCENT_MAX, &cpus.reserve, &error) < 0 ||
	    read_affinity(params, &cpus.affinity, &error) < 0) {
		control_refuse(call, error.code, error.text);
		return;
	}
	r = set(m, &cpus, &err);
	if (r < 0) {
		control_refuse(call, r == -EINVAL ? CONTROL_INVALID_PARAMS : CONTROL_FAILED,
			       err.text);
		return;
	}
	announce(m);
	reply_cpus(m, call);
}
