// SPDX-License-Identifier: MIT
/*
 * Opening disks: which format a file has, parents, layers, and what is refused.
 */
#include "block_run.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/block/block_open.h"
#include "devices/block/file_uring.h"
#include "devices/block/vhd.h"
#include "devices/block/vhdx.h"

static char dir[64];
static struct block_config config;
static struct block *block;
static struct error err;

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void setup(void)
{
	run_setup();
	snprintf(dir, sizeof(dir), "test-open-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	memset(&config, 0, sizeof(config));
	block = NULL;
}

static void close_disk(void)
{
	ck_assert_msg(block_close(block, &err) == 0, "%s", err.text);
	block = NULL;
}

static void teardown(void)
{
	char command[128];

	close_disk();
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
	run_teardown();
}

static int try_open(const char *name)
{
	config.path = path_of(name);
	return block_open(&config, run_loop, &err, &block);
}

static void must_open(const char *name, const char *format)
{
	ck_assert_msg(try_open(name) == 0, "%s", err.text);
	ck_assert_str_eq(block->info.format, format);
}

static void must_refuse(const char *name, int result, const char *text)
{
	int r = try_open(name);

	ck_assert_msg(r == result, "%d: %s", r, err.text);
	ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
	ck_assert_msg(strncmp(err.text, dir, strlen(dir)) == 0, "%s", err.text);
}

static struct file *create(const char *name)
{
	struct file *file;

	ck_assert_int_eq(file_uring_open(path_of(name), FILE_URING_CREATE, NULL, &err, &file), 0);
	return file;
}

static void make_raw(const char *name, uint64_t size)
{
	struct file *file = create(name);

	ck_assert_int_eq(file_truncate(file, size), 0);
	file_destroy(file);
}

static void make_vhdx(const char *name, const char *parent, const uint8_t *linkage)
{
	struct vhdx_create_options options = {
		.type = parent ? VHDX_DIFFERENCING : VHDX_DYNAMIC,
		.size = MiB(8),
		.block_size = (uint32_t)MiB(1),
		.parent_path = parent,
		.parent_linkage = linkage,
	};
	struct file *file = create(name);

	ck_assert_msg(vhdx_create(file, &options, &err) == 0, "%s", err.text);
	file_destroy(file);
}

static void make_vhd(const char *name, enum vhd_type type, const char *parent, const uint8_t *id)
{
	struct vhd_create_options options = {
		.type = type, .size = MiB(8), .parent_path = parent, .parent_id = id};
	struct file *file = create(name);

	ck_assert_msg(vhd_create(file, &options, &err) == 0, "%s", err.text);
	file_destroy(file);
}

static char buf[4096] __attribute__((aligned(4096)));

static void put(uint64_t offset, uint32_t seed)
{
	run_fill(buf, sizeof(buf), seed);
	ck_assert_int_eq(run_block(block, BLOCK_WRITE, offset, buf, sizeof(buf)), 0);
}

static void check(uint64_t offset, uint32_t seed)
{
	ck_assert_int_eq(run_block(block, BLOCK_READ, offset, buf, sizeof(buf)), 0);
	run_check(buf, sizeof(buf), seed);
}

START_TEST(raw)
{
	static const enum block_cache caches[] = {BLOCK_CACHE_NONE, BLOCK_CACHE_WRITEBACK,
						  BLOCK_CACHE_UNSAFE};

	make_raw("a.img", MiB(1));
	config.cache = caches[_i];
	must_open("a.img", "raw");
	ck_assert_uint_eq(block->info.size, MiB(1));
	ck_assert_uint_eq(block->info.logical_sector, 512);
	put(8192, 1);
	ck_assert_int_eq(run_block(block, BLOCK_FLUSH, 0, NULL, 0), 0);
	close_disk();
	config.logical_sector = 4096;
	must_open("a.img", "raw");
	ck_assert_uint_eq(block->info.logical_sector, 4096);
	check(8192, 1);
}
END_TEST

START_TEST(formats)
{
	make_vhdx("a.vhdx", NULL, NULL);
	make_vhd("b.VHD", VHD_DYNAMIC, NULL, NULL);
	make_vhd("c.vhd", VHD_FIXED, NULL, NULL);
	must_open("a.vhdx", "vhdx");
	put(0, 1);
	close_disk();
	must_open("a.vhdx", "vhdx");
	check(0, 1);
	close_disk();
	for (int i = 0; i < 2; i++) {
		must_open(i ? "c.vhd" : "b.VHD", "vhd");
		put(0, 2);
		close_disk();
		must_open(i ? "c.vhd" : "b.VHD", "vhd");
		check(0, 2);
		close_disk();
	}
	config.logical_sector = 4096;
	must_refuse("c.vhd", -EINVAL, "has sectors of 512 bytes, not of 4096");
}
END_TEST

/* A guest writes what it likes into a raw image: that must not make it another one. */
START_TEST(disguised)
{
	make_vhdx("a.img", NULL, NULL);
	make_vhd("b.img", VHD_DYNAMIC, NULL, NULL);
	make_vhd("c", VHD_FIXED, NULL, NULL);
	make_raw("d.vhdx", MiB(1));
	make_raw("e.vhd", MiB(1));
	must_refuse("a.img", -EINVAL, "looks like a VHDX image, but is not named like one");
	must_refuse("b.img", -EINVAL, "looks like a VHD image");
	must_refuse("c", -EINVAL, "looks like a VHD image");
	must_refuse("d.vhdx", -EINVAL, "not a VHDX image (if it is raw, say format=raw)");
	must_refuse("e.vhd", -EINVAL, "not a VHD image (if it is raw, say format=raw)");
	config.format = BLOCK_FORMAT_RAW;
	must_open("a.img", "raw");
	close_disk();
	must_open("d.vhdx", "raw");
	close_disk();
	config.format = BLOCK_FORMAT_VHDX;
	must_open("a.img", "vhdx");
	close_disk();
	must_refuse("b.img", -EINVAL, ": not a VHDX image");
	config.format = BLOCK_FORMAT_VHD;
	must_open("b.img", "vhd");
	close_disk();
	must_refuse("a.img", -EINVAL, ": not a VHD image");
}
END_TEST

START_TEST(refused)
{
	int fd;

	must_refuse("none", -ENOENT, "cannot open it: No such file or directory");
	make_raw("empty", 0);
	must_refuse("empty", -EINVAL, "empty, so there is no disk in it");
	make_raw("a", MiB(1));
	must_open("a", "raw");
	must_refuse("a", -EBUSY, "in use by another process");
	config.read_only = true;
	must_refuse("a", -EBUSY, "in use by another process, which writes to it");
	close_disk();
	fd = open(path_of("a"), O_RDONLY);
	must_open("a", "raw");
	close(fd);
	ck_assert(block->info.read_only);
	ck_assert_int_eq(run_block(block, BLOCK_WRITE, 0, buf, sizeof(buf)), -EROFS);
}
END_TEST

START_TEST(shared)
{
	struct block *other;

	make_raw("a", MiB(1));
	config.read_only = true;
	must_open("a", "raw");
	other = block;
	must_open("a", "raw");
	ck_assert_int_eq(block_close(other, &err), 0);
	config.read_only = false;
	must_refuse("a", -EBUSY, "in use by another process");
}
END_TEST

/* Two may throw away their own changes to one image. */
START_TEST(ephemeral)
{
	struct block *first, *second;

	make_vhdx("a.vhdx", NULL, NULL);
	must_open("a.vhdx", "vhdx");
	put(0, 1);
	close_disk();
	config.ephemeral = true;
	must_open("a.vhdx", "vhdx");
	ck_assert(!block->info.read_only);
	first = block;
	must_open("a.vhdx", "vhdx");
	second = block;
	put(4096, 2);
	check(0, 1);
	block = first;
	put(4096, 3);
	put(0, 4);
	check(4096, 3);
	close_disk();
	block = second;
	check(4096, 2);
	check(0, 1);
	close_disk();
	config.ephemeral = false;
	must_open("a.vhdx", "vhdx");
	check(0, 1);
	ck_assert_int_eq(run_block(block, BLOCK_READ, 4096, buf, sizeof(buf)), 0);
	run_check_zero(buf, sizeof(buf));
}
END_TEST

START_TEST(layers)
{
	make_raw("a", MiB(1));
	config.ephemeral = true;
	config.on_error = BLOCK_ERROR_STOP_ENOSPC;
	config.limits = (struct block_limits){.iops = 1000, .bytes_per_second = MiB(100)};
	must_open("a", "raw");
	put(0, 1);
	check(0, 1);
	block_retry(block);
}
END_TEST

START_TEST(vhdx_parents)
{
	struct vhdx_info info;
	struct file *file;

	make_vhdx("base.vhdx", NULL, NULL);
	must_open("base.vhdx", "vhdx");
	put(0, 1);
	put(8192, 2);
	close_disk();
	ck_assert_int_eq(file_uring_open(path_of("base.vhdx"), 1, NULL, &err, &file), 0);
	ck_assert_int_eq(vhdx_info(file, &err, &info), 0);
	file_destroy(file);
	make_vhdx("child.avhdx", "base.vhdx", info.data_write_guid);
	must_open("child.avhdx", "vhdx");
	check(0, 1);
	put(0, 3);
	check(0, 3);
	check(8192, 2);
	close_disk();
	must_open("child.avhdx", "vhdx");
	check(0, 3);
	check(8192, 2);
	close_disk();
	unlink(path_of("base.vhdx"));
	must_refuse("child.avhdx", -ENOENT, "base.vhdx");
}
END_TEST

START_TEST(vhd_parents)
{
	struct vhd_info info;
	struct file *file;

	make_vhd("base.vhd", VHD_DYNAMIC, NULL, NULL);
	must_open("base.vhd", "vhd");
	put(0, 1);
	close_disk();
	ck_assert_int_eq(file_uring_open(path_of("base.vhd"), 1, NULL, &err, &file), 0);
	ck_assert_int_eq(vhd_info(file, &err, &info), 0);
	file_destroy(file);
	make_vhd("child.vhd", VHD_DIFFERENCING, "base.vhd", info.id);
	must_refuse("child.vhd", -ENOTSUP, "can only be read: use it read-only or ephemeral");
	config.ephemeral = true;
	must_open("child.vhd", "vhd");
	check(0, 1);
	put(0, 2);
	check(0, 2);
	close_disk();
	config.ephemeral = false;
	config.read_only = true;
	must_open("child.vhd", "vhd");
	check(0, 1);
	close_disk();
	info.id[3] ^= 1;
	make_vhd("other.vhd", VHD_DIFFERENCING, "base.vhd", info.id);
	must_refuse("other.vhd", -ESTALE, "is not the image that it was made of");
	unlink(path_of("base.vhd"));
	must_refuse("child.vhd", -ENOENT, "its parent base.vhd is missing");
}
END_TEST

/* An image that is its own parent ends, at the latest when the chain is too long. */
START_TEST(endless_chain)
{
	struct vhd_info info;
	struct file *file;
	char id[16] = {1};

	make_vhd("a.vhd", VHD_DIFFERENCING, "a.vhd", (const uint8_t *)id);
	ck_assert_int_eq(file_uring_open(path_of("a.vhd"), 0, NULL, &err, &file), 0);
	ck_assert_int_eq(vhd_info(file, &err, &info), 0);
	file_destroy(file);
	config.read_only = true;
	must_refuse("a.vhd", -ELOOP, "more than 32 images in a chain");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("block_open");
	TCase *t = tcase_create("block_open");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, raw, 0, 3);
	tcase_add_test(t, formats);
	tcase_add_test(t, disguised);
	tcase_add_test(t, refused);
	tcase_add_test(t, shared);
	tcase_add_test(t, ephemeral);
	tcase_add_test(t, layers);
	tcase_add_test(t, vhdx_parents);
	tcase_add_test(t, vhd_parents);
	tcase_add_test(t, endless_chain);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
