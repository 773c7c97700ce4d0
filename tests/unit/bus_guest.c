// SPDX-License-Identifier: MIT
/* See bus_guest.h. */
#include "bus_guest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PUMPS      40u
#define QUEUE      16u
#define FIRST_PAGE 16u /* page 0 is nobody's */

/* --- Making and ending. -------------------------------------------------------------------- */

static void create_bus(void *arg)
{
	struct bus_guest *g = arg;
	const struct vmbus_config config = {
		.loop = g->thread.loop,
		.mem = g->mem,
		.hv = g->hv,
		.vp_count = g->vps,
		.max_version = g->version,
	};
	int r = vmbus_create(&config, NULL, &g->bus);

	assert(r == 0);
}

void bus_guest_create(struct bus_guest *g, const struct bus_guest_config *config)
{
	const struct bus_guest_config none = {0};
	struct mem_config mem = {.size = MiB(32)};
	int r;

	if (!config)
		config = &none;
	if (config->memory)
		mem.size = config->memory;
	*g = (struct bus_guest){
		.pumped = config->pumped,
		.vps = config->vps ? config->vps : 4,
		.version = config->max_version,
		.next_gpa = (uint64_t)FIRST_PAGE * PAGE_SIZE,
		.next_gpadl = 0x100,
		.post_id = VMBUS_MESSAGE_CONNECTION_ID,
	};
	r = mem_create(&mem, NULL, &g->mem);
	assert(r == 0);
	g->hv = synic_fake_create(g->vps, QUEUE);
	loop_thread_start(&g->thread, g->pumped);
	bus_guest_call(g, create_bus, g);
}

static void on_reset_done(void *ctx)
{
	struct bus_guest *g = ctx;

	atomic_store(&g->is_reset, true);
}

static void reset_bus(void *arg)
{
	struct bus_guest *g = arg;

	vmbus_reset(g->bus, on_reset_done, g);
}

void bus_guest_begin_reset(struct bus_guest *g)
{
	atomic_store(&g->is_reset, false);
	bus_guest_call(g, reset_bus, g);
}

void bus_guest_end_reset(struct bus_guest *g)
{
	struct synic_fake_message message;

	for (unsigned int i = 0; !atomic_load(&g->is_reset); i++) {
		assert(i < (g->pumped ? PUMPS : BUS_GUEST_MS * 10));
		if (g->pumped)
			loop_thread_pump(&g->thread);
		else
			usleep(100);
	}
	while (synic_fake_take(g->hv, &message, 0))
		;
	g->post_id = VMBUS_MESSAGE_CONNECTION_ID;
}

void bus_guest_reset(struct bus_guest *g)
{
	bus_guest_begin_reset(g);
	bus_guest_end_reset(g);
}

void bus_guest_destroy(struct bus_guest *g)
{
	bus_guest_reset(g);
	/* What is on its way between loops arrives. */
	if (g->devices)
		loop_thread_pump(g->devices);
	loop_thread_pump(&g->thread);
	loop_thread_stop(&g->thread);
	vmbus_destroy(g->bus);
	synic_fake_destroy(g->hv);
	mem_destroy(g->mem);
}

void bus_guest_call(struct bus_guest *g, void (*function)(void *arg), void *arg)
{
	loop_thread_call(&g->thread, function, arg);
}

struct addition {
	struct bus_guest *guest;
	const struct vmbus_device_config *config;
	struct vmbus_device *device;
};

static void add_device(void *arg)
{
	struct addition *a = arg;
	int r = vmbus_device_add(a->guest->bus, a->config, NULL, &a->device);

	assert(r == 0);
}

struct vmbus_device *bus_guest_add(struct bus_guest *g, const struct vmbus_device_config *config)
{
	struct addition a = {.guest = g, .config = config};

	bus_guest_call(g, add_device, &a);
	return a.device;
}

uint64_t bus_guest_pages(struct bus_guest *g, unsigned int count)
{
	const uint64_t gpa = g->next_gpa;

	g->next_gpa += (uint64_t)count * PAGE_SIZE;
	assert(g->next_gpa <= mem_size(g->mem));
	return gpa;
}

