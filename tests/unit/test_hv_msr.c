// SPDX-License-Identifier: MIT
/*
 * The synthetic MSRs against TLFS appendix C: each one that is announced works as its row there
 * says, each one that is not faults. Those that place pages are in test_hv_msr_pages.c.
 */
#include <string.h>

#include "hv_fake.h"
#include "hv_tests.h"

#define FEATURE(f) HV_FEATURE_BIT(HV_FEATURE_##f)
#define GPA        0x8000ull
#define SLOT_4     (GPA + 4 * sizeof(struct hv_message))

static struct hv_fake fake;

static void setup(void)
{
	hv_fake_create(&fake, 0);
}

static void teardown(void)
{
	hv_fake_destroy(&fake);
}

static bool rd(uint32_t msr, uint64_t *ret)
{
	return hv_fake_rdmsr(&fake, 0, msr, ret);
}

static uint64_t get(uint32_t msr)
{
	uint64_t value = 0xdead;

	ck_assert(rd(msr, &value));
	return value;
}

static bool wr(uint32_t msr, uint64_t value)
{
	return hv_fake_wrmsr(&fake, 0, msr, value);
}

static void set(uint32_t msr, uint64_t value)
{
	ck_assert_msg(wr(msr, value), "MSR %x takes no %llx", msr, (unsigned long long)value);
}

/* --- The table. ------------------------------------------------------------------------------ */

static const struct msr_rule {
	uint32_t first, last;
	uint32_t feature; /* 0: the interface itself */
	bool r, w;
	uint64_t valid; /* a value to write */
} rules[] = {
	{HV_MSR_GUEST_OS_ID, HV_MSR_HYPERCALL, 0, true, true, 0},
	{HV_MSR_VP_INDEX, HV_MSR_VP_INDEX, 0, true, false, 0},
	{HV_MSR_RESET, HV_MSR_RESET, FEATURE(RESET), true, true, 0},
	{HV_MSR_VP_RUNTIME, HV_MSR_VP_RUNTIME, FEATURE(RUNTIME), true, false, 0},
	{HV_MSR_TIME_REF_COUNT, HV_MSR_TIME_REF_COUNT, FEATURE(REFERENCE_TIME), true, false, 0},
	{HV_MSR_REFERENCE_TSC, HV_MSR_REFERENCE_TSC, FEATURE(REFERENCE_TIME), true, true, 0},
	{HV_MSR_TSC_FREQUENCY, HV_MSR_APIC_FREQUENCY, FEATURE(FREQUENCIES), true, false, 0},
	{HV_MSR_EOI, HV_MSR_EOI, FEATURE(APIC), false, true, 0},
	{HV_MSR_ICR, HV_MSR_TPR, FEATURE(APIC), true, true, 0x20},
	{HV_MSR_VP_ASSIST_PAGE, HV_MSR_VP_ASSIST_PAGE, FEATURE(APIC), true, true, 0},
	{HV_MSR_SCONTROL, HV_MSR_SCONTROL, FEATURE(SYNIC), true, true, 0},
	{HV_MSR_SVERSION, HV_MSR_SVERSION, FEATURE(SYNIC), true, false, 0},
	{HV_MSR_SIEFP, HV_MSR_SIMP, FEATURE(SYNIC), true, true, 0},
	{HV_MSR_EOM, HV_MSR_EOM, FEATURE(SYNIC), true, true, 0}, /* reads as 0, see 11.8.6 */
	{HV_MSR_SINT0, HV_MSR_SINT15, FEATURE(SYNIC), true, true, HV_SINT_MASKED},
	{HV_MSR_STIMER0_CONFIG, HV_MSR_STIMER3_COUNT, FEATURE(STIMERS), true, true, 0},
	{HV_MSR_GUEST_IDLE, HV_MSR_GUEST_IDLE, FEATURE(IDLE), true, false, 0},
	{HV_MSR_CRASH_P0, HV_MSR_CRASH_CTL, FEATURE(CRASH), true, true, 0},
};

static const struct msr_rule *rule_of(uint32_t msr)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (msr >= rules[i].first && msr <= rules[i].last)
			return &rules[i];
	return NULL;
}

