// SPDX-License-Identifier: MIT
/*
 * Requests and answers over TCP, one after the other: how long each takes.
 *
 *   ping-pong PORT                  answers, one connection after the other, until it is ended
 *   ping-pong ADDRESS PORT SECONDS  asks, and says what it saw: how many requests, how many a
 *                                   second, and the median and the 99th percentile in us
 *
 * Both are 64 bytes long.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SIZE      64
#define TIMES_MAX 1000000

static int fail(const char *what)
{
	fprintf(stderr, "ping-pong: %s: %s\n", what, strerror(errno));
	return 1;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void at_once(int fd)
{
	const int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* All of it; false: an end or an error. */
static int get(int fd, char *buf)
{
	return recv(fd, buf, SIZE, MSG_WAITALL) == SIZE;
}

static int put(int fd, const char *buf)
{
	return send(fd, buf, SIZE, MSG_NOSIGNAL) == SIZE;
}

static int answer(struct sockaddr_in *address)
{
	const int fd = socket(AF_INET, SOCK_STREAM, 0);
	const int on = 1;
	char buf[SIZE];

	if (fd < 0)
		return fail("socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)address, sizeof(*address)) < 0 || listen(fd, 4) < 0)
		return fail("listen");
	for (;;) {
		const int peer = accept(fd, NULL, NULL);

		if (peer < 0)
			return fail("accept");
		at_once(peer);
		while (get(peer, buf) && put(peer, buf))
			continue;
		close(peer);
	}
}

static int by_size(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int ask(const struct sockaddr_in *address, double seconds)
{
	uint32_t *times = calloc(TIMES_MAX, sizeof(*times));
	const int fd = socket(AF_INET, SOCK_STREAM, 0);
	char buf[SIZE] = "ping";
	uint64_t start, before, now;
	unsigned int n = 0;

	if (fd < 0 || !times)
		return fail("socket");
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return fail("connect");
	at_once(fd);
	start = before = now_ns();
	do {
		if (!put(fd, buf) || !get(fd, buf))
			return fail("the other end");
		now = now_ns();
		times[n++] = (uint32_t)((now - before) / 100);
		before = now;
	} while (n < TIMES_MAX && (double)(now - start) < seconds * 1e9);
	qsort(times, n, sizeof(*times), by_size);
	printf("%u %.0f %.1f %.1f\n", n, n / ((double)(now - start) / 1e9), times[n / 2] / 10.0,
	       times[n - 1 - n / 100] / 10.0);
	free(times);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};

	if (argc != 2 && argc != 4) {
		fprintf(stderr, "usage: ping-pong PORT | ping-pong ADDRESS PORT SECONDS\n");
		return 2;
	}
	address.sin_port = htons((uint16_t)atoi(argv[argc == 2 ? 1 : 2]));
	if (argc == 2)
		return answer(&address);
	if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
		fprintf(stderr, "ping-pong: %s is no IPv4 address\n", argv[1]);
		return 2;
	}
	return ask(&address, atof(argv[3]));
}
