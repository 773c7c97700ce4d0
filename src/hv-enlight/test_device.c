// SPDX-License-Identifier: MIT
/*
 * The SynIC test device. Its table is changed on vCPU threads under a lock; entries do not move, so
 * a connection's handler may use its own without it (synic_close() waits for handlers).
 */
#include "hv-enlight/test_device.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CONNECTIONS 256

enum command {
	ROUTE_CREATE = 1,
	ROUTE_DESTROY,
	RAISE,
	MESSAGE_CREATE,
	MESSAGE_DESTROY,
	EVENT_CREATE,
	EVENT_DESTROY,
	DOORBELL_CREATE,
};

struct connection {
	struct hv_test_device *device;
	bool open;
	uint8_t id, vp, sint;
	int fd; /* of a doorbell, else -1 */
};

struct hv_test_device {
	struct hv *hv;
	pthread_mutex_t lock; /* protects open */
	struct connection connections[CONNECTIONS];
};

static enum hv_status on_message(void *ctx, uint32_t type, const uint8_t *payload, size_t len)
{
	struct connection *c = ctx;

	if (synic_post_message(c->device->hv, c->vp, c->sint, type, payload, len) < 0)
		return HV_STATUS_INSUFFICIENT_BUFFERS;
	return HV_STATUS_SUCCESS;
}

static enum hv_status on_event(void *ctx, uint16_t flag)
{
	struct connection *c = ctx;

	if (synic_signal_event(c->device->hv, c->vp, c->sint, c->id) < 0)
		return HV_STATUS_INVALID_SYNIC_STATE;
	return HV_STATUS_SUCCESS;
}

static void close_connection(struct connection *c)
{
	if (c->open)
		synic_close(c->device->hv, c->id);
	c->open = false;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static void open_doorbell(struct connection *c)
{
	if (c->open)
		return;
	c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->open = c->fd >= 0 && synic_open_event(c->device->hv, c->id, c->fd) == 0;
	if (!c->open)
		close_connection(c);
}

static void open_connection(struct connection *c, enum command command, uint8_t vp, uint8_t sint)
{
	if (c->open)
		return;
	c->vp = vp;
	c->sint = sint;
	c->open = (command == MESSAGE_CREATE
			   ? synic_open_message(c->device->hv, c->id, on_message, c)
			   : synic_open_event_handler(c->device->hv, c->id, on_event, c)) == 0;
}

static uint64_t port_read(void *dev, uint64_t offset, unsigned int size)
{
	return 0;
}

static void port_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct hv_test_device *device = dev;
	struct connection *c = &device->connections[value >> 24 & 0xff];
	enum command command = (enum command)(value >> 16 & 0xff);
	uint8_t vp = value >> 8 & 0xff, sint = value & 0xff;

	if (size != 4 || offset)
		return;
	if (command == RAISE) {
		(void)!synic_raise(device->hv, vp, sint);
		return;
	}
	pthread_mutex_lock(&device->lock);
	if (command == MESSAGE_CREATE || command == EVENT_CREATE)
		open_connection(c, command, vp, sint);
	else if (command == DOORBELL_CREATE)
		open_doorbell(c);
	else if (command == MESSAGE_DESTROY || command == EVENT_DESTROY)
		close_connection(c);
	/* Routes need no making: every SINT has one. */
	pthread_mutex_unlock(&device->lock);
}

static const struct bus_ops ops = {.read = port_read, .write = port_write, .max_size = 4};

int hv_test_device_create(struct hv *hv, struct error *err, struct hv_test_device **ret)
{
	struct hv_test_device *device = calloc(1, sizeof(*device));

	if (!device)
		return error_set(err, -ENOMEM, "out of memory");
	device->hv = hv;
	pthread_mutex_init(&device->lock, NULL);
	for (unsigned int i = 0; i < CONNECTIONS; i++)
		device->connections[i] =
			(struct connection){.device = device, .id = (uint8_t)i, .fd = -1};
	*ret = device;
	return 0;
}

void hv_test_device_reset(struct hv_test_device *device)
{
	for (unsigned int i = 0; i < CONNECTIONS; i++)
		close_connection(&device->connections[i]);
}

void hv_test_device_destroy(struct hv_test_device *device)
{
	if (!device)
		return;
	hv_test_device_reset(device);
	pthread_mutex_destroy(&device->lock);
	free(device);
}

int hv_test_device_attach(struct hv_test_device *device, struct bus *ports, struct error *err)
{
	return bus_add(ports, HV_TEST_PORT, 4, "hyperv test device", &ops, device, err);
}
