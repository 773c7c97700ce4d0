// SPDX-License-Identifier: MIT
/*
 * Giving space back, and zeroes without moving them: fallocate(2), as far as the file system has
 * it. For zeroes there is always a way: a range that can be zeroed, else a hole, else writing them.
 * What a file system cannot do is noted when it says so. State belongs to the loop's thread.
 */
#include <errno.h>
#include <linux/falloc.h>
#include <sys/mman.h>

#include "devices/block/file_uring_internal.h"

#define HOLE  (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define WRITE (-1)

static bool is_unsupported(int res)
{
	return res == -EOPNOTSUPP || res == -ENOSYS || res == -ENOTTY || res == -EINVAL;
}

/* A hole does not make a file longer. */
static bool hole_will_do(struct file_uring *f, const struct file_request *req)
{
	uint64_t size;

	return !f->no_punch && f->file.ops->size(&f->file, &size) == 0 &&
	       range_within(req->offset, req->len, size);
}

/*
 * Zeroes are written from memory that is never written to, and so has only the kernel's page of
 * zeroes behind it. Without memory the write fails with -EFAULT.
 */
static void issue_zeroes(struct file_uring *f, struct file_request *req, struct io_uring_sqe *sqe)
{
	int fd = f->exclusive == req ? f->cache_fd : f->fd;

	if (!f->zeroes) {
		void *memory =
			mmap(NULL, BOUNCE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		f->zeroes = memory == MAP_FAILED ? NULL : memory;
	}
	io_uring_prep_write(sqe, fd, f->zeroes,
			    (unsigned int)min_of(req->len - req->moved, BOUNCE_SIZE),
			    req->offset + req->moved);
}

/* The mode of fallocate() that is to be tried; WRITE: none. */
static int choose_mode(struct file_uring *f, const struct file_request *req)
{
	/* What was begun by writing goes on by writing. */
	if (req->moved)
		return WRITE;
	if (req->op == FILE_DISCARD)
		return HOLE;
	if (!f->no_zero_range)
		return FALLOC_FL_ZERO_RANGE;
	return hole_will_do(f, req) ? HOLE : WRITE;
}

void file_uring_issue_space(struct file_uring *f, struct file_request *req,
			    struct io_uring_sqe *sqe)
{
	req->mode = choose_mode(f, req);
	if (req->mode == WRITE)
		issue_zeroes(f, req, sqe);
	else
		io_uring_prep_fallocate(sqe, f->cache_fd, req->mode, (off_t)req->offset,
					(off_t)req->len);
}

bool file_uring_space_done(struct file_uring *f, struct file_request *req, int *res)
{
	if (req->mode == WRITE && *res >= 0) {
		bool stuck = *res == 0;

		req->moved += (uint64_t)*res;
		*res = stuck ? -EIO : 0;
		return !stuck && req->moved < req->len;
	}
	if (req->mode == WRITE || !is_unsupported(*res))
		return false;
	if (req->op == FILE_DISCARD) {
		*res = -EOPNOTSUPP;
		return false;
	}
	if (req->mode == HOLE)
		f->no_punch = true;
	else
		f->no_zero_range = true;
	return true;
}
