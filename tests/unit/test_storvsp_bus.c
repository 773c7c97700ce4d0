// SPDX-License-Identifier: MIT
/* A storage controller on a real bus: rings, batches, sub-channels, and ends of every kind. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus_guest.h"
#include "devices/storvsp.h"
#include "devices/storvsp_proto.h"
#include "disk_fake.h"

#define RING_PAGES 33u /* 128 KiB of data, as Linux has */
#define DISK       MiB(4)

static struct bus_guest guest;
static struct disk_fake disk;
static struct scsi_device *unit;
static struct storvsp *storvsp;
static struct bus_guest_channel ch;
static uint64_t data; /* guest memory, 1 MiB */
static _Atomic bool removed;

/* --- The host, on the bus' loop. ------------------------------------------------------------- */

static void create(void *arg)
{
	struct scsi_config scsi = {.block = &disk.block};
	struct storvsp_config config = {.bus = guest.bus,
					.loop = guest.thread.loop,
					.kind = STORVSP_SCSI,
					.vm = "vm",
					.sub_channels_max = 3};

	ck_assert_int_eq(scsi_disk_create(&scsi, NULL, &unit), 0);
	ck_assert_int_eq(storvsp_create(&config, NULL, &storvsp), 0);
	ck_assert_int_eq(storvsp_attach(storvsp, 0, unit, NULL), 0);
}

static void on_removed(void *ctx)
{
	removed = true;
}

static void destroy(void *arg)
{
	storvsp_destroy(storvsp, on_removed, NULL);
}

static void defer(void *arg)
{
	disk.deferred = *(bool *)arg;
}

static void complete_all(void *arg)
{
	disk_fake_complete_all(&disk);
}

static void attach_more(void *arg)
{
	ck_assert_int_eq(storvsp_attach(storvsp, 9, unit, NULL), 0);
}

/* --- The guest. ------------------------------------------------------------------------------ */

static const struct vstor_packet *ask(struct vstor_packet packet)
{
	static uint8_t buf[256];

	ck_assert(bus_guest_send(&ch, true, 1, &packet, sizeof(packet)));
	ck_assert_uint_eq(bus_guest_completion(&ch, 1, buf, sizeof(buf)), 16 + sizeof(packet));
	return (const struct vstor_packet *)(buf + 16);
}

static void ask_well(uint32_t operation, uint16_t argument)
{
	struct vstor_packet packet = {.operation = operation, .sub_channel_count = argument};

	ck_assert_uint_eq(ask(packet)->status, VSTOR_STATUS_SUCCESS);
}

static void start(void)
{
	struct vmbus_channel_offer_channel offer;

	bus_guest_connect(&guest, VERSION_WIN10_V5_3, &offer, 1);
	bus_guest_channel_init(&guest, &ch, &offer, RING_PAGES, 1);
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
	ask_well(VSTOR_OPERATION_BEGIN_INITIALIZATION, 0);
	ask_well(VSTOR_OPERATION_QUERY_PROTOCOL_VERSION, VMSTOR_PROTO_VERSION_WIN10);
	ask_well(VSTOR_OPERATION_QUERY_PROPERTIES, 0);
	ask_well(VSTOR_OPERATION_END_INITIALIZATION, 0);
}

/* A request of @sectors from sector @lba, to or from page @page of the data. */
static bool send_rw(struct bus_guest_channel *c, bool write, uint64_t id, uint32_t lba,
		    uint16_t sectors, unsigned int page)
{
	struct vstor_packet packet = {
		.operation = VSTOR_OPERATION_EXECUTE_SRB,
		.vm_srb = {.length = sizeof(struct vmscsi_request),
			   .cdb_length = 10,
			   .data_in = write ? VMSCSI_DATA_OUT : VMSCSI_DATA_IN,
			   .data_transfer_length = sectors * 512u,
			   .cdb = {write ? SCSI_WRITE_10 : SCSI_READ_10, 0, (uint8_t)(lba >> 24),
				   (uint8_t)(lba >> 16), (uint8_t)(lba >> 8), (uint8_t)lba, 0,
				   (uint8_t)(sectors >> 8), (uint8_t)sectors}},
	};
	uint64_t list[2 + 256] = {(uint64_t)1 << 32, sectors * 512ul};
	unsigned int pages = (sectors * 512u + PAGE_SIZE - 1) / PAGE_SIZE;

	for (unsigned int i = 0; i < pages; i++)
		list[2 + i] = data / PAGE_SIZE + page + i;
	return bus_guest_send_list(c, VM_PKT_DATA_USING_GPA_DIRECT, 1, id, list, 16 + 8 * pages,
				   &packet, sizeof(packet));
}

