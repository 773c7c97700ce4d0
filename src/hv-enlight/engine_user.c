// SPDX-License-Identifier: MIT
/*
 * The user engine: everything served by candela, on any KVM that can send MSR accesses to us. A
 * VP's state belongs to its own thread but for the SynIC, which has a lock, and the vectors whose
 * EOI we owe, which are atomic.
 */
#include <asm/kvm_para.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "hv-enlight/apic.h"
#include "hv-enlight/hv_internal.h"
#include "hv-enlight/hypercall_page.h"

/* How often to look whether an AutoEOI interrupt has been taken: soon, then ever more rarely. */
#define AUTO_EOI_POLL_FIRST_NS (50 * NSEC_PER_USEC)
#define AUTO_EOI_POLL_LAST_NS  (1 * NSEC_PER_MSEC)

/*
 * A VP that was kicked out of the guest by its timer runs at least this long before the next time:
 * else a guest whose timers expire faster than we serve them would not run at all.
 */
#define GUEST_SLICE_NS (100 * NSEC_PER_USEC)

static uint32_t served(const struct kvm *kvm, const struct kvm_cpuid_entry2 *leaves, uint32_t count)
{
	if (!kvm_has(kvm, KVM_HAS_USER_SPACE_MSR) || !kvm_has(kvm, KVM_HAS_MSR_FILTER))
		return 0;
	/* Nothing here can flush another VP's TLB. */
	return HV_FEATURES_ALL & ~HV_FEATURE_BIT(HV_FEATURE_TLB_FLUSH) &
	       ~(kvm->pv_eoi && kvm->eoi_exits ? 0 : HV_FEATURE_BIT(HV_FEATURE_EOI_ASSIST));
}

/* --- Interrupts. --------------------------------------------------------------------------- */

static void interrupt(struct hv_vp *vp, uint8_t vector)
{
	uint64_t address;
	uint32_t data;

	irqchip_msi_message(vp->index, vector, &address, &data);
	/* KVM refuses only what a guest with its APIC off could not receive either. */
	(void)!irqchip_signal_msi(vp->hv->host.irqchip, address, data);
}

static void synic_interrupt(struct synic_vp *synic, unsigned int sint, uint64_t value)
{
	struct hv_vp *vp = container_of(synic, struct hv_vp, synic);
	uint8_t vector = (uint8_t)(value & HV_SINT_VECTOR);
	bool auto_eoi = value & HV_SINT_AUTO_EOI;

	interrupt(vp, vector);
	if (!auto_eoi)
		return;
	/*
	 * Its end has to be said once it is in service, which only the VP's thread can see. Noted
	 * after it was raised: what is noted is in the APIC, or over.
	 */
	atomic_fetch_or(&vp->auto_eoi[vector / 64], 1ull << vector % 64);
	vcpu_kick(vp->vcpu);
}

static void synic_room(struct synic_vp *synic, unsigned int sint)
{
	struct hv_vp *vp = container_of(synic, struct hv_vp, synic);

	if (vp->hv->room)
		vp->hv->room(vp->hv->room_ctx, vp->index);
}

static const struct synic_vp_ops synic_ops = {.interrupt = synic_interrupt, .room = synic_room};

static bool owes_eoi(const struct hv_vp *vp)
{
	for (size_t i = 0; i < ARRAY_SIZE(vp->auto_eoi); i++)
		if (atomic_load(&vp->auto_eoi[i]))
			return true;
	return false;
}

/* Ends @vector if it is in service and on top. True: it will need another look. */
static bool pay_eoi(struct hv_vp *vp, uint8_t vector)
{
	struct apic_state apic;

	if (apic_read(vp->vcpu, &apic) < 0)
		return false;
	if (apic_in_service(&apic, vector)) {
		if (apic_highest_in_service(&apic) != vector)
			return true;
		apic_eoi(vp->vcpu);
	}
	/* Raised again while it was in service. */
	return apic_requested(&apic, vector);
}

/*
 * One pass over the vectors whose end is ours to say. Each is struck off before the APIC is looked
 * at, so that one raised in the meantime is noted anew.
 */
