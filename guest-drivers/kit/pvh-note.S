// SPDX-License-Identifier: MIT
/*
 * The note that makes a guest a PVH one: name "Xen", type 18 (XEN_ELFNOTE_PHYS32_ENTRY), and the
 * 32-bit entry point. Linked into NAME.pvh.elf only: a loader that sees it enters there.
 */
	.section .note.pvh, "a", @note
	.balign	4
	.long	4	/* length of the name */
	.long	4	/* length of the value */
	.long	18
	.asciz	"Xen"
	.long	start32

	.section .note.GNU-stack, "", @progbits
