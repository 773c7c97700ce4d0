// SPDX-License-Identifier: MIT
/*
 * The hypercall dispatcher against TLFS 3.6-3.12, with calls of its own: a handler here only
 * records what it was given, and does as many elements as the test wants.
 */
#include <errno.h>
#include <string.h>

#include "hv-enlight/hypercall.h"
#include "hv_tests.h"

#define RAM_SIZE MiB(1)
#define IN       0x4000ull
#define OUT      0x5000ull

enum code {
	CODE_NOTHING = 0x100, /* no input, no output */
	CODE_IN8,
	CODE_IN16_OUT8,
	CODE_IN24,
	CODE_IN112,
	CODE_IN120,
	CODE_OUT8,
	CODE_PAGE,     /* 4096 bytes each way */
	CODE_REP,      /* header 8, elements of 8 in and 16 out, fixed output of 8 */
	CODE_REP_IN,   /* header 8, elements of 8 in */
	CODE_REP_BYTE, /* elements of 1 in */
	CODE_REP_OUT,  /* elements of 8 out */
	CODE_EXTRA,    /* header 8 and a variable one */
	CODE_REP_EXTRA,
	CODE_GATED,
	CODE_MEMORY_ONLY,
};

#define FEATURE_GATE (1u << 3)
#define FEATURE_XMM  (1u << 5)

static struct mem *mem;
static const struct hypercall_row *found;

/* What the handler was given, and what it is to do. */
static struct {
	unsigned int calls;
	void *ctx;
	struct hypercall_io io;
	uint8_t input[PAGE_SIZE], extra[PAGE_SIZE], reps[PAGE_SIZE];
	bool output_zeroed;
	enum hv_status status;
	unsigned int reps_to_do; /* fails at the one after */
	bool fill;               /* fixed output of 0xaa, element n's of 0x80 + n */
	size_t input_size, rep_size, output_size, rep_output_size;
} seen;