void *bus_guest_host(struct bus_guest *g, uint64_t gpa, uint64_t len)
{
	void *host = mem_map(g->mem, gpa, len);

	assert(host);
	return host;
}

/* --- Control messages. --------------------------------------------------------------------- */

void bus_guest_post(struct bus_guest *g, const void *message, size_t len)
{
	enum hv_status status;

	for (;;) {
		status = synic_fake_post(g->hv, g->post_id, VMBUS_MESSAGE_TYPE, message, len);
		if (status != HV_STATUS_INSUFFICIENT_BUFFERS)
			break;
		if (g->pumped)
			loop_thread_pump(&g->thread);
		else
			usleep(100);
	}
	assert(status == HV_STATUS_SUCCESS);
}

void bus_guest_post_header(struct bus_guest *g, uint32_t type)
{
	const struct vmbus_channel_message_header m = {.msgtype = type};

	bus_guest_post(g, &m, sizeof(m));
}

void bus_guest_post_relid(struct bus_guest *g, uint32_t type, uint32_t relid)
{
	const struct vmbus_channel_relid m = {.header = {.msgtype = type}, .child_relid = relid};

	bus_guest_post(g, &m, sizeof(m));
}

static bool take(struct bus_guest *g, struct synic_fake_message *ret, unsigned int ms)
{
	if (!g->pumped)
		return synic_fake_take(g->hv, ret, ms);
	for (unsigned int i = 0; i < PUMPS; i++) {
		if (synic_fake_take(g->hv, ret, 0))
			return true;
		loop_thread_pump(&g->thread);
	}
	return false;
}

bool bus_guest_next(struct bus_guest *g, union bus_guest_message *ret, unsigned int ms)
{
	struct synic_fake_message m;

	if (!take(g, &m, ms))
		return false;
	assert(m.type == VMBUS_MESSAGE_TYPE && m.len <= sizeof(*ret));
	assert(m.len >= sizeof(ret->header));
	g->message_vp = m.vp;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, m.payload, m.len);
	return true;
}

bool bus_guest_expect(struct bus_guest *g, uint32_t type, union bus_guest_message *ret)
{
	union bus_guest_message m;

	if (!bus_guest_next(g, ret ? ret : &m, BUS_GUEST_MS))
		return false;
	return (ret ? ret : &m)->header.msgtype == type;
}

bool bus_guest_silent(struct bus_guest *g)
{
	struct synic_fake_message m;

	loop_thread_pump(&g->thread);
	return !take(g, &m, BUS_GUEST_QUIET_MS);
}

bool bus_guest_contact(struct bus_guest *g, uint32_t version, uint32_t features)
{
	struct vmbus_channel_initiate_contact2 m = {
		.contact.header = {.msgtype = CHANNELMSG_INITIATE_CONTACT},
		.contact.vmbus_version_requested = version,
	};
	union bus_guest_message answer;
	bool ok;

	g->post_id = VMBUS_MESSAGE_CONNECTION_ID;
	if (version >= VERSION_WIN10_V5) {
		g->post_id = VMBUS_MESSAGE_CONNECTION_ID_4;
		m.contact.msg_sint = VMBUS_MESSAGE_SINT;
	} else {
		if (!g->interrupt_gpa)
			g->interrupt_gpa = bus_guest_pages(g, 1);
		m.contact.interrupt_page = g->interrupt_gpa;
	}
	if (version >= VERSION_WIN_COPPER)
		m.contact.feature_flags = features;
	bus_guest_post(g, &m, sizeof(m));
	ok = bus_guest_expect(g, CHANNELMSG_VERSION_RESPONSE, &answer);
	assert(ok);
	if (!answer.version.response.version_supported)
		return false;
	g->version = version;
	g->features = version >= VERSION_WIN_COPPER ? answer.version.feature_flags : 0;
	if (version >= VERSION_WIN10_V5)
		g->post_id = answer.version.response.msg_conn_id;
	return true;
}

