// SPDX-License-Identifier: MIT
/*
 * A partition's hypervisor interface: choosing the engine, wiring, reset.
 */
#include "hv-enlight/hv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <x86intrin.h>

#include "hv-enlight/hv_internal.h"

#define MSR_TSC 0x10

/* Offsets of VPs created one after the other differ by no more than this where KVM aligned them. */
#define TSC_SLACK_NS 20000

/* --- Creation. ----------------------------------------------------------------------------- */

#define HV_LEAVES_MAX 64

/* What KVM itself serves: nothing where it says nothing. */
static uint32_t served_by(const struct hv_engine *engine, const struct kvm *kvm)
{
	struct {
		struct kvm_cpuid2 header;
		struct kvm_cpuid_entry2 entries[HV_LEAVES_MAX];
	} leaves = {.header = {.nent = HV_LEAVES_MAX}};

	if (!kvm_has(kvm, KVM_HAS_HYPERV_CPUID) ||
	    ioctl(kvm->fd, KVM_GET_SUPPORTED_HV_CPUID, &leaves) < 0)
		leaves.header.nent = 0;
	return engine->served(kvm, leaves.entries, leaves.header.nent);
}

static int try_engine(struct hv *hv, const struct hv_engine *engine,
		      const struct hv_feature_switches *switches, struct error *err)
{
	uint32_t served = served_by(engine, hv->host.kvm);

	if (!served)
		return error_set(err, -ENOTSUP,
				 "hyperv.engine: KVM on this host lacks what engine \"%s\" needs; "
				 "\"candela host\" shows what is missing",
				 engine->name);
	hv->engine = engine;
	return hv_features_resolve(served, switches, engine->name, err, &hv->features);
}

/* Left to choose: the kernel's, unless it lacks something that was asked for. */
static int choose_engine(struct hv *hv, const struct hv_config *config, struct error *err)
{
	switch (config->engine) {
	case HV_ENGINE_KERNEL:
		return try_engine(hv, &hv_engine_kernel, &config->switches, err);
	case HV_ENGINE_USER:
		return try_engine(hv, &hv_engine_user, &config->switches, err);
	case HV_ENGINE_AUTO:
		break;
	}
	if (try_engine(hv, &hv_engine_kernel, &config->switches, err) == 0)
		return 0;
	return try_engine(hv, &hv_engine_user, &config->switches, err);
}

static int create_pages(struct hv *hv, struct error *err)
{
	unsigned int pages = HV_VM_PAGES + hv->host.vp_count * HV_VP_PAGES;
	int r = overlay_set_init(&hv->overlays, hv->host.kvm, hv->host.mem, pages,
				 hv->host.first_slot, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < HV_VM_PAGES; i++)
		overlay_init(&hv->pages[i].overlay, &hv->overlays);
	for (unsigned int v = 0; v < hv->host.vp_count; v++) {
		hv->vps[v].hv = hv;
		hv->vps[v].index = v;
		for (size_t i = 0; i < HV_VP_PAGES; i++)
			overlay_init(&hv->vps[v].pages[i].overlay, &hv->overlays);
	}
	return 0;
}

int hv_create(const struct hv_config *config, const struct hv_host *host, struct error *err,
	      struct hv **ret)
{
	struct hv *hv = calloc(1, sizeof(*hv));
	int r = -ENOMEM;

	if (!hv)
		return error_set(err, -ENOMEM, "out of memory");
	hv->host = *host;
	hv->events = config->events;
	hv->events_ctx = config->events_ctx;
	hv->spin_retries = config->spin_retries;
	pthread_mutex_init(&hv->lock, NULL);
	pthread_mutex_init(&hv->connections_lock, NULL);
	hv->vps = calloc(host->vp_count, sizeof(*hv->vps));
	if (!hv->vps) {
		error_set(err, r, "out of memory");
		goto destroy;
	}
	r = choose_engine(hv, config, err);
	if (r < 0)
		goto destroy;
	r = create_pages(hv, err);
	if (r < 0)
		goto destroy;
	hv->hypercalls = (struct hypercall_table){
		.rows = hv_call_table,
		.count = hv_call_count,
		.mem = host->mem,
		.features = hv->features,
		.xmm_feature = HV_FEATURE_BIT(HV_FEATURE_XMM_INPUT),
	};
	r = hv->engine->init_vm(hv, err);
	if (r < 0)
		goto destroy;
	*ret = hv;
	return 0;

destroy:
	hv_destroy(hv);
	return r;
}

void hv_destroy(struct hv *hv)
{
	if (!hv)
		return;
	for (unsigned int i = 0; hv->engine && hv->vps && i < hv->host.vp_count; i++)
		hv->engine->finish_vp(&hv->vps[i]);
	overlay_set_finish(&hv->overlays);
	free(hv->connections);
	free(hv->vps);
	pthread_mutex_destroy(&hv->connections_lock);
	pthread_mutex_destroy(&hv->lock);
	free(hv);
}

