// SPDX-License-Identifier: MIT
/* What integration services share: versions, questions, answers, and nonsense. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/ic/ic.h"
#include "ic_guest.h"

static const uint32_t versions[] = {IC_VERSION(1, 0), IC_VERSION(3, 0), IC_VERSION(3, 2)};

static struct ic_guest g;
static struct ic ic;
static struct seen {
	unsigned int ups, downs, answers, lates;
	uint32_t status, len;
	uint8_t body[64];
} seen;

static void on_up(void *ctx)
{
	seen.ups++;
}

static void on_down(void *ctx)
{
	seen.downs++;
}

static void on_answer(void *ctx, uint32_t status, const void *body, uint32_t len)
{
	seen.answers++;
	seen.status = status;
	seen.len = len;
	memcpy(seen.body, body, min_of(len, (uint32_t)sizeof(seen.body)));
}

static void on_late(void *ctx)
{
	seen.lates++;
}

static const struct ic_service service = {
	.name = "test",
	.type = 42,
	.versions = versions,
	.version_count = ARRAY_SIZE(versions),
	.body_max = 64,
	.up = on_up,
	.down = on_down,
	.answer = on_answer,
	.late = on_late,
};

static void setup(void)
{
	seen = (struct seen){0};
	ic_guest_init(&g);
	ck_assert_int_eq(ic_init(&ic, &g.bus, g.loop, &service, NULL, NULL), 0);
}

static void teardown(void)
{
	ic_guest_finish(&g);
	ic_finish(&ic);
}

static struct ic_guest_message next(void)
{
	struct ic_guest_message message;

	ck_assert(ic_guest_next(&g, &message));
	return message;
}

static uint64_t strays(void)
{
	return counter_get(&ic.counters.stray);
}

START_TEST(negotiates)
{
	struct ic_guest_message m;
	struct icmsg_negotiate head;

	ck_assert_int_eq(ic_ask(&ic, "x", 1, 0), -ENOTCONN);
	ic_guest_open(&g);
	m = next();
	ck_assert_uint_eq(m.header.icmsgtype, ICMSGTYPE_NEGOTIATE);
	ck_assert_uint_eq(m.header.icflags, ICMSGHDRFLAG_TRANSACTION | ICMSGHDRFLAG_REQUEST);
	ck_assert_uint_eq(m.len, 28 + 8 + 5 * 4);
	memcpy(&head, m.body, sizeof(head));
	ck_assert_uint_eq(head.icframe_vercnt, 2);
	ck_assert_uint_eq(head.icmsg_vercnt, 3);
	ck_assert(!ic_is_up(&ic));
	ck_assert_int_eq(ic_guest_negotiate(&g, &m, 1, IC_VERSION(3, 0), IC_VERSION(3, 2)), 0);
	ck_assert(ic_is_up(&ic));
	ck_assert_uint_eq(seen.ups, 1);
	ck_assert_uint_eq(ic.version, IC_VERSION(3, 2));
	ck_assert_uint_eq(ic.framework, IC_VERSION(3, 0));
	ic_guest_close(&g);
	ck_assert_uint_eq(seen.downs, 1);
	ck_assert(!ic_is_up(&ic));
}
END_TEST

/* Versions that were not offered, or none. */
START_TEST(no_version)
{
	static const uint32_t bad[][3] = {
		{0, 0, 0},
		{1, IC_VERSION(2, 0), IC_VERSION(3, 2)},
		{1, IC_VERSION(3, 0), IC_VERSION(3, 1)},
		{2, IC_VERSION(3, 0), IC_VERSION(3, 2)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ic_guest_message m;

		ic_guest_open(&g);
		m = next();
		ck_assert_int_eq(
			ic_guest_negotiate(&g, &m, (uint16_t)bad[i][0], bad[i][1], bad[i][2]), 0);
		ck_assert(!ic_is_up(&ic));
		ck_assert_int_eq(ic_ask(&ic, "x", 1, 0), -ENOTCONN);
		/* It does not get a second chance. */
		ck_assert_int_eq(ic_guest_negotiate(&g, &m, 1, IC_VERSION(3, 0), IC_VERSION(3, 2)),
				 0);
		ck_assert(!ic_is_up(&ic));
		ic_guest_close(&g);
	}
	ck_assert_uint_eq(seen.ups + seen.downs, 0);
}
END_TEST

START_TEST(asks)
{
	struct ic_guest_message m;

	ic_guest_start(&g, IC_VERSION(3, 0));
	ck_assert_int_eq(ic_ask(&ic, "question", 8, 0), 0);
	ck_assert_int_eq(ic_ask(&ic, "question", 8, 0), -EBUSY);
	m = next();
	ck_assert_uint_eq(m.header.icmsgtype, 42);
	ck_assert_uint_eq(m.header.icmsgsize, 8);
	ck_assert_uint_eq(m.header.icvermsg.major, 3);
	ck_assert_mem_eq(m.body, "question", 8);
	ck_assert_int_eq(ic_guest_answer(&g, &m, 7, "answer", 6), 0);
	ck_assert_uint_eq(seen.answers, 1);
	ck_assert_uint_eq(seen.status, 7);
	ck_assert_uint_eq(seen.len, 6);
	ck_assert_mem_eq(seen.body, "answer", 6);
	/* Once is enough. */
	ck_assert_int_eq(ic_guest_answer(&g, &m, 7, "answer", 6), 0);
	ck_assert_uint_eq(seen.answers, 1);
	ck_assert_uint_eq(strays(), 1);
	ck_assert_int_eq(ic_ask(&ic, "more", 4, 0), 0);
}
END_TEST

START_TEST(strays_are_ignored)
{
	struct ic_guest_message m, other;

	ic_guest_start(&g, IC_VERSION(3, 0));
	ck_assert_int_eq(ic_ask(&ic, "q", 1, 0), 0);
	m = next();
	other = m;
	other.header.ictransaction_id++;
	ck_assert_int_eq(ic_guest_answer(&g, &other, 0, NULL, 0), 0);
	other = m;
	other.header.icmsgtype = ICMSGTYPE_NEGOTIATE;
	ck_assert_int_eq(ic_guest_answer(&g, &other, 0, NULL, 0), 0);
	ck_assert_uint_eq(strays(), 2);
	ck_assert_uint_eq(seen.answers, 0);
	ck_assert_int_eq(ic_guest_answer(&g, &m, 0, NULL, 0), 0);
	ck_assert_uint_eq(seen.answers, 1);
}
END_TEST

/* A size that goes beyond the packet, and a request of the guest's own. */
START_TEST(lies)
{
	struct {
		struct vmbuspipe_hdr pipe;
		struct icmsg_hdr header;
	} packet = {.pipe = {.flags = IC_PIPE_DATA, .msgsize = sizeof(struct icmsg_hdr)}};
	struct ic_guest_message m;

	ic_guest_start(&g, IC_VERSION(3, 0));
	ck_assert_int_eq(ic_ask(&ic, "q", 1, 0), 0);
	m = next();
	packet.header = m.header;
	packet.header.icflags = ICMSGHDRFLAG_RESPONSE;
	packet.header.icmsgsize = 1;
	ck_assert_int_eq(ic_guest_send(&g, &packet, sizeof(packet)), 0);
	packet.header = m.header;
	packet.header.icmsgsize = 0;
	ck_assert_int_eq(ic_guest_send(&g, &packet, sizeof(packet)), 0);
	ck_assert_uint_eq(seen.answers, 0);
	ck_assert_uint_eq(strays(), 2);
}
END_TEST

/* What cannot be a message ends the channel, and what was asked with it. */
START_TEST(violations)
{
	static const struct vmbuspipe_hdr pipes[] = {
		{.flags = 2, .msgsize = 20},
		{.flags = IC_PIPE_DATA, .msgsize = 19},
		{.flags = IC_PIPE_DATA, .msgsize = 25},
		{.flags = IC_PIPE_DATA, .msgsize = UINT32_MAX},
	};
	uint8_t packet[32] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(pipes); i++) {
		ic_guest_start(&g, IC_VERSION(3, 0));
		ck_assert_int_eq(ic_ask(&ic, "q", 1, NSEC_PER_SEC), 0);
		memcpy(packet, &pipes[i], sizeof(pipes[i]));
		ck_assert_int_eq(ic_guest_send(&g, packet, sizeof(packet)), -EINVAL);
		ck_assert_uint_eq(seen.downs, i + 1);
	}
	ic_guest_start(&g, IC_VERSION(3, 0));
	ck_assert_int_eq(ic_guest_send(&g, packet, 24), -EINVAL);
	ck_assert_uint_eq(seen.answers + seen.lates, 0);
}
END_TEST

