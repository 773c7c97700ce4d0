// SPDX-License-Identifier: MIT
/*
 * Which control group is the fleet's (vmm/cpu_group.h) on this host: below this process' own, or
 * where systemd looks after control groups, the scope that it is asked for. No state; main thread.
 */
#pragma once

#include "vmm/cpu_group.h"

/* Opens it, locked; this process may have been moved for it. As cpu_fleet_open(). */
int cpu_home_open(struct error *err, struct cpu_fleet *ret) must_check;

/* Removes what VMs left there that were killed, if there is anything. */
void cpu_home_tidy(void);
