// SPDX-License-Identifier: MIT
/*
 * How fast a network interface is without a hypervisor and without a network: a guest in process (a
 * thread) -> ring -> netvsp -> a backend that takes and gives frames at once (another thread), and
 * what each frame costs.
 *
 *   netvsp_bench send|receive|coalesce BYTES [SECONDS [BATCH [DEPTH]]]
 *
 * "coalesce" is "receive" by a guest that takes large frames, which are in several sections.
 * BYTES of each frame, 3 seconds, BATCH frames in one packet (1; sending), DEPTH packets in flight
 * (32; sending). One line of JSON: frames a second, and those that one core of the host's would do,
 * from the processor time of the NIC's thread. The guest does what Linux's driver does: it masks
 * interrupts while there is something, and gives sections back packet by packet.
 *
 * Allocations and io_uring_enter() are those of this program's code, not those inside of libraries.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../unit/netvsp_fake.h"
#include "counted.h"

#define SECTION   6144u
#define DEPTH_MAX 64u
#define AHEAD     4096u /* frames that wait to be received, at least */

static struct {
	struct netvsp_fake f;
	bool receive, coalesce;
	uint32_t bytes, packet_len;
	unsigned int batch, depth;
	uint64_t duration_ns, frames;
} bench;

static void die(const char *what)
{
	fprintf(stderr, "netvsp_bench: %s\n", what);
	exit(EXIT_FAILURE);
}

/* --- The guest. ------------------------------------------------------------------------------ */

/* The same frames from the same section again. */
static void send_packet(uint64_t slot)
{
	const struct nvsp_message in = {
		.msg_type = NVSP_MSG1_TYPE_SEND_RNDIS_PKT,
		.send_rndis_pkt = {RMC_DATA, (uint32_t)slot, bench.packet_len},
	};

	if (!bus_guest_send(&bench.f.ch, true, slot, &in, sizeof(in)))
		die("the ring is full");
}

static void fill_sections(void)
{
	static uint8_t frame[65536], bytes[65536 + 64];
	uint32_t len = 0;

	for (unsigned int i = 0; i < bench.batch; i++) {
		netvsp_fake_frame(frame, bench.bytes, i);
		len += netvsp_fake_wrap(bytes + len, frame, bench.bytes, NULL, 0);
		if (len > SECTION)
			die("the frames of a packet do not fit a section");
	}
	bench.packet_len = len;
	for (unsigned int i = 0; i < bench.depth; i++)
		memcpy(bus_guest_host(&bench.f.guest, bench.f.send_gpa + i * SECTION, len), bytes,
		       len);
}

static void take_completion(const struct vmpacket_descriptor *head, bool go_on)
{
	bench.frames += bench.batch;
	if (go_on)
		send_packet(head->trans_id);
}

static void take_frames(const struct vmpacket_descriptor *head, const uint8_t *list)
{
	const uint32_t body[2] = {NVSP_MSG1_TYPE_SEND_RNDIS_PKT_COMPLETE, NVSP_STAT_SUCCESS};
	const uint32_t parts =
		(bench.bytes + bench.f.section_size - 129) / (bench.f.section_size - 128);
	uint32_t count;

	memcpy(&count, list + 4, sizeof(count));
	bench.frames += count / parts;
	if (!bus_guest_send_list(&bench.f.ch, VM_PKT_COMP, 0, head->trans_id, NULL, 0, body,
				 sizeof(body)))
		die("the ring is full");
}

static bool take_all(bool go_on)
{
	struct bus_guest_channel *ch = &bench.f.ch;
	static struct {
		struct vmpacket_descriptor head;
		uint8_t bytes[8192];
	} packet;
	const uint64_t before = bench.frames;

	ring_guest_begin(&ch->in);
	do {
		while (ring_guest_receive(&ch->in, &packet, sizeof(packet))) {
			if (packet.head.type == VM_PKT_COMP)
				take_completion(&packet.head, go_on);
			else
				take_frames(&packet.head, packet.bytes);
		}
		if (ring_guest_commit(&ch->in))
			bus_guest_signal(ch);
	} while (ring_guest_end(&ch->in));
	return bench.frames != before;
}

static void run(uint64_t until)
{
	while (loop_now() < until) {
		if (bench.receive && atomic_load(&bench.f.net.flood) < AHEAD)
			net_fake_flood(&bench.f.net, 4 * AHEAD);
		if (!take_all(true) && !bus_guest_interrupted(&bench.f.ch, BUS_GUEST_MS))
			die("no answer");
	}
}

