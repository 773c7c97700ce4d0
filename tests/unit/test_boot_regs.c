// SPDX-License-Identifier: MIT
/* The first registers: modes, descriptors, and the identity map walked as a processor would. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "boot_images.h"
#include "vmm/boot_internal.h"
#include "vmm/layout.h"

#define PRESENT 1ull
#define LARGE   0x80ull

static struct kvm_regs regs;
static struct kvm_sregs sregs;

static struct mem *set(uint64_t size, bool long_mode)
{
	struct mem *mem = image_mem(size);
	struct boot_entry entry = {.long_mode = long_mode,
				   .rip = 0x100200,
				   .rsp = 0x1234,
				   .rax = 1,
				   .rbx = 2,
				   .rsi = 3,
				   .rdi = 4};

	/* What a reset leaves behind must be gone, except what is not ours. */
	memset(&regs, 0xff, sizeof(regs));
	memset(&sregs, 0, sizeof(sregs));
	sregs.cr0 = 0x60000010;
	sregs.cr4 = 0x2000;
	sregs.efer = 1;
	sregs.cs.base = 0xffff0000;
	sregs.apic_base = 0xfee00900;
	ck_assert_int_eq(boot_set_regs(&entry, mem, &regs, &sregs), 0);
	return mem;
}

static void check_regs(void)
{
	struct kvm_regs want = {.rip = 0x100200,
				.rsp = 0x1234,
				.rax = 1,
				.rbx = 2,
				.rsi = 3,
				.rdi = 4,
				.rflags = 2};

	ck_assert_int_eq(memcmp(&regs, &want, sizeof(want)), 0);
	ck_assert_uint_eq(sregs.apic_base, 0xfee00900);
}

/* The descriptor in guest memory says the same as the register. */
static void check_segment(struct mem *mem, const struct kvm_segment *s)
{
	uint64_t d = 0;
	uint32_t limit;

	ck_assert_uint_le(s->selector + 7u, sregs.gdt.limit);
	ck_assert_int_eq(mem_read(mem, sregs.gdt.base + s->selector, &d, sizeof(d)), 0);
	limit = (uint32_t)((d & 0xffff) | (d >> 32 & 0xf0000));
	if (d >> 55 & 1)
		limit = limit << 12 | 0xfff;
	ck_assert_uint_eq(limit, s->limit);
	ck_assert_uint_eq((d >> 16 & 0xffffff) | (d >> 56) << 24, s->base);
	ck_assert_uint_eq(d >> 40 & 0xf, s->type);
	ck_assert_uint_eq(d >> 44 & 1, s->s);
	ck_assert_uint_eq(d >> 45 & 3, s->dpl);
	ck_assert_uint_eq(d >> 47 & 1, s->present);
	ck_assert_uint_eq(d >> 53 & 1, s->l);
	ck_assert_uint_eq(d >> 54 & 1, s->db);
	ck_assert_uint_eq(d >> 55 & 1, s->g);
}

static void check_segments(struct mem *mem)
{
	const struct kvm_segment *all[] = {&sregs.cs, &sregs.ds, &sregs.es, &sregs.fs,
					   &sregs.gs, &sregs.ss, &sregs.tr};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		check_segment(mem, all[i]);
	ck_assert_uint_eq(sregs.gdt.base, LAYOUT_GDT);
	ck_assert_uint_eq(sregs.idt.limit, 0);
	ck_assert_uint_eq(sregs.ldt.unusable, 1);
	/* A busy TSS; PVH gives its base and limit. */
	ck_assert_uint_eq(sregs.tr.type, 11);
	ck_assert_uint_eq(sregs.tr.base, 0);
	ck_assert_uint_eq(sregs.tr.limit, 0x67);
	ck_assert_uint_eq(sregs.ds.type, 3);
	ck_assert_uint_eq(sregs.ds.db, 1);
}

START_TEST(protected_mode)
{
	struct mem *mem = set(MiB(1), false);
	uint64_t pml4;

	check_regs();
	check_segments(mem);
	ck_assert_uint_eq(sregs.cr0, 0x11);
	ck_assert_uint_eq(sregs.cr3, 0);
	ck_assert_uint_eq(sregs.cr4, 0);
	ck_assert_uint_eq(sregs.efer, 0);
	ck_assert_uint_eq(sregs.cs.db, 1);
	ck_assert_uint_eq(sregs.cs.l, 0);
	ck_assert_uint_eq(sregs.cs.limit, 0xffffffff);
	/* A kernel may have been loaded there. */
	ck_assert_int_eq(mem_read(mem, LAYOUT_PAGE_TABLES, &pml4, sizeof(pml4)), 0);
	ck_assert_uint_eq(pml4, 0);
	mem_destroy(mem);
}
END_TEST

/* The physical address that @va translates to, or all ones. */
static uint64_t translate(struct mem *mem, uint64_t va)
{
	uint64_t table = sregs.cr3;

	for (int shift = 39;; shift -= 9) {
		uint64_t pte;

		ck_assert_int_eq(mem_read(mem, table + (va >> shift & 0x1ff) * 8, &pte, 8), 0);
		if (!(pte & PRESENT))
			return UINT64_MAX;
		if (shift == 21) {
			ck_assert(pte & LARGE);
			return (pte & ~0x1fffffull) | (va & 0x1fffff);
		}
		table = pte & ~0xfffull;
	}
}

START_TEST(long_mode)
{
	struct mem *mem = set(MiB(64), true);
	static const uint64_t mapped[] = {0,          0x100000,   0x3fffffff,
					  0x40000000, 0xfee00000, 0xffffffff};

	check_regs();
	check_segments(mem);
	ck_assert_uint_eq(sregs.cr0, 0x80000011);
	ck_assert_uint_eq(sregs.cr3, LAYOUT_PAGE_TABLES);
	ck_assert_uint_eq(sregs.cr4, 0x20);
	ck_assert_uint_eq(sregs.efer, 0x500);
	/* The Linux boot protocol gives both selectors. */
	ck_assert_uint_eq(sregs.cs.selector, 0x10);
	ck_assert_uint_eq(sregs.ds.selector, 0x18);
	ck_assert_uint_eq(sregs.cs.l, 1);
	ck_assert_uint_eq(sregs.cs.db, 0);
	for (size_t i = 0; i < ARRAY_SIZE(mapped); i++)
		ck_assert_uint_eq(translate(mem, mapped[i]), mapped[i]);
	ck_assert_uint_eq(translate(mem, GiB(4)), UINT64_MAX);
	ck_assert_uint_eq(boot_identity_end(mem), GiB(4));
	mem_destroy(mem);
}
END_TEST

START_TEST(large_memory)
{
	struct mem *mem = set(GiB(8) + MiB(1), true);

	/* RAM ends at 9 GiB + 1 MiB. */
	ck_assert_uint_eq(boot_identity_end(mem), GiB(10));
	ck_assert_uint_eq(translate(mem, GiB(9) + 5), GiB(9) + 5);
	ck_assert_uint_eq(translate(mem, GiB(10)), UINT64_MAX);
	mem_destroy(mem);

	mem = set(GiB(100), true);
	ck_assert_uint_eq(boot_identity_end(mem), GiB(30));
	ck_assert_uint_eq(translate(mem, GiB(30) - 1), GiB(30) - 1);
	ck_assert_uint_eq(translate(mem, GiB(30)), UINT64_MAX);
	mem_destroy(mem);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot_regs");
	TCase *t = tcase_create("boot_regs");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, protected_mode);
	tcase_add_test(t, long_mode);
	tcase_add_test(t, large_memory);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
