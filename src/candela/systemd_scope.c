// SPDX-License-Identifier: MIT
/* A scope of systemd's. See systemd_scope.h. */
#include "candela/systemd_scope.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "vmm/cgroup.h"

#define ENTER_TRIES  3
#define MOVE_TRIES   500 /* the unit is started after the answer has come */
#define MOVE_WAIT_NS (10 * NSEC_PER_MSEC)

/*
 * All VMs of the scope together, beside the system's other units: on each processor as much as
 * several of those. "systemctl set-property" changes it.
 */
#define SCOPE_WEIGHT "1000"

extern char **environ;

bool systemd_delegated(const char *dir)
{
	char value[2];

	return (getxattr(dir, "trusted.delegate", value, sizeof(value)) == 1 ||
		getxattr(dir, "user.delegate", value, sizeof(value)) == 1) &&
	       value[0] == '1';
}

bool systemd_scope_path(const char *top, char ret[PATH_MAX])
{
	const unsigned int uid = geteuid();
	int len;

	if (uid == 0)
		len = snprintf(ret, PATH_MAX, "%s/machine.slice/" SYSTEMD_SCOPE, top);
	else
		len = snprintf(
			ret, PATH_MAX,
			"%s/user.slice/user-%u.slice/user@%u.service/app.slice/" SYSTEMD_SCOPE, top,
			uid, uid);
	return len < PATH_MAX;
}

/* --- busctl. --------------------------------------------------------------------------------- */

/* The first line of what comes out of @fd, to its end. */
static void read_complaint(int fd, char *buf, size_t size)
{
	char rest[256];
	size_t used = 0;
	ssize_t len;

	while ((len = read(fd, used < size - 1 ? buf + used : rest,
			   used < size - 1 ? size - 1 - used : sizeof(rest))) > 0)
		used = min_of(used + (size_t)len, size - 1);
	buf[used] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

static int spawn(char *const argv[], int error_fd, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int r;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, error_fd, STDERR_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, &none);
	r = posix_spawnp(ret, argv[0], &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* 0, or -EREMOTEIO with what busctl says. */
static int run(char *const argv[], struct error *err)
{
	char complaint[256];
	int pipe_fds[2], status, r;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "cannot make a pipe");
	r = spawn(argv, pipe_fds[1], &pid);
	close(pipe_fds[1]);
	if (r < 0) {
		close(pipe_fds[0]);
		return error_errno(err, -ENOTSUP, "cannot run busctl, by which systemd is asked");
	}
	read_complaint(pipe_fds[0], complaint, sizeof(complaint));
	close(pipe_fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return error_set(err, -EREMOTEIO, "systemd does not give us the control group %s: %s",
			 SYSTEMD_SCOPE, *complaint ? complaint : "busctl failed");
}

/* What each call begins with: as root the system's manager, else the user's. */
#define MANAGER                                                                                    \
	"busctl", geteuid() == 0 ? "--system" : "--user", "--timeout=5", "call",                   \
		"org.freedesktop.systemd1", "/org/freedesktop/systemd1",                           \
		"org.freedesktop.systemd1.Manager"

/* posix_spawn(3) takes strings that it does not change. */
static int call(const char *const argv[], struct error *err)
{
	return run((char *const *)(uintptr_t)argv, err);
}

static int attach(const char *pid, struct error *err)
{
	const char *const argv[] = {
		MANAGER, "AttachProcessesToUnit", "ssau", SYSTEMD_SCOPE, "", "1", pid, NULL};

	return call(argv, err);
}

static int start(const char *pid, struct error *err)
{
	const char *const argv[] = {
		MANAGER,
		"StartTransientUnit",
		"ssa(sv)a(sa(sv))",
		SYSTEMD_SCOPE,
		"fail",
		"6",
		"Description",
		"s",
		"Virtual machines of candela",
		"Slice",
		"s",
		geteuid() == 0 ? "machine.slice" : "app.slice",
		"Delegate",
		"b",
		"true",
		"CPUWeight",
		"t",
		SCOPE_WEIGHT,
		"CollectMode",
		"s",
		"inactive-or-failed",
		"PIDs",
		"au",
		"1",
		pid,
		"0",
		NULL,
	};

	return call(argv, err);
}

/* --- Entering. ------------------------------------------------------------------------------- */

static bool is_scope(const char *dir)
{
	const char *name = strrchr(dir, '/');

	return name && strcmp(name + 1, SYSTEMD_SCOPE) == 0;
}

static int await_move(const char *root, struct error *err, char dir[PATH_MAX])
{
	const struct timespec pause = {.tv_nsec = MOVE_WAIT_NS};

	for (int i = 0; i < MOVE_TRIES; i++) {
		int r = cgroup_find_own(root, err, dir);

		if (r < 0 || is_scope(dir))
			return r;
		nanosleep(&pause, NULL);
	}
	return error_set(err, -ETIMEDOUT, "systemd has not moved this process to %s",
			 SYSTEMD_SCOPE);
}

int systemd_scope_enter(const char *root, struct error *err, char ret[PATH_MAX])
{
	char pid[16];
	int r = 0;

	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	/* The scope of others may end, or begin, between one call and the next. */
	for (int i = 0; i < ENTER_TRIES; i++) {
		r = attach(pid, err);
		if (r == -EREMOTEIO)
			r = start(pid, err);
		if (r != -EREMOTEIO)
			break;
	}
	if (r < 0)
		return r == -EREMOTEIO ? -ENOTSUP : r;
	return await_move(root, err, ret);
}
