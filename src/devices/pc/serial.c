// SPDX-License-Identifier: MIT
/*
 * The 16550A's registers (PC16550D data sheet, section 8), on vCPU threads, under the device's
 * lock.
 */
#include "devices/pc/serial.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "devices/pc/serial_impl.h"
#include "devices/pc/serial_proto.h"

/* --- Interrupts. --------------------------------------------------------------------------- */

static uint8_t receive_errors(const struct serial *s)
{
	uint8_t errors = s->rx_overrun ? LSR_OE : 0;

	return s->rx_count ? errors | s->rx_errors[s->rx_start] : errors;
}

/* The pending cause of the highest priority. */
static uint8_t find_cause(const struct serial *s)
{
	if ((s->ier & IER_ELSI) && receive_errors(s))
		return IIR_RLS;
	if ((s->ier & IER_ERBFI) && s->rx_count)
		return s->fifos && s->rx_count < s->rx_trigger ? IIR_CTI : IIR_RDA;
	if ((s->ier & IER_ETBEI) && s->thri)
		return IIR_THRI;
	if ((s->ier & IER_EDSSI) && (s->msr & (MSR_DCTS | MSR_DDSR | MSR_TERI | MSR_DDCD)))
		return IIR_MSI;
	return IIR_NONE;
}

/* A FIFO that sinks below its trigger level while it is read is no news. */
static bool same_cause(uint8_t a, uint8_t b)
{
	return a == b || (a == IIR_RDA && b == IIR_CTI) || (a == IIR_CTI && b == IIR_RDA);
}

void serial_update_irq(struct serial *s)
{
	uint8_t before = s->iir;

	s->iir = find_cause(s);
	if (s->iir == IIR_NONE || same_cause(s->iir, before))
		return;
	counter_add(&s->counters.interrupts, 1);
	irq_line_pulse(s->irq);
}

/* --- Modem lines. -------------------------------------------------------------------------- */

/* What the lines are: the guest's own outputs in loopback mode, else a modem that is there. */
static uint8_t modem_lines(const struct serial *s)
{
	uint8_t lines = 0;

	if (!(s->mcr & MCR_LOOP))
		return MSR_DCD | MSR_DSR | (s->tx_busy ? 0 : MSR_CTS);
	if (s->mcr & MCR_DTR)
		lines |= MSR_DSR;
	if (s->mcr & MCR_RTS)
		lines |= MSR_CTS;
	if (s->mcr & MCR_OUT1)
		lines |= MSR_RI;
	if (s->mcr & MCR_OUT2)
		lines |= MSR_DCD;
	return lines;
}

static void update_modem(struct serial *s)
{
	uint8_t lines = modem_lines(s);
	uint8_t changed = lines ^ (s->msr & 0xf0);

	if (changed & MSR_CTS)
		s->msr |= MSR_DCTS;
	if (changed & MSR_DSR)
		s->msr |= MSR_DDSR;
	if (changed & MSR_DCD)
		s->msr |= MSR_DDCD;
	/* RI counts only when it ends. */
	if ((changed & MSR_RI) && !(lines & MSR_RI))
		s->msr |= MSR_TERI;
	s->msr = (s->msr & 0x0f) | lines;
}

void serial_set_tx_busy(struct serial *s, bool busy)
{
	if (s->tx_busy == busy)
		return;
	s->tx_busy = busy;
	if (busy)
		counter_add(&s->counters.tx_stalls, 1);
	s->thri = !busy;
	update_modem(s);
	serial_update_irq(s);
}

/* --- The receive FIFO. --------------------------------------------------------------------- */

static unsigned int rx_capacity(const struct serial *s)
{
	return s->fifos ? SERIAL_FIFO_SIZE : 1;
}

unsigned int serial_rx_room(const struct serial *s)
{
	bool held = (s->mcr & (MCR_DTR | MCR_RTS)) == MCR_DTR;

	return s->paused || held || (s->mcr & MCR_LOOP) ? 0 : rx_capacity(s) - s->rx_count;
}

