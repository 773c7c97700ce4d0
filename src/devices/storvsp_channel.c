// SPDX-License-Identifier: MIT
/*
 * Channels of a storage controller: requests of a fixed number, packets on their way in, and what
 * the host says of its own accord. State belongs to the controller's loop.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/storvsp_internal.h"

/* --- Requests. ------------------------------------------------------------------------------- */

void storvsp_request_free(struct storvsp_request *req)
{
	struct storvsp_channel *sc = req->channel;

	req->busy = false;
	sc->free[sc->free_count++] = (uint16_t)(req - sc->requests);
	if (sc->closing && sc->free_count == STORVSP_REQUESTS) {
		struct channel *channel = sc->channel;

		free(sc->requests);
		free(sc->iov);
		free(sc);
		channel_closed(channel);
		return;
	}
	if (sc->starved && !sc->closing && !sc->storvsp->pausing) {
		sc->starved = false;
		channel_resume(sc->channel);
	}
}

void storvsp_abort(struct storvsp *storvsp, const struct storvsp_lun *lun)
{
	for (struct storvsp_channel *sc = storvsp->channels; sc; sc = sc->next) {
		if (sc->free_count == STORVSP_REQUESTS)
			continue;
		for (unsigned int i = 0; i < STORVSP_REQUESTS; i++) {
			struct storvsp_request *req = &sc->requests[i];

			if (req->busy && (!lun || req->lun == lun))
				scsi_abort(&req->scsi);
		}
	}
}

/* --- Opening and closing. -------------------------------------------------------------------- */

static int on_open(void *ctx, struct channel *channel)
{
	struct storvsp_channel *sc = calloc(1, sizeof(*sc));

	if (!sc)
		return -ENOMEM;
	/* Memory that is not used does not exist: see struct storvsp_channel. */
	sc->requests = calloc(STORVSP_REQUESTS, sizeof(*sc->requests));
	sc->iov = calloc(STORVSP_REQUESTS * STORVSP_IOV_MAX, sizeof(*sc->iov));
	if (!sc->requests || !sc->iov) {
		free(sc->requests);
		free(sc->iov);
		free(sc);
		return -ENOMEM;
	}
	sc->storvsp = ctx;
	sc->channel = channel;
	for (unsigned int i = 0; i < STORVSP_REQUESTS; i++)
		sc->free[i] = (uint16_t)(STORVSP_REQUESTS - 1 - i);
	sc->free_count = STORVSP_REQUESTS;
	sc->next = sc->storvsp->channels;
	sc->storvsp->channels = sc;
	if (channel_index(channel) == 0) {
		sc->storvsp->primary = sc;
		sc->storvsp->state = STORVSP_OPENED;
		sc->storvsp->packet_size = VSTOR_PACKET_SIZE_V1;
	}
	channel_set_private(channel, sc);
	return 0;
}

static void guest_gone(struct storvsp *storvsp)
{
	storvsp->primary = NULL;
	storvsp->state = STORVSP_CLOSED;
	atomic_store_explicit(&storvsp->version, 0, memory_order_relaxed);
	for (unsigned int i = 0; i < STORVSP_LUNS; i++)
		if (storvsp->luns[i].device)
			scsi_forget(storvsp->luns[i].device, storvsp_nexus(storvsp));
}

static void on_close(void *ctx, struct channel *channel)
{
	struct storvsp_channel *sc = channel_private(channel), **at;
	struct storvsp *storvsp = ctx;

	for (at = &storvsp->channels; *at != sc; at = &(*at)->next)
		;
	*at = sc->next;
	if (sc == storvsp->primary)
		guest_gone(storvsp);
	sc->closing = true;
	if (sc->free_count < STORVSP_REQUESTS) {
		for (unsigned int i = 0; i < STORVSP_REQUESTS; i++)
			if (sc->requests[i].busy)
				scsi_abort(&sc->requests[i].scsi);
		return;
	}
	free(sc->requests);
	free(sc->iov);
	free(sc);
	channel_closed(channel);
}

/* --- In. ------------------------------------------------------------------------------------- */

static bool on_ready(void *ctx, struct channel *channel)
{
	struct storvsp_channel *sc = channel_private(channel);
	struct storvsp *storvsp = ctx;

	/* Sub-channels are for SCSI requests, of which there are none before the initialization. */
	sc->starved = !sc->free_count || storvsp->pausing ||
		      (sc != storvsp->primary && storvsp->state != STORVSP_READY);
	if (!sc->free_count)
		counter_add(&storvsp->counters.busy, 1);
	return !sc->starved;
}

static int on_packet(void *ctx, struct channel *channel, const struct ring_packet *packet)
{
	struct storvsp_channel *sc = channel_private(channel);
	uint32_t len = min_of(packet->payload_len, (uint32_t)sizeof(struct vstor_packet));
	struct vstor_packet body = {0};

	(void)ctx;
	if (packet->type != VM_PKT_DATA_INBAND && packet->type != VM_PKT_DATA_USING_GPA_DIRECT)
		return -EINVAL;
	/* Everything that a guest says here is a question. */
	if (!packet->wants_completion || len < VSTOR_PACKET_HEADER)
		return -EINVAL;
	memcpy(&body, packet->payload, len);
	if (body.operation == VSTOR_OPERATION_EXECUTE_SRB)
		return storvsp_execute(sc, packet, &body, len);
	storvsp_control(sc, packet->trans_id, &body, len);
	return 0;
}

void storvsp_channels_resume(struct storvsp *storvsp)
{
	for (struct storvsp_channel *sc = storvsp->channels; sc; sc = sc->next) {
		if (!sc->starved)
			continue;
		sc->starved = false;
		channel_resume(sc->channel);
	}
}

/* --- Out. ------------------------------------------------------------------------------------ */

void storvsp_notify(struct storvsp *storvsp)
{
	/*
	 * ENUMERATE_BUS also when a unit has gone: guests look for what is there and for what is
	 * not any more, while some take REMOVE_DEVICE for the controller's end, and others ignore
	 * it.
	 */
	struct vstor_packet body = {.operation = VSTOR_OPERATION_ENUMERATE_BUS};
	struct ring_message message = {
		.type = VM_PKT_DATA_INBAND,
		.payload = &body,
		.payload_len = storvsp->packet_size,
	};
	int r;

	/* Who has not looked yet will see what there is. */
	if (storvsp->state != STORVSP_READY ||
	    storvsp_protocol_version(storvsp) < VMSTOR_PROTO_VERSION_WIN7)
		storvsp->notify = false;
	if (!storvsp->notify)
		return;
	r = channel_send(storvsp->primary->channel, &message);
	if (r == -EAGAIN)
		return;
	storvsp->notify = false;
	if (!r)
		counter_add(&storvsp->counters.notified, 1);
}

static void on_room(void *ctx, struct channel *channel)
{
	(void)channel;
	storvsp_notify(ctx);
}

const struct channel_ops storvsp_channel_ops = {
	.name = "storvsp",
	.packet_max = STORVSP_PACKET_MAX,
	.completion_max = sizeof(struct vstor_packet),
	.gather = true,
	.open = on_open,
	.ready = on_ready,
	.packet = on_packet,
	.close = on_close,
	.room = on_room,
};