/* The next answer: its id, and that it is a good one. */
static uint64_t answer(struct bus_guest_channel *c)
{
	struct {
		struct vmpacket_descriptor head;
		struct vstor_packet body;
	} in;

	ck_assert_uint_eq(bus_guest_receive(c, &in, sizeof(in), BUS_GUEST_MS), sizeof(in));
	ck_assert_uint_eq(in.head.type, VM_PKT_COMP);
	ck_assert_uint_eq(in.body.vm_srb.srb_status, SRB_STATUS_SUCCESS);
	return in.head.trans_id;
}

/* Until the host has taken @count requests in all: it may not have looked at the ring yet. */
static void wait_taken(uint64_t count)
{
	for (unsigned int i = 0; i < BUS_GUEST_MS; i++) {
		if (counter_get(&storvsp_counters(storvsp)->srbs) >= count)
			return;
		usleep(1000);
	}
	ck_abort_msg("the host does not take the requests");
}

static void setup(void)
{
	removed = false;
	disk_fake_init(&disk, DISK, 512);
	for (unsigned int i = 0; i < DISK; i++)
		disk.data[i] = (uint8_t)(i / 4096 * 3 + i);
	bus_guest_create(&guest, NULL);
	data = bus_guest_pages(&guest, 256);
	bus_guest_call(&guest, create, NULL);
	start();
}

static void teardown(void)
{
	bool on = false;

	bus_guest_call(&guest, defer, &on);
	bus_guest_call(&guest, complete_all, NULL);
	/* A guest that is there would have to say that it has seen the controller go. */
	bus_guest_reset(&guest);
	bus_guest_call(&guest, destroy, NULL);
	for (unsigned int i = 0; i < BUS_GUEST_MS && !removed; i++)
		usleep(1000);
	ck_assert(removed);
	bus_guest_destroy(&guest);
	scsi_destroy(unit);
	disk_fake_finish(&disk);
}

/* --- Tests. ---------------------------------------------------------------------------------- */

START_TEST(moves_data)
{
	uint8_t *memory = bus_guest_host(&guest, data, MiB(1));

	for (unsigned int i = 0; i < 50; i++) {
		memset(memory, (int)(0x80 + i), 4096);
		ck_assert(send_rw(&ch, true, 7, i * 8, 8, 0));
		ck_assert_uint_eq(answer(&ch), 7);
		ck_assert(send_rw(&ch, false, 8, i * 8, 8, 1));
		ck_assert_uint_eq(answer(&ch), 8);
		ck_assert_mem_eq(memory, memory + 4096, 4096);
		ck_assert_mem_eq(memory, disk.data + (size_t)i * 4096, 4096);
	}
	/* The most that the guest was told. */
	ck_assert(send_rw(&ch, false, 9, 100, 2048, 0));
	ck_assert_uint_eq(answer(&ch), 9);
	ck_assert_mem_eq(memory, disk.data + 100ul * 512, MiB(1));
	ck_assert_uint_eq(counter_get(&scsi_counters(unit)->errors[SCSI_KIND_READ]), 0);
}
END_TEST

/* More than there are requests for, and than the ring of the answers has room for at a time. */
START_TEST(more_than_there_is_room_for)
{
	bool on = true;
	unsigned int sent = 0, seen = 0;
	uint8_t got[2000] = {0};

	bus_guest_call(&guest, defer, &on);
	while (sent < 700 && send_rw(&ch, false, 100 + sent, sent % 1000, 1, sent % 256))
		sent++;
	ck_assert_uint_gt(sent, 256);
	wait_taken(256);
	while (seen < 2000) {
		bus_guest_call(&guest, complete_all, NULL);
		while (seen < sent) {
			uint64_t id = answer(&ch);

			ck_assert_uint_ge(id, 100);
			ck_assert_uint_eq(got[id - 100]++, 0);
			seen++;
			if (sent < 2000 && send_rw(&ch, false, 100 + sent, 5, 1, 0))
				sent++;
			if (!on)
				continue;
			on = false;
			bus_guest_call(&guest, defer, &on);
			bus_guest_call(&guest, complete_all, NULL);
		}
	}
	ck_assert_uint_gt(counter_get(&storvsp_counters(storvsp)->busy), 0);
	ck_assert_uint_eq(counter_get(&storvsp_channel_counters(storvsp)->failures), 0);
}
END_TEST

