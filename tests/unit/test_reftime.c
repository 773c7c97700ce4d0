// SPDX-License-Identifier: MIT
/*
 * Reference time against TLFS 12.1.2 and 12.7: the counter and the page are one clock, which starts
 * at 0 and never runs backwards.
 */
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "hv-enlight/reftime.h"
#include "hv_tests.h"

#define SECOND REFTIME_HZ

static struct reftime timebase;

static void setup(void)
{
}

static void teardown(void)
{
}

/* The formula as the TLFS gives it, from the page alone. */
static uint64_t page_time(const struct hv_reference_tsc_page *page, uint64_t tsc)
{
	return (uint64_t)((unsigned __int128)tsc * page->tsc_scale >> 64) +
	       (uint64_t)page->tsc_offset;
}

static uint64_t measure_tsc_hz(void)
{
	uint64_t ns = reftime_monotonic(), tsc = __rdtsc(), passed;

	do
		passed = reftime_monotonic() - ns;
	while (passed < 5 * NSEC_PER_MSEC);
	return (uint64_t)((unsigned __int128)(__rdtsc() - tsc) * NSEC_PER_SEC / passed);
}

START_TEST(starts_at_0)
{
	static const uint64_t rates[] = {0,          REFTIME_HZ, REFTIME_HZ + 1,
					 1000000000, 2500000000, 6000000000};
	static const int64_t deltas[] = {
		0, 1, -1, INT64_C(1) << 40, -(INT64_C(1) << 40), INT64_MAX, INT64_MIN};

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
		for (size_t j = 0; j < ARRAY_SIZE(deltas); j++) {
			reftime_init(&timebase, rates[i], deltas[j]);
			/* A TSC of 10 MHz at best would not get far either. */
			ck_assert_uint_lt(reftime_now(&timebase), 60 * SECOND);
		}
}
END_TEST

START_TEST(page_equals_counter)
{
	static const uint64_t rates[] = {REFTIME_HZ + 1, 100000000, 1000000000, 2599999000,
					 6000000000};
	static const uint64_t tscs[] = {0,          1,          1000000000,     1ull << 40,
					1ull << 62, 1ull << 63, UINT64_MAX - 1, UINT64_MAX};
	struct hv_reference_tsc_page page;

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		reftime_init(&timebase, rates[i], -(int64_t)(i << 33));
		memset(&page, 0, sizeof(page));
		reftime_page(&timebase, &page);
		ck_assert_uint_ne(page.tsc_sequence, 0);
		for (size_t j = 0; j < ARRAY_SIZE(tscs); j++)
			ck_assert_uint_eq(reftime_of_tsc(&timebase, tscs[j]),
					  page_time(&page, tscs[j]));
	}
}
END_TEST

/* Read in turn, each is at or after the other. */
START_TEST(page_between_counters)
{
	const int64_t delta = -(INT64_C(1) << 42);
	struct hv_reference_tsc_page page = {0};

	reftime_init(&timebase, measure_tsc_hz(), delta);
	reftime_page(&timebase, &page);
	for (int i = 0; i < 20000; i++) {
		uint64_t before = reftime_now(&timebase);
		uint64_t between = page_time(&page, __rdtsc() + (uint64_t)delta);
		uint64_t after = reftime_now(&timebase);

		/* As ck_assert(), which is too slow for so many. */
		if (before > between || between > after)
			ck_abort_msg("%llu, %llu, %llu", (unsigned long long)before,
				     (unsigned long long)between, (unsigned long long)after);
	}
}
END_TEST

static void never_backwards(void)
{
	uint64_t last = 0;

	for (int i = 0; i < 50000; i++) {
		uint64_t now = reftime_now(&timebase);

		if (now < last)
			ck_abort_msg("%llu after %llu", (unsigned long long)now,
				     (unsigned long long)last);
		last = now;
	}
}

START_TEST(monotonic)
{
	reftime_init(&timebase, measure_tsc_hz(), 0);
	never_backwards();
	reftime_init(&timebase, 0, 0);
	never_backwards();
}
END_TEST

/* What one VP has read, another does not read less of afterwards. */
static uint64_t shared_last;
static bool ran_backwards;

