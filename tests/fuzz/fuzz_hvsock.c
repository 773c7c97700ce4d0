// SPDX-License-Identifier: MIT
/*
 * Hyper-V sockets on a bus whose loop is pumped: a guest that asks for connections, opens and
 * closes their channels or does not, and sends packets of any kind; and programs of the host that
 * connect, say what they like, read or do not, and go. Whatever happens nothing is touched that is
 * not there, and when guest and host have gone so have all connections.
 *
 * The input is commands of one byte with arguments; see make-hvsock-corpus.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz_input.h"
#include "../unit/bus_guest.h"
#include "devices/hvsock/hvsock.h"
#include "devices/hvsock/hvsock_name.h"
#include "devices/hvsock/hvsock_proto.h"
#include "vmm/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHANNELS 4u
#define HOSTS    4u
#define PAGES    6u

enum {
	OP_REQUEST,
	OP_OPEN,
	OP_SEND,
	OP_RECEIVE,
	OP_CLOSE,
	OP_RELEASE,
	OP_CONNECT,
	OP_ACCEPT,
	OP_WRITE,
	OP_READ,
	OP_SHUT,
	OP_HANG_UP,
	OP_RESET,
	OPS
};

static struct bus_guest guest;
static struct hvsock *hvsock;
static struct bus_guest_channel channels[CHANNELS];
static struct sockaddr_un address, service;
static int listener, hosts[HOSTS];

/* --- The guest. ------------------------------------------------------------------------------ */

/* An offer goes to the first channel that has none. */
static void take_offer(const struct vmbus_channel_offer_channel *offer)
{
	for (unsigned int i = 0; i < CHANNELS; i++) {
		if (channels[i].relid)
			continue;
		channels[i].relid = offer->child_relid;
		channels[i].connection_id = offer->connection_id;
		channels[i].event_flag = (uint16_t)offer->child_relid;
		return;
	}
}

static void take_messages(void)
{
	union bus_guest_message m;

	while (bus_guest_next(&guest, &m, 0))
		if (m.header.msgtype == CHANNELMSG_OFFERCHANNEL)
			take_offer(&m.offer);
}

static void op_request(struct input *in)
{
	const uint8_t endpoint = u8(in), port = u8(in);
	struct vmbus_channel_tl_connect_request2 m = {
		.request = {.header = {.msgtype = CHANNELMSG_TL_CONNECT_REQUEST},
			    .guest_endpoint_id = hvsock_port_guid(endpoint),
			    .host_service_id = hvsock_port_guid(port)},
	};

	m.request.host_service_id.b[15] ^= port & 0x80 ? 1 : 0;
	bus_guest_post(&guest, &m, sizeof(m));
	take_messages();
}

static void op_open(struct bus_guest_channel *c)
{
	uint64_t pfns[2 * PAGES];

	for (unsigned int i = 0; i < 2 * PAGES; i++)
		pfns[i] = c->gpa / PAGE_SIZE + i;
	memset(c->up.control, 0, PAGE_SIZE);
	memset(c->down.control, 0, PAGE_SIZE);
	ring_guest_init_writer(&c->out, &c->up);
	ring_guest_init_reader(&c->in, &c->down);
	c->gpadl = c->relid + 0x100;
	bus_guest_post_gpadl(&guest, c->relid, c->gpadl, pfns, 2 * PAGES);
	bus_guest_post_open(c);
	take_messages();
}

static void op_send(struct input *in, struct bus_guest_channel *c)
{
	static uint8_t packet[8192];
	struct vmpipe_proto_header header = {.pkt_type = HVSOCK_PIPE_DATA};
	uint8_t kind = u8(in), units = u8(in);
	uint32_t len = units * 32u;

	take(in, packet + sizeof(header), 32);
	header.data_size = kind & 1 ? u32(in) : len;
	header.pkt_type += kind >> 4;
	memcpy(packet, &header, sizeof(header));
	if (c->up.control && c->out.mem)
		(void)bus_guest_send(c, kind & 2, 1, packet, (uint32_t)sizeof(header) + len);
	take_messages();
}

static void op_receive(struct bus_guest_channel *c)
{
	static uint8_t buf[16384];

	if (c->in.mem)
		(void)bus_guest_receive(c, buf, sizeof(buf), 0);
}

