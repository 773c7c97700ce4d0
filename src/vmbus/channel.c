// SPDX-License-Identifier: MIT
/*
 * An open channel: packets in, answers out. Owner: the channel's loop.
 *
 * Everything that happens (a signal of the guest, an answer, a message, a resume) only notes itself
 * and defers channel_work() to the end of the pass, which then shows the guest what was written,
 * takes what the guest has sent meanwhile, and decides about the interrupt: once, however much
 * happened.
 */
#include "vmbus/channel.h"

#include <assert.h>
#include <errno.h>

#include "vmbus/channel_internal.h"
#include "vmm/log.h"

/*
 * With so many packets not answered the guest's signals stay masked: the answers make us look at
 * the ring often enough. When none came for POLL_NS they do not, and signals are wanted again.
 */
#define POLL_DEPTH 4u

/* Also how often a full ring is looked at when the guest does not signal room. */
#define POLL_NS NSEC_PER_MSEC

/* Packets taken in a pass: a guest that never stops sending must not stop the others. */
#define BATCH_MAX 256u

static void later(struct channel *ch)
{
	loop_defer(ch->loop, &ch->work);
}

/* --- To the guest. ------------------------------------------------------------------------- */

/* Guests before protocol 2.4 find out from bits of a page, and all on one VP. */
static void interrupt_legacy(struct channel *ch)
{
	const uint32_t relid = ch->request.relid;

	atomic_fetch_or(&ch->interrupt_bits[relid / 64], UINT64_C(1) << relid % 64);
	transport_signal(ch->device->bus->transport, ch->connection_vp, ch->sint, 0);
}

static void interrupt(struct channel *ch)
{
	const uint32_t vp = atomic_load(&ch->target_vp);

	if (vp == VMBUS_VP_INTERRUPT_DISABLED)
		return;
	counter_add_shared(&ch->device->counters.interrupts, 1);
	if (ch->interrupt_bits)
		interrupt_legacy(ch);
	else
		transport_signal(ch->device->bus->transport, vp, ch->sint, ch->request.event_flag);
}

static void start_moment(struct channel *ch)
{
	loop_timer_set(ch->loop, &ch->moment, loop_now() + gather_moment_ns(&ch->gather));
}

/* Is the interrupt for what was just committed to wait? */
static bool hold_back(struct channel *ch)
{
	if (!ch->device->config.ops->gather || !gather_hold(&ch->gather))
		return false;
	if (!ch->moment.next && !ch->moment_over)
		start_moment(ch);
	return true;
}

/* Channels of a device may be on several loops, and count together: once a batch. */
static void tell_counters(struct channel *ch)
{
	struct channel_counters *counters = &ch->device->counters;

	if (ch->packets)
		counter_add_shared(&counters->packets, ch->packets);
	if (ch->completions)
		counter_add_shared(&counters->completions, ch->completions);
	if (ch->sent)
		counter_add_shared(&counters->sent, ch->sent);
	ch->packets = ch->completions = ch->sent = 0;
}

/* What was written, and the room of what was read: one interrupt for both. */
static void show(struct channel *ch)
{
	bool signal;

	tell_counters(ch);
	signal = ring_in_commit(&ch->in);

	if (ring_out_commit(&ch->out) && !hold_back(ch))
		signal = true;
	if (signal)
		interrupt(ch);
}

/* A moment has passed, and the ring was looked at. */
static void end_moment(struct channel *ch)
{
	if (!ch->moment_over)
		return;
	ch->moment_over = false;
	if (!gather_over(&ch->gather))
		start_moment(ch);
	else if (ring_out_unread(&ch->out))
		interrupt(ch);
}