int hv_add_cpuid(struct hv *hv, struct cpuid_table *table, struct error *err)
{
	const struct hv_cpuid_config config = {
		.features = hv->features,
		.max_vps = hv->host.vp_count,
		.spin_retries = hv->spin_retries ? hv->spin_retries : HV_SPIN_NEVER,
		.hardware = HV_HW_SLAT | HV_HW_MSR_BITMAPS,
	};
	int r = hv_cpuid_add(table, &config);

	return r < 0 ? error_set(err, r, "too many CPUID leaves") : 0;
}

/* --- Reference time. ----------------------------------------------------------------------- */

/* Guest TSC minus host TSC, as closely as one ioctl lets us see it. */
static int tsc_delta(const struct vcpu *vcpu, int64_t *ret)
{
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entry;
	} msrs = {.header = {.nmsrs = 1}, .entry = {.index = MSR_TSC}};
	uint64_t before, after, best = UINT64_MAX;

	/* The tightest of a few readings. */
	for (int i = 0; i < 5; i++) {
		before = __rdtsc();
		if (ioctl(vcpu->fd, KVM_GET_MSRS, &msrs) != 1)
			return -EIO;
		after = __rdtsc();
		if (after - before >= best)
			continue;
		best = after - before;
		*ret = (int64_t)(msrs.entry.data - (before + best / 2));
	}
	return 0;
}

/*
 * The guest's TSC carries reference time when its rate is known and it is the same on every VP. KVM
 * gives VPs created within a second of each other the same offset.
 */
static uint64_t usable_tsc_hz(struct hv *hv, int64_t *ret_delta)
{
	const struct vcpu_set *set = hv->host.vcpus;
	int khz = ioctl(set->vcpus[0].fd, KVM_GET_TSC_KHZ, 0);
	int64_t slack = (int64_t)khz * (TSC_SLACK_NS / 1000) / 1000, delta = 0;

	if (khz <= 0 || tsc_delta(&set->vcpus[0], ret_delta) < 0)
		return 0;
	for (unsigned int i = 1; i < set->count; i++) {
		if (tsc_delta(&set->vcpus[i], &delta) < 0)
			return 0;
		if (delta - *ret_delta > slack || *ret_delta - delta > slack)
			return 0;
	}
	return (uint64_t)khz * 1000;
}

int hv_attach(struct hv *hv, struct error *err)
{
	int64_t delta = 0;
	uint64_t hz = usable_tsc_hz(hv, &delta);

	reftime_init(&hv->time, hz, delta);
	for (unsigned int i = 0; i < hv->host.vp_count; i++) {
		struct hv_vp *vp = &hv->vps[i];
		int r;

		vp->vcpu = &hv->host.vcpus->vcpus[i];
		r = hv->engine->init_vp(vp, err);
		if (r < 0)
			return r;
	}
	return 0;
}

void hv_reset(struct hv *hv)
{
	overlay_set_reset(&hv->overlays);
	atomic_store(&hv->hypercalls_open, false);
	hv->guest_os_id = 0;
	memset(hv->crash, 0, sizeof(hv->crash));
	for (size_t i = 0; i < HV_VM_PAGES; i++)
		hv->pages[i].msr = 0;
	for (unsigned int v = 0; v < hv->host.vp_count; v++) {
		for (size_t i = 0; i < HV_VP_PAGES; i++)
			hv->vps[v].pages[i].msr = 0;
		hv->engine->reset_vp(&hv->vps[v]);
	}
}

/* --- What can be asked, and the hooks. ----------------------------------------------------- */

uint32_t hv_engine_serves(enum hv_engine_choice choice, const struct kvm *kvm,
			  const struct kvm_cpuid_entry2 *leaves, uint32_t count)
{
	const struct hv_engine *engine =
		choice == HV_ENGINE_KERNEL ? &hv_engine_kernel : &hv_engine_user;

	return engine->served(kvm, leaves, count);
}

const char *hv_engine_name(const struct hv *hv)
{
	return hv->engine->name;
}

uint32_t hv_features(const struct hv *hv)
{
	return hv->features;
}

bool hv_has_reference_tsc(const struct hv *hv)
{
	return hv_has(hv, HV_FEATURE_REFERENCE_TIME) && hv->time.by_tsc;
}

uint64_t hv_reference_time(const struct hv *hv)
{
	return hv->engine->reference_time(hv);
}

void hv_hook_port(struct hv *hv, struct vcpu *vcpu, uint16_t port, uint32_t value)
{
	hv->engine->hook_port(&hv->vps[vcpu->index], port, value);
}

void hv_exit(struct hv *hv, struct vcpu *vcpu)
{
	hv->engine->exit(&hv->vps[vcpu->index]);
}

void hv_kicked(struct hv *hv, struct vcpu *vcpu)
{
	hv->engine->kicked(&hv->vps[vcpu->index]);
}
