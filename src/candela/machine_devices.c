// SPDX-License-Identifier: MIT
/*
 * Which devices a machine has, and how they are wired. The order here is the order of creation and
 * reset; destruction goes backwards.
 */
#include <assert.h>

#include "candela/machine_internal.h"
#include "devices/char/chardev.h"
#include "devices/char/console.h"
#include "devices/pc/debug_exit.h"
#include "devices/pc/i8042.h"
#include "devices/pc/pm.h"
#include "devices/pc/pvpanic.h"
#include "devices/pc/rtc.h"
#include "devices/pc/serial.h"
#include "devices/pc/serial_proto.h"
#include "vmm/layout.h"
#include "vmm/log.h"

static void add(struct machine *m, struct device *device)
{
	assert(m->device_count < MACHINE_DEVICES_MAX);
	m->devices[m->device_count++] = device;
}

/* --- What devices report. Any thread. ------------------------------------------------------ */

static void on_power_off(void *ctx)
{
	machine_report(ctx, MACHINE_POWER_OFF, 0, "ACPI power-off");
}

static void on_reset(void *ctx)
{
	machine_report(ctx, MACHINE_RESET, 0, "guest asked for a reset");
}

static void on_quit(void *ctx)
{
	machine_report(ctx, MACHINE_QUIT, 0, "quit from the console");
}

static void on_debug_exit(void *ctx, uint32_t value)
{
	machine_report(ctx, MACHINE_DEBUG_EXIT, value, "debug exit");
}

static void on_panic(void *ctx)
{
	struct machine *m = ctx;

	if (m->config->on_panic == CONFIG_PANIC_EXIT)
		machine_report(m, MACHINE_PANIC, 0, "pvpanic: the guest's kernel panicked");
}

/* The guest has work left: its crash kernel ends the VM, or panics in turn. */
static void on_crash_loaded(void *ctx)
{
	struct machine *m = ctx;

	log_guest(&m->crash_log, LOG_WARNING,
		  "pvpanic: the guest's kernel panicked; its crash kernel takes over");
}

/* --- The devices. -------------------------------------------------------------------------- */

static enum chardev_kind serial_kind(enum config_serial_kind kind)
{
	static const enum chardev_kind kinds[] = {
		[CONFIG_SERIAL_STDIO] = CHARDEV_STDIO, [CONFIG_SERIAL_NULL] = CHARDEV_NULL,
		[CONFIG_SERIAL_PTY] = CHARDEV_PTY,     [CONFIG_SERIAL_FILE] = CHARDEV_FILE,
		[CONFIG_SERIAL_UNIX] = CHARDEV_UNIX,
	};

	return kinds[kind];
}

/* What the serial port is given: what it is configured to have, behind a console. */
static int create_console(struct machine *m, struct error *err, struct chardev **ret)
{
	const struct chardev_config chardev_config = {
		.kind = serial_kind(m->config->serial.kind),
		.path = m->config->serial.path,
		.quit = on_quit,
		.quit_ctx = m,
	};
	struct console_config config = {.loop = m->loop, .size = m->config->scrollback};
	int r = chardev_create(m->loop, &chardev_config, err, &config.inner);

	if (r < 0)
		return r;
	r = console_create(&config, err, &m->console);
	if (r < 0) {
		chardev_destroy(config.inner);
		return r;
	}
	*ret = console_chardev(m->console);
	return 0;
}

static int add_serial(struct machine *m, struct error *err)
{
	struct serial_config config = {
		.name = "com1",
		.port = SERIAL_COM1_PORT,
		.irq = &m->irq_serial.line,
		.loop = m->loop,
		.tap = machine_console_output,
		.tap_ctx = m,
	};
	int r = irqchip_line_init(&m->irq_serial, &m->irqchip, LAYOUT_IRQ_SERIAL, true, err);

	if (r < 0)
		return r;
	r = create_console(m, err, &config.chardev);
	if (r < 0)
		return r;
	m->serial_path = chardev_path(config.chardev);
	if (m->serial_path)
		log_info("serial: %s", m->serial_path);
	r = serial_create(&config, err, &m->serial);
	if (r < 0) {
		chardev_destroy(config.chardev);
		return r;
	}
	add(m, serial_device(m->serial));
	return serial_attach(m->serial, &m->ports, err);
}

