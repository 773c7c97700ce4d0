// SPDX-License-Identifier: MIT
/* See echo_device.h. */
#include "echo_device.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* --- On the device's loop. ----------------------------------------------------------------- */

static struct echo_channel *of(struct echo_device *e, struct channel *channel)
{
	struct echo_channel *c = channel_private(channel);

	assert(c == &e->channels[channel_index(channel)] && c->channel == channel);
	return c;
}

static int on_open(void *ctx, struct channel *channel)
{
	struct echo_device *e = ctx;
	struct echo_channel *c = &e->channels[channel_index(channel)];

	assert(!c->channel && !channel_private(channel) && channel_device(channel) == e->device);
	if (atomic_load(&e->open_result) < 0)
		return atomic_load(&e->open_result);
	*c = (struct echo_channel){.channel = channel};
	channel_set_private(channel, c);
	atomic_fetch_add(&e->opens, 1);
	return 0;
}

static bool on_ready(void *ctx, struct channel *channel)
{
	return !of(ctx, channel)->stopped;
}

static void send_messages(struct echo_channel *c)
{
	static const uint8_t zeroes[ECHO_MESSAGE_LEN];

	while (c->to_send) {
		const struct ring_message message = {
			.type = VM_PKT_DATA_INBAND,
			.trans_id = c->to_send,
			.payload = zeroes,
			.payload_len = sizeof(zeroes),
		};
		const int r = channel_send(c->channel, &message);

		if (r < 0) {
			assert(r == -EAGAIN || r == -ENOTCONN || r == -EMSGSIZE);
			return;
		}
		c->to_send--;
	}
}

static void on_room(void *ctx, struct channel *channel)
{
	struct echo_device *e = ctx;

	atomic_fetch_add(&e->rooms, 1);
	send_messages(of(e, channel));
}

static int operate(struct echo_device *e, struct echo_channel *c, const struct ring_packet *packet)
{
	uint32_t request[2] = {0};

	memcpy(request, packet->payload, min_of((size_t)packet->payload_len, sizeof(request)));
	switch ((enum echo_operation)request[0]) {
	case ECHO_BAD:
		return -EINVAL;
	case ECHO_FAIL:
		channel_fail(c->channel, "the test says so");
		break;
	case ECHO_SEND:
		c->to_send = request[1];
		send_messages(c);
		break;
	case ECHO_WAIT:
		while (!e->guest->pumped && sem_wait(&e->go_on) < 0)
			;
		vmbus_device_offer_sub_channels(e->device, request[1] % (e->subs + 1));
		break;
	case ECHO_SUBS:
		vmbus_device_offer_sub_channels(e->device, request[1] % (e->subs + 1));
		break;
	case ECHO_PAUSE:
		channel_resume(c->channel);
		break;
	case ECHO_STOP:
		c->stopped = true;
		break;
	case ECHO_ANSWER:
	case ECHO_HOLD:
	default:
		break;
	}
	return 0;
}

/* What guest memory a packet names is all there, whatever it says. */
static void check_memory(struct channel *channel, const struct ring_packet *packet)
{
	struct iovec iov[8];
	size_t count = 0;
	uint64_t len = 0, sum = 0;
	int r = channel_gpa_iov(channel, packet, iov, ARRAY_SIZE(iov), &count, &len);

	assert(r == 0 || (count == 0 && len == 0));
	for (size_t i = 0; i < count; i++) {
		sum += iov[i].iov_len;
		*(volatile uint8_t *)iov[i].iov_base;
		((volatile uint8_t *)iov[i].iov_base)[iov[i].iov_len - 1];
	}
	assert(sum == len);
}

static int on_packet(void *ctx, struct channel *channel, const struct ring_packet *packet)
{
	struct echo_device *e = ctx;
	struct echo_channel *c = of(e, channel);
	uint32_t operation = 0;
	int r;

	assert(!c->closing && !c->stopped);
	assert(packet->payload_len + packet->list_len + 16 <= ECHO_PACKET_MAX);
	atomic_fetch_add(&e->packets, 1);
	check_memory(channel, packet);
	r = operate(e, c, packet);
	if (r < 0 || !packet->wants_completion)
		return r;
	memcpy(&operation, packet->payload, min_of((size_t)packet->payload_len, sizeof(operation)));
	if (operation == ECHO_HOLD && c->held_count < ECHO_HELD)
		c->held[c->held_count++] = packet->trans_id;
	else
		channel_complete(channel, packet->trans_id, packet->payload,
				 min_of(packet->payload_len, ECHO_COMPLETION_MAX));
	return 0;
}

static void finish_close(struct echo_channel *c)
{
	struct channel *channel = c->channel;

	c->channel = NULL;
	channel_closed(channel);
}

