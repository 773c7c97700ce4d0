// SPDX-License-Identifier: MIT
/*
 * Fuzzes open channels: a guest that writes anything anywhere into its rings and says anything to
 * the control plane, beside devices that answer when they like; through the whole of src/vmbus,
 * with an echo device that checks what it is given. Beyond not crashing and not hanging: whatever
 * came before, a reset ends all channels, and a well-behaved guest after it is served.
 *
 * One thread, by pumping the loop. The input is a list of commands, below; each is a byte whose
 * high half names a channel, and its arguments.
 */
#include <assert.h>
#include <string.h>

#include "../unit/echo_device.h"
#include "vmm/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHANNELS 6u /* two primaries and sub-channels, by relid */
#define PAGES    2u

struct input {
	const uint8_t *data;
	size_t size;
};

static struct bus_guest guest;
static struct echo_device echo[2];
static struct bus_guest_channel channels[CHANNELS];

static const uint32_t versions[] = {
	VERSION_WS2008,     VERSION_WIN7,       VERSION_WIN8,       VERSION_WIN8_1,
	VERSION_WIN10,      VERSION_WIN10_V4_1, VERSION_WIN10_V5,   VERSION_WIN10_V5_1,
	VERSION_WIN10_V5_2, VERSION_WIN10_V5_3, VERSION_WIN_COPPER,
};

static uint8_t take(struct input *in)
{
	if (!in->size)
		return 0;
	in->size--;
	return *in->data++;
}

static uint32_t take32(struct input *in)
{
	uint32_t v = take(in);

	v |= (uint32_t)take(in) << 8;
	v |= (uint32_t)take(in) << 16;
	return v | (uint32_t)take(in) << 24;
}

/* Reads all messages, and has all that was posted handled. */
static void settle(void)
{
	struct synic_fake_message m;
	bool more;

	synic_fake_set_depth(guest.hv, 16);
	do {
		loop_thread_pump(&guest.thread);
		for (more = false; synic_fake_take(guest.hv, &m, 0); more = true)
			;
	} while (more);
}

static void contact(struct input *in)
{
	const uint8_t features = take(in), version = take(in);
	struct vmbus_channel_initiate_contact m = {
		.header = {.msgtype = CHANNELMSG_INITIATE_CONTACT},
		.vmbus_version_requested = versions[version % ARRAY_SIZE(versions)],
		.interrupt_page = guest.interrupt_gpa,
	};

	guest.version = m.vmbus_version_requested;
	guest.post_id = VMBUS_MESSAGE_CONNECTION_ID;
	guest.features = 0;
	if (guest.version >= VERSION_WIN10_V5) {
		guest.post_id = VMBUS_MESSAGE_CONNECTION_ID_4;
		m.interrupt_page = VMBUS_MESSAGE_SINT;
		m.feature_flags = features;
	}
	if (guest.version >= VERSION_WIN_COPPER)
		guest.features = features & VMBUS_FEATURES_KNOWN;
	bus_guest_post(&guest, &m, sizeof(m));
}

/* Its pages are always the same; the handle is the relid. */
static void lend(struct bus_guest_channel *c, struct input *in)
{
	const unsigned int count = 1 + take(in) % 40;
	uint64_t pfns[40];

	for (unsigned int i = 0; i < count; i++)
		pfns[i] = c->gpa / PAGE_SIZE + i;
	bus_guest_post_gpadl(&guest, c->relid, c->gpadl, pfns, count);
}

static void post_open(struct bus_guest_channel *c, struct input *in)
{
	c->vp = take(in) % 5;
	c->pages = 1 + take(in) % 3;
	c->connection_id = VMBUS_MESSAGE_SINT << 12 | (take(in) % 8);
	c->event_flag = take(in);
	bus_guest_post_open(c);
	c->pages = PAGES;
	ring_guest_init_writer(&c->out, &c->up);
	c->out.index %= c->up.len;
}

static void post_raw(struct input *in)
{
	uint8_t m[VMBUS_MESSAGE_SIZE_MAX];
	const size_t len = min_of((size_t)take(in), sizeof(m));
	const uint32_t id = take(in);

	for (size_t i = 0; i < len; i++)
		m[i] = take(in);
	(void)synic_fake_post(guest.hv, id, VMBUS_MESSAGE_TYPE, m, len);
}

/* A packet that is in order, but for what it says. */
static void send_packet(struct bus_guest_channel *c, struct input *in)
{
	static const uint16_t types[] = {VM_PKT_DATA_INBAND, VM_PKT_DATA_USING_GPA_DIRECT,
					 VM_PKT_DATA_USING_XFER_PAGES, VM_PKT_COMP};
	const uint16_t type = types[take(in) % 4];
	const uint8_t sizes = take(in);
	uint32_t payload[2 * 16] = {take(in), take(in)};
	uint32_t list[2 * 16];

	for (unsigned int i = 0; i < sizes % 16 * 2u; i++)
		list[i] = take32(in);
	(void)bus_guest_send_list(c, type, take(in) % 3, take(in), list, sizes % 16 * 8u, payload,
				  sizes / 16 * 8u);
}

static void write_data(struct bus_guest_channel *c, struct input *in)
{
	const uint8_t len = take(in) % 64;
	uint8_t bytes[64];
	const uint32_t at = take32(in) % (2 * PAGES * PAGE_SIZE);

	for (unsigned int i = 0; i < len; i++)
		bytes[i] = take(in);
	/* Both rings, and their control pages. */
	for (unsigned int i = 0; i < len; i++)
		((uint8_t *)c->up.map)[(at + i) % (2 * PAGES * PAGE_SIZE)] = bytes[i];
}

