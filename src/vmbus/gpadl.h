// SPDX-License-Identifier: MIT
/*
 * GPADLs: lists of guest pages that a guest lends to a channel, for its rings and its buffers.
 *
 * A guest describes a GPADL in one header message and as many body messages as it takes; every
 * message carries the next bytes of one range buffer: for each range a `struct gpa_range` and the
 * numbers of its pages. The guest chooses the handle. When the last byte is there the list is
 * checked as a whole, and from then on never changes: every page is RAM, no page occurs twice, no
 * range is empty or longer or shorter than its bytes. What the guest does to the pages afterwards
 * (an overlay page on top, giving them back to the host) can change their contents, and harms
 * nobody but the guest.
 *
 * Who holds a GPADL keeps it from going away: its teardown is put off until the last hold ends.
 *
 * One table a VMBus connection. Everything here belongs to the control plane's thread, except that
 * gpadl_read(), gpadl_write(), gpadl_iov(), gpadl_view() and the two lengths work on any thread for
 * a GPADL that is held. No KVM, no SynIC.
 */
#pragma once

#include <sys/uio.h>

#include "vmm/counter.h"
#include "vmm/mem.h"

struct gpadl;
struct gpadl_table;
struct ring_memory;

/*
 * Limits, each at most GPADL_LIMIT_MAX. "Words" are those of range buffers (one a page and one a
 * range), counted from the header message on, so that what a guest only announces is limited too.
 */
#define GPADL_LIMIT_MAX (1u << 24)

struct gpadl_limits {
	uint32_t channel_words;
	uint32_t total_words;
	uint32_t channel_gpadls;
	uint32_t total_gpadls;
	/* Pieces of address space for rings; a ring that would need more goes without. */
	uint32_t mappings;
};

/* Hyper-V's own total (1280 MiB); 128 MiB for a channel; half of what Linux lets us map. */
#define GPADL_LIMITS_DEFAULT                                                                       \
	(struct gpadl_limits)                                                                      \
	{                                                                                          \
		.channel_words = 32768, .total_words = 327680, .channel_gpadls = 64,               \
		.total_gpadls = 8192, .mappings = 32768,                                           \
	}

struct gpadl_counters {
	struct counter created;
	struct counter refused; /* malformed, not RAM, overlapping, or a handle in use */
	struct counter limited; /* refused for a limit */
	struct counter torn_down;
	struct counter deferred;     /* teardowns that had to wait for a hold */
	struct counter rings_paged;  /* rings that could not be mapped in one piece */
	struct counter rings_mapped; /* those that could */
};

/*
 * @torn_down: a GPADL whose teardown was put off is gone now: tell the guest. Called from inside
 * gpadl_put() or gpadl_unmap_ring(); it may call anything here except gpadl_table_destroy().
 * -ENOMEM; -EINVAL for a limit that is 0 or too large.
 */
int gpadl_table_create(struct mem *mem, const struct gpadl_limits *limits,
		       void (*torn_down)(void *ctx, uint32_t channel, uint32_t handle), void *ctx,
		       struct gpadl_table **ret) must_check;
/* Nothing may be held any more. NULL is fine. */
void gpadl_table_destroy(struct gpadl_table *table);

const struct gpadl_counters *gpadl_table_counters(const struct gpadl_table *table);

/* --- From the guest's messages. ------------------------------------------------------------ */

/*
 * The header message: a GPADL of @channel with the guest's @handle, whose range buffer has
 * @buflen bytes in @ranges ranges and begins with the @len bytes at @data, a private copy without
 * the message's fixed part. Bytes past the end of the range buffer are ignored: guests pad.
 *
 * 0: *ret_complete says whether that was all (the GPADL is ready) or bodies must follow.
 * Otherwise the guest has to be told of a failure, and no GPADL of this description exists:
 * -EINVAL handle 0, or malformed; -EEXIST the handle is in use, by any channel; -EFAULT not RAM,
 * or a page twice; -ENOSPC a limit; -ENOMEM.
 */
int gpadl_begin(struct gpadl_table *table, uint32_t channel, uint32_t handle, uint16_t buflen,
		uint16_t ranges, const void *data, size_t len, bool *ret_complete) must_check;

/*
 * A body message: the next @len bytes. As gpadl_begin(); a failure drops the GPADL, and the guest
 * has to be told. Except -ENOENT: nothing that waits for a body has this handle (a body that comes
 * after its header was refused, too): nothing to drop, nobody to tell. The number of the message
 * does not matter here: Linux leaves it 0.
 */