static bool all_bytes(const uint8_t *bytes, uint8_t value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

static enum hv_status handler(void *ctx, struct hypercall_io *io)
{
	seen.calls++;
	seen.ctx = ctx;
	seen.io = *io;
	memcpy(seen.input, io->input, found->input);
	memcpy(seen.extra, io->extra, io->extra_size);
	memcpy(seen.reps, io->reps, (size_t)found->rep_input * io->rep_count);
	seen.output_zeroed =
		all_bytes(io->output, 0, found->output) &&
		all_bytes(io->rep_output, 0, (size_t)found->rep_output * io->rep_count);
	if (seen.fill)
		memset(io->output, 0xaa, found->output);
	for (; io->rep_next < io->rep_count; io->rep_next++) {
		if (!seen.reps_to_do--)
			return seen.status;
		if (seen.fill)
			memset(io->rep_output + (size_t)io->rep_next * found->rep_output,
			       0x80 + io->rep_next, found->rep_output);
	}
	return found->rep ? HV_STATUS_SUCCESS : seen.status;
}

static const struct hypercall_row rows[] = {
	{.code = CODE_NOTHING, .handler = handler},
	{.code = CODE_IN8, .input = 8, .handler = handler},
	{.code = CODE_IN16_OUT8, .input = 16, .output = 8, .handler = handler},
	{.code = CODE_IN24, .input = 24, .handler = handler},
	{.code = CODE_IN112, .input = 112, .handler = handler},
	{.code = CODE_IN120, .input = 120, .handler = handler},
	{.code = CODE_OUT8, .output = 8, .handler = handler},
	{.code = CODE_PAGE, .input = 4096, .output = 4096, .handler = handler},
	{.code = CODE_REP,
	 .rep = true,
	 .input = 8,
	 .rep_input = 8,
	 .output = 8,
	 .rep_output = 16,
	 .handler = handler},
	{.code = CODE_REP_IN, .rep = true, .input = 8, .rep_input = 8, .handler = handler},
	{.code = CODE_REP_BYTE, .rep = true, .rep_input = 1, .handler = handler},
	{.code = CODE_REP_OUT, .rep = true, .rep_output = 8, .handler = handler},
	{.code = CODE_EXTRA, .input = 8, .extra = true, .handler = handler},
	{.code = CODE_REP_EXTRA,
	 .rep = true,
	 .input = 8,
	 .extra = true,
	 .rep_input = 8,
	 .handler = handler},
	{.code = CODE_GATED, .features = FEATURE_GATE, .handler = handler},
	{.code = CODE_MEMORY_ONLY, .input = 8, .memory_only = true, .handler = handler},
};

static struct hypercall_table table;

static unsigned int xmm_reads;
static int xmm_error;

static int read_xmm(void *ctx, uint8_t *xmm)
{
	ck_assert_ptr_eq(ctx, &seen);
	xmm_reads++;
	if (xmm_error)
		return xmm_error;
	for (size_t i = 0; i < HYPERCALL_FAST_MAX - HYPERCALL_FAST_REGISTERS; i++)
		xmm[i] = (uint8_t)(0x10 + i);
	return 0;
}

static void setup(void)
{
	const struct mem_config config = {.size = RAM_SIZE};
	struct error err;

	ck_assert_int_eq(mem_create(&config, &err, &mem), 0);
	memset(&seen, 0, sizeof(seen));
	seen.reps_to_do = UINT32_MAX;
	table = (struct hypercall_table){.rows = rows,
					 .count = ARRAY_SIZE(rows),
					 .mem = mem,
					 .features = FEATURE_XMM | FEATURE_GATE,
					 .xmm_feature = FEATURE_XMM};
}

static void teardown(void)
{
	mem_destroy(mem);
}

static uint64_t reps(uint64_t count, uint64_t start)
{
	return count << 32 | start << 48;
}

static uint64_t varhead(uint64_t qwords)
{
	return qwords << 17;
}

static uint64_t call_at(uint64_t control, uint64_t in, uint64_t out)
{
	const struct hypercall_args args = {
		.control = control, .input = in, .output = out, .read_xmm = read_xmm};

	/* The handler looks its row up here, before the dispatcher returns it. */
	found = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].code == HV_CONTROL_CODE(control))
			found = &rows[i];
	seen.calls = 0;
	xmm_reads = 0;
	return hypercall_dispatch(&table, &seen, &args, &found);
}

static uint64_t call(uint64_t control)
{
	return call_at(control, IN, OUT);
}

/* A call that must be refused, with its handler not run. */
static void refused(uint64_t control, uint64_t in, uint64_t out, enum hv_status status)
{
	ck_assert_uint_eq(call_at(control, in, out), status);
	ck_assert_uint_eq(seen.calls, 0);
}

static void fill_input(uint64_t gpa, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = (uint8_t)(i * 7 + 1);

		ck_assert_int_eq(mem_write(mem, gpa + i, &byte, 1), 0);
	}
}

static bool input_is(const uint8_t *bytes, size_t from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != (uint8_t)((from + i) * 7 + 1))
			return false;
	return true;
}

static bool memory_is(uint64_t gpa, uint8_t value, size_t len)
{
	uint8_t bytes[PAGE_SIZE];

	ck_assert_int_eq(mem_read(mem, gpa, bytes, len), 0);
	return all_bytes(bytes, value, len);
}

/* --- The control word (TLFS 3.7). ----------------------------------------------------------- */

START_TEST(unknown_code)
{
	refused(0xfff, IN, OUT, HV_STATUS_INVALID_HYPERCALL_CODE);
	ck_assert_ptr_null(found);
	refused(0xfff | HV_CONTROL_FAST, 1, 2, HV_STATUS_INVALID_HYPERCALL_CODE);
	ck_assert_uint_eq(call(CODE_NOTHING), HV_STATUS_SUCCESS);
	ck_assert_ptr_eq(found, &rows[0]);
	ck_assert_ptr_eq(seen.ctx, &seen);
}
END_TEST

