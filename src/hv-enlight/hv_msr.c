// SPDX-License-Identifier: MIT
/*
 * The synthetic MSRs (TLFS appendix C): one row each, with the feature that admits it. What is
 * valid and what faults is decided here for both engines; what an engine keeps is asked of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hv-enlight/hv_internal.h"

#define APIC_HZ 1000000000ull /* KVM's APIC timer counts nanoseconds */

typedef enum vcpu_msr msr_reader(struct hv_vp *vp, uint32_t index, uint64_t *ret);
typedef enum vcpu_msr msr_writer(struct hv_vp *vp, uint32_t index, uint64_t value);

struct msr_row {
	uint32_t first, last;
	uint32_t features; /* any of them admits it; 0: always there */
	msr_reader *read;  /* NULL: reading faults */
	msr_writer *write; /* NULL: writing faults */
};

/* --- Pages. -------------------------------------------------------------------------------- */

enum placing {
	PLACED,  /* or taken away */
	NOWHERE, /* the address is beyond the guest's, or something else's */
	FAILED,  /* the host could not: the page is disabled */
};

/*
 * Places the page as @value says. Where there can be no page it is enabled all the same, but cannot
 * be reached (TLFS 11.8.3, 11.8.4, 12.7).
 */
static enum placing place(struct hv *hv, struct hv_page *page, uint64_t value)
{
	int r = 0;

	if (value & HV_PAGE_MSR_ENABLE)
		r = overlay_place(&page->overlay, value & HV_PAGE_MSR_GPA_MASK);
	else
		overlay_remove(&page->overlay);
	page->msr = value;
	if (r == 0)
		return PLACED;
	if (r == -EINVAL || r == -EEXIST)
		return NOWHERE;
	page->msr &= ~HV_PAGE_MSR_ENABLE;
	log_guest(&hv->page_log, LOG_ERROR, "hyperv: cannot place an overlay page at 0x%llx: %s",
		  (unsigned long long)(value & HV_PAGE_MSR_GPA_MASK), strerrordesc_np(-r));
	return FAILED;
}

static struct hv_page *vp_page(struct hv_vp *vp, uint32_t index)
{
	return &vp->pages[index == HV_MSR_SIMP    ? HV_PAGE_SIMP
			  : index == HV_MSR_SIEFP ? HV_PAGE_SIEFP
						  : HV_PAGE_ASSIST];
}

static enum vcpu_msr read_vp_page(struct hv_vp *vp, uint32_t index, uint64_t *ret)
{
	*ret = vp_page(vp, index)->msr;
	return VCPU_MSR_HANDLED;
}

/*
 * Messages and event flags are written by other threads too: the engine lets go of the page before
 * it leaves its place, and takes it up where it then is. What comes in between waits.
 */
static enum vcpu_msr write_vp_page(struct hv_vp *vp, uint32_t index, uint64_t value)
{
	const struct hv_engine *engine = vp->hv->engine;
	struct hv_page *page = vp_page(vp, index);
	bool moves = (value ^ page->msr) & (HV_PAGE_MSR_ENABLE | HV_PAGE_MSR_GPA_MASK);

	if ((page->msr & HV_PAGE_MSR_ENABLE) && moves && engine->page_msr(vp, index, 0) < 0)
		return VCPU_MSR_FAULT;
	if (place(vp->hv, page, value) == FAILED)
		return VCPU_MSR_FAULT;
	return engine->page_msr(vp, index, value) < 0 ? VCPU_MSR_FAULT : VCPU_MSR_HANDLED;
}

static enum vcpu_msr read_guest_os_id(struct hv_vp *vp, uint32_t index, uint64_t *ret)
{
	*ret = vp->hv->guest_os_id;
	return VCPU_MSR_HANDLED;
}

/* A guest that takes its identity back loses the hypercall page (TLFS 2.6). */
static enum vcpu_msr write_guest_os_id(struct hv_vp *vp, uint32_t index, uint64_t value)
{
	struct hv_page *page = &vp->hv->pages[HV_PAGE_HYPERCALL];

