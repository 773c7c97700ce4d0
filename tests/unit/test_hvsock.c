// SPDX-License-Identifier: MIT
/* Hyper-V sockets on a real bus: connections both ways, their bytes and their ends. */
#include "devices/hvsock/hvsock.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bus_guest.h"
#include "devices/hvsock/hvsock_name.h"
#include "devices/hvsock/hvsock_proto.h"

#define RING_PAGES 8u

static struct bus_guest guest;
static struct hvsock *hvsock;
static char directory[64], path[96];
static uint64_t patience_ns;
static int listener;
static uint8_t buf[32768];

/* --- The host. ------------------------------------------------------------------------------- */

static struct sockaddr_un address_of(const char *suffix)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s%s", path, suffix);
	return address;
}

static void create(void *arg)
{
	const struct hvsock_config config = {
		.bus = guest.bus,
		.loop = guest.thread.loop,
		.path = path,
		.patience_ns = patience_ns,
	};

	ck_assert_int_eq(hvsock_create(&config, NULL, &hvsock), 0);
}

static void setup(void)
{
	struct sockaddr_un address;

	snprintf(directory, sizeof(directory), "/tmp/test-hvsock.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/vm", directory);
	bus_guest_create(&guest, NULL);
	bus_guest_call(&guest, create, NULL);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address = address_of("_5");
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listener, 8), 0);
}

static void setup_impatient(void)
{
	patience_ns = 20 * NSEC_PER_MSEC;
	setup();
}

static void teardown(void)
{
	struct sockaddr_un address = address_of("_5");

	close(listener);
	bus_guest_destroy(&guest);
	hvsock_destroy(hvsock);
	ck_assert_int_ne(access(path, F_OK), 0);
	unlink(address.sun_path);
	rmdir(directory);
}

static int host_connect(const char *line)
{
	struct sockaddr_un address = address_of("");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(write(fd, line, strlen(line)), (ssize_t)strlen(line));
	return fd;
}

/* Waits for it. */
static ssize_t host_read(int fd, void *to, size_t len)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	ck_assert_int_eq(poll(&pfd, 1, (int)BUS_GUEST_MS), 1);
	return read(fd, to, len);
}

static void host_read_all(int fd, uint8_t *to, size_t len)
{
	while (len) {
		ssize_t n = host_read(fd, to, len);

		ck_assert_int_gt(n, 0);
		to += n;
		len -= (size_t)n;
	}
}

/* --- The guest. ------------------------------------------------------------------------------ */

static void request(uint32_t port)
{
	struct vmbus_channel_tl_connect_request2 m = {
		.request = {.header = {.msgtype = CHANNELMSG_TL_CONNECT_REQUEST},
			    .guest_endpoint_id = hvsock_port_guid(1234),
			    .host_service_id = hvsock_port_guid(port)},
	};

	bus_guest_post(&guest, &m, sizeof(m));
}

static void expect_offer(struct bus_guest_channel *ch, uint32_t service, bool from_host)
{
	struct hvsock_offer_params params;
	union bus_guest_message m;
	struct vmbus_guid id = hvsock_port_guid(service);

	ck_assert(bus_guest_expect(&guest, CHANNELMSG_OFFERCHANNEL, &m));
	ck_assert(vmbus_guid_equal(&m.offer.offer.if_type, &id));
	ck_assert_uint_eq(m.offer.offer.chn_flags,
			  VMBUS_CHANNEL_TLNPI_PROVIDER_OFFER | VMBUS_CHANNEL_NAMED_PIPE_MODE);
	memcpy(&params, m.offer.offer.user_data, sizeof(params));
	ck_assert_uint_eq(params.pipe_type, VMBUS_PIPE_TYPE_BYTE);
	ck_assert_uint_eq(params.is_for_guest_accept, from_host);
	bus_guest_channel_init(&guest, ch, &m.offer, RING_PAGES, 0);
}

