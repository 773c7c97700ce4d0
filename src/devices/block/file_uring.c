// SPDX-License-Identifier: MIT
/*
 * Files and block devices of the host: opening, and the plain calls. Requests are in
 * file_uring_io.c. State belongs to the loop's thread.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/block/file_lock.h"
#include "devices/block/file_uring_internal.h"

/* --- plain calls, through the page cache ---------------------------------------------------- */

static int uring_pread(struct file *file, void *buf, size_t len, uint64_t offset)
{
	struct file_uring *f = file_uring_of(file);
	char *to = buf;
	ssize_t n;

	while (len) {
		n = pread(f->cache_fd, to, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) {
			memset(to, 0, len); /* past the end */
			return 0;
		}
		to += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int uring_pwrite(struct file *file, const void *buf, size_t len, uint64_t offset)
{
	struct file_uring *f = file_uring_of(file);
	const char *from = buf;
	ssize_t n;

	if (file->read_only)
		return -EROFS;
	while (len) {
		n = pwrite(f->cache_fd, from, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		from += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int uring_sync(struct file *file)
{
	struct file_uring *f = file_uring_of(file);

	if (fdatasync(f->cache_fd)) {
		f->sync_failed = true;
		return -errno;
	}
	return f->sync_failed ? -EIO : 0;
}

static int uring_truncate(struct file *file, uint64_t size)
{
	int r;

	if (file->read_only)
		return -EROFS;
	if (size > INT64_MAX)
		return -EFBIG;
	do {
		r = ftruncate(file_uring_of(file)->cache_fd, (off_t)size) ? -errno : 0;
	} while (r == -EINTR);
	return r;
}

static int uring_discard(struct file *file, uint64_t offset, uint64_t len)
{
	int r;

	if (file->read_only)
		return -EROFS;
	if (!range_within(offset, len, INT64_MAX))
		return -EINVAL;
	if (len == 0)
		return 0;
	do {
		r = fallocate(file_uring_of(file)->cache_fd,
			      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len)
			    ? -errno
			    : 0;
	} while (r == -EINTR);
	return r == -ENOSYS ? -EOPNOTSUPP : r;
}

static int uring_size(struct file *file, uint64_t *ret)
{
	/* Of block devices too. Nobody else uses the position. */
	off_t size = lseek(file_uring_of(file)->cache_fd, 0, SEEK_END);

	if (size < 0)
		return -errno;
	*ret = (uint64_t)size;
	return 0;
}

static int uring_extent(struct file *file, uint64_t offset, bool *ret_data, uint64_t *ret_len)
{
	struct file_uring *f = file_uring_of(file);
	off_t data, hole;
	uint64_t size = 0;
	int r;

	r = uring_size(file, &size);
	if (r)
		return r;
	*ret_data = false;
	*ret_len = UINT64_MAX - offset;
	if (offset >= size)
		return 0;
	data = lseek(f->cache_fd, (off_t)offset, SEEK_DATA);
	if (data < 0 && errno == ENXIO)
		return 0;
	if (data > (off_t)offset) {
		*ret_len = (uint64_t)data - offset;
		return 0;
	}
	hole = data < 0 ? -1 : lseek(f->cache_fd, (off_t)offset, SEEK_HOLE);
	*ret_data = true;
	*ret_len = (hole > (off_t)offset ? (uint64_t)hole : size) - offset;
	return 0;
}

static void uring_destroy(struct file *file)
{
	struct file_uring *f = file_uring_of(file);

	assert(f->in_flight == 0);
	if (f->loop) {
		loop_timer_cancel(f->loop, &f->retry);
		loop_defer_cancel(&f->finish);
	}
	if (f->bounce_memory)
		munmap(f->bounce_memory, BOUNCE_SIZE * BOUNCE_COUNT);
	if (f->zeroes)
		munmap(f->zeroes, BOUNCE_SIZE);
	if (f->direct_fd >= 0)
		close(f->direct_fd);
	if (f->cache_fd >= 0)
		close(f->cache_fd);
	free((char *)(uintptr_t)f->file.name);
	free(f);
}

static const struct file_ops uring_ops = {
	.submit = file_uring_submit,
	.pread = uring_pread,
	.pwrite = uring_pwrite,
	.sync = uring_sync,
	.truncate = uring_truncate,
	.discard = uring_discard,
	.size = uring_size,
	.extent = uring_extent,
	.destroy = uring_destroy,
};

/* --- opening -------------------------------------------------------------------------------- */

static struct file_uring *new_file(const char *name, unsigned int flags, struct loop *loop)
{
	struct file_uring *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->file.ops = &uring_ops;
	f->file.read_only = flags & FILE_URING_READ_ONLY;
	f->no_sync = flags & FILE_URING_NO_SYNC;
	f->loop = loop;
	f->fd = f->cache_fd = f->direct_fd = -1;
	file_uring_init_requests(f);
	f->file.name = strdup(name);
	if (!f->file.name) {
		free(f);
		return NULL;
	}
	return f;
}

static int open_cached(struct file_uring *f, const char *path, unsigned int flags,
		       struct error *err)
{
	int mode = flags & FILE_URING_READ_ONLY ? O_RDONLY : O_RDWR;
	struct stat st;

	if (flags & FILE_URING_CREATE)
		mode |= O_CREAT | O_EXCL;
	/* Not to wait for the other end of a pipe. */
	f->cache_fd = f->fd = open(path, mode | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
	if (f->fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM) &&
	    !(flags & (FILE_URING_READ_ONLY | FILE_URING_CREATE)))
		return error_errno(err, -errno, "%s: cannot open it for writing", path);
	if (f->fd < 0)
		return error_errno(err, -errno, "%s: cannot %s it", path,
				   flags & FILE_URING_CREATE ? "create" : "open");
	if (fstat(f->fd, &st))
		return error_errno(err, -errno, "%s: cannot look at it", path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return error_set(err, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL,
				 "%s: neither a file nor a block device", path);
	return file_lock(f->fd, !(flags & FILE_URING_READ_ONLY), path, err);
}

/* A second description of the same file, around the page cache; without it, all stays as it is. */
static int open_direct(struct file_uring *f, const char *path, unsigned int flags,
		       struct error *err)
{
	int mode = flags & FILE_URING_READ_ONLY ? O_RDONLY : O_RDWR;
	struct stat cached, direct;
	int fd;

	fd = open(path, mode | O_DIRECT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return 0;
	if (fstat(f->fd, &cached) || fstat(fd, &direct) || cached.st_dev != direct.st_dev ||
	    cached.st_ino != direct.st_ino) {
		close(fd);
		return error_set(err, -ESTALE, "%s: was replaced while it was being opened", path);
	}
	f->fd = f->direct_fd = fd;
	f->info.direct = true;
	return 0;
}

int file_uring_open(const char *path, unsigned int flags, struct loop *loop, struct error *err,
		    struct file **ret)
{
	struct file_uring *f = new_file(path, flags, loop);
	int r;

	if (!f)
		return error_set(err, -ENOMEM, "out of memory");
	r = open_cached(f, path, flags, err);
	if (r == 0 && (flags & FILE_URING_DIRECT))
		r = open_direct(f, path, flags, err);
	if (r) {
		uring_destroy(&f->file);
		return r;
	}
	file_uring_find_facts(f);
	*ret = &f->file;
	return 0;
}

/* Without O_TMPFILE, the file has a name for a moment. */
static int open_unnamed(const char *dir)
{
	char path[4096];
	int fd;

	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return fd;
	if (snprintf(path, sizeof(path), "%s/candela-XXXXXX", dir) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

int file_uring_open_temporary(const char *dir, struct loop *loop, struct error *err,
			      struct file **ret)
{
	struct file_uring *f = new_file(dir, 0, loop);

	if (!f)
		return error_set(err, -ENOMEM, "out of memory");
	f->fd = f->cache_fd = open_unnamed(dir);
	if (f->fd < 0) {
		int r = error_errno(err, -errno, "%s: cannot create a temporary file there", dir);

		uring_destroy(&f->file);
		return r;
	}
	f->no_sync = true;
	file_uring_find_facts(f);
	*ret = &f->file;
	return 0;
}

void file_uring_use_cache(struct file *file)
{
	struct file_uring *f = file_uring_of(file);

	f->fd = f->cache_fd;
	f->info.direct = false;
	f->info.memory_alignment = f->info.range_alignment = 1;
}

const struct file_uring_info *file_uring_info(struct file *file)
{
	return &file_uring_of(file)->info;
}

const struct file_uring_counters *file_uring_counters(struct file *file)
{
	return &file_uring_of(file)->counters;
}
