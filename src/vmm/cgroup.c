// SPDX-License-Identifier: MIT
/* Control groups' files. See cgroup.h. */
#include "vmm/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/host.h"

/* --- Files. ---------------------------------------------------------------------------------- */

int cgroup_read(int dir_fd, const char *name, char *buf, size_t size)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, buf, size - 1);
	if (len < 0) {
		const int r = -errno;

		close(fd);
		return r;
	}
	close(fd);
	buf[len] = '\0';
	return 0;
}

int cgroup_write(int dir_fd, const char *name, const char *text)
{
	const size_t len = strlen(text);
	int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len)
		r = errno ? -errno : -EIO;
	close(fd);
	return r;
}

bool cgroup_has_word(int dir_fd, const char *name, const char *word)
{
	char text[1024];

	return cgroup_read(dir_fd, name, text, sizeof(text)) == 0 && host_has_word(text, word);
}

uint64_t cgroup_number(const char *text, const char *key)
{
	const size_t len = strlen(key);

	while (*text) {
		if (strncmp(text, key, len) == 0 && text[len] == ' ')
			return strtoull(text + len + 1, NULL, 10);
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return 0;
}

/* --- The own group. -------------------------------------------------------------------------- */

/* Undoes the kernel's "\040" for a blank, in place. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; to++) {
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*to = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
			text += 4;
		} else {
			*to = *text++;
		}
	}
	*to = '\0';
}

struct mount {
	char place[PATH_MAX];
	char top[PATH_MAX]; /* the group that is mounted there */
};

/* proc(5): "36 35 98:0 /top /place opts optional... - type source opts". */
static bool parse_mount(char *line, const char *type, const char *option, struct mount *ret)
{
	char *tail = strstr(line, " - "), *save, *word, *kind, *options;

	if (!tail)
		return false;
	*tail = '\0';
	kind = strtok_r(tail + 3, " \n", &save);
	(void)strtok_r(NULL, " \n", &save);
	options = strtok_r(NULL, " \n", &save);
	if (!kind || strcmp(kind, type) != 0)
		return false;
	for (char *c = options; c && *c; c++)
		*c = *c == ',' ? ' ' : *c;
	if (option && (!options || !host_has_word(options, option)))
		return false;
	word = strtok_r(line, " ", &save);
	for (int i = 0; word && i < 3; i++)
		word = strtok_r(NULL, " ", &save);
	if (!word)
		return false;
	snprintf(ret->top, sizeof(ret->top), "%s", word);
	word = strtok_r(NULL, " ", &save);
	if (!word)
		return false;
	snprintf(ret->place, sizeof(ret->place), "%s", word);
	unescape(ret->top);
	unescape(ret->place);
	return true;
}

static FILE *open_proc(const char *root, const char *name)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/proc/self/%s", root, name) >= sizeof(path))
		return NULL;
	return fopen(path, "re");
}

/* Where a file system of @type with @option (NULL: any) is mounted. */
static bool find_mount(const char *root, const char *type, const char *option, struct mount *ret)
{
	FILE *file = open_proc(root, "mountinfo");
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	while (file && !found && getline(&line, &size, file) > 0)
		found = parse_mount(line, type, option, ret);
	free(line);
	if (file)
		fclose(file);
	return found;
}

/* The path of the own group: the line "0::/path". */
static bool find_group(const char *root, char ret[PATH_MAX])
{
	FILE *file = open_proc(root, "cgroup");
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	while (file && !found && getline(&line, &size, file) > 0) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		found = snprintf(ret, PATH_MAX, "%s", line + 3) < PATH_MAX;
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

static int not_mounted(struct error *err)
{
	return error_set(err, -ENOENT,
			 "control groups of version 2 are not mounted; as root: mount -t cgroup2 "
			 "none /sys/fs/cgroup");
}

int cgroup_find_top(const char *root, struct error *err, char ret[PATH_MAX])
{
	struct mount mount;

	if (!find_mount(root, "cgroup2", NULL, &mount))
		return not_mounted(err);
	if (snprintf(ret, PATH_MAX, "%s%s", root, mount.place) >= PATH_MAX)
		return error_set(err, -ENAMETOOLONG, "the path of the control group is too long");
	return 0;
}

int cgroup_find_own(const char *root, struct error *err, char ret[PATH_MAX])
{
	char group[PATH_MAX];
	struct mount mount;
	const char *below = group;

	if (!find_mount(root, "cgroup2", NULL, &mount) || !find_group(root, group))
		return not_mounted(err);
	if (strcmp(mount.top, "/") != 0) {
		const size_t len = strlen(mount.top);

		below = NULL;
		if (strncmp(group, mount.top, len) == 0 && (!group[len] || group[len] == '/'))
			below = group + len;
	}
	if (!below || strncmp(below, "/..", 3) == 0)
		return error_set(err, -ENOENT,
				 "this process' control group (%s) is outside what is mounted at "
				 "%s",
				 group, mount.place);
	if (strcmp(below, "/") == 0)
		below = "";
	if (snprintf(ret, PATH_MAX, "%s%s%s", root, mount.place, below) >= PATH_MAX)
		return error_set(err, -ENAMETOOLONG, "the path of the control group is too long");
	return 0;
}

int cgroup_explain_no_cpu(const char *root, const char *dir, struct error *err)
{
	char path[PATH_MAX];
	struct mount mount;
	int fd;

	if (find_mount(root, "cgroup", "cpu", &mount))
		return error_set(err, -ENOTSUP,
				 "the cpu controller belongs to control groups of version 1 (%s), "
				 "not 2: boot the host with systemd.unified_cgroup_hierarchy=1, or "
				 "without what mounts version 1",
				 mount.place);
	/* A group's own controllers are those that its parent hands down. */
	if (snprintf(path, sizeof(path), "%s/..", dir) >= (int)sizeof(path))
		path[0] = '\0';
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && cgroup_has_word(fd, "cgroup.controllers", "cpu")) {
		close(fd);
		return error_set(err, -ENOTSUP,
				 "the control group %s has no cpu controller: write +cpu to "
				 "cgroup.subtree_control of the group above it",
				 dir + strlen(root));
	}
	if (fd >= 0)
		close(fd);
	return error_set(err, -ENOTSUP,
			 "the control group %s has no cpu controller: this kernel has none for "
			 "version 2, or no group above passes it on",
			 dir + strlen(root));
}
