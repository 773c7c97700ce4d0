// SPDX-License-Identifier: MIT
/*
 * The control plane of VMBus: versions, offers, GPADLs, opening and closing of channels.
 *
 * A pure state machine: the guest's messages and the host's requests go in, messages to the guest
 * and requests to devices come out through `struct vmbus_server_ops`. It knows no SynIC, no loop
 * and no ring; nothing blocks. What waits for the guest to read its messages waits as a mark on
 * the thing it is about, or in a short list that must have room before a message is taken; so
 * nothing that the guest does or omits makes us store more.
 *
 * The guest is hostile: a message that is malformed, not due, or not of the agreed version is
 * counted and, where the protocol has an answer for it, refused.
 *
 * Threads: everything here belongs to one thread, the control plane's loop.
 */
#pragma once

#include "vmbus/gpadl.h"
#include "vmbus/vmbus_proto.h"
#include "vmm/counter.h"

/* Limits on what a guest or the host's devices can make us hold. */
#define VMBUS_OFFERS_MAX    VMBUS_RELID_MAX /* registered, rescinded ones included */
#define VMBUS_TL_MAX        16u             /* hvsocket requests that the host is thinking about */
#define VMBUS_TEARDOWNS_MAX 4096u           /* GPADLs that go once nobody holds them */
#define VMBUS_FEATURES_KNOWN                                                                       \
	(VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS | VMBUS_FEATURE_CLIENT_ID |                         \
	 VMBUS_FEATURE_PAUSE_RESUME)

struct vmbus_server;
struct vmbus_offer;

struct vmbus_server_config {
	struct mem *mem;
	struct gpadl_limits gpadl_limits;
	unsigned int vp_count; /* VPs are 0 .. vp_count - 1 */
	uint32_t max_version;  /* 0: the highest there is. A guest that asks for more is refused. */
	/*
	 * Of VMBUS_FEATURES_KNOWN, those to grant from version 6.0 on. With GUEST_SIGNAL_PARAMETERS
	 * the transport has to honour connection ids and event flags that the guest chose.
	 */
	uint32_t features;
};

/* What was agreed on with the guest. */
struct vmbus_connection {
	uint32_t version;
	uint32_t features;
	unsigned int target_vp; /* messages go here */
	unsigned int sint;
	uint64_t interrupt_page; /* before 2.4: where event flags go instead of the SynIC; else 0 */
	uint64_t monitor_page[2];    /* as the guest gave them: host to guest, guest to host */
	struct vmbus_guid client_id; /* zero unless told */
};

/* How to open a channel. */
struct vmbus_open {
	uint32_t relid; /* also the channel's name in the table of GPADLs */
	uint32_t ring_gpadl;
	uint32_t downstream_page; /* host-to-guest ring begins here; checked */
	uint32_t target_vp;       /* to interrupt, or VMBUS_VP_INTERRUPT_DISABLED; checked */
	uint32_t connection_id;   /* the guest signals this */
	uint16_t event_flag;      /* the host signals this */
	bool reserved;            /* stays open when the guest disconnects */
	uint8_t user_data[VMBUS_USER_DATA_SIZE];
};

/*
 * Effects. All mandatory except where said. They may call anything in this file from inside except
 * vmbus_server_message(), vmbus_server_reset() and vmbus_server_destroy(); send() may call nothing.
 */
struct vmbus_server_ops {
	/*
	 * Sends a message to VP @vp, one that exists. False: it could not be taken now;
	 * vmbus_server_flush() has to be called when it may be tried again.
	 */
	bool (*send)(void *ctx, unsigned int vp, unsigned int sint, const void *message,
		     size_t len);
	/* A version is agreed on; and: the connection has ended, its channels are closed. */
	void (*connected)(void *ctx, const struct vmbus_connection *connection);
	void (*disconnected)(void *ctx);
	/* The guest is done with VMBus of its own accord. May be NULL. */
	void (*unloaded)(void *ctx);
	/* vmbus_server_reset() is done. May be NULL when that is never called. */
	void (*reset_done)(void *ctx);

	/*
	 * Opens the device's end; once vmbus_offer_opened() must follow, from inside or later.
	 * @open is of this call only. The ring's GPADL exists now, but is not held.
	 */
	void (*open)(void *ctx, struct vmbus_offer *offer, const struct vmbus_open *open);
	/* Closes what was opened: drain, put all GPADLs, then once vmbus_offer_closed(). */
	void (*close)(void *ctx, struct vmbus_offer *offer);
	/* Interrupts go to @vp from now on; then vmbus_offer_modified(), unless close() came. */
	void (*modify)(void *ctx, struct vmbus_offer *offer, unsigned int vp);
	/* The memory of an offer that was revoked is its owner's again. */
	void (*released)(void *ctx, struct vmbus_offer *offer);
	/* The guest wants a GPADL back that is held: let go of it if that can be. May be NULL. */
	void (*gpadl_wanted)(void *ctx, struct vmbus_offer *offer, uint32_t gpadl);

	/*
	 * The guest connects to a hvsocket service. 0: an offer or vmbus_server_tl_result(@id) will
	 * follow; -errno: refused. NULL: there are no services.
	 */
	int (*tl_connect)(void *ctx, uint32_t id, const struct vmbus_guid *endpoint,
			  const struct vmbus_guid *service, const struct vmbus_guid *silo);
};

