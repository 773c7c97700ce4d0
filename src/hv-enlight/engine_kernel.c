// SPDX-License-Identifier: MIT
/*
 * The kernel engine: KVM's own hypercall page, SynIC, timers, reference time, TLB flushes and IPIs.
 *
 * The MSRs that place pages come to us all the same (an MSR filter), so that overlay pages are the
 * same with both engines; KVM is then told where the page is and writes into it. So does EOM, as
 * that is when a message that waits for its slot can follow.
 *
 * KVM's timers write into message slots on the VP's thread, inside KVM_RUN. Messages from us are
 * therefore queued by any thread but written on the VP's own, when it has been kicked out of there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hv-enlight/hv_internal.h"

/* --- What KVM serves. ---------------------------------------------------------------------- */

static const struct kvm_cpuid_entry2 *find_leaf(const struct kvm_cpuid_entry2 *leaves,
						uint32_t count, uint32_t leaf)
{
	for (uint32_t i = 0; i < count; i++)
		if (leaves[i].function == leaf)
			return &leaves[i];
	return NULL;
}

/* Served by us, whatever KVM says. */
#define OURS                                                                                       \
	(HV_FEATURE_BIT(HV_FEATURE_RESET) | HV_FEATURE_BIT(HV_FEATURE_CRASH) |                     \
	 HV_FEATURE_BIT(HV_FEATURE_IDLE))

/* KVM's list says what it can do; of some it only says so by having the interface at all. */
#define ALWAYS                                                                                     \
	(HV_FEATURE_BIT(HV_FEATURE_SPINLOCKS) | HV_FEATURE_BIT(HV_FEATURE_RELAXED) |               \
	 HV_FEATURE_BIT(HV_FEATURE_NO_AUTO_EOI))

static uint32_t features_of(const struct kvm_cpuid_entry2 *leaves, uint32_t count)
{
	const struct kvm_cpuid_entry2 *have = find_leaf(leaves, count, HV_CPUID_FEATURES);
	const struct kvm_cpuid_entry2 *recommended =
		find_leaf(leaves, count, HV_CPUID_RECOMMENDATIONS);
	uint32_t features = OURS | ALWAYS;

	if (!have || !recommended)
		return 0;
	for (unsigned int f = 0; f < HV_FEATURE_COUNT; f++) {
		const struct hv_feature_row *row = &hv_feature_table[f];

		if (!(row->eax & ~have->eax) && !(row->ebx & ~have->ebx) &&
		    !(row->edx & ~have->edx) && !(row->recommend & ~recommended->eax))
			features |= HV_FEATURE_BIT(f);
	}
	return features;
}

static uint32_t served(const struct kvm *kvm, const struct kvm_cpuid_entry2 *leaves, uint32_t count)
{
	static const enum kvm_cap_id needed[] = {
		KVM_HAS_USER_SPACE_MSR, KVM_HAS_MSR_FILTER,     KVM_HAS_HYPERV,
		KVM_HAS_HYPERV_SYNIC2,  KVM_HAS_HYPERV_EVENTFD, KVM_HAS_HYPERV_CPUID,
	};

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!kvm_has(kvm, needed[i]))
			return 0;
	/* An EOI that the processor does itself is better left where it is. */
	return features_of(leaves, count) &
	       ~(kvm->eoi_exits ? 0 : HV_FEATURE_BIT(HV_FEATURE_EOI_ASSIST));
}

/* --- MSRs. --------------------------------------------------------------------------------- */

static enum vcpu_msr read_msr(struct hv_vp *vp, uint32_t index, uint64_t *ret)
{
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entry;
	} msr = {.header = {.nmsrs = 1}, .entry = {.index = index}};

	if (index == HV_MSR_GUEST_IDLE) {
		*ret = 0;
		return vcpu_idle(vp->vcpu) < 0 ? VCPU_MSR_FAULT : VCPU_MSR_HANDLED;
	}
	if (ioctl(vp->vcpu->fd, KVM_GET_MSRS, &msr) != 1)
		return VCPU_MSR_FAULT;
	*ret = msr.entry.data;
	return VCPU_MSR_HANDLED;
}

static enum vcpu_msr write_msr(struct hv_vp *vp, uint32_t index, uint64_t value)
{
	/* KVM goes on with timer messages that waited, we with ours. */
	if (vcpu_set_msr(vp->vcpu, index, value) < 0)
		return VCPU_MSR_FAULT;
	if (index == HV_MSR_EOM)
		synic_vp_eom(&vp->synic);
	return VCPU_MSR_HANDLED;
}

static int page_msr(struct hv_vp *vp, uint32_t index, uint64_t value)
{
	bool enabled = value & HV_PAGE_MSR_ENABLE;

	if (index == HV_MSR_SIMP)
		synic_vp_set_message_page(&vp->synic,
					  enabled ? overlay_page(&vp->pages[HV_PAGE_SIMP].overlay)
						  : NULL);
	else if (index == HV_MSR_SIEFP)
		synic_vp_set_flags_page(&vp->synic,
					enabled ? overlay_page(&vp->pages[HV_PAGE_SIEFP].overlay)
						: NULL);
	return vcpu_set_msr(vp->vcpu, index, value);
}

