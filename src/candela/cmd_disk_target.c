// SPDX-License-Identifier: MIT
/*
 * Files that take their name only when they are complete: until then they have another one beside
 * it, which is removed when something goes wrong. Block devices are written as they are. Main
 * thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "candela/cmd_disk.h"
#include "devices/block/file_uring.h"

/* What is there is locked, so that nobody begins to use it while it is being replaced. */
static int open_old(struct disk_target *target, bool force, struct loop *loop, struct error *err)
{
	struct stat st;

	if (stat(target->path, &st))
		return errno == ENOENT
			       ? 0
			       : error_errno(err, -errno, "%s: cannot look at it", target->path);
	if (!force)
		return error_set(err, -EEXIST, "%s: exists; --force replaces it", target->path);
	target->replace = true;
	return file_uring_open(target->path, 0, loop, err, &target->old);
}

int disk_target_open(struct disk_target *target, const char *path, bool force, struct loop *loop,
		     struct error *err)
{
	int r;

	memset(target, 0, sizeof(*target));
	target->path = path;
	r = open_old(target, force, loop, err);
	if (r)
		return r;
	if (target->old && file_uring_info(target->old)->block_device) {
		target->file = target->old;
		target->old = NULL;
		return 0;
	}
	if (snprintf(target->temporary, sizeof(target->temporary), "%s.%ld.new", path,
		     (long)getpid()) >= (int)sizeof(target->temporary)) {
		target->temporary[0] = '\0';
		return error_set(err, -ENAMETOOLONG, "%s: too long a path", path);
	}
	r = file_uring_open(target->temporary, FILE_URING_CREATE, loop, err, &target->file);
	if (r)
		target->temporary[0] = '\0';
	return r;
}

/* The name is durable when the directory is. */
static int sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[4096];
	int fd, r;

	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fsync(fd) ? -errno : 0;
	close(fd);
	/* Not every file system has that. */
	return r == -EINVAL || r == -EOPNOTSUPP ? 0 : r;
}

/* With --force over a file, else only where no file is; it may have come to be meanwhile. */
static int put_in_place(struct disk_target *target, struct error *err)
{
	int r = 0;

	if (target->replace) {
		r = rename(target->temporary, target->path) ? -errno : 0;
	} else {
		r = renameat2(AT_FDCWD, target->temporary, AT_FDCWD, target->path, RENAME_NOREPLACE)
			    ? -errno
			    : 0;
		if (r == -EINVAL || r == -ENOSYS) {
			r = link(target->temporary, target->path) ? -errno : 0;
			if (r == 0)
				unlink(target->temporary);
		}
	}
	if (r == 0)
		r = sync_directory(target->path);
	return r ? error_errno(err, r, "%s: cannot put the new file there", target->path) : 0;
}

int disk_target_commit(struct disk_target *target, struct error *err)
{
	int fd, r;

	if (!target->temporary[0])
		return 0;
	fd = open(target->temporary, O_RDONLY | O_CLOEXEC);
	r = fd < 0 || fsync(fd) ? -errno : 0;
	if (fd >= 0)
		close(fd);
	if (r)
		return error_errno(err, r, "%s: cannot make it durable", target->path);
	r = put_in_place(target, err);
	if (r == 0)
		target->temporary[0] = '\0';
	return r;
}

void disk_target_finish(struct disk_target *target)
{
	file_destroy(target->file);
	file_destroy(target->old);
	if (target->temporary[0])
		unlink(target->temporary);
	target->file = target->old = NULL;
	target->temporary[0] = '\0';
}
