// SPDX-License-Identifier: MIT
/* RNDIS control messages: their lengths and order, and what can be asked and set. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "netvsp_fake.h"

static struct netvsp_fake f;
static uint8_t info[600];
static uint32_t len;

static void setup(void)
{
	const struct netvsp_fake_config config = {.pumped = true, .queues = 4};

	netvsp_fake_init(&f, &config);
	netvsp_fake_start(&f, 0);
}

static void teardown(void)
{
	netvsp_fake_finish(&f);
}

static uint32_t query(uint32_t oid)
{
	memset(info, 0, sizeof(info));
	return netvsp_fake_query(&f, oid, info, sizeof(info), &len);
}

static uint32_t word(unsigned int i)
{
	uint32_t v;

	memcpy(&v, info + 4 * i, 4);
	return v;
}

/* --- Messages. ------------------------------------------------------------------------------- */

START_TEST(lengths_are_exact)
{
	static const struct {
		uint32_t type, msg_len, len;
	} rows[] = {
		{RNDIS_MSG_QUERY, 27, 28},
		{RNDIS_MSG_QUERY, 29, 28},
		{RNDIS_MSG_QUERY, 0, 28},
		{RNDIS_MSG_QUERY, ~0u, 28},
		{RNDIS_MSG_SET, 27, 28},
		{RNDIS_MSG_KEEPALIVE, 11, 12},
		{RNDIS_MSG_KEEPALIVE, 16, 16},
		{RNDIS_MSG_RESET, 8, 8},
		{RNDIS_MSG_HALT, 8, 12},
		{RNDIS_MSG_PACKET, 100, 100},
		{RNDIS_MSG_INDICATE, 20, 20},
		{0, 8, 8},
		{9, 28, 28},
		{0x80000004, 28, 28},
		{RNDIS_MSG_QUERY, 28, 4},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t message[32] = {rows[i].type, rows[i].msg_len};

		ck_assert_uint_eq(netvsp_fake_control(&f, message, rows[i].len),
				  NVSP_STAT_INVALID_RNDIS_PKT);
	}
	/* Too long for any. */
	{
		static uint32_t message[1024] = {RNDIS_MSG_SET, 4096};

		ck_assert_uint_eq(netvsp_fake_control(&f, message, 4096), NVSP_STAT_FAIL);
	}
}
END_TEST

START_TEST(information_lies_in_the_message)
{
	/* Length, offset. */
	static const uint32_t rows[][2] = {{4, 0},    {4, 19},  {4, 21},        {5, 20},
					   {~0u, 20}, {4, ~0u}, {~0u, ~0u - 3}, {1, 24}};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		const uint32_t message[8] = {
			RNDIS_MSG_SET, 32,         7, OID_GEN_CURRENT_PACKET_FILTER,
			rows[i][0],    rows[i][1], 0, 1};
		uint32_t answer[4];

		ck_assert_uint_eq(netvsp_fake_control(&f, message, 32), NVSP_STAT_SUCCESS);
		ck_assert_uint_eq(netvsp_fake_message(&f, answer, sizeof(answer)), 16);
		ck_assert_uint_eq(answer[2], 7);
		ck_assert_uint_eq(answer[3], RNDIS_STATUS_INVALID_LENGTH);
	}
	ck_assert_uint_eq(query(OID_GEN_CURRENT_PACKET_FILTER), 0);
	ck_assert_uint_eq(word(0), 0);
}
END_TEST

START_TEST(keep_alives_are_answered)
{
	const uint32_t keep[3] = {RNDIS_MSG_KEEPALIVE, 12, 77}, reset[3] = {RNDIS_MSG_RESET, 12, 0};
	uint32_t answer[4];

	ck_assert_uint_eq(netvsp_fake_control(&f, keep, 12), NVSP_STAT_SUCCESS);
	ck_assert_uint_eq(netvsp_fake_message(&f, answer, sizeof(answer)), 16);
	ck_assert_uint_eq(answer[0], 0x80000008);
	ck_assert_uint_eq(answer[2], 77);
	ck_assert_uint_eq(answer[3], 0);
	ck_assert_uint_eq(netvsp_fake_control(&f, reset, 12), NVSP_STAT_SUCCESS);
	ck_assert_uint_eq(netvsp_fake_message(&f, answer, sizeof(answer)), 16);
	ck_assert_uint_eq(answer[0], 0x80000006);
	ck_assert_uint_eq(answer[2], 0);
}
END_TEST

