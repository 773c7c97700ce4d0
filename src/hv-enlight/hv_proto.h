// SPDX-License-Identifier: MIT
/*
 * The hypervisor interface as the guest sees it: numbers and structures of the Hypervisor Top Level
 * Functional Specification (TLFS, version 6.0b), with its names. No logic.
 */
#pragma once

#include <assert.h>
#include <stdint.h>

/* --- CPUID (TLFS 2.4). --------------------------------------------------------------------- */

#define HV_CPUID_VENDOR          0x40000000u
#define HV_CPUID_INTERFACE       0x40000001u
#define HV_CPUID_VERSION         0x40000002u
#define HV_CPUID_FEATURES        0x40000003u
#define HV_CPUID_RECOMMENDATIONS 0x40000004u
#define HV_CPUID_LIMITS          0x40000005u
#define HV_CPUID_HARDWARE        0x40000006u
#define HV_CPUID_CPU_MANAGEMENT  0x40000007u
#define HV_CPUID_SVM             0x40000008u
#define HV_CPUID_NESTED_FEATURES 0x40000009u
#define HV_CPUID_NESTED_OPT      0x4000000au

#define HV_INTERFACE_SIGNATURE 0x31237648u /* "Hv#1" */

/* HV_CPUID_FEATURES, EAX: partition privileges for MSRs. */
#define HV_EAX_VP_RUNTIME     (1u << 0)
#define HV_EAX_REF_COUNTER    (1u << 1)
#define HV_EAX_SYNIC          (1u << 2)
#define HV_EAX_STIMER         (1u << 3)
#define HV_EAX_APIC_MSRS      (1u << 4)
#define HV_EAX_HYPERCALL_MSRS (1u << 5)
#define HV_EAX_VP_INDEX       (1u << 6)
#define HV_EAX_RESET          (1u << 7)
#define HV_EAX_REF_TSC        (1u << 9)
#define HV_EAX_GUEST_IDLE     (1u << 10)
#define HV_EAX_FREQUENCY_MSRS (1u << 11)

/* EBX: partition privileges for hypercalls. */
#define HV_EBX_POST_MESSAGES       (1u << 4)
#define HV_EBX_SIGNAL_EVENTS       (1u << 5)
#define HV_EBX_ACCESS_VP_REGISTERS (1u << 17)
#define HV_EBX_EXTENDED_HYPERCALLS (1u << 20)

/* EDX: available features. */
#define HV_EDX_XMM_INPUT      (1u << 4)
#define HV_EDX_GUEST_IDLE     (1u << 5)
#define HV_EDX_FREQUENCY_MSRS (1u << 8)
#define HV_EDX_CRASH_MSRS     (1u << 10)
#define HV_EDX_EXT_GVA_RANGES (1u << 14)
#define HV_EDX_XMM_OUTPUT     (1u << 15)
#define HV_EDX_SINT_POLLING   (1u << 17)
#define HV_EDX_HYPERCALL_LOCK (1u << 18)
#define HV_EDX_DIRECT_STIMER  (1u << 19)

/* HV_CPUID_RECOMMENDATIONS, EAX. EBX: spin retries before HvCallNotifyLongSpinWait. */
#define HV_REC_REMOTE_TLB_FLUSH  (1u << 2)
#define HV_REC_APIC_MSRS         (1u << 3)
#define HV_REC_RESET_MSR         (1u << 4)
#define HV_REC_RELAXED_TIMING    (1u << 5)
#define HV_REC_DEPRECATE_AUTOEOI (1u << 9)
#define HV_REC_CLUSTER_IPI       (1u << 10)
#define HV_REC_EX_PROCESSOR_MASK (1u << 11)
#define HV_SPIN_NEVER            0xffffffffu

/* HV_CPUID_HARDWARE, EAX. */
#define HV_HW_APIC_OVERLAY (1u << 0)
#define HV_HW_MSR_BITMAPS  (1u << 1)
#define HV_HW_SLAT         (1u << 3)

/* --- MSRs (TLFS appendix C). --------------------------------------------------------------- */

