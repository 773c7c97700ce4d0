// SPDX-License-Identifier: MIT
/*
 * Exceptions arrive with the right vector, error code and address, and the kit's page tables do
 * what they say: the ground that every other guest stands on.
 */
#include "kit/kit.h"

#define TEST_VA 0xffff900000000000ull

static void run_ud2(void *arg)
{
	(void)arg;
	__asm__ volatile("ud2");
}

static void run_divide(void *arg)
{
	(void)arg;
	__asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx"
			 :
			 :
			 : "eax", "ecx", "edx", "cc");
}

static void run_bad_selector(void *arg)
{
	(void)arg;
	__asm__ volatile("mov %w0, %%es" : : "r"(0x58));
}

static void run_non_canonical(void *arg)
{
	(void)arg;
	mmio_read8(0x8000000000000000);
}

static void run_read(void *arg)
{
	mmio_read32((uintptr_t)arg);
}

static void run_write(void *arg)
{
	mmio_write32((uintptr_t)arg, 1);
}

static void run_nested(void *arg)
{
	int *inner = arg;

	*inner = guarded_call(run_ud2, NULL);
	run_divide(NULL);
}

static void test_exceptions(void)
{
	int inner = NO_FAULT;

	check_eq(guarded_call(run_ud2, NULL), VECTOR_UD, "ud2 is #UD");
	check_eq(guarded_call(run_divide, NULL), VECTOR_DE, "division by zero is #DE");
	check_eq(guarded_call(run_non_canonical, NULL), VECTOR_GP,
		 "a non-canonical address is #GP");
	check_eq(guarded_call(run_bad_selector, NULL), VECTOR_GP, "a selector past the GDT is #GP");
	check_eq(this_cpu()->fault.error, 0x58, "its error code is the selector");
	check_eq(guarded_call(run_nested, &inner), VECTOR_DE, "guarded calls nest: outer");
	check_eq(inner, VECTOR_UD, "guarded calls nest: inner");
}

static void test_page_faults(void)
{
	uint32_t *page = page_alloc(1);
	volatile uint32_t *alias = pa_ptr(TEST_VA);

	check_eq(page_entry(TEST_VA), 0, "nothing is mapped at the test address");
	check_eq(guarded_call(run_read, pa_ptr(TEST_VA)), VECTOR_PF, "reading it is #PF");
	check_eq(this_cpu()->fault.cr2, TEST_VA, "CR2 is the address");
	check_eq(this_cpu()->fault.error, 0, "error code: not present, read");

	page_map(TEST_VA, (uintptr_t)page, PTE_PRESENT | PTE_WRITE);
	*page = 0x600df00d;
	check_eq(*alias, 0x600df00d, "a mapped page shows its memory");
	*alias = 0x12345678;
	check_eq(READ_ONCE(*page), 0x12345678, "and takes writes");

	page_map(TEST_VA, (uintptr_t)page, PTE_PRESENT);
	check_eq(guarded_call(run_write, pa_ptr(TEST_VA)), VECTOR_PF,
		 "writing a read-only page is #PF");
	check_eq(this_cpu()->fault.error, 3, "error code: present, write");
	page_unmap(TEST_VA);
	check_eq(guarded_call(run_write, pa_ptr(TEST_VA)), VECTOR_PF,
		 "an unmapped page faults again");
	check_eq(this_cpu()->fault.error, 2, "error code: not present, write");
}

static void test_split(void)
{
	uint64_t hole = align_up(page_alloc_end() + MiB(2), MiB(2));
	volatile uint64_t *before = pa_ptr(hole - 8), *after = pa_ptr(hole + PAGE_SIZE);

	if (!memory_is_ram(hole - 8, MiB(1))) {
		skip("a page is taken out of the identity map", "too little memory");
		return;
	}
	*before = 1;
	*after = 2;
	page_unmap(hole);
	expect_eq(guarded_call(run_read, pa_ptr(hole)), VECTOR_PF);
	expect_eq(*before, 1);
	expect_eq(*after, 2);
	page_map(hole, hole, PTE_PRESENT | PTE_WRITE);
	expect_eq(guarded_call(run_write, pa_ptr(hole)), NO_FAULT);
	expect_eq(*(volatile uint32_t *)pa_ptr(hole), 1);
	test_case("a page is taken out of the identity map and put back");
}

static void test_msrs(void)
{
	uint64_t v = 0;

	check_eq(rdmsr_safe(MSR_LSTAR, &v), NO_FAULT, "LSTAR can be read");
	check_eq(wrmsr_safe(MSR_LSTAR, 0xffff800012345678), NO_FAULT, "LSTAR can be written");
	check_eq(rdmsr(MSR_LSTAR), 0xffff800012345678, "LSTAR keeps its value");
	check_eq(rdmsr_safe(0x12345678, &v), VECTOR_GP,
		 "reading an MSR that does not exist is #GP");
	check_eq(wrmsr_safe(0x12345678, 0), VECTOR_GP, "writing an MSR that does not exist is #GP");
	wrmsr(MSR_LSTAR, 0);
}

void test_main(void)
{
	test_exceptions();
	test_page_faults();
	test_split();
	test_msrs();
}