static void check_all(void)
{
	uint64_t faults = counter_get(&fake.hv->vps[0].counters.msr_faults), expected = 0;

	for (uint32_t msr = HV_MSR_FIRST; msr <= HV_MSR_LAST; msr++) {
		const struct msr_rule *rule = rule_of(msr);
		bool there = rule && (!rule->feature || (rule->feature & fake.hv->features));
		bool r = there && rule->r, w = there && rule->w;
		uint64_t value = 0x1234567812345678ull;

		/* As ck_assert(), which is too slow for so many. */
		if (rd(msr, &value) != r)
			ck_abort_msg("reading MSR %x", msr);
		/* A fault delivers nothing. */
		if (!r && value != 0x1234567812345678ull)
			ck_abort_msg("MSR %x faults with a value", msr);
		if (wr(msr, rule ? rule->valid : 0) != w)
			ck_abort_msg("writing MSR %x", msr);
		expected += !r + !w;
	}
	faults = counter_get(&fake.hv->vps[0].counters.msr_faults) - faults;
	ck_assert_uint_eq(faults, expected);
}

START_TEST(every_msr)
{
	check_all();
}
END_TEST

START_TEST(each_feature_off)
{
	for (unsigned int f = 0; f < HV_FEATURE_COUNT; f++) {
		teardown();
		hv_fake_create(&fake, HV_FEATURE_BIT(f));
		ck_assert(!hv_has(fake.hv, (enum hv_feature)f));
		check_all();
	}
	teardown();
	hv_fake_create(&fake, HV_FEATURES_ALL);
	ck_assert_uint_eq(fake.hv->features, 0);
	check_all();
}
END_TEST

START_TEST(not_ours)
{
	static const uint32_t msrs[] = {0,          0x10,       0x3fffffff, 0x40001000,
					0x40001080, 0x4b564d00, 0xc0000080, 0xffffffff};
	uint64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++) {
		ck_assert(!rd(msrs[i], &value));
		ck_assert(!wr(msrs[i], 0));
	}
}
END_TEST

START_TEST(initial_values)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
	} initial[] = {
		{HV_MSR_GUEST_OS_ID, 0},    {HV_MSR_HYPERCALL, 0},      {HV_MSR_REFERENCE_TSC, 0},
		{HV_MSR_VP_ASSIST_PAGE, 0}, {HV_MSR_SCONTROL, 0},       {HV_MSR_SVERSION, 1},
		{HV_MSR_SIEFP, 0},          {HV_MSR_SIMP, 0},           {HV_MSR_SINT0, 0x10000},
		{HV_MSR_SINT15, 0x10000},   {HV_MSR_STIMER0_CONFIG, 0}, {HV_MSR_STIMER3_COUNT, 0},
		{HV_MSR_CRASH_P0, 0},       {HV_MSR_CRASH_P4, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(initial); i++)
		ck_assert_uint_eq(get(initial[i].msr), initial[i].value);
}
END_TEST

/* --- Identity and time. ---------------------------------------------------------------------- */

START_TEST(identity)
{
	for (unsigned int vp = 0; vp < HV_FAKE_VPS; vp++) {
		uint64_t value;

		ck_assert(hv_fake_rdmsr(&fake, vp, HV_MSR_VP_INDEX, &value));
		ck_assert_uint_eq(value, vp);
	}
	/* One for the partition. */
	ck_assert(hv_fake_wrmsr(&fake, 2, HV_MSR_GUEST_OS_ID, 0x8100000000000001ull));
	ck_assert_uint_eq(get(HV_MSR_GUEST_OS_ID), 0x8100000000000001ull);
}
END_TEST

START_TEST(reference_time)
{
	hv_fake_time(&fake, 0);
	ck_assert_uint_eq(get(HV_MSR_TIME_REF_COUNT), 0);
	hv_fake_time(&fake, 1ull << 60);
	ck_assert_uint_eq(get(HV_MSR_TIME_REF_COUNT), 1ull << 60);
	ck_assert(!wr(HV_MSR_TIME_REF_COUNT, 0));
	ck_assert_uint_eq(get(HV_MSR_TIME_REF_COUNT), 1ull << 60);
}
END_TEST

START_TEST(frequencies)
{
	fake.hv->time.tsc_hz = 2345678000;
	ck_assert_uint_eq(get(HV_MSR_TSC_FREQUENCY), 2345678000);
	ck_assert_uint_eq(get(HV_MSR_APIC_FREQUENCY), 1000000000);
}
END_TEST

