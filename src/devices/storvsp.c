// SPDX-License-Identifier: MIT
/*
 * A storage controller's life, and its units. State belongs to the controller's loop; storvsp.h
 * says who calls what.
 */
#include "devices/storvsp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/storvsp_internal.h"
#include "vmbus/vmbus_proto.h"

/* {ba6163d9-04a1-4d29-b605-72e2ffb1dc7f} */
static const struct vmbus_guid scsi_class = {{0xd9, 0x63, 0x61, 0xba, 0xa1, 0x04, 0x29, 0x4d, 0xb6,
					      0x05, 0x72, 0xe2, 0xff, 0xb1, 0xdc, 0x7f}};
/* {32412632-86cb-44a2-9b5c-50d1417354f5} */
static const struct vmbus_guid ide_class = {{0x32, 0x26, 0x41, 0x32, 0xcb, 0x86, 0xa2, 0x44, 0x9b,
					     0x5c, 0x50, 0xd1, 0x41, 0x73, 0x54, 0xf5}};

/* --- Units. ---------------------------------------------------------------------------------- */

static struct storvsp_lun *find_left(struct storvsp *storvsp)
{
	for (unsigned int i = 0; i < STORVSP_LUNS; i++)
		if (storvsp->luns[i].leaving && !storvsp->luns[i].in_flight)
			return &storvsp->luns[i];
	return NULL;
}

/* One at a time: who is told that the last is out may have the controller destroyed at once. */
static void tell_left(struct loop_deferred *deferred)
{
	struct storvsp *storvsp = container_of(deferred, struct storvsp, leave);
	struct storvsp_lun *lun = find_left(storvsp);
	void (*done)(void *ctx);
	void *ctx;

	if (!lun)
		return;
	done = lun->done;
	ctx = lun->done_ctx;
	*lun = (struct storvsp_lun){0};
	if (find_left(storvsp))
		loop_defer(storvsp->loop, &storvsp->leave);
	if (done)
		done(ctx);
}

void storvsp_settle(struct storvsp *storvsp, struct storvsp_lun *lun)
{
	if (lun && lun->leaving && !lun->in_flight)
		loop_defer(storvsp->loop, &storvsp->leave);
	if (storvsp->paused && !storvsp->in_flight) {
		void (*paused)(void *ctx) = storvsp->paused;

		storvsp->paused = NULL;
		paused(storvsp->paused_ctx);
	}
}

void storvsp_rescan(struct storvsp *storvsp)
{
	storvsp->notify = true;
	storvsp_notify(storvsp);
}

int storvsp_attach(struct storvsp *storvsp, unsigned int lun, struct scsi_device *device,
		   struct error *err)
{
	if (lun >= (storvsp->kind == STORVSP_IDE ? 1 : STORVSP_LUNS))
		return error_set(err, -EINVAL, "SCSI unit %u: numbers go from 0 to %u", lun,
				 STORVSP_LUNS - 1);
	if (storvsp->luns[lun].device)
		return error_set(err, -EBUSY, "SCSI unit %u is in use: choose another number", lun);
	storvsp->luns[lun].device = device;
	if (storvsp->state != STORVSP_CLOSED)
		scsi_appeared(device);
	storvsp_rescan(storvsp);
	return 0;
}

int storvsp_detach(struct storvsp *storvsp, unsigned int lun, void (*done)(void *ctx), void *ctx,
		   struct error *err)
{
	struct storvsp_lun *l;

	if (lun >= STORVSP_LUNS || !storvsp_unit(storvsp, lun))
		return error_set(err, -ENOENT, "SCSI unit %u: there is none", lun);
	l = &storvsp->luns[lun];
	l->leaving = true;
	l->done = done;
	l->done_ctx = ctx;
	storvsp_abort(storvsp, l);
	storvsp_settle(storvsp, l);
	storvsp_rescan(storvsp);
	return 0;
}

struct scsi_device *storvsp_unit(const struct storvsp *storvsp, unsigned int lun)
{
	const struct storvsp_lun *l = &storvsp->luns[lun];

