// SPDX-License-Identifier: MIT
/*
 * A guest that does what is typed into its serial console, a line each, by interrupt:
 *
 *   say WORDS    prints WORDS
 *   lines N      prints N lines, "line 0" first
 *   reset        resets itself
 *   poweroff     switches itself off
 *
 * Anything else is named in an answer; so is a break. It sleeps while nothing comes.
 */
#include "kit/kit.h"

#define UART_DATA 0
#define UART_IER  1
#define UART_IIR  2
#define UART_FCR  2
#define UART_LSR  5

#define LSR_DR 0x01
#define LSR_BI 0x10

#define SERIAL_IRQ 4
#define VECTOR     0x55
#define QUEUE      4096

/* Written by the interrupt handler, read by the main program. */
static volatile char queue[QUEUE];
static volatile uint64_t queued, breaks;
static uint64_t taken, breaks_said;

static void on_serial(struct trap_frame *frame)
{
	uint8_t lsr;

	(void)frame;
	in8(COM1 + UART_IIR);
	while ((lsr = in8(COM1 + UART_LSR)) & LSR_DR) {
		char byte = (char)in8(COM1 + UART_DATA);

		if (lsr & LSR_BI) {
			breaks++;
		} else if (queued - taken < QUEUE) {
			queue[queued % QUEUE] = byte;
			queued++;
		}
	}
	apic_eoi();
}

static uint64_t number(const char *text)
{
	uint64_t n = 0;

	while (*text >= '0' && *text <= '9')
		n = n * 10 + (uint64_t)(*text++ - '0');
	return n;
}

static void run(const char *line)
{
	if (!strncmp(line, "say ", 4)) {
		print("%s\n", line + 4);
	} else if (!strncmp(line, "lines ", 6)) {
		for (uint64_t i = 0, n = number(line + 6); i < n; i++)
			print("line %lu\n", i);
	} else if (!strcmp(line, "reset")) {
		reset_acpi();
	} else if (!strcmp(line, "poweroff")) {
		acpi_power_off();
	} else if (*line) {
		print("what is \"%s\"?\n", line);
	}
}

/* Interrupts are off from the look at the queue to the sleep, so that none is slept through. */
static char next_byte(void)
{
	for (;;) {
		irq_disable();
		if (breaks_said < breaks) {
			breaks_said++;
			print("break\n");
		} else if (taken < queued) {
			char byte = queue[taken % QUEUE];

			taken++;
			irq_enable();
			return byte;
		} else {
			irq_enable_and_halt();
		}
	}
}

void test_main(void)
{
	char line[256];
	size_t len = 0;

	irq_set_handler(VECTOR, on_serial);
	ioapic_route_irq(SERIAL_IRQ, VECTOR);
	console_reset();
	out8(COM1 + UART_FCR, 0x01);
	out8(COM1 + UART_IER, 0x01);
	print("ready\n");
	for (;;) {
		char byte = next_byte();

		if (byte == '\n' || byte == '\r') {
			line[len] = 0;
			len = 0;
			run(line);
		} else if (len < sizeof(line) - 1) {
			line[len++] = byte;
		}
	}
}
