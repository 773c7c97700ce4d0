// SPDX-License-Identifier: MIT
/* A rule of config_check(): NICs. No state; any thread. */
#pragma once

#include "vmm/config.h"

/* -EINVAL with text. */
int config_check_nets(const struct vm_config *config, struct error *err) must_check;
