// SPDX-License-Identifier: MIT
/*
 * What a guest and its storage controller agree on before the first SCSI request: version,
 * properties, sub-channels; and resets. State belongs to the controller's loop.
 */
#include "devices/storvsp_internal.h"

/*
 * As long as the question, though not longer than any packet is: Linux asks in packets of 64 bytes
 * before a version is agreed on, and takes no shorter answer; older Windows has shorter packets,
 * and takes no longer one.
 */
uint16_t storvsp_reply_len(uint32_t len)
{
	len = max_of(len, VSTOR_PACKET_SIZE_V1);
	return (uint16_t)min_of(len, (uint32_t)sizeof(struct vstor_packet));
}

static void reply(struct storvsp_channel *sc, uint64_t trans_id, struct vstor_packet *body,
		  uint16_t reply_len)
{
	body->operation = VSTOR_OPERATION_COMPLETE_IO;
	channel_complete(sc->channel, trans_id, body, reply_len);
}

void storvsp_answer(struct storvsp_channel *sc, uint64_t trans_id, uint32_t status,
		    uint16_t reply_len)
{
	struct vstor_packet body = {.status = status};

	reply(sc, trans_id, &body, reply_len);
}

/* --- Initialization. ------------------------------------------------------------------------- */

static uint32_t begin(struct storvsp *storvsp, const struct vstor_packet *in,
		      struct vstor_packet *out)
{
	(void)in;
	(void)out;
	storvsp->state = STORVSP_BEGUN;
	return VSTOR_STATUS_SUCCESS;
}

static uint32_t query_version(struct storvsp *storvsp, const struct vstor_packet *in,
			      struct vstor_packet *out)
{
	uint16_t version = in->version.major_minor;

	out->version.major_minor = version;
	switch (version) {
	case VMSTOR_PROTO_VERSION_WIN6:
	case VMSTOR_PROTO_VERSION_WIN7:
		storvsp->packet_size = VSTOR_PACKET_SIZE_V1;
		break;
	case VMSTOR_PROTO_VERSION_WIN8:
	case VMSTOR_PROTO_VERSION_WIN8_1:
	case VMSTOR_PROTO_VERSION_WIN10:
		storvsp->packet_size = sizeof(struct vstor_packet);
		break;
	default:
		return VSTOR_STATUS_REVISION_MISMATCH;
	}
	atomic_store_explicit(&storvsp->version, version, memory_order_relaxed);
	storvsp->state = STORVSP_VERSIONED;
	return VSTOR_STATUS_SUCCESS;
}

static bool multi_channel(const struct storvsp *storvsp)
{
	return storvsp->kind == STORVSP_SCSI &&
	       storvsp_protocol_version(storvsp) >= VMSTOR_PROTO_VERSION_WIN8;
}

static uint32_t query_properties(struct storvsp *storvsp, const struct vstor_packet *in,
				 struct vstor_packet *out)
{
	struct vmstorage_channel_properties *p = &out->storage_channel_properties;

	(void)in;
	p->max_transfer_bytes = STORVSP_TRANSFER_MAX;
	if (multi_channel(storvsp)) {
		p->flags = STORAGE_CHANNEL_SUPPORTS_MULTI_CHANNEL;
		p->max_channel_cnt =
			(uint16_t)min_of(storvsp->sub_channels_max, (unsigned int)UINT16_MAX);
	}
	storvsp->state = STORVSP_DESCRIBED;
	return VSTOR_STATUS_SUCCESS;
}

static uint32_t end(struct storvsp *storvsp, const struct vstor_packet *in,
		    struct vstor_packet *out)
{
	(void)in;
	(void)out;
	storvsp->state = STORVSP_READY;
	storvsp->notify = false;
	counter_add(&storvsp->counters.negotiated, 1);
	/* Sub-channels that are open already have waited for this. */
	storvsp_channels_resume(storvsp);
	return VSTOR_STATUS_SUCCESS;
}

