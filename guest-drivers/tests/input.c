// SPDX-License-Identifier: MIT
/*
 * What is typed into the VM's serial console arrives: all of it, in order, by interrupt, without an
 * overrun however slowly the guest reads.
 *
 * The host sends when it sees the line "# waiting for N bytes".
 *
 * Parameters: bytes=N (how many the host sends: 0123456789abcdef again and again), trigger=N (FIFO
 * level: 1, 4, 8 or 14, default 14), slow (takes 0.5 ms for a byte).
 */
#include "kit/kit.h"

#define UART_DATA 0
#define UART_IER  1
#define UART_IIR  2
#define UART_FCR  2
#define UART_LSR  5

#define LSR_DR 0x01
#define LSR_OE 0x02

#define SERIAL_IRQ 4
#define VECTOR     0x55

static volatile uint64_t received, wrong, interrupts;
static volatile uint8_t any_lsr;
static bool slow;

static void on_serial(struct trap_frame *frame)
{
	uint8_t lsr;

	(void)frame;
	interrupts++;
	in8(COM1 + UART_IIR);
	while ((lsr = in8(COM1 + UART_LSR)) & LSR_DR) {
		any_lsr |= lsr;
		uint8_t byte = in8(COM1 + UART_DATA);

		if (byte != "0123456789abcdef"[received % 16])
			wrong++;
		received++;
		if (slow)
			delay_us(500);
	}
	any_lsr |= lsr;
	apic_eoi();
}

static uint8_t trigger_bits(void)
{
	uint64_t trigger = param_u64("trigger", 14);

	return trigger == 14 ? 0xc0 : trigger == 8 ? 0x80 : trigger == 4 ? 0x40 : 0;
}

static void await(uint64_t want)
{
	uint64_t progress = 0, end = deadline_ms(10000);

	while (received < want && !deadline_passed(end)) {
		if (received != progress) {
			progress = received;
			end = deadline_ms(10000);
		}
		cpu_relax();
	}
}

void test_main(void)
{
	uint64_t want = param_u64("bytes", 0);

	if (!want)
		skip_all("no bytes=N given: nothing will be sent");
	slow = param_is_set("slow");
	irq_set_handler(VECTOR, on_serial);
	ioapic_route_irq(SERIAL_IRQ, VECTOR);
	console_reset();
	out8(COM1 + UART_FCR, trigger_bits() | 0x01);
	out8(COM1 + UART_IER, 0x01);
	irq_enable();
	note("waiting for %lu bytes", want);
	await(want);
	delay_us(20000);
	irq_disable();
	out8(COM1 + UART_IER, 0);

	note("%lu interrupts", interrupts);
	check_eq(received, want, "all bytes arrive, and no more");
	check_eq(wrong, 0, "in order");
	check(!(any_lsr & LSR_OE), "without an overrun");
}
