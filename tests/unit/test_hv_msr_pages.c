// SPDX-License-Identifier: MIT
/*
 * The MSRs that place pages, against TLFS 3.13, 5.2.1, 11.8 and 12.7: what the guest sees at the
 * page's address, and that its own memory there comes back byte for byte.
 */
#include <sched.h>
#include <sys/mman.h>

#include "hv-enlight/hv_calls_proto.h"
#include "hv-enlight/hypercall_page.h"
#include "hv_fake.h"
#include "hv_tests.h"

#define OS_ID   0x8100000000000000ull
#define GPA     0x8000ull
#define OTHER   0xc000ull
#define OUTSIDE (HV_FAKE_RAM + 0x3000) /* no RAM there: a memory slot */
#define ENABLE  HV_PAGE_MSR_ENABLE

static struct hv_fake fake;
static uint8_t ram[MiB(2)];

static void fill_ram(void)
{
	for (size_t i = 0; i < mem_size(fake.mem); i++)
		ram[i] = (uint8_t)(i * 131 >> 3);
	ck_assert_int_eq(mem_write(fake.mem, 0, ram, mem_size(fake.mem)), 0);
}

static void setup(void)
{
	hv_fake_create(&fake, 0);
	fill_ram();
}

static void teardown(void)
{
	hv_fake_destroy(&fake);
}

static bool wr(uint32_t msr, uint64_t value)
{
	return hv_fake_wrmsr(&fake, 0, msr, value);
}

static uint64_t get(uint32_t msr)
{
	uint64_t value = 0;

	ck_assert(hv_fake_rdmsr(&fake, 0, msr, &value));
	return value;
}

/* The guest's own bytes are there again, all over its memory. */
static bool ram_is_back(void)
{
	static uint8_t now[sizeof(ram)];

	ck_assert_int_eq(mem_read(fake.mem, 0, now, mem_size(fake.mem)), 0);
	return memcmp(now, ram, mem_size(fake.mem)) == 0;
}

static bool ram_at(uint64_t gpa)
{
	uint8_t now[PAGE_SIZE];

	ck_assert_int_eq(mem_read(fake.mem, gpa, now, PAGE_SIZE), 0);
	return memcmp(now, ram + gpa, PAGE_SIZE) == 0;
}

static bool code_at(uint64_t gpa)
{
	size_t len = (size_t)(hv_hypercall_code_end - hv_hypercall_code);
	uint8_t now[PAGE_SIZE];

	ck_assert_int_eq(mem_read(fake.mem, gpa, now, PAGE_SIZE), 0);
	return memcmp(now, hv_hypercall_code, len) == 0 && now[len] == 0xcc &&
	       now[PAGE_SIZE - 1] == 0xcc;
}

static bool zero_at(uint64_t gpa)
{
	uint8_t now[PAGE_SIZE], zero[PAGE_SIZE] = {0};

	ck_assert_int_eq(mem_read(fake.mem, gpa, now, PAGE_SIZE), 0);
	return memcmp(now, zero, PAGE_SIZE) == 0;
}

/* What a guest that reads outside its RAM sees: the memory slot there, or NULL. */
static const uint8_t *slot_at(uint64_t gpa)
{
	for (size_t i = 0; i < KVM_FAKE_SLOTS; i++)
		if (kvm_fake.slots[i].memory_size && kvm_fake.slots[i].guest_phys_addr == gpa)
			return (const uint8_t *)(uintptr_t)kvm_fake.slots[i].userspace_addr;
	return NULL;
}

/* --- The hypercall page (TLFS 3.13). --------------------------------------------------------- */

START_TEST(needs_an_identity)
{
	ck_assert(wr(HV_MSR_HYPERCALL, GPA | ENABLE));
	ck_assert_uint_eq(get(HV_MSR_HYPERCALL), GPA);
	ck_assert(ram_is_back());
	ck_assert(wr(HV_MSR_GUEST_OS_ID, OS_ID));
	ck_assert_uint_eq(get(HV_MSR_HYPERCALL), GPA);
	ck_assert(wr(HV_MSR_HYPERCALL, GPA | ENABLE));
	ck_assert_uint_eq(get(HV_MSR_HYPERCALL), GPA | ENABLE);
	ck_assert(code_at(GPA));
	ck_assert(ram_at(GPA - PAGE_SIZE));
	ck_assert(ram_at(GPA + PAGE_SIZE));
}
END_TEST

