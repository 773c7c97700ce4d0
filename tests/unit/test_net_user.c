// SPDX-License-Identifier: MIT
/*
 * User mode, with candela-slirp at the other end (its path is in CANDELA_SLIRP) and servers of our
 * own on the host's loopback: DHCP, ARP, UDP and TCP out, a port in, arguments that it refuses, and
 * its end.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/net/net_frame.h"
#include "devices/net/net_user.h"
#include "net_run.h"

static const uint8_t our_mac[6] = {0xca, 1, 2, 3, 4, 5};
static uint8_t host_mac[6];
static struct run_nic nic;

static void setup(void)
{
	run_setup();
	memset(&nic, 0, sizeof(nic));
}

static void teardown(void)
{
	if (nic.queue) {
		run_stop(&nic);
		run_forget(&nic);
		net_backend_destroy(nic.backend);
	}
	run_teardown();
}

static int try_open(const char *const *args, struct net_backend **ret)
{
	const struct net_user_config config = {
		.helper = getenv("CANDELA_SLIRP"), .args = args, .mtu_max = 1500};

	return net_user_create(&config, &err, ret);
}

static void open_nic(const char *const *args)
{
	struct net_backend *backend;

	ck_assert_msg(try_open(args, &backend) == 0, "%s", err.text);
	ck_assert(net_backend_link(backend));
	run_start(&nic, backend);
}

/* --- Frames. --------------------------------------------------------------------------------- */

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static unsigned int get16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

#define OUR_IP  0x0a00020fu
#define HOST_IP 0x0a000202u

static uint8_t frame[2000];
static struct run_tx tx;

static bool tx_is_done(void)
{
	return tx.done;
}

static void send_frame(uint32_t len, const struct virtio_net_hdr_v1 *header)
{
	run_send(&nic, &tx, frame, len, header);
	run_until(tx_is_done);
	ck_assert_int_eq(tx.result, 0);
}

/* IPv4 with @len bytes from its own header on, of which UDP's or TCP's are there already. */
static void send_ipv4(unsigned int protocol, uint32_t from, uint32_t to, uint32_t len)
{
	struct virtio_net_hdr_v1 header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = 34,
		.csum_offset = protocol == IPPROTO_TCP ? 16 : 6,
	};
	uint8_t *ip = frame + 14;
	unsigned int sum = 0;

	memcpy(frame, to == UINT32_MAX ? (const uint8_t *)"\xff\xff\xff\xff\xff\xff" : host_mac, 6);
	memcpy(frame + 6, our_mac, 6);
	put16(frame + 12, 0x0800);
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, len);
	ip[8] = 64;
	ip[9] = (uint8_t)protocol;
	put32(ip + 12, from);
	put32(ip + 16, to);
	for (unsigned int i = 0; i < 20; i += 2)
		sum += get16(ip + i);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
	send_frame(14 + len, &header);
}

static void send_udp(uint32_t from, unsigned int sport, uint32_t to, unsigned int dport,
		     const void *payload, uint32_t len)
{
	uint8_t *udp = frame + 34;

	put16(udp, sport);
	put16(udp + 2, dport);
	put16(udp + 4, 8 + len);
	memmove(udp + 8, payload, len);
	send_ipv4(IPPROTO_UDP, from, to, 28 + len);
}

/* Looks at the frames that have come; the first that @is says it is. */
static const uint8_t *found;
static int64_t found_len;
static bool (*looked_for)(const uint8_t *frame, int64_t len);

static bool find(void)
{
	for (unsigned int i = 0; i < nic.count; i++) {
		if (nic.frames[i].len < 14 || !looked_for(nic.frames[i].data, nic.frames[i].len))
			continue;
		found = nic.frames[i].data;
		found_len = nic.frames[i].len;
		return true;
	}
	return false;
}

static const uint8_t *await_frame(bool (*is)(const uint8_t *f, int64_t len))
{
	looked_for = is;
	run_until(find);
	return found;
}

static bool is_arp_reply(const uint8_t *f, int64_t len)
{
	return get16(f + 12) == 0x0806 && get16(f + 20) == 2;
}

/* Says who we are, and finds out who the host is. */
static void introduce(void)
{
	memset(frame, 0, 60);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, our_mac, 6);
	put16(frame + 12, 0x0806);
	put16(frame + 14, 1);
	put16(frame + 16, 0x0800);
	put16(frame + 18, 0x0604);
	put16(frame + 20, 1);
	memcpy(frame + 22, our_mac, 6);
	put32(frame + 28, OUR_IP);
	put32(frame + 38, HOST_IP);
	send_frame(60, NULL);
	memcpy(host_mac, await_frame(is_arp_reply) + 22, 6);
}

