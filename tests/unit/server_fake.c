// SPDX-License-Identifier: MIT
/* See server_fake.h. */
#include "server_fake.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct fake_channel *channel(struct vmbus_offer *o)
{
	return container_of(o, struct fake_channel, offer);
}

/* --- Effects. ------------------------------------------------------------------------------ */

static bool on_send(void *ctx, unsigned int vp, unsigned int sint, const void *message, size_t len)
{
	struct fake_bus *bus = ctx;
	struct fake_message *m = &bus->sent[bus->count % FAKE_SENT];

	assert(vp < bus->s->config.vp_count && sint < VMBUS_SINTS);
	assert(len >= sizeof(struct vmbus_channel_message_header) && len <= VMBUS_MESSAGE_SIZE_MAX);
	if (bus->room == 0)
		return false;
	if (bus->room != FAKE_NEVER)
		bus->room--;
	*m = (struct fake_message){.vp = vp, .sint = sint, .len = len};
	memcpy(&m->m, message, len);
	bus->count++;
	return true;
}

static void on_connected(void *ctx, const struct vmbus_connection *connection)
{
	struct fake_bus *bus = ctx;

	assert(bus->connected == bus->disconnected);
	bus->connected++;
	bus->connection = *connection;
}

static void on_disconnected(void *ctx)
{
	struct fake_bus *bus = ctx;

	bus->disconnected++;
	assert(bus->connected == bus->disconnected);
	for (unsigned int i = 0; i < bus->used; i++)
		if (bus->channels[i].registered && !bus->channels[i].offer.survivor)
			assert(bus->channels[i].offer.device == VMBUS_DEVICE_CLOSED);
}

static void on_unloaded(void *ctx)
{
	struct fake_bus *bus = ctx;

	bus->unloaded++;
}

static void on_reset_done(void *ctx)
{
	struct fake_bus *bus = ctx;

	bus->resets++;
	for (unsigned int i = 0; i < bus->used; i++)
		assert(!bus->channels[i].held);
}

static void on_open(void *ctx, struct vmbus_offer *o, const struct vmbus_open *open)
{
	struct fake_channel *c = channel(o);

	assert(c->registered && !c->open_due && !c->held);
	assert(open->relid == o->relid && o->relid);
	c->opens++;
	c->open = *open;
	c->open_due = true;
	if (!c->slow)
		fake_opened(c, c->open_status);
}

void fake_opened(struct fake_channel *c, uint32_t status)
{
	struct gpadl_table *table;

	if (!c->open_due)
		return;
	c->open_due = false;
	table = vmbus_server_gpadls(c->offer.server);
	if (!status && c->keep_gpadl &&
	    gpadl_get(table, c->offer.relid, c->open.ring_gpadl, &c->held) < 0)
		status = VMBUS_STATUS_UNSUCCESSFUL;
	vmbus_offer_opened(&c->offer, status);
}

static void on_close(void *ctx, struct vmbus_offer *o)
{
	struct fake_channel *c = channel(o);

	assert(c->registered && !c->open_due && !c->close_due);
	c->closes++;
	c->modify_due = 0;
	c->close_due = true;
	if (c->revoke)
		vmbus_offer_revoke(&c->revoke->offer);
	if (!c->slow)
		fake_closed(c);
}

void fake_closed(struct fake_channel *c)
{
	struct gpadl *held = c->held;

	if (!c->close_due)
		return;
	c->close_due = false;
	c->held = NULL;
	gpadl_put(held);
	vmbus_offer_closed(&c->offer);
}

static void on_modify(void *ctx, struct vmbus_offer *o, unsigned int vp)
{
	struct fake_channel *c = channel(o);
	struct fake_bus *bus = ctx;

	assert(c->registered && vp < bus->s->config.vp_count);
	c->modifies++;
	c->modify_vp = vp;
	c->modify_due++;
	assert(c->modify_due == 1);
	if (!c->slow)
		fake_modified(c, VMBUS_STATUS_SUCCESS);
}

void fake_modified(struct fake_channel *c, uint32_t status)
{
	if (!c->modify_due)
		return;
	c->modify_due--;
	vmbus_offer_modified(&c->offer, status);
}