START_TEST(sub_channels)
{
	static struct bus_guest_channel subs[3];
	union bus_guest_message message;

	ask_well(VSTOR_OPERATION_CREATE_SUB_CHANNELS, 3);
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert(bus_guest_expect(&guest, CHANNELMSG_OFFERCHANNEL, &message));
		ck_assert_uint_eq(message.offer.offer.sub_channel_index, i + 1);
		bus_guest_channel_init(&guest, &subs[i], &message.offer, RING_PAGES, i);
	}
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_uint_eq(bus_guest_open(&subs[i]), 0);
	for (unsigned int n = 0; n < 100; n++) {
		for (unsigned int i = 0; i < 3; i++)
			ck_assert(send_rw(&subs[i], false, 1000 * i + n, n, 1, i));
		ck_assert(send_rw(&ch, false, n, n, 1, 3));
		for (unsigned int i = 0; i < 3; i++)
			ck_assert_uint_eq(answer(&subs[i]), 1000 * i + n);
		ck_assert_uint_eq(answer(&ch), n);
	}
}
END_TEST

/* The guest closes its channel, or starts again, with requests in flight. */
START_TEST(close_in_flight)
{
	bool on = true;

	bus_guest_call(&guest, defer, &on);
	for (unsigned int i = 0; i < 20; i++)
		ck_assert(send_rw(&ch, false, i, i, 1, 0));
	wait_taken(20);
	bus_guest_post_relid(&guest, CHANNELMSG_CLOSECHANNEL, ch.relid);
	bus_guest_post_teardown(&guest, ch.relid, ch.gpadl);
	/* Its rings are held until they have ended. */
	ck_assert(bus_guest_silent(&guest));
	on = false;
	bus_guest_call(&guest, defer, &on);
	bus_guest_call(&guest, complete_all, NULL);
	ck_assert(bus_guest_expect(&guest, CHANNELMSG_GPADL_TORNDOWN, NULL));
	bus_guest_unload(&guest);
	start();
	ck_assert(send_rw(&ch, false, 5, 5, 1, 0));
	ck_assert_uint_eq(answer(&ch), 5);
}
END_TEST

START_TEST(notice)
{
	struct {
		struct vmpacket_descriptor head;
		struct vstor_packet body;
	} in;

	bus_guest_call(&guest, attach_more, NULL);
	ck_assert_uint_eq(bus_guest_receive(&ch, &in, sizeof(in), BUS_GUEST_MS), sizeof(in));
	ck_assert_uint_eq(in.head.type, VM_PKT_DATA_INBAND);
	ck_assert_uint_eq(in.head.trans_id, 0);
	ck_assert_uint_eq(in.body.operation, VSTOR_OPERATION_ENUMERATE_BUS);
}
END_TEST

/* What the controller calls a violation ends the channel, and only that. */
START_TEST(violation)
{
	const uint64_t nonsense = VSTOR_OPERATION_EXECUTE_SRB;

	ck_assert(bus_guest_send(&ch, true, 1, &nonsense, sizeof(nonsense)));
	for (unsigned int i = 0; i < BUS_GUEST_MS; i++) {
		if (counter_get(&storvsp_channel_counters(storvsp)->failures))
			break;
		usleep(1000);
	}
	ck_assert_uint_eq(counter_get(&storvsp_channel_counters(storvsp)->failures), 1);
	bus_guest_close(&ch);
	bus_guest_unload(&guest);
	start();
}
END_TEST

/*
 * The two ends meet in a ring that each has mapped at an address of its own, so that a thread
 * sanitizer does not see that they do, and takes the data beside the ring for raced about.
 */
#if defined(__SANITIZE_THREAD__)
#define BLIND true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BLIND true
#endif
#endif
#ifndef BLIND
#define BLIND false
#endif

int main(void)
{
	Suite *s = suite_create("storvsp_bus");
	TCase *tc = tcase_create("bus");
	SRunner *sr;
	int failed;

	if (BLIND) {
		puts("skipped: the thread sanitizer does not see two mappings of one page as one");
		return 77;
	}
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, moves_data);
	tcase_add_test(tc, more_than_there_is_room_for);
	tcase_add_test(tc, sub_channels);
	tcase_add_test(tc, close_in_flight);
	tcase_add_test(tc, notice);
	tcase_add_test(tc, violation);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
