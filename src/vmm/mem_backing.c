// SPDX-License-Identifier: MIT
/*
 * The file that guest RAM is. No state.
 *
 * A memfd gets transparent huge pages only if the administrator lets all shared memory have them
 * (/sys/kernel/mm/transparent_hugepage/shmem_enabled), which hardly anybody does. A tmpfs of one's
 * own has its own rule (the kernel's Documentation/admin-guide/mm/transhuge.rst, "Hugepages in
 * tmpfs/shmem"). It is never attached to the tree of files, and goes away with the file.
 */
#include "vmm/mem_backing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HUGE_PAGE MiB(2)

uint64_t mem_backing_page(enum mem_huge huge)
{
	switch (huge) {
	case MEM_HUGE_2M:
		return MiB(2);
	case MEM_HUGE_1G:
		return GiB(1);
	case MEM_HUGE_NONE:
	case MEM_HUGE_TRANSPARENT:
		break;
	}
	return PAGE_SIZE;
}

/* --- A tmpfs with huge pages. -------------------------------------------------------------- */

/* A file without a name in a tmpfs of its own, or -errno. No limit but the file's own size. */
static int open_in_tmpfs(void)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	int mount = -1, fd = -1;

	if (fs < 0)
		return -errno;
	if (fsconfig(fs, FSCONFIG_SET_STRING, "huge", "always", 0) == 0 &&
	    fsconfig(fs, FSCONFIG_SET_STRING, "size", "0", 0) == 0 &&
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mount = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	if (mount >= 0)
		fd = openat(mount, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = -errno;
	if (mount >= 0)
		close(mount);
	close(fs);
	return fd;
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* In the child: the file takes the place of descriptor @fd, which parent and child share. */
static int replace_in_namespace(int fd, const char *uid_map, const char *gid_map)
{
	int file;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return 1;
	/* A file needs an owner that the namespace knows. */
	if (!write_file("/proc/self/uid_map", uid_map) ||
	    !write_file("/proc/self/setgroups", "deny") ||
	    !write_file("/proc/self/gid_map", gid_map))
		return 1;
	file = open_in_tmpfs();
	if (file < 0)
		return 1;
	return dup3(file, fd, O_CLOEXEC) < 0 || close(file) < 0;
}

/*
 * Who may not mount may do so in a user namespace. A process cannot leave one again, so another
 * process opens the file there; nothing else of it stays. With threads about, it may only call the
 * kernel.
 */
static bool replace_by_child(int fd)
{
	char uid_map[32], gid_map[32];
	pid_t pid;
	int status;

	snprintf(uid_map, sizeof(uid_map), "0 %u 1", geteuid());
	snprintf(gid_map, sizeof(gid_map), "0 %u 1", getegid());
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0)
		syscall(SYS_exit_group, replace_in_namespace(fd, uid_map, gid_map));
	if (pid < 0)
		return false;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return status == 0;
}

/* Puts a file that gets huge pages in the place of @fd, if there can be one. */
static void replace_by_huge(int fd)
{
	int file = open_in_tmpfs();

	if (file >= 0) {
		(void)dup3(file, fd, O_CLOEXEC);
		close(file);
	} else if (file == -EPERM) {
		(void)replace_by_child(fd);
	}
}

/* --- The rest. ----------------------------------------------------------------------------- */

static int claim_huge_pages(int fd, uint64_t size, uint64_t page, struct error *err)
{
	if (page == PAGE_SIZE || fallocate(fd, 0, 0, (off_t)size) == 0)
		return 0;
	return error_set(err, -ENOMEM,
			 "not enough free huge pages: %llu of %llu MiB are needed "
			 "(/sys/kernel/mm/hugepages)",
			 (unsigned long long)(size / page), (unsigned long long)page >> 20);
}

static int set_size(int fd, uint64_t size, enum mem_huge huge, struct error *err)
{
	if (ftruncate(fd, (off_t)size) < 0)
		return error_errno(err, -errno, "cannot size guest memory to %llu MiB",
				   (unsigned long long)size >> 20);
	return claim_huge_pages(fd, size, mem_backing_page(huge), err);
}

int mem_backing_open(uint64_t size, enum mem_huge huge, struct error *err, int *ret_fd)
{
	unsigned int flags = MFD_CLOEXEC;
	int fd, r;

	if (huge == MEM_HUGE_2M)
		flags |= MFD_HUGETLB | MFD_HUGE_2MB;
	else if (huge == MEM_HUGE_1G)
		flags |= MFD_HUGETLB | MFD_HUGE_1GB;
	fd = memfd_create("guest-ram", flags);
	if (fd < 0)
		return error_errno(err, -errno, "cannot create guest memory with %llu KiB pages",
				   (unsigned long long)mem_backing_page(huge) >> 10);
	if (huge == MEM_HUGE_TRANSPARENT && size >= HUGE_PAGE)
		replace_by_huge(fd);
	r = set_size(fd, size, huge, err);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}