START_TEST(identity_taken_back)
{
	ck_assert(wr(HV_MSR_GUEST_OS_ID, OS_ID));
	ck_assert(wr(HV_MSR_HYPERCALL, GPA | ENABLE));
	ck_assert(wr(HV_MSR_GUEST_OS_ID, 0));
	ck_assert_uint_eq(get(HV_MSR_HYPERCALL), GPA);
	ck_assert(ram_is_back());
	/* A new one does not bring it back by itself. */
	ck_assert(wr(HV_MSR_GUEST_OS_ID, OS_ID + 1));
	ck_assert_uint_eq(get(HV_MSR_HYPERCALL), GPA);
	ck_assert(ram_is_back());
	ck_assert(wr(HV_MSR_HYPERCALL, GPA | ENABLE));
	ck_assert(code_at(GPA));
	/* Another identity that is one changes nothing. */
	ck_assert(wr(HV_MSR_GUEST_OS_ID, OS_ID + 2));
	ck_assert(code_at(GPA));
}
END_TEST

START_TEST(locked)
{
	ck_assert(wr(HV_MSR_GUEST_OS_ID, OS_ID));
	ck_assert(wr(HV_MSR_HYPERCALL, GPA | ENABLE | HV_HYPERCALL_LOCKED));
	ck_assert(!wr(HV_MSR_HYPERCALL, OTHER | ENABLE));
	ck_assert(!wr(HV_MSR_HYPERCALL, 0));
	ck_assert(!wr(HV_MSR_HYPERCALL, GPA | ENABLE | HV_HYPERCALL_LOCKED));
	ck_assert(!hv_fake_wrmsr(&fake, 1, HV_MSR_HYPERCALL, GPA | ENABLE));
	ck_assert_uint_eq(get(HV_MSR_HYPERCALL), GPA | ENABLE | HV_HYPERCALL_LOCKED);
	ck_assert(code_at(GPA));
	ck_assert(ram_at(OTHER));
	/* Losing the identity disables it all the same; only a reset unlocks. */
	ck_assert(wr(HV_MSR_GUEST_OS_ID, 0));
	ck_assert_uint_eq(get(HV_MSR_HYPERCALL), GPA | HV_HYPERCALL_LOCKED);
	ck_assert(ram_is_back());
	ck_assert(wr(HV_MSR_GUEST_OS_ID, OS_ID));
	ck_assert(!wr(HV_MSR_HYPERCALL, GPA | ENABLE));
	hv_reset(fake.hv);
	ck_assert(wr(HV_MSR_GUEST_OS_ID, OS_ID));
	ck_assert(wr(HV_MSR_HYPERCALL, OTHER | ENABLE));
	ck_assert(code_at(OTHER));
}
END_TEST

START_TEST(partition_wide)
{
	uint64_t value;

	ck_assert(hv_fake_wrmsr(&fake, 3, HV_MSR_GUEST_OS_ID, OS_ID));
	ck_assert(hv_fake_wrmsr(&fake, 2, HV_MSR_HYPERCALL, GPA | ENABLE));
	for (unsigned int vp = 0; vp < HV_FAKE_VPS; vp++) {
		ck_assert(hv_fake_rdmsr(&fake, vp, HV_MSR_HYPERCALL, &value));
		ck_assert_uint_eq(value, GPA | ENABLE);
	}
}
END_TEST

/* The guest's code in the page leads to us only while the page is there. */
START_TEST(ports_behind_the_page)
{
	struct kvm_fake_cpu *cpu = &kvm_fake.cpus[0];

	cpu->regs = (struct kvm_regs){
		.rax = 0x55, .rcx = HV_CALL_SIGNAL_EVENT | HV_CONTROL_FAST, .rdx = 0x123};
	hv_hook_port(fake.hv, &fake.vcpus[0], HV_PORT_CALL64, 0);
	ck_assert_uint_eq(cpu->regs.rax, 0x55);
	ck_assert_uint_eq(counter_get(&fake.ports.unclaimed_writes), 1);
	ck_assert(wr(HV_MSR_GUEST_OS_ID, OS_ID));
	ck_assert(wr(HV_MSR_HYPERCALL, GPA | ENABLE));
	hv_hook_port(fake.hv, &fake.vcpus[0], HV_PORT_CALL64, 0);
	ck_assert_uint_eq(cpu->regs.rax, HV_STATUS_INVALID_CONNECTION_ID);
	/* 32-bit callers: the halves in EDX:EAX, EBX:ECX, EDI:ESI. */
	cpu->regs = (struct kvm_regs){.rax = 0xffffffff00000000ull | HV_CALL_GET_VP_INDEX,
				      .rdx = 0xffffffff00000002ull,
				      .rcx = OTHER,
				      .rsi = OTHER + 2048};
	ck_assert_int_eq(mem_fill(fake.mem, OTHER, 0xff, 8), 0);
	ck_assert_int_eq(mem_fill(fake.mem, OTHER + 8, 0, 16), 0);
	hv_hook_port(fake.hv, &fake.vcpus[0], HV_PORT_CALL32, 0);
	ck_assert_uint_eq(cpu->regs.rax, HV_STATUS_SUCCESS);
	ck_assert_uint_eq(cpu->regs.rdx, 2);
}
END_TEST

