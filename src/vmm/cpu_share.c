// SPDX-License-Identifier: MIT
/*
 * Shares of processors. See cpu_share.h; admin-guide/cgroup-v2.rst of the kernel for what
 * cpu.weight and cpu.max take.
 */
#include "vmm/cpu_share.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cpu_list.h"

/* --- Claims. --------------------------------------------------------------------------------- */

bool cpu_claim_equal(const struct cpu_claim *a, const struct cpu_claim *b)
{
	return a->weight == b->weight && a->reserve == b->reserve && a->limit == b->limit &&
	       CPU_EQUAL(&a->cpus, &b->cpus);
}

bool cpu_claim_print(const struct cpu_claim *claim, char *buf, size_t size)
{
	int len = snprintf(buf, size, "%u %u %u ", claim->weight, claim->reserve, claim->limit);

	return len > 0 && (size_t)len < size &&
	       cpu_list_print(&claim->cpus, buf + len, size - (size_t)len);
}

int cpu_claim_parse(const char *text, struct cpu_claim *ret)
{
	struct cpu_claim claim;
	int len = 0, r;

	if (sscanf(text, "%5u %3u %3u %n", &claim.weight, &claim.reserve, &claim.limit, &len) < 3 ||
	    !len)
		return -EINVAL;
	if (claim.weight < 1 || claim.weight > CPU_WEIGHT_MAX || claim.limit < 1 ||
	    claim.limit > CPU_PERCENT_MAX || claim.reserve > claim.limit)
		return -EINVAL;
	r = cpu_list_parse(text + len, strlen(text + len), &claim.cpus);
	if (r < 0)
		return -EINVAL;
	*ret = claim;
	return 0;
}

/* --- Weights. -------------------------------------------------------------------------------- */

/*
 * A reserve of r is kept when a VP that runs on one processor with the others that are there has a
 * weight of r / (1 - r) times theirs. The kernel balances processors by weight, so what a VP meets
 * is as on the least loaded one: what the others weigh, spread over the processors it may use; and
 * there is the host's own work, as much as one busy thread of the usual priority. What one VP gets
 * more makes others need more; the rounds go up from the plain weights and end where nothing
 * changes, or at the factor beyond which reserves of nearly all there is would drive it.
 */
#define ROUNDS      32
#define FACTOR_MAX  100.0
#define HOST_WEIGHT 100.0 /* on each processor */

static void add_load(double load[CPU_SETSIZE], const struct cpu_claim *claim, double weight)
{
	const double part = weight / CPU_COUNT(&claim->cpus);

	for (unsigned int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &claim->cpus))
			load[i] += part;
}

/* Of the others, on one processor of those that the claim may use. */
static double load_beside(const double load[CPU_SETSIZE], const struct cpu_claim *claim,
			  double weight)
{
	double sum = 0;

	for (unsigned int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &claim->cpus))
			sum += load[i];
	return HOST_WEIGHT + max_of(sum - weight, 0.0) / CPU_COUNT(&claim->cpus);
}

static double wanted(const struct cpu_claim *claim, double beside, double most)
{
	const double r = claim->reserve / 100.0;

	if (claim->reserve >= CPU_PERCENT_MAX)
		return most;
	return min_of(max_of((double)claim->weight, beside * r / (1 - r)), most);
}

/* One round; false: nothing changed that matters. */
static bool raise(const struct cpu_claim *claims, size_t count, double most, double *weights)
{
	double load[CPU_SETSIZE] = {0};
	bool changed = false;

	for (size_t i = 0; i < count; i++)
		add_load(load, &claims[i], weights[i]);
	for (size_t i = 0; i < count; i++) {
		double want;

		if (!claims[i].reserve)
			continue;
		want = wanted(&claims[i], load_beside(load, &claims[i], weights[i]), most);
		if (want <= weights[i] + 0.01)
			continue;
		add_load(load, &claims[i], want - weights[i]);
		weights[i] = want;
		changed = true;
	}
	return changed;
}

static double largest(const double *values, size_t count)
{
	double v = 0;

	for (size_t i = 0; i < count; i++)
		v = max_of(v, values[i]);
	return v;
}

