// SPDX-License-Identifier: MIT
/*
 * Requests to files through io_uring, with and without O_DIRECT, on the file system of the working
 * directory and on one in memory.
 */
#include "block_run.h"

#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

#include "devices/block/file_uring.h"

struct place {
	const char *parent;
	unsigned int flags;
};

static const struct place places[] = {
	{".", 0},
	{".", FILE_URING_DIRECT},
	{"/dev/shm", 0},
	{"/dev/shm", FILE_URING_DIRECT},
};

static char dir[64], path[96];
static struct file *file;
static struct error err;
static char *memory;

#define MEMORY_SIZE MiB(1)

static void open_file(int place, unsigned int flags)
{
	snprintf(dir, sizeof(dir), "%s/test-file-XXXXXX", places[place].parent);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/f", dir);
	flags |= FILE_URING_CREATE | places[place].flags;
	ck_assert_msg(file_uring_open(path, flags, run_loop, &err, &file) == 0, "%s", err.text);
}

static void setup(void)
{
	run_setup();
	file = NULL;
	memory = run_memory(MEMORY_SIZE);
}

static void teardown(void)
{
	free(memory);
	file_destroy(file);
	unlink(path);
	rmdir(dir);
	run_teardown();
}

static uint64_t count(const struct counter *counter)
{
	return counter_get(counter);
}

START_TEST(aligned)
{
	struct iovec iov[] = {{memory, 4096}, {memory + 8192, 8192}, {memory + 4096, 4096}};
	const struct file_uring_counters *counters;
	char *buf = run_memory(16384);

	open_file(_i, 0);
	run_fill(memory, 16384, 1);
	ck_assert_int_eq(run_file_iov(file, FILE_WRITE, 65536, iov, 3, 16384), 0);
	ck_assert_int_eq(run_file(file, FILE_READ, 65536, buf, 16384), 0);
	ck_assert_mem_eq(buf, memory, 4096);
	ck_assert_mem_eq(buf + 4096, memory + 8192, 8192);
	ck_assert_mem_eq(buf + 12288, memory + 4096, 4096);
	/* Before it is a hole. */
	ck_assert_int_eq(run_file(file, FILE_READ, 0, buf, 4096), 0);
	run_check_zero(buf, 4096);
	counters = file_uring_counters(file);
	ck_assert_uint_eq(count(&counters->requests), 3);
	ck_assert_uint_eq(count(&counters->bounced), 0);
	ck_assert_uint_eq(count(&counters->detours), 0);
	free(buf);
}
END_TEST

/* Past the end: zeroes, from whatever offset, however little of it there is. */
START_TEST(past_end)
{
	static const uint64_t sizes[] = {0, 1, 511, 512, 5000, 8192, 9000};

	open_file(_i, 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t size = sizes[i];

		run_fill(memory, 16384, (uint32_t)i);
		ck_assert_int_eq(file_truncate(file, 0), 0);
		ck_assert_int_eq(file_pwrite(file, memory, size, 0), 0);
		memset(memory + 16384, 0xee, 16384);
		ck_assert_int_eq(run_file(file, FILE_READ, 0, memory + 16384, 16384), 0);
		ck_assert_mem_eq(memory, memory + 16384, size);
		run_check_zero(memory + 16384 + size, 16384 - size);
		ck_assert_int_eq(run_file(file, FILE_READ, 1 << 20, memory + 16384, 512), 0);
		run_check_zero(memory + 16384, 512);
	}
}
END_TEST