static int guest_connect(struct bus_guest_channel *ch)
{
	int fd;

	bus_guest_connect(&guest, VERSION_WIN10_V5_3, NULL, 0);
	request(5);
	expect_offer(ch, 5, false);
	ck_assert_uint_eq(bus_guest_open(ch), VMBUS_STATUS_SUCCESS);
	fd = accept(listener, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static bool guest_send(struct bus_guest_channel *ch, const void *data, uint32_t len)
{
	struct vmpipe_proto_header header = {.pkt_type = HVSOCK_PIPE_DATA, .data_size = len};
	static uint8_t packet[sizeof(header) + HVSOCK_MTU];

	memcpy(packet, &header, sizeof(header));
	memcpy(packet + sizeof(header), data, len);
	return bus_guest_send(ch, false, 0, packet, (uint32_t)align_up(sizeof(header) + len, 8));
}

/* The bytes of the next packet, in @buf from 24 on; it must be one. */
static uint32_t guest_receive(struct bus_guest_channel *ch)
{
	struct vmpipe_proto_header header;
	uint32_t len = bus_guest_receive(ch, buf, sizeof(buf), BUS_GUEST_MS);

	ck_assert_uint_ge(len, 24);
	memcpy(&header, buf + 16, sizeof(header));
	ck_assert_uint_eq(header.pkt_type, HVSOCK_PIPE_DATA);
	ck_assert_uint_le(header.data_size, len - 24);
	return header.data_size;
}

/* The host takes the channel back, and the guest gives it. */
static void expect_end(struct bus_guest_channel *ch)
{
	union bus_guest_message m;

	ck_assert(bus_guest_expect(&guest, CHANNELMSG_RESCIND_CHANNELOFFER, &m));
	ck_assert_uint_eq(m.relid.child_relid, ch->relid);
	bus_guest_close(ch);
	bus_guest_post_relid(&guest, CHANNELMSG_RELID_RELEASED, ch->relid);
}

static void count(void *arg)
{
	*(unsigned int *)arg = hvsock_connections(hvsock);
}

static unsigned int connections(void)
{
	unsigned int n;

	bus_guest_call(&guest, count, &n);
	return n;
}

static void expect_none(void)
{
	for (unsigned int i = 0; i < BUS_GUEST_MS && connections(); i++)
		usleep(1000);
	ck_assert_uint_eq(connections(), 0);
}

/* --- Tests. ---------------------------------------------------------------------------------- */

START_TEST(guest_connects)
{
	struct bus_guest_channel ch;
	int fd = guest_connect(&ch);
	char text[16] = "";

	ck_assert(guest_send(&ch, "hello", 5));
	host_read_all(fd, (uint8_t *)text, 5);
	ck_assert_str_eq(text, "hello");
	ck_assert_int_eq(write(fd, "world", 5), 5);
	ck_assert_uint_eq(guest_receive(&ch), 5);
	ck_assert_mem_eq(buf + 24, "world", 5);
	/* One end, and the other way goes on. */
	ck_assert(guest_send(&ch, "", 0));
	ck_assert_int_eq(host_read(fd, text, 1), 0);
	ck_assert_int_eq(write(fd, "more", 4), 4);
	ck_assert_uint_eq(guest_receive(&ch), 4);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	ck_assert_uint_eq(guest_receive(&ch), 0);
	expect_end(&ch);
	expect_none();
	close(fd);
	ck_assert_uint_eq(counter_get(&hvsock_counters(hvsock)->from_guest), 1);
	ck_assert_uint_eq(counter_get(&hvsock_counters(hvsock)->to_host_bytes), 5);
	ck_assert_uint_eq(counter_get(&hvsock_counters(hvsock)->to_guest_bytes), 9);
}
END_TEST

START_TEST(host_closes)
{
	struct bus_guest_channel ch;
	int fd = guest_connect(&ch);

	ck_assert_int_eq(write(fd, "last", 4), 4);
	close(fd);
	ck_assert_uint_eq(guest_receive(&ch), 4);
	ck_assert_uint_eq(guest_receive(&ch), 0);
	expect_end(&ch);
	expect_none();
}
END_TEST

/* What was sent last is there before the channel is taken away. */
START_TEST(end_in_order)
{
	union bus_guest_message m;

	bus_guest_connect(&guest, VERSION_WIN10_V5_3, NULL, 0);
	for (int i = 0; i < 20; i++) {
		struct bus_guest_channel ch;
		int fd;

		request(5);
		expect_offer(&ch, 5, false);
		ck_assert_uint_eq(bus_guest_open(&ch), VMBUS_STATUS_SUCCESS);
		fd = accept(listener, NULL, NULL);
		ck_assert(guest_send(&ch, "", 0));
		ck_assert_int_eq(host_read(fd, buf, 1), 0);
		ck_assert_int_eq(write(fd, "last", 4), 4);
		close(fd);
		ck_assert(bus_guest_expect(&guest, CHANNELMSG_RESCIND_CHANNELOFFER, &m));
		ck_assert_uint_eq(bus_guest_receive(&ch, buf, sizeof(buf), 0), 32);
		ck_assert_uint_eq(bus_guest_receive(&ch, buf, sizeof(buf), 0), 24);
		bus_guest_close(&ch);
		bus_guest_post_relid(&guest, CHANNELMSG_RELID_RELEASED, ch.relid);
	}
}
END_TEST

static void expect_refused(uint32_t port)
{
	struct vmbus_channel_tl_connect_result result;
	struct vmbus_guid id = hvsock_port_guid(port);
	union bus_guest_message m;

	request(port);
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_TL_CONNECT_RESULT, &m));
	memcpy(&result, &m, sizeof(result));
	ck_assert_uint_eq(result.status, VMBUS_STATUS_CONNECTION_REFUSED);
	ck_assert(vmbus_guid_equal(&result.host_service_id, &id));
}

