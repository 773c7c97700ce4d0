// SPDX-License-Identifier: MIT
/*
 * The bus: ties the control plane to the SynIC below and to the channels above. Owner: the bus'
 * loop.
 */
#include "vmbus/bus.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmbus/channel_internal.h"

static struct channel *channel_of(struct vmbus_offer *offer)
{
	return container_of(offer, struct channel, offer);
}

/* --- Guests of protocol 0.13 signal all channels over one connection. ---------------------- */

/* They say which in the second half of the interrupt page, a bit for each relid. */
#define LEGACY_CONNECTION_ID 2u
#define BITS_HALF            (PAGE_SIZE / 2 / sizeof(uint64_t))
#define BITS_WORDS           ((VMBUS_RELID_MAX + 1) / 64)

static bool signals(const struct channel *channel, const uint64_t *bits)
{
	const uint32_t relid = channel->offer.relid;

	return channel->eventfd >= 0 && relid && (bits[relid / 64] >> relid % 64 & 1);
}

static void on_legacy_signal(struct loop_fd *lfd, uint32_t revents)
{
	struct vmbus *bus = container_of(lfd, struct vmbus, legacy_watch);
	uint64_t bits[BITS_WORDS], value;

	if (read(lfd->fd, &value, sizeof(value)) < 0 || !bus->interrupt_page)
		return;
	for (size_t i = 0; i < BITS_WORDS; i++)
		bits[i] = atomic_exchange(&bus->interrupt_page[BITS_HALF + i], 0);
	for (struct vmbus_device *d = bus->devices.next; d != &bus->devices; d = d->next)
		for (unsigned int i = 0; i < d->channel_count; i++)
			if (signals(&d->channels[i], bits))
				(void)!write(d->channels[i].eventfd, &(uint64_t){1}, 8);
}

static void connect_legacy(struct vmbus *bus, const struct vmbus_connection *connection)
{
	bus->interrupt_page = NULL;
	if (connection->version >= VERSION_WIN8)
		return;
	/* Without such a page they get no interrupts: their own doing. */
	if (connection->interrupt_page % PAGE_SIZE == 0)
		bus->interrupt_page = mem_map(bus->mem, connection->interrupt_page, PAGE_SIZE);
	if (connection->version != VERSION_WS2008)
		return;
	bus->legacy_open = transport_open_event(bus->transport, LEGACY_CONNECTION_ID,
						bus->legacy_eventfd) == 0;
	if (!bus->legacy_open)
		bus->interrupt_page = NULL;
}

/* --- What the control plane wants. --------------------------------------------------------- */

static bool send_message(void *ctx, unsigned int vp, unsigned int sint, const void *message,
			 size_t len)
{
	struct vmbus *bus = ctx;

	return transport_send(bus->transport, vp, sint, message, len);
}

static void on_connected(void *ctx, const struct vmbus_connection *connection)
{
	struct vmbus *bus = ctx;
	char version[16];

	connect_legacy(bus, connection);
	snprintf(version, sizeof(version), "%u.%u", connection->version >> 16,
		 connection->version & 0xffff);
	event(bus->events, EVENT_VMBUS_CONNECTED, EVENT_TEXT("version", version));
}

static void on_disconnected(void *ctx)
{
	struct vmbus *bus = ctx;

	/* A later guest may have chosen this id for a channel. */
	if (bus->legacy_open)
		transport_close_event(bus->transport, LEGACY_CONNECTION_ID);
	bus->legacy_open = false;
	bus->interrupt_page = NULL;
	if (bus->tl)
		bus->tl->disconnected(bus->tl_ctx);
	event_emit(bus->events, EVENT_VMBUS_DISCONNECTED, NULL, 0);
}

static int on_tl_connect(void *ctx, uint32_t id, const struct vmbus_guid *endpoint,
			 const struct vmbus_guid *service, const struct vmbus_guid *silo)
{
	struct vmbus *bus = ctx;
	int r = bus->tl ? bus->tl->connect(bus->tl_ctx, endpoint, service) : -ECONNREFUSED;

	if (r == 0)
		vmbus_server_tl_result(bus->server, id, VMBUS_STATUS_SUCCESS);
	return r;
}

static void on_reset_done(void *ctx)
{
	struct vmbus *bus = ctx;
	void (*done)(void *ctx) = bus->reset_done;

	bus->reset_done = NULL;
	if (done)
		done(bus->reset_ctx);
}

