// SPDX-License-Identifier: MIT
/*
 * Backends and their layers. The limits are above the capture, which shows what is on the wire. No
 * state.
 */
#include "devices/net/net_open.h"

#include <errno.h>

#include "devices/net/net_null.h"
#include "devices/net/net_pcap.h"
#include "devices/net/net_socket.h"

static int open_backend(const struct net_config *config, struct error *err,
			struct net_backend **ret)
{
	switch (config->kind) {
	case NET_KIND_USER:
		return net_user_create(&config->user, err, ret);
	case NET_KIND_TAP:
		return net_tap_create(&config->tap, err, ret);
	case NET_KIND_SOCKET:
		return net_socket_create(config->path, err, ret);
	case NET_KIND_NULL:
		return net_null_create(err, ret);
	}
	return error_set(err, -EINVAL, "no such kind of network");
}

int net_open(const struct net_config *config, struct error *err, struct net_backend **ret)
{
	struct net_backend *backend = NULL, *limits;
	int r = open_backend(config, err, &backend);

	if (r < 0)
		return r;
	if (config->pcap)
		r = net_pcap_create(backend, config->pcap, config->pcap_snap, err, &backend);
	if (r == 0)
		r = net_limits_create(backend, err, &limits);
	if (r < 0) {
		net_backend_destroy(backend);
		return r;
	}
	net_limits_set(limits, &config->limits);
	*ret = limits;
	return 0;
}
