// SPDX-License-Identifier: MIT
/*
 * The end by a crash report through the crash MSRs (TLFS 4.3): what the VMM makes of it is judged
 * by its exit status and result file.
 *
 * Parameters: mode=text (default: a message), long (of a whole page), plain (parameters alone), bad
 * (a message where there is no memory), linux (the log that a Linux kernel leaves when it panics);
 * cpu=N (who reports, default 0), ignored (the VMM is to take note and let us go on).
 */
#include "kit/hv.h"
#include "kit/kit.h"

#define TEXT "the pump stopped: no water, pressure 0x2a"
#define LOG                                                                                        \
	"[    2.718] something before\nKernel panic - not syncing: no pump found\n"                \
	"[    2.719] something after\n"

static uint64_t control = HV_CRASH_NOTIFY | HV_CRASH_MESSAGE;

static void place_message(const char *text, size_t len)
{
	wrmsr(HV_MSR_CRASH_P0 + 3, (uintptr_t)text);
	wrmsr(HV_MSR_CRASH_P4, len);
}

static void fill_message(const char *mode)
{
	char *page = page_alloc(2);

	if (!strcmp(mode, "long")) {
		/* Only the end of it says why; it lies across two pages. */
		page += 100;
		memset(page, 'x', PAGE_SIZE);
		memcpy(page + PAGE_SIZE - strlen(TEXT), TEXT, strlen(TEXT));
		place_message(page, PAGE_SIZE);
	} else if (!strcmp(mode, "bad")) {
		place_message((const char *)(uintptr_t)0xfffffffffffff000, ~0ull);
	} else if (!strcmp(mode, "plain")) {
		control = HV_CRASH_NOTIFY;
	} else if (!strcmp(mode, "linux")) {
		place_message(LOG, strlen(LOG));
	} else {
		memcpy(page, TEXT, strlen(TEXT));
		page[8] = '\x1b'; /* nothing that would harm a terminal gets out */
		place_message(page, strlen(TEXT));
	}
}

static void crash(void *unused)
{
	(void)unused;
	wrmsr(HV_MSR_CRASH_CTL, control);
}

void test_main(void)
{
	unsigned int cpu = (unsigned int)param_u64("cpu", 0);
	char mode[8];

	if (!hv_present() || !hv_edx(HV_EDX_CRASH_MSRS))
		skip_all("crash MSRs are not announced");
	if (cpu_count() > 1 && !smp_start_all(10000))
		bail_out("not all CPUs start");
	check_eq(rdmsr(HV_MSR_CRASH_CTL), HV_CRASH_NOTIFY | HV_CRASH_MESSAGE,
		 "notifications with a message are offered");
	for (uint32_t i = 0; i < 5; i++)
		wrmsr(HV_MSR_CRASH_P0 + i, 0xc0ffee00 + i);
	param_string("mode", "text", mode, sizeof(mode));
	fill_message(mode);
	if (param_is_set("ignored")) {
		check(smp_call(cpu, crash, NULL, 3000), "life goes on after a crash report");
		return;
	}
	test_plan();
	smp_call(cpu, crash, NULL, 3000);
	delay_us(3000000);
	bail_out("still alive after a crash report");
}
