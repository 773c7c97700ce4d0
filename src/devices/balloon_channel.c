// SPDX-License-Identifier: MIT
/*
 * The balloon's channel: what host and guest agree on first, the guest's reports, and messages on
 * their way in and out. State belongs to the loop of the bus.
 */
#include <errno.h>
#include <string.h>

#include "devices/balloon_internal.h"

/* --- Out. ------------------------------------------------------------------------------------ */

int balloon_send(struct balloon *b, uint16_t type, void *message, size_t len)
{
	const struct dm_header header = {
		.type = type, .size = (uint16_t)len, .trans_id = b->trans_id + 1};
	const struct ring_message packet = {
		.type = VM_PKT_DATA_INBAND, .payload = message, .payload_len = (uint32_t)len};
	int r;

	memcpy(message, &header, sizeof(header));
	r = channel_send(b->channel, &packet);
	if (r == 0)
		b->trans_id++;
	return r;
}

static int send_accepted(struct balloon *b, uint16_t type, bool accepted)
{
	struct dm_accepted message = {.is_accepted = accepted};

	return balloon_send(b, type, &message, sizeof(message));
}

static int send_info(struct balloon *b)
{
	struct dm_info_max_pages message = {
		.info_size = sizeof(message) - offsetof(struct dm_info_max_pages, type),
		.type = DM_INFO_MAX_PAGE_COUNT,
		.data_size = sizeof(message.max_page_count),
		.max_page_count = b->maximum >> PAGE_SHIFT,
	};

	return balloon_send(b, DM_INFO_MESSAGE, &message, sizeof(message));
}

/* Sends the answers that are due. -errno: not all. */
static int settle_debts(struct balloon *b)
{
	int r = 0;

	if (b->owed & BALLOON_OWES_VERSION) {
		r = send_accepted(b, DM_VERSION_RESPONSE, b->version_accepted);
		if (r == 0)
			b->owed &= ~(unsigned int)BALLOON_OWES_VERSION;
	}
	if (r == 0 && (b->owed & BALLOON_OWES_CAPABILITIES)) {
		r = send_accepted(b, DM_CAPABILITIES_RESPONSE, true);
		if (r == 0)
			b->owed &= ~(unsigned int)BALLOON_OWES_CAPABILITIES;
	}
	if (r == 0 && (b->owed & BALLOON_OWES_INFO)) {
		r = send_info(b);
		if (r == 0)
			b->owed &= ~(unsigned int)BALLOON_OWES_INFO;
	}
	return r;
}

void balloon_go_on(struct balloon *b)
{
	if (!b->channel || settle_debts(b) < 0)
		return;
	if (b->request == BALLOON_GIVE)
		balloon_give_more(b);
	balloon_step(b);
}

/* --- In. ------------------------------------------------------------------------------------- */

static int on_version(struct balloon *b, const void *message, size_t len)
{
	struct dm_version_request in;

	if (len < sizeof(in) || b->stage > BALLOON_OPENED)
		return -EINVAL;
	memcpy(&in, message, sizeof(in));
	b->version = in.version;
	b->version_accepted = in.version == DYNMEM_PROTOCOL_VERSION_1 ||
			      in.version == DYNMEM_PROTOCOL_VERSION_2 ||
			      in.version == DYNMEM_PROTOCOL_VERSION_3;
	if (b->version_accepted)
		b->stage = BALLOON_VERSIONED;
	b->owed |= BALLOON_OWES_VERSION;
	return 0;
}

static int on_capabilities(struct balloon *b, const void *message, size_t len)
{
	struct dm_capabilities in;
	unsigned int shift;

	if (len < sizeof(in) || b->stage != BALLOON_VERSIONED)
		return -EINVAL;
	memcpy(&in, message, sizeof(in));
	shift = (in.caps >> DM_CAP_HOT_ADD_ALIGNMENT_SHIFT) & DM_CAP_HOT_ADD_ALIGNMENT_MASK;
	b->caps = in.caps;
	b->alignment = max_of(MiB(1) << shift, BALLOON_UNIT);
	b->ready_ns = loop_now();
	b->stage = BALLOON_READY;
	b->owed |= BALLOON_OWES_CAPABILITIES;
	if (b->version >= DYNMEM_PROTOCOL_VERSION_2)
		b->owed |= BALLOON_OWES_INFO;
	return 0;
}