static _Atomic bool begun, done;

static void *call_all_the_time(void *arg)
{
	while (!atomic_load_explicit(&done, memory_order_relaxed)) {
		atomic_store_explicit(&begun, true, memory_order_relaxed);
		kvm_fake.cpus[1].regs.rcx = HV_CALL_SIGNAL_EVENT | HV_CONTROL_FAST;
		hv_hook_port(fake.hv, &fake.vcpus[1], HV_PORT_CALL64, 0);
	}
	return NULL;
}

/* One VP calls, another enables and disables the page; for the thread sanitizer above all. */
START_TEST(called_while_it_moves)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, call_all_the_time, NULL), 0);
	while (!atomic_load_explicit(&begun, memory_order_relaxed))
		sched_yield();
	for (unsigned int i = 0; i < 200; i++) {
		ck_assert(wr(HV_MSR_GUEST_OS_ID, OS_ID));
		ck_assert(wr(HV_MSR_HYPERCALL, (i % 2 ? GPA : OTHER) | ENABLE));
		ck_assert(i % 3 ? wr(HV_MSR_HYPERCALL, 0) : wr(HV_MSR_GUEST_OS_ID, 0));
	}
	atomic_store_explicit(&done, true, memory_order_relaxed);
	pthread_join(thread, NULL);
	ck_assert(ram_is_back());
}
END_TEST

/* --- All of them. ---------------------------------------------------------------------------- */

static const struct {
	uint32_t msr;
	uint64_t reserved; /* bits to be preserved */
} pages[] = {
	{HV_MSR_HYPERCALL, 0xffc}, {HV_MSR_REFERENCE_TSC, 0xffe},  {HV_MSR_SIMP, 0xffe},
	{HV_MSR_SIEFP, 0xffe},     {HV_MSR_VP_ASSIST_PAGE, 0xffe},
};

START_TEST(moved)
{
	ck_assert(wr(HV_MSR_GUEST_OS_ID, OS_ID));
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		uint32_t msr = pages[i].msr;
		uint64_t reserved = pages[i].reserved;

		ck_assert(wr(msr, GPA | reserved | ENABLE));
		ck_assert_uint_eq(get(msr), GPA | reserved | ENABLE);
		ck_assert(!ram_at(GPA));
		ck_assert(wr(msr, OTHER | ENABLE));
		ck_assert(ram_at(GPA));
		ck_assert(!ram_at(OTHER));
		/* The same again is no move. */
		ck_assert(wr(msr, OTHER | ENABLE));
		ck_assert(!ram_at(OTHER));
		/* Disabled: the address stays in the register only. */
		ck_assert(wr(msr, OTHER | reserved));
		ck_assert_uint_eq(get(msr), OTHER | reserved);
		ck_assert(ram_is_back());
		/* The first and the last page of RAM. */
		ck_assert(wr(msr, 0 | ENABLE));
		ck_assert(!ram_at(0));
		ck_assert(wr(msr, (HV_FAKE_RAM - PAGE_SIZE) | ENABLE));
		ck_assert(!ram_at(HV_FAKE_RAM - PAGE_SIZE));
		ck_assert(wr(msr, 0));
		ck_assert(ram_is_back());
	}
}
END_TEST

START_TEST(outside_ram)
{
	ck_assert(wr(HV_MSR_GUEST_OS_ID, OS_ID));
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		ck_assert(wr(pages[i].msr, OUTSIDE | ENABLE));
		ck_assert_ptr_nonnull(slot_at(OUTSIDE));
		ck_assert(ram_is_back());
		ck_assert(wr(pages[i].msr, (OUTSIDE + (1ull << 32)) | ENABLE));
		ck_assert_ptr_null(slot_at(OUTSIDE));
		ck_assert_ptr_nonnull(slot_at(OUTSIDE + (1ull << 32)));
		ck_assert(wr(pages[i].msr, GPA | ENABLE));
		ck_assert_ptr_null(slot_at(OUTSIDE + (1ull << 32)));
		ck_assert(!ram_at(GPA));
		ck_assert(wr(pages[i].msr, OUTSIDE | ENABLE));
		ck_assert(ram_is_back());
		ck_assert(wr(pages[i].msr, 0));
		ck_assert_ptr_null(slot_at(OUTSIDE));
	}
}
END_TEST

