// SPDX-License-Identifier: MIT
/* The keyboard controller: commands, what a driver's probe sees, resets. */
#include <stdlib.h>

#include "devices/pc/i8042.h"
#include "devices/pc/i8042_proto.h"
#include "pc_fake.h"

static struct bus bus;
static struct i8042 *kbc;
static struct fake_irq irq;
static _Atomic unsigned int resets;

static void on_reset(void *ctx)
{
	ck_assert_ptr_eq(ctx, &resets);
	resets++;
}

static const struct i8042_events events = {on_reset};

static void create(bool port_61)
{
	struct i8042_config config = {
		.irq = &irq.line, .port_61 = port_61, .events = &events, .events_ctx = &resets};

	resets = 0;
	fake_irq_init(&irq);
	bus_init(&bus, "port", 0x10000);
	ck_assert_int_eq(i8042_create(&config, NULL, &kbc), 0);
	ck_assert_int_eq(i8042_attach(kbc, &bus, NULL), 0);
	bus_freeze(&bus);
}

static void setup(void)
{
	create(false);
}

static void teardown(void)
{
	i8042_device(kbc)->ops->destroy(i8042_device(kbc));
}

static uint8_t status(void)
{
	return in8(&bus, I8042_PORT_COMMAND);
}

static void command(uint8_t value)
{
	out8(&bus, I8042_PORT_COMMAND, value);
	/* No driver ever has to wait for us to take a byte. */
	ck_assert_uint_eq(status() & I8042_STATUS_IBF, 0);
}

static void data(uint8_t value)
{
	out8(&bus, I8042_PORT_DATA, value);
	ck_assert_uint_eq(status() & I8042_STATUS_IBF, 0);
}

/* The answer, which must be there at once. */
static uint8_t answer(void)
{
	ck_assert_uint_ne(status() & I8042_STATUS_OBF, 0);
	return in8(&bus, I8042_PORT_DATA);
}

START_TEST(power_on_state)
{
	ck_assert_uint_eq(status(), I8042_STATUS_SYS | I8042_STATUS_KEYLOCK);
	command(I8042_CMD_READ_RAM);
	ck_assert_uint_eq(answer(), I8042_CTR_SYS | I8042_CTR_TRANSLATE | I8042_CTR_KBD_DISABLE |
					    I8042_CTR_AUX_DISABLE);
	ck_assert_uint_eq(status() & I8042_STATUS_OBF, 0);
	/* Reading more gives the last byte again, and never an error. */
	ck_assert_uint_eq(in8(&bus, I8042_PORT_DATA), 0x74);
}
END_TEST

START_TEST(self_test)
{
	command(I8042_CMD_SELF_TEST);
	ck_assert_uint_eq(answer(), I8042_SELF_TEST_OK);
	command(I8042_CMD_KBD_TEST);
	ck_assert_uint_eq(answer(), I8042_PORT_TEST_OK);
	command(I8042_CMD_AUX_TEST);
	ck_assert_uint_eq(answer(), I8042_PORT_CLOCK_LOW);
	command(I8042_CMD_TEST_PASSWORD);
	ck_assert_uint_eq(answer(), I8042_NO_PASSWORD);
}
END_TEST

START_TEST(ram)
{
	command(I8042_CMD_WRITE_RAM);
	ck_assert_uint_ne(status() & I8042_STATUS_CMD, 0);
	data(0x03);
	ck_assert_uint_eq(status() & (I8042_STATUS_CMD | I8042_STATUS_SYS), 0);
	command(I8042_CMD_READ_RAM);
	ck_assert_uint_eq(answer(), 0x03);
	for (unsigned int i = 1; i < I8042_RAM_SIZE; i++) {
		command((uint8_t)(I8042_CMD_WRITE_RAM + i));
		data((uint8_t)(0x80 + i));
	}
	for (unsigned int i = 1; i < I8042_RAM_SIZE; i++) {
		command((uint8_t)(I8042_CMD_READ_RAM + i));
		ck_assert_uint_eq(answer(), 0x80 + i);
	}
}
END_TEST

