// SPDX-License-Identifier: MIT
/*
 * Reference time arithmetic. No locks: everything is constant after reftime_init().
 */
#include "hv-enlight/reftime.h"

#include <string.h>
#include <time.h>
#include <x86intrin.h>

uint64_t reftime_monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/*
 * The fence keeps the reading behind what was read before it: else time could seem to run backwards
 * between two threads that hand a reading over.
 */
static uint64_t guest_tsc(const struct reftime *time)
{
	_mm_lfence();
	return __rdtsc() + (uint64_t)time->guest_tsc_delta;
}

void reftime_init(struct reftime *time, uint64_t tsc_hz, int64_t guest_tsc_delta)
{
	*time = (struct reftime){.tsc_hz = tsc_hz,
				 .guest_tsc_delta = guest_tsc_delta,
				 .start_ns = reftime_monotonic()};
	/* The scale is below 1: a TSC slower than reference time itself cannot carry it. */
	if (tsc_hz <= REFTIME_HZ)
		return;
	time->by_tsc = true;
	time->scale = (uint64_t)(((unsigned __int128)REFTIME_HZ << 64) / tsc_hz);
	time->offset = (int64_t)(0 - reftime_of_tsc(time, guest_tsc(time)));
}

uint64_t reftime_of_tsc(const struct reftime *time, uint64_t tsc)
{
	return (uint64_t)((unsigned __int128)tsc * time->scale >> 64) + (uint64_t)time->offset;
}

uint64_t reftime_now(const struct reftime *time)
{
	if (time->by_tsc)
		return reftime_of_tsc(time, guest_tsc(time));
	return (reftime_monotonic() - time->start_ns) / 100;
}

uint64_t reftime_to_monotonic(const struct reftime *time, uint64_t when)
{
	uint64_t now = reftime_now(time), ns = reftime_monotonic(), left = when - now;

	if (when <= now)
		return ns;
	/* Beyond some centuries the difference does not matter, but must not wrap. */
	return ns + min_of(left, UINT64_MAX / 400) * 100;
}

/*
 * Other VPs may be reading it: the values stand there before the sequence number that makes them
 * valid (TLFS 12.7.3.2), and writing the same ones once more disturbs nobody.
 */
void reftime_page(const struct reftime *time, struct hv_reference_tsc_page *page)
{
	if (!time->by_tsc)
		__atomic_store_n(&page->tsc_sequence, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&page->tsc_scale, time->scale, __ATOMIC_RELAXED);
	__atomic_store_n(&page->tsc_offset, time->offset, __ATOMIC_RELAXED);
	page->reserved = 0;
	memset(page->padding, 0, sizeof(page->padding));
	if (time->by_tsc)
		__atomic_store_n(&page->tsc_sequence, 1, __ATOMIC_RELEASE);
}
