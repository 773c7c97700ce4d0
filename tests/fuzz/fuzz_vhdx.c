// SPDX-License-Identifier: MIT
/*
 * Fuzzes VHDX files: small images, clean or with a log to replay, with bytes changed anywhere and
 * checksums made right again, which are checked, opened, read, written, killed or closed, resized
 * and compacted. Beyond not crashing:
 *
 *   - what is read of an image is the same with its log replayed in memory and in the file;
 *   - what was written is read back;
 *   - an image that vhdx_check() has nothing against can be opened, and it has nothing against it
 *     after all of the above either, killed or not.
 *
 * The input: which image, flags, how many changes; each change: place, offset (2), length, bytes;
 * then requests: kind, offset (2), length. One byte each where not said.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/vhdx_fake.h"
#include "devices/block/vhdx_crc.h"
#include "devices/block/vhdx_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum kind { DYNAMIC, FIXED, CHILD, SECTORS_4096, DIRTY, DIRTY_CHILD, KINDS };
enum flag {
	SEAL_HEADERS = 1,
	SEAL_REGIONS = 2,
	SEAL_LOG = 4,
	KILL = 8,
	RESIZE = 16,
	COMPACT = 32,
	SET_PARENT = 64,
	SAME_REGIONS = 128, /* the second table as the first */
};

#define CHANGES  16u
#define REQUESTS 40u
#define LOG      MiB(1)
#define METADATA MiB(2)
#define BAT      MiB(3)
#define DISK     MiB(20)
#define LONGEST  65536u

/* Where changes go: this and a multiple of the step. */
static const struct place {
	uint64_t base;
	uint32_t step, span;
} places[] = {
	{0, 1, 1024},
	{VHDX_HEADER1_OFFSET, 1, 128},
	{VHDX_HEADER2_OFFSET, 1, 128},
	{VHDX_REGION_TABLE1, 1, 256},
	{VHDX_REGION_TABLE2, 1, 256},
	{METADATA, 1, 512},
	{METADATA + 65536, 1, 1024},
	{BAT, 8, 512},
	{BAT + 4000 * 8, 8, 200},
	{LOG, 1, 65536},
	{LOG, VHDX_LOG_SECTOR, 256},
	{MiB(4), VHDX_LOG_SECTOR, 256},
	{0, VHDX_LOG_SECTOR, 8192},
};

struct input {
	const uint8_t *data;
	size_t left;
};

static struct vhdx_fake templates[KINDS], parent, fake, other;
static bool made;
static uint8_t buf[LONGEST], back[LONGEST];

