// SPDX-License-Identifier: MIT
/*
 * What a guest and its network interface agree on in NVSP before the first RNDIS message: version,
 * configuration, buffers, sub-channels. What comes out of order, or is of a later version than was
 * agreed on, is a violation, as it is to others; what merely cannot be had is answered so. State
 * belongs to the first queue's loop.
 */
#include <errno.h>
#include <string.h>

#include "devices/netvsp_internal.h"

#define FRAME_DEFAULT 1514u /* for guests that do not say */
#define FRAME_MIN     (68u + ETHERNET_HEADER)

void netvsp_complete(struct netvsp_queue *queue, const struct ring_packet *packet,
		     const struct nvsp_message *message)
{
	if (packet->wants_completion)
		channel_complete(queue->channel, packet->trans_id, message,
				 message ? netvsp_size(queue->netvsp) : 0);
}

void netvsp_forget(struct netvsp *netvsp)
{
	pthread_mutex_lock(&netvsp->lock);
	netvsp->accepting = false;
	netvsp->sub_channels = 0;
	pthread_mutex_unlock(&netvsp->lock);
	netvsp->initialized = netvsp->has_ndis_config = netvsp->has_ndis_version = false;
	netvsp->ndis_major = netvsp->ndis_minor = 0;
	netvsp->capabilities = 0;
	netvsp->frame_max = min_of(FRAME_DEFAULT, netvsp->mtu + ETHERNET_HEADER);
	netvsp->table_sent = false;
	netvsp->operational = false;
	netvsp->reply_first = netvsp->reply_count = 0;
	netvsp->tell_link = netvsp->tell_offloads = netvsp->link_flapped = false;
	netvsp->multicast_count = 0;
	netvsp->recv.state = netvsp->send.state = NETVSP_BUFFER_NONE;
	for (unsigned int i = 0; i < NETVSP_MULTICAST_MAX; i++)
		atomic_store(&netvsp->multicast[i], 0);
	atomic_store(&netvsp->version, 0);
	atomic_store(&netvsp->running, false);
	atomic_store(&netvsp->strip_vlan, false);
	atomic_store(&netvsp->filter, 0);
	netvsp_offloads_apply(netvsp, 0);
	atomic_store(&netvsp->mac, netvsp_address(netvsp->permanent_mac));
	atomic_store(&netvsp->link,
		     atomic_load(&netvsp->link_wanted) && net_backend_link(netvsp->backend));
}

/* --- Messages. ------------------------------------------------------------------------------- */

static bool known_version(uint32_t version)
{
	switch (version) {
	case NVSP_PROTOCOL_VERSION_1:
	case NVSP_PROTOCOL_VERSION_2:
	case NVSP_PROTOCOL_VERSION_4:
	case NVSP_PROTOCOL_VERSION_5:
	case NVSP_PROTOCOL_VERSION_6:
	case NVSP_PROTOCOL_VERSION_61:
		return true;
	default:
		return false;
	}
}

static int init(struct netvsp *netvsp, const struct ring_packet *packet,
		const struct nvsp_message *in)
{
	/* What was the range's lower end is the version since Windows 7. */
	const uint32_t version = in->init.min_protocol_ver;
	struct nvsp_message out = {
		.msg_type = NVSP_MSG_TYPE_INIT_COMPLETE,
		.init_complete = {.negotiated_protocol_ver = NVSP_INVALID_PROTOCOL_VERSION,
				  .max_mdl_chain_len = NETVSP_MDL_CHAIN,
				  .status = NVSP_STAT_NONE},
	};

	if (netvsp->initialized)
		return -EINVAL;
	if (known_version(version)) {
		out.init_complete.status = NVSP_STAT_SUCCESS;
		if (version == NVSP_PROTOCOL_VERSION_1)
			out.init_complete.negotiated_protocol_ver = version;
		netvsp->initialized = true;
	} else {
		counter_add_shared(&netvsp->counters.refused, 1);
	}
	/* In the length of all versions. */
	netvsp_complete(netvsp_primary(netvsp), packet, &out);
	if (netvsp->initialized)
		atomic_store(&netvsp->version, version);
	return 0;
}

static int ndis_version(struct netvsp *netvsp, const struct ring_packet *packet,
			const struct nvsp_message *in)
{
	if (netvsp->has_ndis_version)
		return -EINVAL;
	netvsp->has_ndis_version = true;
	netvsp->ndis_major = in->send_ndis_ver.ndis_major_ver;
	netvsp->ndis_minor = in->send_ndis_ver.ndis_minor_ver;
	netvsp_complete(netvsp_primary(netvsp), packet, NULL);
	return 0;
}