	return lun < STORVSP_LUNS && !l->leaving ? l->device : NULL;
}

/* --- Pauses. --------------------------------------------------------------------------------- */

void storvsp_pause(struct storvsp *storvsp, void (*paused)(void *ctx), void *ctx)
{
	storvsp->pausing = true;
	if (!storvsp->in_flight) {
		if (paused)
			paused(ctx);
		return;
	}
	storvsp->paused = paused;
	storvsp->paused_ctx = ctx;
}

void storvsp_resume(struct storvsp *storvsp)
{
	storvsp->pausing = false;
	storvsp_channels_resume(storvsp);
}

/* --- Life. ----------------------------------------------------------------------------------- */

static void on_removed(void *ctx)
{
	struct storvsp *storvsp = ctx;
	void (*removed)(void *ctx) = storvsp->removed;

	ctx = storvsp->removed_ctx;
	free(storvsp);
	if (removed)
		removed(ctx);
}

void storvsp_destroy(struct storvsp *storvsp, void (*removed)(void *ctx), void *ctx)
{
	if (!storvsp) {
		if (removed)
			removed(ctx);
		return;
	}
	storvsp->removed = removed;
	storvsp->removed_ctx = ctx;
	vmbus_device_remove(storvsp->device);
}

static void describe_ide(struct storvsp *storvsp, unsigned int index,
			 struct vmbus_device_config *config)
{
	struct vstor_offer_properties properties = {
		.path_id = (uint8_t)(index / 2),
		.target_id = (uint8_t)(index % 2),
		.flags = VSTOR_OFFER_EMULATED_IDE,
	};
	/* {channel-device-8899-0000-000000000000}: by this guests find the disk that it is for. */
	struct vmbus_guid id = {
		{[0] = (uint8_t)(index / 2), [4] = (uint8_t)(index % 2), [6] = 0x99, [7] = 0x88}};

	config->class_id = ide_class;
	config->instance_id = id;
	memcpy(config->user_data, &properties, sizeof(properties));
	storvsp->target = properties.target_id;
}

int storvsp_create(const struct storvsp_config *config, struct error *err, struct storvsp **ret)
{
	struct storvsp *storvsp = calloc(1, sizeof(*storvsp));
	struct vmbus_device_config device = {
		.class_id = scsi_class,
		.flags = VMBUS_CHANNEL_ENUMERATE_DEVICE_INTERFACE,
		.ops = &storvsp_channel_ops,
		.ctx = storvsp,
		.loop = config->loop,
		.sub_channels_max = config->sub_channels_max,
		.removed = on_removed,
	};
	int r;

	if (!storvsp)
		return error_set(err, -ENOMEM, "storage controller: out of memory");
	storvsp->kind = config->kind;
	storvsp->leave.run = tell_left;
	if (config->kind == STORVSP_IDE) {
		if (config->index > 3) {
			free(storvsp);
			return error_set(err, -EINVAL, "IDE disk %u: there are four, from 0",
					 config->index);
		}
		device.sub_channels_max = 0;
		describe_ide(storvsp, config->index, &device);
	} else {
		device.instance_id = vmbus_instance_guid(config->vm, "scsi", config->index);
	}
	storvsp->sub_channels_max = device.sub_channels_max;
	storvsp->loop = config->loop;
	r = vmbus_device_add(config->bus, &device, err, &storvsp->device);
	if (r) {
		free(storvsp);
		return r;
	}
	*ret = storvsp;
	return 0;
}

const struct storvsp_counters *storvsp_counters(const struct storvsp *storvsp)
{
	return &storvsp->counters;
}

const struct channel_counters *storvsp_channel_counters(const struct storvsp *storvsp)
{
	return vmbus_device_counters(storvsp->device);
}

uint16_t storvsp_protocol_version(const struct storvsp *storvsp)
{
	return atomic_load_explicit(&storvsp->version, memory_order_relaxed);
}
