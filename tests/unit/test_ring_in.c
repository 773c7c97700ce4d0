// SPDX-License-Identifier: MIT
/* Rings from the guest, one thread: packets, wraps, masks, room, and what a hostile one writes. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ring_guest.h"

#define BUF_LEN 8192

/* Each case runs with a double mapping (_i 0) and page by page (1). */
static struct ring_memory mem;
static struct ring_in in;
static struct ring_guest guest;
static uint64_t buf[BUF_LEN / 8];
static uint8_t pattern[BUF_LEN];

static struct hv_ring_buffer *start(uint32_t pages, bool paged, uint32_t index)
{
	ring_guest_memory(&mem, pages, paged);
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 7 + i / 256 + 1);
	mem.control->write_index = mem.control->read_index = index;
	return mem.control;
}

static struct hv_ring_buffer *start_in(uint32_t pages, bool paged)
{
	struct hv_ring_buffer *control = start(pages, paged, 0);

	ring_guest_init_writer(&guest, &mem);
	ck_assert_int_eq(ring_in_init(&in, &mem), 0);
	return control;
}

static void finish(void)
{
	ring_guest_memory_free(&mem);
}

static bool guest_sends(uint32_t payload_len)
{
	bool signal;

	ck_assert(ring_guest_send(&guest, VM_PKT_DATA_INBAND, 1, 77, NULL, 0, pattern, payload_len,
				  &signal));
	return signal;
}

static int next(struct ring_packet *packet)
{
	return ring_in_next(&in, buf, sizeof(buf), packet);
}

static void takes(uint32_t payload_len)
{
	struct ring_packet p;

	ck_assert_int_eq(next(&p), 0);
	ck_assert_uint_eq(p.payload_len, payload_len);
	ck_assert_mem_eq(p.payload, pattern, payload_len);
}

START_TEST(in_fields)
{
	struct ring_packet p;
	uint8_t list[24];
	uint32_t len = 1;
	bool signal;

	start_in(1, _i);
	ck_assert_int_eq(next(&p), -EAGAIN);
	ck_assert_int_eq(ring_in_peek(&in, &len), -EAGAIN);
	ck_assert_uint_eq(len, 1);
	memset(list, 3, sizeof(list));
	ck_assert(ring_guest_send(&guest, VM_PKT_DATA_USING_GPA_DIRECT, 1, 0x123456789abcdef0, list,
				  24, pattern, 40, &signal));
	ck_assert(signal);
	ck_assert_int_eq(ring_in_peek(&in, &len), 0);
	ck_assert_uint_eq(len, 16 + 24 + 40);
	ck_assert_int_eq(next(&p), 0);
	ck_assert_uint_eq(p.type, VM_PKT_DATA_USING_GPA_DIRECT);
	ck_assert(p.wants_completion);
	ck_assert_uint_eq(p.trans_id, 0x123456789abcdef0);
	ck_assert_uint_eq(p.list_len, 24);
	ck_assert_mem_eq(p.list, list, 24);
	ck_assert_uint_eq(p.payload_len, 40);
	ck_assert_mem_eq(p.payload, pattern, 40);
	ck_assert_int_eq(next(&p), -EAGAIN);
	/* Not even a payload. */
	ck_assert(ring_guest_send(&guest, VM_PKT_COMP, 0, 1, NULL, 0, NULL, 0, &signal));
	ck_assert(!signal);
	ck_assert_int_eq(next(&p), 0);
	ck_assert_uint_eq(p.list_len + p.payload_len, 0);
	ck_assert(!p.wants_completion);
	ck_assert_uint_eq(counter_get(&in.counters.packets), 2);
	ck_assert_uint_eq(counter_get(&in.counters.bytes), 80 + 8 + 24);
	finish();
}
END_TEST

START_TEST(in_wraps_everywhere)
{
	start_in(2, _i);
	for (uint32_t at = 0; at < mem.len; at += 8) {
		mem.control->write_index = mem.control->read_index = at;
		ck_assert_int_eq(ring_in_init(&in, &mem), 0);
		guest.index = at;
		for (uint32_t len = 0; len <= 64; len += 8) {
			guest_sends(len);
			takes(len);
		}
		/* And the longest: all but the 8 bytes that are never filled. */
		ck_assert(!ring_in_commit(&in));
		guest_sends(mem.len - 8 - 24);
		takes(mem.len - 8 - 24);
		ck_assert(!ring_in_commit(&in));
		ck_assert_uint_eq(mem.control->read_index, guest.index);
	}
	finish();
}
END_TEST

START_TEST(in_too_long)
{
	struct ring_packet p;

	start_in(1, _i);
	guest_sends(104);
	ck_assert_int_eq(ring_in_next(&in, buf, 112, &p), -EMSGSIZE);
	ck_assert_int_eq(ring_in_next(&in, buf, 0, &p), -EMSGSIZE);
	ck_assert_int_eq(ring_in_next(&in, buf, 120, &p), 0);
	finish();
}
END_TEST