static int ndis_config(struct netvsp *netvsp, const struct ring_packet *packet,
		       const struct nvsp_message *in)
{
	const uint32_t most = netvsp->mtu + ETHERNET_HEADER, frame = in->send_ndis_config.mtu;

	if (netvsp->has_ndis_config || netvsp->recv.state != NETVSP_BUFFER_NONE)
		return -EINVAL;
	netvsp->has_ndis_config = true;
	netvsp->frame_max = frame < FRAME_MIN ? min_of(FRAME_DEFAULT, most) : min_of(frame, most);
	netvsp->capabilities = in->send_ndis_config.capabilities;
	atomic_store(&netvsp->strip_vlan, (netvsp->capabilities & NVSP_CAPABILITY_IEEE8021Q) != 0);
	netvsp_complete(netvsp_primary(netvsp), packet, NULL);
	return 0;
}

static int recv_buf(struct netvsp *netvsp, const struct ring_packet *packet,
		    const struct nvsp_message *in)
{
	/* The sections' size follows from the configuration. */
	if (!netvsp->has_ndis_config && netvsp_version(netvsp) >= NVSP_PROTOCOL_VERSION_2)
		return -EINVAL;
	return netvsp_take_buffer(&netvsp->recv, packet, &in->send_buf);
}

static int send_buf(struct netvsp *netvsp, const struct ring_packet *packet,
		    const struct nvsp_message *in)
{
	return netvsp_take_buffer(&netvsp->send, packet, &in->send_buf);
}

static int revoke_recv_buf(struct netvsp *netvsp, const struct ring_packet *packet,
			   const struct nvsp_message *in)
{
	return netvsp_revoke_buffer(&netvsp->recv, packet, in->revoke_buf.id);
}

static int revoke_send_buf(struct netvsp *netvsp, const struct ring_packet *packet,
			   const struct nvsp_message *in)
{
	return netvsp_revoke_buffer(&netvsp->send, packet, in->revoke_buf.id);
}

/* There is no other path than this one. */
static int switch_data_path(struct netvsp *netvsp, const struct ring_packet *packet,
			    const struct nvsp_message *in)
{
	(void)in;
	netvsp_complete(netvsp_primary(netvsp), packet, NULL);
	return 0;
}

static int oid_query_ex(struct netvsp *netvsp, const struct ring_packet *packet,
			const struct nvsp_message *in)
{
	const struct nvsp_message out = {
		.msg_type = NVSP_MSG5_TYPE_OID_QUERY_EX_COMP,
		.oid_query_ex_complete = {.status = RNDIS_STATUS_NOT_SUPPORTED},
	};

	(void)in;
	counter_add_shared(&netvsp->counters.refused, 1);
	netvsp_complete(netvsp_primary(netvsp), packet, &out);
	return 0;
}

static int packet_direct(struct netvsp *netvsp, const struct ring_packet *packet,
			 const struct nvsp_message *in)
{
	const struct nvsp_message out = {
		.msg_type = NVSP_MSG6_TYPE_PD_API,
		.pd_api = {.op = in->pd_api.op, .status = RNDIS_STATUS_NOT_SUPPORTED},
	};

	counter_add_shared(&netvsp->counters.refused, 1);
	netvsp_complete(netvsp_primary(netvsp), packet, &out);
	return 0;
}

/* --- Sub-channels. --------------------------------------------------------------------------- */

static bool grant(struct netvsp *netvsp, const struct nvsp_5_subchannel_request *request)
{
	const uint32_t count = request->num_subchannels;

	if (request->op != NVSP_SUBCHANNEL_ALLOCATE || count >= netvsp->queue_count ||
	    !netvsp->operational || netvsp->sub_channels ||
	    netvsp->recv.state != NETVSP_BUFFER_HELD || netvsp->send.state != NETVSP_BUFFER_HELD)
		return false;
	if (!count)
		return true;
	if (netvsp_share_sections(netvsp, count + 1) < 0)
		return false;
	pthread_mutex_lock(&netvsp->lock);
	netvsp->sub_channels = count;
	netvsp->accepting = true;
	pthread_mutex_unlock(&netvsp->lock);
	return true;
}

static int sub_channels(struct netvsp *netvsp, const struct ring_packet *packet,
			const struct nvsp_message *in)
{
	const uint32_t count = in->subchn_req.num_subchannels;
	const bool ok = grant(netvsp, &in->subchn_req);
	const struct nvsp_message out = {
		.msg_type = NVSP_MSG5_TYPE_SUBCHANNEL,
		.subchn_comp = {.status = ok ? NVSP_STAT_SUCCESS : NVSP_STAT_FAIL,
				.num_subchannels = ok ? count : 0},
	};

	if (!ok)
		counter_add_shared(&netvsp->counters.refused, 1);
	netvsp_complete(netvsp_primary(netvsp), packet, &out);
	if (ok && count)
		vmbus_device_offer_sub_channels(netvsp->device, count);
	return 0;
}