static int fill_hypercall_page(struct hv_vp *vp, uint64_t msr)
{
	return vcpu_set_msr(vp->vcpu, HV_MSR_HYPERCALL, msr);
}

/* --- Exits. -------------------------------------------------------------------------------- */

static void hook_port(struct hv_vp *vp, uint16_t port, uint32_t value)
{
	/* No port is hooked. */
}

static void exit_hypercall(struct hv_vp *vp)
{
	struct kvm_hyperv_exit *exit = &vp->vcpu->run->hyperv;
	struct hypercall_args args = {
		.control = exit->u.hcall.input,
		.input = exit->u.hcall.params[0],
		.output = exit->u.hcall.params[1],
		.read_xmm = hv_read_xmm,
	};

	/* KVM has fetched the eight bytes of a signal's input, whichever form the guest used. */
	if (HV_CONTROL_CODE(args.control) == HV_CALL_SIGNAL_EVENT)
		args.control |= HV_CONTROL_FAST;
	exit->u.hcall.result = hv_hypercall(vp, &args);
	if (exit->u.hcall.result == HYPERCALL_UNDEFINED && vcpu_raise_undefined(vp->vcpu) < 0)
		exit->u.hcall.result = HV_STATUS_INVALID_HYPERCALL_INPUT;
}

static void exit_hyperv(struct hv_vp *vp)
{
	struct kvm_hyperv_exit *exit = &vp->vcpu->run->hyperv;

	if (exit->type == KVM_EXIT_HYPERV_HCALL)
		exit_hypercall(vp);
	else if (exit->type == KVM_EXIT_HYPERV_SYNIC)
		synic_vp_set_enabled(&vp->synic, exit->u.synic.control & HV_SCONTROL_ENABLE);
}

static void kicked(struct hv_vp *vp)
{
	counter_add(&vp->counters.kicks, 1);
	synic_vp_deliver(&vp->synic);
}

/* --- Messages and events. ------------------------------------------------------------------ */

/* The SynIC's lock is held. A line per SINT that is used, made when it first is. */
static void synic_interrupt(struct synic_vp *synic, unsigned int sint, uint64_t value)
{
	struct hv_vp *vp = container_of(synic, struct hv_vp, synic);
	struct irqchip_msi *line = &vp->sint_lines[sint];
	uint64_t one = 1;

	if (!line->chip && irqchip_sint_init(line, vp->hv->host.irqchip, vp->index, sint, NULL) < 0)
		return;
	if (write(line->fd, &one, sizeof(one)) < 0)
		return;
}

static void synic_room(struct synic_vp *synic, unsigned int sint)
{
	struct hv_vp *vp = container_of(synic, struct hv_vp, synic);

	if (vp->hv->room)
		vp->hv->room(vp->hv->room_ctx, vp->index);
}

static const struct synic_vp_ops synic_ops = {.interrupt = synic_interrupt, .room = synic_room};

static int post(struct hv_vp *vp, unsigned int sint, const struct hv_message *message)
{
	int r = synic_vp_queue(&vp->synic, sint, message);

	if (r == 0)
		vcpu_kick(vp->vcpu);
	return r;
}

static int signal_flag(struct hv_vp *vp, unsigned int sint, unsigned int flag)
{
	return synic_vp_signal(&vp->synic, sint, flag);
}

static int bind_or_unbind(struct hv *hv, uint32_t id, int fd, uint32_t flags)
{
	struct kvm_hyperv_eventfd event = {.conn_id = id, .fd = fd, .flags = flags};

	return ioctl(hv->host.kvm->vm_fd, KVM_HYPERV_EVENTFD, &event) < 0 ? -errno : 0;
}

static int bind_event(struct hv *hv, uint32_t id, int fd)
{
	return bind_or_unbind(hv, id, fd, 0);
}

static void unbind_event(struct hv *hv, uint32_t id, int fd)
{
	(void)bind_or_unbind(hv, id, fd, KVM_HYPERV_EVENTFD_DEASSIGN);
}

/* --- Setting up. --------------------------------------------------------------------------- */

static int init_vm(struct hv *hv, struct error *err)
{
	static const uint32_t ours[][2] = {
		{HV_MSR_GUEST_OS_ID, HV_MSR_HYPERCALL},
		{HV_MSR_RESET, HV_MSR_RESET},
		{HV_MSR_REFERENCE_TSC, HV_MSR_REFERENCE_TSC},
		{HV_MSR_VP_ASSIST_PAGE, HV_MSR_VP_ASSIST_PAGE},
		{HV_MSR_SIEFP, HV_MSR_EOM},
		{HV_MSR_GUEST_IDLE, HV_MSR_GUEST_IDLE},
		{HV_MSR_CRASH_P0, HV_MSR_CRASH_CTL},
	};
	uint8_t bitmap[HV_MSR_FILTER_BYTES];

	memset(bitmap, 0xff, sizeof(bitmap));
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		for (uint32_t msr = ours[i][0]; msr <= ours[i][1]; msr++)
			bitmap[(msr - HV_MSR_FIRST) / 8] &= (uint8_t) ~(1u << msr % 8);
	return hv_filter_msrs(hv, bitmap, err);
}