static void guest_step(struct input *in, unsigned int op)
{
	struct bus_guest_channel *c = &channels[u8(in) % CHANNELS];

	switch (op) {
	case OP_OPEN:
		if (c->relid)
			op_open(c);
		break;
	case OP_SEND:
		op_send(in, c);
		break;
	case OP_RECEIVE:
		op_receive(c);
		break;
	case OP_CLOSE:
		bus_guest_post_relid(&guest, CHANNELMSG_CLOSECHANNEL, c->relid);
		bus_guest_post_teardown(&guest, c->relid, c->gpadl);
		take_messages();
		break;
	default:
		bus_guest_post_relid(&guest, CHANNELMSG_RELID_RELEASED, c->relid);
		c->relid = 0;
		take_messages();
	}
}

/* --- The host. ------------------------------------------------------------------------------- */

static void host_connect(int *fd)
{
	if (*fd >= 0)
		return;
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connect(*fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(*fd);
		*fd = -1;
	}
}

static void host_step(struct input *in, unsigned int op)
{
	int *fd = &hosts[u8(in) % HOSTS];
	uint8_t buf[256], len;

	switch (op) {
	case OP_CONNECT:
		host_connect(fd);
		break;
	case OP_ACCEPT:
		if (*fd < 0)
			*fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		break;
	case OP_WRITE:
		len = u8(in);
		take(in, buf, len);
		(void)!send(*fd, buf, len, MSG_NOSIGNAL);
		break;
	case OP_READ:
		(void)!read(*fd, buf, sizeof(buf));
		break;
	case OP_SHUT:
		(void)!shutdown(*fd, SHUT_WR);
		break;
	default:
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
	}
	loop_thread_pump(&guest.thread);
	take_messages();
}

/* --- The whole. ------------------------------------------------------------------------------ */

static void begin(void)
{
	for (unsigned int i = 0; i < CHANNELS; i++) {
		channels[i].relid = 0;
		channels[i].out.mem = channels[i].in.mem = NULL;
	}
	bus_guest_connect(&guest, VERSION_WIN10_V5_3, NULL, 0);
}

static void step(struct input *in)
{
	unsigned int op = u8(in) % OPS;

	if (op == OP_REQUEST) {
		op_request(in);
	} else if (op < OP_CONNECT) {
		guest_step(in, op);
	} else if (op < OP_RESET) {
		host_step(in, op);
	} else {
		bus_guest_reset(&guest);
		begin();
	}
}

static void finish(void)
{
	int fd;

	bus_guest_reset(&guest);
	for (unsigned int i = 0; i < HOSTS; i++) {
		if (hosts[i] >= 0)
			close(hosts[i]);
		hosts[i] = -1;
	}
	while ((fd = accept(listener, NULL, NULL)) >= 0)
		close(fd);
	for (unsigned int i = 0; i < 100 && hvsock_connections(hvsock); i++)
		loop_thread_pump(&guest.thread);
	assert(hvsock_connections(hvsock) == 0);
}

static void create_hvsock(void *arg)
{
	const struct hvsock_config config = {
		.bus = guest.bus, .loop = guest.thread.loop, .path = address.sun_path};
	int r = hvsock_create(&config, NULL, &hvsock);

	assert(r == 0);
}

static void remove_files(void)
{
	unlink(address.sun_path);
	unlink(service.sun_path);
}

static void create(void)
{
	const struct bus_guest_config config = {.pumped = true};
	const struct vmbus_channel_offer_channel none = {0};
	int r;

	log_set_level(LOG_ERROR);
	address.sun_family = service.sun_family = AF_UNIX;
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/fuzz-hvsock.%d", (int)getpid());
	snprintf(service.sun_path, sizeof(service.sun_path), "/tmp/fuzz-hvsock.%d_5",
		 (int)getpid());
	bus_guest_create(&guest, &config);
	bus_guest_call(&guest, create_hvsock, NULL);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = bind(listener, (struct sockaddr *)&service, sizeof(service));
	assert(r == 0);
	r = listen(listener, 8);
	assert(r == 0);
	atexit(remove_files);
	guest.version = VERSION_WIN10_V5_3;
	for (unsigned int i = 0; i < CHANNELS; i++)
		bus_guest_channel_init(&guest, &channels[i], &none, PAGES, 0);
	for (unsigned int i = 0; i < HOSTS; i++)
		hosts[i] = -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.data = data, .left = size};

	if (!hvsock)
		create();
	begin();
	for (unsigned int i = 0; in.left && i < 200; i++)
		step(&in);
	finish();
	return 0;
}
