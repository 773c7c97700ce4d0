// SPDX-License-Identifier: MIT
/*
 * src/devices/block/vhdx_log_replay.c, vhdx_log.c and vhdx_overlay.c: logs that are whole, torn,
 * wrapped, of another time, and hostile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_crc.h"
#include "devices/block/vhdx_internal.h"
#include "devices/block/vhdx_log_replay.h"
#include "devices/block/vhdx_overlay.h"
#include "vhdx_model.h"

/* An image whose log is written by hand. */
struct bench {
	struct vhdx_fake fake;
	struct vhdx_image image;
	struct vhdx_log log;
	uint8_t *buffer;
	uint8_t page[4][PAGE_SIZE];
	struct error err;
};

static void init(struct bench *b)
{
	struct vhdx_create_options create = {.size = MiB(64), .block_size = MiB(1)};

	memset(b, 0, sizeof(*b));
	vhdx_fake_init(&b->fake);
	b->buffer = malloc(VHDX_LOG_BUFFER);
	ck_assert_int_eq(vhdx_create(&b->fake.file, &create, &b->err), 0);
	ck_assert_int_eq(vhdx_image_read_header(&b->image, &b->fake.file, &b->err), 0);
	vhdx_log_init(&b->log, &b->image);
	b->log.flushed_file_offset = b->log.last_file_offset = b->fake.size;
	b->image.header.log_guid = b->log.guid;
	ck_assert_int_eq(vhdx_header_update(&b->image, &b->fake.file, &b->err), 0);
	for (int i = 0; i < 4; i++)
		memset(b->page[i], 'a' + i, PAGE_SIZE);
}

static void finish(struct bench *b)
{
	vhdx_fake_finish(&b->fake);
	free(b->buffer);
}

/* Where targets are: beyond all regions. */
static uint64_t target(unsigned int i)
{
	return MiB(8) + i * PAGE_SIZE;
}

static void write_at(struct bench *b, uint32_t at, uint32_t len)
{
	uint32_t first = min_of(len, b->log.length - at);
	struct file *file = &b->fake.file;

	ck_assert_int_eq(file_pwrite(file, b->buffer, first, b->log.offset + at), 0);
	ck_assert_int_eq(file_pwrite(file, b->buffer + first, len - first, b->log.offset), 0);
}

/* An entry of @count pages with fill @fill to targets from @first on. */
static uint32_t entry(struct bench *b, unsigned int first, unsigned int count, int fill)
{
	struct vhdx_log_page pages[VHDX_LOG_MAX_PAGES];
	uint8_t page[PAGE_SIZE];
	uint32_t at, len;

	memset(page, fill, sizeof(page));
	for (unsigned int i = 0; i < count; i++)
		pages[i] = (struct vhdx_log_page){target(first + i), page};
	len = vhdx_log_build(&b->log, pages, count, b->buffer, &at);
	write_at(b, at, len);
	vhdx_log_written(&b->log);
	return at;
}

static int page_is(struct bench *b, struct file *file, unsigned int i)
{
	uint8_t page[PAGE_SIZE];

	ck_assert_int_eq(file_pread(file, page, sizeof(page), target(i)), 0);
	for (unsigned int k = 1; k < PAGE_SIZE; k++)
		ck_assert_uint_eq(page[k], page[0]);
	return page[0];
}

static int reread(struct bench *b)
{
	return vhdx_image_read_header(&b->image, &b->fake.file, &b->err);
}

static int replay(struct bench *b)
{
	int ret = reread(b);

	return ret ? ret : vhdx_log_replay(&b->image, &b->fake.file, &b->err);
}

START_TEST(in_order)
{
	struct bench b;
	struct file *overlay;

	init(&b);
	entry(&b, 0, 3, 1);
	entry(&b, 1, 3, 2);
	entry(&b, 9, 0, 0);
	ck_assert_int_eq(reread(&b), 0);
	ck_assert_int_eq(vhdx_overlay_create(&b.image, &b.fake.file, &b.err, &overlay), 0);
	ck_assert_int_eq(page_is(&b, overlay, 0), 1);
	ck_assert_int_eq(page_is(&b, overlay, 1), 2);
	ck_assert_int_eq(page_is(&b, overlay, 3), 2);
	ck_assert_int_eq(page_is(&b, overlay, 4), 0);
	file_destroy(overlay);
	ck_assert_int_eq(page_is(&b, &b.fake.file, 0), 0);
	ck_assert_int_eq(replay(&b), 0);
	ck_assert_int_eq(page_is(&b, &b.fake.file, 0), 1);
	ck_assert_int_eq(page_is(&b, &b.fake.file, 2), 2);
	ck_assert(vhdx_guid_is_zero(&b.image.header.log_guid));
	ck_assert_int_eq(replay(&b), 0); /* clean now */
	finish(&b);
}
END_TEST