START_TEST(in_mask)
{
	struct hv_ring_buffer *control = start_in(1, _i);

	control->interrupt_mask = 5;
	ck_assert_int_eq(ring_in_init(&in, &mem), 0);
	ck_assert_uint_eq(control->interrupt_mask, 0);
	ck_assert(guest_sends(8));
	ring_in_begin(&in);
	ck_assert_uint_eq(control->interrupt_mask, 1);
	takes(8);
	ck_assert(!ring_in_commit(&in));
	ck_assert(!guest_sends(8));
	/* The packet that came while we were masked is seen. */
	ck_assert(ring_in_end(&in));
	ck_assert_uint_eq(control->interrupt_mask, 1);
	takes(8);
	ck_assert(!ring_in_commit(&in));
	ck_assert(!ring_in_commit(&in));
	ck_assert(!ring_in_end(&in));
	ck_assert_uint_eq(control->interrupt_mask, 0);
	ck_assert(guest_sends(8));
	ck_assert_uint_eq(counter_get(&in.counters.commits), 2);
	ck_assert_uint_eq(counter_get(&in.counters.spurious), 0);
	ring_in_begin(&in);
	takes(8);
	ck_assert(!ring_in_end(&in));
	ring_in_begin(&in);
	ck_assert(!ring_in_end(&in));
	ck_assert_uint_eq(counter_get(&in.counters.spurious), 1);
	ck_assert_uint_eq(counter_get(&in.counters.wakes), 3);
	finish();
}
END_TEST

START_TEST(in_room)
{
	struct hv_ring_buffer *control = start_in(1, _i);
	bool signal;
	uint32_t n = 0;

	while (ring_guest_send(&guest, VM_PKT_DATA_INBAND, 0, 0, NULL, 0, pattern, 1000, &signal))
		n++;
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(control->pending_send_sz, 1024);
	/* 1024 free already, and more than that is wanted: one packet makes it so. */
	takes(1000);
	ck_assert(ring_in_commit(&in));
	takes(1000);
	ck_assert(!ring_in_commit(&in)); /* it was there before */
	/* Reaching the size exactly, then passing it. */
	control->pending_send_sz = 4096;
	takes(1000);
	ck_assert(ring_in_commit(&in));
	/* Nothing for a guest that does not say it waits, or does not do flow control. */
	control->pending_send_sz = 0;
	guest_sends(1000);
	takes(1000);
	ck_assert(!ring_in_commit(&in));
	control->pending_send_sz = 4096;
	control->feature_bits = 0;
	ck_assert(!ring_in_flow_control(&in));
	guest_sends(1000);
	control->pending_send_sz = 4096;
	takes(1000);
	ck_assert(!ring_in_commit(&in));
	/* A size that can never be is no signal, and no harm. */
	control->feature_bits = 1;
	control->pending_send_sz = UINT32_MAX;
	ck_assert(ring_in_flow_control(&in));
	mem.control->write_index = (guest.index + 24) % mem.len;
	ck_assert_int_ne(next(&(struct ring_packet){0}), -EAGAIN);
	ck_assert_uint_eq(counter_get(&in.counters.signals), 2);
	finish();
}
END_TEST

static void expect_corrupt(void)
{
	struct ring_packet p;
	uint32_t len;

	ck_assert_int_eq(next(&p), -EPROTO);
	ck_assert_uint_eq(counter_get(&in.counters.corrupt), 1);
	/* For good, even when the guest mends it. */
	mem.control->write_index = in.read;
	ck_assert_int_eq(next(&p), -EPROTO);
	ck_assert_int_eq(ring_in_peek(&in, &len), -EPROTO);
	ck_assert(!ring_in_commit(&in));
	ck_assert(ring_in_end(&in));
	ck_assert_uint_eq(counter_get(&in.counters.corrupt), 1);
}

START_TEST(in_bad_index)
{
	static const uint32_t bad[] = {4, 7, 4096, 8192, 0x80000000, UINT32_MAX, UINT32_MAX - 7,
				       8, 16};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct hv_ring_buffer *control = start_in(1, _i);

		/* 8 and 16 are fine as such, but no packet is so short. */
		control->write_index = bad[i];
		expect_corrupt();
		control->write_index = bad[i];
		if (bad[i] != 8 && bad[i] != 16)
			ck_assert_int_eq(ring_in_init(&in, &mem), -EPROTO);
		control->write_index = 0;
		control->read_index = bad[i];
		if (bad[i] != 8 && bad[i] != 16)
			ck_assert_int_eq(ring_in_init(&in, &mem), -EPROTO);
		finish();
	}
}
END_TEST