static int add_rtc(struct machine *m, struct error *err)
{
	struct rtc_config config = {
		.irq = &m->irq_rtc.line,
		.loop = m->loop,
		.local_time = m->config->rtc == CONFIG_RTC_LOCAL,
	};
	size_t count;
	const struct mem_region *regions = mem_regions(m->mem, &count);
	struct rtc *rtc;
	int r = irqchip_line_init(&m->irq_rtc, &m->irqchip, LAYOUT_IRQ_RTC, true, err);

	if (r < 0)
		return r;
	config.ram_below_4g = regions[0].len;
	config.ram_above_4g = mem_size(m->mem) - regions[0].len;
	r = rtc_create(&config, err, &rtc);
	if (r < 0)
		return r;
	add(m, rtc_device(rtc));
	return rtc_attach(rtc, &m->ports, err);
}

static int add_pm(struct machine *m, struct error *err)
{
	static const struct pm_events events = {.power_off = on_power_off, .reset = on_reset};
	const struct pm_config config = {
		.sci = &m->irq_sci.line, .loop = m->loop, .events = &events, .events_ctx = m};
	int r = irqchip_line_init(&m->irq_sci, &m->irqchip, LAYOUT_IRQ_SCI, false, err);

	if (r < 0)
		return r;
	r = pm_create(&config, err, &m->pm);
	if (r < 0)
		return r;
	add(m, pm_device(m->pm));
	return pm_attach(m->pm, &m->ports, err);
}

static int add_i8042(struct machine *m, struct error *err)
{
	static const struct i8042_events events = {.reset = on_reset};
	const struct i8042_config config = {
		.port_61 = !m->kvm.has_pit, .events = &events, .events_ctx = m};
	struct i8042 *i8042;
	int r = i8042_create(&config, err, &i8042);

	if (r < 0)
		return r;
	add(m, i8042_device(i8042));
	return i8042_attach(i8042, &m->ports, err);
}

static int add_debug_exit(struct machine *m, struct error *err)
{
	static const struct debug_exit_events events = {.exit = on_debug_exit};
	struct debug_exit *debug_exit;
	int r = debug_exit_create(&events, m, err, &debug_exit);

	if (r < 0)
		return r;
	add(m, debug_exit_device(debug_exit));
	return debug_exit_attach(debug_exit, &m->ports, err);
}

static int add_pvpanic(struct machine *m, struct error *err)
{
	static const struct pvpanic_events events = {.panicked = on_panic,
						     .crash_loaded = on_crash_loaded};
	struct pvpanic *pvpanic;
	int r = pvpanic_create(&events, m, err, &pvpanic);

	if (r < 0)
		return r;
	add(m, pvpanic_device(pvpanic));
	return pvpanic_attach(pvpanic, &m->ports, err);
}

int machine_add_devices(struct machine *m, struct error *err)
{
	int r = add_pm(m, err);

	if (r == 0)
		r = add_rtc(m, err);
	if (r == 0)
		r = add_i8042(m, err);
	if (r == 0)
		r = add_serial(m, err);
	if (r == 0 && m->config->debug_exit)
		r = add_debug_exit(m, err);
	if (r == 0 && m->config->pvpanic)
		r = add_pvpanic(m, err);
	return r;
}

void machine_remove_devices(struct machine *m)
{
	while (m->device_count) {
		struct device *device = m->devices[--m->device_count];

		device->ops->destroy(device);
	}
	irqchip_line_finish(&m->irq_serial);
	irqchip_line_finish(&m->irq_rtc);
	irqchip_line_finish(&m->irq_sci);
}
