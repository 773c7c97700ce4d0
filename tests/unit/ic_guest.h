// SPDX-License-Identifier: MIT
/*
 * The guest's end of an integration service, on a channel that is only there in memory
 * (channel_fake.h), and a loop that runs as long as a test wants. One thread.
 */
#pragma once

#include "channel_fake.h"
#include "devices/ic/ic_proto.h"
#include "vmm/loop.h"

#define IC_GUEST_MS 20000u

struct ic_guest {
	struct vmbus bus;
	struct loop *loop;
	struct channel *channel; /* NULL: closed */
	unsigned int taken;      /* messages looked at */
	struct loop_timer stop;
	unsigned int ups; /* for tests' callbacks */
};

/* What the host asked; of the body, as much as the fake keeps. */
struct ic_guest_message {
	struct icmsg_hdr header;
	uint8_t body[FAKE_PAYLOAD];
	uint32_t len; /* with its headers */
};

void ic_guest_init(struct ic_guest *g);
/* The service may be destroyed after this. */
void ic_guest_finish(struct ic_guest *g);

/* Opens the channel; the host's first message is there then. */
void ic_guest_open(struct ic_guest *g);
/* The same, and agrees on @version, an IC_VERSION(). */
void ic_guest_start(struct ic_guest *g, uint32_t version);
void ic_guest_close(struct ic_guest *g);

/* The next message of the host; false when there is none. */
bool ic_guest_next(struct ic_guest *g, struct ic_guest_message *ret);
/* Answers @message with another status and body; 0, or what the channel says. */
int ic_guest_answer(struct ic_guest *g, const struct ic_guest_message *message, uint32_t status,
		    const void *body, uint32_t len);
/* Any packet. */
int ic_guest_send(struct ic_guest *g, const void *payload, uint32_t len);
/* Agrees on versions, or what it is that @counts and versions say. */
int ic_guest_negotiate(struct ic_guest *g, const struct ic_guest_message *message, uint16_t counts,
		       uint32_t framework, uint32_t version);

/* Runs the loop for so long. */
void ic_guest_run(struct ic_guest *g, unsigned int ms);
/* Until @condition holds; whether it does, within IC_GUEST_MS. */
bool ic_guest_until(struct ic_guest *g, bool (*condition)(void *arg), void *arg);
