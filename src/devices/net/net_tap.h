// SPDX-License-Identifier: MIT
/*
 * TAP devices: a network interface of the host's whose other end is the guest's. One queue for each
 * descriptor; checksums and large segments pass through as they are.
 */
#pragma once

#include "devices/net/net_backend.h"

#define NET_TAP_NAME_MAX 15u /* characters: IFNAMSIZ without its NUL */

struct net_tap_config {
	/* The device: one that is there, or one that is made and goes with us. */
	const char *name;
	/* Or descriptors of one, that somebody has opened for us; taken over, also on failure. */
	const int *fds;
	unsigned int fd_count;
	unsigned int queues; /* by name: at least 1 */
	bool queues_exact;   /* else fewer will do, where the device has fewer */
	uint32_t mtu;        /* the device's is to be so much at least; 0: as it is */
};

/*
 * -EINVAL: not what was asked for, -EPERM, -EACCES, -ENODEV, -EBUSY, -ENOMEM and others; the text
 * says what to do.
 */
int net_tap_create(const struct net_tap_config *config, struct error *err,
		   struct net_backend **ret) must_check;