void channel_complete(struct channel *ch, uint64_t trans_id, const void *payload, uint32_t len)
{
	const struct ring_message message = {
		.type = VM_PKT_COMP, .trans_id = trans_id, .payload = payload, .payload_len = len};

	assert(len <= ch->device->config.ops->completion_max);
	if (ch->state != CHANNEL_OPEN)
		return;
	assert(ch->outstanding > 0);
	ch->outstanding--;
	ch->answered = true;
	ch->completions++;
	if (ring_out_write(&ch->out, &message, ch->reserve) < 0)
		ch->failing = -EPROTO;
	later(ch);
}

int channel_send(struct channel *ch, const struct ring_message *message)
{
	int r;

	if (ch->state != CHANNEL_OPEN)
		return -ENOTCONN;
	r = ring_out_write(&ch->out, message, 0);
	if (r == 0) {
		ch->sent++;
	} else if (r == -EAGAIN) {
		ch->room_wanted = ring_out_space(message->list_len, message->payload_len);
	} else if (r == -EPROTO) {
		ch->failing = r;
		r = -ENOTCONN;
	}
	later(ch);
	return r;
}

/* --- From the guest. ----------------------------------------------------------------------- */

/*
 * One packet, with room for its answer first. 0; -EAGAIN nothing more can be taken now; another
 * -errno ends the channel.
 */
static int take_packet(struct channel *ch)
{
	const struct channel_ops *ops = ch->device->config.ops;
	void *ctx = ch->device->config.ctx;
	struct ring_packet packet;
	int r;

	if (ops->ready && !ops->ready(ctx, ch))
		return -EBUSY;
	r = ring_out_reserve(&ch->out, ch->reserve);
	if (r < 0) {
		ch->full = r == -EAGAIN;
		return ch->full ? -EBUSY : r;
	}
	r = ring_in_next(&ch->in, ch->buffer, ops->packet_max, &packet);
	if (r < 0 || !packet.wants_completion)
		ring_out_unreserve(&ch->out, ch->reserve);
	if (r < 0)
		return r;
	ch->packets++;
	if (packet.wants_completion)
		ch->outstanding++;
	return ops->packet(ctx, ch, &packet);
}

/* -EAGAIN: the ring is empty; -EBUSY: it need not be; 0: that was enough for a pass. */
static int take_packets(struct channel *ch, unsigned int *budget)
{
	int r;

	do {
		if (!*budget)
			return 0;
		--*budget;
		r = take_packet(ch);
	} while (r == 0);
	return r;
}

static void note_packets(struct channel *ch)
{
	const uint64_t taken = counter_get(&ch->in.counters.packets);

	if (taken != ch->noted && ch->device->config.ops->gather)
		gather_packets(&ch->gather, (unsigned int)(taken - ch->noted), loop_now());
	ch->noted = taken;
}

static int drain(struct channel *ch)
{
	/* At depth the answers lead here again; unless there were none for a while. */
	const bool patient = !ch->silent;
	unsigned int budget = BATCH_MAX;
	int r;

	ch->full = ch->more = ch->deep = ch->silent = false;
	if (!ch->draining)
		ring_in_begin(&ch->in);
	ch->draining = true;
	do {
		r = take_packets(ch, &budget);
		show(ch);
		note_packets(ch);
		end_moment(ch);
		ch->more = r == 0;
		if (r == 0 || r == -EBUSY)
			return 0;
		if (r != -EAGAIN)
			return r;
		ch->deep = ch->outstanding >= POLL_DEPTH && patient;
		if (ch->deep || ch->gather.holding)
			return 0;
	} while (ring_in_end(&ch->in));
	ch->draining = false;
	return 0;
}

/* --- The pass. ----------------------------------------------------------------------------- */

static void begin_ending(struct channel *ch)
{
	const struct vmbus_device_config *device = &ch->device->config;

	ch->state = CHANNEL_ENDING;
	tell_counters(ch);
	loop_timer_cancel(ch->loop, &ch->poll);
	loop_timer_cancel(ch->loop, &ch->moment);
	loop_defer_cancel(&ch->work);
	device->ops->close(device->ctx, ch);
}

