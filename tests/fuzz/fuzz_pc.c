// SPDX-License-Identifier: MIT
/*
 * Fuzzes the PC devices: any sequence of register accesses of any size through a bus, with the
 * loop, host input, time and the machine's own doings in between. Beyond not crashing:
 *
 *   - a read never gives more bits than were asked for;
 *   - nothing a driver polls stays busy: the i8042 never refuses a byte;
 *   - registers that have few legal values have no others, and the SCI is what they say.
 *
 * The input is a list of commands. A byte below 0x80 is an access: bits 0-4 the port, bit 5 a
 * write, and the next byte's low two bits the size, then the value. Others are events, below.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "devices/pc/debug_exit.h"
#include "devices/pc/i8042.h"
#include "devices/pc/i8042_proto.h"
#include "devices/pc/pm.h"
#include "devices/pc/pm_proto.h"
#include "devices/pc/pvpanic.h"
#include "devices/pc/rtc.h"
#include "devices/pc/rtc_proto.h"
#include "devices/pc/serial.h"
#include "devices/pc/serial_proto.h"
#include "vmm/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ACCESS_PORT  0x1f
#define ACCESS_WRITE 0x20
#define EVENT        0x80

/* One loop run takes a millisecond or so: more than these in an input add nothing. */
#define LOOP_RUNS_MAX 32

static const uint16_t ports[ACCESS_PORT + 1] = {
	0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff, 0x70,  0x71,  0x60,
	0x61,  0x64,  0x92,  0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x608, 0x60a,
	0x610, 0x611, 0x612, 0x613, 0x61c, 0xcf9, 0xf4,  0xf6,  0x505, 0x3f7,
};

struct machine {
	struct loop *loop;
	struct bus bus;
	struct irq_line irq[4];
	unsigned int events;
	unsigned int loop_runs;
	struct serial *serial;
	struct rtc *rtc;
	struct i8042 *i8042;
	struct pm *pm;
	struct debug_exit *debug_exit;
	struct pvpanic *pvpanic;
	struct device *devices[6];
	int host_in; /* what the guest reads from its serial port */
	uint64_t wall_ns;
	bool shut_down;
	struct loop_timer stop;
};

struct input {
	const uint8_t *data;
	size_t left;
};

static void require(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static uint64_t take(struct input *in, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes && in->left; i++, in->left--)
		value |= (uint64_t)*in->data++ << (8 * i);
	return value;
}

/* --- What the devices are connected to. ---------------------------------------------------- */

static void count_event(void *ctx)
{
	((struct machine *)ctx)->events++;
}

static void count_value(void *ctx, uint32_t value)
{
	count_event(ctx);
}

static void irq_set(struct irq_line *line, bool level)
{
}

static void irq_pulse(struct irq_line *line)
{
}

static uint64_t wall_clock(void *ctx)
{
	return ((struct machine *)ctx)->wall_ns;
}

static void is_shut_down(void *ctx)
{
	struct machine *m = ctx;

	m->shut_down = true;
	loop_stop(m->loop);
}