static void no_slot(void)
{
	kvm_fake.fails = KVM_SET_USER_MEMORY_REGION;
	kvm_fake.fails_with = EINVAL;
	kvm_fake.fails_after = 0;
}

/* Where no page can be, writing the hypercall MSR faults, and the page is where it was (3.13). */
START_TEST(hypercall_page_beyond_the_guest)
{
	const uint64_t beyond = 1ull << 60 | ENABLE;

	ck_assert(wr(HV_MSR_GUEST_OS_ID, OS_ID));
	no_slot();
	ck_assert(!wr(HV_MSR_HYPERCALL, beyond));
	ck_assert_uint_eq(get(HV_MSR_HYPERCALL), 0);
	ck_assert(ram_is_back());
	ck_assert(wr(HV_MSR_HYPERCALL, GPA | ENABLE));
	no_slot();
	ck_assert(!wr(HV_MSR_HYPERCALL, beyond));
	ck_assert_uint_eq(get(HV_MSR_HYPERCALL), GPA | ENABLE);
	ck_assert(!ram_at(GPA));
	ck_assert(wr(HV_MSR_HYPERCALL, 0));
	ck_assert(ram_is_back());
	/* The address bits above any processor's. */
	kvm_fake.fails = 0;
	ck_assert(!wr(HV_MSR_HYPERCALL, UINT64_MAX));
	ck_assert_uint_eq(get(HV_MSR_HYPERCALL), 0);
}
END_TEST

/* The others are enabled there, but cannot be reached (11.8.3, 11.8.4, 12.7). */
START_TEST(beyond_the_guest)
{
	const uint64_t beyond = 1ull << 60 | ENABLE;

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		if (pages[i].msr == HV_MSR_HYPERCALL)
			continue;
		ck_assert(wr(pages[i].msr, GPA | ENABLE));
		no_slot();
		ck_assert(wr(pages[i].msr, beyond));
		ck_assert_uint_eq(get(pages[i].msr), beyond);
		ck_assert(ram_is_back());
		ck_assert(wr(pages[i].msr, GPA | ENABLE));
		ck_assert(!ram_at(GPA));
		ck_assert(wr(pages[i].msr, 0));
		ck_assert(ram_is_back());
	}
}
END_TEST

/* A host that cannot is not the guest's own doing: the write fails, and the page is disabled. */
START_TEST(host_cannot)
{
	ck_assert(wr(HV_MSR_GUEST_OS_ID, OS_ID));
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		uint32_t msr = pages[i].msr;
		int fd = fake.hv->overlays.fd;

		/* Nothing enabled yet. */
		fake.hv->overlays.fd = -1;
		ck_assert(!wr(msr, GPA | ENABLE));
		ck_assert_uint_eq(get(msr) & ENABLE, 0);
		ck_assert(ram_is_back());
		/* In the middle of a move. */
		fake.hv->overlays.fd = fd;
		ck_assert(wr(msr, GPA | ENABLE));
		fake.hv->overlays.fd = -1;
		ck_assert(!wr(msr, OTHER | ENABLE));
		ck_assert_uint_eq(get(msr) & ENABLE, 0);
		ck_assert(ram_is_back());
		fake.hv->overlays.fd = fd;
		ck_assert(wr(msr, OTHER | ENABLE));
		ck_assert(!ram_at(OTHER));
		ck_assert(wr(msr, 0));
		ck_assert(ram_is_back());
	}
}
END_TEST

/* Several at one address: one is seen, and when it goes the next (TLFS 5.2.1). */
START_TEST(on_top_of_each_other)
{
	ck_assert(wr(HV_MSR_GUEST_OS_ID, OS_ID));
	ck_assert(wr(HV_MSR_HYPERCALL, GPA | ENABLE));
	ck_assert(wr(HV_MSR_SIMP, GPA | ENABLE));
	ck_assert(hv_fake_wrmsr(&fake, 1, HV_MSR_SIEFP, GPA | ENABLE));
	ck_assert(zero_at(GPA));
	ck_assert(wr(HV_MSR_SIMP, 0));
	ck_assert(zero_at(GPA));
	ck_assert(hv_fake_wrmsr(&fake, 1, HV_MSR_SIEFP, 0));
	ck_assert(code_at(GPA));
	ck_assert(wr(HV_MSR_HYPERCALL, 0));
	ck_assert(ram_is_back());
}
END_TEST

