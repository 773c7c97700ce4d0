// SPDX-License-Identifier: MIT
/* Opening TAP devices, by name or from descriptors. No state of its own; the machine's loop. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/net/net_tap_internal.h"

#define HEADER_SIZE ((int)sizeof(struct virtio_net_hdr_v1))

static struct ifreq request_for(const struct net_tap *tap)
{
	struct ifreq ifr = {0};

	memcpy(ifr.ifr_name, tap->name, sizeof(tap->name));
	return ifr;
}

/* --- By name. ------------------------------------------------------------------------------- */

static int open_tun(struct error *err, int *ret)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return error_set(err, -ENODEV,
				 "/dev/net/tun is missing: load the module \"tun\" (modprobe tun)");
	if (fd < 0)
		return error_errno(err, -errno, "cannot open /dev/net/tun");
	*ret = fd;
	return 0;
}

static int why_not(const struct net_tap *tap, int r, struct error *err)
{
	const char *name = tap->name;

	switch (r) {
	case -EPERM:
		return error_set(err, r,
				 "TAP device %s: not allowed; it takes root, or a device made for "
				 "this user: ip tuntap add dev %s mode tap user NAME",
				 name, name);
	case -EBUSY:
		return error_set(err, r, "TAP device %s: another program uses it", name);
	case -EINVAL:
		return error_set(
			err, r,
			"TAP device %s: there is an interface of that name, which is no TAP "
			"device, or has no more queues (ip tuntap add ... multi_queue)",
			name);
	default:
		return error_errno(err, r, "TAP device %s", name);
	}
}

/* @flags besides those of all: IFF_MULTI_QUEUE or none. */
static int attach(struct net_tap *tap, int fd, short flags)
{
	struct ifreq ifr = request_for(tap);

	ifr.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | flags);
	return ioctl(fd, TUNSETIFF, &ifr) < 0 ? -errno : 0;
}

/*
 * A device that is there has been made for one queue or for several, and refuses to be taken for
 * the other: what suits us better is tried first.
 */
static int attach_first(struct net_tap *tap, const struct net_tap_config *config, int fd,
			short *ret_flags)
{
	const short wanted = config->queues > 1 ? IFF_MULTI_QUEUE : 0;
	int r = attach(tap, fd, wanted);

	*ret_flags = wanted;
	if (r != -EINVAL || (wanted && config->queues_exact))
		return r;
	*ret_flags = (short)(wanted ^ IFF_MULTI_QUEUE);
	return attach(tap, fd, *ret_flags);
}

static int add_queue(struct net_tap *tap, const struct net_tap_config *config, short *flags,
		     struct error *err)
{
	const unsigned int index = tap->backend.info.queues;
	int fd = -1, r = open_tun(err, &fd);

	if (r < 0)
		return r;
	r = index == 0 ? attach_first(tap, config, fd, flags) : attach(tap, fd, *flags);
	if (r < 0) {
		close(fd);
		return why_not(tap, r, err);
	}
	tap->fds[index] = fd;
	tap->backend.info.queues++;
	return 0;
}

/* What we made would go unused until somebody sets it up. Who may make one may do that, too. */
static int set_up(struct net_tap *tap, struct error *err)
{
	struct ifreq ifr = request_for(tap);

	if (ioctl(tap->link_fd, SIOCGIFFLAGS, &ifr) == 0) {
		ifr.ifr_flags |= IFF_UP;
		if (ioctl(tap->link_fd, SIOCSIFFLAGS, &ifr) == 0)
			return 0;
	}
	return error_errno(err, -errno, "TAP device %s: cannot set it up", tap->name);
}

static int open_named(struct net_tap *tap, const struct net_tap_config *config, struct error *err)
{
	const bool existed = if_nametoindex(config->name) != 0;
	short flags = 0;
	int r;

	snprintf(tap->name, sizeof(tap->name), "%s", config->name);
	do {
		r = add_queue(tap, config, &flags, err);
	} while (r == 0 && (flags & IFF_MULTI_QUEUE) && tap->backend.info.queues < config->queues);
	return r < 0 || existed ? r : set_up(tap, err);
}

/* --- From descriptors. ---------------------------------------------------------------------- */