static void on_released(void *ctx, struct vmbus_offer *o)
{
	struct fake_channel *c = channel(o);

	assert(c->registered && !c->open_due && !c->close_due && !c->held && o->revoked);
	c->registered = false;
	c->releases++;
	memset(o, 0xa5, sizeof(*o)); /* its owner's again */
}

static void on_gpadl_wanted(void *ctx, struct vmbus_offer *o, uint32_t gpadl)
{
	struct fake_bus *bus = ctx;

	assert(channel(o)->registered);
	bus->wanted++;
}

static int on_tl_connect(void *ctx, uint32_t id, const struct vmbus_guid *endpoint,
			 const struct vmbus_guid *service, const struct vmbus_guid *silo)
{
	struct fake_bus *bus = ctx;

	bus->tls++;
	bus->tl_id = id;
	bus->tl_silo = *silo;
	return bus->tl_accept ? 0 : -ECONNREFUSED;
}

static const struct vmbus_server_ops ops = {
	.send = on_send,
	.connected = on_connected,
	.disconnected = on_disconnected,
	.unloaded = on_unloaded,
	.reset_done = on_reset_done,
	.open = on_open,
	.close = on_close,
	.modify = on_modify,
	.released = on_released,
	.gpadl_wanted = on_gpadl_wanted,
	.tl_connect = on_tl_connect,
};

/* --- Making and ending. -------------------------------------------------------------------- */

struct mem *fake_mem(void)
{
	const struct mem_config config = {.size = FAKE_MEM};
	struct mem *mem;
	int err = mem_create(&config, NULL, &mem);

	assert(!err);
	return mem;
}

struct fake_bus *fake_create(const struct vmbus_server_config *config)
{
	struct vmbus_server_config c = *config;
	struct fake_bus *bus = calloc(1, sizeof(*bus));
	int err;

	assert(bus);
	bus->channels = calloc(FAKE_OFFERS, sizeof(*bus->channels));
	assert(bus->channels);
	bus->room = FAKE_NEVER;
	bus->own_mem = !c.mem;
	if (!c.mem)
		c.mem = fake_mem();
	bus->mem = c.mem;
	err = vmbus_server_create(&c, &ops, bus, &bus->s);
	assert(!err);
	return bus;
}

struct fake_bus *fake_create_with(struct mem *mem)
{
	const struct vmbus_server_config config = {
		.mem = mem,
		.gpadl_limits = GPADL_LIMITS_DEFAULT,
		.vp_count = FAKE_VPS,
		.features = VMBUS_FEATURES_KNOWN,
	};

	return fake_create(&config);
}

struct fake_bus *fake_create_default(void)
{
	return fake_create_with(NULL);
}

void fake_destroy(struct fake_bus *bus)
{
	bus->room = FAKE_NEVER;
	vmbus_server_reset(bus->s);
	for (unsigned int i = 0; i < bus->used; i++) {
		struct fake_channel *c = &bus->channels[i];

		if (!c->registered)
			continue;
		fake_opened(c, 0);
		fake_closed(c);
	}
	fake_check(bus);
	assert(bus->resets > 0 && bus->s->state == VMBUS_DISCONNECTED);
	for (unsigned int i = 0; i < bus->used; i++)
		if (bus->channels[i].registered)
			vmbus_offer_revoke(&bus->channels[i].offer);
	assert(!bus->s->first && !bus->s->last && bus->s->offer_count == 0);
	vmbus_server_destroy(bus->s);
	if (bus->own_mem)
		mem_destroy(bus->mem);
	free(bus->channels);
	free(bus);
}

void fake_config(unsigned int n, uint16_t sub_channel_index, struct vmbus_offer_config *ret)
{
	*ret = (struct vmbus_offer_config){
		.class_id = vmbus_instance_guid("class", "", n / 16),
		.instance_id = vmbus_instance_guid("instance", "", n),
		.flags = VMBUS_CHANNEL_ENUMERATE_DEVICE_INTERFACE,
		.mmio_megabytes = (uint16_t)n,
		.sub_channel_index = sub_channel_index,
	};
	memset(ret->user_data, (int)n, sizeof(ret->user_data));
}

/* Sub-channels are of channel 0, in memory of their own. */
int fake_offer(struct fake_bus *bus, unsigned int n, uint16_t sub_channel_index)
{
	struct fake_channel *c = &bus->channels[n];
	struct vmbus_offer_config config;
	int err;

	assert(!c->registered);
	fake_config(sub_channel_index ? 0 : n, sub_channel_index, &config);
	c->registered = true;
	bus->used = max_of(bus->used, n + 1);
	c->open_due = c->close_due = false;
	c->modify_due = 0;
	err = vmbus_server_offer(bus->s, &c->offer, &config);
	if (err)
		c->registered = false;
	return err;
}

