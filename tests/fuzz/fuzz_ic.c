// SPDX-License-Identifier: MIT
/*
 * The integration services, one at a time, with a guest that answers what it likes when it likes:
 * versions, statuses, sizes, numbers and bodies of any kind, or none; with rings that are full,
 * channels that close, and hosts that ask and change their minds. Whatever happens, everything that
 * was asked for ends once, and nothing is touched that is not there (the fakes assert that).
 *
 * The input is a byte for the service, then commands of one byte with arguments; see
 * make-ic-corpus.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_input.h"
#include "../unit/ic_guest.h"
#include "devices/ic/heartbeat.h"
#include "devices/ic/kvp.h"
#include "devices/ic/shutdown.h"
#include "devices/ic/timesync.h"
#include "devices/ic/vss.h"
#include "vmm/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	OP_OPEN,
	OP_CLOSE,
	OP_NEGOTIATE,
	OP_ANSWER,
	OP_ECHO,
	OP_RAW,
	OP_ASK,
	OP_CANCEL,
	OP_PAUSE,
	OP_FULL,
	OP_RUN,
	OPS
};

enum { SHUTDOWN, HEARTBEAT, TIMESYNC, KVP, VSS, SERVICES };

static struct {
	struct ic_guest g;
	unsigned int service;
	struct ic_shutdown *shutdown;
	struct ic_heartbeat *heartbeat;
	struct ic_timesync *timesync;
	struct ic_kvp *kvp;
	struct ic_vss *vss;
	unsigned int asked, done; /* what has to end */
	struct ic_guest_message message;
} f;

static bool is_open(void)
{
	return f.g.channel && f.g.bus.device->channels[0] && f.g.channel->open;
}

/* --- What the host does. --------------------------------------------------------------------- */

static void on_done(void *ctx, int result)
{
	f.done++;
}

static void on_kvp_done(void *ctx, int result, const struct ic_kvp_list *list)
{
	f.done++;
}

static uint64_t reference_time(void *ctx)
{
	return 1;
}

static void ask_kvp(uint8_t how)
{
	char key[8] = {(char)('a' + how % 8)};
	int r;

	if (how & 0x80)
		r = ic_kvp_enumerate(f.kvp, how % KVP_POOL_COUNT, on_kvp_done, NULL);
	else if (how & 0x40)
		r = ic_kvp_delete(f.kvp, key, on_kvp_done, NULL);
	else
		r = ic_kvp_set(f.kvp, key, "value", on_kvp_done, NULL);
	if (r == 0)
		f.asked++;
	(void)ic_kvp_guest(f.kvp);
}

static void ask(uint8_t how)
{
	const struct ic_shutdown_request request = {
		.kind = how % 3, .reason = "why", .done = on_done};
	int r = -EINVAL;

	switch (f.service) {
	case SHUTDOWN:
		r = ic_shutdown_ask(f.shutdown, &request);
		break;
	case KVP:
		ask_kvp(how);
		break;
	case VSS:
		r = how & 1 ? ic_vss_thaw(f.vss, on_done, NULL)
			    : ic_vss_freeze(f.vss, how * NSEC_PER_MSEC, on_done, NULL);
		break;
	default:
		break;
	}
	if (r == 0)
		f.asked++;
}

static void cancel(void)
{
	if (f.shutdown)
		ic_shutdown_cancel(f.shutdown);
	if (f.kvp)
		ic_kvp_cancel(f.kvp);
	if (f.vss)
		ic_vss_cancel(f.vss);
}

static void pause_or_resume(uint8_t how)
{
	if (f.heartbeat && how & 2)
		ic_heartbeat_reset(f.heartbeat);
	if (f.heartbeat)
		(how & 1 ? ic_heartbeat_pause : ic_heartbeat_resume)(f.heartbeat);
	if (f.timesync)
		(how & 1 ? ic_timesync_pause : ic_timesync_resume)(f.timesync);
}

/* --- What the guest does. -------------------------------------------------------------------- */

static void op_answer(struct input *in)
{
	static uint8_t body[8192];
	struct ic_guest_message message = f.message;
	uint16_t len = u16(in) % sizeof(body), change = u16(in);
	uint32_t status = u32(in);

	take(in, body, len);
	message.header.ictransaction_id ^= (uint8_t)change;
	message.header.icmsgtype ^= change >> 8;
	if (is_open())
		(void)ic_guest_answer(&f.g, &message, status, body, len);
}