/* Every mixture of offsets, lengths and addresses, against a copy in memory. */
START_TEST(unaligned)
{
	char *model = calloc(1, MiB(1)), *buf = run_memory(KiB(512));
	uint64_t size = 0, file_end;
	unsigned int seed = 7;

	open_file(_i, 0);
	for (uint32_t i = 0; i < 150; i++) {
		uint64_t len = 1 + (uint64_t)rand_r(&seed) % KiB(200), half = len / 3;
		uint64_t offset = (uint64_t)rand_r(&seed) % KiB(700);
		size_t at = (size_t)rand_r(&seed) % 4096;
		struct iovec iov[] = {{buf + at, half}, {buf + at + half, len - half}};

		if (i % 3 == 0)
			offset = align_down(offset, 512);
		if (i % 4 == 0)
			len = align_up(len, 512);
		iov[1].iov_len = len - half;
		run_fill(buf + at, len, i);
		memcpy(model + offset, buf + at, len);
		size = max_of(size, offset + len);
		ck_assert_int_eq(run_file_iov(file, FILE_WRITE, offset, iov, 2, len), 0);
		offset = offset > 1000 ? offset - 1000 : 0;
		ck_assert_int_eq(run_file_iov(file, FILE_READ, offset, iov, 2, len), 0);
		ck_assert_mem_eq(buf + at, model + offset, len);
	}
	ck_assert_int_eq(file_size(file, &file_end), 0);
	ck_assert_uint_eq(file_end, size);
	ck_assert_int_eq(run_file(file, FILE_READ, 0, memory, MiB(1)), 0);
	ck_assert_mem_eq(memory, model, MiB(1));
	free(model);
	free(buf);
}
END_TEST

/* Sectors of one page, written all at once by requests that go different ways. */
START_TEST(neighbours)
{
	enum { N = 1024 };
	struct run_file_request *runs = calloc(N, sizeof(*runs));
	struct iovec *iov = calloc(N, sizeof(*iov));

	open_file(_i, 0);
	for (uint32_t round = 0; round < 4; round++) {
		for (uint32_t i = 0; i < N; i++) {
			/* 512 bytes, in every third two halves of a sector. */
			uint64_t len = i % 3 == 2 ? 256 : 512;
			uint64_t offset = i / 3 * 1280 + i % 3 * 512;

			iov[i] = (struct iovec){memory + offset + round, len};
			run_fill(iov[i].iov_base, len, i + round * N);
			runs[i].req = (struct file_request){.op = FILE_WRITE,
							    .durable = i % 100 == 0,
							    .offset = offset,
							    .len = len,
							    .iov = &iov[i],
							    .iov_count = 1};
			run_file_start(file, &runs[i]);
		}
		run_all();
		for (uint32_t i = 0; i < N; i++) {
			ck_assert_int_eq(runs[i].result, 0);
			memset(iov[i].iov_base, 0, iov[i].iov_len);
			runs[i].req.op = FILE_READ;
			run_file_start(file, &runs[i]);
		}
		run_all();
		for (uint32_t i = 0; i < N; i++) {
			ck_assert_int_eq(runs[i].result, 0);
			run_check(iov[i].iov_base, iov[i].iov_len, i + round * N);
		}
	}
	free(runs);
	free(iov);
}
END_TEST

/* More elements than the host takes at once. */
START_TEST(long_vector)
{
	enum { N = 2500 };
	struct iovec *iov = calloc(N, sizeof(*iov));

	open_file(_i, 0);
	run_fill(memory, MEMORY_SIZE, 1);
	for (unsigned int i = 0; i < N; i++)
		iov[i] = (struct iovec){memory + i % 200 * 4096, i % 2 ? 512 : 1024};
	ck_assert_int_eq(run_file_iov(file, FILE_WRITE, 512, iov, N, N / 2 * 1536), 0);
	for (unsigned int i = 0; i < N; i += 97) {
		char buf[1024];

		ck_assert_int_eq(
			file_pread(file, buf, iov[i].iov_len, 512 + i / 2 * 1536 + i % 2 * 1024),
			0);
		ck_assert_mem_eq(buf, iov[i].iov_base, iov[i].iov_len);
	}
	free(iov);
}
END_TEST

