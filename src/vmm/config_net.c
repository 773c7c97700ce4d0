// SPDX-License-Identifier: MIT
/* The settings of one NIC, a row each. Constant data; any thread. */
#include "vmm/config.h"
#include "vmm/config_table.h"

#define NET struct config_net

static const char *const mode_names[] = {
	[CONFIG_NET_USER] = "user", [CONFIG_NET_TAP] = "tap",   [CONFIG_NET_SOCKET] = "socket",
	[CONFIG_NET_NULL] = "null", [CONFIG_NET_NONE] = "none", NULL,
};

static const char *const link_names[] = {
	[CONFIG_NET_LINK_UP] = "up",
	[CONFIG_NET_LINK_DOWN] = "down",
	NULL,
};

static const struct config_row fd_rows[] = {
	{
		CONFIG_AT_UINT(struct config_net_fd, fd),
		.min = 3,
		.max = 1048575,
		.help = "a descriptor of a TAP device",
	},
};

static const struct config_table fd_table = {
	.rows = fd_rows,
	.row_count = ARRAY_SIZE(fd_rows),
	.size = sizeof(struct config_net_fd),
	.syntax = CONFIG_ITEM_VALUE,
};

static const struct config_row forward_rows[] = {
	{
		CONFIG_AT_STRING(struct config_net_forward, text),
		.min = 7,
		.max = 64,
		.help = "tcp:[ADDRESS:]PORT:GUESTPORT, or udp:...",
	},
};

static const struct config_table forward_table = {
	.rows = forward_rows,
	.row_count = ARRAY_SIZE(forward_rows),
	.size = sizeof(struct config_net_forward),
	.syntax = CONFIG_ITEM_VALUE,
};

/* Addresses: what is between them is config_check()'s. */
#define NET_IPV4(name, member, unset_, help_)                                                      \
	{                                                                                          \
		.key = name, CONFIG_AT_STRING(NET, member), .min = 7, .max = 15, .chars = "0-9.",  \
		.unset = unset_, .help = help_,                                                    \
	}
#define NET_IPV6(name, member, unset_, help_)                                                      \
	{                                                                                          \
		.key = name, CONFIG_AT_STRING(NET, member), .min = 3, .max = 45,                   \
		.chars = "0-9A-Fa-f:.", .unset = unset_, .help = help_,                            \
	}
#define NET_BANDWIDTH(name, member, help_)                                                         \
	{                                                                                          \
		.key = name, CONFIG_AT_SIZE(NET, member), .max = GiB(1024), .preset = "0",         \
		.help = help_,                                                                     \
	}
#define NET_PACKETS(name, member, help_)                                                           \
	{                                                                                          \
		.key = name, CONFIG_AT_UINT(NET, member), .max = UINT32_MAX - 1, .preset = "0",    \
		.help = help_,                                                                     \
	}