/* A call the partition has no privilege for is known, but denied (TLFS 3.12, 11.11). */
START_TEST(unannounced)
{
	ck_assert_uint_eq(call(CODE_GATED), HV_STATUS_SUCCESS);
	table.features &= ~FEATURE_GATE;
	refused(CODE_GATED, IN, OUT, HV_STATUS_ACCESS_DENIED);
	/* The preferred status does not say whether the rest of the call was well-formed. */
	refused(CODE_GATED | 1ull << 63, IN, OUT, HV_STATUS_ACCESS_DENIED);
	refused(CODE_GATED | reps(1, 0), IN, OUT, HV_STATUS_ACCESS_DENIED);
}
END_TEST

START_TEST(reserved_bits)
{
	static const struct {
		unsigned int first, last;
	} reserved[] = {{27, 30}, {31, 31}, {44, 47}, {60, 63}};

	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		for (unsigned int bit = reserved[i].first; bit <= reserved[i].last; bit++) {
			refused(CODE_IN8 | 1ull << bit, IN, OUT, HV_STATUS_INVALID_HYPERCALL_INPUT);
			refused(CODE_REP_IN | reps(1, 0) | 1ull << bit, IN, OUT,
				HV_STATUS_INVALID_HYPERCALL_INPUT);
		}
}
END_TEST

START_TEST(reps_of_simple_calls)
{
	refused(CODE_IN8 | reps(1, 0), IN, OUT, HV_STATUS_INVALID_HYPERCALL_INPUT);
	refused(CODE_IN8 | reps(0, 1), IN, OUT, HV_STATUS_INVALID_HYPERCALL_INPUT);
	refused(CODE_NOTHING | reps(4095, 4094), IN, OUT, HV_STATUS_INVALID_HYPERCALL_INPUT);
}
END_TEST

START_TEST(start_not_below_count)
{
	refused(CODE_REP_IN, IN, OUT, HV_STATUS_INVALID_HYPERCALL_INPUT);
	refused(CODE_REP_IN | reps(0, 1), IN, OUT, HV_STATUS_INVALID_HYPERCALL_INPUT);
	refused(CODE_REP_IN | reps(3, 3), IN, OUT, HV_STATUS_INVALID_HYPERCALL_INPUT);
	refused(CODE_REP_IN | reps(3, 4095), IN, OUT, HV_STATUS_INVALID_HYPERCALL_INPUT);
	ck_assert_uint_eq(call(CODE_REP_IN | reps(3, 2)), 3ull << 32);
}
END_TEST

/* --- Rep calls (TLFS 3.2, 3.8). -------------------------------------------------------------- */

START_TEST(all_elements)
{
	fill_input(IN, 8 + 5 * 8);
	seen.fill = true;
	ck_assert_uint_eq(call(CODE_REP | reps(5, 0)), 5ull << 32);
	ck_assert_uint_eq(seen.io.rep_next, 0);
	ck_assert_uint_eq(seen.io.rep_count, 5);
	ck_assert(input_is(seen.input, 0, 8));
	ck_assert(input_is(seen.reps, 8, 5 * 8ull));
	ck_assert(seen.output_zeroed);
	ck_assert(memory_is(OUT, 0xaa, 8));
	for (unsigned int n = 0; n < 5; n++)
		ck_assert(memory_is(OUT + 8 + n * 16ull, (uint8_t)(0x80 + n), 16));
	ck_assert(memory_is(OUT + 8 + 5 * 16ull, 0, 64));
}
END_TEST