/*
 * Linux fills in nothing of what only Windows knows, and wants memory in large blocks. To ask for
 * the guest's OS id is no way: KVM may have it, and tells only while the VP does not run.
 */
static bool looks_like_linux(const struct balloon *b, const struct dm_status *in)
{
	return b->alignment >= MiB(128) && !in->page_file_size && !in->zero_free &&
	       !in->page_file_writes && !in->io_diff;
}

/* Pages in the guest's balloon that are not in ours: it has not told yet, or not heard. */
static uint64_t underway(const struct balloon *b)
{
	switch (b->request) {
	case BALLOON_TAKE:
		return b->asked - b->got;
	case BALLOON_GIVE:
		return b->got;
	case BALLOON_NOTHING:
	case BALLOON_ADD:
		break;
	}
	return 0;
}

static int on_status(struct balloon *b, const void *message, size_t len)
{
	struct dm_status in = {0};

	if (len < DM_STATUS_LEN_MIN || b->stage != BALLOON_READY)
		return -EINVAL;
	memcpy(&in, message, min_of(len, sizeof(in)));
	b->report = balloon_report_of(in.num_avail, in.num_committed);
	b->view = (struct balloon_view){
		.visible = balloon_visible(b),
		.ballooned = balloon_out_bytes(b),
		.underway = underway(b),
		.startup = b->startup,
		.linux_guest = looks_like_linux(b, &in),
	};
	/* What it has free is some of what it has. */
	b->report.available = min_of(b->report.available, b->view.visible);
	b->demand = balloon_demand(&b->report, &b->view, b->reported ? b->demand : 0);
	b->reported = true;
	b->report_ns = loop_now();
	counter_add(&b->counters.reports, 1);
	balloon_retake(b);
	return 0;
}

static const struct {
	enum dm_message_type type;
	int (*run)(struct balloon *b, const void *message, size_t len);
} messages[] = {
	{DM_VERSION_REQUEST, on_version},       {DM_CAPABILITIES_REPORT, on_capabilities},
	{DM_STATUS_REPORT, on_status},          {DM_BALLOON_RESPONSE, balloon_taken},
	{DM_UNBALLOON_RESPONSE, balloon_given}, {DM_MEM_HOT_ADD_RESPONSE, balloon_was_added},
};

static int on_packet(void *ctx, struct channel *channel, const struct ring_packet *packet)
{
	struct balloon *b = ctx;
	struct dm_header header;
	int r;

	if (packet->type != VM_PKT_DATA_INBAND || packet->payload_len < sizeof(header))
		return -EINVAL;
	memcpy(&header, packet->payload, sizeof(header));
	if (header.size < sizeof(header) || header.size > packet->payload_len)
		return -EINVAL;
	if (packet->wants_completion)
		channel_complete(channel, packet->trans_id, &header, 0);
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		if (messages[i].type != header.type)
			continue;
		r = messages[i].run(b, packet->payload, header.size);
		if (r == 0)
			balloon_go_on(b);
		return r;
	}
	counter_add(&b->counters.unexpected, 1);
	return 0;
}

/* --- Opening and closing. -------------------------------------------------------------------- */

static int on_open(void *ctx, struct channel *channel)
{
	struct balloon *b = ctx;

	b->channel = channel;
	b->stage = BALLOON_OPENED;
	return 0;
}

static void on_close(void *ctx, struct channel *channel)
{
	struct balloon *b = ctx;

	b->channel = NULL;
	b->stage = BALLOON_CLOSED;
	b->owed = 0;
	b->caps = 0;
	b->region_end = 0;
	b->request = BALLOON_NOTHING;
	b->late = b->stuck = b->reported = false;
	b->retry_ns[0] = b->retry_ns[1] = 0;
	loop_timer_cancel(b->loop, &b->timer);
	balloon_pages_clear(&b->out);
	channel_closed(channel);
}

static void on_room(void *ctx, struct channel *channel)
{
	(void)channel;
	balloon_go_on(ctx);
}

const struct channel_ops balloon_channel_ops = {
	.name = "balloon",
	/* A message, and its descriptor. */
	.packet_max = DM_MESSAGE_MAX + 64,
	.completion_max = 0,
	.open = on_open,
	.packet = on_packet,
	.close = on_close,
	.room = on_room,
};
