// SPDX-License-Identifier: MIT
/*
 * Exceptions and interrupts.
 *
 * An exception that nobody expects prints the registers and ends the test as failed. Expected
 * ones run inside guarded_call(). Interrupts go to the handler installed for their vector, which
 * sends the EOI itself; one without handler ends the test.
 */
#pragma once

#include "kit/base.h"

#define SEL_CODE64 0x08
#define SEL_DATA   0x10
#define SEL_CODE32 0x18
#define SEL_TSS    0x20

struct gdt {
	uint64_t entry[6]; /* null, code64, data, code32, TSS (two) */
};

struct __packed tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map;
};

_Static_assert(sizeof(struct tss) == 104, "SDM volume 3, figure 8-11");

enum vector {
	VECTOR_DE = 0,
	VECTOR_NMI = 2,
	VECTOR_UD = 6,
	VECTOR_DF = 8,
	VECTOR_TS = 10,
	VECTOR_NP = 11,
	VECTOR_SS = 12,
	VECTOR_GP = 13,
	VECTOR_PF = 14,
	VECTOR_SPURIOUS = 0xff,
};

/* As the stubs in start.S push it. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* What the last guarded call ran into. */
struct fault {
	int vector;
	uint64_t error;
	uint64_t rip;
	uint64_t cr2; /* of page faults */
};

#define NO_FAULT (-1)

/*
 * Calls fn(arg) and returns NO_FAULT, or, when it faulted, the vector, without finishing it;
 * details are then in this_cpu()->fault. May be nested. Takes no interrupts away: NMIs and
 * vectors >= 32 do not count as faults.
 */
int guarded_call(void (*fn)(void *), void *arg);

/* NO_FAULT or the vector (VECTOR_GP for an MSR that is not there). @ret is untouched on a fault. */
int rdmsr_safe(uint32_t msr, uint64_t *ret);
int wrmsr_safe(uint32_t msr, uint64_t v);

typedef void irq_handler(struct trap_frame *frame);

/* The handler of a vector on all CPUs; NULL takes it away. Also for VECTOR_NMI. */
void irq_set_handler(unsigned int vector, irq_handler *handler);

/* Fills the IDT, once. */
void trap_init(void);

struct cpu;

/* Loads this CPU's GDT, TSS, IDT and GS base; @ist_top is the top of its double-fault stack. */
void trap_load(struct cpu *cpu, uint64_t ist_top);
