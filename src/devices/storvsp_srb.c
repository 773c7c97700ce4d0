// SPDX-License-Identifier: MIT
/*
 * SCSI requests of a guest, to a unit and back. Everything is taken from a private copy of the
 * packet; data goes straight between the disk and the guest's pages. State belongs to the
 * controller's loop.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "devices/storvsp_internal.h"

/* --- Back. ----------------------------------------------------------------------------------- */

static uint32_t vstor_status(uint8_t srb_status)
{
	switch (srb_status & SRB_STATUS_MASK) {
	case SRB_STATUS_SUCCESS:
		return VSTOR_STATUS_SUCCESS;
	case SRB_STATUS_ABORTED:
		return VSTOR_STATUS_CANCELLED;
	case SRB_STATUS_BUSY:
		return VSTOR_STATUS_DEVICE_BUSY;
	case SRB_STATUS_INVALID_LUN:
		return VSTOR_STATUS_DEVICE_DOES_NOT_EXIST;
	default:
		return VSTOR_STATUS_IO_DEVICE_ERROR;
	}
}

/* What a port driver would make of the unit's answer. */
static uint8_t srb_status(const struct scsi_request *scsi)
{
	switch (scsi->status) {
	case SCSI_GOOD:
		return SRB_STATUS_SUCCESS;
	case SCSI_BUSY:
		return SRB_STATUS_BUSY;
	case SCSI_TASK_ABORTED:
		return SRB_STATUS_ABORTED;
	case SCSI_CHECK_CONDITION:
		if (scsi->sense_len && (scsi->sense[2] & 0xf) == SCSI_ILLEGAL_REQUEST)
			return SRB_STATUS_INVALID_REQUEST;
		return SRB_STATUS_ERROR;
	default:
		return SRB_STATUS_ERROR;
	}
}

/* The request is over. It, its channel and even the controller may be gone afterwards. */
static void release(struct storvsp_request *req)
{
	struct storvsp *storvsp = req->channel->storvsp;
	struct storvsp_lun *lun = req->lun;

	storvsp->in_flight--;
	if (lun)
		lun->in_flight--;
	storvsp_settle(storvsp, lun);
	storvsp_request_free(req);
}

/* Answers it, and releases it. */
static void complete(struct storvsp_request *req, uint8_t status, uint8_t scsi_status,
		     uint32_t transferred)
{
	struct vstor_packet body = {
		.operation = VSTOR_OPERATION_COMPLETE_IO,
		.status = vstor_status(status),
		.vm_srb = req->srb,
	};

	body.vm_srb.srb_status = status;
	body.vm_srb.scsi_status = scsi_status;
	body.vm_srb.data_transfer_length = transferred;
	body.vm_srb.sense_info_length = VMSCSI_SENSE_SIZE;
	memset(body.vm_srb.sense_data, 0, VMSCSI_SENSE_SIZE);
	if (status & SRB_STATUS_AUTOSENSE_VALID)
		memcpy(body.vm_srb.sense_data, req->scsi.sense, SCSI_SENSE_SIZE);
	if (status != SRB_STATUS_SUCCESS)
		counter_add(&req->channel->storvsp->counters.failed, 1);
	channel_complete(req->channel->channel, req->trans_id, &body, req->reply_len);
	release(req);
}

static void scsi_done(struct scsi_request *scsi)
{
	struct storvsp_request *req = container_of(scsi, struct storvsp_request, scsi);
	uint8_t status = srb_status(scsi);

	if (scsi->sense_len) {
		if (req->srb.srb_flags & SRB_FLAGS_DISABLE_AUTOSENSE && scsi->device)
			scsi_keep_sense(scsi->device, scsi);
		else
			status |= SRB_STATUS_AUTOSENSE_VALID;
	}
	complete(req, status, scsi->status, scsi->transferred);
}

/* --- There. ---------------------------------------------------------------------------------- */

static struct storvsp_request *take(struct storvsp_channel *sc, const struct ring_packet *packet,
				    const struct vstor_packet *body, uint32_t len)
{
	struct storvsp_request *req;
	unsigned int i;

	/* The channel has asked on_ready(). */
	assert(sc->free_count);
	i = sc->free[--sc->free_count];
	req = &sc->requests[i];
	req->busy = true;
	req->channel = sc;
	req->lun = NULL;
	req->trans_id = packet->trans_id;
	req->reply_len = storvsp_reply_len(len);
	req->srb = body->vm_srb;
	req->iov = sc->iov + i * STORVSP_IOV_MAX;
	sc->storvsp->in_flight++;
	return req;
}

