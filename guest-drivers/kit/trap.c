// SPDX-License-Identifier: MIT
/*
 * Descriptor tables and the one C entry of all vectors. The IDT and the handler table are written
 * by CPU 0 and read by all.
 */
#include "kit/cpu.h"
#include "kit/smp.h"
#include "kit/test.h"

struct __packed idt_entry {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t reserved;
};

struct __packed table_pointer {
	uint16_t limit;
	uint64_t base;
};

_Static_assert(offsetof(struct cpu, self) == 0, "this_cpu() reads %gs:0");
_Static_assert(offsetof(struct cpu, guard_rsp) == 8, "CPU_GUARD in start.S");

#define IDT_INTERRUPT_GATE 0x8e
#define STUB_SIZE          16
#define IST_DOUBLE_FAULT   1

extern const char trap_stubs[], guarded_landing[];

static struct idt_entry idt[256];
static irq_handler *handlers[256];

void trap_init(void)
{
	uint64_t stub = (uintptr_t)trap_stubs;

	for (size_t i = 0; i < ARRAY_SIZE(idt); i++, stub += STUB_SIZE)
		idt[i] = (struct idt_entry){
			.offset_low = (uint16_t)stub,
			.selector = SEL_CODE64,
			.ist = i == VECTOR_DF ? IST_DOUBLE_FAULT : 0,
			.type = IDT_INTERRUPT_GATE,
			.offset_mid = (uint16_t)(stub >> 16),
			.offset_high = (uint32_t)(stub >> 32),
		};
}

void trap_load(struct cpu *cpu, uint64_t ist_top)
{
	uint64_t tss = (uintptr_t)&cpu->tss;
	struct table_pointer gdtr = {sizeof(cpu->gdt) - 1, (uintptr_t)&cpu->gdt};
	struct table_pointer idtr = {sizeof(idt) - 1, (uintptr_t)idt};

	cpu->self = cpu;
	cpu->tss = (struct tss){.ist = {[IST_DOUBLE_FAULT - 1] = ist_top},
				.io_map = sizeof(struct tss)};
	cpu->gdt = (struct gdt){{
		0,
		0x00af9b000000ffff,
		0x00cf93000000ffff,
		0x00cf9b000000ffff,
		0x0000890000000000 | (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 |
			(tss >> 24 & 0xff) << 56,
		tss >> 32,
	}};
	__asm__ volatile("lgdt %0" : : "m"(gdtr) : "memory");
	__asm__ volatile("lidt %0" : : "m"(idtr) : "memory");
	__asm__ volatile("ltr %w0" : : "r"(SEL_TSS) : "memory");
	wrmsr(MSR_GS_BASE, (uintptr_t)cpu);
}

void irq_set_handler(unsigned int vector, irq_handler *handler)
{
	store_release(&handlers[vector], handler);
}

static no_return void fatal(const struct trap_frame *f)
{
	print("# unexpected %s 0x%02lx error 0x%lx on cpu %u, rip 0x%lx cr2 0x%lx rflags 0x%lx\n",
	      f->vector < 32 ? "exception" : "interrupt", f->vector, f->error, cpu_index(), f->rip,
	      read_cr2(), f->rflags);
	print("# rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
	print("# rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", f->rsi, f->rdi, f->rbp, f->rsp);
	print("# r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", f->r8, f->r9, f->r10, f->r11);
	print("# r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", f->r12, f->r13, f->r14, f->r15);
	print("# cr0 %lx cr3 %lx cr4 %lx cs %lx ss %lx\n", read_cr0(), read_cr3(), read_cr4(),
	      f->cs, f->ss);
	bail_out("vector 0x%02lx error 0x%lx at rip 0x%lx", f->vector, f->error, f->rip);
}

void trap_dispatch(struct trap_frame *f);

void trap_dispatch(struct trap_frame *f)
{
	struct cpu *cpu = this_cpu();
	irq_handler *handler = load_acquire(&handlers[f->vector]);

	if (f->vector >= 32)
		cpu->interrupts++;
	if (handler) {
		handler(f);
		return;
	}
	if (f->vector == VECTOR_SPURIOUS)
		return;
	if (f->vector >= 32 || f->vector == VECTOR_NMI || !cpu->guard_rsp)
		fatal(f);

	cpu->fault = (struct fault){
		.vector = (int)f->vector,
		.error = f->error,
		.rip = f->rip,
		.cr2 = f->vector == VECTOR_PF ? read_cr2() : 0,
	};
	f->rsp = cpu->guard_rsp;
	f->rip = (uintptr_t)guarded_landing;
	f->rax = f->vector;
}

struct msr_access {
	uint32_t msr;
	uint64_t value;
};

static void do_rdmsr(void *arg)
{
	struct msr_access *a = arg;

	a->value = rdmsr(a->msr);
}

static void do_wrmsr(void *arg)
{
	struct msr_access *a = arg;

	wrmsr(a->msr, a->value);
}

int rdmsr_safe(uint32_t msr, uint64_t *ret)
{
	struct msr_access a = {.msr = msr};
	int vector = guarded_call(do_rdmsr, &a);

	if (vector == NO_FAULT)
		*ret = a.value;
	return vector;
}

int wrmsr_safe(uint32_t msr, uint64_t v)
{
	struct msr_access a = {.msr = msr, .value = v};

	return guarded_call(do_wrmsr, &a);
}
