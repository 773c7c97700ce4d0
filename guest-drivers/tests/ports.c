// SPDX-License-Identifier: MIT
/*
 * The small port devices of a PC: what is not there reads as ones, the keyboard controller
 * answers its self-test, pvpanic says what it can take, port 92h keeps A20.
 *
 * Parameters: pvpanic=0 (none is there).
 */
#include "kit/kit.h"

#define UNCLAIMED_PORT 0x1230
#define PVPANIC_PORT   0x505

#define KBD_DATA        0x60
#define KBD_COMMAND     0x64
#define KBD_OUTPUT_FULL 0x01
#define KBD_INPUT_FULL  0x02

static void test_unclaimed(void)
{
	uint8_t bytes[8] = {0};

	expect_eq(in8(UNCLAIMED_PORT), 0xff);
	expect_eq(in16(UNCLAIMED_PORT), 0xffff);
	expect_eq(in32(UNCLAIMED_PORT), 0xffffffff);
	out8(UNCLAIMED_PORT, 0);
	out16(UNCLAIMED_PORT, 0);
	out32(UNCLAIMED_PORT, 0);
	expect_eq(in32(UNCLAIMED_PORT), 0xffffffff);
	in8_string(UNCLAIMED_PORT, bytes, sizeof(bytes));
	expect(memory_is(bytes, 0xff, sizeof(bytes)));
	out8_string(UNCLAIMED_PORT, bytes, sizeof(bytes));
	expect_eq(in8(0xffff), 0xff);
	test_case("unclaimed ports read as ones, writes vanish");
}

static bool kbd_can_take(void)
{
	return wait_for(!(in8(KBD_COMMAND) & KBD_INPUT_FULL), 1000);
}

/* Sends a command and returns its one-byte answer, -1: none. */
static int kbd_ask(uint8_t command)
{
	for (unsigned int i = 0; i < 32 && in8(KBD_COMMAND) & KBD_OUTPUT_FULL; i++)
		in8(KBD_DATA);
	if (!kbd_can_take())
		return -1;
	out8(KBD_COMMAND, command);
	if (!wait_for(in8(KBD_COMMAND) & KBD_OUTPUT_FULL, 1000))
		return -1;
	return in8(KBD_DATA);
}

static void test_keyboard_controller(void)
{
	check(in8(KBD_COMMAND) != 0xff, "a keyboard controller is there");
	check(kbd_can_take(), "its input buffer gets empty");
	check_eq(kbd_ask(0xaa), 0x55, "self-test (AAh) answers 55h");
	check(!(in8(KBD_COMMAND) & KBD_OUTPUT_FULL), "and nothing more");
}

static void test_pvpanic(void)
{
	uint8_t v = in8(PVPANIC_PORT);

	if (!param_u64("pvpanic", 1)) {
		check_eq(v, 0xff, "no pvpanic port");
		return;
	}
	check(v != 0xff && v & 1, "pvpanic takes panic events (0x%02x)", v);
}

static void test_port92(void)
{
	uint8_t v = in8(0x92);

	check((v & 3) == 2, "port 92h: A20 on, no reset (0x%02x)", v);
	out8(0x92, v);
	check((in8(0x92) & 2) == 2, "port 92h: A20 stays on");
}

void test_main(void)
{
	test_unclaimed();
	test_keyboard_controller();
	test_pvpanic();
	test_port92();
}