START_TEST(zero_and_discard)
{
	uint64_t size = 0, len;
	bool data;

	open_file(_i, 0);
	run_fill(memory, MiB(1), 1);
	ck_assert_int_eq(run_file(file, FILE_WRITE, 0, memory, MiB(1)), 0);
	ck_assert_int_eq(run_file(file, FILE_ZERO, 8192, NULL, 65536), 0);
	ck_assert_int_eq(run_file(file, FILE_ZERO, 200000, NULL, 777), 0);
	ck_assert_int_eq(run_file(file, FILE_DISCARD, KiB(512), NULL, KiB(128)), 0);
	ck_assert_int_eq(run_file(file, FILE_ZERO, 0, NULL, 0), 0);
	ck_assert_int_eq(run_file(file, FILE_DISCARD, 0, NULL, 0), 0);
	memset(memory + 8192, 0, 65536);
	memset(memory + 200000, 0, 777);
	memset(memory + KiB(512), 0, KiB(128));
	for (uint64_t at = 0; at < MiB(1); at += KiB(64)) {
		char *buf = run_memory(KiB(64));

		ck_assert_int_eq(run_file(file, FILE_READ, at, buf, KiB(64)), 0);
		ck_assert_mem_eq(buf, memory + at, KiB(64));
		free(buf);
	}
	ck_assert_int_eq(file_extent(file, KiB(512), &data, &len), 0);
	ck_assert(!data);
	/* Zeroes make the file longer, as any write does. */
	ck_assert_int_eq(run_file(file, FILE_ZERO, MiB(1) - 100, NULL, 300000), 0);
	ck_assert_int_eq(file_size(file, &size), 0);
	ck_assert_uint_eq(size, MiB(1) - 100 + 300000);
	ck_assert_int_eq(run_file(file, FILE_READ, MiB(1) - 4096, memory, 8192), 0);
	run_check_zero(memory + 4096 - 100, 4096 + 100);
	/* A discard does not. */
	ck_assert_int_eq(run_file(file, FILE_DISCARD, size - 1, NULL, 5000), 0);
	ck_assert_int_eq(file_size(file, &size), 0);
	ck_assert_uint_eq(size, MiB(1) - 100 + 300000);
}
END_TEST

START_TEST(truncate_and_sync)
{
	uint64_t size = 0;

	open_file(_i, _i % 2 ? FILE_URING_NO_SYNC : 0);
	ck_assert_int_eq(run_file(file, FILE_TRUNCATE, 12345, NULL, 0), 0);
	ck_assert_int_eq(run_file(file, FILE_SYNC, 0, NULL, 0), 0);
	ck_assert_int_eq(file_size(file, &size), 0);
	ck_assert_uint_eq(size, 12345);
	ck_assert_int_eq(run_file(file, FILE_TRUNCATE, 8192, NULL, 0), 0);
	ck_assert_int_eq(file_size(file, &size), 0);
	ck_assert_uint_eq(size, 8192);
	ck_assert_int_eq(run_file(file, FILE_WRITE, 0, memory, 0), 0);
	ck_assert_int_eq(run_file(file, FILE_READ, UINT64_MAX - 511, memory, 512), -EINVAL);
	ck_assert_int_eq(run_file(file, FILE_WRITE, 1ull << 63, memory, 512), -EINVAL);
	ck_assert_int_eq(run_file(file, FILE_TRUNCATE, 1ull << 63, NULL, 0), -ENOSPC);
}
END_TEST

/* More requests than the queue of the loop has entries. */
START_TEST(many)
{
	enum { N = 3000 };
	struct run_file_request *runs = calloc(N, sizeof(*runs));
	struct iovec *iov = calloc(N, sizeof(*iov));
	struct error e;

	loop_destroy(run_loop);
	ck_assert_int_eq(loop_create(8, &e, &run_loop), 0);
	open_file(_i, 0);
	for (uint32_t i = 0; i < N; i++) {
		iov[i] = (struct iovec){memory + i % 200 * 4096, 4096};
		runs[i].req = (struct file_request){.op = i % 10 ? FILE_WRITE : FILE_SYNC,
						    .offset = i * 4096ull,
						    .len = 4096,
						    .iov = &iov[i],
						    .iov_count = 1};
		run_file_start(file, &runs[i]);
	}
	run_all();
	for (uint32_t i = 0; i < N; i++)
		ck_assert_int_eq(runs[i].result, 0);
	free(runs);
	free(iov);
}
END_TEST

