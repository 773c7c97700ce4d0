// SPDX-License-Identifier: MIT
/*
 * A rule of config_check(): processors; and what is allowed there but hardly meant. No state; any
 * thread.
 */
#pragma once

#include "vmm/config.h"

/* -EINVAL with text. */
int config_check_cpus(const struct vm_config *config, struct error *err) must_check;
int config_cpus_check(const struct config_cpus *cpus, struct error *err) must_check;

/*
 * Calls @say for each combination of settings that work against each other: a line, as errors are.
 * The configuration has passed config_check().
 */
void config_cpus_warn(const struct config_cpus *cpus, void (*say)(void *ctx, const char *text),
		      void *ctx);