int gpadl_add(struct gpadl_table *table, uint32_t handle, const void *data, size_t len,
	      bool *ret_complete) must_check;

/* The channel of a GPADL in whatever state, for the answer to a body. -ENOENT. */
int gpadl_channel(const struct gpadl_table *table, uint32_t handle,
		  uint32_t *ret_channel) must_check;

/*
 * The teardown message. 0: gone, tell the guest; -EINPROGRESS: held, torn_down() comes later;
 * -EALREADY: asked for before; -ENOENT: @channel has no such GPADL. One that still waits for
 * bodies goes at once.
 */
int gpadl_teardown(struct gpadl_table *table, uint32_t channel, uint32_t handle) must_check;

/*
 * The channel does not exist any more, or with gpadl_reset(), the connection. All its GPADLs
 * go without torn_down() and their handles are free for others at once. Those that are held stay
 * usable for their holders, and count against the limits, until they are put.
 */
void gpadl_drop_channel(struct gpadl_table *table, uint32_t channel);
void gpadl_reset(struct gpadl_table *table);

/* --- For channels and devices. ------------------------------------------------------------- */

/*
 * Holds a GPADL that is complete and not being torn down. -ENOENT when @channel has none of this
 * handle. Each hold ends with one gpadl_put(); NULL is fine.
 */
int gpadl_get(struct gpadl_table *table, uint32_t channel, uint32_t handle,
	      struct gpadl **ret) must_check;
void gpadl_put(struct gpadl *gpadl);

uint32_t gpadl_range_count(const struct gpadl *gpadl);
/* In bytes. 0 for a range that there is not. */
uint64_t gpadl_range_len(const struct gpadl *gpadl, uint32_t range);

/* @len bytes from byte @offset of a range. -EFAULT, and nothing done, unless all lie in it. */
int gpadl_read(const struct gpadl *gpadl, uint32_t range, uint64_t offset, void *buf,
	       size_t len) must_check;
int gpadl_write(const struct gpadl *gpadl, uint32_t range, uint64_t offset, const void *buf,
		size_t len) must_check;
/* For device I/O; as mem_iov(). */
int gpadl_iov(const struct gpadl *gpadl, uint32_t range, uint64_t offset, uint64_t len,
	      struct iovec *iov, size_t max, size_t *count) must_check;

/*
 * A buffer: the bytes of a GPADL of one range, and where they are in the process, for who gets at
 * them often. Of its holder, as long as he holds it.
 */
struct gpadl_view {
	uint8_t **pages;
	uint32_t offset; /* of the first byte, in the first page */
	uint32_t len;
};

/* -EINVAL: more ranges than one; -ENOMEM. */
int gpadl_view(const struct gpadl *gpadl, struct gpadl_view *ret) must_check;
/* A zeroed one is fine, and left so. */
void gpadl_view_finish(struct gpadl_view *view);
/* As gpadl_iov(), _read() and _write(). */
int gpadl_view_iov(const struct gpadl_view *view, uint64_t offset, uint64_t len, struct iovec *iov,
		   size_t max, size_t *count) must_check;
int gpadl_view_read(const struct gpadl_view *view, uint64_t offset, void *buf,
		    size_t len) must_check;
int gpadl_view_write(const struct gpadl_view *view, uint64_t offset, const void *buf,
		     size_t len) must_check;

/*
 * Maps pages [@first, @first + @count) of a GPADL of one page-aligned range for vmbus/ring.h: a
 * ring's control page and at least one page of data. The data are mapped twice, back to back, so
 * no packet is in two pieces. Where that cannot be (RAM of explicit huge pages, or so scattered
 * that it would cost more mappings than the limit) the ring works page by page instead: slower,
 * otherwise the same.
 *
 * A mapping of its own does not show overlay pages: a guest that lays one over its own ring sees
 * the overlay, and we the RAM below.
 *
 * Holds the GPADL until gpadl_unmap_ring(), which accepts a zeroed @ring and leaves it so.
 * -EINVAL not one aligned range of whole pages, or not that many; -ENOMEM; *ret is untouched.
 */
int gpadl_map_ring(struct gpadl *gpadl, uint32_t first, uint32_t count,
		   struct ring_memory *ret) must_check;
void gpadl_unmap_ring(struct ring_memory *ring);

/* What a ring GPADL has in all, for splitting it in two. 0 unless it is fit for a ring. */
uint32_t gpadl_ring_pages(const struct gpadl *gpadl);