static void *read_shared(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		uint64_t seen = __atomic_load_n(&shared_last, __ATOMIC_SEQ_CST);
		uint64_t now = reftime_now(&timebase);

		if (now < seen)
			__atomic_store_n(&ran_backwards, true, __ATOMIC_SEQ_CST);
		__atomic_store_n(&shared_last, now, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

START_TEST(monotonic_over_threads)
{
	for (int by_tsc = 0; by_tsc < 2; by_tsc++) {
		pthread_t thread;

		reftime_init(&timebase, by_tsc ? measure_tsc_hz() : 0, 0);
		shared_last = 0;
		ck_assert_int_eq(pthread_create(&thread, NULL, read_shared, NULL), 0);
		read_shared(NULL);
		pthread_join(thread, NULL);
		ck_assert(!ran_backwards);
	}
}
END_TEST

START_TEST(rate)
{
	for (int by_tsc = 0; by_tsc < 2; by_tsc++) {
		uint64_t start, passed;

		reftime_init(&timebase, by_tsc ? measure_tsc_hz() : 0, 0);
		start = reftime_monotonic();
		while (reftime_monotonic() - start < 20 * NSEC_PER_MSEC)
			;
		passed = reftime_now(&timebase);
		ck_assert_uint_ge(passed, 18 * SECOND / 1000);
		/* Only what this thread was not kept from doing counts. */
		start = (reftime_monotonic() - start) / 100;
		ck_assert_uint_le(passed, start + start / 5 + SECOND / 1000);
	}
}
END_TEST

/* A TSC that cannot carry it: the page says so, and the counter goes on by itself. */
START_TEST(fallback)
{
	static const uint64_t rates[] = {0, 1, 1000000, REFTIME_HZ};
	struct hv_reference_tsc_page page;

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		reftime_init(&timebase, rates[i], 12345);
		ck_assert(!timebase.by_tsc);
		memset(&page, 0xff, sizeof(page));
		reftime_page(&timebase, &page);
		ck_assert_uint_eq(page.tsc_sequence, 0);
	}
	reftime_init(&timebase, REFTIME_HZ + 1, 0);
	ck_assert(timebase.by_tsc);
	ck_assert_uint_ne(timebase.scale, 0);
}
END_TEST

START_TEST(reserved_parts)
{
	struct hv_reference_tsc_page page;

	reftime_init(&timebase, 2000000000, 0);
	memset(&page, 0xff, sizeof(page));
	reftime_page(&timebase, &page);
	ck_assert_uint_eq(page.reserved, 0);
	for (size_t i = 0; i < ARRAY_SIZE(page.padding); i++)
		ck_assert_uint_eq(page.padding[i], 0);
	/* 0 and all ones have meanings (TLFS 12.7.3). */
	ck_assert_uint_ne(page.tsc_sequence, 0);
	ck_assert_uint_ne(page.tsc_sequence, UINT32_MAX);
}
END_TEST

/* --- A VP enables the page while others read it. --------------------------------------------- */

static struct hv_reference_tsc_page shared_page;
static bool stop, misled;

static void *read_page(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		uint32_t start = __atomic_load_n(&shared_page.tsc_sequence, __ATOMIC_ACQUIRE);
		uint64_t scale = __atomic_load_n(&shared_page.tsc_scale, __ATOMIC_ACQUIRE);
		int64_t offset = __atomic_load_n(&shared_page.tsc_offset, __ATOMIC_ACQUIRE);
		uint32_t end = __atomic_load_n(&shared_page.tsc_sequence, __ATOMIC_ACQUIRE);

		if (start && start == end && (scale != timebase.scale || offset != timebase.offset))
			__atomic_store_n(&misled, true, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* As the guest's own code reads it: whoever finds a sequence number finds its values. */
START_TEST(page_protocol)
{
	pthread_t thread;

	reftime_init(&timebase, 2000000000, -(INT64_C(1) << 40));
	ck_assert_int_eq(pthread_create(&thread, NULL, read_page, NULL), 0);
	for (int i = 0; i < 20000; i++)
		reftime_page(&timebase, &shared_page);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	ck_assert(!misled);
}
END_TEST

/* --- Back to the host's clock. --------------------------------------------------------------- */

START_TEST(to_monotonic)
{
	static const uint64_t ahead[] = {1, 10, 10000, SECOND, 3600 * SECOND};

	for (int by_tsc = 0; by_tsc < 2; by_tsc++) {
		reftime_init(&timebase, by_tsc ? 2000000000 : 0, 0);
		for (size_t i = 0; i < ARRAY_SIZE(ahead); i++) {
			uint64_t ns = reftime_monotonic();
			uint64_t when = reftime_now(&timebase) + ahead[i];
			uint64_t at = reftime_to_monotonic(&timebase, when);

			ck_assert_uint_le(at, reftime_monotonic() + ahead[i] * 100);
			ck_assert(at >= ns);
		}
	}
}
END_TEST

START_TEST(to_monotonic_of_the_past)
{
	for (int by_tsc = 0; by_tsc < 2; by_tsc++) {
		uint64_t before, at;

		reftime_init(&timebase, by_tsc ? 2000000000 : 0, 0);
		while (reftime_now(&timebase) < 100)
			;
		before = reftime_monotonic();
		at = reftime_to_monotonic(&timebase, 1);
		ck_assert(before <= at && at <= reftime_monotonic());
	}
}
END_TEST

/* So far away that nanoseconds cannot tell: late, but not in the past. */
START_TEST(to_monotonic_of_eternity)
{
	static const uint64_t whens[] = {UINT64_MAX, UINT64_MAX - 1, UINT64_MAX / 2,
					 UINT64_MAX / 100, UINT64_MAX / 400};
	uint64_t century = 100ull * 365 * 86400 * NSEC_PER_SEC;

	for (int by_tsc = 0; by_tsc < 2; by_tsc++) {
		reftime_init(&timebase, by_tsc ? 2000000000 : 0, 0);
		for (size_t i = 0; i < ARRAY_SIZE(whens); i++) {
			uint64_t at = reftime_to_monotonic(&timebase, whens[i]);

			ck_assert_uint_gt(at, reftime_monotonic() + century / 2);
			/* What a timer can be set to. */
			ck_assert_uint_le(at, INT64_MAX);
		}
	}
}
END_TEST

/* At that nanosecond the time has come: a timer set to it does not have to be set again. */
START_TEST(reached)
{
	reftime_init(&timebase, 0, 0);
	for (int i = 0; i < 50; i++) {
		uint64_t when = reftime_now(&timebase) + 50 + (uint64_t)i;
		uint64_t at = reftime_to_monotonic(&timebase, when);

		while (reftime_monotonic() < at)
			;
		ck_assert_uint_ge(reftime_now(&timebase), when);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		starts_at_0,  page_equals_counter,      page_between_counters,
		monotonic,    monotonic_over_threads,   rate,
		fallback,     reserved_parts,           page_protocol,
		to_monotonic, to_monotonic_of_the_past, to_monotonic_of_eternity,
		reached,
	};

	return hv_run_tests("reftime", setup, teardown, tests, ARRAY_SIZE(tests));
}