static void on_open(void *ctx, struct vmbus_offer *offer, const struct vmbus_open *open)
{
	channel_start_open(channel_of(offer), open);
}

static void on_close(void *ctx, struct vmbus_offer *offer)
{
	channel_start_close(channel_of(offer));
}

static void on_modify(void *ctx, struct vmbus_offer *offer, unsigned int vp)
{
	channel_retarget(channel_of(offer), vp);
}

static void on_released(void *ctx, struct vmbus_offer *offer)
{
	device_released(ctx, channel_of(offer));
}

static const struct vmbus_server_ops server_ops = {
	.send = send_message,
	.connected = on_connected,
	.disconnected = on_disconnected,
	.reset_done = on_reset_done,
	.open = on_open,
	.close = on_close,
	.modify = on_modify,
	.released = on_released,
	.tl_connect = on_tl_connect,
};

/* --- What comes over the SynIC. ------------------------------------------------------------ */

static int on_message(void *ctx, uint32_t connection_id, const void *message, size_t len)
{
	struct vmbus *bus = ctx;

	return vmbus_server_message(bus->server, connection_id, message, len);
}

static bool on_flush(void *ctx)
{
	struct vmbus *bus = ctx;

	return vmbus_server_flush(bus->server);
}

static const struct transport_ops transport_ops = {.message = on_message, .flush = on_flush};

/* --- Life. --------------------------------------------------------------------------------- */

static int create_parts(struct vmbus *bus, const struct vmbus_config *config)
{
	const struct vmbus_server_config server_config = {
		.mem = config->mem,
		.gpadl_limits = GPADL_LIMITS_DEFAULT,
		.vp_count = config->vp_count,
		.max_version = config->max_version,
		.features = VMBUS_FEATURES_KNOWN,
	};
	int r;

	bus->legacy_eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bus->legacy_eventfd < 0)
		return -errno;
	r = vmbus_server_create(&server_config, &server_ops, bus, &bus->server);
	if (r < 0)
		return r;
	r = transport_create(config->loop, config->hv, &transport_ops, bus, &bus->transport);
	if (r < 0)
		return r;
	return loop_fd_add(bus->loop, &bus->legacy_watch, bus->legacy_eventfd, POLLIN,
			   on_legacy_signal);
}

int vmbus_create(const struct vmbus_config *config, struct error *err, struct vmbus **ret)
{
	struct vmbus *bus = calloc(1, sizeof(*bus));
	int r;

	if (!bus)
		return error_set(err, -ENOMEM, "out of memory");
	bus->loop = config->loop;
	bus->mem = config->mem;
	bus->events = config->events;
	bus->devices.prev = bus->devices.next = &bus->devices;
	r = create_parts(bus, config);
	if (r < 0) {
		vmbus_destroy(bus);
		return error_errno(err, r, "cannot set up the VMBus");
	}
	*ret = bus;
	return 0;
}

void vmbus_destroy(struct vmbus *bus)
{
	if (!bus)
		return;
	transport_destroy(bus->transport);
	vmbus_server_destroy(bus->server);
	while (bus->devices.next != &bus->devices)
		device_destroy(bus->devices.next);
	if (bus->legacy_eventfd >= 0)
		close(bus->legacy_eventfd);
	free(bus);
}

void vmbus_reset(struct vmbus *bus, void (*done)(void *ctx), void *ctx)
{
	assert(!bus->reset_done);
	bus->reset_done = done;
	bus->reset_ctx = ctx;
	transport_reset(bus->transport);
	vmbus_server_reset(bus->server);
}

struct loop *vmbus_loop(const struct vmbus *bus)
{
	return bus->loop;
}

void vmbus_serve_tl(struct vmbus *bus, const struct vmbus_tl_ops *ops, void *ctx)
{
	bus->tl = ops;
	bus->tl_ctx = ctx;
}

const struct vmbus_server_counters *vmbus_counters(const struct vmbus *bus)
{
	return vmbus_server_counters(bus->server);
}

const struct transport_counters *vmbus_transport_counters(const struct vmbus *bus)
{
	return transport_counters(bus->transport);
}

const struct vmbus_connection *vmbus_connection(const struct vmbus *bus)
{
	return vmbus_server_connection(bus->server);
}