START_TEST(guest_refused)
{
	bus_guest_connect(&guest, VERSION_WIN10_V5_3, NULL, 0);
	expect_refused(6);
	close(listener);
	expect_refused(5);
	ck_assert_uint_eq(connections(), 0);
	ck_assert_uint_eq(counter_get(&hvsock_counters(hvsock)->refused_guest), 2);
}
END_TEST

static int host_opens(struct bus_guest_channel *ch, const char *line, const char *answer)
{
	char text[32] = "";
	int fd = host_connect(line);

	expect_offer(ch, 7, true);
	ck_assert_uint_eq(bus_guest_open(ch), VMBUS_STATUS_SUCCESS);
	host_read_all(fd, (uint8_t *)text, strlen(answer));
	ck_assert_str_eq(text, answer);
	return fd;
}

START_TEST(host_connects)
{
	struct bus_guest_channel ch;
	int fd;

	bus_guest_connect(&guest, VERSION_WIN10_V5_3, NULL, 0);
	/* What comes behind the line is for the guest. */
	fd = host_opens(&ch, "CONNECT 7\nearly", "OK 1073741824\n");
	ck_assert_uint_eq(guest_receive(&ch), 5);
	ck_assert_mem_eq(buf + 24, "early", 5);
	ck_assert(guest_send(&ch, "bye", 3));
	ck_assert(guest_send(&ch, "", 0));
	host_read_all(fd, buf, 3);
	ck_assert_int_eq(host_read(fd, buf, 1), 0);
	close(fd);
	ck_assert_uint_eq(guest_receive(&ch), 0);
	expect_end(&ch);
	fd = host_opens(&ch, "connect 00000007-facb-11e6-bd58-64006a7986d3\r\n", "OK 1073741825\n");
	/* A guest that just closes. */
	bus_guest_post_relid(&guest, CHANNELMSG_CLOSECHANNEL, ch.relid);
	ck_assert_int_eq(host_read(fd, buf, 1), 0);
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_RESCIND_CHANNELOFFER, NULL));
	bus_guest_post_relid(&guest, CHANNELMSG_RELID_RELEASED, ch.relid);
	close(fd);
	expect_none();
}
END_TEST

START_TEST(nonsense)
{
	static const char *const lines[] = {
		"HELLO\n",
		"CONNECT\n",
		"CONNECT x\n",
		"CONNECT 4294967295\n",
		"\n",
		"CONNECT 00000007-facb-11e6-bd58-64006a7986d\n",
		"CONNECT 1                                                          \n",
	};

	bus_guest_connect(&guest, VERSION_WIN10_V5_3, NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		int fd = host_connect(lines[i]);

		ck_assert_int_le(host_read(fd, buf, 1), 0);
		close(fd);
	}
	expect_none();
	ck_assert_uint_eq(counter_get(&hvsock_counters(hvsock)->refused_host), ARRAY_SIZE(lines));
}
END_TEST

/* Nobody who does not read has more stored than a packet. */
START_TEST(back_pressure)
{
	struct bus_guest_channel ch;
	int fd = guest_connect(&ch);
	static uint8_t data[4096];
	uint64_t sent = 0, got = 0;
	ssize_t n;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	while (sent < MiB(4) && guest_send(&ch, data, sizeof(data)))
		sent += sizeof(data);
	/* The host has not read: socket buffers and the ring are full, or it is a large one. */
	while (got < sent) {
		n = host_read(fd, buf, sizeof(buf));
		ck_assert_int_gt(n, 0);
		for (ssize_t i = 0; i < n; i++)
			ck_assert_uint_eq(buf[i], (uint8_t)((got + (uint64_t)i) % 4096 * 7));
		got += (uint64_t)n;
	}
	/* And the other way round. */
	ck_assert_int_lt(sent, MiB(4));
	sent = got = 0;
	while ((n = send(fd, data, sizeof(data), MSG_DONTWAIT)) > 0)
		sent += (uint64_t)n;
	while (got < sent)
		got += guest_receive(&ch);
	ck_assert_uint_eq(got, sent);
	close(fd);
}
END_TEST

#define MANY 200u /* three descriptors each, and the usual limit is 1024 */

