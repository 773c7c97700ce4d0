// SPDX-License-Identifier: MIT
/* See smp.h. The startup protocol is SDM volume 3, section 9.4.4. */
#include "kit/apic.h"
#include "kit/page.h"
#include "kit/smp.h"
#include "kit/start_info.h"
#include "kit/string.h"
#include "kit/test.h"
#include "kit/time.h"

/* Where the startup IPIs point to: a free page of low RAM. */
#define AP_PAGE     0x90000ull
#define STACK_PAGES 3
#define IST_SIZE    1024

extern const char ap_page[], ap_page_end[];
extern char boot_stack_top[];

/* Read by start.S. */
uint32_t ap_arrivals, ap_expected;
uint64_t *ap_stacks;
void ap_main(uint32_t arrival);

static struct cpu boot_cpu;
static char boot_ist[IST_SIZE] __attribute__((aligned(16)));
static struct cpu *cpus[CPUS_MAX];
static unsigned int count;
static unsigned int online; /* atomic */

unsigned int cpu_count(void)
{
	return count;
}

unsigned int smp_online(void)
{
	return load_acquire(&online);
}

struct cpu *cpu_get(unsigned int index)
{
	return cpus[index];
}

struct cpu *cpu_by_apic_id(uint32_t id)
{
	/* The usual numbering first: a search for each of hundreds of CPUs takes long. */
	if (id < count && cpus[id]->apic_id == id)
		return cpus[id];
	for (unsigned int i = 0; i < count; i++)
		if (cpus[i]->apic_id == id)
			return cpus[i];
	return NULL;
}

static uint32_t initial_apic_id(void)
{
	if (cpuid(0).eax >= 0xb && cpuid(0xb).ebx)
		return cpuid(0xb).edx;
	return cpuid(1).ebx >> 24;
}

void smp_init_boot_cpu(void)
{
	boot_cpu.apic_id = initial_apic_id();
	boot_cpu.online = 1;
	cpus[0] = &boot_cpu;
	count = 1;
	online = 1;
	trap_load(&boot_cpu, (uintptr_t)boot_ist + sizeof(boot_ist));
}

void smp_add_cpu(uint32_t apic_id)
{
	if (apic_id == boot_cpu.apic_id || count == CPUS_MAX)
		return;

	struct cpu *cpu = page_alloc(1);

	_Static_assert(sizeof(*cpu) + IST_SIZE <= PAGE_SIZE, "area and fault stack share a page");
	cpu->index = count;
	cpu->apic_id = apic_id;
	cpus[count++] = cpu;
}

static void take_request(struct cpu *cpu)
{
	uint32_t request = load_acquire(&cpu->request);

	if (request == cpu->done)
		return;
	cpu->fn(cpu->arg);
	store_release(&cpu->done, request);
}

static void on_wake(struct trap_frame *frame)
{
	(void)frame; /* the idle loop looks at the mailbox */
	apic_eoi();
}

void ap_main(uint32_t arrival)
{
	uint64_t msr = rdmsr(MSR_APIC_BASE);
	uint32_t id = initial_apic_id();

	/* The APIC's own opinion counts, as far as it can be read before the mode is chosen. */
	if (msr & APIC_BASE_X2APIC)
		id = (uint32_t)rdmsr(MSR_X2APIC + APIC_ID / 16);
	struct cpu *cpu = cpu_by_apic_id(id);

	if (!cpu || cpu->online)
		return; /* sleeps; smp_start_all() reports that a CPU is missing */
	trap_load(cpu, (uintptr_t)cpu + PAGE_SIZE);
	write_cr0(read_cr0() | CR0_WP);
	apic_init_cpu();
	cpu->arrival = arrival;
	store_release(&cpu->online, 1);
	atomic_inc(&online);
	for (;;) {
		irq_disable();
		take_request(cpu);
		if (load_acquire(&cpu->request) == cpu->done)
			irq_enable_and_halt();
	}
}

