// SPDX-License-Identifier: MIT
/*
 * A VM's configuration file: reading it whole, and what its name and place mean.
 *
 * No state; any thread.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/config.h"
#include "vmm/config_json.h"
#include "vmm/config_table.h"

/* Reads to the end of @fd, or to one byte more than a configuration may have. */
static int read_all(int fd, char *buf, size_t *ret_len)
{
	size_t len = 0;

	while (len <= CONFIG_FILE_MAX) {
		ssize_t n = read(fd, buf + len, CONFIG_FILE_MAX + 1 - len);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

/* The whole file; *ret is to be freed. */
static int read_file(const char *path, struct error *err, char **ret, size_t *ret_len)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int r, fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	char *buf;

	if (fd < 0)
		return error_errno(err, -errno, "cannot open it");
	buf = malloc(CONFIG_FILE_MAX + 1);
	if (buf)
		r = read_all(fd, buf, ret_len);
	else
		r = -ENOMEM;
	if (!is_stdin)
		close(fd);
	if (r) {
		free(buf);
		return error_errno(err, r, "cannot read it");
	}
	*ret = buf;
	return 0;
}

/* Relative paths in the file begin where the file is; NULL: where we are. */
static int directory_of(const char *path, struct error *err, char **ret)
{
	const char *slash = strrchr(path, '/');

	*ret = NULL;
	if (!slash)
		return 0;
	*ret = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	return *ret ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static int load(struct vm_config *config, const char *path, struct error *err)
{
	char *dir, *text = NULL;
	size_t len = 0;
	int r;

	r = directory_of(path, err, &dir);
	if (r)
		return r;
	r = read_file(path, err, &text, &len);
	if (r)
		goto free_dir;
	r = config_json_load(&config_vm_table, config, text, len, dir, err);
	free(text);
	if (r == 0 && strcmp(path, "-") != 0)
		r = config_default_name(config, path);
free_dir:
	free(dir);
	return r;
}

int config_load_file(struct vm_config *config, const char *path, struct error *err)
{
	int r = load(config, path, err);

	if (r)
		error_prefix(err, "%s", strcmp(path, "-") == 0 ? "standard input" : path);
	return r;
}

/*
 * A file's name makes a VM's name when ".json" is taken off and what a name cannot hold becomes a
 * dash. NULL: nothing is left, or no memory.
 */
static char *name_from_path(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t i, len = strlen(base);
	char *name;

	if (len >= 5 && strcmp(base + len - 5, ".json") == 0)
		len -= 5;
	len = min_of(len, (size_t)CONFIG_NAME_MAX);
	if (len == 0)
		return NULL;
	name = strndup(base, len);
	for (i = 0; name && i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (!isascii(c) || (!isalnum(c) && !strchr(i ? "._-" : "_", c)))
			name[i] = i ? '-' : '_';
	}
	return name;
}

int config_default_name(struct vm_config *config, const char *path)
{
	char *name = NULL;

	if (config->name)
		return 0;
	if (path)
		name = name_from_path(path);
	else if (asprintf(&name, "vm-%d", (int)getpid()) < 0)
		return -ENOMEM;
	config->name = name;
	return 0;
}