unsigned int bus_guest_offers(struct bus_guest *g, struct vmbus_channel_offer_channel *ret,
			      unsigned int max)
{
	union bus_guest_message m;
	unsigned int count = 0;

	bus_guest_post_header(g, CHANNELMSG_REQUESTOFFERS);
	for (;;) {
		bool ok = bus_guest_next(g, &m, BUS_GUEST_MS);

		assert(ok);
		if (m.header.msgtype == CHANNELMSG_ALLOFFERS_DELIVERED)
			return count;
		assert(m.header.msgtype == CHANNELMSG_OFFERCHANNEL);
		if (count < max)
			ret[count] = m.offer;
		count++;
	}
}

void bus_guest_connect(struct bus_guest *g, uint32_t version,
		       struct vmbus_channel_offer_channel *ret, unsigned int count)
{
	bool ok = bus_guest_contact(g, version, VMBUS_FEATURES_KNOWN);
	unsigned int n;

	assert(ok);
	n = bus_guest_offers(g, ret, count);
	assert(n == count);
}

void bus_guest_unload(struct bus_guest *g)
{
	bool ok;

	bus_guest_post_header(g, CHANNELMSG_UNLOAD);
	ok = bus_guest_expect(g, CHANNELMSG_UNLOAD_RESPONSE, NULL);
	assert(ok);
}

/* --- GPADLs. ------------------------------------------------------------------------------- */

#define HEADER_PFNS                                                                                \
	((VMBUS_MESSAGE_SIZE_MAX - sizeof(struct vmbus_channel_gpadl_header) -                     \
	  sizeof(struct gpa_range)) /                                                              \
	 sizeof(uint64_t))
#define BODY_PFNS                                                                                  \
	((VMBUS_MESSAGE_SIZE_MAX - sizeof(struct vmbus_channel_gpadl_body)) / sizeof(uint64_t))

static void post_bodies(struct bus_guest *g, uint32_t handle, const uint64_t *pfns,
			unsigned int count)
{
	uint8_t bytes[VMBUS_MESSAGE_SIZE_MAX];
	const struct vmbus_channel_gpadl_body body = {.header = {.msgtype = CHANNELMSG_GPADL_BODY},
						      .gpadl = handle};

	while (count) {
		const unsigned int n = (unsigned int)min_of((size_t)count, BODY_PFNS);

		memcpy(bytes, &body, sizeof(body));
		memcpy(bytes + sizeof(body), pfns, n * sizeof(*pfns));
		bus_guest_post(g, bytes, sizeof(body) + n * sizeof(*pfns));
		pfns += n;
		count -= n;
	}
}

void bus_guest_post_gpadl(struct bus_guest *g, uint32_t relid, uint32_t handle,
			  const uint64_t *pfns, unsigned int count)
{
	const unsigned int first = (unsigned int)min_of((size_t)count, HEADER_PFNS);
	const struct vmbus_channel_gpadl_header header = {
		.header = {.msgtype = CHANNELMSG_GPADL_HEADER},
		.child_relid = relid,
		.gpadl = handle,
		.range_buflen = (uint16_t)(sizeof(struct gpa_range) + count * sizeof(*pfns)),
		.rangecount = 1,
	};
	const uint32_t range[2] = {count * PAGE_SIZE, 0};
	uint8_t bytes[VMBUS_MESSAGE_SIZE_MAX];
	size_t len = sizeof(header);

	assert(count < 8191);
	memcpy(bytes, &header, len);
	memcpy(bytes + len, range, sizeof(range));
	len += sizeof(range);
	memcpy(bytes + len, pfns, first * sizeof(*pfns));
	bus_guest_post(g, bytes, len + first * sizeof(*pfns));
	post_bodies(g, handle, pfns + first, count - first);
}

uint32_t bus_guest_gpadl(struct bus_guest *g, uint32_t relid, uint32_t handle, uint64_t gpa,
			 unsigned int pages)
{
	uint64_t *pfns = malloc(pages * sizeof(*pfns));
	union bus_guest_message m;
	bool ok;

	assert(pfns);
	for (unsigned int i = 0; i < pages; i++)
		pfns[i] = gpa / PAGE_SIZE + i;
	bus_guest_post_gpadl(g, relid, handle, pfns, pages);
	free(pfns);
	ok = bus_guest_expect(g, CHANNELMSG_GPADL_CREATED, &m);
	assert(ok && m.created.gpadl == handle && m.created.child_relid == relid);
	return m.created.creation_status;
}

