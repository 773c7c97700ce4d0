// SPDX-License-Identifier: MIT
/*
 * What people write about a NIC: addresses of a user-mode network, forwarded ports, Ethernet
 * addresses. Pure functions from text; any thread.
 */
#pragma once

#include <netinet/in.h>

#include "vmm/error.h"

/* "(tcp|udp):[ADDRESS:]PORT:GUESTPORT"; an IPv6 address is in brackets. */
struct net_forward {
	bool udp;
	bool ipv6; /* which one it is; without an address it is 127.0.0.1 */
	struct in_addr host;
	struct in6_addr host6;
	uint16_t host_port, guest_port;
};

/* -EINVAL: the text says what was expected. */
int net_forward_parse(const char *text, struct error *err, struct net_forward *ret) must_check;

/* A user-mode network as it was asked for; NULL: as net_plan_make() says. */
struct net_plan_config {
	const char *network;  /* "10.0.2.0/24" */
	const char *host;     /* the gateway: the second address of the network */
	const char *dns;      /* the third */
	const char *dhcp;     /* first address for guests: the fifteenth */
	const char *network6; /* "fec0::/64" */
	const char *host6;    /* the second */
	const char *dns6;     /* the third */
};

struct net_plan {
	struct in_addr network, mask, host, dns, dhcp;
	struct in6_addr network6, host6, dns6;
	unsigned int prefix6;
};

/*
 * Fills in what was not asked for, and checks that it fits together: addresses inside the network,
 * no two alike. -EINVAL: the text begins with the member's name ("host: ...").
 */
int net_plan_make(const struct net_plan_config *config, struct error *err,
		  struct net_plan *ret) must_check;

/* "02:00:00:00:00:01", also with dashes. -EINVAL: not that, or not the address of one NIC. */
int net_mac_parse(const char *text, uint8_t mac[6]) must_check;

/*
 * The address of NIC @index of VM @vm when none was given: always the same, and another for other
 * names. It is a locally administered one (ca:...), of 40 bits of a hash. Hyper-V hosts take theirs
 * from Microsoft's 00:15:5d, from pools of 256 that each host owns; we own none, and ours might be
 * one that such a host has given away on the same wire. No guest looks at the vendor.
 */
void net_mac_default(const char *vm, unsigned int index, uint8_t mac[6]);
