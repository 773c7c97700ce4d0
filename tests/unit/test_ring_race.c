// SPDX-License-Identifier: MIT
/*
 * Rings with a guest on a thread of its own: nothing is lost, doubled or torn, no signal is missing
 * (a wait that is not answered fails the test), and few are sent; and a guest that scribbles over
 * its rings while we drain them harms only itself.
 *
 * $RING_PACKETS says how many; the default is quick.
 */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ring_guest.h"

#define PAYLOAD_MAX 512
#define PACKET_MAX  (16 + PAYLOAD_MAX)
#define WAIT_MS     60000
#define PACKETS     50000
#define CORRUPTIONS 500

/* Each way one ring and one eventfd, as a channel has. */
static struct ring_memory up, down; /* guest to host, host to guest */
static int to_host, to_guest;
static uint64_t packets;
static bool few;  /* packets in flight: both ends go to sleep all the time */
static bool stop; /* the scribbler */

static void wait_for(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t n;

	if (poll(&p, 1, WAIT_MS) != 1 || read(fd, &n, sizeof(n)) != sizeof(n))
		abort();
}

static void signal_to(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

static uint32_t length_of(uint64_t n)
{
	/* Mostly small, as packets are; every multiple of 8 comes. */
	return (uint32_t)(n * 2654435761u >> 7) % (n % 16 ? 96 : PAYLOAD_MAX) / 8 * 8;
}

static void fill(uint64_t *payload, uint64_t n)
{
	for (uint32_t i = 0; i < length_of(n) / 8; i++)
		payload[i] = n * 0x9e3779b97f4a7c15 + i;
}

static void compare(const void *payload, uint32_t len, uint64_t n)
{
	uint64_t expected[PAYLOAD_MAX / 8];

	fill(expected, n);
	if (len != length_of(n) || memcmp(payload, expected, len) != 0)
		abort();
}

/* --- The guest: sends numbered packets, and expects each back. ----------------------------- */

static uint64_t guest_receive(struct ring_guest *in, uint64_t received)
{
	uint64_t buf[PACKET_MAX / 8];

	ring_guest_begin(in);
	do {
		const struct vmpacket_descriptor *head = (const void *)buf;
		uint32_t len;

		while ((len = ring_guest_receive(in, buf, sizeof(buf))) > 0) {
			if (head->trans_id != received || head->type != VM_PKT_COMP)
				abort();
			compare(buf + 2, len - 16, received++);
		}
		if (ring_guest_commit(in))
			signal_to(to_host);
	} while (ring_guest_end(in));
	return received;
}

static void *guest_run(void *arg)
{
	struct ring_guest out, in;
	uint64_t sent = 0, received = 0;
	uint64_t payload[PAYLOAD_MAX / 8];

	(void)arg;
	ring_guest_init_writer(&out, &up);
	ring_guest_init_reader(&in, &down);
	while (received < packets) {
		uint64_t before = received;
		bool signal = false, full = false;

		uint64_t window = few ? 1 + (received * 0x9e3779b97f4a7c15 >> 62) : UINT64_MAX;

		while (sent < packets && !full && sent - received < window) {
			fill(payload, sent);
			full = !ring_guest_send(&out, VM_PKT_DATA_INBAND, 1, sent, NULL, 0, payload,
						length_of(sent), &signal);
			if (full)
				break;
			sent++;
			if (signal)
				signal_to(to_host);
			/* In bursts of all sizes. */
			if (sent * 0x9e3779b97f4a7c15 >> 61 == 0)
				break;
		}
		received = guest_receive(&in, received);
		full |= sent - received >= window;
		if (received == before && (full || sent == packets) && received < packets)
			wait_for(to_guest);
	}
	return NULL;
}

/* --- The host: sends each packet back. ----------------------------------------------------- */

struct host {
	struct ring_in in;
	struct ring_out out;
	uint64_t done;
	bool has_room;
};

/* As a channel does: room for the answer first. False: there is none. */
static bool host_batch(struct host *h)
{
	uint64_t buf[PACKET_MAX / 8];
	uint32_t space = ring_out_space(0, PAYLOAD_MAX);
	struct ring_packet p;
	int r;

	for (;;) {
		if (!h->has_room) {
			r = ring_out_reserve(&h->out, space);
			if (r == -EAGAIN)
				return false;
			ck_assert_int_eq(r, 0);
			h->has_room = true;
		}
		r = ring_in_next(&h->in, buf, sizeof(buf), &p);
		if (r == -EAGAIN)
			return true;
		ck_assert_int_eq(r, 0);
		ck_assert_uint_eq(p.trans_id, h->done);
		h->done++;
		r = ring_out_write(&h->out,
				   &(struct ring_message){.type = VM_PKT_COMP,
							  .trans_id = p.trans_id,
							  .payload = p.payload,
							  .payload_len = p.payload_len},
				   space);
		ck_assert_int_eq(r, 0);
		h->has_room = false;
	}
}

static void host_drain(struct host *h)
{
	bool empty;

	ring_in_begin(&h->in);
	do {
		bool signal;

		empty = host_batch(h);
		signal = ring_out_commit(&h->out);
		signal |= ring_in_commit(&h->in);
		if (signal)
			signal_to(to_guest);
	} while (empty && ring_in_end(&h->in));
}

static void setup_rings(uint32_t pages, bool paged)
{
	const char *text = getenv("RING_PACKETS");

	packets = text ? strtoull(text, NULL, 0) : PACKETS;
	stop = false;
	ring_guest_memory(&up, pages, paged);
	ring_guest_memory(&down, pages, paged);
	/* Before anybody runs: our side says that it does flow control. */
	down.control->feature_bits = up.control->feature_bits = HV_RING_FEAT_PENDING_SEND_SZ;
	to_host = eventfd(0, EFD_CLOEXEC);
	to_guest = eventfd(0, EFD_CLOEXEC);
	ck_assert(to_host >= 0 && to_guest >= 0);
}

static void finish_rings(void)
{
	close(to_host);
	close(to_guest);
	ring_guest_memory_free(&up);
	ring_guest_memory_free(&down);
}

static void echo(uint32_t pages, bool paged, bool in_fews)
{
	struct host h = {.done = 0};
	pthread_t thread;
	uint64_t signals;

	setup_rings(pages, paged);
	few = in_fews;
	ck_assert_int_eq(ring_in_init(&h.in, &up), 0);
	ck_assert_int_eq(ring_out_init(&h.out, &down), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, guest_run, NULL), 0);
	while (h.done < packets) {
		wait_for(to_host);
		host_drain(&h);
	}
	/* What the guest waits for is committed: it needs nobody to finish. */
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	signals = counter_get(&h.out.counters.signals) + counter_get(&h.in.counters.signals);
	ck_assert_uint_eq(counter_get(&h.in.counters.packets), packets);
	ck_assert_uint_eq(counter_get(&h.out.counters.packets), packets);
	ck_assert_uint_eq(counter_get(&h.in.counters.corrupt), 0);
	ck_assert_uint_eq(counter_get(&h.out.counters.corrupt), 0);
	if (getenv("RING_PACKETS"))
		printf("%u pages%s%s: %llu packets, %llu signals, %llu wakes, %llu spurious, "
		       "%llu full\n",
		       pages, paged ? ", paged" : "", few ? ", few" : "",
		       (unsigned long long)packets, (unsigned long long)signals,
		       (unsigned long long)counter_get(&h.in.counters.wakes),
		       (unsigned long long)counter_get(&h.in.counters.spurious),
		       (unsigned long long)counter_get(&h.out.counters.full));
	finish_rings();
}

