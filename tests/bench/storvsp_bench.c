// SPDX-License-Identifier: MIT
/*
 * How fast a disk is without a hypervisor: a guest in process (a thread) -> ring -> storvsp -> SCSI
 * -> disk image -> io_uring (another thread), random blocks, and what each request costs.
 *
 *   storvsp_bench FILE read|write DEPTH [SECONDS [BYTES [CACHE]]]
 *
 * FILE in any format, and long enough; DEPTH requests in flight; 3 seconds, 4096 bytes, cache
 * "none" unless said. One line of JSON. "write" destroys the contents. The guest does what Linux's
 * driver does: it sends one request for each that is answered, with a signal if the ring asks for
 * one, and sleeps when nothing has been answered. tests/bench/storvsp compares with fio.
 *
 * Allocations and io_uring_enter() are those of this program's code, not those inside of libraries.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/bus_guest.h"
#include "counted.h"
#include "devices/block/block_open.h"
#include "devices/storvsp.h"
#include "devices/storvsp_proto.h"

#define RING_PAGES 33u /* 128 KiB of data, as Linux has */
#define DEPTH_MAX  256u

struct bench {
	struct bus_guest guest;
	struct loop_thread disk_thread;
	struct bus_guest_channel channel;
	struct block *block;
	struct scsi_device *unit;
	struct storvsp *storvsp;
	const char *path;
	enum block_cache cache;
	bool write;
	unsigned int depth;
	uint32_t bytes;
	uint64_t duration_ns;
	uint64_t blocks;  /* of @bytes in the image */
	uint64_t buffers; /* guest memory, @bytes for each request in flight */
	uint64_t random;
	uint64_t sent, done, signals;
	sem_t removed;
};

static struct bench bench;

static void die(const char *what, const struct error *err)
{
	fprintf(stderr, "storvsp_bench: %s%s%s\n", what, err ? ": " : "", err ? err->text : "");
	exit(EXIT_FAILURE);
}

/* --- The host. ----------------------------------------------------------------------------- */

static void open_disk(void *arg)
{
	struct bench *b = arg;
	const struct block_config config = {
		.path = b->path, .cache = b->cache, .read_only = !b->write};
	struct scsi_config scsi = {0};
	struct error err;

	if (block_open(&config, b->disk_thread.loop, &err, &b->block) < 0)
		die("cannot open the disk", &err);
	scsi.block = b->block;
	if (scsi_disk_create(&scsi, &err, &b->unit) < 0)
		die("SCSI", &err);
}

static void create_controller(void *arg)
{
	struct bench *b = arg;
	const struct storvsp_config config = {
		.bus = b->guest.bus,
		.loop = b->disk_thread.loop,
		.kind = STORVSP_SCSI,
		.vm = "bench",
	};
	struct error err;

	if (storvsp_create(&config, &err, &b->storvsp) < 0)
		die("storvsp", &err);
}

static void attach(void *arg)
{
	struct bench *b = arg;
	struct error err;

	if (storvsp_attach(b->storvsp, 0, b->unit, &err) < 0)
		die("attach", &err);
}

static void on_removed(void *ctx)
{
	struct bench *b = ctx;

	sem_post(&b->removed);
}

static void destroy_controller(void *arg)
{
	struct bench *b = arg;

	storvsp_destroy(b->storvsp, on_removed, b);
}

static void close_disk(void *arg)
{
	struct bench *b = arg;
	struct error err;

	scsi_destroy(b->unit);
	if (block_close(b->block, &err) < 0)
		die("cannot close the disk", &err);
}

/* --- The guest. ---------------------------------------------------------------------------- */

static void shake_hands(struct bench *b)
{
	static const uint32_t operations[] = {
		VSTOR_OPERATION_BEGIN_INITIALIZATION,
		VSTOR_OPERATION_QUERY_PROTOCOL_VERSION,
		VSTOR_OPERATION_QUERY_PROPERTIES,
		VSTOR_OPERATION_END_INITIALIZATION,
	};
	struct vstor_packet packet;
	uint8_t buf[256];

	for (unsigned int i = 0; i < ARRAY_SIZE(operations); i++) {
		packet = (struct vstor_packet){.operation = operations[i],
					       .flags = VSTOR_REQUEST_COMPLETION_FLAG};
		if (operations[i] == VSTOR_OPERATION_QUERY_PROTOCOL_VERSION)
			packet.version.major_minor = VMSTOR_PROTO_VERSION_WIN10;
		if (!bus_guest_send(&b->channel, true, i, &packet, sizeof(packet)) ||
		    !bus_guest_completion(&b->channel, i, buf, sizeof(buf)))
			die("no answer to the handshake", NULL);
	}
}

