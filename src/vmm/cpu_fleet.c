// SPDX-License-Identifier: MIT
/* The group that the groups of all VPs are in. See cpu_group.h and cpu_fleet.h. */
#include "vmm/cpu_fleet.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "vmm/cgroup.h"

#define LOCK_PAUSE_NS (2 * NSEC_PER_MSEC)
#define OPEN_TRIES    10

/* --- The lock. ------------------------------------------------------------------------------- */

int cpu_fleet_lock(struct cpu_fleet *fleet, uint64_t patience_ns, struct error *err)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};

	for (uint64_t waited = 0; flock(fleet->fd, LOCK_EX | LOCK_NB) < 0;
	     waited += LOCK_PAUSE_NS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_errno(err, -errno, "cannot lock the control group %s",
					   fleet->path);
		if (waited >= patience_ns)
			return error_set(err, -EBUSY,
					 "another VM holds the control group %s: try again",
					 fleet->path);
		nanosleep(&pause, NULL);
	}
	return 0;
}

void cpu_fleet_unlock(struct cpu_fleet *fleet)
{
	(void)flock(fleet->fd, LOCK_UN);
}

/* --- Who is there. --------------------------------------------------------------------------- */

static bool is_vp_name(const char *name)
{
	const char *digits = NULL;

	for (const char *p = name; (p = strstr(p, CPU_FLEET_VP)); p++)
		digits = p + strlen(CPU_FLEET_VP);
	return digits && *digits && digits[strspn(digits, "0123456789")] == '\0';
}

static bool is_of(const char *name, const char *vm)
{
	const size_t len = vm ? strlen(vm) : 0;

	return vm && strncmp(name, vm, len) == 0 &&
	       strncmp(name + len, CPU_FLEET_VP, strlen(CPU_FLEET_VP)) == 0;
}

