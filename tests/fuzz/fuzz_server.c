// SPDX-License-Identifier: MIT
/*
 * Fuzzes the control plane of VMBus: any messages, with devices that answer whenever they like and
 * a guest that reads its messages or does not. Beyond not crashing:
 *
 *   - what fake_check() of unit/server_fake.c says holds after every step, and every device is
 * asked
 *     to open and close in turns only;
 *   - whatever came before, a new guest that says INITIATE_CONTACT gets its answer and its offers,
 * and
 *     the machine can be reset.
 *
 * The input is a list of commands, below.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/server_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHANNELS    8u
#define PRIMARIES   4u /* the others are sub-channels of channel 0 */
#define MESSAGE_MAX (VMBUS_MESSAGE_SIZE_MAX + 1u)

struct input {
	const uint8_t *data;
	size_t size;
};

static uint8_t take(struct input *in)
{
	if (!in->size)
		return 0;
	in->size--;
	return *in->data++;
}

static const uint32_t versions[] = {
	VERSION_WS2008,     VERSION_WIN7,       VERSION_WIN8,       VERSION_WIN8_1,
	VERSION_WIN10,      VERSION_WIN10_V4_1, VERSION_WIN10_V5,   VERSION_WIN10_V5_1,
	VERSION_WIN10_V5_2, VERSION_WIN10_V5_3, VERSION_WIN_COPPER,
};

/* Length, then the bytes as they are. */
static void raw(struct fake_bus *bus, struct input *in)
{
	uint8_t m[MESSAGE_MAX] = {0};
	size_t len = min_of((size_t)take(in), sizeof(m));
	uint32_t id = take(in);

	for (size_t i = 0; i < len; i++)
		m[i] = take(in);
	(void)!fake_post_on(bus, id, m, len);
}

/* Type, number of words, and a byte for each. */
static void words(struct fake_bus *bus, struct input *in)
{
	uint32_t m[VMBUS_MESSAGE_SIZE_MAX / 4] = {take(in)};
	unsigned int count = take(in) % (ARRAY_SIZE(m) - 1);

	for (unsigned int i = 0; i < count; i++)
		m[2 + i] = take(in);
	(void)!fake_post(bus, m, count < 32 ? sizeof(m) : sizeof(uint32_t) * (2 + count));
}

static void offer(struct fake_bus *bus, unsigned int n, uint8_t how)
{
	struct fake_channel *c = &bus->channels[n];

	if (c->registered)
		return;
	c->slow = how & 1;
	c->keep_gpadl = how & 2;
	c->open_status = how & 4 ? VMBUS_STATUS_UNSUCCESSFUL : 0;
	(void)!fake_offer(bus, n, (uint16_t)(n < PRIMARIES ? 0 : n));
}

static void revoke(struct fake_bus *bus, unsigned int n)
{
	if (bus->channels[n].registered)
		vmbus_offer_revoke(&bus->channels[n].offer);
}

static void device(struct fake_bus *bus, unsigned int n, uint8_t how)
{
	struct fake_channel *c = &bus->channels[n];

	if (!c->registered)
		return;
	if (how % 3 == 0)
		fake_opened(c, how & 4 ? VMBUS_STATUS_UNSUCCESSFUL : 0);
	else if (how % 3 == 1)
		fake_closed(c);
	else
		fake_modified(c, how & 4 ? VMBUS_STATUS_UNSUCCESSFUL : 0);
}

/* Guests that know what they do get further than bytes. */
static void guest(struct fake_bus *bus, struct input *in)
{
	uint8_t what = take(in), a = take(in), b = take(in);

	switch (what % 6) {
	case 0:
		(void)!fake_contact_features(bus, versions[a % ARRAY_SIZE(versions)], b);
		break;
	case 1:
		(void)!fake_header(bus, a);
		break;
	case 2:
		(void)!fake_gpadl(bus, a % 16, b, 16u + 8u * (b % 64), 4 + a / 32);
		break;
	case 3:
		(void)!fake_open(bus, a % 16, b, a / 16);
		break;
	case 4:
		(void)!fake_teardown(bus, a, b);
		break;
	case 5:
		(void)!fake_modify(bus, a, b);
		break;
	}
}

static void step(struct fake_bus *bus, struct input *in)
{
	uint8_t command = take(in);
	unsigned int n = (command >> 4) % CHANNELS;

	switch (command % 16) {
	case 0:
		raw(bus, in);
		break;
	case 1:
		words(bus, in);
		break;
	case 2:
		offer(bus, n, take(in));
		break;
	case 3:
		revoke(bus, n);
		break;
	case 4:
	case 5:
		device(bus, n, take(in));
		break;
	case 6:
		bus->room = n == 0 ? FAKE_NEVER : n - 1;
		vmbus_server_flush(bus->s);
		break;
	case 7:
		if (take(in) == 0)
			vmbus_server_reset(bus->s);
		break;
	case 8:
		vmbus_server_tl_result(bus->s, bus->tl_id, n ? VMBUS_STATUS_CONNECTION_REFUSED : 0);
		break;
	case 9:
		bus->tl_accept = n & 1;
		break;
	case 10: /* what a primary takes along */
		bus->channels[0].revoke =
			n >= PRIMARIES && bus->channels[n].registered ? &bus->channels[n] : NULL;
		break;
	default:
		guest(bus, in);
		break;
	}
	if (bus->channels[0].revoke && !bus->channels[0].revoke->registered)
		bus->channels[0].revoke = NULL;
	fake_check(bus);
}

/* Devices are done, guests read: whoever comes now is served. */
static void expect_service(struct fake_bus *bus)
{
	unsigned int offers = 0;
	const struct fake_message *m;

	bus->channels[0].revoke = NULL;
	bus->room = FAKE_NEVER;
	for (unsigned int i = 0; i < bus->used; i++) {
		bus->channels[i].slow = false;
		if (bus->channels[i].registered)
			fake_opened(&bus->channels[i], 0);
		if (bus->channels[i].registered)
			fake_closed(&bus->channels[i]);
	}
	assert(vmbus_server_flush(bus->s));
	fake_skip(bus);
	assert(fake_contact(bus, VERSION_WIN10_V5_3) == 0);
	assert(fake_expect(bus, CHANNELMSG_VERSION_RESPONSE));
	assert(vmbus_server_connection(bus->s));
	assert(fake_header(bus, CHANNELMSG_REQUESTOFFERS) == 0);
	while ((m = fake_next(bus)) && m->m.header.msgtype == CHANNELMSG_OFFERCHANNEL)
		offers++;
	assert(m && m->m.header.msgtype == CHANNELMSG_ALLOFFERS_DELIVERED);
	for (const struct vmbus_offer *o = bus->s->first; o; o = o->next)
		offers += o->survivor;
	assert(offers == bus->s->offer_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mem *mem; /* nobody writes to it */
	struct input in = {data, size};
	struct fake_bus *bus;

	if (!mem)
		mem = fake_mem();
	bus = fake_create_with(mem);

	for (unsigned int i = 0; i < CHANNELS; i++)
		offer(bus, i, (uint8_t)i);
	while (in.size)
		step(bus, &in);
	expect_service(bus);
	fake_destroy(bus);
	return 0;
}