static int enable(struct hv_vp *vp, uint32_t capability, uint64_t arg)
{
	struct kvm_enable_cap cap = {.cap = capability, .args = {arg}};

	return ioctl(vp->vcpu->fd, KVM_ENABLE_CAP, &cap) < 0 ? -errno : 0;
}

/* Of each SINT, KVM looks at its own copy: ours only says that nothing is masked here. */
static void open_sints(struct hv_vp *vp)
{
	for (size_t i = 0; i < HV_SINT_COUNT; i++)
		vp->synic.sint[i] = 0;
}

static int init_vp(struct hv_vp *vp, struct error *err)
{
	int r = 0;

	synic_vp_init(&vp->synic, &synic_ops);
	open_sints(vp);
	if (hv_has(vp->hv, HV_FEATURE_SYNIC))
		r = enable(vp, KVM_CAP_HYPERV_SYNIC2, 0);
	if (r < 0)
		return error_errno(err, r, "KVM_CAP_HYPERV_SYNIC2");
	/* It comes on, but TLFS 11.8.1 has it off until the guest turns it on. */
	if (hv_has(vp->hv, HV_FEATURE_SYNIC))
		r = vcpu_set_msr(vp->vcpu, HV_MSR_SCONTROL, 0);
	if (r < 0)
		return error_errno(err, r, "HV_X64_MSR_SCONTROL");
	/* Else KVM would serve what is switched off. */
	if (kvm_has(vp->hv->host.kvm, KVM_HAS_HYPERV_ENFORCE_CPUID))
		r = enable(vp, KVM_CAP_HYPERV_ENFORCE_CPUID, 1);
	return r < 0 ? error_errno(err, r, "KVM_CAP_HYPERV_ENFORCE_CPUID") : 0;
}

/* KVM lists few of these for saving, so a reset writes each to what it is at power-on. */
static void reset_vp(struct hv_vp *vp)
{
	synic_vp_reset(&vp->synic);
	open_sints(vp);
	for (uint32_t msr = HV_MSR_STIMER0_CONFIG; msr <= HV_MSR_STIMER3_COUNT; msr++)
		if (hv_has(vp->hv, HV_FEATURE_STIMERS))
			(void)!vcpu_set_msr(vp->vcpu, msr, 0);
	if (hv_has(vp->hv, HV_FEATURE_SYNIC)) {
		for (uint32_t msr = HV_MSR_SINT0; msr <= HV_MSR_SINT15; msr++)
			(void)!vcpu_set_msr(vp->vcpu, msr, HV_SINT_MASKED);
		(void)!vcpu_set_msr(vp->vcpu, HV_MSR_SIMP, 0);
		(void)!vcpu_set_msr(vp->vcpu, HV_MSR_SIEFP, 0);
		(void)!vcpu_set_msr(vp->vcpu, HV_MSR_SCONTROL, 0);
	}
	if (hv_has(vp->hv, HV_FEATURE_APIC))
		(void)!vcpu_set_msr(vp->vcpu, HV_MSR_VP_ASSIST_PAGE, 0);
	if (vp->index)
		return;
	if (hv_has(vp->hv, HV_FEATURE_REFERENCE_TIME))
		(void)!vcpu_set_msr(vp->vcpu, HV_MSR_REFERENCE_TSC, 0);
	(void)!vcpu_set_msr(vp->vcpu, HV_MSR_HYPERCALL, 0);
	(void)!vcpu_set_msr(vp->vcpu, HV_MSR_GUEST_OS_ID, 0);
}

static void finish_vp(struct hv_vp *vp)
{
	for (size_t i = 0; i < HV_SINT_COUNT; i++)
		irqchip_msi_finish(&vp->sint_lines[i]);
	synic_vp_finish(&vp->synic);
}

/* KVM serves it from its clock; the MSR of a VP could only be read while that VP does not run. */
static uint64_t reference_time(const struct hv *hv)
{
	struct kvm_clock_data clock = {0};

	if (ioctl(hv->host.kvm->vm_fd, KVM_GET_CLOCK, &clock) < 0)
		return reftime_now(&hv->time);
	return clock.clock / (NSEC_PER_SEC / REFTIME_HZ);
}

const struct hv_engine hv_engine_kernel = {
	.name = "kernel",
	.served = served,
	.init_vm = init_vm,
	.init_vp = init_vp,
	.reset_vp = reset_vp,
	.finish_vp = finish_vp,
	.fill_hypercall_page = fill_hypercall_page,
	.page_msr = page_msr,
	.read_msr = read_msr,
	.write_msr = write_msr,
	.hook_port = hook_port,
	.exit = exit_hyperv,
	.kicked = kicked,
	.reference_time = reference_time,
	.post = post,
	.signal = signal_flag,
	.bind_event = bind_event,
	.unbind_event = unbind_event,
};