/* All at once, each with bytes of its own. */
START_TEST(many)
{
	static struct bus_guest_channel chs[MANY];
	static int fds[MANY];
	uint8_t data[8];

	bus_guest_connect(&guest, VERSION_WIN10_V5_3, NULL, 0);
	for (unsigned int i = 0; i < MANY; i++)
		fds[i] = host_opens(&chs[i], "CONNECT 7\n", "OK 107374");
	ck_assert_uint_eq(connections(), MANY);
	for (unsigned int i = 0; i < MANY; i++) {
		memset(data, (int)i, sizeof(data));
		ck_assert(guest_send(&chs[i], data, sizeof(data)));
		ck_assert_int_eq(write(fds[i], data, sizeof(data)), sizeof(data));
	}
	for (unsigned int i = 0; i < MANY; i++) {
		memset(data, (int)i, sizeof(data));
		/* The end of the line that says so is there still. */
		host_read_all(fds[i], buf, 5);
		host_read_all(fds[i], buf, sizeof(data));
		ck_assert_mem_eq(buf, data, sizeof(data));
		ck_assert_uint_eq(guest_receive(&chs[i]), sizeof(data));
		ck_assert_mem_eq(buf + 24, data, sizeof(data));
		close(fds[i]);
		ck_assert_uint_eq(guest_receive(&chs[i]), 0);
		expect_end(&chs[i]);
	}
	expect_none();
}
END_TEST

/* The guest goes away: its connections, and those that it had not opened. */
START_TEST(guest_resets)
{
	struct bus_guest_channel ch, other;
	int fd = guest_connect(&ch), waiting = host_connect("CONNECT 7\n");

	expect_offer(&other, 7, true);
	bus_guest_reset(&guest);
	ck_assert_int_eq(host_read(fd, buf, 1), 0);
	ck_assert_int_eq(host_read(waiting, buf, 1), 0);
	expect_none();
	close(fd);
	close(waiting);
}
END_TEST

START_TEST(violations)
{
	static const struct vmpipe_proto_header headers[] = {
		{.pkt_type = 2, .data_size = 8},
		{.pkt_type = HVSOCK_PIPE_DATA, .data_size = 17},
		{.pkt_type = HVSOCK_PIPE_DATA, .data_size = UINT32_MAX},
	};
	struct bus_guest_channel ch;

	bus_guest_connect(&guest, VERSION_WIN10_V5_3, NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		uint8_t packet[24] = {0};
		int fd;

		request(5);
		expect_offer(&ch, 5, false);
		ck_assert_uint_eq(bus_guest_open(&ch), VMBUS_STATUS_SUCCESS);
		fd = accept(listener, NULL, NULL);
		memcpy(packet, &headers[i], sizeof(headers[i]));
		ck_assert(bus_guest_send(&ch, false, 0, packet, sizeof(packet)));
		ck_assert_int_eq(host_read(fd, buf, 1), 0);
		close(fd);
		expect_end(&ch);
	}
	expect_none();
}
END_TEST

START_TEST(impatience)
{
	struct bus_guest_channel ch;
	union bus_guest_message m;
	int fd, silent = host_connect("CONN");

	ck_assert_int_eq(host_read(silent, buf, 1), 0);
	bus_guest_connect(&guest, VERSION_WIN10_V5_3, NULL, 0);
	fd = host_connect("CONNECT 7\n");
	expect_offer(&ch, 7, true);
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_RESCIND_CHANNELOFFER, &m));
	bus_guest_post_relid(&guest, CHANNELMSG_RELID_RELEASED, ch.relid);
	ck_assert_int_eq(host_read(fd, buf, 1), 0);
	expect_none();
	ck_assert_uint_eq(counter_get(&hvsock_counters(hvsock)->refused_host), 2);
	close(fd);
	close(silent);
}
END_TEST

static void create_again(void *arg)
{
	const struct hvsock_config config = {
		.bus = guest.bus, .loop = guest.thread.loop, .path = path};
	struct hvsock *other;

	*(int *)arg = hvsock_create(&config, NULL, &other);
}

START_TEST(one_at_a_path)
{
	struct stat st;
	int r;

	bus_guest_call(&guest, create_again, &r);
	ck_assert_int_eq(r, -EADDRINUSE);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hvsock");
	TCase *tc = tcase_create("hvsock"), *hurry = tcase_create("impatient");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, guest_connects);
	tcase_add_test(tc, host_closes);
	tcase_add_test(tc, end_in_order);
	tcase_add_test(tc, guest_refused);
	tcase_add_test(tc, host_connects);
	tcase_add_test(tc, nonsense);
	tcase_add_test(tc, back_pressure);
	tcase_add_test(tc, many);
	tcase_add_test(tc, guest_resets);
	tcase_add_test(tc, violations);
	tcase_add_test(tc, one_at_a_path);
	tcase_add_checked_fixture(hurry, setup_impatient, teardown);
	tcase_add_test(hurry, impatience);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, hurry);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