static bool reachable(const struct cpu *cpu)
{
	return !cpu->online && (apic_is_x2() || cpu->apic_id < 255);
}

static void send_to_missing(uint32_t icr)
{
	for (unsigned int i = 1; i < count; i++)
		if (reachable(cpus[i]))
			apic_send(cpus[i]->apic_id, icr);
}

static void prepare(unsigned int missing)
{
	if (!memory_is_ram(AP_PAGE, PAGE_SIZE))
		bail_out("no RAM for the startup code at 0x%llx", AP_PAGE);
	memcpy(pa_ptr(AP_PAGE), ap_page, (size_t)(ap_page_end - ap_page));
	irq_set_handler(SMP_VECTOR, on_wake);

	ap_stacks = page_alloc((missing * sizeof(*ap_stacks) + PAGE_SIZE - 1) / PAGE_SIZE);
	for (unsigned int i = 0; i < missing; i++)
		ap_stacks[i] = (uintptr_t)page_alloc(STACK_PAGES) + STACK_PAGES * PAGE_SIZE;
	WRITE_ONCE(ap_arrivals, 0);
	store_release(&ap_expected, missing);
}

bool smp_start_all(uint64_t timeout_ms)
{
	unsigned int missing = 0;

	for (unsigned int i = 1; i < count; i++)
		missing += reachable(cpus[i]);
	if (!missing)
		return true;
	prepare(missing);

	uint64_t end = deadline_ms(timeout_ms);
	unsigned int want = smp_online() + missing;

	send_to_missing(ICR_INIT | ICR_ASSERT);
	delay_us(200);
	send_to_missing(ICR_STARTUP | ICR_ASSERT | AP_PAGE / PAGE_SIZE);
	/*
	 * The manual's second startup IPI is for CPUs that missed the first. One that is under
	 * way ignores it, being no longer in the wait-for-SIPI state.
	 */
	if (wait_for(READ_ONCE(ap_arrivals) >= missing, timeout_ms / 2))
		return wait_for(smp_online() >= want, timeout_ms);
	send_to_missing(ICR_STARTUP | ICR_ASSERT | AP_PAGE / PAGE_SIZE);
	while (smp_online() < want && !deadline_passed(end))
		cpu_relax();
	return smp_online() >= want;
}

static void post(struct cpu *cpu, cpu_fn *fn, void *arg)
{
	cpu->fn = fn;
	cpu->arg = arg;
	store_release(&cpu->request, cpu->request + 1);
	apic_send(cpu->apic_id, ICR_FIXED | ICR_ASSERT | SMP_VECTOR);
}

static bool idle(struct cpu *cpu)
{
	return load_acquire(&cpu->done) == READ_ONCE(cpu->request);
}

bool smp_call(unsigned int index, cpu_fn *fn, void *arg, uint64_t timeout_ms)
{
	struct cpu *cpu = cpus[index];

	if (cpu == this_cpu()) {
		fn(arg);
		return true;
	}
	if (!load_acquire(&cpu->online) || !idle(cpu))
		return false;
	post(cpu, fn, arg);
	return wait_for(idle(cpu), timeout_ms);
}

void smp_call_others(cpu_fn *fn, void *arg)
{
	for (unsigned int i = 0; i < count; i++)
		if (cpus[i] != this_cpu() && load_acquire(&cpus[i]->online) && idle(cpus[i]))
			post(cpus[i], fn, arg);
}

bool smp_wait_all(uint64_t timeout_ms)
{
	uint64_t end = deadline_ms(timeout_ms);

	for (unsigned int i = 0; i < count; i++)
		while (!idle(cpus[i])) {
			if (deadline_passed(end))
				return false;
			cpu_relax();
		}
	return true;
}

void smp_spin(void *arg)
{
	(void)arg;
	for (;;)
		deadline_passed(0);
}
