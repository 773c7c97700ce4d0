// SPDX-License-Identifier: MIT
/* Simulations. See cmd_balance_simulate.h. */
#include "candela/cmd_balance_simulate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/cmd_balance_history.h"
#include "candela/cmd_balance_report.h"
#include "candela/show.h"
#include "vmm/config.h"
#include "vmm/config_item.h"
#include "vmm/config_json.h"
#include "vmm/config_table.h"
#include "vmm/config_tree.h"
#include "vmm/json_build.h"
#include "vmm/log.h"

#define GENERATE "generate:"

static const char *const scenario_names[] = {
	[SIM_DAY] = "day",
	[SIM_NEED] = "need",
	[SIM_SHUTDOWN] = "shutdown",
	NULL,
};

static const struct config_row rows[] = {
	{
		.key = "scenario",
		CONFIG_AT_ENUM(struct sim_spec, scenario, sim_scenario),
		.names = scenario_names,
		.preset = "day",
		.help = "day: a fleet; need: one VM needs 256 MiB on a full host; shutdown: of "
			"three VMs on a full host two end",
	},
	{
		.key = "vms",
		CONFIG_AT_UINT(struct sim_spec, vms),
		.min = 1,
		.max = 1000000,
		.preset = "100",
		.help = "VMs, on all hosts together",
	},
	{
		.key = "hosts",
		CONFIG_AT_UINT(struct sim_spec, hosts),
		.min = 1,
		.max = 10000,
		.preset = "1",
		.help = "hosts",
	},
	{
		.key = "hours",
		CONFIG_AT_UINT(struct sim_spec, hours),
		.min = 1,
		.max = 8760,
		.preset = "24",
		.help = "simulated time",
	},
	{
		.key = "seed",
		CONFIG_AT_UINT(struct sim_spec, seed),
		.max = UINT32_MAX,
		.preset = "1",
		.help = "another seed is another fleet",
	},
	{
		.key = "host-memory",
		CONFIG_AT_SIZE(struct sim_spec, host_memory),
		.min = GiB(1),
		.max = POLICY_BYTES_MAX,
		.preset = "256G",
		.help = "of each host",
	},
	{
		.key = "interval",
		CONFIG_AT_DURATION(struct sim_spec, interval_ns),
		.min = 100 * NSEC_PER_MSEC,
		.max = 600 * NSEC_PER_SEC,
		.preset = "1s",
		.help = "of decisions",
	},
};

static const struct config_table table = {
	.rows = rows,
	.row_count = ARRAY_SIZE(rows),
	.size = sizeof(struct sim_spec),
	.syntax = CONFIG_ITEM_KEYS,
};

int balance_spec_parse(struct sim_spec *spec, const char *text, struct error *err)
{
	config_tree_init(&table, spec);
	spec->recorded = NULL;
	return *text ? config_item_parse(&table, spec, text, NULL, err) : 0;
}

int balance_spec_parse_json(struct sim_spec *spec, const char *text, size_t len, struct error *err)
{
	config_tree_init(&table, spec);
	spec->recorded = NULL;
	return config_json_load(&table, spec, text, len, NULL, err);
}

/* --- Where a fleet comes from. -------------------------------------------------------------- */

static int read_description(struct sim_spec *spec, const char *path, struct error *err)
{
	char *text = malloc(CONFIG_FILE_MAX + 1);
	FILE *file = fopen(path, "re");
	size_t len;
	int r;

	if (!text || !file) {
		r = error_errno(err, text ? -errno : -ENOMEM, "%s", path);
	} else {
		len = fread(text, 1, CONFIG_FILE_MAX + 1, file);
		r = balance_spec_parse_json(spec, text, len, err);
		if (r < 0)
			error_prefix(err, "%s", path);
	}
	if (file)
		fclose(file);
	free(text);
	return r;
}

/* A history says what VMs committed; it is played to whichever policy. */
static int read_recorded(struct sim_spec *spec, struct series *recorded, const char *path,
			 struct error *err)
{
	uint64_t bad;
	int r = balance_history_read(recorded, path, &bad, err);

	if (r < 0)
		return r;
	if (bad)
		log_warning("%s: %llu lines are none of a history", path, (unsigned long long)bad);
	if (!recorded->vm_count)
		return error_set(err, -EINVAL, "%s: there is no VM in it", path);
	spec->recorded = recorded;
	return 0;
}

static int read_trace(struct sim_spec *spec, struct series *recorded, const char *trace,
		      struct error *err)
{
	const size_t len = strlen(trace);
	int r = balance_spec_parse(spec, "", err);

	if (r < 0)
		return r;
	if (strncmp(trace, GENERATE, strlen(GENERATE)) == 0) {
		r = balance_spec_parse(spec, trace + strlen(GENERATE), err);
		if (r < 0)
			error_prefix(err, "--simulate");
		return r;
	}
	if (len > 5 && strcmp(trace + len - 5, ".json") == 0)
		return read_description(spec, trace, err);
	return read_recorded(spec, recorded, trace, err);
}

/* --- What came of it. ----------------------------------------------------------------------- */

