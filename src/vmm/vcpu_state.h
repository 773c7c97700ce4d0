// SPDX-License-Identifier: MIT
/*
 * All architectural state of one VP, read from and written back to KVM. A reset writes back what
 * was read at power-on.
 *
 * Call while the VP does not run and has no I/O pending in KVM (vcpu.c completes it when it parks).
 */
#pragma once

#include <linux/kvm.h>

#include "vmm/error.h"
#include "vmm/kvm.h"

struct vcpu_state;

/* Reads the state of @vcpu_fd. */
int vcpu_state_read(const struct kvm *kvm, int vcpu_fd, struct error *err,
		    struct vcpu_state **ret) must_check;

/*
 * Writes @state to @vcpu_fd: exactly what was read, but for the time stamp counter, which goes on
 * counting so that it stays equal on all VPs.
 */
int vcpu_state_write(const struct kvm *kvm, int vcpu_fd, const struct vcpu_state *state,
		     struct error *err) must_check;

void vcpu_state_free(struct vcpu_state *state);
