// SPDX-License-Identifier: MIT
/*
 * HvCallGetVpRegisters and HvCallSetVpRegisters (TLFS 7.10): the registers that have an MSR are
 * that MSR, by another way.
 */
#include <string.h>

#include "hv-enlight/hv_calls_proto.h"
#include "hv_fake.h"
#include "hv_tests.h"

#define IN   0x10000ull
#define OUT  0x11000ull
#define SELF HV_PARTITION_ID_SELF

static struct hv_fake fake;

static void setup(void)
{
	hv_fake_create(&fake, 0);
}

static void teardown(void)
{
	hv_fake_destroy(&fake);
}

static const struct {
	uint32_t name, msr;
	bool r, w;
	uint64_t value; /* to write */
} registers[] = {
	{HV_REGISTER_VP_RUNTIME, HV_MSR_VP_RUNTIME, true, false, 0},
	{HV_REGISTER_GUEST_OS_ID, HV_MSR_GUEST_OS_ID, true, true, 0x8100000000000000ull},
	{HV_REGISTER_HYPERCALL, HV_MSR_HYPERCALL, true, true, 0x20001},
	{HV_REGISTER_VP_INDEX, HV_MSR_VP_INDEX, true, false, 0},
	{HV_REGISTER_TIME_REF_COUNT, HV_MSR_TIME_REF_COUNT, true, false, 0},
	{HV_REGISTER_EOI, HV_MSR_EOI, false, true, 0},
	{HV_REGISTER_ICR, HV_MSR_ICR, true, true, 0x4c0f0},
	{HV_REGISTER_TPR, HV_MSR_TPR, true, true, 0x50},
	{HV_REGISTER_VP_ASSIST_PAGE, HV_MSR_VP_ASSIST_PAGE, true, true, 0x21001},
	{HV_REGISTER_REFERENCE_TSC, HV_MSR_REFERENCE_TSC, true, true, 0x22001},
	{HV_REGISTER_SCONTROL, HV_MSR_SCONTROL, true, true, 1},
	{HV_REGISTER_SCONTROL + 1, HV_MSR_SVERSION, true, false, 0},
	{HV_REGISTER_SIEFP, HV_MSR_SIEFP, true, true, 0x23001},
	{HV_REGISTER_SIMP, HV_MSR_SIMP, true, true, 0x24001},
	{HV_REGISTER_EOM, HV_MSR_EOM, true, true, 0},
	{HV_REGISTER_SINT0, HV_MSR_SINT0, true, true, 0x30},
	{HV_REGISTER_SINT15, HV_MSR_SINT15, true, true, 0x3f},
	{HV_REGISTER_STIMER0_CONFIG, HV_MSR_STIMER0_CONFIG, true, true, 0x20008},
	{HV_REGISTER_STIMER3_COUNT, HV_MSR_STIMER3_COUNT, true, true, 12345},
};

static void put_header(uint64_t partition, uint32_t vp, uint8_t vtl)
{
	const struct hv_input_vp_registers in = {
		.partition_id = partition, .vp_index = vp, .target_vtl = vtl};

	ck_assert_int_eq(mem_write(fake.mem, IN, &in, sizeof(in)), 0);
}

static uint64_t call(uint16_t code, uint64_t count)
{
	return hv_fake_call(&fake, 0, code | count << 32, IN, OUT);
}

static uint64_t get(const uint32_t *names, size_t count)
{
	ck_assert_int_eq(mem_fill(fake.mem, OUT, 0xee, PAGE_SIZE), 0);
	ck_assert_int_eq(mem_write(fake.mem, IN + 16, names, count * 4), 0);
	return call(HV_CALL_GET_VP_REGISTERS, count);
}

static struct hv_register_value result(size_t n)
{
	struct hv_register_value value;

	ck_assert_int_eq(mem_read(fake.mem, OUT + n * sizeof(value), &value, sizeof(value)), 0);
	return value;
}

static uint64_t set(const struct hv_register_assoc *assocs, size_t count)
{
	ck_assert_int_eq(mem_write(fake.mem, IN + 16, assocs, count * sizeof(*assocs)), 0);
	return call(HV_CALL_SET_VP_REGISTERS, count);
}

static uint64_t set_one(uint32_t name, uint64_t low, uint64_t high)
{
	return set(&(struct hv_register_assoc){.name = name, .value = {low, high}}, 1);
}

START_TEST(each_register)
{
	put_header(SELF, HV_VP_INDEX_SELF, 0);
	for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
		uint64_t status = set_one(registers[i].name, registers[i].value, 0), value = 0;
		bool readable;

		ck_assert_msg(status == (registers[i].w ? 1ull << 32 : HV_STATUS_INVALID_PARAMETER),
			      "setting %x: %llx", registers[i].name, (unsigned long long)status);
		status = get(&registers[i].name, 1);
		ck_assert_msg(status == (registers[i].r ? 1ull << 32 : HV_STATUS_INVALID_PARAMETER),
			      "getting %x: %llx", registers[i].name, (unsigned long long)status);
		readable = hv_fake_rdmsr(&fake, 0, registers[i].msr, &value);
		ck_assert_int_eq(readable, registers[i].r);
		if (!readable || registers[i].msr == HV_MSR_VP_RUNTIME)
			continue;
		ck_assert_uint_eq(result(0).low, value);
		ck_assert_uint_eq(result(0).high, 0);
	}
	ck_assert_uint_eq(fake.hv->guest_os_id, 0x8100000000000000ull);
}
END_TEST

