// SPDX-License-Identifier: MIT
/*
 * The snapshot service: freezes the guest's file systems, so that its disks are whole while they
 * are copied, and thaws them again, whatever happens to whoever asked.
 *
 * Everything belongs to the bus' loop.
 */
#pragma once

#include "vmbus/channel.h"
#include "vmm/error.h"

struct ic_counters;
struct ic_vss;

enum ic_vss_state {
	IC_VSS_THAWED,
	IC_VSS_FREEZING,
	IC_VSS_FROZEN,
	IC_VSS_THAWING,
};

/*
 * 0; -ENOTCONN: the guest's driver or daemon is not there; -EREMOTEIO: the guest refuses;
 * -ETIMEDOUT: it did not answer, and is told to thaw.
 */
typedef void ic_vss_done(void *ctx, int result);

struct ic_vss_config {
	struct vmbus *bus;
	struct loop *loop;
	/* The time was over, and nobody had asked: it is being thawed. May be NULL. */
	void (*expired)(void *ctx);
	void *ctx;
};

int ic_vss_create(const struct ic_vss_config *config, struct error *err,
		  struct ic_vss **ret) must_check;
/* As ic_finish(); who waits is told -ENOTCONN. NULL is fine. */
void ic_vss_destroy(struct ic_vss *vss);
/* Who waits is told -ENOTCONN. */
void ic_vss_cancel(struct ic_vss *vss);

/*
 * Freezes; @done, from inside or later. After @hold_ns from then on it is thawed by itself. -EBUSY:
 * it is not thawed; -ENOTCONN.
 */
int ic_vss_freeze(struct ic_vss *vss, uint64_t hold_ns, ic_vss_done *done, void *ctx) must_check;
/*
 * Thaws. -EALREADY: it is thawed, because nobody froze it, its time was over, or the guest started
 * again; -EBUSY: it is freezing or thawing.
 */
int ic_vss_thaw(struct ic_vss *vss, ic_vss_done *done, void *ctx) must_check;

enum ic_vss_state ic_vss_state(const struct ic_vss *vss);
bool ic_vss_is_up(const struct ic_vss *vss);
const struct ic_counters *ic_vss_counters(const struct ic_vss *vss);
