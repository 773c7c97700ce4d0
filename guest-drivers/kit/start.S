// SPDX-License-Identifier: MIT
/*
 * How a guest begins: two entries that join, the start of the other CPUs, and the entry stubs of
 * all 256 vectors.
 *
 *   start64  long mode, paging on, low 4 GiB and the image mapped one to one; RDI = PA of
 *            hvm_start_info (the plain ELF64 entry)
 *   start32  32-bit protected mode, paging off, flat segments; EBX = PA of hvm_start_info (the
 *            entry that the PVH note names, Xen's x86/HVM direct boot ABI)
 *   ap_page  16-bit real mode, what a startup IPI's vector points to after smp_start_all() has
 *            copied it below 1 MiB
 */
#define CODE64 0x08
#define DATA   0x10
#define CODE32 0x18

#define CPU_GUARD 8 /* offsetof(struct cpu, guard_rsp), asserted in trap.c */

/* From flat 32-bit mode to 64-bit code at \target with the page tables whose PA is in ESI. */
.macro ENTER_LONG_MODE target
	mov	$0x20, %eax		/* CR4.PAE */
	mov	%eax, %cr4
	mov	%esi, %cr3
	mov	$0xc0000080, %ecx	/* EFER.LME */
	rdmsr
	or	$0x100, %eax
	wrmsr
	mov	%cr0, %eax
	and	$0x9fffffff, %eax	/* CR0.CD, NW: caches are off after INIT */
	or	$0x80000021, %eax	/* CR0.PG, NE, PE */
	mov	%eax, %cr0
	ljmp	$CODE64, $\target
.endm

.macro LOAD_DATA_SEGMENTS
	mov	$DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
.endm

	.section .text.start, "ax"

	.code32
	.globl	start32
start32:
	cli
	cld
	lgdt	boot_gdt_pointer
	ljmp	$CODE32, $1f
1:	LOAD_DATA_SEGMENTS

	/* Identity map of 4 GiB in 2 MiB pages; paging_init() replaces it. */
	mov	$boot_tables, %edi
	mov	$(6 * 4096 / 4), %ecx
	xor	%eax, %eax
	rep	stosl
	movl	$(boot_tables + 0x1000 + 3), boot_tables
	mov	$(boot_tables + 0x2000 + 3), %eax
	xor	%ecx, %ecx
2:	mov	%eax, boot_tables + 0x1000(, %ecx, 8)
	add	$0x1000, %eax
	inc	%ecx
	cmp	$4, %ecx
	jb	2b
	mov	$0x83, %eax		/* present, writable, large */
	xor	%ecx, %ecx
3:	mov	%eax, boot_tables + 0x2000(, %ecx, 8)
	add	$0x200000, %eax
	inc	%ecx
	cmp	$2048, %ecx
	jb	3b

	mov	%ebx, %edi
	mov	$boot_tables, %esi
	ENTER_LONG_MODE start64

	.code64
	.globl	start64
start64:
	cli
	cld
	mov	%edi, %ebx		/* the start info is below 4 GiB */
	mov	$__bss_start, %edi
	mov	$__bss_end, %ecx
	sub	%edi, %ecx
	xor	%eax, %eax
	rep	stosb
	mov	$boot_stack_top, %esp
	lgdt	boot_gdt_pointer
	pushq	$CODE64
	pushq	$1f
	lretq
1:	LOAD_DATA_SEGMENTS
	mov	%rbx, %rdi
	call	kit_start
2:	cli
	hlt
	jmp	2b

	.code32
ap_start32:
	LOAD_DATA_SEGMENTS
	mov	kit_page_tables, %esi
	ENTER_LONG_MODE ap_start64

	.code64
ap_start64:
	mov	$1, %edi
	lock xaddl %edi, ap_arrivals	/* EDI = my place in the queue, 0 first */
	cmp	ap_expected, %edi
	jae	2b			/* a CPU nobody announced: sleep */
	mov	ap_stacks, %rax
	mov	(%rax, %rdi, 8), %rsp
	call	ap_main
	jmp	2b

	.code16
	.globl	ap_page, ap_page_end
ap_page:
	cli
	cld
	lgdtl	%cs:(3f - ap_page)
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmpl	$CODE32, $ap_start32
	.balign	4
3:	.word	boot_gdt_end - boot_gdt - 1
	.long	boot_gdt
ap_page_end:

	.section .text, "ax"
	.code64
/*
 * int guarded_call(void (*fn)(void *), void *arg): see trap.h. A fault inside fn comes back at
 * guarded_landing with RSP as saved in the CPU's guard and RAX = vector.
 */
	.globl	guarded_call, guarded_landing
guarded_call:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	pushq	%gs:CPU_GUARD
	mov	%rsp, %gs:CPU_GUARD
	mov	%rdi, %rax
	mov	%rsi, %rdi
	call	*%rax
	mov	$-1, %eax
guarded_landing:
	popq	%gs:CPU_GUARD
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

/* 16 bytes a vector, so that the IDT can be computed. */
	.globl	trap_stubs
	.balign	16
trap_stubs:
	.set	vector, 0
	.rept	256
	.balign	16
	.if	!(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || \
		  vector == 29 || vector == 30)
	pushq	$0
	.endif
	pushq	$vector
	jmp	trap_common
	.set	vector, vector + 1
	.endr

trap_common:
	push	%rax
	push	%rbx
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rbp
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	cld
	mov	%rsp, %rdi
	call	trap_dispatch
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rbp
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rbx
	pop	%rax
	add	$16, %rsp
	iretq

	.data
	.balign	8
/* Same selectors and contents as every CPU's own table (trap.c), minus the TSS. */
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* CODE64 */
	.quad	0x00cf93000000ffff	/* DATA */
	.quad	0x00cf9b000000ffff	/* CODE32 */
boot_gdt_end:
boot_gdt_pointer:
	.word	boot_gdt_end - boot_gdt - 1
	.quad	boot_gdt

	.bss
	.balign	4096
	.skip	16384
boot_stack_top:

/* Outside the cleared bss: in use while it is cleared. */
	.section .boot_tables, "aw", @nobits
	.balign	4096
boot_tables:
	.skip	6 * 4096

	.section .note.GNU-stack, "", @progbits