	vp->hv->guest_os_id = value;
	if (value || !(page->msr & HV_PAGE_MSR_ENABLE))
		return vp->hv->engine->page_msr(vp, index, value) < 0 ? VCPU_MSR_FAULT
								      : VCPU_MSR_HANDLED;
	atomic_store(&vp->hv->hypercalls_open, false);
	page->msr &= ~HV_PAGE_MSR_ENABLE;
	overlay_remove(&page->overlay);
	return vp->hv->engine->page_msr(vp, index, value) < 0 ? VCPU_MSR_FAULT : VCPU_MSR_HANDLED;
}

static enum vcpu_msr read_vm_page(struct hv_vp *vp, uint32_t index, uint64_t *ret)
{
	*ret = vp->hv->pages[index == HV_MSR_HYPERCALL ? HV_PAGE_HYPERCALL : HV_PAGE_REFERENCE_TSC]
		       .msr;
	return VCPU_MSR_HANDLED;
}

/* TLFS 3.13: a locked page is immutable, and without an identity the page is not enabled. */
static enum vcpu_msr write_hypercall(struct hv_vp *vp, uint32_t index, uint64_t value)
{
	struct hv_page *page = &vp->hv->pages[HV_PAGE_HYPERCALL];
	uint64_t old = page->msr;

	if (old & HV_HYPERCALL_LOCKED)
		return VCPU_MSR_FAULT;
	if (!vp->hv->guest_os_id)
		value &= ~HV_PAGE_MSR_ENABLE;
	/* Code that cannot be reached is of no use: this page alone has to have a place. */
	if (place(vp->hv, page, value) != PLACED) {
		(void)place(vp->hv, page, old);
		atomic_store(&vp->hv->hypercalls_open, page->msr & HV_PAGE_MSR_ENABLE);
		return VCPU_MSR_FAULT;
	}
	atomic_store(&vp->hv->hypercalls_open, value & HV_PAGE_MSR_ENABLE);
	return vp->hv->engine->fill_hypercall_page(vp, value) < 0 ? VCPU_MSR_FAULT
								  : VCPU_MSR_HANDLED;
}

static enum vcpu_msr write_reference_tsc(struct hv_vp *vp, uint32_t index, uint64_t value)
{
	if (place(vp->hv, &vp->hv->pages[HV_PAGE_REFERENCE_TSC], value) == FAILED) {
		/* Nobody is to write where it was. */
		(void)vp->hv->engine->page_msr(vp, index, 0);
		return VCPU_MSR_FAULT;
	}
	return vp->hv->engine->page_msr(vp, index, value) < 0 ? VCPU_MSR_FAULT : VCPU_MSR_HANDLED;
}

/* --- Time and identity. -------------------------------------------------------------------- */

static enum vcpu_msr read_vp_index(struct hv_vp *vp, uint32_t index, uint64_t *ret)
{
	*ret = vp->index;
	return VCPU_MSR_HANDLED;
}

static enum vcpu_msr read_vp_runtime(struct hv_vp *vp, uint32_t index, uint64_t *ret)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	*ret = ((uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec) / 100;
	return VCPU_MSR_HANDLED;
}

static enum vcpu_msr read_time_ref_count(struct hv_vp *vp, uint32_t index, uint64_t *ret)
{
	*ret = reftime_now(&vp->hv->time);
	return VCPU_MSR_HANDLED;
}

static enum vcpu_msr read_frequency(struct hv_vp *vp, uint32_t index, uint64_t *ret)
{
	*ret = index == HV_MSR_TSC_FREQUENCY ? vp->hv->time.tsc_hz : APIC_HZ;
	return VCPU_MSR_HANDLED;
}

/* --- Ends. --------------------------------------------------------------------------------- */

