// SPDX-License-Identifier: MIT
/* Groups of virtual processors. See cpu_group.h. */
#include "vmm/cpu_group.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "vmm/cgroup.h"
#include "vmm/cpu_fleet.h"

/* A thread that was joined leaves its group a little later. */
#define LEAVE_TRIES    200
#define LEAVE_PAUSE_NS NSEC_PER_MSEC

struct cpu_group {
	struct cpu_fleet fleet;
	char name[CPU_FLEET_NAME_MAX];
	unsigned int count;
	cpu_set_t host;
	struct cpu_claim *claims;
	int *dirs; /* of each VP's group; -1: none */
};

/* --- One VP's group. ------------------------------------------------------------------------- */

static void vp_name(const struct cpu_group *g, unsigned int vp, char buf[NAME_MAX + 1])
{
	snprintf(buf, NAME_MAX + 1, "%s" CPU_FLEET_VP "%u", g->name, vp);
}

static int put_claim(int dir, const struct cpu_claim *claim)
{
	char text[CPU_CLAIM_TEXT_MAX], max[32];
	uint32_t quota, period;

	if (!cpu_claim_print(claim, text, sizeof(text)))
		return -E2BIG;
	if (fsetxattr(dir, CPU_FLEET_XATTR, text, strlen(text), 0) < 0)
		return -errno;
	cpu_share_max(claim->limit, &quota, &period);
	if (quota)
		snprintf(max, sizeof(max), "%u %u", quota, period);
	else
		snprintf(max, sizeof(max), "max %u", period);
	return cgroup_write(dir, "cpu.max", max);
}

static int put_thread(int dir, pid_t thread)
{
	char text[16];

	snprintf(text, sizeof(text), "%ld", (long)thread);
	return cgroup_write(dir, "cgroup.threads", text);
}

