// SPDX-License-Identifier: MIT
/* What must fit together in the settings of NICs. As in config_check.c. No state; any thread. */
#include "vmm/config_net_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "vmm/net_plan.h"

static const char *mode_name(const struct config_net *net)
{
	static const char *const names[] = {
		[CONFIG_NET_USER] = "user",     [CONFIG_NET_TAP] = "tap",
		[CONFIG_NET_SOCKET] = "socket", [CONFIG_NET_NULL] = "null",
		[CONFIG_NET_NONE] = "none",
	};

	return names[net->mode];
}

/* A key that belongs to another mode says that something else was meant. */
static int check_belongs(size_t i, const struct config_net *net, const char *key, bool given,
			 enum config_net_mode mode, struct error *err)
{
	if (!given || net->mode == mode)
		return 0;
	return error_set(err, -EINVAL,
			 "networks[%zu].%s: expected none, because networks[%zu].mode "
			 "is %s",
			 i, key, i, mode_name(net));
}

static int check_mode(size_t i, const struct config_net *net, struct error *err)
{
	const struct {
		const char *key;
		bool given;
		enum config_net_mode mode;
	} keys[] = {
		{"name", net->name, CONFIG_NET_TAP},
		{"fd", net->fd_count, CONFIG_NET_TAP},
		{"path", net->path, CONFIG_NET_SOCKET},
		{"forward", net->forward_count, CONFIG_NET_USER},
		{"restrict", net->restricted, CONFIG_NET_USER},
		{"network", net->network, CONFIG_NET_USER},
		{"host", net->host, CONFIG_NET_USER},
		{"dns", net->dns, CONFIG_NET_USER},
		{"dhcp-start", net->dhcp_start, CONFIG_NET_USER},
		{"network6", net->network6, CONFIG_NET_USER},
		{"host6", net->host6, CONFIG_NET_USER},
		{"dns6", net->dns6, CONFIG_NET_USER},
		{"hostname", net->hostname, CONFIG_NET_USER},
		{"domain", net->domain, CONFIG_NET_USER},
	};
	int r = 0;

	for (size_t k = 0; r == 0 && k < ARRAY_SIZE(keys); k++)
		r = check_belongs(i, net, keys[k].key, keys[k].given, keys[k].mode, err);
	return r;
}

static int check_tap(size_t i, const struct config_net *net, struct error *err)
{
	if (net->mode != CONFIG_NET_TAP)
		return 0;
	if (!net->name && !net->fd_count)
		return error_set(err, -EINVAL,
				 "networks[%zu].name: expected the name of a TAP device, because "
				 "networks[%zu].mode is tap",
				 i, i);
	if (net->name && net->fd_count)
		return error_set(err, -EINVAL,
				 "networks[%zu].fd: expected none, because networks[%zu].name is "
				 "given",
				 i, i);
	if (net->fd_count && net->queues != CONFIG_UINT_UNSET)
		return error_set(err, -EINVAL,
				 "networks[%zu].queues: expected none, because each fd is a queue",
				 i);
	for (size_t a = 0; a < net->fd_count; a++)
		for (size_t b = 0; b < a; b++)
			if (net->fds[a].fd == net->fds[b].fd)
				return error_set(err, -EINVAL,
						 "networks[%zu].fd[%zu]: expected another than %u, "
						 "because networks[%zu].fd[%zu] is that",
						 i, a, net->fds[a].fd, i, b);
	return 0;
}

static int check_socket(size_t i, const struct config_net *net, struct error *err)
{
	const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

	if (net->mode != CONFIG_NET_SOCKET)
		return 0;
	if (!net->path)
		return error_set(err, -EINVAL,
				 "networks[%zu].path: expected the path of a socket, because "
				 "networks[%zu].mode is socket",
				 i, i);
	if (strlen(net->path) > max)
		return error_set(err, -EINVAL,
				 "networks[%zu].path: expected a path of at most %zu bytes, got "
				 "%zu, because Unix sockets allow no more: %s",
				 i, max, strlen(net->path), net->path);
	return 0;
}

static int check_queues(size_t i, const struct config_net *net, struct error *err)
{
	if (net->queues != CONFIG_UINT_UNSET && net->queues > 1 &&
	    (net->mode == CONFIG_NET_USER || net->mode == CONFIG_NET_SOCKET))
		return error_set(err, -EINVAL,
				 "networks[%zu].queues: expected 1, got %u, because "
				 "networks[%zu].mode is %s",
				 i, net->queues, i, mode_name(net));
	return 0;
}

static int check_mac(size_t i, const struct config_net *net, struct error *err)
{
	uint8_t mac[6];

	if (net->mac && net_mac_parse(net->mac, mac) < 0)
		return error_set(
			err, -EINVAL,
			"networks[%zu].mac: expected an address such as "
			"02:00:00:00:00:01, got \"%s\", because a NIC has six bytes of its "
			"own, the first an even one",
			i, net->mac);
	return 0;
}

static int check_forwards(size_t i, const struct config_net *net, struct error *err)
{
	struct net_forward forward;
	struct error why;

	for (size_t k = 0; k < net->forward_count; k++)
		if (net_forward_parse(net->forwards[k].text, &why, &forward) < 0)
			return error_set(
				err, -EINVAL,
				"networks[%zu].forward[%zu]: %.200s, because nothing else is "
				"understood",
				i, k, why.text);
	return 0;
}

static int check_addresses(size_t i, const struct config_net *net, struct error *err)
{
	const struct net_plan_config config = {
		.network = net->network,
		.host = net->host,
		.dns = net->dns,
		.dhcp = net->dhcp_start,
		.network6 = net->network6,
		.host6 = net->host6,
		.dns6 = net->dns6,
	};
	struct net_plan plan;
	struct error why;

	if (net_plan_make(&config, &why, &plan) < 0)
		return error_set(
			err, -EINVAL,
			"networks[%zu].%.200s, because the addresses of a network must fit "
			"together",
			i, why.text);
	if (net->mode == CONFIG_NET_USER && !net->ipv4 && !net->ipv6)
		return error_set(err, -EINVAL,
				 "networks[%zu].ipv6: expected true, because networks[%zu].ipv4 is "
				 "false",
				 i, i);
	return 0;
}

static int check_unlike(const struct config_net *nets, size_t i, struct error *err)
{
	uint8_t mac[6], other[6];

	if (!nets[i].mac || net_mac_parse(nets[i].mac, mac) < 0)
		return 0;
	for (size_t k = 0; k < i; k++)
		if (nets[k].mac && net_mac_parse(nets[k].mac, other) == 0 &&
		    memcmp(mac, other, sizeof(mac)) == 0)
			return error_set(err, -EINVAL,
					 "networks[%zu].mac: expected another than %s, because "
					 "networks[%zu] has it",
					 i, nets[i].mac, k);
	return 0;
}

int config_check_nets(const struct vm_config *config, struct error *err)
{
	static int (*const rules[])(size_t i, const struct config_net *net, struct error *err) = {
		check_mode, check_tap,      check_socket,    check_queues,
		check_mac,  check_forwards, check_addresses,
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->net_count; i++) {
		for (size_t k = 0; r == 0 && k < ARRAY_SIZE(rules); k++)
			r = rules[k](i, &config->nets[i], err);
		if (r == 0)
			r = check_unlike(config->nets, i, err);
	}
	return r;
}