#define HV_MSR_FIRST          0x40000000u
#define HV_MSR_LAST           0x40000fffu
#define HV_MSR_GUEST_OS_ID    0x40000000u
#define HV_MSR_HYPERCALL      0x40000001u
#define HV_MSR_VP_INDEX       0x40000002u
#define HV_MSR_RESET          0x40000003u
#define HV_MSR_VP_RUNTIME     0x40000010u
#define HV_MSR_TIME_REF_COUNT 0x40000020u
#define HV_MSR_REFERENCE_TSC  0x40000021u
#define HV_MSR_TSC_FREQUENCY  0x40000022u
#define HV_MSR_APIC_FREQUENCY 0x40000023u
#define HV_MSR_EOI            0x40000070u
#define HV_MSR_ICR            0x40000071u
#define HV_MSR_TPR            0x40000072u
#define HV_MSR_VP_ASSIST_PAGE 0x40000073u
#define HV_MSR_SCONTROL       0x40000080u
#define HV_MSR_SVERSION       0x40000081u
#define HV_MSR_SIEFP          0x40000082u
#define HV_MSR_SIMP           0x40000083u
#define HV_MSR_EOM            0x40000084u
#define HV_MSR_SINT0          0x40000090u
#define HV_MSR_SINT15         0x4000009fu
#define HV_MSR_STIMER0_CONFIG 0x400000b0u
#define HV_MSR_STIMER0_COUNT  0x400000b1u
#define HV_MSR_STIMER3_COUNT  0x400000b7u
#define HV_MSR_GUEST_IDLE     0x400000f0u
#define HV_MSR_CRASH_P0       0x40000100u
#define HV_MSR_CRASH_P4       0x40000104u
#define HV_MSR_CRASH_CTL      0x40000105u

/* Pages named by an MSR: bit 0 enables, bits 12-63 are the GPA. */
#define HV_PAGE_MSR_ENABLE   (1ull << 0)
#define HV_PAGE_MSR_GPA_MASK (~0xfffull)
#define HV_HYPERCALL_LOCKED  (1ull << 1)

#define HV_SINT_COUNT      16
#define HV_SINT_VECTOR     0xffull
#define HV_SINT_MASKED     (1ull << 16)
#define HV_SINT_AUTO_EOI   (1ull << 17)
#define HV_SINT_POLLING    (1ull << 18)
#define HV_SYNIC_VERSION   1ull
#define HV_SCONTROL_ENABLE (1ull << 0)

#define HV_STIMER_COUNT        4
#define HV_STIMER_ENABLE       (1ull << 0)
#define HV_STIMER_PERIODIC     (1ull << 1)
#define HV_STIMER_LAZY         (1ull << 2)
#define HV_STIMER_AUTO_ENABLE  (1ull << 3)
#define HV_STIMER_VECTOR_SHIFT 4 /* bits 4-11, direct mode */
#define HV_STIMER_DIRECT       (1ull << 12)
#define HV_STIMER_SINT_SHIFT   16 /* bits 16-19, message mode */
#define HV_STIMER_VALID                                                                            \
	(HV_STIMER_ENABLE | HV_STIMER_PERIODIC | HV_STIMER_LAZY | HV_STIMER_AUTO_ENABLE |          \
	 0xffull << HV_STIMER_VECTOR_SHIFT | HV_STIMER_DIRECT | 0xfull << HV_STIMER_SINT_SHIFT)

#define HV_CRASH_NOTIFY  (1ull << 63)
#define HV_CRASH_MESSAGE (1ull << 62) /* P3: GPA of the text, P4: its length */

/* --- Hypercalls (TLFS 3). ------------------------------------------------------------------ */

#define HV_CONTROL_CODE(c)      ((uint16_t)(c))
#define HV_CONTROL_FAST         (1ull << 16)
#define HV_CONTROL_VARHEAD(c)   ((uint16_t)((c) >> 17 & 0x3ff)) /* in units of 8 bytes */
#define HV_CONTROL_NESTED       (1ull << 31)
#define HV_CONTROL_REP_COUNT(c) ((uint16_t)((c) >> 32 & 0xfff))
#define HV_CONTROL_REP_START(c) ((uint16_t)((c) >> 48 & 0xfff))
#define HV_CONTROL_RESERVED     (0xfull << 60 | 0xfull << 44 | 0xfull << 27)

