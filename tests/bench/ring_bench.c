// SPDX-License-Identifier: MIT
/*
 * How fast a ring is, and how many signals it takes: a guest on a thread of its own and a host that
 * drains, as a channel does.
 *
 *   ring_bench [PACKETS [PAYLOAD [PAGES]]]
 *
 * One line of JSON a mode: "one-way", the guest only sends; "echo", each packet is answered, and
 * packets counts questions; each with the ring mapped twice and page by page. Signals both ways are
 * per packet. Thread-to-thread numbers depend on the machine, signals per packet much less.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "../unit/ring_guest.h"

#define BUF_LEN 65536

struct bench {
	uint64_t packets;
	uint32_t payload;
	bool echo;
	struct ring_memory up, down;
	int to_host, to_guest;
	uint64_t guest_signals;
	struct ring_in in;
	struct ring_out out;
	bool has_room;
};

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static void wait_for(int fd)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) != sizeof(n))
		die("eventfd");
}

static void signal_to(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		die("eventfd");
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* --- The guest. ---------------------------------------------------------------------------- */

static uint64_t guest_drain(struct bench *b, struct ring_guest *in)
{
	static uint64_t buf[BUF_LEN / 8];
	uint64_t n = 0;

	ring_guest_begin(in);
	do {
		while (ring_guest_receive(in, buf, sizeof(buf)))
			n++;
		if (ring_guest_commit(in)) {
			b->guest_signals++;
			signal_to(b->to_host);
		}
	} while (ring_guest_end(in));
	return n;
}

static void *guest_run(void *arg)
{
	static uint64_t payload[BUF_LEN / 8];
	struct bench *b = arg;
	struct ring_guest out, in;
	uint64_t sent = 0, received = 0;

	ring_guest_init_writer(&out, &b->up);
	ring_guest_init_reader(&in, &b->down);
	while (sent < b->packets || (b->echo && received < b->packets)) {
		uint64_t before = received;
		bool signal, full = false;

		while (sent < b->packets && !full) {
			full = !ring_guest_send(&out, VM_PKT_DATA_INBAND, 1, sent, NULL, 0, payload,
						b->payload, &signal);
			if (full)
				break;
			sent++;
			if (!signal)
				continue;
			b->guest_signals++;
			signal_to(b->to_host);
		}
		if (b->echo)
			received += guest_drain(b, &in);
		if (received == before && (full || (b->echo && received < b->packets)))
			wait_for(b->to_guest);
	}
	return NULL;
}

/* --- The host. ----------------------------------------------------------------------------- */

/* False: no room for an answer. */
static bool host_batch(struct bench *b)
{
	static uint64_t buf[BUF_LEN / 8];
	uint32_t space = ring_out_space(0, b->payload);
	struct ring_message m = {.type = VM_PKT_COMP, .payload = buf + 2};
	struct ring_packet p;

	for (;;) {
		if (b->echo && !b->has_room) {
			if (ring_out_reserve(&b->out, space) < 0)
				return false;
			b->has_room = true;
		}
		if (ring_in_next(&b->in, buf, sizeof(buf), &p) < 0)
			return true;
		if (!b->echo)
			continue;
		m.trans_id = p.trans_id;
		m.payload_len = p.payload_len;
		if (ring_out_write(&b->out, &m, space) < 0)
			abort();
		b->has_room = false;
	}
}

static void host_drain(struct bench *b)
{
	bool empty;

	ring_in_begin(&b->in);
	do {
		bool signal;

		empty = host_batch(b);
		signal = ring_out_commit(&b->out);
		signal |= ring_in_commit(&b->in);
		if (signal)
			signal_to(b->to_guest);
	} while (empty && ring_in_end(&b->in));
}

static void measure(uint64_t packets, uint32_t payload, uint32_t pages, bool echo, bool paged)
{
	struct bench b = {.packets = packets, .payload = payload, .echo = echo};
	uint64_t host_signals, ns;
	pthread_t thread;

	ring_guest_memory(&b.up, pages, paged);
	ring_guest_memory(&b.down, pages, paged);
	b.up.control->feature_bits = HV_RING_FEAT_PENDING_SEND_SZ;
	b.to_host = eventfd(0, EFD_CLOEXEC);
	b.to_guest = eventfd(0, EFD_CLOEXEC);
	if (b.to_host < 0 || b.to_guest < 0)
		die("eventfd");
	if (ring_in_init(&b.in, &b.up) < 0 || ring_out_init(&b.out, &b.down) < 0)
		abort();
	ns = now();
	errno = pthread_create(&thread, NULL, guest_run, &b);
	if (errno)
		die("thread");
	while (counter_get(&b.in.counters.packets) < packets) {
		wait_for(b.to_host);
		host_drain(&b);
	}
	pthread_join(thread, NULL);
	ns = now() - ns;
	host_signals = counter_get(&b.in.counters.signals) + counter_get(&b.out.counters.signals);
	printf("{\"mode\": \"%s\", \"ring\": \"%s\", \"packets\": %llu, \"payload\": %u, "
	       "\"pages\": %u, \"ns_per_packet\": %.1f, \"packets_per_s\": %.0f, "
	       "\"signals_to_host\": %.5f, \"signals_to_guest\": %.5f}\n",
	       echo ? "echo" : "one-way", paged ? "paged" : "mapped", (unsigned long long)packets,
	       payload, pages, (double)ns / (double)packets, 1e9 * (double)packets / (double)ns,
	       (double)b.guest_signals / (double)packets, (double)host_signals / (double)packets);
	fflush(stdout);
	close(b.to_host);
	close(b.to_guest);
	ring_guest_memory_free(&b.up);
	ring_guest_memory_free(&b.down);
}

int main(int argc, char **argv)
{
	uint64_t packets = argc > 1 ? strtoull(argv[1], NULL, 0) : 2000000;
	uint64_t payload = argc > 2 ? strtoull(argv[2], NULL, 0) : 64;
	uint64_t pages = argc > 3 ? strtoull(argv[3], NULL, 0) : 32;

	if (!packets || !pages || pages > 8192 || payload % 8 || payload + 24 >= BUF_LEN ||
	    payload + 24 >= pages * PAGE_SIZE) {
		fputs("usage: ring_bench [PACKETS [PAYLOAD [PAGES]]]\n"
		      "The payload is a multiple of 8 bytes, below 64 KiB, and fits the ring.\n",
		      stderr);
		return 2;
	}
	for (int i = 0; i < 4; i++)
		measure(packets, (uint32_t)payload, (uint32_t)pages, i / 2, i % 2);
	return 0;
}