void bus_guest_post_teardown(struct bus_guest *g, uint32_t relid, uint32_t handle)
{
	const struct vmbus_channel_gpadl_teardown m = {
		.header = {.msgtype = CHANNELMSG_GPADL_TEARDOWN},
		.child_relid = relid,
		.gpadl = handle,
	};

	bus_guest_post(g, &m, sizeof(m));
}

/* --- Channels. ----------------------------------------------------------------------------- */

static void view_ring(struct bus_guest *g, struct ring_memory *ring, uint64_t gpa,
		      unsigned int pages)
{
	void *host = bus_guest_host(g, gpa, (uint64_t)pages * PAGE_SIZE);

	*ring = (struct ring_memory){.control = host, .map = host, .len = (pages - 1) * PAGE_SIZE};
}

void bus_guest_channel_init(struct bus_guest *g, struct bus_guest_channel *ch,
			    const struct vmbus_channel_offer_channel *offer, unsigned int pages,
			    unsigned int vp)
{
	*ch = (struct bus_guest_channel){
		.guest = g,
		.relid = offer->child_relid,
		.connection_id = offer->connection_id,
		.event_flag = (uint16_t)offer->child_relid,
		.vp = g->version < VERSION_WIN8 ? 0 : vp,
		.pages = pages,
		.gpa = bus_guest_pages(g, 2 * pages),
	};
	view_ring(g, &ch->up, ch->gpa, pages);
	view_ring(g, &ch->down, ch->gpa + (uint64_t)pages * PAGE_SIZE, pages);
}

uint32_t bus_guest_lend(struct bus_guest_channel *ch)
{
	struct bus_guest *g = ch->guest;

	memset(ch->up.control, 0, PAGE_SIZE);
	memset(ch->down.control, 0, PAGE_SIZE);
	ring_guest_init_writer(&ch->out, &ch->up);
	ring_guest_init_reader(&ch->in, &ch->down);
	ch->gpadl = g->next_gpadl++;
	return bus_guest_gpadl(g, ch->relid, ch->gpadl, ch->gpa, 2 * ch->pages);
}

void bus_guest_post_open(struct bus_guest_channel *ch)
{
	struct bus_guest *g = ch->guest;
	const bool chooses = g->features & VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS;
	struct vmbus_channel_open_channel2 m = {
		.open.header = {.msgtype = CHANNELMSG_OPENCHANNEL},
		.open.child_relid = ch->relid,
		.open.openid = ch->relid,
		.open.ringbuffer_gpadlhandle = ch->gpadl,
		.open.target_vp = ch->vp,
		.open.downstream_ringbuffer_pageoffset = ch->pages,
		.connection_id = ch->connection_id,
		.event_flag = ch->event_flag,
	};

	for (unsigned int i = 0; i < sizeof(m.open.userdata); i++)
		m.open.userdata[i] = (uint8_t)(ch->relid + i);
	bus_guest_post(g, &m, chooses ? sizeof(m) : sizeof(m.open));
}

uint32_t bus_guest_open(struct bus_guest_channel *ch)
{
	struct bus_guest *g = ch->guest;
	union bus_guest_message m;
	uint32_t status = bus_guest_lend(ch);
	bool ok;

	if (status)
		return status;
	bus_guest_post_open(ch);
	ok = bus_guest_expect(g, CHANNELMSG_OPENCHANNEL_RESULT, &m);
	assert(ok && m.open.child_relid == ch->relid && m.open.openid == ch->relid);
	if (m.open.status) {
		bus_guest_post_teardown(g, ch->relid, ch->gpadl);
		ok = bus_guest_expect(g, CHANNELMSG_GPADL_TORNDOWN, NULL);
		assert(ok);
	}
	return m.open.status;
}

