// SPDX-License-Identifier: MIT
/*
 * Reference time (TLFS 12.1, 12.4, 12.7): from zero, at the right rate, the same by counter and by
 * page, and never backwards on any VP.
 *
 * Parameters: engine=kernel (KVM serves), n=N (readings of each VP, default 20000; a hundred
 * million in all is a long run), msr_every=N (each N-th reading by the counter, default 50; 0
 * none), born_ms=N (what the clock may show at the first instruction, default 10000).
 */
#include "kit/hv.h"
#include "kit/kit.h"

static uint64_t at_first;

void early_main(void)
{
	/* Before an identity was announced: the clock is there from the beginning. */
	if (hv_present() && hv_eax(HV_EAX_REF_COUNTER))
		at_first = hv_time_msr();
}

static void test_creation(void)
{
	uint64_t limit = HV_TIME_MS(param_u64("born_ms", 10000));

	note("%lu us at the first instructions", at_first / 10);
	expect(at_first < limit);
	expect(hv_time_msr() >= at_first);
	test_case("time begins at zero when the machine is created");
}

static void test_rate(void)
{
	uint64_t t0, t1, ns0 = now_ns();

	t0 = hv_time_msr();
	delay_us(200000);
	t1 = hv_time_msr();
	uint64_t elapsed = (now_ns() - ns0) / 100;

	note("%lu of %lu units by the TSC (%s)", t1 - t0, elapsed, tsc_source());
	check((t1 - t0) * 100 > elapsed * 97 && (t1 - t0) * 100 < elapsed * 103,
	      "the counter runs at 10 MHz");
}

/*
 * --- The page.
 * ------------------------------------------------------------------------------------
 */

/* What the page's scale makes of a second of a TSC of @hz: 10,000,000 if it is that fast. */
static uint64_t units_of_second(const struct hv_reference_tsc_page *page, uint64_t hz)
{
	return (uint64_t)((unsigned __int128)hz * page->tsc_scale >> 64);
}

static void test_page(const struct hv_reference_tsc_page *page)
{
	uint64_t units;

	if (!page->tsc_sequence) {
		skip("the page's contents", "it says that this host's TSC cannot be used");
		return;
	}
	note("sequence %u, scale 0x%lx, offset %ld", page->tsc_sequence, page->tsc_scale,
	     page->tsc_offset);
	expect(page->tsc_sequence != 0xffffffff);
	expect_eq(page->reserved, 0);
	units = units_of_second(page, tsc_khz() * 1000);
	expect(units > 9700000 && units < 10300000);
	if (hv_eax(HV_EAX_FREQUENCY_MSRS)) {
		units = units_of_second(page, rdmsr(HV_MSR_TSC_FREQUENCY));
		expect(units > 9999000 && units < 10001000);
	}
	test_case("the page is valid, and its scale is the TSC's frequency");
}

static void expect_agreement(void *arg)
{
	const struct hv_reference_tsc_page *page = arg;

	for (unsigned int i = 0; i < 200; i++) {
		uint64_t before = hv_time_msr(), by_page = hv_time_page(page),
			 after = hv_time_msr();

		expect(before <= by_page);
		expect(by_page <= after);
	}
}

static void test_agreement(const struct hv_reference_tsc_page *page)
{
	void *arg = (void *)(uintptr_t)page;

	expect_agreement(arg);
	smp_call_others(expect_agreement, arg);
	expect(smp_wait_all(10000));
	test_case("counter and page agree on %u VPs", cpu_count());
}

/* Steps of whole time whatever is done to the page: @ret_last moves on. */
static void expect_onwards(uint64_t now, uint64_t *ret_last)
{
	expect(now >= *ret_last);
	expect(now - *ret_last < HV_TIME_MS(2000));
	*ret_last = now;
}

static void test_enabling(void)
{
	struct hv_reference_tsc_page *pages = page_alloc(2);
	uint64_t last = hv_time_msr();

	for (unsigned int i = 0; i < 20; i++) {
		struct hv_reference_tsc_page *page = &pages[i % 2];

		wrmsr(HV_MSR_REFERENCE_TSC, (uintptr_t)page | HV_PAGE_MSR_ENABLE);
		expect_onwards(hv_time_msr(), &last);
		expect_onwards(hv_time_page(page), &last);
		if (i % 3)
			wrmsr(HV_MSR_REFERENCE_TSC, 0);
		expect_onwards(hv_time_msr(), &last);
	}
	wrmsr(HV_MSR_REFERENCE_TSC, 0);
	expect_onwards(hv_time_msr(), &last);
	test_case("time goes on while the page is enabled, moved and disabled");
}

/* A reader that finds sequence 0 takes the counter instead. */
static void test_fallback(const struct hv_reference_tsc_page *page)
{
	struct hv_reference_tsc_page copy = *page;
	uint64_t before, between, after;

	copy.tsc_sequence = 0;
	copy.tsc_offset = -1;
	before = hv_time_msr();
	between = hv_time_page(&copy);
	after = hv_time_msr();
	check(before <= between && between <= after, "sequence 0 leads to the counter");
}

/*
 * --- All VPs at once.
 * -------------------------------------------------------------------------------
 */

static const struct hv_reference_tsc_page *shared_page;
static uint64_t shared_last;
static uint64_t readings, msr_every;
static uint64_t regressions, worst; /* atomic; worst is only noted */

static void report_regression(uint64_t by)
{
	__atomic_fetch_add(&regressions, 1, __ATOMIC_SEQ_CST);
	if (by > READ_ONCE(worst))
		WRITE_ONCE(worst, by);
}

/*
 * What any VP has published was read before: a later reading may not be less. The page's reader
 * orders its TSC after the load of what was published. One published late only makes the test
 * weaker.
 */
static void read_many(void *unused)
{
	uint64_t until_msr = msr_every;

	(void)unused;
	for (uint64_t i = 0; i < readings; i++) {
		uint64_t last = load_acquire(&shared_last), now;

		if (until_msr && !--until_msr) {
			now = hv_time_msr();
			until_msr = msr_every;
			deadline_passed(UINT64_MAX); /* the watchdog */
		} else {
			now = hv_time_page(shared_page);
		}
		if (now < last)
			report_regression(last - now);
		store_release(&shared_last, now);
	}
}

static void test_monotonic(const struct hv_reference_tsc_page *page)
{
	uint64_t begin = now_ns();

	shared_page = page;
	readings = param_u64("n", 20000);
	msr_every = param_u64("msr_every", 50);
	smp_call_others(read_many, NULL);
	read_many(NULL);
	expect(smp_wait_all(3600000));
	expect_eq(regressions, 0);
	if (regressions)
		note("%lu times backwards, by up to %lu units", regressions, worst);
	test_case("%lu readings on each of %u VPs: never backwards", readings, cpu_count());
	note("%lu ns a reading", (now_ns() - begin) / (readings ? readings : 1));
}

void test_main(void)
{
	const struct hv_reference_tsc_page *page;

	hv_init();
	if (!hv_eax(HV_EAX_REF_COUNTER | HV_EAX_REF_TSC))
		skip_all("reference time is not announced");
	if (cpu_count() > 1 && !smp_start_all(20000))
		bail_out("not all CPUs start");
	test_creation();
	test_rate();
	test_enabling();
	page = hv_time_enable();
	test_page(page);
	test_agreement(page);
	test_fallback(page);
	test_monotonic(page);
}