#define HV_CALL_FLUSH_SPACE      0x0002
#define HV_CALL_FLUSH_LIST       0x0003
#define HV_CALL_LONG_SPIN_WAIT   0x0008
#define HV_CALL_SEND_IPI         0x000b
#define HV_CALL_FLUSH_SPACE_EX   0x0013
#define HV_CALL_FLUSH_LIST_EX    0x0014
#define HV_CALL_SEND_IPI_EX      0x0015
#define HV_CALL_GET_VP_REGISTERS 0x0050
#define HV_CALL_SET_VP_REGISTERS 0x0051
#define HV_CALL_POST_MESSAGE     0x005c
#define HV_CALL_SIGNAL_EVENT     0x005d
#define HV_CALL_GET_VP_INDEX     0x009a /* HvCallGetVpIndexFromApicId */
#define HV_CALL_EXT_CAPABILITIES 0x8001
#define HV_CALL_EXT_MEMORY_HEAT  0x8003

enum hv_status {
	HV_STATUS_SUCCESS = 0x0000,
	HV_STATUS_INVALID_HYPERCALL_CODE = 0x0002,
	HV_STATUS_INVALID_HYPERCALL_INPUT = 0x0003,
	HV_STATUS_INVALID_ALIGNMENT = 0x0004,
	HV_STATUS_INVALID_PARAMETER = 0x0005,
	HV_STATUS_ACCESS_DENIED = 0x0006,
	HV_STATUS_OPERATION_DENIED = 0x0008,
	HV_STATUS_INVALID_PARTITION_ID = 0x000d,
	HV_STATUS_INVALID_VP_INDEX = 0x000e,
	HV_STATUS_INVALID_PORT_ID = 0x0011,
	HV_STATUS_INVALID_CONNECTION_ID = 0x0012,
	HV_STATUS_INSUFFICIENT_BUFFERS = 0x0013,
	HV_STATUS_INVALID_SYNIC_STATE = 0x0018,
	HV_STATUS_INVALID_REGISTER_VALUE = 0x0050,
};

#define HV_CONNECTION_ID_MAX 0xffffffu /* the upper 8 bits are zero */

#define HV_PARTITION_ID_SELF 0xffffffffffffffffull
#define HV_VP_INDEX_SELF     0xfffffffeu

/* --- SynIC (TLFS 11). ---------------------------------------------------------------------- */

#define HV_MESSAGE_SIZE         256
#define HV_MESSAGE_PAYLOAD_SIZE 240

#define HV_MESSAGE_NONE          0x00000000u
#define HV_MESSAGE_TIMER_EXPIRED 0x80000010u
#define HV_MESSAGE_FLAG_PENDING  0x01

struct hv_message_header {
	uint32_t message_type;
	uint8_t payload_size;
	uint8_t message_flags;
	uint8_t reserved[2];
	uint64_t sender; /* or the port id */
};

struct hv_message {
	struct hv_message_header header;
	uint8_t payload[HV_MESSAGE_PAYLOAD_SIZE];
};

struct hv_message_page {
	struct hv_message sint[HV_SINT_COUNT];
};

#define HV_EVENT_FLAGS_COUNT 2048

struct hv_event_flags_page {
	uint64_t sint[HV_SINT_COUNT][HV_EVENT_FLAGS_COUNT / 64];
};

struct hv_timer_message {
	uint32_t timer_index;
	uint32_t reserved;
	uint64_t expiration_time; /* 100 ns units of reference time */
	uint64_t delivery_time;
};

static_assert(sizeof(struct hv_message_header) == 16, "TLFS 11.8.3");
static_assert(sizeof(struct hv_message) == HV_MESSAGE_SIZE, "TLFS 11.8.3");
static_assert(sizeof(struct hv_message_page) == 4096, "TLFS 11.9");
static_assert(sizeof(struct hv_event_flags_page) == 4096, "TLFS 11.9");
static_assert(sizeof(struct hv_timer_message) == 24, "TLFS 12.1");

/* --- Reference time (TLFS 12.7). ----------------------------------------------------------- */

/* Reference time in 100 ns units = (tsc * tsc_scale >> 64) + tsc_offset, unless sequence is 0. */
struct hv_reference_tsc_page {
	uint32_t tsc_sequence;
	uint32_t reserved;
	uint64_t tsc_scale;
	int64_t tsc_offset;
	uint64_t padding[509];
};

static_assert(sizeof(struct hv_reference_tsc_page) == 4096, "TLFS 12.7");
