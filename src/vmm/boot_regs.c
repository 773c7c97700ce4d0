// SPDX-License-Identifier: MIT
/*
 * The registers VP 0 starts with, and the tables in guest memory that they point to. No state.
 *
 * One GDT serves every protocol: selector 0x10 is 64-bit code and 0x18 flat data, as the 64-bit
 * Linux boot protocol wants; 0x08 is flat 32-bit code. TR holds a busy TSS at 0 with limit 0x67:
 * PVH asks for exactly that, and without it VT-x refuses to enter the guest.
 */
#include "vmm/boot.h"

#include <errno.h>
#include <string.h>

#include "vmm/boot_internal.h"
#include "vmm/layout.h"

#define SELECTOR_CODE_32 0x08
#define SELECTOR_CODE_64 0x10
#define SELECTOR_DATA    0x18
#define SELECTOR_TSS     0x20 /* two slots in long mode */
#define GDT_SLOTS        6

#define CR0_PE    0x00000001ull
#define CR0_ET    0x00000010ull
#define CR0_PG    0x80000000ull
#define CR4_PAE   0x00000020ull
#define EFER_LME  0x00000100ull
#define EFER_LMA  0x00000400ull
#define RFLAGS_1  0x00000002ull /* the bit that is always set */
#define PTE_P     0x001ull
#define PTE_RW    0x002ull
#define PTE_LARGE 0x080ull

#define TABLE_ENTRIES 512u

/* One page of PML4, one of PDPT, the rest are page directories of 1 GiB each. */
#define TABLES_LEN      KiB(128)
#define DIRECTORIES_MAX (TABLES_LEN / PAGE_SIZE - 2)
#define DIRECTORIES_MIN 4u

_Static_assert(LAYOUT_PAGE_TABLES + TABLES_LEN <= LAYOUT_CMDLINE, "the page tables fit the layout");

static const struct kvm_segment segment_data = {
	.selector = SELECTOR_DATA,
	.limit = 0xffffffff,
	.type = 3,
	.present = 1,
	.db = 1,
	.s = 1,
	.g = 1,
};
static const struct kvm_segment segment_code_32 = {
	.selector = SELECTOR_CODE_32,
	.limit = 0xffffffff,
	.type = 11,
	.present = 1,
	.db = 1,
	.s = 1,
	.g = 1,
};
static const struct kvm_segment segment_code_64 = {
	.selector = SELECTOR_CODE_64,
	.limit = 0xffffffff,
	.type = 11,
	.present = 1,
	.s = 1,
	.l = 1,
	.g = 1,
};
static const struct kvm_segment segment_tss = {
	.selector = SELECTOR_TSS,
	.limit = 0x67,
	.type = 11,
	.present = 1,
};

/* Intel SDM volume 3, figure 3-8. All bases are 0. */
static uint64_t descriptor(const struct kvm_segment *s)
{
	uint64_t limit = s->g ? s->limit >> 12 : s->limit;
	uint64_t access = s->type | s->s << 4 | s->dpl << 5 | s->present << 7;
	uint64_t flags = s->avl | s->l << 1 | s->db << 2 | s->g << 3;

	return (limit & 0xffff) | access << 40 | (limit >> 16 & 0xf) << 48 | flags << 52;
}

static int write_gdt(struct mem *mem, struct kvm_sregs *sregs)
{
	uint64_t gdt[GDT_SLOTS] = {0};
	static const struct kvm_segment *const all[] = {&segment_code_32, &segment_code_64,
							&segment_data, &segment_tss};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		gdt[all[i]->selector / sizeof(gdt[0])] = descriptor(all[i]);
	sregs->gdt = (struct kvm_dtable){.base = LAYOUT_GDT, .limit = sizeof(gdt) - 1};
	return mem_write(mem, LAYOUT_GDT, gdt, sizeof(gdt));
}

/* How many GiB the identity map covers. */
static uint64_t directory_count(const struct mem *mem)
{
	size_t count;
	const struct mem_region *regions = mem_regions(mem, &count);
	uint64_t end = regions[count - 1].gpa + regions[count - 1].len;

	return min_of(max_of((end + GiB(1) - 1) / GiB(1), (uint64_t)DIRECTORIES_MIN),
		      (uint64_t)DIRECTORIES_MAX);
}

uint64_t boot_identity_end(const struct mem *mem)
{
	return directory_count(mem) * GiB(1);
}

/* 2 MiB pages, because 1 GiB pages need a CPUID bit that the guest may not have. */
static int write_page_tables(struct mem *mem)
{
	uint64_t table[TABLE_ENTRIES];
	uint64_t directories = directory_count(mem);
	uint64_t at = LAYOUT_PAGE_TABLES + 2ull * PAGE_SIZE;
	int r;

	memset(table, 0, sizeof(table));
	table[0] = (LAYOUT_PAGE_TABLES + PAGE_SIZE) | PTE_P | PTE_RW;
	r = mem_write(mem, LAYOUT_PAGE_TABLES, table, sizeof(table));
	if (r < 0)
		return r;
	memset(table, 0, sizeof(table));
	for (uint64_t i = 0; i < directories; i++)
		table[i] = (at + i * PAGE_SIZE) | PTE_P | PTE_RW;
	r = mem_write(mem, LAYOUT_PAGE_TABLES + PAGE_SIZE, table, sizeof(table));
	for (uint64_t i = 0; r == 0 && i < directories; i++) {
		for (uint64_t j = 0; j < TABLE_ENTRIES; j++)
			table[j] = (i * GiB(1) + j * MiB(2)) | PTE_P | PTE_RW | PTE_LARGE;
		r = mem_write(mem, at + i * PAGE_SIZE, table, sizeof(table));
	}
	return r;
}

static int set_mode(const struct boot_entry *entry, struct mem *mem, struct kvm_sregs *sregs)
{
	sregs->cs = entry->long_mode ? segment_code_64 : segment_code_32;
	sregs->cr0 = CR0_PE | CR0_ET;
	sregs->cr3 = 0;
	sregs->cr4 = 0;
	sregs->efer = 0;
	if (!entry->long_mode)
		return 0;
	sregs->cr0 |= CR0_PG;
	sregs->cr3 = LAYOUT_PAGE_TABLES;
	sregs->cr4 = CR4_PAE;
	sregs->efer = EFER_LME | EFER_LMA;
	return write_page_tables(mem);
}

int boot_set_regs(const struct boot_entry *entry, struct mem *mem, struct kvm_regs *regs,
		  struct kvm_sregs *sregs)
{
	int r;

	*regs = (struct kvm_regs){
		.rip = entry->rip,
		.rsp = entry->rsp,
		.rax = entry->rax,
		.rbx = entry->rbx,
		.rsi = entry->rsi,
		.rdi = entry->rdi,
		.rflags = RFLAGS_1,
	};
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = segment_data;
	sregs->tr = segment_tss;
	sregs->ldt = (struct kvm_segment){.unusable = 1};
	sregs->idt = (struct kvm_dtable){0};
	r = write_gdt(mem, sregs);
	if (r < 0)
		return r;
	return set_mode(entry, mem, sregs);
}