static void say_broken(struct channel *ch, const char *why)
{
	log_guest(&ch->device->log, LOG_WARNING, "%s: channel %u: %s; the channel is dead",
		  ch->device->config.ops->name, ch->index, why);
	channel_event(ch, EVENT_CHANNEL_BROKEN, why);
}

static void fail(struct channel *ch, int why)
{
	counter_add_shared(&ch->device->counters.failures, 1);
	if (why == -EPROTO)
		say_broken(ch, "the guest broke the protocol (corrupt ring)");
	else if (why == -EMSGSIZE)
		say_broken(ch, "the guest broke the protocol (packet too long, or ring too small)");
	else if (why != -ECANCELED)
		say_broken(ch, "the guest broke the protocol (bad packet)");
	begin_ending(ch);
}

/*
 * Room for the message that the device could not send? If not, the guest is asked to say when: once
 * more, as having had room for something shorter has withdrawn that.
 */
static bool has_room(struct channel *ch)
{
	int r = ring_out_reserve(&ch->out, ch->room_wanted);

	if (r == 0)
		ring_out_unreserve(&ch->out, ch->room_wanted);
	else if (r != -EAGAIN)
		ch->failing = r;
	return r == 0;
}

static void offer_room(struct channel *ch)
{
	const struct vmbus_device_config *device = &ch->device->config;

	if (!ch->room_wanted || !has_room(ch))
		return;
	ch->room_wanted = 0;
	if (device->ops->room)
		device->ops->room(device->ctx, ch);
}

/* When to look again, if nobody says so: 0 never. */
static uint64_t look_after(struct channel *ch)
{
	/* In the next pass of the loop. */
	if (ch->more || (ch->room_wanted && has_room(ch)))
		return 1;
	/* A guest that says so signals when there is room; the others are looked at. */
	if ((ch->full || ch->room_wanted) && !ring_in_flow_control(&ch->in))
		return POLL_NS;
	return ch->deep ? POLL_NS : 0;
}

static void set_poll(struct channel *ch)
{
	struct loop *loop = ch->loop;
	const uint64_t after = look_after(ch);

	if (!after)
		loop_timer_cancel(loop, &ch->poll);
	else if (after == 1)
		loop_timer_set(loop, &ch->poll, loop_now());
	else if (!ch->poll.next)
		loop_timer_set(loop, &ch->poll, loop_now() + after);
}

void channel_work(struct loop_deferred *deferred)
{
	struct channel *ch = container_of(deferred, struct channel, work);
	int r;

	if (ch->state != CHANNEL_OPEN)
		return;
	offer_room(ch);
	show(ch);
	r = ch->failing ? ch->failing : drain(ch);
	if (r == 0) {
		/* What was noted from inside was seen to, or is by the poll. */
		loop_defer_cancel(&ch->work);
		set_poll(ch);
		r = ch->failing;
	}
	if (r < 0)
		fail(ch, r);
}

static void on_poll(struct loop_timer *timer)
{
	struct channel *ch = container_of(timer, struct channel, poll);
	const bool waiting = ch->more || ch->full || ch->room_wanted;

	ch->silent = !ch->answered;
	ch->answered = false;
	if (waiting || ch->silent)
		later(ch);
	else
		loop_timer_set(ch->loop, &ch->poll, loop_now() + POLL_NS);
}

static void on_moment(struct loop_timer *timer)
{
	struct channel *ch = container_of(timer, struct channel, moment);

	ch->moment_over = true;
	later(ch);
}

void channel_resume(struct channel *ch)
{
	if (ch->state == CHANNEL_OPEN)
		later(ch);
}

void channel_fail(struct channel *ch, const char *why)
{
	if (ch->state != CHANNEL_OPEN)
		return;
	say_broken(ch, why);
	ch->failing = -ECANCELED;
	later(ch);
}

/* --- The guest's signals. ------------------------------------------------------------------ */

