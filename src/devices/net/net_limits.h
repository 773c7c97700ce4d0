// SPDX-License-Identifier: MIT
/*
 * A layer that lets so many frames, and so many bytes of them, through in a second, in each
 * direction. What is sent beyond that waits, in its order; what comes waits at the other end.
 */
#pragma once

#include "devices/net/net_backend.h"

struct net_rate {
	uint64_t bytes, packets;             /* a second; 0: no limit */
	uint64_t burst_bytes, burst_packets; /* at once after a pause; 0: a tenth of the above */
};

struct net_limits {
	struct net_rate tx, rx; /* as the guest sees it */
};

/* Owns @lower from here on; with no limits yet. -ENOMEM. */
int net_limits_create(struct net_backend *lower, struct error *err,
		      struct net_backend **ret) must_check;

/* @backend is one of net_limits_create(). Any one thread at a time, also while queues run. */
void net_limits_set(struct net_backend *backend, const struct net_limits *limits);
