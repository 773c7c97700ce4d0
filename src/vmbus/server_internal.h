// SPDX-License-Identifier: MIT
/*
 * What the files of the control plane share; vmbus/server.h says what it is and whose thread.
 */
#pragma once

#include "vmbus/server.h"

#define VMBUS_REPLIES_MAX 8u
#define VMBUS_REPLY_SIZE  sizeof(struct vmbus_channel_tl_connect_result) /* the longest */
#define VMBUS_SINTS       16u
#define VMBUS_RELID_WORDS ((VMBUS_RELID_MAX + 64u) / 64u)

enum vmbus_server_state {
	/* No guest: only INITIATE_CONTACT and CLOSERESERVED are listened to. */
	VMBUS_DISCONNECTED,
	/* A guest and we have agreed on a version: every message that it knows may come. */
	VMBUS_CONNECTED,
	/* The connection has ended, devices are still closing: what comes next waits for that. */
	VMBUS_DISCONNECTING,
};

/* What follows a disconnect. */
enum vmbus_server_next { VMBUS_NEXT_CONTACT, VMBUS_NEXT_UNLOAD, VMBUS_NEXT_RESET };

/* Messages that wait on an offer, in the order in which they go out. */
enum {
	VMBUS_PENDING_OFFER = 1 << 0,
	VMBUS_PENDING_OPEN_RESULT = 1 << 1,
	VMBUS_PENDING_MODIFY_RESPONSE = 1 << 2,
	VMBUS_PENDING_CLOSE_RESERVED = 1 << 3,
	VMBUS_PENDING_RESCIND = 1 << 4,
};

/* An INITIATE_CONTACT, once understood. */
struct vmbus_contact {
	struct vmbus_connection connection; /* as asked for */
	bool refuse;                        /* whatever the version */
};

/* An answer to a message of the guest. */
struct vmbus_reply {
	unsigned int vp, sint;
	size_t len;
	uint8_t message[VMBUS_REPLY_SIZE];
};

struct vmbus_tl_request {
	uint32_t id; /* 0: free */
	bool done;   /* @status is to be sent */
	uint32_t status;
	struct vmbus_guid endpoint, service;
};

/* A message, copied to where its fields are aligned. */
union vmbus_message {
	struct vmbus_channel_message_header header;
	struct vmbus_channel_initiate_contact contact;
	struct vmbus_channel_initiate_contact2 contact2;
	struct vmbus_channel_relid relid;
	struct vmbus_channel_open_channel open;
	struct vmbus_channel_open_channel2 open2;
	struct vmbus_channel_open_reserved open_reserved;
	struct vmbus_channel_close_reserved close_reserved;
	struct vmbus_channel_modifychannel modify;
	struct vmbus_channel_gpadl_header gpadl_header;
	struct vmbus_channel_gpadl_body gpadl_body;
	struct vmbus_channel_gpadl_teardown gpadl_teardown;
	struct vmbus_channel_tl_connect_request tl;
	struct vmbus_channel_tl_connect_request2 tl2;
	uint8_t bytes[VMBUS_MESSAGE_SIZE_MAX];
};

struct vmbus_server {
	struct vmbus_server_config config;
	struct vmbus_server_ops ops;
	void *ctx;
	struct gpadl_table *gpadls;
	struct vmbus_server_counters counters;

	enum vmbus_server_state state;
	enum vmbus_server_next next;  /* while disconnecting */
	struct vmbus_contact contact; /* with VMBUS_NEXT_CONTACT */
	bool told_connected;          /* disconnected() is due */
	struct vmbus_connection connection;
	bool offers_requested;
	bool offers_delivered_pending;
	bool paused; /* by the guest: only answers given before go out */

	struct vmbus_offer *first, *last;
	unsigned int offer_count;
	struct vmbus_offer *by_relid[VMBUS_RELID_MAX + 1];
	uint64_t relids[VMBUS_RELID_WORDS];  /* those in use, and 0 */
	uint64_t pending[VMBUS_RELID_WORDS]; /* offers, by relid, with something to send */

	struct vmbus_reply replies[VMBUS_REPLIES_MAX]; /* oldest first */
	unsigned int reply_count;

	/* GPADLs to report as torn down, a queue; and how many more may come. */
	uint32_t torn_down[VMBUS_TEARDOWNS_MAX];
	unsigned int torn_down_first, torn_down_count;
	unsigned int deferred;

	struct vmbus_tl_request tl[VMBUS_TL_MAX];
	uint32_t tl_last_id;
};

/*
 * Handlers of messages: the message is at least as long as its row says, the bytes behind @len are
 * 0. False: it was not right; the dispatcher counts it.
 */
typedef bool vmbus_handler(struct vmbus_server *s, const union vmbus_message *m, size_t len);

vmbus_handler vmbus_on_request_offers, vmbus_on_relid_released;
vmbus_handler vmbus_on_open, vmbus_on_close, vmbus_on_modify;
vmbus_handler vmbus_on_open_reserved, vmbus_on_close_reserved;
vmbus_handler vmbus_on_gpadl_header, vmbus_on_gpadl_body, vmbus_on_gpadl_teardown;
vmbus_handler vmbus_on_tl_connect, vmbus_on_unload;
bool vmbus_on_contact(struct vmbus_server *s, uint32_t connection_id, const union vmbus_message *m,
		      size_t len);

/* server_send.c. There is room for one reply to the message in hand. */
void vmbus_reply(struct vmbus_server *s, const void *message, size_t len);
void vmbus_reply_to(struct vmbus_server *s, unsigned int vp, unsigned int sint, const void *message,
		    size_t len);
void vmbus_set_pending(struct vmbus_offer *o, uint8_t bits);
void vmbus_clear_pending(struct vmbus_offer *o);
void vmbus_drop_outgoing(struct vmbus_server *s);

/* server_version.c: goes on with a disconnect if nothing is left to wait for. */
void vmbus_settle(struct vmbus_server *s);

/* server_offer.c. */
/* The offer that the guest means by @relid: one it was told of, rescinded or not; or NULL. */
struct vmbus_offer *vmbus_find_offer(struct vmbus_server *s, uint32_t relid);
/* Frees the relid and, of a revoked offer, the memory, if guest and device are done. */
void vmbus_settle_offer(struct vmbus_offer *o);
/* The guest is done with a reserved channel of a connection before this one: offers it anew. */
void vmbus_renew_offer(struct vmbus_offer *o);
/* All offers are forgotten and closed: the guest has gone. Reserved ones only @with_reserved. */
void vmbus_forget_offers(struct vmbus_server *s, bool with_reserved);

/* server_channel.c: closes the device's end, now or as soon as it is open. */
void vmbus_close_device(struct vmbus_offer *o);

/* server_gpadl.c. */
void vmbus_gpadl_torn_down(void *ctx, uint32_t channel, uint32_t handle);
void vmbus_drop_gpadls(struct vmbus_offer *o);
