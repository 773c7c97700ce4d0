// SPDX-License-Identifier: MIT
/*
 * The hypercalls candela serves: functions from bytes to bytes, and the table that says what bytes.
 * They run on the calling VP's thread; ctx is its struct hv_vp.
 */
#include <sched.h>
#include <string.h>
#include <x86intrin.h>

#include "hv-enlight/hv_calls_proto.h"
#include "hv-enlight/hv_internal.h"

/* --- Messages and events. ------------------------------------------------------------------ */

static enum hv_status post_message(void *ctx, struct hypercall_io *io)
{
	struct hv_vp *vp = ctx;
	struct hv_input_post_message in;

	memcpy(&in, io->input, sizeof(in));
	if (in.payload_size > HV_POST_PAYLOAD_MAX)
		return HV_STATUS_INVALID_PARAMETER;
	/* 0 is no message, and the upper half of the types is the hypervisor's own. */
	if (in.message_type == HV_MESSAGE_NONE || (in.message_type & 0x80000000u))
		return HV_STATUS_INVALID_PARAMETER;
	return hv_post_from_guest(vp->hv, in.connection_id, in.message_type, in.payload,
				  in.payload_size);
}

static enum hv_status signal_event(void *ctx, struct hypercall_io *io)
{
	struct hv_vp *vp = ctx;
	struct hv_input_signal_event in;

	memcpy(&in, io->input, sizeof(in));
	if (in.reserved)
		return HV_STATUS_INVALID_PARAMETER;
	return hv_signal_from_guest(vp->hv, in.connection_id, in.flag_number);
}

/* --- Processors. --------------------------------------------------------------------------- */

/* There is one virtual trust level, 0, which a guest may name or not. */
static bool valid_input_vtl(uint8_t vtl)
{
	if (vtl & HV_INPUT_VTL_RESERVED)
		return false;
	return !(vtl & HV_INPUT_VTL_USE) || !(vtl & HV_INPUT_VTL_TARGET);
}

/* The one hint about its locks that a guest gives the scheduler: others may be worth running. */
static enum hv_status long_spin_wait(void *ctx, struct hypercall_io *io)
{
	sched_yield();
	return HV_STATUS_SUCCESS;
}

static void send_ipi_to(struct hv *hv, unsigned int vp, uint8_t vector)
{
	uint64_t address;
	uint32_t data;

	if (vp >= hv->host.vp_count)
		return;
	irqchip_msi_message(vp, vector, &address, &data);
	/* KVM refuses only what the guest could not receive either (its APIC is off). */
	(void)!irqchip_signal_msi(hv->host.irqchip, address, data);
}

static void send_ipi_to_bank(struct hv *hv, unsigned int bank, uint64_t mask, uint8_t vector)
{
	for (; mask; mask &= mask - 1)
		send_ipi_to(hv, bank * 64 + (unsigned int)__builtin_ctzll(mask), vector);
}

static bool valid_ipi(uint32_t vector, uint8_t target_vtl)
{
	return vector >= 16 && vector <= 255 && valid_input_vtl(target_vtl);
}

static enum hv_status send_ipi(void *ctx, struct hypercall_io *io)
{
	struct hv_vp *vp = ctx;
	struct hv_input_send_ipi in;

	memcpy(&in, io->input, sizeof(in));
	if (!valid_ipi(in.vector, in.target_vtl))
		return HV_STATUS_INVALID_PARAMETER;
	send_ipi_to_bank(vp->hv, 0, in.processor_mask, (uint8_t)in.vector);
	return HV_STATUS_SUCCESS;
}

static enum hv_status send_ipi_ex(void *ctx, struct hypercall_io *io)
{
	struct hv_vp *vp = ctx;
	struct hv_input_send_ipi_ex in;
	const uint8_t *bank = io->extra;