START_TEST(unknown_names)
{
	static const uint32_t names[] = {0,
					 0x00020000,
					 HV_REGISTER_VP_RUNTIME - 1,
					 HV_REGISTER_TIME_REF_COUNT + 1,
					 HV_REGISTER_VP_ASSIST_PAGE + 1,
					 HV_REGISTER_SINT0 - 1,
					 HV_REGISTER_EOM + 1,
					 HV_REGISTER_STIMER3_COUNT + 1,
					 UINT32_MAX};

	put_header(SELF, HV_VP_INDEX_SELF, 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ck_assert_uint_eq(get(&names[i], 1), HV_STATUS_INVALID_PARAMETER);
		ck_assert_uint_eq(set_one(names[i], 0, 0), HV_STATUS_INVALID_PARAMETER);
	}
}
END_TEST

START_TEST(lists)
{
	static const uint32_t names[] = {HV_REGISTER_VP_INDEX, HV_REGISTER_SINT0, 0xbad,
					 HV_REGISTER_SINT0};
	const struct hv_register_assoc assocs[] = {
		{.name = HV_REGISTER_SINT0, .value = {0x71, 0}},
		{.name = HV_REGISTER_SINT0 + 1, .value = {3, 0}}, /* no vector */
		{.name = HV_REGISTER_SINT0 + 2, .value = {0x72, 0}},
	};

	put_header(SELF, 0, 0);
	ck_assert_uint_eq(set(assocs, 3), HV_STATUS_INVALID_PARAMETER | 1ull << 32);
	ck_assert_uint_eq(get(names, 4), HV_STATUS_INVALID_PARAMETER | 2ull << 32);
	ck_assert_uint_eq(result(0).low, 0);
	ck_assert_uint_eq(result(1).low, 0x71);
	ck_assert_uint_eq(result(2).low, 0xeeeeeeeeeeeeeeeeull);
	ck_assert_uint_eq(get((const uint32_t[]){HV_REGISTER_SINT0 + 2}, 1), 1ull << 32);
	ck_assert_uint_eq(result(0).low, 0x10000);
}
END_TEST

START_TEST(whose)
{
	static const uint32_t name[] = {HV_REGISTER_VP_INDEX};

	put_header(SELF, 0, 0);
	ck_assert_uint_eq(get(name, 1), 1ull << 32);
	put_header(SELF, 1, 0);
	ck_assert_uint_eq(get(name, 1), HV_STATUS_ACCESS_DENIED);
	put_header(SELF, HV_FAKE_VPS, 0);
	ck_assert_uint_eq(get(name, 1), HV_STATUS_INVALID_VP_INDEX);
	put_header(SELF, UINT32_MAX, 0); /* HV_ANY_VP */
	ck_assert_uint_eq(get(name, 1), HV_STATUS_INVALID_VP_INDEX);
	put_header(0, 0, 0);
	ck_assert_uint_eq(get(name, 1), HV_STATUS_INVALID_PARTITION_ID);
	ck_assert_uint_eq(set_one(HV_REGISTER_SINT0, 0x30, 0), HV_STATUS_INVALID_PARTITION_ID);
	put_header(SELF, 1, 0);
	ck_assert_uint_eq(set_one(HV_REGISTER_SINT0, 0x30, 0), HV_STATUS_ACCESS_DENIED);
}
END_TEST

/* HV_INPUT_VTL: the target counts when bit 4 says so, and bits 5-7 are reserved. */
START_TEST(trust_levels)
{
	static const uint32_t name[] = {HV_REGISTER_VP_INDEX};

	for (unsigned int vtl = 0; vtl < 256; vtl++) {
		bool valid = vtl < 16 || vtl == 16;

		put_header(SELF, 0, (uint8_t)vtl);
		ck_assert_uint_eq(get(name, 1), valid ? 1ull << 32 : HV_STATUS_INVALID_PARAMETER);
	}
}
END_TEST

/* Bits beyond the register's size must be zero. */
START_TEST(too_wide)
{
	put_header(SELF, 0, 0);
	ck_assert_uint_eq(set_one(HV_REGISTER_SINT0, 0x30, 1), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(set_one(HV_REGISTER_SINT0, 0x30, 1ull << 63),
			  HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(get((const uint32_t[]){HV_REGISTER_SINT0}, 1), 1ull << 32);
	ck_assert_uint_eq(result(0).low, 0x10000);
}
END_TEST

/* What is not announced is not there by this way either. */
START_TEST(unannounced)
{
	static const uint32_t name[] = {HV_REGISTER_SINT0};

	teardown();
	hv_fake_create(&fake, HV_FEATURE_BIT(HV_FEATURE_SYNIC));
	put_header(SELF, 0, 0);
	ck_assert_uint_eq(get(name, 1), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(set_one(HV_REGISTER_SINT0, 0x30, 0), HV_STATUS_INVALID_PARAMETER);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		each_register, unknown_names, lists, whose, trust_levels, too_wide, unannounced,
	};

	return hv_run_tests("hv_calls_registers", setup, teardown, tests, ARRAY_SIZE(tests));
}
