// SPDX-License-Identifier: MIT
/*
 * What the serial port's two tests share: a port on a bus, with the real loop and a character
 * device.
 */
#pragma once

#include <string.h>

#include "devices/pc/serial.h"
#include "devices/pc/serial_proto.h"
#include "pc_fake.h"

#define PORT SERIAL_COM1_PORT

/* Shorter than in real life, for the tests' sake. */
#define FLUSH_STUCK_NS (300 * NSEC_PER_MSEC)

static struct bus bus;
static struct loop *loop;
static struct serial *serial;
static struct chardev *chardev;
static struct fake_irq irq;
static bool is_shut_down;

static inline void create(enum chardev_kind kind, const char *path)
{
	struct chardev_config cd = {.kind = kind, .path = path};
	struct serial_config config = {
		.name = "com1", .port = PORT, .irq = &irq.line, .flush_stuck_ns = FLUSH_STUCK_NS};
	struct error err;

	fake_irq_init(&irq);
	is_shut_down = false;
	loop = config.loop = new_loop();
	ck_assert_msg(chardev_create(loop, &cd, &err, &chardev) == 0, "%s", err.text);
	config.chardev = chardev;
	bus_init(&bus, "port", 0x10000);
	ck_assert_int_eq(serial_create(&config, NULL, &serial), 0);
	ck_assert_int_eq(serial_attach(serial, &bus, NULL), 0);
	bus_freeze(&bus);
	serial_start(serial);
}

static inline void shut_down(unsigned int ms)
{
	serial_shutdown(serial, set_flag, &is_shut_down);
	ck_assert(!is_shut_down);
	ck_assert(run_until(loop, flag_is_set, &is_shut_down, ms));
}

static inline void teardown(void)
{
	if (!is_shut_down)
		shut_down(1000);
	serial_device(serial)->ops->destroy(serial_device(serial));
	loop_destroy(loop);
}

static inline uint8_t get(unsigned int reg)
{
	return in8(&bus, PORT + reg);
}

static inline void put(unsigned int reg, uint8_t value)
{
	out8(&bus, PORT + reg, value);
}