static void require(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static uint32_t take(struct input *in, size_t bytes)
{
	uint32_t value = 0;
	size_t n = min_of(bytes, in->left);

	if (n)
		memcpy(&value, in->data, n);
	in->data += n;
	in->left -= n;
	return value;
}

/* --- The images. --------------------------------------------------------------------------- */

static int open_parent(void *ctx, const char *path, unsigned int depth, struct error *err,
		       struct block **ret)
{
	struct vhdx_open_options options = {
		.read_only = true, .depth = depth, .open_parent = open_parent};

	return depth > 3 ? -ENOENT : vhdx_open(&parent.file, NULL, &options, err, ret);
}

static int open_image(struct vhdx_fake *file, bool read_only, struct block **ret)
{
	struct vhdx_open_options options = {.read_only = read_only, .open_parent = open_parent};
	struct error err = {.text = ""};
	int error = vhdx_open(&file->file, NULL, &options, &err, ret);

	require(error == 0 || err.text[0], "an error without text");
	return error;
}

static void write_some(struct vhdx_fake *file, bool flush)
{
	struct block *block;

	require(open_image(file, false, &block) == 0, "a template that cannot be opened");
	for (unsigned int i = 0; i < 6; i++) {
		memset(buf, 'a' + (int)i, LONGEST);
		require(vhdx_fake_do(file, block, BLOCK_WRITE, i * MiB(3) + i * 4096, buf, 8192,
				     false) == 0,
			"a template that cannot be written");
	}
	if (flush) {
		vhdx_fake_do(file, block, BLOCK_FLUSH, 0, NULL, 0, false);
		vhdx_fake_copy(file, &other);
	}
	require(block_close(block, NULL) == 0, "a template that cannot be closed");
	if (flush)
		vhdx_fake_copy(&other, file);
}

static void make(struct vhdx_fake *file, enum kind kind, const uint8_t *linkage)
{
	bool child = kind == CHILD || kind == DIRTY_CHILD;
	struct vhdx_create_options create = {.type = child           ? VHDX_DIFFERENCING
						     : kind == FIXED ? VHDX_FIXED
								     : VHDX_DYNAMIC,
					     .size = DISK,
					     .block_size = MiB(1),
					     .logical_sector = kind == SECTORS_4096 ? 4096 : 512,
					     .parent_path = "parent.vhdx",
					     .parent_linkage = linkage};

	vhdx_fake_init(file);
	file->max_size = GiB(8);
	require(vhdx_create(&file->file, &create, NULL) == 0, "a template that cannot be made");
	file->also = child ? &parent : NULL;
	write_some(file, kind >= DIRTY);
}

static void make_all(void)
{
	struct vhdx_info info;

	vhdx_fake_init(&fake);
	vhdx_fake_init(&other);
	make(&parent, DYNAMIC, NULL);
	parent.file.read_only = true;
	require(vhdx_info(&parent.file, NULL, &info) == 0, "no info");
	for (int kind = 0; kind < KINDS; kind++)
		make(&templates[kind], kind, info.data_write_guid);
	made = true;
}

/* --- Changes. ------------------------------------------------------------------------------ */

static void change(struct input *in)
{
	const struct place *place = &places[take(in, 1) % ARRAY_SIZE(places)];
	uint64_t offset = place->base + take(in, 2) % place->span * place->step;
	size_t len = min_of((size_t)(take(in, 1) % 65), in->left);

	require(file_pwrite(&fake.file, in->data, len, offset) == 0, "a change that failed");
	in->data += len;
	in->left -= len;
}

static void seal(uint64_t offset, uint32_t len)
{
	uint32_t crc;

	require(file_pread(&fake.file, buf, len, offset) == 0, "a read that failed");
	crc = vhdx_crc_without(buf, len, 4);
	require(file_pwrite(&fake.file, &crc, 4, offset + 4) == 0, "a write that failed");
}

/* Entries that could be ones become ones. */
static void seal_log(void)
{
	static uint8_t log[MiB(1)];
	struct vhdx_guid guid;

	file_pread(&fake.file, log, sizeof(log), LOG);
	file_pread(&fake.file, &guid, sizeof(guid),
		   VHDX_HEADER1_OFFSET + offsetof(struct vhdx_header, log_guid));
	for (uint32_t at = 0; at < sizeof(log); at += VHDX_LOG_SECTOR) {
		struct vhdx_log_header *header = (void *)(log + at);

		if (header->signature != VHDX_LOG_ENTRY_SIGNATURE || header->entry_length < 64 ||
		    header->entry_length > sizeof(log) - at)
			continue;
		header->log_guid = guid;
		header->checksum = vhdx_crc_without(header, header->entry_length, 4);
	}
	require(file_pwrite(&fake.file, log, sizeof(log), LOG) == 0, "a write that failed");
}

static void seal_all(uint8_t flags)
{
	if (flags & SAME_REGIONS) {
		file_pread(&fake.file, buf, VHDX_REGION_TABLE_SIZE, VHDX_REGION_TABLE1);
		require(file_pwrite(&fake.file, buf, VHDX_REGION_TABLE_SIZE, VHDX_REGION_TABLE2) ==
				0,
			"a write that failed");
	}
	if (flags & SEAL_HEADERS) {
		seal(VHDX_HEADER1_OFFSET, VHDX_HEADER_SIZE);
		seal(VHDX_HEADER2_OFFSET, VHDX_HEADER_SIZE);
	}
	if (flags & SEAL_REGIONS) {
		seal(VHDX_REGION_TABLE1, VHDX_REGION_TABLE_SIZE);
		seal(VHDX_REGION_TABLE2, VHDX_REGION_TABLE_SIZE);
	}
	if (flags & SEAL_LOG)
		seal_log();
}

/* --- What is done with them. --------------------------------------------------------------- */

static bool is_good(struct vhdx_fake *file)
{
	struct vhdx_check_options options = {NULL, NULL};
	struct vhdx_check_result result;
	struct error err = {.text = ""};
	int ret = vhdx_check(&file->file, &options, &err, &result);

	require(ret == 0 || err.text[0], "an error without text");
	return ret == 0 && result.errors == 0;
}

static uint32_t hash_of(struct block *block)
{
	uint64_t size = block->info.size, step = max_of(align_down(size / 20, LONGEST), MiB(1));
	uint32_t crc = 0;

	for (uint64_t at = 0; at < size; at += step) {
		uint64_t len = min_of((uint64_t)32768, size - at);
		int ret = vhdx_fake_do(&fake, block, BLOCK_READ, at, buf, len, false);

		crc = vhdx_crc(crc, ret ? (void *)&ret : buf, ret ? sizeof(ret) : len);
	}
	return crc;
}

static void request(struct block *block, struct input *in)
{
	static const enum block_op ops[] = {BLOCK_READ,  BLOCK_WRITE, BLOCK_WRITE,
					    BLOCK_FLUSH, BLOCK_UNMAP, BLOCK_WRITE_ZEROES};
	enum block_op op = ops[take(in, 1) % ARRAY_SIZE(ops)];
	uint64_t size = block->info.size, sector = block->info.logical_sector;
	uint64_t offset = align_down(take(in, 2) * (uint64_t)10240 % size, sector);
	uint64_t len = align_down(take(in, 1) % 16 * (uint64_t)4096 + sector, sector);
	bool data = op == BLOCK_READ || op == BLOCK_WRITE;

	if (!data)
		len *= 64;
	len = min_of(len, size - offset);
	memset(buf, (int)in->left, LONGEST);
	if (vhdx_fake_do(&fake, block, op, op == BLOCK_FLUSH ? 0 : offset, data ? buf : NULL,
			 op == BLOCK_FLUSH ? 0 : len, in->left % 3 == 0) ||
	    op != BLOCK_WRITE)
		return;
	require(vhdx_fake_do(&fake, block, BLOCK_READ, offset, back, len, false) == 0,
		"what was written cannot be read");
	memset(buf, (int)in->left, LONGEST);
	require(memcmp(buf, back, len) == 0, "something else is read than was written");
}

static void use(struct input *in, uint8_t flags, bool good)
{
	struct block *block;
	bool overlaid;
	uint32_t hash = 0;
	int ret = open_image(&fake, true, &block);

	overlaid = ret == 0;
	if (overlaid) {
		hash = hash_of(block);
		require(block_close(block, NULL) == 0, "a reader that cannot be closed");
	}
	/* Of a child it is the parent, too, that must be good. */
	require(overlaid || !good || ret == -ESTALE || ret == -ENOENT || ret == -ENOTSUP ||
			ret == -EUCLEAN || ret == -EFBIG,
		"a good image that cannot be opened");
	ret = open_image(&fake, false, &block);
	if (ret)
		return;
	if (overlaid)
		require(hash == hash_of(block), "the replayed log is another in memory");
	for (unsigned int i = 0; i < REQUESTS && in->left; i++)
		request(block, in);
	if (flags & KILL)
		vhdx_fake_copy(&fake, &other);
	ret = block_close(block, NULL);
	if (flags & KILL)
		vhdx_fake_copy(&other, &fake);
	require(ret == 0 || !good, "a good image that cannot be closed");
}

static void change_offline(uint8_t flags, uint32_t value)
{
	struct error err = {.text = ""};
	uint8_t linkage[16] = {1};
	uint64_t saved;
	int ret = 0;

	if (flags & RESIZE)
		ret = vhdx_resize(&fake.file, (value + 1) * (uint64_t)65536, value & 1, &err);
	require(ret == 0 || err.text[0], "an error without text");
	if (flags & COMPACT)
		ret = vhdx_compact(&fake.file, NULL, &err, &saved);
	require(ret == 0 || err.text[0], "an error without text");
	if (flags & SET_PARENT)
		ret = vhdx_set_parent(&fake.file, "../x.vhdx", "/x.vhdx", linkage, &err);
	require(ret == 0 || err.text[0], "an error without text");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct vhdx_info info;
	struct error err;
	enum kind kind;
	uint8_t flags, changes;
	bool good;

	if (!made)
		make_all();
	kind = take(&in, 1) % KINDS;
	flags = (uint8_t)take(&in, 1);
	changes = take(&in, 1) % (CHANGES + 1);
	vhdx_fake_copy(&templates[kind], &fake);
	fake.also = templates[kind].also;
	fake.max_size = GiB(8);
	fake.max_chunks = 4096;
	for (uint8_t i = 0; i < changes; i++)
		change(&in);
	seal_all(flags);
	good = is_good(&fake);
	if (vhdx_info(&fake.file, &err, &info) == 0)
		require(info.blocks_allocated <= info.blocks || !good,
			"more blocks than there are");
	use(&in, flags, good);
	require(!good || is_good(&fake), "a good image that is no longer");
	change_offline(flags, take(&in, 2));
	require(!good || is_good(&fake), "a good image that is no longer, changed offline");
	return 0;
}