START_TEST(port_switches)
{
	command(I8042_CMD_KBD_ENABLE);
	command(I8042_CMD_AUX_ENABLE);
	command(I8042_CMD_READ_RAM);
	ck_assert_uint_eq(answer() & 0x30, 0);
	command(I8042_CMD_AUX_DISABLE);
	command(I8042_CMD_READ_RAM);
	ck_assert_uint_eq(answer() & 0x30, I8042_CTR_AUX_DISABLE);
	command(I8042_CMD_KBD_DISABLE);
	command(I8042_CMD_READ_RAM);
	ck_assert_uint_eq(answer() & 0x30, 0x30);
}
END_TEST

/* The order in which Linux looks for a second port: it must fail fast. */
START_TEST(probe_finds_no_second_port)
{
	command(I8042_CMD_WRITE_AUX_OBUF);
	data(0x5a);
	ck_assert_uint_eq(status() & I8042_STATUS_AUX, 0);
	ck_assert_uint_eq(answer(), 0x5a);
	command(I8042_CMD_AUX_TEST);
	ck_assert_uint_eq(answer(), I8042_PORT_CLOCK_LOW);
}
END_TEST

START_TEST(devices_time_out)
{
	data(0xf2);
	ck_assert_uint_eq(status() & (I8042_STATUS_AUX | I8042_STATUS_TIMEOUT),
			  I8042_STATUS_TIMEOUT);
	ck_assert_uint_eq(answer(), I8042_RESEND);
	ck_assert_uint_eq(status() & I8042_STATUS_TIMEOUT, 0);
	command(I8042_CMD_WRITE_AUX);
	data(0xf2);
	ck_assert_uint_eq(status() & (I8042_STATUS_AUX | I8042_STATUS_TIMEOUT),
			  I8042_STATUS_AUX | I8042_STATUS_TIMEOUT);
	ck_assert_uint_eq(answer(), I8042_RESEND);
}
END_TEST

START_TEST(interrupts)
{
	command(I8042_CMD_READ_RAM);
	ck_assert_uint_eq(fake_irq_take(&irq), 0);
	command(I8042_CMD_WRITE_RAM);
	data(I8042_CTR_KBD_INT);
	ck_assert_uint_eq(fake_irq_take(&irq), 0);
	command(I8042_CMD_WRITE_KBD_OBUF);
	data(0x1c);
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
	ck_assert_uint_eq(answer(), 0x1c);
	command(I8042_CMD_WRITE_AUX);
	data(0);
	ck_assert_uint_eq(fake_irq_take(&irq), 0);
}
END_TEST

START_TEST(not_wired)
{
	struct i8042_config config = {.events = &events, .events_ctx = &resets};
	struct i8042 *other;
	struct bus ports;

	bus_init(&ports, "port", 0x10000);
	ck_assert_int_eq(i8042_create(&config, NULL, &other), 0);
	ck_assert_int_eq(i8042_attach(other, &ports, NULL), 0);
	bus_freeze(&ports);
	out8(&ports, I8042_PORT_COMMAND, I8042_CMD_WRITE_RAM);
	out8(&ports, I8042_PORT_DATA, I8042_CTR_KBD_INT);
	out8(&ports, I8042_PORT_DATA, 0xff);
	ck_assert_uint_eq(in8(&ports, I8042_PORT_DATA), I8042_RESEND);
	i8042_device(other)->ops->destroy(i8042_device(other));
}
END_TEST

START_TEST(pulses)
{
	for (unsigned int c = 0xf0; c <= 0xff; c++) {
		unsigned int before = resets;

		command((uint8_t)c);
		ck_assert_uint_eq(resets - before, c & 1 ? 0 : 1);
	}
	ck_assert_uint_eq(resets, 8);
}
END_TEST

