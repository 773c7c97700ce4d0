// SPDX-License-Identifier: MIT
/*
 * A network interface's life. netvsp.h says who calls what, netvsp_internal.h whose state is whose.
 */
#include "devices/netvsp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/netvsp_internal.h"
#include "vmbus/vmbus_proto.h"

/* {f8615163-df3e-46c5-913f-f2d2f965ed0e} */
static const struct vmbus_guid class_id = {{0x63, 0x51, 0x61, 0xf8, 0x3e, 0xdf, 0xc5, 0x46, 0x91,
					    0x3f, 0xf2, 0xd2, 0xf9, 0x65, 0xed, 0x0e}};

#define MTU_MIN 68u
#define MTU_MAX 65521u /* with the Ethernet header, what 16 bits hold */

/* --- Pauses. --------------------------------------------------------------------------------- */

static void run_pause(struct netvsp_round *round, struct netvsp_queue *queue)
{
	queue->paused = atomic_load(&queue->netvsp->pausing);
	if (queue->paused && !netvsp_tx_idle(queue))
		round->parts[queue->index].waiting = true;
	else
		netvsp_round_done(round);
}

static void pause_done(struct netvsp_round *round)
{
	struct netvsp *netvsp = round->netvsp;
	void (*paused)(void *ctx) = netvsp->paused;

	netvsp->paused = NULL;
	if (paused)
		paused(netvsp->paused_ctx);
}

void netvsp_pause(struct netvsp *netvsp, void (*paused)(void *ctx), void *ctx)
{
	netvsp->paused = paused;
	netvsp->paused_ctx = ctx;
	atomic_store(&netvsp->pausing, true);
	netvsp_round_start(&netvsp->pause, run_pause, pause_done);
}

static void run_resume(struct netvsp_round *round, struct netvsp_queue *queue)
{
	queue->paused = atomic_load(&queue->netvsp->pausing);
	if (!queue->paused) {
		netvsp_rounds_settle(queue);
		netvsp_rx_kick(queue);
		if (queue->channel && !queue->closing)
			channel_resume(queue->channel);
	}
	netvsp_round_done(round);
}

static void resume_done(struct netvsp_round *round)
{
	struct netvsp *netvsp = round->netvsp;
	const bool again = netvsp->resume_again;

	netvsp->resume_again = false;
	if (again)
		netvsp_round_start(round, run_resume, resume_done);
}

void netvsp_resume(struct netvsp *netvsp)
{
	atomic_store(&netvsp->pausing, false);
	if (netvsp->resume.busy)
		netvsp->resume_again = true;
	else
		netvsp_round_start(&netvsp->resume, run_resume, resume_done);
}

/* --- The link. ------------------------------------------------------------------------------- */

static void run_link(struct loop_task *task)
{
	netvsp_rndis_link(container_of(task, struct netvsp, link_task));
}

void netvsp_set_link(struct netvsp *netvsp, bool up)
{
	atomic_store(&netvsp->link_wanted, up);
	loop_post(netvsp->queues[0].loop, &netvsp->link_task);
}

/* --- Life. ----------------------------------------------------------------------------------- */

static void free_netvsp(struct netvsp *netvsp)
{
	pthread_mutex_destroy(&netvsp->lock);
	free(netvsp);
}

/* What was posted to a queue's loop before this has run. */
static void run_fence(struct netvsp_round *round, struct netvsp_queue *queue)
{
	(void)queue;
	netvsp_round_done(round);
}

static void fence_done(struct netvsp_round *round)
{
	struct netvsp *netvsp = round->netvsp;
	void (*removed)(void *ctx) = netvsp->removed;
	void *ctx = netvsp->removed_ctx;

	/* Or they wait for us. */
	if (netvsp->pause.busy || netvsp->resume.busy) {
		netvsp_round_start(round, run_fence, fence_done);
		return;
	}
	free_netvsp(netvsp);
	if (removed)
		removed(ctx);
}

static void on_removed(void *ctx)
{
	struct netvsp *netvsp = ctx;

	netvsp_round_start(&netvsp->fence, run_fence, fence_done);
}