struct list {
	struct vmdata_gpa_direct_list head;
	uint32_t byte_count, byte_offset;
	uint64_t pfns[256];
};

static uint64_t next_random(struct bench *b)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return b->random;
}

/* The first bytes of a CDB: READ(10) or WRITE(10) of a block somewhere. */
static void fill_cdb(struct bench *b, uint8_t *cdb)
{
	const uint32_t sector = b->block->info.logical_sector;
	const uint64_t lba = next_random(b) % b->blocks * (b->bytes / sector);

	cdb[0] = b->write ? SCSI_WRITE_10 : SCSI_READ_10;
	for (unsigned int i = 0; i < 4; i++)
		cdb[2 + i] = (uint8_t)(lba >> (24 - 8 * i));
	cdb[7] = (uint8_t)(b->bytes / sector >> 8);
	cdb[8] = (uint8_t)(b->bytes / sector);
}

static void send_request(struct bench *b, unsigned int slot)
{
	const uint32_t pages = b->bytes / PAGE_SIZE;
	const uint64_t buffer = b->buffers + (uint64_t)slot * b->bytes;
	struct vstor_packet packet = {
		.operation = VSTOR_OPERATION_EXECUTE_SRB,
		.flags = VSTOR_REQUEST_COMPLETION_FLAG,
		.vm_srb = {.length = sizeof(struct vmscsi_request),
			   .cdb_length = 10,
			   .sense_info_length = VMSCSI_SENSE_SIZE,
			   .data_in = b->write ? VMSCSI_DATA_OUT : VMSCSI_DATA_IN,
			   .data_transfer_length = b->bytes},
	};
	struct list list = {.head = {.range_cnt = 1}, .byte_count = b->bytes};

	for (uint32_t i = 0; i < pages; i++)
		list.pfns[i] = buffer / PAGE_SIZE + i;
	fill_cdb(b, packet.vm_srb.cdb);
	if (!bus_guest_send_list(&b->channel, VM_PKT_DATA_USING_GPA_DIRECT, 1, slot, &list,
				 16 + 8 * pages, &packet, sizeof(packet)))
		die("the ring is full", NULL);
	b->sent++;
}

/* Takes all answers there are; true: there were some. */
static bool take_answers(struct bench *b, bool go_on)
{
	struct {
		struct vmpacket_descriptor head;
		struct vstor_packet packet;
	} answer;
	const uint64_t before = b->done;

	ring_guest_begin(&b->channel.in);
	do {
		while (ring_guest_receive(&b->channel.in, &answer, sizeof(answer))) {
			if (answer.packet.vm_srb.srb_status != SRB_STATUS_SUCCESS)
				die("a request has failed", NULL);
			b->done++;
			if (go_on)
				send_request(b, (unsigned int)answer.head.trans_id);
		}
		if (ring_guest_commit(&b->channel.in))
			bus_guest_signal(&b->channel);
	} while (ring_guest_end(&b->channel.in));
	return b->done != before;
}

static void run(struct bench *b, uint64_t until)
{
	while (loop_now() < until)
		if (!take_answers(b, true) && !bus_guest_interrupted(&b->channel, BUS_GUEST_MS))
			die("no answer", NULL);
}

/* --- What comes out. ----------------------------------------------------------------------- */

struct reading {
	uint64_t ns, done, signals, interrupts, wakes, allocations, enters;
};

static struct reading now(const struct bench *b)
{
	const struct channel_counters *c = storvsp_channel_counters(b->storvsp);

	return (struct reading){
		.ns = loop_now(),
		.done = b->done,
		.signals = b->channel.signals,
		.interrupts = counter_get(&c->interrupts),
		.wakes = counter_get(&c->wakes),
		.allocations = atomic_load(&counted_allocations),
		.enters = atomic_load(&counted_enters),
	};
}