int cpu_share_weights(const struct cpu_claim *claims, size_t count, uint32_t *ret_weights,
		      uint32_t *ret_all)
{
	double *weights = calloc(count ? count : 1, sizeof(*weights));
	double scale = 1, sum = 0, top;
	bool reserves = false;

	if (!weights)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		weights[i] = claims[i].weight;
		reserves = reserves || claims[i].reserve;
	}
	top = FACTOR_MAX * largest(weights, count);
	for (unsigned int i = 0; reserves && i < ROUNDS; i++)
		if (!raise(claims, count, top, weights))
			break;
	top = largest(weights, count);
	if (top > CPU_WEIGHT_MAX)
		scale = CPU_WEIGHT_MAX / top;
	for (size_t i = 0; i < count; i++) {
		ret_weights[i] = (uint32_t)max_of(weights[i] * scale + 0.5, 1.0);
		sum += weights[i];
	}
	*ret_all = (uint32_t)min_of(max_of(sum + 0.5, 1.0), (double)CPU_WEIGHT_MAX);
	free(weights);
	return 0;
}

/* --- Reserves. ------------------------------------------------------------------------------- */

uint64_t cpu_share_reserved(const struct cpu_claim *claims, size_t count, const cpu_set_t *cpus)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		if (claims[i].reserve && cpu_list_within(&claims[i].cpus, cpus))
			sum += claims[i].reserve;
	return sum;
}

static int check_set(const struct cpu_claim *claims, size_t count, const cpu_set_t *cpus,
		     const cpu_set_t *host, struct cpu_shortage *ret)
{
	const uint32_t percent = cpu_list_within(host, cpus) ? CPU_RESERVABLE : CPU_PERCENT_MAX;
	const uint64_t reservable = (uint64_t)CPU_COUNT(cpus) * percent;
	const uint64_t reserved = cpu_share_reserved(claims, count, cpus);

	if (reserved <= reservable)
		return 0;
	*ret = (struct cpu_shortage){.cpus = *cpus, .reservable = reservable, .reserved = reserved};
	return -ENOSPC;
}

/* The next claim that reaches out of @cpus and into it; count: there is none. */
static size_t overlapping(const struct cpu_claim *claims, size_t count, const cpu_set_t *cpus)
{
	size_t i;

	for (i = 0; i < count; i++) {
		cpu_set_t both;

		CPU_AND(&both, &claims[i].cpus, cpus);
		if (claims[i].reserve && CPU_COUNT(&both) &&
		    !cpu_list_within(&claims[i].cpus, cpus))
			break;
	}
	return i;
}

/* From one claim's processors outwards. */
static int check_from(const struct cpu_claim *claims, size_t count, size_t first,
		      const cpu_set_t *host, struct cpu_shortage *ret)
{
	cpu_set_t cpus = claims[first].cpus;
	int r = check_set(claims, count, &cpus, host, ret);

	for (size_t i; r == 0 && (i = overlapping(claims, count, &cpus)) < count;) {
		CPU_OR(&cpus, &cpus, &claims[i].cpus);
		r = check_set(claims, count, &cpus, host, ret);
	}
	return r;
}

/* Has an earlier one the same processors? Most have. */
static bool seen(const struct cpu_claim *claims, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (claims[j].reserve && CPU_EQUAL(&claims[j].cpus, &claims[i].cpus))
			return true;
	return false;
}

int cpu_share_check(const struct cpu_claim *claims, size_t count, const cpu_set_t *host,
		    struct cpu_shortage *ret)
{
	cpu_set_t all = *host;
	int r = 0;

	for (size_t i = 0; i < count; i++)
		CPU_OR(&all, &all, &claims[i].cpus);
	for (size_t i = 0; i < count && r == 0; i++)
		if (claims[i].reserve && !seen(claims, i))
			r = check_from(claims, count, i, host, ret);
	return r < 0 ? r : check_set(claims, count, &all, host, ret);
}

/* --- Limits. --------------------------------------------------------------------------------- */

/* Short, so that a VP that is held back is not for long; a quota of less than 1 ms is refused. */
#define PERIOD_US    20000u
#define QUOTA_MIN_US 1000u

void cpu_share_max(uint32_t limit, uint32_t *ret_quota, uint32_t *ret_period)
{
	const uint32_t percent = max_of(PERIOD_US / 100, (QUOTA_MIN_US + limit - 1) / limit);

	*ret_period = percent * 100;
	*ret_quota = limit < CPU_PERCENT_MAX ? percent * limit : 0;
}