static bool is_late(void *arg)
{
	return seen.lates == 1;
}

START_TEST(late)
{
	struct ic_guest_message first, second;

	ic_guest_start(&g, IC_VERSION(3, 0));
	ck_assert_int_eq(ic_ask(&ic, "1", 1, NSEC_PER_MSEC), 0);
	first = next();
	ck_assert(ic_guest_until(&g, is_late, NULL));
	ck_assert_int_eq(ic_ask(&ic, "2", 1, 0), 0);
	second = next();
	ck_assert_int_eq(ic_guest_answer(&g, &first, 1, NULL, 0), 0);
	ck_assert_uint_eq(seen.answers, 0);
	ck_assert_int_eq(ic_guest_answer(&g, &second, 2, NULL, 0), 0);
	ck_assert_uint_eq(seen.answers, 1);
	ck_assert_uint_eq(seen.status, 2);
}
END_TEST

START_TEST(no_room)
{
	struct ic_guest_message m;

	ic_guest_start(&g, IC_VERSION(3, 0));
	g.channel->full = true;
	ck_assert_int_eq(ic_ask(&ic, "q", 1, 0), 0);
	ck_assert(!ic_guest_next(&g, &m));
	channel_fake_room(g.channel);
	m = next();
	ck_assert_int_eq(ic_guest_answer(&g, &m, 0, NULL, 0), 0);
	ck_assert_uint_eq(seen.answers, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ic");
	TCase *tc = tcase_create("ic");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, negotiates);
	tcase_add_test(tc, no_version);
	tcase_add_test(tc, asks);
	tcase_add_test(tc, strays_are_ignored);
	tcase_add_test(tc, lies);
	tcase_add_test(tc, violations);
	tcase_add_test(tc, late);
	tcase_add_test(tc, no_room);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
