// SPDX-License-Identifier: MIT
/* See hv.h. All state but the pages' contents is written by CPU 0 before other CPUs use it. */
#include "kit/cpu.h"
#include "kit/hv.h"
#include "kit/page.h"
#include "kit/start_info.h"
#include "kit/string.h"
#include "kit/test.h"

#define TEST_PORT  0x3000
#define CR4_OSFXSR BIT(9)

/* Of one CPU; physical = virtual. */
struct cpu_pages {
	uint8_t input[PAGE_SIZE];
	uint8_t output[PAGE_SIZE];
	struct hv_message_page messages;
	struct hv_event_flags_page flags;
};

uint64_t hv_call_page;

static struct cpu_pages *pages;

/* --- Who is there. ------------------------------------------------------------------------- */

bool hv_present(void)
{
	return cpuid(1).ecx & BIT(31) && cpuid(HV_CPUID_VENDOR).eax >= HV_CPUID_LIMITS &&
	       cpuid(HV_CPUID_INTERFACE).eax == HV_INTERFACE_SIGNATURE;
}

static bool all_of(uint32_t value, uint32_t bits)
{
	return (value & bits) == bits && hv_present();
}

bool hv_eax(uint32_t bits)
{
	return all_of(cpuid(HV_CPUID_FEATURES).eax, bits);
}

bool hv_ebx(uint32_t bits)
{
	return all_of(cpuid(HV_CPUID_FEATURES).ebx, bits);
}

bool hv_edx(uint32_t bits)
{
	return all_of(cpuid(HV_CPUID_FEATURES).edx, bits);
}

bool hv_recommends(uint32_t bits)
{
	return all_of(cpuid(HV_CPUID_RECOMMENDATIONS).eax, bits);
}

bool hv_by_kvm(void)
{
	char engine[8];

	param_string("engine", "user", engine, sizeof(engine));
	return !strcmp(engine, "kernel");
}

void hv_init_cpu(void *unused)
{
	(void)unused;
	__asm__ volatile("mov %0, %%cr4" : : "r"(read_cr4() | CR4_OSFXSR) : "memory");
}

void hv_init(void)
{
	if (!hv_present())
		skip_all("there is no Hyper-V interface (CPUID 0x40000001 is 0x%x)",
			 cpuid(HV_CPUID_INTERFACE).eax);
	hv_init_cpu(NULL);
	pages = page_alloc(sizeof(*pages) / PAGE_SIZE * cpu_count());
	if (!hv_enable_calls((uintptr_t)page_alloc(1)))
		bail_out("the hypercall page cannot be enabled");
}

/* --- Hypercalls. --------------------------------------------------------------------------- */

bool hv_enable_calls(uint64_t gpa)
{
	wrmsr(HV_MSR_GUEST_OS_ID, HV_GUEST_OS_ID);
	wrmsr(HV_MSR_HYPERCALL, gpa | HV_PAGE_MSR_ENABLE);
	hv_call_page = gpa;
	return rdmsr(HV_MSR_HYPERCALL) == (gpa | HV_PAGE_MSR_ENABLE);
}

uint64_t hv_call32(uint64_t control, uint64_t input, uint64_t output)
{
	struct hv_registers32 r = {
		.eax = (uint32_t)control,
		.edx = (uint32_t)(control >> 32),
		.ecx = (uint32_t)input,
		.ebx = (uint32_t)(input >> 32),
		.esi = (uint32_t)output,
		.edi = (uint32_t)(output >> 32),
	};

	hv_call_registers32(&r);
	return (uint64_t)r.edx << 32 | r.eax;
}

void *hv_input(void)
{
	return pages[cpu_index()].input;
}

void *hv_output(void)
{
	return pages[cpu_index()].output;
}

uint64_t hv_call_memory(uint64_t control, const void *input, size_t len)
{
	memcpy(hv_input(), input, len);
	return hv_call(control, (uintptr_t)hv_input(), (uintptr_t)hv_output());
}

/* --- Messages and events. ------------------------------------------------------------------ */

uint16_t hv_post(uint32_t connection, uint32_t type, const void *payload, size_t len)
{
	struct hv_input_post_message *in = hv_input();

	*in = (struct hv_input_post_message){
		.connection_id = connection, .message_type = type, .payload_size = (uint32_t)len};
	if (len <= sizeof(in->payload))
		memcpy(in->payload, payload, len);
	return hv_status(hv_call(HV_CALL_POST_MESSAGE, (uintptr_t)in, 0));
}

