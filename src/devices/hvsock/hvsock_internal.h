// SPDX-License-Identifier: MIT
/*
 * What the files of hvsocket share. Everything belongs to the bus' loop.
 */
#pragma once

#include <sys/types.h>

#include "devices/hvsock/hvsock.h"
#include "devices/hvsock/hvsock_name.h"
#include "devices/hvsock/hvsock_proto.h"
#include "vmbus/channel.h"
#include "vmm/log.h"
#include "vmm/loop.h"

/* Bytes sent to the guest in a packet: less than it takes, so that a small ring holds some. */
#define HVSOCK_CHUNK 8192u

enum hvsock_state {
	HVSOCK_ASKING,  /* the host's client is to say what it wants */
	HVSOCK_OFFERED, /* the guest is to open the channel */
	HVSOCK_OPEN,
	HVSOCK_ENDING, /* being taken apart */
};

/* A connection. */
struct hvsock_conn {
	struct hvsock *hvsock;
	struct hvsock_conn *prev, *next;
	enum hvsock_state state;
	bool from_host;
	uint32_t host_port;          /* of one from the host */
	struct vmbus_device *device; /* NULL: not yet, or not any more */
	struct channel *channel;     /* while open */
	int fd;
	struct loop_fd watch;
	bool watching;
	struct loop_deferred over; /* both ways are: it ends once the guest has been shown that */
	struct loop_timer timer;   /* patience; then, when there is more to read than fits a pass */

	char line[HVSOCK_LINE_MAX]; /* what the client asks for, so far */
	size_t line_len;

	/* From the guest. */
	bool guest_ended;  /* it will send no more */
	bool host_told;    /* and the host's end has been told */
	uint32_t left, at; /* bytes of @in from @at that the host has not taken */
	/* To the guest. */
	bool host_ended;  /* the host will send no more */
	bool hung_up;     /* nor will it read any more */
	bool guest_told;  /* and the guest has been told */
	bool full;        /* the ring had no room for @out */
	uint32_t out_len; /* of @out; 0: it is empty */

	uint8_t in[HVSOCK_MTU];
	uint8_t out[sizeof(struct vmpipe_proto_header) + HVSOCK_CHUNK];
};

struct hvsock {
	struct hvsock_config config;
	char *path;
	int listener;
	struct loop_fd watch;
	struct loop_timer accept_retry;
	/* What was made at the path, to remove only that. */
	bool bound;
	dev_t dev;
	ino_t ino;
	struct hvsock_conn conns; /* sentinel */
	unsigned int count;
	uint32_t last_port; /* of the host's, for connections that it made */
	struct log_limit log;
	struct hvsock_counters counters;
};

/* --- hvsock_conn.c. -------------------------------------------------------------------------- */

/* One more, on @fd, which it takes over; NULL: no memory, and it is closed. */
struct hvsock_conn *hvsock_conn_create(struct hvsock *hvsock, int fd, bool from_host);
/* Takes it apart; it is freed later. */
void hvsock_conn_end(struct hvsock_conn *conn);
/* Offers its channel to the guest. Ends it when that fails. */
int hvsock_conn_offer(struct hvsock_conn *conn, const struct vmbus_guid *service,
		      const struct vmbus_guid *instance) must_check;
/* Watches its socket. Ends it when that fails. */
int hvsock_conn_watch(struct hvsock_conn *conn) must_check;
/* Frees it at once; nothing runs any more. */
void hvsock_conn_free(struct hvsock_conn *conn);

/* --- hvsock_relay.c. ------------------------------------------------------------------------- */

extern const struct channel_ops hvsock_channel_ops;
/* There may be something to do for either direction. May end the connection. */
void hvsock_relay(struct hvsock_conn *conn, bool hung_up);

/* --- hvsock.c. ------------------------------------------------------------------------------- */

/* What a client of the host says first. */
void hvsock_asked(struct hvsock_conn *conn);