static void pay_eois(struct hv_vp *vp)
{
	for (unsigned int vector = 255; vector >= 16; vector--) {
		_Atomic uint64_t *word = &vp->auto_eoi[vector / 64];
		uint64_t bit = 1ull << vector % 64;

		if ((atomic_load(word) & bit) && (atomic_fetch_and(word, ~bit) & bit) &&
		    pay_eoi(vp, (uint8_t)vector))
			atomic_fetch_or(word, bit);
	}
}

/* --- Timers. ------------------------------------------------------------------------------- */

static bool timer_message(struct stimers *timers, unsigned int sint,
			  const struct hv_timer_message *payload)
{
	struct hv_vp *vp = container_of(timers, struct hv_vp, timers);
	struct hv_message message = {
		.header = {.message_type = HV_MESSAGE_TIMER_EXPIRED,
			   .payload_size = sizeof(*payload)},
	};

	memcpy(message.payload, payload, sizeof(*payload));
	return synic_vp_try_post(&vp->synic, sint, &message);
}

static void timer_interrupt(struct stimers *timers, uint8_t vector)
{
	interrupt(container_of(timers, struct hv_vp, timers), vector);
}

static const struct stimer_ops timer_ops = {.message = timer_message, .interrupt = timer_interrupt};

/* Does what is due on this VP and arms its timer for what comes next, not before @earliest. */
static void run_due(struct hv_vp *vp, uint64_t earliest)
{
	uint64_t next, wake = UINT64_MAX;

	stimers_run(&vp->timers, reftime_now(&vp->hv->time));
	next = stimers_next(&vp->timers);
	if (next != UINT64_MAX)
		wake = reftime_to_monotonic(&vp->hv->time, next);
	if (owes_eoi(vp)) {
		pay_eois(vp);
		vp->auto_eoi_poll_ns = min_of(2 * vp->auto_eoi_poll_ns, AUTO_EOI_POLL_LAST_NS);
		if (owes_eoi(vp))
			wake = min_of(wake, reftime_monotonic() + vp->auto_eoi_poll_ns);
	} else {
		vp->auto_eoi_poll_ns = AUTO_EOI_POLL_FIRST_NS;
	}
	vcpu_set_timer(vp->vcpu, wake == UINT64_MAX ? 0 : max_of(wake, earliest));
}

static void kicked(struct hv_vp *vp)
{
	counter_add(&vp->counters.kicks, 1);
	run_due(vp, reftime_monotonic() + GUEST_SLICE_NS);
}

/* --- MSRs. --------------------------------------------------------------------------------- */

static enum vcpu_msr read_msr(struct hv_vp *vp, uint32_t index, uint64_t *ret)
{
	if (index >= HV_MSR_SINT0 && index <= HV_MSR_SINT15) {
		*ret = synic_vp_get_sint(&vp->synic, index - HV_MSR_SINT0);
	} else if (index >= HV_MSR_STIMER0_CONFIG && index <= HV_MSR_STIMER3_COUNT) {
		const struct stimer *t = &vp->timers.timer[(index - HV_MSR_STIMER0_CONFIG) / 2];

		*ret = index & 1 ? t->count : t->config;
	} else if (index == HV_MSR_SCONTROL) {
		*ret = vp->scontrol;
	} else if (index == HV_MSR_ICR && vp->icr) {
		*ret = vp->icr;
	} else if (index == HV_MSR_GUEST_IDLE) {
		*ret = 0;
		return vcpu_idle(vp->vcpu) < 0 ? VCPU_MSR_FAULT : VCPU_MSR_HANDLED;
	} else {
		return apic_read_msr(vp->vcpu, index, ret);
	}
	return VCPU_MSR_HANDLED;
}

static enum vcpu_msr write_timer(struct hv_vp *vp, uint32_t index, uint64_t value)
{
	unsigned int timer = (index - HV_MSR_STIMER0_CONFIG) / 2;
	uint64_t now = reftime_now(&vp->hv->time);

	if (index & 1)
		stimer_set_count(&vp->timers, timer, value, now);
	else if (!stimer_set_config(&vp->timers, timer, value, now))
		return VCPU_MSR_FAULT;
	run_due(vp, 0);
	return VCPU_MSR_HANDLED;
}

