// SPDX-License-Identifier: MIT
/* Captures: the file is whole, tells direction and length, and keeps no more than was asked for. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/net/net_null.h"
#include "devices/net/net_pcap.h"
#include "devices/net/pcapng_proto.h"
#include "net_run.h"

static struct run_nic nic;
static char path[] = "/tmp/test_net_pcap.XXXXXX";
static uint8_t *file;
static size_t file_len;

static void setup(void)
{
	int fd;

	run_setup();
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void teardown(void)
{
	free(file);
	unlink(path);
	run_teardown();
}

static void begin(uint32_t snap)
{
	struct net_backend *lower, *pcap;

	ck_assert_int_eq(net_null_create(&err, &lower), 0);
	ck_assert_msg(net_pcap_create(lower, path, snap, &err, &pcap) == 0, "%s", err.text);
	run_start(&nic, pcap);
}

static void end(void)
{
	FILE *f;

	run_stop(&nic);
	net_backend_destroy(nic.backend);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	file = malloc(MiB(8));
	file_len = fread(file, 1, MiB(8), f);
	fclose(f);
}

/* Walks the blocks; how many packets there are. Their numbers go up from 0. */
static unsigned int check_file(uint32_t snap, uint32_t len, uint64_t *ret_dropped)
{
	unsigned int packets = 0;
	uint32_t total;

	for (size_t at = 0; at < file_len; at += total) {
		struct pcapng_packet packet;
		struct pcapng_packet_end tail;
		struct pcapng_statistics statistics;
		uint32_t number;

		ck_assert_uint_le(at + 12, file_len);
		memcpy(&packet, file + at, sizeof(packet));
		total = packet.total_length;
		ck_assert_uint_le(at + total, file_len);
		ck_assert_int_eq(memcmp(file + at + total - 4, &total, 4), 0);
		ck_assert_uint_eq(total % 4, 0);
		if (packet.type == PCAPNG_STATISTICS) {
			memcpy(&statistics, file + at, sizeof(statistics));
			*ret_dropped = statistics.dropped;
		}
		if (packet.type != PCAPNG_PACKET)
			continue;
		ck_assert_uint_eq(packet.original, len);
		ck_assert_uint_eq(packet.captured, min_of(snap, len));
		memcpy(&tail, file + at + total - sizeof(tail), sizeof(tail));
		ck_assert_uint_eq(tail.flags.value, PCAPNG_FLAG_OUTBOUND);
		memcpy(&number, file + at + sizeof(packet) + 14, sizeof(number));
		ck_assert_uint_ge(number, packets);
		packets++;
	}
	return packets;
}

static struct run_tx txs[1000];
static uint8_t data[1000][1001];

static void send_frames(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		run_fill(data[i], 1001, i);
		run_send(&nic, &txs[i], data[i], 1001, NULL);
	}
}

START_TEST(all_of_it)
{
	struct pcapng_section_header head;
	uint64_t dropped = 99;
	struct stat st;

	begin(NET_PCAP_SNAP_MAX);
	send_frames(100);
	end();
	ck_assert_uint_eq(check_file(NET_PCAP_SNAP_MAX, 1001, &dropped), 100);
	ck_assert_uint_eq(dropped, 0);
	memcpy(&head, file, sizeof(head));
	ck_assert_uint_eq(head.type, PCAPNG_SECTION_HEADER);
	ck_assert_uint_eq(head.byte_order, PCAPNG_BYTE_ORDER);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(beginnings)
{
	uint64_t dropped = 99;

	begin(60);
	send_frames(100);
	end();
	ck_assert_uint_eq(check_file(60, 1001, &dropped), 100);
	ck_assert_uint_eq(dropped, 0);
}
END_TEST

/* More in one pass than the buffers hold: some are missing, and counted; nothing else is wrong. */
START_TEST(too_many)
{
	uint64_t dropped = 0;
	unsigned int packets;

	begin(NET_PCAP_SNAP_MAX);
	send_frames(1000);
	end();
	packets = check_file(NET_PCAP_SNAP_MAX, 1001, &dropped);
	ck_assert_uint_gt(packets, 200);
	ck_assert_uint_eq(packets + dropped, 1000);
}
END_TEST

static bool file_has_grown(void)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_size > 1000;
}

/* What was captured can be looked at soon, without an end. */
START_TEST(in_time)
{
	begin(NET_PCAP_SNAP_MAX);
	send_frames(1);
	run_until(file_has_grown);
	end();
}
END_TEST

START_TEST(no_room)
{
	struct net_backend *lower, *pcap;

	ck_assert_int_eq(net_null_create(&err, &lower), 0);
	ck_assert_int_eq(net_pcap_create(lower, "/dev/full", 100, &err, &pcap), -ENOSPC);
	ck_assert_int_eq(net_pcap_create(lower, "/none/such", 100, &err, &pcap), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "/none/such"));
	net_backend_destroy(lower);
}
END_TEST

RUN_SUITE("net_pcap", all_of_it, beginnings, too_many, in_time, no_room)
