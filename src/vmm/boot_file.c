// SPDX-License-Identifier: MIT
/*
 * Files for the boot loaders. State belongs to the caller; any thread may read.
 */
#include "vmm/boot_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* So that a huge file is not one endless system call. */
#define LOAD_CHUNK MiB(64)

static int check_kind(struct boot_file *file, struct error *err)
{
	struct stat st;

	if (fstat(file->fd, &st) < 0)
		return error_errno(err, -errno, "%s", file->path);
	if (S_ISDIR(st.st_mode))
		return error_set(err, -EISDIR, "%s: is a directory, expected a file", file->path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s: not a regular file", file->path);
	if (st.st_size == 0)
		return error_set(err, -ENOEXEC, "%s: is empty", file->path);
	file->size = (uint64_t)st.st_size;
	return 0;
}

int boot_file_open(struct boot_file *file, const char *path, struct error *err)
{
	int r;

	*file = (struct boot_file){.fd = -1};
	file->path = strdup(path);
	if (!file->path)
		return error_set(err, -ENOMEM, "out of memory");
	/* O_NONBLOCK: opening a fifo must not wait for its writer; regular files ignore it. */
	file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (file->fd < 0)
		r = error_errno(err, -errno, "%s", path);
	else
		r = check_kind(file, err);
	if (r < 0)
		boot_file_close(file);
	return r;
}

void boot_file_close(struct boot_file *file)
{
	/* A zeroed struct has no path and does not own descriptor 0. */
	if (file->path && file->fd >= 0)
		close(file->fd);
	free(file->path);
	*file = (struct boot_file){.fd = -1};
}

static int too_short(const struct boot_file *file, uint64_t end, struct error *err)
{
	return error_set(err, -EIO,
			 "%s: has become too short: %llu bytes were expected, it had %llu",
			 file->path, (unsigned long long)end, (unsigned long long)file->size);
}

int boot_file_read(const struct boot_file *file, uint64_t offset, void *buf, size_t len,
		   struct error *err)
{
	uint64_t end = offset + len;
	char *to = buf;

	while (len) {
		ssize_t n = pread(file->fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, -errno, "%s: cannot read", file->path);
		if (n == 0)
			return too_short(file, end, err);
		to += n;
		offset += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* One chunk; returns the bytes read, 0 at the end of the file. */
static ssize_t load_chunk(const struct boot_file *file, uint64_t offset, size_t len,
			  struct mem *mem, uint64_t gpa)
{
	struct iovec iov[4];
	size_t count = 0;
	ssize_t n;
	int r = mem_iov(mem, gpa, len, iov, ARRAY_SIZE(iov), &count);

	if (r < 0)
		return r;
	do
		n = preadv(file->fd, iov, (int)count, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int boot_file_load(const struct boot_file *file, uint64_t offset, uint64_t len, struct mem *mem,
		   uint64_t gpa, struct error *err)
{
	uint64_t end = offset + len;

	while (len) {
		ssize_t n = load_chunk(file, offset, min_of(len, LOAD_CHUNK), mem, gpa);

		if (n < 0)
			return error_errno(err, (int)n, "%s: cannot load at %#llx", file->path,
					   (unsigned long long)gpa);
		if (n == 0)
			return too_short(file, end, err);
		offset += (uint64_t)n;
		gpa += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}
