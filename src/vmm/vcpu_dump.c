// SPDX-License-Identifier: MIT
/*
 * What a person needs to see of a VP that KVM cannot run on: registers and the bytes it was
 * executing. Runs once for a VP, on its own thread, so nothing else changes it.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/log.h"
#include "vmm/vcpu.h"

#define CODE_BYTES 16

static void dump_general(const struct kvm_regs *r)
{
	log_error("rax=%016llx rbx=%016llx rcx=%016llx rdx=%016llx", r->rax, r->rbx, r->rcx,
		  r->rdx);
	log_error("rsi=%016llx rdi=%016llx rbp=%016llx rsp=%016llx", r->rsi, r->rdi, r->rbp,
		  r->rsp);
	log_error("r8 =%016llx r9 =%016llx r10=%016llx r11=%016llx", r->r8, r->r9, r->r10, r->r11);
	log_error("r12=%016llx r13=%016llx r14=%016llx r15=%016llx", r->r12, r->r13, r->r14,
		  r->r15);
	log_error("rip=%016llx rflags=%016llx", r->rip, r->rflags);
}

static void dump_system(const struct kvm_sregs *s)
{
	log_error("cr0=%llx cr2=%llx cr3=%llx cr4=%llx efer=%llx", s->cr0, s->cr2, s->cr3, s->cr4,
		  s->efer);
	log_error("cs=%04x base=%llx limit=%x l=%u db=%u ss=%04x tr=%04x gdt=%llx idt=%llx",
		  s->cs.selector, s->cs.base, s->cs.limit, s->cs.l, s->cs.db, s->ss.selector,
		  s->tr.selector, s->gdt.base, s->idt.base);
}

/* The bytes at the instruction pointer, through the guest's own page tables. */
static size_t read_code(struct vcpu *vcpu, uint64_t linear, uint8_t *code)
{
	size_t got = 0;

	while (got < CODE_BYTES) {
		struct kvm_translation t = {.linear_address = linear + got};

		if (ioctl(vcpu->fd, KVM_TRANSLATE, &t) < 0 || !t.valid ||
		    mem_read(vcpu->set->mem, t.physical_address, &code[got], 1) < 0)
			break;
		got++;
	}
	return got;
}

static void dump_code(struct vcpu *vcpu, uint64_t linear)
{
	uint8_t code[CODE_BYTES];
	char text[3 * CODE_BYTES + 1] = "";
	size_t len = read_code(vcpu, linear, code);

	for (size_t i = 0; i < len; i++)
		snprintf(&text[3 * i], 4, " %02x", code[i]);
	log_error("code:%s", len ? text : " (not readable)");
}

void vcpu_dump(struct vcpu *vcpu)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;

	log_error("VP %u, exit reason %u:", vcpu->index, vcpu->run->exit_reason);
	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return;
	dump_general(&regs);
	dump_system(&sregs);
	dump_code(vcpu, sregs.cs.base + regs.rip);
}