/* Stdin and stdout of the process are the serial port's host. */
static void connect_host(struct machine *m)
{
	int in[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	require(null >= 0 && pipe2(in, O_CLOEXEC | O_NONBLOCK) == 0, "no descriptors");
	dup2(in[0], STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	close(in[0]);
	close(null);
	m->host_in = in[1];
}

static void create_serial(struct machine *m, struct error *err)
{
	struct chardev_config host = {.kind = CHARDEV_STDIO};
	struct serial_config config = {
		.name = "com1", .port = SERIAL_COM1_PORT, .irq = &m->irq[0], .loop = m->loop};

	connect_host(m);
	require(chardev_create(m->loop, &host, err, &config.chardev) == 0, err->text);
	require(serial_create(&config, err, &m->serial) == 0, err->text);
	require(serial_attach(m->serial, &m->bus, err) == 0, err->text);
	m->devices[0] = serial_device(m->serial);
}

static void create_rest(struct machine *m, struct error *err)
{
	static const struct i8042_events i8042_events = {count_event};
	static const struct pm_events pm_events = {count_event, count_event};
	static const struct debug_exit_events exit_events = {count_value};
	static const struct pvpanic_events pvpanic_events = {count_event, count_event};
	struct rtc_config rtc = {.irq = &m->irq[1],
				 .loop = m->loop,
				 .ram_below_4g = GiB(1),
				 .wall_clock = wall_clock,
				 .wall_clock_ctx = m};
	struct i8042_config i8042 = {
		.irq = &m->irq[2], .port_61 = true, .events = &i8042_events, .events_ctx = m};
	struct pm_config pm = {
		.sci = &m->irq[3], .loop = m->loop, .events = &pm_events, .events_ctx = m};

	require(rtc_create(&rtc, err, &m->rtc) == 0, err->text);
	require(rtc_attach(m->rtc, &m->bus, err) == 0, err->text);
	require(i8042_create(&i8042, err, &m->i8042) == 0, err->text);
	require(i8042_attach(m->i8042, &m->bus, err) == 0, err->text);
	require(pm_create(&pm, err, &m->pm) == 0, err->text);
	require(pm_attach(m->pm, &m->bus, err) == 0, err->text);
	require(debug_exit_create(&exit_events, m, err, &m->debug_exit) == 0, err->text);
	require(debug_exit_attach(m->debug_exit, &m->bus, err) == 0, err->text);
	require(pvpanic_create(&pvpanic_events, m, err, &m->pvpanic) == 0, err->text);
	require(pvpanic_attach(m->pvpanic, &m->bus, err) == 0, err->text);
	m->devices[1] = rtc_device(m->rtc);
	m->devices[2] = i8042_device(m->i8042);
	m->devices[3] = pm_device(m->pm);
	m->devices[4] = debug_exit_device(m->debug_exit);
	m->devices[5] = pvpanic_device(m->pvpanic);
}

/* --- Events. ------------------------------------------------------------------------------- */

static void stop_fired(struct loop_timer *timer)
{
	loop_stop(container_of(timer, struct machine, stop)->loop);
}

static void run_loop(struct machine *m, uint64_t ns)
{
	if (++m->loop_runs > LOOP_RUNS_MAX)
		return;
	loop_timer_set(m->loop, &m->stop, loop_now() + ns);
	require(loop_run(m->loop) == 0, "the loop failed");
}

static void for_all(struct machine *m, uint8_t what)
{
	for (size_t i = 0; i < ARRAY_SIZE(m->devices); i++) {
		struct device *dev = m->devices[i];

		if (what == 0)
			dev->ops->reset(dev);
		else if (what == 1 && dev->ops->pause)
			dev->ops->pause(dev);
		else if (what == 2 && dev->ops->resume)
			dev->ops->resume(dev);
	}
}

static void event(struct machine *m, uint8_t command, struct input *in)
{
	uint8_t bytes[64];
	size_t len;

	switch (command & 7) {
	case 0:
		run_loop(m, 0);
		break;
	case 1:
		run_loop(m, (take(in, 1) & 0x1f) * 100 * NSEC_PER_USEC);
		break;
	case 2: /* time goes by, or the host's clock is set back */
		m->wall_ns += take(in, 3) * NSEC_PER_MSEC;
		break;
	case 3:
		len = take(in, 1) % sizeof(bytes);
		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)take(in, 1);
		require(write(m->host_in, bytes, len) != 0 || len == 0, "write");
		break;
	case 4:
		pm_press_power_button(m->pm);
		break;
	case 5:
		pm_raise_gpe(m->pm, take(in, 1) & 15);
		break;
	case 6:
		m->wall_ns -= take(in, 2) * NSEC_PER_SEC;
		break;
	default:
		for_all(m, take(in, 1) % 3);
		break;
	}
}

/* --- Accesses. ----------------------------------------------------------------------------- */

static void check_value(struct machine *m, uint16_t port, unsigned int size, uint64_t value)
{
	uint8_t cause = value & 0x0f;

	require(size == 8 || value >> (8 * size) == 0, "a read gives too many bits");
	if (size != 1)
		return;
	if (port == SERIAL_COM1_PORT + SERIAL_IIR)
		require(cause == IIR_NONE || cause == IIR_MSI || cause == IIR_THRI ||
				cause == IIR_RDA || cause == IIR_RLS || cause == IIR_CTI,
			"no such interrupt cause");
	if (port == I8042_PORT_COMMAND)
		require(!(value & I8042_STATUS_IBF), "the i8042 is busy");
}

static void access_port(struct machine *m, uint8_t command, struct input *in)
{
	uint16_t port = ports[command & ACCESS_PORT];
	unsigned int size = 1u << (take(in, 1) & 3);

	if (command & ACCESS_WRITE)
		bus_write(&m->bus, port, size, take(in, size));
	else
		check_value(m, port, size, bus_read(&m->bus, port, size));
}

static void check_machine(struct machine *m)
{
	uint32_t pm1 = (uint32_t)bus_read(&m->bus, LAYOUT_PORT_PM + PM_PM1_STS, 4);
	uint32_t gpe = (uint32_t)bus_read(&m->bus, LAYOUT_PORT_PM + PM_GPE0_STS, 4);
	bool sci = (pm1 & pm1 >> 16) || (gpe & gpe >> 16 & 0xffff);

	require(atomic_load(&m->irq[3].level) == sci, "the SCI is not what the registers say");
	require(bus_read(&m->bus, LAYOUT_PORT_PM + PM_PM1_CNT, 2) & PM1_CNT_SCI_EN, "SCI_EN");
	require((bus_read(&m->bus, LAYOUT_PORT_PM + PM_PM1_CNT, 2) & PM1_CNT_SLP_EN) == 0,
		"SLP_EN");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct irq_line_ops irq_ops = {irq_set, irq_pulse};
	struct machine m = {.wall_ns = 1795182358 * NSEC_PER_SEC, .stop = {.fired = stop_fired}};
	struct input in = {data, size};
	struct error err = {.text = ""};

	for (size_t i = 0; i < ARRAY_SIZE(m.irq); i++)
		m.irq[i].ops = &irq_ops;
	require(loop_create(64, &err, &m.loop) == 0, err.text);
	bus_init(&m.bus, "port", 0x10000);
	create_serial(&m, &err);
	create_rest(&m, &err);
	bus_freeze(&m.bus);
	serial_start(m.serial);

	while (in.left) {
		uint8_t command = (uint8_t)take(&in, 1);

		if (command & EVENT)
			event(&m, command, &in);
		else
			access_port(&m, command, &in);
	}
	check_machine(&m);

	loop_timer_cancel(m.loop, &m.stop);
	serial_shutdown(m.serial, is_shut_down, &m);
	require(loop_run(m.loop) == 0 && m.shut_down, "the serial port does not end");
	for (size_t i = 0; i < ARRAY_SIZE(m.devices); i++)
		m.devices[i]->ops->destroy(m.devices[i]);
	close(m.host_in);
	loop_destroy(m.loop);
	return 0;
}
