// SPDX-License-Identifier: MIT
/* The messages of GPADLs: answers, bodies, and teardowns that have to wait. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server_fake.h"

static struct fake_bus *bus;
static struct fake_channel *c;

static void setup(void)
{
	bus = fake_create_default();
	c = &bus->channels[0];
}

static void teardown(void)
{
	fake_destroy(bus);
}

static void expect_created(uint32_t relid, uint32_t handle, uint32_t status)
{
	const struct fake_message *m = fake_next(bus);
	const struct vmbus_channel_gpadl_created *r;

	ck_assert_ptr_nonnull(m);
	r = (const void *)&m->m;
	ck_assert_uint_eq(m->len, sizeof(*r));
	ck_assert_uint_eq(r->header.msgtype, CHANNELMSG_GPADL_CREATED);
	ck_assert_uint_eq(r->child_relid, relid);
	ck_assert_uint_eq(r->gpadl, handle);
	ck_assert_uint_eq(r->creation_status, status);
}

static void expect_torn_down(uint32_t handle)
{
	const struct fake_message *m = fake_next(bus);

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->m.header.msgtype, CHANNELMSG_GPADL_TORNDOWN);
	ck_assert_uint_eq(((const struct vmbus_channel_gpadl_torndown *)&m->m)->gpadl, handle);
}

static void prepare(void)
{
	ck_assert_int_eq(fake_offer(bus, 0, 0), 0);
	fake_connect(bus, VERSION_WIN10_V5_3);
}

/* A header that announces @pages and brings none. */
static int announce(uint32_t relid, uint32_t handle, unsigned int pages)
{
	struct {
		struct vmbus_channel_gpadl_header header;
		uint32_t range[2];
	} m = {.header = {.header = {.msgtype = CHANNELMSG_GPADL_HEADER},
			  .child_relid = relid,
			  .gpadl = handle,
			  .range_buflen = (uint16_t)(8 + 8 * pages),
			  .rangecount = 1},
	       .range = {pages * PAGE_SIZE, 0}};

	return fake_post(bus, &m, sizeof(m));
}

static int body(uint32_t handle, uint64_t page, unsigned int pages)
{
	struct {
		struct vmbus_channel_gpadl_body body;
		uint64_t pfn[28];
	} m = {.body = {.header = {.msgtype = CHANNELMSG_GPADL_BODY}, .gpadl = handle}};

	for (unsigned int i = 0; i < pages; i++)
		m.pfn[i] = page + i;
	return fake_post(bus, &m, sizeof(m.body) + sizeof(uint64_t) * pages);
}

START_TEST(several_messages)
{
	struct gpadl *gpadl;

	prepare();
	ck_assert_int_eq(announce(1, 9, 40), 0);
	ck_assert(fake_silent(bus));
	ck_assert_int_eq(fake_open(bus, 1, 9, 0), 0); /* not yet */
	ck_assert(fake_expect(bus, CHANNELMSG_OPENCHANNEL_RESULT));
	ck_assert_uint_eq(c->offer.open_status, VMBUS_STATUS_INVALID_PARAMETER);
	ck_assert_int_eq(body(9, 100, 28), 0);
	ck_assert(fake_silent(bus));
	ck_assert_int_eq(body(9, 200, 12), 0);
	expect_created(1, 9, 0);
	ck_assert_int_eq(gpadl_get(vmbus_server_gpadls(bus->s), 1, 9, &gpadl), 0);
	ck_assert_uint_eq(gpadl_ring_pages(gpadl), 40);
	gpadl_put(gpadl);
	ck_assert_int_eq(body(9, 300, 1), 0); /* too many */
	ck_assert(fake_silent(bus));
	ck_assert_int_eq(fake_teardown(bus, 1, 9), 0);
	expect_torn_down(9);
}
END_TEST