/* As a well-behaved guest, in place. */
static void op_echo(uint32_t status)
{
	static uint8_t body[8192];
	const uint32_t len = f.message.len > 28 ? f.message.len - 28 : 0;

	memset(body, 0, sizeof(body));
	memcpy(body, f.message.body, FAKE_PAYLOAD - 28);
	if (is_open())
		(void)ic_guest_answer(&f.g, &f.message, status, body, len);
}

static void op_raw(struct input *in)
{
	uint8_t packet[256];
	uint8_t len = u8(in);

	take(in, packet, len);
	if (is_open())
		(void)ic_guest_send(&f.g, packet, len);
}

static void op_negotiate(struct input *in)
{
	uint8_t counts = u8(in), framework = u8(in), major = u8(in), minor = u8(in);

	if (is_open())
		(void)ic_guest_negotiate(&f.g, &f.message, counts, IC_VERSION(framework, 0),
					 IC_VERSION(major, minor));
}

static void run(struct input *in)
{
	switch (u8(in) % OPS) {
	case OP_OPEN:
		if (!is_open())
			ic_guest_open(&f.g);
		break;
	case OP_CLOSE:
		if (is_open())
			ic_guest_close(&f.g);
		break;
	case OP_NEGOTIATE:
		op_negotiate(in);
		break;
	case OP_ANSWER:
		op_answer(in);
		break;
	case OP_ECHO:
		op_echo(u8(in) ? HV_S_CONT : HV_S_OK);
		break;
	case OP_RAW:
		op_raw(in);
		break;
	case OP_ASK:
		ask(u8(in));
		break;
	case OP_CANCEL:
		cancel();
		break;
	case OP_PAUSE:
		pause_or_resume(u8(in));
		break;
	case OP_FULL:
		if (is_open() && u8(in))
			f.g.channel->full = true;
		else if (is_open())
			channel_fake_room(f.g.channel);
		break;
	case OP_RUN:
		ic_guest_run(&f.g, 1);
		break;
	}
	/* The last thing that the host said is what is answered. */
	while (is_open() && ic_guest_next(&f.g, &f.message))
		;
}

/* --- The whole. ------------------------------------------------------------------------------ */

static void start(uint8_t service)
{
	struct ic_heartbeat_config heartbeat = {.interval_ns = NSEC_PER_MSEC,
						.lost_ns = 2 * NSEC_PER_MSEC};
	struct ic_timesync_config timesync = {.interval_ns = NSEC_PER_MSEC,
					      .reference_time = reference_time};
	struct ic_vss_config vss = {0};
	int r = 0;

	memset(&f, 0, sizeof(f));
	ic_guest_init(&f.g);
	f.service = service % SERVICES;
	heartbeat.bus = timesync.bus = vss.bus = &f.g.bus;
	heartbeat.loop = timesync.loop = vss.loop = f.g.loop;
	switch (f.service) {
	case SHUTDOWN:
		r = ic_shutdown_create(&f.g.bus, f.g.loop, NULL, &f.shutdown);
		break;
	case HEARTBEAT:
		r = ic_heartbeat_create(&heartbeat, NULL, &f.heartbeat);
		break;
	case TIMESYNC:
		r = ic_timesync_create(&timesync, NULL, &f.timesync);
		break;
	case KVP:
		r = ic_kvp_create(&f.g.bus, f.g.loop, "fuzz", NULL, &f.kvp);
		break;
	default:
		r = ic_vss_create(&vss, NULL, &f.vss);
	}
	assert(r == 0);
}

static void finish(void)
{
	ic_guest_finish(&f.g);
	ic_shutdown_destroy(f.shutdown);
	ic_heartbeat_destroy(f.heartbeat);
	ic_timesync_destroy(f.timesync);
	ic_kvp_destroy(f.kvp);
	ic_vss_destroy(f.vss);
	assert(f.asked == f.done);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.data = data, .left = size};

	log_set_level(LOG_ERROR);
	start(u8(&in));
	for (unsigned int i = 0; in.left && i < 1000; i++)
		run(&in);
	finish();
	return 0;
}
