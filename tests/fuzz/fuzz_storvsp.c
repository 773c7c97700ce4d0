// SPDX-License-Identifier: MIT
/*
 * The storage controller and its SCSI units, fed with packets of a guest, on channels and a disk
 * that are only there in memory: in any order, malformed, with requests that end late, early or
 * badly, with units and discs that come and go, and with memory that changes meanwhile. Whatever is
 * sent, every packet that asks is answered once, nothing is touched that is not the guest's, the
 * disk is asked for nothing that it does not have (the fakes assert that), and everything ends.
 *
 * The input is a byte on what there is, then commands of one byte with arguments; see
 * make-storvsp-corpus.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_input.h"
#include "../unit/disk_fake.h"
#include "../unit/channel_fake.h"
#include "devices/storvsp.h"
#include "devices/storvsp_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DISK_SIZE MiB(1)

enum {
	OP_INBAND,
	OP_GPA,
	OP_SRB,
	OP_COMPLETE,
	OP_FAIL,
	OP_DEFER,
	OP_ATTACH,
	OP_DETACH,
	OP_OPEN,
	OP_CLOSE,
	OP_PAUSE,
	OP_RESUME,
	OP_FULL,
	OP_ROOM,
	OP_RESIZE,
	OP_POKE,
	OP_INSERT,
	OPS
};

static struct {
	struct vmbus bus;
	struct loop *loop;
	struct storvsp *storvsp;
	struct disk_fake disk, disc;
	struct scsi_device *unit, *drive;
	unsigned int leaving;
	bool removed;
	uint64_t trans_id;
} f;

static struct channel *a_channel(struct input *in)
{
	struct channel *channel = f.bus.device->channels[u8(in) % 4];

	return channel && channel->open ? channel : NULL;
}

/* --- Packets. -------------------------------------------------------------------------------- */

static void op_inband(struct input *in)
{
	struct channel *channel = a_channel(in);
	uint8_t len = u8(in), kind = u8(in), payload[256];
	struct ring_packet packet = {
		.type = kind & 2 ? VM_PKT_COMP : VM_PKT_DATA_INBAND,
		.wants_completion = !(kind & 1),
		.trans_id = ++f.trans_id,
		.payload = payload,
		.payload_len = len / 8 * 8u,
	};

	take(in, payload, packet.payload_len);
	if (channel)
		(void)channel_fake_send(channel, &packet);
}

static void op_gpa(struct input *in)
{
	struct channel *channel = a_channel(in);
	struct vstor_packet body;
	uint64_t list[32];
	struct ring_packet packet = {
		.type = VM_PKT_DATA_USING_GPA_DIRECT,
		.wants_completion = true,
		.trans_id = ++f.trans_id,
		.list = list,
		.list_len = 8 + u8(in) % 32 * 8u,
		.payload = &body,
		.payload_len = sizeof(body),
	};

	if (packet.list_len > sizeof(list))
		packet.list_len = sizeof(list);
	take(in, list, packet.list_len);
	take(in, &body, sizeof(body));
	if (channel)
		(void)channel_fake_send(channel, &packet);
}

/* Well-formed but for what is in it. */
static void op_srb(struct input *in)
{
	struct channel *channel = a_channel(in);
	struct vstor_packet body = {.operation = VSTOR_OPERATION_EXECUTE_SRB};
	struct vmscsi_request *srb = &body.vm_srb;
	uint32_t bytes, offset;
	uint64_t pfn;

	srb->lun = u8(in);
	srb->data_in = u8(in);
	srb->srb_flags = srb->data_in & 0x80 ? SRB_FLAGS_DISABLE_AUTOSENSE : 0;
	srb->data_in &= 3;
	srb->cdb_length = VMSCSI_CDB_SIZE;
	take(in, srb->cdb, VMSCSI_CDB_SIZE);
	bytes = u16(in) % 0x8000 * 64u;
	offset = u16(in) % PAGE_SIZE;
	pfn = u8(in);
	srb->data_transfer_length = bytes;
	if (!channel)
		return;
	f.trans_id++;
	if (bytes)
		(void)channel_fake_gpa(channel, f.trans_id, pfn, offset, bytes, &body,
				       sizeof(body));
	else
		(void)channel_fake_inband(channel, f.trans_id, &body, sizeof(body));
}

/* --- What else happens. ---------------------------------------------------------------------- */

static void on_left(void *ctx)
{
	(void)ctx;
	assert(f.leaving > 0);
	f.leaving--;
}

static void op_units(struct input *in, bool attach)
{
	uint8_t which = u8(in);

	if (attach)
		(void)storvsp_attach(f.storvsp, which & 0x7f, which & 0x80 ? f.drive : f.unit,
				     NULL);
	else if (storvsp_detach(f.storvsp, which, on_left, NULL, NULL) == 0)
		f.leaving++;
}

static void on_paused(void *ctx)
{
	(void)ctx;
	assert(!f.disk.waiting && !f.disc.waiting);
}

static void op_channel(struct input *in, unsigned int op)
{
	unsigned int index = u8(in) % 4;
	struct channel *channel = f.bus.device->channels[index];

	if (op == OP_OPEN && !channel)
		(void)channel_fake_open(&f.bus, index);
	else if (op == OP_CLOSE && channel && channel->open)
		(void)channel_fake_close(&f.bus, index);
	else if (op == OP_FULL && channel)
		channel->full = true;
	else if (op == OP_ROOM && channel && channel->open)
		channel_fake_room(channel);
}

