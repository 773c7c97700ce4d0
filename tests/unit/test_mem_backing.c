// SPDX-License-Identifier: MIT
/* The file that guest RAM is: its size and pages, with and without rights to have huge ones. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/mem_backing.h"

#define NOBODY 65534

static int open_it(uint64_t size, enum mem_huge huge)
{
	struct error err;
	int fd = -1;

	ck_assert_int_eq(mem_backing_open(size, huge, &err, &fd), 0);
	return fd;
}

static uint64_t bytes_taken(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

/* What one byte costs. */
static uint64_t cost_of_a_byte(int fd)
{
	char *p = mmap(NULL, MiB(4), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	p[MiB(2)] = 'x';
	munmap(p, MiB(4));
	return bytes_taken(fd);
}

/* Does this host let us have a tmpfs, if only in a user namespace? */
static bool can_have_tmpfs(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(fsopen("tmpfs", FSOPEN_CLOEXEC) < 0 &&
		      (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
		       fsopen("tmpfs", FSOPEN_CLOEXEC) < 0));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status == 0;
}

static void check_cost(int fd)
{
	char line[128] = "[deny]";
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "re");
	uint64_t cost = cost_of_a_byte(fd);

	if (file) {
		ck_assert_ptr_nonnull(fgets(line, sizeof(line), file));
		fclose(file);
	}
	if (can_have_tmpfs() && !strstr(line, "[deny]"))
		ck_assert_uint_eq(cost, MiB(2));
	else
		ck_assert(cost == PAGE_SIZE || cost == MiB(2));
}

START_TEST(plain)
{
	int fd = open_it(MiB(4), MEM_HUGE_NONE);
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, MiB(4));
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_uint_eq(bytes_taken(fd), 0);
	ck_assert_uint_eq(cost_of_a_byte(fd), PAGE_SIZE);
	close(fd);
}
END_TEST

START_TEST(transparent)
{
	int fd = open_it(MiB(4), MEM_HUGE_TRANSPARENT);
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, MiB(4));
	ck_assert_uint_eq(st.st_nlink, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_uint_eq(bytes_taken(fd), 0);
	check_cost(fd);
	close(fd);
}
END_TEST

/* A terabyte, on a host with less, and more than the half of memory that a tmpfs has by itself. */
START_TEST(sparse)
{
	int fd = open_it(1ull << 40, MEM_HUGE_TRANSPARENT);

	ck_assert_uint_le(cost_of_a_byte(fd), MiB(2));
	close(fd);
}
END_TEST

/* Part of a huge page given back: it reads as zero, and the rest as before. */
START_TEST(part_released)
{
	int fd = open_it(MiB(4), MEM_HUGE_TRANSPARENT);
	char *p = mmap(NULL, MiB(4), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	memset(p, 'x', MiB(4));
	ck_assert_int_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE_SIZE,
				   (off_t)(2 * PAGE_SIZE)),
			 0);
	ck_assert_uint_eq(bytes_taken(fd), MiB(4) - 2 * PAGE_SIZE);
	ck_assert_int_eq(p[PAGE_SIZE - 1], 'x');
	ck_assert_int_eq(p[PAGE_SIZE], 0);
	ck_assert_int_eq(p[3 * PAGE_SIZE - 1], 0);
	ck_assert_int_eq(p[3 * PAGE_SIZE], 'x');
	p[PAGE_SIZE] = 'y';
	ck_assert_int_eq(p[PAGE_SIZE], 'y');
	munmap(p, MiB(4));
	close(fd);
}
END_TEST

/*
 * Who has no rights gets the same through a user namespace, or else plain memory, and stays in the
 * namespaces, and with the processes and descriptors, that were there before.
 */
START_TEST(without_rights)
{
	struct stat before, after;
	int fd, probe;

	if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
		return;
	/* Changing it took away the right to write to /proc/self. */
	prctl(PR_SET_DUMPABLE, 1);
	ck_assert_int_eq(stat("/proc/self/ns/user", &before), 0);
	fd = open_it(MiB(4), MEM_HUGE_TRANSPARENT);
	ck_assert_int_eq(stat("/proc/self/ns/user", &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	probe = dup(fd);
	ck_assert_int_eq(probe, fd + 1);
	close(probe);
	check_cost(fd);
	close(fd);
}
END_TEST

START_TEST(too_many)
{
	struct error err;
	int fd = -7;

	/* More explicit huge pages than any host sets aside; one without them refuses at once. */
	ck_assert_int_lt(mem_backing_open(1ull << 45, MEM_HUGE_1G, &err, &fd), 0);
	ck_assert_int_eq(fd, -7);
	ck_assert_uint_gt(strlen(err.text), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mem_backing");
	TCase *t = tcase_create("mem_backing");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, plain);
	tcase_add_test(t, transparent);
	tcase_add_test(t, sparse);
	tcase_add_test(t, part_released);
	tcase_add_test(t, without_rights);
	tcase_add_test(t, too_many);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
