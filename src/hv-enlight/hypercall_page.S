/* SPDX-License-Identifier: MIT */
/*
 * The code in the user engine's hypercall page (TLFS 3.13): what a guest calls to make a hypercall. It
 * is copied into the page, so everything in it is relative. Volatile registers: RAX and the flags.
 *
 * 64- and 32-bit callers enter at the same first byte. There the address-size prefix makes a 64-bit
 * processor read a 32-bit displacement, which swallows the jump; a 32-bit one reads 16 bits and jumps.
 *
 * HvCallSignalEvent in its fast form goes to a port of its own with the connection id in EAX. KVM
 * signals an eventfd that is bound to that id and returns at once, with EAX as it was. Without one
 * candela sees the port and, if the call fails, puts 0x80000000 + status into EAX; ids that large,
 * and flag numbers other than 0, take the ordinary way.
 */
#include "hv-enlight/hypercall_page.h"

	.section .rodata
	.globl	hv_hypercall_code
	.globl	hv_hypercall_code_end

hv_hypercall_code:
	.code64
	.byte	0x67, 0x0f, 0x1f, 0x80, 0x00, 0x00
	.byte	0xeb, caller32 - (. + 1)

	cmpq	$0x1005d, %rcx
	jne	1f
	movq	%rdx, %rax
	shrq	$24, %rax
	jnz	1f
	movl	%edx, %eax
	outl	%eax, $HV_PORT_SIGNAL
	cmpl	%eax, %edx
	jne	2f
	xorl	%eax, %eax
	ret
2:	movzwl	%ax, %eax
	ret
1:	outb	%al, $HV_PORT_CALL64
	ret

	.code32
caller32:
	outb	%al, $HV_PORT_CALL32
	ret
hv_hypercall_code_end:

	.section .note.GNU-stack, "", @progbits
