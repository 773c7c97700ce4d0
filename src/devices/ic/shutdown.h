// SPDX-License-Identifier: MIT
/*
 * The shutdown service: asks the guest to power off, restart or hibernate, as its own command
 * would. What is asked before the guest's driver is there is kept, and asked when it is, also by a
 * guest that was reset meanwhile.
 *
 * Everything belongs to the bus' loop.
 */
#pragma once

#include "vmbus/channel.h"
#include "vmm/error.h"

struct ic_counters;
struct ic_shutdown;

enum ic_shutdown_kind { IC_SHUTDOWN_POWER_OFF, IC_SHUTDOWN_REBOOT, IC_SHUTDOWN_HIBERNATION };

struct ic_shutdown_request {
	enum ic_shutdown_kind kind;
	bool force;         /* the guest is not to wait for what runs in it */
	uint32_t seconds;   /* that the guest is told it has */
	const char *reason; /* UTF-8 for the guest's log; cut off after 1023 UTF-16 units */
	/*
	 * 0: the guest will do it; -EREMOTEIO: it refuses; -EOPNOTSUPP: its driver is too old for
	 * this; -ECANCELED: nobody will answer any more. From inside or later, once.
	 */
	void (*done)(void *ctx, int result);
	void *ctx;
};

int ic_shutdown_create(struct vmbus *bus, struct loop *loop, struct error *err,
		       struct ic_shutdown **ret) must_check;
/* As ic_finish(). A request that is there ends with -ECANCELED. NULL is fine. */
void ic_shutdown_destroy(struct ic_shutdown *shutdown);

/* -EBUSY: there is one that the guest has not answered. @request->reason is copied. */
int ic_shutdown_ask(struct ic_shutdown *shutdown,
		    const struct ic_shutdown_request *request) must_check;
/* Ends a request, if there is one, with -ECANCELED. One that was sent is not taken back. */
void ic_shutdown_cancel(struct ic_shutdown *shutdown);

/* The guest's driver is there. */
bool ic_shutdown_is_up(const struct ic_shutdown *shutdown);
/* NULL: no request is there; else it waits for the guest's driver, or its answer. */
const struct ic_shutdown_request *ic_shutdown_pending(const struct ic_shutdown *shutdown);

const struct ic_counters *ic_shutdown_counters(const struct ic_shutdown *shutdown);
