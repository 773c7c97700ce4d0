// SPDX-License-Identifier: MIT
/*
 * The hypercalls against their pages in the TLFS (and, for memory heat hints, which it only names,
 * against what Linux sends), made by a guest of hv_fake.h.
 */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hv-enlight/hv_calls_proto.h"
#include "hv_fake.h"
#include "hv_tests.h"

#define IN   0x10000ull
#define OUT  0x11000ull
#define FAST HV_CONTROL_FAST

static struct hv_fake fake;

static void setup(void)
{
	hv_fake_create(&fake, 0);
}

static void teardown(void)
{
	hv_fake_destroy(&fake);
}

static void put(uint64_t gpa, const void *bytes, size_t len)
{
	ck_assert_int_eq(mem_write(fake.mem, gpa, bytes, len), 0);
}

static uint64_t call(uint64_t control, const void *input, size_t len)
{
	put(IN, input, len);
	return hv_fake_call(&fake, 0, control, IN, OUT);
}

static uint64_t fast(uint64_t control, uint64_t first, uint64_t second)
{
	return hv_fake_call(&fake, 0, control | FAST, first, second);
}

static uint64_t reps(uint64_t count)
{
	return count << 32;
}

/* --- Messages (TLFS 11.11.1). ---------------------------------------------------------------- */

static struct {
	unsigned int calls;
	uint32_t type;
	uint8_t payload[256];
	size_t len;
	enum hv_status answer;
} received;

static enum hv_status receive(void *ctx, uint32_t type, const uint8_t *payload, size_t len)
{
	ck_assert_ptr_eq(ctx, &received);
	received.calls++;
	received.type = type;
	memcpy(received.payload, payload, len);
	received.len = len;
	return received.answer;
}

static uint64_t post(uint32_t id, uint32_t type, uint32_t size)
{
	struct hv_input_post_message in = {
		.connection_id = id, .message_type = type, .payload_size = size};

	for (size_t i = 0; i < sizeof(in.payload); i++)
		in.payload[i] = (uint8_t)(i * 3);
	return call(HV_CALL_POST_MESSAGE, &in, sizeof(in));
}

START_TEST(post_message)
{
	static const uint32_t sizes[] = {0, 1, 8, 239, 240};

	ck_assert_int_eq(synic_open_message(fake.hv, 4, receive, &received), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		ck_assert_uint_eq(post(4, 0x7fffffff - i, sizes[i]), HV_STATUS_SUCCESS);
		ck_assert_uint_eq(received.calls, i + 1);
		ck_assert_uint_eq(received.type, 0x7fffffff - i);
		ck_assert_uint_eq(received.len, sizes[i]);
		for (size_t k = 0; k < sizes[i]; k++)
			ck_assert_uint_eq(received.payload[k], (uint8_t)(k * 3));
	}
	/* What the receiver says is what the guest is told. */
	received.answer = HV_STATUS_INSUFFICIENT_BUFFERS;
	ck_assert_uint_eq(post(4, 1, 8), HV_STATUS_INSUFFICIENT_BUFFERS);
}
END_TEST

