// SPDX-License-Identifier: MIT
/*
 * Places of virtual processors and memory. See cpu_place.h; for nodes the kernel's
 * Documentation/ABI/stable/sysfs-devices-node, and set_mempolicy(2).
 */
#include "vmm/cpu_place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/cpu_list.h"

/* --- Texts of the configuration. ------------------------------------------------------------- */

int cpu_place_check_affinity(const char *affinity, unsigned int count)
{
	unsigned int lists = 0;
	cpu_set_t ignored;

	for (const char *at = affinity;; at++) {
		const size_t len = strcspn(at, ":");

		if (cpu_list_parse(at, len, &ignored) < 0)
			return -EINVAL;
		lists++;
		at += len;
		if (!*at)
			break;
	}
	return lists == 1 || lists == count ? 0 : -EINVAL;
}

void cpu_place_affinity(const char *affinity, unsigned int vp, cpu_set_t *ret)
{
	const char *at = affinity;

	for (unsigned int i = 0; i < vp && strchr(at, ':'); i++)
		at = strchr(at, ':') + 1;
	CPU_ZERO(ret);
	(void)!cpu_list_parse(at, strcspn(at, ":"), ret);
}

int cpu_place_check_nodes(const char *nodes)
{
	cpu_set_t ignored;

	if (strcmp(nodes, CPU_PLACE_AUTO) == 0)
		return 0;
	return cpu_list_parse(nodes, strlen(nodes), &ignored) < 0 ? -EINVAL : 0;
}

/* --- The host. ------------------------------------------------------------------------------- */

static bool read_sys(const char *root, const char *name, char *buf, size_t size)
{
	char path[PATH_MAX];
	ssize_t len;
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/sys/devices/system/node/%s", root, name) >=
	    sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, buf, size - 1);
	close(fd);
	if (len <= 0)
		return false;
	buf[len] = '\0';
	return true;
}

static bool node_cpus(const char *root, unsigned int node, cpu_set_t *ret)
{
	char name[48], text[CPU_LIST_TEXT_MAX];

	snprintf(name, sizeof(name), "node%u/cpulist", node);
	return read_sys(root, name, text, sizeof(text)) &&
	       cpu_list_parse(text, strlen(text), ret) == 0;
}

/* Bytes; 0: unknown. "Node 0 MemFree:  123 kB" */
static uint64_t node_free(const char *root, unsigned int node)
{
	unsigned long long kib = 0;
	char name[48], text[4096];
	const char *at;

	snprintf(name, sizeof(name), "node%u/meminfo", node);
	if (!read_sys(root, name, text, sizeof(text)))
		return 0;
	at = strstr(text, "MemFree:");
	if (!at || sscanf(at, "MemFree: %llu", &kib) != 1)
		return 0;
	return KiB(kib);
}

static bool online_nodes(const char *root, cpu_set_t *ret)
{
	char text[CPU_LIST_TEXT_MAX];

	return read_sys(root, "online", text, sizeof(text)) &&
	       cpu_list_parse(text, strlen(text), ret) == 0;
}

/*
 * The node with the most free memory of those that have room for all of the VM. None: where it runs
 * is then left to the kernel, as it is on a host of one node.
 */
static void choose_node(const struct config_cpus *cpus, uint64_t memory, const char *root,
			struct cpu_place *place)
{
	uint64_t most = 0;
	cpu_set_t online;

	if (!online_nodes(root, &online) || CPU_COUNT(&online) < 2)
		return;
	for (unsigned int node = 0; node < CPU_SETSIZE; node++) {
		uint64_t available;
		cpu_set_t on;

		if (!CPU_ISSET(node, &online) || !node_cpus(root, node, &on))
			continue;
		CPU_AND(&on, &on, &place->allowed);
		available = node_free(root, node);
		if ((uint32_t)CPU_COUNT(&on) < cpus->count || available < memory ||
		    available <= most)
			continue;
		most = available;
		CPU_ZERO(&place->nodes);
		CPU_SET(node, &place->nodes);
	}
}

/* What is allowed on the nodes. */
static int confine(const char *root, struct cpu_place *place, struct error *err)
{
	cpu_set_t all, on;

	CPU_ZERO(&all);
	for (unsigned int node = 0; node < CPU_SETSIZE; node++) {
		if (!CPU_ISSET(node, &place->nodes))
			continue;
		if (!node_cpus(root, node, &on))
			return error_set(err, -ENOTSUP,
					 "cpus.nodes: this host has no NUMA node %u with "
					 "processors",
					 node);
		CPU_OR(&all, &all, &on);
	}
	CPU_AND(&place->usable, &all, &place->allowed);
	if (!CPU_COUNT(&place->usable))
		return error_set(err, -ENOTSUP,
				 "cpus.nodes: this process may not use any processor of these "
				 "nodes (taskset, cpuset)");
	return 0;
}