void serial_rx_push(struct serial *s, uint8_t byte, uint8_t errors)
{
	unsigned int at;

	if (s->rx_count == rx_capacity(s)) {
		/* With FIFOs the new byte is lost, without them the old one. */
		s->rx_overrun = true;
		if (s->fifos)
			return;
		s->rx_count = 0;
	}
	at = (s->rx_start + s->rx_count) % SERIAL_FIFO_SIZE;
	s->rx_data[at] = byte;
	s->rx_errors[at] = errors;
	s->rx_count++;
}

static void rx_clear(struct serial *s)
{
	s->rx_start = s->rx_count = 0;
}

static uint8_t read_rbr(struct serial *s)
{
	uint8_t byte = s->rx_data[s->rx_start];

	/* An empty receiver shows its last byte again. */
	if (!s->rx_count)
		return byte;
	s->rx_count--;
	if (s->rx_count)
		s->rx_start = (s->rx_start + 1) % SERIAL_FIFO_SIZE;
	serial_update_irq(s);
	serial_io_poll_input(s);
	return byte;
}

/* --- Registers. ---------------------------------------------------------------------------- */

static void write_thr(struct serial *s, uint8_t byte)
{
	/* Writing takes "empty" back; the byte has left at once, which is a new one. */
	s->thri = false;
	serial_update_irq(s);
	if (s->mcr & MCR_LOOP)
		serial_rx_push(s, byte, 0);
	else
		serial_io_send(s, byte);
	s->thri = !s->tx_busy;
	serial_update_irq(s);
}

static void write_ier(struct serial *s, uint8_t value)
{
	uint8_t risen = value & ~s->ier;

	s->ier = value & IER_MASK;
	/* Drivers turn this on to be called for an empty transmitter, even if told before. */
	if (risen & IER_ETBEI)
		s->thri = !s->tx_busy;
	serial_update_irq(s);
}

static uint8_t read_iir(struct serial *s)
{
	uint8_t value = s->iir | (s->fifos ? IIR_FIFOS : 0);

	if (s->iir == IIR_THRI) {
		s->thri = false;
		serial_update_irq(s);
	}
	return value;
}

static void write_fcr(struct serial *s, uint8_t value)
{
	static const uint8_t triggers[] = {1, 4, 8, 14};
	bool fifos = value & FCR_ENABLE;

	if (fifos != s->fifos || (fifos && (value & FCR_CLEAR_RX)))
		rx_clear(s);
	s->fifos = fifos;
	/* Without FIFOs, only the enabling bit counts. What was sent has left: nothing to clear. */
	if (fifos)
		s->rx_trigger = triggers[value >> FCR_TRIGGER_SHIFT];
	serial_update_irq(s);
	serial_io_poll_input(s);
}

static void write_mcr(struct serial *s, uint8_t value)
{
	s->mcr = value & MCR_MASK;
	update_modem(s);
	serial_update_irq(s);
	serial_io_poll_input(s);
}

static uint8_t read_lsr(struct serial *s)
{
	uint8_t value = receive_errors(s);

	for (unsigned int i = 0; s->fifos && i < s->rx_count; i++) {
		if (s->rx_errors[(s->rx_start + i) % SERIAL_FIFO_SIZE])
			value |= LSR_FIFOER;
	}
	if (s->rx_count)
		value |= LSR_DR;
	if (!s->tx_busy)
		value |= LSR_THRE | LSR_TEMT;
	if (value & (LSR_OE | LSR_BI)) {
		s->rx_overrun = false;
		s->rx_errors[s->rx_start] = 0;
		serial_update_irq(s);
	}
	return value;
}

static uint8_t read_msr(struct serial *s)
{
	uint8_t value = s->msr;

	s->msr &= 0xf0;
	serial_update_irq(s);
	return value;
}

static uint8_t read_register(struct serial *s, uint64_t offset)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (offset) {
	case SERIAL_RBR:
		return dlab ? s->dll : read_rbr(s);
	case SERIAL_IER:
		return dlab ? s->dlm : s->ier;
	case SERIAL_IIR:
		return read_iir(s);
	case SERIAL_LCR:
		return s->lcr;
	case SERIAL_MCR:
		return s->mcr;
	case SERIAL_LSR:
		return read_lsr(s);
	case SERIAL_MSR:
		return read_msr(s);
	default:
		return s->scr;
	}
}

