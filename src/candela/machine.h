// SPDX-License-Identifier: MIT
/*
 * The machine: composes guest memory, KVM, VPs, buses, interrupt lines and devices into one VM,
 * runs it on the calling thread's event loop, and says how it ended.
 *
 * One process runs one VM, but nothing here is global: two machines can exist in one test.
 */
#pragma once

#include "candela/exit_status.h"
#include "vmm/config.h"
#include "vmm/error.h"

struct hv;
struct machine;

/* How a VM ended. */
enum machine_end {
	MACHINE_POWER_OFF,
	MACHINE_RESET, /* only with on-reset=exit */
	MACHINE_CRASH, /* value: MACHINE_CRASH_REPORTED when the guest itself said so */
	MACHINE_PANIC,
	MACHINE_TIMEOUT,
	MACHINE_DEBUG_EXIT, /* value: what the guest wrote */
	MACHINE_SIGNAL,     /* value: the signal's number */
	MACHINE_QUIT,       /* the user's escape key */
	MACHINE_FAILED,     /* candela itself */
};

#define MACHINE_CRASH_REPORTED 1

struct machine_outcome {
	enum machine_end end;
	uint32_t value;
	char detail[640];
};

/*
 * Builds the machine up to the point where VP 0 would enter the guest. On failure *ret_status says
 * whose fault it is (STATUS_USAGE, STATUS_HOST or STATUS_INTERNAL). The configuration must outlive
 * the machine.
 */
int machine_create(const struct vm_config *config, struct error *err, enum exit_status *ret_status,
		   struct machine **ret) must_check;

/* What machine_run() calls once, when the VPs have been set going. */
void machine_when_running(struct machine *machine, void (*run)(void *ctx), void *ctx);

/* Runs until the VM ends. */
int machine_run(struct machine *machine, struct machine_outcome *ret_outcome,
		struct error *err) must_check;

/*
 * Tells whoever waits for the end on the control socket how it was: as result_write() has it. After
 * machine_run(), before machine_destroy(); blocks for a short time at most. NULL is fine.
 */
void machine_announce_end(struct machine *machine, const char *outcome, int status,
			  const char *detail);

void machine_destroy(struct machine *machine);

/* The process' exit status for an outcome, and a word for it. */
int machine_exit_status(const struct machine_outcome *outcome);
const char *machine_end_name(enum machine_end end);

/* Totals over all VPs of the counters in vmm/vcpu.h, by kind; while the machine exists. */
uint64_t machine_exits(const struct machine *machine, unsigned int kind);
/* The same of the ticks of the host's time stamp counter that handling them took. */
uint64_t machine_exit_ticks(const struct machine *machine, unsigned int kind);
/* The hypervisor interface, for its counters; NULL when the guest has none. */
const struct hv *machine_hv(const struct machine *machine);
/* Accesses that no device claimed. */
uint64_t machine_unclaimed(const struct machine *machine);
/* Nanoseconds of CLOCK_MONOTONIC at which VP 0 first entered the guest; 0 before. */
uint64_t machine_started_at(const struct machine *machine);
unsigned int machine_resets(const struct machine *machine);
/* The path of the control socket; NULL: there is none. */
const char *machine_control_path(const struct machine *machine);
