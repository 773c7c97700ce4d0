// SPDX-License-Identifier: MIT
/*
 * Dynamic memory on VMBus: the host's end of a guest's balloon driver (dm_proto.h), versions 0.3,
 * 1.0 and 2.0. It takes memory from the guest, gives it back, and adds memory that was not there
 * when the guest started, until the guest has what somebody else has decided that it should have.
 * It knows nothing of why.
 *
 * One request at a time is with the guest, of a bounded size. What the guest gives is RAM, is its
 * own and was not given before, or it is refused; what was accepted goes back to the host at once.
 * A guest that uses pages that it has given away gets fresh ones, which are taken again.
 *
 * A guest whose channel is closed is asked for nothing and owns all RAM again: who starts a driver
 * next knows of no page in the balloon.
 *
 * Everything belongs to the loop of the bus.
 */
#pragma once

#include "vmbus/channel.h"

struct balloon;

/* Linux waits 5 s for each 128 MiB to be used. */
#define BALLOON_ANSWER_NS (120 * NSEC_PER_SEC)

/* What the machine does for it, on its loop; mandatory all. */
struct balloon_host_ops {
	/* The next @len bytes of mem_window() become RAM that the guest can use. */
	int (*grow)(void *ctx, uint64_t len, struct error *err);
	/* The target was reached, or (@why) is not going to be soon. Once for each target. */
	void (*settled)(void *ctx, const char *why);
};

struct balloon_config {
	struct vmbus *bus;
	struct loop *loop; /* of the bus */
	struct mem *mem;
	const char *vm;            /* the machine's name, which makes the instance GUID */
	uint64_t minimum, maximum; /* bytes; mem_size() lies between */
	uint64_t grace_ns;  /* from the driver's start on the guest is asked for nothing so long */
	uint64_t answer_ns; /* an answer that takes longer does not come: BALLOON_ANSWER_NS */
	const struct balloon_host_ops *ops;
	void *ctx;
};

/* Offers the device to the guest. -ENOMEM, -ENOSPC, -EEXIST, with text. */
int balloon_create(const struct balloon_config *config, struct error *err,
		   struct balloon **ret) must_check;
/* Once its device is gone, or the bus. NULL is fine. */
void balloon_destroy(struct balloon *balloon);

/* The guest starts anew, with the memory that it had at first. After vmbus_reset(). */
void balloon_reset(struct balloon *balloon);

/* What the guest shall have, kept between the limits; what it will be then. */
uint64_t balloon_set_target(struct balloon *balloon, uint64_t bytes);
/* A minimum that is no higher than before, and a maximum that is no lower. */
void balloon_set_limits(struct balloon *balloon, uint64_t minimum, uint64_t maximum);

struct balloon_state {
	bool driver;      /* the guest's is there */
	uint32_t version; /* DYNMEM_VERSION(); 0: none */
	bool moving;
	uint64_t minimum, maximum, target;
	uint64_t assigned; /* bytes that the guest has now: visible memory */
	uint64_t floor;    /* nothing is taken below this */
	bool reported;     /* what follows is known */
	uint64_t demand, available, pressure;
	uint64_t report_age_ns;
	uint64_t grace_left_ns;
};

void balloon_get_state(const struct balloon *balloon, struct balloon_state *ret);

struct balloon_counters {
	struct counter adds, add_bytes; /* operations, not pages; and their bytes */
	struct counter removes, remove_bytes;
	struct counter buffer_hits;   /* adds to a guest that still had all that it had committed */
	struct counter buffer_misses; /* and to one that had not */
	struct counter refusals;      /* requests that the guest did not fulfil, or not wholly */
	struct counter reports;
	struct counter unexpected; /* answers that nobody waited for */
	struct counter bad_ranges; /* that were not the guest's to give */
	struct counter retaken;    /* bytes that a guest used again after it had given them */
};

const struct balloon_counters *balloon_counters(const struct balloon *balloon);
