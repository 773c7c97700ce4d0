// SPDX-License-Identifier: MIT
/* A NIC's configuration as its backend wants it. No state. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/machine_network.h"

#define QUEUES_DEFAULT 8u
#define MTU_DEFAULT    1500u

/* --- The arguments of candela-slirp. --------------------------------------------------------- */

/* "--name", or "--name=value". False: no memory. */
static bool add_arg(struct machine_net_config *c, const char *name, const char *value)
{
	char *text;

	if (c->arg_count + 1 >= ARRAY_SIZE(c->args))
		return false;
	if (asprintf(&text, value ? "--%s=%s" : "--%s", name, value) < 0)
		return false;
	c->args[c->arg_count++] = text;
	return true;
}

static bool add_text(struct machine_net_config *c, const char *name, const char *value)
{
	return !value || add_arg(c, name, value);
}

static bool add_flag(struct machine_net_config *c, const char *name, bool given)
{
	return !given || add_arg(c, name, NULL);
}

static bool add_user_args(struct machine_net_config *c, const struct config_net *net, uint32_t mtu)
{
	char number[16];
	bool done;

	snprintf(number, sizeof(number), "%u", mtu);
	done = add_arg(c, "mtu", number) && add_text(c, "network", net->network) &&
	       add_text(c, "host", net->host) && add_text(c, "dns", net->dns) &&
	       add_text(c, "dhcp-start", net->dhcp_start) &&
	       add_text(c, "network6", net->network6) && add_text(c, "host6", net->host6) &&
	       add_text(c, "dns6", net->dns6) && add_text(c, "hostname", net->hostname) &&
	       add_text(c, "domain", net->domain) && add_flag(c, "restrict", net->restricted) &&
	       add_flag(c, "no-ipv4", !net->ipv4) && add_flag(c, "no-ipv6", !net->ipv6);
	for (size_t i = 0; i < net->forward_count && done; i++)
		done = add_arg(c, "forward", net->forwards[i].text);
	return done;
}

void machine_net_config_finish(struct machine_net_config *c)
{
	for (size_t i = 0; i < c->arg_count; i++)
		free(c->args[i]);
	c->arg_count = 0;
}

/* --- The others. ---------------------------------------------------------------------------- */

unsigned int machine_net_queues(const struct config_net *net, unsigned int cpus,
				unsigned int available)
{
	const unsigned int wanted =
		net->queues != CONFIG_UINT_UNSET ? net->queues : min_of(cpus, QUEUES_DEFAULT);

	return min_of(wanted, available);
}

struct net_limits machine_net_limits(const struct config_net *net)
{
	return (struct net_limits){
		.tx = {.bytes = net->tx_bandwidth,
		       .packets = net->tx_packets,
		       .burst_bytes = net->tx_bandwidth_burst,
		       .burst_packets = net->tx_packets_burst},
		.rx = {.bytes = net->rx_bandwidth,
		       .packets = net->rx_packets,
		       .burst_bytes = net->rx_bandwidth_burst,
		       .burst_packets = net->rx_packets_burst},
	};
}

static void set_tap(struct machine_net_config *c, const struct config_net *net, unsigned int cpus)
{
	for (size_t i = 0; i < net->fd_count; i++)
		c->fds[i] = (int)net->fds[i].fd;
	c->config.tap = (struct net_tap_config){
		.name = net->name,
		.fds = c->fds,
		.fd_count = (unsigned int)net->fd_count,
		.queues = machine_net_queues(net, cpus, NET_QUEUES_MAX),
		.queues_exact = net->queues != CONFIG_UINT_UNSET,
		.mtu = net->mtu == CONFIG_UINT_UNSET ? 0 : net->mtu,
	};
}

int machine_net_config(const struct config_net *net, unsigned int cpus, struct error *err,
		       struct machine_net_config *c)
{
	static const enum net_kind kinds[] = {
		[CONFIG_NET_USER] = NET_KIND_USER,
		[CONFIG_NET_TAP] = NET_KIND_TAP,
		[CONFIG_NET_SOCKET] = NET_KIND_SOCKET,
		[CONFIG_NET_NULL] = NET_KIND_NULL,
	};
	const uint32_t mtu = net->mtu == CONFIG_UINT_UNSET ? MTU_DEFAULT : net->mtu;

	*c = (struct machine_net_config){.config = {
						 .kind = kinds[net->mode],
						 .path = net->path,
						 .limits = machine_net_limits(net),
						 .pcap = net->pcap,
						 .pcap_snap = net->pcap_snap,
					 }};
	set_tap(c, net, cpus);
	if (net->mode != CONFIG_NET_USER)
		return 0;
	c->config.user = (struct net_user_config){
		.args = (const char *const *)c->args,
		.mtu_max = mtu,
	};
	if (add_user_args(c, net, mtu))
		return 0;
	machine_net_config_finish(c);
	return error_set(err, -ENOMEM, "out of memory");
}