START_TEST(output_port)
{
	command(I8042_CMD_READ_OUTPUT);
	ck_assert_uint_eq(answer(), I8042_OUT_NOT_RESET | I8042_OUT_A20);
	command(I8042_CMD_WRITE_OUTPUT);
	data(I8042_OUT_NOT_RESET);
	command(I8042_CMD_READ_OUTPUT);
	ck_assert_uint_eq(answer(), I8042_OUT_NOT_RESET);
	command(I8042_CMD_A20_ON);
	command(I8042_CMD_READ_OUTPUT);
	ck_assert_uint_eq(answer(), I8042_OUT_NOT_RESET | I8042_OUT_A20);
	command(I8042_CMD_A20_OFF);
	ck_assert_uint_eq(resets, 0);
	command(I8042_CMD_WRITE_OUTPUT);
	data(I8042_OUT_A20);
	ck_assert_uint_eq(resets, 1);
}
END_TEST

START_TEST(unknown_commands_do_nothing)
{
	static const uint8_t unknown[] = {0x00, 0x1f, 0x80, 0xa1, 0xc1, 0xd5, 0xe1, 0xef};

	for (size_t i = 0; i < sizeof(unknown); i++)
		command(unknown[i]);
	ck_assert_uint_eq(status() & I8042_STATUS_OBF, 0);
	ck_assert_uint_eq(resets, 0);
	/* A command whose data never came is forgotten with the next one. */
	command(I8042_CMD_WRITE_OUTPUT);
	command(I8042_CMD_KBD_ENABLE);
	data(0);
	ck_assert_uint_eq(resets, 0);
}
END_TEST

START_TEST(fast_reset)
{
	ck_assert_uint_eq(in8(&bus, I8042_PORT_SYSA), I8042_SYSA_A20);
	out8(&bus, I8042_PORT_SYSA, I8042_SYSA_A20);
	ck_assert_uint_eq(resets, 0);
	out8(&bus, I8042_PORT_SYSA, I8042_SYSA_A20 | I8042_SYSA_RESET);
	ck_assert_uint_eq(resets, 1);
	/* Only the rising edge. */
	out8(&bus, I8042_PORT_SYSA, I8042_SYSA_RESET);
	ck_assert_uint_eq(resets, 1);
	out8(&bus, I8042_PORT_SYSA, 0);
	out8(&bus, I8042_PORT_SYSA, I8042_SYSA_RESET);
	ck_assert_uint_eq(resets, 2);
}
END_TEST

START_TEST(device_reset)
{
	command(I8042_CMD_WRITE_RAM);
	data(0);
	command(I8042_CMD_WRITE_OUTPUT);
	i8042_device(kbc)->ops->reset(i8042_device(kbc));
	ck_assert_uint_eq(status(), I8042_STATUS_SYS | I8042_STATUS_KEYLOCK);
	data(0);
	ck_assert_uint_eq(resets, 0);
}
END_TEST

START_TEST(system_port_b)
{
	uint8_t first;

	/* By default the port is not ours. */
	ck_assert_uint_eq(in8(&bus, I8042_PORT_SYSB), 0xff);
	teardown();
	create(true);
	out8(&bus, I8042_PORT_SYSB, 0xff);
	first = in8(&bus, I8042_PORT_SYSB);
	ck_assert_uint_eq(first & ~I8042_SYSB_REFRESH, 0x0f | I8042_SYSB_TIMER2);
	ck_assert_uint_eq(in8(&bus, I8042_PORT_SYSB) ^ first, I8042_SYSB_REFRESH);
}
END_TEST

START_TEST(two_threads)
{
	static const uint16_t ports[] = {0x60, 0x64, 0x64, 0x92};
	struct loop *loop = new_loop();

	hammer(loop, &bus, ports, ARRAY_SIZE(ports));
	loop_destroy(loop);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("i8042");
	TCase *tc = tcase_create("i8042");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, power_on_state);
	tcase_add_test(tc, self_test);
	tcase_add_test(tc, ram);
	tcase_add_test(tc, port_switches);
	tcase_add_test(tc, probe_finds_no_second_port);
	tcase_add_test(tc, devices_time_out);
	tcase_add_test(tc, interrupts);
	tcase_add_test(tc, not_wired);
	tcase_add_test(tc, pulses);
	tcase_add_test(tc, output_port);
	tcase_add_test(tc, unknown_commands_do_nothing);
	tcase_add_test(tc, fast_reset);
	tcase_add_test(tc, device_reset);
	tcase_add_test(tc, system_port_b);
	tcase_add_test(tc, two_threads);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
