// SPDX-License-Identifier: MIT
/*
 * User mode: a small network with a gateway, DHCP and DNS, out of which connections leave as the
 * user's own. It takes no privilege.
 *
 * The work is done by a program of its own, candela-slirp, one for each NIC, at the other end of a
 * socket (net_peer.h): what parses packets from the network has no guest memory in reach, and its
 * libraries are not the VM's.
 */
#pragma once

#include "devices/net/net_backend.h"

struct net_user_config {
	const char *helper;      /* its path; NULL: where it is installed */
	const char *const *args; /* as candela-slirp --help says, the last NULL; without --fd */
	uint32_t mtu_max;
};

/*
 * Waits until it is ready, NET_USER_START_MS at most. -ENOENT: there is no such program; what it
 * says about its arguments is -EINVAL, with its text.
 */
#define NET_USER_START_MS 15000
int net_user_create(const struct net_user_config *config, struct error *err,
		    struct net_backend **ret) must_check;
