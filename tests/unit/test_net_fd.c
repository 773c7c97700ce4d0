// SPDX-License-Identifier: MIT
/*
 * Frames over a descriptor: one call a pass, order, a full other end, frames that are too long, and
 * what happens when it goes.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "devices/net/net_fd.h"
#include "net_run.h"

#define LEN 1000u

static struct net_fd nfd;
static struct net_counters counters;
static int fds[2];
static unsigned int readable, gone;
static bool closed;

static void on_readable(struct net_fd *n)
{
	readable++;
}

static void on_gone(struct net_fd *n)
{
	gone++;
}

static const struct net_fd_ops fd_ops = {.readable = on_readable, .gone = on_gone};

static void setup(void)
{
	run_setup();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	ck_assert_int_eq(net_fd_init(&nfd, run_loop, &fd_ops, &counters), 0);
	ck_assert_int_eq(net_fd_open(&nfd, fds[0]), 0);
}

static void on_closed(struct net_fd *n)
{
	closed = true;
}

static bool is_closed(void)
{
	return closed;
}

static void close_it(void)
{
	closed = false;
	net_fd_close(&nfd, on_closed);
	ck_assert(!closed);
	run_until(is_closed);
}

static void teardown(void)
{
	if (nfd.fd >= 0)
		close_it();
	net_fd_finish(&nfd);
	close(fds[0]);
	close(fds[1]);
	run_teardown();
}

static struct run_tx txs[2048];
static uint8_t data[2048][LEN];

static void send_numbers(unsigned int from, unsigned int count, uint32_t len)
{
	for (unsigned int i = from; i < from + count; i++) {
		run_fill(data[i], len, i);
		txs[i] = (struct run_tx){
			.tx = {.iov = txs[i].iov, .iov_count = 1, .len = len, .done = run_tx_done},
			.iov = {{data[i], len}},
		};
		net_fd_send(&nfd, &txs[i].tx);
	}
}

static unsigned int wanted;

static bool all_done(void)
{
	return run_sent >= wanted;
}

/* The number of the next frame at the other end; -1: there is none. */
static int64_t take(uint32_t len)
{
	uint8_t buffer[sizeof(struct virtio_net_hdr_v1) + LEN + 1];
	uint32_t number;
	ssize_t n = read(fds[1], buffer, sizeof(buffer));

	if (n < 0)
		return -1;
	ck_assert_int_eq(n, sizeof(struct virtio_net_hdr_v1) + len);
	memcpy(&number, buffer + sizeof(struct virtio_net_hdr_v1) + 14, sizeof(number));
	return number;
}

START_TEST(a_pass_is_one_call)
{
	send_numbers(0, 20, LEN);
	wanted = 20;
	run_until(all_done);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(txs[i].result, 0);
		ck_assert_int_eq(take(LEN), i);
	}
	ck_assert_uint_eq(counter_get(&counters.calls), 1);
	ck_assert_uint_eq(counter_get(&counters.tx_frames), 20);
	ck_assert_uint_eq(counter_get(&counters.tx_bytes), 20 * LEN);
}
END_TEST

static unsigned int taken;

static bool take_all(void)
{
	int64_t number;

	while ((number = take(LEN)) >= 0) {
		ck_assert_int_eq(number, taken);
		taken++;
	}
	return taken == wanted && run_sent == wanted;
}

/* More than the other end has room for at once: all arrive, and in their order. */
START_TEST(waits_for_room)
{
	wanted = 1500;
	send_numbers(0, wanted, LEN);
	run_until(take_all);
	ck_assert_uint_eq(counter_get(&counters.tx_frames), wanted);
	ck_assert_uint_eq(counter_get(&counters.tx_lost), 0);
}
END_TEST

/* Nobody reads: memory comes back in bounded time, and it works again once somebody does. */
START_TEST(loses_patience)
{
	unsigned int lost, i;

	wanted = 1500;
	send_numbers(0, wanted, LEN);
	run_until(all_done);
	lost = (unsigned int)counter_get(&counters.tx_lost);
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_lt(lost, wanted);
	send_numbers(wanted, 1, LEN);
	ck_assert_int_eq(txs[wanted].result, -ENOBUFS);
	for (i = 0; take(LEN) >= 0; i++)
		continue;
	ck_assert_uint_eq(i, wanted - lost);
	run_some_passes();
	run_sent = 0;
	send_numbers(wanted + 1, 1, LEN);
	wanted = 1;
	run_until(all_done);
	ck_assert_int_eq(take(LEN), 1501);
}
END_TEST

