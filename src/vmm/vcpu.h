// SPDX-License-Identifier: MIT
/*
 * Virtual processors: one host thread each (the "vCPU"), VP index = KVM vCPU id = APIC id.
 *
 * The set of VPs is stopped and started as a whole by the loop's thread. A stopped VP has no I/O
 * pending in KVM, so its state may be read and written. Exits are dispatched through a const table;
 * port and MMIO accesses go to the buses, the rest to the owner's hooks. Exits are counted per VP
 * and kind with the time stamp ticks their handling took.
 */
#pragma once

#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>

#include "vmm/bus.h"
#include "vmm/counter.h"
#include "vmm/kvm.h"
#include "vmm/mem.h"
#include "vmm/vcpu_state.h"

struct vcpu;

/* Why a VP cannot go on. */
enum vcpu_end {
	VCPU_END_TRIPLE_FAULT,
	VCPU_END_INTERNAL_ERROR, /* KVM cannot run it: emulation failure, failed entry, bad state */
	VCPU_END_HOST_ERROR,     /* KVM_RUN failed, exit reason unknown */
	VCPU_END_SYSTEM_RESET,   /* KVM_EXIT_SYSTEM_EVENT */
	VCPU_END_SYSTEM_OFF,
	VCPU_END_SYSTEM_CRASH,
};

enum vcpu_msr { VCPU_MSR_HANDLED, VCPU_MSR_FAULT };

/* What the machine does for its VPs. Called on the thread of the VP, several at once. */
struct vcpu_hooks {
	/*
	 * What the thread does once, before anything else; -errno ends the machine. The VP's timer
	 * and name are there already: what follows needs few system calls.
	 */
	int (*begin)(void *ctx);
	/* Mandatory. The VP has parked itself; the machine decides what follows. */
	void (*ended)(void *ctx, struct vcpu *vcpu, enum vcpu_end end, const char *detail);
	/* For a machine that has MSRs sent to it (KVM_CAP_X86_USER_SPACE_MSR). */
	enum vcpu_msr (*read_msr)(void *ctx, struct vcpu *vcpu, uint32_t index, uint64_t *ret);
	enum vcpu_msr (*write_msr)(void *ctx, struct vcpu *vcpu, uint32_t index, uint64_t value);
	/* Output to one of the set's hook ports, which needs to know the VP and its registers. */
	void (*hook_port)(void *ctx, struct vcpu *vcpu, uint16_t port, uint32_t value);
	/* KVM_EXIT_HYPERV: answers go into vcpu->run. */
	void (*hyperv)(void *ctx, struct vcpu *vcpu);
	/* The VP left the guest because of vcpu_kick() or its timer (vcpu_set_timer()). */
	void (*kicked)(void *ctx, struct vcpu *vcpu);
};

/* Kinds of exits to us, for the counters. */
enum vcpu_exit {
	VCPU_EXIT_PORT,
	VCPU_EXIT_MMIO,
	VCPU_EXIT_MSR,
	VCPU_EXIT_HYPERV,
	VCPU_EXIT_KICK,
	VCPU_EXIT_OTHER,
	VCPU_EXIT_KINDS
};

extern const char *const vcpu_exit_names[VCPU_EXIT_KINDS];

struct vcpu {
	unsigned int index;
	struct vcpu_set *set;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool has_thread;
	pid_t tid;  /* of the thread; 0: not known yet; protected by the set's lock */
	bool ended; /* parked until the next reset; protected by the set's lock */
	struct vcpu_state *initial;
	timer_t timer; /* sends the kick signal to the thread */
	bool has_timer;
	struct counter exits[VCPU_EXIT_KINDS];
	struct counter exit_ticks[VCPU_EXIT_KINDS];
};

enum vcpu_set_goal { VCPU_SET_STOPPED, VCPU_SET_RUNNING, VCPU_SET_QUIT };

struct vcpu_set {
	struct kvm *kvm;
	struct mem *mem;
	struct bus *ports;
	struct bus *mmio;
	const struct vcpu_hooks *hooks;
	void *ctx;
	/* Ports that go to hooks->hook_port instead of the bus; none when the count is 0. */
	uint16_t hook_port;
	uint16_t hook_port_count;
	struct vcpu *vcpus;
	unsigned int count;

	pthread_mutex_t lock; /* protects the fields below, vcpu.ended and .tid */
	pthread_cond_t changed;
	_Atomic int goal;      /* enum vcpu_set_goal; written under the lock, read without it */
	unsigned int in_guest; /* threads that have not parked */
};

/*
 * Creates @count VPs with @cpuid's leaves (an array of ready tables, see cpuid.h, is made per VP
 * from it) and remembers their power-on state. The fields before vcpus are filled by the caller.
 */
struct cpuid_table;
int vcpu_set_init(struct vcpu_set *set, unsigned int count, struct cpuid_table *cpuid,
		  struct error *err) must_check;
/* Stops the threads, joins them, frees everything. Harmless on a zeroed set. */
void vcpu_set_finish(struct vcpu_set *set);

/* Creates the threads, stopped. */
int vcpu_set_start(struct vcpu_set *set, struct error *err) must_check;

/* Returns when each thread has said who it is (vcpu.tid). After vcpu_set_start(). */
void vcpu_set_await_threads(struct vcpu_set *set);

/* Lets all VPs run. */
void vcpu_set_run(struct vcpu_set *set);
/* Stops all VPs; returns when each has left the guest and parked. Not from a vCPU thread. */
void vcpu_set_stop(struct vcpu_set *set);

/* While stopped: every VP back to its power-on state. */
int vcpu_set_reset(struct vcpu_set *set, struct error *err) must_check;

/* Makes a VP leave the guest soon, without stopping it. Any thread. */
void vcpu_kick(struct vcpu *vcpu);

/*
 * The VP's own timer: kicks it at @ns of CLOCK_MONOTONIC, once; 0 cancels. Its own thread only.
 */
void vcpu_set_timer(struct vcpu *vcpu, uint64_t ns);

/*
 * General registers at an exit, and changed ones for the way back in. Through the synced registers
 * of kvm_run where KVM has them, else by ioctl. The VP's own thread, while it is out of the guest.
 */
int vcpu_get_regs(struct vcpu *vcpu, struct kvm_regs *regs) must_check;
int vcpu_set_regs(struct vcpu *vcpu, const struct kvm_regs *regs) must_check;

/* Writes a model-specific register as the host, not as the guest would. -EINVAL: KVM refuses. */
int vcpu_set_msr(struct vcpu *vcpu, uint32_t index, uint64_t value) must_check;

/*
 * Halts the VP, as HLT would, when it next enters the guest: it goes on with the next interrupt.
 * Does nothing while interrupts are off, as nothing would wake it. Its own thread.
 */
int vcpu_idle(struct vcpu *vcpu) must_check;

/* Raises #UD in the VP when it goes back into the guest. Its own thread. */
int vcpu_raise_undefined(struct vcpu *vcpu) must_check;

/* Logs registers and the instruction bytes, once, for a VP that cannot go on. Its own thread. */
void vcpu_dump(struct vcpu *vcpu);
