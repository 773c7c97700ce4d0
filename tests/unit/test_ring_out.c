// SPDX-License-Identifier: MIT
/* Rings to the guest, one thread: packets, wraps, signals, reservations, and a hostile guest. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ring_guest.h"

#define BUF_LEN 8192

/* Each case runs with a double mapping (_i 0) and page by page (1). */
static struct ring_memory mem;
static struct ring_out out;
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

static struct hv_ring_buffer *start_out(uint32_t pages, bool paged)
{
	struct hv_ring_buffer *control = start(pages, paged, 0);

	ck_assert_int_eq(ring_out_init(&out, &mem), 0);
	ring_guest_init_reader(&guest, &mem);
	return control;
}

static void finish(void)
{
	ring_guest_memory_free(&mem);
}

static int send(uint32_t payload_len, uint32_t reserved)
{
	struct ring_message message = {.type = VM_PKT_COMP,
				       .trans_id = 99,
				       .payload = pattern,
				       .payload_len = payload_len};

	return ring_out_write(&out, &message, reserved);
}

START_TEST(out_fields)
{
	struct ring_message m = {.type = VM_PKT_DATA_USING_XFER_PAGES,
				 .wants_completion = true,
				 .trans_id = 0xfedcba9876543210,
				 .list = pattern + 1,
				 .list_len = 16,
				 .payload = pattern,
				 .payload_len = 13};
	struct hv_ring_buffer *control = start_out(1, _i);
	const struct vmpacket_descriptor *head = (const void *)buf;

	ck_assert_uint_eq(control->feature_bits & 1, 1);
	memset(control + 1, 0xee, mem.len);
	ck_assert_int_eq(ring_out_write(&out, &m, 0), 0);
	ck_assert_uint_eq(control->write_index, 0);
	ck_assert(ring_out_commit(&out));
	ck_assert(!ring_out_commit(&out));
	ck_assert_uint_eq(control->write_index, ring_out_space(16, 13));
	ck_assert_uint_eq(ring_out_space(16, 13), 56);
	ck_assert_uint_eq(ring_guest_receive(&guest, buf, BUF_LEN), 48);
	ck_assert_uint_eq(head->type, VM_PKT_DATA_USING_XFER_PAGES);
	ck_assert_uint_eq(head->offset8, 4);
	ck_assert_uint_eq(head->flags, 1);
	ck_assert_uint_eq(head->trans_id, 0xfedcba9876543210);
	ck_assert_mem_eq(buf + 2, pattern + 1, 16);
	ck_assert_mem_eq(buf + 4, pattern, 13);
	ck_assert_mem_eq((uint8_t *)(buf + 4) + 13, "\0\0\0", 3);
	finish();
}
END_TEST

START_TEST(out_wraps_everywhere)
{
	start_out(2, _i);
	for (uint32_t at = 0; at < mem.len; at += 8) {
		mem.control->write_index = mem.control->read_index = at;
		ck_assert_int_eq(ring_out_init(&out, &mem), 0);
		guest.index = at;
		for (uint32_t len = 0; len <= 64; len += 8) {
			ck_assert_int_eq(send(len, 0), 0);
			ck_assert(ring_out_commit(&out));
			ck_assert_uint_eq(ring_guest_receive(&guest, buf, BUF_LEN), len + 16);
			ck_assert_mem_eq(buf + 2, pattern, len);
			ring_guest_commit(&guest);
		}
		ck_assert_int_eq(send(mem.len - 8 - 24, 0), 0);
		ck_assert(ring_out_commit(&out));
		ck_assert_uint_eq(ring_guest_receive(&guest, buf, BUF_LEN), mem.len - 16);
		ck_assert_mem_eq(buf + 2, pattern, mem.len - 32);
		ring_guest_commit(&guest);
	}
	finish();
}
END_TEST

START_TEST(out_signals)
{
	struct hv_ring_buffer *control = start_out(1, _i);

	/* A batch is one signal; what comes on top of unread packets is none. */
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(send(8, 0), 0);
	ck_assert(ring_out_commit(&out));
	ck_assert_int_eq(send(8, 0), 0);
	ck_assert(!ring_out_commit(&out));
	/* Part read: it reads on. */
	ring_guest_receive(&guest, buf, BUF_LEN);
	ring_guest_commit(&guest);
	ck_assert_int_eq(send(8, 0), 0);
	ck_assert(!ring_out_commit(&out));
	while (ring_guest_receive(&guest, buf, BUF_LEN))
		;
	ring_guest_commit(&guest);
	control->interrupt_mask = 2;
	ck_assert_int_eq(send(8, 0), 0);
	ck_assert(!ring_out_commit(&out));
	control->interrupt_mask = 0;
	ring_guest_receive(&guest, buf, BUF_LEN);
	ring_guest_commit(&guest);
	ck_assert_int_eq(send(8, 0), 0);
	ck_assert(ring_out_commit(&out));
	ck_assert_uint_eq(counter_get(&out.counters.signals), 2);
	ck_assert_uint_eq(counter_get(&out.counters.suppressed), 3);
	ck_assert_uint_eq(counter_get(&out.counters.packets), 9);
	finish();
}
END_TEST

