// SPDX-License-Identifier: MIT
/*
 * The pvpanic port (QEMU docs/specs/pvpanic): reading tells which events the host takes, writing
 * reports them.
 */
#pragma once

#include <stdint.h>

#define PVPANIC_PANICKED     0x01 /* the guest has panicked and needs the host's help */
#define PVPANIC_CRASH_LOADED 0x02 /* it has panicked and is dumping itself */
#define PVPANIC_EVENTS       (PVPANIC_PANICKED | PVPANIC_CRASH_LOADED)