static void on_close(void *ctx, struct channel *channel)
{
	struct echo_device *e = ctx;
	struct echo_channel *c = of(e, channel);

	assert(!c->closing);
	c->closing = true;
	/* Harmless: */
	channel_resume(channel);
	channel_fail(channel, "late");
	atomic_fetch_add(&e->closes, 1);
	if (!atomic_load(&e->slow_close))
		finish_close(c);
}

static void on_removed(void *ctx)
{
	struct echo_device *e = ctx;

	atomic_fetch_add(&e->removals, 1);
}

/* --- The test's. --------------------------------------------------------------------------- */

void echo_create(struct echo_device *e, struct bus_guest *g, unsigned int n, unsigned int subs,
		 struct loop_thread *thread)
{
	struct vmbus_device_config config = {
		.class_id = {{0xec, 0x40}},
		.instance_id = {{1, (uint8_t)n, (uint8_t)(n >> 8)}},
		.mmio_megabytes = 3,
		.user_data = "echo",
		.ctx = e,
		.loop = thread ? thread->loop : NULL,
		.sub_channels_max = subs,
		.removed = on_removed,
	};

	assert(subs < ECHO_CHANNELS);
	*e = (struct echo_device){.guest = g,
				  .subs = subs,
				  .thread = thread ? thread : &g->thread,
				  .ops = {
					  .name = "echo",
					  .packet_max = ECHO_PACKET_MAX,
					  .completion_max = ECHO_COMPLETION_MAX,
					  .open = on_open,
					  .ready = on_ready,
					  .packet = on_packet,
					  .close = on_close,
					  .room = on_room,
				  }};
	config.ops = &e->ops;
	if (thread)
		g->devices = thread;
	sem_init(&e->go_on, 0, 0);
	e->device = bus_guest_add(g, &config);
}

static void remove_device(void *arg)
{
	struct echo_device *e = arg;

	vmbus_device_remove(e->device);
}

void echo_remove(struct echo_device *e)
{
	bus_guest_call(e->guest, remove_device, e);
}

void echo_wait_removed(struct echo_device *e)
{
	echo_wait_count(e, &e->removals, 1);
	e->device = NULL;
}

void echo_finish(struct echo_device *e)
{
	sem_destroy(&e->go_on);
}

bool echo_ask_len(struct bus_guest_channel *c, uint64_t id, uint32_t operation, uint32_t argument,
		  uint32_t len)
{
	const struct echo_request request = {.operation = operation, .argument = argument};

	return bus_guest_send(c, true, id, &request, len);
}

bool echo_ask(struct bus_guest_channel *c, uint64_t id, uint32_t operation, uint32_t argument)
{
	return echo_ask_len(c, id, operation, argument, 8);
}

bool echo_answered(struct bus_guest_channel *c, uint64_t id)
{
	uint8_t buf[2048];

	return bus_guest_completion(c, id, buf, sizeof(buf)) != 0;
}

bool echo_alive(struct bus_guest_channel *c)
{
	return echo_ask(c, 77, ECHO_ANSWER, 0) && echo_answered(c, 77);
}

static void call(struct echo_device *e, unsigned int index, void (*function)(void *arg))
{
	e->index = index;
	loop_thread_call(e->thread, function, e);
}

static void release(void *arg)
{
	struct echo_device *e = arg;
	struct echo_channel *c = &e->channels[e->index];

	for (unsigned int i = 0; i < c->held_count && c->channel; i++)
		channel_complete(c->channel, c->held[i], &c->held[i], sizeof(c->held[i]));
	c->held_count = 0;
}

void echo_release(struct echo_device *e, unsigned int index)
{
	call(e, index, release);
}

static void resume(void *arg)
{
	struct echo_device *e = arg;
	struct echo_channel *c = &e->channels[e->index];

	c->stopped = false;
	if (c->channel)
		channel_resume(c->channel);
}

void echo_resume(struct echo_device *e, unsigned int index)
{
	call(e, index, resume);
}

void echo_go_on(struct echo_device *e)
{
	sem_post(&e->go_on);
}

static void close_channel(void *arg)
{
	struct echo_device *e = arg;
	struct echo_channel *c = &e->channels[e->index];

	if (c->channel && c->closing)
		finish_close(c);
}

void echo_close(struct echo_device *e, unsigned int index)
{
	call(e, index, close_channel);
}

void echo_wait_count(struct echo_device *e, _Atomic uint64_t *count, uint64_t value)
{
	for (unsigned int i = 0; atomic_load(count) < value; i++) {
		assert(i < BUS_GUEST_MS * 5);
		if (e->guest->pumped)
			loop_thread_pump(&e->guest->thread);
		else
			usleep(200);
	}
}

const struct channel_counters *echo_counters(const struct echo_device *e)
{
	return vmbus_device_counters(e->device);
}