int cpu_place_find(const struct config_cpus *cpus, uint64_t memory, const char *root,
		   struct error *err, struct cpu_place *ret)
{
	struct cpu_place place;
	int r = 0;

	CPU_ZERO(&place.nodes);
	if (sched_getaffinity(0, sizeof(place.allowed), &place.allowed) < 0)
		return error_errno(err, -errno, "sched_getaffinity");
	place.usable = place.allowed;
	if (cpus->nodes && strcmp(cpus->nodes, CPU_PLACE_AUTO) == 0)
		choose_node(cpus, memory, root, &place);
	else if (cpus->nodes)
		(void)!cpu_list_parse(cpus->nodes, strlen(cpus->nodes), &place.nodes);
	if (CPU_COUNT(&place.nodes))
		r = confine(root, &place, err);
	if (r == 0)
		*ret = place;
	return r;
}

int cpu_place_vp(const struct cpu_place *place, const char *affinity, unsigned int vp,
		 struct error *err, cpu_set_t *ret)
{
	char wanted[96], usable[96];
	cpu_set_t cpus;

	if (!affinity) {
		*ret = place->usable;
		return 0;
	}
	cpu_place_affinity(affinity, vp, &cpus);
	if (cpu_list_within(&cpus, &place->usable) && CPU_COUNT(&cpus)) {
		*ret = cpus;
		return 0;
	}
	(void)cpu_list_print(&cpus, wanted, sizeof(wanted));
	(void)cpu_list_print(&place->usable, usable, sizeof(usable));
	return error_set(err, -ENOTSUP,
			 "cpus.affinity: VP %u cannot run on processors %s: this process may use "
			 "%s%s",
			 vp, wanted, usable, CPU_COUNT(&place->nodes) ? " on cpus.nodes" : "");
}

/* The most that one node has, of those in @nodes. */
static unsigned int largest_node(const char *root, const cpu_set_t *nodes)
{
	unsigned int most = 0;
	cpu_set_t on;

	for (unsigned int node = 0; node < CPU_SETSIZE; node++)
		if (CPU_ISSET(node, nodes) && node_cpus(root, node, &on))
			most = max_of(most, (unsigned int)CPU_COUNT(&on));
	return most;
}

void cpu_place_warn(const struct config_cpus *cpus, const char *root,
		    void (*say)(void *ctx, const char *text), void *ctx)
{
	unsigned int most;
	cpu_set_t set;
	char text[256];

	if (!online_nodes(root, &set) || CPU_COUNT(&set) < 2)
		return;
	if (cpus->nodes && strcmp(cpus->nodes, CPU_PLACE_AUTO) != 0)
		(void)!cpu_list_parse(cpus->nodes, strlen(cpus->nodes), &set);
	most = largest_node(root, &set);
	if (cpus->count <= most)
		return;
	snprintf(text, sizeof(text),
		 "cpus.count: %u VPs do not fit on one NUMA node, which has %u processors: memory "
		 "of another node is slower",
		 cpus->count, most);
	say(ctx, text);
}

/* --- Going there. ---------------------------------------------------------------------------- */

static int take_memory_from(const cpu_set_t *nodes, int mode)
{
	/* The kernel wants one bit more than it reads. */
	return syscall(SYS_set_mempolicy, mode, nodes, (unsigned long)CPU_SETSIZE + 1) < 0 ? -errno
											   : 0;
}

int cpu_place_enter(const struct cpu_place *place, enum config_node_memory memory,
		    struct error *err)
{
	static const int modes[] = {
		[CONFIG_NODE_MEMORY_PREFER] = 5, /* MPOL_PREFERRED_MANY, since Linux 5.15 */
		[CONFIG_NODE_MEMORY_BIND] = MPOL_BIND,
	};
	int r = 0;

	if (!CPU_COUNT(&place->nodes))
		return 0;
	if (sched_setaffinity(0, sizeof(place->usable), &place->usable) < 0)
		return error_errno(err, -errno, "cpus.nodes: sched_setaffinity");
	if (memory == CONFIG_NODE_MEMORY_ANY)
		return 0;
	r = take_memory_from(&place->nodes, modes[memory]);
	if (r == -EINVAL && memory == CONFIG_NODE_MEMORY_PREFER)
		r = take_memory_from(&place->nodes, MPOL_PREFERRED);
	return r < 0 ? error_errno(err, r, "cpus.nodes: cannot take memory from them") : 0;
}