static void write_control(struct bus_guest_channel *c, struct input *in)
{
	const uint8_t field = take(in);
	struct hv_ring_buffer *control = field & 1 ? c->up.control : c->down.control;
	uint32_t *fields[] = {&control->write_index, &control->read_index, &control->interrupt_mask,
			      &control->pending_send_sz, &control->feature_bits};

	__atomic_store_n(fields[field / 2 % 5], take32(in), __ATOMIC_SEQ_CST);
	c->out.index = c->up.control->write_index % c->up.len;
}

static void device(struct bus_guest_channel *c, struct input *in)
{
	struct echo_device *e = &echo[c - channels == 1];
	const unsigned int index = c - channels < 2 ? 0 : (unsigned int)(c - channels) - 1;

	switch (take(in) % 5) {
	case 0:
		echo_release(e, index);
		break;
	case 1:
		echo_resume(e, index);
		break;
	case 2:
		echo_close(e, index);
		break;
	case 3:
		atomic_store(&e->slow_close, take(in) & 1);
		break;
	case 4:
		atomic_store(&e->open_result, -(take(in) & 1));
		break;
	}
}

static void step_control(struct bus_guest_channel *c, unsigned int command, struct input *in)
{
	settle();
	switch (command) {
	case 0:
		contact(in);
		break;
	case 1:
		bus_guest_post_header(&guest, CHANNELMSG_REQUESTOFFERS);
		break;
	case 2:
		lend(c, in);
		break;
	case 3:
		post_open(c, in);
		break;
	case 4:
		bus_guest_post_relid(&guest, CHANNELMSG_CLOSECHANNEL, c->relid);
		break;
	case 5:
		bus_guest_post_teardown(&guest, c->relid, c->gpadl);
		break;
	case 6:
		bus_guest_post_relid(&guest, CHANNELMSG_RELID_RELEASED, c->relid);
		break;
	}
}

static void step(struct input *in)
{
	const uint8_t byte = take(in);
	struct bus_guest_channel *c = &channels[byte / 16 % CHANNELS];

	switch (byte % 16) {
	case 7:
		post_raw(in);
		break;
	case 8:
		send_packet(c, in);
		break;
	case 9:
		write_data(c, in);
		break;
	case 10:
		write_control(c, in);
		break;
	case 11:
		bus_guest_signal(c);
		break;
	case 12:
		loop_thread_pump(&guest.thread);
		break;
	case 13: /* has read all there is */
		__atomic_store_n(&c->down.control->read_index, c->down.control->write_index,
				 __ATOMIC_SEQ_CST);
		bus_guest_signal(c);
		break;
	case 14:
		device(c, in);
		break;
	case 15:
		synic_fake_set_depth(guest.hv, take(in) % 16);
		break;
	default:
		step_control(c, byte % 16, in);
	}
}

/* --- Before and after. --------------------------------------------------------------------- */

static void create(void)
{
	const struct bus_guest_config config = {.pumped = true};

	log_set_level(LOG_ERROR);
	bus_guest_create(&guest, &config);
	guest.interrupt_gpa = bus_guest_pages(&guest, 1);
	echo_create(&echo[0], &guest, 0, CHANNELS - 2, NULL);
	echo_create(&echo[1], &guest, 1, 0, NULL);
	for (uint32_t i = 0; i < CHANNELS; i++) {
		const struct vmbus_channel_offer_channel offer = {
			.child_relid = i + 1, .connection_id = VMBUS_MESSAGE_SINT << 12 | (i + 1)};

		bus_guest_channel_init(&guest, &channels[i], &offer, PAGES, 0);
		channels[i].gpadl = i + 1;
		(void)bus_guest_pages(&guest, 40);
	}
}

static void begin(void)
{
	guest.features = 0;
	guest.version = VERSION_WIN10;
	for (unsigned int i = 0; i < CHANNELS; i++) {
		memset(channels[i].up.map, 0, 2 * PAGES * PAGE_SIZE);
		ring_guest_init_writer(&channels[i].out, &channels[i].up);
	}
}

static void end(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		atomic_store(&echo[i].slow_close, false);
		atomic_store(&echo[i].open_result, 0);
		for (unsigned int n = 0; n < ECHO_CHANNELS; n++)
			echo_close(&echo[i], n);
	}
	synic_fake_set_depth(guest.hv, 16);
	bus_guest_reset(&guest);
	assert(synic_fake_connections(guest.hv) == 2);
}

static void expect_service(void)
{
	static struct bus_guest_channel good[2];
	static const uint64_t request = ECHO_ANSWER;
	struct vmbus_channel_offer_channel offers[2];
	uint8_t buf[2048];

	bus_guest_connect(&guest, VERSION_WIN10_V5_3, offers, 2);
	for (unsigned int i = 0; i < 2; i++) {
		uint32_t status, len;

		if (!good[i].guest)
			bus_guest_channel_init(&guest, &good[i], &offers[i], PAGES, 0);
		assert(good[i].relid == offers[i].child_relid);
		guest.next_gpadl = 0x100 + i;
		status = bus_guest_open(&good[i]);
		assert(status == 0);
		assert(bus_guest_send(&good[i], true, i, &request, sizeof(request)));
		len = bus_guest_completion(&good[i], i, buf, sizeof(buf));
		assert(len);
	}
	bus_guest_reset(&guest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	if (!guest.bus)
		create();
	begin();
	while (in.size)
		step(&in);
	end();
	expect_service();
	return 0;
}