static void write_register(struct serial *s, uint64_t offset, uint8_t value)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (offset) {
	case SERIAL_THR:
		if (dlab)
			s->dll = value;
		else
			write_thr(s, value);
		break;
	case SERIAL_IER:
		if (dlab)
			s->dlm = value;
		else
			write_ier(s, value);
		break;
	case SERIAL_FCR:
		write_fcr(s, value);
		break;
	case SERIAL_LCR:
		s->lcr = value;
		break;
	case SERIAL_MCR:
		write_mcr(s, value);
		break;
	case SERIAL_SCR:
		s->scr = value;
		break;
	default:
		/* LSR and MSR: for the maker's tests only. */
		break;
	}
}

static uint64_t serial_read(void *dev, uint64_t offset, unsigned int size)
{
	struct serial *s = dev;
	uint8_t value;

	pthread_mutex_lock(&s->lock);
	value = read_register(s, offset);
	pthread_mutex_unlock(&s->lock);
	return value;
}

static void serial_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct serial *s = dev;

	pthread_mutex_lock(&s->lock);
	write_register(s, offset, (uint8_t)value);
	pthread_mutex_unlock(&s->lock);
}

static const struct bus_ops serial_bus_ops = {
	.read = serial_read,
	.write = serial_write,
	.max_size = 1,
};

/* --- Life. --------------------------------------------------------------------------------- */

static struct serial *to_serial(struct device *dev)
{
	return container_of(dev, struct serial, dev);
}

static void serial_reset(struct device *dev)
{
	struct serial *s = to_serial(dev);

	pthread_mutex_lock(&s->lock);
	s->ier = s->lcr = s->mcr = s->scr = s->dlm = 0;
	s->dll = 1; /* 115200 baud, as firmware leaves it */
	s->iir = IIR_NONE;
	s->thri = false;
	s->fifos = false;
	s->rx_trigger = 1;
	s->rx_overrun = false;
	rx_clear(s);
	s->msr = modem_lines(s);
	serial_io_poll_input(s);
	pthread_mutex_unlock(&s->lock);
}

static void serial_pause(struct device *dev)
{
	struct serial *s = to_serial(dev);

	pthread_mutex_lock(&s->lock);
	s->paused = true;
	pthread_mutex_unlock(&s->lock);
}

static void serial_resume(struct device *dev)
{
	struct serial *s = to_serial(dev);

	pthread_mutex_lock(&s->lock);
	s->paused = false;
	serial_io_poll_input(s);
	pthread_mutex_unlock(&s->lock);
}

static void serial_destroy(struct device *dev)
{
	struct serial *s = to_serial(dev);

	serial_io_finish(s);
	chardev_destroy(s->chardev);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static const struct device_ops serial_device_ops = {
	.name = "serial",
	.reset = serial_reset,
	.pause = serial_pause,
	.resume = serial_resume,
	.destroy = serial_destroy,
};

int serial_create(const struct serial_config *config, struct error *err, struct serial **ret)
{
	struct serial *s = calloc(1, sizeof(*s));
	int r;

	assert(config->irq && config->loop && config->chardev);
	if (!s)
		return error_set(err, -ENOMEM, "%s: out of memory", config->name);
	s->dev.ops = &serial_device_ops;
	s->name = config->name;
	s->port = config->port;
	s->irq = config->irq;
	s->loop = config->loop;
	s->flush_stuck_ns = config->flush_stuck_ns ? config->flush_stuck_ns : SERIAL_FLUSH_STUCK_NS;
	pthread_mutex_init(&s->lock, NULL);
	r = serial_io_init(s, err);
	if (r < 0) {
		serial_destroy(&s->dev);
		return r;
	}
	serial_reset(&s->dev);
	s->chardev = config->chardev;
	s->tap = config->tap;
	s->tap_ctx = config->tap_ctx;
	*ret = s;
	return 0;
}

int serial_attach(struct serial *s, struct bus *ports, struct error *err)
{
	return bus_add(ports, s->port, SERIAL_PORTS, s->name, &serial_bus_ops, s, err);
}

struct device *serial_device(struct serial *s)
{
	return &s->dev;
}

const struct serial_counters *serial_counters(const struct serial *s)
{
	return &s->counters;
}
