// SPDX-License-Identifier: MIT
/*
 * Facts about this host that only trying tells: KVM and a VM on it, guest RAM, io_uring, Landlock.
 *
 * Together with host.h these are what `candela host` shows. host_probe() opens and closes what it
 * tries; nothing stays behind. No state; any thread.
 */
#pragma once

#include "vmm/error.h"
#include "vmm/host.h"
#include "vmm/kvm.h"

enum host_kvm_state {
	HOST_KVM_OK,
	HOST_KVM_MISSING,
	HOST_KVM_NO_PERMISSION,
	HOST_KVM_INCAPABLE, /* a required capability is missing */
	HOST_KVM_BROKEN,    /* it opens, but no VM can be created */
};

/* What serves a guest's Hyper-V interface; see the configuration's hyperv.engine. */
enum host_engine { HOST_ENGINE_NONE, HOST_ENGINE_USER, HOST_ENGINE_KERNEL };

#define HOST_HV_LEAVES_MAX 32

struct host_probe {
	enum host_kvm_state kvm_state;
	struct error kvm_error; /* what kvm_open() or kvm_create_vm() says, unless HOST_KVM_OK */

	struct kvm kvm;  /* closed; its capabilities are zero when it did not open */
	bool kvm_opened; /* what follows is known */
	int api_version;
	unsigned int usual_vcpus; /* as many as KVM recommends for a VM; 0: unknown */
	uint64_t tsc_khz;         /* of a new VM; 0: unknown */
	uint32_t hv_leaves;       /* in hv[]: the CPUID leaves of KVM's own Hyper-V features */
	struct kvm_cpuid_entry2 hv[HOST_HV_LEAVES_MAX];

	bool io_uring;            /* an event loop can be made */
	bool io_uring_restricted; /* its ring takes candela's operations only */
	struct error io_uring_error;
	bool ram_huge;    /* guest RAM can have transparent huge pages */
	int landlock_abi; /* 0: no Landlock */
	bool cpu_groups;  /* weights, reserves and limits of CPUs can be had */
	struct error cpu_groups_error;
};

void host_probe(struct host_probe *probe);

/* Why no VM can run on this host; NULL when one can. */
const struct error *host_obstacle(const struct host_probe *probe);

/*
 * The engine that hyperv.engine=auto gets on a KVM with these capabilities. It must say what the
 * engines of src/hv-enlight ask for.
 */
enum host_engine host_engine(const struct kvm *kvm);

/*
 * True when KVM works although the processor shows no extension for it: such a KVM runs the
 * guest's kernel by software, and need not run every kernel.
 */
bool host_software_kvm(const struct host *host, const struct host_probe *probe);

/* A feature of KVM's own Hyper-V interface, a bit in one of the leaves. TLFS 2.4. */
struct host_hv_feature {
	uint32_t leaf;
	uint8_t reg; /* 0 to 3: EAX, EBX, ECX, EDX */
	uint8_t bit;
	const char *name; /* stable: programs read it */
};

extern const struct host_hv_feature host_hv_features[];
extern const size_t host_hv_feature_count;

bool host_hv_has(const struct host_probe *probe, const struct host_hv_feature *feature);
