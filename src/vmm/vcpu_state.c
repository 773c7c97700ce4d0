// SPDX-License-Identifier: MIT
/*
 * Reading and writing a VP's state. The order of writing follows KVM's dependencies: special
 * registers (with the APIC base) before the local APIC, MSRs after both, events and run state last.
 */
#include "vmm/vcpu_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define MSR_TSC        0x10
#define MSR_TSC_ADJUST 0x3b
#define MSRS_MAX       512

struct vcpu_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_debugregs debugregs;
	struct kvm_xcrs xcrs;
	struct kvm_lapic_state lapic;
	struct kvm_mp_state mp_state;
	struct kvm_vcpu_events events;
	struct kvm_xsave *xsave; /* KVM_CAP_XSAVE2 says how long */
	struct kvm_msrs *msrs;
};

static int list_msrs(const struct kvm *kvm, struct kvm_msrs **ret)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + MSRS_MAX * sizeof(list->indices[0]));
	struct kvm_msrs *msrs = calloc(1, sizeof(*msrs) + MSRS_MAX * sizeof(msrs->entries[0]));
	int r = -ENOMEM;

	if (!list || !msrs)
		goto free;
	list->nmsrs = MSRS_MAX;
	if (ioctl(kvm->fd, KVM_GET_MSR_INDEX_LIST, list) < 0) {
		r = -errno;
		goto free;
	}
	for (uint32_t i = 0; i < list->nmsrs; i++)
		if (list->indices[i] != MSR_TSC && list->indices[i] != MSR_TSC_ADJUST)
			msrs->entries[msrs->nmsrs++].index = list->indices[i];
	free(list);
	*ret = msrs;
	return 0;

free:
	free(list);
	free(msrs);
	return r;
}

static void drop_msr(struct kvm_msrs *msrs, uint32_t at)
{
	memmove(&msrs->entries[at], &msrs->entries[at + 1],
		(msrs->nmsrs - at - 1) * sizeof(msrs->entries[0]));
	msrs->nmsrs--;
}

/*
 * KVM lists MSRs that this vCPU's CPUID does not have, or that cannot be written back: both stop at
 * the first one refused, which is then left out.
 */
static int read_msrs(const struct kvm *kvm, int fd, struct kvm_msrs **ret)
{
	struct kvm_msrs *msrs = NULL;
	int r = list_msrs(kvm, &msrs);

	if (r < 0)
		return r;
	while (msrs->nmsrs) {
		r = ioctl(fd, KVM_GET_MSRS, msrs);
		if (r == (int)msrs->nmsrs)
			r = ioctl(fd, KVM_SET_MSRS, msrs);
		if (r < 0) {
			r = -errno;
			free(msrs);
			return r;
		}
		if (r == (int)msrs->nmsrs)
			break;
		drop_msr(msrs, (uint32_t)r);
	}
	*ret = msrs;
	return 0;
}

static int read_xsave(const struct kvm *kvm, int fd, struct kvm_xsave **ret)
{
	int wanted = kvm->caps[KVM_HAS_XSAVE2];
	size_t len = max_of(wanted > 0 ? (size_t)wanted : 0, sizeof(struct kvm_xsave));
	unsigned long request = kvm_has(kvm, KVM_HAS_XSAVE2) ? KVM_GET_XSAVE2 : KVM_GET_XSAVE;
	struct kvm_xsave *xsave = calloc(1, len);

	if (!xsave)
		return -ENOMEM;
	if (ioctl(fd, request, xsave) < 0) {
		int r = -errno;

		free(xsave);
		return r;
	}
	*ret = xsave;
	return 0;
}

struct step {
	unsigned long request;
	const char *name;
	void *arg;
};

static int run_steps(int fd, const struct step *steps, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (steps[i].request && ioctl(fd, steps[i].request, steps[i].arg) < 0)
			return error_errno(err, -errno, "%s", steps[i].name);
	return 0;
}

int vcpu_state_read(const struct kvm *kvm, int vcpu_fd, struct error *err, struct vcpu_state **ret)
{
	struct vcpu_state *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	const struct step steps[] = {
		{KVM_GET_REGS, "KVM_GET_REGS", &s->regs},
		{KVM_GET_SREGS, "KVM_GET_SREGS", &s->sregs},
		{KVM_GET_DEBUGREGS, "KVM_GET_DEBUGREGS", &s->debugregs},
		{kvm_has(kvm, KVM_HAS_XCRS) ? KVM_GET_XCRS : 0, "KVM_GET_XCRS", &s->xcrs},
		{KVM_GET_LAPIC, "KVM_GET_LAPIC", &s->lapic},
		{KVM_GET_MP_STATE, "KVM_GET_MP_STATE", &s->mp_state},
		{KVM_GET_VCPU_EVENTS, "KVM_GET_VCPU_EVENTS", &s->events},
	};
	r = run_steps(vcpu_fd, steps, ARRAY_SIZE(steps), err);
	if (r < 0)
		goto free;
	r = read_xsave(kvm, vcpu_fd, &s->xsave);
	if (r < 0) {
		error_errno(err, r, "KVM_GET_XSAVE");
		goto free;
	}
	r = read_msrs(kvm, vcpu_fd, &s->msrs);
	if (r < 0) {
		error_errno(err, r, "KVM_GET_MSRS");
		goto free;
	}
	*ret = s;
	return 0;

free:
	vcpu_state_free(s);
	return r;
}

int vcpu_state_write(const struct kvm *kvm, int vcpu_fd, const struct vcpu_state *state,
		     struct error *err)
{
	struct vcpu_state s = *state;
	int r;

	/* Everything that an event structure can carry is taken from it, pending or not. */
	s.events.flags |= KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |
			  KVM_VCPUEVENT_VALID_SHADOW;
	const struct step before[] = {
		{KVM_SET_SREGS, "KVM_SET_SREGS", &s.sregs},
		{KVM_SET_REGS, "KVM_SET_REGS", &s.regs},
		{KVM_SET_XSAVE, "KVM_SET_XSAVE", s.xsave},
		{kvm_has(kvm, KVM_HAS_XCRS) ? KVM_SET_XCRS : 0, "KVM_SET_XCRS", &s.xcrs},
		{KVM_SET_DEBUGREGS, "KVM_SET_DEBUGREGS", &s.debugregs},
		{KVM_SET_LAPIC, "KVM_SET_LAPIC", &s.lapic},
	};
	const struct step after[] = {
		{KVM_SET_VCPU_EVENTS, "KVM_SET_VCPU_EVENTS", &s.events},
		{KVM_SET_MP_STATE, "KVM_SET_MP_STATE", &s.mp_state},
	};
	r = run_steps(vcpu_fd, before, ARRAY_SIZE(before), err);
	if (r < 0)
		return r;
	r = ioctl(vcpu_fd, KVM_SET_MSRS, s.msrs);
	if (r < 0)
		return error_errno(err, -errno, "KVM_SET_MSRS");
	if (r != (int)s.msrs->nmsrs)
		return error_set(err, -EIO, "KVM refuses to reset MSR 0x%x",
				 s.msrs->entries[r].index);
	return run_steps(vcpu_fd, after, ARRAY_SIZE(after), err);
}

void vcpu_state_free(struct vcpu_state *state)
{
	if (!state)
		return;
	free(state->xsave);
	free(state->msrs);
	free(state);
}
