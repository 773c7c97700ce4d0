// SPDX-License-Identifier: MIT
/* Settings of processors that have to fit each other. See config_cpus.h. */
#include "vmm/config_cpus.h"

#include <errno.h>
#include <stdio.h>

#include "vmm/cpu_list.h"
#include "vmm/cpu_place.h"
#include "vmm/cpu_share.h"

static int check_texts(const struct config_cpus *cpus, struct error *err)
{
	if (cpus->affinity && cpu_place_check_affinity(cpus->affinity, cpus->count) < 0)
		return error_set(err, -EINVAL,
				 "cpus.affinity: expected a list such as 0-3,8, or one for each of "
				 "the %u VPs with colons between, got \"%.80s\", because each VP "
				 "needs processors of the host below %d",
				 cpus->count, cpus->affinity, CPU_SETSIZE);
	if (cpus->nodes && cpu_place_check_nodes(cpus->nodes) < 0)
		return error_set(err, -EINVAL,
				 "cpus.nodes: expected auto, or a list such as 0 or 0-1, got "
				 "\"%.80s\", because memory and processors of such NUMA nodes are "
				 "used",
				 cpus->nodes);
	return 0;
}

/* How much the VPs that may only run on @cpus have, in percent of one logical processor. */
static uint64_t total_on(const struct config_cpus *config, const cpu_set_t *cpus, uint32_t percent)
{
	uint64_t sum = 0;
	cpu_set_t own;

	for (unsigned int vp = 0; vp < config->count; vp++) {
		cpu_place_affinity(config->affinity, vp, &own);
		if (cpu_list_within(&own, cpus))
			sum += percent;
	}
	return sum;
}

/* A reserve that no host could keep. */
static int check_confined(const struct config_cpus *cpus, struct error *err)
{
	char text[80];
	cpu_set_t own;

	for (unsigned int vp = 0; cpus->affinity && cpus->reserve && vp < cpus->count; vp++) {
		cpu_place_affinity(cpus->affinity, vp, &own);
		if (total_on(cpus, &own, cpus->reserve) <= 100ull * (unsigned int)CPU_COUNT(&own))
			continue;
		(void)cpu_list_print(&own, text, sizeof(text));
		return error_set(err, -EINVAL,
				 "cpus.reserve: expected at most %llu, got %u, because "
				 "cpus.affinity has %llu VPs share processors %s",
				 (unsigned long long)(100ull * (unsigned int)CPU_COUNT(&own) /
						      total_on(cpus, &own, 1)),
				 cpus->reserve, (unsigned long long)total_on(cpus, &own, 1), text);
	}
	return 0;
}

int config_cpus_check(const struct config_cpus *cpus, struct error *err)
{
	int r = check_texts(cpus, err);

	if (r < 0)
		return r;
	if (cpus->limit < cpus->reserve)
		return error_set(err, -EINVAL,
				 "cpus.limit: expected at least %u, got %u, because cpus.reserve "
				 "is %u",
				 cpus->reserve, cpus->limit, cpus->reserve);
	return check_confined(cpus, err);
}

int config_check_cpus(const struct vm_config *config, struct error *err)
{
	return config_cpus_check(&config->cpus, err);
}

/* --- Warnings. ------------------------------------------------------------------------------- */

struct sayer {
	void (*say)(void *ctx, const char *text);
	void *ctx;
};

static void warn_confined(const struct config_cpus *cpus, const struct sayer *sayer)
{
	char text[320], list[80];
	cpu_set_t own;

	for (unsigned int vp = 0; cpus->affinity && vp < cpus->count; vp++) {
		uint64_t sharing;

		cpu_place_affinity(cpus->affinity, vp, &own);
		sharing = total_on(cpus, &own, 1);
		if (sharing * cpus->limit <= 100ull * (unsigned int)CPU_COUNT(&own))
			continue;
		(void)cpu_list_print(&own, list, sizeof(list));
		snprintf(text, sizeof(text),
			 "cpus.affinity: %llu VPs share processors %s: busy all at once they get "
			 "%llu %% each, not %s%u %%",
			 (unsigned long long)sharing, list,
			 (unsigned long long)(100ull * (unsigned int)CPU_COUNT(&own) / sharing),
			 cpus->limit < 100 ? "the cpus.limit of " : "", cpus->limit);
		sayer->say(sayer->ctx, text);
		return;
	}
}

void config_cpus_warn(const struct config_cpus *cpus, void (*say)(void *ctx, const char *text),
		      void *ctx)
{
	const struct sayer sayer = {say, ctx};
	char text[256];

	if (cpus->reserve && cpus->reserve == cpus->limit && cpus->weight != CPU_WEIGHT_DEFAULT) {
		snprintf(text, sizeof(text),
			 "cpus.weight: %u has no effect: cpus.reserve and cpus.limit are both %u, "
			 "which leaves nothing to weigh",
			 cpus->weight, cpus->limit);
		say(ctx, text);
	}
	if (cpus->reserve == 100 && cpus->affinity && cpus->count == 1) {
		cpu_set_t own;

		cpu_place_affinity(cpus->affinity, 0, &own);
		if (CPU_COUNT(&own) == 1)
			say(ctx, "cpus.reserve: 100 with a cpus.affinity of one processor leaves "
				 "the host nothing of it, not even for the VM's own disks");
	}
	if (!cpus->nodes && cpus->node_memory != CONFIG_NODE_MEMORY_PREFER)
		say(ctx, "cpus.node-memory has no effect without cpus.nodes");
	warn_confined(cpus, &sayer);
}
