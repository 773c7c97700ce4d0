// SPDX-License-Identifier: MIT
/*
 * Hypercall dispatch. The order of the checks: code, privilege (TLFS 3.12 prefers the status that
 * reveals least), control word, then the places of input and output.
 */
#include "hv-enlight/hypercall.h"

#include <string.h>

const char *const hypercall_class_names[HYPERCALL_CLASSES] = {
	[HYPERCALL_GPA_SPACE] = "gpa-space",
	[HYPERCALL_LOGICAL_PROCESSOR] = "logical-processor",
	[HYPERCALL_LONG_SPIN_WAIT] = "long-spin-wait",
	[HYPERCALL_OTHER] = "other",
	[HYPERCALL_SYNTHETIC_INTERRUPT] = "synthetic-interrupt",
	[HYPERCALL_VIRTUAL_INTERRUPT] = "virtual-interrupt",
	[HYPERCALL_VIRTUAL_MMU] = "virtual-mmu",
	[HYPERCALL_VIRTUAL_PROCESSOR] = "virtual-processor",
};

struct sizes {
	size_t extra;
	size_t input; /* headers and all elements */
	size_t output;
};

static const struct hypercall_row *find_row(const struct hypercall_table *table, uint16_t code)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->rows[i].code == code)
			return &table->rows[i];
	return NULL;
}

/* A partition that was not told of a call has no privilege for it. */
static bool admitted(const struct hypercall_table *table, const struct hypercall_row *row)
{
	return !row->features || (row->features & table->features);
}

static enum hv_status check_control(const struct hypercall_table *table,
				    const struct hypercall_row *row, uint64_t control,
				    struct sizes *sizes)
{
	uint16_t count = HV_CONTROL_REP_COUNT(control), start = HV_CONTROL_REP_START(control);

	if (control & (HV_CONTROL_RESERVED | HV_CONTROL_NESTED))
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	if (row->rep ? count == 0 || start >= count : count || start)
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	if (HV_CONTROL_VARHEAD(control) && !row->extra)
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	sizes->extra = (size_t)HV_CONTROL_VARHEAD(control) * 8;
	sizes->input = row->input + sizes->extra + (size_t)row->rep_input * count;
	sizes->output = row->output + (size_t)row->rep_output * count;
	if (!(control & HV_CONTROL_FAST))
		return HV_STATUS_SUCCESS;
	if (row->memory_only || sizes->output || sizes->input > HYPERCALL_FAST_MAX)
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	return HV_STATUS_SUCCESS;
}

static bool lacks_xmm(const struct hypercall_table *table, uint64_t control,
		      const struct sizes *sizes)
{
	return (control & HV_CONTROL_FAST) && sizes->input > HYPERCALL_FAST_REGISTERS &&
	       !(table->features & table->xmm_feature);
}

/* Aligned to 8 bytes, inside one page, and memory. */
static enum hv_status check_place(const struct mem *mem, uint64_t gpa, size_t len)
{
	if (!len)
		return HV_STATUS_SUCCESS;
	if (!is_aligned(gpa, 8) || (gpa & (PAGE_SIZE - 1)) + len > PAGE_SIZE ||
	    !mem_is_ram(mem, gpa, len))
		return HV_STATUS_INVALID_ALIGNMENT;
	return HV_STATUS_SUCCESS;
}

static enum hv_status copy_fast_input(const struct hypercall_args *args, void *ctx, size_t len,
				      uint8_t *input)
{
	memcpy(input, &args->input, sizeof(args->input));
	memcpy(input + 8, &args->output, sizeof(args->output));
	if (len > HYPERCALL_FAST_REGISTERS &&
	    args->read_xmm(ctx, input + HYPERCALL_FAST_REGISTERS) < 0)
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	return HV_STATUS_SUCCESS;
}

static enum hv_status copy_input(const struct hypercall_table *table, void *ctx,
				 const struct hypercall_args *args, const struct sizes *sizes,
				 uint8_t *input)
{
	enum hv_status status;

	if (args->control & HV_CONTROL_FAST)
		return copy_fast_input(args, ctx, sizes->input, input);
	status = check_place(table->mem, args->input, sizes->input);
	if (status == HV_STATUS_SUCCESS)
		status = check_place(table->mem, args->output, sizes->output);
	if (status != HV_STATUS_SUCCESS)
		return status;
	/* The range was checked; guest memory may change under us, its size may not. */
	return mem_read(table->mem, args->input, input, sizes->input) < 0
		       ? HV_STATUS_INVALID_ALIGNMENT
		       : HV_STATUS_SUCCESS;
}

/*
 * What was done before an element failed counts, and so does its output. Elements before the first
 * of this call belong to an earlier one, whose output stays.
 */
static int copy_output(const struct hypercall_table *table, const struct hypercall_args *args,
		       const struct hypercall_row *row, enum hv_status status,
		       const struct hypercall_io *io)
{
	size_t start = (size_t)row->rep_output * HV_CONTROL_REP_START(args->control);
	size_t end = (size_t)row->rep_output * io->rep_next;
	int r = 0;

	if (row->output && status == HV_STATUS_SUCCESS)
		r = mem_write(table->mem, args->output, io->output, row->output);
	if (r == 0 && end > start)
		r = mem_write(table->mem, args->output + row->output + start,
			      io->rep_output + start, end - start);
	return r;
}

static uint64_t result(enum hv_status status, uint16_t reps)
{
	return (uint64_t)status | (uint64_t)reps << 32;
}

uint64_t hypercall_dispatch(const struct hypercall_table *table, void *ctx,
			    const struct hypercall_args *args, const struct hypercall_row **ret_row)
{
	const struct hypercall_row *row = find_row(table, HV_CONTROL_CODE(args->control));
	uint8_t input[PAGE_SIZE], output[PAGE_SIZE];
	struct hypercall_io io;
	enum hv_status status;
	struct sizes sizes;

	*ret_row = row;
	if (!row)
		return result(HV_STATUS_INVALID_HYPERCALL_CODE, 0);
	if (!admitted(table, row))
		return result(HV_STATUS_ACCESS_DENIED, 0);
	status = check_control(table, row, args->control, &sizes);
	if (status == HV_STATUS_SUCCESS && lacks_xmm(table, args->control, &sizes))
		return HYPERCALL_UNDEFINED;
	if (status == HV_STATUS_SUCCESS)
		status = copy_input(table, ctx, args, &sizes, input);
	if (status != HV_STATUS_SUCCESS)
		return result(status, 0);
	memset(output, 0, sizes.output);
	io = (struct hypercall_io){
		.input = input,
		.extra = input + row->input,
		.extra_size = sizes.extra,
		.reps = input + row->input + sizes.extra,
		.output = output,
		.rep_output = output + row->output,
		.rep_next = HV_CONTROL_REP_START(args->control),
		.rep_count = HV_CONTROL_REP_COUNT(args->control),
	};
	status = row->handler(ctx, &io);
	if (copy_output(table, args, row, status, &io) < 0)
		return result(HV_STATUS_INVALID_ALIGNMENT, 0);
	return result(status, row->rep ? io.rep_next : 0);
}