static bool all_open(struct netvsp *netvsp)
{
	bool all;

	pthread_mutex_lock(&netvsp->lock);
	all = netvsp->accepting && netvsp->open_count == netvsp->sub_channels + 1;
	pthread_mutex_unlock(&netvsp->lock);
	return all;
}

void netvsp_send_table(struct netvsp *netvsp)
{
	struct {
		struct nvsp_message message;
		uint32_t table[NVSP_SEND_TABLE_SIZE];
	} out = {
		.message = {.msg_type = NVSP_MSG5_TYPE_SEND_INDIRECTION_TABLE,
			    .send_table = {.count = NVSP_SEND_TABLE_SIZE,
					   .offset = sizeof(out.message)}},
	};
	const struct ring_message message = {
		.type = VM_PKT_DATA_INBAND, .payload = &out, .payload_len = sizeof(out)};

	if (netvsp->table_sent || netvsp->closing || !all_open(netvsp))
		return;
	for (unsigned int i = 0; i < NVSP_SEND_TABLE_SIZE; i++)
		out.table[i] = i % (netvsp->sub_channels + 1);
	/* If there is no room, room() leads here again. */
	netvsp->table_sent = channel_send(netvsp_primary(netvsp)->channel, &message) == 0;
}

/* --- The way in. ----------------------------------------------------------------------------- */

static const struct control {
	enum nvsp_message_type type;
	uint32_t version; /* that has it; 0: comes before */
	uint32_t size;    /* of its body, at least: all are padded */
	int (*run)(struct netvsp *netvsp, const struct ring_packet *packet,
		   const struct nvsp_message *in);
} controls[] = {
	{NVSP_MSG_TYPE_INIT, 0, sizeof(struct nvsp_message_init), init},
	{NVSP_MSG1_TYPE_SEND_NDIS_VER, NVSP_PROTOCOL_VERSION_1,
	 sizeof(struct nvsp_1_message_send_ndis_version), ndis_version},
	{NVSP_MSG1_TYPE_SEND_RECV_BUF, NVSP_PROTOCOL_VERSION_1,
	 sizeof(struct nvsp_1_message_send_buffer), recv_buf},
	{NVSP_MSG1_TYPE_REVOKE_RECV_BUF, NVSP_PROTOCOL_VERSION_1,
	 sizeof(struct nvsp_1_message_revoke_buffer), revoke_recv_buf},
	{NVSP_MSG1_TYPE_SEND_SEND_BUF, NVSP_PROTOCOL_VERSION_1,
	 sizeof(struct nvsp_1_message_send_buffer), send_buf},
	{NVSP_MSG1_TYPE_REVOKE_SEND_BUF, NVSP_PROTOCOL_VERSION_1,
	 sizeof(struct nvsp_1_message_revoke_buffer), revoke_send_buf},
	{NVSP_MSG2_TYPE_SEND_NDIS_CONFIG, NVSP_PROTOCOL_VERSION_2,
	 sizeof(struct nvsp_2_send_ndis_config), ndis_config},
	{NVSP_MSG4_TYPE_SWITCH_DATA_PATH, NVSP_PROTOCOL_VERSION_4, 4, switch_data_path},
	{NVSP_MSG5_TYPE_OID_QUERY_EX, NVSP_PROTOCOL_VERSION_5, 8, oid_query_ex},
	{NVSP_MSG5_TYPE_SUBCHANNEL, NVSP_PROTOCOL_VERSION_5,
	 sizeof(struct nvsp_5_subchannel_request), sub_channels},
	{NVSP_MSG6_TYPE_PD_API, NVSP_PROTOCOL_VERSION_6, 4, packet_direct},
};

int netvsp_control(struct netvsp *netvsp, const struct ring_packet *packet,
		   const struct nvsp_message *message, uint32_t len)
{
	const struct control *control = NULL;

	for (unsigned int i = 0; i < ARRAY_SIZE(controls); i++)
		if ((uint32_t)controls[i].type == message->msg_type)
			control = &controls[i];
	if (!control || packet->type != VM_PKT_DATA_INBAND ||
	    len < sizeof(message->msg_type) + control->size ||
	    netvsp_version(netvsp) < control->version) {
		log_guest(&netvsp->log, LOG_DEBUG, "netvsp: message %u of %u bytes is not served",
			  message->msg_type, len);
		return -EINVAL;
	}
	counter_add_shared(&netvsp->counters.control, 1);
	return control->run(netvsp, packet, message);
}
