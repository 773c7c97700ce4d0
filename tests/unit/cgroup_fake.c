// SPDX-License-Identifier: MIT
/* Control groups that are none. See cgroup_fake.h. */
#include "cgroup_fake.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define XATTR_FILE ".xattr"

char cgroup_fake_root[] = "/tmp/candela-test-cgroup.XXXXXX";

static const struct {
	const char *name, *text;
} files[] = {
	{"cgroup.type", "domain\n"},      {"cgroup.controllers", "cpuset cpu\n"},
	{"cgroup.subtree_control", "\n"}, {"cgroup.threads", ""},
	{"cpu.weight", "100\n"},          {"cpu.max", "max 100000\n"},
	{"cpu.stat", "usage_usec 0\n"},   {XATTR_FILE, ""},
};

/* --- What the kernel would do. --------------------------------------------------------------- */

static int open_at(int dir, const char *path, int flags, mode_t mode)
{
	return (int)syscall(SYS_openat, dir, path, flags, mode);
}

/* A write is the whole of what such a file holds. */
int openat(int dir, const char *path, int flags, ...)
{
	return open_at(dir, path, (flags & O_ACCMODE) == O_WRONLY ? flags | O_TRUNC : flags, 0600);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	int fd, file;

	if (syscall(SYS_mkdirat, dir, path, mode) < 0)
		return -1;
	fd = open_at(dir, path, O_RDONLY | O_DIRECTORY, 0);
	ck_assert_int_ge(fd, 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		file = open_at(fd, files[i].name, O_WRONLY | O_CREAT, 0600);
		ck_assert_int_ge(file, 0);
		ck_assert_int_eq(write(file, files[i].text, strlen(files[i].text)),
				 (ssize_t)strlen(files[i].text));
		close(file);
	}
	close(fd);
	return 0;
}

int unlinkat(int dir, const char *path, int flags)
{
	struct stat st;
	int fd = open_at(dir, path, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return -1;
	/* The links of a directory are its name, itself, and its subdirectories. */
	if ((fstatat(fd, "cgroup.threads", &st, 0) == 0 && st.st_size) ||
	    (fstat(fd, &st) == 0 && st.st_nlink > 2)) {
		close(fd);
		errno = EBUSY;
		return -1;
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)syscall(SYS_unlinkat, fd, files[i].name, 0);
	close(fd);
	return (int)syscall(SYS_unlinkat, dir, path, flags);
}

int fsetxattr(int dir, const char *name, const void *value, size_t size, int flags)
{
	int r, fd = open_at(dir, XATTR_FILE, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_str_eq(name, "user.candela");
	if (fd < 0)
		return -1;
	r = write(fd, value, size) == (ssize_t)size ? 0 : -1;
	close(fd);
	return r;
}

ssize_t fgetxattr(int dir, const char *name, void *value, size_t size)
{
	int fd = open_at(dir, XATTR_FILE, O_RDONLY, 0);
	ssize_t len;

	if (fd < 0)
		return -1;
	len = read(fd, value, size);
	close(fd);
	return len;
}

/* --- The tree. ------------------------------------------------------------------------------- */

const char *cgroup_fake_path(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", cgroup_fake_root, name);
	return path;
}

void cgroup_fake_put(const char *name, const char *text)
{
	FILE *f = fopen(cgroup_fake_path(name), "w");

	ck_assert_msg(f != NULL, "%s", name);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

const char *cgroup_fake_get(const char *name)
{
	static char text[4096];
	FILE *f = fopen(cgroup_fake_path(name), "r");
	size_t len = 0;

	if (f) {
		len = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[len] = '\0';
	return text;
}

bool cgroup_fake_exists(const char *name)
{
	return access(cgroup_fake_path(name), F_OK) == 0;
}

void cgroup_fake_make(const char *name)
{
	ck_assert_int_eq(mkdirat(AT_FDCWD, cgroup_fake_path(name), 0700), 0);
}

static void make_dir(const char *name)
{
	ck_assert_int_eq(mkdir(cgroup_fake_path(name), 0700), 0);
}

void cgroup_fake_setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(cgroup_fake_root));
	make_dir("proc");
	make_dir("proc/self");
	make_dir("sys");
	make_dir("sys/fs");
	cgroup_fake_make("sys/fs/cgroup");
	cgroup_fake_make("sys/fs/cgroup/box");
	cgroup_fake_put("proc/self/mountinfo",
			"22 1 0:20 / / rw - ext4 /dev/sda1 rw\n"
			"31 22 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
	cgroup_fake_put("proc/self/cgroup", "0::/box\n");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return (int)syscall(SYS_unlinkat, AT_FDCWD, path, type == FTW_DP ? AT_REMOVEDIR : 0);
}

void cgroup_fake_teardown(void)
{
	ck_assert_int_eq(nftw(cgroup_fake_root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}
