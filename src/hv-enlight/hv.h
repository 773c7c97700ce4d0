// SPDX-License-Identifier: MIT
/*
 * The hypervisor interface of one partition: what the machine creates, wires to its VPs and resets.
 *
 * Everything the guest does arrives on the thread of the VP that did it, through the vcpu hooks
 * that the machine forwards here. Messages and events from the host arrive through synic.h.
 */
#pragma once

#include "hv-enlight/hv_features.h"
#include "vmm/bus.h"
#include "vmm/irqchip.h"
#include "vmm/vcpu.h"

struct hv;

enum hv_engine_choice { HV_ENGINE_AUTO, HV_ENGINE_KERNEL, HV_ENGINE_USER };

/* What the guest reported through the crash MSRs. */
struct hv_crash {
	uint64_t parameters[5];
	/* ASCII text, lines ended by \n; empty when the guest gave none. */
	char message[PAGE_SIZE + 1];
};

/* Mandatory all. On a VP's thread. */
struct hv_events {
	void (*reset)(void *ctx);
	void (*crash)(void *ctx, const struct hv_crash *crash);
};

struct hv_config {
	enum hv_engine_choice engine;
	struct hv_feature_switches switches;
	uint32_t spin_retries; /* 0: never notify */
	const struct hv_events *events;
	void *events_ctx;
};

/* The parts of the machine that it works on; all must outlive it. */
struct hv_host {
	struct kvm *kvm;
	struct mem *mem;
	struct irqchip *irqchip;
	struct vcpu_set *vcpus;
	unsigned int vp_count;
	unsigned int first_slot; /* KVM memory slots from here on are free for overlay pages */
};

/*
 * Chooses the engine and the features. After kvm_create_vm(), before the vCPUs are created: it
 * tells KVM which MSRs are ours and claims the hook ports of @host->vcpus. -ENOTSUP, with text,
 * when the host or the engine does not serve what was asked for.
 */
int hv_create(const struct hv_config *config, const struct hv_host *host, struct error *err,
	      struct hv **ret) must_check;
void hv_destroy(struct hv *hv);

/* Adds the CPUID leaves. */
int hv_add_cpuid(struct hv *hv, struct cpuid_table *table, struct error *err) must_check;

/* After the vCPUs were created: starts reference time at 0. */
int hv_attach(struct hv *hv, struct error *err) must_check;

/* Power-on state but for reference time, which goes on. While the VPs are stopped. */
void hv_reset(struct hv *hv);

/*
 * The features, bits of enum hv_feature, that engine @choice (not auto) serves on a host with the
 * capabilities of @kvm and @leaves of KVM_GET_SUPPORTED_HV_CPUID; 0: it cannot be used there.
 */
uint32_t hv_engine_serves(enum hv_engine_choice choice, const struct kvm *kvm,
			  const struct kvm_cpuid_entry2 *leaves, uint32_t count);

const char *hv_engine_name(const struct hv *hv);
uint32_t hv_features(const struct hv *hv);
/* False: the reference TSC page says that it cannot be used. */
bool hv_has_reference_tsc(const struct hv *hv);
/* In 100 ns, what the guest reads now. After hv_attach(); any thread. */
uint64_t hv_reference_time(const struct hv *hv);

/* --- The vcpu hooks that lead here. -------------------------------------------------------- */

enum vcpu_msr hv_read_msr(struct hv *hv, struct vcpu *vcpu, uint32_t index, uint64_t *ret);
enum vcpu_msr hv_write_msr(struct hv *hv, struct vcpu *vcpu, uint32_t index, uint64_t value);
void hv_hook_port(struct hv *hv, struct vcpu *vcpu, uint16_t port, uint32_t value);
void hv_exit(struct hv *hv, struct vcpu *vcpu);
void hv_kicked(struct hv *hv, struct vcpu *vcpu);