START_TEST(run_time)
{
	uint64_t first = get(HV_MSR_VP_RUNTIME), last = first;

	for (int i = 0; i < 10000; i++) {
		uint64_t now = 0;

		if (!rd(HV_MSR_VP_RUNTIME, &now) || now < last)
			ck_abort_msg("%llu after %llu", (unsigned long long)now,
				     (unsigned long long)last);
		last = now;
	}
	ck_assert_uint_gt(last, first);
}
END_TEST

/* --- SynIC and timers. ----------------------------------------------------------------------- */

START_TEST(synic_reads_back)
{
	static const uint64_t values[] = {0, 1, UINT64_MAX, 0xfffffffffffffffeull};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		set(HV_MSR_SCONTROL, values[i]);
		ck_assert_uint_eq(get(HV_MSR_SCONTROL), values[i]);
	}
	for (uint32_t msr = HV_MSR_SINT0; msr <= HV_MSR_SINT15; msr++) {
		set(msr, 0xab00ff0000000030ull + msr - HV_MSR_SINT0);
		ck_assert(!wr(msr, 0x0f));
		ck_assert_uint_eq(get(msr), 0xab00ff0000000030ull + msr - HV_MSR_SINT0);
	}
	/* Each VP has its own. */
	ck_assert(hv_fake_wrmsr(&fake, 1, HV_MSR_SINT0, 0x77));
	ck_assert_uint_eq(get(HV_MSR_SINT0), 0xab00ff0000000030ull);
	set(HV_MSR_EOM, 0);
	ck_assert_uint_eq(get(HV_MSR_EOM), 0);
}
END_TEST

START_TEST(timers_read_back)
{
	for (unsigned int i = 0; i < HV_STIMER_COUNT; i++) {
		uint64_t config = HV_STIMER_PERIODIC | HV_STIMER_AUTO_ENABLE | (i + 1ull) << 16;

		set(HV_MSR_STIMER0_CONFIG + 2 * i, config);
		set(HV_MSR_STIMER0_CONFIG + 2 * i + 1, 100000 + i);
		ck_assert_uint_eq(get(HV_MSR_STIMER0_CONFIG + 2 * i), config | HV_STIMER_ENABLE);
		ck_assert_uint_eq(get(HV_MSR_STIMER0_CONFIG + 2 * i + 1), 100000 + i);
		ck_assert(!wr(HV_MSR_STIMER0_CONFIG + 2 * i, 1ull << 20));
	}
}
END_TEST

/* From the guest's write to its memory, with the interrupt where the SINT says. */
START_TEST(timer_message)
{
	struct hv_message message;
	struct hv_timer_message payload;

	set(HV_MSR_SIMP, GPA | 1);
	set(HV_MSR_SCONTROL, 1);
	set(HV_MSR_SINT0 + 4, 0x44);
	set(HV_MSR_STIMER0_CONFIG + 2, HV_STIMER_AUTO_ENABLE | 4ull << 16);
	set(HV_MSR_STIMER0_CONFIG + 3, 2000);
	hv_kicked(fake.hv, &fake.vcpus[0]);
	ck_assert_uint_eq(kvm_fake.msi_count, 0);
	hv_fake_time(&fake, 2500);
	hv_kicked(fake.hv, &fake.vcpus[0]);
	ck_assert_uint_eq(kvm_fake.msi_count, 1);
	ck_assert_uint_eq(hv_fake_vector(0), 0x44);
	ck_assert_uint_eq(hv_fake_target(0), 0);
	ck_assert_int_eq(mem_read(fake.mem, SLOT_4, &message, sizeof(message)), 0);
	ck_assert_uint_eq(message.header.message_type, HV_MESSAGE_TIMER_EXPIRED);
	ck_assert_uint_eq(message.header.payload_size, 24);
	ck_assert_uint_eq(message.header.message_flags, 0);
	ck_assert_uint_eq(message.header.sender, 0);
	memcpy(&payload, message.payload, sizeof(payload));
	ck_assert_uint_eq(payload.timer_index, 1);
	ck_assert_uint_eq(payload.expiration_time, 2000);
	ck_assert_uint_eq(payload.delivery_time, 2500);
	ck_assert_uint_eq(get(HV_MSR_STIMER0_CONFIG + 2), HV_STIMER_AUTO_ENABLE | 4ull << 16);
}
END_TEST