static enum vcpu_msr read_zero(struct hv_vp *vp, uint32_t index, uint64_t *ret)
{
	*ret = 0;
	return VCPU_MSR_HANDLED;
}

static enum vcpu_msr write_reset(struct hv_vp *vp, uint32_t index, uint64_t value)
{
	if (value & 1)
		vp->hv->events->reset(vp->hv->events_ctx);
	return VCPU_MSR_HANDLED;
}

static enum vcpu_msr read_crash(struct hv_vp *vp, uint32_t index, uint64_t *ret)
{
	*ret = index == HV_MSR_CRASH_CTL ? HV_CRASH_NOTIFY | HV_CRASH_MESSAGE
					 : vp->hv->crash[index - HV_MSR_CRASH_P0];
	return VCPU_MSR_HANDLED;
}

static enum vcpu_msr write_crash_parameter(struct hv_vp *vp, uint32_t index, uint64_t value)
{
	vp->hv->crash[index - HV_MSR_CRASH_P0] = value;
	return VCPU_MSR_HANDLED;
}

/* The text the guest left, made printable but for the ends of its lines. */
static void read_crash_message(struct hv *hv, struct hv_crash *crash)
{
	size_t len = min_of(crash->parameters[4], (uint64_t)PAGE_SIZE);

	if (mem_read(hv->host.mem, crash->parameters[3], crash->message, len) < 0)
		return;
	crash->message[len] = 0;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)crash->message[i];

		if ((c < 0x20 && c != '\n') || c > 0x7e)
			crash->message[i] = c ? ' ' : 0;
	}
}

static enum vcpu_msr write_crash_control(struct hv_vp *vp, uint32_t index, uint64_t value)
{
	struct hv *hv = vp->hv;
	struct hv_crash crash = {0};

	if (!(value & HV_CRASH_NOTIFY))
		return VCPU_MSR_HANDLED;
	pthread_mutex_lock(&hv->lock);
	memcpy(crash.parameters, hv->crash, sizeof(crash.parameters));
	pthread_mutex_unlock(&hv->lock);
	if (value & HV_CRASH_MESSAGE)
		read_crash_message(hv, &crash);
	/* Without the lock: what is told may ask back. */
	hv->events->crash(hv->events_ctx, &crash);
	return VCPU_MSR_HANDLED;
}

/* --- The engine's. ------------------------------------------------------------------------- */

static enum vcpu_msr read_engine(struct hv_vp *vp, uint32_t index, uint64_t *ret)
{
	return vp->hv->engine->read_msr(vp, index, ret);
}

static enum vcpu_msr write_engine(struct hv_vp *vp, uint32_t index, uint64_t value)
{
	return vp->hv->engine->write_msr(vp, index, value);
}

static enum vcpu_msr read_synic_version(struct hv_vp *vp, uint32_t index, uint64_t *ret)
{
	*ret = HV_SYNIC_VERSION;
	return VCPU_MSR_HANDLED;
}

/* --- The table. ---------------------------------------------------------------------------- */

#define FEATURE(f) HV_FEATURE_BIT(HV_FEATURE_##f)
#define ONE(msr)   msr, msr

