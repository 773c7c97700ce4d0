// SPDX-License-Identifier: MIT
/*
 * Assert and report, as TAP lines on the console.
 *
 *   ok 1 - name
 *   not ok 2 - name # file:line expr: got 0x1 want 0x2
 *   ok 3 - name # SKIP reason
 *   # note
 *   1..3                     the plan, last: a guest that dies early has none
 *   1..0 # SKIP reason       nothing could be tested
 *   Bail out! reason         an exception, the watchdog, or a guest that cannot go on
 *
 * A case is one `ok` line. It is either one check, or any number of expect()s, which are silent
 * unless they fail, closed by test_case().
 *
 * The end: the value goes to the debug-exit port 0xf4, which makes the VMM's exit status
 * (value << 1) | 1. A VMM without that port gets an ACPI power-off.
 */
#pragma once

#include "kit/base.h"
#include "kit/console.h"

enum test_exit {
	EXIT_PASSED = 0,     /* status 1 */
	EXIT_FAILED = 0x20,  /* status 65: a case failed */
	EXIT_BAILED = 0x21,  /* status 67: Bail out! */
	EXIT_SKIPPED = 0x22, /* status 69: 1..0 # SKIP */
};

/* What a guest is made of: one file that defines test_main(). Returning from it ends the test. */
void test_main(void);

/*
 * Optional. Called before the kit has touched any device: exceptions are handled, start info,
 * command line and page tables are there; console, ACPI, timing and APIC are not.
 */
void early_main(void);

void note(const char *fmt, ...) printf_like(1, 2);

/* One check is one case; true when it held. The name must not contain a '#'. */
#define check(cond, ...) test_check(__FILE_NAME__, __LINE__, #cond, !!(cond), __VA_ARGS__)
#define check_eq(got, want, ...)                                                                   \
	test_check_eq(__FILE_NAME__, __LINE__, #got, (uint64_t)(got), (uint64_t)(want), __VA_ARGS__)

/* Part of a case: failures are remembered, the first few noted. True when it held. */
#define expect(cond) test_expect(__FILE_NAME__, __LINE__, #cond, !!(cond))
#define expect_eq(got, want)                                                                       \
	test_expect_eq(__FILE_NAME__, __LINE__, #got, (uint64_t)(got), (uint64_t)(want))

/* Ends the case of the expect()s since the last one; true when all of them held. */
bool test_case(const char *fmt, ...) printf_like(1, 2);

/* A case that cannot be tested here. */
void skip(const char *name, const char *fmt, ...) printf_like(2, 3);

/*
 * Prints the plan, for a guest whose end is itself what is tested: the VMM's exit status tells.
 * If the end does not come, bail_out().
 */
void test_plan(void);

/* The count so far, for a test that goes on after a reset. */
struct test_progress {
	unsigned int cases;
	unsigned int failed;
};

struct test_progress test_progress(void);
void test_resume(struct test_progress progress);

/* These do not come back. */
no_return void skip_all(const char *fmt, ...) printf_like(1, 2);
no_return void bail_out(const char *fmt, ...) printf_like(1, 2);
no_return void test_finish(void);

#ifndef __FILE_NAME__
#define __FILE_NAME__ __FILE__
#endif

bool test_check(const char *file, int line, const char *expr, bool ok, const char *fmt, ...)
	printf_like(5, 6);
bool test_check_eq(const char *file, int line, const char *expr, uint64_t got, uint64_t want,
		   const char *fmt, ...) printf_like(6, 7);
bool test_expect(const char *file, int line, const char *expr, bool ok);
bool test_expect_eq(const char *file, int line, const char *expr, uint64_t got, uint64_t want);