/* As many pieces as there may be, and one more. */
START_TEST(many_pieces)
{
	static struct iovec iov[NET_FD_IOV_MAX + 1];
	static uint8_t bytes[NET_FD_IOV_MAX + 1];
	struct run_tx tx = {.tx = {.iov = iov, .done = run_tx_done}};

	for (unsigned int i = 0; i < ARRAY_SIZE(iov); i++)
		iov[i] = (struct iovec){&bytes[i], 1};
	tx.tx.iov_count = tx.tx.len = NET_FD_IOV_MAX;
	net_fd_send(&nfd, &tx.tx);
	wanted = 1;
	run_until(all_done);
	ck_assert_int_eq(tx.result, 0);
	tx.done = false;
	tx.tx.iov_count = tx.tx.len = NET_FD_IOV_MAX + 1;
	net_fd_send(&nfd, &tx.tx);
	ck_assert_int_eq(tx.result, -EINVAL);
}
END_TEST

static bool has_come(void)
{
	return readable > 0;
}

static int64_t receive(uint8_t *buffer, size_t len)
{
	struct virtio_net_hdr_v1 header;
	const struct iovec iov = {buffer, len};

	return net_fd_receive(&nfd, &header, &iov, 1);
}

static void give(const void *buffer, size_t len)
{
	ck_assert_int_eq(write(fds[1], buffer, len), len);
}

START_TEST(receives)
{
	uint8_t message[12 + 100] = {0}, buffer[100];

	ck_assert_int_eq(receive(buffer, 100), -EAGAIN);
	give(message, sizeof(message));
	give(message, 60);
	give(message, 11);
	run_until(has_come);
	ck_assert_int_eq(receive(buffer, 100), 100);
	ck_assert_int_eq(receive(buffer, 100), 48);
	ck_assert_int_eq(receive(buffer, 100), -EPROTO); /* not even a header */
	ck_assert_int_eq(receive(buffer, 100), -EAGAIN);
	give(message, sizeof(message));
	give(message, sizeof(message));
	ck_assert_int_eq(receive(buffer, 99), -EMSGSIZE);
	ck_assert_int_eq(receive(buffer, 100), 100);
	ck_assert_uint_eq(counter_get(&counters.rx_lost), 2);
	ck_assert_uint_eq(counter_get(&counters.rx_frames), 3);
}
END_TEST

static bool is_gone(void)
{
	return gone > 0;
}

static bool try_to_receive(void)
{
	uint8_t buffer[100];

	ck_assert_int_eq(receive(buffer, sizeof(buffer)), -EAGAIN);
	return is_gone();
}

START_TEST(the_other_goes)
{
	close(fds[1]);
	run_until(try_to_receive);
	ck_assert_uint_eq(gone, 1);
	close_it();
	send_numbers(0, 1, LEN);
	ck_assert_int_eq(txs[0].result, -ENETDOWN);
	fds[1] = -1;
}
END_TEST

/* What waits is over when it is closed, and what has come for another is not given out. */
START_TEST(closes_and_opens)
{
	uint8_t message[100] = {0}, buffer[100];

	send_numbers(0, 1500, LEN);
	closed = false;
	net_fd_close(&nfd, on_closed);
	run_until(is_closed);
	ck_assert_uint_eq(run_sent, 1500);
	give(message, sizeof(message));
	ck_assert_int_eq(net_fd_open(&nfd, fds[0]), 0);
	ck_assert_int_eq(receive(buffer, sizeof(buffer)), -EAGAIN);
	give(message, sizeof(message));
	ck_assert_int_eq(receive(buffer, sizeof(buffer)), 88);
}
END_TEST

RUN_SUITE("net_fd", a_pass_is_one_call, waits_for_room, loses_patience, many_pieces, receives,
	  the_other_goes, closes_and_opens)
