// SPDX-License-Identifier: MIT
/*
 * Landlock, by the kernel's interface of versions 1 to 6. Rights are named here where the headers
 * of the system may be older than its kernel.
 */
#include "candela/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FS_TRUNCATE   (1ull << 14) /* version 3 */
#define FS_IOCTL_DEV  (1ull << 15) /* version 5 */
#define NET_ALL       3ull         /* version 4: bind and connect, of TCP */
#define SCOPE_SOCKETS 1ull         /* version 6: abstract Unix sockets */

/* Rights of files, not of directories. */
#define FILE_RIGHTS                                                                                \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |                              \
	 LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

/* As struct landlock_ruleset_attr of version 6. */
struct ruleset {
	uint64_t fs, net, scoped;
};

static int version(void)
{
	const long v = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0,
			       LANDLOCK_CREATE_RULESET_VERSION);

	return v < 0 ? 0 : (int)v;
}

/* All rights that the kernel can withhold. */
static uint64_t handled(int v)
{
	if (v >= 5)
		return FS_IOCTL_DEV * 2 - 1;
	if (v >= 3)
		return FS_TRUNCATE * 2 - 1;
	return v >= 2 ? LANDLOCK_ACCESS_FS_REFER * 2 - 1 : LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1;
}

/*
 * Signals stay as they are: some kernels that can withhold those (version 6) do so between the
 * threads of one process, too.
 */
int landlock_open(void)
{
	const int v = version();
	const struct ruleset ruleset = {
		.fs = handled(v),
		.net = v >= 4 ? NET_ALL : 0,
		.scoped = v >= 6 ? SCOPE_SOCKETS : 0,
	};
	long fd;

	if (v == 0)
		return -ENOTSUP;
	/* Older kernels take the longer structure, as long as they need not know what is in it. */
	fd = syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);
	return fd < 0 ? -errno : (int)fd;
}

static uint64_t rights(uint32_t uses)
{
	static const struct {
		uint32_t use;
		uint64_t rights;
	} rows[] = {
		{LANDLOCK_READ, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR},
		{LANDLOCK_WRITE, LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE},
		{LANDLOCK_CREATE, LANDLOCK_ACCESS_FS_MAKE_REG},
		{LANDLOCK_SOCKETS, LANDLOCK_ACCESS_FS_MAKE_SOCK},
		{LANDLOCK_REMOVE, LANDLOCK_ACCESS_FS_REMOVE_FILE},
		{LANDLOCK_DEVICES, FS_IOCTL_DEV},
		{LANDLOCK_DIRECTORIES, LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR},
	};
	uint64_t set = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (uses & rows[i].use)
			set |= rows[i].rights;
	return set & handled(version());
}

int landlock_allow(int fd, const char *path, uint32_t uses, struct error *err)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = rights(uses),
		.parent_fd = open(path, O_PATH | O_CLOEXEC),
	};
	struct stat st;
	int r = 0;

	if (rule.parent_fd < 0)
		return error_errno(err, -errno, "%s", path);
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= FILE_RIGHTS;
	if (rule.allowed_access &&
	    syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		r = error_errno(err, -errno, "%s: Landlock", path);
	close(rule.parent_fd);
	return r;
}

int landlock_enter(int fd)
{
	return syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
}