/* The data that a request moves. -EINVAL: the packet is malformed; else it is refused. */
static int buffers(struct storvsp_request *req, const struct ring_packet *packet)
{
	struct scsi_request *scsi = &req->scsi;
	uint32_t len = req->srb.data_transfer_length;
	uint64_t have = 0;
	size_t count = 0;
	int r;

	if (packet->type == VM_PKT_DATA_USING_GPA_DIRECT) {
		r = channel_gpa_iov(req->channel->channel, packet, req->iov, STORVSP_IOV_MAX,
				    &count, &have);
		if (r)
			return r;
	}
	if (len > have || have > UINT32_MAX)
		return -EMSGSIZE;
	scsi->iov = req->iov;
	scsi->iov_count = (unsigned int)count;
	scsi->len = (uint32_t)have;
	scsi_trim(scsi, len);
	if (!len)
		scsi->direction = SCSI_NO_DATA;
	else if (req->srb.data_in == VMSCSI_DATA_OUT)
		scsi->direction = SCSI_TO_DEVICE;
	else
		scsi->direction = SCSI_FROM_DEVICE;
	return 0;
}

static bool address(const struct storvsp *storvsp, const struct vmscsi_request *srb)
{
	/* Who has a disk for himself does not always say which channel it is on. */
	return srb->target_id == storvsp->target &&
	       (srb->path_id == 0 || storvsp->kind == STORVSP_IDE);
}

static uint64_t units(const struct storvsp *storvsp)
{
	uint64_t mask = 0;

	for (unsigned int i = 0; i < STORVSP_LUNS; i++)
		if (storvsp_unit(storvsp, i))
			mask |= 1ull << i;
	return mask;
}

static void submit(struct storvsp *storvsp, struct storvsp_request *req)
{
	const struct vmscsi_request *srb = &req->srb;
	struct scsi_request *scsi = &req->scsi;
	bool here = address(storvsp, srb);

	if (scsi->cdb[0] == SCSI_REPORT_LUNS) {
		scsi_report_luns(scsi, here ? units(storvsp) : 0);
		return;
	}
	if (here && srb->lun < STORVSP_LUNS && storvsp_unit(storvsp, srb->lun)) {
		req->lun = &storvsp->luns[srb->lun];
		req->lun->in_flight++;
		scsi_submit(req->lun->device, scsi);
		return;
	}
	counter_add(&storvsp->counters.no_unit, 1);
	if (!scsi_submit_absent(scsi))
		complete(req, SRB_STATUS_INVALID_LUN, SCSI_CHECK_CONDITION, 0);
}

int storvsp_execute(struct storvsp_channel *sc, const struct ring_packet *packet,
		    const struct vstor_packet *body, uint32_t len)
{
	struct storvsp *storvsp = sc->storvsp;
	const struct vmscsi_request *srb = &body->vm_srb;
	struct storvsp_request *req;
	uint8_t cdb_len;
	int r;

	if (len < VSTOR_PACKET_SIZE_V1)
		return -EINVAL;
	if (storvsp->state != STORVSP_READY) {
		counter_add(&storvsp->counters.unknown, 1);
		storvsp_answer(sc, packet->trans_id, VSTOR_STATUS_INVALID_DEVICE_STATE,
			       storvsp_reply_len(len));
		return 0;
	}
	counter_add(&storvsp->counters.srbs, 1);
	req = take(sc, packet, body, len);
	r = buffers(req, packet);
	/* Bytes that are not of the command do not reach the unit. */
	cdb_len = srb->cdb_length;
	if (!r && cdb_len > VMSCSI_CDB_SIZE)
		r = -EMSGSIZE;
	if (r == -EINVAL) {
		release(req);
		return r;
	}
	if (r) {
		counter_add(&storvsp->counters.refused, 1);
		complete(req, SRB_STATUS_INVALID_REQUEST, SCSI_CHECK_CONDITION, 0);
		return 0;
	}
	memset(req->scsi.cdb, 0, sizeof(req->scsi.cdb));
	memcpy(req->scsi.cdb, srb->cdb, cdb_len);
	req->scsi.nexus = storvsp_nexus(storvsp);
	req->scsi.done = scsi_done;
	submit(storvsp, req);
	return 0;
}