static int check_fd(struct net_tap *tap, int fd, struct error *err)
{
	const unsigned int needed = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	struct ifreq ifr = {0};
	unsigned int flags;

	if (ioctl(fd, TUNGETIFF, &ifr) < 0)
		return error_set(err, -EINVAL,
				 "descriptor %d: not one of a TAP device that is ready (%s)", fd,
				 strerrordesc_np(errno));
	flags = (unsigned short)ifr.ifr_flags;
	if ((flags & needed) != needed)
		return error_set(err, -EINVAL,
				 "descriptor %d: expected a TAP device with the flags IFF_TAP, "
				 "IFF_NO_PI and IFF_VNET_HDR, got flags 0x%x",
				 fd, flags);
	ifr.ifr_name[NET_TAP_NAME_MAX] = '\0';
	if (tap->name[0] && strcmp(tap->name, ifr.ifr_name) != 0)
		return error_set(err, -EINVAL,
				 "descriptor %d: of the TAP device %s, the others are of %s", fd,
				 ifr.ifr_name, tap->name);
	memcpy(tap->name, ifr.ifr_name, sizeof(tap->name));
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return error_errno(err, -errno, "descriptor %d", fd);
	return 0;
}

static int take_fds(struct net_tap *tap, const struct net_tap_config *config, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < config->fd_count; i++)
		tap->fds[tap->backend.info.queues++] = config->fds[i];
	for (unsigned int i = 0; i < config->fd_count && r == 0; i++)
		r = check_fd(tap, tap->fds[i], err);
	return r;
}

/* --- Both. ---------------------------------------------------------------------------------- */

static int watch_links(struct net_tap *tap, struct error *err)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};

	tap->link_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (tap->link_fd < 0 ||
	    bind(tap->link_fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return error_errno(err, -errno, "cannot watch network interfaces");
	return 0;
}

static int set_header(const struct net_tap *tap, struct error *err)
{
	const int size = HEADER_SIZE;

	for (unsigned int i = 0; i < tap->backend.info.queues; i++)
		if (ioctl(tap->fds[i], TUNSETVNETHDRSZ, &size) < 0)
			return error_errno(err, -errno, "TAP device %s: no header of %d bytes",
					   tap->name, size);
	return 0;
}

/* A device in a network namespace that we do not see is believed to be as is asked for. */
static int settle_mtu(struct net_tap *tap, uint32_t wanted, struct error *err)
{
	struct ifreq ifr = request_for(tap);

	tap->backend.info.mtu_max = wanted ? wanted : 1500;
	if (ioctl(tap->link_fd, SIOCGIFMTU, &ifr) < 0)
		return 0;
	if ((uint32_t)ifr.ifr_mtu < wanted) {
		ifr.ifr_mtu = (int)wanted;
		if (ioctl(tap->link_fd, SIOCSIFMTU, &ifr) < 0)
			return error_errno(err, -errno,
					   "TAP device %s: cannot make its MTU %u (ip link set dev "
					   "%s mtu %u)",
					   tap->name, wanted, tap->name, wanted);
	}
	tap->backend.info.mtu_max = min_of((uint32_t)ifr.ifr_mtu, (uint32_t)NET_MTU_MAX);
	return 0;
}

/* Nothing is agreed upon with a guest yet; and what the kernel refuses, it does not know. */
static void find_offloads(struct net_tap *tap)
{
	const unsigned int uso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4 | TUN_F_USO6;

	tap->backend.info.checksum = tap->backend.info.tso = true;
	tap->backend.info.uso = ioctl(tap->fds[0], TUNSETOFFLOAD, uso) == 0;
	(void)ioctl(tap->fds[0], TUNSETOFFLOAD, 0);
}

int net_tap_create(const struct net_tap_config *config, struct error *err, struct net_backend **ret)
{
	struct net_tap *tap = calloc(1, sizeof(*tap));
	int r;

	assert(config->fd_count <= NET_QUEUES_MAX && config->queues <= NET_QUEUES_MAX);
	if (!tap)
		return error_set(err, -ENOMEM, "out of memory");
	tap->backend.ops = &net_tap_ops;
	tap->link_fd = -1;
	r = watch_links(tap, err);
	if (config->fd_count) {
		struct error other;
		int taken = take_fds(tap, config, r == 0 ? err : &other);

		r = r < 0 ? r : taken;
	} else if (r == 0) {
		r = open_named(tap, config, err);
	}
	if (r == 0)
		r = set_header(tap, err);
	if (r == 0)
		r = settle_mtu(tap, config->mtu, err);
	if (r < 0) {
		net_backend_destroy(&tap->backend);
		return r;
	}
	find_offloads(tap);
	(void)net_tap_look_at_link(tap);
	*ret = &tap->backend;
	return 0;
}
