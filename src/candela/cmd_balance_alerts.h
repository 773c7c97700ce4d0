// SPDX-License-Identifier: MIT
/*
 * What of a decision a person should look at. Each alert is said when it begins and when it is
 * over, with some room between the two. Owner: the balancer's loop thread.
 */
#pragma once

#include "balancer/host_memory.h"
#include "candela/cmd_balance_config.h"
#include "candela/cmd_balance_output.h"
#include "candela/cmd_balance_vm.h"

struct balance_alerts {
	bool low, critical, overpacked, stalled;
};

void balance_alerts_host(struct balance_alerts *alerts, const struct balance_config *config,
			 struct balance_output *out, uint64_t time_ms,
			 const struct host_memory *memory, const struct policy_totals *totals);

/* @now_ns: of loop_now(). Of a VM that has been decided. */
void balance_alerts_vm(struct balance_vm *vm, const struct balance_config *config,
		       struct balance_output *out, uint64_t time_ms, uint64_t now_ns);