static const struct config_row rows[] = {
	{
		.key = "mode",
		CONFIG_AT_ENUM(NET, mode, config_net_mode),
		.names = mode_names,
		.preset = "user",
		.help = "what is at the other end: user, a network of its own behind the user's "
			"connections, without privilege; tap, an interface of the host; socket, "
			"another VM; null, nothing; none: there is no such NIC",
	},
	{
		.key = "name",
		CONFIG_AT_STRING(NET, name),
		.min = 1,
		.max = 15,
		.chars = "A-Za-z0-9._@-",
		.first = "A-Za-z0-9_",
		.help = "tap: the interface, which is made if it is not there",
	},
	{
		.key = "fd",
		CONFIG_AT_ARRAY(NET, fds, fd_count, const struct config_net_fd),
		.items = &fd_table,
		.max = CONFIG_NET_QUEUES,
		.help = "tap: open descriptors of the interface in place of its name, one a queue",
	},
	{
		.key = "path",
		CONFIG_AT_PATH(NET, path),
		.help = "socket: a Unix socket, the same for both VMs; whoever starts first makes "
			"it",
	},
	{
		.key = "mac",
		CONFIG_AT_STRING(NET, mac),
		.min = 17,
		.max = 17,
		.chars = "0-9A-Fa-f:-",
		.unset = "made from the VM's name and the NIC's number: always the same",
		.help = "its Ethernet address",
	},
	{
		.key = "mtu",
		CONFIG_AT_UINT(NET, mtu),
		.min = 576,
		.max = 65521,
		.unset = "the TAP device's, else 1500",
		.help = "largest packet, without its Ethernet header",
	},
	{
		.key = "queues",
		CONFIG_AT_UINT(NET, queues),
		.min = 1,
		.max = CONFIG_NET_QUEUES,
		.unset = "one for each processor, eight at most, where the other end has so many",
		.help = "pairs of queues that the guest may use, a thread for each",
	},
	{
		.key = "link",
		CONFIG_AT_ENUM(NET, link, config_net_link),
		.names = link_names,
		.preset = "up",
		.help = "whether the cable is plugged in at the beginning",
	},
	{
		.key = "forward",
		CONFIG_AT_ARRAY(NET, forwards, forward_count, const struct config_net_forward),
		.items = &forward_table,
		.max = CONFIG_NET_FORWARDS,
		.help = "user: ports of the host that lead to the guest, each "
			"tcp:[ADDRESS:]PORT:GUESTPORT or udp:...; without ADDRESS 127.0.0.1",
	},
	{
		.key = "restrict",
		CONFIG_AT_BOOL(NET, restricted),
		.preset = "false",
		.help = "user: the guest reaches nothing but what is forwarded to it",
	},
	{
		.key = "ipv4",
		CONFIG_AT_BOOL(NET, ipv4),
		.preset = "true",
		.help = "user: the network has IPv4",
	},
	{
		.key = "ipv6",
		CONFIG_AT_BOOL(NET, ipv6),
		.preset = "true",
		.help = "user: the network has IPv6",
	},
	{
		.key = "network",
		CONFIG_AT_STRING(NET, network),
		.min = 9,
		.max = 18,
		.chars = "0-9./",
		.unset = "10.0.2.0/24",
		.help = "user: the network",
	},
	NET_IPV4("host", host, "the network's second address", "user: the host's address in it"),
	NET_IPV4("dns", dns, "the third", "user: the address of the DNS server in it"),
	NET_IPV4("dhcp-start", dhcp_start, "the fifteenth",
		 "user: the guest's address, the first that DHCP gives out"),
	{
		.key = "network6",
		CONFIG_AT_STRING(NET, network6),
		.min = 4,
		.max = 49,
		.chars = "0-9A-Fa-f:./",
		.unset = "fec0::/64",
		.help = "user: the network of IPv6",
	},
	NET_IPV6("host6", host6, "the network's second address", "user: the host's address in it"),
	NET_IPV6("dns6", dns6, "the third", "user: the address of the DNS server in it"),
	{
		.key = "hostname",
		CONFIG_AT_STRING(NET, hostname),
		.min = 1,
		.max = 32,
		.chars = "A-Za-z0-9.-",
		.first = "A-Za-z0-9",
		.help = "user: the guest's name, as DHCP tells it",
	},
	{
		.key = "domain",
		CONFIG_AT_STRING(NET, domain),
		.min = 1,
		.max = 253,
		.chars = "A-Za-z0-9.-",
		.first = "A-Za-z0-9",
		.help = "user: the guest's domain, as DHCP tells it",
	},
	NET_BANDWIDTH("tx-bandwidth", tx_bandwidth,
		      "bytes a second that the guest may send; 0 is no limit"),
	NET_BANDWIDTH("tx-bandwidth-burst", tx_bandwidth_burst,
		      "bytes that it may send at once after a pause; 0 is a tenth of that"),
	NET_PACKETS("tx-packets", tx_packets,
		    "packets a second that the guest may send; 0 is no limit"),
	NET_PACKETS("tx-packets-burst", tx_packets_burst,
		    "packets that it may send at once after a pause; 0 is a tenth of that"),
	NET_BANDWIDTH("rx-bandwidth", rx_bandwidth,
		      "bytes a second that the guest is given; 0 is no limit"),
	NET_BANDWIDTH("rx-bandwidth-burst", rx_bandwidth_burst,
		      "bytes that it is given at once after a pause; 0 is a tenth of that"),
	NET_PACKETS("rx-packets", rx_packets,
		    "packets a second that the guest is given; 0 is no limit"),
	NET_PACKETS("rx-packets-burst", rx_packets_burst,
		    "packets that it is given at once after a pause; 0 is a tenth of that"),
	{
		.key = "pcap",
		CONFIG_AT_PATH(NET, pcap),
		.help = "file for a capture (pcapng) of all packets of both directions; it is "
			"emptied first",
	},
	{
		.key = "pcap-snap",
		CONFIG_AT_UINT(NET, pcap_snap),
		.min = 14,
		.max = 65535,
		.preset = "65535",
		.help = "bytes of each packet that the capture keeps",
	},
};

const struct config_table config_net_table = {
	.rows = rows,
	.row_count = ARRAY_SIZE(rows),
	.size = sizeof(struct config_net),
	.syntax = CONFIG_ITEM_KEYS,
};