START_TEST(in_index_backwards)
{
	struct hv_ring_buffer *control = start_in(1, _i);
	struct ring_packet p;

	/* Into what we have read but not given back yet. */
	guest_sends(104);
	takes(104);
	control->write_index = 64;
	expect_corrupt();
	finish();

	/* Back over packets that are not read yet, seen when mask is cleared. */
	control = start_in(1, _i);
	guest_sends(104);
	guest_sends(104);
	takes(104);
	control->write_index = 128;
	ck_assert(ring_in_end(&in));
	ck_assert_int_eq(next(&p), -EPROTO);
	finish();

	/* Or when room is given back. */
	control = start_in(1, _i);
	guest_sends(104);
	guest_sends(104);
	takes(104);
	control->write_index = 192;
	control->pending_send_sz = 8;
	ck_assert(!ring_in_commit(&in));
	ck_assert_int_eq(next(&p), -EPROTO);
	finish();
}
END_TEST

START_TEST(in_own_index_ignored)
{
	struct hv_ring_buffer *control = start_in(1, _i);

	guest_sends(104);
	guest_sends(208);
	control->read_index = 3;
	takes(104);
	ck_assert(!ring_in_commit(&in));
	ck_assert_uint_eq(control->read_index, 128);
	control->read_index = UINT32_MAX;
	takes(208);
	ck_assert(!ring_in_commit(&in));
	ck_assert_uint_eq(control->read_index, 128 + 232);
	finish();
}
END_TEST

START_TEST(in_bad_descriptor)
{
	/* Of a packet of 16 + 40 bytes in a ring that holds it and no more. */
	static const struct vmpacket_descriptor bad[] = {
		{.type = 6, .offset8 = 0, .len8 = 7},
		{.type = 6, .offset8 = 1, .len8 = 7},
		{.type = 6, .offset8 = 2, .len8 = 0},
		{.type = 6, .offset8 = 2, .len8 = 1},
		{.type = 6, .offset8 = 8, .len8 = 7},
		{.type = 6, .offset8 = 0xffff, .len8 = 7},
		{.type = 6, .offset8 = 2, .len8 = 8},
		{.type = 6, .offset8 = 2, .len8 = 0xffff},
		{.type = 6, .offset8 = 0xffff, .len8 = 0xffff},
		{.type = 0, .offset8 = 2, .len8 = 7},
		{.type = 8, .offset8 = 2, .len8 = 7},
		{.type = 10, .offset8 = 2, .len8 = 7},
		{.type = 0xffff, .offset8 = 2, .len8 = 7},
		{.type = 7, .offset8 = 2, .len8 = 7},
		{.type = 9, .offset8 = 2, .len8 = 7},
		{.type = 6, .offset8 = 2, .len8 = 7, .flags = 2},
		{.type = 6, .offset8 = 2, .len8 = 7, .flags = 0x8001},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		start_in(1, _i);
		guest_sends(40);
		ring_guest_put(&mem, 0, &bad[i], sizeof(bad[i]));
		expect_corrupt();
		finish();
	}
}
END_TEST

START_TEST(in_double_fetch)
{
	struct vmpacket_descriptor other = {.type = 9, .offset8 = 0xffff, .len8 = 0xffff};
	struct ring_packet p;
	uint32_t len;

	start_in(1, _i);
	guest_sends(40);
	ck_assert_int_eq(ring_in_peek(&in, &len), 0);
	ring_guest_put(&mem, 0, &other, sizeof(other));
	ck_assert_int_eq(ring_in_peek(&in, &len), 0);
	ck_assert_uint_eq(len, 56);
	ck_assert_int_eq(next(&p), 0);
	ck_assert_uint_eq(p.type, VM_PKT_DATA_INBAND);
	ck_assert_uint_eq(p.payload_len, 40);
	/* The copy in the buffer is that of the descriptor that was checked. */
	ck_assert_uint_eq(((struct vmpacket_descriptor *)buf)->len8, 7);
	finish();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ring-in");
	TCase *t = tcase_create("ring-in");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, in_fields, 0, 2);
	tcase_add_loop_test(t, in_wraps_everywhere, 0, 2);
	tcase_add_loop_test(t, in_too_long, 0, 2);
	tcase_add_loop_test(t, in_mask, 0, 2);
	tcase_add_loop_test(t, in_room, 0, 2);
	tcase_add_loop_test(t, in_bad_index, 0, 2);
	tcase_add_loop_test(t, in_index_backwards, 0, 2);
	tcase_add_loop_test(t, in_own_index_ignored, 0, 2);
	tcase_add_loop_test(t, in_bad_descriptor, 0, 2);
	tcase_add_loop_test(t, in_double_fetch, 0, 2);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
