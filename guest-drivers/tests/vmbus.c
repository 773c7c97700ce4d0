// SPDX-License-Identifier: MIT
/*
 * VMBus: every version, versions that there are not, offers, and connecting again and again.
 *
 * Parameters: offers=N (how many the machine makes, at least; default 0), max=N (the highest
 * version that it agrees to, as the index below; default 10).
 */
#include "kit/hv.h"
#include "kit/kit.h"
#include "kit/vmbus.h"

#define OFFERS_MAX 16

static const uint32_t versions[] = {
	VERSION_WS2008,     VERSION_WIN7,       VERSION_WIN8,       VERSION_WIN8_1,
	VERSION_WIN10,      VERSION_WIN10_V4_1, VERSION_WIN10_V5,   VERSION_WIN10_V5_1,
	VERSION_WIN10_V5_2, VERSION_WIN10_V5_3, VERSION_WIN_COPPER,
};

static struct vmbus_channel_offer_channel first[OFFERS_MAX];
static unsigned int offer_count;

static void test_presence(void)
{
	check_eq(hv_post(VMBUS_MESSAGE_CONNECTION_ID, VMBUS_MESSAGE_TYPE, "", 0), HV_STATUS_SUCCESS,
		 "there is a connection 1");
	check_eq(hv_post(VMBUS_MESSAGE_CONNECTION_ID_4, VMBUS_MESSAGE_TYPE, "", 0),
		 HV_STATUS_SUCCESS, "and a connection 4");
	check_eq(hv_post(VMBUS_MESSAGE_CONNECTION_ID, 0x7777, "other", 5), HV_STATUS_SUCCESS,
		 "messages of other types go nowhere");
}

static void test_unknown_versions(void)
{
	static const uint32_t unknown[] = {0,
					   VMBUS_VERSION(0, 12),
					   VMBUS_VERSION(2, 3),
					   VMBUS_VERSION(5, 4),
					   VMBUS_VERSION(7, 0),
					   UINT32_MAX};

	for (unsigned int i = 0; i < ARRAY_SIZE(unknown); i++)
		expect(!vmbus_contact(unknown[i]));
	test_case("versions that there are not are refused");
}

static bool same_offer(const struct vmbus_channel_offer_channel *a,
		       const struct vmbus_channel_offer_channel *b)
{
	return !memcmp(&a->offer, &b->offer, sizeof(a->offer)) && a->child_relid == b->child_relid;
}

static void test_versions(void)
{
	struct vmbus_channel_offer_channel offers[OFFERS_MAX];
	unsigned int max = (unsigned int)param_u64("max", ARRAY_SIZE(versions) - 1);

	for (unsigned int i = 0; i < ARRAY_SIZE(versions); i++) {
		const uint32_t v = versions[i];

		expect_eq(vmbus_contact(v), i <= max);
		if (i > max) {
			test_case("version %u.%u is too high", v >> 16, v & 0xffff);
			continue;
		}
		expect_eq(vmbus_offers(offers, OFFERS_MAX), offer_count);
		for (unsigned int n = 0; n < offer_count && n < OFFERS_MAX; n++)
			expect(same_offer(&offers[n], &first[n]));
		if (i % 2)
			expect(vmbus_unload());
		test_case("version %u.%u, with the same offers", v >> 16, v & 0xffff);
	}
}

static void test_offers(void)
{
	expect(vmbus_contact(VERSION_WIN10));
	offer_count = vmbus_offers(first, OFFERS_MAX);
	note("%u offers", offer_count);
	for (unsigned int i = 0; i < offer_count && i < OFFERS_MAX; i++) {
		expect(first[i].child_relid > 0 && first[i].child_relid <= VMBUS_RELID_MAX);
		expect_eq(first[i].is_dedicated_interrupt, 1);
		expect_eq(first[i].monitor_allocated, 0);
		expect(first[i].connection_id > VMBUS_MESSAGE_CONNECTION_ID_4);
		for (unsigned int n = 0; n < i; n++)
			expect(first[n].child_relid != first[i].child_relid &&
			       first[n].connection_id != first[i].connection_id);
	}
	expect(offer_count >= param_u64("offers", 0));
	test_case("offers are well-formed");
}

/* What a guest may not do before it has connected, or twice. */
static void test_order(void)
{
	union vmbus_message m;

	expect(vmbus_contact(VERSION_WIN8));
	expect(vmbus_unload());
	vmbus_post_header(CHANNELMSG_REQUESTOFFERS);
	vmbus_post_relid(CHANNELMSG_CLOSECHANNEL, 1);
	expect(!vmbus_next(&m, 50));
	expect(vmbus_contact(VERSION_WIN10_V5_2) || vmbus_contact(VERSION_WIN8));
	expect_eq(vmbus_offers(NULL, 0), offer_count);
	vmbus_post_header(CHANNELMSG_REQUESTOFFERS);
	expect(!vmbus_next(&m, 50));
	expect(vmbus_unload());
	test_case("messages that are not due are not heeded");
}

static void test_again(void)
{
	for (unsigned int i = 0; i < 20; i++) {
		expect(vmbus_contact(VERSION_WIN8));
		expect_eq(vmbus_offers(NULL, 0), offer_count);
		if (i % 3 == 0)
			expect(vmbus_unload());
	}
	test_case("twenty connections, one after the other");
}

void test_main(void)
{
	hv_init();
	if (!hv_eax(HV_EAX_SYNIC))
		skip_all("SynIC is not announced");
	vmbus_init();
	if (hv_post(VMBUS_MESSAGE_CONNECTION_ID, VMBUS_MESSAGE_TYPE, "", 0) ==
	    HV_STATUS_INVALID_CONNECTION_ID)
		skip_all("there is no VMBus");
	test_presence();
	test_unknown_versions();
	test_offers();
	test_versions();
	test_order();
	test_again();
	vmbus_unload();
	hv_synic_off(NULL);
	irq_disable();
}
