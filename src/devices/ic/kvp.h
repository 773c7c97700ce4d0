// SPDX-License-Identifier: MIT
/*
 * The key-value service: the host gives the guest items, and reads what the guest says of itself
 * and what its software left for the host. The host's items are kept as long as the virtual machine
 * and given to every guest that comes.
 *
 * Everything belongs to the bus' loop.
 */
#pragma once

#include "devices/ic/kvp_list.h"
#include "vmbus/channel.h"
#include "vmm/error.h"

struct ic_counters;
struct ic_kvp;

/* Operations that wait at a time; more are refused. */
#define IC_KVP_QUEUE_MAX 128u

/*
 * 0; -ENOTCONN: the guest's driver or daemon is not there (what was set is kept); -EREMOTEIO: the
 * guest refuses; -ETIMEDOUT. @list: what was enumerated, until it returns; else NULL.
 */
typedef void ic_kvp_done(void *ctx, int result, const struct ic_kvp_list *list);

/* @vm: the machine's name, which the guest is told. */
int ic_kvp_create(struct vmbus *bus, struct loop *loop, const char *vm, struct error *err,
		  struct ic_kvp **ret) must_check;
/* As ic_finish(); what waits ends with -ENOTCONN. NULL is fine. */
void ic_kvp_destroy(struct ic_kvp *kvp);
/* What waits, and what the guest was asked, ends with -ENOTCONN. */
void ic_kvp_cancel(struct ic_kvp *kvp);

/*
 * The host's item @key (KVP_POOL_EXTERNAL). @done, from inside or later, once the guest has it.
 * -EINVAL: empty or too long; -ENOSPC: too many; -ENOMEM; -ENOENT: there is none to delete; -EBUSY:
 * too much waits. Then @done does not come.
 */
int ic_kvp_set(struct ic_kvp *kvp, const char *key, const char *value, ic_kvp_done *done,
	       void *ctx) must_check;
int ic_kvp_delete(struct ic_kvp *kvp, const char *key, ic_kvp_done *done, void *ctx) must_check;
/* All items of a pool, as the guest has them. Errors likewise. */
int ic_kvp_enumerate(struct ic_kvp *kvp, uint8_t pool, ic_kvp_done *done, void *ctx) must_check;

/* The host's items. */
const struct ic_kvp_list *ic_kvp_items(const struct ic_kvp *kvp);
/*
 * What the guest last said of itself: asked when it came, a few times while it starts, and once
 * more for every time that somebody looks here and it is older than a few seconds.
 */
const struct ic_kvp_list *ic_kvp_guest(struct ic_kvp *kvp);

bool ic_kvp_is_up(const struct ic_kvp *kvp);
const struct ic_counters *ic_kvp_counters(const struct ic_kvp *kvp);