static const struct {
	const char *key, *text;
	size_t offset;
} lines[] = {
	{"vm-seconds", "VM seconds simulated", offsetof(struct sim_summary, vm_seconds)},
	{"waits", "waits: a VM lacked memory, and got it", offsetof(struct sim_summary, waits)},
	{"wait-median-s", "  half of them, at most (s)",
	 offsetof(struct sim_summary, wait_median_s)},
	{"wait-95-s", "  95 % of them, at most (s)", offsetof(struct sim_summary, wait_95_s)},
	{"wait-max-s", "  the longest (s)", offsetof(struct sim_summary, wait_max_s)},
	{"unserved", "the lack went away by itself, or lasts",
	 offsetof(struct sim_summary, unserved)},
	{"starved", "starved: over 60 s, though there was memory",
	 offsetof(struct sim_summary, starved)},
	{"thrash-seconds", "thrashing (VM seconds)", offsetof(struct sim_summary, thrash_seconds)},
	{"thrash-gib-s", "thrashing (GiB seconds)", offsetof(struct sim_summary, thrash_gib_s)},
	{"reversals", "oscillation: back, forth and back again",
	 offsetof(struct sim_summary, reversals)},
	{"orders", "orders to VMs", offsetof(struct sim_summary, orders)},
	{"overcommitted-s", "host seconds with more granted than there is",
	 offsetof(struct sim_summary, overcommitted_s)},
	{"decide-ns", "real time of a host's decision (ns)",
	 offsetof(struct sim_summary, decide_ns)},
};

static uint64_t value_of(const struct sim_summary *sum, size_t line)
{
	uint64_t v;

	memcpy(&v, (const char *)sum + lines[line].offset, sizeof(v));
	return v;
}

static void need_text(uint64_t ms, char buf[32])
{
	if (ms == UINT64_MAX)
		snprintf(buf, 32, "never");
	else
		snprintf(buf, 32, "%llu.%llu", (unsigned long long)(ms / 1000),
			 (unsigned long long)(ms % 1000 / 100));
}

static void print_text(const char *const *names, const struct sim_summary *sums, size_t n,
		       bool need)
{
	char text[32];

	printf("%-46s", "");
	for (size_t i = 0; i < n; i++)
		printf(" %14s", names[i]);
	putchar('\n');
	for (size_t line = 0; line < ARRAY_SIZE(lines); line++) {
		printf("%-46s", lines[line].text);
		for (size_t i = 0; i < n; i++)
			printf(" %14llu", (unsigned long long)value_of(&sums[i], line));
		putchar('\n');
	}
	printf("%-46s", "memory of the hosts granted (%)");
	for (size_t i = 0; i < n; i++)
		printf(" %14u", sums[i].granted);
	printf("\n%-46s", "average pressure");
	for (size_t i = 0; i < n; i++)
		printf(" %14u", sums[i].pressure);
	printf("%s", need ? "\nfrom the need of 256 MiB to having it (s)     " : "");
	for (size_t i = 0; i < n && need; i++) {
		need_text(sums[i].need_ms, text);
		printf(" %14s", text);
	}
	putchar('\n');
}

static int put_summary(struct json_object *o, const struct sim_summary *sum)
{
	int r = 0;

	for (size_t line = 0; line < ARRAY_SIZE(lines) && r == 0; line++)
		r = json_put_integer(o, lines[line].key, value_of(sum, line));
	if (r == 0)
		r = json_put_integer(o, "granted", sum->granted);
	if (r == 0)
		r = json_put_integer(o, "pressure", sum->pressure);
	if (r == 0 && sum->need_ms != UINT64_MAX)
		r = json_put_integer(o, "need-ms", sum->need_ms);
	return r;
}

static int print_json(const char *const *names, const struct sim_summary *sums, size_t n,
		      struct error *err)
{
	struct json_object *all = json_object_new_object();
	int r = all ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && r == 0; i++) {
		struct json_object *o = json_object_new_object();

		r = json_put(all, names[i], o);
		if (r == 0)
			r = put_summary(o, &sums[i]);
	}
	r = r < 0 ? error_set(err, r, "out of memory") : json_write(all, stdout, err);
	json_object_put(all);
	return r;
}

/* --- The whole. ----------------------------------------------------------------------------- */

static int choose(const char *word, const char **names, enum sim_policy *policies, size_t *ret,
		  struct error *err)
{
	static const char *const known[] = {[SIM_CANDELA] = "candela", [SIM_MOM] = "mom"};
	const bool both = word && strcmp(word, "both") == 0;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (!both && strcmp(word ? word : known[SIM_CANDELA], known[i]) != 0)
			continue;
		names[n] = known[i];
		policies[n++] = (enum sim_policy)i;
	}
	*ret = n;
	return n ? 0
		 : error_set(err, -EINVAL, "--policy: \"%.40s\": expected candela, mom or both",
			     word);
}

static int run(const struct balance_simulation *simulation, const struct balance_config *config,
	       const struct sim_spec *spec, struct series *series, struct error *err)
{
	const bool need = !spec->recorded && spec->scenario == SIM_NEED;
	enum sim_policy policies[2];
	struct sim_summary sums[2];
	const char *names[2];
	size_t n;
	int r = choose(simulation->policy, names, policies, &n, err);

	for (size_t i = 0; i < n && r == 0; i++)
		r = sim_run(spec, policies[i], &config->policy,
			    simulation->report && i == 0 ? series : NULL, &sums[i], err);
	if (r == 0 && simulation->report)
		r = balance_report_write(simulation->report, series, err);
	if (r < 0)
		return r;
	if (simulation->json)
		return print_json(names, sums, n, err);
	print_text(names, sums, n, need);
	return 0;
}

int balance_simulate(const struct balance_simulation *simulation,
		     const struct balance_config *config, struct error *err)
{
	struct series recorded, series;
	struct sim_spec spec;
	int r;

	series_init(&recorded);
	series_init(&series);
	r = read_trace(&spec, &recorded, simulation->trace, err);
	if (r == 0)
		r = run(simulation, config, &spec, &series, err);
	series_finish(&series);
	series_finish(&recorded);
	return r;
}