static const struct msr_row rows[] = {
	{ONE(HV_MSR_GUEST_OS_ID), 0, read_guest_os_id, write_guest_os_id},
	{ONE(HV_MSR_HYPERCALL), 0, read_vm_page, write_hypercall},
	{ONE(HV_MSR_VP_INDEX), 0, read_vp_index, NULL},
	{ONE(HV_MSR_RESET), FEATURE(RESET), read_zero, write_reset},
	{ONE(HV_MSR_VP_RUNTIME), FEATURE(RUNTIME), read_vp_runtime, NULL},
	{ONE(HV_MSR_TIME_REF_COUNT), FEATURE(REFERENCE_TIME), read_time_ref_count, NULL},
	{ONE(HV_MSR_REFERENCE_TSC), FEATURE(REFERENCE_TIME), read_vm_page, write_reference_tsc},
	{HV_MSR_TSC_FREQUENCY, HV_MSR_APIC_FREQUENCY, FEATURE(FREQUENCIES), read_frequency, NULL},
	{ONE(HV_MSR_EOI), FEATURE(APIC), NULL, write_engine},
	{HV_MSR_ICR, HV_MSR_TPR, FEATURE(APIC), read_engine, write_engine},
	{ONE(HV_MSR_VP_ASSIST_PAGE), FEATURE(APIC), read_vp_page, write_vp_page},
	{ONE(HV_MSR_SCONTROL), FEATURE(SYNIC), read_engine, write_engine},
	{ONE(HV_MSR_SVERSION), FEATURE(SYNIC), read_synic_version, NULL},
	{HV_MSR_SIEFP, HV_MSR_SIMP, FEATURE(SYNIC), read_vp_page, write_vp_page},
	{ONE(HV_MSR_EOM), FEATURE(SYNIC), read_zero, write_engine},
	{HV_MSR_SINT0, HV_MSR_SINT15, FEATURE(SYNIC), read_engine, write_engine},
	{HV_MSR_STIMER0_CONFIG, HV_MSR_STIMER3_COUNT, FEATURE(STIMERS), read_engine, write_engine},
	{ONE(HV_MSR_GUEST_IDLE), FEATURE(IDLE), read_engine, NULL},
	{HV_MSR_CRASH_P0, HV_MSR_CRASH_P4, FEATURE(CRASH), read_crash, write_crash_parameter},
	{ONE(HV_MSR_CRASH_CTL), FEATURE(CRASH), read_crash, write_crash_control},
};

static int compare_index(const void *key, const void *element)
{
	uint32_t index = *(const uint32_t *)key;
	const struct msr_row *row = element;

	return index < row->first ? -1 : index > row->last;
}

static const struct msr_row *find_row(const struct hv *hv, uint32_t index)
{
	const struct msr_row *row =
		bsearch(&index, rows, ARRAY_SIZE(rows), sizeof(rows[0]), compare_index);

	return row && (!row->features || (row->features & hv->features)) ? row : NULL;
}

/* MSRs of the whole partition, and those that place pages, change under its lock. */
static bool needs_lock(uint32_t index)
{
	return index == HV_MSR_GUEST_OS_ID || index == HV_MSR_HYPERCALL ||
	       index == HV_MSR_REFERENCE_TSC ||
	       (index >= HV_MSR_CRASH_P0 && index <= HV_MSR_CRASH_P4);
}

enum vcpu_msr hv_read_msr(struct hv *hv, struct vcpu *vcpu, uint32_t index, uint64_t *ret)
{
	struct hv_vp *vp = &hv->vps[vcpu->index];
	const struct msr_row *row = find_row(hv, index);
	enum vcpu_msr done = VCPU_MSR_FAULT;

	counter_add(&vp->counters.msr_reads, 1);
	if (row && row->read) {
		if (needs_lock(index))
			pthread_mutex_lock(&hv->lock);
		done = row->read(vp, index, ret);
		if (needs_lock(index))
			pthread_mutex_unlock(&hv->lock);
	}
	if (done == VCPU_MSR_FAULT)
		counter_add(&vp->counters.msr_faults, 1);
	return done;
}

enum vcpu_msr hv_write_msr(struct hv *hv, struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	struct hv_vp *vp = &hv->vps[vcpu->index];
	const struct msr_row *row = find_row(hv, index);
	enum vcpu_msr done = VCPU_MSR_FAULT;

	counter_add(&vp->counters.msr_writes, 1);
	if (row && row->write) {
		if (needs_lock(index))
			pthread_mutex_lock(&hv->lock);
		done = row->write(vp, index, value);
		if (needs_lock(index))
			pthread_mutex_unlock(&hv->lock);
	}
	if (done == VCPU_MSR_FAULT)
		counter_add(&vp->counters.msr_faults, 1);
	return done;
}
