// SPDX-License-Identifier: MIT
/*
 * A device that does what the guest's packets tell it, for tests of channels: the payload begins
 * with an operation and its argument.
 *
 * Functions are the test thread's. Counters may be read at any time.
 */
#pragma once

#include "bus_guest.h"

#define ECHO_CHANNELS       8u /* 7 sub-channels */
#define ECHO_HELD           64u
#define ECHO_PACKET_MAX     1024u
#define ECHO_COMPLETION_MAX 512u
#define ECHO_MESSAGE_LEN    256u

enum echo_operation {
	ECHO_ANSWER, /* completes with the payload as it is, as far as it fits */
	ECHO_HOLD,   /* completes when echo_release() says so */
	ECHO_BAD,    /* a violation */
	ECHO_FAIL,   /* calls channel_fail() */
	ECHO_SEND,   /* sends as many messages as the argument says, as there is room */
	ECHO_SUBS,   /* has as many sub-channels offered as the argument says */
	ECHO_STOP,   /* not ready after this one, until echo_resume() */
	ECHO_PAUSE,  /* as ECHO_STOP, and resumes from inside */
	ECHO_WAIT,   /* stands still until echo_go_on(); then as ECHO_SUBS */
};

struct echo_request {
	uint32_t operation;
	uint32_t argument;
	uint8_t data[ECHO_PACKET_MAX]; /* as many as the guest likes */
};

struct echo_channel {
	struct channel *channel; /* NULL: not open */
	uint64_t held[ECHO_HELD];
	unsigned int held_count;
	uint32_t to_send;
	bool stopped;
	bool closing;
};

struct echo_device {
	struct bus_guest *guest;
	struct loop_thread *thread;
	struct channel_ops ops;
	struct vmbus_device *device;
	unsigned int subs; /* at most */
	struct echo_channel channels[ECHO_CHANNELS];
	unsigned int index; /* argument of what runs on the device's loop */
	_Atomic int open_result;
	_Atomic bool slow_close;
	_Atomic uint64_t packets, opens, closes, rooms, removals;
	sem_t go_on;
};

/*
 * Adds device @n of its kind with @subs sub-channels at most; @thread: whose loop it runs on, NULL
 * for the bus'.
 */
void echo_create(struct echo_device *e, struct bus_guest *g, unsigned int n, unsigned int subs,
		 struct loop_thread *thread);
/* Hot removal. The guest has to do its part before echo_wait_removed(). */
void echo_remove(struct echo_device *e);
void echo_wait_removed(struct echo_device *e);
/* Its memory, once the bus does not know it any more. */
void echo_finish(struct echo_device *e);

/* Asks for a completion; the payload is the request's first @len bytes, the rest zero. */
bool echo_ask_len(struct bus_guest_channel *c, uint64_t id, uint32_t operation, uint32_t argument,
		  uint32_t len);
bool echo_ask(struct bus_guest_channel *c, uint64_t id, uint32_t operation, uint32_t argument);
/* The next packet completes @id. */
bool echo_answered(struct bus_guest_channel *c, uint64_t id);
/* Both: the channel works. */
bool echo_alive(struct bus_guest_channel *c);

/* Answers what was held, on channel @index. */
void echo_release(struct echo_device *e, unsigned int index);
void echo_resume(struct echo_device *e, unsigned int index);
void echo_go_on(struct echo_device *e);
/* The end of a slow close. */
void echo_close(struct echo_device *e, unsigned int index);
/* Until the counter is at least @value; asserts that it comes to that. */
void echo_wait_count(struct echo_device *e, _Atomic uint64_t *count, uint64_t value);

const struct channel_counters *echo_counters(const struct echo_device *e);