START_TEST(echo_small)
{
	echo(1, _i, false);
}
END_TEST

START_TEST(echo_large)
{
	echo(16, _i, false);
}
END_TEST

START_TEST(echo_few)
{
	echo(1, _i, true);
}
END_TEST

/* --- One way, where a signal for room is all that there is to wait for. -------------------- */

static void *guest_floods(void *arg)
{
	uint64_t payload[PAYLOAD_MAX / 8];
	struct ring_guest out;
	bool signal;

	(void)arg;
	ring_guest_init_writer(&out, &up);
	for (uint64_t n = 0; n < packets; n++) {
		fill(payload, n);
		while (!ring_guest_send(&out, VM_PKT_DATA_INBAND, 0, n, NULL, 0, payload,
					length_of(n), &signal))
			wait_for(to_guest);
		if (signal)
			signal_to(to_host);
	}
	return NULL;
}

/* Gives back now and then, after one packet or some. */
static bool now_and_then(uint64_t n)
{
	return n * 0x9e3779b97f4a7c15 >> 62 == 0;
}

START_TEST(flood_up)
{
	uint64_t buf[PACKET_MAX / 8], n = 0;
	struct ring_packet p;
	struct ring_in in;
	pthread_t thread;

	setup_rings(1, _i);
	ck_assert_int_eq(ring_in_init(&in, &up), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, guest_floods, NULL), 0);
	while (n < packets) {
		wait_for(to_host);
		ring_in_begin(&in);
		do {
			while (ring_in_next(&in, buf, sizeof(buf), &p) == 0) {
				compare(p.payload, p.payload_len, n++);
				if (now_and_then(n) && ring_in_commit(&in))
					signal_to(to_guest);
			}
			if (ring_in_commit(&in))
				signal_to(to_guest);
		} while (ring_in_end(&in));
	}
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(counter_get(&in.counters.corrupt), 0);
	finish_rings();
}
END_TEST

static void *guest_drains(void *arg)
{
	uint64_t buf[PACKET_MAX / 8], n = 0;
	struct ring_guest in;

	(void)arg;
	ring_guest_init_reader(&in, &down);
	while (n < packets) {
		uint32_t len;

		wait_for(to_guest);
		ring_guest_begin(&in);
		do {
			while ((len = ring_guest_receive(&in, buf, sizeof(buf))) > 0) {
				compare(buf + 2, len - 16, n++);
				if (now_and_then(n) && ring_guest_commit(&in))
					signal_to(to_host);
			}
			if (ring_guest_commit(&in))
				signal_to(to_host);
		} while (ring_guest_end(&in));
	}
	return NULL;
}

