// SPDX-License-Identifier: MIT
/* The 16550A's registers as drivers probe them, and its interrupts. */
#include <stdlib.h>

#include "serial_fake.h"

static void setup_null(void)
{
	create(CHARDEV_NULL, NULL);
}

/* --- Registers. ---------------------------------------------------------------------------- */

START_TEST(power_on_state)
{
	ck_assert_uint_eq(get(SERIAL_IER), 0);
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_NONE);
	ck_assert_uint_eq(get(SERIAL_LCR), 0);
	ck_assert_uint_eq(get(SERIAL_MCR), 0);
	ck_assert_uint_eq(get(SERIAL_LSR), LSR_THRE | LSR_TEMT);
	ck_assert_uint_eq(get(SERIAL_MSR), MSR_CTS | MSR_DSR | MSR_DCD);
	ck_assert_uint_eq(get(SERIAL_RBR), 0);
}
END_TEST

START_TEST(plain_registers)
{
	put(SERIAL_SCR, 0x5a);
	ck_assert_uint_eq(get(SERIAL_SCR), 0x5a);
	put(SERIAL_IER, 0xff);
	ck_assert_uint_eq(get(SERIAL_IER), 0x0f);
	put(SERIAL_IER, 0);
	put(SERIAL_LCR, LCR_DLAB | 3);
	put(SERIAL_DLL, 0x0c);
	put(SERIAL_DLM, 0x01);
	ck_assert_uint_eq(get(SERIAL_DLL), 0x0c);
	ck_assert_uint_eq(get(SERIAL_DLM), 0x01);
	put(SERIAL_LCR, 3);
	ck_assert_uint_eq(get(SERIAL_LCR), 3);
	ck_assert_uint_eq(get(SERIAL_IER), 0);
	put(SERIAL_LSR, 0xff);
	put(SERIAL_MSR, 0xff);
	ck_assert_uint_eq(get(SERIAL_LSR), LSR_THRE | LSR_TEMT);
	ck_assert_uint_eq(get(SERIAL_MSR), MSR_CTS | MSR_DSR | MSR_DCD);
	/* Wider accesses fall apart into bytes. */
	bus_write(&bus, PORT + SERIAL_LCR, 2, 0x0b1b);
	ck_assert_uint_eq(get(SERIAL_LCR), 0x1b);
	ck_assert_uint_eq(get(SERIAL_MCR), 0x0b);
}
END_TEST

/* What Linux and others do to find out which UART this is. */
START_TEST(detected_as_16550a)
{
	put(SERIAL_IER, 0);
	ck_assert_uint_eq(get(SERIAL_IER) & 0x0f, 0);
	put(SERIAL_IER, 0x0f);
	ck_assert_uint_eq(get(SERIAL_IER) & 0x0f, 0x0f);
	put(SERIAL_IER, 0);
	put(SERIAL_MCR, MCR_LOOP | MCR_OUT2 | MCR_RTS);
	ck_assert_uint_eq(get(SERIAL_MSR) & 0xf0, MSR_DCD | MSR_CTS);
	put(SERIAL_MCR, 0);
	put(SERIAL_FCR, FCR_ENABLE);
	ck_assert_uint_eq(get(SERIAL_IIR) >> 6, 3);
	/* Not a 16750: no 64-byte FIFO, with DLAB or without. */
	put(SERIAL_FCR, FCR_ENABLE | 0x20);
	ck_assert_uint_eq(get(SERIAL_IIR) >> 5, 6);
	put(SERIAL_LCR, LCR_DLAB);
	put(SERIAL_FCR, FCR_ENABLE | 0x20);
	ck_assert_uint_eq(get(SERIAL_IIR) >> 5, 6);
	/* Not a 16650: register 2 is IIR here too and not zero. */
	ck_assert_uint_ne(get(SERIAL_IIR), 0);
	put(SERIAL_LCR, 0xbf);
	ck_assert_uint_ne(get(SERIAL_IIR), 0);
	put(SERIAL_LCR, 0);
	/* Not an XScale: no UART unit enable. */
	put(SERIAL_IER, 0x40);
	ck_assert_uint_eq(get(SERIAL_IER), 0);
	put(SERIAL_FCR, 0);
	ck_assert_uint_eq(get(SERIAL_IIR) >> 6, 0);
}
END_TEST