START_TEST(timer_waits_for_eom)
{
	uint32_t type = 1, none = 0;

	set(HV_MSR_SIMP, GPA | 1);
	set(HV_MSR_SCONTROL, 1);
	set(HV_MSR_SINT0 + 4, 0x44);
	ck_assert_int_eq(mem_write(fake.mem, SLOT_4, &type, 4), 0);
	set(HV_MSR_STIMER0_CONFIG + 1, 500);
	/* In the past: it expires immediately. */
	set(HV_MSR_STIMER0_CONFIG, HV_STIMER_ENABLE | 4ull << 16);
	ck_assert_uint_eq(kvm_fake.msi_count, 0);
	ck_assert_int_eq(mem_read(fake.mem, SLOT_4 + 4, &type, 4), 0);
	ck_assert_uint_eq(type >> 8 & 1, 1);
	ck_assert_int_eq(mem_write(fake.mem, SLOT_4, &none, 4), 0);
	set(HV_MSR_EOM, 0);
	ck_assert_uint_eq(kvm_fake.msi_count, 1);
	ck_assert_int_eq(mem_read(fake.mem, SLOT_4, &type, 4), 0);
	ck_assert_uint_eq(type, HV_MESSAGE_TIMER_EXPIRED);
}
END_TEST

/* One that expires while there is no SynIC to send to is not lost (TLFS 11.4): it waits for one. */
START_TEST(timer_waits_for_synic)
{
	uint32_t type = 0;

	set(HV_MSR_SINT0 + 4, 0x44);
	set(HV_MSR_STIMER0_CONFIG + 1, 500);
	set(HV_MSR_STIMER0_CONFIG, HV_STIMER_ENABLE | 4ull << 16);
	set(HV_MSR_SCONTROL, 1);
	ck_assert_uint_eq(kvm_fake.msi_count, 0);
	set(HV_MSR_SIMP, GPA | 1);
	ck_assert_uint_eq(kvm_fake.msi_count, 1);
	ck_assert_int_eq(mem_read(fake.mem, SLOT_4, &type, 4), 0);
	ck_assert_uint_eq(type, HV_MESSAGE_TIMER_EXPIRED);
	set(HV_MSR_SCONTROL, 0);
	set(HV_MSR_STIMER0_CONFIG + 3, 500);
	set(HV_MSR_STIMER0_CONFIG + 2, HV_STIMER_ENABLE | 5ull << 16);
	set(HV_MSR_SINT0 + 5, 0x45);
	ck_assert_uint_eq(kvm_fake.msi_count, 1);
	set(HV_MSR_SCONTROL, 1);
	ck_assert_uint_eq(kvm_fake.msi_count, 2);
	ck_assert_uint_eq(hv_fake_vector(1), 0x45);
}
END_TEST

START_TEST(direct_timer)
{
	set(HV_MSR_STIMER0_CONFIG + 6, HV_STIMER_AUTO_ENABLE | HV_STIMER_DIRECT | 0xecull << 4);
	set(HV_MSR_STIMER0_CONFIG + 7, 1);
	ck_assert_uint_eq(kvm_fake.msi_count, 1);
	ck_assert_uint_eq(hv_fake_vector(0), 0xec);
	teardown();
	hv_fake_create(&fake, FEATURE(DIRECT_STIMERS));
	ck_assert(!wr(HV_MSR_STIMER0_CONFIG, HV_STIMER_DIRECT | 0xecull << 4));
}
END_TEST

/* --- Ends. ----------------------------------------------------------------------------------- */

START_TEST(reset_request)
{
	set(HV_MSR_RESET, 0);
	ck_assert_uint_eq(fake.resets, 0);
	set(HV_MSR_RESET, 1);
	ck_assert_uint_eq(fake.resets, 1);
	ck_assert_uint_eq(get(HV_MSR_RESET), 0);
}
END_TEST

START_TEST(idle)
{
	ck_assert_uint_eq(get(HV_MSR_GUEST_IDLE), 0);
	ck_assert_uint_eq(kvm_fake.cpus[0].mp_state.mp_state, KVM_MP_STATE_RUNNABLE);
	fake.vcpus[0].run->if_flag = 1;
	ck_assert_uint_eq(get(HV_MSR_GUEST_IDLE), 0);
	ck_assert_uint_eq(kvm_fake.cpus[0].mp_state.mp_state, KVM_MP_STATE_HALTED);
}
END_TEST

