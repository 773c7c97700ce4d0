// SPDX-License-Identifier: MIT
/*
 * What the files of the balloon VSP share. Everything belongs to the loop of the bus.
 */
#pragma once

#include "devices/balloon.h"
#include "devices/balloon_pages.h"
#include "devices/balloon_pressure.h"
#include "devices/dm_proto.h"
#include "vmm/log.h"

#define BALLOON_UNIT MiB(2) /* memory moves in multiples of this */
/*
 * At most so much a request, of small guests and large ones. Guests that clear pages when they
 * allocate them touch all that they give, so that the host must have so much for a moment.
 */
#define BALLOON_STEP_MIN MiB(64)
#define BALLOON_STEP_MAX GiB(1)

/* What the guest could not do, it is not asked again for so long. */
#define BALLOON_BACKOFF_NS (10 * NSEC_PER_SEC)
/* Memory that a guest uses though it has given it away is taken again so often. */
#define BALLOON_RETAKE_NS   (10 * NSEC_PER_SEC)
#define BALLOON_RETAKE_RUNS 4096u

enum balloon_stage {
	BALLOON_CLOSED,
	BALLOON_OPENED,    /* to agree on a version */
	BALLOON_VERSIONED, /* to tell its capabilities */
	BALLOON_READY,
};

enum balloon_request { BALLOON_NOTHING, BALLOON_TAKE, BALLOON_GIVE, BALLOON_ADD };

enum balloon_told { BALLOON_TOLD_NOTHING, BALLOON_TOLD_STUCK, BALLOON_TOLD_REACHED };

/* Answers that are due and wait for room in the ring. */
enum balloon_owed {
	BALLOON_OWES_VERSION = 1 << 0,
	BALLOON_OWES_CAPABILITIES = 1 << 1,
	BALLOON_OWES_INFO = 1 << 2,
};

struct balloon {
	struct vmbus_device *device;
	struct loop *loop;
	struct mem *mem;
	const struct balloon_host_ops *ops;
	void *ctx;
	uint64_t startup, minimum, maximum, grace_ns, answer_ns;

	/* The guest's driver. */
	struct channel *channel; /* NULL: closed */
	enum balloon_stage stage;
	uint32_t version;
	bool version_accepted;
	unsigned int owed; /* enum balloon_owed */
	uint64_t caps;
	uint64_t alignment; /* of what is added, bytes */
	uint64_t ready_ns;  /* grace counts from here */
	uint32_t trans_id;

	/* Its memory. */
	struct balloon_pages out; /* in the balloon */
	uint64_t added;           /* bytes of the window that the guest has taken */
	uint64_t region_end;      /* GPA: so far goes the place that it was told of last */
	bool add_ended;           /* it will take no more */

	/* What is with the guest. */
	enum balloon_request request;
	uint64_t request_ns;
	uint64_t asked, got; /* bytes */
	bool late;

	uint64_t target;
	enum balloon_told told; /* of the target */
	bool stuck;             /* nothing can be done about it now */
	uint64_t retry_ns[2];   /* nothing more is asked before: less, more memory */
	struct loop_timer timer;

	/* Its report, and how things stood then. */
	bool reported;
	uint64_t report_ns;
	uint64_t demand;
	struct balloon_report report;
	struct balloon_view view;
	uint64_t retaken_ns, retake_from;

	struct log_limit log;
	struct balloon_counters counters;
};

static inline uint64_t balloon_out_bytes(const struct balloon *b)
{
	return b->out.count << PAGE_SHIFT;
}

/* What the guest has. */
static inline uint64_t balloon_visible(const struct balloon *b)
{
	return b->startup + b->added - balloon_out_bytes(b);
}

/* --- balloon.c. ------------------------------------------------------------------------------ */

/* Asks for the next step towards the target, if there is one and it may be asked for. */
void balloon_step(struct balloon *b);
/* The target is out of reach for now. */
void balloon_stuck(struct balloon *b, const char *why);
uint64_t balloon_floor(const struct balloon *b);

/* --- balloon_channel.c. ---------------------------------------------------------------------- */

extern const struct channel_ops balloon_channel_ops;

/* There is room in the ring, or something has happened: sends what is due, and the next request. */
void balloon_go_on(struct balloon *b);
/* Fills in the header. Errors as channel_send(). */
int balloon_send(struct balloon *b, uint16_t type, void *message, size_t len) must_check;

/* --- balloon_request.c. ---------------------------------------------------------------------- */

/* Each begins a request; nothing else is with the guest. What has no room is tried again then. */
void balloon_take(struct balloon *b, uint64_t len);
void balloon_give(struct balloon *b, uint64_t len);
void balloon_add(struct balloon *b, uint64_t len);
/* The rest of balloon_give(), once there is room in the ring. */
void balloon_give_more(struct balloon *b);

/* The guest's answers: @message is a copy of @len bytes. -EINVAL: malformed. */
int balloon_taken(struct balloon *b, const void *message, size_t len) must_check;
int balloon_given(struct balloon *b, const void *message, size_t len) must_check;
int balloon_was_added(struct balloon *b, const void *message, size_t len) must_check;

/* What the guest has given away goes back to the host again, if it has come back. */
void balloon_retake(struct balloon *b);
