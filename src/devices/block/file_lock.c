// SPDX-License-Identifier: MIT
/*
 * Locks on image files. Two kinds, since programs ask for one or the other.
 *
 * The byte-range locks follow QEMU's convention, so that both refuse an image that the other has:
 * each way of using a file has a byte at LOCK_USES, which is locked by whoever uses it so, and one
 * at LOCK_DENIES, locked by whoever cannot bear others to. All locks are shared ones. An opener
 * takes its own, then looks whether somebody has those that contradict them.
 *
 * No state; any thread.
 */
#include "devices/block/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#define LOCK_USES   100
#define LOCK_DENIES 200

#define USE_READ            (1u << 0) /* and expects that what it reads is consistent */
#define USE_WRITE           (1u << 1)
#define USE_WRITE_UNCHANGED (1u << 2)
#define USE_RESIZE          (1u << 3)
#define USES                4u

static struct flock byte_lock(short type, long byte)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
}

/* What a file system answers that cannot lock. */
static bool is_unsupported(int error)
{
	return error == ENOSYS || error == EOPNOTSUPP || error == EINVAL || error == ENOLCK;
}

static int take(int fd, unsigned int set, long base)
{
	for (unsigned int i = 0; i < USES; i++) {
		struct flock lock = byte_lock(F_RDLCK, base + i);

		if ((set & 1u << i) && fcntl(fd, F_OFD_SETLK, &lock))
			return -errno;
	}
	return 0;
}

/* -EBUSY: somebody else has one of the set. */
static int look(int fd, unsigned int set, long base)
{
	for (unsigned int i = 0; i < USES; i++) {
		struct flock lock = byte_lock(F_WRLCK, base + i);

		if (!(set & 1u << i))
			continue;
		if (fcntl(fd, F_OFD_GETLK, &lock))
			return -errno;
		if (lock.l_type != F_UNLCK)
			return -EBUSY;
	}
	return 0;
}

static int lock_ranges(int fd, bool exclusive)
{
	unsigned int uses = USE_READ, denies = USE_WRITE | USE_RESIZE;
	int r;

	if (exclusive)
		uses |= USE_WRITE | USE_WRITE_UNCHANGED | USE_RESIZE;
	r = take(fd, uses, LOCK_USES);
	if (r == 0)
		r = take(fd, denies, LOCK_DENIES);
	if (r == 0)
		r = look(fd, uses, LOCK_DENIES);
	if (r == 0)
		r = look(fd, denies, LOCK_USES);
	/* Somebody has it with an exclusive lock, which is not QEMU's way, but clear. */
	return r == -EAGAIN || r == -EACCES ? -EBUSY : r;
}

static int lock_whole(int fd, bool exclusive)
{
	if (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? -EBUSY : -errno;
}

int file_lock(int fd, bool exclusive, const char *name, struct error *err)
{
	int r;

	r = lock_ranges(fd, exclusive);
	if (r == 0 || is_unsupported(-r))
		r = lock_whole(fd, exclusive);
	if (r == 0 || is_unsupported(-r))
		return 0;
	if (r == -EBUSY)
		return error_set(err, r, "%s: in use by another process%s", name,
				 exclusive ? "" : ", which writes to it");
	return error_errno(err, r, "%s: cannot lock it", name);
}