START_TEST(crash_parameters)
{
	ck_assert_uint_eq(get(HV_MSR_CRASH_CTL), HV_CRASH_NOTIFY | HV_CRASH_MESSAGE);
	for (uint32_t i = 0; i < 5; i++)
		set(HV_MSR_CRASH_P0 + i, 0x1111111111111111ull * (i + 1));
	for (uint32_t i = 0; i < 5; i++)
		ck_assert_uint_eq(get(HV_MSR_CRASH_P0 + i), 0x1111111111111111ull * (i + 1));
	set(HV_MSR_CRASH_CTL, 0);
	set(HV_MSR_CRASH_CTL, HV_CRASH_MESSAGE);
	ck_assert_uint_eq(fake.crashes, 0);
	/* From any VP: they are the partition's. */
	ck_assert(hv_fake_wrmsr(&fake, 3, HV_MSR_CRASH_CTL, HV_CRASH_NOTIFY));
	ck_assert_uint_eq(fake.crashes, 1);
	for (uint32_t i = 0; i < 5; i++)
		ck_assert_uint_eq(fake.crash.parameters[i], 0x1111111111111111ull * (i + 1));
	ck_assert_str_eq(fake.crash.message, "");
	ck_assert_uint_eq(fake.crash_parameter, 0x1111111111111111ull);
	ck_assert_uint_eq(get(HV_MSR_CRASH_CTL), HV_CRASH_NOTIFY | HV_CRASH_MESSAGE);
}
END_TEST

static const char *crash_with(uint64_t gpa, uint64_t len)
{
	set(HV_MSR_CRASH_P0 + 3, gpa);
	set(HV_MSR_CRASH_P4, len);
	set(HV_MSR_CRASH_CTL, HV_CRASH_NOTIFY | HV_CRASH_MESSAGE);
	return fake.crash.message;
}

START_TEST(crash_message)
{
	char text[PAGE_SIZE + 16];

	ck_assert_int_eq(mem_write(fake.mem, GPA, "Oops: \n\x7f\xff", 9), 0);
	ck_assert_str_eq(crash_with(GPA, 9), "Oops: \n  ");
	ck_assert_str_eq(crash_with(GPA, 5), "Oops:");
	ck_assert_str_eq(crash_with(GPA, 0), "");
	ck_assert_str_eq(crash_with(GPA, 100), "Oops: \n  ");
	/* Of 4096 bytes at most, what fits: the end of it. */
	memset(text, 'a', sizeof(text));
	text[PAGE_SIZE - 1] = 'b';
	ck_assert_int_eq(mem_write(fake.mem, GPA, text, sizeof(text)), 0);
	crash_with(GPA, UINT64_MAX);
	ck_assert_uint_eq(strlen(fake.crash.message), sizeof(fake.crash.message) - 1);
	ck_assert_str_eq(fake.crash.message + strlen(fake.crash.message) - 4, "aaab");
}
END_TEST

/* A crash is reported wherever the guest says its text is. */
START_TEST(crash_message_nowhere)
{
	static const uint64_t places[][2] = {
		{HV_FAKE_RAM, 10}, {HV_FAKE_RAM - 5, 10},    {UINT64_MAX, 1},
		{UINT64_MAX, 2},   {UINT64_MAX - 100, 4096}, {1ull << 63, UINT64_MAX},
	};

	ck_assert_int_eq(mem_fill(fake.mem, 0, 'x', HV_FAKE_RAM), 0);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		ck_assert_str_eq(crash_with(places[i][0], places[i][1]), "");
		ck_assert_uint_eq(fake.crashes, i + 1);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_msr,
		each_feature_off,
		not_ours,
		initial_values,
		identity,
		reference_time,
		frequencies,
		run_time,
		synic_reads_back,
		timers_read_back,
		timer_message,
		timer_waits_for_eom,
		timer_waits_for_synic,
		direct_timer,
		reset_request,
		idle,
		crash_parameters,
		crash_message,
		crash_message_nowhere,
	};

	return hv_run_tests("hv_msr", setup, teardown, tests, ARRAY_SIZE(tests));
}
