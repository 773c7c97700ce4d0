// SPDX-License-Identifier: MIT
/*
 * TAP devices as the kernel has them, in a network namespace of our own: names and descriptors,
 * frames both ways with a packet socket at the other end, headers that pass through, queues, the
 * link. Skips where such a namespace or /dev/net/tun cannot be had.
 */
#include "../unit/net_run.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/net/net_tap.h"

#define NAME "candela0"

static struct run_nic nic, second;
static int packet_fd = -1, control_fd = -1;

static int change_flags(const char *name, short set, short clear)
{
	struct ifreq ifr = {0};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(control_fd, SIOCGIFFLAGS, &ifr) < 0)
		return -1;
	ifr.ifr_flags = (short)((ifr.ifr_flags | set) & ~clear);
	return ioctl(control_fd, SIOCSIFFLAGS, &ifr);
}

static void setup(void)
{
	run_setup();
	control_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memset(&nic, 0, sizeof(nic));
	memset(&second, 0, sizeof(second));
}

static void teardown(void)
{
	close(control_fd);
	if (packet_fd >= 0)
		close(packet_fd);
	run_teardown();
}

static struct net_backend *make(const struct net_tap_config *config)
{
	struct net_backend *backend = NULL;

	ck_assert_msg(net_tap_create(config, &err, &backend) == 0, "%s", err.text);
	return backend;
}

static void finish(struct run_nic *n)
{
	run_stop(n);
	run_forget(n);
}

