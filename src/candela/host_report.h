// SPDX-License-Identifier: MIT
/*
 * What `candela host` says: the facts of host.h and host_probe.h, what each missing one costs, and
 * what follows from them all. Pure: facts in, rows out.
 */
#pragma once

#include "candela/report.h"
#include "vmm/host.h"
#include "vmm/host_probe.h"

void host_report(struct report *r, const struct host *host, const struct host_probe *probe);