	memcpy(&in, io->input, sizeof(in));
	if (!valid_ipi(in.vector, in.target_vtl))
		return HV_STATUS_INVALID_PARAMETER;
	if (in.set_format == HV_VP_SET_ALL) {
		for (unsigned int i = 0; i < vp->hv->host.vp_count; i++)
			send_ipi_to(vp->hv, i, (uint8_t)in.vector);
		return HV_STATUS_SUCCESS;
	}
	if (in.set_format != HV_VP_SET_SPARSE)
		return HV_STATUS_INVALID_PARAMETER;
	if (io->extra_size != (size_t)__builtin_popcountll(in.valid_bank_mask) * 8)
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	for (uint64_t banks = in.valid_bank_mask; banks; banks &= banks - 1, bank += 8) {
		uint64_t mask;

		memcpy(&mask, bank, sizeof(mask));
		send_ipi_to_bank(vp->hv, (unsigned int)__builtin_ctzll(banks), mask,
				 (uint8_t)in.vector);
	}
	return HV_STATUS_SUCCESS;
}

static enum hv_status get_vp_index(void *ctx, struct hypercall_io *io)
{
	struct hv_vp *vp = ctx;
	struct hv_input_get_vp_index in;

	memcpy(&in, io->input, sizeof(in));
	if (in.partition_id != HV_PARTITION_ID_SELF)
		return HV_STATUS_INVALID_PARTITION_ID;
	if (in.target_vtl)
		return HV_STATUS_INVALID_PARAMETER;
	for (; io->rep_next < io->rep_count; io->rep_next++) {
		uint32_t apic_id;

		memcpy(&apic_id, io->reps + io->rep_next * sizeof(apic_id), sizeof(apic_id));
		/* APIC id = VP index, for those that exist. */
		if (apic_id >= vp->hv->host.vp_count)
			return HV_STATUS_INVALID_PARAMETER;
		memcpy(io->rep_output + io->rep_next * sizeof(apic_id), &apic_id, sizeof(apic_id));
	}
	return HV_STATUS_SUCCESS;
}

/*
 * --- Registers: those that have an MSR, on the calling VP. -----------------------------------
 *
 * A name that does not exist, a register that is read-only and a value that is not valid are all
 * HV_STATUS_INVALID_PARAMETER (TLFS 7.10.1).
 */

struct register_row {
	uint32_t first, last;
	uint32_t msr;
};

static const struct register_row registers[] = {
	{HV_REGISTER_VP_RUNTIME, HV_REGISTER_VP_RUNTIME, HV_MSR_VP_RUNTIME},
	{HV_REGISTER_HYPERCALL, HV_REGISTER_HYPERCALL, HV_MSR_HYPERCALL},
	{HV_REGISTER_GUEST_OS_ID, HV_REGISTER_GUEST_OS_ID, HV_MSR_GUEST_OS_ID},
	{HV_REGISTER_VP_INDEX, HV_REGISTER_VP_INDEX, HV_MSR_VP_INDEX},
	{HV_REGISTER_TIME_REF_COUNT, HV_REGISTER_TIME_REF_COUNT, HV_MSR_TIME_REF_COUNT},
	{HV_REGISTER_EOI, HV_REGISTER_VP_ASSIST_PAGE, HV_MSR_EOI},
	{HV_REGISTER_REFERENCE_TSC, HV_REGISTER_REFERENCE_TSC, HV_MSR_REFERENCE_TSC},
	{HV_REGISTER_SINT0, HV_REGISTER_SINT15, HV_MSR_SINT0},
	{HV_REGISTER_SCONTROL, HV_REGISTER_EOM, HV_MSR_SCONTROL},
	{HV_REGISTER_STIMER0_CONFIG, HV_REGISTER_STIMER3_COUNT, HV_MSR_STIMER0_CONFIG},
};

static bool register_msr(uint32_t name, uint32_t *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
		if (name < registers[i].first || name > registers[i].last)
			continue;
		*ret = registers[i].msr + (name - registers[i].first);
		return true;
	}
	return false;
}

static enum hv_status check_registers_of(const struct hv_vp *vp, const uint8_t *input)
{
	struct hv_input_vp_registers in;

	memcpy(&in, input, sizeof(in));
	if (in.partition_id != HV_PARTITION_ID_SELF)
		return HV_STATUS_INVALID_PARTITION_ID;
	if (!valid_input_vtl(in.target_vtl))
		return HV_STATUS_INVALID_PARAMETER;
	/* Without virtual trust levels a guest has no business with another VP's registers. */
	if (in.vp_index != HV_VP_INDEX_SELF && in.vp_index != vp->index)
		return in.vp_index < vp->hv->host.vp_count ? HV_STATUS_ACCESS_DENIED
							   : HV_STATUS_INVALID_VP_INDEX;
	return HV_STATUS_SUCCESS;
}

