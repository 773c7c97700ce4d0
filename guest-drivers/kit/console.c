// SPDX-License-Identifier: MIT
/*
 * COM1, polled (16550: NS PC16550D data sheet). State: the lock and what the port can do.
 */
#include "kit/console.h"
#include "kit/cpu.h"
#include "kit/smp.h"
#include "kit/string.h"

#define UART_DATA 0
#define UART_IER  1
#define UART_FCR  2
#define UART_LCR  3
#define UART_MCR  4
#define UART_LSR  5
#define LSR_THRE  0x20

static bool ready;
static size_t burst;   /* bytes that may be written at once when the transmitter is empty */
static uint32_t owner; /* 0: free, else CPU index + 1 */

void console_reset(void)
{
	out8(COM1 + UART_IER, 0);
	out8(COM1 + UART_LCR, 0x80);
	out8(COM1 + UART_DATA, 1); /* divisor 1: 115200 baud */
	out8(COM1 + UART_IER, 0);
	out8(COM1 + UART_LCR, 0x03);
	out8(COM1 + UART_FCR, 0x07);
	out8(COM1 + UART_MCR, 0x03);
	burst = (in8(COM1 + UART_FCR) & 0xc0) == 0xc0 ? 16 : 1;
	ready = true;
}

/*
 * A CPU that faults while it prints, and one whose lock holder died, go ahead without the lock:
 * garbled text is worth more than none.
 */
static bool lock(uint32_t me)
{
	for (unsigned int tries = 0; tries < 1000000; tries++) {
		uint32_t expected = 0;

		if (__atomic_compare_exchange_n(&owner, &expected, me, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
		if (expected == me)
			return false;
		cpu_relax();
	}
	return false;
}

static void write_port(const char *text, size_t len)
{
	while (len) {
		/* An absent or stuck port must not hang the guest: give up waiting and write. */
		for (unsigned int tries = 0; tries < 10000; tries++)
			if (in8(COM1 + UART_LSR) & LSR_THRE)
				break;
		for (size_t n = len < burst ? len : burst; n; n--, len--)
			out8(COM1 + UART_DATA, (uint8_t)*text++);
	}
}

void print_va(const char *fmt, va_list args)
{
	char text[CONSOLE_LINE_MAX];
	size_t len = format_text_va(text, sizeof(text), fmt, args);
	bool locked = lock(cpu_index() + 1);

	if (!ready)
		console_reset();
	write_port(text, len);
	if (locked)
		store_release(&owner, 0);
}

void print(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_va(fmt, args);
	va_end(args);
}