START_TEST(reset)
{
	ck_assert(wr(HV_MSR_GUEST_OS_ID, OS_ID));
	for (unsigned int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
			ck_assert(wr(pages[i].msr, (i * 2 * PAGE_SIZE) | ENABLE));
		for (unsigned int vp = 1; vp < HV_FAKE_VPS; vp++)
			ck_assert(hv_fake_wrmsr(&fake, vp, HV_MSR_SIMP, OUTSIDE * vp | ENABLE));
		ck_assert(wr(HV_MSR_SCONTROL, 1));
		ck_assert(wr(HV_MSR_SINT0, 0x40));
		ck_assert_int_eq(synic_post_message(fake.hv, 0, 0, 1, "x", 1), 0);
		ck_assert_int_eq(synic_post_message(fake.hv, 0, 0, 2, "y", 1), 0);
		hv_reset(fake.hv);
		ck_assert(ram_is_back());
		ck_assert_uint_eq(get(HV_MSR_GUEST_OS_ID), 0);
		for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
			ck_assert_uint_eq(get(pages[i].msr), 0);
		ck_assert_uint_eq(get(HV_MSR_SCONTROL), 0);
		ck_assert_uint_eq(get(HV_MSR_SINT0), 0x10000);
		/* The pages are as at power-on, and no message is left (TLFS 11.9). */
		ck_assert(wr(HV_MSR_GUEST_OS_ID, OS_ID));
		ck_assert(wr(HV_MSR_SCONTROL, 1));
		ck_assert(wr(HV_MSR_SIMP, OTHER | ENABLE));
		ck_assert(zero_at(OTHER));
	}
}
END_TEST

/* --- SynIC pages (TLFS 11.8). ---------------------------------------------------------------- */

static uint32_t type_at(uint64_t gpa)
{
	uint32_t type;

	ck_assert_int_eq(mem_read(fake.mem, gpa, &type, sizeof(type)), 0);
	return type;
}

START_TEST(messages_follow_the_page)
{
	ck_assert(wr(HV_MSR_SCONTROL, 1));
	ck_assert(wr(HV_MSR_SINT0 + 2, 0x40));
	ck_assert(wr(HV_MSR_SIMP, GPA | ENABLE));
	ck_assert_int_eq(synic_post_message(fake.hv, 0, 2, 7, "abc", 3), 0);
	ck_assert_uint_eq(type_at(GPA + 512), 7);
	/* The page is the hypervisor's: it moves with what is in it. */
	ck_assert(wr(HV_MSR_SIMP, OTHER | ENABLE));
	ck_assert_uint_eq(type_at(OTHER + 512), 7);
	ck_assert_int_eq(synic_post_message(fake.hv, 0, 2, 8, "abc", 3), 0);
	ck_assert(wr(HV_MSR_SIMP, OTHER));
	ck_assert_int_eq(synic_post_message(fake.hv, 0, 2, 9, "abc", 3), 0);
	ck_assert(ram_is_back());
	ck_assert(wr(HV_MSR_SIMP, OUTSIDE | ENABLE));
	ck_assert_uint_eq(*(const uint32_t *)(const void *)(slot_at(OUTSIDE) + 512), 7);
	/* Out of reach it is written to all the same, and seen again. */
	ck_assert(wr(HV_MSR_SIMP, 1ull << 60 | ENABLE));
	ck_assert_ptr_null(slot_at(OUTSIDE));
	ck_assert_int_eq(synic_post_message(fake.hv, 0, 3, 10, "abc", 3), 0);
	ck_assert(ram_is_back());
	ck_assert(wr(HV_MSR_SIMP, GPA | ENABLE));
	ck_assert_uint_eq(type_at(GPA + 512), 7);
	ck_assert_uint_eq(type_at(GPA + 768), 10);
}
END_TEST