/* The count that comes back is of all, not of those of this call. */
START_TEST(continued)
{
	fill_input(IN, 8 + 10 * 8);
	ck_assert_int_eq(mem_fill(mem, OUT, 0x33, PAGE_SIZE), 0);
	seen.fill = true;
	ck_assert_uint_eq(call(CODE_REP | reps(10, 5)), 10ull << 32);
	ck_assert_uint_eq(seen.io.rep_next, 5);
	ck_assert(input_is(seen.reps, 8, 10 * 8ull));
	/* The output of elements that were done before stays. */
	ck_assert(memory_is(OUT + 8, 0x33, 5 * 16ull));
	for (unsigned int n = 5; n < 10; n++)
		ck_assert(memory_is(OUT + 8 + n * 16ull, (uint8_t)(0x80 + n), 16));
	ck_assert(memory_is(OUT + 8 + 10 * 16ull, 0x33, 64));
}
END_TEST

START_TEST(failing_element)
{
	ck_assert_int_eq(mem_fill(mem, OUT, 0x33, PAGE_SIZE), 0);
	seen.fill = true;
	seen.reps_to_do = 2;
	seen.status = HV_STATUS_INVALID_PARAMETER;
	ck_assert_uint_eq(call(CODE_REP | reps(9, 3)), HV_STATUS_INVALID_PARAMETER | 5ull << 32);
	ck_assert(memory_is(OUT, 0x33, 8 + 3 * 16));
	ck_assert(memory_is(OUT + 8 + 3 * 16ull, 0x83, 16));
	ck_assert(memory_is(OUT + 8 + 4 * 16ull, 0x84, 16));
	ck_assert(memory_is(OUT + 8 + 5 * 16ull, 0x33, 5 * 16ull));
}
END_TEST

START_TEST(first_element_fails)
{
	ck_assert_int_eq(mem_fill(mem, OUT, 0x33, PAGE_SIZE), 0);
	seen.fill = true;
	seen.reps_to_do = 0;
	seen.status = HV_STATUS_ACCESS_DENIED;
	ck_assert_uint_eq(call(CODE_REP | reps(4, 0)), HV_STATUS_ACCESS_DENIED);
	seen.reps_to_do = 0;
	ck_assert_uint_eq(call(CODE_REP | reps(4, 2)), HV_STATUS_ACCESS_DENIED | 2ull << 32);
	ck_assert(memory_is(OUT, 0x33, PAGE_SIZE));
}
END_TEST

START_TEST(most_elements)
{
	ck_assert_uint_eq(call(CODE_REP_BYTE | reps(4095, 0)), 4095ull << 32);
	ck_assert_uint_eq(seen.io.rep_count, 4095);
	/* 8 + 511 * 8 is a page, one more is not. */
	ck_assert_uint_eq(call(CODE_REP_IN | reps(511, 0)), 511ull << 32);
	refused(CODE_REP_IN | reps(512, 0), IN, OUT, HV_STATUS_INVALID_ALIGNMENT);
	refused(CODE_REP_IN | reps(4095, 0), IN, OUT, HV_STATUS_INVALID_ALIGNMENT);
	ck_assert_uint_eq(call(CODE_REP_OUT | reps(512, 0)), 512ull << 32);
	refused(CODE_REP_OUT | reps(513, 0), IN, OUT, HV_STATUS_INVALID_ALIGNMENT);
	/* What was done before counts as much as what is left: the list is one. */
	refused(CODE_REP_OUT | reps(513, 512), IN, OUT, HV_STATUS_INVALID_ALIGNMENT);
}
END_TEST

/* --- Variable headers (TLFS 3.7.1). ---------------------------------------------------------- */

