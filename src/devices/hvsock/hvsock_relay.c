// SPDX-License-Identifier: MIT
/*
 * The bytes of a connection, both ways, and the ends of each way. Owner: the bus' loop.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "devices/hvsock/hvsock_internal.h"
#include "vmbus/vmbus_proto.h"

#define HEADER ((uint32_t)sizeof(struct vmpipe_proto_header))

/* Chunks read from the host's socket in a pass: others are to have their turn. */
#define READS_MAX 16u

/* --- Ends. ----------------------------------------------------------------------------------- */

/* Both ways are over, and everybody knows. The guest reads what is in its ring all the same. */
static bool is_over(const struct hvsock_conn *c)
{
	return c->guest_ended && c->host_told && c->guest_told;
}

/* --- To the host. ---------------------------------------------------------------------------- */

/* As much of @data as goes. -EAGAIN: nothing; another -errno: nobody reads any more. */
static ssize_t give(struct hvsock_conn *c, const uint8_t *data, uint32_t len)
{
	ssize_t n = send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return -errno;
	counter_add(&c->hvsock->counters.to_host_bytes, (uint64_t)n);
	return n;
}

/* What waits for the host. False: nobody reads any more. */
static bool flush_to_host(struct hvsock_conn *c)
{
	ssize_t n;

	while (c->left) {
		n = give(c, c->in + c->at, c->left);
		if (n < 0)
			return n == -EAGAIN;
		c->at += (uint32_t)n;
		c->left -= (uint32_t)n;
		if (!c->left)
			channel_resume(c->channel);
	}
	if (c->guest_ended && !c->host_told) {
		c->host_told = true;
		(void)!shutdown(c->fd, SHUT_WR);
	}
	return true;
}

static int on_packet(void *ctx, struct channel *channel, const struct ring_packet *packet)
{
	const uint8_t *data = (const uint8_t *)packet->payload + HEADER;
	struct vmpipe_proto_header header;
	struct hvsock_conn *c = ctx;
	ssize_t n;

	if (packet->type == VM_PKT_COMP)
		return 0;
	if (packet->type != VM_PKT_DATA_INBAND || packet->payload_len < HEADER)
		return -EINVAL;
	memcpy(&header, packet->payload, sizeof(header));
	if (header.pkt_type != HVSOCK_PIPE_DATA || header.data_size > HVSOCK_MTU ||
	    header.data_size > packet->payload_len - HEADER)
		return -EINVAL;
	if (packet->wants_completion)
		channel_complete(channel, packet->trans_id, NULL, 0);
	/* After its end a guest has no more to say; and one that ends is not listened to. */
	if (c->state != HVSOCK_OPEN || c->guest_ended)
		return 0;
	if (header.data_size == 0) {
		c->guest_ended = true;
		hvsock_relay(c, false);
		return 0;
	}
	n = give(c, data, header.data_size);
	if (n < 0 && n != -EAGAIN) {
		hvsock_conn_end(c);
		return 0;
	}
	c->at = 0;
	c->left = header.data_size - (n > 0 ? (uint32_t)n : 0);
	memcpy(c->in, data + header.data_size - c->left, c->left);
	return 0;
}

/* One packet that the host has not taken whole is enough. */
static bool on_packet_ready(void *ctx, struct channel *channel)
{
	const struct hvsock_conn *c = ctx;

	return c->left == 0;
}

/* --- To the guest. --------------------------------------------------------------------------- */

/* What is in @out. False: not now. */
static bool flush_to_guest(struct hvsock_conn *c)
{
	const struct ring_message message = {
		.type = VM_PKT_DATA_INBAND,
		.payload = c->out,
		.payload_len = c->out_len,
	};
	int r;

	if (!c->out_len)
		return true;
	r = channel_send(c->channel, &message);
	c->full = r == -EAGAIN;
	if (r == -EMSGSIZE)
		channel_fail(c->channel, "the ring is too small for a packet");
	if (r < 0)
		return false;
	counter_add(&c->hvsock->counters.to_guest_bytes, c->out_len - HEADER);
	c->out_len = 0;
	return true;
}