/* --- The guest. ---------------------------------------------------------------------------- */

int fake_post_on(struct fake_bus *bus, uint32_t connection_id, const void *message, size_t len)
{
	int err = vmbus_server_message(bus->s, connection_id, message, len);

	fake_check(bus);
	return err;
}

int fake_post(struct fake_bus *bus, const void *message, size_t len)
{
	return fake_post_on(bus, VMBUS_MESSAGE_CONNECTION_ID, message, len);
}

int fake_header(struct fake_bus *bus, uint32_t type)
{
	const struct vmbus_channel_message_header m = {.msgtype = type};

	return fake_post(bus, &m, sizeof(m));
}

int fake_relid(struct fake_bus *bus, uint32_t type, uint32_t relid)
{
	const struct vmbus_channel_relid m = {.header = {.msgtype = type}, .child_relid = relid};

	return fake_post(bus, &m, sizeof(m));
}

int fake_contact_features(struct fake_bus *bus, uint32_t version, uint32_t features)
{
	struct vmbus_channel_initiate_contact2 m = {
		.contact = {.header = {.msgtype = CHANNELMSG_INITIATE_CONTACT},
			    .vmbus_version_requested = version,
			    .target_vcpu = 2,
			    .monitor_page1 = 0x3000,
			    .monitor_page2 = 0x4000}};
	const bool v5 = version >= VERSION_WIN10_V5;

	if (v5) {
		m.contact.msg_sint = 5;
		m.contact.feature_flags = version >= VERSION_WIN_COPPER ? features : 0;
	} else {
		m.contact.interrupt_page = 0x2000;
	}
	memset(&m.client_id, 0x77, sizeof(m.client_id));
	return fake_post_on(bus, v5 ? VMBUS_MESSAGE_CONNECTION_ID_4 : VMBUS_MESSAGE_CONNECTION_ID,
			    &m, features & VMBUS_FEATURE_CLIENT_ID ? sizeof(m) : sizeof(m.contact));
}

int fake_contact(struct fake_bus *bus, uint32_t version)
{
	return fake_contact_features(bus, version, 0);
}

int fake_gpadl(struct fake_bus *bus, uint32_t relid, uint32_t handle, uint64_t page,
	       unsigned int pages)
{
	struct {
		struct vmbus_channel_gpadl_header header;
		uint32_t range[2 + 2 * 25]; /* byte count, byte offset, page numbers */
	} m = {
		.header = {.header = {.msgtype = CHANNELMSG_GPADL_HEADER},
			   .child_relid = relid,
			   .gpadl = handle,
			   .range_buflen = (uint16_t)(8 + 8 * pages),
			   .rangecount = 1},
		.range = {pages * PAGE_SIZE, 0},
	};

	assert(pages <= 25);
	for (unsigned int i = 0; i < pages; i++)
		m.range[2 + 2 * i] = (uint32_t)(page + i);
	return fake_post(bus, &m, sizeof(m.header) + sizeof(uint64_t) * (1 + pages));
}

int fake_teardown(struct fake_bus *bus, uint32_t relid, uint32_t handle)
{
	const struct vmbus_channel_gpadl_teardown m = {
		.header = {.msgtype = CHANNELMSG_GPADL_TEARDOWN},
		.child_relid = relid,
		.gpadl = handle};

	return fake_post(bus, &m, sizeof(m));
}

int fake_open(struct fake_bus *bus, uint32_t relid, uint32_t gpadl, uint32_t vp)
{
	struct vmbus_channel_open_channel2 m = {
		.open = {.header = {.msgtype = CHANNELMSG_OPENCHANNEL},
			 .child_relid = relid,
			 .openid = 0x1000 + relid,
			 .ringbuffer_gpadlhandle = gpadl,
			 .target_vp = vp,
			 .downstream_ringbuffer_pageoffset = 4},
		.connection_id = 0x5000 + relid,
		.event_flag = 77,
	};

	memset(m.open.userdata, 0x33, sizeof(m.open.userdata));
	return fake_post(bus, &m, sizeof(m));
}