START_TEST(loopback_modem_lines)
{
	static const struct {
		uint8_t mcr, msr;
	} lines[] = {{0, 0},
		     {MCR_DTR, MSR_DSR},
		     {MCR_RTS, MSR_CTS},
		     {MCR_OUT1, MSR_RI},
		     {MCR_OUT2, MSR_DCD},
		     {0x0f, 0xf0}};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		put(SERIAL_MCR, MCR_LOOP | lines[i].mcr);
		ck_assert_uint_eq(get(SERIAL_MSR) & 0xf0, lines[i].msr);
	}
	/* The changes are told once, a ring indicator's when it ends. */
	put(SERIAL_MCR, MCR_LOOP);
	ck_assert_uint_eq(get(SERIAL_MSR), 0x0f);
	ck_assert_uint_eq(get(SERIAL_MSR), 0);
	put(SERIAL_MCR, MCR_LOOP | MCR_OUT1 | MCR_RTS);
	ck_assert_uint_eq(get(SERIAL_MSR), MSR_RI | MSR_CTS | MSR_DCTS);
}
END_TEST

START_TEST(loopback_data)
{
	put(SERIAL_MCR, MCR_LOOP);
	put(SERIAL_THR, 'a');
	ck_assert_uint_eq(get(SERIAL_LSR), LSR_THRE | LSR_TEMT | LSR_DR);
	/* Without FIFOs a second byte overruns the first. */
	put(SERIAL_THR, 'b');
	ck_assert_uint_eq(get(SERIAL_LSR), LSR_THRE | LSR_TEMT | LSR_DR | LSR_OE);
	ck_assert_uint_eq(get(SERIAL_LSR), LSR_THRE | LSR_TEMT | LSR_DR);
	ck_assert_uint_eq(get(SERIAL_RBR), 'b');
	ck_assert_uint_eq(get(SERIAL_LSR), LSR_THRE | LSR_TEMT);
	/* With FIFOs the seventeenth is lost. */
	put(SERIAL_FCR, FCR_ENABLE);
	for (uint8_t i = 0; i < 17; i++)
		put(SERIAL_THR, i);
	ck_assert_uint_eq(get(SERIAL_LSR) & LSR_OE, LSR_OE);
	for (uint8_t i = 0; i < 16; i++)
		ck_assert_uint_eq(get(SERIAL_RBR), i);
	ck_assert_uint_eq(get(SERIAL_LSR), LSR_THRE | LSR_TEMT);
	/* Clearing. */
	put(SERIAL_THR, 'c');
	put(SERIAL_FCR, FCR_ENABLE | FCR_CLEAR_RX | FCR_CLEAR_TX);
	ck_assert_uint_eq(get(SERIAL_LSR) & LSR_DR, 0);
	put(SERIAL_THR, 'd');
	put(SERIAL_FCR, 0);
	ck_assert_uint_eq(get(SERIAL_LSR) & LSR_DR, 0);
}
END_TEST

/* --- Interrupts. --------------------------------------------------------------------------- */

START_TEST(transmitter_interrupt)
{
	put(SERIAL_IER, IER_ETBEI);
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_THRI);
	/* Reading it clears it. */
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_NONE);
	put(SERIAL_THR, 'x');
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
	/* A byte more is an interrupt more, for drivers that never look at IIR. */
	put(SERIAL_THR, 'y');
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_THRI);
	/* Linux' test: turned off and on it comes again. */
	put(SERIAL_IER, 0);
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_NONE);
	put(SERIAL_IER, IER_ETBEI);
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_THRI);
	/* Left on, it does not. */
	put(SERIAL_IER, IER_ETBEI);
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_NONE);
	ck_assert_uint_eq(fake_irq_take(&irq), 0);
}
END_TEST

START_TEST(receiver_interrupt)
{
	put(SERIAL_MCR, MCR_LOOP);
	put(SERIAL_FCR, FCR_ENABLE | 2 << FCR_TRIGGER_SHIFT);
	put(SERIAL_IER, IER_ERBFI);
	for (uint8_t i = 0; i < 8; i++) {
		put(SERIAL_THR, i);
		ck_assert_uint_eq(get(SERIAL_IIR) & 0x0f, i < 7 ? IIR_CTI : IIR_RDA);
	}
	/* One interrupt for a FIFO that fills, none while it empties. */
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
	for (uint8_t i = 0; i < 8; i++)
		ck_assert_uint_eq(get(SERIAL_RBR), i);
	ck_assert_uint_eq(fake_irq_take(&irq), 0);
	ck_assert_uint_eq(get(SERIAL_IIR) & 0x0f, IIR_NONE);
	put(SERIAL_THR, 0);
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
	/* Without FIFOs there is no time-out. */
	put(SERIAL_FCR, 0);
	put(SERIAL_THR, 0);
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_RDA);
}
END_TEST