START_TEST(event_flags)
{
	ck_assert_int_lt(synic_signal_event(fake.hv, 1, 5, 100), 0);
	ck_assert(hv_fake_wrmsr(&fake, 1, HV_MSR_SCONTROL, 1));
	ck_assert(hv_fake_wrmsr(&fake, 1, HV_MSR_SINT0 + 5, 0x66));
	ck_assert(hv_fake_wrmsr(&fake, 1, HV_MSR_SIEFP, GPA | ENABLE));
	ck_assert_int_eq(synic_signal_event(fake.hv, 1, 5, 100), 0);
	ck_assert_uint_eq(type_at(GPA + 5 * 256ull + 12), 1u << 4);
	ck_assert_uint_eq(kvm_fake.msi_count, 1);
	ck_assert_uint_eq(hv_fake_vector(0), 0x66);
	ck_assert_uint_eq(hv_fake_target(0), 1);
	ck_assert(hv_fake_wrmsr(&fake, 1, HV_MSR_SIEFP, 0));
	ck_assert(ram_is_back());
	ck_assert_int_lt(synic_signal_event(fake.hv, 1, 5, 101), 0);
	ck_assert(ram_is_back());
}
END_TEST

START_TEST(reference_page)
{
	struct hv_reference_tsc_page page;

	reftime_init(&fake.hv->time, 3000000000, -12345);
	ck_assert(wr(HV_MSR_REFERENCE_TSC, GPA | ENABLE));
	ck_assert_int_eq(mem_read(fake.mem, GPA, &page, sizeof(page)), 0);
	ck_assert_uint_ne(page.tsc_sequence, 0);
	ck_assert_uint_eq(page.tsc_scale, fake.hv->time.scale);
	ck_assert_int_eq(page.tsc_offset, fake.hv->time.offset);
	/* It moves, and says the same there. */
	ck_assert(wr(HV_MSR_REFERENCE_TSC, OTHER | ENABLE));
	ck_assert_int_eq(mem_read(fake.mem, OTHER, &page, sizeof(page)), 0);
	ck_assert_uint_ne(page.tsc_sequence, 0);
	ck_assert_uint_eq(page.tsc_scale, fake.hv->time.scale);
	/* Where the TSC does not carry it, the page is there, and says so. */
	reftime_init(&fake.hv->time, 0, 0);
	ck_assert(wr(HV_MSR_REFERENCE_TSC, GPA | ENABLE));
	ck_assert_uint_eq(type_at(GPA), 0);
	ck_assert(!ram_at(GPA));
}
END_TEST

/* --- RAM of huge pages. ---------------------------------------------------------------------- */

/*
 * Such RAM cannot be mapped over page by page, so that the hypervisor's pages lie in the guest's
 * own memory for the time being. The test has none: memory that is only called huge will do.
 */
int memfd_create(const char *name, unsigned int flags)
{
	flags &= MFD_CLOEXEC | MFD_ALLOW_SEALING;
	return (int)syscall(SYS_memfd_create, name, flags);
}

static bool stop;

static void *signal_events(void *arg)
{
	for (unsigned int n = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); n++)
		if (synic_signal_event(fake.hv, 0, n % 16, n % HV_EVENT_FLAGS_COUNT) == -EINVAL)
			abort();
	return NULL;
}

/* A host that signals all the time never writes into memory that is the guest's again. */
START_TEST(pages_in_huge_ram)
{
	const struct mem_config config = {.size = MiB(2), .huge = MEM_HUGE_2M};
	pthread_t thread;

	teardown();
	hv_fake_create_in(&fake, hv_fake_memory(&config), 0);
	fill_ram();
	ck_assert(wr(HV_MSR_SCONTROL, 1));
	ck_assert_int_eq(pthread_create(&thread, NULL, signal_events, NULL), 0);
	for (unsigned int i = 0; i < 300; i++) {
		ck_assert(wr(HV_MSR_SIEFP, GPA | ENABLE));
		ck_assert(wr(HV_MSR_SIEFP, OTHER | ENABLE));
		ck_assert(ram_at(GPA));
		ck_assert(wr(HV_MSR_SIEFP, 0));
		ck_assert(ram_at(OTHER));
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	ck_assert(ram_is_back());
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		needs_an_identity,
		identity_taken_back,
		locked,
		partition_wide,
		ports_behind_the_page,
		called_while_it_moves,
		moved,
		outside_ram,
		hypercall_page_beyond_the_guest,
		beyond_the_guest,
		host_cannot,
		on_top_of_each_other,
		reset,
		messages_follow_the_page,
		event_flags,
		reference_page,
		pages_in_huge_ram,
	};

	return hv_run_tests("hv_msr_pages", setup, teardown, tests, ARRAY_SIZE(tests));
}