static enum hv_status get_vp_registers(void *ctx, struct hypercall_io *io)
{
	struct hv_vp *vp = ctx;
	enum hv_status status = check_registers_of(vp, io->input);

	for (; status == HV_STATUS_SUCCESS && io->rep_next < io->rep_count; io->rep_next++) {
		struct hv_register_value value = {0};
		uint32_t name, msr;

		memcpy(&name, io->reps + io->rep_next * sizeof(name), sizeof(name));
		if (!register_msr(name, &msr))
			return HV_STATUS_INVALID_PARAMETER;
		if (hv_read_msr(vp->hv, vp->vcpu, msr, &value.low) != VCPU_MSR_HANDLED)
			return HV_STATUS_INVALID_PARAMETER;
		memcpy(io->rep_output + io->rep_next * sizeof(value), &value, sizeof(value));
	}
	return status;
}

static enum hv_status set_vp_registers(void *ctx, struct hypercall_io *io)
{
	struct hv_vp *vp = ctx;
	enum hv_status status = check_registers_of(vp, io->input);

	for (; status == HV_STATUS_SUCCESS && io->rep_next < io->rep_count; io->rep_next++) {
		struct hv_register_assoc assoc;
		uint32_t msr;

		memcpy(&assoc, io->reps + io->rep_next * sizeof(assoc), sizeof(assoc));
		/* All of them are 64 bits wide. */
		if (!register_msr(assoc.name, &msr) || assoc.value.high)
			return HV_STATUS_INVALID_PARAMETER;
		if (hv_write_msr(vp->hv, vp->vcpu, msr, assoc.value.low) != VCPU_MSR_HANDLED)
			return HV_STATUS_INVALID_PARAMETER;
	}
	return status;
}

/* --- Extended calls. ----------------------------------------------------------------------- */

static enum hv_status ext_capabilities(void *ctx, struct hypercall_io *io)
{
	uint64_t capabilities = HV_EXT_CAPABILITY_MEMORY_HEAT | HV_EXT_CAPABILITY_COLD_DISCARD;

	memcpy(io->output, &capabilities, sizeof(capabilities));
	return HV_STATUS_SUCCESS;
}

static void heat_range(uint64_t range, uint64_t *ret_gpa, uint64_t *ret_len)
{
	uint64_t pages = HV_RANGE_MORE(range) + 1;

	if (!(range & HV_RANGE_LARGE)) {
		*ret_gpa = HV_RANGE_PAGE(range) << PAGE_SHIFT;
		*ret_len = pages << PAGE_SHIFT;
		return;
	}
	*ret_gpa = HV_RANGE_LARGE_PFN(range) << 21;
	*ret_len = pages << (range & HV_RANGE_LARGE_1G ? 30 : 21);
}

/* Pages the guest has no use for and whose contents it gives up: they go back to the host. */
static enum hv_status memory_heat(void *ctx, struct hypercall_io *io)
{
	struct hv_vp *vp = ctx;
	struct hv_input_memory_heat in;

	memcpy(&in, io->input, sizeof(in));
	if ((in.type & HV_HEAT_TYPE_MASK) != HV_HEAT_COLD_DISCARD || (in.type & ~HV_HEAT_TYPE_MASK))
		return HV_STATUS_INVALID_PARAMETER;
	for (; io->rep_next < io->rep_count; io->rep_next++) {
		uint64_t range, gpa, len;

		memcpy(&range, io->reps + io->rep_next * sizeof(range), sizeof(range));
		heat_range(range, &gpa, &len);
		if (mem_release(vp->hv->host.mem, gpa, len) < 0)
			return HV_STATUS_INVALID_PARAMETER;
	}
	return HV_STATUS_SUCCESS;
}

/* --- The table. ---------------------------------------------------------------------------- */

#define FEATURE(f) HV_FEATURE_BIT(HV_FEATURE_##f)