struct vmbus_server_counters {
	struct counter received;
	struct counter sent;
	struct counter blocked;    /* sends put off, the guest has not read the one before */
	struct counter busy;       /* messages not taken yet because answers are waiting */
	struct counter short_;     /* messages shorter than their type */
	struct counter unknown;    /* of no type there is, or of one that only hosts send */
	struct counter unexpected; /* not of the agreed version, or not while (dis)connected */
	struct counter invalid;    /* a channel, GPADL or VP there is not, or a request not due */
	struct counter contacts;
	struct counter refused_versions;
	struct counter unloads;
	struct counter offers;
	struct counter rescinds;
	struct counter opens;
	struct counter open_failures;
	struct counter closes;
	struct counter modifies;
	struct counter gpadl_failures;
	struct counter tl_requests;
	struct counter tl_refusals;
};

/* @config and @ops are copied, @ctx goes to every effect. -ENOMEM; -EINVAL for GPADL limits. */
int vmbus_server_create(const struct vmbus_server_config *config,
			const struct vmbus_server_ops *ops, void *ctx,
			struct vmbus_server **ret) must_check;
/* No channel may be open, and nothing may hold a GPADL. NULL is fine. */
void vmbus_server_destroy(struct vmbus_server *server);

const struct vmbus_server_counters *vmbus_server_counters(const struct vmbus_server *server);
struct gpadl_table *vmbus_server_gpadls(struct vmbus_server *server);
/* NULL while no guest is connected. */
const struct vmbus_connection *vmbus_server_connection(const struct vmbus_server *server);

/*
 * A message of the guest (a private copy of its payload) that came on message connection
 * @connection_id. 0: taken, whatever became of it. -EAGAIN: answers to earlier ones are waiting;
 * hand it in again, before any other, after vmbus_server_flush().
 */
int vmbus_server_message(struct vmbus_server *server, uint32_t connection_id, const void *message,
			 size_t len) must_check;

/* Goes on sending what waits. True when nothing waits for the guest to read messages any more. */
bool vmbus_server_flush(struct vmbus_server *server);

/* The machine is reset: closes everything and forgets the guest, then reset_done(). */
void vmbus_server_reset(struct vmbus_server *server);

/* Refuses a hvsocket request, or with @status 0 notes that it was served by an offer. */
void vmbus_server_tl_result(struct vmbus_server *server, uint32_t id, uint32_t status);

/* --- Offers. ------------------------------------------------------------------------------- */

struct vmbus_offer_config {
	struct vmbus_guid class_id;
	struct vmbus_guid instance_id;
	uint16_t flags; /* VMBUS_CHANNEL_* */
	uint16_t mmio_megabytes;
	uint16_t mmio_megabytes_optional;
	uint16_t sub_channel_index; /* 0: the primary channel */
	uint8_t user_data[VMBUS_USER_DATA_SIZE];
};

/* What the guest knows of an offer. */
enum vmbus_offer_guest {
	/* Nothing, or not any more: it was not told yet, gave the relid back, or disconnected. */
	VMBUS_OFFER_UNKNOWN,
	/* It has the offer and its relid, or the offer is on its way. */
	VMBUS_OFFER_MADE,
	/* It has been told that the channel is gone, and has not given the relid back yet. */
	VMBUS_OFFER_RESCINDED,
};

/* What the device's end of the channel does. */
enum vmbus_offer_device {
	/* Nothing; the guest may open it. */
	VMBUS_DEVICE_CLOSED,
	/* It was asked to open and has not answered; if need be it is closed right after. */
	VMBUS_DEVICE_OPENING,
	/* It serves the channel. */
	VMBUS_DEVICE_OPEN,
	/* It was asked to close and is draining; the guest may have asked to open it again. */
	VMBUS_DEVICE_CLOSING,
};

/* A channel as the control plane sees it; in its owner's memory, who reads no more than @relid. */
struct vmbus_offer {
	struct vmbus_server *server;
	struct vmbus_offer *prev, *next; /* of all, in the order of registration */
	struct vmbus_offer_config config;
	uint32_t relid; /* 0: none. Kept until guest and device are both done with it. */
	enum vmbus_offer_guest guest;
	enum vmbus_offer_device device;
	uint8_t pending; /* messages to send: bits of server_internal.h */
	bool waiting;    /* to be offered once its revoked predecessor is gone */
	bool revoked;
	bool close_wanted; /* while opening */
	bool reopen;       /* while closing: @request is to be served then */
	bool reserved;     /* open as a reserved channel; answers go to the next two */
	bool survivor;     /* a reserved channel whose connection is gone */
	unsigned int reserved_vp, reserved_sint;
	bool modifying;
	bool modify_again; /* to @modify_vp */
	uint32_t modify_vp;
	uint32_t modify_status;
	uint32_t openid, open_status;
	uint32_t deferred; /* GPADLs whose teardown waits */
	uint32_t request_openid;
	struct vmbus_open request;
};

/*
 * Registers a channel: offered at once when the guest has asked for offers, else when it does. The
 * order of registration is that of the relids, which guests like to find again. -EEXIST: there is
 * such an instance and sub-channel; -ENOENT: a sub-channel without primary; -ENOSPC: too many.
 */
int vmbus_server_offer(struct vmbus_server *server, struct vmbus_offer *offer,
		       const struct vmbus_offer_config *config) must_check;

/*
 * Takes a channel away: rescinded, closed if need be, and when the guest and the device are done
 * with it released(), which may be from inside. A second time does nothing.
 */
void vmbus_offer_revoke(struct vmbus_offer *offer);

/* What the guest signals, unless it chose another: distinct for each relid, and no message's. */
uint32_t vmbus_offer_connection_id(const struct vmbus_offer *offer);

/* Answers to open() (VMBUS_STATUS_*), close(), modify(). */
void vmbus_offer_opened(struct vmbus_offer *offer, uint32_t status);
void vmbus_offer_closed(struct vmbus_offer *offer);
void vmbus_offer_modified(struct vmbus_offer *offer, uint32_t status);
