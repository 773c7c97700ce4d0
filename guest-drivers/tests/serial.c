// SPDX-License-Identifier: MIT
/*
 * COM1 as a 16550A: registers, FIFO through loopback, modem lines, and its interrupts through the
 * I/O APIC.
 *
 * In loopback nothing can be printed: each test collects, brings the console back, then checks.
 */
#include "kit/kit.h"

#define DATA 0
#define DLL  0
#define DLM  1
#define IER  1
#define IIR  2
#define FCR  2
#define LCR  3
#define MCR  4
#define LSR  5
#define MSR  6
#define SCR  7

#define IER_RX   0x01
#define IER_THRE 0x02
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define LSR_DR   0x01
#define LSR_OE   0x02
#define LSR_TEMT 0x40

#define IIR_NONE 0x01
#define IIR_THRE 0x02
#define IIR_RX   0x04

#define FIFO_SIZE  16
#define SERIAL_IRQ 4
#define VECTOR     0x54

static volatile unsigned int interrupts;
static volatile uint8_t last_iir;

static uint8_t get(uint16_t reg)
{
	return in8(COM1 + reg);
}

static void put(uint16_t reg, uint8_t v)
{
	out8(COM1 + reg, v);
}

static void enter_loopback(uint8_t fcr)
{
	wait_for(get(LSR) & LSR_TEMT, 1000);
	put(MCR, MCR_LOOP | MCR_OUT2);
	put(FCR, fcr);
	put(FCR, fcr | 0x06); /* clear both FIFOs */
	while (get(LSR) & LSR_DR)
		get(DATA);
}

static void test_registers(void)
{
	uint8_t scratch[2], ier, dll, dlm, fifo_on, fifo_off;

	put(SCR, 0x5a);
	scratch[0] = get(SCR);
	put(SCR, 0xa5);
	scratch[1] = get(SCR);
	put(IER, 0xff & ~IER_THRE & ~IER_RX);
	ier = get(IER);
	put(IER, 0);
	put(LCR, 0x83);
	put(DLL, 0x34);
	put(DLM, 0x12);
	dll = get(DLL);
	dlm = get(DLM);
	put(LCR, 0x03);
	fifo_off = (put(FCR, 0), get(IIR));
	fifo_on = (put(FCR, 1), get(IIR));
	console_reset();

	check(scratch[0] == 0x5a && scratch[1] == 0xa5, "scratch register");
	check_eq(ier & 0xf0, 0, "interrupt enable has four bits");
	check(dll == 0x34 && dlm == 0x12, "divisor latch reads back");
	check_eq(get(IER), 0, "the divisor latch is not the interrupt enable register");
	check(fifo_off >> 6 == 0 && fifo_on >> 6 == 3, "detected as 16550A (IIR 0x%02x, 0x%02x)",
	      fifo_off, fifo_on);
}

static void test_fifo(void)
{
	uint8_t got[FIFO_SIZE], lsr_full, lsr_empty, lsr_overrun = 0;
	bool same = true;

	enter_loopback(1);
	for (unsigned int i = 0; i < FIFO_SIZE; i++)
		put(DATA, (uint8_t)(0x41 + i));
	wait_for(get(LSR) & LSR_TEMT, 1000);
	lsr_full = get(LSR);
	for (unsigned int i = 0; i < FIFO_SIZE; i++)
		same &= (wait_for(get(LSR) & LSR_DR, 100), get(DATA)) == 0x41 + i;
	lsr_empty = get(LSR);

	for (unsigned int i = 0; i < FIFO_SIZE + 1; i++) {
		put(DATA, (uint8_t)i);
		/* Reading LSR clears the overrun: keep what any read saw. */
		wait_for((lsr_overrun |= get(LSR)) & LSR_TEMT, 100);
	}

	enter_loopback(1);
	out8_string(COM1 + DATA, "0123456789abcdef", FIFO_SIZE);
	wait_for(get(LSR) & LSR_TEMT, 1000);
	in8_string(COM1 + DATA, got, FIFO_SIZE);
	console_reset();

	check((lsr_full & (LSR_DR | LSR_OE)) == LSR_DR, "loopback: data ready (LSR 0x%02x)",
	      lsr_full);
	check(same, "loopback: 16 bytes come back in order");
	check(!(lsr_empty & LSR_DR), "loopback: then there are no more");
	check(lsr_overrun & LSR_OE, "loopback: a 17th byte is an overrun (LSR 0x%02x)",
	      lsr_overrun);
	check(!memcmp(got, "0123456789abcdef", FIFO_SIZE), "loopback: rep outsb and rep insb");
}

/* In loopback DTR, RTS, OUT1, OUT2 come back as DSR, CTS, RI, DCD. */
static void test_modem_lines(void)
{
	static const struct {
		uint8_t mcr, msr;
	} rows[] = {{0x00, 0x00}, {0x01, 0x20}, {0x02, 0x10},
		    {0x04, 0x40}, {0x08, 0x80}, {0x0a, 0x90}};
	uint8_t got[ARRAY_SIZE(rows)];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		put(MCR, MCR_LOOP | rows[i].mcr);
		got[i] = get(MSR) & 0xf0;
	}
	console_reset();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_eq(got[i], rows[i].msr);
	test_case("loopback: modem control lines come back as status");
}

static void on_serial(struct trap_frame *frame)
{
	(void)frame;
	last_iir = get(IIR) & 0x0f;
	if (last_iir == IIR_RX)
		get(DATA);
	interrupts++;
	apic_eoi();
}

static bool await(unsigned int count)
{
	return wait_for(READ_ONCE(interrupts) >= count, 1000);
}

static void test_thre_interrupt(void)
{
	wait_for(get(LSR) & LSR_TEMT, 1000);
	interrupts = 0;
	put(IER, IER_THRE);
	bool first = await(1);
	uint8_t iir = last_iir;

	put(DATA, '\n');
	bool second = await(2);

	put(IER, 0);
	unsigned int seen = interrupts;

	delay_us(2000);
	console_reset();
	check(first && iir == IIR_THRE, "enabling the transmitter interrupt raises it (IIR 0x%x)",
	      iir);
	check(second, "each empty transmitter raises it");
	check(seen <= 3 && interrupts == seen, "reading IIR ends it (%u interrupts)", interrupts);
	check_eq(get(IIR) & 0x0f, IIR_NONE, "no interrupt is pending when all are off");
}

static void test_rx_interrupt(void)
{
	enter_loopback(1); /* trigger level: one byte */
	interrupts = 0;
	put(IER, IER_RX);
	put(DATA, 'x');
	bool came = await(1);
	uint8_t iir = last_iir;

	put(IER, 0);
	console_reset();
	check(came && iir == IIR_RX, "a received byte raises its interrupt (IIR 0x%x)", iir);
	check_eq(interrupts, 1, "once");
}

void test_main(void)
{
	test_registers();
	test_fifo();
	test_modem_lines();

	irq_set_handler(VECTOR, on_serial);
	uint32_t pin = ioapic_route_irq(SERIAL_IRQ, VECTOR);

	irq_enable();
	test_thre_interrupt();
	test_rx_interrupt();
	irq_disable();
	ioapic_mask(pin);
}
