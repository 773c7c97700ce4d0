// SPDX-License-Identifier: MIT
/*
 * Single instructions: ports, MSRs, CPUID, control registers, MMIO accesses of an exact width.
 *
 * No int3, mfence, cmpxchg16b or xgetbv here: software KVMs that emulate ring 0 lack them.
 */
#pragma once

#include "kit/base.h"

#define RFLAGS_IF BIT(9)

#define CR0_PE  BIT(0)
#define CR0_NE  BIT(5)
#define CR0_WP  BIT(16)
#define CR0_PG  BIT(31)
#define CR4_PAE BIT(5)

#define MSR_APIC_BASE      0x1b
#define MSR_SYSENTER_CS    0x174
#define MSR_SYSENTER_ESP   0x175
#define MSR_SYSENTER_EIP   0x176
#define MSR_TSC_DEADLINE   0x6e0
#define MSR_X2APIC         0x800
#define MSR_EFER           0xc0000080
#define MSR_LSTAR          0xc0000082
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

#define APIC_BASE_BSP    BIT(8)
#define APIC_BASE_X2APIC BIT(10)
#define APIC_BASE_ENABLE BIT(11)
#define APIC_BASE_ADDR   0xffffff000ull

static inline uint8_t in8(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline uint16_t in16(uint16_t port)
{
	uint16_t v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline uint32_t in32(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline void out8(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void out16(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void out32(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

/* rep outsb, rep insb: one port, many bytes. */
static inline void out8_string(uint16_t port, const void *buf, size_t len)
{
	__asm__ volatile("rep outsb" : "+S"(buf), "+c"(len) : "d"(port) : "memory");
}

static inline void in8_string(uint16_t port, void *buf, size_t len)
{
	__asm__ volatile("rep insb" : "+D"(buf), "+c"(len) : "d"(port) : "memory");
}

/* Faults end the test; rdmsr_safe() and wrmsr_safe() (kit/trap.h) report them. */
static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))
			 : "memory");
}

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid_count(uint32_t leaf, uint32_t index)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(index));
	return r;
}

static inline struct cpuid cpuid(uint32_t leaf)
{
	return cpuid_count(leaf, 0);
}

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline uint64_t read_cr0(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr0, %0" : "=r"(v));
	return v;
}

static inline void write_cr0(uint64_t v)
{
	__asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory");
}

static inline uint64_t read_cr2(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr2, %0" : "=r"(v));
	return v;
}

static inline uint64_t read_cr3(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr3, %0" : "=r"(v));
	return v;
}

static inline void write_cr3(uint64_t v)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(v) : "memory");
}

static inline uint64_t read_cr4(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr4, %0" : "=r"(v));
	return v;
}

static inline void write_cr4(uint64_t v)
{
	__asm__ volatile("mov %0, %%cr4" : : "r"(v) : "memory");
}

static inline void invlpg(uint64_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline uint64_t read_rflags(void)
{
	uint64_t v;

	__asm__ volatile("pushfq; popq %0" : "=r"(v));
	return v;
}

static inline void irq_enable(void)
{
	__asm__ volatile("sti" ::: "memory");
}

static inline void irq_disable(void)
{
	__asm__ volatile("cli" ::: "memory");
}

/* Sleeps until an interrupt; sti's shadow closes the window between the caller's check and hlt. */
static inline void irq_enable_and_halt(void)
{
	__asm__ volatile("sti; hlt" ::: "memory");
}

/* With interrupts off: until an NMI. */
static inline void cpu_halt(void)
{
	__asm__ volatile("cli; hlt" ::: "memory");
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

/* Orders stores before later loads (mfence's job, without mfence). */
static inline void full_fence(void)
{
	__asm__ volatile("lock; addl $0, (%%rsp)" ::: "memory", "cc");
}

/* MMIO: one plain mov of exactly this width. */
#define MMIO_ACCESS(bits, suffix, reg)                                                             \
	static inline uint##bits##_t mmio_read##bits(uint64_t pa)                                  \
	{                                                                                          \
		uint##bits##_t v;                                                                  \
                                                                                                   \
		__asm__ volatile("mov" suffix " (%1), %0" : reg(v) : "r"(pa) : "memory");          \
		return v;                                                                          \
	}                                                                                          \
	static inline void mmio_write##bits(uint64_t pa, uint##bits##_t v)                         \
	{                                                                                          \
		__asm__ volatile("mov" suffix " %0, (%1)" : : "r"(v), "r"(pa) : "memory");         \
	}

MMIO_ACCESS(8, "b", "=q")
MMIO_ACCESS(16, "w", "=r")
MMIO_ACCESS(32, "l", "=r")
MMIO_ACCESS(64, "q", "=r")

#undef MMIO_ACCESS
