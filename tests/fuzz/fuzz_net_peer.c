// SPDX-License-Identifier: MIT
/*
 * Fuzzes what another process may send to a NIC: the input says what the guest takes and how much
 * room it has, and then one message after another. Beyond not crashing:
 *
 *   - no frame is longer than the room for it, nor shorter than an Ethernet header;
 *   - its header asks for nothing that the guest has not agreed to, and what it says of checksums
 *     and segments lies inside the frame;
 *   - one message gives a bounded number of frames.
 *
 * Input: a byte of offloads, two of room, then messages: two bytes of length, and so many bytes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/net/net_peer.h"

#define FRAMES_MAX 2000 /* of one message */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static struct net_peer peer;
static struct net_queue *queue;
static int other;
static uint8_t buffer[NET_FRAME_MAX];

static void require(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void on_gone(struct net_peer *p)
{
}

static const struct net_peer_ops peer_ops = {.gone = on_gone, .destroy = on_gone};

static void on_readable(void *ctx, struct net_queue *q)
{
}

static const struct net_queue_ops queue_ops = {.readable = on_readable};

/* Once; the loop never runs, since frames are taken at once. */
static void set_up(void)
{
	struct error err;
	int fds[2];

	if (loop)
		return;
	require(loop_create(0, &err, &loop) == 0, "no loop");
	require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds) == 0, "no sockets");
	net_peer_enlarge_buffer(fds[1]);
	other = fds[1];
	net_peer_init(&peer, &peer_ops, 1500);
	net_peer_connected(&peer, fds[0]);
	require(net_queue_start(&peer.backend, 0, loop, &queue_ops, NULL, &err, &queue) == 0,
		"no queue");
}

static void check_frame(const struct virtio_net_hdr_v1 *header, int64_t len, size_t room,
			const struct net_offloads *offloads)
{
	const bool partial = header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;

	require(len >= 14 && (uint64_t)len <= room, "a length");
	require(!(header->flags & ~(VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID)),
		"flags");
	require(!header->flags || offloads->checksum, "a checksum that was not agreed upon");
	require(!partial || header->csum_start + header->csum_offset + 2 <= len, "csum_start");
	require(!partial || (header->hdr_len > 14 && header->hdr_len <= len), "hdr_len");
	switch (header->gso_type) {
	case VIRTIO_NET_HDR_GSO_NONE:
		require(header->gso_size == 0, "a size without segments");
		return;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		require(offloads->tso4, "TSO of IPv4");
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		require(offloads->tso6, "TSO of IPv6");
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		require(offloads->uso, "USO");
		break;
	default:
		require(false, "a kind of segments");
	}
	require(partial && header->gso_size > 0 && header->hdr_len < len, "segments");
}

static void take_all(size_t room, const struct net_offloads *offloads)
{
	const struct iovec iov[] = {{buffer, room / 2}, {buffer + room / 2, room - room / 2}};
	struct virtio_net_hdr_v1 header;
	int64_t len;

	for (unsigned int i = 0;; i++) {
		require(i < FRAMES_MAX, "no end of frames");
		len = net_queue_receive(queue, &header, iov, 2);
		if (len == -EAGAIN)
			return;
		if (len < 0)
			require(len == -EPROTO || len == -EMSGSIZE, "an error");
		else
			check_frame(&header, len, room, offloads);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct net_offloads offloads;
	size_t room;

	set_up();
	if (size < 3)
		return 0;
	offloads = (struct net_offloads){.checksum = data[0] & 1,
					 .tso4 = (data[0] & 3) == 3,
					 .tso6 = (data[0] & 5) == 5,
					 .uso = (data[0] & 9) == 9};
	room = 64 + (size_t)(data[1] << 8 | data[2]) % (NET_FRAME_MAX - 63);
	net_backend_set_offloads(&peer.backend, &offloads);
	data += 3;
	size -= 3;
	while (size >= 2) {
		const size_t len = min_of((size_t)(data[0] << 8 | data[1]), size - 2);

		/* An empty message is what the end looks like. */
		if (len > 0 && write(other, data + 2, len) == (ssize_t)len)
			take_all(room, &offloads);
		data += 2 + len;
		size -= 2 + len;
	}
	return 0;
}
