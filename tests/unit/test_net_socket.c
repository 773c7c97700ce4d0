// SPDX-License-Identifier: MIT
/*
 * A cable between two VMs: who comes first, who goes, who is a third; what passes, and what a peer
 * may send.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/net/net_socket.h"
#include "net_run.h"

static char dir[] = "/tmp/test_net_socket.XXXXXX";
static char path[64];
static struct run_nic a, b;

static void setup(void)
{
	run_setup();
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/cable", dir);
}

static void teardown(void)
{
	struct stat st;

	run_teardown();
	/* Nothing is left behind. */
	ck_assert_int_ne(lstat(path, &st), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void open_nic(struct run_nic *nic)
{
	struct net_backend *backend;

	ck_assert_msg(net_socket_create(path, &err, &backend) == 0, "%s", err.text);
	run_start(nic, backend);
}

static void close_nic(struct run_nic *nic)
{
	run_stop(nic);
	run_forget(nic);
	net_backend_destroy(nic->backend);
	nic->backend = NULL;
}

static bool both_up(void)
{
	return net_backend_link(a.backend) && net_backend_link(b.backend);
}

static bool a_down(void)
{
	return !net_backend_link(a.backend);
}

static struct run_tx tx;
static uint8_t data[NET_FRAME_MAX];
static unsigned int wanted;

static bool b_has(void)
{
	return b.count >= wanted;
}

static void exchange(struct run_nic *from, uint32_t len)
{
	run_fill(data, len, len);
	run_send(from, &tx, data, len, NULL);
}

START_TEST(either_comes_first)
{
	open_nic(&a);
	ck_assert(!net_backend_link(a.backend));
	exchange(&a, 100);
	ck_assert_int_eq(tx.result, -ENETDOWN);
	open_nic(&b);
	run_until(both_up);
	ck_assert_uint_gt(a.readable, 0); /* it was told */
	wanted = 2;
	exchange(&a, 60);
	run_some_passes();
	exchange(&a, NET_FRAME_MAX);
	run_until(b_has);
	ck_assert_int_eq(b.frames[0].len, 60);
	ck_assert_int_eq(b.frames[1].len, NET_FRAME_MAX);
	ck_assert_int_eq(memcmp(b.frames[1].data, data, NET_FRAME_MAX), 0);
	close_nic(&a);
	close_nic(&b);
}
END_TEST

/* The one that made the socket goes; the other makes it then, and a new one finds it. */
START_TEST(comes_back)
{
	struct run_nic first = {0};

	open_nic(&first);
	open_nic(&a);
	b = first;
	run_until(both_up);
	b = (struct run_nic){0};
	close_nic(&first);
	run_until(a_down);
	open_nic(&b);
	run_until(both_up);
	wanted = 1;
	exchange(&a, 99);
	run_until(b_has);
	/* The guest of one starts again: the cable stays. */
	run_stop(&a);
	run_start(&a, a.backend);
	ck_assert(both_up());
	wanted = 2;
	exchange(&a, 98);
	run_until(b_has);
	close_nic(&b);
	close_nic(&a);
}
END_TEST

static struct run_nic c;

static bool c_up(void)
{
	return net_backend_link(c.backend);
}

START_TEST(a_third_waits)
{
	open_nic(&a);
	open_nic(&b);
	run_until(both_up);
	open_nic(&c);
	run_some_passes();
	ck_assert(both_up());
	close_nic(&b);
	run_until(c_up);
	close_nic(&c);
	close_nic(&a);
}
END_TEST

START_TEST(what_is_in_the_way)
{
	struct net_backend *backend;
	char text[200];
	int fd;

	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_eq(net_socket_create(path, &err, &backend), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, "not a socket"));
	close(fd);
	unlink(path);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(net_socket_create(text, &err, &backend), -ENAMETOOLONG);
	ck_assert_int_eq(net_socket_create("/none/such", &err, &backend), -ENOENT);
	/* What was left behind by one that was killed is no obstacle. */
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	{
		struct sockaddr_un addr = {.sun_family = AF_UNIX};

		memcpy(addr.sun_path, path, strlen(path) + 1);
		ck_assert_int_eq(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	}
	close(fd);
	open_nic(&a);
	close_nic(&a);
}
END_TEST

/* --- A peer that is no candela. -------------------------------------------------------------- */

static int hostile;

static bool a_up(void)
{
	return net_backend_link(a.backend);
}

static void connect_hostile(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	open_nic(&a);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	hostile = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	ck_assert_int_eq(connect(hostile, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	run_until(a_up);
}

static void attack(const void *message, size_t len)
{
	ck_assert_int_eq(write(hostile, message, len), len);
}

static bool a_has(void)
{
	return a.count >= wanted;
}

static uint32_t build_tcp(uint8_t *message, uint32_t payload)
{
	struct virtio_net_hdr_v1 *header = (struct virtio_net_hdr_v1 *)message;
	uint8_t *frame = message + sizeof(*header);

	memset(message, 0, sizeof(*header) + 54);
	header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header->csum_start = 34;
	header->csum_offset = 16;
	header->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	header->gso_size = 1000;
	frame[12] = 8;
	frame[14] = 0x45;
	frame[14 + 9] = IPPROTO_TCP;
	frame[34 + 12] = 0x50;
	return (uint32_t)sizeof(*header) + 54 + payload;
}

START_TEST(what_a_peer_may_send)
{
	static uint8_t message[sizeof(struct virtio_net_hdr_v1) + NET_FRAME_MAX + 10];
	const struct net_offloads all = {true, true, true, true};
	uint32_t len;

	connect_hostile();
	attack(message, 5);
	attack(message, 12);
	attack(message, 12 + 13);
	attack(message, sizeof(message));
	message[0] = 0xff; /* flags */
	attack(message, 100);
	wanted = 5;
	run_until(a_has);
	for (unsigned int i = 0; i < wanted; i++)
		ck_assert_int_lt(a.frames[i].len, 0);
	/* A large one, to a guest that takes none, and to one that does. */
	run_forget(&a);
	len = build_tcp(message, 2500);
	attack(message, len);
	wanted = 3;
	run_until(a_has);
	ck_assert_int_eq(a.frames[0].len, 1054);
	ck_assert_int_eq(a.frames[1].len, 1054);
	ck_assert_int_eq(a.frames[2].len, 554);
	run_forget(&a);
	net_backend_set_offloads(a.backend, &all);
	attack(message, len);
	message[2] = 60; /* hdr_len, which does not matter */
	attack(message, len);
	message[6] = 35; /* csum_start */
	attack(message, len);
	run_until(a_has);
	ck_assert_int_eq(a.frames[0].len, 2554);
	ck_assert_uint_eq(a.frames[1].header.hdr_len, 54);
	ck_assert_int_eq(a.frames[2].len, -EPROTO);
	/* And it is gone, in the middle of all that. */
	attack(message, 100);
	close(hostile);
	run_until(a_down);
	close_nic(&a);
}
END_TEST

RUN_SUITE("net_socket", either_comes_first, comes_back, a_third_waits, what_is_in_the_way,
	  what_a_peer_may_send)