START_TEST(nothing_comes_before_and_after)
{
	const uint32_t halt[3] = {RNDIS_MSG_HALT, 12, 1}, keep[3] = {RNDIS_MSG_KEEPALIVE, 12, 1};
	const uint32_t old[6] = {RNDIS_MSG_INIT, 24, 5, 2, 0, 0x4000};
	uint32_t answer[16];
	uint8_t frame[64];

	ck_assert_uint_eq(netvsp_fake_control(&f, old, 24), NVSP_STAT_FAIL);
	ck_assert_uint_eq(netvsp_fake_control(&f, halt, 12), NVSP_STAT_SUCCESS);
	ck_assert_uint_eq(netvsp_fake_control(&f, halt, 12), NVSP_STAT_FAIL);
	ck_assert_uint_eq(netvsp_fake_control(&f, keep, 12), NVSP_STAT_FAIL);
	netvsp_fake_frame(frame, 64, 0);
	ck_assert_uint_eq(netvsp_fake_send(&f, frame, 64, NULL, 0), NVSP_STAT_FAIL);
	/* A version that there is not. */
	ck_assert_uint_eq(netvsp_fake_control(&f, old, 24), NVSP_STAT_SUCCESS);
	ck_assert_uint_eq(netvsp_fake_message(&f, answer, sizeof(answer)), 52);
	ck_assert_uint_eq(answer[3], RNDIS_STATUS_BAD_VERSION);
	netvsp_fake_initialize(&f);
	ck_assert_uint_eq(netvsp_fake_send(&f, frame, 64, NULL, 0), NVSP_STAT_SUCCESS);
}
END_TEST

/* A guest that does not take its answers is not heard any more, and then it is again. */
START_TEST(answers_wait_for_sections)
{
	const struct netvsp_fake_config config = {.pumped = true, .recv_pages = 1};
	const uint32_t keep[3] = {RNDIS_MSG_KEEPALIVE, 12, 1};
	struct netvsp_fake_packet packet;
	unsigned int taken = 0, answers = 0;
	uint64_t ids[64];

	netvsp_fake_init(&f, &config);
	netvsp_fake_start(&f, 0);
	for (unsigned int i = 0; i < 64; i++) {
		uint32_t status = netvsp_fake_control(&f, keep, 12);

		taken += status == NVSP_STAT_SUCCESS;
		if (status != NVSP_STAT_SUCCESS)
			ck_assert_uint_eq(status, NVSP_STAT_BUSY);
		if (netvsp_fake_next(&f, &f.ch, &packet, 0))
			ids[answers++] = packet.trans_id;
	}
	ck_assert_uint_eq(answers, f.section_count);
	ck_assert_uint_eq(taken, f.section_count + 8);
	for (unsigned int i = 0; i < answers; i++)
		netvsp_fake_return(&f.ch, ids[i]);
	for (; answers < taken; answers++) {
		ck_assert(netvsp_fake_next(&f, &f.ch, &packet, BUS_GUEST_MS));
		netvsp_fake_return(&f.ch, packet.trans_id);
	}
	ck_assert_uint_eq(netvsp_fake_control(&f, keep, 12), NVSP_STAT_SUCCESS);
}
END_TEST

/* --- Queries. -------------------------------------------------------------------------------- */

START_TEST(all_of_the_list_can_be_asked_or_set)
{
	uint32_t list[128], count;

	ck_assert_uint_eq(query(OID_GEN_SUPPORTED_LIST), 0);
	count = len / 4;
	ck_assert_uint_gt(count, 30);
	memcpy(list, info, len);
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t r = query(list[i]);

		for (uint32_t j = 0; j < i; j++)
			ck_assert_uint_ne(list[j], list[i]);
		if (r)
			ck_assert_uint_ne(netvsp_fake_set(&f, list[i], info, 0),
					  list[i] == OID_GEN_NETWORK_LAYER_ADDRESSES
						  ? 1
						  : RNDIS_STATUS_NOT_SUPPORTED);
	}
}
END_TEST

START_TEST(others_are_refused)
{
	/* Among them those of switches, which are for the host alone. */
	static const uint32_t others[] = {0,          0x00010100, 0x0001021a,
					  0x010c0001, 0x010c000f, 0x00010226,
					  0xfc010202, 0xffffffff, 0xfd010101};

	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		ck_assert_uint_eq(query(others[i]), RNDIS_STATUS_NOT_SUPPORTED);
		ck_assert_uint_eq(len, 0);
		ck_assert_uint_eq(netvsp_fake_set(&f, others[i], info, 64),
				  RNDIS_STATUS_NOT_SUPPORTED);
	}
}
END_TEST