const struct hypercall_row hv_call_table[] = {
	{.code = HV_CALL_LONG_SPIN_WAIT,
	 .name = "NotifyLongSpinWait",
	 .class = HYPERCALL_LONG_SPIN_WAIT,
	 .features = FEATURE(SPINLOCKS),
	 .input = sizeof(struct hv_input_long_spin_wait),
	 .handler = long_spin_wait},
	{.code = HV_CALL_SEND_IPI,
	 .name = "SendSyntheticClusterIpi",
	 .class = HYPERCALL_VIRTUAL_INTERRUPT,
	 .features = FEATURE(IPI),
	 .input = sizeof(struct hv_input_send_ipi),
	 .handler = send_ipi},
	{.code = HV_CALL_SEND_IPI_EX,
	 .name = "SendSyntheticClusterIpiEx",
	 .class = HYPERCALL_VIRTUAL_INTERRUPT,
	 .features = FEATURE(IPI),
	 .input = sizeof(struct hv_input_send_ipi_ex),
	 .extra = true,
	 .handler = send_ipi_ex},
	{.code = HV_CALL_GET_VP_REGISTERS,
	 .name = "GetVpRegisters",
	 .class = HYPERCALL_VIRTUAL_PROCESSOR,
	 .features = FEATURE(VP_REGISTERS),
	 .input = sizeof(struct hv_input_vp_registers),
	 .rep = true,
	 .rep_input = sizeof(uint32_t),
	 .rep_output = sizeof(struct hv_register_value),
	 .handler = get_vp_registers},
	{.code = HV_CALL_SET_VP_REGISTERS,
	 .name = "SetVpRegisters",
	 .class = HYPERCALL_VIRTUAL_PROCESSOR,
	 .features = FEATURE(VP_REGISTERS),
	 .input = sizeof(struct hv_input_vp_registers),
	 .rep = true,
	 .rep_input = sizeof(struct hv_register_assoc),
	 .handler = set_vp_registers},
	{.code = HV_CALL_POST_MESSAGE,
	 .name = "PostMessage",
	 .class = HYPERCALL_SYNTHETIC_INTERRUPT,
	 .features = FEATURE(SYNIC),
	 .input = sizeof(struct hv_input_post_message),
	 .memory_only = true,
	 .handler = post_message},
	{.code = HV_CALL_SIGNAL_EVENT,
	 .name = "SignalEvent",
	 .class = HYPERCALL_SYNTHETIC_INTERRUPT,
	 .features = FEATURE(SYNIC),
	 .input = sizeof(struct hv_input_signal_event),
	 .handler = signal_event},
	{.code = HV_CALL_GET_VP_INDEX,
	 .name = "GetVpIndexFromApicId",
	 .class = HYPERCALL_VIRTUAL_PROCESSOR, /* no privilege is named for it */
	 .input = sizeof(struct hv_input_get_vp_index),
	 .rep = true,
	 .rep_input = sizeof(uint32_t),
	 .rep_output = sizeof(uint32_t),
	 .handler = get_vp_index},
	{.code = HV_CALL_EXT_CAPABILITIES,
	 .name = "QueryExtendedCapabilities",
	 .class = HYPERCALL_OTHER,
	 .features = FEATURE(EXTENDED_CALLS),
	 .output = sizeof(uint64_t),
	 .handler = ext_capabilities},
	{.code = HV_CALL_EXT_MEMORY_HEAT,
	 .name = "MemoryHeatHint",
	 .class = HYPERCALL_GPA_SPACE,
	 .features = FEATURE(EXTENDED_CALLS),
	 .input = sizeof(struct hv_input_memory_heat),
	 .rep = true,
	 .rep_input = sizeof(uint64_t),
	 .handler = memory_heat},
};

const size_t hv_call_count = ARRAY_SIZE(hv_call_table);

uint64_t hv_hypercall(struct hv_vp *vp, const struct hypercall_args *args)
{
	const struct hypercall_row *row;
	uint64_t start = __rdtsc();
	uint64_t result = hypercall_dispatch(&vp->hv->hypercalls, vp, args, &row);
	enum hypercall_class class = row ? row->class : HYPERCALL_OTHER;

	counter_add(&vp->counters.hypercalls[class], 1);
	counter_add(&vp->counters.hypercall_ticks[class], __rdtsc() - start);
	return result;
}
