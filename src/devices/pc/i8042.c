// SPDX-License-Identifier: MIT
/*
 * The keyboard controller. vCPU threads only; all state under one lock, events outside it.
 */
#include "devices/pc/i8042.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "devices/pc/i8042_proto.h"

#define NO_COMMAND 0

struct i8042 {
	struct device dev;
	struct i8042_config config;

	pthread_mutex_t lock;        /* protects everything below; a leaf but for the irq */
	uint8_t status;              /* OBF, CMD, AUX and TIMEOUT; the other bits are computed */
	uint8_t output;              /* the byte that OBF announces */
	uint8_t command;             /* waits for its data byte; NO_COMMAND: none */
	uint8_t ram[I8042_RAM_SIZE]; /* [0] is the command byte */
	uint8_t out_port;            /* without the OBF bits */
	uint8_t port_a;              /* 0x92 */
	uint8_t port_b;              /* 0x61 */
};

/* --- The output buffer. -------------------------------------------------------------------- */

static void put(struct i8042 *kbc, uint8_t byte, uint8_t flags)
{
	bool is_aux = flags & I8042_STATUS_AUX;
	bool interrupts = kbc->ram[0] & (is_aux ? I8042_CTR_AUX_INT : I8042_CTR_KBD_INT);

	kbc->output = byte;
	kbc->status &= (uint8_t) ~(I8042_STATUS_AUX | I8042_STATUS_TIMEOUT);
	kbc->status |= I8042_STATUS_OBF | flags;
	/* IRQ 12, the second port's, is wired to nothing: there is no second port. */
	if (interrupts && !is_aux && kbc->config.irq)
		irq_line_pulse(kbc->config.irq);
}

static uint8_t read_data(struct i8042 *kbc)
{
	kbc->status &= (uint8_t) ~(I8042_STATUS_OBF | I8042_STATUS_AUX | I8042_STATUS_TIMEOUT);
	return kbc->output;
}

static uint8_t read_status(const struct i8042 *kbc)
{
	uint8_t sys = kbc->ram[0] & I8042_CTR_SYS ? I8042_STATUS_SYS : 0;

	return kbc->status | I8042_STATUS_KEYLOCK | sys;
}

/* --- Commands. ----------------------------------------------------------------------------- */

static uint8_t output_port(const struct i8042 *kbc)
{
	uint8_t full = 0;

	if (kbc->status & I8042_STATUS_OBF)
		full = kbc->status & I8042_STATUS_AUX ? I8042_OUT_AUX_OBF : I8042_OUT_KBD_OBF;
	return kbc->out_port | full;
}

static void set_a20(struct i8042 *kbc, bool on)
{
	if (on)
		kbc->out_port |= I8042_OUT_A20;
	else
		kbc->out_port &= (uint8_t)~I8042_OUT_A20;
}