static bool read_claim(int fleet_fd, const char *name, struct cpu_claim *ret)
{
	char text[CPU_CLAIM_TEXT_MAX];
	int fd = openat(fleet_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return false;
	len = fgetxattr(fd, CPU_FLEET_XATTR, text, sizeof(text) - 1);
	close(fd);
	if (len < 0)
		return false;
	text[len] = '\0';
	return cpu_claim_parse(text, ret) == 0;
}

static int reserve_room(struct cpu_census *census)
{
	const size_t capacity = census->capacity ? census->capacity * 2 : 64;
	struct cpu_claim *claims;
	char **names;

	if (census->count < census->capacity)
		return 0;
	claims = reallocarray(census->claims, capacity, sizeof(*claims));
	if (!claims)
		return -ENOMEM;
	census->claims = claims;
	names = reallocarray(census->names, capacity, sizeof(*names));
	if (!names)
		return -ENOMEM;
	census->names = names;
	census->capacity = capacity;
	return 0;
}

int cpu_census_add(struct cpu_census *census, const char *name, const struct cpu_claim *claim)
{
	int r = reserve_room(census);
	char *copy = r == 0 ? strdup(name) : NULL;

	if (!copy)
		return -ENOMEM;
	census->names[census->count] = copy;
	census->claims[census->count++] = *claim;
	return 0;
}

int cpu_census_take(const struct cpu_fleet *fleet, const char *own, struct cpu_census *census)
{
	int r = 0, fd = openat(fleet->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct cpu_claim claim;
	struct dirent *entry;

	*census = (struct cpu_census){0};
	if (!dir) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r == 0 && (entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (!is_vp_name(name) || is_of(name, own))
			continue;
		/* Only a group without a thread can be removed. */
		if (unlinkat(fleet->fd, name, AT_REMOVEDIR) == 0)
			census->removed++;
		else if (read_claim(fleet->fd, name, &claim))
			r = cpu_census_add(census, name, &claim);
	}
	closedir(dir);
	return r;
}

static int put_weight(int dir_fd, uint32_t weight)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", weight);
	return cgroup_write(dir_fd, "cpu.weight", text);
}

/* One that is gone meanwhile needs none. */
static int put_vp_weight(int fleet_fd, const char *name, uint32_t weight)
{
	int r, fd = openat(fleet_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	r = put_weight(fd, weight);
	close(fd);
	return r == -ENODEV ? 0 : r;
}

int cpu_census_apply(const struct cpu_fleet *fleet, const struct cpu_census *census)
{
	uint32_t *weights = calloc(census->count ? census->count : 1, sizeof(*weights));
	uint32_t all = CPU_WEIGHT_DEFAULT;
	int r;

	if (!weights)
		return -ENOMEM;
	r = cpu_share_weights(census->claims, census->count, weights, &all);
	for (size_t i = 0; i < census->count && r == 0; i++)
		r = put_vp_weight(fleet->fd, census->names[i], weights[i]);
	if (r == 0)
		r = put_weight(fleet->fd, all);
	free(weights);
	return r;
}

void cpu_census_free(struct cpu_census *census)
{
	for (size_t i = 0; i < census->count; i++)
		free(census->names[i]);
	free(census->names);
	free(census->claims);
	*census = (struct cpu_census){0};
}

/* --- Opening, and removing. ------------------------------------------------------------------ */

static int not_ours(const char *path, struct error *err)
{
	return error_set(err, -EACCES,
			 "the control group %s belongs to somebody else: run candela in one that "
			 "is delegated to this user (systemd-run --user --scope -p Delegate=yes "
			 "candela ...), or as root",
			 path);
}

static int enable(int fd, const char *path, struct error *err)
{
	int r = 0;

	if (!cgroup_has_word(fd, "cgroup.subtree_control", "cpu"))
		r = cgroup_write(fd, "cgroup.subtree_control", "+cpu");
	switch (r) {
	case 0:
		return 0;
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return not_ours(path, err);
	case -EBUSY:
	case -EOPNOTSUPP:
		return error_set(err, -EBUSY,
				 "the control group %s has processes and groups with processes: "
				 "start candela in a group of its own",
				 path);
	default:
		return error_errno(err, r, "%s: cannot enable the cpu controller", path);
	}
}

static int make_threaded(const struct cpu_fleet *fleet, struct error *err)
{
	int r;

	if (cgroup_has_word(fleet->fd, "cgroup.type", "threaded") &&
	    !cgroup_has_word(fleet->fd, "cgroup.type", "domain"))
		return 0;
	r = cgroup_write(fleet->fd, "cgroup.type", "threaded");
	return r < 0 ? error_errno(err, r, "the control group %s cannot have threads of ours",
				   fleet->path)
		     : 0;
}

/* Is what is open still what is there? Somebody may have removed it before it was locked. */
static bool is_named(const struct cpu_fleet *fleet)
{
	struct stat open_st, name_st;

	return fstat(fleet->fd, &open_st) == 0 &&
	       fstatat(fleet->parent_fd, CPU_FLEET_NAME, &name_st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       open_st.st_dev == name_st.st_dev && open_st.st_ino == name_st.st_ino;
}

/*
 * Who can open the directory can lock it: nobody else is to. What is below is then out of reach for
 * others, too.
 */
#define FLEET_MODE 0700

static int make(const struct cpu_fleet *fleet, const char *dir, struct error *err)
{
	if (mkdirat(fleet->parent_fd, CPU_FLEET_NAME, FLEET_MODE) == 0 || errno == EEXIST)
		return 0;
	if (errno == EACCES || errno == EPERM || errno == EROFS)
		return not_ours(dir, err);
	return error_errno(err, -errno, "cannot make the control group %s", fleet->path);
}

static int open_named(struct cpu_fleet *fleet, struct error *err)
{
	if (fleet->fd >= 0)
		close(fleet->fd);
	fleet->fd = openat(fleet->parent_fd, CPU_FLEET_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fleet->fd < 0)
		return errno == ENOENT ? -ENOENT : error_errno(err, -errno, "%s", fleet->path);
	return 0;
}

/* -ENOENT: it was removed before it could be locked. */
static int lock_named(struct cpu_fleet *fleet, struct error *err)
{
	int r = open_named(fleet, err);

	if (r == 0)
		r = cpu_fleet_lock(fleet, CPU_FLEET_PATIENCE_NS, err);
	return r == 0 && !is_named(fleet) ? -ENOENT : r;
}

static int make_locked(struct cpu_fleet *fleet, const char *dir, struct error *err)
{
	int r = -ENOENT;

	for (int i = 0; i < OPEN_TRIES && r == -ENOENT; i++) {
		r = make(fleet, dir, err);
		if (r < 0)
			return r;
		r = lock_named(fleet, err);
	}
	if (r == -ENOENT)
		return error_set(err, -EBUSY, "%s comes and goes: try again", fleet->path);
	if (r == 0)
		r = make_threaded(fleet, err);
	return r < 0 ? r : enable(fleet->fd, fleet->path, err);
}

static int open_parent(const char *root, const char *dir, struct error *err, int *ret)
{
	int r, fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, -errno, "%s", dir);
	r = cgroup_has_word(fd, "cgroup.controllers", "cpu")
		    ? 0
		    : cgroup_explain_no_cpu(root, dir, err);
	if (r == 0)
		*ret = fd;
	else
		close(fd);
	return r;
}

static int open_in(const char *root, const char *dir, struct error *err, struct cpu_fleet *ret)
{
	int r;

	*ret = (struct cpu_fleet){.fd = -1, .parent_fd = -1};
	r = open_parent(root, dir, err, &ret->parent_fd);
	if (r == 0 && snprintf(ret->path, sizeof(ret->path), "%s/" CPU_FLEET_NAME, dir) >= PATH_MAX)
		r = error_set(err, -ENAMETOOLONG, "the path of the control group is too long");
	return r;
}

int cpu_fleet_open(const char *root, const char *dir, struct error *err, struct cpu_fleet *ret)
{
	struct cpu_fleet fleet;
	int r = open_in(root, dir, err, &fleet);

	if (r == 0)
		r = enable(fleet.parent_fd, dir, err);
	if (r == 0)
		r = make_locked(&fleet, dir, err);
	if (r < 0)
		cpu_fleet_close(&fleet);
	else
		*ret = fleet;
	return r;
}

int cpu_fleet_find(const char *root, const char *dir, struct error *err, struct cpu_fleet *ret)
{
	struct cpu_fleet fleet;
	int r = open_in(root, dir, err, &fleet);

	if (r == 0)
		r = lock_named(&fleet, err);
	if (r < 0)
		cpu_fleet_close(&fleet);
	else
		*ret = fleet;
	return r;
}

void cpu_fleet_close(struct cpu_fleet *fleet)
{
	if (fleet->fd >= 0)
		close(fleet->fd);
	if (fleet->parent_fd >= 0)
		close(fleet->parent_fd);
	fleet->fd = fleet->parent_fd = -1;
}

/* sd_booted(3). */
bool cpu_fleet_of_systemd(const char *root)
{
	char path[PATH_MAX];
	struct stat st;

	return (size_t)snprintf(path, sizeof(path), "%s/run/systemd/system", root) < sizeof(path) &&
	       lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int cpu_fleet_probe(const char *root, struct error *err)
{
	const bool systemd = cpu_fleet_of_systemd(root);
	char dir[PATH_MAX];
	int fd = -1,
	    r = systemd ? cgroup_find_top(root, err, dir) : cgroup_find_own(root, err, dir);

	if (r == 0)
		r = open_parent(root, dir, err, &fd);
	if (r < 0)
		return r;
	if (!systemd && (faccessat(fd, ".", W_OK, AT_EACCESS) < 0 ||
			 faccessat(fd, "cgroup.subtree_control", W_OK, AT_EACCESS) < 0))
		r = not_ours(dir + strlen(root), err);
	close(fd);
	return r;
}

void cpu_fleet_tidy(struct cpu_fleet *fleet)
{
	struct cpu_census census;

	if (cpu_census_take(fleet, NULL, &census) == 0) {
		(void)!cpu_census_apply(fleet, &census);
		/* The kernel keeps one that has any group in it. */
		if (!census.count && is_named(fleet))
			(void)unlinkat(fleet->parent_fd, CPU_FLEET_NAME, AT_REMOVEDIR);
	}
	cpu_census_free(&census);
}