START_TEST(what_is_asked_is_said)
{
	ck_assert_uint_eq(query(OID_802_3_PERMANENT_ADDRESS), 0);
	ck_assert_uint_eq(len, 6);
	ck_assert_mem_eq(info, netvsp_fake_mac, 6);
	ck_assert_uint_eq(query(OID_GEN_LINK_SPEED), 0);
	ck_assert_uint_eq(word(0), 100000000);
	ck_assert_uint_eq(query(OID_GEN_MAXIMUM_FRAME_SIZE), 0);
	ck_assert_uint_eq(word(0), 1500);
	ck_assert_uint_eq(query(OID_GEN_LINK_STATE), 0);
	ck_assert_uint_eq(len, sizeof(struct ndis_link_state));
	ck_assert_uint_eq(word(1), NDIS_LINK_CONNECTED);
	ck_assert_uint_eq(query(OID_GEN_RECEIVE_SCALE_CAPABILITIES), 0);
	ck_assert_uint_eq(len, 18);
	ck_assert_uint_eq(word(3), 4);
}
END_TEST

/* --- Offloads. ------------------------------------------------------------------------------- */

static struct ndis_offload caps(void)
{
	struct ndis_offload o;

	ck_assert_uint_eq(query(OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES), 0);
	memcpy(&o, info, sizeof(o));
	ck_assert_uint_eq(o.header.type, NDIS_OBJECT_TYPE_OFFLOAD);
	ck_assert_uint_eq(o.header.size, len);
	return o;
}

START_TEST(offloads_are_those_of_the_backend)
{
	struct ndis_offload o = caps();

	ck_assert_uint_eq(len, 156);
	ck_assert_uint_eq(o.header.revision, 3);
	/* What Linux wants to see of each. */
	ck_assert_uint_eq(o.csum.ip4_txcsum & 0x54, 0x54);
	ck_assert_uint_eq(o.csum.ip6_txcsum & 0x55, 0x55);
	ck_assert_uint_eq(o.lsov2.ip4_encap, 2);
	ck_assert_uint_eq(o.lsov2.ip6_opts, 5);
	ck_assert_uint_eq(o.lsov2.ip4_maxsz, 62780);
	ck_assert(o.rsc_ip4 && o.rsc_ip6);
	f.net.info.tso = false;
	o = caps();
	ck_assert_uint_eq(o.lsov2.ip4_encap, 0);
	ck_assert(!o.rsc_ip4);
	ck_assert_uint_ne(o.csum.ip4_txcsum, 0);
	f.net.info.checksum = false;
	o = caps();
	ck_assert_uint_eq(o.csum.ip4_txcsum, 0);
	ck_assert_uint_eq(o.csum.ip4_txenc, 0);
}
END_TEST

START_TEST(offloads_are_of_the_guests_version)
{
	const struct netvsp_fake_config config = {.pumped = true,
						  .version = NVSP_PROTOCOL_VERSION_4};
	struct ndis_offload o;

	netvsp_fake_init(&f, &config);
	netvsp_fake_start(&f, 0);
	o = caps();
	ck_assert_uint_eq(o.header.revision, 2);
	ck_assert_uint_eq(len, 144);
}
END_TEST

START_TEST(offloads_are_set_and_told)
{
	struct ndis_offload o;

	netvsp_fake_offload(&f, true);
	ck_assert_uint_eq(query(OID_TCP_OFFLOAD_CURRENT_CONFIG), 0);
	memcpy(&o, info, sizeof(o));
	ck_assert(o.rsc_ip4 && o.rsc_ip6);
	ck_assert_uint_eq(o.csum.ip4_rxcsum & 0x50, 0x50);
	ck_assert(net_fake_offloads(&f.net).tso4 && net_fake_offloads(&f.net).checksum);
	/* The guest begins anew: it has agreed to nothing. */
	netvsp_fake_close(&f);
	netvsp_fake_start(&f, 0);
	ck_assert(!net_fake_offloads(&f.net).tso4 && !net_fake_offloads(&f.net).checksum);
}
END_TEST

