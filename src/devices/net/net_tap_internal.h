// SPDX-License-Identifier: MIT
/* Inside of net_tap*.c: a TAP device's opening, and its queues. */
#pragma once

#include <stdatomic.h>

#include "devices/net/net_backend_internal.h"
#include "devices/net/net_tap.h"

/* Since Linux 6.2: large UDP frames. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

struct net_tap {
	struct net_backend backend;
	char name[NET_TAP_NAME_MAX + 1];
	int fds[NET_QUEUES_MAX]; /* one a queue */
	int link_fd;             /* netlink: says when an interface changes */
	_Atomic bool link;
	struct net_counters counters[NET_QUEUES_MAX];
};

extern const struct net_backend_ops net_tap_ops;

/* Any thread. True: it is not what it was when this was last asked. */
bool net_tap_look_at_link(struct net_tap *tap);
