// SPDX-License-Identifier: MIT
/*
 * The guest's CPUs: the per-CPU area, starting them, and running functions on them.
 *
 * CPU 0 runs test_main(). The others are started by smp_start_all(), in the order of the MADT's
 * entries (CPU i is the i-th enabled entry), and then sleep with interrupts on until CPU 0 hands
 * them something to run. Everything here is CPU 0's to call, but for cpu_index(), this_cpu() and
 * what a function run on another CPU needs.
 */
#pragma once

#include "kit/base.h"
#include "kit/trap.h"

#define CPUS_MAX 1024

/* The vector that wakes a sleeping CPU to look at its mailbox. */
#define SMP_VECTOR 0xf0

typedef void cpu_fn(void *arg);

struct cpu {
	struct cpu *self;   /* %gs:0 */
	uint64_t guard_rsp; /* %gs:8, see guarded_call() */
	uint32_t index;
	uint32_t apic_id; /* as the MADT has it */
	uint32_t arrival; /* place in the order of arrival at the startup code */
	uint32_t online;
	struct fault fault;
	/* Mailbox. @request and @done count; different: @fn is to run or runs. Written by CPU 0,
	 * @done by the CPU. */
	cpu_fn *fn;
	void *arg;
	uint32_t request;
	uint32_t done;
	uint64_t interrupts; /* handled interrupts of all vectors >= 32 */
	struct gdt gdt;
	struct tss tss;
};

/* Number of CPUs known: 1 before acpi_init(), then what the MADT lists, at most CPUS_MAX. */
unsigned int cpu_count(void);
struct cpu *cpu_get(unsigned int index);
/* NULL when no CPU has this APIC id. */
struct cpu *cpu_by_apic_id(uint32_t apic_id);

static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	__asm__("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

static inline uint32_t cpu_index(void)
{
	return this_cpu()->index;
}

/* At boot, on CPU 0: its area first, then the areas of what the MADT lists. */
void smp_init_boot_cpu(void);
void smp_add_cpu(uint32_t apic_id);

/*
 * INIT and startup IPIs to every CPU of the MADT but this one; true when all came online within
 * @timeout_ms. May be called again: CPUs that are online are left alone. With xAPIC, CPUs whose
 * id does not fit eight bits cannot be reached and are not counted.
 */
bool smp_start_all(uint64_t timeout_ms);
unsigned int smp_online(void);
/* How many CPUs came to the startup code since the last smp_start_all(). */
extern uint32_t ap_arrivals;

/*
 * Runs @fn(@arg) on CPU @index (also on the calling one) and waits for its end. False when that
 * took longer than @timeout_ms; the function may then still be running.
 */
bool smp_call(unsigned int index, cpu_fn *fn, void *arg, uint64_t timeout_ms);

/* Starts @fn(@arg) on every online CPU but this one; smp_wait_all() waits for the end of all. */
void smp_call_others(cpu_fn *fn, void *arg);
bool smp_wait_all(uint64_t timeout_ms);

/* For smp_call_others(), when a test wants busy CPUs: spins until the watchdog. */
void smp_spin(void *arg);