/* The host's end: everything that goes through the interface, with its header. */
static void open_packets(void)
{
	const int on = 1;
	struct sockaddr_ll addr = {.sll_family = AF_PACKET,
				   .sll_protocol = htons(ETH_P_ALL),
				   .sll_ifindex = (int)if_nametoindex(NAME)};

	packet_fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
	ck_assert_int_ge(packet_fd, 0);
	ck_assert_int_eq(setsockopt(packet_fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	ck_assert_int_eq(bind(packet_fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
}

/* --- Frames. --------------------------------------------------------------------------------- */

static uint8_t frame[NET_FRAME_MAX];

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* A TCP segment of IPv4 from 192.0.2.@from, with @payload bytes; its header says what is left. */
static uint32_t build(uint8_t *to, unsigned int from, uint32_t payload, uint16_t gso_size,
		      struct virtio_net_hdr_v1 *header)
{
	const uint32_t ip_len = 40 + payload;
	unsigned int sum = 0;

	memset(to, 0, 54);
	memset(to, 0xff, 6);
	to[6] = 2;
	to[11] = (uint8_t)from;
	put16(to + 12, 0x0800);
	to[14] = 0x45;
	put16(to + 16, ip_len);
	to[22] = 64;
	to[23] = IPPROTO_TCP;
	to[26] = to[30] = 192;
	to[28] = to[32] = 2;
	to[29] = (uint8_t)from;
	to[33] = 99;
	for (unsigned int i = 14; i < 34; i += 2)
		sum += (unsigned int)to[i] << 8 | to[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	put16(to + 24, ~(sum + (sum >> 16)) & 0xffff);
	put16(to + 34, 4000 + from);
	put16(to + 36, 80);
	to[46] = 0x50;
	to[47] = 0x18;
	memset(to + 54, 0x61, payload);
	*header = (struct virtio_net_hdr_v1){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.hdr_len = 54,
		.csum_start = 34,
		.csum_offset = 16,
		.gso_type = gso_size ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_NONE,
		.gso_size = gso_size,
	};
	return 14 + ip_len;
}

static uint8_t got[sizeof(struct virtio_net_hdr) + NET_FRAME_MAX];
static ssize_t got_len;

/* Neighbour discovery and its like are not ours. */
static bool has_packet(void)
{
	do {
		got_len = recv(packet_fd, got, sizeof(got), 0);
	} while (got_len > 0 && got[sizeof(struct virtio_net_hdr) + 23] != IPPROTO_TCP);
	return got_len > 0;
}

static bool nic_has(void)
{
	unsigned int ours = 0;

	for (unsigned int i = 0; i < nic.count; i++)
		ours += nic.frames[i].len > 54 && nic.frames[i].data[23] == IPPROTO_TCP &&
			nic.frames[i].data[12] == 8;
	return ours > 0;
}

static const struct run_frame *first_of_ours(void)
{
	unsigned int i = 0;

	while (nic.frames[i].len <= 54 || nic.frames[i].data[23] != IPPROTO_TCP ||
	       nic.frames[i].data[12] != 8)
		i++;
	return &nic.frames[i];
}

static void send_packet(uint32_t len, const struct virtio_net_hdr_v1 *header)
{
	static uint8_t message[sizeof(struct virtio_net_hdr) + NET_FRAME_MAX];

	memcpy(message, header, sizeof(struct virtio_net_hdr));
	memcpy(message + sizeof(struct virtio_net_hdr), frame, len);
	len += (uint32_t)sizeof(struct virtio_net_hdr);
	ck_assert_int_eq(write(packet_fd, message, len), len);
}

/* --- Cases. ---------------------------------------------------------------------------------- */

static struct run_tx tx;

START_TEST(frames_go_out)
{
	const struct net_tap_config config = {.name = NAME, .queues = 1};
	struct virtio_net_hdr_v1 header;
	struct virtio_net_hdr seen;
	uint32_t len;

	run_start(&nic, make(&config));
	ck_assert(net_backend_link(nic.backend));
	ck_assert(net_backend_info(nic.backend)->tso);
	ck_assert_uint_eq(net_backend_info(nic.backend)->mtu_max, 1500);
	open_packets();
	len = build(frame, 1, 100, 0, &header);
	run_send(&nic, &tx, frame, len, &header);
	run_until(has_packet);
	ck_assert_int_eq(got_len, sizeof(seen) + len);
	memcpy(&seen, got, sizeof(seen));
	ck_assert_uint_eq(seen.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	ck_assert_uint_eq(seen.csum_start, 34);
	/* A large one is there in one piece. */
	len = build(frame, 1, 60000, 1448, &header);
	run_send(&nic, &tx, frame, len, &header);
	run_until(has_packet);
	ck_assert_int_eq(got_len, sizeof(seen) + len);
	memcpy(&seen, got, sizeof(seen));
	ck_assert_uint_eq(seen.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	ck_assert_uint_eq(seen.gso_size, 1448);
	ck_assert_int_eq(memcmp(got + sizeof(seen), frame, len), 0);
	ck_assert_uint_eq(counter_get(&net_backend_counters(nic.backend, 0)->tx_lost), 0);
	finish(&nic);
	net_backend_destroy(nic.backend);
	/* It went with us. */
	ck_assert_uint_eq(if_nametoindex(NAME), 0);
}
END_TEST

START_TEST(frames_come_in)
{
	const struct net_offloads all = {true, true, true, true}, none = {0};
	const struct net_tap_config config = {.name = NAME, .queues = 1};
	struct virtio_net_hdr_v1 header;
	uint32_t len;

	run_start(&nic, make(&config));
	open_packets();
	net_backend_set_offloads(nic.backend, &all);
	len = build(frame, 1, 60000, 1448, &header);
	send_packet(len, &header);
	run_until(nic_has);
	ck_assert_int_eq(first_of_ours()->len, len);
	ck_assert_uint_eq(first_of_ours()->header.gso_size, 1448);
	ck_assert_uint_eq(first_of_ours()->header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	/* A guest that takes neither gets whole ones, of the size that a wire has. */
	run_forget(&nic);
	net_backend_set_offloads(nic.backend, &none);
	send_packet(len, &header);
	run_until(nic_has);
	ck_assert_int_eq(first_of_ours()->len, 1448 + 54);
	ck_assert_uint_eq(first_of_ours()->header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, 0);
	/* One that there is no room for is lost, and said to be. */
	run_forget(&nic);
	nic.room = 200;
	len = build(frame, 1, 200, 0, &header);
	send_packet(len, &header);
	run_some_passes();
	run_until(has_packet);
	ck_assert_uint_gt(counter_get(&net_backend_counters(nic.backend, 0)->rx_lost), 0);
	finish(&nic);
	net_backend_destroy(nic.backend);
}
END_TEST

static bool second_has(void)
{
	/* Which queue a flow comes from is the kernel's choice: where it was last sent from. */
	return nic.count + second.count > 40 && second.count > 0 && nic.count > 0;
}

START_TEST(two_queues)
{
	const struct net_tap_config config = {.name = NAME, .queues = 2};
	struct virtio_net_hdr_v1 header;

	run_start(&nic, make(&config));
	ck_assert_uint_eq(net_backend_info(nic.backend)->queues, 2);
	second.backend = nic.backend;
	second.room = NET_FRAME_MAX;
	ck_assert_int_eq(net_queue_start(nic.backend, 1, run_loop, &run_queue_ops, &second, &err,
					 &second.queue),
			 0);
	open_packets();
	run_send(&second, &tx, frame, build(frame, 1, 100, 0, &header), &header);
	run_until(has_packet);
	for (unsigned int from = 1; from < 80; from++)
		send_packet(build(frame, from, 100, 0, &header), &header);
	run_until(second_has);
	ck_assert_uint_eq(counter_get(&net_backend_counters(nic.backend, 1)->tx_frames), 1);
	finish(&nic);
	finish(&second);
	net_backend_destroy(nic.backend);
}
END_TEST

static bool is_down(void)
{
	return !net_backend_link(nic.backend);
}

static bool is_up(void)
{
	return net_backend_link(nic.backend);
}

START_TEST(the_link)
{
	const struct net_tap_config config = {.name = NAME, .queues = 1};
	struct virtio_net_hdr_v1 header;
	unsigned int before;

	run_start(&nic, make(&config));
	run_some_passes();
	before = nic.readable;
	ck_assert_int_eq(change_flags(NAME, 0, IFF_UP), 0);
	run_until(is_down);
	ck_assert_uint_gt(nic.readable, before);
	/* What is sent meanwhile is lost. */
	run_send(&nic, &tx, frame, build(frame, 1, 100, 0, &header), &header);
	run_some_passes();
	ck_assert_int_eq(tx.result, -EIO);
	ck_assert_int_eq(change_flags(NAME, IFF_UP, 0), 0);
	run_until(is_up);
	finish(&nic);
	net_backend_destroy(nic.backend);
}
END_TEST

/* A device that stays, made by somebody else for one queue or several. */
static int make_device(const char *name, short flags, bool stays)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags)};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	ck_assert_msg(ioctl(fd, TUNSETIFF, &ifr) == 0, "%s: %m", name);
	ck_assert_int_eq(ioctl(fd, TUNSETPERSIST, stays), 0);
	return fd;
}

START_TEST(devices_that_are_there)
{
	struct net_tap_config config = {.name = NAME, .queues = 4, .mtu = 9000};
	struct net_backend *backend;
	struct ifreq ifr = {.ifr_name = NAME};

	close(make_device(NAME, 0, true));
	backend = make(&config);
	ck_assert_uint_eq(net_backend_info(backend)->queues, 1); /* it has no more */
	ck_assert_uint_eq(net_backend_info(backend)->mtu_max, 9000);
	ck_assert_int_eq(ioctl(control_fd, SIOCGIFMTU, &ifr), 0);
	ck_assert_int_eq(ifr.ifr_mtu, 9000);
	ck_assert(!net_backend_link(backend)); /* whether it is up is its owner's business */
	net_backend_destroy(backend);
	ck_assert_uint_ne(if_nametoindex(NAME), 0);
	config.queues_exact = true;
	ck_assert_int_eq(net_tap_create(&config, &err, &backend), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "multi_queue"));
	close(make_device(NAME, 0, false));
	close(make_device(NAME, IFF_MULTI_QUEUE, true));
	backend = make(&config);
	ck_assert_uint_eq(net_backend_info(backend)->queues, 4);
	net_backend_destroy(backend);
	config.queues = 1;
	backend = make(&config);
	ck_assert_uint_eq(net_backend_info(backend)->queues, 1);
	net_backend_destroy(backend);
	close(make_device(NAME, IFF_MULTI_QUEUE, false));
}
END_TEST

START_TEST(in_use)
{
	const struct net_tap_config config = {.name = NAME, .queues = 1},
				    loopback = {.name = "lo", .queues = 1};
	struct net_backend *backend = make(&config), *other;

	ck_assert_int_eq(net_tap_create(&config, &err, &other), -EBUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "another program uses it"));
	ck_assert_int_eq(net_tap_create(&loopback, &err, &other), -EINVAL);
	net_backend_destroy(backend);
}
END_TEST

START_TEST(descriptors)
{
	int fds[2] = {make_device(NAME, IFF_VNET_HDR | IFF_MULTI_QUEUE, false),
		      make_device(NAME, IFF_VNET_HDR | IFF_MULTI_QUEUE, false)};
	const struct net_tap_config config = {.fds = fds, .fd_count = 2};
	struct virtio_net_hdr_v1 header;
	struct net_backend *backend;

	run_start(&nic, make(&config));
	ck_assert_uint_eq(net_backend_info(nic.backend)->queues, 2);
	ck_assert_int_eq(change_flags(NAME, IFF_UP, 0), 0);
	run_until(is_up);
	open_packets();
	run_send(&nic, &tx, frame, build(frame, 1, 100, 0, &header), &header);
	run_until(has_packet);
	finish(&nic);
	net_backend_destroy(nic.backend);
	/* What is none, and what lacks the header. They are closed all the same. */
	fds[0] = open("/dev/null", O_RDWR);
	fds[1] = make_device(NAME, IFF_MULTI_QUEUE, false);
	ck_assert_int_eq(net_tap_create(&config, &err, &backend), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "not one of a TAP device"));
	ck_assert_int_eq(fcntl(fds[0], F_GETFD), -1);
	fds[0] = make_device(NAME, IFF_MULTI_QUEUE, false);
	fds[1] = make_device(NAME, IFF_MULTI_QUEUE, false);
	ck_assert_int_eq(net_tap_create(&config, &err, &backend), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "IFF_VNET_HDR"));
}
END_TEST

static int run(void)
{
	const TTest *const tests[] = {frames_go_out,          frames_come_in, two_queues, the_link,
				      devices_that_are_there, in_use,         descriptors};
	Suite *suite = suite_create("tap");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int skip(const char *why)
{
	printf("SKIP: %s: %s\n", why, strerror(errno));
	return 77;
}

int main(void)
{
	int fd;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return skip("no network namespace can be made");
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return skip("/dev/net/tun cannot be opened (modprobe tun)");
	close(fd);
	return run();
}