START_TEST(bad_offloads_are_refused)
{
	struct ndis_offload_params good = {
		.header = {NDIS_OBJECT_TYPE_DEFAULT, 3, sizeof(good)},
	};
	/* Byte, value. */
	static const uint8_t bad[][2] = {{0, 0x81}, {1, 0},  {2, 19}, {2, 29}, {4, 5},
					 {5, 255},  {6, 5},  {7, 5},  {8, 5},  {11, 3},
					 {12, 3},   {22, 3}, {23, 4}};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ndis_offload_params in = good;

		((uint8_t *)&in)[bad[i][0]] = bad[i][1];
		ck_assert_uint_eq(netvsp_fake_set(&f, OID_TCP_OFFLOAD_PARAMETERS, &in, sizeof(in)),
				  RNDIS_STATUS_INVALID_DATA);
	}
	good.lso_v1 = NDIS_OFFLOAD_ENABLED;
	ck_assert_uint_eq(netvsp_fake_set(&f, OID_TCP_OFFLOAD_PARAMETERS, &good, sizeof(good)),
			  RNDIS_STATUS_NOT_SUPPORTED);
	ck_assert_uint_eq(netvsp_fake_set(&f, OID_TCP_OFFLOAD_PARAMETERS, &good, 19),
			  RNDIS_STATUS_INVALID_LENGTH);
	ck_assert_uint_eq(netvsp_fake_set(&f, OID_TCP_OFFLOAD_PARAMETERS, info, 65),
			  RNDIS_STATUS_INVALID_LENGTH);
}
END_TEST

/* --- Addresses. ------------------------------------------------------------------------------ */

static uint32_t set_parameter(const char *name, const char *value, uint32_t type)
{
	uint32_t head[5] = {20, 2 * (uint32_t)strlen(name), type, 20 + 2 * (uint32_t)strlen(name),
			    2 * (uint32_t)strlen(value)};
	uint8_t buf[256] = {0};

	memcpy(buf, head, 20);
	for (unsigned int i = 0; name[i]; i++)
		buf[20 + 2 * i] = (uint8_t)name[i];
	for (unsigned int i = 0; value[i]; i++)
		buf[head[3] + 2 * i] = (uint8_t)value[i];
	return netvsp_fake_set(&f, OID_GEN_RNDIS_CONFIG_PARAMETER, buf, head[3] + head[4]);
}

/* As Linux does it. */
START_TEST(addresses_are_set_as_text)
{
	static const uint8_t mac[6] = {2, 0xab, 0xcd, 0xef, 0x12, 0x34};

	ck_assert_uint_eq(set_parameter("NetworkAddress", "02abcdEF1234", 2), 0);
	ck_assert_uint_eq(query(OID_802_3_CURRENT_ADDRESS), 0);
	ck_assert_mem_eq(info, mac, 6);
	ck_assert_uint_eq(query(OID_802_3_PERMANENT_ADDRESS), 0);
	ck_assert_mem_eq(info, netvsp_fake_mac, 6);
	ck_assert_uint_ne(set_parameter("NetworkAddress", "02abcdEF123", 2), 0);
	ck_assert_uint_ne(set_parameter("NetworkAddress", "02abcdEF12345", 2), 0);
	ck_assert_uint_ne(set_parameter("NetworkAddress", "02abcdEF123g", 2), 0);
	ck_assert_uint_ne(set_parameter("NetworkAddress", "01abcdef1234", 2), 0);
	ck_assert_uint_ne(set_parameter("NetworkAddress", "000000000000", 2), 0);
	ck_assert_uint_eq(set_parameter("NetworkAddres", "06abcdef1234", 2), 0);
	ck_assert_uint_eq(set_parameter("NetworkAddress", "06abcdef1234", 0), 0);
	ck_assert_uint_eq(query(OID_802_3_CURRENT_ADDRESS), 0);
	ck_assert_mem_eq(info, mac, 6);
}
END_TEST

START_TEST(parameters_lie_in_the_information)
{
	static const uint32_t bad[][5] = {
		{19, 2, 2, 20, 2}, {20, 11, 2, 20, 2}, {20, 2, 2, 20, 11},
		{31, 0, 2, 20, 2}, {~0u, 2, 2, 20, 2}, {20, ~0u - 10, 2, 20, 2},
		{20, 2, 2, 0, 2},  {20, 2, 2, ~0u, 1},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t buf[30] = {0};

		memcpy(buf, bad[i], 20);
		ck_assert_uint_eq(netvsp_fake_set(&f, OID_GEN_RNDIS_CONFIG_PARAMETER, buf, 30),
				  RNDIS_STATUS_INVALID_DATA);
	}
}
END_TEST

