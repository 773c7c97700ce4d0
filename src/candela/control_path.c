// SPDX-License-Identifier: MIT
/* Sockets, and the locks that say whose they are. See control_path.h. */
#include "candela/control_path.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SUFFIX      ".sock"
#define LOCK_SUFFIX ".lock"
#define LOCK_MAX    (CONTROL_PATH_MAX + sizeof(LOCK_SUFFIX))

/* Somebody who cleans up holds a lock for microseconds: a VM that wants it tries again. */
#define LOCK_TRIES    5
#define LOCK_PAUSE_NS (10 * NSEC_PER_MSEC)

#define BACKLOG 64

static_assert(CONTROL_PATH_MAX == sizeof(((struct sockaddr_un *)0)->sun_path), "sun_path");

/* --- Names. --------------------------------------------------------------------------------- */

static int too_long(const char *path, struct error *err)
{
	return error_set(err, -ENAMETOOLONG,
			 "%s: a socket's path has at most %d bytes, this one has %zu; choose a "
			 "shorter one (--control)",
			 path, CONTROL_PATH_MAX - 1, strlen(path));
}

int control_dir(char dir[CONTROL_PATH_MAX], struct error *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (runtime && runtime[0] == '/') {
		if (snprintf(dir, CONTROL_PATH_MAX, "%s/candela", runtime) < CONTROL_PATH_MAX)
			return 0;
		return error_set(err, -ENAMETOOLONG,
				 "XDG_RUNTIME_DIR is too long for the path of a socket: %s",
				 runtime);
	}
	if (geteuid() != 0)
		return error_set(err, -ENOENT,
				 "XDG_RUNTIME_DIR is not set, so there is no place for the control "
				 "sockets of VMs: set it, or choose a path (--control)");
	snprintf(dir, CONTROL_PATH_MAX, "/run/candela");
	return 0;
}

int control_path(const char *name, char path[CONTROL_PATH_MAX], struct error *err)
{
	char dir[CONTROL_PATH_MAX], *text;
	int r;

	if (strchr(name, '/')) {
		if (strlen(name) >= CONTROL_PATH_MAX)
			return too_long(name, err);
		memcpy(path, name, strlen(name) + 1);
		return 0;
	}
	r = control_dir(dir, err);
	if (r < 0)
		return r;
	if (asprintf(&text, "%s/%s" SUFFIX, dir, name) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	if (strlen(text) < CONTROL_PATH_MAX)
		memcpy(path, text, strlen(text) + 1);
	else
		r = too_long(text, err);
	free(text);
	return r;
}

int control_make_dir(struct error *err)
{
	char dir[CONTROL_PATH_MAX];
	struct stat st;
	int r = control_dir(dir, err);

	if (r < 0)
		return r;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return error_errno(err, -errno, "cannot make the directory %s", dir);
	if (lstat(dir, &st) < 0)
		return error_errno(err, -errno, "%s", dir);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return error_set(err, -EPERM, "%s is not a directory of ours: remove it", dir);
	if ((st.st_mode & 077) && chmod(dir, 0700) < 0)
		return error_errno(err, -errno, "%s", dir);
	return 0;
}

/* --- Locks. --------------------------------------------------------------------------------- */

static void lock_name(const char *path, char lock[LOCK_MAX])
{
	snprintf(lock, LOCK_MAX, "%s" LOCK_SUFFIX, path);
}

/* Is the file that is open the one that has the name? Else somebody has removed it meanwhile. */
static bool is_named(int fd, const char *name)
{
	struct stat open_st, name_st;

	return fstat(fd, &open_st) == 0 && lstat(name, &name_st) == 0 &&
	       open_st.st_dev == name_st.st_dev && open_st.st_ino == name_st.st_ino;
}

/* The descriptor, which is the lock; or -EWOULDBLOCK: somebody has it. */
static int take_lock(const char *name)
{
	for (;;) {
		int r, fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			r = -errno;
			close(fd);
			return r;
		}
		if (is_named(fd, name))
			return fd;
		close(fd);
	}
}

/* Who has it, as they wrote into it; 0: it does not say. */
static long holder(const char *name)
{
	char text[24] = "";
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strtol(text, NULL, 10);
}

static int take_lock_patiently(const char *path, const char *what, struct error *err)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	char name[LOCK_MAX];
	int fd;

	lock_name(path, name);
	for (int i = 0; (fd = take_lock(name)) == -EWOULDBLOCK && i < LOCK_TRIES; i++)
		nanosleep(&pause, NULL);
	if (fd == -EWOULDBLOCK)
		return error_set(err, -EADDRINUSE,
				 "%s is running already (PID %ld, socket %s): choose another name, "
				 "or end it first",
				 what, holder(name), path);
	if (fd < 0)
		return error_errno(err, fd, "cannot lock %s", name);
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0) {
		int r = error_errno(err, -errno, "cannot write %s", name);

		unlink(name);
		close(fd);
		return r;
	}
	return fd;
}