/* Commands with a constant answer. False: not one of them. */
static bool constant_answer(uint8_t command, uint8_t *ret)
{
	static const struct {
		uint8_t command, answer;
	} answers[] = {
		{I8042_CMD_TEST_PASSWORD, I8042_NO_PASSWORD},
		{I8042_CMD_AUX_TEST, I8042_PORT_CLOCK_LOW},
		{I8042_CMD_KBD_TEST, I8042_PORT_TEST_OK},
		{I8042_CMD_READ_INPUT, I8042_INPUT_UNLOCKED},
		{I8042_CMD_READ_TEST, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		if (answers[i].command == command) {
			*ret = answers[i].answer;
			return true;
		}
	}
	return false;
}

/* Commands that read a byte of RAM, or will write one. False: not one of them. */
static bool ram_command(struct i8042 *kbc, uint8_t command)
{
	if (command >= I8042_CMD_READ_RAM && command < I8042_CMD_READ_RAM + I8042_RAM_SIZE)
		put(kbc, kbc->ram[command - I8042_CMD_READ_RAM], 0);
	else if (command >= I8042_CMD_WRITE_RAM && command < I8042_CMD_WRITE_RAM + I8042_RAM_SIZE)
		kbc->command = command;
	else
		return false;
	return true;
}

/* The others. Unknown ones do nothing. */
static void other_command(struct i8042 *kbc, uint8_t command)
{
	switch (command) {
	case I8042_CMD_AUX_DISABLE:
		kbc->ram[0] |= I8042_CTR_AUX_DISABLE;
		break;
	case I8042_CMD_AUX_ENABLE:
		kbc->ram[0] &= (uint8_t)~I8042_CTR_AUX_DISABLE;
		break;
	case I8042_CMD_SELF_TEST:
		kbc->ram[0] |= I8042_CTR_SYS;
		put(kbc, I8042_SELF_TEST_OK, 0);
		break;
	case I8042_CMD_KBD_DISABLE:
		kbc->ram[0] |= I8042_CTR_KBD_DISABLE;
		break;
	case I8042_CMD_KBD_ENABLE:
		kbc->ram[0] &= (uint8_t)~I8042_CTR_KBD_DISABLE;
		break;
	case I8042_CMD_READ_OUTPUT:
		put(kbc, output_port(kbc), 0);
		break;
	case I8042_CMD_WRITE_OUTPUT:
	case I8042_CMD_WRITE_KBD_OBUF:
	case I8042_CMD_WRITE_AUX_OBUF:
	case I8042_CMD_WRITE_AUX:
		kbc->command = command;
		break;
	case I8042_CMD_A20_OFF:
	case I8042_CMD_A20_ON:
		set_a20(kbc, command == I8042_CMD_A20_ON);
		break;
	default:
		break;
	}
}

/* True: the guest asks for a reset. */
static bool write_command(struct i8042 *kbc, uint8_t command)
{
	uint8_t answer;

	kbc->status |= I8042_STATUS_CMD;
	kbc->command = NO_COMMAND;
	if (command >= I8042_CMD_PULSE)
		return !(command & I8042_OUT_NOT_RESET);
	if (constant_answer(command, &answer))
		put(kbc, answer, 0);
	else if (!ram_command(kbc, command))
		other_command(kbc, command);
	return false;
}

/* True: the guest asks for a reset. */
static bool write_data(struct i8042 *kbc, uint8_t byte)
{
	uint8_t command = kbc->command;

	kbc->status &= (uint8_t)~I8042_STATUS_CMD;
	kbc->command = NO_COMMAND;
	switch (command) {
	case NO_COMMAND:
		/* For the keyboard, which also wakes its port up. */
		kbc->ram[0] &= (uint8_t)~I8042_CTR_KBD_DISABLE;
		put(kbc, I8042_RESEND, I8042_STATUS_TIMEOUT);
		return false;
	case I8042_CMD_WRITE_OUTPUT:
		set_a20(kbc, byte & I8042_OUT_A20);
		return !(byte & I8042_OUT_NOT_RESET);
	case I8042_CMD_WRITE_KBD_OBUF:
	case I8042_CMD_WRITE_AUX_OBUF:
		/*
		 * The loop through the second port comes back as the first one's byte: that, at
		 * once, is what tells a driver that there is no second port.
		 */
		put(kbc, byte, 0);
		return false;
	case I8042_CMD_WRITE_AUX:
		put(kbc, I8042_RESEND, I8042_STATUS_AUX | I8042_STATUS_TIMEOUT);
		return false;
	default:
		kbc->ram[command - I8042_CMD_WRITE_RAM] = byte;
		return false;
	}
}

/* --- Ports. -------------------------------------------------------------------------------- */

static uint64_t data_read(void *dev, uint64_t offset, unsigned int size)
{
	struct i8042 *kbc = dev;
	uint8_t value;

	pthread_mutex_lock(&kbc->lock);
	value = read_data(kbc);
	pthread_mutex_unlock(&kbc->lock);
	return value;
}

/* The end of a write: the event goes out without the lock. */
static void written(struct i8042 *kbc, bool reset)
{
	pthread_mutex_unlock(&kbc->lock);
	if (reset)
		kbc->config.events->reset(kbc->config.events_ctx);
}

static void data_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct i8042 *kbc = dev;

	pthread_mutex_lock(&kbc->lock);
	written(kbc, write_data(kbc, (uint8_t)value));
}

static uint64_t command_read(void *dev, uint64_t offset, unsigned int size)
{
	struct i8042 *kbc = dev;
	uint8_t value;

	pthread_mutex_lock(&kbc->lock);
	value = read_status(kbc);
	pthread_mutex_unlock(&kbc->lock);
	return value;
}

