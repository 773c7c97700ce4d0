// SPDX-License-Identifier: MIT
/* Nothing at the other end. */
#include "devices/net/net_null.h"
#include "net_run.h"

static struct run_nic nic;

static void setup(void)
{
	struct net_backend *backend;

	run_setup();
	ck_assert_int_eq(net_null_create(&err, &backend), 0);
	run_start(&nic, backend);
}

static void teardown(void)
{
	run_stop(&nic);
	net_backend_destroy(nic.backend);
	run_teardown();
}

START_TEST(takes_all_and_gives_nothing)
{
	const struct net_offloads offloads = {.checksum = true};
	uint8_t data[100] = {0};
	struct run_tx tx;

	net_backend_set_offloads(nic.backend, &offloads);
	ck_assert(net_backend_link(nic.backend));
	run_send(&nic, &tx, data, sizeof(data), NULL);
	ck_assert(tx.done);
	ck_assert_int_eq(tx.result, 0);
	run_take(&nic);
	ck_assert_uint_eq(nic.count, 0);
	ck_assert_uint_eq(counter_get(&net_backend_counters(nic.backend, 0)->tx_bytes), 100);
	ck_assert_uint_eq(counter_get(&net_backend_counters(nic.backend, 1)->tx_bytes), 0);
}
END_TEST

/* A guest may start its NIC again and again. */
START_TEST(starts_again)
{
	run_stop(&nic);
	run_start(&nic, nic.backend);
}
END_TEST

START_TEST(nothing_to_destroy)
{
	net_backend_destroy(NULL);
}
END_TEST

RUN_SUITE("net_null", takes_all_and_gives_nothing, starts_again, nothing_to_destroy)