void netvsp_destroy(struct netvsp *netvsp, void (*removed)(void *ctx), void *ctx)
{
	if (!netvsp) {
		if (removed)
			removed(ctx);
		return;
	}
	netvsp->removed = removed;
	netvsp->removed_ctx = ctx;
	vmbus_device_remove(netvsp->device);
}

static void run_subs(struct loop_task *task)
{
	struct netvsp *netvsp = container_of(task, struct netvsp, subs_task);

	netvsp_send_table(netvsp);
	netvsp_proceed_closing(netvsp);
}

static void init_queues(struct netvsp *netvsp, const struct netvsp_config *config)
{
	for (unsigned int i = 0; i < netvsp->queue_count; i++) {
		struct netvsp_queue *queue = &netvsp->queues[i];

		queue->netvsp = netvsp;
		queue->index = i;
		queue->loop = config->loop_count ? config->loops[i % config->loop_count]
						 : vmbus_loop(config->bus);
		netvsp_rx_init(queue);
	}
	netvsp->link_task.run = run_link;
	netvsp->subs_task.run = run_subs;
	netvsp_round_init(&netvsp->pause, netvsp, vmbus_loop(config->bus));
	netvsp_round_init(&netvsp->resume, netvsp, vmbus_loop(config->bus));
	netvsp_round_init(&netvsp->fence, netvsp, vmbus_loop(config->bus));
	netvsp_buffers_init(netvsp);
}

static int check(const struct netvsp_config *config, struct error *err)
{
	if (config->mtu < MTU_MIN || config->mtu > MTU_MAX)
		return error_set(err, -EINVAL, "network %u: an MTU of %u: it goes from %u to %u",
				 config->index, config->mtu, MTU_MIN, MTU_MAX);
	if (config->mac[0] & 1)
		return error_set(err, -EINVAL,
				 "network %u: its MAC address is a multicast address: choose one "
				 "whose first byte is even",
				 config->index);
	return 0;
}

int netvsp_create(const struct netvsp_config *config, struct error *err, struct netvsp **ret)
{
	const unsigned int most = min_of(net_backend_info(config->backend)->queues, NETVSP_QUEUES);
	struct vmbus_device_config device = {
		.class_id = class_id,
		.instance_id = vmbus_instance_guid(config->vm, "net", config->index),
		.flags = VMBUS_CHANNEL_ENUMERATE_DEVICE_INTERFACE,
		.ops = &netvsp_channel_ops,
		.loops = config->loops,
		.loop_count = config->loop_count,
		.removed = on_removed,
	};
	struct netvsp *netvsp;
	int r = check(config, err);

	if (r < 0)
		return r;
	netvsp = calloc(1, sizeof(*netvsp));
	if (!netvsp)
		return error_set(err, -ENOMEM, "network %u: out of memory", config->index);
	pthread_mutex_init(&netvsp->lock, NULL);
	netvsp->bus = config->bus;
	netvsp->backend = config->backend;
	netvsp->mtu = config->mtu;
	netvsp->queue_count = max_of(min_of(config->queues_max, most), 1u);
	memcpy(netvsp->permanent_mac, config->mac, sizeof(netvsp->permanent_mac));
	atomic_store(&netvsp->link_wanted, config->link_up);
	netvsp->link_changed = config->link_changed;
	netvsp->link_ctx = config->link_ctx;
	init_queues(netvsp, config);
	netvsp_forget(netvsp);
	device.ctx = netvsp;
	device.sub_channels_max = netvsp->queue_count - 1;
	r = vmbus_device_add(config->bus, &device, err, &netvsp->device);
	if (r < 0) {
		free_netvsp(netvsp);
		return r;
	}
	*ret = netvsp;
	return 0;
}

const struct netvsp_counters *netvsp_counters(const struct netvsp *netvsp)
{
	return &netvsp->counters;
}

const struct channel_counters *netvsp_channel_counters(const struct netvsp *netvsp)
{
	return vmbus_device_counters(netvsp->device);
}

uint32_t netvsp_protocol_version(const struct netvsp *netvsp)
{
	return netvsp_version(netvsp);
}
