// SPDX-License-Identifier: MIT
/*
 * A loop and NIC backends on it, driven by the test: what arrives is kept, waits are bounded. For
 * one test program each; libcheck forks its cases.
 */
#pragma once

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/net/net_backend.h"

#define RUN_LIMIT_NS (20 * NSEC_PER_SEC)
#define RUN_FRAMES   512

static struct loop *run_loop;
static struct error err;

/* --- The loop, until something is true. ------------------------------------------------------ */

static bool (*run_condition)(void);
static uint64_t run_deadline;
static bool run_came_true; /* a condition is not asked again: it may take what it waits for */

static inline void run_tick(struct loop_timer *timer)
{
	run_came_true = run_condition();
	if (run_came_true || loop_now() >= run_deadline)
		loop_stop(run_loop);
	else
		loop_timer_set(run_loop, timer, loop_now() + NSEC_PER_MSEC / 4);
}

static inline void run_until(bool (*condition)(void))
{
	struct loop_timer timer = {.fired = run_tick};

	run_condition = condition;
	run_deadline = loop_now() + RUN_LIMIT_NS;
	loop_timer_set(run_loop, &timer, loop_now());
	ck_assert_int_eq(loop_run(run_loop), 0);
	ck_assert_msg(run_came_true, "it never came true");
}

static unsigned int run_passes_left;

static inline bool run_no_passes_left(void)
{
	if (run_passes_left)
		run_passes_left--;
	return run_passes_left == 0;
}

static inline void run_some_passes(void)
{
	run_passes_left = 8;
	run_until(run_no_passes_left);
}

static inline void run_setup(void)
{
	ck_assert_int_eq(loop_create(0, &err, &run_loop), 0);
	/* From now on it submits, also what is queued between its runs. */
	run_some_passes();
}

static inline void run_teardown(void)
{
	loop_destroy(run_loop);
}

/* --- A queue of a backend, whose frames are taken as they come. ------------------------------- */

struct run_frame {
	struct virtio_net_hdr_v1 header;
	int64_t len; /* or what net_queue_receive() said */
	uint8_t *data;
};

struct run_nic {
	struct net_backend *backend;
	struct net_queue *queue;
	size_t room; /* of the buffer that frames are taken into */
	bool lazy;   /* takes nothing */
	unsigned int readable, count;
	struct run_frame frames[RUN_FRAMES];
	bool stopped;
};

static inline void run_take(struct run_nic *nic)
{
	while (!nic->lazy && nic->count < RUN_FRAMES) {
		struct run_frame *frame = &nic->frames[nic->count];
		uint8_t *buffer = malloc(nic->room);
		/* In two pieces, as guests' memory is. */
		const struct iovec iov[] = {{buffer, nic->room / 2},
					    {buffer + nic->room / 2, nic->room - nic->room / 2}};

		frame->len = net_queue_receive(nic->queue, &frame->header, iov, ARRAY_SIZE(iov));
		frame->data = buffer;
		if (frame->len == -EAGAIN) {
			free(buffer);
			return;
		}
		nic->count++;
	}
}

static inline void run_readable(void *ctx, struct net_queue *queue)
{
	struct run_nic *nic = ctx;

	nic->readable++;
	run_take(nic);
}

static const struct net_queue_ops run_queue_ops = {.readable = run_readable};

static inline void run_start(struct run_nic *nic, struct net_backend *backend)
{
	nic->backend = backend;
	nic->room = nic->room ? nic->room : NET_FRAME_MAX;
	nic->stopped = false;
	ck_assert_msg(
		net_queue_start(backend, 0, run_loop, &run_queue_ops, nic, &err, &nic->queue) == 0,
		"%s", err.text);
}

static inline void run_on_stopped(void *ctx)
{
	((struct run_nic *)ctx)->stopped = true;
}

static struct run_nic *run_stopping;

static inline bool run_is_stopped(void)
{
	return run_stopping->stopped;
}

static inline void run_stop(struct run_nic *nic)
{
	run_stopping = nic;
	net_queue_stop(nic->queue, run_on_stopped, nic);
	ck_assert(!nic->stopped); /* never from inside */
	run_until(run_is_stopped);
}

static inline void run_forget(struct run_nic *nic)
{
	for (unsigned int i = 0; i < nic->count; i++)
		free(nic->frames[i].data);
	nic->count = 0;
}

/* --- Frames to send. -------------------------------------------------------------------------- */

struct run_tx {
	struct net_tx tx;
	struct iovec iov[2];
	bool done;
	int result;
};

static unsigned int run_sent; /* that are done */

static inline void run_tx_done(struct net_tx *tx, int result)
{
	struct run_tx *run = container_of(tx, struct run_tx, tx);

	ck_assert(!run->done);
	run->done = true;
	run->result = result;
	run_sent++;
}

/* @data stays the caller's until it is done. In two pieces. */
static inline void run_send(struct run_nic *nic, struct run_tx *run, void *data, uint32_t len,
			    const struct virtio_net_hdr_v1 *header)
{
	const uint32_t first = len / 3;

	*run = (struct run_tx){
		.tx = {.iov = run->iov, .iov_count = 2, .len = len, .done = run_tx_done},
		.iov = {{data, first}, {(uint8_t *)data + first, len - first}},
	};
	if (header)
		run->tx.header = *header;
	net_queue_send(nic->queue, &run->tx);
}

/* A frame of no known kind, which says its number. */
static inline void run_fill(uint8_t *frame, uint32_t len, uint32_t number)
{
	memset(frame, 0x5a, len);
	memset(frame, 0xff, 6);
	memset(frame + 6, 2, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	memcpy(frame + 14, &number, sizeof(number));
}

static inline uint32_t run_number(const struct run_frame *frame)
{
	uint32_t number;

	memcpy(&number, frame->data + 14, sizeof(number));
	return number;
}

#define RUN_SUITE(name, ...)                                                                       \
	int main(void)                                                                             \
	{                                                                                          \
		const TTest *const tests[] = {__VA_ARGS__};                                        \
		Suite *suite = suite_create(name);                                                 \
		TCase *tcase = tcase_create("all");                                                \
		SRunner *runner;                                                                   \
		int failed;                                                                        \
                                                                                                   \
		tcase_add_checked_fixture(tcase, setup, teardown);                                 \
		for (size_t i = 0; i < ARRAY_SIZE(tests); i++)                                     \
			tcase_add_test(tcase, tests[i]);                                           \
		suite_add_tcase(suite, tcase);                                                     \
		runner = srunner_create(suite);                                                    \
		srunner_run_all(runner, CK_NORMAL);                                                \
		failed = srunner_ntests_failed(runner);                                            \
		srunner_free(runner);                                                              \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                       \
	}
