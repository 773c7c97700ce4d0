// SPDX-License-Identifier: MIT
/*
 * A directory tree that behaves as the kernel's control groups: directories come with files, have
 * extended attributes whatever the file system, and go away only when no thread is in them. It
 * takes the place of a few functions of the C library, for all of the program.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A root directory: "/proc/self" and an empty group "/sys/fs/cgroup/box", which is our own. */
extern char cgroup_fake_root[];

void cgroup_fake_setup(void);
void cgroup_fake_teardown(void);

/* The path, below the root, of @name. */
const char *cgroup_fake_path(const char *name);
void cgroup_fake_put(const char *name, const char *text);
/* "" when there is no such file. */
const char *cgroup_fake_get(const char *name);
bool cgroup_fake_exists(const char *name);
/* A group as mkdir(2) makes it. */
void cgroup_fake_make(const char *name);