static unsigned int reads_done;

static void read_done(struct file_request *req, int result)
{
	const uint8_t *page = req->iov->iov_base;

	ck_assert_int_eq(result, 0);
	ck_assert_uint_eq(page[0], req->offset < target(3) ? 1 : 0);
	reads_done++;
}

/* Requests to a file with its log over it, more at a time than it can take. */
START_TEST(many_reads)
{
	static uint8_t pages[100][PAGE_SIZE];
	static struct file_request req[100];
	static struct iovec iov[100];
	struct file *overlay;
	struct bench b;

	init(&b);
	entry(&b, 0, 3, 1);
	ck_assert_int_eq(reread(&b), 0);
	ck_assert_int_eq(vhdx_overlay_create(&b.image, &b.fake.file, &b.err, &overlay), 0);
	for (unsigned int i = 0; i < 100; i++) {
		iov[i] = (struct iovec){pages[i], PAGE_SIZE};
		req[i] = (struct file_request){.op = FILE_READ,
					       .offset = target(i % 4),
					       .len = PAGE_SIZE,
					       .iov = &iov[i],
					       .iov_count = 1,
					       .done = read_done};
		file_submit(overlay, &req[i]);
	}
	vhdx_fake_run(&b.fake);
	ck_assert_uint_eq(reads_done, 100);
	file_destroy(overlay);
	finish(&b);
}
END_TEST

/* A byte changed anywhere in the last entry takes that entry back, and nothing else. */
START_TEST(torn)
{
	for (uint32_t i = 0; i < 3 * VHDX_LOG_SECTOR; i += 97) {
		struct bench b;
		uint32_t at;
		uint8_t byte;

		init(&b);
		entry(&b, 0, 1, 1);
		at = entry(&b, 0, 2, 2);
		ck_assert_int_eq(file_pread(&b.fake.file, &byte, 1, b.log.offset + at + i), 0);
		byte ^= 0x40;
		ck_assert_int_eq(file_pwrite(&b.fake.file, &byte, 1, b.log.offset + at + i), 0);
		ck_assert_int_eq(replay(&b), 0);
		ck_assert_int_eq(page_is(&b, &b.fake.file, 0), 1);
		finish(&b);
	}
}
END_TEST

/* Entries that go round the end of the log, and over older ones. */
START_TEST(wrapped)
{
	struct bench b;

	init(&b);
	for (int i = 1; i < 100; i++) {
		b.log.tail = b.log.head; /* all before is in place */
		entry(&b, (unsigned int)i, 6, i);
	}
	entry(&b, 50, 2, 100);
	ck_assert_int_eq(replay(&b), 0);
	ck_assert_int_eq(page_is(&b, &b.fake.file, 50), 100);
	ck_assert_int_eq(page_is(&b, &b.fake.file, 99), 99);
	ck_assert_int_eq(page_is(&b, &b.fake.file, 104), 99);
	ck_assert_int_eq(page_is(&b, &b.fake.file, 98), 0); /* not in the sequence any more */
	finish(&b);
}
END_TEST

/* The tail of the last entry must be there. */
START_TEST(tail_is_gone)
{
	static const uint8_t zero[VHDX_LOG_SECTOR];
	struct bench b;

	init(&b);
	entry(&b, 0, 1, 1);
	entry(&b, 1, 1, 2);
	ck_assert_int_eq(file_pwrite(&b.fake.file, zero, sizeof(zero), b.log.offset), 0);
	ck_assert_int_eq(replay(&b), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(b.err.text, "log is damaged"));
	finish(&b);
}
END_TEST