static uint32_t create_sub_channels(struct storvsp *storvsp, const struct vstor_packet *in,
				    struct vstor_packet *out)
{
	uint16_t count = in->sub_channel_count;

	(void)out;
	if (!multi_channel(storvsp) || count > storvsp->sub_channels_max)
		return VSTOR_STATUS_INVALID_PARAMETER;
	if (count)
		vmbus_device_offer_sub_channels(storvsp->device, count);
	return VSTOR_STATUS_SUCCESS;
}

/* --- Resets. --------------------------------------------------------------------------------- */

/*
 * Answered at once: what is with the host's disk cannot be called back, and ends as it does, which
 * guests wait for. What works in steps makes no more of them.
 */
static uint32_t reset(struct storvsp *storvsp, const struct vstor_packet *in,
		      struct vstor_packet *out)
{
	const struct storvsp_lun *lun = NULL;

	(void)out;
	counter_add(&storvsp->counters.resets, 1);
	if (in->operation == VSTOR_OPERATION_RESET_LUN) {
		if (in->vm_srb.lun >= STORVSP_LUNS)
			return VSTOR_STATUS_SUCCESS;
		lun = &storvsp->luns[in->vm_srb.lun];
	}
	storvsp_abort(storvsp, lun);
	return VSTOR_STATUS_SUCCESS;
}

/* --- The way in. ----------------------------------------------------------------------------- */

static const struct control {
	enum vstor_packet_operation operation;
	enum storvsp_state from, to; /* the states that it may come in */
	uint32_t (*run)(struct storvsp *storvsp, const struct vstor_packet *in,
			struct vstor_packet *out);
} controls[] = {
	{VSTOR_OPERATION_BEGIN_INITIALIZATION, STORVSP_OPENED, STORVSP_OPENED, begin},
	{VSTOR_OPERATION_QUERY_PROTOCOL_VERSION, STORVSP_BEGUN, STORVSP_BEGUN, query_version},
	{VSTOR_OPERATION_QUERY_PROPERTIES, STORVSP_VERSIONED, STORVSP_VERSIONED, query_properties},
	{VSTOR_OPERATION_END_INITIALIZATION, STORVSP_DESCRIBED, STORVSP_DESCRIBED, end},
	{VSTOR_OPERATION_CREATE_SUB_CHANNELS, STORVSP_DESCRIBED, STORVSP_READY,
	 create_sub_channels},
	{VSTOR_OPERATION_RESET_LUN, STORVSP_READY, STORVSP_READY, reset},
	{VSTOR_OPERATION_RESET_ADAPTER, STORVSP_READY, STORVSP_READY, reset},
	{VSTOR_OPERATION_RESET_BUS, STORVSP_READY, STORVSP_READY, reset},
};

static const struct control *find(uint32_t operation)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(controls); i++)
		if (controls[i].operation == operation)
			return &controls[i];
	return NULL;
}

void storvsp_control(struct storvsp_channel *sc, uint64_t trans_id, const struct vstor_packet *body,
		     uint32_t len)
{
	struct storvsp *storvsp = sc->storvsp;
	const struct control *control = find(body->operation);
	struct vstor_packet out = {0};

	if (!control) {
		/* Also FCHBA_DATA: there is no Fibre Channel here. */
		counter_add(&storvsp->counters.unknown, 1);
		log_guest(&storvsp->log, LOG_DEBUG, "storvsp: operation %u is not served",
			  body->operation);
		out.status = VSTOR_STATUS_INVALID_DEVICE_REQUEST;
	} else if (sc != storvsp->primary || storvsp->state < control->from ||
		   storvsp->state > control->to) {
		counter_add(&storvsp->counters.unknown, 1);
		out.status = VSTOR_STATUS_INVALID_DEVICE_STATE;
	} else {
		out.status = control->run(storvsp, body, &out);
	}
	reply(sc, trans_id, &out, storvsp_reply_len(len));
}
