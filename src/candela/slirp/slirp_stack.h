// SPDX-License-Identifier: MIT
/*
 * candela-slirp: libslirp between a socket with a NIC's frames at its other end, and the user's own
 * connections. A process of one thread that poll()s; whoever is at the other end of the socket
 * waits for nobody, so sending to it may.
 */
#pragma once

#include "vmm/error.h"
#include "vmm/net_plan.h"

#define SLIRP_FORWARDS_MAX 64u

struct slirp_config {
	int fd; /* the socket, of type SOCK_SEQPACKET, blocking */
	struct net_plan plan;
	bool ipv4, ipv6, restricted;
	const char *hostname, *domain; /* NULL: none */
	unsigned int mtu;              /* what the guest takes */
	struct net_forward forwards[SLIRP_FORWARDS_MAX];
	unsigned int forward_count;
};

struct slirp_stack;

/* -EADDRINUSE, -EACCES and others: a port cannot be forwarded. */
int slirp_stack_create(const struct slirp_config *config, struct error *err,
		       struct slirp_stack **ret) must_check;
/* Until the other end of the socket is closed. 0, or -errno. */
int slirp_stack_run(struct slirp_stack *stack) must_check;
void slirp_stack_destroy(struct slirp_stack *stack);
