// SPDX-License-Identifier: MIT
/* Forwarded ports, the addresses of user-mode networks, and Ethernet addresses, from text. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/net_plan.h"

static struct error err;

START_TEST(forwards)
{
	struct net_forward f;

	ck_assert_int_eq(net_forward_parse("tcp:2222:22", &err, &f), 0);
	ck_assert(!f.udp && !f.ipv6);
	ck_assert_uint_eq(f.host.s_addr, htonl(INADDR_LOOPBACK));
	ck_assert_uint_eq(f.host_port, 2222);
	ck_assert_uint_eq(f.guest_port, 22);
	ck_assert_int_eq(net_forward_parse("udp:0.0.0.0:65535:1", &err, &f), 0);
	ck_assert(f.udp);
	ck_assert_uint_eq(f.host.s_addr, 0);
	ck_assert_uint_eq(f.host_port, 65535);
	ck_assert_int_eq(net_forward_parse("tcp:[fe80::1]:80:8080", &err, &f), 0);
	ck_assert(f.ipv6);
	ck_assert_uint_eq(f.host6.s6_addr[0], 0xfe);
	ck_assert_uint_eq(f.guest_port, 8080);
}
END_TEST

START_TEST(no_forwards)
{
	static const char *const texts[] = {
		"",
		"tcp",
		"tcp:",
		"tcp:1",
		"tcp:1:",
		"tcp::1",
		"sctp:1:2",
		"tcp:0:1",
		"tcp:1:0",
		"tcp:65536:1",
		"tcp:1:65536",
		"tcp:1:2:3",
		"tcp:1:2 ",
		"tcp: 1:2",
		"tcp:+1:2",
		"tcp:1.2.3:1:2",
		"tcp::::",
		"tcp:[::1:1:2",
		"tcp:[::1]1:2",
		"tcp:[1.2.3.4]:1:2",
		"tcp:[]:1:2",
		"tcp:[::1]",
		"tcp:::1:1:2",
		"TCP:1:2",
		"tcp:1.2.3.4:",
		"tcp:0000000001:2",
		"tcp:1.2.3.4.5.6.7.8.9.10.11.12.13.14.15:1:2",
		"tcp:[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1:2",
	};
	struct net_forward f;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		ck_assert_msg(net_forward_parse(texts[i], &err, &f) == -EINVAL, "%s", texts[i]);
		ck_assert_ptr_nonnull(strstr(err.text, "expected tcp:"));
	}
}
END_TEST

static void is4(struct in_addr addr, const char *text)
{
	char buf[INET_ADDRSTRLEN];

	ck_assert_str_eq(inet_ntop(AF_INET, &addr, buf, sizeof(buf)), text);
}

static void is6(const struct in6_addr *addr, const char *text)
{
	char buf[INET6_ADDRSTRLEN];

	ck_assert_str_eq(inet_ntop(AF_INET6, addr, buf, sizeof(buf)), text);
}

START_TEST(plan_of_nothing)
{
	const struct net_plan_config config = {0};
	struct net_plan plan;

	ck_assert_int_eq(net_plan_make(&config, &err, &plan), 0);
	is4(plan.network, "10.0.2.0");
	is4(plan.mask, "255.255.255.0");
	is4(plan.host, "10.0.2.2");
	is4(plan.dns, "10.0.2.3");
	is4(plan.dhcp, "10.0.2.15");
	is6(&plan.network6, "fec0::");
	is6(&plan.host6, "fec0::2");
	is6(&plan.dns6, "fec0::3");
	ck_assert_uint_eq(plan.prefix6, 64);
}
END_TEST

START_TEST(plan_of_networks)
{
	struct net_plan_config config = {.network = "192.168.64.32/27",
					 .network6 = "fd00:1:2:8000::/49"};
	struct net_plan plan;

	ck_assert_msg(net_plan_make(&config, &err, &plan) == 0, "%s", err.text);
	is4(plan.host, "192.168.64.34");
	is4(plan.dhcp, "192.168.64.47");
	is6(&plan.dns6, "fd00:1:2:8000::3");
	config.host = "192.168.64.62";
	config.dns6 = "fd00:1:2:ffff::1";
	ck_assert_msg(net_plan_make(&config, &err, &plan) == 0, "%s", err.text);
	is4(plan.host, "192.168.64.62");
}
END_TEST

START_TEST(plans_that_do_not_fit)
{
	static const struct {
		struct net_plan_config config;
		const char *begins;
	} cases[] = {
		{{.network = "10.0.2.0"}, "network: "},
		{{.network = "10.0.2.0/"}, "network: "},
		{{.network = "10.0.2.0/28"}, "network: "},
		{{.network = "10.0.2.0/7"}, "network: "},
		{{.network = "10.0.2.1/24"}, "network: "},
		{{.network = "10.0.2.0/2 "}, "network: "},
		{{.network = "10.0.2.0/9999999999"}, "network: "},
		{{.host = "10.0.3.2"}, "host: "},
		{{.host = "10.0.2.0"}, "host: "},
		{{.host = "10.0.2.255"}, "host: "},
		{{.host = "x"}, "host: "},
		{{.host = "10.0.2.3"}, "dns: "},
		{{.dhcp = "10.0.2.2"}, "dhcp-start: "},
		{{.dns = "10.0.2.15"}, "dhcp-start: "},
		{{.network6 = "fec0::/65"}, "network6: "},
		{{.network6 = "fec0::1/64"}, "network6: "},
		{{.network6 = "fec0:0:0:1::/63"}, "network6: "},
		{{.network6 = "1.2.3.4/24"}, "network6: "},
		{{.host6 = "fd00::1"}, "host6: "},
		{{.host6 = "fec0::"}, "host6: "},
		{{.host6 = "fec0::3"}, "dns6: "},
	};
	struct net_plan plan;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_int_eq(net_plan_make(&cases[i].config, &err, &plan), -EINVAL);
		ck_assert_msg(strncmp(err.text, cases[i].begins, strlen(cases[i].begins)) == 0,
			      "%zu: %s", i, err.text);
	}
}
END_TEST

START_TEST(macs)
{
	static const char *const bad[] = {
		"",
		"02:00:00:00:00",
		"02:00:00:00:00:0",
		"02:00:00:00:00:001",
		"02 00:00:00:00:00",
		"0g:00:00:00:00:00",
		"01:00:00:00:00:00",
		"ff:ff:ff:ff:ff:ff",
		"00:00:00:00:00:00",
	};
	static const uint8_t expected[6] = {0x02, 0xab, 0xcd, 0xef, 0, 9};
	uint8_t mac[6];

	ck_assert_int_eq(net_mac_parse("02:ab:CD:ef:00:09", mac), 0);
	ck_assert_int_eq(memcmp(mac, expected, 6), 0);
	ck_assert_int_eq(net_mac_parse("02-ab-cd-ef-00-09", mac), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(net_mac_parse(bad[i], mac) == -EINVAL, "%s", bad[i]);
}
END_TEST

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, 6);
}

/* Always the same, ours, and unlike each other: names, NICs, and names that end in numbers. */
START_TEST(macs_of_names)
{
	static uint8_t seen[8 * 1000][6];
	static const uint8_t known[6] = {0xca, 0x1b, 0x12, 0x85, 0x29, 0x12};
	unsigned int count = 0;
	uint8_t mac[6];
	char name[16];

	net_mac_default("w1", 0, mac);
	ck_assert_int_eq(memcmp(mac, known, 6), 0);
	for (unsigned int vm = 0; vm < 1000; vm++) {
		snprintf(name, sizeof(name), "web%u", vm);
		for (unsigned int nic = 0; nic < 8; nic++)
			net_mac_default(name, nic, seen[count++]);
	}
	qsort(seen, count, 6, compare);
	for (unsigned int i = 1; i < count; i++) {
		ck_assert_uint_eq(seen[i][0], 0xca);
		ck_assert_int_ne(memcmp(seen[i - 1], seen[i], 6), 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net_plan");
	TCase *t = tcase_create("net_plan");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, forwards);
	tcase_add_test(t, no_forwards);
	tcase_add_test(t, plan_of_nothing);
	tcase_add_test(t, plan_of_networks);
	tcase_add_test(t, plans_that_do_not_fit);
	tcase_add_test(t, macs);
	tcase_add_test(t, macs_of_names);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