static void compose(struct hvsock_conn *c, uint32_t len)
{
	const struct vmpipe_proto_header header = {.pkt_type = HVSOCK_PIPE_DATA, .data_size = len};

	memcpy(c->out, &header, sizeof(header));
	c->out_len = HEADER + len;
}

/* Reads a chunk into @out. False: there is none, or none any more. */
static bool read_chunk(struct hvsock_conn *c)
{
	ssize_t n = recv(c->fd, c->out + HEADER, HVSOCK_CHUNK, MSG_DONTWAIT);

	if (n > 0)
		compose(c, (uint32_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		c->host_ended = true;
	return n > 0;
}

static void tell_guest(struct hvsock_conn *c)
{
	if (!c->host_ended || c->guest_told || c->out_len)
		return;
	compose(c, 0);
	c->guest_told = true;
	(void)flush_to_guest(c);
}

static void read_from_host(struct hvsock_conn *c)
{
	unsigned int reads = 0;

	while (flush_to_guest(c) && !c->host_ended && reads++ < READS_MAX && read_chunk(c))
		;
	if (reads > READS_MAX)
		loop_timer_set(c->hvsock->config.loop, &c->timer, loop_now());
	tell_guest(c);
}

/* --- Both. ----------------------------------------------------------------------------------- */

void hvsock_relay(struct hvsock_conn *c, bool hung_up)
{
	c->hung_up |= hung_up;
	if (!flush_to_host(c)) {
		hvsock_conn_end(c);
		return;
	}
	read_from_host(c);
	/*
	 * Both ways are over; or nobody is at the other end to read either. The channel shows the
	 * guest what was sent at the end of the pass, and a guest that is told first that it is
	 * taken away does not look any more.
	 */
	if (is_over(c) || (c->hung_up && c->guest_told && !c->out_len))
		loop_defer(c->hvsock->config.loop, &c->over);
}

static void on_room(void *ctx, struct channel *channel)
{
	struct hvsock_conn *c = ctx;

	if (c->state == HVSOCK_OPEN)
		hvsock_relay(c, false);
}

/* --- The channel. ---------------------------------------------------------------------------- */

static int greet(struct hvsock_conn *c)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "OK %" PRIu32 "\n", c->host_port);

	/* Nothing was written to it before: there is room. */
	return send(c->fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL) == len ? 0 : -EPIPE;
}

static int on_open(void *ctx, struct channel *channel)
{
	struct hvsock_conn *c = ctx;
	struct hvsock_counters *counters = &c->hvsock->counters;

	if (c->state != HVSOCK_OFFERED)
		return -ECONNRESET;
	if (c->from_host && greet(c) < 0) {
		hvsock_conn_end(c);
		return -ECONNRESET;
	}
	counter_add(c->from_host ? &counters->from_host : &counters->from_guest, 1);
	c->channel = channel;
	c->state = HVSOCK_OPEN;
	if (!c->watching && hvsock_conn_watch(c) < 0)
		return -ENOMEM;
	/* There may be something already; and never from inside. */
	loop_timer_set(c->hvsock->config.loop, &c->timer, loop_now());
	return 0;
}

static void on_close(void *ctx, struct channel *channel)
{
	struct hvsock_conn *c = ctx;

	c->channel = NULL;
	channel_closed(channel);
	hvsock_conn_end(c);
}

const struct channel_ops hvsock_channel_ops = {
	.name = "hvsocket",
	.packet_max = sizeof(struct vmpacket_descriptor) + sizeof(struct vmpipe_proto_header) +
		      HVSOCK_MTU,
	.open = on_open,
	.ready = on_packet_ready,
	.packet = on_packet,
	.close = on_close,
	.room = on_room,
};
