// SPDX-License-Identifier: MIT
/*
 * GPADLs that a device holds: what its own protocol calls buffers. GPADLs are the bus' loop's, who
 * asks for them is the channel's; requests and answers travel as the channel itself does
 * (channel_internal.h).
 */
#include <assert.h>

#include "vmbus/channel_internal.h"

static void run_held(struct loop_task *task)
{
	struct channel_hold *hold = container_of(task, struct channel_hold, task);

	hold->busy = false;
	hold->held(hold, hold->result);
}

/* On the bus' loop. */
static void run_hold(struct loop_task *task)
{
	struct channel_hold *hold = container_of(task, struct channel_hold, task);
	struct channel *ch = hold->channel;
	struct gpadl_table *gpadls = vmbus_server_gpadls(ch->device->bus->server);

	hold->result = gpadl_get(gpadls, ch->request.relid, hold->handle, &hold->gpadl);
	if (hold->result == 0) {
		hold->result = gpadl_view(hold->gpadl, &hold->view);
		if (hold->result < 0) {
			gpadl_put(hold->gpadl);
			hold->gpadl = NULL;
		}
	}
	hold->task.run = run_held;
	loop_post(ch->loop, &hold->task);
}

void channel_hold(struct channel *ch, struct channel_hold *hold, uint32_t handle)
{
	assert(!hold->busy && !hold->gpadl);
	hold->channel = ch;
	hold->handle = handle;
	hold->busy = true;
	hold->task.run = run_hold;
	loop_post(ch->device->bus->loop, &hold->task);
}

static void run_released(struct loop_task *task)
{
	struct channel_hold *hold = container_of(task, struct channel_hold, task);

	hold->busy = false;
	hold->released(hold);
}

/* On the bus' loop. */
static void run_release(struct loop_task *task)
{
	struct channel_hold *hold = container_of(task, struct channel_hold, task);

	gpadl_view_finish(&hold->view);
	gpadl_put(hold->gpadl);
	hold->gpadl = NULL;
	hold->task.run = run_released;
	loop_post(hold->channel->loop, &hold->task);
}

void channel_release(struct channel_hold *hold)
{
	struct channel *ch = hold->channel;

	assert(!hold->busy && hold->gpadl);
	hold->busy = true;
	hold->task.run = run_release;
	loop_post(ch->device->bus->loop, &hold->task);
}
