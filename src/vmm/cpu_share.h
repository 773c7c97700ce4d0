// SPDX-License-Identifier: MIT
/*
 * Shares of the host's processors: weights, reserves and limits of virtual processors, turned into
 * the values of control groups. Pure arithmetic; docs/cpu.md has the reasons. No state; any thread.
 *
 * A claim is of one virtual processor (VP), as Hyper-V counts: a VM of four VPs has four. All
 * percentages are of one logical processor.
 */
#pragma once

#include <sched.h>

#include "vmm/error.h"

#define CPU_WEIGHT_DEFAULT 100u
#define CPU_WEIGHT_MAX     10000u /* Hyper-V's, and that of cpu.weight */
#define CPU_PERCENT_MAX    100u

/* Of all logical processors together, in percent: what may be reserved. The rest is the host's. */
#define CPU_RESERVABLE 95u

struct cpu_claim {
	uint32_t weight;  /* 1 to CPU_WEIGHT_MAX */
	uint32_t reserve; /* percent; 0: none */
	uint32_t limit;   /* percent; CPU_PERCENT_MAX: none */
	cpu_set_t cpus;   /* the logical processors that it may run on; not empty */
};

/* The same in both? */
bool cpu_claim_equal(const struct cpu_claim *a, const struct cpu_claim *b);

/*
 * A claim as text, "WEIGHT RESERVE LIMIT LIST": what VMs tell each other. cpu_claim_parse() takes
 * nothing else; -EINVAL.
 */
#define CPU_CLAIM_TEXT_MAX 4160
bool cpu_claim_print(const struct cpu_claim *claim, char *buf, size_t size);
int cpu_claim_parse(const char *text, struct cpu_claim *ret) must_check;

/*
 * cpu.weight of each claim, 1 to CPU_WEIGHT_MAX: its own weight, or more where its reserve needs
 * that while all others are busy. Without reserves they are the claims' weights. *ret_all is the
 * weight of them all beside what is outside: their sum, as far as there are such weights.
 */
int cpu_share_weights(const struct cpu_claim *claims, size_t count, uint32_t *ret_weights,
		      uint32_t *ret_all) must_check;

/* Processors on which more is reserved than there is. */
struct cpu_shortage {
	cpu_set_t cpus;
	uint64_t reservable; /* percent of one logical processor, altogether */
	uint64_t reserved;
};

/*
 * Is there room for all reserves? Looked at for each set of processors that claims are confined to,
 * for what overlapping ones make up, and for all of @host. -ENOSPC: not, and *ret says where.
 */
int cpu_share_check(const struct cpu_claim *claims, size_t count, const cpu_set_t *host,
		    struct cpu_shortage *ret) must_check;

/* What claims that may run nowhere else than on @cpus have reserved. */
uint64_t cpu_share_reserved(const struct cpu_claim *claims, size_t count, const cpu_set_t *cpus);

/* cpu.max of a limit: microseconds in each period; *ret_quota is 0 when there is no limit. */
void cpu_share_max(uint32_t limit, uint32_t *ret_quota, uint32_t *ret_period);