START_TEST(out_full)
{
	struct hv_ring_buffer *control = start_out(1, _i);
	uint32_t n = 0;

	ck_assert_int_eq(ring_out_reserve(&out, 4096), -EMSGSIZE);
	ck_assert_int_eq(ring_out_reserve(&out, UINT32_MAX - 7), -EMSGSIZE);
	ck_assert_int_eq(send(VMPACKET_LEN_MAX, 0), -EMSGSIZE);
	ck_assert_int_eq(send(UINT32_MAX, 0), -EMSGSIZE);
	while (send(104, 0) == 0)
		n++;
	ck_assert_uint_eq(n, 31); /* 31 x 128 and 128 left, which would fill it */
	ck_assert(out.waiting);
	ck_assert_uint_eq(control->pending_send_sz, 4088);
	ck_assert(ring_out_commit(&out));
	ck_assert_int_eq(send(104, 0), -EAGAIN);
	ck_assert_uint_eq(control->pending_send_sz, 1024);
	for (n = 0; n < 7; n++) {
		ck_assert(ring_guest_receive(&guest, buf, BUF_LEN));
		ck_assert(!ring_guest_commit(&guest));
	}
	ck_assert(ring_guest_receive(&guest, buf, BUF_LEN));
	ck_assert(ring_guest_commit(&guest)); /* more than 1024 */
	ck_assert_int_eq(send(104, 0), 0);
	ck_assert_uint_eq(control->pending_send_sz, 0);
	ck_assert(!out.waiting);
	ck_assert_int_eq(send(96, 0), 0);
	ck_assert_uint_eq(counter_get(&out.counters.full), 2);
	finish();
}
END_TEST

START_TEST(out_reserve)
{
	struct hv_ring_buffer *control = start_out(1, _i);
	uint32_t space = ring_out_space(0, 1000);

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(ring_out_reserve(&out, space), 0);
	ck_assert_int_eq(ring_out_reserve(&out, space), -EAGAIN);
	ck_assert_uint_eq(control->pending_send_sz, 4088); /* 4 x 1024 would never be free */
	ck_assert_int_eq(send(1000, 0), -EAGAIN);
	/* What is reserved is there; what is left of it comes back. */
	ck_assert_int_eq(send(1000, space), 0);
	ck_assert_int_eq(send(8, space), 0);
	ck_assert_int_eq(ring_out_reserve(&out, 1024), 0);
	ring_out_unreserve(&out, 1024);
	ring_out_unreserve(&out, space);
	ck_assert_uint_eq(out.reserved, 0);
	ck_assert(ring_out_commit(&out));
	ck_assert_uint_eq(control->write_index, 1024 + 32);
	finish();
}
END_TEST

START_TEST(out_bad_index)
{
	/* With packets from 64 to 192: the guest is in none of these places. */
	static const uint32_t bad[] = {0, 32, 200, 256, 4, 65, 4096, 4088, UINT32_MAX, 0xfffffff8};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct hv_ring_buffer *control = start_out(1, _i);

		for (int n = 0; n < 4; n++)
			ck_assert_int_eq(send(8, 0), 0);
		ck_assert(ring_out_commit(&out));
		control->read_index = 64;
		ck_assert_int_eq(send(8, 0), 0);
		ck_assert(!ring_out_commit(&out));
		ck_assert_uint_eq(out.read, 64);
		ck_assert_uint_eq(control->write_index, 160);
		control->read_index = bad[i];
		ck_assert_int_eq(send(8, 0), 0);
		ck_assert(!ring_out_commit(&out));
		ck_assert_int_eq(send(8, 0), -EPROTO);
		ck_assert_int_eq(ring_out_reserve(&out, 8), -EPROTO);
		control->read_index = 64;
		ck_assert_int_eq(send(8, 0), -EPROTO);
		ck_assert(!ring_out_commit(&out));
		ck_assert_uint_eq(counter_get(&out.counters.corrupt), 1);
		finish();
	}
}
END_TEST

START_TEST(out_bad_start)
{
	static const uint32_t bad[] = {1, 4096, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct hv_ring_buffer *control = start(1, _i, 0);

		control->write_index = bad[i];
		ck_assert_int_eq(ring_out_init(&out, &mem), -EPROTO);
		control->write_index = 0;
		control->read_index = bad[i];
		ck_assert_int_eq(ring_out_init(&out, &mem), -EPROTO);
		finish();
	}
}
END_TEST

START_TEST(out_own_index_ignored)
{
	struct hv_ring_buffer *control = start_out(1, _i);

	ck_assert_int_eq(send(8, 0), 0);
	ck_assert(ring_out_commit(&out));
	control->write_index = UINT32_MAX;
	ck_assert_int_eq(send(8, 0), 0);
	ck_assert(!ring_out_commit(&out));
	ck_assert_uint_eq(control->write_index, 64);
	finish();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ring-out");
	TCase *t = tcase_create("ring-out");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, out_fields, 0, 2);
	tcase_add_loop_test(t, out_wraps_everywhere, 0, 2);
	tcase_add_loop_test(t, out_signals, 0, 2);
	tcase_add_loop_test(t, out_full, 0, 2);
	tcase_add_loop_test(t, out_reserve, 0, 2);
	tcase_add_loop_test(t, out_bad_index, 0, 2);
	tcase_add_loop_test(t, out_bad_start, 0, 2);
	tcase_add_loop_test(t, out_own_index_ignored, 0, 2);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
