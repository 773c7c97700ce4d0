// SPDX-License-Identifier: MIT
/*
 * Hostile VHD images: opened, looked at, checked, read and written. Checksums are made good, so
 * that what is behind them is reached.
 *
 * The input: a byte that counts operations, four bytes for each (what, where, how long, how), and
 * the image. What was written to a disk without errors must be read back.
 */
#include <stdlib.h>
#include <string.h>

#include "../unit/file_fake.h"
#include "devices/block/vhd.h"
#include "devices/block/vhd_proto.h"

#define CAPACITY MiB(1)
#define OPS_MAX  64u
#define DATA_MAX KiB(16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static bool done;
static int result;

static void op_done(struct block_request *req, int r)
{
	done = true;
	result = r;
	loop_stop(loop);
}

static int run(struct block *block, enum block_op op, uint64_t offset, void *buf, uint64_t len,
	       unsigned int how)
{
	/* Elements of several lengths. */
	struct iovec iov[3] = {{buf, len / 2}, {(char *)buf + len / 2, len / 4}};
	struct block_request req = {.op = op,
				    .offset = offset,
				    .len = len,
				    .fua = how & 1,
				    .unmap = how & 2,
				    .iov = iov,
				    .iov_count = 3,
				    .done = op_done};

	iov[2].iov_base = (char *)buf + iov[0].iov_len + iov[1].iov_len;
	iov[2].iov_len = len - iov[0].iov_len - iov[1].iov_len;
	done = false;
	block_submit(block, &req);
	while (!done)
		if (loop_run(loop))
			abort();
	return result;
}

static void one_op(struct block *block, const uint8_t *op, bool sound)
{
	static char wrote[DATA_MAX], read[DATA_MAX];
	uint64_t sectors = block->info.size / 512;
	uint64_t at = (op[0] & 0x80 ? sectors - 1 - op[1] % sectors
				    : (uint64_t)op[1] * (op[0] >> 3 & 0xf) % sectors);
	uint64_t len = min_of(1 + op[2] % 32u, sectors - at) * 512, map_len = 0;

	block_map(block, at * 512, &map_len);
	if (map_len == 0 || map_len > block->info.size - at * 512)
		abort();
	switch (op[0] & 7) {
	case 0:
	case 1:
		run(block, BLOCK_READ, at * 512, read, len, op[3]);
		break;
	case 2:
		run(block, BLOCK_UNMAP, at * 512, read, len, op[3]);
		break;
	case 3:
		run(block, BLOCK_WRITE_ZEROES, at * 512, read, len, op[3]);
		break;
	case 4:
		run(block, BLOCK_FLUSH, 0, read, 0, 0);
		break;
	default:
		memset(wrote, op[3] | 1, len);
		if (run(block, BLOCK_WRITE, at * 512, wrote, len, op[3]) == 0 &&
		    run(block, BLOCK_READ, at * 512, read, len, 0) == 0 && sound &&
		    memcmp(read, wrote, len) != 0)
			abort();
	}
}

static uint32_t sum(const char *data, size_t len, size_t field)
{
	uint32_t total = 0;

	for (size_t i = 0; i < len; i++)
		total += i < field || i >= field + 4 ? (uint8_t)data[i] : 0;
	return __builtin_bswap32(~total);
}

static void seal(struct file_fake *fake, uint64_t at, size_t len, size_t field)
{
	uint32_t value;

	if (!range_within(at, len, fake->size))
		return;
	value = sum(fake->data + at, len, field);
	memcpy(fake->data + at + field, &value, sizeof(value));
}

static void seal_all(struct file_fake *fake)
{
	const size_t footer = offsetof(struct vhd_footer, checksum);
	const size_t header = offsetof(struct vhd_header, checksum);
	uint64_t at;

	if (fake->size < 512)
		return;
	seal(fake, 0, 512, footer);
	seal(fake, fake->size - 512, 512, footer);
	memcpy(&at, fake->data + fake->size - 512 + offsetof(struct vhd_footer, data_offset), 8);
	seal(fake, __builtin_bswap64(at), sizeof(struct vhd_header), header);
	seal(fake, 512, sizeof(struct vhd_header), header);
}

static struct file_fake parent_file;

/* A parent that is read: the same image, or none. */
static int open_parent(void *ctx, const char *path, unsigned int depth, struct error *err,
		       struct block **ret)
{
	struct vhd_open_options options = {
		.read_only = true, .depth = depth, .open_parent = open_parent};

	return vhd_open(&parent_file.file, loop, &options, err, ret);
}

static void open_and_work(struct file_fake *fake, bool read_only, const uint8_t *ops,
			  unsigned int count, bool sound)
{
	struct vhd_open_options options = {.read_only = read_only, .open_parent = open_parent};
	struct block *block;
	struct error err;

	if (vhd_open(&fake->file, loop, &options, &err, &block))
		return;
	for (unsigned int i = 0; i < count; i++)
		one_op(block, ops + 4 * (size_t)i, sound);
	if (block_close(block, &err) && !*err.text)
		abort();
}

static void load(struct file_fake *fake, const uint8_t *image, size_t size)
{
	file_fake_init(fake, loop, CAPACITY);
	memcpy(fake->data, image, size);
	fake->size = size;
	seal_all(fake);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct vhd_check_options check_options = {0};
	struct vhd_check_result check = {.errors = 1};
	static struct file_fake fake;
	struct vhd_info info;
	unsigned int count;
	struct error err;
	int r;

	if (!loop && loop_create(8, NULL, &loop))
		abort();
	if (size < 1)
		return 0;
	count = data[0] % OPS_MAX;
	if (size < 1 + 4 * (size_t)count || size - 1 - 4 * (size_t)count > CAPACITY / 2)
		return 0;
	load(&fake, data + 1 + 4 * (size_t)count, size - 1 - 4 * (size_t)count);
	load(&parent_file, data + 1 + 4 * (size_t)count, size - 1 - 4 * (size_t)count);
	vhd_probe(&fake.file);
	r = vhd_info(&fake.file, &err, &info);
	r |= vhd_check(&fake.file, &check_options, &err, &check);
	open_and_work(&fake, true, data + 1, count, check.errors == 0);
	open_and_work(&fake, false, data + 1, count, check.errors == 0);
	r |= vhd_resize(&fake.file, 8192, &err);
	(void)r;
	file_fake_finish(&fake);
	file_fake_finish(&parent_file);
	return 0;
}