int fake_modify(struct fake_bus *bus, uint32_t relid, uint32_t vp)
{
	const struct vmbus_channel_modifychannel m = {
		.header = {.msgtype = CHANNELMSG_MODIFYCHANNEL},
		.child_relid = relid,
		.target_vp = vp};

	return fake_post(bus, &m, sizeof(m));
}

/* --- What was sent. ------------------------------------------------------------------------ */

const struct fake_message *fake_next(struct fake_bus *bus)
{
	return bus->read == bus->count ? NULL : &bus->sent[bus->read++ % FAKE_SENT];
}

bool fake_expect(struct fake_bus *bus, uint32_t type)
{
	const struct fake_message *m = fake_next(bus);

	return m && m->m.header.msgtype == type;
}

bool fake_silent(const struct fake_bus *bus)
{
	return bus->read == bus->count;
}

void fake_skip(struct fake_bus *bus)
{
	bus->read = bus->count;
}

void fake_connect(struct fake_bus *bus, uint32_t version)
{
	int err = fake_contact(bus, version);

	assert(!err && vmbus_server_connection(bus->s));
	err = fake_header(bus, CHANNELMSG_REQUESTOFFERS);
	assert(!err);
	fake_skip(bus);
}

void fake_connect_open(struct fake_bus *bus, uint32_t version)
{
	struct fake_channel *c = &bus->channels[0];
	int err = c->registered ? 0 : fake_offer(bus, 0, 0);

	assert(!err);
	fake_connect(bus, version);
	err = fake_gpadl(bus, c->offer.relid, 1, 16, 8);
	assert(!err);
	err = fake_open(bus, c->offer.relid, 1, 1);
	assert(!err);
	fake_opened(c, 0);
	assert(c->offer.device == VMBUS_DEVICE_OPEN);
	fake_skip(bus);
}

/* --- What always holds. -------------------------------------------------------------------- */

static void check_offer(const struct vmbus_server *s, const struct vmbus_offer *o)
{
	assert(o->server == s);
	assert(!o->relid || s->by_relid[o->relid] == o);
	assert(o->relid || (o->guest == VMBUS_OFFER_UNKNOWN && o->device == VMBUS_DEVICE_CLOSED));
	assert(o->relid || (!o->pending && !o->deferred));
	assert(!o->pending == !(s->pending[o->relid / 64] & 1ull << (o->relid % 64)));
	assert(o->guest != VMBUS_OFFER_RESCINDED || o->revoked);
	assert(!o->revoked || o->guest != VMBUS_OFFER_MADE);
	assert(!o->reopen || o->device == VMBUS_DEVICE_CLOSING);
	assert(!o->close_wanted || o->device == VMBUS_DEVICE_OPENING);
	assert(!o->modifying || o->device == VMBUS_DEVICE_OPEN);
	assert(!o->survivor || (o->reserved && o->guest == VMBUS_OFFER_MADE));
	assert(!o->revoked || o->relid); /* else it would be released */
}

void fake_check(const struct fake_bus *bus)
{
	const struct vmbus_server *s = bus->s;
	unsigned int offers = 0, relids = 0, deferred = 0, used = 0;

	for (const struct vmbus_offer *o = s->first; o; o = o->next) {
		check_offer(s, o);
		offers++;
		relids += o->relid != 0;
		deferred += o->deferred;
		assert(s->state == VMBUS_CONNECTED || o->survivor ||
		       o->guest == VMBUS_OFFER_UNKNOWN);
		assert(s->state != VMBUS_DISCONNECTED || o->survivor ||
		       o->device == VMBUS_DEVICE_CLOSED);
	}
	for (unsigned int w = 0; w < VMBUS_RELID_WORDS; w++)
		used += (unsigned int)__builtin_popcountll(s->relids[w]);
	assert(offers == s->offer_count && offers <= VMBUS_OFFERS_MAX);
	assert(used == relids + 1 && !s->by_relid[0]);
	assert(deferred == s->deferred);
	assert(s->deferred + s->torn_down_count <= VMBUS_TEARDOWNS_MAX);
	assert(s->reply_count <= VMBUS_REPLIES_MAX);
	assert((s->state == VMBUS_DISCONNECTED) <= !s->offers_requested);
	assert(s->state != VMBUS_CONNECTED || s->told_connected);
}