START_TEST(refusals)
{
	prepare();
	ck_assert_int_eq(fake_gpadl(bus, 2, 9, 16, 4), 0); /* no such channel */
	expect_created(2, 9, VMBUS_STATUS_INVALID_PARAMETER);
	ck_assert_int_eq(fake_gpadl(bus, UINT32_MAX, 9, 16, 4), 0);
	expect_created(UINT32_MAX, 9, VMBUS_STATUS_INVALID_PARAMETER);
	ck_assert_int_eq(fake_gpadl(bus, 0, 9, 16, 4), 0);
	expect_created(0, 9, VMBUS_STATUS_INVALID_PARAMETER);
	ck_assert_int_eq(fake_gpadl(bus, 1, 9, FAKE_MEM >> PAGE_SHIFT, 1), 0); /* not RAM */
	expect_created(1, 9, VMBUS_STATUS_INVALID_PARAMETER);
	ck_assert_int_eq(fake_gpadl(bus, 1, 0, 16, 4), 0);
	expect_created(1, 0, VMBUS_STATUS_INVALID_PARAMETER);
	ck_assert_int_eq(fake_gpadl(bus, 1, 9, 16, 4), 0);
	expect_created(1, 9, 0);
	ck_assert_int_eq(fake_gpadl(bus, 1, 9, 32, 4), 0); /* the handle is taken */
	expect_created(1, 9, VMBUS_STATUS_INVALID_PARAMETER);
	ck_assert_int_eq(fake_teardown(bus, 1, 9), 0);
	expect_torn_down(9);
	ck_assert_int_eq(announce(1, 9, 4), 0);
	ck_assert_int_eq(body(9, FAKE_MEM >> PAGE_SHIFT, 4), 0); /* not RAM, in the body */
	expect_created(1, 9, VMBUS_STATUS_INVALID_PARAMETER);
	ck_assert_int_eq(body(9, 16, 4), 0);
	ck_assert(fake_silent(bus));
	ck_assert_uint_eq(counter_get(&vmbus_server_counters(bus->s)->gpadl_failures), 7);
}
END_TEST

START_TEST(limit)
{
	const struct vmbus_server_config config = {.gpadl_limits = {100, 100, 2, 100, 100},
						   .vp_count = 1};
	struct fake_bus *mine = bus;

	bus = fake_create(&config);
	ck_assert_int_eq(fake_offer(bus, 0, 0), 0);
	ck_assert_int_eq(fake_contact(bus, VERSION_WIN8), 0);
	ck_assert_int_eq(fake_header(bus, CHANNELMSG_REQUESTOFFERS), 0);
	fake_skip(bus);
	ck_assert_int_eq(fake_gpadl(bus, 1, 1, 16, 1), 0);
	expect_created(1, 1, 0);
	ck_assert_int_eq(fake_gpadl(bus, 1, 2, 17, 1), 0);
	expect_created(1, 2, 0);
	ck_assert_int_eq(fake_gpadl(bus, 1, 3, 18, 1), 0);
	expect_created(1, 3, VMBUS_STATUS_INSUFFICIENT_RESOURCES);
	fake_destroy(bus);
	bus = mine;
}
END_TEST

START_TEST(teardown_wrong)
{
	prepare();
	ck_assert_int_eq(fake_offer(bus, 1, 0), 0);
	ck_assert_int_eq(fake_gpadl(bus, 1, 1, 16, 4), 0);
	fake_skip(bus);
	ck_assert_int_eq(fake_teardown(bus, 2, 1), 0); /* of another channel */
	ck_assert_int_eq(fake_teardown(bus, 1, 2), 0);
	ck_assert_int_eq(fake_teardown(bus, 3, 1), 0);
	ck_assert(fake_silent(bus));
	ck_assert_uint_eq(counter_get(&vmbus_server_counters(bus->s)->invalid), 3);
	ck_assert_int_eq(fake_teardown(bus, 1, 1), 0);
	expect_torn_down(1);
	ck_assert_int_eq(fake_teardown(bus, 1, 1), 0);
	ck_assert(fake_silent(bus));
}
END_TEST

START_TEST(held_while_open)
{
	c->keep_gpadl = true;
	fake_connect_open(bus, VERSION_WIN10_V5_3);
	ck_assert_int_eq(fake_teardown(bus, 1, 1), 0);
	ck_assert_uint_eq(bus->wanted, 1);
	ck_assert_int_eq(fake_teardown(bus, 1, 1), 0); /* already asked for */
	ck_assert_uint_eq(bus->wanted, 1);
	ck_assert(fake_silent(bus));
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_CLOSECHANNEL, 1), 0);
	expect_torn_down(1);
	ck_assert(fake_silent(bus));
	ck_assert_uint_eq(bus->s->deferred, 0);
}
END_TEST

