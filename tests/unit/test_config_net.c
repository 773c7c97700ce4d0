// SPDX-License-Identifier: MIT
/* NICs in the configuration: items from one text, defaults, and what does not fit together. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/config.h"
#include "vmm/config_table.h"
#include "vmm/config_tree.h"

static struct vm_config config;
static struct error err;

static void setup(void)
{
	config_init(&config);
	ck_assert_int_eq(config_tree_set(&config_vm_table, &config, "boot.kernel", "k", NULL, &err),
			 0);
}

static void teardown(void)
{
	config_finish(&config);
}

static int add(const char *text)
{
	return config_tree_set(&config_vm_table, &config, "networks[]", text, "/d", &err);
}

static void must_add(const char *text)
{
	ck_assert_msg(add(text) == 0, "%s: %s", text, err.text);
}

START_TEST(defaults)
{
	const struct config_net *net;

	must_add("user");
	ck_assert_int_eq(config_check(&config, &err), 0);
	net = &config.nets[0];
	ck_assert_int_eq(net->mode, CONFIG_NET_USER);
	ck_assert_int_eq(net->link, CONFIG_NET_LINK_UP);
	ck_assert(net->ipv4 && net->ipv6 && !net->restricted);
	ck_assert_ptr_null(net->mac);
	ck_assert_uint_eq(net->mtu, CONFIG_UINT_UNSET);
	ck_assert_uint_eq(net->queues, CONFIG_UINT_UNSET);
	ck_assert_uint_eq(net->tx_bandwidth, 0);
	ck_assert_uint_eq(net->pcap_snap, 65535);
	ck_assert_uint_eq(net->forward_count, 0);
}
END_TEST

START_TEST(keys)
{
	const struct config_net *net;

	must_add("user,forward=tcp:2222:22,forward=udp:[::1]:53:53,restrict,hostname=g,"
		 "network=10.9.0.0/16,link=down,rx-bandwidth=1M,tx-packets=5,pcap=x.pcapng");
	must_add("mode=tap,name=tap0,mtu=9000,queues=4,mac=02:00:00:00:00:01");
	must_add("tap,fd=5,fd=6");
	must_add("socket,path=s");
	must_add("null");
	must_add("none");
	ck_assert_msg(config_check(&config, &err) == 0, "%s", err.text);
	net = config.nets;
	ck_assert_uint_eq(net[0].forward_count, 2);
	ck_assert_str_eq(net[0].forwards[1].text, "udp:[::1]:53:53");
	ck_assert(net[0].restricted);
	ck_assert_int_eq(net[0].link, CONFIG_NET_LINK_DOWN);
	ck_assert_uint_eq(net[0].rx_bandwidth, MiB(1));
	ck_assert_str_eq(net[0].pcap, "/d/x.pcapng");
	ck_assert_str_eq(net[1].name, "tap0");
	ck_assert_uint_eq(net[1].queues, 4);
	ck_assert_uint_eq(net[2].fd_count, 2);
	ck_assert_uint_eq(net[2].fds[1].fd, 6);
	ck_assert_str_eq(net[3].path, "/d/s");
	ck_assert_int_eq(net[5].mode, CONFIG_NET_NONE);
}
END_TEST

START_TEST(refused_at_once)
{
	static const char *const texts[] = {
		"bridge",
		"user,what=1",
		"tap,name=a/b",
		"tap,name=0123456789abcdef",
		"tap,fd=2",
		"user,mac=1",
		"user,mtu=100",
		"user,mtu=65522",
		"user,queues=0",
		"user,queues=17",
		"user,link=1",
		"user,forward=a b",
		"user,network=abcdef",
		"user,hostname=-a",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		ck_assert_msg(add(texts[i]) == -EINVAL, "%s", texts[i]);
	for (unsigned int i = 0; i < CONFIG_NETS; i++)
		must_add("null");
	ck_assert_int_eq(add("null"), -EINVAL);
}
END_TEST

START_TEST(refused_together)
{
	static const struct {
		const char *text, *begins;
	} cases[] = {
		{"tap", "networks[0].name: "},
		{"tap,name=a,fd=3", "networks[0].fd: "},
		{"tap,fd=3,fd=4,fd=3", "networks[0].fd[2]: "},
		{"tap,fd=3,queues=1", "networks[0].queues: "},
		{"socket", "networks[0].path: "},
		{"user,queues=2", "networks[0].queues: "},
		{"user,path=x", "networks[0].path: "},
		{"user,name=x", "networks[0].name: "},
		{"null,forward=tcp:1:1", "networks[0].forward: "},
		{"tap,name=a,restrict", "networks[0].restrict: "},
		{"null,mac=01:00:00:00:00:00", "networks[0].mac: "},
		{"user,forward=tcp:1:2,forward=tcp:123", "networks[0].forward[1]: "},
		{"user,host=1.2.3.4", "networks[0].host: "},
		{"user,ipv4=false,ipv6=false", "networks[0].ipv6: "},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		teardown();
		setup();
		must_add(cases[i].text);
		ck_assert_int_eq(config_check(&config, &err), -EINVAL);
		ck_assert_msg(strncmp(err.text, cases[i].begins, strlen(cases[i].begins)) == 0,
			      "%s: %s", cases[i].text, err.text);
		ck_assert_ptr_nonnull(strstr(err.text, ", because "));
	}
}
END_TEST

START_TEST(one_address_twice)
{
	must_add("null,mac=02:00:00:00:00:0a");
	must_add("null,mac=02-00-00-00-00-0A");
	ck_assert_int_eq(config_check(&config, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "networks[1].mac: "));
}
END_TEST

START_TEST(a_long_path)
{
	char text[256] = "socket,path=/";

	memset(text + strlen(text), 'a', 107);
	must_add(text);
	ck_assert_int_eq(config_check(&config, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "at most 107 bytes"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_net");
	TCase *t = tcase_create("config_net");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, defaults);
	tcase_add_test(t, keys);
	tcase_add_test(t, refused_at_once);
	tcase_add_test(t, refused_together);
	tcase_add_test(t, one_address_twice);
	tcase_add_test(t, a_long_path);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
