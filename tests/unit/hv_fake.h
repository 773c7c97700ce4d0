// SPDX-License-Identifier: MIT
/*
 * A partition with its hypervisor interface, memory and VPs, but no KVM and no guest: the test does
 * what a guest would. It is the real thing, with the user engine unless another is asked for, on
 * the KVM of kvm_fake.h.
 *
 * Time stands still unless hv_fake_time() is called.
 */
#pragma once

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "hv-enlight/hv_internal.h"
#include "kvm_fake.h"

#define HV_FAKE_VPS 4
#define HV_FAKE_RAM MiB(1)

struct hv_fake {
	struct kvm kvm;
	struct irqchip chip;
	struct bus ports;
	struct vcpu_set set;
	struct vcpu vcpus[HV_FAKE_VPS];
	struct mem *mem;
	struct hv *hv;
	unsigned int resets, crashes, rooms;
	struct hv_crash crash;
	uint64_t crash_parameter;
};

static inline void hv_fake_on_reset(void *ctx)
{
	((struct hv_fake *)ctx)->resets++;
}

static inline void hv_fake_on_crash(void *ctx, const struct hv_crash *crash)
{
	struct hv_fake *f = ctx;

	f->crashes++;
	f->crash = *crash;
	/* What hears of it may look at the rest of the interface. */
	(void)!hv_read_msr(f->hv, &f->vcpus[0], HV_MSR_CRASH_P0, &f->crash_parameter);
}

static inline void hv_fake_on_room(void *ctx, unsigned int vp)
{
	((struct hv_fake *)ctx)->rooms++;
}

/* Reference time is @now, and stays so. */
static inline void hv_fake_time(struct hv_fake *f, uint64_t now)
{
	f->hv->time = (struct reftime){
		.by_tsc = true, .tsc_hz = 2000000000, .scale = 0, .offset = (int64_t)now};
}

static inline void hv_fake_init_vcpus(struct hv_fake *f)
{
	/* Kicks have nobody to wake here. */
	signal(SIGRTMIN, SIG_IGN);
	f->set = (struct vcpu_set){.kvm = &f->kvm,
				   .mem = f->mem,
				   .ports = &f->ports,
				   .vcpus = f->vcpus,
				   .count = HV_FAKE_VPS};
	for (unsigned int i = 0; i < HV_FAKE_VPS; i++) {
		f->vcpus[i] = (struct vcpu){.index = i,
					    .set = &f->set,
					    .fd = KVM_FAKE_CPU + (int)i,
					    .thread = pthread_self(),
					    .run = calloc(1, sizeof(struct kvm_run))};
		assert(f->vcpus[i].run);
	}
}

/* The leaves of a KVM that serves all it could. */
static inline struct kvm_cpuid2 *hv_fake_leaves(void)
{
	static struct {
		struct kvm_cpuid2 header;
		struct kvm_cpuid_entry2 entries[2];
	} leaves = {.header = {.nent = 2},
		    .entries = {{.function = HV_CPUID_FEATURES,
				 .eax = UINT32_MAX,
				 .ebx = UINT32_MAX,
				 .edx = UINT32_MAX},
				{.function = HV_CPUID_RECOMMENDATIONS, .eax = UINT32_MAX}}};

	return &leaves.header;
}

/*
 * With engine @engine, in memory that is theirs from now on, with every feature the engine serves
 * but those of @off.
 */
static inline void hv_fake_create_with(struct hv_fake *f, enum hv_engine_choice engine,
				       struct mem *mem, uint32_t off)
{
	static const struct hv_events events = {hv_fake_on_reset, hv_fake_on_crash};
	const struct hv_config config = {
		.engine = engine,
		.switches = {.on = HV_FEATURE_BIT(HV_FEATURE_IDLE) & ~off, .off = off},
		.spin_retries = 100,
		.events = &events,
		.events_ctx = f,
	};
	const struct hv_host host = {
		.kvm = &f->kvm,
		.mem = mem,
		.irqchip = &f->chip,
		.vcpus = &f->set,
		.vp_count = HV_FAKE_VPS,
		.first_slot = 2,
	};
	struct error err = {.text = ""};
	int r;

	memset(&kvm_fake, 0, sizeof(kvm_fake));
	*f = (struct hv_fake){.kvm = {.fd = KVM_FAKE, .vm_fd = KVM_FAKE_VM}, .mem = mem};
	f->kvm.caps[KVM_HAS_USER_SPACE_MSR] = f->kvm.caps[KVM_HAS_MSR_FILTER] = 1;
	if (engine == HV_ENGINE_KERNEL) {
		for (size_t i = 0; i < KVM_CAP_COUNT; i++)
			f->kvm.caps[i] = 1;
		kvm_fake.hv_cpuid = hv_fake_leaves();
	}
	f->chip.kvm = &f->kvm;
	hv_fake_init_vcpus(f);
	r = hv_create(&config, &host, &err, &f->hv);
	assert(r == 0);
	r = hv_attach(f->hv, &err);
	assert(r == 0);
	synic_set_room_callback(f->hv, hv_fake_on_room, f);
	hv_fake_time(f, 1000);
}

static inline void hv_fake_create_in(struct hv_fake *f, struct mem *mem, uint32_t off)
{
	hv_fake_create_with(f, HV_ENGINE_USER, mem, off);
}

static inline struct mem *hv_fake_memory(const struct mem_config *config)
{
	struct error err;
	struct mem *mem;
	int r = mem_create(config, &err, &mem);

	assert(r == 0);
	return mem;
}

static inline void hv_fake_create(struct hv_fake *f, uint32_t off)
{
	hv_fake_create_in(f, hv_fake_memory(&(struct mem_config){.size = HV_FAKE_RAM}), off);
}

static inline void hv_fake_destroy(struct hv_fake *f)
{
	hv_destroy(f->hv);
	for (unsigned int i = 0; i < HV_FAKE_VPS; i++)
		free(f->vcpus[i].run);
	mem_destroy(f->mem);
}

/* --- What a guest does on VP @vp. ------------------------------------------------------------ */

/* False: the access faults. */
static inline bool hv_fake_rdmsr(struct hv_fake *f, unsigned int vp, uint32_t msr, uint64_t *ret)
{
	return hv_read_msr(f->hv, &f->vcpus[vp], msr, ret) == VCPU_MSR_HANDLED;
}

static inline bool hv_fake_wrmsr(struct hv_fake *f, unsigned int vp, uint32_t msr, uint64_t value)
{
	return hv_write_msr(f->hv, &f->vcpus[vp], msr, value) == VCPU_MSR_HANDLED;
}

static inline uint64_t hv_fake_call(struct hv_fake *f, unsigned int vp, uint64_t control,
				    uint64_t input, uint64_t output)
{
	const struct hypercall_args args = {
		.control = control, .input = input, .output = output, .read_xmm = hv_read_xmm};

	return hv_hypercall(&f->hv->vps[vp], &args);
}

/* --- What KVM was asked to do. --------------------------------------------------------------- */

/* Interrupt @n of those sent since the beginning. */
static inline uint8_t hv_fake_vector(unsigned int n)
{
	return kvm_fake.msis[n % KVM_FAKE_LOG].data & 0xff;
}

static inline unsigned int hv_fake_target(unsigned int n)
{
	return kvm_fake.msis[n % KVM_FAKE_LOG].address_lo >> 12 & 0xff;
}
