// SPDX-License-Identifier: MIT
/*
 * Hyper-V sockets (AF_VSOCK in Linux guests, AF_HYPERV in Windows) to and from Unix sockets of the
 * host, in the way that Firecracker and Cloud Hypervisor have made usual:
 *
 *	- the guest connects to port N of the host: it gets the Unix stream socket PATH_N, or is
 *	  refused if nobody listens there. (A service that is no port: PATH_ and its GUID.)
 *	- the host connects to the Unix socket PATH and writes "CONNECT N\n" (or the GUID): once
 *	  the guest has taken the connection it reads "OK M\n", M being the host's port; if the
 *	  guest does not, the socket is closed.
 *
 * From then on bytes go both ways, and each way ends on its own. Who does not read is not read
 * from: no more than a packet is stored for a connection, the rest waits in the guest's ring or in
 * the Unix socket.
 *
 * Everything belongs to the bus' loop; counters may be read from any thread.
 */
#pragma once

#include "vmbus/bus.h"
#include "vmm/counter.h"
#include "vmm/error.h"

struct hvsock;

/* Connections at a time, both kinds together; more are refused. */
#define HVSOCK_CONNECTIONS_MAX 1500u

struct hvsock_config {
	struct vmbus *bus;
	struct loop *loop;
	const char *path;
	/* Nanoseconds; 0: ten seconds. For "CONNECT", and for the guest to take a connection. */
	uint64_t patience_ns;
};

struct hvsock_counters {
	struct counter from_guest, from_host; /* connections that came to be */
	struct counter refused_guest;         /* nobody listens, or there are too many */
	struct counter refused_host;          /* the guest took too long, or it was no CONNECT */
	struct counter to_guest_bytes, to_host_bytes;
};

/* Makes and listens on @config->path, for its owner alone. -EADDRINUSE, -ENAMETOOLONG, ... */
int hvsock_create(const struct hvsock_config *config, struct error *err,
		  struct hvsock **ret) must_check;
/* Once the loop and the bus are gone. Removes the socket that it made. NULL is fine. */
void hvsock_destroy(struct hvsock *hvsock);

unsigned int hvsock_connections(const struct hvsock *hvsock);
const struct hvsock_counters *hvsock_counters(const struct hvsock *hvsock);