static void command_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct i8042 *kbc = dev;

	pthread_mutex_lock(&kbc->lock);
	written(kbc, write_command(kbc, (uint8_t)value));
}

static uint64_t port_a_read(void *dev, uint64_t offset, unsigned int size)
{
	struct i8042 *kbc = dev;
	uint8_t value;

	pthread_mutex_lock(&kbc->lock);
	value = kbc->port_a;
	pthread_mutex_unlock(&kbc->lock);
	return value;
}

static void port_a_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct i8042 *kbc = dev;
	bool reset;

	pthread_mutex_lock(&kbc->lock);
	reset = value & ~(uint64_t)kbc->port_a & I8042_SYSA_RESET;
	kbc->port_a = value & (I8042_SYSA_RESET | I8042_SYSA_A20);
	written(kbc, reset);
}

static uint64_t port_b_read(void *dev, uint64_t offset, unsigned int size)
{
	struct i8042 *kbc = dev;
	uint8_t value;

	pthread_mutex_lock(&kbc->lock);
	kbc->port_b ^= I8042_SYSB_REFRESH;
	value = kbc->port_b | I8042_SYSB_TIMER2;
	pthread_mutex_unlock(&kbc->lock);
	return value;
}

static void port_b_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct i8042 *kbc = dev;

	pthread_mutex_lock(&kbc->lock);
	kbc->port_b = (kbc->port_b & I8042_SYSB_REFRESH) | (value & I8042_SYSB_WRITE);
	pthread_mutex_unlock(&kbc->lock);
}

static const struct {
	uint16_t port;
	const char *name;
	struct bus_ops ops;
} port_table[] = {
	{I8042_PORT_DATA, "i8042 data", {data_read, data_write, 1}},
	{I8042_PORT_COMMAND, "i8042 command", {command_read, command_write, 1}},
	{I8042_PORT_SYSA, "system control A", {port_a_read, port_a_write, 1}},
	{I8042_PORT_SYSB, "system control B", {port_b_read, port_b_write, 1}},
};

/* --- Life. --------------------------------------------------------------------------------- */

static struct i8042 *to_i8042(struct device *dev)
{
	return container_of(dev, struct i8042, dev);
}

static void i8042_reset(struct device *dev)
{
	struct i8042 *kbc = to_i8042(dev);

	pthread_mutex_lock(&kbc->lock);
	kbc->status = 0;
	kbc->output = 0;
	kbc->command = NO_COMMAND;
	memset(kbc->ram, 0, sizeof(kbc->ram));
	/* As firmware leaves it: tested, translating, both ports off. */
	kbc->ram[0] =
		I8042_CTR_SYS | I8042_CTR_TRANSLATE | I8042_CTR_KBD_DISABLE | I8042_CTR_AUX_DISABLE;
	kbc->out_port = I8042_OUT_NOT_RESET | I8042_OUT_A20;
	kbc->port_a = I8042_SYSA_A20;
	kbc->port_b = 0;
	pthread_mutex_unlock(&kbc->lock);
}

static void i8042_destroy(struct device *dev)
{
	struct i8042 *kbc = to_i8042(dev);

	pthread_mutex_destroy(&kbc->lock);
	free(kbc);
}

static const struct device_ops i8042_device_ops = {
	.name = "i8042",
	.reset = i8042_reset,
	.destroy = i8042_destroy,
};

int i8042_create(const struct i8042_config *config, struct error *err, struct i8042 **ret)
{
	struct i8042 *kbc = calloc(1, sizeof(*kbc));

	assert(config->events && config->events->reset);
	if (!kbc)
		return error_set(err, -ENOMEM, "i8042: out of memory");
	kbc->dev.ops = &i8042_device_ops;
	kbc->config = *config;
	pthread_mutex_init(&kbc->lock, NULL);
	i8042_reset(&kbc->dev);
	*ret = kbc;
	return 0;
}

int i8042_attach(struct i8042 *kbc, struct bus *ports, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(port_table); i++) {
		int r;

		if (port_table[i].port == I8042_PORT_SYSB && !kbc->config.port_61)
			continue;
		r = bus_add(ports, port_table[i].port, 1, port_table[i].name, &port_table[i].ops,
			    kbc, err);
		if (r < 0)
			return r;
	}
	return 0;
}

struct device *i8042_device(struct i8042 *kbc)
{
	return &kbc->dev;
}