START_TEST(gap_in_numbers)
{
	struct bench b;

	init(&b);
	entry(&b, 0, 1, 1);
	b.log.sequence++;
	entry(&b, 0, 1, 2); /* its tail is the first, which it does not follow */
	ck_assert_int_eq(replay(&b), 0);
	ck_assert_int_eq(page_is(&b, &b.fake.file, 0), 1);
	finish(&b);
}
END_TEST

START_TEST(other_guid)
{
	struct bench b;

	init(&b);
	entry(&b, 0, 1, 1);
	vhdx_guid_make(&b.log.guid);
	entry(&b, 0, 1, 2);
	ck_assert_int_eq(replay(&b), 0);
	ck_assert_int_eq(page_is(&b, &b.fake.file, 0), 1);
	finish(&b);
}
END_TEST

/* The file is shorter than it was when the last entry was written; and as long as it may be. */
START_TEST(truncated)
{
	struct bench b;
	uint64_t size;

	init(&b);
	b.log.flushed_file_offset = MiB(5000); /* not of the last entry: does not matter */
	entry(&b, 0, 1, 1);
	b.log.flushed_file_offset = b.fake.size;
	b.log.last_file_offset = MiB(20);
	entry(&b, 1, 1, 2);
	size = b.fake.size;
	b.fake.size = size - 1;
	ck_assert_int_eq(replay(&b), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(b.err.text, "truncated"));
	b.fake.size = size;
	ck_assert_int_eq(replay(&b), 0);
	ck_assert_uint_eq(b.fake.size, MiB(20));
	finish(&b);
}
END_TEST

/* Changes an entry in the buffer and makes its checksum right again. */
static void reseal(struct bench *b, uint32_t len)
{
	struct vhdx_log_header *header = (void *)b->buffer;

	header->checksum = vhdx_crc_without(b->buffer, len, 4);
}

/* Targets that must not be: the entry does not count. */
START_TEST(bad_targets)
{
	static const uint64_t bad[] = {0,
				       VHDX_HEADER1_OFFSET,
				       VHDX_HEADER2_OFFSET,
				       0x2f000,
				       MiB(1),
				       MiB(2) - PAGE_SIZE,
				       MiB(8) + 512,
				       UINT64_MAX - 4095,
				       VHDX_MAX_FILE};
	struct vhdx_log_page page;
	struct bench b;
	uint32_t at, len;

	init(&b);
	entry(&b, 0, 1, 1);
	page = (struct vhdx_log_page){bad[_i], b.page[0]};
	len = vhdx_log_build(&b.log, &page, 1, b.buffer, &at);
	write_at(&b, at, len);
	ck_assert_int_eq(replay(&b), 0);
	ck_assert_int_eq(page_is(&b, &b.fake.file, 0), 1);
	finish(&b);
}
END_TEST

/* The region tables may be logged. */
START_TEST(region_table_target)
{
	uint8_t page[PAGE_SIZE];
	struct vhdx_log_page logged = {VHDX_REGION_TABLE2 + VHDX_REGION_TABLE_SIZE - PAGE_SIZE,
				       page};
	struct bench b;
	uint32_t at, len;

	memset(page, 9, sizeof(page));
	init(&b);
	len = vhdx_log_build(&b.log, &logged, 1, b.buffer, &at);
	write_at(&b, at, len);
	ck_assert_int_eq(replay(&b), 0);
	ck_assert_int_eq(file_pread(&b.fake.file, page, 1, logged.file_offset), 0);
	ck_assert_uint_eq(page[0], 9);
	finish(&b);
}
END_TEST

/* Zero descriptors, of any length, before and after data. */
START_TEST(zero_descriptors)
{
	struct vhdx_log_zero zero = {
		.signature = VHDX_LOG_ZERO_SIGNATURE, .length = MiB(3), .file_offset = target(0)};
	struct vhdx_log_header *header;
	struct file *overlay;
	struct bench b;
	uint32_t at, len;

	init(&b);
	entry(&b, 0, 2, 1);
	len = vhdx_log_build(&b.log, NULL, 0, b.buffer, &at);
	header = (void *)b.buffer;
	header->descriptor_count = 1;
	zero.sequence_number = header->sequence_number;
	memcpy(b.buffer + 64, &zero, sizeof(zero));
	reseal(&b, len);
	write_at(&b, at, len);
	entry(&b, 1, 1, 2);
	ck_assert_int_eq(reread(&b), 0);
	ck_assert_int_eq(vhdx_overlay_create(&b.image, &b.fake.file, &b.err, &overlay), 0);
	ck_assert_int_eq(page_is(&b, overlay, 0), 0);
	ck_assert_int_eq(page_is(&b, overlay, 1), 2);
	file_destroy(overlay);
	ck_assert_int_eq(replay(&b), 0);
	ck_assert_int_eq(page_is(&b, &b.fake.file, 0), 0);
	ck_assert_int_eq(page_is(&b, &b.fake.file, 1), 2);
	ck_assert_uint_ge(b.fake.size, target(0) + MiB(3));
	finish(&b);
}
END_TEST