static void arm_wake(struct channel *ch)
{
	struct io_uring_sqe *sqe = loop_sqe(ch->loop, &ch->wake_op);

	ch->wake_armed = sqe != NULL;
	if (sqe)
		io_uring_prep_read(sqe, ch->eventfd, &ch->wake_value, sizeof(ch->wake_value), 0);
}

/* The device is done and no signal is on its way: the bus may take everything apart. */
static void finish_stop(struct channel *ch)
{
	if (ch->state == CHANNEL_ENDED && !ch->wake_armed)
		ch->state = CHANNEL_STOPPED;
	if (ch->state != CHANNEL_STOPPED || !ch->stop_wanted)
		return;
	ch->state = CHANNEL_CLOSED;
	ch->stop_wanted = false;
	counter_add_shared(&ch->device->counters.closes, 1);
	loop_post(ch->device->bus->loop, &ch->stopped_task);
}

static void on_wake(struct loop_op *op, int res, unsigned int flags)
{
	struct channel *ch = container_of(op, struct channel, wake_op);

	ch->wake_armed = false;
	if (ch->state != CHANNEL_OPEN) {
		finish_stop(ch);
		return;
	}
	counter_add_shared(&ch->device->counters.wakes, 1);
	arm_wake(ch);
	later(ch);
}

/* --- Life. --------------------------------------------------------------------------------- */

int channel_begin(struct channel *ch)
{
	const struct vmbus_device_config *device = &ch->device->config;
	int r = ring_in_init(&ch->in, &ch->in_memory);

	if (r == 0)
		r = ring_out_init(&ch->out, &ch->out_memory);
	if (r < 0)
		return r;
	ch->reserve = ring_out_space(0, device->ops->completion_max);
	ch->outstanding = 0;
	ch->draining = ch->full = ch->more = ch->deep = false;
	ch->answered = ch->silent = false;
	ch->room_wanted = 0;
	ch->failing = 0;
	ch->packets = ch->completions = ch->sent = 0;
	ch->private = NULL;
	ch->wake_op.done = on_wake;
	ch->poll.fired = on_poll;
	ch->moment.fired = on_moment;
	ch->moment_over = false;
	ch->noted = counter_get(&ch->in.counters.packets);
	gather_init(&ch->gather);
	ch->state = CHANNEL_OPEN;
	r = device->ops->open(device->ctx, ch);
	if (r < 0) {
		ch->state = CHANNEL_CLOSED;
		loop_defer_cancel(&ch->work);
		return r;
	}
	counter_add_shared(&ch->device->counters.opens, 1);
	arm_wake(ch);
	if (!ch->wake_armed)
		channel_fail(ch, "io_uring takes nothing");
	later(ch);
	return 0;
}

void channel_end(struct channel *ch)
{
	ch->stop_wanted = true;
	if (ch->state == CHANNEL_OPEN)
		begin_ending(ch);
	else
		finish_stop(ch);
}

void channel_closed(struct channel *ch)
{
	assert(ch->state == CHANNEL_ENDING);
	ch->state = CHANNEL_ENDED;
	if (ch->wake_armed)
		loop_cancel(ch->loop, &ch->wake_op);
	finish_stop(ch);
}

/* --- What can be asked. -------------------------------------------------------------------- */

unsigned int channel_index(const struct channel *ch)
{
	return ch->index;
}

struct loop *channel_loop(const struct channel *ch)
{
	return ch->loop;
}

struct vmbus_device *channel_device(const struct channel *ch)
{
	return ch->device;
}

const uint8_t *channel_user_data(const struct channel *ch)
{
	return ch->request.user_data;
}

uint32_t channel_vmbus_version(const struct channel *ch)
{
	return ch->vmbus_version;
}

void channel_set_private(struct channel *ch, void *private)
{
	ch->private = private;
}

void *channel_private(const struct channel *ch)
{
	return ch->private;
}