static int make_vp(struct cpu_group *g, unsigned int vp, pid_t thread, struct error *err)
{
	char name[NAME_MAX + 1];
	int r = 0;

	vp_name(g, vp, name);
	if (mkdirat(g->fleet.fd, name, 0755) < 0 && errno != EEXIST)
		return error_errno(err, -errno, "cannot make the control group %s/%s",
				   g->fleet.path, name);
	g->dirs[vp] = openat(g->fleet.fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (g->dirs[vp] < 0)
		r = -errno;
	if (r == 0 && !cgroup_has_word(g->dirs[vp], "cgroup.type", "threaded"))
		r = cgroup_write(g->dirs[vp], "cgroup.type", "threaded");
	if (r == 0)
		r = put_claim(g->dirs[vp], &g->claims[vp]);
	if (r == 0)
		r = put_thread(g->dirs[vp], thread);
	return r < 0 ? error_errno(err, r, "cannot set up the control group %s/%s", g->fleet.path,
				   name)
		     : 0;
}

static void remove_vp(struct cpu_group *g, unsigned int vp)
{
	const struct timespec pause = {.tv_nsec = LEAVE_PAUSE_NS};
	char name[NAME_MAX + 1];

	if (g->dirs[vp] < 0)
		return;
	close(g->dirs[vp]);
	vp_name(g, vp, name);
	for (int i = 0; i < LEAVE_TRIES; i++) {
		if (unlinkat(g->fleet.fd, name, AT_REMOVEDIR) == 0 || errno != EBUSY)
			return;
		nanosleep(&pause, NULL);
	}
}

/* --- All VPs. -------------------------------------------------------------------------------- */

static int refuse(const struct cpu_shortage *shortage, uint64_t own, struct error *err)
{
	char cpus[128];

	if (!cpu_list_print(&shortage->cpus, cpus, sizeof(cpus)))
		strcpy(cpus + sizeof(cpus) - 4, "...");
	return error_set(
		err, -ENOSPC,
		"cpus.reserve: this VM reserves %llu %% of a logical processor, but of the "
		"%llu %% that VMs may reserve on processors %s only %llu %% are left: "
		"reserve less, or stop another VM",
		(unsigned long long)own, (unsigned long long)shortage->reservable, cpus,
		(unsigned long long)(shortage->reservable -
				     min_of(shortage->reservable, shortage->reserved - own)));
}

static bool any_reserve(const struct cpu_claim *claims, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (claims[i].reserve)
			return true;
	return false;
}

/* Are there others than @claims, and is there room for all? Under the lock. */
static int admit(const struct cpu_group *g, const struct cpu_claim *claims,
		 struct cpu_census *census, struct error *err)
{
	struct cpu_shortage shortage;
	char name[NAME_MAX + 1];
	int r = cpu_census_take(&g->fleet, g->name, census);

	for (unsigned int i = 0; i < g->count && r == 0; i++) {
		vp_name(g, i, name);
		r = cpu_census_add(census, name, &claims[i]);
	}
	if (r < 0)
		return error_errno(err, r, "cannot look at the control group %s", g->fleet.path);
	/* Weights alone never keep a VM from starting. */
	if (!any_reserve(claims, g->count))
		return 0;
	r = cpu_share_check(census->claims, census->count, &g->host, &shortage);
	return r < 0 ? refuse(&shortage, cpu_share_reserved(claims, g->count, &shortage.cpus), err)
		     : 0;
}

static int make_all(struct cpu_group *g, const pid_t *threads, struct error *err)
{
	struct cpu_census census = {0};
	int r = admit(g, g->claims, &census, err);

	for (unsigned int i = 0; i < g->count && r == 0; i++)
		r = make_vp(g, i, threads[i], err);
	if (r == 0) {
		r = cpu_census_apply(&g->fleet, &census);
		if (r < 0)
			error_errno(err, r, "cannot set the weights in %s", g->fleet.path);
	}
	cpu_census_free(&census);
	return r;
}

/* Threads that live on cannot be left where they are. Under the lock. */
static void undo(struct cpu_group *g, const pid_t *threads)
{
	for (unsigned int i = 0; i < g->count; i++) {
		if (g->dirs[i] >= 0)
			(void)!put_thread(g->fleet.parent_fd, threads[i]);
		remove_vp(g, i);
		g->dirs[i] = -1;
	}
}

static struct cpu_group *allocate(const struct cpu_group_config *config)
{
	struct cpu_group *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->fleet = config->fleet;
	g->count = config->count;
	g->host = config->host;
	g->claims = calloc(config->count, sizeof(*g->claims));
	g->dirs = calloc(config->count, sizeof(*g->dirs));
	if (!g->claims || !g->dirs) {
		free(g->claims);
		free(g->dirs);
		free(g);
		return NULL;
	}
	snprintf(g->name, sizeof(g->name), "%s-%ld", config->name, (long)getpid());
	for (unsigned int i = 0; i < g->count; i++) {
		g->claims[i] = config->claims[i];
		g->dirs[i] = -1;
	}
	return g;
}

int cpu_group_create(const struct cpu_group_config *config, struct error *err,
		     struct cpu_group **ret)
{
	struct cpu_group *g = allocate(config);
	int r;

	if (!g) {
		struct cpu_fleet fleet = config->fleet;

		cpu_fleet_close(&fleet);
		return error_set(err, -ENOMEM, "out of memory");
	}
	r = make_all(g, config->threads, err);
	if (r < 0) {
		undo(g, config->threads);
		cpu_group_destroy(g);
		return r;
	}
	cpu_fleet_unlock(&g->fleet);
	*ret = g;
	return 0;
}

void cpu_group_destroy(struct cpu_group *g)
{
	if (!g)
		return;
	for (unsigned int i = 0; i < g->count; i++)
		remove_vp(g, i);
	/* Else the next VM does it. */
	if (cpu_fleet_lock(&g->fleet, CPU_FLEET_HURRY_NS, NULL) == 0)
		cpu_fleet_tidy(&g->fleet);
	cpu_fleet_close(&g->fleet);
	free(g->claims);
	free(g->dirs);
	free(g);
}

static int change(struct cpu_group *g, const struct cpu_claim *claims, struct cpu_census *census,
		  struct error *err)
{
	int r = admit(g, claims, census, err);

	for (unsigned int i = 0; i < g->count && r == 0; i++) {
		if (cpu_claim_equal(&g->claims[i], &claims[i]))
			continue;
		r = put_claim(g->dirs[i], &claims[i]);
		if (r < 0)
			return error_errno(err, r, "cannot change the control group of VP %u", i);
		g->claims[i] = claims[i];
	}
	if (r == 0) {
		r = cpu_census_apply(&g->fleet, census);
		if (r < 0)
			error_errno(err, r, "cannot set the weights in %s", g->fleet.path);
	}
	return r;
}

int cpu_group_change(struct cpu_group *g, const struct cpu_claim *claims, struct error *err)
{
	struct cpu_census census = {0};
	int r = cpu_fleet_lock(&g->fleet, CPU_FLEET_HURRY_NS, err);

	if (r < 0)
		return r;
	r = change(g, claims, &census, err);
	cpu_census_free(&census);
	cpu_fleet_unlock(&g->fleet);
	return r;
}

/* --- What can be asked. ---------------------------------------------------------------------- */

const char *cpu_group_fleet(const struct cpu_group *g)
{
	return g->fleet.path;
}

const char *cpu_group_name(const struct cpu_group *g)
{
	return g->name;
}

int cpu_group_usage(const struct cpu_group *g, unsigned int vp, struct cpu_usage *ret)
{
	char text[1024], weight[16];
	int r;

	assert(vp < g->count);
	r = cgroup_read(g->dirs[vp], "cpu.stat", text, sizeof(text));
	if (r == 0)
		r = cgroup_read(g->dirs[vp], "cpu.weight", weight, sizeof(weight));
	if (r < 0)
		return r;
	*ret = (struct cpu_usage){
		.used_ns = cgroup_number(text, "usage_usec") * NSEC_PER_USEC,
		.throttled_ns = cgroup_number(text, "throttled_usec") * NSEC_PER_USEC,
		.periods = cgroup_number(text, "nr_periods"),
		.throttled_periods = cgroup_number(text, "nr_throttled"),
		.weight = (uint32_t)strtoul(weight, NULL, 10),
	};
	return 0;
}