START_TEST(flood_down)
{
	uint64_t payload[PAYLOAD_MAX / 8];
	struct ring_message m = {.type = VM_PKT_DATA_INBAND, .payload = payload};
	struct ring_out out;
	pthread_t thread;

	setup_rings(1, _i);
	ck_assert_int_eq(ring_out_init(&out, &down), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, guest_drains, NULL), 0);
	for (uint64_t n = 0; n < packets; n++) {
		int r;

		fill(payload, n);
		m.payload_len = length_of(n);
		while ((r = ring_out_write(&out, &m, 0)) == -EAGAIN) {
			if (ring_out_commit(&out))
				signal_to(to_guest);
			wait_for(to_host);
		}
		ck_assert_int_eq(r, 0);
		if ((now_and_then(n) || n + 1 == packets) && ring_out_commit(&out))
			signal_to(to_guest);
	}
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(counter_get(&out.counters.corrupt), 0);
	finish_rings();
}
END_TEST

/* --- A hostile guest. ---------------------------------------------------------------------- */

/* Its writes race with our copies, which is what it is for, and what that sanitizer is against. */
static bool thread_sanitized(void)
{
#if defined(__SANITIZE_THREAD__)
	return true;
#elif defined(__has_feature)
	return __has_feature(thread_sanitizer);
#else
	return false;
#endif
}

/* Valid and invalid things, everywhere, all the time. */
static void *scribble(void *arg)
{
	uint64_t x = 88172645463325252;
	const struct ring_memory *all[] = {&up, &down};

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		const struct ring_memory *m;
		uint32_t value;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		m = all[x & 1];
		value = (uint32_t)(x >> 32) % (m->len / 8) * 8;
		if ((x >> 8 & 63) == 0)
			value ^= (uint32_t)(x >> 16);
		switch (x >> 4 & 127) {
		case 0:
			__atomic_store_n(&m->control->write_index, value, __ATOMIC_RELEASE);
			break;
		case 1:
			__atomic_store_n(&m->control->read_index, value, __ATOMIC_RELEASE);
			break;
		case 2:
			__atomic_store_n(&m->control->interrupt_mask, value & 8, __ATOMIC_RELAXED);
			__atomic_store_n(&m->control->pending_send_sz, value, __ATOMIC_RELAXED);
			break;
		default: {
			/* A descriptor that is good more often than not. */
			struct vmpacket_descriptor d = {.type = 6 + (x >> 9 & 1) * 5,
							.offset8 = 2 + (x >> 10 & 1),
							.len8 = 3 + (x >> 11 & 31)};

			ring_guest_put(m, value & ~7u, &d, sizeof(d));
		}
		}
	}
	return NULL;
}

/* One life of a channel, until it is found corrupt. */
static void host_suffers(struct host *h)
{
	uint64_t buf[PACKET_MAX / 8];
	struct ring_packet p;
	bool signal;
	int r = 0;

	for (int i = 0; i < 1000 && r != -EPROTO; i++) {
		ring_in_begin(&h->in);
		while ((r = ring_in_next(&h->in, buf, sizeof(buf), &p)) == 0) {
			ck_assert_uint_le(p.list_len + p.payload_len, PAYLOAD_MAX);
			r = ring_out_write(&h->out,
					   &(struct ring_message){.type = p.type,
								  .payload = p.payload,
								  .payload_len = p.payload_len},
					   0);
			if (r < 0)
				break;
		}
		ck_assert(r == -EAGAIN || r == -EPROTO);
		signal = ring_out_commit(&h->out);
		signal |= ring_in_commit(&h->in);
		signal |= ring_in_end(&h->in);
		h->done += signal;
	}
}

START_TEST(scribbler)
{
	struct host h = {.done = 0};
	uint64_t taken = 0, corrupt = 0;
	pthread_t thread;

	setup_rings(1, _i);
	ck_assert_int_eq(pthread_create(&thread, NULL, scribble, NULL), 0);
	while (corrupt < CORRUPTIONS || taken < CORRUPTIONS / 10) {
		sched_yield(); /* the guest must run, too */
		/* Both must be good for once. */
		if (ring_in_init(&h.in, &up) < 0 || ring_out_init(&h.out, &down) < 0)
			continue;
		host_suffers(&h);
		taken += counter_get(&h.in.counters.packets);
		corrupt += counter_get(&h.in.counters.corrupt);
		corrupt += counter_get(&h.out.counters.corrupt);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	if (getenv("RING_PACKETS"))
		printf("scribbler: %llu packets taken, %llu times corrupt\n",
		       (unsigned long long)taken, (unsigned long long)corrupt);
	finish_rings();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ring-race");
	TCase *t = tcase_create("ring-race");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, echo_small, 0, 2);
	tcase_add_loop_test(t, echo_large, 0, 2);
	tcase_add_loop_test(t, echo_few, 0, 2);
	tcase_add_loop_test(t, flood_up, 0, 2);
	tcase_add_loop_test(t, flood_down, 0, 2);
	if (!thread_sanitized())
		tcase_add_loop_test(t, scribbler, 0, 2);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
