// SPDX-License-Identifier: MIT
/* The host's side of a NIC from what a configuration says: a backend and the layers over it. */
#pragma once

#include "devices/net/net_limits.h"
#include "devices/net/net_tap.h"
#include "devices/net/net_user.h"

enum net_kind { NET_KIND_USER, NET_KIND_TAP, NET_KIND_SOCKET, NET_KIND_NULL };

struct net_config {
	enum net_kind kind;
	struct net_user_config user;
	struct net_tap_config tap;
	const char *path; /* of NET_KIND_SOCKET */
	struct net_limits limits;
	const char *pcap; /* NULL: no capture */
	uint32_t pcap_snap;
};

/* net_limits_set() may be called on what it returns. May wait for the host. */
int net_open(const struct net_config *config, struct error *err,
	     struct net_backend **ret) must_check;
