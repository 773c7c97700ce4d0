// SPDX-License-Identifier: MIT
/* The host's memory. See host_memory.h. */
#include "balancer/host_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX KiB(16) /* /proc/vmstat is the longest: about 4 KiB */

/* What is left of a text. */
struct cursor {
	const char *p, *end;
};

/* Takes a line off. False: there is none. */
static bool next_line(struct cursor *text, struct cursor *ret)
{
	const size_t len = (size_t)(text->end - text->p);
	const char *end;

	if (len == 0)
		return false;
	end = memchr(text->p, '\n', len);
	*ret = (struct cursor){.p = text->p, .end = end ? end : text->end};
	text->p = end ? end + 1 : text->end;
	return true;
}

/* Takes @word off the beginning. */
static bool take_word(struct cursor *line, const char *word)
{
	const size_t len = strlen(word);

	if ((size_t)(line->end - line->p) < len || memcmp(line->p, word, len) != 0)
		return false;
	line->p += len;
	return true;
}

static void skip_blanks(struct cursor *line)
{
	while (line->p < line->end && (*line->p == ' ' || *line->p == '\t'))
		line->p++;
}

/* A decimal number behind blanks. False: none, or too large. */
static bool take_number(struct cursor *line, uint64_t *ret)
{
	const char *start;
	uint64_t v = 0;

	skip_blanks(line);
	for (start = line->p; line->p < line->end && *line->p >= '0' && *line->p <= '9'; line->p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*line->p - '0'), &v))
			return false;
	if (line->p == start)
		return false;
	*ret = v;
	return true;
}

static bool take_kib(struct cursor *line, uint64_t *ret)
{
	uint64_t kib;

	return take_number(line, &kib) && !__builtin_mul_overflow(kib, KiB(1), ret);
}

int host_memory_parse_meminfo(struct host_memory *m, const char *text, size_t len)
{
	struct cursor all = {.p = text, .end = text + len}, line;
	const struct {
		const char *word;
		uint64_t *value;
	} rows[] = {
		{"MemTotal:", &m->total},
		{"MemAvailable:", &m->available},
		{"SwapTotal:", &m->swap_total},
		{"SwapFree:", &m->swap_free},
	};
	bool found[ARRAY_SIZE(rows)] = {false};

	while (next_line(&all, &line))
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			if (take_word(&line, rows[i].word))
				found[i] = take_kib(&line, rows[i].value);
	return found[0] && found[1] && m->available <= m->total ? 0 : -EINVAL;
}

/* "avg10=1.23", in hundredths. */
static bool take_average(struct cursor *line, uint32_t *ret)
{
	uint64_t whole, hundredths = 0;

	skip_blanks(line);
	if (!take_word(line, "avg10=") || !take_number(line, &whole) || whole > 100)
		return false;
	if (take_word(line, ".") && line->end - line->p >= 2) {
		struct cursor two = {.p = line->p, .end = line->p + 2};

		if (!take_number(&two, &hundredths) || two.p != two.end)
			return false;
	}
	*ret = (uint32_t)(whole * 100 + hundredths);
	return true;
}

void host_memory_parse_stall(struct host_memory *m, const char *text, size_t len)
{
	struct cursor all = {.p = text, .end = text + len}, line;

	while (next_line(&all, &line)) {
		if (take_word(&line, "some"))
			m->has_stall = take_average(&line, &m->some) || m->has_stall;
		else if (take_word(&line, "full"))
			(void)take_average(&line, &m->full);
	}
}

void host_memory_parse_vmstat(struct host_memory *m, const char *text, size_t len)
{
	struct cursor all = {.p = text, .end = text + len}, line;

	while (next_line(&all, &line))
		if (take_word(&line, "pswpout "))
			(void)take_number(&line, &m->swapped_out);
}

/* What fits of a file of /proc. */
static int read_text(const char *root, const char *name, char buf[TEXT_MAX], size_t *ret_len)
{
	char path[512];
	size_t len = 0;
	ssize_t n;
	int fd;

	if (snprintf(path, sizeof(path), "%s%s", root, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf + len, TEXT_MAX - len)) > 0 || (n < 0 && errno == EINTR))
		len += n > 0 ? (size_t)n : 0;
	n = n < 0 ? -errno : 0;
	close(fd);
	*ret_len = len;
	return (int)n;
}

int host_memory_read(struct host_memory *m, const char *root, struct error *err)
{
	char buf[TEXT_MAX];
	size_t len = 0;
	int r;

	*m = (struct host_memory){0};
	r = read_text(root, "/proc/meminfo", buf, &len);
	if (r < 0)
		return error_errno(err, r, "%s/proc/meminfo", root);
	r = host_memory_parse_meminfo(m, buf, len);
	if (r < 0)
		return error_set(err, r, "%s/proc/meminfo does not say how much memory there is",
				 root);
	/* A kernel without these does not say so much, that is all. */
	if (read_text(root, "/proc/pressure/memory", buf, &len) == 0)
		host_memory_parse_stall(m, buf, len);
	if (read_text(root, "/proc/vmstat", buf, &len) == 0)
		host_memory_parse_vmstat(m, buf, len);
	return 0;
}