static enum vcpu_msr write_msr(struct hv_vp *vp, uint32_t index, uint64_t value)
{
	if (index >= HV_MSR_SINT0 && index <= HV_MSR_SINT15)
		return synic_vp_set_sint(&vp->synic, index - HV_MSR_SINT0, value) ? VCPU_MSR_HANDLED
										  : VCPU_MSR_FAULT;
	if (index >= HV_MSR_STIMER0_CONFIG && index <= HV_MSR_STIMER3_COUNT)
		return write_timer(vp, index, value);
	switch (index) {
	case HV_MSR_SCONTROL:
		vp->scontrol = value;
		synic_vp_set_enabled(&vp->synic, value & HV_SCONTROL_ENABLE);
		/* Timers whose messages found no SynIC to go to wait for this, not for an EOM. */
		run_due(vp, 0);
		return VCPU_MSR_HANDLED;
	case HV_MSR_EOM:
		synic_vp_eom(&vp->synic);
		run_due(vp, 0);
		return VCPU_MSR_HANDLED;
	case HV_MSR_ICR:
		/* Kept where it does not reach the APIC's own register. */
		vp->icr = apic_has_icr(vp->vcpu) ? 0 : value;
		return apic_write_msr(vp->hv->host.irqchip, vp->vcpu, index, value);
	default:
		return apic_write_msr(vp->hv->host.irqchip, vp->vcpu, index, value);
	}
}

/*
 * KVM's own assistance with EOIs has the layout of the VP assist page: bit 0 of its first word says
 * that none is needed. KVM sets and reads it at @gpa; 0: nowhere.
 */
static int assist_eoi(struct hv_vp *vp, uint64_t gpa)
{
	if (!hv_has(vp->hv, HV_FEATURE_EOI_ASSIST))
		return 0;
	return vcpu_set_msr(vp->vcpu, MSR_KVM_PV_EOI_EN, gpa ? gpa | KVM_MSR_ENABLED : 0);
}

static int page_msr(struct hv_vp *vp, uint32_t index, uint64_t value)
{
	bool enabled = value & HV_PAGE_MSR_ENABLE;

	switch (index) {
	case HV_MSR_SIMP:
		synic_vp_set_message_page(&vp->synic,
					  enabled ? overlay_page(&vp->pages[HV_PAGE_SIMP].overlay)
						  : NULL);
		run_due(vp, 0);
		break;
	case HV_MSR_SIEFP:
		synic_vp_set_flags_page(&vp->synic,
					enabled ? overlay_page(&vp->pages[HV_PAGE_SIEFP].overlay)
						: NULL);
		break;
	case HV_MSR_REFERENCE_TSC:
		if (enabled)
			reftime_page(&vp->hv->time,
				     overlay_page(&vp->hv->pages[HV_PAGE_REFERENCE_TSC].overlay));
		break;
	case HV_MSR_VP_ASSIST_PAGE:
		return assist_eoi(vp, enabled ? value & HV_PAGE_MSR_GPA_MASK : 0);
	default:
		break;
	}
	return 0;
}

/* --- Hypercalls. --------------------------------------------------------------------------- */

static int fill_hypercall_page(struct hv_vp *vp, uint64_t msr)
{
	uint8_t *page = overlay_page(&vp->hv->pages[HV_PAGE_HYPERCALL].overlay);
	size_t len = (size_t)(hv_hypercall_code_end - hv_hypercall_code);
	uint8_t code[PAGE_SIZE];

	if (!(msr & HV_PAGE_MSR_ENABLE))
		return 0;
	/* Another VP may be in there when the register is written again: no byte changes for it. */
	memset(code, 0xcc, sizeof(code));
	memcpy(code, hv_hypercall_code, len);
	memcpy(page, code, sizeof(code));
	return 0;
}

/* False: the call raises #UD, and the registers stay as they are. */
static bool call64(struct hv_vp *vp, struct kvm_regs *regs)
{
	const struct hypercall_args args = {.control = regs->rcx,
					    .input = regs->rdx,
					    .output = regs->r8,
					    .read_xmm = hv_read_xmm};

	uint64_t result = hv_hypercall(vp, &args);

	regs->rax = result;
	return result != HYPERCALL_UNDEFINED;
}

static uint64_t pair(uint64_t high, uint64_t low)
{
	return high << 32 | (low & 0xffffffffu);
}

static bool call32(struct hv_vp *vp, struct kvm_regs *regs)
{
	const struct hypercall_args args = {
		.control = pair(regs->rdx, regs->rax),
		.input = pair(regs->rbx, regs->rcx),
		.output = pair(regs->rdi, regs->rsi),
		.read_xmm = hv_read_xmm,
	};
	uint64_t result = hv_hypercall(vp, &args);

	regs->rax = result & 0xffffffffu;
	regs->rdx = result >> 32;
	return result != HYPERCALL_UNDEFINED;
}

