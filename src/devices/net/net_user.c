// SPDX-License-Identifier: MIT
/*
 * User mode: starting candela-slirp, and ending it. State belongs to the machine's loop but for
 * what net_peer.c says.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/net/net_peer.h"
#include "devices/net/net_user.h"
#include "vmm/log.h"

#define HELPER    "candela-slirp"
#define HELPER_FD 3
#define ARGS_MAX  192

struct net_user {
	struct net_peer peer;
	pid_t pid;
};

static struct net_user *user_of(struct net_peer *peer)
{
	return container_of(peer, struct net_user, peer);
}

/* --- Where it is. --------------------------------------------------------------------------- */

static bool find_beside_us(char path[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - sizeof(HELPER));
	char *slash;

	if (n <= 0)
		return false;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return false;
	memcpy(slash + 1, HELPER, sizeof(HELPER));
	return access(path, X_OK) == 0;
}

static int find_helper(const struct net_user_config *config, char path[PATH_MAX], struct error *err)
{
	if (config->helper) {
		snprintf(path, PATH_MAX, "%s", config->helper);
		return 0;
	}
	if (find_beside_us(path))
		return 0;
	snprintf(path, PATH_MAX, "%s/%s", CANDELA_LIBEXECDIR, HELPER);
	if (access(path, X_OK) == 0)
		return 0;
	return error_set(err, -ENOENT,
			 "user mode needs the program " HELPER ", which is neither beside candela "
			 "nor in %s: build candela with libslirp (Debian: libslirp-dev)",
			 CANDELA_LIBEXECDIR);
}

/* --- Starting it. --------------------------------------------------------------------------- */

/* Of ours it has standard error, and the socket. A key that interrupts us is not for it. */
static int set_up_spawn(int fd, posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);

	sigemptyset(&none);
	sigfillset(&all);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, STDIN_FILENO, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, fd, HELPER_FD);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, HELPER_FD + 1);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &all);
	if (r == 0)
		r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
							   POSIX_SPAWN_SETSID);
	return r;
}

static int spawn(struct net_user *user, const char *path, const char *const *args, int fd)
{
	char *argv[ARGS_MAX] = {(char *)(uintptr_t)HELPER};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	size_t count = 1;
	int r;

	for (; *args && count + 1 < ARGS_MAX; args++)
		argv[count++] = (char *)(uintptr_t)*args;
	if (*args)
		return -E2BIG;
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	r = set_up_spawn(fd, &actions, &attr);
	if (r == 0)
		r = posix_spawn(&user->pid, path, &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	if (r)
		user->pid = 0;
	return -r;
}

/* Its first message is "ready", or says why it is not. */
static int wait_until_ready(int fd, const char *path, struct error *err)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	char text[400];
	ssize_t n;
	int r;

	do {
		r = poll(&poll_fd, 1, NET_USER_START_MS);
	} while (r < 0 && errno == EINTR);
	if (r <= 0)
		return error_set(err, -ETIMEDOUT, "%s: does not begin", path);
	n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	if (n <= 0)
		return error_set(err, -EIO, "%s: has ended without a word", path);
	text[n] = '\0';
	if (strcmp(text, "ready") == 0)
		return 0;
	return error_set(err, -EINVAL, "%s", text);
}

static int start_helper(struct net_user *user, const struct net_user_config *config,
			struct error *err)
{
	char path[PATH_MAX];
	int fds[2], r = find_helper(config, path, err);

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return error_errno(err, -errno, "cannot make a pair of sockets");
	net_peer_enlarge_buffer(fds[0]);
	net_peer_enlarge_buffer(fds[1]);
	/* Only our end: the helper may wait. */
	r = fcntl(fds[0], F_SETFL, O_RDWR | O_NONBLOCK) < 0 ? -errno : 0;
	if (r == 0)
		r = spawn(user, path, config->args, fds[1]);
	close(fds[1]);
	if (r < 0)
		error_errno(err, r, "cannot run %s", path);
	else
		r = wait_until_ready(fds[0], path, err);
	if (r < 0)
		close(fds[0]);
	else
		net_peer_connected(&user->peer, fds[0]);
	return r;
}

/* --- Life. ---------------------------------------------------------------------------------- */

static void user_gone(struct net_peer *peer)
{
	log_line(LOG_WARNING, HELPER " (process %ld) has ended: the guest has no network any more",
		 (long)user_of(peer)->pid);
}

static void user_destroy(struct net_peer *peer)
{
	struct net_user *user = user_of(peer);

	net_peer_finish(peer);
	if (user->pid) {
		/* It holds nothing that is worth waiting for. Nobody else waits for it. */
		kill(user->pid, SIGKILL);
		while (waitpid(user->pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	free(user);
}

static const struct net_peer_ops user_ops = {
	.gone = user_gone,
	.destroy = user_destroy,
};

int net_user_create(const struct net_user_config *config, struct error *err,
		    struct net_backend **ret)
{
	struct net_user *user = calloc(1, sizeof(*user));
	int r;

	if (!user)
		return error_set(err, -ENOMEM, "out of memory");
	net_peer_init(&user->peer, &user_ops, config->mtu_max);
	/* libslirp takes large segments of TCP, but knows nothing of UDP's. */
	user->peer.backend.info.uso = false;
	r = start_helper(user, config, err);
	if (r < 0) {
		user_destroy(&user->peer);
		return r;
	}
	*ret = &user->peer.backend;
	return 0;
}