/* What the host answers is changed on its way: what comes in which step, 0 for the real thing. */
struct distortion {
	int steps[6];
	unsigned int next;
	void (*real)(struct loop_op *op, int res, unsigned int flags);
};

static struct distortion distortion;

#define SHORT 1 /* half of it, in whole sectors */
#define NONE  2 /* nothing at all */

static void distort(struct loop_op *op, int res, unsigned int flags)
{
	int step = distortion.steps[distortion.next];

	if (distortion.next + 1 < ARRAY_SIZE(distortion.steps))
		distortion.next++;
	if (step < 0)
		res = step;
	else if (step == SHORT && res > 512)
		res = res / 2 / 512 * 512;
	else if (step == NONE)
		res = 0;
	distortion.real(op, res, flags);
}

static int run_distorted(enum file_op op, uint64_t offset, char *data, uint64_t len,
			 const int *steps)
{
	struct iovec iov[] = {{data, len / 4}, {data + len / 4, len - len / 4}};
	struct run_file_request run = {
		.req = {.op = op, .offset = offset, .len = len, .iov = iov, .iov_count = 2}};

	memcpy(distortion.steps, steps, sizeof(distortion.steps));
	distortion.next = 0;
	run_file_start(file, &run);
	distortion.real = run.req.loop_op.done;
	run.req.loop_op.done = distort;
	run_all();
	return run.result;
}

START_TEST(distorted)
{
	static const int steps[][6] = {
		{-EINTR, 0},
		{-EAGAIN, -EAGAIN, 0},
		{SHORT, SHORT, SHORT, 0},
		{-EINTR, SHORT, -EAGAIN, SHORT, 0},
	};
	const struct file_uring_counters *counters;

	open_file(_i, 0);
	counters = file_uring_counters(file);
	for (uint32_t i = 0; i < ARRAY_SIZE(steps); i++) {
		/* As it is, and by way of a buffer. */
		for (uint64_t shift = 0; shift < 2; shift++) {
			char *at = memory + shift;

			run_fill(at, KiB(200), i + 1);
			ck_assert_int_eq(run_distorted(FILE_WRITE, 8192, at, KiB(200), steps[i]),
					 0);
			memset(at, 0, KiB(200));
			ck_assert_int_eq(run_distorted(FILE_READ, 8192, at, KiB(200), steps[i]), 0);
			run_check(at, KiB(200), i + 1);
		}
	}
	ck_assert_uint_ge(count(&counters->retried), 12);
	ck_assert_uint_ge(count(&counters->continued), 12);
}
END_TEST

/* Errors are the request's; a write that writes nothing is one; a read then is at the end. */
START_TEST(errors)
{
	static const int error[6] = {-EIO}, none[6] = {SHORT, NONE}, quota[6] = {-EDQUOT};

	open_file(_i, 0);
	ck_assert_int_eq(file_truncate(file, MiB(1)), 0);
	ck_assert_int_eq(run_distorted(FILE_WRITE, 0, memory, 8192, error), -EIO);
	ck_assert_int_eq(run_distorted(FILE_READ, 0, memory, 8192, error), -EIO);
	ck_assert_int_eq(run_distorted(FILE_WRITE, 0, memory, 8192, quota), -ENOSPC);
	ck_assert_int_eq(run_distorted(FILE_WRITE, 0, memory, 8192, none), -EIO);
	memset(memory, 1, 8192);
	ck_assert_int_eq(run_distorted(FILE_READ, 0, memory, 8192, none), 0);
	run_check_zero(memory + 4096, 4096);
	ck_assert_int_eq(run_distorted(FILE_SYNC, 0, memory, 8192, error), -EIO);
}
END_TEST

