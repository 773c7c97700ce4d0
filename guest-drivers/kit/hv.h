// SPDX-License-Identifier: MIT
/*
 * The Hyper-V interface from a guest's side: finding it, hypercalls, reference time, SynIC, timers,
 * and the SynIC test device. Section numbers are of the TLFS 6.0b.
 *
 * Unless said otherwise a function is about the CPU that calls it. Pages are allocated by CPU 0
 * (hv_init()) for all CPUs that the tables list.
 */
#pragma once

#include "hv-enlight/hv_calls_proto.h"
#include "hv-enlight/hv_proto.h"
#include "kit/base.h"
#include "kit/smp.h"

/* --- Who is there (2.4). ------------------------------------------------------------------- */

/* "Hv#1" with the leaves that make an interface. */
bool hv_present(void);

/* All of these bits of the feature and recommendation leaves; false when there is no interface. */
bool hv_eax(uint32_t bits);
bool hv_ebx(uint32_t bits);
bool hv_edx(uint32_t bits);
bool hv_recommends(uint32_t bits);

/* The parameter engine=kernel: KVM itself serves the interface, with KVM's liberties. */
bool hv_by_kvm(void);

/*
 * What most tests begin with, on CPU 0: skips all without an interface, else allocates pages and
 * enables the hypercall page. Hypercall input in XMM registers needs CR4.OSFXSR, which it sets
 * here; other CPUs call hv_init_cpu().
 */
void hv_init(void);
void hv_init_cpu(void *unused);

/* --- Hypercalls (3). ----------------------------------------------------------------------- */

#define HV_GUEST_OS_ID 0x8100000000001234ull /* open source, an unknown system */

/* Where the calls below enter; hv_init() sets it to a page of its own. */
extern uint64_t hv_call_page;

/* Says who we are and enables the hypercall page at @gpa. False: the enable bit does not stick. */
bool hv_enable_calls(uint64_t gpa);

#define hv_status(result) ((uint16_t)(result))
#define hv_reps(result)   ((uint16_t)((result) >> 32 & 0xfff))

/* A control word. */
#define HV_REPS(count, start) ((uint64_t)(count) << 32 | (uint64_t)(start) << 48)
#define HV_EXTRA(qwords)      ((uint64_t)(qwords) << 17)

/* Any form: GPAs, or parameters with HV_CONTROL_FAST. */
uint64_t hv_call(uint64_t control, uint64_t input, uint64_t output);
/* The fast form with all 112 bytes of input: RDX, R8, XMM0-XMM5. */
uint64_t hv_call_xmm(uint64_t control, const uint64_t block[14]);

/* In the order of hv_call.S; what was passed in and what came out. */
struct hv_registers {
	uint64_t rax, rcx, rdx, rbx, rbp, rsi, rdi;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
};

void hv_call_registers(struct hv_registers *r);

/* A 32-bit caller, from a compatibility segment. */
struct hv_registers32 {
	uint32_t eax, ecx, edx, ebx, ebp, esi, edi;
};

void hv_call_registers32(struct hv_registers32 *r);
uint64_t hv_call32(uint64_t control, uint64_t input, uint64_t output);

/* This CPU's pages for calls in memory. hv_call_memory() copies @len bytes of input there. */
void *hv_input(void);
void *hv_output(void);
uint64_t hv_call_memory(uint64_t control, const void *input, size_t len);

/* --- Messages, events and the device that makes connections of them (11). ------------------- */

/* Statuses of HvCallPostMessage and HvCallSignalEvent (fast). */
uint16_t hv_post(uint32_t connection, uint32_t type, const void *payload, size_t len);
uint16_t hv_signal(uint32_t connection, uint16_t flag);

/* This CPU's pages and SynIC on, all SINTs as they are; and off. */
void hv_synic_on(void *unused);
void hv_synic_off(void *unused);

struct hv_message *hv_slot(unsigned int cpu, unsigned int sint);
uint64_t *hv_flags(unsigned int cpu, unsigned int sint); /* HV_EVENT_FLAGS_COUNT bits */

/*
 * Copies this CPU's message of @sint, empties the slot and asks for the next one if one waits
 * (11.8, recommended message handling). False: the slot is empty. @ret may be NULL.
 */
bool hv_take_message(unsigned int sint, struct hv_message *ret);
/* Atomically; true when it was set. */
bool hv_test_and_clear_flag(unsigned int cpu, unsigned int sint, unsigned int flag);

#define HV_SINT(n)         (HV_MSR_SINT0 + (n))
#define HV_TIMER_CONFIG(n) (HV_MSR_STIMER0_CONFIG + 2 * (n))
#define HV_TIMER_COUNT(n)  (HV_MSR_STIMER0_COUNT + 2 * (n))

/* QEMU's hyperv-testdev and candela's: port 0x3000. */
enum hv_test_command {
	HV_TEST_ROUTE = 1,
	HV_TEST_ROUTE_END,
	HV_TEST_RAISE,
	HV_TEST_MESSAGE, /* a connection that sends messages back to (vp, sint) */
	HV_TEST_MESSAGE_END,
	HV_TEST_EVENT, /* a connection that sets the flag of its own number at (vp, sint) */
	HV_TEST_EVENT_END,
	HV_TEST_DOORBELL, /* a connection whose signals the VMM only counts; candela alone has it */
};

bool hv_test_device(void);
void hv_test(enum hv_test_command command, uint8_t connection, uint8_t vp, uint8_t sint);

/* --- Reference time (12.4, 12.7), in units of 100 ns. --------------------------------------- */

#define HV_TIME_MS(ms) ((uint64_t)(ms)*10000)

uint64_t hv_time_msr(void);
/* By the page; by the MSR while the page's sequence says so. */
uint64_t hv_time_page(const struct hv_reference_tsc_page *page);
/* Enables the page at a page of the kit's, once; later calls return the same one. */
const struct hv_reference_tsc_page *hv_time_enable(void);