void bus_guest_close(struct bus_guest_channel *ch)
{
	struct bus_guest *g = ch->guest;
	union bus_guest_message m;
	bool ok;

	bus_guest_post_relid(g, CHANNELMSG_CLOSECHANNEL, ch->relid);
	bus_guest_post_teardown(g, ch->relid, ch->gpadl);
	ok = bus_guest_expect(g, CHANNELMSG_GPADL_TORNDOWN, &m);
	assert(ok && m.torndown.gpadl == ch->gpadl);
}

/* Old guests say which channel in the second half of a page, the host in the first. */
static _Atomic uint64_t *interrupt_word(struct bus_guest_channel *ch, bool up)
{
	struct bus_guest *g = ch->guest;
	_Atomic uint64_t *words = bus_guest_host(g, g->interrupt_gpa, PAGE_SIZE);

	return &words[(up ? PAGE_SIZE / 2 / sizeof(*words) : 0) + ch->relid / 64];
}

void bus_guest_signal(struct bus_guest_channel *ch)
{
	struct bus_guest *g = ch->guest;
	uint32_t id = ch->connection_id;

	ch->signals++;
	if (g->version == VERSION_WS2008) {
		atomic_fetch_or(interrupt_word(ch, true), UINT64_C(1) << ch->relid % 64);
		id = 2;
	}
	(void)synic_fake_signal(g->hv, id);
}

bool bus_guest_send_list(struct bus_guest_channel *ch, uint16_t type, uint16_t flags,
			 uint64_t trans_id, const void *list, uint32_t list_len,
			 const void *payload, uint32_t payload_len)
{
	bool signal;

	if (!ring_guest_send(&ch->out, type, flags, trans_id, list, list_len, payload, payload_len,
			     &signal))
		return false;
	if (signal)
		bus_guest_signal(ch);
	return true;
}

bool bus_guest_send(struct bus_guest_channel *ch, bool want_completion, uint64_t trans_id,
		    const void *payload, uint32_t len)
{
	return bus_guest_send_list(ch, VM_PKT_DATA_INBAND, want_completion, trans_id, NULL, 0,
				   payload, len);
}

static bool take_event(struct bus_guest_channel *ch)
{
	struct bus_guest *g = ch->guest;
	const uint64_t bit = UINT64_C(1) << ch->relid % 64;

	if (g->version >= VERSION_WIN8)
		return synic_fake_test_and_clear(g->hv, ch->vp, VMBUS_MESSAGE_SINT, ch->event_flag);
	(void)synic_fake_test_and_clear(g->hv, ch->vp, VMBUS_MESSAGE_SINT, 0);
	return atomic_fetch_and(interrupt_word(ch, false), ~bit) & bit;
}

bool bus_guest_interrupted(struct bus_guest_channel *ch, unsigned int ms)
{
	const uint64_t until = loop_now() + ms * NSEC_PER_MSEC;

	for (unsigned int i = 0;; i++) {
		const uint64_t now = loop_now();

		if (take_event(ch))
			return true;
		if (ch->guest->pumped ? i == PUMPS : now >= until)
			return false;
		if (ch->guest->pumped)
			loop_thread_pump(&ch->guest->thread);
		else
			(void)synic_fake_wait(ch->guest->hv, ch->vp,
					      (unsigned int)((until - now) / NSEC_PER_MSEC) + 1);
	}
}

uint32_t bus_guest_receive(struct bus_guest_channel *ch, void *buf, uint32_t max, unsigned int ms)
{
	for (;;) {
		uint32_t len = ring_guest_receive(&ch->in, buf, max);

		if (len) {
			if (ring_guest_commit(&ch->in))
				bus_guest_signal(ch);
			return len;
		}
		/* A packet without an interrupt is none: the guest would not look. */
		if (!bus_guest_interrupted(ch, ms))
			return 0;
	}
}

uint32_t bus_guest_completion(struct bus_guest_channel *ch, uint64_t trans_id, void *buf,
			      uint32_t max)
{
	struct vmpacket_descriptor head;
	uint32_t len = bus_guest_receive(ch, buf, max, BUS_GUEST_MS);

	if (!len)
		return 0;
	memcpy(&head, buf, sizeof(head));
	return head.type == VM_PKT_COMP && head.trans_id == trans_id ? len : 0;
}