/* --- What comes out. ------------------------------------------------------------------------- */

struct reading {
	uint64_t ns, cpu_ns, frames, signals, interrupts, allocations, enters;
};

static void read_cpu(void *arg)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	*(uint64_t *)arg = (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static struct reading now(void)
{
	const struct channel_counters *c = netvsp_channel_counters(bench.f.netvsp);
	struct reading r = {
		.ns = loop_now(),
		.frames = bench.frames,
		.signals = bench.f.ch.signals,
		.interrupts = counter_get(&c->interrupts),
		.allocations = atomic_load(&counted_allocations),
		.enters = atomic_load(&counted_enters),
	};

	loop_thread_call(&bench.f.loops[0], read_cpu, &r.cpu_ns);
	return r;
}

static void report(const struct reading *from, const struct reading *to)
{
	const double n = (double)(to->frames - from->frames);

	printf("{\"op\": \"%s\", \"bytes\": %u, \"batch\": %u, \"frames\": %.0f, "
	       "\"frames_per_s\": %.0f, \"frames_per_core_s\": %.0f, \"per_frame\": "
	       "{\"signals\": %.4f, \"interrupts\": %.4f, \"enters\": %.4f, "
	       "\"allocations\": %.6f, \"copied\": %.2f}}\n",
	       bench.coalesce  ? "coalesce"
	       : bench.receive ? "receive"
			       : "send",
	       bench.bytes, bench.batch, n, n * 1e9 / (double)(to->ns - from->ns),
	       n * 1e9 / (double)(to->cpu_ns - from->cpu_ns),
	       (double)(to->signals - from->signals) / n,
	       (double)(to->interrupts - from->interrupts) / n,
	       (double)(to->enters - from->enters) / n,
	       (double)(to->allocations - from->allocations) / n,
	       (double)counter_get(&netvsp_counters(bench.f.netvsp)->copied) / n);
}

static void measure(void)
{
	struct reading from, to;

	netvsp_fake_start(&bench.f, NDIS_PACKET_TYPE_BROADCAST);
	if (bench.coalesce)
		netvsp_fake_offload(&bench.f, true);
	bench.f.net.discard = true;
	bench.f.net.flood_len = bench.bytes;
	if (!bench.receive) {
		fill_sections();
		for (unsigned int i = 0; i < bench.depth; i++)
			send_packet(i);
	}
	run(loop_now() + bench.duration_ns / 8);
	from = now();
	run(loop_now() + bench.duration_ns);
	to = now();
	report(&from, &to);
	atomic_store(&bench.f.net.flood, 0);
}

static bool parse(int argc, char **argv)
{
	const uint64_t seconds = argc > 3 ? strtoull(argv[3], NULL, 0) : 3;

	if (argc < 3 || argc > 6)
		return false;
	bench.coalesce = !strcmp(argv[1], "coalesce");
	bench.receive = bench.coalesce || !strcmp(argv[1], "receive");
	bench.bytes = (uint32_t)strtoul(argv[2], NULL, 0);
	bench.duration_ns = seconds * NSEC_PER_SEC;
	bench.batch = argc > 4 ? (unsigned int)strtoul(argv[4], NULL, 0) : 1;
	bench.depth = argc > 5 ? (unsigned int)strtoul(argv[5], NULL, 0) : 32;
	return (bench.receive || !strcmp(argv[1], "send")) && bench.bytes >= 60 &&
	       bench.bytes <= (bench.coalesce ? 65000 : 1514) && seconds > 0 && seconds < 3600 &&
	       bench.batch > 0 && bench.batch <= 8 && bench.depth > 0 && bench.depth <= DEPTH_MAX;
}

int main(int argc, char **argv)
{
	const struct netvsp_fake_config config = {
		.loops = 1, .recv_pages = 2048, .send_pages = DEPTH_MAX * SECTION / PAGE_SIZE};

	if (!parse(argc, argv)) {
		fputs("usage: netvsp_bench send|receive|coalesce BYTES [SECONDS [BATCH [DEPTH]]]\n",
		      stderr);
		return 2;
	}
	netvsp_fake_init(&bench.f, &config);
	measure();
	netvsp_fake_finish(&bench.f);
	return 0;
}