static bool is_dhcp(const uint8_t *f, int64_t len)
{
	return len > 300 && get16(f + 12) == 0x0800 && f[23] == IPPROTO_UDP && get16(f + 34) == 67;
}

START_TEST(gives_an_address)
{
	static const char *const args[] = {"--hostname=guest", "--mtu=1500", NULL};
	uint8_t request[300] = {1, 1, 6, 0, 1, 2, 3, 4};
	static const uint8_t options[] = {0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255};
	const uint8_t *reply;

	open_nic(args);
	memcpy(request + 28, our_mac, 6);
	memcpy(request + 236, options, sizeof(options));
	send_udp(0, 68, UINT32_MAX, 67, request, sizeof(request));
	reply = await_frame(is_dhcp);
	ck_assert_uint_eq(get32(reply + 42 + 16), OUR_IP); /* yours */
	ck_assert_ptr_nonnull(memmem(reply, (size_t)found_len, "guest", 5));
}
END_TEST

/* --- Out. ------------------------------------------------------------------------------------ */

static int server;
static unsigned int server_port;

static void listen_at_loopback(int type)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);

	server = socket(AF_INET, type | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(server, (const struct sockaddr *)&addr, len), 0);
	ck_assert_int_eq(getsockname(server, (struct sockaddr *)&addr, &len), 0);
	server_port = ntohs(addr.sin_port);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(server, 4), 0);
}

static struct sockaddr_in client;
static char received[100];
static ssize_t received_len;

static bool server_has_datagram(void)
{
	socklen_t len = sizeof(client);

	received_len =
		recvfrom(server, received, sizeof(received), 0, (struct sockaddr *)&client, &len);
	return received_len > 0;
}

static bool is_from_server(const uint8_t *f, int64_t len)
{
	return get16(f + 12) == 0x0800 && get16(f + 34) == server_port;
}

START_TEST(udp_out)
{
	static const char *const args[] = {NULL};
	const uint8_t *reply;

	open_nic(args);
	introduce();
	listen_at_loopback(SOCK_DGRAM);
	send_udp(OUR_IP, 4000, HOST_IP, server_port, "ping", 4);
	run_until(server_has_datagram);
	ck_assert_int_eq(received_len, 4);
	ck_assert_int_eq(
		sendto(server, "pong!", 5, 0, (const struct sockaddr *)&client, sizeof(client)), 5);
	reply = await_frame(is_from_server);
	ck_assert_uint_eq(get16(reply + 36), 4000);
	ck_assert_int_eq(memcmp(reply + 42, "pong!", 5), 0);
	close(server);
}
END_TEST

/* --- TCP, as little of it as there can be. ---------------------------------------------------- */

static uint32_t our_seq, their_seq;

static void send_tcp(unsigned int sport, unsigned int dport, unsigned int flags,
		     const void *payload, uint32_t len)
{
	uint8_t *tcp = frame + 34;

	memset(tcp, 0, 20);
	put16(tcp, sport);
	put16(tcp + 2, dport);
	put32(tcp + 4, our_seq);
	put32(tcp + 8, flags & 0x10 ? their_seq : 0);
	tcp[12] = 0x50;
	tcp[13] = (uint8_t)flags;
	put16(tcp + 14, 65535);
	memmove(tcp + 20, payload, len);
	send_ipv4(IPPROTO_TCP, OUR_IP, HOST_IP, 40 + len);
}

static bool is_syn_ack(const uint8_t *f, int64_t len)
{
	return is_from_server(f, len) && f[23] == IPPROTO_TCP && f[47] == 0x12;
}

static bool is_data(const uint8_t *f, int64_t len)
{
	return get16(f + 12) == 0x0800 && f[23] == IPPROTO_TCP && get16(f + 16) > 40 &&
	       !(f[47] & 2);
}

static int accepted;

static bool server_has_accepted(void)
{
	accepted = accept4(server, NULL, NULL, SOCK_NONBLOCK);
	return accepted >= 0;
}

static bool server_has_data(void)
{
	received_len = read(accepted, received, sizeof(received));
	return received_len > 0;
}

