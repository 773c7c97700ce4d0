// SPDX-License-Identifier: MIT
/*
 * Inputs and outputs of the hypercalls (TLFS 3.14 and the sections named below). No logic.
 */
#pragma once

#include <assert.h>
#include <stdint.h>

#define HV_POST_PAYLOAD_MAX 240

struct hv_input_post_message { /* TLFS 11.11.1 */
	uint32_t connection_id;
	uint32_t reserved;
	uint32_t message_type;
	uint32_t payload_size;
	uint8_t payload[HV_POST_PAYLOAD_MAX];
};

struct hv_input_signal_event { /* TLFS 11.11.2 */
	uint32_t connection_id;
	uint16_t flag_number;
	uint16_t reserved;
};

struct hv_input_long_spin_wait {
	uint64_t spin_count;
};

/* HV_INPUT_VTL: bits 0-3 name a virtual trust level, if bit 4 says so. */
#define HV_INPUT_VTL_TARGET   0x0fu
#define HV_INPUT_VTL_USE      0x10u
#define HV_INPUT_VTL_RESERVED 0xe0u

struct hv_input_send_ipi { /* TLFS 10.5.1 */
	uint32_t vector;
	uint8_t target_vtl;
	uint8_t reserved[3];
	uint64_t processor_mask;
};

#define HV_VP_SET_SPARSE 0 /* one bank of 64 VPs for each bit of the mask */
#define HV_VP_SET_ALL    1
#define HV_VP_SET_BANKS  64

struct hv_input_send_ipi_ex { /* banks follow as variable header */
	uint32_t vector;
	uint8_t target_vtl;
	uint8_t reserved[3];
	uint64_t set_format;
	uint64_t valid_bank_mask;
};

struct hv_input_vp_registers { /* TLFS 7.10 */
	uint64_t partition_id;
	uint32_t vp_index;
	uint8_t target_vtl;
	uint8_t reserved[3];
};

struct hv_register_value {
	uint64_t low, high;
};

struct hv_register_assoc {
	uint32_t name;
	uint32_t reserved1;
	uint64_t reserved2;
	struct hv_register_value value;
};

struct hv_input_get_vp_index { /* HvCallGetVpIndexFromApicId */
	uint64_t partition_id;
	uint8_t target_vtl;
	uint8_t reserved[7];
};

#define HV_EXT_CAPABILITY_MEMORY_HEAT  (1ull << 1) /* the call is there (TLFS 3.14.1) */
#define HV_EXT_CAPABILITY_COLD_DISCARD (1ull << 8) /* what Linux asks for before using it */

#define HV_HEAT_COLD_DISCARD 2ull
#define HV_HEAT_TYPE_MASK    3ull

struct hv_input_memory_heat {
	uint64_t type;
};

/* clang-format takes (r) for a cast. */
// clang-format off
/* A range of pages: bits 0-10 further pages, bit 11 large pages, bits 12-63 the first page. */
#define HV_RANGE_MORE(r)      ((r) & 0x7ff)
#define HV_RANGE_LARGE        (1ull << 11)
#define HV_RANGE_PAGE(r)      ((r) >> 12)
#define HV_RANGE_LARGE_1G     (1ull << 12) /* of large ranges; else 2 MiB */
#define HV_RANGE_LARGE_PFN(r) ((r) >> 21)  /* in units of 2 MiB */
// clang-format on

/* Registers that a guest may name (TLFS 7.8), all of them with an MSR of their own. */
#define HV_REGISTER_VP_RUNTIME     0x00090000u
#define HV_REGISTER_HYPERCALL      0x00090001u
#define HV_REGISTER_GUEST_OS_ID    0x00090002u
#define HV_REGISTER_VP_INDEX       0x00090003u
#define HV_REGISTER_TIME_REF_COUNT 0x00090004u
#define HV_REGISTER_EOI            0x00090010u
#define HV_REGISTER_ICR            0x00090011u
#define HV_REGISTER_TPR            0x00090012u
#define HV_REGISTER_VP_ASSIST_PAGE 0x00090013u
#define HV_REGISTER_REFERENCE_TSC  0x00090017u
#define HV_REGISTER_SINT0          0x000a0000u
#define HV_REGISTER_SINT15         0x000a000fu
#define HV_REGISTER_SCONTROL       0x000a0010u
#define HV_REGISTER_SVERSION       0x000a0011u
#define HV_REGISTER_SIEFP          0x000a0012u
#define HV_REGISTER_SIMP           0x000a0013u
#define HV_REGISTER_EOM            0x000a0014u
#define HV_REGISTER_STIMER0_CONFIG 0x000b0000u
#define HV_REGISTER_STIMER3_COUNT  0x000b0007u

static_assert(sizeof(struct hv_input_post_message) == 256, "TLFS 11.11.1");
static_assert(sizeof(struct hv_input_signal_event) == 8, "TLFS 11.11.2");
static_assert(sizeof(struct hv_input_send_ipi) == 16, "TLFS 10.5.1");
static_assert(sizeof(struct hv_input_send_ipi_ex) == 24, "TLFS 10.5.2");
static_assert(sizeof(struct hv_input_vp_registers) == 16, "TLFS 7.10");
static_assert(sizeof(struct hv_register_assoc) == 32, "TLFS 7.10");
static_assert(sizeof(struct hv_input_get_vp_index) == 16, "TLFS 7.10");
