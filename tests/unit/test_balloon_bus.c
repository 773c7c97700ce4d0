// SPDX-License-Identifier: MIT
/* The balloon on a real bus: through rings, with rings in the balloon, and across resets. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus_guest.h"
#include "devices/balloon.h"
#include "devices/dm_proto.h"

#define RING_PAGES 4u /* 12 KiB of data, as Linux has */

static struct bus_guest guest;
static struct balloon *balloon;
static struct bus_guest_channel ch;
static struct balloon_state state;

/* --- The host, on the bus' loop. ------------------------------------------------------------- */

static int grow(void *ctx, uint64_t len, struct error *err)
{
	return error_set(err, -ENOMEM, "no memory");
}

static void settled(void *ctx, const char *why)
{
}

static void create(void *arg)
{
	static const struct balloon_host_ops ops = {.grow = grow, .settled = settled};
	const struct balloon_config config = {
		.bus = guest.bus,
		.loop = guest.thread.loop,
		.mem = guest.mem,
		.vm = "vm",
		.minimum = MiB(16),
		.maximum = MiB(32),
		.answer_ns = BALLOON_ANSWER_NS,
		.ops = &ops,
	};
	struct error err;

	ck_assert_int_eq(balloon_create(&config, &err, &balloon), 0);
}

static void destroy(void *arg)
{
	balloon_destroy(balloon);
}

static void set_target(void *arg)
{
	(void)balloon_set_target(balloon, MiB(*(uint64_t *)arg));
}

static void get_state(void *arg)
{
	balloon_get_state(balloon, &state);
}

static void reset(void *arg)
{
	balloon_reset(balloon);
}

static void target(uint64_t mib)
{
	bus_guest_call(&guest, set_target, &mib);
}

/* Waits until the guest has @mib by the host's account. */
static bool has(uint64_t mib)
{
	for (unsigned int ms = 0; ms < BUS_GUEST_MS; ms += 5) {
		bus_guest_call(&guest, get_state, NULL);
		if (state.assigned == MiB(mib))
			return true;
		loop_thread_pump(&guest.thread);
	}
	return false;
}

/* --- The guest. ------------------------------------------------------------------------------ */

static void say(uint16_t type, void *message, uint32_t len)
{
	const struct dm_header header = {.type = type, .size = (uint16_t)len};

	memcpy(message, &header, sizeof(header));
	ck_assert(bus_guest_send(&ch, false, 0, message, len));
}

/* The next message, which is of @type; behind its descriptor. */
static const void *hear(uint16_t type)
{
	static uint64_t buf[DM_MESSAGE_MAX / 8 + 8];
	const struct dm_header *header = (const void *)(buf + 2);

	ck_assert_uint_gt(bus_guest_receive(&ch, buf, sizeof(buf), BUS_GUEST_MS), 16);
	ck_assert_uint_eq(header->type, type);
	return header;
}

static void start(void)
{
	struct dm_version_request version = {.version = DYNMEM_PROTOCOL_VERSION_3};
	struct dm_capabilities caps = {.caps = DM_CAP_BALLOON | DM_CAP_HOT_ADD};
	struct dm_status status = {.num_avail = MiB(32) >> PAGE_SHIFT, .num_committed = 256};
	struct vmbus_channel_offer_channel offer;

	bus_guest_connect(&guest, VERSION_WIN10_V5_3, &offer, 1);
	bus_guest_channel_init(&guest, &ch, &offer, RING_PAGES, 1);
	ck_assert_uint_eq(bus_guest_open(&ch), 0);
	say(DM_VERSION_REQUEST, &version, sizeof(version));
	(void)hear(DM_VERSION_RESPONSE);
	say(DM_CAPABILITIES_REPORT, &caps, sizeof(caps));
	(void)hear(DM_CAPABILITIES_RESPONSE);
	(void)hear(DM_INFO_MESSAGE);
	say(DM_STATUS_REPORT, &status, sizeof(status));
}

static void give(uint64_t first, uint64_t pages)
{
	struct {
		struct dm_balloon_response head;
		uint64_t range;
	} message = {.head.more_and_count = 1 << 1, .range = first | pages << DM_RANGE_START_BITS};

	say(DM_BALLOON_RESPONSE, &message, sizeof(message));
}

static void setup(void)
{
	bus_guest_create(&guest, NULL);
	bus_guest_call(&guest, create, NULL);
	start();
}

static void teardown(void)
{
	bus_guest_reset(&guest);
	bus_guest_call(&guest, destroy, NULL);
	bus_guest_destroy(&guest);
}

/* --- Cases. ---------------------------------------------------------------------------------- */

START_TEST(down_and_up)
{
	struct dm_unballoon_response response;
	const struct dm_balloon_request *request;

	target(28);
	request = hear(DM_BALLOON_REQUEST);
	ck_assert_uint_eq(request->num_pages, 1024);
	give(MiB(24) >> PAGE_SHIFT, 1024);
	ck_assert(has(28));
	target(32);
	(void)hear(DM_UNBALLOON_REQUEST);
	say(DM_UNBALLOON_RESPONSE, &response, sizeof(response));
	ck_assert(has(32));
}
END_TEST

/* The rings themselves: they are empty then, for both sides, and the host carries on. */
START_TEST(gives_its_rings)
{
	target(28);
	(void)hear(DM_BALLOON_REQUEST);
	give(ch.gpa >> PAGE_SHIFT, 2 * RING_PAGES);
	/* Whether the channel lives on is nobody's business; the bus does. */
	bus_guest_call(&guest, get_state, NULL);
	target(32);
	bus_guest_signal(&ch);
	loop_thread_pump(&guest.thread);
	bus_guest_reset(&guest);
	start();
	target(28);
	(void)hear(DM_BALLOON_REQUEST);
	give(MiB(24) >> PAGE_SHIFT, 1024);
	ck_assert(has(28));
}
END_TEST

START_TEST(reset_while_out)
{
	char byte = 1, back = 0;

	target(28);
	(void)hear(DM_BALLOON_REQUEST);
	give(MiB(24) >> PAGE_SHIFT, 1024);
	ck_assert(has(28));
	bus_guest_reset(&guest);
	bus_guest_call(&guest, reset, NULL);
	ck_assert(has(32));
	bus_guest_call(&guest, get_state, NULL);
	ck_assert_uint_eq(state.target, MiB(32));
	ck_assert(!state.driver);
	ck_assert_int_eq(mem_write(guest.mem, MiB(24), &byte, 1), 0);
	ck_assert_int_eq(mem_read(guest.mem, MiB(24), &back, 1), 0);
	ck_assert_int_eq(back, 1);
	start();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("balloon_bus");
	TCase *tc = tcase_create("balloon_bus");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, down_and_up);
	tcase_add_test(tc, gives_its_rings);
	tcase_add_test(tc, reset_while_out);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
