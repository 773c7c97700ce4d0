// SPDX-License-Identifier: MIT
/*
 * VHD images in a fake file, for the tests of src/devices/block/vhd*.c. Each test program has its
 * own copy.
 */
#pragma once

#include <endian.h>

#include "block_run.h"
#include "devices/block/vhd.h"
#include "devices/block/vhd_proto.h"
#include "file_fake.h"

#define VHD_TEST_BLOCK KiB(512)

static struct file_fake vhd_fake;
static struct block *vhd_disk;
static struct error vhd_err;

static inline struct vhd_footer *vhd_footer_at(uint64_t offset)
{
	return (struct vhd_footer *)(void *)(vhd_fake.data + offset);
}

static inline struct vhd_header *vhd_header(void)
{
	return (struct vhd_header *)(void *)(vhd_fake.data + 512);
}

static inline uint32_t *vhd_table(void)
{
	return (uint32_t *)(void *)(vhd_fake.data + 1536);
}

static inline uint32_t vhd_sum(const void *data, size_t len, size_t field)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i < field || i >= field + 4 ? bytes[i] : 0;
	return htobe32(~sum);
}

static inline void vhd_seal(void)
{
	struct vhd_footer *footers[] = {vhd_footer_at(0),
					vhd_footer_at(vhd_fake.size - VHD_FOOTER_SIZE)};

	for (int i = 0; i < 2; i++)
		footers[i]->checksum =
			vhd_sum(footers[i], 512, offsetof(struct vhd_footer, checksum));
	vhd_header()->checksum = vhd_sum(vhd_header(), 1024, offsetof(struct vhd_header, checksum));
}

static inline void vhd_make(enum vhd_type type, uint64_t size)
{
	static const uint8_t parent_id[16] = {1, 2, 3};
	struct vhd_create_options options = {
		.type = type,
		.size = size,
		.block_size = type == VHD_FIXED ? 0 : (uint32_t)VHD_TEST_BLOCK,
		.parent_path = type == VHD_DIFFERENCING ? "parent.vhd" : NULL,
		.parent_id = parent_id,
	};

	ck_assert_msg(vhd_create(&vhd_fake.file, &options, &vhd_err) == 0, "%s", vhd_err.text);
}

static inline int vhd_try_open(bool read_only)
{
	struct vhd_open_options options = {.read_only = read_only};

	return vhd_open(&vhd_fake.file, run_loop, &options, &vhd_err, &vhd_disk);
}

static inline void vhd_must_open(bool read_only)
{
	ck_assert_msg(vhd_try_open(read_only) == 0, "%s", vhd_err.text);
}

static inline int vhd_give_parent(void *ctx, const char *path, unsigned int depth,
				  struct error *err, struct block **ret)
{
	ck_assert_uint_eq(depth, 1);
	*ret = ctx;
	return 0;
}

/* A differencing image, on top of @below. */
static inline void vhd_must_open_below(struct block *below)
{
	struct vhd_open_options options = {
		.read_only = true, .open_parent = vhd_give_parent, .ctx = below};

	/* It names one, whatever its name is. */
	vhd_header()->parent_unicode_name[0] = htobe16('p');
	vhd_seal();
	ck_assert_msg(vhd_open(&vhd_fake.file, run_loop, &options, &vhd_err, &vhd_disk) == 0, "%s",
		      vhd_err.text);
}

static inline void vhd_must_close(void)
{
	ck_assert_msg(block_close(vhd_disk, &vhd_err) == 0, "%s", vhd_err.text);
	vhd_disk = NULL;
}

static inline void vhd_print(void *ctx, enum vhd_finding_kind kind, const char *text)
{
	printf("%s: %s\n",
	       kind == VHD_ERROR  ? "error"
	       : kind == VHD_LEAK ? "leak"
				  : "notice",
	       text);
}

static inline struct vhd_check_result vhd_findings(void)
{
	struct vhd_check_options options = {.found = vhd_print};
	struct vhd_check_result result;

	ck_assert_int_eq(vhd_check(&vhd_fake.file, &options, &vhd_err, &result), 0);
	return result;
}

static inline void vhd_must_be_sound(void)
{
	struct vhd_check_result result = vhd_findings();

	ck_assert_uint_eq(result.errors, 0);
	ck_assert_uint_eq(result.leaks, 0);
	ck_assert_uint_eq(result.notices, 0);
}

static inline void vhd_setup(void)
{
	run_setup();
	file_fake_init(&vhd_fake, run_loop, MiB(24));
	vhd_disk = NULL;
}

static inline void vhd_teardown(void)
{
	if (vhd_disk)
		vhd_must_close();
	file_fake_finish(&vhd_fake);
	run_teardown();
}
