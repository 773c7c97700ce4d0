// SPDX-License-Identifier: MIT
/* Histories. See cmd_balance_history.h. */
#include "candela/cmd_balance_history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "candela/cmd_balance_sample.h"

#define STYLE    (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
#define LINE_MAX KiB(16)

/* --- Writing. ------------------------------------------------------------------------------- */

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		const ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static int open_file(struct balance_history *history)
{
	struct stat st;
	char last;

	history->fd = open(history->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (history->fd < 0)
		return -errno;
	if (fstat(history->fd, &st) < 0)
		return -errno;
	history->size = (uint64_t)st.st_size;
	if (st.st_size && pread(history->fd, &last, 1, st.st_size - 1) == 1 && last != '\n')
		return write_all(history->fd, "\n", 1);
	return 0;
}

int balance_history_open(struct balance_history *history, const char *path, uint64_t limit,
			 struct error *err)
{
	int r;

	*history = (struct balance_history){.path = path, .fd = -1, .limit = limit};
	r = open_file(history);
	if (r < 0) {
		balance_history_close(history);
		return error_errno(err, r, "cannot write the history %s", path);
	}
	return 0;
}

void balance_history_close(struct balance_history *history)
{
	if (history->fd >= 0)
		close(history->fd);
	history->fd = -1;
}

static int set_aside(struct balance_history *history)
{
	char *old;
	int r = 0;

	if (asprintf(&old, "%s.1", history->path) < 0)
		return -ENOMEM;
	if (rename(history->path, old) < 0)
		r = -errno;
	free(old);
	if (r < 0)
		return r;
	balance_history_close(history);
	return open_file(history);
}

static int write_line(struct balance_history *history, struct json_object *line)
{
	const char *text = line ? json_object_to_json_string_ext(line, STYLE) : NULL;
	char *whole;
	int r, len;

	if (!text)
		return -ENOMEM;
	if (history->fd < 0 || history->size >= history->limit) {
		r = history->fd < 0 ? open_file(history) : set_aside(history);
		if (r < 0)
			return r;
	}
	/* In one piece, so that a reader never sees half of a line. */
	len = asprintf(&whole, "%s\n", text);
	if (len < 0)
		return -ENOMEM;
	r = write_all(history->fd, whole, (size_t)len);
	free(whole);
	history->size += (uint64_t)len;
	return r;
}

int balance_history_write(struct balance_history *history, struct json_object *line,
			  struct error *err)
{
	const int r = write_line(history, line);
	const bool first = r < 0 && !history->failed;

	json_object_put(line);
	history->failed = r < 0;
	return first ? error_errno(err, r, "cannot write the history %s", history->path) : 0;
}

/* --- Reading. ------------------------------------------------------------------------------- */

struct reader {
	struct series *series;
	uint64_t good, bad;
	char *line;
	size_t size;
};

static int read_lines(struct reader *reader, FILE *file)
{
	ssize_t len;
	int r = 0;

	while (r != -ENOMEM && (len = getline(&reader->line, &reader->size, file)) > 0) {
		while (len && (reader->line[len - 1] == '\n' || reader->line[len - 1] == '\r'))
			len--;
		if (len == 0)
			continue;
		r = (size_t)len <= LINE_MAX
			    ? balance_line_read(reader->series, reader->line, (size_t)len)
			    : -EPROTO;
		if (r < 0)
			reader->bad++;
		else
			reader->good++;
	}
	if (r == -ENOMEM)
		return r;
	return ferror(file) ? -EIO : 0;
}

/* A file that is not there is an error unless it @may_lack. */
static int read_file(struct reader *reader, const char *path, bool may_lack, struct error *err)
{
	FILE *file = fopen(path, "re");
	int r;

	if (!file && errno == ENOENT && may_lack)
		return 0;
	if (!file)
		return error_errno(err, -errno, "%s", path);
	r = read_lines(reader, file);
	fclose(file);
	return r < 0 ? error_errno(err, r, "%s", path) : 0;
}

static int read_both(struct reader *reader, const char *path, struct error *err)
{
	char *old;
	int r;

	if (strcmp(path, "-") == 0) {
		r = read_lines(reader, stdin);
		return r < 0 ? error_errno(err, r, "standard input") : 0;
	}
	if (asprintf(&old, "%s.1", path) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	r = read_file(reader, old, true, err);
	free(old);
	return r < 0 ? r : read_file(reader, path, false, err);
}

int balance_history_read(struct series *series, const char *path, uint64_t *ret_bad,
			 struct error *err)
{
	struct reader reader = {.series = series};
	int r = read_both(&reader, path, err);

	free(reader.line);
	if (r < 0)
		return r;
	if (!reader.good)
		return error_set(err, -ENODATA,
				 "%s: there is no history in it (candela balance --history writes "
				 "them)",
				 path);
	*ret_bad = reader.bad;
	return 0;
}
