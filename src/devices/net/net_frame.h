// SPDX-License-Identifier: MIT
/*
 * Ethernet frames with a virtio network header that somebody made whom we do not trust: is the
 * header true, and what it leaves to be done (checksums, splitting a large frame) in software.
 *
 * Pure functions over bytes that nobody changes meanwhile; any thread. RFC 791, 768, 793, 8200, and
 * 5.1.6 of the virtio specification for the header.
 */
#pragma once

#include <sys/uio.h>

#include "devices/net/net_backend.h"

/* So many bytes at the beginning of a frame tell all that is looked at. */
#define NET_FRAME_HEAD 256u

struct net_frame {
	uint16_t network;   /* offset of the IP header; 0: this is not IP */
	uint16_t transport; /* of the TCP or UDP header; 0: neither, or not the first fragment */
	uint16_t payload;   /* behind that */
	uint8_t version;    /* 4 or 6 */
	uint8_t protocol;   /* IPPROTO_TCP, IPPROTO_UDP */
};

/*
 * Looks at the first @head_len bytes (at most NET_FRAME_HEAD matter) of a frame of @len. -EPROTO:
 * it is cut off, or contradicts itself. What is not IP, or IP with something unknown in it, is
 * fine.
 */
int net_frame_parse(const uint8_t *head, size_t head_len, uint32_t len,
		    struct net_frame *ret) must_check;

/*
 * Does the header of a frame of @len bytes, which begins with @head, say nothing but what is true?
 * Makes header->hdr_len what it should be. -EPROTO.
 */
int net_frame_check(struct virtio_net_hdr_v1 *header, const uint8_t *head, size_t head_len,
		    uint32_t len) must_check;

/*
 * Does what @header has left to be done but for the splitting: lengths in the IP header of a large
 * frame, and checksums. @header has been checked, and is empty afterwards.
 */
void net_frame_finish(struct virtio_net_hdr_v1 *header, uint8_t *frame, uint32_t len);

/* --- A large frame in pieces. ---------------------------------------------------------------- */

struct net_splitter {
	uint8_t *frame; /* NULL: none; the caller's, and changed by this */
	uint32_t len;
	struct virtio_net_hdr_v1 header;
	struct net_frame where;
	uint32_t next;     /* payload that has been given out */
	uint32_t size;     /* of a piece's payload; 0: it is given out as one frame */
	uint32_t sequence; /* TCP: of the first byte */
	uint16_t id;       /* IPv4: of the first piece */
	uint8_t flags;     /* TCP: of the whole */
};

/*
 * Begins with @frame, whose @header has been checked: what @offloads do not have is done before it
 * is given out.
 */
void net_splitter_begin(struct net_splitter *s, const struct virtio_net_hdr_v1 *header,
			uint8_t *frame, uint32_t len, const struct net_offloads *offloads);

/*
 * The next frame into @iov: its length, or -ENODATA: there is none; -EMSGSIZE: it is longer than
 * @iov, and the rest is dropped.
 */
int64_t net_splitter_next(struct net_splitter *s, struct virtio_net_hdr_v1 *header,
			  const struct iovec *iov, unsigned int iov_count) must_check;