START_TEST(held_while_rescinded)
{
	c->slow = c->keep_gpadl = true;
	fake_connect_open(bus, VERSION_WIN10_V5_3);
	ck_assert_int_eq(fake_teardown(bus, 1, 1), 0);
	vmbus_offer_revoke(&c->offer);
	ck_assert(fake_expect(bus, CHANNELMSG_RESCIND_CHANNELOFFER));
	if (_i) { /* given back first: the device's hold is nobody's business any more */
		ck_assert_int_eq(fake_relid(bus, CHANNELMSG_RELID_RELEASED, 1), 0);
		ck_assert_uint_eq(bus->s->deferred, 0);
		fake_closed(c);
		ck_assert(fake_silent(bus));
	} else {
		fake_closed(c);
		expect_torn_down(1);
		ck_assert_int_eq(fake_gpadl(bus, 1, 4, 64, 4), 0); /* no more for this one */
		expect_created(1, 4, VMBUS_STATUS_INVALID_PARAMETER);
		ck_assert_int_eq(fake_relid(bus, CHANNELMSG_RELID_RELEASED, 1), 0);
	}
	ck_assert_uint_eq(c->releases, 1);
}
END_TEST

START_TEST(unsent_teardowns)
{
	c->slow = c->keep_gpadl = true;
	fake_connect_open(bus, VERSION_WIN10_V5_3);
	ck_assert_int_eq(fake_teardown(bus, 1, 1), 0);
	ck_assert_int_eq(fake_relid(bus, CHANNELMSG_CLOSECHANNEL, 1), 0);
	bus->room = 0;
	fake_closed(c);
	ck_assert_uint_eq(bus->s->torn_down_count, 1);
	/* At the limit nothing more is taken until the guest reads. */
	bus->s->torn_down_count = VMBUS_TEARDOWNS_MAX;
	ck_assert_int_eq(fake_teardown(bus, 1, 7), -EAGAIN);
	bus->s->torn_down_count = 1;
	ck_assert_int_eq(fake_teardown(bus, 1, 7), 0);
	bus->room = 1;
	ck_assert(vmbus_server_flush(bus->s));
	expect_torn_down(1);
}
END_TEST

START_TEST(held_at_the_end_of_the_connection)
{
	c->slow = c->keep_gpadl = true;
	fake_connect_open(bus, VERSION_WIN10_V5_3);
	ck_assert_int_eq(fake_teardown(bus, 1, 1), 0);
	ck_assert_int_eq(fake_contact(bus, VERSION_WIN10), 0);
	fake_closed(c);
	ck_assert(fake_expect(bus, CHANNELMSG_VERSION_RESPONSE));
	ck_assert(fake_silent(bus)); /* nobody is told of what the guest before wanted */
	ck_assert_uint_eq(bus->s->deferred, 0);
}
END_TEST

START_TEST(gone_with_the_connection)
{
	prepare();
	ck_assert_int_eq(announce(1, 1, 40), 0);
	ck_assert_int_eq(fake_gpadl(bus, 1, 2, 16, 4), 0);
	fake_connect(bus, VERSION_WIN10);
	ck_assert_int_eq(body(1, 100, 28), 0);
	ck_assert(fake_silent(bus));
	ck_assert_int_eq(fake_teardown(bus, 1, 2), 0);
	ck_assert(fake_silent(bus));
	ck_assert_int_eq(fake_gpadl(bus, 1, 2, 16, 4), 0);
	expect_created(1, 2, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("server_gpadl");
	TCase *t = tcase_create("server_gpadl");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, several_messages);
	tcase_add_test(t, refusals);
	tcase_add_test(t, limit);
	tcase_add_test(t, teardown_wrong);
	tcase_add_test(t, held_while_open);
	tcase_add_loop_test(t, held_while_rescinded, 0, 2);
	tcase_add_test(t, unsent_teardowns);
	tcase_add_test(t, held_at_the_end_of_the_connection);
	tcase_add_test(t, gone_with_the_connection);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
