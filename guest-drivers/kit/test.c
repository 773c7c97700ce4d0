// SPDX-License-Identifier: MIT
/*
 * The report. The counters are CPU 0's, except that expect() may fail on any CPU.
 */
#include "kit/cpu.h"
#include "kit/power.h"
#include "kit/smp.h"
#include "kit/test.h"

#define DEBUG_EXIT_PORT    0xf4
#define NOTED_FAILURES_MAX 5

static struct test_progress total;
static unsigned int failures; /* of the open case; atomic */

static no_return void end(enum test_exit value)
{
	out32(DEBUG_EXIT_PORT, value);
	acpi_power_off();
	for (;;)
		cpu_halt();
}

void note(const char *fmt, ...)
{
	char text[CONSOLE_LINE_MAX];
	va_list args;

	va_start(args, fmt);
	format_text_va(text, sizeof(text), fmt, args);
	va_end(args);
	print("# %s\n", text);
}

/* @detail: NULL or what stands behind the '#'. */
static void report(bool ok, const char *detail, const char *fmt, va_list args)
{
	char name[160];

	format_text_va(name, sizeof(name), fmt, args);
	total.cases++;
	total.failed += !ok;
	print("%sok %u - %s%s%s\n", ok ? "" : "not ", total.cases, name, detail ? " # " : "",
	      detail ? detail : "");
}

bool test_check(const char *file, int line, const char *expr, bool ok, const char *fmt, ...)
{
	char detail[200];
	va_list args;

	format_text(detail, sizeof(detail), "%s:%d %s", file, line, expr);
	va_start(args, fmt);
	report(ok, ok ? NULL : detail, fmt, args);
	va_end(args);
	return ok;
}

bool test_check_eq(const char *file, int line, const char *expr, uint64_t got, uint64_t want,
		   const char *fmt, ...)
{
	char detail[200];
	bool ok = got == want;
	va_list args;

	format_text(detail, sizeof(detail), "%s:%d %s: got 0x%lx want 0x%lx", file, line, expr, got,
		    want);
	va_start(args, fmt);
	report(ok, ok ? NULL : detail, fmt, args);
	va_end(args);
	return ok;
}

bool test_expect(const char *file, int line, const char *expr, bool ok)
{
	if (!ok && atomic_inc(&failures) < NOTED_FAILURES_MAX)
		note("%s:%d %s (cpu %u)", file, line, expr, cpu_index());
	return ok;
}

bool test_expect_eq(const char *file, int line, const char *expr, uint64_t got, uint64_t want)
{
	bool ok = got == want;

	if (!ok && atomic_inc(&failures) < NOTED_FAILURES_MAX)
		note("%s:%d %s: got 0x%lx want 0x%lx (cpu %u)", file, line, expr, got, want,
		     cpu_index());
	return ok;
}

bool test_case(const char *fmt, ...)
{
	unsigned int count = __atomic_exchange_n(&failures, 0, __ATOMIC_SEQ_CST);
	char detail[48];
	va_list args;

	format_text(detail, sizeof(detail), "%u failed expectations", count);
	va_start(args, fmt);
	report(!count, count ? detail : NULL, fmt, args);
	va_end(args);
	return !count;
}

void skip(const char *name, const char *fmt, ...)
{
	char reason[160];
	va_list args;

	va_start(args, fmt);
	format_text_va(reason, sizeof(reason), fmt, args);
	va_end(args);
	total.cases++;
	print("ok %u - %s # SKIP %s\n", total.cases, name, reason);
}

void skip_all(const char *fmt, ...)
{
	char reason[160];
	va_list args;

	va_start(args, fmt);
	format_text_va(reason, sizeof(reason), fmt, args);
	va_end(args);
	print("1..0 # SKIP %s\n", reason);
	end(EXIT_SKIPPED);
}

void bail_out(const char *fmt, ...)
{
	char reason[200];
	va_list args;

	va_start(args, fmt);
	format_text_va(reason, sizeof(reason), fmt, args);
	va_end(args);
	print("Bail out! %s\n", reason);
	end(EXIT_BAILED);
}

void test_plan(void)
{
	if (READ_ONCE(failures))
		test_case("expectations that no case closed");
	print("1..%u\n", total.cases);
}

struct test_progress test_progress(void)
{
	return total;
}

void test_resume(struct test_progress progress)
{
	total = progress;
}

void test_finish(void)
{
	test_plan();
	end(total.failed || !total.cases ? EXIT_FAILED : EXIT_PASSED);
}
