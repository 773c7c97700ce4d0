// SPDX-License-Identifier: MIT
/*
 * A 16550A serial port with a character device behind it.
 *
 * Registers are handled on vCPU threads under one small lock, and no vCPU ever waits for the host:
 * output goes into a queue that the loop drains. The line has no speed, so the transmitter is
 * always empty, but for a host that does not keep up: past SERIAL_TX_SOFT bytes THRE, TEMT and CTS
 * go away until half of that is left. Guests that send all the same (Linux' console gives a
 * character 10 ms) are heard up to SERIAL_TX_HARD bytes; what is beyond that is dropped and
 * counted.
 *
 * Input enters the FIFO only as far as there is room, and not while the guest is in loopback mode
 * or has raised DTR but not RTS; the rest stays with the character device. The character time-out
 * of the FIFO comes at once, since nothing more would come by waiting.
 *
 * The interrupt is edge-triggered and not gated by OUT2.
 */
#pragma once

#include "devices/char/chardev.h"
#include "vmm/bus.h"
#include "vmm/device.h"
#include "vmm/irq.h"
#include "vmm/loop.h"

#define SERIAL_TX_SOFT KiB(64)
#define SERIAL_TX_HARD MiB(1)

/*
 * What is sent within this time of a drain waits for its end: a guest that sends byte by byte then
 * costs one wake of the loop in this time, and no system call on its own thread.
 */
#define SERIAL_TX_LINGER_NS (4 * NSEC_PER_MSEC)

/* At the end: how long output that the host does not take is waited for, and how long in all. */
#define SERIAL_FLUSH_STUCK_NS (2 * NSEC_PER_SEC)
#define SERIAL_FLUSH_MAX_NS   (10 * NSEC_PER_SEC)

struct serial;

struct serial_config {
	const char *name; /* "com1"; must outlive the device */
	uint16_t port;    /* SERIAL_COM1_PORT */
	struct irq_line *irq;
	struct loop *loop;
	struct chardev *chardev; /* the serial port's own once serial_create() succeeds */
	uint64_t flush_stuck_ns; /* 0: SERIAL_FLUSH_STUCK_NS */
	/* Optional: sees all output before the character device does. On the loop's thread. */
	void (*tap)(void *ctx, const uint8_t *data, size_t len);
	void *tap_ctx;
};

struct serial_counters {
	struct counter tx_dropped; /* past SERIAL_TX_HARD, or not flushed at the end */
	struct counter tx_stalls;  /* the transmitter became busy */
	struct counter tx_batches; /* writes to the character device */
	struct counter tx_posts;   /* the loop woken from a vCPU thread */
	struct counter interrupts;
};

int serial_create(const struct serial_config *config, struct error *err,
		  struct serial **ret) must_check;

/* Claims the ports. */
int serial_attach(struct serial *s, struct bus *ports, struct error *err) must_check;

/* Loop thread, before vCPUs run: the character device starts to read. */
void serial_start(struct serial *s);

/*
 * Loop thread, when no vCPU runs any more: sends what is queued (see SERIAL_FLUSH_*), closes the
 * character device and then calls @done, from the loop and never from inside the call. A started
 * port must be shut down before it is destroyed.
 */
void serial_shutdown(struct serial *s, void (*done)(void *ctx), void *ctx);

/*
 * Loop thread, when no vCPU runs: shows @see what the guest has sent that the tap has not seen yet.
 * It stays queued.
 */
void serial_peek(struct serial *s, void (*see)(void *ctx, const uint8_t *data, size_t len),
		 void *ctx);

/* Its life: reset keeps queued output. Destroying it destroys the character device. */
struct device *serial_device(struct serial *s);

const struct serial_counters *serial_counters(const struct serial *s);
