// SPDX-License-Identifier: MIT
/*
 * Limits: how much passes at once and how long the rest takes. Upper bounds on time are generous:
 * the machine may be busy.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "devices/net/net_limits.h"
#include "devices/net/net_peer.h"
#include "net_run.h"

#define LEN 1000u

static struct run_nic nic;
static struct net_peer peer;
static int other;
static struct run_tx txs[64];
static uint8_t data[64][LEN];

static void peer_gone(struct net_peer *p)
{
}

static void peer_destroy(struct net_peer *p)
{
	net_peer_finish(p);
}

static const struct net_peer_ops peer_ops = {.gone = peer_gone, .destroy = peer_destroy};

static void setup(void)
{
	struct net_backend *limits;
	int fds[2];

	run_setup();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	memset(&peer, 0, sizeof(peer));
	net_peer_init(&peer, &peer_ops, 1500);
	net_peer_connected(&peer, fds[0]);
	other = fds[1];
	ck_assert_int_eq(net_limits_create(&peer.backend, &err, &limits), 0);
	run_start(&nic, limits);
}

static void teardown(void)
{
	run_stop(&nic);
	net_backend_destroy(nic.backend);
	close(other);
	run_teardown();
}

static void send_frames(unsigned int count)
{
	run_sent = 0;
	for (unsigned int i = 0; i < count; i++) {
		run_fill(data[i], LEN, i);
		run_send(&nic, &txs[i], data[i], LEN, NULL);
	}
}

static unsigned int wanted;

static bool all_sent(void)
{
	return run_sent == wanted;
}

static void check_order(unsigned int count)
{
	uint8_t buffer[12 + LEN];
	uint32_t number;

	for (unsigned int i = 0; i < count; i++) {
		ck_assert_int_eq(read(other, buffer, sizeof(buffer)), sizeof(buffer));
		memcpy(&number, buffer + 12 + 14, sizeof(number));
		ck_assert_uint_eq(number, i);
	}
	ck_assert_int_eq(read(other, buffer, sizeof(buffer)), -1);
}

START_TEST(no_limit)
{
	wanted = 50;
	send_frames(wanted);
	run_until(all_sent);
	check_order(wanted);
}
END_TEST

/* 5 at once, and 5 ms for each of the 20 others. */
START_TEST(packets_sent)
{
	const struct net_limits limits = {.tx = {.packets = 200, .burst_packets = 5}};
	uint64_t start = loop_now();

	net_limits_set(nic.backend, &limits);
	wanted = 25;
	send_frames(wanted);
	run_until(all_sent);
	ck_assert_uint_ge(loop_now() - start, 95 * NSEC_PER_MSEC);
	ck_assert_uint_le(loop_now() - start, 5 * NSEC_PER_SEC);
	check_order(wanted);
}
END_TEST

/* A frame may pass that is larger than the bucket; the next one pays for it: 10 ms each. */
START_TEST(bytes_sent)
{
	const struct net_limits limits = {.tx = {.bytes = 100 * LEN, .burst_bytes = 1}};
	uint64_t start = loop_now();

	net_limits_set(nic.backend, &limits);
	wanted = 11;
	send_frames(wanted);
	run_until(all_sent);
	ck_assert_uint_ge(loop_now() - start, 95 * NSEC_PER_MSEC);
	check_order(wanted);
}
END_TEST

static bool all_come(void)
{
	return nic.count == wanted;
}

START_TEST(received)
{
	const struct net_limits limits = {.rx = {.packets = 200, .burst_packets = 1}};
	uint8_t message[12 + 100] = {0};
	uint64_t start = loop_now();

	net_limits_set(nic.backend, &limits);
	wanted = 20;
	for (unsigned int i = 0; i < wanted; i++)
		ck_assert_int_eq(write(other, message, sizeof(message)), sizeof(message));
	run_until(all_come);
	ck_assert_uint_ge(loop_now() - start, 90 * NSEC_PER_MSEC);
	ck_assert_uint_eq(counter_get(&net_backend_counters(nic.backend, 0)->rx_frames), wanted);
}
END_TEST

/* What waits does not hold up the end; and limits can be taken away while it waits. */
START_TEST(changed_and_stopped)
{
	const struct net_limits slow = {.tx = {.packets = 1, .burst_packets = 1}}, none = {0};

	net_limits_set(nic.backend, &slow);
	send_frames(10);
	run_some_passes();
	ck_assert_uint_lt(run_sent, 10);
	run_stop(&nic);
	ck_assert_uint_eq(run_sent, 10);
	ck_assert_int_eq(txs[9].result, -ECANCELED);
	net_limits_set(nic.backend, &none);
	run_start(&nic, nic.backend);
	wanted = 10;
	send_frames(wanted);
	run_until(all_sent);
	ck_assert_int_eq(txs[9].result, 0);
}
END_TEST

/* Numbers at the end of their range. */
START_TEST(extremes)
{
	const struct net_limits limits = {
		.tx = {.bytes = UINT64_MAX, .packets = UINT64_MAX, .burst_bytes = UINT64_MAX}};

	net_limits_set(nic.backend, &limits);
	wanted = 50;
	send_frames(wanted);
	run_until(all_sent);
}
END_TEST

RUN_SUITE("net_limits", no_limit, packets_sent, bytes_sent, received, changed_and_stopped, extremes)
