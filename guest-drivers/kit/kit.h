// SPDX-License-Identifier: MIT
/* All of the kit: what a test guest includes. */
#pragma once

#include "kit/acpi.h"
#include "kit/apic.h"
#include "kit/base.h"
#include "kit/console.h"
#include "kit/cpu.h"
#include "kit/page.h"
#include "kit/power.h"
#include "kit/smp.h"
#include "kit/start_info.h"
#include "kit/string.h"
#include "kit/test.h"
#include "kit/time.h"
#include "kit/trap.h"
