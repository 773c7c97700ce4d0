// SPDX-License-Identifier: MIT
/*
 * The serial port's state, for its two halves: the registers (serial.c) and the way to and from the
 * character device (serial_io.c).
 */
#pragma once

#include <pthread.h>

#include "devices/pc/serial.h"
#include "devices/pc/serial_proto.h"

struct serial {
	struct device dev;
	const char *name;
	uint16_t port;
	struct irq_line *irq;
	struct loop *loop;
	struct chardev *chardev;
	void (*tap)(void *ctx, const uint8_t *data, size_t len); /* may be NULL */
	void *tap_ctx;
	struct serial_counters counters;

	/* --- Protected by the lock; any thread. A leaf but for the irq line and loop_post(). */
	pthread_mutex_t lock;
	uint8_t ier, lcr, mcr, msr, scr, dll, dlm;
	uint8_t iir;        /* the pending cause of the highest priority, or IIR_NONE */
	bool thri;          /* "transmitter empty" is pending */
	bool fifos;         /* enabled by FCR */
	uint8_t rx_trigger; /* bytes */
	bool rx_overrun;    /* LSR_OE */
	uint8_t rx_data[SERIAL_FIFO_SIZE];
	uint8_t rx_errors[SERIAL_FIFO_SIZE]; /* LSR_BI, per byte */
	unsigned int rx_start, rx_count;
	bool rx_waiting; /* the character device has input and waits for room */
	bool rx_resume;  /* the task is to ask for it */
	bool paused;     /* no input while the machine is paused */

	uint8_t *tx_fill; /* SERIAL_TX_HARD bytes: what the guest has written */
	size_t tx_filled;
	size_t tx_draining; /* what is left in tx_drain */
	bool tx_busy;       /* past the soft limit and not yet below half of it */
	bool tx_active;     /* the loop will look at tx_fill by itself */

	/* --- The loop's thread alone. */
	struct loop_task task;
	struct loop_timer linger;
	struct loop_timer flush;
	uint8_t *tx_drain; /* SERIAL_TX_HARD bytes: what is being written out */
	size_t drain_start, drain_end;
	size_t writing; /* bytes the character device has borrowed */
	bool started;
	bool shutting_down;
	bool closing;
	bool closed;
	uint64_t flush_stuck_ns;
	uint64_t flush_limit_ns;
	void (*done)(void *ctx);
	void *done_ctx;
};

/* serial.c; the lock is held. */
void serial_update_irq(struct serial *s);
void serial_set_tx_busy(struct serial *s, bool busy);
/* Room for input right now, in bytes. */
unsigned int serial_rx_room(const struct serial *s);
void serial_rx_push(struct serial *s, uint8_t byte, uint8_t errors);

/* serial_io.c */
int serial_io_init(struct serial *s, struct error *err) must_check;
void serial_io_finish(struct serial *s);
/* The lock is held. A byte leaves the transmitter. */
void serial_io_send(struct serial *s, uint8_t byte);
/* The lock is held. Input that waits may have room now. */
void serial_io_poll_input(struct serial *s);