uint16_t hv_signal(uint32_t connection, uint16_t flag)
{
	return hv_status(hv_call(HV_CALL_SIGNAL_EVENT | HV_CONTROL_FAST,
				 connection | (uint64_t)flag << 32, 0));
}

void hv_synic_on(void *unused)
{
	struct cpu_pages *own = &pages[cpu_index()];

	(void)unused;
	wrmsr(HV_MSR_SIMP, (uintptr_t)&own->messages | HV_PAGE_MSR_ENABLE);
	wrmsr(HV_MSR_SIEFP, (uintptr_t)&own->flags | HV_PAGE_MSR_ENABLE);
	wrmsr(HV_MSR_SCONTROL, HV_SCONTROL_ENABLE);
}

void hv_synic_off(void *unused)
{
	(void)unused;
	for (unsigned int sint = 0; sint < HV_SINT_COUNT; sint++)
		wrmsr(HV_SINT(sint), HV_SINT_MASKED);
	wrmsr(HV_MSR_SCONTROL, 0);
	wrmsr(HV_MSR_SIMP, 0);
	wrmsr(HV_MSR_SIEFP, 0);
}

struct hv_message *hv_slot(unsigned int cpu, unsigned int sint)
{
	return &pages[cpu].messages.sint[sint];
}

uint64_t *hv_flags(unsigned int cpu, unsigned int sint)
{
	return pages[cpu].flags.sint[sint];
}

bool hv_take_message(unsigned int sint, struct hv_message *ret)
{
	struct hv_message *slot = hv_slot(cpu_index(), sint);

	if (load_acquire(&slot->header.message_type) == HV_MESSAGE_NONE)
		return false;
	if (ret)
		memcpy(ret, slot, sizeof(*ret));
	store_release(&slot->header.message_type, HV_MESSAGE_NONE);
	/* The flag is looked at only after the slot is free: else it could be set in between. */
	full_fence();
	if (READ_ONCE(slot->header.message_flags) & HV_MESSAGE_FLAG_PENDING)
		wrmsr(HV_MSR_EOM, 0);
	return true;
}

bool hv_test_and_clear_flag(unsigned int cpu, unsigned int sint, unsigned int flag)
{
	uint64_t bit = BIT(flag % 64);

	return __atomic_fetch_and(&hv_flags(cpu, sint)[flag / 64], ~bit, __ATOMIC_SEQ_CST) & bit;
}

bool hv_test_device(void)
{
	/* It reads as zero, an unclaimed port as ones. */
	return in32(TEST_PORT) == 0;
}

void hv_test(enum hv_test_command command, uint8_t connection, uint8_t vp, uint8_t sint)
{
	out32(TEST_PORT,
	      (uint32_t)connection << 24 | (uint32_t)command << 16 | (uint32_t)vp << 8 | sint);
}

/* --- Reference time. ----------------------------------------------------------------------- */

uint64_t hv_time_msr(void)
{
	return rdmsr(HV_MSR_TIME_REF_COUNT);
}

/* No earlier than the loads before it: other CPUs' readings are compared with this one. */
static uint64_t ordered_tsc(void)
{
	__asm__ volatile("lfence" : : : "memory");
	return rdtsc();
}

uint64_t hv_time_page(const struct hv_reference_tsc_page *page)
{
	uint64_t tsc, scale, offset;
	uint32_t sequence;

	do {
		sequence = load_acquire(&page->tsc_sequence);
		if (!sequence)
			return hv_time_msr();
		tsc = ordered_tsc();
		scale = READ_ONCE(page->tsc_scale);
		offset = (uint64_t)READ_ONCE(page->tsc_offset);
		barrier();
	} while (load_acquire(&page->tsc_sequence) != sequence);
	return (uint64_t)((unsigned __int128)tsc * scale >> 64) + offset;
}

const struct hv_reference_tsc_page *hv_time_enable(void)
{
	static struct hv_reference_tsc_page *page;

	if (!page) {
		page = page_alloc(1);
		wrmsr(HV_MSR_REFERENCE_TSC, (uintptr_t)page | HV_PAGE_MSR_ENABLE);
	}
	return page;
}