/* --- The socket. ---------------------------------------------------------------------------- */

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	memcpy(addr.sun_path, path, strlen(path) + 1);
	return addr;
}

/* With the lock: what is at the path is nobody's, unless it is no socket of a VM at all. */
static int clear_path(const struct sockaddr_un *addr, struct error *err)
{
	const char *path = addr->sun_path;
	struct stat st;
	int fd, r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : error_errno(err, -errno, "%s", path);
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, -EEXIST, "%s exists and is not a socket; choose another path",
				 path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_errno(err, -errno, "cannot create a socket");
	r = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 ? -errno : 0;
	close(fd);
	if (r != -ECONNREFUSED && r != -ENOENT)
		return error_set(err, -EADDRINUSE, "%s: another program listens there", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return error_errno(err, -errno, "cannot remove the stale socket %s", path);
	return 0;
}

static int listen_at(struct control_socket *s, const struct sockaddr_un *addr, struct error *err)
{
	struct stat st;

	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return error_errno(err, -errno, "cannot create a socket");
	if (bind(s->fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
		return error_errno(err, -errno, "cannot create the socket %s", addr->sun_path);
	if (lstat(addr->sun_path, &st) < 0)
		return error_errno(err, -errno, "%s", addr->sun_path);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	/* Nobody can connect before listen(), so the mode is never wider than this. */
	if (chmod(addr->sun_path, 0600) < 0 || listen(s->fd, BACKLOG) < 0)
		return error_errno(err, -errno, "cannot listen on the socket %s", addr->sun_path);
	return 0;
}

int control_socket_open(struct control_socket *s, const char *path, const char *what,
			struct error *err)
{
	struct sockaddr_un addr;
	int r;

	*s = (struct control_socket){.fd = -1, .lock_fd = -1};
	if (strlen(path) >= CONTROL_PATH_MAX)
		return too_long(path, err);
	memcpy(s->path, path, strlen(path) + 1);
	addr = address_of(path);
	s->lock_fd = take_lock_patiently(path, what, err);
	if (s->lock_fd < 0)
		return s->lock_fd;
	r = clear_path(&addr, err);
	if (r == 0)
		r = listen_at(s, &addr, err);
	if (r < 0)
		control_socket_close(s);
	return r;
}

void control_socket_close(struct control_socket *s)
{
	char name[LOCK_MAX];
	struct stat st;

	if (s->lock_fd < 0)
		return;
	if (s->ino && lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
		unlink(s->path);
	if (s->fd >= 0)
		close(s->fd);
	lock_name(s->path, name);
	unlink(name);
	close(s->lock_fd);
	s->fd = s->lock_fd = -1;
}

bool control_remove_stale(const char *path)
{
	char name[LOCK_MAX];
	struct stat st;
	int fd;

	lock_name(path, name);
	fd = take_lock(name);
	if (fd < 0)
		return false;
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	unlink(name);
	close(fd);
	return true;
}

/* --- All of them. --------------------------------------------------------------------------- */

/* Cuts @suffix off the end of @text. False: it is not there. */
static bool cut(char *text, const char *suffix)
{
	size_t len = strlen(text), end = strlen(suffix);

	if (len <= end || strcmp(text + len - end, suffix) != 0)
		return false;
	text[len - end] = '\0';
	return true;
}

int control_each(void (*each)(void *ctx, const char *name, const char *path), void *ctx,
		 struct error *err)
{
	char dir_path[CONTROL_PATH_MAX], path[CONTROL_PATH_MAX];
	struct dirent *entry;
	DIR *dir;
	int r = control_dir(dir_path, err);

	if (r < 0)
		return r;
	dir = opendir(dir_path);
	if (!dir)
		return errno == ENOENT ? 0 : error_errno(err, -errno, "%s", dir_path);
	while ((entry = readdir(dir))) {
		char *name = entry->d_name;
		/* A lock without a socket: of a VM that starts, or was killed as it did. */
		const bool lock = cut(name, LOCK_SUFFIX);

		if (!cut(name, SUFFIX) || control_path(name, path, NULL) < 0)
			continue;
		if (!control_remove_stale(path) && !lock)
			each(ctx, name, path);
	}
	closedir(dir);
	return 0;
}
