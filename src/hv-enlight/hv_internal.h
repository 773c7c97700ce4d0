// SPDX-License-Identifier: MIT
/*
 * The inside of a partition's hypervisor interface, for the files of this folder alone.
 */
#pragma once

#include "hv-enlight/hv.h"
#include "hv-enlight/hypercall.h"
#include "hv-enlight/overlay.h"
#include "hv-enlight/reftime.h"
#include "hv-enlight/stimer.h"
#include "hv-enlight/synic.h"
#include "hv-enlight/synic_vp.h"
#include "vmm/log.h"

struct hv_vp;

/*
 * An engine: who serves what the guest cannot tell apart. The rules (what is valid, what faults,
 * where pages lie) are the same for both and stand outside. All members are mandatory; those of VPs
 * run on the VP's thread unless said otherwise.
 */
struct hv_engine {
	const char *name;
	/* The features it can serve on a host with these leaves of KVM's own Hyper-V interface. */
	uint32_t (*served)(const struct kvm *kvm, const struct kvm_cpuid_entry2 *leaves,
			   uint32_t count);
	/* Tells KVM, before vCPUs exist and after each was created. */
	int (*init_vm)(struct hv *hv, struct error *err);
	int (*init_vp)(struct hv_vp *vp, struct error *err);
	void (*reset_vp)(struct hv_vp *vp); /* stopped */
	void (*finish_vp)(struct hv_vp *vp);

	/* Writes the code of an enabled hypercall page. */
	int (*fill_hypercall_page)(struct hv_vp *vp, uint64_t msr);
	/* A page MSR other than that changed (SIMP, SIEFP, VP assist, reference TSC). */
	int (*page_msr)(struct hv_vp *vp, uint32_t index, uint64_t value);
	/* The MSRs whose state is the engine's: SCONTROL, EOM, SINTs, timers, APIC. */
	enum vcpu_msr (*read_msr)(struct hv_vp *vp, uint32_t index, uint64_t *ret);
	enum vcpu_msr (*write_msr)(struct hv_vp *vp, uint32_t index, uint64_t value);

	void (*hook_port)(struct hv_vp *vp, uint16_t port, uint32_t value);
	void (*exit)(struct hv_vp *vp);
	void (*kicked)(struct hv_vp *vp);

	/* Any thread. */
	uint64_t (*reference_time)(const struct hv *hv);
	/* Any thread; as in synic.h. */
	int (*post)(struct hv_vp *vp, unsigned int sint, const struct hv_message *message);
	int (*signal)(struct hv_vp *vp, unsigned int sint, unsigned int flag);
	int (*bind_event)(struct hv *hv, uint32_t id, int fd);
	void (*unbind_event)(struct hv *hv, uint32_t id, int fd);
};

extern const struct hv_engine hv_engine_kernel, hv_engine_user;

/* Pages of a VP that an MSR places. */
enum hv_vp_page { HV_PAGE_ASSIST, HV_PAGE_SIMP, HV_PAGE_SIEFP, HV_VP_PAGES };
/* Pages of the partition. */
enum hv_vm_page { HV_PAGE_HYPERCALL, HV_PAGE_REFERENCE_TSC, HV_VM_PAGES };

struct hv_page {
	struct overlay overlay;
	uint64_t msr;
};

struct hv_vp_counters {
	struct counter hypercalls[HYPERCALL_CLASSES];
	struct counter hypercall_ticks[HYPERCALL_CLASSES];
	struct counter msr_reads;
	struct counter msr_writes;
	struct counter msr_faults;
	struct counter kicks;
};

struct hv_vp {
	struct hv *hv;
	struct vcpu *vcpu;
	unsigned int index;
	struct hv_page pages[HV_VP_PAGES]; /* its own thread */
	struct hv_vp_counters counters;

	/* In the kernel engine only the queues, and the pages for writing into. */
	struct synic_vp synic;
	struct irqchip_msi sint_lines[HV_SINT_COUNT]; /* kernel engine; protected by synic's lock */

	/* User engine. */
	uint64_t scontrol; /* its own thread, as are the timers */
	uint64_t icr;      /* as written, where the APIC does not keep it; else 0 */
	struct stimers timers;
	_Atomic uint64_t auto_eoi[4]; /* vectors delivered whose end is ours to say */
	uint64_t auto_eoi_poll_ns;
};

struct hv_connection {
	uint32_t id;
	/* One of these three: a message handler, an event handler, an event's descriptor. */
	synic_message_handler *handler;
	synic_event_handler *event;
	int fd; /* else -1 */
	void *ctx;
};

#define HV_CONNECTIONS_MAX 4096

#define HV_MSR_FILTER_BYTES ((HV_MSR_LAST - HV_MSR_FIRST + 1) / 8)

struct hv {
	const struct hv_engine *engine;
	struct hv_host host;
	const struct hv_events *events;
	void *events_ctx;
	uint32_t features;
	uint32_t spin_retries;
	struct reftime time;
	struct overlay_set overlays;
	struct hypercall_table hypercalls;
	struct hv_vp *vps;

	_Atomic bool hypercalls_open; /* the hypercall page is enabled; for whoever has no lock */
	struct log_limit page_log;

	pthread_mutex_t lock; /* protects guest_os_id, pages, crash */
	uint64_t guest_os_id;
	struct hv_page pages[HV_VM_PAGES];
	uint64_t crash[5];

	pthread_mutex_t connections_lock; /* protects the table; held while a handler runs */
	struct hv_connection *connections;
	size_t connection_count, connection_room;

	void (*room)(void *ctx, unsigned int vp);
	void *room_ctx;
};

static inline bool hv_has(const struct hv *hv, enum hv_feature feature)
{
	return hv->features & HV_FEATURE_BIT(feature);
}

/* hv_calls.c: the table of hypercalls; handlers get the calling struct hv_vp. */
extern const struct hypercall_row hv_call_table[];
extern const size_t hv_call_count;

/* engine.c: what both engines do alike. */
int hv_read_xmm(void *vp, uint8_t *xmm);
/* Tells KVM which of HV_MSR_FIRST... @bitmap lets it serve itself (1) and which come to us (0). */
int hv_filter_msrs(struct hv *hv, uint8_t *bitmap, struct error *err);

/* Runs a hypercall of @vp and counts it. */
uint64_t hv_hypercall(struct hv_vp *vp, const struct hypercall_args *args);

/* synic.c: the guest's side of connections. Connection ids above 24 bits do not exist. */
enum hv_status hv_post_from_guest(struct hv *hv, uint32_t id, uint32_t type, const uint8_t *payload,
				  size_t len);
enum hv_status hv_signal_from_guest(struct hv *hv, uint32_t id, uint16_t flag);