/* More descriptors than the first sector holds. */
START_TEST(many_descriptors)
{
	unsigned int count = 200;
	struct vhdx_log_header *header;
	struct bench b;
	uint32_t len = (2 + count) * VHDX_LOG_SECTOR, at;
	uint8_t *big = calloc(1, len);

	init(&b);
	vhdx_log_build(&b.log, NULL, 0, b.buffer, &at);
	memcpy(big, b.buffer, 64);
	header = (void *)big;
	header->descriptor_count = count;
	header->entry_length = len;
	for (unsigned int i = 0; i < count; i++) {
		struct vhdx_log_descriptor d = {.signature = VHDX_LOG_DESC_SIGNATURE,
						.file_offset = target(i),
						.sequence_number = 1};
		struct vhdx_log_data *data = (void *)(big + (2ul + i) * VHDX_LOG_SECTOR);

		memset(data, (int)i, VHDX_LOG_SECTOR);
		memset(d.leading, (int)i, 8);
		memset(d.trailing, (int)i, 4);
		data->signature = VHDX_LOG_DATA_SIGNATURE;
		data->sequence_high = 0;
		data->sequence_low = 1;
		memcpy(big + 64 + i * 32, &d, 32);
	}
	header->checksum = vhdx_crc_without(big, len, 4);
	ck_assert_int_eq(file_pwrite(&b.fake.file, big, len, b.log.offset), 0);
	ck_assert_int_eq(replay(&b), 0);
	for (unsigned int i = 0; i < count; i++)
		ck_assert_int_eq(page_is(&b, &b.fake.file, i), (int)i);
	free(big);
	finish(&b);
}
END_TEST

/* Killed at any write or sync of the replay: it is done again, with the same result. */
START_TEST(interrupted)
{
	for (unsigned int n = 0; n < 40; n++) {
		struct bench b;
		int ret;

		init(&b);
		entry(&b, 0, 3, 1);
		entry(&b, 1, 3, 2);
		b.fake.fail_result = -EIO;
		b.fake.fail_op = _i ? FILE_SYNC : FILE_WRITE;
		b.fake.fail_after = n;
		b.fake.fail_count = 100;
		ret = replay(&b);
		b.fake.fail_result = 0;
		ck_assert_int_eq(replay(&b), 0);
		ck_assert_int_eq(page_is(&b, &b.fake.file, 0), 1);
		ck_assert_int_eq(page_is(&b, &b.fake.file, 3), 2);
		finish(&b);
		if (ret == 0)
			return;
	}
	ck_abort_msg("never done");
}
END_TEST

/* A header whose log GUID is set, and no log. */
START_TEST(no_log)
{
	struct bench b;

	init(&b);
	ck_assert_int_eq(replay(&b), -EUCLEAN);
	finish(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhdx_log_replay");
	TCase *tc = tcase_create("vhdx_log_replay");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, in_order);
	tcase_add_test(tc, many_reads);
	tcase_add_test(tc, torn);
	tcase_add_test(tc, wrapped);
	tcase_add_test(tc, tail_is_gone);
	tcase_add_test(tc, gap_in_numbers);
	tcase_add_test(tc, other_guid);
	tcase_add_test(tc, truncated);
	tcase_add_loop_test(tc, bad_targets, 0, 9);
	tcase_add_test(tc, region_table_target);
	tcase_add_test(tc, zero_descriptors);
	tcase_add_test(tc, many_descriptors);
	tcase_add_loop_test(tc, interrupted, 0, 2);
	tcase_add_test(tc, no_log);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
