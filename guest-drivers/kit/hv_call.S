/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls through the hypercall page (TLFS 3.7-3.13) for hv.h: 64-bit callers, 64-bit callers whose
 * every register is looked at, and 32-bit callers in a compatibility segment. hv_call_page is where
 * the page stands; below 4 GiB for the last of them.
 */
#define CODE64 0x08
#define DATA   0x10
#define CODE32 0x18

	.section .text, "ax"
	.code64

/* uint64_t hv_call(uint64_t control, uint64_t input, uint64_t output) */
	.globl	hv_call
hv_call:
	mov	%rdi, %rcx
	mov	%rdx, %r8
	mov	%rsi, %rdx
	mov	hv_call_page, %rax
	jmp	*%rax

/* uint64_t hv_call_xmm(uint64_t control, const uint64_t block[14]); CR4.OSFXSR is set */
	.globl	hv_call_xmm
hv_call_xmm:
	mov	%rdi, %rcx
	mov	0(%rsi), %rdx
	mov	8(%rsi), %r8
	movups	16(%rsi), %xmm0
	movups	32(%rsi), %xmm1
	movups	48(%rsi), %xmm2
	movups	64(%rsi), %xmm3
	movups	80(%rsi), %xmm4
	movups	96(%rsi), %xmm5
	mov	hv_call_page, %rax
	jmp	*%rax

/* void hv_call_registers(struct hv_registers *r): all registers but RSP in, all out */
	.globl	hv_call_registers
hv_call_registers:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	mov	0(%rdi), %rax
	mov	8(%rdi), %rcx
	mov	16(%rdi), %rdx
	mov	24(%rdi), %rbx
	mov	32(%rdi), %rbp
	mov	40(%rdi), %rsi
	mov	56(%rdi), %r8
	mov	64(%rdi), %r9
	mov	72(%rdi), %r10
	mov	80(%rdi), %r11
	mov	88(%rdi), %r12
	mov	96(%rdi), %r13
	mov	104(%rdi), %r14
	mov	112(%rdi), %r15
	mov	48(%rdi), %rdi
	call	*hv_call_page
	xchg	%rdi, (%rsp)
	mov	%rax, 0(%rdi)
	mov	%rcx, 8(%rdi)
	mov	%rdx, 16(%rdi)
	mov	%rbx, 24(%rdi)
	mov	%rbp, 32(%rdi)
	mov	%rsi, 40(%rdi)
	mov	%r8, 56(%rdi)
	mov	%r9, 64(%rdi)
	mov	%r10, 72(%rdi)
	mov	%r11, 80(%rdi)
	mov	%r12, 88(%rdi)
	mov	%r13, 96(%rdi)
	mov	%r14, 104(%rdi)
	mov	%r15, 112(%rdi)
	pop	%rax
	mov	%rax, 48(%rdi)
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

/*
 * void hv_call_registers32(struct hv_registers32 *r): the same of a 32-bit caller. Interrupts are
 * off: their frames would be right, but the stack's upper half is not.
 */
	.globl	hv_call_registers32
hv_call_registers32:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	pushfq
	cli
	mov	%rsp, %r15
	mov	%edi, %edi
	mov	$registers32_stack_top, %esp
	pushq	$CODE32
	pushq	$1f
	lretq

	.code32
1:	push	%edi
	mov	0(%edi), %eax
	mov	4(%edi), %ecx
	mov	8(%edi), %edx
	mov	12(%edi), %ebx
	mov	16(%edi), %ebp
	mov	20(%edi), %esi
	mov	24(%edi), %edi
	call	*hv_call_page
	xchg	%edi, (%esp)
	mov	%eax, 0(%edi)
	mov	%ecx, 4(%edi)
	mov	%edx, 8(%edi)
	mov	%ebx, 12(%edi)
	mov	%ebp, 16(%edi)
	mov	%esi, 20(%edi)
	pop	%eax
	mov	%eax, 24(%edi)
	ljmp	$CODE64, $2f

	.code64
2:	mov	%r15, %rsp
	popfq
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.bss
	.balign	16
	.skip	1024
registers32_stack_top:

	.section .note.GNU-stack, "", @progbits
