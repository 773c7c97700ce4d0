// SPDX-License-Identifier: MIT
/*
 * What both engines do alike. No state.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "hv-enlight/hv_internal.h"

int hv_read_xmm(void *ctx, uint8_t *xmm)
{
	struct hv_vp *vp = ctx;
	struct kvm_fpu fpu;

	if (ioctl(vp->vcpu->fd, KVM_GET_FPU, &fpu) < 0)
		return -errno;
	memcpy(xmm, fpu.xmm, HYPERCALL_FAST_MAX - HYPERCALL_FAST_REGISTERS);
	return 0;
}

int hv_filter_msrs(struct hv *hv, uint8_t *bitmap, struct error *err)
{
	struct kvm_enable_cap cap = {.cap = KVM_CAP_X86_USER_SPACE_MSR,
				     .args = {KVM_MSR_EXIT_REASON_FILTER}};
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges = {{.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			    .base = HV_MSR_FIRST,
			    .nmsrs = HV_MSR_LAST - HV_MSR_FIRST + 1,
			    .bitmap = bitmap}},
	};

	if (ioctl(hv->host.kvm->vm_fd, KVM_ENABLE_CAP, &cap) < 0)
		return error_errno(err, -errno, "KVM_CAP_X86_USER_SPACE_MSR");
	if (ioctl(hv->host.kvm->vm_fd, KVM_X86_SET_MSR_FILTER, &filter) < 0)
		return error_errno(err, -errno, "KVM_X86_SET_MSR_FILTER");
	return 0;
}