/* The signal of a connection that has no eventfd bound: unknown, or just being closed. */
static bool signal_by_port(struct hv_vp *vp, uint32_t id, struct kvm_regs *regs)
{
	const struct hypercall_args args = {.control = HV_CALL_SIGNAL_EVENT | HV_CONTROL_FAST,
					    .input = id};
	uint64_t status = hv_hypercall(vp, &args);

	if (status)
		regs->rax = HV_SIGNAL_FAILED | status;
	return true;
}

static void hook_port(struct hv_vp *vp, uint16_t port, uint32_t value)
{
	struct kvm_regs regs;
	bool done;

	/* Nothing answers at these ports unless the page with the code for them is there. */
	if (!atomic_load_explicit(&vp->hv->hypercalls_open, memory_order_relaxed)) {
		counter_add_shared(&vp->hv->host.vcpus->ports->unclaimed_writes, 1);
		return;
	}
	if (vcpu_get_regs(vp->vcpu, &regs) < 0)
		return;
	if (port == HV_PORT_CALL64)
		done = call64(vp, &regs);
	else if (port == HV_PORT_CALL32)
		done = call32(vp, &regs);
	else
		done = signal_by_port(vp, value, &regs);
	(void)!(done ? vcpu_set_regs(vp->vcpu, &regs) : vcpu_raise_undefined(vp->vcpu));
}

static void exit_hyperv(struct hv_vp *vp)
{
	/* KVM's own SynIC is not on: it has nothing to tell. */
}

/* --- Messages and events. ------------------------------------------------------------------ */

static int post(struct hv_vp *vp, unsigned int sint, const struct hv_message *message)
{
	return synic_vp_post(&vp->synic, sint, message);
}

static int signal_flag(struct hv_vp *vp, unsigned int sint, unsigned int flag)
{
	return synic_vp_signal(&vp->synic, sint, flag);
}

static int bind_event(struct hv *hv, uint32_t id, int fd)
{
	uint64_t match = id;

	return kvm_doorbell_add(hv->host.kvm, DOORBELL_PORT, HV_PORT_SIGNAL, 4, &match, fd);
}

static void unbind_event(struct hv *hv, uint32_t id, int fd)
{
	uint64_t match = id;

	(void)!kvm_doorbell_remove(hv->host.kvm, DOORBELL_PORT, HV_PORT_SIGNAL, 4, &match, fd);
}

/* --- Setting up. --------------------------------------------------------------------------- */

static int init_vm(struct hv *hv, struct error *err)
{
	static uint8_t none[HV_MSR_FILTER_BYTES];
	int r = hv_filter_msrs(hv, none, err);

	if (r < 0)
		return r;
	hv->host.vcpus->hook_port = HV_PORT_FIRST;
	hv->host.vcpus->hook_port_count = HV_PORT_COUNT;
	return 0;
}

static int init_vp(struct hv_vp *vp, struct error *err)
{
	synic_vp_init(&vp->synic, &synic_ops);
	vp->synic.polling = hv_has(vp->hv, HV_FEATURE_SINT_POLLING);
	stimers_init(&vp->timers, &timer_ops, hv_has(vp->hv, HV_FEATURE_DIRECT_STIMERS));
	vp->auto_eoi_poll_ns = AUTO_EOI_POLL_FIRST_NS;
	return 0;
}

static void reset_vp(struct hv_vp *vp)
{
	vp->scontrol = 0;
	vp->icr = 0;
	synic_vp_reset(&vp->synic);
	stimers_reset(&vp->timers);
	for (size_t i = 0; i < ARRAY_SIZE(vp->auto_eoi); i++)
		atomic_store(&vp->auto_eoi[i], 0);
	(void)!assist_eoi(vp, 0);
	vcpu_set_timer(vp->vcpu, 0);
}

static void finish_vp(struct hv_vp *vp)
{
	synic_vp_finish(&vp->synic);
}

static uint64_t reference_time(const struct hv *hv)
{
	return reftime_now(&hv->time);
}

const struct hv_engine hv_engine_user = {
	.name = "user",
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