START_TEST(tcp_out)
{
	static const char *const args[] = {NULL};
	const uint8_t *reply;

	open_nic(args);
	introduce();
	listen_at_loopback(SOCK_STREAM);
	our_seq = 1000;
	send_tcp(5000, server_port, 2, "", 0);
	reply = await_frame(is_syn_ack);
	their_seq = get32(reply + 38) + 1;
	our_seq++;
	send_tcp(5000, server_port, 0x10, "", 0);
	run_until(server_has_accepted);
	send_tcp(5000, server_port, 0x18, "hello", 5);
	run_until(server_has_data);
	ck_assert_int_eq(received_len, 5);
	ck_assert_int_eq(memcmp(received, "hello", 5), 0);
	ck_assert_int_eq(write(accepted, "welcome", 7), 7);
	reply = await_frame(is_data);
	ck_assert_int_eq(memcmp(reply + 54, "welcome", 7), 0);
	close(accepted);
	close(server);
}
END_TEST

/* --- In. ------------------------------------------------------------------------------------- */

static bool is_syn(const uint8_t *f, int64_t len)
{
	return get16(f + 12) == 0x0800 && f[23] == IPPROTO_TCP && f[47] == 2;
}

/* A port that nobody has: taken, and given back. */
static unsigned int free_port(void)
{
	listen_at_loopback(SOCK_STREAM);
	close(server);
	return server_port;
}

START_TEST(tcp_in)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char forward[64];
	const char *const args[] = {forward, NULL};
	const uint8_t *syn;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	addr.sin_port = htons((uint16_t)free_port());
	snprintf(forward, sizeof(forward), "--forward=tcp:%u:22", server_port);
	open_nic(args);
	introduce();
	ck_assert(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0 ||
		  errno == EINPROGRESS);
	syn = await_frame(is_syn);
	ck_assert_uint_eq(get32(syn + 30), OUR_IP);
	ck_assert_uint_eq(get16(syn + 36), 22);
	close(fd);
}
END_TEST

/* What is listened on cannot be forwarded as well, and the message says which port. */
START_TEST(refused)
{
	struct net_backend *backend;
	char forward[64];
	const char *const args[] = {forward, NULL};
	static const char *const bad[] = {"--network=10.0.0.0/99", NULL};
	static const char *const unknown[] = {"--what", NULL};
	const struct net_user_config none = {.helper = "/none/such", .args = unknown};

	listen_at_loopback(SOCK_STREAM);
	snprintf(forward, sizeof(forward), "--forward=tcp:%u:22", server_port);
	ck_assert_int_eq(try_open(args, &backend), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "cannot forward TCP port"));
	close(server);
	ck_assert_int_eq(try_open(bad, &backend), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "network: expected"));
	ck_assert_int_eq(try_open(unknown, &backend), -EINVAL);
	ck_assert_int_lt(net_user_create(&none, &err, &backend), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "/none/such"));
	/* Nobody is left over of all those. */
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

static bool link_is_down(void)
{
	return !net_backend_link(nic.backend);
}

/* Killed from outside: the link goes down, and frames are lost. */
START_TEST(its_end)
{
	static const char *const args[] = {NULL};
	char line[64] = "";
	FILE *children;

	open_nic(args);
	snprintf(line, sizeof(line), "/proc/self/task/%d/children", getpid());
	children = fopen(line, "re");
	if (!children || !fgets(line, sizeof(line), children))
		line[0] = '\0';
	if (children)
		fclose(children);
	if (!line[0])
		return; /* a kernel without that list */
	ck_assert_int_eq(kill((pid_t)strtol(line, NULL, 10), SIGKILL), 0);
	run_until(link_is_down);
	run_send(&nic, &tx, frame, 100, NULL);
	ck_assert_int_eq(tx.result, -ENETDOWN);
}
END_TEST

/* Nobody takes what comes: it waits, or is lost, and nothing else happens. */
START_TEST(a_guest_that_sleeps)
{
	static const char *const args[] = {NULL};
	char payload[1000] = {0};

	open_nic(args);
	introduce();
	nic.lazy = true;
	listen_at_loopback(SOCK_DGRAM);
	send_udp(OUR_IP, 4000, HOST_IP, server_port, "ping", 4);
	run_until(server_has_datagram);
	for (unsigned int i = 0; i < 3000; i++)
		(void)!sendto(server, payload, sizeof(payload), 0, (const struct sockaddr *)&client,
			      sizeof(client));
	run_some_passes();
	nic.lazy = false;
	run_take(&nic);
	(void)await_frame(is_from_server);
	close(server);
}
END_TEST

static int run(int argc, char **argv)
{
	const TTest *const tests[] = {
		gives_an_address, udp_out, tcp_out, tcp_in, refused, its_end, a_guest_that_sleeps};
	Suite *suite = suite_create("net_user");
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

int main(int argc, char **argv)
{
	if (!getenv("CANDELA_SLIRP")) {
		printf("SKIP: built without libslirp, or CANDELA_SLIRP is not set\n");
		return 77;
	}
	return run(argc, argv);
}
