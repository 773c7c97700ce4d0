// SPDX-License-Identifier: MIT
/*
 * What the tests of character devices share: a user that records, and peers on the host.
 */
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/char/chardev.h"
#include "pc_fake.h"

static struct loop *loop;
static struct chardev *cd;
static struct error err;
static bool is_closed;
static char dir[64], path[128];

/* The user: takes input as far as it has room. */
static struct {
	char input[1 << 16];
	size_t len, room;
	unsigned int breaks, written;
} user;

static inline size_t take_input(void *ctx, const uint8_t *data, size_t len)
{
	size_t n = min_of(len, user.room);

	ck_assert_ptr_eq(ctx, &user);
	ck_assert_uint_gt(len, 0);
	memcpy(user.input + user.len, data, n);
	user.len += n;
	user.room -= n;
	return n;
}

static inline bool take_break(void *ctx)
{
	if (!user.room)
		return false;
	user.room--;
	user.breaks++;
	return true;
}

static inline void take_written(void *ctx)
{
	user.written++;
}

static const struct chardev_user user_ops = {take_input, take_break, take_written};

static inline void setup(void)
{
	user.room = sizeof(user.input);
	loop = new_loop();
	strcpy(dir, "/tmp/chardev-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x", dir);
}

static inline int try_create(enum chardev_kind kind, const char *where)
{
	struct chardev_config config = {.kind = kind, .path = where};

	return chardev_create(loop, &config, &err, &cd);
}

static inline void create(enum chardev_kind kind)
{
	ck_assert_msg(try_create(kind, path) == 0, "%s", err.text);
	chardev_start(cd, &user_ops, &user);
}

static inline void close_and_destroy(void)
{
	is_closed = false;
	chardev_close(cd, set_flag, &is_closed);
	ck_assert(!is_closed);
	ck_assert(run_until(loop, flag_is_set, &is_closed, 1000));
	chardev_destroy(cd);
	cd = NULL;
}

static inline void teardown(void)
{
	if (cd)
		close_and_destroy();
	loop_destroy(loop);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static inline bool is_written(void *ctx)
{
	return user.written == *(unsigned int *)ctx;
}

/* Writes and waits until the bytes are done with. */
static inline void send_bytes(const void *data, size_t len)
{
	unsigned int next = user.written + 1;

	if (chardev_write(cd, data, len))
		return;
	ck_assert(run_until(loop, is_written, &next, 1000));
}

static inline void send_text(const char *text)
{
	send_bytes(text, strlen(text));
}

static inline bool has_input(void *ctx)
{
	return user.len >= *(size_t *)ctx;
}

static inline void expect_input(const char *text)
{
	size_t len = strlen(text);

	ck_assert(run_until(loop, has_input, &len, 1000));
	ck_assert_uint_eq(user.len, len);
	ck_assert(!memcmp(user.input, text, len));
	user.len = 0;
}

struct peer {
	int fd;
	char text[1 << 18];
	size_t len, want;
	bool ended;
};

static struct peer peer;

static inline bool peer_has(void *ctx)
{
	struct peer *p = ctx;
	struct pollfd pollfd = {.fd = p->fd, .events = POLLIN};
	ssize_t n;

	while (!p->ended && poll(&pollfd, 1, 0) > 0) {
		n = read(p->fd, p->text + p->len, sizeof(p->text) - p->len);
		if (n <= 0)
			p->ended = true;
		else
			p->len += (size_t)n;
	}
	return p->ended || p->len >= p->want;
}

static inline void expect_at(int fd, const char *text)
{
	peer = (struct peer){.fd = fd, .want = strlen(text)};
	ck_assert(run_until(loop, peer_has, &peer, 2000));
	ck_assert_uint_eq(peer.len, strlen(text));
	ck_assert_msg(!memcmp(peer.text, text, peer.len), "%.*s", (int)peer.len, peer.text);
}

static inline void expect_end_at(int fd)
{
	peer = (struct peer){.fd = fd, .want = 1};
	ck_assert(run_until(loop, peer_has, &peer, 2000));
	ck_assert(peer.ended);
}

static inline uint64_t count(size_t offset)
{
	const char *counters = (const char *)chardev_counters(cd);

	return counter_get((const struct counter *)(const void *)(counters + offset));
}

#define COUNT(name) count(offsetof(struct chardev_counters, name))

static inline void type_at(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static inline void write_file(const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

static inline void expect_file(const char *text)
{
	char buf[256] = "";
	FILE *f = fopen(path, "r");

	buf[fread(buf, 1, sizeof(buf) - 1, f)] = 0;
	fclose(f);
	ck_assert_str_eq(buf, text);
}