START_TEST(multicast_lists_are_bounded)
{
	uint8_t list[33 * 6];

	memset(list, 1, sizeof(list));
	ck_assert_uint_eq(netvsp_fake_set(&f, OID_802_3_MULTICAST_LIST, list, 32 * 6), 0);
	ck_assert_uint_eq(query(OID_802_3_MULTICAST_LIST), 0);
	ck_assert_uint_eq(len, 32 * 6);
	ck_assert_uint_eq(netvsp_fake_set(&f, OID_802_3_MULTICAST_LIST, list, 33 * 6),
			  RNDIS_STATUS_MULTICAST_FULL);
	ck_assert_uint_eq(netvsp_fake_set(&f, OID_802_3_MULTICAST_LIST, list, 7),
			  RNDIS_STATUS_INVALID_LENGTH);
	list[6] = 2;
	ck_assert_uint_eq(netvsp_fake_set(&f, OID_802_3_MULTICAST_LIST, list, 12),
			  RNDIS_STATUS_INVALID_DATA);
	ck_assert_uint_eq(netvsp_fake_set(&f, OID_802_3_MULTICAST_LIST, list, 0), 0);
	ck_assert_uint_eq(query(OID_802_3_MULTICAST_LIST), 0);
	ck_assert_uint_eq(len, 0);
}
END_TEST

/* --- Receive-side scaling. ------------------------------------------------------------------- */

struct scaling {
	struct ndis_recv_scale_param param;
	uint32_t table[128];
	uint8_t key[40];
};

static struct scaling scaling(void)
{
	struct scaling s = {
		.param = {.header = {NDIS_OBJECT_TYPE_RSS_PARAMETERS, 2, 40},
			  .hashinfo = 0x1501,
			  .indirect_tabsize = 512,
			  .indirect_taboffset = 40,
			  .hashkey_size = 40,
			  .hashkey_offset = 552},
	};

	for (unsigned int i = 0; i < 128; i++)
		s.table[i] = i % 4;
	return s;
}

START_TEST(tables_are_looked_at)
{
	struct scaling s = scaling();

	ck_assert_uint_eq(netvsp_fake_set(&f, OID_GEN_RECEIVE_SCALE_PARAMETERS, &s, sizeof(s)), 0);
	s.table[127] = 4;
	ck_assert_uint_ne(netvsp_fake_set(&f, OID_GEN_RECEIVE_SCALE_PARAMETERS, &s, sizeof(s)), 0);
	s = scaling();
	s.param.flag = NDIS_RSS_PARAM_DISABLE;
	s.param.indirect_tabsize = 0;
	ck_assert_uint_eq(netvsp_fake_set(&f, OID_GEN_RECEIVE_SCALE_PARAMETERS, &s, sizeof(s)), 0);
	for (unsigned int i = 0; i < 8; i++) {
		s = scaling();
		if (i == 0)
			s.param.indirect_tabsize = 0;
		if (i == 1)
			s.param.indirect_tabsize = 516;
		if (i == 2)
			s.param.indirect_tabsize = 511;
		if (i == 3)
			s.param.indirect_taboffset = 81;
		if (i == 4)
			s.param.indirect_taboffset = 0xfffffff0;
		if (i == 5)
			s.param.hashkey_size = 41;
		if (i == 6)
			s.param.hashkey_offset = 553;
		if (i == 7)
			s.param.hashinfo = 0x1502;
		ck_assert_uint_eq(
			netvsp_fake_set(&f, OID_GEN_RECEIVE_SCALE_PARAMETERS, &s, sizeof(s)),
			RNDIS_STATUS_INVALID_DATA);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("netvsp_oid");
	TCase *t = tcase_create("messages"), *own = tcase_create("own configuration");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, lengths_are_exact);
	tcase_add_test(t, information_lies_in_the_message);
	tcase_add_test(t, keep_alives_are_answered);
	tcase_add_test(t, nothing_comes_before_and_after);
	tcase_add_test(t, all_of_the_list_can_be_asked_or_set);
	tcase_add_test(t, others_are_refused);
	tcase_add_test(t, what_is_asked_is_said);
	tcase_add_test(t, offloads_are_those_of_the_backend);
	tcase_add_test(t, offloads_are_set_and_told);
	tcase_add_test(t, bad_offloads_are_refused);
	tcase_add_test(t, addresses_are_set_as_text);
	tcase_add_test(t, parameters_lie_in_the_information);
	tcase_add_test(t, multicast_lists_are_bounded);
	tcase_add_test(t, tables_are_looked_at);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(own, NULL, teardown);
	tcase_add_test(own, answers_wait_for_sections);
	tcase_add_test(own, offloads_are_of_the_guests_version);
	suite_add_tcase(s, own);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
