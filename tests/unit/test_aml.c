// SPDX-License-Identifier: MIT
/*
 * The AML encoder against bytes worked out by hand from ACPI 6.3, chapter 20 and section 6.4.
 */
#include "vmm/aml.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static uint8_t buf[4096];
static struct aml aml;

static void setup(void)
{
	memset(buf, 0xcc, sizeof(buf));
	aml_init(&aml, buf, sizeof(buf));
}

/* Ends the program and compares it with @len bytes. */
static void expect(const void *bytes, size_t len)
{
	size_t got = 0;

	ck_assert_int_eq(aml_finish(&aml, &got), 0);
	ck_assert_uint_eq(got, len);
	ck_assert_mem_eq(buf, bytes, len);
	ck_assert_uint_eq(buf[len], 0xcc);
}

#define EXPECT(...)                                                                                \
	do {                                                                                       \
		static const uint8_t bytes_[] = {__VA_ARGS__};                                     \
		expect(bytes_, sizeof(bytes_));                                                    \
	} while (0)

START_TEST(integers)
{
	static const uint64_t values[] = {0,      1,       2,          0xff,           0x100,
					  0xffff, 0x10000, 0xffffffff, 0x100000000ull, UINT64_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		aml_int(&aml, values[i]);
	EXPECT(0x00, 0x01, 0x0a, 0x02, 0x0a, 0xff, 0x0b, 0x00, 0x01, 0x0b, 0xff, 0xff, 0x0c, 0x00,
	       0x00, 0x01, 0x00, 0x0c, 0xff, 0xff, 0xff, 0xff, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x01,
	       0x00, 0x00, 0x00, 0xff);
}
END_TEST

START_TEST(paths)
{
	aml_name(&aml, "A");
	aml_name(&aml, "\\_SB");
	aml_name(&aml, "^^AB.C0");
	aml_name(&aml, "\\A.B.CDEF");
	EXPECT(0x08, 'A', '_', '_', '_', 0x08, '\\', '_', 'S', 'B', '_', 0x08, '^', '^', 0x2e, 'A',
	       'B', '_', '_', 'C', '0', '_', '_', 0x08, '\\', 0x2f, 3, 'A', '_', '_', '_', 'B', '_',
	       '_', '_', 'C', 'D', 'E', 'F');
}
END_TEST

static const char *const bad_paths[] = {"", "ABCDE", "0AB", "ab", "A.", ".A", "A B", "\\", "A\\B"};

START_TEST(bad_path_is_our_bug)
{
	aml_name(&aml, bad_paths[_i]);
}
END_TEST

START_TEST(objects)
{
	aml_string(&aml, "VMBus");
	aml_eisa_id(&aml, "PNP0501");
	aml_buffer(&aml, "\x11\x22", 2);
	aml_buffer(&aml, "", 0);
	EXPECT(0x0d, 'V', 'M', 'B', 'u', 's', 0, 0x0c, 0x41, 0xd0, 0x05, 0x01, 0x11, 0x05, 0x0a,
	       0x02, 0x11, 0x22, 0x11, 0x02, 0x00);
}
END_TEST

START_TEST(blocks)
{
	aml_scope(&aml, "\\_SB");
	aml_device(&aml, "DEV0");
	aml_method(&aml, "_STA", 2, true);
	aml_return_name(&aml, "STA");
	aml_end(&aml);
	aml_end(&aml);
	aml_end(&aml);
	EXPECT(0x10, 0x19, '\\', '_', 'S', 'B', '_', 0x5b, 0x82, 0x11, 'D', 'E', 'V', '0', 0x14,
	       0x0b, '_', 'S', 'T', 'A', 0x0a, 0xa4, 'S', 'T', 'A', '_');
}
END_TEST

START_TEST(statements)
{
	aml_and(&aml, "STA", 0xd, "STA");
	aml_or(&aml, "A", 1, "B");
	EXPECT(0x7b, 'S', 'T', 'A', '_', 0x0a, 0x0d, 'S', 'T', 'A', '_', 0x7d, 'A', '_', '_', '_',
	       0x01, 'B', '_', '_', '_');
}
END_TEST

START_TEST(package)
{
	aml_package(&aml, 2);
	aml_int(&aml, 5);
	aml_int(&aml, 0);
	aml_end(&aml);
	EXPECT(0x12, 0x05, 0x02, 0x0a, 0x05, 0x00);
}
END_TEST

/* A package of @content bytes gets a length of @bytes bytes, whose value is content + bytes. */
static void check_length(size_t content, size_t bytes)
{
	size_t room = content + 16;
	uint8_t *big = malloc(room);
	uint8_t *zeros = calloc(1, content);
	size_t len = 0;
	size_t value;

	ck_assert(big && zeros);
	aml_init(&aml, big, room);
	aml_package(&aml, 0);
	aml_bytes(&aml, zeros, content - 1);
	aml_end(&aml);
	ck_assert_int_eq(aml_finish(&aml, &len), 0);
	ck_assert_uint_eq(len, 1 + bytes + content);
	ck_assert_uint_eq(big[1] >> 6, bytes - 1);
	value = bytes == 1 ? big[1] & 0x3f : big[1] & 0xf;
	for (size_t i = 1; i < bytes; i++)
		value |= (size_t)big[1 + i] << (4 + 8 * (i - 1));
	ck_assert_uint_eq(value, content + bytes);
	free(big);
	free(zeros);
}

START_TEST(package_lengths)
{
	check_length(1, 1);
	check_length(62, 1);
	check_length(63, 2);
	check_length(0xffd, 2);
	check_length(0xffe, 3);
	check_length(0xffffc, 3);
	check_length(0xffffd, 4);
}
END_TEST

START_TEST(resources_small)
{
	aml_resources(&aml);
	aml_io(&aml, 0x3f8, 8);
	aml_irq(&aml, 4, AML_EDGE, AML_ACTIVE_HIGH);
	aml_irq(&aml, 15, AML_LEVEL, AML_ACTIVE_LOW);
	aml_end(&aml);
	EXPECT(0x11, 0x15, 0x0a, 0x12, 0x47, 0x01, 0xf8, 0x03, 0xf8, 0x03, 0x01, 0x08, 0x23, 0x10,
	       0x00, 0x01, 0x23, 0x00, 0x80, 0x08, 0x79, 0x00);
}
END_TEST

START_TEST(resources_fixed)
{
	aml_extended_irq(&aml, 0x123, AML_EDGE, AML_ACTIVE_LOW);
	aml_memory32_fixed(&aml, 0xfee00000, 0x1000, true);
	EXPECT(0x89, 0x06, 0x00, 0x07, 0x01, 0x23, 0x01, 0x00, 0x00, 0x86, 0x09, 0x00, 0x01, 0x00,
	       0x00, 0xe0, 0xfe, 0x00, 0x10, 0x00, 0x00);
}
END_TEST

START_TEST(resources_producers)
{
	aml_word_io_producer(&aml, 0xf000, 0x1000);
	aml_dword_memory_producer(&aml, 0xf8000000, 0x06c00000);
	aml_qword_memory_producer(&aml, 0x100000000ull, 0x40000000);
	EXPECT(0x88, 0x0d, 0x00, 0x01, 0x0c, 0x03, 0x00, 0x00, 0x00, 0xf0, 0xff, 0xff, 0x00, 0x00,
	       0x00, 0x10, /**/
	       0x87, 0x17, 0x00, 0x00, 0x0c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf8,
	       0xff, 0xff, 0xbf, 0xfe, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0x06, /**/
	       0x8a, 0x2b, 0x00, 0x00, 0x0c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	       0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0x3f, 0x01, 0x00,
	       0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x40,
	       0x00, 0x00, 0x00, 0x00);
}
END_TEST

START_TEST(range_that_wraps_is_our_bug)
{
	aml_qword_memory_producer(&aml, UINT64_MAX, 2);
}
END_TEST

/* Something with every kind of block. */
static void write_sample(void)
{
	aml_scope(&aml, "\\_SB");
	aml_device(&aml, "DEV0");
	aml_name(&aml, "_HID");
	aml_string(&aml,
		   "a string that makes the block longer than a one-byte length can say......");
	aml_name(&aml, "_CRS");
	aml_resources(&aml);
	aml_io(&aml, 0x3f8, 8);
	aml_end(&aml);
	aml_method(&aml, "_DIS", 0, false);
	aml_and(&aml, "STA", 0xd, "STA");
	aml_end(&aml);
	aml_end(&aml);
	aml_end(&aml);
}

static bool untouched_from(size_t pos)
{
	while (pos < sizeof(buf) && buf[pos] == 0xcc)
		pos++;
	return pos == sizeof(buf);
}

START_TEST(overflow_at_every_size)
{
	uint8_t whole[sizeof(buf)];
	size_t len = 0;

	write_sample();
	ck_assert_int_eq(aml_finish(&aml, &len), 0);
	memcpy(whole, buf, len);
	for (size_t size = 0; size <= len; size++) {
		size_t got = 12345;

		memset(buf, 0xcc, sizeof(buf));
		aml_init(&aml, buf, size);
		write_sample();
		if (size == len) {
			ck_assert_int_eq(aml_finish(&aml, &got), 0);
			ck_assert_uint_eq(got, len);
			ck_assert_mem_eq(buf, whole, len);
		} else {
			ck_assert_int_eq(aml_finish(&aml, &got), -ENOSPC);
			ck_assert_uint_eq(got, 12345);
		}
		ck_assert(untouched_from(size));
	}
}
END_TEST

START_TEST(overflow_is_sticky)
{
	size_t len;

	aml_init(&aml, buf, 4);
	aml_string(&aml, "too long");
	aml_int(&aml, 0); /* would fit */
	ck_assert_int_eq(aml_finish(&aml, &len), -ENOSPC);
}
END_TEST

START_TEST(open_block_at_finish_is_our_bug)
{
	size_t len;

	aml_device(&aml, "DEV0");
	(void)!aml_finish(&aml, &len);
}
END_TEST

START_TEST(end_without_block_is_our_bug)
{
	aml_end(&aml);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("aml");
	TCase *tc = tcase_create("aml");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, integers);
	tcase_add_test(tc, paths);
	tcase_add_test(tc, objects);
	tcase_add_test(tc, blocks);
	tcase_add_test(tc, statements);
	tcase_add_test(tc, package);
	tcase_add_test(tc, package_lengths);
	tcase_add_test(tc, resources_small);
	tcase_add_test(tc, resources_fixed);
	tcase_add_test(tc, resources_producers);
	tcase_add_test(tc, overflow_at_every_size);
	tcase_add_test(tc, overflow_is_sticky);
	tcase_add_loop_test_raise_signal(tc, bad_path_is_our_bug, SIGABRT, 0,
					 (int)ARRAY_SIZE(bad_paths));
	tcase_add_test_raise_signal(tc, range_that_wraps_is_our_bug, SIGABRT);
	tcase_add_test_raise_signal(tc, open_block_at_finish_is_our_bug, SIGABRT);
	tcase_add_test_raise_signal(tc, end_without_block_is_our_bug, SIGABRT);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
