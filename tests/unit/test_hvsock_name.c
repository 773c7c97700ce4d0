// SPDX-License-Identifier: MIT
/* Names of hvsocket services. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/hvsock/hvsock_name.h"

START_TEST(ports)
{
	struct vmbus_guid guid = hvsock_port_guid(0x12345678);
	char name[HVSOCK_NAME_MAX];
	uint32_t port;

	ck_assert_mem_eq(guid.b, "\x78\x56\x34\x12\xcb\xfa\xe6\x11\xbd\x58\x64\x00\x6a\x79\x86\xd3",
			 16);
	ck_assert(hvsock_guid_port(&guid, &port));
	ck_assert_uint_eq(port, 0x12345678);
	hvsock_guid_name(&guid, name);
	ck_assert_str_eq(name, "305419896");
	guid.b[15]++;
	ck_assert(!hvsock_guid_port(&guid, &port));
	hvsock_guid_name(&guid, name);
	ck_assert_str_eq(name, "12345678-facb-11e6-bd58-64006a7986d4");
}
END_TEST

static int parse(const char *line, struct vmbus_guid *ret)
{
	return hvsock_parse_connect(line, strlen(line), ret);
}

START_TEST(requests)
{
	static const char *const bad[] = {
		"",
		"CONNECT",
		"CONNECT ",
		"CONNECT -1",
		"CONNECT 1 ",
		"CONNECT 1x",
		"CONNECT 4294967295",
		"CONNECT1",
		"LISTEN 1",
		"CONNECT 00000000001",
		"CONNECT 12345678-facb-11e6-bd58-64006a7986d",
		"CONNECT 12345678-facb-11e6-bd58-64006a7986dg",
		"CONNECT 12345678+facb-11e6-bd58-64006a7986d3",
	};
	struct vmbus_guid guid;
	uint32_t port;

	ck_assert_int_eq(parse("CONNECT 4294967294", &guid), 0);
	ck_assert(hvsock_guid_port(&guid, &port));
	ck_assert_uint_eq(port, 4294967294);
	ck_assert_int_eq(parse("connect 0\r", &guid), 0);
	ck_assert(hvsock_guid_port(&guid, &port));
	ck_assert_uint_eq(port, 0);
	ck_assert_int_eq(parse("CONNECT 0E0B6031-5213-4934-818b-38d90ced39db", &guid), 0);
	ck_assert_mem_eq(guid.b, "\x31\x60\x0b\x0e\x13\x52\x34\x49\x81\x8b\x38\xd9\x0c\xed\x39\xdb",
			 16);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(parse(bad[i], &guid) == -EINVAL, "%s", bad[i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hvsock_name");
	TCase *tc = tcase_create("hvsock_name");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, ports);
	tcase_add_test(tc, requests);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