START_TEST(variable_header)
{
	fill_input(IN, 64);
	ck_assert_uint_eq(call(CODE_EXTRA), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(seen.io.extra_size, 0);
	ck_assert_uint_eq(call(CODE_EXTRA | varhead(3)), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(seen.io.extra_size, 24);
	ck_assert(input_is(seen.input, 0, 8));
	ck_assert(input_is(seen.extra, 8, 24));
	/* 8 + 511 * 8 is a page. */
	ck_assert_uint_eq(call(CODE_EXTRA | varhead(511)), HV_STATUS_SUCCESS);
	refused(CODE_EXTRA | varhead(512), IN, OUT, HV_STATUS_INVALID_ALIGNMENT);
	refused(CODE_EXTRA | varhead(1023), IN, OUT, HV_STATUS_INVALID_ALIGNMENT);
}
END_TEST

START_TEST(unwanted_variable_header)
{
	refused(CODE_IN8 | varhead(1), IN, OUT, HV_STATUS_INVALID_HYPERCALL_INPUT);
	refused(CODE_REP_IN | reps(1, 0) | varhead(1), IN, OUT, HV_STATUS_INVALID_HYPERCALL_INPUT);
	refused(CODE_NOTHING | varhead(1023), IN, OUT, HV_STATUS_INVALID_HYPERCALL_INPUT);
}
END_TEST

/* Elements lie behind both headers. */
START_TEST(variable_header_and_reps)
{
	fill_input(IN, 128);
	ck_assert_uint_eq(call(CODE_REP_EXTRA | varhead(2) | reps(4, 0)), 4ull << 32);
	ck_assert(input_is(seen.extra, 8, 16));
	ck_assert(input_is(seen.reps, 24, 4 * 8ull));
	refused(CODE_REP_EXTRA | varhead(1023) | reps(4095, 4094), IN, OUT,
		HV_STATUS_INVALID_ALIGNMENT);
}
END_TEST

/* --- Fast calls (TLFS 3.7, 3.7.2). ----------------------------------------------------------- */

START_TEST(fast_registers)
{
	const uint64_t first = 0x0807060504030201ull, second = 0x100f0e0d0c0b0a09ull;

	ck_assert_uint_eq(call_at(CODE_IN8 | HV_CONTROL_FAST, first, second), HV_STATUS_SUCCESS);
	ck_assert_mem_eq(seen.input, &first, 8);
	ck_assert_uint_eq(call_at(CODE_REP_IN | HV_CONTROL_FAST | reps(1, 0), first, second),
			  1ull << 32);
	ck_assert_mem_eq(seen.input, &first, 8);
	ck_assert_mem_eq(seen.reps, &second, 8);
	ck_assert_uint_eq(xmm_reads, 0);
}
END_TEST

START_TEST(fast_xmm)
{
	const uint64_t words[2] = {0x1111111111111111ull, 0x2222222222222222ull};

	ck_assert_uint_eq(call_at(CODE_IN112 | HV_CONTROL_FAST, words[0], words[1]),
			  HV_STATUS_SUCCESS);
	ck_assert_uint_eq(xmm_reads, 1);
	ck_assert_mem_eq(seen.input, words, 16);
	for (size_t i = 16; i < 112; i++)
		ck_assert_uint_eq(seen.input[i], (uint8_t)(i));
	refused(CODE_IN120 | HV_CONTROL_FAST, 0, 0, HV_STATUS_INVALID_HYPERCALL_INPUT);
	/* 8 + 13 * 8 = 112 */
	ck_assert_uint_eq(call(CODE_REP_IN | HV_CONTROL_FAST | reps(13, 0)), 13ull << 32);
	refused(CODE_REP_IN | HV_CONTROL_FAST | reps(14, 0), 0, 0,
		HV_STATUS_INVALID_HYPERCALL_INPUT);
	ck_assert_uint_eq(call(CODE_EXTRA | HV_CONTROL_FAST | varhead(13)), HV_STATUS_SUCCESS);
	refused(CODE_EXTRA | HV_CONTROL_FAST | varhead(14), 0, 0,
		HV_STATUS_INVALID_HYPERCALL_INPUT);
	xmm_error = -EIO;
	refused(CODE_IN24 | HV_CONTROL_FAST, 0, 0, HV_STATUS_INVALID_HYPERCALL_INPUT);
}
END_TEST

START_TEST(xmm_not_announced)
{
	table.features &= ~FEATURE_XMM;
	ck_assert_uint_eq(call_at(CODE_IN24 | HV_CONTROL_FAST, 0, 0), HYPERCALL_UNDEFINED);
	ck_assert_uint_eq(call_at(CODE_REP_IN | HV_CONTROL_FAST | reps(2, 0), 0, 0),
			  HYPERCALL_UNDEFINED);
	ck_assert_uint_eq(seen.calls, 0);
	ck_assert_uint_eq(xmm_reads, 0);
	ck_assert_uint_eq(call(CODE_REP_IN | HV_CONTROL_FAST | reps(1, 0)), 1ull << 32);
	ck_assert_uint_eq(call(CODE_IN24), HV_STATUS_SUCCESS);
}
END_TEST

/* Output in registers is not announced, so no call with output has a fast form. */
START_TEST(fast_output)
{
	refused(CODE_OUT8 | HV_CONTROL_FAST, 0, 0, HV_STATUS_INVALID_HYPERCALL_INPUT);
	refused(CODE_IN16_OUT8 | HV_CONTROL_FAST, 0, 0, HV_STATUS_INVALID_HYPERCALL_INPUT);
	refused(CODE_REP | HV_CONTROL_FAST | reps(1, 0), 0, 0, HV_STATUS_INVALID_HYPERCALL_INPUT);
	refused(CODE_REP_OUT | HV_CONTROL_FAST | reps(1, 0), 0, 0,
		HV_STATUS_INVALID_HYPERCALL_INPUT);
}
END_TEST

START_TEST(no_fast_form)
{
	refused(CODE_MEMORY_ONLY | HV_CONTROL_FAST, IN, OUT, HV_STATUS_INVALID_HYPERCALL_INPUT);
	ck_assert_uint_eq(call(CODE_MEMORY_ONLY), HV_STATUS_SUCCESS);
}
END_TEST

/* What lies in the registers is no address. */
START_TEST(fast_has_no_place)
{
	ck_assert_uint_eq(call_at(CODE_IN8 | HV_CONTROL_FAST, UINT64_MAX, 1), HV_STATUS_SUCCESS);
	ck_assert(all_bytes(seen.input, 0xff, 8));
}
END_TEST

/* --- Places in memory (TLFS 3.6). ------------------------------------------------------------ */

START_TEST(alignment)
{
	for (unsigned int off = 1; off < 8; off++) {
		refused(CODE_IN8, IN + off, OUT, HV_STATUS_INVALID_ALIGNMENT);
		refused(CODE_OUT8, IN, OUT + off, HV_STATUS_INVALID_ALIGNMENT);
		refused(CODE_IN16_OUT8, IN + off, OUT, HV_STATUS_INVALID_ALIGNMENT);
		refused(CODE_IN16_OUT8, IN, OUT + off, HV_STATUS_INVALID_ALIGNMENT);
	}
	ck_assert_uint_eq(call_at(CODE_IN16_OUT8, IN + 8, OUT + 8), HV_STATUS_SUCCESS);
}
END_TEST

/* Pointers to nothing are not looked at. */
START_TEST(unused_places)
{
	ck_assert_uint_eq(call_at(CODE_NOTHING, 1, UINT64_MAX), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(call_at(CODE_IN8, IN, UINT64_MAX), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(call_at(CODE_OUT8, 3, OUT), HV_STATUS_SUCCESS);
}
END_TEST

START_TEST(page_edges)
{
	ck_assert_uint_eq(call_at(CODE_IN8, IN + PAGE_SIZE - 8, OUT), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(call_at(CODE_IN16_OUT8, IN + PAGE_SIZE - 16, OUT + PAGE_SIZE - 8),
			  HV_STATUS_SUCCESS);
	refused(CODE_IN16_OUT8, IN + PAGE_SIZE - 8, OUT, HV_STATUS_INVALID_ALIGNMENT);
	refused(CODE_REP | reps(1, 0), IN, OUT + PAGE_SIZE - 16, HV_STATUS_INVALID_ALIGNMENT);
	/* A whole page each. */
	fill_input(IN, PAGE_SIZE);
	seen.fill = true;
	ck_assert_uint_eq(call(CODE_PAGE), HV_STATUS_SUCCESS);
	ck_assert(input_is(seen.input, 0, PAGE_SIZE));
	ck_assert(memory_is(OUT, 0xaa, PAGE_SIZE));
	ck_assert(memory_is(OUT + PAGE_SIZE, 0, 8));
	refused(CODE_PAGE, IN + 8, OUT, HV_STATUS_INVALID_ALIGNMENT);
	refused(CODE_PAGE, IN, OUT + 8, HV_STATUS_INVALID_ALIGNMENT);
}
END_TEST

START_TEST(not_memory)
{
	static const uint64_t places[] = {
		RAM_SIZE,   RAM_SIZE + 0x1000,      0xfee00000ull,     1ull << 40,
		1ull << 63, UINT64_MAX & ~0xfffull, UINT64_MAX & ~7ull};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		refused(CODE_IN8, places[i], OUT, HV_STATUS_INVALID_ALIGNMENT);
		refused(CODE_OUT8, IN, places[i], HV_STATUS_INVALID_ALIGNMENT);
		refused(CODE_IN16_OUT8, IN, places[i], HV_STATUS_INVALID_ALIGNMENT);
	}
	ck_assert_uint_eq(call_at(CODE_IN16_OUT8, RAM_SIZE - 16, RAM_SIZE - 24), HV_STATUS_SUCCESS);
}
END_TEST

/* --- Output. --------------------------------------------------------------------------------- */

START_TEST(output_of_success)
{
	seen.fill = true;
	ck_assert_uint_eq(call(CODE_IN16_OUT8), HV_STATUS_SUCCESS);
	ck_assert(memory_is(OUT, 0xaa, 8));
	ck_assert(memory_is(OUT + 8, 0, 8));
	/* What a handler leaves alone is zero, not what lay on a stack. */
	seen.fill = false;
	ck_assert_uint_eq(call(CODE_IN16_OUT8), HV_STATUS_SUCCESS);
	ck_assert(seen.output_zeroed);
	ck_assert(memory_is(OUT, 0, 8));
}
END_TEST

START_TEST(output_of_failure)
{
	ck_assert_int_eq(mem_fill(mem, OUT, 0x33, 16), 0);
	seen.fill = true;
	seen.status = HV_STATUS_OPERATION_DENIED;
	ck_assert_uint_eq(call(CODE_IN16_OUT8), HV_STATUS_OPERATION_DENIED);
	ck_assert(memory_is(OUT, 0x33, 16));
}
END_TEST

/*
 * The guest may not let them overlap (TLFS 3.6), and no status says that it did: input has been
 * read before output is written, whatever happens.
 */
START_TEST(overlap)
{
	fill_input(IN, PAGE_SIZE);
	seen.fill = true;
	ck_assert_uint_eq(call_at(CODE_IN16_OUT8, IN, IN + 8), HV_STATUS_SUCCESS);
	ck_assert(input_is(seen.input, 0, 16));
	ck_assert(memory_is(IN + 8, 0xaa, 8));
	fill_input(IN, PAGE_SIZE);
	ck_assert_uint_eq(call_at(CODE_REP | reps(16, 0), IN, IN), 16ull << 32);
	ck_assert(input_is(seen.reps, 8, 16 * 8ull));
	ck_assert(memory_is(IN + 8 + 15 * 16ull, 0x8f, 16));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		unknown_code,

		unannounced,

		reserved_bits,
		reps_of_simple_calls,
		start_not_below_count,
		all_elements,
		continued,
		failing_element,
		first_element_fails,
		most_elements,
		variable_header,
		unwanted_variable_header,
		variable_header_and_reps,
		fast_registers,
		fast_xmm,
		xmm_not_announced,
		fast_output,
		no_fast_form,
		fast_has_no_place,
		alignment,
		unused_places,
		page_edges,
		not_memory,
		output_of_success,
		output_of_failure,
		overlap,
	};

	return hv_run_tests("hypercall", setup, teardown, tests, ARRAY_SIZE(tests));
}
