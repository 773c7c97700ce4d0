// SPDX-License-Identifier: MIT
/*
 * A cable between two VMs on one host: a Unix socket of type SOCK_SEQPACKET at a path that both are
 * given. Whoever comes first makes the socket, and holds the lock beside it; the other connects.
 * One that goes leaves the other waiting, and that becomes the one that makes it.
 *
 * No privilege is needed but for the path. One VM at each end: a third is turned away, and tries
 * again.
 */
#pragma once

#include "devices/net/net_backend.h"

#define NET_SOCKET_PATH_MAX 108 /* with its NUL: sun_path */

/*
 * -ENAMETOOLONG, -EEXIST: there is something else at @path, -EACCES and what else the host says.
 * That nobody is there is no error.
 */
int net_socket_create(const char *path, struct error *err, struct net_backend **ret) must_check;
