// SPDX-License-Identifier: MIT
/*
 * The balancer at work: one loop, a round each interval. A round asks every VM, decides when all
 * have answered or their time is up, and tells those VMs that shall change. Nothing is kept that a
 * new process would not find again by asking.
 */
#pragma once

#include "candela/cmd_balance_config.h"

struct balance_options {
	bool json, once, dry_run;
	const char *history; /* NULL: none */
};

/* Until a signal ends it, or (once) all is said. -EADDRINUSE: another balancer runs. */
int balance_run(const struct balance_config *config, const struct balance_options *options,
		struct error *err) must_check;
