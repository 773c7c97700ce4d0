// SPDX-License-Identifier: MIT
/*
 * A guest, devices and a host around the control plane of VMBus: what it sends is recorded,
 * devices answer at once or when told to. Used by the tests of src/vmbus/server*.c and by
 * fuzz_server, so its own checks are asserts.
 */
#pragma once

#include "vmbus/guid.h"
#include "vmbus/server_internal.h"

#define FAKE_VPS    4u
#define FAKE_SENT   4200u
#define FAKE_MEM    MiB(4)
#define FAKE_NEVER  UINT32_MAX
#define FAKE_OFFERS (VMBUS_OFFERS_MAX + 1)

struct fake_message {
	unsigned int vp, sint;
	size_t len;
	union vmbus_message m;
};

struct fake_channel {
	struct vmbus_offer offer;
	bool registered;
	bool slow;            /* answers come by fake_opened() and so on */
	bool keep_gpadl;      /* holds the ring's GPADL while open */
	bool revoke_on_close; /* as a primary does with its sub-channels: @revoke */
	struct fake_channel *revoke;
	uint32_t open_status; /* what a quick device answers */
	unsigned int opens, closes, modifies, releases;
	bool open_due, close_due;
	unsigned int modify_due;
	uint32_t modify_vp;
	struct vmbus_open open;
	struct gpadl *held;
};

struct fake_bus {
	struct mem *mem;
	bool own_mem;
	struct vmbus_server *s;
	struct fake_channel *channels; /* FAKE_OFFERS of them */
	unsigned int used;             /* those from here on never were registered */
	struct fake_message sent[FAKE_SENT];
	unsigned int count, read; /* messages sent, and looked at */
	uint32_t room;            /* that the guest's slot has; FAKE_NEVER: always some */
	unsigned int connected, disconnected, unloaded, resets, wanted, tls;
	struct vmbus_connection connection;
	bool tl_accept;
	uint32_t tl_id;
	struct vmbus_guid tl_silo;
};

/* With memory of its own unless @config has some. */
struct fake_bus *fake_create(const struct vmbus_server_config *config);
/* With the defaults: FAKE_VPS, every version, every feature. @mem as above. */
struct fake_bus *fake_create_with(struct mem *mem);
struct fake_bus *fake_create_default(void);
struct mem *fake_mem(void);
/* As the machine's end does: everything is closed first. */
void fake_destroy(struct fake_bus *bus);

/* Registers channel @n: class "n / 16", so that 16 neighbours differ by instance only. */
int fake_offer(struct fake_bus *bus, unsigned int n, uint16_t sub_channel_index);
void fake_config(unsigned int n, uint16_t sub_channel_index, struct vmbus_offer_config *ret);
/* Answers of slow devices; nothing is done that is not due. */
void fake_opened(struct fake_channel *c, uint32_t status);
void fake_closed(struct fake_channel *c);
void fake_modified(struct fake_channel *c, uint32_t status);

/* The guest posts. */
int fake_post(struct fake_bus *bus, const void *message, size_t len);
int fake_post_on(struct fake_bus *bus, uint32_t connection_id, const void *message, size_t len);
int fake_header(struct fake_bus *bus, uint32_t type);
int fake_relid(struct fake_bus *bus, uint32_t type, uint32_t relid); /* of a relid alone */
int fake_contact(struct fake_bus *bus, uint32_t version);
int fake_contact_features(struct fake_bus *bus, uint32_t version, uint32_t features);
int fake_gpadl(struct fake_bus *bus, uint32_t relid, uint32_t handle, uint64_t page,
	       unsigned int pages);
int fake_teardown(struct fake_bus *bus, uint32_t relid, uint32_t handle);
int fake_open(struct fake_bus *bus, uint32_t relid, uint32_t gpadl, uint32_t vp);
int fake_modify(struct fake_bus *bus, uint32_t relid, uint32_t vp);

/* The next message that was sent and not looked at, or NULL. */
const struct fake_message *fake_next(struct fake_bus *bus);
/* True when the next message is of @type (and is taken). */
bool fake_expect(struct fake_bus *bus, uint32_t type);
bool fake_silent(const struct fake_bus *bus);
void fake_skip(struct fake_bus *bus);

/* Connected with @version, offers asked for and read. */
void fake_connect(struct fake_bus *bus, uint32_t version);
/* As that, and channel 0 offered and open with GPADL 1 of 8 pages from page 16 on, VP 1. */
void fake_connect_open(struct fake_bus *bus, uint32_t version);

/* What always holds, between calls. */
void fake_check(const struct fake_bus *bus);