START_TEST(trigger_levels)
{
	static const unsigned int levels[] = {1, 4, 8, 14};

	put(SERIAL_MCR, MCR_LOOP);
	put(SERIAL_IER, IER_ERBFI);
	for (unsigned int i = 0; i < 4; i++) {
		put(SERIAL_FCR, (uint8_t)(FCR_ENABLE | FCR_CLEAR_RX | i << FCR_TRIGGER_SHIFT));
		for (unsigned int n = 1; n <= 16; n++) {
			put(SERIAL_THR, 0);
			ck_assert_uint_eq(get(SERIAL_IIR) & 0x0f,
					  n < levels[i] ? IIR_CTI : IIR_RDA);
		}
	}
}
END_TEST

START_TEST(priorities)
{
	put(SERIAL_MCR, MCR_LOOP);
	get(SERIAL_MSR);
	put(SERIAL_IER, IER_MASK);
	fake_irq_take(&irq);
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_THRI);
	put(SERIAL_MCR, MCR_LOOP | MCR_RTS);
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
	put(SERIAL_THR, 1);
	put(SERIAL_THR, 2);
	/* Each is shown when the one above it is done with, with a pulse of its own. */
	fake_irq_take(&irq);
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_RLS);
	ck_assert_uint_ne(get(SERIAL_LSR) & LSR_OE, 0);
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_RDA);
	get(SERIAL_RBR);
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_THRI);
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_MSI);
	ck_assert_uint_eq(get(SERIAL_MSR) & MSR_DCTS, MSR_DCTS);
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_NONE);
	ck_assert_uint_eq(fake_irq_take(&irq), 0);
}
END_TEST

START_TEST(device_reset)
{
	put(SERIAL_LCR, 0x1b);
	put(SERIAL_MCR, MCR_LOOP);
	put(SERIAL_FCR, FCR_ENABLE);
	put(SERIAL_IER, IER_MASK);
	put(SERIAL_THR, 'x');
	fake_irq_take(&irq);
	serial_device(serial)->ops->reset(serial_device(serial));
	ck_assert_uint_eq(get(SERIAL_IER), 0);
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_NONE);
	ck_assert_uint_eq(get(SERIAL_LCR), 0);
	ck_assert_uint_eq(get(SERIAL_MCR), 0);
	ck_assert_uint_eq(get(SERIAL_LSR), LSR_THRE | LSR_TEMT);
	ck_assert_uint_eq(get(SERIAL_MSR), MSR_CTS | MSR_DSR | MSR_DCD);
	ck_assert_uint_eq(fake_irq_take(&irq), 0);
}
END_TEST

/* --- Creation. ----------------------------------------------------------------------------- */

START_TEST(never_started)
{
	struct chardev_config cd = {.kind = CHARDEV_NULL};
	struct serial_config config = {.name = "com2", .port = 0x2f8, .irq = &irq.line};
	struct serial *other;
	bool done = false;

	config.loop = loop;
	ck_assert_int_eq(chardev_create(loop, &cd, NULL, &config.chardev), 0);
	ck_assert_int_eq(serial_create(&config, NULL, &other), 0);
	serial_device(other)->ops->destroy(serial_device(other));
	/* Shutting it down works too. */
	ck_assert_int_eq(chardev_create(loop, &cd, NULL, &config.chardev), 0);
	ck_assert_int_eq(serial_create(&config, NULL, &other), 0);
	serial_shutdown(other, set_flag, &done);
	ck_assert(run_until(loop, flag_is_set, &done, 500));
	serial_device(other)->ops->destroy(serial_device(other));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("serial");
	TCase *tc = tcase_create("registers");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup_null, teardown);
	tcase_add_test(tc, power_on_state);
	tcase_add_test(tc, plain_registers);
	tcase_add_test(tc, detected_as_16550a);
	tcase_add_test(tc, loopback_modem_lines);
	tcase_add_test(tc, loopback_data);
	tcase_add_test(tc, transmitter_interrupt);
	tcase_add_test(tc, receiver_interrupt);
	tcase_add_test(tc, trigger_levels);
	tcase_add_test(tc, priorities);
	tcase_add_test(tc, device_reset);
	tcase_add_test(tc, never_started);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
