// SPDX-License-Identifier: MIT
/* See storvsp_fake.h. */
#include "storvsp_fake.h"

#include <assert.h>
#include <string.h>

void storvsp_fake_init(struct storvsp_fake *f, enum storvsp_kind kind, unsigned int index)
{
	struct scsi_config scsi = {.block = &f->disk.block, .serial = "S123"};
	struct storvsp_config config = {
		.bus = &f->bus, .kind = kind, .vm = "vm", .index = index, .sub_channels_max = 3};
	int r;

	memset(f, 0, sizeof(*f));
	channel_fake_init(&f->bus);
	r = loop_create(8, NULL, &f->loop);
	assert(r == 0);
	config.loop = f->loop;
	disk_fake_init(&f->disk, MiB(1), 512);
	r = scsi_disk_create(&scsi, NULL, &f->unit);
	assert(r == 0);
	r = storvsp_create(&config, NULL, &f->storvsp);
	assert(r == 0);
	r = storvsp_attach(f->storvsp, 0, f->unit, NULL);
	assert(r == 0);
	(void)r;
}

static void on_removed(void *ctx)
{
	*(bool *)ctx = true;
}

void storvsp_fake_finish(struct storvsp_fake *f)
{
	storvsp_destroy(f->storvsp, on_removed, &f->removed);
	disk_fake_complete_all(&f->disk);
	assert(f->removed);
	scsi_destroy(f->unit);
	disk_fake_finish(&f->disk);
	loop_destroy(f->loop);
	channel_fake_finish(&f->bus);
}

struct stopper {
	struct loop_deferred deferred;
	struct loop *loop;
};

static void stop(struct loop_deferred *deferred)
{
	loop_stop(container_of(deferred, struct stopper, deferred)->loop);
}

void storvsp_fake_pass(struct storvsp_fake *f)
{
	struct stopper stopper = {.deferred = {.run = stop}, .loop = f->loop};
	int r;

	loop_defer(f->loop, &stopper.deferred);
	r = loop_run(f->loop);
	assert(r == 0);
	(void)r;
}

const struct vstor_packet *storvsp_fake_answer(struct storvsp_fake *f, struct channel *channel)
{
	const struct fake_record *record =
		channel_fake_completion(channel ? channel : f->primary, f->trans_id);

	if (!record)
		return NULL;
	assert(record->len >= VSTOR_PACKET_SIZE_V1);
	return (const struct vstor_packet *)record->payload;
}

const struct vstor_packet *storvsp_fake_control(struct storvsp_fake *f, struct vstor_packet packet,
						uint32_t len)
{
	int r = channel_fake_inband(f->primary, ++f->trans_id, &packet, len);

	assert(r == 0);
	(void)r;
	return storvsp_fake_answer(f, NULL);
}

const struct vstor_packet *storvsp_fake_ask(struct storvsp_fake *f, uint32_t operation)
{
	struct vstor_packet packet = {.operation = operation};
	const struct vstor_packet *answer = storvsp_fake_control(f, packet, sizeof(packet));

	assert(answer->operation == VSTOR_OPERATION_COMPLETE_IO);
	assert(answer->status == VSTOR_STATUS_SUCCESS);
	return answer;
}

void storvsp_fake_start(struct storvsp_fake *f, uint16_t version)
{
	struct vstor_packet packet = {.operation = VSTOR_OPERATION_QUERY_PROTOCOL_VERSION,
				      .version = {.major_minor = version}};

	f->primary = channel_fake_open(&f->bus, 0);
	assert(f->primary);
	storvsp_fake_ask(f, VSTOR_OPERATION_BEGIN_INITIALIZATION);
	storvsp_fake_control(f, packet, sizeof(packet));
	storvsp_fake_ask(f, VSTOR_OPERATION_QUERY_PROPERTIES);
	storvsp_fake_ask(f, VSTOR_OPERATION_END_INITIALIZATION);
}

int storvsp_fake_send(struct storvsp_fake *f, struct channel *channel, const struct fake_srb *srb)
{
	struct vstor_packet packet = {
		.operation = VSTOR_OPERATION_EXECUTE_SRB,
		.flags = VSTOR_REQUEST_COMPLETION_FLAG,
		.vm_srb = {.length = sizeof(struct vmscsi_request),
			   .path_id = srb->path,
			   .target_id = srb->target,
			   .lun = srb->lun,
			   .cdb_length = srb->cdb_len ? srb->cdb_len : VMSCSI_CDB_SIZE,
			   .sense_info_length = VMSCSI_SENSE_SIZE,
			   .data_in = srb->len ? srb->data_in : VMSCSI_DATA_NONE,
			   .data_transfer_length = srb->len,
			   .srb_flags = srb->flags},
	};

	memcpy(packet.vm_srb.cdb, srb->cdb, VMSCSI_CDB_SIZE);
	if (!channel)
		channel = f->primary;
	f->trans_id++;
	if (!srb->len)
		return channel_fake_inband(channel, f->trans_id, &packet, sizeof(packet));
	return channel_fake_gpa(channel, f->trans_id, srb->pfn, 0, srb->len, &packet,
				sizeof(packet));
}

const struct vstor_packet *storvsp_fake_srb(struct storvsp_fake *f, const struct fake_srb *srb)
{
	int r = storvsp_fake_send(f, NULL, srb);

	assert(r == 0);
	(void)r;
	return storvsp_fake_answer(f, NULL);
}
