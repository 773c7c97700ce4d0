// SPDX-License-Identifier: MIT
/*
 * Where systemd looks after control groups, it is asked for one: the transient unit candela.scope,
 * with Delegate=yes, of the system or of the user's own instance. All VMs with CPU settings are in
 * it; the first one makes it, and it goes with the last. org.freedesktop.systemd1(5), "Control
 * Group APIs and Delegation". By busctl(1), which comes with systemd. Main thread, blocking.
 */
#pragma once

#include <limits.h>

#include "vmm/error.h"

#define SYSTEMD_SCOPE "candela.scope"

/* Has systemd left the group at @dir to those who are in it? Then there is no need to ask. */
bool systemd_delegated(const char *dir);

/*
 * Where the scope is, whether it exists or not, when all groups are below @top. False: the path is
 * too long.
 */
bool systemd_scope_path(const char *top, char ret[PATH_MAX]);

/*
 * Has this process put into the scope. @root is that of cgroup_find_own(), and @ret the scope's
 * directory. -ENOTSUP, -ETIMEDOUT with text: systemd did not do it.
 */
int systemd_scope_enter(const char *root, struct error *err, char ret[PATH_MAX]) must_check;