START_TEST(post_message_refused)
{
	ck_assert_int_eq(synic_open_message(fake.hv, 4, receive, &received), 0);
	ck_assert_uint_eq(post(4, 1, 241), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(post(4, 1, UINT32_MAX), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(post(4, 0, 8), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(post(4, 0x80000000, 8), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(post(4, HV_MESSAGE_TIMER_EXPIRED, 8), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(post(5, 1, 8), HV_STATUS_INVALID_CONNECTION_ID);
	ck_assert_uint_eq(post(4 | 1u << 24, 1, 8), HV_STATUS_INVALID_CONNECTION_ID);
	ck_assert_uint_eq(post(UINT32_MAX, 1, 8), HV_STATUS_INVALID_CONNECTION_ID);
	/* 256 bytes fit no registers. */
	ck_assert_uint_eq(fast(HV_CALL_POST_MESSAGE, 4, 0), HV_STATUS_INVALID_HYPERCALL_INPUT);
	ck_assert_uint_eq(received.calls, 0);
}
END_TEST

/* --- Events (TLFS 11.11.2). ------------------------------------------------------------------ */

static uint64_t signal_event(uint32_t id, uint16_t flag, uint16_t reserved)
{
	const struct hv_input_signal_event in = {
		.connection_id = id, .flag_number = flag, .reserved = reserved};
	uint64_t first, by_memory = call(HV_CALL_SIGNAL_EVENT, &in, sizeof(in));

	memcpy(&first, &in, sizeof(first));
	ck_assert_uint_eq(fast(HV_CALL_SIGNAL_EVENT, first, 0x5555), by_memory);
	return by_memory;
}

START_TEST(events)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t count = 0;

	ck_assert_int_eq(synic_open_event(fake.hv, 9, fd), 0);
	ck_assert_uint_eq(signal_event(9, 0, 0), HV_STATUS_SUCCESS);
	ck_assert_int_eq(read(fd, &count, sizeof(count)), sizeof(count));
	ck_assert_uint_eq(count, 2);
	/* One flag a connection. */
	ck_assert_uint_eq(signal_event(9, 1, 0), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(signal_event(9, 2048, 0), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(signal_event(9, 0, 1), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(signal_event(8, 0, 0), HV_STATUS_INVALID_CONNECTION_ID);
	ck_assert_uint_eq(signal_event(9 | 1u << 24, 0, 0), HV_STATUS_INVALID_CONNECTION_ID);
	synic_close(fake.hv, 9);
	ck_assert_uint_eq(signal_event(9, 0, 0), HV_STATUS_INVALID_CONNECTION_ID);
	ck_assert_int_lt(read(fd, &count, sizeof(count)), 0);
	close(fd);
}
END_TEST

/* --- Processors. ----------------------------------------------------------------------------- */

START_TEST(long_spin_wait)
{
	ck_assert_uint_eq(fast(HV_CALL_LONG_SPIN_WAIT, 4095, 0), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(call(HV_CALL_LONG_SPIN_WAIT, &(uint64_t){UINT64_MAX}, 8),
			  HV_STATUS_SUCCESS);
}
END_TEST

/* The VPs that were sent @vector since @from, as a mask. */
static uint64_t interrupted(unsigned int from, uint8_t vector)
{
	uint64_t mask = 0;

	for (unsigned int n = from; n < kvm_fake.msi_count; n++) {
		ck_assert_uint_eq(hv_fake_vector(n), vector);
		mask |= 1ull << hv_fake_target(n);
	}
	return mask;
}

START_TEST(send_ipi)
{
	unsigned int from;

	for (uint64_t mask = 0; mask < 16; mask++) {
		from = kvm_fake.msi_count;
		ck_assert_uint_eq(fast(HV_CALL_SEND_IPI, 0xf3, mask), HV_STATUS_SUCCESS);
		ck_assert_uint_eq(interrupted(from, 0xf3), mask);
	}
	/* Those that do not exist are not there to be interrupted. */
	from = kvm_fake.msi_count;
	ck_assert_uint_eq(fast(HV_CALL_SEND_IPI, 16, UINT64_MAX), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(interrupted(from, 16), 0xf);
	from = kvm_fake.msi_count;
	for (uint64_t vector = 0; vector < 16; vector++)
		ck_assert_uint_ne(fast(HV_CALL_SEND_IPI, vector, 1), HV_STATUS_SUCCESS);
	ck_assert_uint_ne(fast(HV_CALL_SEND_IPI, 256, 1), HV_STATUS_SUCCESS);
	ck_assert_uint_ne(fast(HV_CALL_SEND_IPI, 0xffffff10, 1), HV_STATUS_SUCCESS);
	/* Another trust level than the one there is. */
	ck_assert_uint_ne(fast(HV_CALL_SEND_IPI, 0x20 | 0x11ull << 32, 1), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(kvm_fake.msi_count, from);
	ck_assert_uint_ne(fast(HV_CALL_SEND_IPI, 0x20 | 0x20ull << 32, 1), HV_STATUS_SUCCESS);
	/* And that one, by name. */
	ck_assert_uint_eq(fast(HV_CALL_SEND_IPI, 0x20 | 0x10ull << 32, 2), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(interrupted(from, 0x20), 2);
}
END_TEST

static uint64_t send_ex(uint64_t format, uint64_t valid, const uint64_t *banks, size_t count)
{
	const struct hv_input_send_ipi_ex in = {
		.vector = 0x55, .set_format = format, .valid_bank_mask = valid};

	put(IN, &in, sizeof(in));
	if (count)
		put(IN + sizeof(in), banks, count * 8);
	return hv_fake_call(&fake, 0, HV_CALL_SEND_IPI_EX | count << 17, IN, OUT);
}

START_TEST(send_ipi_ex)
{
	static const uint64_t banks[64] = {0x5, UINT64_MAX, UINT64_MAX};
	unsigned int from = kvm_fake.msi_count;

	ck_assert_uint_eq(send_ex(HV_VP_SET_SPARSE, 1, banks, 1), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(interrupted(from, 0x55), 0x5);
	/* The first bank given is the lowest bit set. */
	from = kvm_fake.msi_count;
	ck_assert_uint_eq(send_ex(HV_VP_SET_SPARSE, 1ull << 63 | 2, banks, 2), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(kvm_fake.msi_count, from);
	ck_assert_uint_eq(send_ex(HV_VP_SET_SPARSE, UINT64_MAX, banks, 64), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(interrupted(from, 0x55), 0x5);
	from = kvm_fake.msi_count;
	ck_assert_uint_eq(send_ex(HV_VP_SET_ALL, 0, banks, 0), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(interrupted(from, 0x55), 0xf);
	from = kvm_fake.msi_count;
	ck_assert_uint_eq(send_ex(HV_VP_SET_SPARSE, 0, banks, 0), HV_STATUS_SUCCESS);
	/* A bank too few, a bank too many, no such format. */
	ck_assert_uint_eq(send_ex(HV_VP_SET_SPARSE, 3, banks, 1),
			  HV_STATUS_INVALID_HYPERCALL_INPUT);
	ck_assert_uint_eq(send_ex(HV_VP_SET_SPARSE, 1, banks, 2),
			  HV_STATUS_INVALID_HYPERCALL_INPUT);
	ck_assert_uint_eq(send_ex(2, 1, banks, 1), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(kvm_fake.msi_count, from);
}
END_TEST

/* In registers: the set's mask in the low half of XMM0, its bank in the high one. */
START_TEST(send_ipi_ex_fast)
{
	uint64_t xmm0[2] = {1, 0x6};

	memcpy(kvm_fake.cpus[0].fpu.xmm, xmm0, sizeof(xmm0));
	ck_assert_uint_eq(fast(HV_CALL_SEND_IPI_EX | 1u << 17, 0x77, HV_VP_SET_SPARSE),
			  HV_STATUS_SUCCESS);
	ck_assert_uint_eq(interrupted(0, 0x77), 0x6);
}
END_TEST

static uint64_t vp_index(uint64_t partition, uint8_t vtl, const uint32_t *ids, size_t count)
{
	const struct hv_input_get_vp_index in = {.partition_id = partition, .target_vtl = vtl};

	ck_assert_int_eq(mem_fill(fake.mem, OUT, 0xee, 64), 0);
	put(IN, &in, sizeof(in));
	put(IN + sizeof(in), ids, count * 4);
	return hv_fake_call(&fake, 0, HV_CALL_GET_VP_INDEX | reps(count), IN, OUT);
}

START_TEST(get_vp_index)
{
	static const uint32_t ids[] = {3, 0, 2, HV_FAKE_VPS, 1};
	uint32_t out[5];

	ck_assert_uint_eq(vp_index(HV_PARTITION_ID_SELF, 0, ids, 3), reps(3));
	ck_assert_int_eq(mem_read(fake.mem, OUT, out, sizeof(out)), 0);
	ck_assert_mem_eq(out, ids, 12);
	ck_assert_uint_eq(out[3], 0xeeeeeeee);
	/* Up to the one that does not exist. */
	ck_assert_uint_eq(vp_index(HV_PARTITION_ID_SELF, 0, ids, 5),
			  HV_STATUS_INVALID_PARAMETER | reps(3));
	ck_assert_int_eq(mem_read(fake.mem, OUT, out, sizeof(out)), 0);
	ck_assert_mem_eq(out, ids, 12);
	ck_assert_uint_eq(out[3], 0xeeeeeeee);
	ck_assert_uint_eq(vp_index(1, 0, ids, 3), HV_STATUS_INVALID_PARTITION_ID);
	ck_assert_uint_eq(vp_index(HV_PARTITION_ID_SELF, 1, ids, 3), HV_STATUS_INVALID_PARAMETER);
}
END_TEST

/* --- Extended calls (TLFS 3.14). ------------------------------------------------------------- */

START_TEST(capabilities)
{
	uint64_t bits = 0;

	ck_assert_uint_eq(hv_fake_call(&fake, 0, HV_CALL_EXT_CAPABILITIES, 1, OUT), 0);
	ck_assert_int_eq(mem_read(fake.mem, OUT, &bits, 8), 0);
	/* Bit 1 is MemoryHeatHint's (0x8003); Linux asks for bit 8, "cold discard hint". */
	ck_assert_uint_eq(bits, 1u << 1 | 1u << 8);
}
END_TEST

static uint64_t heat(uint64_t type, const uint64_t *ranges, size_t count)
{
	put(IN, &type, 8);
	put(IN + 8, ranges, count * 8);
	return hv_fake_call(&fake, 0, HV_CALL_EXT_MEMORY_HEAT | reps(count), IN, OUT);
}

static bool is_filled(uint64_t gpa, uint8_t value, size_t len)
{
	uint8_t byte;

	for (size_t i = 0; i < len; i += 512) {
		ck_assert_int_eq(mem_read(fake.mem, gpa + i, &byte, 1), 0);
		if (byte != value)
			return false;
	}
	return true;
}

START_TEST(memory_heat)
{
	static const uint64_t pages[] = {0x20 << 12 | 0, 0x30 << 12 | 15};
	static const uint64_t beyond[] = {0x20 << 12, (HV_FAKE_RAM >> 12) << 12, 0x21 << 12};
	static const uint64_t edge[] = {((HV_FAKE_RAM >> 12) - 1) << 12 | 1};
	static const uint64_t huge[] = {HV_RANGE_LARGE};
	static const uint64_t end[] = {UINT64_MAX, UINT64_MAX & ~HV_RANGE_LARGE};

	ck_assert_int_eq(mem_fill(fake.mem, 0x20000, 0x11, 0x60000), 0);
	ck_assert_uint_eq(heat(HV_HEAT_COLD_DISCARD, pages, 2), reps(2));
	ck_assert(is_filled(0x20000, 0, 0x1000));
	ck_assert(is_filled(0x21000, 0x11, 0xf000));
	ck_assert(is_filled(0x30000, 0, 0x10000));
	ck_assert(is_filled(0x40000, 0x11, 0x40000));
	ck_assert_uint_eq(heat(HV_HEAT_COLD_DISCARD, beyond, 3),
			  HV_STATUS_INVALID_PARAMETER | reps(1));
	ck_assert(is_filled(0x21000, 0x11, 0x1000));
	/* Not a byte of a range that is not all RAM. */
	ck_assert_int_eq(mem_fill(fake.mem, HV_FAKE_RAM - 0x1000, 0x11, 0x1000), 0);
	ck_assert_uint_eq(heat(HV_HEAT_COLD_DISCARD, edge, 1), HV_STATUS_INVALID_PARAMETER);
	ck_assert(is_filled(HV_FAKE_RAM - 0x1000, 0x11, 0x1000));
	ck_assert_uint_eq(heat(HV_HEAT_COLD_DISCARD, huge, 1), HV_STATUS_INVALID_PARAMETER);
	for (size_t i = 0; i < ARRAY_SIZE(end); i++)
		ck_assert_uint_eq(heat(HV_HEAT_COLD_DISCARD, end + i, 1),
				  HV_STATUS_INVALID_PARAMETER);
	/* Other kinds of heat, reserved bits. */
	for (uint64_t type = 0; type < 16; type++)
		if (type != HV_HEAT_COLD_DISCARD)
			ck_assert_uint_eq(heat(type, pages, 2), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(heat(HV_HEAT_COLD_DISCARD | 1ull << 63, pages, 2),
			  HV_STATUS_INVALID_PARAMETER);
}
END_TEST

/* --- All of them. ---------------------------------------------------------------------------- */

/* A call that is not announced is denied, and one that is, is not. */
START_TEST(privileges)
{
	for (unsigned int f = 0; f < HV_FEATURE_COUNT; f++) {
		teardown();
		hv_fake_create(&fake, HV_FEATURE_BIT(f));
		for (size_t i = 0; i < hv_call_count; i++) {
			const struct hypercall_row *row = &hv_call_table[i];
			uint64_t status = hv_fake_call(&fake, 0, row->code | 1ull << 63, IN, OUT);

			/* No privilege is named for this one. */
			ck_assert_int_eq(!row->features, row->code == HV_CALL_GET_VP_INDEX);
			ck_assert_uint_eq(status,
					  !row->features || (row->features & fake.hv->features)
						  ? HV_STATUS_INVALID_HYPERCALL_INPUT
						  : HV_STATUS_ACCESS_DENIED);
		}
	}
}
END_TEST

START_TEST(counted)
{
	struct hv_vp_counters *counters = &fake.hv->vps[2].counters;

	hv_fake_call(&fake, 2, HV_CALL_LONG_SPIN_WAIT | FAST, 1, 0);
	hv_fake_call(&fake, 2, HV_CALL_SIGNAL_EVENT | FAST, 1, 0);
	hv_fake_call(&fake, 2, HV_CALL_SIGNAL_EVENT | FAST, 1, 0);
	hv_fake_call(&fake, 2, 0xffff, 0, 0);
	ck_assert_uint_eq(counter_get(&counters->hypercalls[HYPERCALL_LONG_SPIN_WAIT]), 1);
	ck_assert_uint_eq(counter_get(&counters->hypercalls[HYPERCALL_SYNTHETIC_INTERRUPT]), 2);
	ck_assert_uint_eq(counter_get(&counters->hypercalls[HYPERCALL_OTHER]), 1);
	ck_assert_uint_gt(counter_get(&counters->hypercall_ticks[HYPERCALL_OTHER]), 0);
}
END_TEST

/* Sizes, for the dispatcher: elements on 8-byte boundaries, a page at most (TLFS 3.1). */
START_TEST(table)
{
	for (size_t i = 0; i < hv_call_count; i++) {
		const struct hypercall_row *row = &hv_call_table[i];

		ck_assert_uint_eq(row->input % 8, 0);
		ck_assert_uint_eq(row->output % 8, 0);
		ck_assert_uint_le(row->input, PAGE_SIZE);
		ck_assert_int_eq(row->rep, row->rep_input || row->rep_output);
		ck_assert_int_lt(row->class, HYPERCALL_CLASSES);
		ck_assert_ptr_nonnull(row->handler);
		ck_assert_ptr_nonnull(row->name);
		for (size_t k = 0; k < i; k++)
			ck_assert_uint_ne(row->code, hv_call_table[k].code);
	}
	for (size_t i = 0; i < HYPERCALL_CLASSES; i++)
		ck_assert_ptr_nonnull(hypercall_class_names[i]);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		post_message, post_message_refused, events,           long_spin_wait,
		send_ipi,     send_ipi_ex,          send_ipi_ex_fast, get_vp_index,
		capabilities, memory_heat,          privileges,       counted,
		table,
	};

	return hv_run_tests("hv_calls", setup, teardown, tests, ARRAY_SIZE(tests));
}
