// SPDX-License-Identifier: MIT
/*
 * The control plane: versions, and the beginning and end of connections. A connection ends in one
 * way whatever ends it (a new INITIATE_CONTACT, as after kexec; UNLOAD; a reset of the machine):
 * offers are forgotten, devices asked to close, and when the last one has, what comes next is
 * done. Owner: the control plane's loop.
 */
#include <string.h>

#include "vmbus/server_internal.h"

static const uint32_t versions[] = {
	VERSION_WS2008,     VERSION_WIN7,       VERSION_WIN8,       VERSION_WIN8_1,
	VERSION_WIN10,      VERSION_WIN10_V4_1, VERSION_WIN10_V5,   VERSION_WIN10_V5_1,
	VERSION_WIN10_V5_2, VERSION_WIN10_V5_3, VERSION_WIN_COPPER,
};

static bool is_served(const struct vmbus_server *s, uint32_t version)
{
	if (s->config.max_version && version > s->config.max_version)
		return false;
	for (unsigned int i = 0; i < ARRAY_SIZE(versions); i++)
		if (versions[i] == version)
			return true;
	return false;
}

/*
 * The fields of INITIATE_CONTACT that the version has. Only the connection that 5.0 brought tells
 * of a SINT and a trust level, of which there is one here.
 */
static void parse_contact(struct vmbus_server *s, uint32_t connection_id,
			  const union vmbus_message *m, struct vmbus_contact *ret)
{
	const struct vmbus_channel_initiate_contact *in = &m->contact;
	const bool names_target = connection_id == VMBUS_MESSAGE_CONNECTION_ID_4;
	struct vmbus_connection *c = &ret->connection;

	*ret = (struct vmbus_contact){
		.connection = {
			.version = in->vmbus_version_requested,
			.sint = VMBUS_MESSAGE_SINT,
			.monitor_page = {in->monitor_page1, in->monitor_page2},
		}};
	if (c->version >= VERSION_WIN8_1)
		c->target_vp = in->target_vcpu;
	if (c->version < VERSION_WIN8)
		c->interrupt_page = in->interrupt_page;
	if (c->version >= VERSION_WIN10_V5 && names_target)
		c->sint = in->msg_sint;
	if (c->version >= VERSION_WIN10_V5_1 && names_target && in->msg_vtl != 0)
		ret->refuse = true;
	if (c->version >= VERSION_WIN_COPPER)
		c->features = in->feature_flags & s->config.features;
	/* The answer has to go somewhere. */
	if (c->target_vp >= s->config.vp_count || c->sint >= VMBUS_SINTS) {
		c->target_vp = 0;
		c->sint = VMBUS_MESSAGE_SINT;
		ret->refuse = true;
	}
}

static void answer_contact(struct vmbus_server *s)
{
	struct vmbus_channel_version_response2 m = {
		.response = {.header = {.msgtype = CHANNELMSG_VERSION_RESPONSE}}};
	const struct vmbus_connection c = s->contact.connection;

	if (s->contact.refuse || !is_served(s, c.version)) {
		counter_add(&s->counters.refused_versions, 1);
		vmbus_reply_to(s, c.target_vp, c.sint, &m, sizeof(m.response));
		return;
	}
	s->connection = c;
	s->state = VMBUS_CONNECTED;
	s->told_connected = true;
	s->ops.connected(s->ctx, &s->connection);

	m.response.version_supported = 1;
	m.response.connection_state = VMBUS_CONNECTION_SUCCESSFUL;
	if (c.version >= VERSION_WIN10_V5)
		m.response.msg_conn_id = VMBUS_MESSAGE_CONNECTION_ID_4;
	else
		m.response.selected_version = c.version;
	m.feature_flags = c.features;
	vmbus_reply(s, &m, c.version >= VERSION_WIN_COPPER ? sizeof(m) : sizeof(m.response));
}

static void finish_unload(struct vmbus_server *s)
{
	const struct vmbus_channel_message_header m = {.msgtype = CHANNELMSG_UNLOAD_RESPONSE};

	if (s->ops.unloaded)
		s->ops.unloaded(s->ctx);
	vmbus_reply(s, &m, sizeof(m));
}

/* Reserved channels stay, except when the machine is reset. */
static bool is_closing(const struct vmbus_server *s)
{
	for (const struct vmbus_offer *o = s->first; o; o = o->next)
		if (o->device != VMBUS_DEVICE_CLOSED && !o->survivor)
			return true;
	return false;
}

void vmbus_settle(struct vmbus_server *s)
{
	if (s->state != VMBUS_DISCONNECTING || is_closing(s))
		return;
	s->state = VMBUS_DISCONNECTED;
	if (s->told_connected) {
		s->told_connected = false;
		s->ops.disconnected(s->ctx);
	}
	switch (s->next) {
	case VMBUS_NEXT_CONTACT:
		answer_contact(s);
		break;
	case VMBUS_NEXT_UNLOAD:
		finish_unload(s);
		break;
	case VMBUS_NEXT_RESET:
		if (s->ops.reset_done)
			s->ops.reset_done(s->ctx);
		break;
	}
}

static void disconnect(struct vmbus_server *s, enum vmbus_server_next next)
{
	s->state = VMBUS_DISCONNECTING;
	s->next = next;
	s->offers_requested = false;
	vmbus_drop_outgoing(s);
	vmbus_forget_offers(s, next == VMBUS_NEXT_RESET);
	vmbus_settle(s);
}

static bool is_resetting(const struct vmbus_server *s)
{
	return s->state == VMBUS_DISCONNECTING && s->next == VMBUS_NEXT_RESET;
}

bool vmbus_on_contact(struct vmbus_server *s, uint32_t connection_id, const union vmbus_message *m,
		      size_t len)
{
	struct vmbus_contact contact;

	counter_add(&s->counters.contacts, 1);
	if (is_resetting(s))
		return false;
	parse_contact(s, connection_id, m, &contact);
	if (contact.connection.features & VMBUS_FEATURE_CLIENT_ID) {
		contact.refuse |= len < sizeof(m->contact2);
		contact.connection.client_id = m->contact2.client_id;
	}
	s->contact = contact;
	disconnect(s, VMBUS_NEXT_CONTACT);
	return true;
}

bool vmbus_on_unload(struct vmbus_server *s, const union vmbus_message *m, size_t len)
{
	counter_add(&s->counters.unloads, 1);
	disconnect(s, VMBUS_NEXT_UNLOAD);
	return true;
}

void vmbus_server_reset(struct vmbus_server *s)
{
	disconnect(s, VMBUS_NEXT_RESET);
	vmbus_server_flush(s);
}