/* A file system that takes O_DIRECT and then does not want it. */
START_TEST(no_direct_after_all)
{
	static const int refused[6] = {-EINVAL};
	bool direct;

	open_file(_i, 0);
	direct = file_uring_info(file)->direct;
	run_fill(memory, 8192, 1);
	ck_assert_int_eq(run_distorted(FILE_WRITE, 4096, memory, 8192, refused),
			 direct ? 0 : -EINVAL);
	ck_assert(!file_uring_info(file)->direct);
	ck_assert_int_eq(run_file(file, FILE_WRITE, 4096, memory, 8192), 0);
	memset(memory, 0, 8192);
	ck_assert_int_eq(run_file(file, FILE_READ, 4096, memory, 8192), 0);
	run_check(memory, 8192, 1);
}
END_TEST

/* What of zeroing the host cannot do is done another way. */
START_TEST(no_fallocate)
{
	static const int refused[6] = {-EOPNOTSUPP, -EOPNOTSUPP};
	uint64_t size = 0;

	open_file(_i, 0);
	memset(memory, 1, KiB(512));
	ck_assert_int_eq(run_file(file, FILE_WRITE, 0, memory, KiB(512)), 0);
	ck_assert_int_eq(run_distorted(FILE_ZERO, 4096, memory, KiB(300), refused), 0);
	ck_assert_int_eq(run_file(file, FILE_ZERO, KiB(500), NULL, KiB(100)), 0);
	ck_assert_int_eq(run_distorted(FILE_DISCARD, 8192, memory, 4096, refused), -EOPNOTSUPP);
	ck_assert_int_eq(run_file(file, FILE_READ, 0, memory, KiB(512)), 0);
	ck_assert_int_eq(memory[4095], 1);
	run_check_zero(memory + 4096, KiB(300));
	ck_assert_int_eq(memory[4096 + KiB(300)], 1);
	run_check_zero(memory + KiB(500), KiB(12));
	ck_assert_int_eq(file_size(file, &size), 0);
	ck_assert_uint_eq(size, KiB(600));
}
END_TEST

/* A limit of the host on the size of files is as good as a full disk. */
START_TEST(no_space)
{
	struct rlimit limit = {.rlim_cur = 65536, .rlim_max = RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	open_file(_i, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(run_file(file, FILE_WRITE, 61440, memory, 4096), 0);
	ck_assert_int_eq(run_file(file, FILE_WRITE, 65536, memory, 4096), -ENOSPC);
	ck_assert_int_eq(run_file(file, FILE_WRITE, 61440, memory, 16384), -ENOSPC);
	ck_assert_int_eq(run_file(file, FILE_READ, 61440, memory, 4096), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("file_uring_io");
	TCase *t = tcase_create("requests");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, aligned, 0, (int)ARRAY_SIZE(places));
	tcase_add_loop_test(t, past_end, 0, (int)ARRAY_SIZE(places));
	tcase_add_loop_test(t, unaligned, 0, (int)ARRAY_SIZE(places));
	tcase_add_loop_test(t, neighbours, 0, (int)ARRAY_SIZE(places));
	tcase_add_loop_test(t, long_vector, 0, (int)ARRAY_SIZE(places));
	tcase_add_loop_test(t, zero_and_discard, 0, (int)ARRAY_SIZE(places));
	tcase_add_loop_test(t, truncate_and_sync, 0, (int)ARRAY_SIZE(places));
	tcase_add_loop_test(t, many, 0, (int)ARRAY_SIZE(places));
	tcase_add_loop_test(t, distorted, 0, (int)ARRAY_SIZE(places));
	tcase_add_loop_test(t, errors, 0, (int)ARRAY_SIZE(places));
	tcase_add_loop_test(t, no_direct_after_all, 0, (int)ARRAY_SIZE(places));
	tcase_add_loop_test(t, no_fallocate, 0, (int)ARRAY_SIZE(places));
	tcase_add_loop_test(t, no_space, 0, (int)ARRAY_SIZE(places));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
