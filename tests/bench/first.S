// SPDX-License-Identifier: MIT
/*
 * The smallest guest: its first instructions write one byte to COM1. They mean the same in 32-bit and
 * 64-bit mode, so it does not matter through which entry a VMM starts it.
 */
	.section .text.start, "ax"
	.globl	start64
start64:
	.globl	start32
start32:
	.byte	0xba, 0xf8, 0x03, 0x00, 0x00	/* mov	$0x3f8, %edx */
	.byte	0xb0, '!'			/* mov	$'!', %al */
	.byte	0xee				/* out	%al, %dx */
1:	hlt
	jmp	1b

	.section .note.GNU-stack, "", @progbits
