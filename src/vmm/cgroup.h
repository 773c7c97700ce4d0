// SPDX-License-Identifier: MIT
/*
 * Control groups, version 2: where this process' own is, and reading and writing their files.
 * admin-guide/cgroup-v2.rst of the kernel; cgroups(7); proc(5) for mountinfo. No state; any thread.
 */
#pragma once

#include <limits.h>

#include "vmm/error.h"

/*
 * The directory of the group that this process is in. @root stands in front of each path: "" for
 * this host, a directory in tests. -ENOENT with text: version 2 is not mounted, or the group is
 * outside what is mounted.
 */
int cgroup_find_own(const char *root, struct error *err, char ret[PATH_MAX]) must_check;

/* The directory of the topmost group that can be seen; as cgroup_find_own(). */
int cgroup_find_top(const char *root, struct error *err, char ret[PATH_MAX]) must_check;

/* The text of a file, with its line ends, cut off where @buf ends. -errno. */
int cgroup_read(int dir_fd, const char *name, char *buf, size_t size) must_check;
/* Writes a value at once, as these files want it. -errno. */
int cgroup_write(int dir_fd, const char *name, const char *text) must_check;

/* Is @word among the words that the file has? Also false when it cannot be read. */
bool cgroup_has_word(int dir_fd, const char *name, const char *word);

/* The number behind @key in a file of "key number" lines; 0: there is none. */
uint64_t cgroup_number(const char *text, const char *key);

/*
 * Why the group at @dir, which cgroup_find_own() has found, cannot be given a cpu controller of its
 * own for groups below; @root as there. Always an error with text: it is to be called when that is
 * known, and finds out what to say.
 */
int cgroup_explain_no_cpu(const char *root, const char *dir, struct error *err);