static void op_disk(struct input *in, unsigned int op)
{
	static const int results[] = {0, -EIO, -ENOSPC, -EROFS, -EINVAL, -ENOMEM, -ENODEV};
	uint8_t which = u8(in);

	switch (op) {
	case OP_COMPLETE:
		(void)disk_fake_complete(which & 1 ? &f.disc : &f.disk, which >> 1);
		break;
	case OP_FAIL:
		f.disk.fail = results[which % ARRAY_SIZE(results)];
		f.disk.fail_after = which >> 4;
		break;
	case OP_DEFER:
		f.disk.deferred = which & 1;
		f.disc.deferred = which & 2;
		break;
	case OP_RESIZE:
		f.disk.block.info.size = DISK_SIZE >> which % 8;
		f.disk.shrunk = true;
		break;
	case OP_INSERT:
		(void)scsi_dvd_insert(f.drive, which & 1 ? &f.disc.block : NULL, which & 2);
		break;
	default:
		break;
	}
}

static void op_poke(struct input *in)
{
	uint32_t at = u32(in) % (256 * PAGE_SIZE);
	uint8_t len = u8(in) % 64, bytes[64];

	take(in, bytes, len);
	memcpy(f.bus.memory + at, bytes, len);
}

static void run(struct input *in)
{
	unsigned int op = u8(in) % OPS;

	switch (op) {
	case OP_INBAND:
		op_inband(in);
		break;
	case OP_GPA:
		op_gpa(in);
		break;
	case OP_SRB:
		op_srb(in);
		break;
	case OP_ATTACH:
	case OP_DETACH:
		op_units(in, op == OP_ATTACH);
		break;
	case OP_OPEN:
	case OP_CLOSE:
	case OP_FULL:
	case OP_ROOM:
		op_channel(in, op);
		break;
	case OP_PAUSE:
		storvsp_pause(f.storvsp, on_paused, NULL);
		break;
	case OP_RESUME:
		storvsp_resume(f.storvsp);
		break;
	case OP_POKE:
		op_poke(in);
		break;
	default:
		op_disk(in, op);
	}
}

/* --- The whole. ------------------------------------------------------------------------------ */

static void negotiate(uint16_t version)
{
	struct channel *channel = channel_fake_open(&f.bus, 0);

	for (uint32_t i = 0; i < 4; i++) {
		static const uint8_t operations[] = {VSTOR_OPERATION_BEGIN_INITIALIZATION,
						     VSTOR_OPERATION_QUERY_PROTOCOL_VERSION,
						     VSTOR_OPERATION_QUERY_PROPERTIES,
						     VSTOR_OPERATION_END_INITIALIZATION};
		struct vstor_packet body = {.operation = operations[i],
					    .version = {.major_minor = version}};

		(void)channel_fake_inband(channel, ++f.trans_id, &body, sizeof(body));
	}
}

static void start(uint8_t how)
{
	static const uint16_t versions[] = {VMSTOR_PROTO_VERSION_WIN10, VMSTOR_PROTO_VERSION_WIN6};
	struct loop *loop = f.loop;
	struct storvsp_config config = {
		.bus = &f.bus,
		.loop = loop,
		.kind = how & 2 ? STORVSP_IDE : STORVSP_SCSI,
		.vm = "fuzz",
		.sub_channels_max = 3,
	};
	struct scsi_config unit = {.block = &f.disk.block}, drive = {.block = &f.disc.block};
	int r = 0;

	memset(&f, 0, sizeof(f));
	f.loop = loop;
	if (!loop)
		r |= loop_create(8, NULL, &f.loop);
	config.loop = f.loop;
	channel_fake_init(&f.bus);
	disk_fake_init(&f.disk, DISK_SIZE, how & 4 ? 4096 : 512);
	disk_fake_init(&f.disc, KiB(64), 512);
	f.disk.block.info.read_only = how & 8;
	f.disk.block.info.unmap = !(how & 16);
	f.disc.block.info.read_only = true;
	r |= scsi_disk_create(&unit, NULL, &f.unit);
	r |= scsi_dvd_create(&drive, NULL, &f.drive);
	r |= storvsp_create(&config, NULL, &f.storvsp);
	r |= storvsp_attach(f.storvsp, 0, f.unit, NULL);
	if (!(how & 2))
		r |= storvsp_attach(f.storvsp, 1, f.drive, NULL);
	assert(r == 0);
	if (!(how & 32))
		negotiate(versions[how & 1]);
}

static void on_removed(void *ctx)
{
	(void)ctx;
	f.removed = true;
}

struct stopper {
	struct loop_deferred deferred;
};

static void stop(struct loop_deferred *deferred)
{
	(void)deferred;
	loop_stop(f.loop);
}

static void complete_all(void)
{
	while (f.disk.waiting || f.disc.waiting) {
		disk_fake_complete_all(&f.disk);
		disk_fake_complete_all(&f.disc);
	}
}

static void finish(void)
{
	complete_all();
	for (unsigned int i = 0; i < FAKE_CHANNELS; i++)
		if (f.bus.device->channels[i])
			assert(f.bus.device->channels[i]->outstanding == 0);
	if (f.leaving) {
		struct stopper stopper = {.deferred = {.run = stop}};

		loop_defer(f.loop, &stopper.deferred);
		if (loop_run(f.loop) < 0)
			abort();
		assert(f.leaving == 0);
	}
	storvsp_destroy(f.storvsp, on_removed, NULL);
	complete_all();
	assert(f.removed);
	scsi_destroy(f.unit);
	scsi_destroy(f.drive);
	disk_fake_finish(&f.disk);
	disk_fake_finish(&f.disc);
	channel_fake_finish(&f.bus);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.data = data, .left = size};

	start(u8(&in));
	for (unsigned int i = 0; in.left && i < 2000; i++)
		run(&in);
	finish();
	return 0;
}
