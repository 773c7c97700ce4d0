// SPDX-License-Identifier: MIT
/*
 * Headers of frames: what a network interface has to know of Ethernet, IP, TCP and UDP for the
 * offloads of its guest. Pure; any thread.
 */
#pragma once

#include <linux/virtio_net.h>
#include <sys/uio.h>

#include "vmm/base.h"

#define ETHERNET_HEADER 14u
#define VLAN_HEADER     4u

/* Private copies are so long at most: the headers of a frame with offloads have to fit. */
#define NETVSP_HEADERS_MAX 320u

/* What a guest wants done with a frame of its own, as RNDIS says it (rndis_proto.h). */
struct netvsp_wishes {
	bool checksum, large, vlan;
	uint32_t checksum_info, large_info, vlan_info;
};

/*
 * Makes the beginning of a frame of @frame_len bytes what the backend wants: addresses, VLAN tag,
 * lengths and checksums. @headers has room for NETVSP_HEADERS_MAX, and the frame's first @have
 * bytes: all of them, or at least NETVSP_HEADERS_MAX - VLAN_HEADER. *ret_consumed: so many bytes of
 * the frame are replaced by the first *ret_len of @headers. -EINVAL: the frame is not what the
 * guest says.
 */
int netvsp_headers_send(const struct netvsp_wishes *wishes, uint8_t *headers, uint32_t have,
			uint32_t frame_len, struct virtio_net_hdr_v1 *header,
			uint32_t *ret_consumed, uint32_t *ret_len) must_check;

/* What a frame that comes in carries; from its first @have bytes. */
struct netvsp_seen {
	bool vlan; /* a tag; then */
	uint16_t tci;
	bool ip4, ip6, tcp, udp;
};

#define NETVSP_LOOK 128u /* bytes that are enough for it */

void netvsp_headers_look(const uint8_t *frame, uint32_t have, struct netvsp_seen *ret);

/*
 * Fills in the checksum that @header says is missing, of a frame that is the first @len bytes of
 * @iov. False: it lies outside.
 */
bool netvsp_headers_checksum(const struct virtio_net_hdr_v1 *header, const struct iovec *iov,
			     unsigned int count, uint64_t len);
