// SPDX-License-Identifier: MIT
/*
 * A guest with a balloon driver, on channel_fake.h: for the tests of src/devices/balloon*.c and
 * their fuzz target. Failures of its own are asserted.
 */
#pragma once

#include "channel_fake.h"
#include "devices/balloon.h"
#include "devices/dm_proto.h"

struct balloon_fake {
	struct vmbus bus;
	struct loop *loop;
	struct mem *mem;
	struct balloon *balloon;
	struct channel *channel;
	bool grow_fails;
	unsigned int settled, refused;
	unsigned int seen; /* of the messages sent */
	uint64_t message[FAKE_PAYLOAD / sizeof(uint64_t)];
};

/* 512 MiB, of 256 MiB to 1 GiB. Nothing is open. */
void balloon_fake_init(struct balloon_fake *f, uint64_t grace_ns, uint64_t answer_ns);
void balloon_fake_finish(struct balloon_fake *f);
/* Opens the channel, and goes through the negotiation as Linux does. */
void balloon_fake_start(struct balloon_fake *f, uint32_t version);

/* Sends a message of @len bytes, header and all; as channel_fake_send(). */
int balloon_fake_send(struct balloon_fake *f, uint16_t type, const void *message, size_t len);
/* The host's next message, which must be there: FAKE_PAYLOAD bytes, until the one after it. */
const void *balloon_fake_next(struct balloon_fake *f, uint16_t type);
bool balloon_fake_silent(const struct balloon_fake *f);

void balloon_fake_report(struct balloon_fake *f, uint64_t available, uint64_t committed);
/* Gives @count ranges, and tells that more follow, or not. */
int balloon_fake_give(struct balloon_fake *f, const uint64_t *ranges, unsigned int count,
		      bool more);
/* One range of @pages from page @start on. */
uint64_t balloon_fake_range(uint64_t start, uint64_t pages);
/* As Linux: a range of 2 MiB each, from page @start on, for the request that has come. */
void balloon_fake_take(struct balloon_fake *f, uint64_t start);
int balloon_fake_added(struct balloon_fake *f, uint32_t pages, uint32_t result);
int balloon_fake_given(struct balloon_fake *f);

/* One pass of the loop. */
void balloon_fake_pass(struct balloon_fake *f);
struct balloon_state balloon_fake_state(const struct balloon_fake *f);