static void report(const struct bench *b, const struct reading *from, const struct reading *to)
{
	const double n = (double)(to->done - from->done);

	printf("{\"op\": \"%s\", \"depth\": %u, \"bytes\": %u, \"requests\": %.0f, \"iops\": %.0f, "
	       "\"per_request\": {\"signals\": %.4f, \"wakes\": %.4f, \"interrupts\": %.4f, "
	       "\"enters\": %.4f, \"allocations\": %.6f}}\n",
	       b->write ? "write" : "read", b->depth, b->bytes, n,
	       n * 1e9 / (double)(to->ns - from->ns), (double)(to->signals - from->signals) / n,
	       (double)(to->wakes - from->wakes) / n,
	       (double)(to->interrupts - from->interrupts) / n,
	       (double)(to->enters - from->enters) / n,
	       (double)(to->allocations - from->allocations) / n);
}

static void measure(struct bench *b)
{
	struct vmbus_channel_offer_channel offer;
	struct reading from, to;

	bus_guest_connect(&b->guest, VERSION_WIN10_V5_3, &offer, 1);
	bus_guest_channel_init(&b->guest, &b->channel, &offer, RING_PAGES, 0);
	b->buffers = bus_guest_pages(&b->guest, b->depth * (b->bytes / PAGE_SIZE));
	memset(bus_guest_host(&b->guest, b->buffers, (uint64_t)b->depth * b->bytes), 0x5a,
	       (uint64_t)b->depth * b->bytes);
	if (bus_guest_open(&b->channel))
		die("cannot open the channel", NULL);
	shake_hands(b);
	for (unsigned int i = 0; i < b->depth; i++)
		send_request(b, i);
	run(b, loop_now() + b->duration_ns / 8);
	from = now(b);
	run(b, loop_now() + b->duration_ns);
	to = now(b);
	while (b->done < b->sent)
		if (!take_answers(b, false))
			(void)bus_guest_interrupted(&b->channel, BUS_GUEST_MS);
	report(b, &from, &to);
	bus_guest_close(&b->channel);
}

static bool parse(struct bench *b, int argc, char **argv)
{
	uint64_t seconds = argc > 4 ? strtoull(argv[4], NULL, 0) : 3;
	uint64_t bytes = argc > 5 ? strtoull(argv[5], NULL, 0) : PAGE_SIZE;

	if (argc < 4 || argc > 7)
		return false;
	*b = (struct bench){
		.path = argv[1], .write = !strcmp(argv[2], "write"), .random = 88172645};
	b->depth = (unsigned int)strtoul(argv[3], NULL, 0);
	b->bytes = (uint32_t)bytes;
	b->duration_ns = seconds * NSEC_PER_SEC;
	if (argc > 6)
		b->cache = !strcmp(argv[6], "none")        ? BLOCK_CACHE_NONE
			   : !strcmp(argv[6], "writeback") ? BLOCK_CACHE_WRITEBACK
							   : BLOCK_CACHE_UNSAFE;
	return b->depth > 0 && b->depth <= DEPTH_MAX && seconds > 0 && seconds < 3600 &&
	       bytes > 0 && bytes % PAGE_SIZE == 0 && bytes <= MiB(1) &&
	       (b->write || !strcmp(argv[2], "read"));
}

int main(int argc, char **argv)
{
	const struct bus_guest_config config = {.vps = 1, .memory = MiB(512)};
	struct bench *b = &bench;

	if (!parse(b, argc, argv)) {
		fputs("usage: storvsp_bench FILE read|write DEPTH [SECONDS [BYTES [CACHE]]]\n",
		      stderr);
		return 2;
	}
	sem_init(&b->removed, 0, 0);
	bus_guest_create(&b->guest, &config);
	loop_thread_start(&b->disk_thread, false);
	b->guest.devices = &b->disk_thread;
	loop_thread_call(&b->disk_thread, open_disk, b);
	b->blocks = b->block->info.size / b->bytes;
	if (!b->blocks)
		die("the image is too small", NULL);
	bus_guest_call(&b->guest, create_controller, b);
	loop_thread_call(&b->disk_thread, attach, b);
	measure(b);
	bus_guest_reset(&b->guest);
	bus_guest_call(&b->guest, destroy_controller, b);
	while (sem_wait(&b->removed) < 0 && errno == EINTR)
		;
	loop_thread_call(&b->disk_thread, close_disk, b);
	bus_guest_destroy(&b->guest);
	loop_thread_stop(&b->disk_thread);
	return 0;
}
